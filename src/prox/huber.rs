//! Huber's function: quadratic near zero, linear far from it. Source: Huber, *Ann. Math. Stat.* 35, 73 (1964).

use super::separable::{ScalarProx, separable_prox};
use crate::error::{Result, check_positive};
use crate::real::Real;

/// f(x) = Σ φ(x_i), φ(x) = x²/(2δ) where |x| ≤ δ, |x| − δ/2 beyond; prox_{γf}(z) = z − γ z/max(|z|, γ + δ).
///
/// The Moreau envelope of the ℓ¹ norm with parameter δ. Separable, convex, smooth with constant 1/δ;
/// f*(y) = (δ/2)‖y‖² on |y_i| ≤ 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Huber<T = f64> {
    delta: T,
}

impl<T: Real> Huber<T> {
    /// Quadratic where |x| ≤ δ.
    ///
    /// # Errors
    /// `delta` not finite or not positive.
    pub fn new(delta: T) -> Result<Self> {
        check_positive("delta", delta)?;
        Ok(Huber { delta })
    }

    /// δ.
    pub fn delta(&self) -> T {
        self.delta
    }
}

impl<T: Real> ScalarProx<T> for Huber<T> {
    #[inline(always)]
    fn value(&self, x: T) -> T {
        let size = x.abs();
        if size <= self.delta {
            T::lit(0.5) * x * x / self.delta
        } else {
            size - T::lit(0.5) * self.delta
        }
    }

    #[inline(always)]
    fn prox(&self, z: T, gamma: T) -> T {
        let kink = gamma + self.delta;
        let outside = if z > T::zero() { z - gamma } else { z + gamma };
        if z.abs() <= kink { z * (self.delta / kink) } else { outside }
    }

    #[inline(always)]
    fn derivative(&self, z: T, gamma: T) -> (T, T) {
        let kink = gamma + self.delta;
        let slope = self.delta / kink;
        let outside = if z > T::zero() { -T::one() } else { T::one() };
        if z.abs() <= kink { (slope, -z * slope / kink) } else { (T::one(), outside) }
    }

    #[inline(always)]
    fn conjugate_scale(&self, y: T) -> T {
        if y.abs() > T::one() { T::one() / y.abs() } else { T::one() }
    }

    #[inline(always)]
    fn conjugate(&self, y: T) -> T {
        T::lit(0.5) * self.delta * y * y
    }

    fn gradient_lipschitz(&self) -> Option<T> {
        Some(T::one() / self.delta)
    }
}
separable_prox!(Huber<T>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delta_is_checked() {
        assert!(Huber::new(0.0).is_err() && Huber::new(f64::NAN).is_err());
    }
}
