//! Projection on the vectors without negative components.

use super::separable::{ScalarProx, separable_prox};
use crate::real::Real;

/// f(x) = 0 where x ≥ 0, +∞ elsewhere; prox_{γf}(z) = max(z, 0), whatever γ.
///
/// Derivatives: ∂/∂z = 1\[z > 0\], ∂/∂γ = 0. Separable, convex.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NonNegative;

impl<T: Real> ScalarProx<T> for NonNegative {
    const IS_INDICATOR: bool = true;

    #[inline(always)]
    fn value(&self, x: T) -> T {
        if x >= T::zero() { T::zero() } else { T::INFINITY }
    }

    #[inline(always)]
    fn prox(&self, z: T, _gamma: T) -> T {
        if z <= T::zero() { T::zero() } else { z }
    }

    #[inline(always)]
    fn derivative(&self, z: T, _gamma: T) -> (T, T) {
        (if z > T::zero() { T::one() } else { T::zero() }, T::zero())
    }

    #[inline(always)]
    fn conjugate_scale(&self, y: T) -> T {
        if y > T::zero() { T::zero() } else { T::one() }
    }

    /// The indicator of y ≤ 0.
    #[inline(always)]
    fn conjugate(&self, _y: T) -> T {
        T::zero()
    }
}
separable_prox!(NonNegative);
