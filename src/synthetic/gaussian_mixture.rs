//! Random spectra: sums of Gaussian peaks.
//!
//! Source: \[LO\] eq. 16 (which prints σ₂ for σ_i):
//!
//! ```text
//! A(ω) ∝ Σ_i exp(−(ω − μ_i)²/(2σ_i²))     with one quasiparticle peak near ω = 0 as a further term
//! ```
//!
//! All peaks have the same height unless [`PeakSize`] says otherwise, and the weights a_j = A(ω_j) Δω_j are
//! normalised to Σ a = 1. (On a uniform grid the paper's plain samples divided by their sum are the same, but
//! for the half cells at the two ends, where these spectra have next to no weight.)

use crate::error::{Error, Result, check_finite, check_positive};
use crate::grid::FrequencyGrid;
use crate::kernel::Density;
use crate::spectrum::Spectrum;
use rand::{Rng, RngExt};

/// Ranges of centre μ and standard deviation σ of a peak, both uniform, in units of energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakRange {
    /// Least and largest μ.
    pub centre: (f64, f64),
    /// Least and largest σ ≥ 0.
    pub width: (f64, f64),
}

impl PeakRange {
    fn validate(&self) -> Result<()> {
        let PeakRange { centre, width } = *self;
        check_finite("centre", &[centre.0, centre.1])?;
        check_finite("width", &[width.0, width.1])?;
        let ordered = |argument, (low, high): (f64, f64), least: f64| {
            let expected = "an ordered pair, widths not negative";
            if low < least {
                Err(Error::ElementOutOfRange { argument, index: 0, value: low, expected })
            } else if high < low {
                Err(Error::ElementOutOfRange { argument, index: 1, value: high, expected })
            } else {
                Ok(())
            }
        };
        ordered("centre", centre, f64::MIN)?;
        ordered("width", width, 0.0)
    }

    fn draw(&self, rng: &mut impl Rng) -> (f64, f64) {
        let mut uniform = |(low, high): (f64, f64)| low + (high - low) * rng.random::<f64>();
        (uniform(self.centre), uniform(self.width))
    }
}

/// How large the peaks of a spectrum are, one against the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PeakSize {
    /// All of one height, as in the paper: narrow peaks hold little weight.
    #[default]
    EqualHeights,
    /// All of one area: narrow peaks are high.
    EqualAreas,
    /// Heights drawn uniformly from (0, 1], the quasiparticle's too.
    RandomHeights,
    /// Areas drawn so.
    RandomAreas,
}

/// The distribution of synthetic spectra: a random number of Gaussian peaks.
///
/// ```
/// use fredholm::{FrequencyGrid, GaussianMixture, rand::{SeedableRng, rngs::ChaCha8Rng}};
/// let grid = FrequencyGrid::uniform(-3.0, 3.0, 50)?;
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// let spectrum = GaussianMixture::default().draw(&grid, &mut rng)?;
/// assert!((spectrum.norm() - 1.0).abs() < 1e-12);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixture {
    /// Least and largest number of peaks; every number between is equally likely.
    pub peaks: (usize, usize),
    /// Their centres and widths.
    pub peak: PeakRange,
    /// One more peak in every spectrum.
    pub quasiparticle: Option<PeakRange>,
    /// What heights or areas the peaks have.
    pub size: PeakSize,
    /// Widths below this one are raised to it: σ → 0 would fall between the points of any grid.
    pub width_floor: f64,
}

impl Default for GaussianMixture {
    /// The paper's: 1…10 peaks of equal heights, μ in [−1.5, 1.5], σ in [0, 0.5] (floor 10⁻³), and a quasiparticle peak
    /// with μ in [−0.05, 0.05], σ in [0.05, 0.3].
    fn default() -> Self {
        GaussianMixture {
            peaks: (1, 10),
            peak: PeakRange { centre: (-1.5, 1.5), width: (0.0, 0.5) },
            quasiparticle: Some(PeakRange { centre: (-0.05, 0.05), width: (0.05, 0.3) }),
            size: PeakSize::EqualHeights,
            width_floor: 1e-3,
        }
    }
}

/// Draws tried before a distribution is said to miss the grid.
const ATTEMPTS: usize = 100;

impl GaussianMixture {
    /// Whether the ranges are ranges.
    ///
    /// # Errors
    /// Non-finite or unordered ranges, negative widths, a floor that is not positive, no peak at all.
    pub fn validate(&self) -> Result<()> {
        let (least, most) = self.peaks;
        if most < least || (most == 0 && self.quasiparticle.is_none()) {
            return Err(Error::ElementOutOfRange {
                argument: "peaks",
                index: 1,
                value: most as f64,
                expected: "an ordered pair, and at least one peak",
            });
        }
        self.peak.validate()?;
        self.quasiparticle.map_or(Ok(()), |range| range.validate())?;
        check_positive("width_floor", self.width_floor)
    }

    /// One random spectrum of norm 1.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate); peaks that leave no weight on any point of `grid`.
    pub fn draw(&self, grid: &FrequencyGrid<f64>, rng: &mut impl Rng) -> Result<Spectrum<f64>> {
        self.validate()?;
        let mut weights = vec![0.0; grid.len()];
        self.fill(grid, rng, &mut weights)?;
        Spectrum::from_weights(grid.clone(), &weights, Density::Spectral)
    }

    /// Writes the weights a_j of one random spectrum, Σ a = 1; `self` has been validated.
    pub(super) fn fill(
        &self,
        grid: &FrequencyGrid<f64>,
        rng: &mut impl Rng,
        weights: &mut [f64],
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            weights.fill(0.0);
            let peaks = rng.random_range(self.peaks.0..=self.peaks.1);
            let ranges = core::iter::repeat_n(&self.peak, peaks).chain(&self.quasiparticle);
            for range in ranges {
                let (centre, width) = range.draw(rng);
                let inverse = 1.0 / width.max(self.width_floor);
                let height = match self.size {
                    PeakSize::EqualHeights => 1.0,
                    PeakSize::EqualAreas => inverse,
                    PeakSize::RandomHeights => 1.0 - rng.random::<f64>(),
                    PeakSize::RandomAreas => inverse * (1.0 - rng.random::<f64>()),
                };
                for (a, &omega) in weights.iter_mut().zip(grid.points()) {
                    let u = (omega - centre) * inverse;
                    *a += height * (-0.5 * u * u).exp();
                }
            }
            for (a, &cell) in weights.iter_mut().zip(grid.weights()) {
                *a *= cell;
            }
            let norm: f64 = weights.iter().sum();
            // Below this every peak has fallen between the points.
            if norm > 1e-100 && norm.is_finite() {
                weights.iter_mut().for_each(|a| *a /= norm);
                return Ok(());
            }
        }
        Err(Error::OutOfRange {
            argument: "width",
            value: self.peak.width.1,
            expected: "peaks wide enough to be seen by the frequency grid, and on it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    #[test]
    fn spectra_are_densities_with_the_moments_of_their_ranges() {
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 201).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let n = 2000;
        let (mut mean, mut spread) = (0.0, 0.0);
        for _ in 0..n {
            let s = GaussianMixture::default().draw(&grid, &mut rng).unwrap();
            assert!(s.values().iter().all(|&v| v >= 0.0));
            assert!((s.norm() - 1.0).abs() < 1e-12);
            let weights = s.weights();
            let moment = |p: i32| -> f64 {
                weights.iter().zip(grid.points()).map(|(a, w)| a * w.powi(p)).sum()
            };
            mean += moment(1) / n as f64;
            spread += moment(2) / n as f64;
        }
        // Symmetric around 0: the mean of 2000 first moments of standard deviation ~0.3 each.
        assert!(mean.abs() < 0.03, "{mean}");
        // Between a quasiparticle alone (0.04) and peaks uniform over the whole range (0.75 + 0.1).
        assert!(spread > 0.3 && spread < 0.8, "{spread}");
    }

    #[test]
    fn a_single_peak_is_the_gaussian_asked_for() {
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 121).unwrap();
        let peak = PeakRange { centre: (0.5, 0.5), width: (0.4, 0.4) };
        let mixture =
            GaussianMixture { peaks: (1, 1), peak, quasiparticle: None, ..Default::default() };
        let s = mixture.draw(&grid, &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
        for (&w, &v) in grid.points().iter().zip(s.values()) {
            let u: f64 = (w - 0.5) / 0.4;
            let exact = (-0.5 * u * u).exp() / (0.4 * (2.0 * core::f64::consts::PI).sqrt());
            // The trapezoid rule is exact on it to 10⁻⁹ but for the weight beyond ±3.
            assert!((v - exact).abs() < 1e-8, "{v} {exact}");
        }
    }

    #[test]
    fn peaks_have_the_sizes_asked_for() {
        // One peak of width 0.1 at 1, one of width 0.2 at −1, and what lies on either side of zero.
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 601).unwrap();
        let range = |centre, width| PeakRange { centre: (centre, centre), width: (width, width) };
        let shares = |size, seed| {
            let mixture = GaussianMixture {
                peaks: (1, 1),
                peak: range(1.0, 0.1),
                quasiparticle: Some(range(-1.0, 0.2)),
                size,
                ..GaussianMixture::default()
            };
            let s = mixture.draw(&grid, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            let right = s.weights()[301..].iter().sum::<f64>();
            right / (1.0 - right)
        };
        assert!((shares(PeakSize::EqualHeights, 0) - 0.5).abs() < 1e-6);
        assert!((shares(PeakSize::EqualAreas, 0) - 1.0).abs() < 1e-6);
        // The ratio of two uniform numbers has median 1.
        for (size, median) in [(PeakSize::RandomHeights, 0.5), (PeakSize::RandomAreas, 1.0)] {
            let below = (0..400).filter(|&seed| shares(size, seed) < median).count();
            assert!(below.abs_diff(200) < 50, "{below}");
        }
    }

    #[test]
    fn bad_ranges_are_named() {
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 5).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let ok = GaussianMixture::default();
        let peak = PeakRange { centre: (1.0, -1.0), ..ok.peak };
        let bad = GaussianMixture { peak, ..ok.clone() };
        let e = bad.draw(&grid, &mut rng).unwrap_err();
        assert!(matches!(e, Error::ElementOutOfRange { argument: "centre", index: 1, .. }));
        let peak = PeakRange { width: (f64::NAN, 1.0), ..ok.peak };
        let bad = GaussianMixture { peak, ..ok.clone() };
        let e = bad.draw(&grid, &mut rng).unwrap_err();
        assert!(matches!(e, Error::NonFinite { argument: "width", .. }));
        let bad = GaussianMixture { peaks: (3, 2), ..ok.clone() };
        assert!(bad.draw(&grid, &mut rng).is_err());
        let bad = GaussianMixture { width_floor: 0.0, ..ok.clone() };
        assert!(bad.draw(&grid, &mut rng).is_err());
        // Peaks between the points of the grid.
        let peak = PeakRange { centre: (0.7, 0.8), width: (0.0, 0.0) };
        let bad = GaussianMixture { peak, quasiparticle: None, ..ok };
        assert!(bad.draw(&grid, &mut rng).is_err());
    }
}
