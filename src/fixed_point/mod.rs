//! Fixed-point maps, their combinators, and the one driver that iterates them. Floor 5.
//!
//! A method is a [`FixedPointMap`]: [`Admm`], [`Backtracking`], [`ConjugateGradients`],
//! [`DouglasRachford`], [`PrimalDual`] here, others where they are used. [`Relaxed`], [`Accelerated`] and
//! [`Anderson`] are wrappers around any of them;
//! [`Iterates`] is the sequence x, T(x), T(T(x)), … as a standard iterator; [`iterate`] alone knows about
//! stopping, history and observers. A [`DifferentiableMap`] has derivatives; [`Adjoint`] is the choice of how
//! its fixed point is differentiated.

mod accelerated;
mod adjoint;
mod adjoint_system;
mod admm;
mod anderson;
mod backtracking;
mod conjugate_gradients;
mod differentiable;
mod douglas_rachford;
mod driver;
mod iterates;
mod primal_dual;
mod relaxed;
#[cfg(test)]
mod tests;

pub use accelerated::Accelerated;
pub use adjoint::{Adjoint, AdjointSolver, DifferentiablePoint, FixedPointGradient};
pub use admm::{Admm, AugmentedMinimizer};
pub use anderson::Anderson;
pub use backtracking::Backtracking;
pub use conjugate_gradients::ConjugateGradients;
pub use differentiable::DifferentiableMap;
pub use douglas_rachford::DouglasRachford;
pub use driver::{FixedPoint, IterationInfo, IterationOptions, IterationReport, iterate};
pub use iterates::Iterates;
pub use primal_dual::PrimalDual;
pub use relaxed::Relaxed;
pub(crate) use relaxed::relax;

use crate::real::Real;

/// A map T: ℝⁿ → ℝⁿ whose fixed points are sought.
///
/// A map may own workspaces (hence `&mut self`); it allocates nothing in a step. A mutable reference to a
/// map is a map, so that a caller may keep what it iterates.
///
/// ```
/// use fredholm::{FixedPointMap, IterationOptions, iterate};
/// use std::ops::ControlFlow;
///
/// struct Cosine;
/// impl FixedPointMap<f64> for Cosine {
///     fn dim(&self) -> usize {
///         1
///     }
///     fn step(&mut self, x: &[f64], out: &mut [f64]) {
///         out[0] = x[0].cos();
///     }
/// }
///
/// let options = IterationOptions { tolerance: 1e-12, ..Default::default() };
/// let answer = iterate(Cosine, &[1.0], &options, |_| ControlFlow::Continue(()))?;
/// assert!(answer.report.status.is_success());
/// assert!((answer.point[0] - 0.739085133215).abs() < 1e-11);
/// # Ok::<(), fredholm::Error>(())
/// ```
pub trait FixedPointMap<T: Real> {
    /// The dimension n.
    fn dim(&self) -> usize;

    /// Writes T(x) into `out`.
    ///
    /// # Panics
    /// If a slice has another length than [`dim`](Self::dim).
    fn step(&mut self, x: &[T], out: &mut [T]);

    /// How far `x` was from a fixed point, asked right after `step(x, out)`: ‖out − x‖₂ unless the map
    /// documents a better measure, such as a bound on a subgradient.
    ///
    /// A combinator that evaluates the inner map elsewhere than at `x` reports the residual there.
    fn residual(&self, x: &[T], out: &[T]) -> T {
        distance(x, out)
    }
}

impl<T: Real, M: FixedPointMap<T> + ?Sized> FixedPointMap<T> for &mut M {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        (**self).step(x, out);
    }

    fn residual(&self, x: &[T], out: &[T]) -> T {
        (**self).residual(x, out)
    }
}

/// ‖x − y‖₂.
pub(crate) fn distance<T: Real>(x: &[T], y: &[T]) -> T {
    x.iter().zip(y).map(|(&a, &b)| (b - a) * (b - a)).sum::<T>().sqrt()
}
