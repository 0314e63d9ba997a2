//! The refinement: what is believed of the peaks, and how far to search.

use super::alternative::Alternative;
use super::mixture::Mixture;
use super::prepared::PreparedFewPeaks;
use super::search::{MOST_PEAKS, MOST_RESTARTS, Scope};
use crate::error::{Error, Result, check_nonnegative, check_positive};
use crate::problem::{Fingerprint, ForwardModel};
use crate::synthetic::{GaussianMixture, PeakRange, PeakSize, TrainingSet};
use nalgebra::DMatrix;
use std::sync::Arc;

/// Refines the answer of another method by mixtures of few Gaussian peaks.
///
/// Spectra are believed to be mixtures of K Gaussians, every K of [`orders`](Self::orders) equally likely, with
/// centres and widths uniform in ranges; or something else, about which the answer to be refined knows
/// best. For each K the posterior
///
/// ```text
/// p(z | g) ∝ exp(−½ ‖g̃ − K̃ a(z)‖²) p(z)
/// ```
///
/// of the mixture's coordinates z is searched for maxima from several starts (Levenberg and Marquardt's
/// method). Those with χ² ≤ r + 5√(2r), r being the number of singular directions in which the data rise above the
/// noise, *fit*. The answer is the average of all that fit, weighted by their evidence ∫ p(g, z) dz: Laplace's,
/// p(g, z*) √((2π)^p/det H), with widths that are measured where peaks lie upon each other, and with the number of
/// distinct ways to name them. It prefers few peaks by itself. And of this average and the answer
/// that was to be refined, by the probability that the spectrum is such a mixture. Without
/// [`against`](Self::against) that is 1 if anything fits, else 0.
///
/// This is a parametric prior. It gains most where it is true: spectra of a few peaks of the given form and data of
/// small noise. Spectra of another form can be fitted too, by chance or by many peaks, and come out worse than
/// they went in: calibrate `orders` and odds on synthetic spectra of the kind expected.
///
/// ```
/// use fredholm::*;
/// use std::sync::Arc;
/// let tau: Vec<f64> = (0..60).map(|i| 10.0 * f64::from(i) / 59.0).collect();
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 81)?;
/// let noise = Whitening::from_errors(&[1e-5; 60])?;
/// let model = Arc::new(ForwardModel::new(&FermionTime::new(10.0)?, &tau, &grid, noise)?);
/// let gauss = |w: f64, m: f64, s: f64| (-0.5 * ((w - m) / s).powi(2)).exp() / s;
/// let truth = Spectrum::from_fn(grid.clone(), |w| {
///     0.3989 * (0.4 * gauss(w, -1.0, 0.4) + 0.6 * gauss(w, 1.2, 0.5))
/// })?;
/// let silent = Problem::from_model(Arc::clone(&model), &[0.0; 60])?;
/// let problem = silent.with_data(&silent.back_continue(&truth.weights())?)?;
///
/// let smooth = MaxEnt::default().solve(&problem)?;
/// let peaks = FewPeaks::on(&grid).prepare(&model)?;
/// let (refined, report) = peaks.refine(&problem, smooth.spectrum())?;
/// assert_eq!(report.peaks.len(), 2);
/// assert!((report.peaks[1].centre - 1.2).abs() < 1e-3);
/// assert!(refined.spectrum().rse(&truth)? < 0.1 * smooth.spectrum().rse(&truth)?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FewPeaks {
    mixture: GaussianMixture,
    orders: (usize, usize),
    height_spread: f64,
    norm: Option<f64>,
    restarts: usize,
    alternative: Option<(DMatrix<f64>, Fingerprint, f64)>,
}

/// Spread of ln height, and of ln norm where it is not known.
const FREE: f64 = 1.0;
const FREE_NORM: f64 = 0.1;

impl FewPeaks {
    /// Mixtures as [`GaussianMixture`] draws them: its ranges of centre and width, its quasiparticle peak if it has
    /// one, all peaks of one height if it says so and else of free heights, norm 1. One to five peaks beside the
    /// quasiparticle.
    pub fn new(mixture: GaussianMixture) -> Self {
        let tied = mixture.size == PeakSize::EqualHeights;
        FewPeaks {
            mixture,
            orders: (1, 5),
            height_spread: if tied { 0.0 } else { FREE },
            norm: Some(1.0),
            restarts: 4,
            alternative: None,
        }
    }

    /// One to five peaks of free height (the logarithm normal, of deviation 1) anywhere on `grid`, from the smallest
    /// spacing to a quarter of its range wide; the norm is that of the answer to be refined within 10 %.
    pub fn on(grid: &crate::FrequencyGrid<f64>) -> Self {
        let points = grid.points();
        let spacing = points.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
        let range = grid.max() - grid.min();
        let peak = PeakRange {
            centre: (grid.min(), grid.max()),
            width: (spacing, (0.25 * range).max(2.0 * spacing)),
        };
        let mixture = GaussianMixture {
            peaks: (1, 5),
            peak,
            quasiparticle: None,
            size: PeakSize::RandomHeights,
            width_floor: 0.5 * spacing,
        };
        FewPeaks { norm: None, ..Self::new(mixture) }
    }

    /// Least and largest number of peaks, a quasiparticle aside; at most 64.
    #[must_use]
    pub fn orders(mut self, least: usize, most: usize) -> Self {
        self.orders = (least, most);
        self
    }

    /// Standard deviation of the logarithm of a peak's height; 0: all peaks of one height.
    #[must_use]
    pub fn heights(mut self, spread: f64) -> Self {
        self.height_spread = spread;
        self
    }

    /// The sum rule Σ a = `norm`, exactly; `None`: the norm of the answer to be refined, within 10 %.
    #[must_use]
    pub fn norm(mut self, norm: impl Into<Option<f64>>) -> Self {
        self.norm = norm.into();
        self
    }

    /// Random starts of every order beside those that the answer suggests, and four times as many hops from the
    /// best fit of the order (one of its peaks drawn anew). Default 4, at most 10 000. The draws are the same in every call.
    #[must_use]
    pub fn restarts(mut self, restarts: usize) -> Self {
        self.restarts = restarts;
        self
    }

    /// What else a spectrum may be: as those of `spectra` (their mean and covariance), `odds` times as likely
    /// beforehand as a mixture. Take spectra that are no mixtures of few peaks; the odds are best
    /// calibrated, for both evidences are approximations.
    #[must_use]
    pub fn against(mut self, spectra: &TrainingSet<f64>, odds: f64) -> Self {
        self.alternative = Some((spectra.weights().clone(), spectra.fingerprint(), odds));
        self
    }

    /// Everything that does not depend on the data.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::validate`]; orders that are not ordered, none or too large; too many restarts; a
    /// range of centres or widths without extent; a negative spread, a norm or odds not positive; spectra of another
    /// model; a kernel that has no singular value decomposition.
    pub fn prepare(&self, model: &Arc<ForwardModel<f64>>) -> Result<PreparedFewPeaks> {
        self.check()?;
        let svd = model.svd()?;
        let norm = self.norm.unwrap_or(1.0);
        let kept = svd.s.iter().filter(|&&s| s * norm >= 1.0).count().max(1);
        let mut matrix = svd.vt.rows(0, kept).into_owned();
        for (mut row, &s) in matrix.row_iter_mut().zip(&svd.s) {
            row *= s;
        }
        let alternative = match &self.alternative {
            None => None,
            Some((weights, fingerprint, odds)) => {
                if *fingerprint != model.fingerprint() {
                    return Err(Error::FingerprintMismatch {
                        found: model.fingerprint().value(),
                        expected: fingerprint.value(),
                    });
                }
                Some((Alternative::new(&matrix, weights)?, odds.ln()))
            }
        };
        let spread = if self.norm.is_some() { 0.0 } else { FREE_NORM };
        let r = kept as f64;
        Ok(PreparedFewPeaks {
            mixture: Mixture::new(model.grid(), &self.mixture, self.height_spread, spread),
            norm: self.norm,
            scope: Scope {
                orders: self.orders,
                restarts: self.restarts,
                bound: r + 5.0 * (2.0 * r).sqrt(),
            },
            directions: svd.u.columns(0, kept).transpose(),
            rows: matrix.transpose().as_slice().to_vec(),
            alternative,
            model: Arc::clone(model),
        })
    }

    fn check(&self) -> Result<()> {
        self.mixture.validate()?;
        let (least, most) = self.orders;
        let first = self.mixture.quasiparticle;
        let refused = if most < least || most > MOST_PEAKS {
            Some(most)
        } else {
            Some(least).filter(|&least| least == 0 && first.is_none())
        };
        if let Some(order) = refused {
            return Err(Error::OutOfRange {
                argument: "orders",
                value: order as f64,
                expected: "an ordered pair, and at least one peak and at most 64",
            });
        }
        if self.restarts > MOST_RESTARTS {
            return Err(Error::OutOfRange {
                argument: "restarts",
                value: self.restarts as f64,
                expected: "at most 10000",
            });
        }
        for range in [Some(self.mixture.peak), first].into_iter().flatten() {
            for (argument, (low, high)) in [("centre", range.centre), ("width", range.width)] {
                if high <= low {
                    let expected = "a range with extent";
                    return Err(Error::ElementOutOfRange {
                        argument,
                        index: 1,
                        value: high,
                        expected,
                    });
                }
            }
        }
        check_nonnegative("heights", self.height_spread)?;
        self.norm.map_or(Ok(()), |norm| check_positive("norm", norm))?;
        self.alternative.as_ref().map_or(Ok(()), |(_, _, odds)| check_positive("odds", *odds))
    }
}
