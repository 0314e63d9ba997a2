//! Projection on an ℓ¹ ball. Source: Duchi et al., *ICML* (2008): by the projection on a simplex.

use super::simplex::{max, threshold};
use super::{Conjugate, Prox, check_lengths, sum};
use crate::error::{Result, check_positive};
use crate::linalg::dispatch;
use crate::real::Real;

/// f(x) = 0 where ‖x‖₁ ≤ radius, +∞ elsewhere; prox_{γf}(z) = sign(z) max(|z| − τ, 0) with the τ that gives
/// ‖x‖₁ = radius, z itself inside.
///
/// [`value`](Prox::value) allows the norm the rounding of its own addition, (n + 8) ε · radius. Outside, on
/// the k components |z| > τ with signs s, the vector–Jacobian product is u − s (s·u)/k. Convex.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L1Ball<T = f64> {
    radius: T,
}

impl<T: Real> L1Ball<T> {
    /// The ball ‖x‖₁ ≤ `radius`.
    ///
    /// # Errors
    /// `radius` not finite or not positive.
    pub fn new(radius: T) -> Result<Self> {
        check_positive("radius", radius)?;
        Ok(L1Ball { radius })
    }

    /// The radius.
    pub fn radius(&self) -> T {
        self.radius
    }

    fn contains(&self, z: &[T]) -> bool {
        let rounding = T::lit(z.len() as f64 + 8.0) * T::EPSILON * self.radius;
        sum(z, |v| v.abs()) <= self.radius + rounding
    }
}

impl<T: Real> Prox<T> for L1Ball<T> {
    fn value(&self, x: &[T]) -> T {
        if self.contains(x) { T::zero() } else { T::INFINITY }
    }

    fn prox_into(&self, z: &[T], _gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        if self.contains(z) {
            out.copy_from_slice(z);
            return T::zero();
        }
        let (top, tau) = threshold(z, |v| v.abs(), self.radius, out);
        dispatch(|| {
            for (&z, out) in z.iter().zip(&mut *out) {
                let v = (z.abs() - top) - tau;
                let v = if v <= T::zero() { T::zero() } else { v };
                *out = if z < T::zero() { -v } else { v };
            }
        });
        T::zero()
    }

    fn prox_vjp(&self, z: &[T], _gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        if self.contains(z) {
            grad.copy_from_slice(upstream);
            return T::zero();
        }
        let (top, tau) = threshold(z, |v| v.abs(), self.radius, grad);
        let active = |z: T| (z.abs() - top) - tau > T::zero();
        let (mut k, mut total) = (0, T::zero());
        for (&z, &u) in z.iter().zip(upstream).filter(|(z, _)| active(**z)) {
            k += 1;
            total += if z < T::zero() { -u } else { u };
        }
        let mean = total / T::lit(k.max(1) as f64);
        for ((&z, &u), grad) in z.iter().zip(upstream).zip(grad) {
            let face = if z < T::zero() { u + mean } else { u - mean };
            *grad = if active(z) { face } else { T::zero() };
        }
        T::zero()
    }

    fn is_indicator(&self) -> bool {
        true
    }

    /// The support function radius · ‖y‖∞.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        let top = max(y, |v| v.abs());
        let top = if top > T::zero() { top } else { T::zero() };
        Some(Conjugate { scale: T::one(), value: self.radius * top })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radius_is_checked() {
        assert!(L1Ball::new(0.0).is_err() && L1Ball::new(f64::NAN).is_err());
    }
}
