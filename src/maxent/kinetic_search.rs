//! The weight of the kinetic prior, by the same reasoning as α.

use super::alpha::Gcv;
use super::alpha::slack::{check_slack, edge};
use super::ladder::Ladder;
use super::modes::Projected;
use super::prepared::PreparedMaxEnt;
use crate::error::Result;
use crate::real::Real;
use crate::solution::{KineticStep, LadderStep};
use core::ops::ControlFlow;

/// Chooses λ from ladders over a grid of λ: the largest λ at which some α has a score of generalised
/// cross-validation N ln χ² − 2N ln(N − N_good) ≤ min + slack, divided by `descent`.
///
/// It takes about eight times as long as one ladder. It gains where a spectrum has one scale (single peaks,
/// broad bands) and loses a little where it has several (a quasiparticle on a background, gaps with sharp
/// edges): see the table at
/// [`AlphaRule`](crate::AlphaRule).
///
/// α then is chosen at that λ by the rule for α. The grid is one of decades in units of width³/norm², the
/// width being that of the frequency grid, and the edge of the slack is interpolated, so that the answer
/// depends on the grids little, and not at all on the units of data and energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KineticSearch {
    /// Slack κ ≥ 0; 16 by default.
    pub slack: f64,
    /// How far below the edge of the slack λ is chosen, a factor ≥ 1; 100 by default.
    pub descent: f64,
}

impl Default for KineticSearch {
    fn default() -> Self {
        KineticSearch { slack: 16.0, descent: 100.0 }
    }
}

/// Decades of λ norm²/width³ that are looked at, upwards until the score has left the slack.
const DECADES: core::ops::RangeInclusive<i32> = -7..=3;

impl KineticSearch {
    pub(super) fn check(&self) -> Result<()> {
        check_slack(self.slack, self.descent)
    }

    /// λ, and what was looked at. Stops early, with the λ reached, where the observer asks for it.
    pub(super) fn run<T: Real>(
        &self,
        prepared: &PreparedMaxEnt<T>,
        data: &Projected<T>,
        n_data: usize,
        observer: &mut dyn FnMut(&LadderStep<T>) -> ControlFlow<()>,
    ) -> Result<(T, Vec<KineticStep<T>>)> {
        let (settings, grid) = (&prepared.settings, prepared.model.grid());
        let width = grid.max() - grid.min();
        let unit = width * width * width / (prepared.norm * prepared.norm);
        let fixed = settings.alpha.fixed().is_some();
        // Half of the ladder shows the least score well enough.
        let alphas: Vec<T> = match prepared.alphas.len() {
            n if fixed || n < 20 => prepared.alphas.clone(),
            _ => prepared.alphas.iter().copied().step_by(2).collect(),
        };
        let (mut steps, mut least): (Vec<KineticStep<T>>, f64) = (Vec::new(), f64::INFINITY);
        for decade in DECADES {
            let lambda = unit * T::lit(10f64.powi(decade));
            let objective = prepared.with_kinetic(lambda)?;
            let mut engine = prepared.engine(&objective);
            engine.reset(data);
            let (tolerance, limit) = (settings.ladder_tolerance, settings.max_iterations);
            let ladder = Ladder::run(engine.as_mut(), &alphas, tolerance, limit, observer);
            // A fixed α is the last of its ladder; the others are only the way there.
            let first = if fixed { ladder.steps.len() - 1 } else { 0 };
            let score = |s: &&LadderStep<T>| Gcv::score(n_data, s);
            let seen = ladder.steps[first..].iter().filter(|s| s.converged && score(s).is_finite());
            let Some(best) = seen.min_by(|a, b| score(a).total_cmp(&score(b))) else { break };
            let (alpha, n_good, score) = (best.alpha, best.n_good, score(&best));
            steps.push(KineticStep { lambda, alpha, n_good, score });
            least = least.min(score);
            if score > least + self.slack || ladder.status == crate::solution::Status::Stopped {
                break;
            }
        }
        // From strong to weak priors, as on a ladder of α.
        let x: Vec<f64> = steps.iter().rev().map(|s| s.lambda.as_f64().ln()).collect();
        let scores: Vec<f64> = steps.iter().rev().map(|s| s.score).collect();
        let lambda = match edge(&x, &scores, self.slack) {
            Some(edge) => T::lit((edge.at - self.descent.ln()).exp()),
            None => T::zero(),
        };
        Ok((lambda, steps))
    }
}
