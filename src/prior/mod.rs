//! Priors: what is assumed of a spectrum before the data are seen. Floor 4.
//!
//! A prior is a function of the spectral weights h = A Δω. Maximum entropy minimises
//! ½χ² + α·(one of [`Legendre`] type) + Σ weight·(any others). Solvers ask a [`Prior`] what it can do, never
//! what it is called: any smooth sum can be minimised by the primal Newton iteration; where all the
//! others offer their [`rows`](Prior::rows) the dual can be formed. One file a prior.

mod bayesian_reconstruction;
mod entropy;
mod exponential;
mod gaussian_process;
mod kinetic;
mod l1;
mod positive_negative;
mod sum_rule;
#[cfg(test)]
mod tests;

pub use bayesian_reconstruction::BayesianReconstruction;
pub use entropy::Entropy;
pub use gaussian_process::GaussianProcess;
pub use kinetic::Kinetic;
pub use l1::L1Prior;
pub use positive_negative::PositiveNegativeEntropy;
pub use sum_rule::SumRule;

use crate::linalg::{BandedRows, SymmetricBand};
use crate::real::Real;
use core::fmt::Debug;

/// A smooth function of the spectral weights h with a banded Hessian. Object-safe.
///
/// A prior of one's own needs value, gradient and Hessian; put them to the test with
/// [`check_gradient`](crate::check_gradient). One that is quadratic, ½‖Rh − c‖², should offer its
/// [`rows`](Self::rows): then the dual takes it, which is faster and converges where the primal iteration
/// needs many steps.
///
/// The weights are positive wherever the prior that α scales says so ([`Legendre::is_positive`]).
///
/// # How to add a prior
///
/// 1. A file of its own: at its head the formula with its source and its gradient and Hessian; a struct
///    with private fields; a constructor that checks its arguments and returns a `Result`.
/// 2. [`Prior`]: value, gradient and Hessian in the weights h, *not* in the density A = h/Δω: a prior on
///    A divides by the grid's weights, as [`Kinetic`] does. Gradient and Hessian *add* to what `out`
///    holds. The Hessian is banded; say its bandwidth. A prior that couples distant weights belongs
///    into the data instead ([`WithRows`](crate::WithRows)).
/// 3. What it can do besides. A quadratic form gives its rows, ½‖R h − c‖²: the dual then takes it, with
///    the certificate, at nearly the cost of doing without. A function that is convex says so
///    ([`is_convex`](Prior::is_convex)) and keeps the certificate, in the primal.
/// 4. An entropy, something α is to scale, implements [`Legendre`] as well. The parts that ask for care
///    are the [`divergence`](Legendre::divergence), which must not cancel where `delta` is small, since
///    gaps of 10⁻¹⁵ are read off it, and the [`step_limit`](Legendre::step_limit), which keeps Newton's
///    steps inside the domain of φ*.
/// 5. `pub use` here and in `lib.rs`, a line in the change log, and one line in the battery, in
///    `src/prior/tests.rs`: `plain.push(Box::new(MyPrior::new(…)))`, or `scaled.push(…)` for an entropy. It
///    checks derivatives, rows, conjugate, Fenchel–Young equality and bounds in both precisions.
///
/// A prior of one's own needs none of the above but 2: [`MaxEnt::prior`](crate::MaxEnt::prior) takes it.
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

    /// The rows R of a prior that is exactly ½‖R h − c‖²: data c without noise of their own.
    fn rows(&self) -> Option<&BandedRows<T>> {
        None
    }

    /// The values c of the [`rows`](Self::rows); empty where they are zero.
    fn targets(&self) -> &[T] {
        &[]
    }

    /// Whether the function is convex. Certificates rest on it: say so only where it is proven. One that offers
    /// [`rows`](Self::rows) is convex, whatever this says.
    fn is_convex(&self) -> bool {
        self.rows().is_some()
    }
}

/// A prior φ that α may scale: separable, strictly convex, its minimum 0, and its gradient invertible:
/// h = ∇φ*(u) solves ∇φ(h) = u, for the convex conjugate φ*.
///
/// The Hessian of φ must be diagonal; that of φ* is its inverse. Where Σh is fixed ([`SumRule`]) both are
/// meant on the plane Σ dh = 0.
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

    /// Σ_j 1/φ''(h_j) > 0, by which gaps are divided: to leading order twice the change of φ where every
    /// u changes by one. For Skilling's entropy Σh, the norm.
    fn scale(&self, h: &[T]) -> T;

    /// A bound on ‖h − h*‖₁ from the [`scale`](Self::scale) at h and the Bregman divergence
    /// φ(h) − φ(h*) − ∇φ(h*)·(h − h*) ≤ `divergence`, where one is known.
    fn distance_bound(&self, _scale: T, _divergence: T) -> Option<T> {
        None
    }

    /// Whether h > 0 for every u.
    fn is_positive(&self) -> bool {
        true
    }

    /// Writes h = ∇φ*(u + t) with the one t, the same for all components, for which Σh = `sum`, and returns
    /// t. `None`: [`SumRule`] does not take this prior.
    fn conjugate_gradient_of_sum(&self, _u: &[T], _sum: T, _h: &mut [T]) -> Option<T> {
        None
    }

    /// As [`distance_bound`](Self::distance_bound), for h and h* of equal sum.
    fn distance_bound_of_sum(&self, scale: T, divergence: T) -> Option<T> {
        self.distance_bound(scale, divergence)
    }

    /// Whether Σh is the same for every u, so that Newton's steps obey Σ dh = 0.
    fn fixes_sum(&self) -> bool {
        false
    }
}
