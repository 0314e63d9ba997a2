//! The weight of the kinetic prior, by the same reasoning as α.

use super::alpha::Gcv;
use super::alpha::slack::{check_slack, edge};
use super::ladder::Ladder;
use super::modes::Projected;
use super::prepared::PreparedMaxEnt;
use crate::error::Result;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{KineticStep, LadderStep, Status, Warning};
use crate::spectrum::Spectrum;
use core::ops::ControlFlow;

/// Chooses the weight λ of a kinetic prior that is relative to the answer A₀ without one
/// ([`Kinetic::relative`](crate::Kinetic::relative)), from ladders over a grid of λ: the largest λ at which some
/// α has a score of generalised cross-validation N ln χ² − 2N ln(N − N_good) ≤ min + slack, divided by
/// `descent`.
///
/// First and second differences, and those not divided by A₀, gain less: they flatten peaks. It gains
/// where a spectrum has one scale (single peaks, broad bands) and loses a little where it has several (a
/// quasiparticle on a background, gaps with sharp edges): see the table at [`AlphaRule`](crate::AlphaRule). It
/// takes about fifteen times as long as doing without.
///
/// α then is chosen at that λ by the rule for α. The grid is one of every second decade in units of
/// width⁶/norm, the width being that of the frequency grid, and the edge of the slack is interpolated, so
/// that the answer depends on the grids little, and not at all on the units of data and energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KineticSearch {
    /// Slack κ ≥ 0; 16 by default.
    pub slack: f64,
    /// How far below the edge of the slack λ is chosen, a factor ≥ 1; 300 by default.
    pub descent: f64,
}

impl Default for KineticSearch {
    fn default() -> Self {
        KineticSearch { slack: 16.0, descent: 300.0 }
    }
}

/// Decades of λ norm/width⁶, every second of which is looked at, upwards until the score has left the slack.
const DECADES: core::ops::RangeInclusive<i32> = -16..=2;

/// What a search has found.
#[derive(Debug)]
pub(super) struct Found<T: Real> {
    /// λ.
    pub(super) lambda: T,
    /// A₀, where it was found.
    pub(super) reference: Option<Spectrum<T>>,
    /// What was looked at.
    pub(super) steps: Vec<KineticStep<T>>,
    /// Where the search ended before it could choose: the ladder at that λ, to take the answer from.
    pub(super) ladder: Option<Ladder<T>>,
    /// What speaks against the choice.
    pub(super) doubt: Option<Warning>,
}

impl KineticSearch {
    pub(super) fn check(&self) -> Result<()> {
        check_slack(self.slack, self.descent)
    }

    /// Runs the ladders and chooses, unless the observer stops it.
    pub(super) fn run<T: Real>(
        &self,
        prepared: &PreparedMaxEnt<T>,
        problem: &Problem<T>,
        data: &Projected<T>,
        observer: &mut dyn FnMut(&LadderStep<T>) -> ControlFlow<()>,
    ) -> Result<Found<T>> {
        let PreparedMaxEnt { settings, alphas, norm, .. } = prepared;
        let (grid, n_data) = (problem.grid(), problem.whitened_data().len());
        let (tolerance, limit) = (settings.ladder_tolerance, settings.max_iterations);
        let mut found = Found {
            lambda: T::zero(),
            reference: None,
            steps: Vec::new(),
            ladder: None,
            doubt: None,
        };
        let mut engine = prepared.engine(&prepared.objective);
        engine.reset(data);
        let plain = Ladder::run(engine.as_mut(), alphas, tolerance, limit, observer);
        if plain.status == Status::Stopped {
            return Ok(Found { ladder: Some(plain), ..found });
        }
        let (objective, decision) = (&prepared.objective, prepared.decide(problem, &plain)?);
        let answer = prepared.answer(problem, engine.as_mut(), objective, &plain, &decision)?;
        let density = |(&h, &w): (&T, &T)| h / w;
        let values: Vec<T> = answer.weights.iter().zip(grid.weights()).map(density).collect();
        if !(values.iter().all(|a| a.is_finite()) && values.iter().any(|&a| a != T::zero())) {
            let doubt = Some(Warning::KineticCut { kinetic: 0.0, steps: 0 });
            return Ok(Found { ladder: Some(plain), doubt, ..found });
        }
        let reference = prepared.reference(&values)?;

        let unit = (grid.max() - grid.min()).powi(6) / *norm;
        let fixed = settings.alpha.fixed().is_some();
        // Half of the ladder shows the least score well enough.
        let stride = if fixed || alphas.len() < 20 { 1 } else { 2 };
        let alphas: Vec<T> = alphas.iter().copied().step_by(stride).collect();
        let (mut least, mut left) = (f64::INFINITY, false);
        for decade in DECADES.step_by(2) {
            let lambda = unit * T::lit(10f64.powi(decade));
            let objective = prepared.with_kinetic(lambda, &reference)?;
            let mut engine = prepared.engine(&objective);
            engine.reset(data);
            let ladder = Ladder::run(engine.as_mut(), &alphas, tolerance, limit, observer);
            if ladder.status == Status::Stopped {
                let (reference, ladder) = (Some(reference), Some(ladder));
                return Ok(Found { lambda, reference, ladder, ..found });
            }
            // A fixed α is the last of its ladder; the others are only the way there.
            let first = if fixed { ladder.steps.len() - 1 } else { 0 };
            let score = |s: &&LadderStep<T>| Gcv::score(n_data, s);
            let seen = ladder.steps[first..].iter().filter(|s| s.converged && score(s).is_finite());
            let Some(best) = seen.min_by(|a, b| score(a).total_cmp(&score(b))) else {
                let (kinetic, steps) = (lambda.as_f64(), found.steps.len());
                found.doubt = Some(Warning::KineticCut { kinetic, steps });
                break;
            };
            let (alpha, n_good, score) = (best.alpha, best.n_good, score(&best));
            found.steps.push(KineticStep { lambda, alpha, n_good, score });
            least = least.min(score);
            left = score > least + self.slack;
            if left {
                break;
            }
        }
        // From strong to weak priors, as on a ladder of α.
        let x: Vec<f64> = found.steps.iter().rev().map(|s| s.lambda.as_f64().ln()).collect();
        let scores: Vec<f64> = found.steps.iter().rev().map(|s| s.score).collect();
        if let Some(edge) = edge(&x, &scores, self.slack) {
            found.lambda = T::lit((edge.at - self.descent.ln()).exp());
        }
        if found.doubt.is_none() && (!left || scores.len() < 3) {
            found.doubt = Some(Warning::KineticAtEnd { kinetic: found.lambda.as_f64() });
        }
        found.reference = Some(reference);
        Ok(found)
    }
}
