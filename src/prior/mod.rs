//! Priors: what is assumed of a spectrum before the data are seen. Floor 4.
//!
//! A prior is a function of the spectral weights h = A Δω. Maximum entropy minimises
//! ½χ² + α·(one of [`Legendre`] type) + Σ weight·(any others). Solvers ask a [`Prior`] what it can do, never
//! what it is called: any smooth sum can be minimised by the primal Newton iteration; where all the
//! others offer their [`rows`](Prior::rows) the dual can be formed. One file a prior.

mod entropy;
mod kinetic;
#[cfg(test)]
mod tests;

pub use entropy::Entropy;
pub use kinetic::Kinetic;

use crate::linalg::{BandedRows, SymmetricBand};
use crate::real::Real;
use core::fmt::Debug;

/// A smooth function of the spectral weights h > 0 with a banded Hessian. Object-safe.
pub trait Prior<T: Real = f64>: Debug + Send + Sync {
    /// The number of weights it is made for.
    fn dim(&self) -> usize;

    /// Its value at `h`.
    ///
    /// # Panics
    /// May panic if `h` is not [`dim`](Self::dim) long; so may the other methods.
    fn value(&self, h: &[T]) -> T;

    /// out += weight·∇(value) at `h`.
    fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]);

    /// out += weight·∇²(value) at `h`.
    fn add_hessian(&self, h: &[T], weight: T, out: &mut SymmetricBand<T>);

    /// The number of sub-diagonals of the Hessian.
    fn bandwidth(&self) -> usize {
        0
    }

    /// The rows R of a prior that is exactly ½‖R h‖².
    fn rows(&self) -> Option<&BandedRows<T>> {
        None
    }

    /// Whether the function is convex. Certificates rest on it: say so only where it is proven.
    fn is_convex(&self) -> bool {
        self.rows().is_some()
    }
}

/// A prior that α may scale: separable, strictly convex, with a domain inside h > 0 or beyond, whose gradient can be inverted: h = ∇φ*(u) solves ∇φ(h) = u.
///
/// The Hessian of φ must be diagonal; that of the conjugate φ* is its inverse.
pub trait Legendre<T: Real = f64>: Prior<T> {
    /// Writes h = ∇φ*(u), the weights at which ∇φ(h) = u.
    fn conjugate_gradient(&self, u: &[T], h: &mut [T]);

    /// Writes the diagonal of ∇²φ* where ∇φ* is `h`: 1/φ''(h).
    fn conjugate_curvature(&self, h: &[T], out: &mut [T]) {
        let mut hessian = SymmetricBand::zeros(h.len(), 0);
        self.add_hessian(h, T::one(), &mut hessian);
        out.iter_mut().enumerate().for_each(|(j, o)| *o = T::one() / hessian.get(j, j));
    }

    /// φ(h) at h = ∇φ*(u); where u saves work, to the accuracy of rounding Σ|φ_j| + Σ|h_j|.
    fn value_at(&self, _u: &[T], h: &[T]) -> T {
        self.value(h)
    }

    /// φ(h) + φ*(u) − h·u ≥ 0 at u = ∇φ(h) + `delta`, without cancellation: what the certificate is
    /// made of. +∞ outside the domain of φ*.
    fn divergence(&self, h: &[T], delta: &[T]) -> T;

    /// The largest step 0 < t ≤ 1 for which u + t·`du` stays where φ* can be evaluated safely.
    fn step_limit(&self, u: &[T], du: &[T]) -> T;

    /// A bound on ‖h − h*‖₁ from Σh = `norm` and the Bregman divergence φ(h) − φ(h*) − ∇φ(h*)·(h − h*) ≤
    /// `divergence`, where one is known.
    fn distance_bound(&self, _norm: T, _divergence: T) -> Option<T> {
        None
    }
}
