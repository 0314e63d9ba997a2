//! Cholesky factorisation of small dense matrices in storage of its own: no allocation once made.
//!
//! A = UᵀU with the rows of U contiguous, updated four at a time. The factorisation commutes with a
//! diagonal scaling of A, so that Jacobi scaling comes down to measuring jitter against each diagonal
//! element: a matrix that rounding has made indefinite is factored as A + jitter·diag(A).

use super::elementwise::{LANES, dot, sum_of_logarithms};
use super::gram::upper_gram;
use super::machine::vectorised;
use crate::real::Real;

/// Workspace and factor for matrices up to a given order.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky<T> {
    /// Row stride: the largest order, rounded up to full lanes.
    stride: usize,
    /// Order of the matrix held.
    n: usize,
    /// A, upper triangle (row-major).
    a: Vec<T>,
    /// U, upper triangle.
    u: Vec<T>,
    /// 1/U_ii.
    inverse_diagonal: Vec<T>,
    /// Rows of U⁻ᵀ.
    inverse: Vec<T>,
}

impl<T: Real> Cholesky<T> {
    /// For matrices of order at most `max`.
    pub(crate) fn new(max: usize) -> Self {
        let stride = max.next_multiple_of(LANES);
        let square = vec![T::zero(); stride * stride];
        Cholesky {
            stride,
            n: 0,
            a: square.clone(),
            u: square.clone(),
            inverse_diagonal: vec![T::zero(); stride],
            inverse: square,
        }
    }

    /// The row stride of panels handed to [`set_gram`](Self::set_gram).
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Sets A = shift·I + ZᵀZ of order `n` from the leading `n` columns of a row-major Z whose rows are
    /// [`stride`](Self::stride) apart.
    pub(crate) fn set_gram(&mut self, n: usize, shift: T, z: &[T]) {
        self.n = n;
        upper_gram(n, z, self.stride, &mut self.a);
        for i in 0..n {
            self.a[i * self.stride + i] += shift;
        }
    }

    /// Sets A from its elements (i, j), i ≤ j < n.
    pub(crate) fn set(&mut self, n: usize, element: impl Fn(usize, usize) -> T) {
        self.n = n;
        for i in 0..n {
            for j in i..self.stride {
                self.a[i * self.stride + j] = if j < n { element(i, j) } else { T::zero() };
            }
        }
    }

    /// Sets A to the rows and columns `indices` of a symmetric matrix of order `n`.
    pub(crate) fn set_principal(&mut self, indices: &[usize], matrix: &[T], n: usize) {
        self.n = indices.len();
        for ((i, &p), row) in indices.iter().enumerate().zip(self.a.chunks_exact_mut(self.stride)) {
            let from = &matrix[p * n..][..n];
            for (a, &q) in row[i..].iter_mut().zip(&indices[i..]) {
                *a = from[q];
            }
            row[indices.len()..].fill(T::zero());
        }
    }

    /// Factors the matrix that was set, inflating its diagonal by as little jitter as makes it positive
    /// definite. Returns that jitter (0 as a rule), or `None` if the matrix holds a NaN or infinity or a
    /// diagonal element ≤ 0.
    pub(crate) fn factor(&mut self) -> Option<T> {
        let mut jitter = T::zero();
        loop {
            let stride = self.stride;
            let rows = self.u.chunks_exact_mut(stride).zip(self.a.chunks_exact(stride));
            for (i, (u, a)) in rows.take(self.n).enumerate() {
                u[i..].copy_from_slice(&a[i..]);
                u[i] *= T::one() + jitter;
            }
            if self.eliminate() {
                return Some(jitter);
            }
            jitter = if jitter == T::zero() {
                T::lit(50.0) * T::EPSILON
            } else {
                jitter * T::lit(100.0)
            };
            if jitter > T::one() {
                return None;
            }
        }
    }

    fn eliminate(&mut self) -> bool {
        let (n, stride) = (self.n, self.stride);
        let (u, inverse_diagonal) = (&mut self.u, &mut self.inverse_diagonal);
        eliminate(n, stride, u, inverse_diagonal)
    }

    /// Overwrites `b` with A⁻¹b.
    pub(crate) fn solve(&self, b: &mut [T]) {
        substitute(self.stride, &self.u, &self.inverse_diagonal, &mut b[..self.n]);
    }

    /// Overwrites `b` with U⁻ᵀb.
    pub(crate) fn solve_lower(&self, b: &mut [T]) {
        for k in 0..self.n {
            b[k] *= self.inverse_diagonal[k];
            let row = &self.u[k * self.stride..][k + 1..self.n];
            let (head, tail) = b.split_at_mut(k + 1);
            tail.iter_mut().zip(row).for_each(|(b, &u)| *b -= head[k] * u);
        }
    }

    /// ln det A.
    pub(crate) fn log_determinant(&self) -> T {
        -T::lit(2.0) * sum_of_logarithms(self.inverse_diagonal[..self.n].iter().copied())
    }

    /// tr A⁻¹ = ‖U⁻ᵀ‖², by forward substitution of the identity.
    pub(crate) fn trace_of_inverse(&mut self) -> T {
        let (n, stride) = (self.n, self.stride);
        let (u, x, inverse_diagonal) = (&self.u, &mut self.inverse, &self.inverse_diagonal);
        trace(n, stride, u, inverse_diagonal, x)
    }
}

/// row += c₀p₀ + c₁p₁ + c₂p₂ + c₃p₃, over full lanes.
#[inline(always)]
fn add_four<T: Real, const FUSED: bool>(row: &mut [T], c: [T; 4], p: [&[T]; 4]) {
    let n = row.len();
    let [p0, p1, p2, p3] = p.map(|p| p[..n].chunks_exact(LANES));
    for ((((r, p0), p1), p2), p3) in row.chunks_exact_mut(LANES).zip(p0).zip(p1).zip(p2).zip(p3) {
        for l in 0..LANES {
            r[l] += if FUSED {
                p1[l].mul_add(c[1], p0[l] * c[0]) + p3[l].mul_add(c[3], p2[l] * c[2])
            } else {
                (c[0] * p0[l] + c[1] * p1[l]) + (c[2] * p2[l] + c[3] * p3[l])
            };
        }
    }
}

/// Four consecutive rows.
#[inline(always)]
fn four_rows<T>(panel: &[T], stride: usize) -> [&[T]; 4] {
    let (p0, panel) = panel.split_at(stride);
    let (p1, panel) = panel.split_at(stride);
    let (p2, p3) = panel.split_at(stride);
    [p0, p1, p2, p3]
}

vectorised! {
    /// Overwrites A with U. Loops start at full lanes, so that elements left of the diagonal are scratch; each
    /// finished row has zeros there.
    fn eliminate<'a, T, const FUSED: bool>(
        n: usize,
        stride: usize,
        u: &'a mut [T],
        inverse_diagonal: &'a mut [T],
    ) -> bool {
        let width = n.next_multiple_of(LANES);
        for k0 in (0..n).step_by(4) {
            let k1 = (k0 + 4).min(n);
            let from = k0 / LANES * LANES;
            // The rows of this panel, each reduced by those before it in the panel.
            for k in k0..k1 {
                let (above, row) = u.split_at_mut(k * stride);
                let row = &mut row[from..width];
                for p in k0..k {
                    let pivot_row = &above[p * stride + from..p * stride + width];
                    let factor = pivot_row[k - from];
                    for (r, &p) in row.iter_mut().zip(pivot_row) {
                        *r -= factor * p;
                    }
                }
                let pivot = row[k - from];
                if !(pivot > T::zero() && pivot.is_finite()) {
                    return false;
                }
                let inverse = T::one() / pivot.sqrt();
                inverse_diagonal[k] = inverse;
                row[..k - from].fill(T::zero());
                for r in row.iter_mut() {
                    *r *= inverse;
                }
            }
            if k1 == n {
                break;
            }
            // The rows below, reduced by the whole panel.
            let (above, below) = u.split_at_mut(k1 * stride);
            let panel = four_rows(&above[k0 * stride..], stride);
            for (i, row) in (k1..n).zip(below.chunks_exact_mut(stride)) {
                let from = i / LANES * LANES;
                add_four::<T, FUSED>(&mut row[from..width], panel.map(|p| -p[i]), panel.map(|p| &p[from..]));
            }
        }
        true
    }
}

vectorised! {
    /// x = (UᵀU)⁻¹x. Loops start at full lanes: rows of U have zeros left of the diagonal.
    fn substitute<'a, T>(
        stride: usize,
        u: &'a [T],
        inverse_diagonal: &'a [T],
        x: &'a mut [T],
    ) -> () {
        let n = x.len();
        for k in 0..n {
            let value = x[k] * inverse_diagonal[k];
            let from = k / LANES * LANES;
            let row = &u[k * stride + from..k * stride + n];
            for (x, &u) in x[from..].iter_mut().zip(row) {
                *x -= value * u;
            }
            x[k] = value;
        }
        for k in (0..n).rev() {
            let from = k / LANES * LANES;
            let value = x[k];
            x[k] = T::zero();
            let row = &u[k * stride + from..k * stride + n];
            x[k] = (value - dot(row, &x[from..])) * inverse_diagonal[k];
        }
    }
}

vectorised! {
    /// ‖U⁻ᵀ‖²; x receives the rows of U⁻ᵀ.
    fn trace<'a, T, const FUSED: bool>(
        n: usize,
        stride: usize,
        u: &'a [T],
        inverse_diagonal: &'a [T],
        x: &'a mut [T],
    ) -> T {
        x[..n * stride].fill(T::zero());
        let mut trace = T::zero();
        for k in 0..n {
            let (above, row) = x.split_at_mut(k * stride);
            let row = &mut row[..(k + 1).next_multiple_of(LANES)];
            let full = k / 4 * 4;
            for p in (0..full).step_by(4) {
                let c = [0, 1, 2, 3].map(|q| -u[(p + q) * stride + k]);
                let width = (p + 4).next_multiple_of(LANES);
                add_four::<T, FUSED>(&mut row[..width], c, four_rows(&above[p * stride..], stride));
            }
            for p in full..k {
                let c = u[p * stride + k];
                let width = (p + 1).next_multiple_of(LANES);
                for (r, &x) in row[..width].iter_mut().zip(&above[p * stride..]) {
                    *r -= c * x;
                }
            }
            row[k] += T::one();
            for r in row.iter_mut() {
                *r *= inverse_diagonal[k];
            }
            trace += dot(row, row);
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn agrees_with_the_dense_library_at_every_order() {
        for n in [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 23, 32] {
            let mut cholesky = Cholesky::<f64>::new(33);
            let stride = cholesky.stride();
            let rows = 40;
            let z: Vec<f64> = (0..rows * stride).map(|k| (0.7 * k as f64).sin()).collect();
            cholesky.set_gram(n, 0.3, &z);
            let zm = DMatrix::from_fn(rows, n, |j, i| z[j * stride + i]);
            let a = zm.transpose() * zm + DMatrix::identity(n, n) * 0.3;
            assert_eq!(cholesky.factor(), Some(0.0));
            let b = DVector::from_fn(n, |i, _| (i as f64).cos());
            let mut x = b.as_slice().to_vec();
            cholesky.solve(&mut x);
            let inverse = a.clone().cholesky().unwrap().inverse();
            assert!((&inverse * &b - DVector::from_vec(x)).norm() < 1e-11 * b.norm());
            assert!((cholesky.trace_of_inverse() / inverse.trace() - 1.0).abs() < 1e-11);
            assert!((cholesky.log_determinant() - a.determinant().ln()).abs() < 1e-10);
        }
    }

    #[test]
    fn jitter_rescues_a_singular_matrix_and_nothing_rescues_nan() {
        let mut cholesky = Cholesky::<f64>::new(4);
        cholesky.set(4, |_, _| 1.0);
        let jitter = cholesky.factor().unwrap();
        assert!(jitter < 1e-8);
        cholesky.set(4, |i, j| if i == j { f64::NAN } else { 0.0 });
        assert_eq!(cholesky.factor(), None);
    }
}
