//! Bosonic kernel in imaginary time for an odd spectrum, folded onto ω ≥ 0.
//!
//! Source: correlation functions of Hermitian operators (structure factors, susceptibilities), whose χ''
//! is odd: χ(τ) = ∫₀^∞ K(τ, ω) (2/π) χ''(ω)/ω dω.

use super::boson_time::bose_factor;
use super::domain::{check_half_line, check_times, fill_pointwise};
use super::{Density, Kernel};
use crate::error::{Result, check_positive};
use crate::real::Real;
use nalgebra::DMatrix;

/// K(τ, ω) = (ω/2)(e^{−τω} + e^{−(β−τ)ω})/(1 − e^{−βω}), 0 ≤ τ ≤ β, ω ≥ 0, acting on
/// (2/π) χ''(ω)/ω; 1/β at ω = 0.
///
/// Symmetric under τ → β − τ, with ∫₀^β K dτ = 1, so that the density's norm is the static susceptibility.
/// K in units of energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BosonTimeSymmetric {
    beta: f64,
}

impl BosonTimeSymmetric {
    /// At inverse temperature `beta` (1/energy).
    ///
    /// # Errors
    /// `beta` not finite or not positive.
    pub fn new<T: Real>(beta: T) -> Result<Self> {
        check_positive("beta", beta)?;
        Ok(BosonTimeSymmetric { beta: beta.as_f64() })
    }

    fn value(self, tau: f64, omega: f64) -> f64 {
        let tau = tau.clamp(0.0, self.beta);
        let sum = (-tau * omega).exp() + (-(self.beta - tau) * omega).exp();
        0.5 * bose_factor(self.beta * omega) / self.beta * sum
    }
}

impl<T: Real> Kernel<T> for BosonTimeSymmetric {
    fn check(&self, x: &[T], omega: &[T]) -> Result<()> {
        check_times(x, self.beta)?;
        check_half_line(omega)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_pointwise(x, omega, out, |t, w| self.value(t, w));
    }

    fn density(&self) -> Density {
        Density::SusceptibilityOverFrequency
    }
}
