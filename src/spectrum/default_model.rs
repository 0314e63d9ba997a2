//! Default models D(ω): what a spectrum is taken to be where the data say nothing.

use super::Spectrum;
use super::moments::density_of_moments;
use crate::error::{
    Error, Result, check_not_empty, check_open_unit_interval, check_positive, check_scalar,
};
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
    /// Σ weight/(width √2π) · exp(−(ω − centre)²/(2 width²)), the width a standard deviation.
    Gaussians(Vec<DefaultPeak<T>>),
    /// Σ weight/π · width/((ω − centre)² + width²), the width half of that at half maximum.
    Lorentzians(Vec<DefaultPeak<T>>),
    /// The density of largest entropy, e^{Σ_k λ_k ω^k}, whose moments ∫ω^k D dω/∫D dω, k = 1, 2, …, over the grid
    /// are these; of two, a Gaussian of that mean and mean square.
    Moments(Vec<T>),
    /// The same for a mean and a variance.
    MeanAndVariance {
        /// ∫ωD dω/∫D dω.
        mean: T,
        /// ∫(ω − mean)²D dω/∫D dω.
        variance: T,
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

/// A peak of a [`DefaultModel`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DefaultPeak<T = f64> {
    /// Its integral over all ω, relative to those of the other peaks.
    pub weight: T,
    /// Where its maximum is.
    pub centre: T,
    /// Standard deviation of a Gaussian, half width at half maximum of a Lorentzian.
    pub width: T,
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
    /// The density of largest entropy with this mean and variance over the grid: a Gaussian, but for what
    /// the ends of the grid cut off.
    pub fn from_mean_and_variance(mean: T, variance: T) -> Self {
        DefaultModel::MeanAndVariance { mean, variance }
    }

    /// D(ω_j) on `grid`, positive, with Σ D_j Δω_j = `norm`.
    ///
    /// Values below the floor of a spectrum are raised to it; tails of the analytic forms are kept down to
    /// 10⁻¹² of the mean.
    ///
    /// # Errors
    /// `norm`, a width or the weight of a peak not positive; no peaks; moments that no positive density on the
    /// grid has; a floor outside (0, 1); a spectrum without positive weight on the grid.
    pub fn density_on(&self, grid: &FrequencyGrid<T>, norm: T) -> Result<Vec<T>> {
        check_positive("norm", norm)?;
        let (mut d, floor) = match self {
            DefaultModel::Flat => (vec![T::one(); grid.len()], T::lit(TAIL)),
            DefaultModel::Gaussian { centre, width } => {
                let peak = DefaultPeak { weight: T::one(), centre: *centre, width: *width };
                (sum_of_peaks(&[peak], grid, gaussian)?, T::lit(TAIL))
            }
            DefaultModel::Gaussians(peaks) => (sum_of_peaks(peaks, grid, gaussian)?, T::lit(TAIL)),
            DefaultModel::Lorentzians(peaks) => {
                let lorentzian = |u: T| T::one() / (T::one() + u * u);
                (sum_of_peaks(peaks, grid, lorentzian)?, T::lit(TAIL))
            }
            DefaultModel::Moments(moments) => (density_of_moments(grid, moments)?, T::lit(TAIL)),
            DefaultModel::MeanAndVariance { mean, variance } => {
                check_scalar("mean", *mean)?;
                check_positive("variance", *variance)?;
                let moments = [*mean, *mean * *mean + *variance];
                let density = density_of_moments(grid, &moments).map_err(|_| Error::OutOfRange {
                    argument: "variance",
                    value: variance.as_f64(),
                    expected: "that of a positive density with the given mean on the frequency grid",
                })?;
                (density, T::lit(TAIL))
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

fn gaussian<T: Real>(u: T) -> T {
    (-T::lit(0.5) * u * u).exp()
}

/// Σ weight/width · shape((ω − centre)/width) at the grid's points.
fn sum_of_peaks<T: Real>(
    peaks: &[DefaultPeak<T>],
    grid: &FrequencyGrid<T>,
    shape: impl Fn(T) -> T,
) -> Result<Vec<T>> {
    check_not_empty("peaks", peaks.len(), 1)?;
    for peak in peaks {
        check_positive("weight", peak.weight)?;
        check_scalar("centre", peak.centre)?;
        check_positive("width", peak.width)?;
    }
    let at = |w: T, p: &DefaultPeak<T>| p.weight / p.width * shape((w - p.centre) / p.width);
    Ok(grid.points().iter().map(|&w| peaks.iter().map(|p| at(w, p)).sum()).collect())
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
        let peak = |weight, centre, width| DefaultPeak {
            weight: l(weight),
            centre: l(centre),
            width: l(width),
        };
        let peaks = vec![peak(2.0, -1.0, 0.5), peak(1.0, 1.5, 0.3)];
        let models = [
            DefaultModel::Flat,
            DefaultModel::Gaussian { centre: l(0.5), width: l(0.7) },
            DefaultModel::Gaussian { centre: l(-3.9), width: l(0.1) },
            DefaultModel::Gaussians(peaks.clone()),
            DefaultModel::Lorentzians(peaks),
            DefaultModel::from_mean_and_variance(l(0.4), l(0.9)),
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
    fn peaks_have_their_weights_and_widths() {
        let grid = FrequencyGrid::uniform(-40.0, 40.0, 8001).unwrap();
        let peak = |weight, centre, width| DefaultPeak { weight, centre, width };
        let peaks = vec![peak(3.0, -1.0, 0.2), peak(1.0, 6.0, 0.5)];
        let left = |d: &[f64]| {
            grid.points()
                .iter()
                .zip(d)
                .filter(|(w, _)| **w < 2.5)
                .map(|(_, d)| 0.01 * d)
                .sum::<f64>()
        };
        let d = DefaultModel::Gaussians(peaks.clone()).density_on(&grid, 1.0).unwrap();
        assert!((left(&d) - 0.75).abs() < 1e-3);
        // One standard deviation, or one half width, from the maximum.
        let ratio = |d: &[f64]| d[3920] / d[3900];
        assert!((ratio(&d) - (-0.5_f64).exp()).abs() < 1e-12);
        let d = DefaultModel::Lorentzians(peaks).density_on(&grid, 1.0).unwrap();
        assert!((left(&d) - 0.75).abs() < 2e-2 && (ratio(&d) - 0.5).abs() < 1e-3);
        let one =
            DefaultModel::Gaussian { centre: 1.0, width: 0.7 }.density_on(&grid, 1.0).unwrap();
        let same =
            DefaultModel::Gaussians(vec![peak(0.2, 1.0, 0.7)]).density_on(&grid, 1.0).unwrap();
        assert!(one.iter().zip(&same).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn default_models_have_the_moments_asked_for() {
        let grid = FrequencyGrid::<f64>::tangent(-6.0, 8.0, 301, 0.5).unwrap();
        let moment = |d: &[f64], k: i32| {
            let terms = grid.points().iter().zip(grid.weights()).zip(d);
            terms.map(|((w, dw), d)| w.powi(k) * dw * d).sum::<f64>()
        };
        // Two moments: the Gaussian, where the grid holds all of it.
        let d = DefaultModel::from_mean_and_variance(0.7, 0.49).density_on(&grid, 1.0).unwrap();
        assert!((moment(&d, 1) - 0.7).abs() < 1e-9 && (moment(&d, 2) - 0.98).abs() < 1e-9);
        let normal =
            DefaultModel::Gaussian { centre: 0.7, width: 0.7 }.density_on(&grid, 1.0).unwrap();
        assert!(d.iter().zip(&normal).all(|(a, b)| (a - b).abs() < 1e-4));
        // Wider than the grid, where the Gaussian would be cut: still these moments.
        let d = DefaultModel::from_mean_and_variance(1.5, 12.0).density_on(&grid, 2.0).unwrap();
        assert!((moment(&d, 1) / 2.0 - 1.5).abs() < 1e-9);
        assert!((moment(&d, 2) / 2.0 - 14.25).abs() < 1e-8);
        // Four moments of two peaks.
        let d = DefaultModel::Moments(vec![0.0, 4.0, 0.5, 20.0]).density_on(&grid, 1.0).unwrap();
        for (k, m) in [(1, 0.0), (2, 4.0), (3, 0.5), (4, 20.0)] {
            assert!((moment(&d, k) - m).abs() < 1e-7, "{k}: {}", moment(&d, k));
        }
        // A variance that is negative, or larger than the grid's ends allow, has no density.
        for variance in [-0.1, 100.0] {
            let impossible = DefaultModel::from_mean_and_variance(0.5, variance);
            let error = impossible.density_on(&grid, 1.0).unwrap_err();
            assert!(matches!(error, Error::OutOfRange { argument: "variance", .. }), "{error}");
        }
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
