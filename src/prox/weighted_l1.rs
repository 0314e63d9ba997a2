//! The ℓ¹ norm with a weight for each component.

use super::separable::ScalarProx;
use super::soft_threshold::SoftThreshold;
use super::{Conjugate, Prox, check_lengths};
use crate::error::{Result, check_all_nonnegative};
use crate::linalg::dispatch;
use crate::real::Real;

/// f(x) = Σ w_i |x_i|, w_i ≥ 0; prox_{γf} is the soft threshold at γ w_i.
///
/// What reweighted ℓ¹ iterates, and what a threshold per component means. Convex; not separable in the
/// sense of [`Prox::is_separable`], for which all components are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedL1<T = f64> {
    weights: Vec<T>,
}

impl<T: Real> WeightedL1<T> {
    /// With these weights, one a component.
    ///
    /// # Errors
    /// A weight that is negative or not finite.
    pub fn new(weights: Vec<T>) -> Result<Self> {
        check_all_nonnegative("weights", &weights)?;
        Ok(WeightedL1 { weights })
    }

    /// The weights.
    pub fn weights(&self) -> &[T] {
        &self.weights
    }
}

impl<T: Real> Prox<T> for WeightedL1<T> {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.weights.len()]);
        x.iter().zip(&self.weights).map(|(&x, &w)| w * x.abs()).sum()
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.weights.len()]);
        dispatch(|| {
            for ((&z, &w), out) in z.iter().zip(&self.weights).zip(&mut *out) {
                *out = SoftThreshold.prox(z, gamma * w);
            }
        });
        self.value(out)
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len(), self.weights.len()]);
        let mut total = T::zero();
        for (((&z, &w), &u), grad) in z.iter().zip(&self.weights).zip(upstream).zip(grad) {
            let (by_z, by_threshold) = SoftThreshold.derivative(z, gamma * w);
            *grad = u * by_z;
            total += u * by_threshold * w;
        }
        total
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.weights.len())
    }

    /// The indicator of |y_i| ≤ w_i.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        check_lengths(y.len(), &[self.weights.len()]);
        let scale = y.iter().zip(&self.weights).fold(T::one(), |least, (&y, &w)| {
            if y.abs() > w && w / y.abs() < least { w / y.abs() } else { least }
        });
        Some(Conjugate { scale, value: T::zero() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn weights_are_checked() {
        let error = WeightedL1::new(vec![1.0, -1.0]).unwrap_err();
        assert!(matches!(error, Error::ElementOutOfRange { argument: "weights", index: 1, .. }));
        assert!(WeightedL1::new(vec![f64::NAN]).is_err());
    }
}
