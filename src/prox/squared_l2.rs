//! The squared Euclidean norm.

use super::separable::{ScalarProx, separable_prox};
use crate::real::Real;

/// f(x) = ½‖x‖₂²; prox_{γf}(z) = z/(1 + γ).
///
/// Derivatives: ∂/∂z = 1/(1 + γ), ∂/∂γ = −z/(1 + γ)². Separable, convex, smooth with constant 1; f* = f.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SquaredL2;

impl<T: Real> ScalarProx<T> for SquaredL2 {
    #[inline(always)]
    fn value(&self, x: T) -> T {
        T::lit(0.5) * x * x
    }

    #[inline(always)]
    fn prox(&self, z: T, gamma: T) -> T {
        z / (T::one() + gamma)
    }

    #[inline(always)]
    fn derivative(&self, z: T, gamma: T) -> (T, T) {
        let shrink = T::one() / (T::one() + gamma);
        (shrink, -z * shrink * shrink)
    }

    #[inline(always)]
    fn conjugate(&self, y: T) -> T {
        T::lit(0.5) * y * y
    }

    fn gradient_lipschitz(&self) -> Option<T> {
        Some(T::one())
    }
}
separable_prox!(SquaredL2);
