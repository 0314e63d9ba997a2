//! Bosonic kernel at Matsubara frequencies for an odd spectrum, folded onto ω ≥ 0.
//!
//! Fourier partner of [`BosonTimeSymmetric`](super::BosonTimeSymmetric): ∫₀^β cos(ν_nτ) K(τ, ω) dτ.

use super::domain::{check_half_line, fill_pointwise};
use super::{Density, Kernel};
use crate::error::Result;
use crate::real::Real;
use nalgebra::DMatrix;

/// K(iν_n, ω) = ω²/(ν_n² + ω²), ω ≥ 0, acting on (2/π) χ''(ω)/ω; 1 at ν_n = 0, the limit at ω = 0
/// included.
///
/// Real, without unit: one real number χ(iν_n) for each ν_n. The temperature enters through the ν_n alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BosonMatsubaraSymmetric;

fn value(nu: f64, omega: f64) -> f64 {
    if nu == 0.0 {
        return 1.0;
    }
    let c = omega / nu.hypot(omega);
    c * c
}

impl<T: Real> Kernel<T> for BosonMatsubaraSymmetric {
    fn check(&self, _x: &[T], omega: &[T]) -> Result<()> {
        check_half_line(omega)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_pointwise(x, omega, out, value);
    }

    fn density(&self) -> Density {
        Density::SusceptibilityOverFrequency
    }
}
