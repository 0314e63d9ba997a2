//! The annealing ladder: optima at α from large to small, each starting from the one before.

use super::alpha::LadderView;
use super::engine::{Engine, Outcome};
use crate::error::Result;
use crate::real::Real;
use crate::solution::{LadderStep, Status};
use core::ops::ControlFlow;

/// Largest ratio between neighbouring α on the way down to a fixed one.
const FIXED_RATIO: f64 = 3.0;

/// `points` values in geometric progression from `max` to `min`, or `max` alone.
pub(super) fn geometric<T: Real>(max: T, min: T, points: usize) -> Vec<T> {
    let (log, last) = ((min / max).ln(), T::lit(points.saturating_sub(1).max(1) as f64));
    let mut values: Vec<T> =
        (0..points).map(|i| max * (log * T::lit(i as f64) / last).exp()).collect();
    if points > 1 {
        values[points - 1] = min;
    }
    values
}

/// A few steps from `max` down to `alpha`, the last of them exactly that.
pub(super) fn descent<T: Real>(max: T, alpha: T) -> Vec<T> {
    if alpha >= max {
        return vec![alpha];
    }
    let decades = max.as_f64().ln() - alpha.as_f64().ln();
    let steps = (decades / FIXED_RATIO.ln()).ceil() as usize;
    geometric(max, alpha, steps + 1)
}

/// What a ladder has found: one step for every α solved, and states to start again from.
#[derive(Debug)]
pub(super) struct Ladder<T> {
    pub(super) steps: Vec<LadderStep<T>>,
    /// The α of every state, from large to small.
    starts: Vec<T>,
    states: Vec<T>,
    state_len: usize,
    /// Iterations that led to states and are no step's.
    further: usize,
    /// The weights h of every step.
    weights: Vec<T>,
    points: usize,
    /// How the last step ended, or `Stopped`.
    pub(super) status: Status,
}

impl<T: Real> Ladder<T> {
    /// Room for a number of steps, states of a length and N_ω = `points` weights in each.
    pub(super) fn new(steps: usize, state_len: usize, points: usize) -> Self {
        Ladder {
            steps: Vec::with_capacity(steps),
            starts: Vec::new(),
            states: Vec::new(),
            state_len,
            further: 0,
            weights: Vec::with_capacity(steps * points),
            points,
            status: Status::Converged,
        }
    }

    /// Solves at every α in turn. Ends early where the observer asks for it or a step does not converge.
    pub(super) fn run(
        engine: &mut dyn Engine<T>,
        alphas: &[T],
        tolerance: T,
        max_iterations: usize,
        observer: &mut dyn FnMut(&LadderStep<T>) -> ControlFlow<()>,
    ) -> Self {
        let mut ladder = Ladder::new(alphas.len(), engine.state_len(), engine.weights().len());
        for &alpha in alphas {
            let outcome = engine.solve(alpha, tolerance, max_iterations);
            let step = ladder.push(alpha, outcome, |weights| {
                weights.copy_from_slice(engine.weights());
            });
            if step.converged || ladder.starts.is_empty() {
                ladder.remember(alpha, 0, |state| engine.save(state));
            }
            // Whatever starts from a failure fails as well.
            if !step.converged {
                break;
            }
            if observer(&step).is_break() {
                ladder.status = Status::Stopped;
                break;
            }
        }
        ladder
    }

    /// Adds the optimum at the next α, with the weights that `save` writes.
    pub(super) fn push(
        &mut self,
        alpha: T,
        outcome: Outcome<T>,
        save: impl FnOnce(&mut [T]),
    ) -> LadderStep<T> {
        let weight = self.weights.len();
        self.weights.resize(weight + self.points, T::zero());
        save(&mut self.weights[weight..]);
        let Outcome { chi2, entropy, n_good, log_probability, gap, iterations, status, .. } =
            outcome;
        let converged = status.is_success();
        let step = LadderStep {
            alpha,
            chi2,
            entropy,
            n_good,
            log_probability,
            gap,
            iterations,
            converged,
        };
        self.steps.push(step);
        self.status = if converged { Status::Converged } else { status };
        step
    }

    /// Adds the state at an α, which `save` writes, from which an answer may start. `further` are iterations that led
    /// there and are no step's.
    pub(super) fn remember(&mut self, alpha: T, further: usize, save: impl FnOnce(&mut [T])) {
        let state = self.states.len();
        self.starts.push(alpha);
        self.states.resize(state + self.state_len, T::zero());
        save(&mut self.states[state..]);
        self.further += further;
    }

    /// Puts the engine back to the nearest state at or above `alpha` (the first, if there is none).
    pub(super) fn rewind(&self, engine: &mut dyn Engine<T>, alpha: T) {
        let above = self.starts.iter().take_while(|&&start| start >= alpha).count();
        let at = above.saturating_sub(1) * self.state_len;
        engine.load(&self.states[at..at + self.state_len]);
    }

    /// The weights h of step `i`.
    pub(super) fn weights(&self, i: usize) -> &[T] {
        &self.weights[i * self.points..(i + 1) * self.points]
    }

    /// What a rule may see: the converged steps.
    pub(super) fn view(&self, n_data: usize) -> Result<LadderView<'_, T>> {
        let steps = self.converged();
        LadderView::new(&self.steps[..steps], &self.weights[..steps * self.points], n_data)
    }

    /// The number of converged steps; only the last one may have failed.
    pub(super) fn converged(&self) -> usize {
        self.steps.iter().take_while(|s| s.converged).count()
    }

    /// Newton iterations of all steps, and to all states.
    pub(super) fn iterations(&self) -> usize {
        self.steps.iter().map(|s| s.iterations).sum::<usize>() + self.further
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ladders_are_geometric_and_end_where_they_should() {
        let a = geometric(1e4, 1e-2, 7);
        assert_eq!((a[0], a[6]), (1e4, 1e-2));
        assert!(a.windows(2).all(|w| (w[0] / w[1] / 10.0 - 1.0_f64).abs() < 1e-12));
        let d = descent(1e6, 3.0);
        assert_eq!((d[0], d[d.len() - 1]), (1e6, 3.0));
        assert!(d.windows(2).all(|w| w[0] > w[1] && w[0] <= 3.0001 * w[1]));
        assert_eq!(descent(1.0, 3.0), [3.0]);
    }
}
