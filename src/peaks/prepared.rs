//! The refinement prepared for one forward model: of any number of data vectors.

use super::alternative::Alternative;
use super::fit::{Mode, Rows, Target};
use super::mixture::Mixture;
use super::report::{GaussianPeak, PeakReport};
use super::search::{Scope, log_sum, search};
use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::parallel;
use crate::problem::{ForwardModel, Problem};
use crate::solution::{Certificate, Report, Solution, Status, Warning};
use crate::spectrum::Spectrum;
use nalgebra::DMatrix;
use std::sync::Arc;

/// [`FewPeaks`](super::FewPeaks) for one forward model.
#[derive(Debug)]
pub struct PreparedFewPeaks {
    pub(super) model: Arc<ForwardModel<f64>>,
    pub(super) mixture: Mixture,
    pub(super) norm: Option<f64>,
    pub(super) scope: Scope,
    /// The leading left singular vectors of the whitened kernel, as rows.
    pub(super) directions: DMatrix<f64>,
    /// Its leading right ones times the singular values, row-major.
    pub(super) rows: Vec<f64>,
    /// With ln odds.
    pub(super) alternative: Option<(Alternative, f64)>,
}

/// Refined weights for many data vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct RefinedBatch {
    /// Weights a = A Δω, N_ω × problems.
    pub weights: DMatrix<f64>,
    /// One for each column of `weights`.
    pub reports: Vec<PeakReport>,
}

impl PreparedFewPeaks {
    /// Refines an answer to one problem.
    ///
    /// # Errors
    /// A problem of another kernel, other axes or other noise than those prepared for; an answer on another grid, of
    /// another density, or of a norm that is not positive.
    pub fn refine(
        &self,
        problem: &Problem<f64>,
        answer: &Spectrum<f64>,
    ) -> Result<(Solution<f64>, PeakReport)> {
        let (weights, report, peaks) = self.answer(problem, answer)?;
        Ok((Solution::new(problem, &weights, report)?, peaks))
    }

    /// The refined weights, what there is to say about them, and the peaks.
    pub(super) fn answer(
        &self,
        problem: &Problem<f64>,
        answer: &Spectrum<f64>,
    ) -> Result<(Vec<f64>, Report<f64>, PeakReport)> {
        self.model.check_same(problem.model())?;
        let mut weights = answer.weights();
        self.check_answer(&weights)?;
        let alike = [
            ("on another grid", answer.grid() == self.model.grid()),
            ("another density", answer.density() == self.model.density()),
        ];
        if let Some((value, _)) = alike.into_iter().find(|(_, alike)| !alike) {
            let expected = "grid and density of the forward model";
            return Err(Error::Unsupported { argument: "answer", value, expected });
        }
        let peaks = self.refine_one(problem.whitened_data(), &mut weights);
        let warnings = if peaks.weight > 0.0 {
            Vec::new()
        } else {
            vec![Warning::Note("no mixture of few peaks is likely: the answer is as it was".into())]
        };
        let report = Report {
            method: "few peaks".into(),
            status: if peaks.converged { Status::Converged } else { Status::IterationLimit },
            chi2: 0.0,
            n_data: 0,
            norm: 0.0,
            residual_correlation: None,
            iterations: peaks.iterations,
            certificate: Certificate::None,
            warnings,
            maxent: None,
            penalty: None,
        };
        Ok((weights, report, peaks))
    }

    /// Refines the answers to many data vectors, both one a column; threads over columns, the same bits for any
    /// number of them.
    ///
    /// # Errors
    /// Data or answers of another length than the model's, of different numbers or not finite; an answer of a norm
    /// that is not positive.
    pub fn refine_batch(
        &self,
        data: &DMatrix<f64>,
        answers: &DMatrix<f64>,
    ) -> Result<RefinedBatch> {
        check_not_empty("data", data.len(), 1)?;
        check_len("data", data.nrows(), self.model.kernel().nrows(), "the kernel's rows")?;
        check_len("answers", answers.ncols(), data.ncols(), "the data vectors")?;
        check_finite("data", data.as_slice())?;
        for answer in answers.column_iter() {
            self.check_answer(answer.as_slice())?;
        }
        let mut weights = answers.clone();
        let mut items: Vec<(&[f64], &mut [f64], Option<PeakReport>)> = (data.as_slice())
            .chunks_exact(data.nrows())
            .zip(weights.as_mut_slice().chunks_exact_mut(answers.nrows()))
            .map(|(data, weights)| (data, weights, None))
            .collect();
        parallel::for_each_mut(&mut items, |_, (data, weights, report)| {
            *report = Some(self.refine_one(&self.model.whitening().apply(data), weights));
        });
        let reports = items.into_iter().filter_map(|(_, _, report)| report).collect();
        Ok(RefinedBatch { weights, reports })
    }

    fn check_answer(&self, weights: &[f64]) -> Result<()> {
        check_len("answer", weights.len(), self.mixture.len(), "the frequency grid")?;
        check_finite("answer", weights)?;
        let norm: f64 = weights.iter().sum();
        if norm > 0.0 && norm.is_finite() {
            return Ok(());
        }
        Err(Error::OutOfRange {
            argument: "answer",
            value: norm,
            expected: "weights of positive sum",
        })
    }

    /// Overwrites `answer` by its refinement.
    fn refine_one(&self, whitened: &[f64], answer: &mut [f64]) -> PeakReport {
        let data = &self.directions * nalgebra::DVectorView::from_slice(whitened, whitened.len());
        let data = data.as_slice();
        let norm = self.norm.unwrap_or_else(|| answer.iter().sum());
        let target = Target { matrix: Rows::Dense(&self.rows), data, norm, prior: 1.0 };
        let found = search(&self.mixture, target, answer, self.scope);
        let (least, most) = self.scope.orders;
        let log_evidence = log_sum(&found.modes) - ((most - least + 1) as f64).ln();
        let alternative =
            self.alternative.as_ref().map(|(other, odds)| odds + other.log_evidence(data));
        let weight = if log_evidence == f64::NEG_INFINITY {
            0.0
        } else {
            alternative.map_or(1.0, |other| 1.0 / (1.0 + (other - log_evidence).exp()))
        };
        if weight > 0.0 {
            answer.iter_mut().for_each(|a| *a *= 1.0 - weight);
            let total = log_sum(&found.modes);
            for mode in &found.modes {
                let share = weight * (mode.log_evidence - total).exp();
                answer.iter_mut().zip(&mode.weights).for_each(|(a, &m)| *a += share * m);
            }
        }
        let likeliest = found.modes.iter().max_by(|a, b| a.log_evidence.total_cmp(&b.log_evidence));
        PeakReport {
            weight,
            log_evidence,
            alternative,
            modes: found.modes.len(),
            peaks: likeliest.map_or(Vec::new(), |mode| self.peaks(mode)),
            chi2: likeliest.map(|mode| mode.chi2),
            n_data: data.len(),
            bound: self.scope.bound,
            fits: found.fits,
            iterations: found.iterations,
            converged: likeliest.map_or(found.converged, |mode| mode.converged),
        }
    }

    /// The peaks of a mode, by centre.
    fn peaks(&self, mode: &Mode) -> Vec<GaussianPeak> {
        let norm: f64 = mode.weights.iter().sum();
        let mut peaks: Vec<GaussianPeak> = (self.mixture.shapes(&mode.z))
            .map(|shape| GaussianPeak {
                centre: shape.centre,
                width: shape.width,
                weight: shape.height * self.mixture.sum(shape),
            })
            .collect();
        let total: f64 = peaks.iter().map(|p| p.weight).sum();
        peaks.iter_mut().for_each(|p| p.weight *= norm / total);
        peaks.sort_by(|a, b| a.centre.total_cmp(&b.centre));
        peaks
    }
}
