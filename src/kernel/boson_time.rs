//! Bosonic kernel in imaginary time, K(τ, ω) = ω e^{−τω}/(1 − e^{−βω}).
//!
//! Source: the spectral representation of ⟨T B(τ)B†⟩ with A(ω)/ω as the unknown, which is positive and
//! finite at ω = 0 (Jarrell and Gubernatis, Phys. Rep. 269, 133 (1996)).

use super::domain::{check_times, fill_pointwise};
use super::{Density, Kernel};
use crate::error::{Result, check_positive};
use crate::real::Real;
use nalgebra::DMatrix;

/// K(τ, ω) = ω e^{−τω}/(1 − e^{−βω}), 0 ≤ τ ≤ β, acting on A(ω)/ω; 1/β at ω = 0.
///
/// τ in units of 1/energy, K in units of energy; positive on the whole axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BosonTime {
    beta: f64,
}

/// x/(1 − e^{−x}) for x ≥ 0, 1 at x = 0.
pub(super) fn bose_factor(x: f64) -> f64 {
    if x < f64::EPSILON { 1.0 } else { x / -(-x).exp_m1() }
}

impl BosonTime {
    /// At inverse temperature `beta` (1/energy).
    ///
    /// # Errors
    /// `beta` not finite or not positive.
    pub fn new<T: Real>(beta: T) -> Result<Self> {
        check_positive("beta", beta)?;
        Ok(BosonTime { beta: beta.as_f64() })
    }

    /// β K = f(β|ω|) e^{−s|ω|}, with f(x) = x/(1 − e^{−x}) and s = τ for ω ≥ 0, β − τ for ω < 0: no
    /// overflow on either side, no cancellation at ω = 0.
    fn value(self, tau: f64, omega: f64) -> f64 {
        let tau = tau.clamp(0.0, self.beta);
        let (s, w) = if omega >= 0.0 { (tau, omega) } else { (self.beta - tau, -omega) };
        bose_factor(self.beta * w) / self.beta * (-s * w).exp()
    }
}

impl<T: Real> Kernel<T> for BosonTime {
    fn check(&self, x: &[T], _omega: &[T]) -> Result<()> {
        check_times(x, self.beta)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_pointwise(x, omega, out, |t, w| self.value(t, w));
    }

    fn density(&self) -> Density {
        Density::OverFrequency
    }
}
