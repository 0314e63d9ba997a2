//! Cholesky factorisation of small dense matrices in storage of its own: no allocation once made.
//!
//! A = UᵀU with the rows of U contiguous, updated four at a time. The factorisation commutes with a
//! diagonal scaling of A, so that Jacobi scaling comes down to measuring jitter against each diagonal
//! element: a matrix that rounding has made indefinite is factored as A + jitter·diag(A).

use super::elementwise::{LANES, dot};
use super::machine::dispatch;
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
        let (stride, a) = (self.stride, &mut self.a);
        dispatch(|| {
            for i0 in (0..n).step_by(LANES) {
                for k0 in (i0..n).step_by(LANES) {
                    let mut tile = [[T::zero(); LANES]; LANES];
                    for row in z.chunks_exact(stride) {
                        let (p, q) = (&row[i0..i0 + LANES], &row[k0..k0 + LANES]);
                        for i in 0..LANES {
                            for k in 0..LANES {
                                tile[i][k] += p[i] * q[k];
                            }
                        }
                    }
                    for i in 0..LANES {
                        a[(i0 + i) * stride + k0..][..LANES].copy_from_slice(&tile[i]);
                    }
                }
            }
        });
        for i in 0..n {
            a[i * stride + i] += shift;
        }
    }

    /// Sets A from its elements (i, j), i ≤ j < n.
    pub(crate) fn set(&mut self, n: usize, element: impl Fn(usize, usize) -> T) {
        self.n = n;
        for i in 0..n {
            for j in i..n {
                self.a[i * self.stride + j] = element(i, j);
            }
        }
    }

    /// Factors the matrix that was set, inflating its diagonal by as little jitter as makes it positive
    /// definite. Returns that jitter (0 as a rule), or `None` if the matrix holds a NaN or infinity or a
    /// diagonal element ≤ 0.
    pub(crate) fn factor(&mut self) -> Option<T> {
        let mut jitter = T::zero();
        loop {
            let used = self.n * self.stride;
            self.u[..used].copy_from_slice(&self.a[..used]);
            for i in 0..self.n {
                self.u[i * self.stride + i] *= T::one() + jitter;
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
        let width = n.next_multiple_of(LANES).min(stride);
        let (u, inverse_diagonal) = (&mut self.u, &mut self.inverse_diagonal);
        dispatch(|| {
            for k0 in (0..n).step_by(4) {
                let k1 = (k0 + 4).min(n);
                // The rows of this panel, each reduced by those before it in the panel.
                for k in k0..k1 {
                    let (above, row) = u.split_at_mut(k * stride);
                    let row = &mut row[..width];
                    for p in k0..k {
                        let pivot_row = &above[p * stride..p * stride + width];
                        let factor = pivot_row[k];
                        for j in k..width {
                            row[j] -= factor * pivot_row[j];
                        }
                    }
                    let pivot = row[k];
                    if !(pivot > T::zero() && pivot.is_finite()) {
                        return false;
                    }
                    let inverse = T::one() / pivot.sqrt();
                    inverse_diagonal[k] = inverse;
                    for j in k..width {
                        row[j] *= inverse;
                    }
                }
                // The rows below, reduced by the whole panel; elements left of the diagonal are not read.
                let (above, below) = u.split_at_mut(k1 * stride);
                if k1 - k0 < 4 {
                    continue;
                }
                let panel = &above[k0 * stride..];
                let (p0, panel) = panel.split_at(stride);
                let (p1, panel) = panel.split_at(stride);
                let (p2, p3) = panel.split_at(stride);
                for (i, row) in (k1..n).zip(below.chunks_exact_mut(stride)) {
                    let c = [p0[i], p1[i], p2[i], p3[i]];
                    let from = i / LANES * LANES;
                    for j in from..width {
                        row[j] -= (c[0] * p0[j] + c[1] * p1[j]) + (c[2] * p2[j] + c[3] * p3[j]);
                    }
                }
            }
            true
        })
    }

    /// Overwrites `b` with A⁻¹b.
    pub(crate) fn solve(&self, b: &mut [T]) {
        let (n, stride) = (self.n, self.stride);
        let b = &mut b[..n];
        dispatch(|| {
            for k in 0..n {
                let value = b[k] * self.inverse_diagonal[k];
                b[k] = value;
                let row = &self.u[k * stride..k * stride + n];
                for j in k + 1..n {
                    b[j] -= value * row[j];
                }
            }
            for k in (0..n).rev() {
                let row = &self.u[k * stride..k * stride + n];
                b[k] = (b[k] - dot(&row[k + 1..], &b[k + 1..])) * self.inverse_diagonal[k];
            }
        });
    }

    /// tr A⁻¹ = ‖U⁻ᵀ‖², by forward substitution of the identity.
    pub(crate) fn trace_of_inverse(&mut self) -> T {
        let (n, stride) = (self.n, self.stride);
        let (u, x, inverse_diagonal) = (&self.u, &mut self.inverse, &self.inverse_diagonal);
        dispatch(|| {
            x[..n * stride].fill(T::zero());
            let mut trace = T::zero();
            for k in 0..n {
                let (above, row) = x.split_at_mut(k * stride);
                let row = &mut row[..(k + 1).next_multiple_of(LANES)];
                let mut p = 0;
                while p + 4 <= k {
                    let c = [
                        u[p * stride + k],
                        u[(p + 1) * stride + k],
                        u[(p + 2) * stride + k],
                        u[(p + 3) * stride + k],
                    ];
                    let width = (p + 4).next_multiple_of(LANES);
                    let (x0, rest) = above[p * stride..].split_at(stride);
                    let (x1, rest) = rest.split_at(stride);
                    let (x2, rest) = rest.split_at(stride);
                    let (x0, x1, x2, x3) =
                        (&x0[..width], &x1[..width], &x2[..width], &rest[..width]);
                    for (j, r) in row[..width].iter_mut().enumerate() {
                        *r -= (c[0] * x0[j] + c[1] * x1[j]) + (c[2] * x2[j] + c[3] * x3[j]);
                    }
                    p += 4;
                }
                for p in p..k {
                    let c = u[p * stride + k];
                    let width = (p + 1).next_multiple_of(LANES);
                    for (r, &x) in row[..width].iter_mut().zip(&above[p * stride..]) {
                        *r -= c * x;
                    }
                }
                row[k] += T::one();
                let inverse = inverse_diagonal[k];
                for r in row.iter_mut() {
                    *r *= inverse;
                }
                trace += dot(row, row);
            }
            trace
        })
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
