//! Several small problems side by side, one in each lane of a vector register: an array of [`Lanes`] holds
//! element after element, each for all problems. Loops over the lanes are the innermost.

use super::banded_rows::BandedRows;
use super::elementwise::LANES;
use super::machine::vectorised;
use crate::real::Real;
use core::ops::{Deref, DerefMut};

/// One number of each problem.
pub(crate) type Lanes<T> = [T; LANES];

/// Where a vector register's worth of memory should begin.
const ALIGNMENT: usize = 64;

/// An array of [`Lanes`] none of which straddles a cache line.
#[derive(Debug)]
pub(crate) struct LaneVec<T> {
    data: Vec<T>,
    start: usize,
    end: usize,
}

impl<T: Real> LaneVec<T> {
    /// `n` zeros for each lane.
    pub(crate) fn zeros(n: usize) -> Self {
        let data = vec![T::zero(); n * LANES + ALIGNMENT / size_of::<T>()];
        let start = data.as_ptr().align_offset(ALIGNMENT).min(data.len() - n * LANES);
        LaneVec { data, start, end: start + n * LANES }
    }
}

impl<T> Deref for LaneVec<T> {
    type Target = [Lanes<T>];

    fn deref(&self) -> &[Lanes<T>] {
        self.data[self.start..self.end].as_chunks().0
    }
}

impl<'a, T> IntoIterator for &'a LaneVec<T> {
    type Item = &'a Lanes<T>;
    type IntoIter = core::slice::Iter<'a, Lanes<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut LaneVec<T> {
    type Item = &'a mut Lanes<T>;
    type IntoIter = core::slice::IterMut<'a, Lanes<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T> DerefMut for LaneVec<T> {
    fn deref_mut(&mut self) -> &mut [Lanes<T>] {
        self.data[self.start..self.end].as_chunks_mut().0
    }
}

/// a·b + c in every lane.
#[inline(always)]
pub(super) fn multiply_add<T: Real, const FUSED: bool>(
    a: &Lanes<T>,
    b: &Lanes<T>,
    c: &mut Lanes<T>,
) {
    for l in 0..LANES {
        c[l] = if FUSED { a[l].mul_add(b[l], c[l]) } else { c[l] + a[l] * b[l] };
    }
}

/// c += a·x in every lane.
#[inline(always)]
pub(super) fn add_multiple<T: Real, const FUSED: bool>(a: &Lanes<T>, x: T, c: &mut Lanes<T>) {
    for l in 0..LANES {
        c[l] = if FUSED { a[l].mul_add(x, c[l]) } else { c[l] + a[l] * x };
    }
}

/// c −= a in every lane.
#[inline(always)]
pub(super) fn subtract<T: Real>(a: &Lanes<T>, c: &mut Lanes<T>) {
    for l in 0..LANES {
        c[l] -= a[l];
    }
}

/// c *= a in every lane.
#[inline(always)]
pub(super) fn scale<T: Real>(a: &Lanes<T>, c: &mut Lanes<T>) {
    for l in 0..LANES {
        c[l] *= a[l];
    }
}

vectorised! {
    /// The sums x·y of all problems.
    pub(crate) fn lane_dots<'a, T, const FUSED: bool>(
        x: &'a [Lanes<T>],
        y: &'a [Lanes<T>],
    ) -> Lanes<T> {
        let mut sums = [T::zero(); LANES];
        for (x, y) in x.iter().zip(y) {
            multiply_add::<T, FUSED>(x, y, &mut sums);
        }
        sums
    }
}

vectorised! {
    /// to = from + t·by in the lanes that are `on`.
    pub(crate) fn lane_step<'a, T, const FUSED: bool>(
        to: &'a mut [Lanes<T>],
        from: &'a [Lanes<T>],
        t: &'a Lanes<T>,
        by: &'a [Lanes<T>],
        on: &'a [bool; LANES],
    ) -> () {
        for ((to, from), by) in to.iter_mut().zip(from).zip(by) {
            let mut moved = *from;
            multiply_add::<T, FUSED>(t, by, &mut moved);
            select(on, &moved, to);
        }
    }
}

vectorised! {
    /// to = from in the lanes that are `on`.
    pub(crate) fn lane_select<'a, T>(
        to: &'a mut [Lanes<T>],
        from: &'a [Lanes<T>],
        on: &'a [bool; LANES],
    ) -> () {
        for (to, from) in to.iter_mut().zip(from) {
            select(on, from, to);
        }
    }
}

#[inline(always)]
fn select<T: Real>(on: &[bool; LANES], from: &Lanes<T>, to: &mut Lanes<T>) {
    for l in 0..LANES {
        to[l] = if on[l] { from[l] } else { to[l] };
    }
}

vectorised! {
    /// out = M x for a row-major matrix of `out.len()` rows `stride` apart, its `x.len()` columns from `first` on.
    pub(crate) fn lane_product<'a, T, const FUSED: bool>(
        m: &'a [T],
        stride: usize,
        first: usize,
        x: &'a [Lanes<T>],
        out: &'a mut [Lanes<T>],
    ) -> () {
        const ROWS: usize = 4;
        debug_assert!(m.len() >= out.len() * stride && first + x.len() <= stride);
        let mut rows = m.chunks_exact(ROWS * stride);
        let mut outs = out.chunks_exact_mut(ROWS);
        for (rows, out) in (&mut rows).zip(&mut outs) {
            let mut sums = [[T::zero(); LANES]; ROWS];
            for (k, x) in x.iter().enumerate() {
                for r in 0..ROWS {
                    add_multiple::<T, FUSED>(x, rows[r * stride + first + k], &mut sums[r]);
                }
            }
            out.copy_from_slice(&sums);
        }
        for (row, out) in rows.remainder().chunks_exact(stride).zip(outs.into_remainder()) {
            let mut sum = [T::zero(); LANES];
            for (x, &m) in x.iter().zip(&row[first..]) {
                add_multiple::<T, FUSED>(x, m, &mut sum);
            }
            *out = sum;
        }
    }
}

vectorised! {
    /// out = Mᵀ x for a row-major matrix of `x.len()` rows `stride` apart, its leading `out.len()` columns:
    /// a multiple of [`LANES`].
    pub(crate) fn lane_product_t<'a, T, const FUSED: bool>(
        m: &'a [T],
        stride: usize,
        x: &'a [Lanes<T>],
        out: &'a mut [Lanes<T>],
    ) -> () {
        for (first, out) in (0..).step_by(LANES).zip(out.chunks_exact_mut(LANES)) {
            let mut sums = [[T::zero(); LANES]; LANES];
            for (row, x) in m.chunks_exact(stride).zip(x) {
                let row = &row[first..first + LANES];
                for k in 0..LANES {
                    add_multiple::<T, FUSED>(x, row[k], &mut sums[k]);
                }
            }
            out.copy_from_slice(&sums);
        }
    }
}

/// One problem after another, `n` numbers in each row of `stride`.
pub(crate) fn split_lanes<T: Real>(x: &[Lanes<T>], stride: usize, out: &mut [T]) {
    for (row, l) in out.chunks_exact_mut(stride).zip(0..LANES) {
        for (o, x) in row.iter_mut().zip(x) {
            *o = x[l];
        }
    }
}

/// The inverse of [`split_lanes`].
pub(crate) fn join_lanes<T: Real>(rows: &[T], stride: usize, out: &mut [Lanes<T>]) {
    for (row, l) in rows.chunks_exact(stride).zip(0..LANES) {
        for (o, &x) in out.iter_mut().zip(row) {
            o[l] = x;
        }
    }
}

impl<T: Real> BandedRows<T> {
    /// Writes R h.
    pub(crate) fn apply_lanes(&self, h: &[Lanes<T>], out: &mut [Lanes<T>]) {
        for ((start, row), o) in self.iter().zip(out) {
            *o = [T::zero(); LANES];
            for (&c, h) in row.iter().zip(&h[start..]) {
                add_multiple::<T, false>(h, c, o);
            }
        }
    }

    /// out += Rᵀ v.
    pub(crate) fn add_transposed_lanes(&self, v: &[Lanes<T>], out: &mut [Lanes<T>]) {
        for ((start, row), v) in self.iter().zip(v) {
            for (o, &c) in out[start..].iter_mut().zip(row) {
                add_multiple::<T, false>(v, c, o);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn every_lane_is_a_product_of_its_own() {
        let (rows, columns, stride) = (7, 8, 8);
        let m: Vec<f64> = (0..rows * stride).map(|k| (1.1 * k as f64).sin()).collect();
        let dense = DMatrix::from_fn(rows, columns, |i, k| m[i * stride + k]);
        let lanes = |n: usize| -> Vec<Lanes<f64>> {
            (0..n).map(|i| core::array::from_fn(|l| (0.3 * (i * 9 + l) as f64).cos())).collect()
        };
        let (x, y) = (lanes(columns), lanes(rows));
        let (mut mx, mut mty) = (vec![[0.0; LANES]; rows], vec![[0.0; LANES]; columns]);
        lane_product(&m, stride, 0, &x, &mut mx);
        lane_product_t(&m, stride, &y, &mut mty);
        for l in 0..LANES {
            let lane = |v: &[Lanes<f64>]| nalgebra::DVector::from_fn(v.len(), |i, _| v[i][l]);
            assert!((&dense * lane(&x) - lane(&mx)).norm() < 1e-14);
            assert!((dense.transpose() * lane(&y) - lane(&mty)).norm() < 1e-14);
            assert!((lane_dots(&x, &mty)[l] - lane(&x).dot(&lane(&mty))).abs() < 1e-14);
        }
        // The columns from 3 on alone, for numbers of rows with and without a remainder.
        for rows in [4, 5, 6, 7] {
            let mut part = vec![[f64::NAN; LANES]; rows];
            lane_product(&m[..rows * stride], stride, 3, &x[3..], &mut part);
            let (view, tail) = (dense.view((0, 3), (rows, 5)), &x[3..]);
            for l in 0..LANES {
                let expected = view * nalgebra::DVector::from_fn(5, |k, _| tail[k][l]);
                assert!((0..rows).all(|i| (part[i][l] - expected[i]).abs() < 1e-14));
            }
        }
        let (mut split, mut joined) = (vec![0.0; LANES * 9], vec![[0.0; LANES]; rows]);
        split_lanes(&y, 9, &mut split);
        assert_eq!(split[3 * 9 + 2], y[2][3]);
        join_lanes(&split, 9, &mut joined);
        assert_eq!(joined, y);
    }
}
