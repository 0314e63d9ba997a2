//! Soft threshold, the proximal operator of the ℓ¹ norm. Source: \[LO\] II.C.

use super::separable::{ScalarProx, separable_prox};
use crate::real::Real;

/// f(x) = ‖x‖₁; prox_{γf}(z) = S_γ(z) = sign(z) max(|z| − γ, 0), component by component.
///
/// Derivatives by the mask m = 1\[|z| > γ\]: ∂/∂z = m, ∂/∂γ = −sign(z) m. Separable, convex.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoftThreshold;

impl<T: Real> ScalarProx<T> for SoftThreshold {
    #[inline(always)]
    fn value(&self, x: T) -> T {
        x.abs()
    }

    /// z less its projection on [−γ, γ]: a NaN stays one.
    #[inline(always)]
    fn prox(&self, z: T, gamma: T) -> T {
        let below = if z < gamma { z } else { gamma };
        z - if below > -gamma { below } else { -gamma }
    }

    #[inline(always)]
    fn derivative(&self, z: T, gamma: T) -> (T, T) {
        let above = if z > gamma { T::one() } else { T::zero() };
        let below = if z < -gamma { T::one() } else { T::zero() };
        (above + below, below - above)
    }

    #[inline(always)]
    fn conjugate_scale(&self, y: T) -> T {
        if y.abs() > T::one() { T::one() / y.abs() } else { T::one() }
    }

    /// The indicator of [−1, 1].
    #[inline(always)]
    fn conjugate(&self, _y: T) -> T {
        T::zero()
    }
}
separable_prox!(SoftThreshold);
