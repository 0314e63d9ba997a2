//! Generalised cross-validation with slack.

use super::slack::{below_slack, check_slack};
use super::{AlphaChoice, AlphaRule, LadderView};
use crate::error::Result;
use crate::real::Real;
use crate::solution::LadderStep;

/// The largest α with ln χ² − 2 ln(N − N_good) ≤ min + slack/N, divided by `descent`
/// (Golub, Heath and Wahba 1979).
///
/// A common factor on all error bars changes nothing. The minimum itself is so flat that one case in three is
/// overfitted there; the fall towards it is steep, mostly much the same power of α, and tells more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gcv {
    /// Slack κ ≥ 0; 16 by default.
    pub slack: f64,
    /// How far below the edge of the slack α is chosen, a factor ≥ 1; 4 by default.
    pub descent: f64,
}

impl Default for Gcv {
    fn default() -> Self {
        Gcv { slack: 16.0, descent: 4.0 }
    }
}

impl Gcv {
    /// N ln χ² − 2N ln(N − N_good), which the slack is measured in.
    pub(in crate::maxent) fn score<T: Real>(n_data: usize, step: &LadderStep<T>) -> f64 {
        let n = n_data as f64;
        n * (step.chi2.as_f64().ln() - 2.0 * (n - step.n_good.as_f64()).ln())
    }
}

impl<T: Real> AlphaRule<T> for Gcv {
    fn name(&self) -> &'static str {
        "gcv"
    }

    fn check(&self) -> Result<()> {
        check_slack(self.slack, self.descent)
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        let score = ladder.steps().iter().map(|s| Self::score(ladder.n_data(), s)).collect();
        let undefined = "chi2 or N - N_good is zero, negative or undefined";
        below_slack(ladder, score, self.slack, self.descent, undefined)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{alpha, reason, scaled, typical};
    use super::*;

    #[test]
    fn a_common_factor_on_the_errors_changes_nothing() {
        let steps = typical(41);
        let original = alpha(&Gcv::default(), &steps);
        for factor in [0.01, 0.3, 25.0_f64] {
            let found = alpha(&Gcv::default(), &scaled(&steps, factor));
            assert!((found / original / factor - 1.0).abs() < 1e-10);
        }
    }

    #[test]
    fn slack_raises_alpha_descent_lowers_it_and_the_ladders_spacing_hardly_matters() {
        let at = |slack, descent, n| alpha(&Gcv { slack, descent }, &typical(n));
        assert!(at(0.0, 1.0, 81) < at(4.0, 1.0, 81) && at(4.0, 1.0, 81) < at(40.0, 1.0, 81));
        assert!((at(4.0, 3.0, 81) * 3.0 / at(4.0, 1.0, 81) - 1.0).abs() < 1e-12);
        assert!((at(16.0, 4.0, 30) / at(16.0, 4.0, 300)).ln().abs() < 0.1);
    }

    #[test]
    fn nothing_to_choose_from_is_a_refusal() {
        assert!(reason(&Gcv::default(), &[]).contains("0 steps"));
        let mut steps = typical(20);
        for s in &mut steps {
            s.chi2 = f64::NAN;
        }
        assert!(reason(&Gcv::default(), &steps).contains("undefined"));
    }

    #[test]
    fn a_default_model_that_fits_is_left_alone() {
        let mut steps = typical(20);
        for s in &mut steps {
            (s.chi2, s.n_good) = (90.0, 1.0);
        }
        assert_eq!(alpha(&Gcv::default(), &steps), steps[0].alpha);
    }
}
