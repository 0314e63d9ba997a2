//! Default models D(ω): what a spectrum is taken to be where the data say nothing.

use super::Spectrum;
use crate::error::{Error, Result, check_open_unit_interval, check_positive, check_scalar};
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
    Spectrum {
        /// The density.
        spectrum: Spectrum<T>,
        /// Least value over its mean, in (0, 1): values below it are raised to it. 10⁻³ by `From`, for
        /// answers of networks with their zeros and negative lobes; 10⁻¹² keeps tails that are meant.
        floor: T,
    },
}

/// Least value of a default model over its mean: it must be positive for the entropy to exist.
const FLOOR: f64 = 1e-3;
/// The same for the analytic forms, whose tails are meant.
const TAIL: f64 = 1e-12;

impl<T: Real> From<&Spectrum<T>> for DefaultModel<T> {
    fn from(spectrum: &Spectrum<T>) -> Self {
        spectrum.clone().into()
    }
}

impl<T: Real> From<Spectrum<T>> for DefaultModel<T> {
    fn from(spectrum: Spectrum<T>) -> Self {
        DefaultModel::Spectrum { spectrum, floor: T::lit(FLOOR) }
    }
}

impl<T: Real> DefaultModel<T> {
    /// D(ω_j) on `grid`, positive, with Σ D_j Δω_j = `norm`.
    ///
    /// Values below the floor of a spectrum are raised to it; tails of the analytic forms are kept down to
    /// 10⁻¹² of the mean.
    ///
    /// # Errors
    /// `norm` or a width not positive; a floor outside (0, 1); a spectrum without positive weight on the
    /// grid.
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
            DefaultModel::Spectrum { spectrum, floor } => {
                check_open_unit_interval("floor", *floor)?;
                (spectrum.values_at(grid.points()), *floor)
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Density;

    fn battery<T: Real>(tolerance: f64) {
        let l = T::lit;
        let grid = FrequencyGrid::<T>::tangent(l(-4.0), l(4.0), 81, l(0.5)).unwrap();
        let lobes = Spectrum::from_fn(grid.clone(), |w| w.sin()).unwrap();
        let coarse = FrequencyGrid::uniform(l(-5.0), l(5.0), 11).unwrap();
        let models = [
            DefaultModel::Flat,
            DefaultModel::Gaussian { centre: l(0.5), width: l(0.7) },
            DefaultModel::Gaussian { centre: l(-3.9), width: l(0.1) },
            DefaultModel::from(&lobes),
            DefaultModel::from(Spectrum::from_fn(coarse, |w| w * w).unwrap()),
        ];
        for model in models {
            let d = model.density_on(&grid, l(0.7)).unwrap();
            assert!(d.iter().all(|&v| v > T::zero()), "{model:?}");
            assert!((grid.integrate(&d).as_f64() - 0.7).abs() < tolerance, "{model:?}");
        }
        // Shapes are kept where they are above the floor, ratios and all.
        let d = DefaultModel::from(&lobes).density_on(&grid, T::one()).unwrap();
        let (i, j) = (60, 70);
        let ratio = lobes.values()[i] / lobes.values()[j];
        assert!((d[i] / d[j] - ratio).abs().as_f64() < tolerance);
        // sin < 0 on the left: the floor, 10⁻³ of the mean of what is kept.
        let kept = grid.integrate(&d) / l(8.0);
        assert!((d[20] / kept).as_f64() < 1.1e-3 && (d[20] / kept).as_f64() > 0.9e-3);
    }

    #[test]
    fn models_are_positive_and_normalised() {
        battery::<f32>(1e-5);
        battery::<f64>(1e-13);
    }

    #[test]
    fn gaussian_tails_are_kept() {
        let grid = FrequencyGrid::uniform(-5.0, 5.0, 101).unwrap();
        let narrow = DefaultModel::Gaussian { centre: 0.0, width: 1.0 };
        let d = narrow.density_on(&grid, 1.0).unwrap();
        assert!((d[0] / d[50] - (-12.5_f64).exp()).abs() < 1e-12);
        let spectrum = Spectrum::new(grid.clone(), d.clone(), Density::Spectral).unwrap();
        let again = DefaultModel::Spectrum { spectrum, floor: 1e-12 };
        let d2 = again.density_on(&grid, 1.0).unwrap();
        assert!(d.iter().zip(&d2).all(|(a, b)| (a - b).abs() < 1e-15));
    }
}
