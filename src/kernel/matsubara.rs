//! Matsubara frequencies.

use crate::error::{Result, check_positive};
use crate::real::Real;

/// The statistics that decides which Matsubara frequencies exist.
///
/// ```
/// use fredholm::Matsubara;
/// let beta = std::f64::consts::PI;
/// assert_eq!(Matsubara::Fermion.frequencies(beta, 3)?, [1.0, 3.0, 5.0]);
/// assert_eq!(Matsubara::Boson.frequencies(beta, 3)?, [0.0, 2.0, 4.0]);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Matsubara {
    /// ω_n = (2n+1)π/β.
    Fermion,
    /// ν_n = 2nπ/β.
    Boson,
}

impl Matsubara {
    /// The frequencies n = 0, 1, …, `count` − 1 at inverse temperature `beta`.
    ///
    /// # Errors
    /// `beta` not finite or not positive.
    pub fn frequencies<T: Real>(self, beta: T, count: usize) -> Result<Vec<T>> {
        check_positive("beta", beta)?;
        let odd = match self {
            Matsubara::Fermion => 1.0,
            Matsubara::Boson => 0.0,
        };
        let unit = core::f64::consts::PI / beta.as_f64();
        Ok((0..count).map(|n| T::lit((2.0 * n as f64 + odd) * unit)).collect())
    }
}
