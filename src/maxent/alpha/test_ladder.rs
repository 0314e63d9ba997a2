//! Ladders in closed form for the tests of the rules.

use super::{AlphaChoice, AlphaPick, AlphaRule, LadderView};
use crate::solution::LadderStep;

/// `n` steps over ten decades below 10⁸ with (χ², N_good) by a formula in α.
pub(super) fn ladder(n: usize, f: impl Fn(f64) -> (f64, f64)) -> Vec<LadderStep<f64>> {
    (0..n)
        .map(|i| {
            let alpha = 10f64.powf(8.0 - 10.0 * i as f64 / (n.max(2) - 1) as f64);
            let (chi2, n_good) = f(alpha);
            LadderStep {
                alpha,
                chi2,
                entropy: -1.0,
                n_good,
                log_probability: -0.5 * chi2,
                gap: 0.0,
                iterations: 3,
                converged: true,
            }
        })
        .collect()
}

/// What a typical problem of 100 data looks like: noise, and a fall that goes as α^1.6.
pub(super) fn typical(n: usize) -> Vec<LadderStep<f64>> {
    ladder(n, |alpha| {
        let n_good = 20.0 / (1.0 + (alpha / 1e3).powf(0.3));
        (100.0 - n_good + 4e6 * (1.0 + 1e5 / alpha).powf(-1.6), n_good)
    })
}

/// The same with errors `1/√factor` times as large: χ² and α take that factor.
pub(super) fn scaled(steps: &[LadderStep<f64>], factor: f64) -> Vec<LadderStep<f64>> {
    let scale =
        |s: &LadderStep<f64>| LadderStep { alpha: s.alpha * factor, chi2: s.chi2 * factor, ..*s };
    steps.iter().map(scale).collect()
}

pub(super) fn choose(rule: &dyn AlphaRule, steps: &[LadderStep<f64>]) -> AlphaChoice {
    let choice = rule.choose(&LadderView::new(steps, &[], 100).unwrap());
    assert!(choice.curve.is_empty() || choice.curve.len() == steps.len());
    choice
}

/// α, where there is one; it lies within its interval.
pub(super) fn alpha(rule: &dyn AlphaRule, steps: &[LadderStep<f64>]) -> f64 {
    let choice = choose(rule, steps);
    let AlphaPick::At(alpha) = choice.pick else { panic!("{choice:?}") };
    if let Some([low, high]) = choice.interval {
        assert!(low <= alpha * (1.0 + 1e-12) && alpha <= high * (1.0 + 1e-12), "{choice:?}");
    }
    alpha
}

pub(super) fn reason(rule: &dyn AlphaRule, steps: &[LadderStep<f64>]) -> String {
    let choice = choose(rule, steps);
    let AlphaPick::Refused(reason) = choice.pick else { panic!("{choice:?}") };
    reason
}
