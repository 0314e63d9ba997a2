//! Fixed-point maps with derivatives.

use super::FixedPointMap;
use crate::real::Real;

/// A fixed-point map T(x; p) that can be differentiated by its point x and by parameters p.
///
/// Derivatives are transposed Jacobians times an upstream gradient u, at the point last handed to
/// [`linearise`](Self::linearise) and for as long as nothing else is asked of the map. What a solution's
/// derivative is made of: see [`Adjoint`](crate::Adjoint).
pub trait DifferentiableMap<T: Real>: FixedPointMap<T> {
    /// The number of parameters p, in an order the map documents.
    fn parameter_count(&self) -> usize;

    /// Makes `x` the point at which the derivatives are taken.
    ///
    /// # Panics
    /// If a slice has another length than it should; so do the other methods.
    fn linearise(&mut self, x: &[T]);

    /// Writes (∂T/∂x)ᵀ u into `out`.
    fn vjp_point(&mut self, upstream: &[T], out: &mut [T]);

    /// out += (∂T/∂p)ᵀ u.
    fn add_vjp_parameters(&mut self, upstream: &[T], out: &mut [T]);

    /// Writes D u into `out`, D a symmetric positive semidefinite matrix for which D(I − (∂T/∂x)ᵀ) is so
    /// too; `false` if none is known. It lets conjugate gradients solve the adjoint system.
    fn metric(&mut self, _upstream: &[T], _out: &mut [T]) -> bool {
        false
    }
}

impl<T: Real, M: DifferentiableMap<T> + ?Sized> DifferentiableMap<T> for &mut M {
    fn parameter_count(&self) -> usize {
        (**self).parameter_count()
    }

    fn linearise(&mut self, x: &[T]) {
        (**self).linearise(x);
    }

    fn vjp_point(&mut self, upstream: &[T], out: &mut [T]) {
        (**self).vjp_point(upstream, out);
    }

    fn add_vjp_parameters(&mut self, upstream: &[T], out: &mut [T]) {
        (**self).add_vjp_parameters(upstream, out);
    }

    fn metric(&mut self, upstream: &[T], out: &mut [T]) -> bool {
        (**self).metric(upstream, out)
    }
}
