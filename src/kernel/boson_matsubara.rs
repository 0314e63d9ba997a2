//! Bosonic kernel at Matsubara frequencies, K(iν_n, ω) = ω/(iν_n − ω).
//!
//! It is minus the Fourier transform ∫₀^β e^{iν_nτ} K(τ, ω) dτ of [`BosonTime`](super::BosonTime): data of
//! G(τ) = −⟨T B(τ)B†⟩ fit as they are, a susceptibility χ(iν_n) = +∫ e^{iν_nτ}⟨T B(τ)B†⟩ dτ has to be
//! multiplied by −1.

use super::domain::fill_stacked;
use super::{Density, Kernel};
use crate::error::Result;
use crate::real::Real;
use nalgebra::{Complex, DMatrix};

/// K(iν_n, ω) = ω/(iν_n − ω), stacked \[Re; Im\], acting on A(ω)/ω; −1 at ν_n = 0, the limit at ω = 0
/// included.
///
/// Re K = −ω²/(ν_n² + ω²), Im K = −ων_n/(ν_n² + ω²), without unit. The data axis holds the ν_n (see
/// [`Matsubara`](super::Matsubara)), of either sign; the temperature enters through them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BosonMatsubara;

fn value(nu: f64, omega: f64) -> Complex<f64> {
    if nu == 0.0 {
        return Complex::new(-1.0, 0.0);
    }
    let r = nu.hypot(omega);
    let (c, s) = (omega / r, nu / r);
    Complex::new(-c * c, -c * s)
}

impl<T: Real> Kernel<T> for BosonMatsubara {
    fn rows(&self, n: usize) -> usize {
        2 * n
    }

    /// Every ν_n and every ω is in the domain.
    fn check(&self, _x: &[T], _omega: &[T]) -> Result<()> {
        Ok(())
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_stacked(x, omega, out, value);
    }

    fn density(&self) -> Density {
        Density::OverFrequency
    }
}
