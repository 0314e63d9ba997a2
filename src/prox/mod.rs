//! Proximal operators, prox_{γf}(z) = argmin_x f(x) + ‖x − z‖²/(2γ), with their derivatives. Floor 4.

use crate::real::Real;

/// A function f with a computable proximal operator, differentiable almost everywhere.
///
/// The same operator can be iterated (ISTA), relaxed, accelerated, unrolled and trained: its parameter γ
/// is what a network learns as its threshold. Object-safe; slices of any length.
pub trait Prox<T: Real>: Send + Sync {
    /// f(x); +∞ outside the domain of f.
    fn value(&self, x: &[T]) -> T;

    /// Writes prox_{γf}(z) into `out` and returns f there.
    ///
    /// # Panics
    /// If `out` has another length than `z`.
    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T;

    /// Vector–Jacobian product: writes (∂prox_{γf}(z)/∂z)ᵀ u into `grad` and returns
    /// u·∂prox_{γf}(z)/∂γ, for the upstream gradient u.
    ///
    /// # Panics
    /// If `upstream` or `grad` has another length than `z`.
    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T;

    /// Whether the operator acts on each component alone and on all alike, so that a batch of any layout
    /// may be handed to it as one long vector.
    fn is_separable(&self) -> bool {
        false
    }

    /// Whether f is convex.
    fn is_convex(&self) -> bool {
        true
    }
}
