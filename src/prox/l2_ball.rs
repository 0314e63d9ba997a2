//! Projection on a Euclidean ball.

use super::{Conjugate, Prox, check_lengths, norm};
use crate::error::{Result, check_positive};
use crate::linalg::{dispatch, dot};
use crate::real::Real;

/// f(x) = 0 where ‖x‖₂ ≤ radius, +∞ elsewhere; prox_{γf}(z) = z min(1, radius/‖z‖).
///
/// A misfit not above the noise, ‖K a − g‖ ≤ ε, is such a ball around g. [`value`](Prox::value) allows the
/// norm the rounding of its own addition, (n + 8) ε · radius. Outside, with n = z/‖z‖,
/// ∂/∂z = (radius/‖z‖)(I − n nᵀ). Convex.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L2Ball<T = f64> {
    radius: T,
}

impl<T: Real> L2Ball<T> {
    /// The ball ‖x‖₂ ≤ `radius`.
    ///
    /// # Errors
    /// `radius` not finite or not positive.
    pub fn new(radius: T) -> Result<Self> {
        check_positive("radius", radius)?;
        Ok(L2Ball { radius })
    }

    /// The radius.
    pub fn radius(&self) -> T {
        self.radius
    }
}

impl<T: Real> Prox<T> for L2Ball<T> {
    fn value(&self, x: &[T]) -> T {
        let rounding = T::lit(x.len() as f64 + 8.0) * T::EPSILON * self.radius;
        if norm(x) <= self.radius + rounding { T::zero() } else { T::INFINITY }
    }

    fn prox_into(&self, z: &[T], _gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let size = norm(z);
        let factor = if size <= self.radius { T::one() } else { self.radius / size };
        dispatch(|| {
            for (&z, out) in z.iter().zip(&mut *out) {
                *out = factor * z;
            }
        });
        T::zero()
    }

    fn prox_vjp(&self, z: &[T], _gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        let size = norm(z);
        if size <= self.radius {
            grad.copy_from_slice(upstream);
            return T::zero();
        }
        let along = dispatch(|| dot(z, upstream)) / size / size;
        let factor = self.radius / size;
        dispatch(|| {
            for ((&z, &u), grad) in z.iter().zip(upstream).zip(&mut *grad) {
                *grad = factor * (u - along * z);
            }
        });
        T::zero()
    }

    fn is_indicator(&self) -> bool {
        true
    }

    /// The support function radius · ‖y‖₂.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        Some(Conjugate { scale: T::one(), value: self.radius * norm(y) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radius_is_checked() {
        assert!(L2Ball::new(0.0).is_err() && L2Ball::new(f64::INFINITY).is_err());
    }
}
