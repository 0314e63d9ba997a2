//! Fixed-point maps, their combinators, and the one driver that iterates them. Floor 5.

use crate::real::Real;

/// A map T: ℝⁿ → ℝⁿ whose fixed points are sought.
///
/// A map may own workspaces (hence `&mut self`); it allocates nothing in a step.
pub trait FixedPointMap<T: Real> {
    /// The dimension n.
    fn dim(&self) -> usize;

    /// Writes T(x) into `out`.
    ///
    /// # Panics
    /// If a slice has another length than [`dim`](Self::dim).
    fn step(&mut self, x: &[T], out: &mut [T]);

    /// ‖out − x‖₂ after `step(x, out)`: how far `x` was from a fixed point.
    ///
    /// A combinator that evaluates the inner map elsewhere than at `x` reports the residual there.
    fn residual(&self, x: &[T], out: &[T]) -> T {
        x.iter().zip(out).map(|(&a, &b)| (b - a) * (b - a)).sum::<T>().sqrt()
    }
}
