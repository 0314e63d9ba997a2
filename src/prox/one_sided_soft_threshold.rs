//! One-sided soft threshold: the ℓ¹ norm of vectors that may not be negative.

use super::separable::{ScalarProx, separable_prox};
use crate::real::Real;

/// f(x) = Σ x_i where x ≥ 0, +∞ elsewhere; prox_{γf}(z) = max(z − γ, 0), component by component.
///
/// The soft threshold for spectra that are known to be positive. Derivatives by the mask m = 1\[z > γ\]:
/// ∂/∂z = m, ∂/∂γ = −m. Separable, convex.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OneSidedSoftThreshold;

impl<T: Real> ScalarProx<T> for OneSidedSoftThreshold {
    #[inline(always)]
    fn value(&self, x: T) -> T {
        if x >= T::zero() { x } else { T::INFINITY }
    }

    #[inline(always)]
    fn prox(&self, z: T, gamma: T) -> T {
        if z <= gamma { T::zero() } else { z - gamma }
    }

    #[inline(always)]
    fn derivative(&self, z: T, gamma: T) -> (T, T) {
        let mask = if z > gamma { T::one() } else { T::zero() };
        (mask, -mask)
    }

    #[inline(always)]
    fn conjugate_scale(&self, y: T) -> T {
        if y > T::one() { T::one() / y } else { T::one() }
    }

    /// The indicator of y ≤ 1.
    #[inline(always)]
    fn conjugate(&self, _y: T) -> T {
        T::zero()
    }
}
separable_prox!(OneSidedSoftThreshold);
