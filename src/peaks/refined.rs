//! A solver whose answers are refined.

use super::few_peaks::FewPeaks;
use super::prepared::PreparedFewPeaks;
use crate::error::Result;
use crate::problem::Problem;
use crate::solution::{Report, Solution, Solver, Warning};

/// Another method and the refinement of its answer by few peaks, as one solver.
///
/// Where no mixture is likely the answer is the other method's, its report with it, and a note says so. Everything
/// that [`FewPeaks::prepare`] makes is made for every problem, unless the refinement is a [`PreparedFewPeaks`] already:
/// for many problems of one forward model (bootstrap, spectra of many momenta). By itself a prepared refinement is no
/// solver, for it has no answer to begin with; it also hands out the peaks ([`PreparedFewPeaks::refine`]).
///
/// ```
/// use fredholm::*;
/// # let tau: Vec<f64> = (0..60).map(|i| 10.0 * f64::from(i) / 59.0).collect();
/// # let grid = FrequencyGrid::uniform(-4.0, 4.0, 81)?;
/// # let silent = Measurement::with_uniform_error(&tau, &[0.0; 60], 1e-5)?;
/// # let silent = Problem::new(&FermionTime::new(10.0)?, &silent, &grid)?;
/// # let truth = |w: f64| 0.7979 * (-2.0 * (w - 1.0).powi(2)).exp();
/// # let truth = Spectrum::from_fn(grid.clone(), truth)?;
/// # let problem = silent.with_data(&silent.back_continue(&truth.weights())?)?;
/// let refined = Refined::new(MaxEnt::default(), FewPeaks::on(&grid)).solve(&problem)?;
/// assert!(refined.spectrum().rse(&truth)? < 1e-3);
/// // The same, for any number of problems of this model:
/// let prepared = FewPeaks::on(&grid).prepare(problem.model())?;
/// let solver = Refined::new(MaxEnt::default(), prepared);
/// assert_eq!(solver.solve(&problem)?.spectrum(), refined.spectrum());
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Refined<S, F = FewPeaks> {
    solver: S,
    few_peaks: F,
}

impl<S, F> Refined<S, F> {
    /// The answers of `solver` refined by `few_peaks`: a [`FewPeaks`] or a [`PreparedFewPeaks`].
    pub fn new(solver: S, few_peaks: F) -> Self {
        Refined { solver, few_peaks }
    }

    /// The method before the refinement.
    pub fn solver(&self) -> &S {
        &self.solver
    }
}

impl<S: Solver<f64>> Solver<f64> for Refined<S> {
    fn solve(&self, problem: &Problem<f64>) -> Result<Solution<f64>> {
        self.refine(&self.few_peaks.prepare(problem.model())?, problem)
    }
}

/// For problems of the forward model it was prepared for.
impl<S: Solver<f64>> Solver<f64> for Refined<S, PreparedFewPeaks> {
    fn solve(&self, problem: &Problem<f64>) -> Result<Solution<f64>> {
        self.refine(&self.few_peaks, problem)
    }
}

impl<S: Solver<f64>, F> Refined<S, F> {
    fn refine(&self, prepared: &PreparedFewPeaks, problem: &Problem<f64>) -> Result<Solution<f64>> {
        let mut before = self.solver.solve(problem)?;
        let (weights, report, peaks) = prepared.answer(problem, before.spectrum())?;
        if peaks.weight == 0.0 {
            for warning in &report.warnings {
                before.note(&warning.to_string());
            }
            return Ok(before);
        }
        let Report { method, status, warnings, .. } = before.report();
        let known = &problem.model().whitening().report().notes;
        // What else the method warned of was said of its own answer.
        let new = |w: &&Warning| matches!(w, Warning::Note(text) if !known.contains(text));
        let report = Report {
            method: format!("{method}, {}", report.method),
            status: if status.is_success() { report.status } else { status.clone() },
            warnings: warnings.iter().filter(new).cloned().collect(),
            ..report
        };
        Solution::new(problem, &weights, report)
    }
}
