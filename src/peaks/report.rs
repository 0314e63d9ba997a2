//! What a refinement did.

use core::fmt;

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

/// How a refinement came to its answer. Its `Display` is a sentence for a log.
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

impl fmt::Display for PeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PeakReport { modes, n_data, bound, fits, iterations, .. } = self;
        match self.chi2 {
            None => write!(
                f,
                "no mixture of few peaks fits {n_data} data within chi2 = {bound:.1}: the answer is as it was"
            )?,
            Some(chi2) => {
                let peaks = self.peaks.len();
                let plural = |n: usize| if n == 1 { "" } else { "s" };
                write!(
                    f,
                    "{modes} mixture{} of few peaks fit{} (chi2 = {chi2:.1} of {n_data} data), with weight {:.3} in \
                     the answer; the likeliest has {peaks} peak{}:",
                    plural(*modes),
                    if *modes == 1 { "s" } else { "" },
                    self.weight,
                    plural(peaks)
                )?;
                for (i, GaussianPeak { centre, width, weight }) in self.peaks.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma} {weight:.4} at {centre:.4} of width {width:.4}")?;
                }
            }
        }
        write!(f, "; {fits} fits, {iterations} iterations")?;
        if !self.converged {
            f.write_str("; the limit of iterations was reached")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_a_sentence() {
        let peak = |centre| GaussianPeak { centre, width: 0.25, weight: 0.5 };
        let found = PeakReport {
            weight: 0.75,
            log_evidence: -3.0,
            alternative: Some(-4.0),
            modes: 1,
            peaks: vec![peak(-1.0), peak(1.5)],
            chi2: Some(11.25),
            n_data: 14,
            bound: 40.0,
            fits: 60,
            iterations: 900,
            converged: true,
        };
        assert_eq!(
            found.to_string(),
            "1 mixture of few peaks fits (chi2 = 11.2 of 14 data), with weight 0.750 in the answer; the likeliest \
             has 2 peaks: 0.5000 at -1.0000 of width 0.2500, 0.5000 at 1.5000 of width 0.2500; 60 fits, 900 \
             iterations"
        );
        let none = PeakReport { modes: 0, peaks: vec![], chi2: None, converged: false, ..found };
        let text = none.to_string();
        assert!(text.contains("as it was") && text.ends_with("limit of iterations was reached"));
    }
}
