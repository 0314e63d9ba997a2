//! A banded quadratic form, such as the kinetic energy of a spectrum.

use super::{Prox, check_lengths};
use crate::linalg::{BandCholesky, BandedRows, SymmetricBand};
use crate::real::Real;
use std::sync::{Mutex, PoisonError};

/// f(x) = ½‖R x‖₂² with the banded rows R; prox_{γf}(z) = (I + γ RᵀR)⁻¹ z by a banded Cholesky
/// factorisation, tridiagonal for first differences.
///
/// The factor depends on γ; that of the last one is kept, behind a lock: threads take turns. Should rounding
/// make the matrix indefinite (γ‖R‖² beyond 1/ε), the identity is enlarged to its level. With M = I + γRᵀR
/// and x the result: ∂/∂z = M⁻¹, ∂/∂γ = −M⁻¹RᵀR x. Convex, smooth.
///
/// ```
/// use fredholm::{BandedQuadratic, FrequencyGrid, Kinetic, Prior, Prox};
/// let grid = FrequencyGrid::<f64>::uniform(-1.0, 1.0, 5)?;
/// let kinetic = Kinetic::natural(&grid)?;
/// let op = BandedQuadratic::new(kinetic.rows().unwrap().clone());
/// let mut h = [0.0; 5];
/// op.prox_into(&[0.0, 0.0, 1.0, 0.0, 0.0], 1.0, &mut h);
/// assert!(h.iter().all(|&h| h > 0.0));
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug)]
pub struct BandedQuadratic<T = f64> {
    rows: BandedRows<T>,
    /// H = RᵀR.
    hessian: SymmetricBand<T>,
    /// The largest absolute row sum of H, a bound of ‖H‖.
    lipschitz: T,
    factor: Mutex<Factor<T>>,
}

/// M = I + γH and its factor.
#[derive(Debug)]
struct Factor<T> {
    /// The γ factored, if any.
    gamma: Option<T>,
    matrix: SymmetricBand<T>,
    cholesky: BandCholesky<T>,
}

impl<T: Real> BandedQuadratic<T> {
    /// ½‖R x‖² of these rows.
    pub fn new(rows: BandedRows<T>) -> Self {
        let (n, bandwidth) = (rows.columns(), rows.width() - 1);
        let mut hessian = SymmetricBand::zeros(n, bandwidth);
        rows.add_hessian(T::one(), &mut hessian);
        let row_sum = |i: usize| -> T {
            let near = i.saturating_sub(bandwidth)..n.min(i + bandwidth + 1);
            near.map(|j| hessian.get(i, j).abs()).sum()
        };
        let lipschitz = (0..n).map(row_sum).fold(T::zero(), |m, s| if s > m { s } else { m });
        let factor = Mutex::new(Factor {
            gamma: None,
            matrix: SymmetricBand::zeros(n, bandwidth),
            cholesky: BandCholesky::new(n, bandwidth),
        });
        BandedQuadratic { rows, hessian, lipschitz, factor }
    }

    /// R.
    pub fn rows(&self) -> &BandedRows<T> {
        &self.rows
    }

    /// Overwrites `v` with M⁻¹v.
    fn solve(&self, gamma: T, v: &mut [T]) {
        let mut guard = self.factor.lock().unwrap_or_else(PoisonError::into_inner);
        let factor = &mut *guard;
        if factor.gamma != Some(gamma) {
            factor.gamma = self.refactor(gamma, factor).then_some(gamma);
        }
        if factor.gamma.is_some() {
            factor.cholesky.forward(v);
            factor.cholesky.backward(v);
        } else {
            v.fill(T::zero() / T::zero());
        }
    }

    /// `false` if γ is so large or so negative that the matrix cannot be factored, or is NaN.
    fn refactor(&self, gamma: T, factor: &mut Factor<T>) -> bool {
        let rounding = T::lit(8.0) * T::EPSILON * gamma * self.lipschitz;
        let identities = [T::one(), T::one() + rounding, T::one() + T::lit(64.0) * rounding];
        identities.into_iter().any(|identity| {
            factor.matrix.assign_scaled(gamma, &self.hessian);
            for i in 0..self.hessian.order() {
                factor.matrix.add(i, i, identity);
            }
            factor.cholesky.factor(&factor.matrix)
        })
    }
}

impl<T: Real> Clone for BandedQuadratic<T> {
    fn clone(&self) -> Self {
        Self::new(self.rows.clone())
    }
}

impl<T: Real> Prox<T> for BandedQuadratic<T> {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.rows.columns()]);
        self.rows.half_square(x)
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.rows.columns()]);
        out.copy_from_slice(z);
        self.solve(gamma, out);
        self.rows.half_square(out)
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len(), self.rows.columns()]);
        crate::scratch::with_scratch(2 * z.len(), |scratch: &mut [T]| {
            let (x, product) = scratch.split_at_mut(z.len());
            x.copy_from_slice(z);
            self.solve(gamma, x);
            grad.copy_from_slice(upstream);
            self.solve(gamma, grad);
            product.fill(T::zero());
            self.rows.add_gradient(x, -T::one(), product);
            product.iter().zip(grad).map(|(&p, &mut g)| p * g).sum()
        })
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.rows.columns())
    }

    /// The largest absolute row sum of RᵀR.
    fn gradient_lipschitz(&self) -> Option<T> {
        Some(self.lipschitz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stiff_forms_give_their_null_space() {
        // First differences with a huge weight: the mean.
        let first = (0..9).collect();
        let rows = BandedRows::new(10, 2, first, [-1.0, 1.0].repeat(9)).unwrap();
        let op = BandedQuadratic::new(rows);
        let z: Vec<f64> = (0..10).map(f64::from).collect();
        let mut x = vec![7.0; 10];
        op.prox_into(&z, 1e9, &mut x);
        assert!(x.iter().all(|x| (x - 4.5).abs() < 1e-5), "{x:?}");
        // Past the rounding of the matrix something finite and flat comes out.
        for gamma in [1e16, 1e20, 1e100] {
            op.prox_into(&z, gamma, &mut x);
            assert!(x.iter().all(|x| x.is_finite() && (x - x.round()).abs() < 10.0), "{x:?}");
        }
        op.prox_into(&z, f64::INFINITY, &mut x);
        assert!(x[0].is_nan());
        op.clone().prox_into(&z, 0.0, &mut x);
        assert_eq!(x, z);
    }
}
