//! The ℓ¹ norm of spectral weights, Σ c_j |h_j|, where they are positive: Σ c_j h_j.

use super::Prior;
use crate::error::{Error, Result, check_finite, check_not_empty};
use crate::linalg::SymmetricBand;
use crate::real::Real;

/// Σ c_j h_j with c ≥ 0: the weighted ℓ¹ norm of positive weights, which is linear.
///
/// On h > 0 there is no kink, and nothing is made sparse: beside Skilling's entropy with weight α it does
/// neither more nor less than turn the default model d into d e^{−c/α}. It is here for what it does at
/// fixed α, a price on weight that grows as α falls; sparse solutions are what
/// [`ProximalGradient`](crate::ProximalGradient) is for. Beside an entropy of either sign it is the linear
/// form, not the norm.
#[derive(Debug, Clone, PartialEq)]
pub struct L1Prior<T = f64> {
    coefficients: Vec<T>,
}

impl<T: Real> L1Prior<T> {
    /// From the coefficients c_j, one for each weight.
    ///
    /// # Errors
    /// None, or one that is negative or not finite.
    pub fn new(coefficients: impl Into<Vec<T>>) -> Result<Self> {
        let coefficients = coefficients.into();
        check_not_empty("coefficients", coefficients.len(), 1)?;
        check_finite("coefficients", &coefficients)?;
        match coefficients.iter().position(|&c| c < T::zero()) {
            None => Ok(L1Prior { coefficients }),
            Some(index) => Err(Error::ElementOutOfRange {
                argument: "coefficients",
                index,
                value: coefficients[index].as_f64(),
                expected: "a number >= 0",
            }),
        }
    }
}

impl<T: Real> Prior<T> for L1Prior<T> {
    fn dim(&self) -> usize {
        self.coefficients.len()
    }

    fn value(&self, h: &[T]) -> T {
        h.iter().zip(&self.coefficients).map(|(&h, &c)| c * h).sum()
    }

    fn add_gradient(&self, _h: &[T], weight: T, out: &mut [T]) {
        for (o, &c) in out.iter_mut().zip(&self.coefficients) {
            *o += weight * c;
        }
    }

    fn add_hessian(&self, _h: &[T], _weight: T, _out: &mut SymmetricBand<T>) {}

    fn is_convex(&self) -> bool {
        true
    }
}
