//! Spectra, what follows from them, and default models. Floor 3.

mod default_model;
mod metrics;
mod moments;
mod retarded;

pub use default_model::{DefaultModel, DefaultPeak};
pub use metrics::Peak;

use crate::error::{Error, Result, check_finite, check_len};
use crate::grid::FrequencyGrid;
use crate::kernel::Density;
use crate::real::Real;

/// A density on a frequency grid: the answer of every solver, and a default model of any.
///
/// `values` holds the density the kernel acts on (A, A/ω, …; see [`Density`]) in units of 1/energy.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "Stored<T>",
        bound(
            serialize = "T: serde::Serialize",
            deserialize = "T: Real + serde::Deserialize<'de>"
        )
    )
)]
pub struct Spectrum<T: Real = f64> {
    grid: FrequencyGrid<T>,
    values: Vec<T>,
    density: Density,
}

/// A spectrum as it is read back, before it is checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "T: serde::Deserialize<'de>"))]
struct Stored<T: Real> {
    grid: FrequencyGrid<T>,
    values: Vec<T>,
    density: Density,
}

#[cfg(feature = "serde")]
impl<T: Real> TryFrom<Stored<T>> for Spectrum<T> {
    type Error = Error;

    fn try_from(stored: Stored<T>) -> Result<Self> {
        Self::new(stored.grid, stored.values, stored.density)
    }
}

impl<T: Real> Spectrum<T> {
    /// From values of the density at the grid's points.
    ///
    /// # Errors
    /// Another length than the grid's, a non-finite value, or a density of half the line on a grid that
    /// reaches below ω = 0.
    pub fn new(
        grid: FrequencyGrid<T>,
        values: impl Into<Vec<T>>,
        density: Density,
    ) -> Result<Self> {
        let values = values.into();
        check_len("values", values.len(), grid.len(), "the frequency grid")?;
        check_finite("values", &values)?;
        if density.is_half_line() && grid.min() < T::zero() {
            return Err(Error::OutOfRange {
                argument: "grid",
                value: grid.min().as_f64(),
                expected: "frequencies that are not negative, for a density of half the line",
            });
        }
        Ok(Spectrum { grid, values, density })
    }

    /// From spectral weights a_j = A(ω_j) Δω_j.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_weights(grid: FrequencyGrid<T>, weights: &[T], density: Density) -> Result<Self> {
        check_len("weights", weights.len(), grid.len(), "the frequency grid")?;
        let values: Vec<T> = weights.iter().zip(grid.weights()).map(|(&a, &w)| a / w).collect();
        Self::new(grid, values, density)
    }

    /// The spectral function A(ω) from a formula.
    ///
    /// # Errors
    /// A non-finite value.
    pub fn from_fn(grid: FrequencyGrid<T>, f: impl Fn(T) -> T) -> Result<Self> {
        let values: Vec<T> = grid.points().iter().map(|&w| f(w)).collect();
        Self::new(grid, values, Density::Spectral)
    }

    /// The frequency grid.
    pub fn grid(&self) -> &FrequencyGrid<T> {
        &self.grid
    }

    /// The density at the grid's points.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Which density it is.
    pub fn density(&self) -> Density {
        self.density
    }

    /// Spectral weights a_j = A(ω_j) Δω_j.
    pub fn weights(&self) -> Vec<T> {
        self.values.iter().zip(self.grid.weights()).map(|(&v, &w)| v * w).collect()
    }

    /// ∫ density dω = Σ a.
    pub fn norm(&self) -> T {
        self.grid.integrate(&self.values)
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn stored_spectra_come_back_bit_for_bit_or_not_at_all() {
        let grid = FrequencyGrid::tangent(-3.0, 5.0, 41, 0.7).unwrap();
        let a = Spectrum::from_fn(grid, |w: f64| (-w * w).exp() / 3.0).unwrap();
        let text = serde_json::to_string(&a).unwrap();
        assert_eq!(serde_json::from_str::<Spectrum>(&text).unwrap(), a);
        let single =
            Spectrum::<f32>::from_fn(FrequencyGrid::uniform(0.0, 1.0, 7).unwrap(), |w| w / 3.0)
                .unwrap();
        let text32 = serde_json::to_string(&single).unwrap();
        assert_eq!(serde_json::from_str::<Spectrum<f32>>(&text32).unwrap(), single);
        // Points out of order are refused with the grid's own words.
        let broken = text.replacen("-3.0", "4.0", 1);
        let error = serde_json::from_str::<Spectrum>(&broken).unwrap_err().to_string();
        assert!(error.contains("increasing"), "{error}");
    }
}
