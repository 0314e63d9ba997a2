//! The iterates of a map as a standard iterator.

use super::FixedPointMap;
use crate::error::{Result, check_finite, check_len};
use crate::real::Real;

/// The sequence T(x₀), T(T(x₀)), …: each `next` takes one step and yields the map's residual; the iterate
/// itself is [`point`](Self::point).
///
/// Ends only when an iterate would not be finite; `point` is then the last finite one. Allocates nothing
/// after its construction.
///
/// ```
/// # use fredholm::FixedPointMap;
/// # struct Cosine;
/// # impl FixedPointMap<f64> for Cosine {
/// #     fn dim(&self) -> usize { 1 }
/// #     fn step(&mut self, x: &[f64], out: &mut [f64]) { out[0] = x[0].cos(); }
/// # }
/// let mut iterates = fredholm::Iterates::new(Cosine, &[1.0])?;
/// let steps = iterates.by_ref().take_while(|&residual| residual > 1e-6).count();
/// assert!(steps < 40);
/// assert!((iterates.point()[0] - 0.739085).abs() < 1e-6);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Iterates<M, T = f64> {
    map: M,
    point: Vec<T>,
    /// The iterate before; overwritten by the step under way.
    other: Vec<T>,
}

impl<M: FixedPointMap<T>, T: Real> Iterates<M, T> {
    /// Starts at a copy of `x0`.
    ///
    /// # Errors
    /// `x0` of another length than the map's dimension, or not finite.
    pub fn new(map: M, x0: &[T]) -> Result<Self> {
        check_len("x0", x0.len(), map.dim(), "the map's dimension")?;
        check_finite("x0", x0)?;
        Ok(Iterates { map, point: x0.to_vec(), other: x0.to_vec() })
    }

    /// The current iterate.
    pub fn point(&self) -> &[T] {
        &self.point
    }

    /// Gives up the current iterate.
    pub fn into_point(self) -> Vec<T> {
        self.point
    }

    /// Whether the last step moved no component by more than a few roundings of the largest one.
    pub(super) fn has_stalled(&self) -> bool {
        let pairs = self.point.iter().zip(&self.other);
        let moved = pairs.fold(T::zero(), |m, (&x, &y)| m.max((x - y).abs()));
        let size = self.point.iter().fold(T::zero(), |m, x| m.max(x.abs()));
        moved <= T::lit(4.0) * T::EPSILON * size
    }
}

impl<M: FixedPointMap<T>, T: Real> Iterator for Iterates<M, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.map.step(&self.point, &mut self.other);
        // 0·v is zero for finite v only; the sum needs no branch.
        let finite = self.other.iter().map(|&v| T::zero() * v).sum::<T>() == T::zero();
        if !finite {
            return None;
        }
        let residual = self.map.residual(&self.point, &self.other);
        core::mem::swap(&mut self.point, &mut self.other);
        Some(residual)
    }
}
