//! Fermionic kernel at Matsubara frequencies for a particle–hole symmetric spectrum, folded onto ω ≥ 0.
//!
//! Source: \[KM\] eq. 2 with A(−ω) = A(ω): 1/(iω_n − ω) + 1/(iω_n + ω) = −2iω_n/(ω_n² + ω²).

use super::domain::{check_half_line, check_nonzero_frequencies, fill_pointwise};
use super::{Density, Kernel};
use crate::error::Result;
use crate::real::Real;
use nalgebra::DMatrix;

/// Im K(iω_n, ω) = −2ω_n/(ω_n² + ω²), ω ≥ 0, acting on an even A(ω).
///
/// The folded kernel is purely imaginary, and so are its data: they are given as Im G(iω_n) alone, one
/// real number for each ω_n. Units of 1/energy; the temperature enters through the ω_n alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FermionMatsubaraSymmetric;

fn value(wn: f64, omega: f64) -> f64 {
    let r = wn.hypot(omega);
    -2.0 * ((wn / r) / r)
}

impl<T: Real> Kernel<T> for FermionMatsubaraSymmetric {
    fn check(&self, x: &[T], omega: &[T]) -> Result<()> {
        check_nonzero_frequencies(x)?;
        check_half_line(omega)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_pointwise(x, omega, out, value);
    }

    fn density(&self) -> Density {
        Density::EvenSpectral
    }
}
