//! Cholesky factors of several small positive definite matrices side by side, one in each lane.
//!
//! A = UᵀU row by row, two rows and four columns at a time: eight accumulators that stay in registers.
//! One matrix that cannot be factored spoils no other.

use super::elementwise::LANES;
use super::lanes::{Lanes, add_multiple, multiply_add};
use super::machine::vectorised;
use crate::real::Real;
use core::ops::Range;

const ROWS: usize = 2;
const COLUMNS: usize = 4;

/// Workspace and factors for matrices up to a given order.
#[derive(Debug, Clone)]
pub(crate) struct LaneCholesky<T> {
    /// Row stride: the largest order, rounded up to full tiles.
    stride: usize,
    /// Order of the matrices held, in full tiles.
    n: usize,
    /// A, upper triangle (row-major).
    a: Vec<Lanes<T>>,
    /// U, upper triangle.
    u: Vec<Lanes<T>>,
    /// 1/U_ii.
    inverse_diagonal: Vec<Lanes<T>>,
    /// Rows of U⁻ᵀ.
    inverse: Vec<Lanes<T>>,
}

impl<T: Real> LaneCholesky<T> {
    /// For matrices of order at most `max`.
    pub(crate) fn new(max: usize) -> Self {
        let stride = max.next_multiple_of(COLUMNS);
        let square = vec![[T::zero(); LANES]; stride * stride];
        LaneCholesky {
            stride,
            n: 0,
            a: square.clone(),
            u: square.clone(),
            inverse_diagonal: vec![[T::zero(); LANES]; stride],
            inverse: square,
        }
    }

    /// The order at which `n` is held: rounded up to full tiles.
    pub(crate) fn padded(n: usize) -> usize {
        n.next_multiple_of(COLUMNS)
    }

    /// Sets A = shift·I + Σ_j w_j b_j b_jᵀ of [padded](Self::padded) order `n` from the leading `n` numbers of
    /// the rows b_j of `b`, `stride` apart.
    pub(crate) fn set_weighted_gram(
        &mut self,
        n: usize,
        shift: &Lanes<T>,
        b: &[T],
        stride: usize,
        w: &[Lanes<T>],
    ) {
        self.n = n;
        weighted_gram(n, b, stride, w, &mut self.a, self.stride);
        self.shift(shift);
    }

    /// Sets A = shift·I + ZᵀZ of [padded](Self::padded) order `n` from the leading `n` columns of a row-major Z
    /// whose rows are `stride` apart.
    pub(crate) fn set_gram(
        &mut self,
        n: usize,
        shift: &Lanes<T>,
        z: &[Lanes<T>],
        stride: usize,
    ) {
        self.n = n;
        gram(n, z, stride, &mut self.a, self.stride);
        self.shift(shift);
    }

    fn shift(&mut self, shift: &Lanes<T>) {
        for i in 0..self.n {
            for (a, &s) in self.a[i * self.stride + i].iter_mut().zip(shift) {
                *a += s;
            }
        }
    }

    /// Factors the matrices that were set, inflating the diagonal of each by as little jitter as makes it
    /// positive definite. `false` in the lanes that hold a NaN or infinity or a diagonal element ≤ 0.
    pub(crate) fn factor(&mut self) -> [bool; LANES] {
        let mut jitter = [T::zero(); LANES];
        loop {
            let (n, stride) = (self.n, self.stride);
            let definite =
                eliminate(n, stride, &jitter, &self.a, &mut self.u, &mut self.inverse_diagonal);
            let mut again = false;
            for l in 0..LANES {
                if !definite[l] && jitter[l] <= T::one() {
                    again = true;
                    jitter[l] = if jitter[l] == T::zero() {
                        T::lit(50.0) * T::EPSILON
                    } else {
                        jitter[l] * T::lit(100.0)
                    };
                }
            }
            if !again {
                return definite;
            }
        }
    }

    /// Overwrites `b` with A⁻¹b.
    pub(crate) fn solve(&self, b: &mut [Lanes<T>]) {
        substitute(self.stride, &self.u, &self.inverse_diagonal, &mut b[..self.n]);
    }

    /// tr A⁻¹ = ‖U⁻ᵀ‖².
    pub(crate) fn trace_of_inverse(&mut self) -> Lanes<T> {
        trace(self.n, self.stride, &self.u, &self.inverse_diagonal, &mut self.inverse)
    }

    /// ln det A.
    pub(crate) fn log_determinant(&self) -> Lanes<T> {
        let mut sum = [T::zero(); LANES];
        for group in self.inverse_diagonal[..self.n].chunks(COLUMNS) {
            for (l, sum) in sum.iter_mut().enumerate() {
                let product = group.iter().fold(T::one(), |product, d| product * d[l]);
                *sum -= T::lit(2.0) * product.ln();
            }
        }
        sum
    }
}

/// Σ_p left(p, i0 + r)·right(p, j0 + c) over the rows p of two row-major matrices.
#[inline(always)]
fn tile<T: Real, const FUSED: bool>(
    left: &[Lanes<T>],
    right: &[Lanes<T>],
    stride: usize,
    rows: Range<usize>,
    i0: usize,
    j0: usize,
) -> [[Lanes<T>; COLUMNS]; ROWS] {
    let mut sums = [[[T::zero(); LANES]; COLUMNS]; ROWS];
    for p in rows {
        let left = &left[p * stride + i0..][..ROWS];
        let right = &right[p * stride + j0..][..COLUMNS];
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                multiply_add::<T, FUSED>(&left[r], &right[c], &mut sums[r][c]);
            }
        }
    }
    sums
}

vectorised! {
    fn gram<'a, T, const FUSED: bool>(
        n: usize,
        z: &'a [Lanes<T>],
        stride: usize,
        a: &'a mut [Lanes<T>],
        a_stride: usize,
    ) -> () {
        let points = z.len() / stride;
        for i0 in (0..n).step_by(ROWS) {
            for j0 in (i0 / COLUMNS * COLUMNS..n).step_by(COLUMNS) {
                let sums = tile::<T, FUSED>(z, z, stride, 0..points, i0, j0);
                for r in 0..ROWS {
                    a[(i0 + r) * a_stride + j0..][..COLUMNS].copy_from_slice(&sums[r]);
                }
            }
        }
    }
}

vectorised! {
    fn weighted_gram<'a, T, const FUSED: bool>(
        n: usize,
        b: &'a [T],
        stride: usize,
        w: &'a [Lanes<T>],
        a: &'a mut [Lanes<T>],
        a_stride: usize,
    ) -> () {
        for i0 in (0..n).step_by(ROWS) {
            for j0 in (i0 / COLUMNS * COLUMNS..n).step_by(COLUMNS) {
                let mut sums = [[[T::zero(); LANES]; COLUMNS]; ROWS];
                for (row, w) in b.chunks_exact(stride).zip(w) {
                    let (left, right) = (&row[i0..i0 + ROWS], &row[j0..j0 + COLUMNS]);
                    for r in 0..ROWS {
                        let mut scaled = *w;
                        for l in 0..LANES {
                            scaled[l] *= left[r];
                        }
                        for c in 0..COLUMNS {
                            add_multiple::<T, FUSED>(&scaled, right[c], &mut sums[r][c]);
                        }
                    }
                }
                for r in 0..ROWS {
                    a[(i0 + r) * a_stride + j0..][..COLUMNS].copy_from_slice(&sums[r]);
                }
            }
        }
    }
}

vectorised! {
    /// Writes U of A with (1 + jitter) times its diagonal. Whether each lane is positive definite and finite.
    fn eliminate<'a, T, const FUSED: bool>(
        n: usize,
        stride: usize,
        jitter: &'a Lanes<T>,
        a: &'a [Lanes<T>],
        u: &'a mut [Lanes<T>],
        inverse_diagonal: &'a mut [Lanes<T>],
    ) -> [bool; LANES] {
        let mut definite = [true; LANES];
        for i0 in (0..n).step_by(ROWS) {
            let from = i0 / COLUMNS * COLUMNS;
            for j0 in (from..n).step_by(COLUMNS) {
                let sums = tile::<T, FUSED>(u, u, stride, 0..i0, i0, j0);
                for r in 0..ROWS {
                    let at = (i0 + r) * stride + j0;
                    let (a, u) = (&a[at..at + COLUMNS], &mut u[at..at + COLUMNS]);
                    for c in 0..COLUMNS {
                        for l in 0..LANES {
                            u[c][l] = a[c][l] - sums[r][c][l];
                        }
                    }
                }
            }
            for i in i0..i0 + ROWS {
                let (above, row) = u.split_at_mut(i * stride);
                let row = &mut row[..n];
                // The rows of this tile before this one.
                for p in i0..i {
                    let pivot_row = &above[p * stride..][..n];
                    let mut factor = pivot_row[i];
                    factor.iter_mut().for_each(|f| *f = -*f);
                    for (r, p) in row[from..].iter_mut().zip(&pivot_row[from..]) {
                        multiply_add::<T, FUSED>(&factor, p, r);
                    }
                }
                let (diagonal, inverse) = (a[i * stride + i], &mut inverse_diagonal[i]);
                for l in 0..LANES {
                    let pivot = row[i][l] + jitter[l] * diagonal[l];
                    let sound = pivot > T::zero() && pivot < T::INFINITY;
                    definite[l] &= sound;
                    inverse[l] = T::one() / if sound { pivot } else { T::one() }.sqrt();
                    // The loop below makes this the root of the pivot.
                    row[i][l] = pivot;
                }
                row[from..i].fill([T::zero(); LANES]);
                for r in &mut row[i..] {
                    for l in 0..LANES {
                        r[l] *= inverse[l];
                    }
                }
            }
        }
        definite
    }
}

vectorised! {
    /// x = (UᵀU)⁻¹x.
    fn substitute<'a, T, const FUSED: bool>(
        stride: usize,
        u: &'a [Lanes<T>],
        inverse_diagonal: &'a [Lanes<T>],
        x: &'a mut [Lanes<T>],
    ) -> () {
        let n = x.len();
        for k in 0..n {
            let mut minus = x[k];
            for l in 0..LANES {
                x[k][l] *= inverse_diagonal[k][l];
                minus[l] = -x[k][l];
            }
            for (x, u) in x[k + 1..].iter_mut().zip(&u[k * stride + k + 1..]) {
                multiply_add::<T, FUSED>(&minus, u, x);
            }
        }
        for k in (0..n).rev() {
            let mut sum = [T::zero(); LANES];
            for (x, u) in x[k + 1..].iter().zip(&u[k * stride + k + 1..]) {
                multiply_add::<T, FUSED>(x, u, &mut sum);
            }
            for l in 0..LANES {
                x[k][l] = (x[k][l] - sum[l]) * inverse_diagonal[k][l];
            }
        }
    }
}

vectorised! {
    /// ‖U⁻ᵀ‖²; x receives the rows of U⁻ᵀ.
    fn trace<'a, T, const FUSED: bool>(
        n: usize,
        stride: usize,
        u: &'a [Lanes<T>],
        inverse_diagonal: &'a [Lanes<T>],
        x: &'a mut [Lanes<T>],
    ) -> Lanes<T> {
        let mut trace = [T::zero(); LANES];
        for i0 in (0..n).step_by(ROWS) {
            let width = (i0 + ROWS).next_multiple_of(COLUMNS).min(n);
            for j0 in (0..width).step_by(COLUMNS) {
                let sums = tile::<T, FUSED>(u, x, stride, j0.min(i0)..i0, i0, j0);
                for r in 0..ROWS {
                    for c in 0..COLUMNS {
                        let one = if i0 + r == j0 + c { T::one() } else { T::zero() };
                        for l in 0..LANES {
                            x[(i0 + r) * stride + j0 + c][l] = one - sums[r][c][l];
                        }
                    }
                }
            }
            for i in i0..i0 + ROWS {
                let (above, row) = x.split_at_mut(i * stride);
                let row = &mut row[..width];
                for p in i0..i {
                    let mut factor = u[p * stride + i];
                    factor.iter_mut().for_each(|f| *f = -*f);
                    for (r, p) in row.iter_mut().zip(&above[p * stride..]) {
                        multiply_add::<T, FUSED>(&factor, p, r);
                    }
                }
                for r in row.iter_mut() {
                    for l in 0..LANES {
                        r[l] *= inverse_diagonal[i][l];
                        trace[l] += r[l] * r[l];
                    }
                }
            }
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn every_lane_agrees_with_the_dense_library() {
        let (points, stride) = (40, 32);
        let b: Vec<f64> = (0..points * stride).map(|k| (0.7 * k as f64).sin()).collect();
        let w: Vec<Lanes<f64>> = (0..points)
            .map(|j| core::array::from_fn(|l| 1.1 + (1.3 * (j * LANES + l) as f64).sin()))
            .collect();
        let z: Vec<Lanes<f64>> = (0..points * stride)
            .map(|k| core::array::from_fn(|l| b[k] * w[k / stride][l].sqrt()))
            .collect();
        let shift = core::array::from_fn(|l| 0.2 + 0.1 * l as f64);
        for n in [4, 8, 12, 24, 32] {
            let mut cholesky = LaneCholesky::<f64>::new(32);
            for panel in [false, true] {
                if panel {
                    cholesky.set_gram(n, &shift, &z, stride);
                } else {
                    cholesky.set_weighted_gram(n, &shift, &b, stride, &w);
                }
                assert_eq!(cholesky.factor(), [true; LANES]);
                let mut x: Vec<Lanes<f64>> =
                    (0..n).map(|i| core::array::from_fn(|l| ((i + l) as f64).cos())).collect();
                let right = x.clone();
                cholesky.solve(&mut x);
                let (trace, log) = (cholesky.trace_of_inverse(), cholesky.log_determinant());
                for l in 0..LANES {
                    let rows = DMatrix::from_fn(points, n, |j, i| z[j * stride + i][l]);
                    let a = rows.transpose() * rows + DMatrix::identity(n, n) * shift[l];
                    let expected = a.clone().cholesky().unwrap();
                    let b = DVector::from_fn(n, |i, _| right[i][l]);
                    let x = DVector::from_fn(n, |i, _| x[i][l]);
                    assert!((expected.solve(&b) - x).norm() < 1e-11 * b.norm());
                    assert!((trace[l] / expected.inverse().trace() - 1.0).abs() < 1e-11);
                    assert!((log[l] - expected.determinant().ln()).abs() < 1e-11 * log[l].abs());
                }
            }
        }
    }

    #[test]
    fn one_bad_lane_spoils_no_other() {
        let b = [1.0, 1.0, 1.0, 1.0, 0.0, 0.5, -0.5, 1.0];
        let mut w = [[1.0; LANES]; 2];
        let mut solve = |w: &[Lanes<f64>; 2], shift: Lanes<f64>| {
            let mut cholesky = LaneCholesky::<f64>::new(4);
            cholesky.set_weighted_gram(4, &shift, &b, 4, w);
            let definite = cholesky.factor();
            let mut x = [[1.0; LANES]; 4];
            cholesky.solve(&mut x);
            (definite, x)
        };
        let (_, sound) = solve(&w, [1.0; LANES]);
        (w[0][2], w[1][5]) = (f64::NAN, f64::INFINITY);
        // A singular matrix is rescued by jitter.
        let mut shift = [1.0; LANES];
        shift[6] = 0.0;
        let (definite, x) = solve(&w, shift);
        assert_eq!(definite, core::array::from_fn(|l| l != 2 && l != 5));
        assert!((0..4).all(|i| [0, 1, 3, 4, 7].iter().all(|&l| x[i][l] == sound[i][l])));
        assert!((0..4).all(|i| x[i][6].is_finite()));
    }
}
