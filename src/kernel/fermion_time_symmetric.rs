//! Fermionic kernel in imaginary time for a particle–hole symmetric spectrum, folded onto ω ≥ 0.
//!
//! Source: \[LO\] eq. 2 with A(−ω) = A(ω): K(τ, ω) + K(τ, −ω).

use super::domain::{check_half_line, check_times, fill_pointwise};
use super::{Density, Kernel};
use crate::error::{Result, check_positive};
use crate::real::Real;
use nalgebra::DMatrix;

/// K(τ, ω) = (e^{−τω} + e^{−(β−τ)ω})/(1 + e^{−βω}), 0 ≤ τ ≤ β, ω ≥ 0, acting on an even A(ω).
///
/// Symmetric under τ → β − τ; 1 at τ = 0, τ = β and at ω = 0. The spectral weight on the half line is
/// half the norm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FermionTimeSymmetric {
    beta: f64,
}

impl FermionTimeSymmetric {
    /// At inverse temperature `beta` (1/energy).
    ///
    /// # Errors
    /// `beta` not finite or not positive.
    pub fn new<T: Real>(beta: T) -> Result<Self> {
        check_positive("beta", beta)?;
        Ok(FermionTimeSymmetric { beta: beta.as_f64() })
    }

    fn value(self, tau: f64, omega: f64) -> f64 {
        let tau = tau.clamp(0.0, self.beta);
        ((-tau * omega).exp() + (-(self.beta - tau) * omega).exp())
            / (1.0 + (-self.beta * omega).exp())
    }
}

impl<T: Real> Kernel<T> for FermionTimeSymmetric {
    fn check(&self, x: &[T], omega: &[T]) -> Result<()> {
        check_times(x, self.beta)?;
        check_half_line(omega)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_pointwise(x, omega, out, |t, w| self.value(t, w));
    }

    fn density(&self) -> Density {
        Density::EvenSpectral
    }
}
