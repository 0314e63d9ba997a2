//! What every solver returns: a spectrum, the back-continued data, and a report with a certificate.
//! Floor 5.

mod warning;

pub use warning::Warning;

use crate::error::Result;
use crate::noise::neighbour_correlation;
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

/// A borrowed or boxed solver is a solver.
macro_rules! forward_solver {
    ($($pointer:ty),*) => {$(
        impl<T: Real, S: Solver<T> + ?Sized> Solver<T> for $pointer {
            fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
                (**self).solve(problem)
            }
        }
    )*};
}
forward_solver!(&S, Box<S>);

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
    /// No step makes progress any more, short of the tolerance and not for rounding alone.
    Stalled,
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
            Status::Stalled => "stalled",
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
            Status::Stalled => f.write_str(
                "stalled, short of the tolerance: more iterations will not help; check the scale of data, error bars \
                 and priors, or take a larger alpha",
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
    /// Number of good (effectively measured) data, tr\[Λ/(α + Λ)\]. Where the priors' own Hessian is not positive
    /// definite, which a prior that is not convex allows, it is that of the Hessian shifted until it is, and so is
    /// ln P.
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

/// One weight of the kinetic prior that was looked at in choosing it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct KineticStep<T = f64> {
    /// Weight λ of the kinetic prior.
    pub lambda: T,
    /// The α of least score at this λ.
    pub alpha: T,
    /// Number of good data there.
    pub n_good: T,
    /// The least score.
    pub score: f64,
}

/// What maximum entropy adds to a report.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct MaxEntReport<T = f64> {
    /// Name of the rule that chose α.
    pub rule: &'static str,
    /// Name of the solver used.
    pub solver: &'static str,
    /// The chosen α, in the units of ½χ² − αS; of an average over α the geometric mean.
    pub alpha: T,
    /// Of how many optima, at as many α, the spectrum is the weighted mean: 1 unless the rule averages.
    pub averaged: usize,
    /// Weight λ of the kinetic prior, 0 without: of [`MaxEnt::kinetic`](crate::MaxEnt::kinetic)'s, or where it was
    /// chosen of the one relative to `kinetic_reference`.
    pub kinetic: T,
    /// Where λ was chosen, the density A₀ its prior is relative to
    /// ([`Kinetic::relative`](crate::Kinetic::relative)); else empty.
    pub kinetic_reference: Vec<T>,
    /// The weights λ it was chosen from, in the order of solution; empty where λ was given.
    pub kinetic_steps: Vec<KineticStep<T>>,
    /// Entropy S = Σ [h − d − h ln(h/d)] ≤ 0.
    pub entropy: T,
    /// Number of good data at the chosen α.
    pub n_good: T,
    /// Modes (singular vectors) of the whitened kernel above rounding.
    pub modes: usize,
    /// Those of them in the Newton matrix at the chosen α: the others the data cannot tell from the prior.
    pub active_modes: usize,
    /// Bound on what leaving the others out of it does to the objective, rounding included; the gap of the
    /// certificate holds it.
    pub left_out: T,
    /// The smallest and the largest α the rule would accept as well, where it says so.
    pub interval: Option<[T; 2]>,
    /// The largest L1 distance of the spectrum to those of the ladder in that interval, over its norm.
    pub spread: Option<T>,
    /// What the rule looked at, one number for every converged step of the ladder; empty for a fixed α.
    pub curve: Vec<f64>,
    /// Every α that was solved, in the order of solution (large to small).
    pub ladder: Vec<LadderStep<T>>,
}

/// What sparse and least-squares methods add to a report.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PenaltyReport<T = f64> {
    /// Weight λ of the penalty, in the units of the method.
    pub lambda: T,
    /// Name of the rule that chose it, `fixed` if it was given.
    pub rule: &'static str,
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
    /// Σ r_i r_{i+1}/Σ r_i² of the whitened residuals r, in the order of the data (with a covariance: of its
    /// modes, from the largest variance down). For independent noise 0 ± √((N − 1)/(N(N + 2))), less what
    /// the fit has taken out, about N_good/N. Not defined for fewer than three data and a fit without residual.
    pub residual_correlation: Option<f64>,
    /// Iterations in total.
    pub iterations: usize,
    /// Distance to the optimum.
    pub certificate: Certificate<T>,
    /// What a careful reader should know.
    pub warnings: Vec<Warning>,
    /// Details of maximum entropy.
    pub maxent: Option<MaxEntReport<T>>,
    /// The weight of the penalty of sparse and least-squares methods.
    pub penalty: Option<PenaltyReport<T>>,
}

/// A spectrum with the data it would have given and a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution<T: Real = f64> {
    spectrum: Spectrum<T>,
    fit: Vec<T>,
    report: Report<T>,
}

/// χ²/N below which no structure in the residuals is worth a word: a tenth of the error bars.
const NEGLIGIBLE: f64 = 1e-2;

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
        let residuals: Vec<f64> =
            problem.whitened_residuals(weights)?.iter().map(|r| r.as_f64()).collect();
        report.chi2 = T::lit(residuals.iter().map(|r| r * r).sum());
        report.n_data = residuals.len();
        report.norm = weights.iter().copied().sum();
        let (chi2, n) = (report.chi2.as_f64(), report.n_data as f64);
        // Maximum entropy has judged its own fit by what α can reach.
        if report.maxent.is_none() && is_poor(chi2, n) {
            report.warnings.push(Warning::Underfitted { chi2_per_datum: chi2 / n });
        }
        let correlation = neighbour_correlation(&residuals);
        report.residual_correlation = correlation.map(|(correlation, _)| correlation);
        let significant = |&(correlation, deviation): &(f64, f64)| correlation > 3.0 * deviation;
        if is_poor(chi2, n) && correlation.is_some_and(|(c, deviation)| c.abs() <= 3.0 * deviation)
        {
            report.warnings.push(Warning::SmallErrors { chi2_per_datum: chi2 / n });
        }
        if let Some((correlation, deviation)) = correlation.filter(significant)
            && chi2 > NEGLIGIBLE * n
        {
            report.warnings.push(Warning::CorrelatedResiduals { correlation, deviation });
        }
        let notes = &problem.model().whitening().report().notes;
        report.warnings.extend(notes.iter().cloned().map(Warning::Note));
        report.warnings.extend(spectrum_warnings(&spectrum));
        Ok(Solution { spectrum, fit, report })
    }

    /// Adds what is to be known about the data.
    pub(crate) fn note(&mut self, text: &str) {
        self.report.warnings.push(Warning::Note(text.into()));
    }

    /// Says of an answer that was not fitted to the data how it fits, in place of what fits are told.
    pub(crate) fn was_not_fitted(&mut self) {
        for warning in &mut self.report.warnings {
            if let Warning::Underfitted { chi2_per_datum } = *warning {
                *warning = Warning::Inconsistent { chi2_per_datum };
            }
        }
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
    /// A page for a reader: status, fit, certificate, warnings; the likely cause of them first, and not what follows
    /// from it.
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
        if let Some(correlation) = self.residual_correlation {
            writeln!(f, "residuals     neighbours correlated by {correlation:.3}")?;
        }
        writeln!(f, "norm          {:.8}", self.norm.as_f64())?;
        if let Some(m) = &self.maxent {
            writeln!(f, "alpha         {:.6e}  ({}, {})", m.alpha.as_f64(), m.rule, m.solver)?;
            if let Some([low, high]) = m.interval {
                write!(f, "  or within   {:.2e} to {:.2e}", low.as_f64(), high.as_f64())?;
                match m.spread {
                    Some(s) => writeln!(f, ", which moves the spectrum by {:.2e}", s.as_f64())?,
                    None => writeln!(f)?,
                }
            }
            write!(f, "kinetic       {:.6e}", m.kinetic.as_f64())?;
            match m.kinetic_steps.len() {
                0 => writeln!(f)?,
                n => writeln!(f, "  (chosen from {n} weights)")?,
            }
            writeln!(f, "entropy       {:.6e}", m.entropy.as_f64())?;
            writeln!(f, "good data     {:.2}", m.n_good.as_f64())?;
            writeln!(
                f,
                "modes used    {} of {}; the others move the objective by {:.1e} at most",
                m.active_modes,
                m.modes,
                m.left_out.as_f64()
            )?;
        }
        if let Some(PenaltyReport { lambda, rule }) = self.penalty {
            writeln!(f, "lambda        {:.6e}  ({rule})", lambda.as_f64())?;
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
        let cause = self.warnings.iter().max_by_key(|w| w.strength()).filter(|w| w.strength() > 0);
        if let Some(cause) = cause {
            writeln!(f, "warning       {cause}")?;
        }
        let mut following = 0;
        for warning in self.warnings.iter().filter(|&w| Some(w) != cause) {
            match cause {
                Some(cause) if warning.follows_from(cause) => following += 1,
                _ => writeln!(f, "warning       {warning}")?,
            }
        }
        if following > 0 {
            writeln!(f, "              {following} more, which may follow from the first")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FermionTime, FrequencyGrid, Measurement};

    fn report(residuals: &[f64]) -> Report {
        let n = residuals.len();
        let tau: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
        let data = Measurement::with_uniform_error(&tau, residuals, 1.0).unwrap();
        let grid = FrequencyGrid::uniform(-1.0, 1.0, 3).unwrap();
        let problem = Problem::new(&FermionTime::new(1.0).unwrap(), &data, &grid).unwrap();
        let report = Report {
            method: "nothing".into(),
            status: Status::Converged,
            chi2: 0.0,
            n_data: 0,
            norm: 0.0,
            residual_correlation: None,
            iterations: 0,
            certificate: Certificate::None,
            warnings: Vec::new(),
            maxent: None,
            penalty: None,
        };
        Solution::new(&problem, &[0.0; 3], report).unwrap().report().clone()
    }

    /// r_i r_{i+1} summed by hand: a sine of period 20, its sign alternated, and its thousandth.
    #[test]
    fn structure_left_in_the_residuals_is_told() {
        let warned = |report: &Report| {
            report.warnings.iter().any(|w| matches!(w, Warning::CorrelatedResiduals { .. }))
        };
        let angle = |i: usize| std::f64::consts::PI * (i as f64 + 0.5) / 10.0;
        let smooth: Vec<f64> = (0..40).map(|i| angle(i).sin()).collect();
        // Σ sin x sin(x + δ) = ½ Σ [cos δ − cos(2x + δ)]: 20 cos δ over all 40, less the pair that closes the ring.
        let delta = std::f64::consts::PI / 10.0;
        let expected = (20.0 * delta.cos() - angle(39).sin() * angle(40).sin()) / 20.0;
        let told = report(&smooth);
        assert!((told.residual_correlation.unwrap() - expected).abs() < 1e-12);
        assert!(warned(&told) && told.to_string().contains("neighbours correlated by 0.9"));
        let rough: Vec<f64> =
            smooth.iter().enumerate().map(|(i, r)| if i % 2 == 0 { *r } else { -r }).collect();
        let told = report(&rough);
        assert!((told.residual_correlation.unwrap() + expected).abs() < 1e-12 && !warned(&told));
        // Signs in an order without correlation, at ten times the error bars: those are to blame, and nothing else.
        let signs: Vec<f64> =
            (0..40).map(|i| if (i / 2) % 2 == 0 { 10.0 } else { -10.0 }).collect();
        let told = report(&signs);
        assert!(told.residual_correlation.unwrap().abs() < 0.03);
        let small = |w: &Warning| matches!(w, Warning::SmallErrors { chi2_per_datum } if *chi2_per_datum == 100.0);
        assert!(told.warnings.iter().any(small), "{:?}", told.warnings);
        assert!(told.to_string().contains("too small, by a factor of about 10.0"));
        assert!(
            !report(&smooth.iter().map(|r| 10.0 * r).collect::<Vec<_>>())
                .warnings
                .iter()
                .any(|w| matches!(w, Warning::SmallErrors { .. }))
        );
        let tiny: Vec<f64> = smooth.iter().map(|r| 1e-3 * r).collect();
        assert!(!warned(&report(&tiny)));
        assert_eq!(report(&[0.0; 9]).residual_correlation, None);
        assert_eq!(report(&[1.0; 2]).residual_correlation, None);
    }

    #[test]
    fn the_page_names_the_cause_first_and_once() {
        let mut report = report(&[0.0; 9]);
        let edge = Warning::WeightAtEdge { omega: 1.0, fraction: 0.5 };
        let end = Warning::AlphaAtEnd { alpha: 1.0 };
        report.warnings = vec![
            Warning::PoorFit { chi2_per_datum: 9.0 },
            end.clone(),
            edge.clone(),
            Warning::OppositeSign,
            Warning::Note("a note".into()),
        ];
        let warnings = |report: &Report| -> Vec<String> {
            let page = report.to_string();
            let start = page.find("warning").unwrap();
            page[start..].lines().map(|l| l.trim_start_matches("warning").trim().into()).collect()
        };
        let told = warnings(&report);
        let cause = Warning::OppositeSign.to_string();
        let expected = [cause.as_str(), "a note", "3 more, which may follow from the first"];
        assert_eq!(told, expected);
        // A grid too narrow is a cause, α at an end is not.
        report.warnings.remove(3);
        let told = warnings(&report);
        assert!(told[0].starts_with("even the best fit") && told[1] == edge.to_string());
        assert_eq!(told[2..], ["a note", "1 more, which may follow from the first"]);
        report.warnings = vec![end.clone(), edge.clone()];
        assert_eq!(warnings(&report), [end.to_string(), edge.to_string()]);
    }
}
