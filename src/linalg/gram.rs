//! Gram matrices of tall panels, upper triangle only.

use super::elementwise::LANES;
use super::lanes::{Lanes, add_multiple};
use super::machine::vectorised;
use crate::real::Real;

/// Rows of Z at a time.
const BLOCK: usize = 64;

vectorised! {
    /// Writes the upper triangle of ZᵀZ for the leading `n` columns of a row-major Z whose rows, like those of
    /// the result, are `stride` apart; both are used up to full lanes.
    ///
    /// In tiles of eight accumulators, which stay in registers: two vectors of columns by four rows, or one by
    /// eight where one is left; and block by block of rows of Z, which stay in the nearest cache.
    pub(crate) fn upper_gram<'a, T, const FUSED: bool>(
        n: usize,
        z: &'a [T],
        stride: usize,
        out: &'a mut [T],
    ) -> () {
        let end = n.next_multiple_of(LANES);
        out[..end * stride].fill(T::zero());
        for z in z.chunks(BLOCK * stride) {
            for first in (0..n).step_by(LANES) {
                let pairs = (end - first) / (2 * LANES) * 2 * LANES;
                for column in (first..first + pairs).step_by(2 * LANES) {
                    tile::<T, FUSED, 4, 2>(z, stride, first, column, out);
                    tile::<T, FUSED, 4, 2>(z, stride, first + 4, column, out);
                }
                if first + pairs < end {
                    tile::<T, FUSED, 8, 1>(z, stride, first, first + pairs, out);
                }
            }
        }
    }
}

/// Adds R rows of ZᵀZ from `first` on, in the columns from `column` on, V times the lanes.
#[inline(always)]
fn tile<T: Real, const FUSED: bool, const R: usize, const V: usize>(
    z: &[T],
    stride: usize,
    first: usize,
    column: usize,
    out: &mut [T],
) {
    let mut sums = [[[T::zero(); LANES]; V]; R];
    for row in z.chunks_exact(stride) {
        let left = &row[first..first + R];
        let right: &[Lanes<T>] = row[column..column + V * LANES].as_chunks().0;
        for (sums, &x) in sums.iter_mut().zip(left) {
            for (sums, right) in sums.iter_mut().zip(right) {
                add_multiple::<T, FUSED>(right, x, sums);
            }
        }
    }
    for (sums, row) in sums.iter().zip(out[first * stride..].chunks_exact_mut(stride)) {
        for (o, &s) in row[column..].iter_mut().zip(sums.as_flattened()) {
            *o += s;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn battery<T: Real>(tolerance: f64) {
        for n in [1, 5, 8, 9, 16, 23, 24, 25, 32, 33, 41, 56] {
            let (rows, stride) = (2 * BLOCK + 37, 64);
            let z: Vec<T> = (0..rows * stride).map(|k| T::lit((0.7 * k as f64).sin())).collect();
            let mut gram = vec![T::zero(); stride * stride];
            upper_gram(n, &z, stride, &mut gram);
            for i in 0..n {
                for j in i..n {
                    let exact: f64 =
                        (0..rows).map(|k| (z[k * stride + i] * z[k * stride + j]).as_f64()).sum();
                    assert!((gram[i * stride + j].as_f64() - exact).abs() < tolerance);
                }
            }
        }
    }

    #[test]
    fn agrees_with_its_definition() {
        battery::<f64>(1e-13);
        battery::<f32>(1e-4);
    }
}
