//! Noise: error bars, covariance, bins, and the whitening that makes one problem of them all. Floor 2.
//!
//! χ² = (g − Ka)ᵀ C⁻¹ (g − Ka) with C the covariance *of the mean*. With C = U diag(s) Uᵀ the whitened
//! data g̃ = diag(s)^{−½} Uᵀ g and kernel K̃ = diag(s)^{−½} Uᵀ K give χ² = ‖g̃ − K̃a‖².

mod measurement;
mod whitening;

pub use measurement::Measurement;
pub use whitening::Whitening;
