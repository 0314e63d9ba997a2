//! Generalised cross-validation with slack.

use super::{AlphaChoice, AlphaRule};
use crate::error::{Result, check_nonnegative};
use crate::real::Real;
use crate::solution::LadderStep;

/// The largest α with ln χ² − 2 ln(N − N_good) ≤ min + slack/N.
///
/// A common factor on all error bars changes nothing. Without slack the minimum is so flat that one
/// case in three is overfitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gcv {
    /// Slack κ ≥ 0; 4 by default.
    pub slack: f64,
}

impl Default for Gcv {
    fn default() -> Self {
        Gcv { slack: 4.0 }
    }
}

impl<T: Real> AlphaRule<T> for Gcv {
    fn name(&self) -> &'static str {
        "gcv"
    }

    fn check(&self) -> Result<()> {
        check_nonnegative("slack", self.slack)
    }

    fn choose(&self, ladder: &[LadderStep<T>], n_data: usize) -> AlphaChoice<T> {
        let n = n_data as f64;
        let score = |s: &LadderStep<T>| s.chi2.as_f64().ln() - 2.0 * (n - s.n_good.as_f64()).ln();
        let least =
            ladder.iter().map(score).filter(|s| s.is_finite()).fold(f64::INFINITY, f64::min);
        // A NaN score (more good data than data) fails the comparison, χ² = 0 passes it.
        match ladder.iter().find(|s| score(s) <= least + self.slack / n) {
            Some(step) => AlphaChoice::At(step.alpha),
            None => AlphaChoice::Refused(format!(
                "chi2 or N - N_good is zero, negative or undefined at all {} steps of the ladder",
                ladder.len()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder() -> Vec<LadderStep<f64>> {
        (0..40)
            .map(|i| {
                let alpha = 10f64.powf(6.0 - 0.2 * i as f64);
                let n_good = 20.0 / (1.0 + (alpha / 1e3).powf(0.4));
                LadderStep {
                    alpha,
                    chi2: 90.0 + 3e3 * alpha / (alpha + 1e4) - n_good,
                    entropy: -1.0,
                    n_good,
                    log_probability: 0.0,
                    gap: 0.0,
                    iterations: 3,
                    converged: true,
                }
            })
            .collect()
    }

    #[test]
    fn a_common_factor_on_the_errors_changes_nothing() {
        let original = ladder();
        let AlphaChoice::At(alpha) = Gcv::default().choose(&original, 100) else { panic!() };
        let index = original.iter().position(|s| s.alpha == alpha).unwrap();
        assert!(index > 0 && index < 39);
        for factor in [0.01, 0.3, 25.0_f64] {
            let scaled: Vec<_> = original
                .iter()
                .map(|s| LadderStep { alpha: s.alpha * factor, chi2: s.chi2 * factor, ..*s })
                .collect();
            assert_eq!(Gcv::default().choose(&scaled, 100), AlphaChoice::At(scaled[index].alpha));
        }
    }

    #[test]
    fn slack_moves_the_choice_to_larger_alpha_and_stays_within_it() {
        let steps = ladder();
        let choose = |slack| match (Gcv { slack }).choose(&steps, 100) {
            AlphaChoice::At(alpha) => alpha,
            other => panic!("{other:?}"),
        };
        assert!(choose(0.0) < choose(4.0) && choose(4.0) < choose(40.0));
        let score = |alpha| {
            let s = steps.iter().find(|s| s.alpha == alpha).unwrap();
            s.chi2.ln() - 2.0 * (100.0 - s.n_good).ln()
        };
        assert!(score(choose(4.0)) <= score(choose(0.0)) + 0.04);
    }

    #[test]
    fn nothing_to_choose_from_is_a_refusal() {
        let mut steps = ladder();
        assert!(matches!(Gcv::default().choose(&[], 100), AlphaChoice::<f64>::Refused(_)));
        for s in &mut steps {
            s.chi2 = f64::NAN;
        }
        assert!(matches!(Gcv::default().choose(&steps, 100), AlphaChoice::Refused(_)));
    }
}
