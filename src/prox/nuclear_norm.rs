//! The nuclear norm of a matrix: soft thresholding of its singular values.
//!
//! Source: Cai, Candès and Shen, *SIAM J. Optim.* 20, 1956 (2010). Derivative: Candès, Sing-Long and
//! Trzasko, *IEEE Trans. Signal Process.* 61, 4643 (2013), eq. 9 (real case).

use super::simplex::max;
use super::{Conjugate, Prox, check_lengths, poisoned};
use crate::error::{Result, check_not_empty};
use crate::linalg::{Svd, jacobi_svd};
use crate::real::Real;
use nalgebra::{DMatrix, DMatrixView};

/// f(x) = Σ σ_k(X), X the rows × columns matrix whose columns x holds one after the other;
/// prox_{γf}(Z) = U max(Σ − γ, 0) Vᵀ for Z = U Σ Vᵀ.
///
/// Spectra in the columns share few shapes. The Jacobian is symmetric; with P = UᵀGV for an upstream G,
/// φ_i = max(σ_i − γ, 0), sums over symmetric and antisymmetric parts of P,
///
/// Jᵀ G = U \[E ∘ (P + Pᵀ)/2 + F ∘ (P − Pᵀ)/2\] Vᵀ + (I − UUᵀ) G V D Vᵀ + U D UᵀG (I − VVᵀ),
///
/// E_ij = (φ_i − φ_j)/(σ_i − σ_j), E_ii = φ′(σ_i), F_ij = (φ_i + φ_j)/(σ_i + σ_j), D = diag(φ_i/σ_i);
/// ∂/∂γ: −Σ P_ii over σ_i > γ. Convex. Each call decomposes a matrix, and allocates; should that not converge,
/// the result is NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NuclearNorm {
    rows: usize,
    columns: usize,
}

impl NuclearNorm {
    /// Of matrices of this shape.
    ///
    /// # Errors
    /// No rows or no columns.
    pub fn new(rows: usize, columns: usize) -> Result<Self> {
        check_not_empty("rows", rows, 1)?;
        check_not_empty("columns", columns, 1)?;
        Ok(NuclearNorm { rows, columns })
    }

    /// The decomposition of a finite X; vectors of vanishing singular values may be zero.
    fn svd<T: Real>(&self, x: &[T]) -> Option<Svd<T>> {
        let top = max(x, |v| v.abs());
        let scale = if top > T::zero() && top.is_finite() { top } else { T::one() };
        let scaled = DMatrix::from_iterator(self.rows, self.columns, x.iter().map(|&v| v / scale));
        let mut svd = jacobi_svd(&scaled)?;
        svd.s *= scale;
        Some(svd)
    }

    fn dim(&self) -> usize {
        self.rows * self.columns
    }
}

/// U diag(s) Vᵀ.
fn recompose<T: Real>(u: &DMatrix<T>, s: impl Fn(usize) -> T, vt: &DMatrix<T>) -> DMatrix<T> {
    let mut scaled = u.clone();
    for (k, mut column) in scaled.column_iter_mut().enumerate() {
        column *= s(k);
    }
    scaled * vt
}

impl<T: Real> Prox<T> for NuclearNorm {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.dim()]);
        let nan = T::zero() / T::zero();
        if x.iter().any(|v| !v.is_finite()) {
            return nan;
        }
        self.svd(x).map_or(nan, |svd| svd.s.sum())
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.dim()]);
        if poisoned(z, out) {
            return T::zero() / T::zero();
        }
        let Some(Svd { u, s, vt }) = self.svd(z) else {
            out.fill(T::zero() / T::zero());
            return T::zero() / T::zero();
        };
        let shrunk = |k: usize| if s[k] > gamma { s[k] - gamma } else { T::zero() };
        out.copy_from_slice(recompose(&u, shrunk, &vt).as_slice());
        (0..s.len()).map(shrunk).sum()
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len(), self.dim()]);
        if poisoned(z, grad) {
            return T::zero() / T::zero();
        }
        if gamma <= T::zero() {
            grad.copy_from_slice(upstream);
            return T::zero();
        }
        let Some(Svd { u, s, vt }) = self.svd(z) else {
            grad.fill(T::zero() / T::zero());
            return T::zero() / T::zero();
        };
        let g = DMatrixView::from_slice(upstream, self.rows, self.columns);
        let (ut_g, g_v) = (u.transpose() * g, g * vt.transpose());
        let p = &ut_g * vt.transpose();
        let (zero, half) = (T::zero(), T::lit(0.5));
        let phi = |k: usize| if s[k] > gamma { s[k] - gamma } else { zero };
        let ratio = |k: usize| if s[k] > gamma { phi(k) / s[k] } else { zero };
        let kernel = DMatrix::from_fn(s.len(), s.len(), |i, j| {
            // Divided difference of the soft threshold: of two values on one side of the kink, its slope.
            let symmetric = match (s[i] > gamma, s[j] > gamma) {
                (true, true) => T::one(),
                (false, false) => zero,
                _ => (phi(i) - phi(j)) / (s[i] - s[j]),
            };
            let sum = phi(i) + phi(j);
            let antisymmetric = if sum > zero { sum / (s[i] + s[j]) } else { zero };
            half * (symmetric * (p[(i, j)] + p[(j, i)]) + antisymmetric * (p[(i, j)] - p[(j, i)]))
        });
        let mut result = &u * kernel * &vt;
        // Beyond the singular vectors, those of vanishing singular values included.
        let left = g_v - &u * &p;
        result += recompose(&left, ratio, &vt);
        let right = ut_g - &p * &vt;
        result += recompose(&u, ratio, &right);
        grad.copy_from_slice(result.as_slice());
        -(0..s.len()).filter(|&k| s[k] > gamma).map(|k| p[(k, k)]).sum::<T>()
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.dim())
    }

    /// The indicator of σ_max ≤ 1.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        check_lengths(y.len(), &[self.dim()]);
        if y.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let top = self.svd(y)?.s[0];
        let scale = if top > T::one() { T::one() / top } else { T::one() };
        Some(Conjugate { scale, value: T::zero() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_gradient;
    use proptest::prelude::*;

    #[test]
    fn shape_is_checked() {
        assert!(NuclearNorm::new(0, 1).is_err() && NuclearNorm::new(1, 0).is_err());
    }

    proptest! {
        #![proptest_config(crate::test_support::cases(60))]

        #[test]
        fn derivative_holds_for_tall_and_wide_and_degenerate(
            (m, n, seed) in (1..6_usize, 1..6_usize, 0..1000_u32),
            gamma in 0.3..1.5,
            degenerate in any::<bool>(),
        ) {
            let f = f64::from(seed);
            // Orthonormal factors by decomposition of something; singular values chosen, two equal.
            let a = DMatrix::from_fn(m, n, |i, j| ((1.0 + f) * (i * 7 + j * 3 + 1) as f64).sin());
            let mut svd = jacobi_svd(&a).unwrap();
            let values = if degenerate { [2.0, 2.0, 0.1, 0.1, 0.0] } else { [3.0, 2.2, 0.2, 0.1, 0.05] };
            for (s, v) in svd.s.iter_mut().zip(values) {
                *s = v;
            }
            let z = recompose(&svd.u, |k| svd.s[k], &svd.vt);
            let op = NuclearNorm::new(m, n).unwrap();
            let u: Vec<f64> = (0..m * n).map(|k| (0.3 + 1.3 * k as f64 + f).cos()).collect();
            let mut gradient = vec![0.0; m * n + 1];
            let (by_z, by_gamma) = gradient.split_at_mut(m * n);
            by_gamma[0] = op.prox_vjp(z.as_slice(), gamma, &u, by_z);
            let mut point = z.as_slice().to_vec();
            point.push(gamma);
            let loss = |x: &[f64]| {
                let mut out = vec![0.0; m * n];
                op.prox_into(&x[..m * n], x[m * n], &mut out);
                out.iter().zip(&u).map(|(x, u)| x * u).sum()
            };
            let deviation = check_gradient(loss, &point, &gradient).unwrap();
            prop_assert!(deviation < 1e-8, "{deviation}");
        }
    }
}
