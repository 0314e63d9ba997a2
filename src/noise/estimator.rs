//! From bins to a whitening: how the inverse of a sample covariance is made usable.

use super::bins::Deviations;
use super::modes::Modes;
use super::whitening::check_cut;
use super::{AutocorrelationTime, Bins, NoiseReport, NoiseTreatment, Whitening};
use crate::error::{Error, Result};
use crate::real::Real;
use nalgebra::DMatrix;

/// How the covariance of the mean is estimated from N_b bins.
///
/// The inverse of a sample covariance of p modes is on average (N_b−1)/(N_b−p−2) times too large, and
/// does not exist beyond N_b − 1 modes. Multiplying it by Hartlap's factor makes χ² of the truth come out
/// right, but the weights of a fit stay noisy: with N_b ≈ 2p the variance of what is fitted is 1.5 to 2
/// times that of a shrunk covariance, which in turn makes χ² of the truth too small where neighbouring
/// data are strongly correlated. Never kept without shrinkage: more than N_b − 1 modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CovarianceEstimator {
    /// [`Hartlap`](Self::Hartlap) if N_b ≥ 2.5 p and N_b > p + 2, [`Shrinkage`](Self::Shrinkage) otherwise,
    /// p being the modes above the cut.
    #[default]
    Automatic,
    /// The sample covariance, uncorrected.
    Sample,
    /// The sample covariance with C⁻¹ multiplied by (N_b−p−2)/(N_b−1)
    /// (Hartlap, Simon and Schneider, Astron. Astrophys. 464, 399 (2007)).
    Hartlap,
    /// (1 − λ) C + λ diag(C), λ after Schäfer and Strimmer (2005); 1 for two bins.
    Shrinkage,
    /// The diagonal only: error bars. Correlations are thrown away.
    Diagonal,
}

/// N_b/p from which on Hartlap's factor is preferred to shrinkage.
const PLENTY: f64 = 2.5;

impl<T: Real> Whitening<T> {
    /// From bins, by an estimator of the covariance of their mean and a relative cut on its eigenvalues.
    ///
    /// Data that are the same in every bin are left out, and counted in the report. So are correlations
    /// from bin to bin reported, not removed: see [`Bins::rebin`].
    ///
    /// # Errors
    /// `relative_cut` outside \[0, 1); no datum with noise; too few bins for Hartlap's factor where that is
    /// asked for.
    pub fn from_bins(
        bins: &Bins<T>,
        estimator: CovarianceEstimator,
        relative_cut: T,
    ) -> Result<Self> {
        check_cut(relative_cut)?;
        let deviations = bins.deviations();
        if deviations.constant == bins.n_data() {
            return Err(Error::SingularCovariance { argument: "bins" });
        }
        let count = bins.count();
        let modes_of = |covariance: DMatrix<f64>, limit: usize| -> Result<Modes> {
            let cut = relative_cut.as_f64();
            // A Gram matrix: positive semidefinite, whatever rounding says.
            let mut modes = Modes::of("bins", covariance, cut, f64::EPSILON, f64::INFINITY)?;
            modes.truncate(limit);
            Ok(modes)
        };
        let sample = deviations.covariance();
        let diagonal = DMatrix::from_diagonal(&sample.diagonal());
        let plain = || modes_of(sample.clone(), count - 1);
        let shrunk = || {
            let intensity = deviations.shrinkage_intensity();
            let limit = if intensity > 0.0 { bins.n_data() } else { count - 1 };
            let covariance = &sample * (1.0 - intensity) + &diagonal * intensity;
            Ok((modes_of(covariance, limit)?, NoiseTreatment::Shrinkage { intensity, bins: count }))
        };
        let (modes, treatment) = match estimator {
            CovarianceEstimator::Automatic => {
                let modes = plain()?;
                let plenty = count as f64 >= PLENTY * modes.len() as f64;
                match hartlap_factor(count, modes.len()).filter(|_| plenty) {
                    Some(factor) => (modes, NoiseTreatment::Hartlap { factor, bins: count }),
                    None => shrunk()?,
                }
            }
            CovarianceEstimator::Sample => (plain()?, NoiseTreatment::Sample { bins: count }),
            CovarianceEstimator::Hartlap => {
                let modes = plain()?;
                let factor = hartlap_factor(count, modes.len()).ok_or(Error::OutOfRange {
                    argument: "bins",
                    value: count as f64,
                    expected: "more bins than kept modes + 2, for Hartlap's factor to exist",
                })?;
                (modes, NoiseTreatment::Hartlap { factor, bins: count })
            }
            CovarianceEstimator::Shrinkage => shrunk()?,
            CovarianceEstimator::Diagonal => {
                (modes_of(diagonal, bins.n_data())?, NoiseTreatment::Diagonal { bins: count })
            }
        };
        let autocorrelation = AutocorrelationTime::of(&deviations);
        let report = NoiseReport {
            data: bins.n_data(),
            kept: modes.len(),
            dropped: bins.n_data() - modes.len(),
            constant: deviations.constant,
            relative_cut: modes.relative_cut,
            treatment,
            autocorrelation: Some(autocorrelation),
            notes: notes(&modes, &deviations, autocorrelation, treatment),
        };
        Self::from_modes(&modes, report)
    }
}

/// (N_b − p − 2)/(N_b − 1), where it is positive.
fn hartlap_factor(bins: usize, modes: usize) -> Option<f64> {
    (bins > modes + 2).then(|| (bins - modes - 2) as f64 / (bins - 1) as f64)
}

fn notes(
    modes: &Modes,
    deviations: &Deviations,
    time: AutocorrelationTime,
    treatment: NoiseTreatment,
) -> Vec<String> {
    let mut notes = Vec::new();
    let ((bins, data), constant) = (deviations.matrix.shape(), deviations.constant);
    let rank = (bins - 1).min(data - constant);
    if modes.len() < data - constant {
        notes.push(if modes.len() == rank {
            format!(
                "{rank} of {data} modes of the covariance are kept: {bins} bins determine no more"
            )
        } else {
            modes.cut_note(data)
        });
    }
    // Three standard deviations of the estimate from independent bins, whose window is W = 3.
    let threshold = 1.0 + 3.0 * (12.0 / bins as f64).sqrt();
    if time.mean > threshold {
        notes.push(format!(
            "the bins are correlated with each other (autocorrelation time {:.1} bins): error bars are \
             too small by about {:.1}; average {} consecutive bins or more",
            time.mean,
            time.mean.sqrt(),
            (2.0 * time.mean).ceil()
        ));
    }
    if constant > 0 {
        notes.push(format!("{constant} data are the same in every bin and were left out"));
    }
    if let NoiseTreatment::Shrinkage { intensity, .. } = treatment {
        notes.push(format!(
            "the covariance is {:.0} % its diagonal: where neighbouring data are strongly correlated, chi2 \
             of the truth is below the number of data",
            100.0 * intensity
        ));
    }
    notes
}
