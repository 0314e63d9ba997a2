//! Spectra, what follows from them, and default models. Floor 3.

mod default_model;
mod metrics;
mod retarded;

pub use default_model::DefaultModel;
pub use metrics::Peak;

use crate::error::{Error, Result, check_finite, check_len};
use crate::grid::FrequencyGrid;
use crate::kernel::Density;
use crate::real::Real;

/// A density on a frequency grid: the answer of every solver, and a default model of any.
///
/// `values` holds the density the kernel acts on (A, A/ω, …; see [`Density`]) in units of 1/energy.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Spectrum<T: Real = f64> {
    grid: FrequencyGrid<T>,
    values: Vec<T>,
    density: Density,
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
