//! Elastic net: the ℓ¹ norm with a ridge. Source: Zou and Hastie, *J. R. Stat. Soc. B* 67, 301 (2005).

use super::separable::{ScalarProx, separable_prox};
use super::soft_threshold::SoftThreshold;
use crate::error::{Result, check_positive};
use crate::real::Real;

/// f(x) = ‖x‖₁ + (ρ/2)‖x‖₂²; prox_{γf}(z) = S_γ(z)/(1 + γρ), S the soft threshold.
///
/// Separable, convex; f*(y) = Σ max(|y_i| − 1, 0)²/(2ρ).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ElasticNet<T = f64> {
    ridge: T,
}

impl<T: Real> ElasticNet<T> {
    /// With a ridge ρ.
    ///
    /// # Errors
    /// `ridge` not finite or not positive; [`SoftThreshold`] is the one without.
    pub fn new(ridge: T) -> Result<Self> {
        check_positive("ridge", ridge)?;
        Ok(ElasticNet { ridge })
    }

    /// ρ.
    pub fn ridge(&self) -> T {
        self.ridge
    }
}

impl<T: Real> ScalarProx<T> for ElasticNet<T> {
    #[inline(always)]
    fn value(&self, x: T) -> T {
        x.abs() + T::lit(0.5) * self.ridge * x * x
    }

    #[inline(always)]
    fn prox(&self, z: T, gamma: T) -> T {
        SoftThreshold.prox(z, gamma) / (T::one() + gamma * self.ridge)
    }

    #[inline(always)]
    fn derivative(&self, z: T, gamma: T) -> (T, T) {
        let shrink = T::one() / (T::one() + gamma * self.ridge);
        let (by_z, by_gamma) = SoftThreshold.derivative(z, gamma);
        let x = SoftThreshold.prox(z, gamma) * shrink;
        (by_z * shrink, (by_gamma - self.ridge * x) * shrink)
    }

    #[inline(always)]
    fn conjugate(&self, y: T) -> T {
        let excess = SoftThreshold.prox(y, T::one());
        T::lit(0.5) * excess * excess / self.ridge
    }
}
separable_prox!(ElasticNet<T>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ridge_is_checked() {
        assert!(ElasticNet::new(0.0).is_err() && ElasticNet::new(f64::INFINITY).is_err());
    }
}
