//! Fermionic kernel in imaginary time, K(τ, ω) = e^{−τω}/(1 + e^{−βω}).
//!
//! Source: \[LO\] eq. 2. A Monte Carlo G(τ) = −⟨T c(τ)c†⟩ is minus ∫ K A dω.

use super::Kernel;
use super::domain::{check_times, fill_pointwise};
use crate::error::{Result, check_positive};
use crate::real::Real;
use nalgebra::DMatrix;

/// K(τ, ω) = e^{−τω}/(1 + e^{−βω}), 0 ≤ τ ≤ β, acting on A(ω).
///
/// τ in units of 1/energy, K without unit. For A of norm one, K A at τ = 0 and τ = β adds up to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FermionTime {
    beta: f64,
}

impl FermionTime {
    /// At inverse temperature `beta` (1/energy).
    ///
    /// # Errors
    /// `beta` not finite or not positive.
    pub fn new<T: Real>(beta: T) -> Result<Self> {
        check_positive("beta", beta)?;
        Ok(FermionTime { beta: beta.as_f64() })
    }

    /// The formula, by the branch on the sign of ω that cannot overflow.
    fn value(self, tau: f64, omega: f64) -> f64 {
        let tau = tau.clamp(0.0, self.beta);
        if omega >= 0.0 {
            (-tau * omega).exp() / (1.0 + (-self.beta * omega).exp())
        } else {
            ((self.beta - tau) * omega).exp() / (1.0 + (self.beta * omega).exp())
        }
    }
}

impl<T: Real> Kernel<T> for FermionTime {
    fn check(&self, x: &[T], _omega: &[T]) -> Result<()> {
        check_times(x, self.beta)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_pointwise(x, omega, out, |t, w| self.value(t, w));
    }
}
