//! What a refinement did.

/// A Gaussian peak of a spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct GaussianPeak {
    /// Centre μ.
    pub centre: f64,
    /// Standard deviation σ, that of the peak and no error bar.
    pub width: f64,
    /// Its part of Σ a on the grid.
    pub weight: f64,
}

/// How a refinement came to its answer.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PeakReport {
    /// Weight of the mixtures in the answer, their posterior probability; 0: the answer is the one that was
    /// to be refined.
    pub weight: f64,
    /// ln of the evidence of all mixtures that fit, up to a constant that it shares with `alternative`; −∞ if
    /// none does.
    pub log_evidence: f64,
    /// ln of the evidence of what else the spectrum may be, with its odds; none if nothing was given.
    pub alternative: Option<f64>,
    /// Number of distinct mixtures that fit.
    pub modes: usize,
    /// The most probable of them, by centre; empty if none fits.
    pub peaks: Vec<GaussianPeak>,
    /// Its χ² over the modes of the data that rise above the noise.
    pub chi2: Option<f64>,
    /// The number of these modes.
    pub n_data: usize,
    /// The χ² above which a mixture does not fit.
    pub bound: f64,
    /// Fits that were tried.
    pub fits: usize,
    /// Their iterations in total.
    pub iterations: usize,
    /// Whether the most probable mixture is a minimum of its fit; where none fits, whether any fit ended before its
    /// limit of iterations.
    pub converged: bool,
}
