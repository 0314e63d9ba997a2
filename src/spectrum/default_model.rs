//! Default models D(ω): what a spectrum is taken to be where the data say nothing.

use super::Spectrum;
use crate::error::{Error, Result, check_positive, check_scalar};
use crate::grid::FrequencyGrid;
use crate::real::Real;

/// A positive density, evaluated on a problem's grid and scaled to a norm when it is used.
///
/// Any spectrum is one: another solver's answer, or a trained network's (the neural default model of the
/// learned-optimizers paper, III.F).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum DefaultModel<T: Real = f64> {
    /// Constant over the grid.
    #[default]
    Flat,
    /// exp(−(ω − centre)²/(2 width²)).
    Gaussian {
        /// Its maximum.
        centre: T,
        /// Its standard deviation.
        width: T,
    },
    /// A spectrum, interpolated linearly if its grid differs (constant beyond its ends).
    Spectrum(Spectrum<T>),
}

/// Least value of a default model over its mean: it must be positive for the entropy to exist.
const FLOOR: f64 = 1e-3;
/// The same for the analytic forms, whose tails are meant.
const TAIL: f64 = 1e-12;

impl<T: Real> From<&Spectrum<T>> for DefaultModel<T> {
    fn from(spectrum: &Spectrum<T>) -> Self {
        DefaultModel::Spectrum(spectrum.clone())
    }
}

impl<T: Real> From<Spectrum<T>> for DefaultModel<T> {
    fn from(spectrum: Spectrum<T>) -> Self {
        DefaultModel::Spectrum(spectrum)
    }
}

impl<T: Real> DefaultModel<T> {
    /// D(ω_j) on `grid`, positive, with Σ D_j Δω_j = `norm`.
    ///
    /// Values below 10⁻³ of the mean (a network's zeros or negative lobes) are raised to it; tails of the
    /// analytic forms are kept down to 10⁻¹² of the mean.
    ///
    /// # Errors
    /// `norm` or a width not positive; a spectrum without positive weight on the grid.
    pub fn density_on(&self, grid: &FrequencyGrid<T>, norm: T) -> Result<Vec<T>> {
        check_positive("norm", norm)?;
        let (mut d, floor) = match self {
            DefaultModel::Flat => (vec![T::one(); grid.len()], T::lit(TAIL)),
            DefaultModel::Gaussian { centre, width } => {
                check_scalar("centre", *centre)?;
                check_positive("width", *width)?;
                let gaussian = |&w: &T| {
                    let u = (w - *centre) / *width;
                    (-T::lit(0.5) * u * u).exp()
                };
                (grid.points().iter().map(gaussian).collect(), T::lit(TAIL))
            }
            DefaultModel::Spectrum(s) => (s.values_at(grid.points()), T::lit(FLOOR)),
        };
        for v in &mut d {
            *v = if *v > T::zero() { *v } else { T::zero() };
        }
        let total = grid.integrate(&d);
        if !(total > T::zero() && total.is_finite()) {
            return Err(Error::OutOfRange {
                argument: "default model",
                value: total.as_f64(),
                expected: "positive weight on the frequency grid",
            });
        }
        let range: T = grid.weights().iter().copied().sum();
        let least = floor * total / range;
        for v in &mut d {
            *v = if *v > least { *v } else { least };
        }
        let scale = norm / grid.integrate(&d);
        for v in &mut d {
            *v *= scale;
        }
        Ok(d)
    }
}
