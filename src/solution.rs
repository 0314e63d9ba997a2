//! What every solver returns: a spectrum, the back-continued data, and a report with a certificate.
//! Floor 5.

use crate::error::Result;
use crate::problem::Problem;
use crate::real::Real;
use crate::spectrum::Spectrum;
use core::fmt;

/// A method that turns a problem into a spectrum.
pub trait Solver<T: Real> {
    /// Solves `problem`.
    ///
    /// # Errors
    /// Bad parameters or a problem the method cannot take. Failure to converge is a [`Status`].
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>>;
}

/// How an iteration or a solver ended.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Status {
    /// The tolerance asked for was met.
    Converged,
    /// Rounding stops progress short of the tolerance: the certificate tells how far it came.
    RoundingFloor,
    /// The limit of iterations was reached.
    IterationLimit,
    /// The observer asked to stop.
    Stopped,
    /// A value became NaN or infinite; the last finite iterate is returned.
    NonFinite {
        /// Where.
        stage: &'static str,
    },
    /// The rule that chooses α does not apply to these data.
    NoAlpha {
        /// Name of the rule.
        rule: &'static str,
        /// Why, and what was returned instead.
        reason: String,
    },
}

impl Status {
    /// Whether the answer is what was asked for: converged, or as far as rounding allows.
    pub fn is_success(&self) -> bool {
        matches!(self, Status::Converged | Status::RoundingFloor)
    }

    /// A short name for tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Converged => "converged",
            Status::RoundingFloor => "rounding floor",
            Status::IterationLimit => "iteration limit",
            Status::Stopped => "stopped",
            Status::NonFinite { .. } => "non-finite",
            Status::NoAlpha { .. } => "no alpha",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Converged => f.write_str("converged"),
            Status::RoundingFloor => {
                f.write_str("stopped at the rounding floor, short of the tolerance asked for")
            }
            Status::IterationLimit => f.write_str(
                "reached the iteration limit: raise it, loosen the tolerance or accelerate",
            ),
            Status::Stopped => f.write_str("stopped by the observer"),
            Status::NonFinite { stage } => {
                write!(f, "met a NaN or infinity in {stage}: check the scale of data and kernel")
            }
            Status::NoAlpha { rule, reason } => write!(f, "{rule} found no alpha: {reason}"),
        }
    }
}

/// How far from the optimum an answer can be, in the terms its method allows.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Certificate<T = f64> {
    /// Objective − minimum ≤ `gap`, rigorously; for maximum entropy ‖a − a*‖₁ ≤ `l1_bound`. The objective is
    /// that of the kernel as far as it can be stored: its singular values below ε times the largest are
    /// rounding, and no part of it.
    Gap {
        /// Bound on the objective's distance to its minimum.
        gap: T,
        /// The gap divided by its natural scale (α·norm, or the objective's value).
        relative: T,
        /// Bound on the L1 distance of the spectral weights to the optimum, where one is known.
        l1_bound: Option<T>,
    },
    /// A subgradient of this norm exists at the answer.
    Stationarity {
        /// Distance of zero from the subdifferential, or an upper bound on it.
        residual: T,
    },
    /// None: the answer is an estimate, not an optimum (networks).
    None,
}

/// Something a careful reader of a result should know. Printed by [`Report`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Warning {
    /// Even the best fit leaves χ² far above the number of data.
    PoorFit {
        /// χ² of the best fit divided by the number of data.
        chi2_per_datum: f64,
    },
    /// The data are on the whole of the opposite sign of what a positive density gives.
    OppositeSign,
    /// The answer leaves χ² far above the number of data, though a better fit exists.
    Underfitted {
        /// χ² of the answer divided by the number of data.
        chi2_per_datum: f64,
    },
    /// χ² far below what noise of the size declared leaves: the error bars are too large.
    LooseErrors {
        /// χ² divided by the number of data less the number of good data.
        chi2_per_datum: f64,
    },
    /// The ladder of α ended early: the iteration did not converge there.
    LadderCut {
        /// The α at which it failed.
        alpha: f64,
        /// Steps that had converged before.
        steps: usize,
    },
    /// Spectral weight sits at an end of the frequency grid.
    WeightAtEdge {
        /// Frequency of the end.
        omega: f64,
        /// Density there over the largest density.
        fraction: f64,
    },
    /// The spectrum's norm differs from what the default model, or the data, say.
    Norm {
        /// Σ a.
        found: f64,
        /// What was expected.
        expected: f64,
    },
    /// The chosen α is the end of the ladder.
    AlphaAtEnd {
        /// That α.
        alpha: f64,
    },
    /// The spectral weights are negative somewhere.
    Negative {
        /// Sum of the negative weights.
        weight: f64,
    },
    /// Anything else, said in words by the room that knows.
    Note(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::PoorFit { chi2_per_datum } => write!(
                f,
                "even the best fit has chi2/N = {chi2_per_datum:.3}: the data cannot be fitted; is the \
                 grid wide and fine enough, the kernel the right one, the error bars, the sign and \
                 beta correct?"
            ),
            Warning::OppositeSign => f.write_str(
                "the data have the opposite sign of what a positive spectrum gives: multiply them by -1 \
                 (a G(tau) = -<T c c^+> from Monte Carlo is minus what the kernel describes)",
            ),
            Warning::Underfitted { chi2_per_datum } => write!(
                f,
                "the answer has chi2/N = {chi2_per_datum:.3} although a better fit may exist: the weight of \
                 its prior (alpha, lambda) is too large, or the method went no further"
            ),
            Warning::LooseErrors { chi2_per_datum } => write!(
                f,
                "chi2/(N - N_good) = {chi2_per_datum:.2e}: the data scatter less than their error bars \
                 say, by a factor of about {:.1}; rules that rely on chi2 = N do not apply",
                chi2_per_datum.sqrt().recip()
            ),
            Warning::LadderCut { alpha, steps } => write!(
                f,
                "the iteration did not converge at alpha = {alpha:e}, where the ladder was ended: the \
                 choice of alpha rests on the {steps} steps above; raise the limit of iterations"
            ),
            Warning::WeightAtEdge { omega, fraction } => write!(
                f,
                "the density at the grid's end {omega} is {:.1} % of its maximum: widen the grid",
                100.0 * fraction
            ),
            Warning::Norm { found, expected } => write!(
                f,
                "the weights add up to {found:.6}, expected {expected:.6}: check sign, scale and norm"
            ),
            Warning::AlphaAtEnd { alpha } => {
                write!(f, "alpha = {alpha:e} is the end of the ladder: do not trust its choice")
            }
            Warning::Negative { weight } => {
                write!(f, "negative spectral weight, {weight:e} in total")
            }
            Warning::Note(text) => f.write_str(text),
        }
    }
}

/// One step of an α ladder: what the rules that choose α look at.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LadderStep<T = f64> {
    /// Weight of the entropy.
    pub alpha: T,
    /// χ² of the optimum at this α.
    pub chi2: T,
    /// Entropy S ≤ 0.
    pub entropy: T,
    /// Number of good (effectively measured) data, tr\[Λ/(α + Λ)\].
    pub n_good: T,
    /// ln P(α|g) per d ln α up to a constant (Gull, Skilling):
    /// αS − ½χ² − Σ weight·prior + ½ ln\[det(α∇²φ)/det(whole Hessian)\] with φ = −S.
    pub log_probability: T,
    /// Certificate: bound on objective − minimum.
    pub gap: T,
    /// Newton iterations spent.
    pub iterations: usize,
    /// Whether the optimum was reached, to the tolerance of the ladder or to rounding. Rules that choose α
    /// are shown such steps only.
    pub converged: bool,
}

/// What maximum entropy adds to a report.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MaxEntReport<T = f64> {
    /// Name of the rule that chose α.
    pub rule: &'static str,
    /// Name of the solver used.
    pub solver: &'static str,
    /// The chosen α, in the units of ½χ² − αS.
    pub alpha: T,
    /// Weight λ of the kinetic prior, 0 without.
    pub kinetic: T,
    /// Entropy S = Σ [h − d − h ln(h/d)] ≤ 0.
    pub entropy: T,
    /// Number of good data at the chosen α.
    pub n_good: T,
    /// Every α that was solved, in the order of solution (large to small).
    pub ladder: Vec<LadderStep<T>>,
}

/// What a solver did and how far its answer can be trusted.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report<T = f64> {
    /// Name of the method.
    pub method: String,
    /// How it ended.
    pub status: Status,
    /// χ² of the answer, in whitened units.
    pub chi2: T,
    /// Number of whitened data N.
    pub n_data: usize,
    /// Σ a of the answer.
    pub norm: T,
    /// Iterations in total.
    pub iterations: usize,
    /// Distance to the optimum.
    pub certificate: Certificate<T>,
    /// What a careful reader should know.
    pub warnings: Vec<Warning>,
    /// Details of maximum entropy.
    pub maxent: Option<MaxEntReport<T>>,
}

/// A spectrum with the data it would have given and a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution<T: Real = f64> {
    spectrum: Spectrum<T>,
    fit: Vec<T>,
    report: Report<T>,
}

impl<T: Real> Solution<T> {
    /// Wraps spectral weights a = A Δω on the problem's grid; completes `report` with χ², N, norm, the notes
    /// on the noise and the warnings that can be told from the spectrum alone.
    ///
    /// # Errors
    /// `weights` of another length than the grid.
    pub fn new(problem: &Problem<T>, weights: &[T], mut report: Report<T>) -> Result<Self> {
        let fit = problem.back_continue(weights)?;
        let spectrum =
            Spectrum::from_weights(problem.grid().clone(), weights, problem.model().density())?;
        report.chi2 = problem.chi2(weights)?;
        report.n_data = problem.whitened_data().len();
        report.norm = weights.iter().copied().sum();
        let (chi2, n) = (report.chi2.as_f64(), report.n_data as f64);
        // Maximum entropy has judged its own fit by what α can reach.
        if report.maxent.is_none() && is_poor(chi2, n) {
            report.warnings.push(Warning::Underfitted { chi2_per_datum: chi2 / n });
        }
        let notes = &problem.model().whitening().report().notes;
        report.warnings.extend(notes.iter().cloned().map(Warning::Note));
        report.warnings.extend(spectrum_warnings(&spectrum));
        Ok(Solution { spectrum, fit, report })
    }

    /// Drops the warnings that a method knows better than to give.
    pub(crate) fn retain_warnings(&mut self, keep: impl FnMut(&Warning) -> bool) {
        self.report.warnings.retain(keep);
    }

    /// The spectrum.
    pub fn spectrum(&self) -> &Spectrum<T> {
        &self.spectrum
    }

    /// The back-continued raw data K a, stacked if complex.
    pub fn fit(&self) -> &[T] {
        &self.fit
    }

    /// What the solver did.
    pub fn report(&self) -> &Report<T> {
        &self.report
    }
}

/// Whether χ² is far above what noise alone leaves, N ± √(2N).
pub(crate) fn is_poor(chi2: f64, n: f64) -> bool {
    chi2 > 2.0 * n && chi2 > n + 6.0 * (2.0 * n).sqrt()
}

/// Flags of a doubtful spectrum: weight at the grid's ends, negative weight.
fn spectrum_warnings<T: Real>(spectrum: &Spectrum<T>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let values = spectrum.values();
    let max = values.iter().fold(T::zero(), |m, &v| if v > m { v } else { m });
    let half_line = spectrum.density().is_half_line();
    for (index, omega) in [(0, spectrum.grid().min()), (values.len() - 1, spectrum.grid().max())] {
        // ω = 0 is the end of the axis itself for densities and kernels of half the line.
        let inner_end = index == 0 && (half_line || omega == T::zero());
        if max > T::zero() && values[index] > T::lit(0.05) * max && !inner_end {
            warnings.push(Warning::WeightAtEdge {
                omega: omega.as_f64(),
                fraction: (values[index] / max).as_f64(),
            });
        }
    }
    let negative: f64 =
        spectrum.weights().iter().filter(|&&a| a < T::zero()).map(|a| a.as_f64()).sum();
    if negative < -1e-12 {
        warnings.push(Warning::Negative { weight: negative });
    }
    warnings
}

impl<T: Real> fmt::Display for Report<T> {
    /// A page for a reader: status, fit, certificate, warnings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "method        {}", self.method)?;
        writeln!(f, "status        {}", self.status)?;
        let chi2 = self.chi2.as_f64();
        writeln!(
            f,
            "chi2          {chi2:.6e}  (N = {}, chi2/N = {:.4})",
            self.n_data,
            chi2 / self.n_data as f64
        )?;
        writeln!(f, "norm          {:.8}", self.norm.as_f64())?;
        if let Some(m) = &self.maxent {
            writeln!(f, "alpha         {:.6e}  ({}, {})", m.alpha.as_f64(), m.rule, m.solver)?;
            writeln!(f, "kinetic       {:.6e}", m.kinetic.as_f64())?;
            writeln!(f, "entropy       {:.6e}", m.entropy.as_f64())?;
            writeln!(f, "good data     {:.2}", m.n_good.as_f64())?;
        }
        writeln!(f, "iterations    {}", self.iterations)?;
        match self.certificate {
            Certificate::Gap { gap, relative, l1_bound } => {
                write!(
                    f,
                    "certificate   gap <= {:.2e}, relative {:.2e}",
                    gap.as_f64(),
                    relative.as_f64()
                )?;
                if let Some(bound) = l1_bound {
                    write!(f, "; L1 distance to the optimum <= {:.2e}", bound.as_f64())?;
                }
                writeln!(f)?;
            }
            Certificate::Stationarity { residual } => {
                writeln!(f, "certificate   subgradient of norm <= {:.2e}", residual.as_f64())?;
            }
            Certificate::None => writeln!(f, "certificate   none: an estimate, not an optimum")?,
        }
        for warning in &self.warnings {
            writeln!(f, "warning       {warning}")?;
        }
        Ok(())
    }
}
