//! What was done with the noise of a measurement.

use core::fmt;

/// Where the whitening came from, and how a sample covariance was made invertible.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NoiseTreatment {
    /// Independent error bars.
    Errors,
    /// A given covariance matrix.
    Covariance,
    /// The sample covariance of bins as it is: its inverse is too large.
    Sample {
        /// Number of bins.
        bins: usize,
    },
    /// The sample covariance of bins, its inverse multiplied by Hartlap's factor.
    Hartlap {
        /// (N_b − p − 2)/(N_b − 1), p the number of kept modes.
        factor: f64,
        /// Number of bins.
        bins: usize,
    },
    /// The sample covariance of bins, shrunk toward its diagonal.
    Shrinkage {
        /// Weight λ of the diagonal: (1 − λ) C + λ diag(C).
        intensity: f64,
        /// Number of bins.
        bins: usize,
    },
    /// The diagonal of the sample covariance of bins: correlations left out.
    Diagonal {
        /// Number of bins.
        bins: usize,
    },
}

impl fmt::Display for NoiseTreatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoiseTreatment::Errors => f.write_str("independent error bars"),
            NoiseTreatment::Covariance => f.write_str("given covariance matrix"),
            NoiseTreatment::Sample { bins } => {
                write!(f, "sample covariance of {bins} bins, uncorrected")
            }
            NoiseTreatment::Hartlap { factor, bins } => {
                write!(f, "sample covariance of {bins} bins, Hartlap factor {factor:.4}")
            }
            NoiseTreatment::Shrinkage { intensity, bins } => {
                write!(
                    f,
                    "sample covariance of {bins} bins, shrunk by {intensity:.4} to its diagonal"
                )
            }
            NoiseTreatment::Diagonal { bins } => {
                write!(f, "diagonal of the sample covariance of {bins} bins")
            }
        }
    }
}

/// The integrated autocorrelation time from bin to bin, 1 + 2 Σ_{t≥1} ρ(t), over the data.
///
/// In units of bins: 1 for independent bins, (1 + ρ)/(1 − ρ) where ρ(t) = ρ^t. The variance of the mean
/// is this many times what independent bins would have.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AutocorrelationTime {
    /// Mean over the data.
    pub mean: f64,
    /// Largest of the data.
    pub max: f64,
}

/// What a [`Whitening`](super::Whitening) was made from and what it kept.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NoiseReport {
    /// Number of raw data.
    pub data: usize,
    /// Number of modes kept: the N of χ²/N.
    pub kept: usize,
    /// Number of modes dropped, data without noise among them.
    pub dropped: usize,
    /// Number of data that are the same in every bin: they carry no noise and are left out.
    pub constant: usize,
    /// Modes of less than this times the largest variance were dropped.
    pub relative_cut: f64,
    /// Origin of the covariance.
    pub treatment: NoiseTreatment,
    /// Correlation from bin to bin, where there are bins.
    pub autocorrelation: Option<AutocorrelationTime>,
    /// What a careful reader should know.
    pub notes: Vec<String>,
}

impl fmt::Display for NoiseReport {
    /// A paragraph for a reader.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "noise         {}", self.treatment)?;
        write!(f, "modes         {} of {} kept", self.kept, self.data)?;
        if self.relative_cut > 0.0 {
            write!(f, ", of variance above {:.1e} times the largest", self.relative_cut)?;
        }
        if self.constant > 0 {
            write!(f, "; {} data without noise left out", self.constant)?;
        }
        writeln!(f)?;
        if let Some(time) = self.autocorrelation {
            writeln!(
                f,
                "bins          autocorrelation time {:.2} (largest {:.2}; 1 if independent)",
                time.mean, time.max
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note          {note}")?;
        }
        Ok(())
    }
}
