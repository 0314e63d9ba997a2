//! Fermionic kernel at Matsubara frequencies, K(iω_n, ω) = 1/(iω_n − ω).
//!
//! Source: \[KM\] eq. 2. It is minus the Fourier transform ∫₀^β e^{iω_nτ} K(τ, ω) dτ of
//! [`FermionTime`](super::FermionTime), as G(τ) = −⟨T c(τ)c†⟩ is minus that kernel's data: no sign has to
//! be changed in G(iω_n).

use super::Kernel;
use super::domain::{check_nonzero_frequencies, fill_stacked};
use crate::error::Result;
use crate::real::Real;
use nalgebra::{Complex, DMatrix};

/// K(iω_n, ω) = 1/(iω_n − ω), stacked \[Re; Im\], acting on A(ω).
///
/// Re K = −ω/(ω_n² + ω²), Im K = −ω_n/(ω_n² + ω²), in units of 1/energy. The data axis holds the ω_n
/// (see [`Matsubara`](super::Matsubara)), of either sign; the temperature enters through them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FermionMatsubara;

fn value(wn: f64, omega: f64) -> Complex<f64> {
    // Two divisions by |iω_n − ω| instead of one by its square, which could over- or underflow.
    let r = wn.hypot(omega);
    Complex::new(-(omega / r) / r, -(wn / r) / r)
}

impl<T: Real> Kernel<T> for FermionMatsubara {
    fn rows(&self, n: usize) -> usize {
        2 * n
    }

    fn check(&self, x: &[T], _omega: &[T]) -> Result<()> {
        check_nonzero_frequencies(x)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_stacked(x, omega, out, value);
    }
}
