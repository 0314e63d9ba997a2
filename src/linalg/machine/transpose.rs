//! Transposition in registers.

use super::register::Register;
use super::simd::{InstructionSet, Vectorise};
#[cfg(target_arch = "x86_64")]
use super::simd::{v3, v4};
use crate::real::Real;
use core::marker::PhantomData;

/// Lanes of the widest register.
pub(super) const WIDEST: usize = 16;

/// Copies `count` slices of `length` numbers, `row(j)` the j-th, to the columns of a row-major matrix with `count`
/// columns: `to[i·count + j] = row(j)[i]`.
///
/// # Panics
/// If a slice or `to` is too short.
pub(crate) fn columns_from<'a, T: Real>(
    length: usize,
    count: usize,
    row: impl Fn(usize) -> &'a [T],
    to: &mut [T],
) {
    columns_on(InstructionSet::detect(), length, count, row, to);
}

/// The same with the instructions of `set`, which the processor must have.
fn columns_on<'a, T: Real>(
    set: InstructionSet,
    length: usize,
    count: usize,
    row: impl Fn(usize) -> &'a [T],
    to: &mut [T],
) {
    let to = to[..length * count].as_mut_ptr();
    let row = |j: usize| row(j)[..length].as_ptr();
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{__m256, __m256d, __m512, __m512d};
        let single = size_of::<T>() == size_of::<f32>();
        // SAFETY: the processor has the features of `v4` or `v3`, and T is the type its pointers are cast to (the
        // trait is sealed, its two types differ in size).
        unsafe {
            match (set, single) {
                (InstructionSet::Avx512, true) => {
                    return v4(Columns::<_, f32, __m512>::of(
                        length,
                        count,
                        |j| row(j).cast(),
                        to.cast(),
                    ));
                }
                (InstructionSet::Avx512, false) => {
                    return v4(Columns::<_, f64, __m512d>::of(
                        length,
                        count,
                        |j| row(j).cast(),
                        to.cast(),
                    ));
                }
                (InstructionSet::Avx2, true) => {
                    return v3(Columns::<_, f32, __m256>::of(
                        length,
                        count,
                        |j| row(j).cast(),
                        to.cast(),
                    ));
                }
                (InstructionSet::Avx2, false) => {
                    return v3(Columns::<_, f64, __m256d>::of(
                        length,
                        count,
                        |j| row(j).cast(),
                        to.cast(),
                    ));
                }
                (InstructionSet::Baseline, _) => {}
            }
        }
    }
    let _ = set;
    Columns::<_, T, [T; 4]>::of(length, count, row, to).run();
}

/// The job of [`columns_from`], made by it alone: rows of `length` numbers, room for `count` times as many.
struct Columns<F, T, R> {
    length: usize,
    count: usize,
    row: F,
    to: *mut T,
    register: PhantomData<R>,
}

impl<F, T, R> Columns<F, T, R> {
    fn of(length: usize, count: usize, row: F, to: *mut T) -> Self {
        Columns { length, count, row, to, register: PhantomData }
    }
}

impl<T: Real, R: Register<T>, F: Fn(usize) -> *const T> Vectorise for Columns<F, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for first in (0..self.count).step_by(R::LANES) {
            let here = (self.count - first).min(R::LANES);
            let mut rows = [core::ptr::null(); WIDEST];
            for (j, pointer) in rows[..here].iter_mut().enumerate() {
                *pointer = (self.row)(first + j);
            }
            for start in (0..self.length).step_by(R::LANES) {
                let length = (self.length - start).min(R::LANES);
                // SAFETY: the rows have `length` numbers from `start` on, the matrix rows and columns up to
                // `self.length` and `self.count`.
                unsafe {
                    let x = transposed::<T, R>(|j| rows[j].add(start), here, length);
                    for i in 0..R::LANES {
                        if i < length {
                            let to = self.to.add((start + i) * self.count + first);
                            if here == R::LANES {
                                x[i].store(to);
                            } else {
                                x[i].store_first(to, here);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The transpose of `count` rows of `length` numbers, both at most LANES: register i holds the i-th number of each
/// row, and zeros beyond the last row.
///
/// # Safety
/// The rows can be read, and the processor has the instructions of `R`.
#[inline(always)]
pub(super) unsafe fn transposed<T: Real, R: Register<T>>(
    row: impl Fn(usize) -> *const T,
    count: usize,
    length: usize,
) -> [R; WIDEST] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [R::splat(T::zero()); WIDEST];
        for j in 0..R::LANES {
            if j < count {
                x[j] = if length == R::LANES {
                    R::load(row(j))
                } else {
                    R::load_first(row(j), length)
                };
            }
        }
        // A perfect shuffle of rows and numbers, once for every binary digit of LANES.
        let mut digit = 1;
        while digit < R::LANES {
            let mut y = x;
            for i in 0..R::LANES / 2 {
                (y[2 * i], y[2 * i + 1]) = x[i].zip(x[i + R::LANES / 2]);
            }
            x = y;
            digit *= 2;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::machine::simd::available;

    fn battery<T: Real>(set: InstructionSet) {
        for (length, count) in
            [(1, 1), (5, 3), (16, 16), (35, 37), (100, 64), (7, 33), (0, 4), (4, 0)]
        {
            let rows: Vec<T> = (0..length * count).map(|v| T::lit(v as f64)).collect();
            let mut columns = vec![T::lit(-1.0); length * count + 1];
            columns_on(set, length, count, |j| &rows[j * length..], &mut columns);
            for i in 0..length {
                for j in 0..count {
                    assert_eq!(columns[i * count + j], rows[j * length + i], "{set:?}");
                }
            }
            assert_eq!(columns[length * count], T::lit(-1.0));
        }
    }

    #[test]
    fn rows_become_columns_on_every_instruction_set() {
        for set in available() {
            battery::<f32>(set);
            battery::<f64>(set);
        }
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_short_row_is_caught() {
        columns_from(3, 2, |j| &[1.0, 2.0, 3.0][j..], &mut [0.0; 6]);
    }
}
