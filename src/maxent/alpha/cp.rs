//! Mallows's Cp with slack.

use super::slack::{below_slack, check_slack};
use super::{AlphaChoice, AlphaRule, LadderView};
use crate::error::Result;
use crate::real::Real;

/// The largest α with χ²/s² + 2N_good ≤ min + slack, divided by `descent` (Mallows 1973).
///
/// s² = max(1, min χ²/(N − N_good)) forgives error bars that are too small, or a grid that is too coarse;
/// error bars that are too large it believes, unlike [`Gcv`](super::Gcv).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cp {
    /// Slack κ ≥ 0; 16 by default.
    pub slack: f64,
    /// How far below the edge of the slack α is chosen, a factor ≥ 1; 4 by default.
    pub descent: f64,
}

impl Default for Cp {
    fn default() -> Self {
        Cp { slack: 16.0, descent: 4.0 }
    }
}

impl<T: Real> AlphaRule<T> for Cp {
    fn name(&self) -> &'static str {
        "cp"
    }

    fn check(&self) -> Result<()> {
        check_slack(self.slack, self.descent)
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        let n = ladder.n_data() as f64;
        let steps = || ladder.steps().iter().map(|s| (s.chi2.as_f64(), s.n_good.as_f64()));
        let scatter = steps().filter(|&(_, good)| good < n).map(|(chi2, good)| chi2 / (n - good));
        let least = scatter.fold(f64::INFINITY, f64::min);
        let s2 = if least.is_finite() { least.max(1.0) } else { f64::NAN };
        let score = steps().map(|(chi2, good)| chi2 / s2 + 2.0 * good).collect();
        let undefined = "chi2 or N_good is undefined, or there are no more data than good ones,";
        below_slack(ladder, score, self.slack, self.descent, undefined)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{alpha, ladder, reason, scaled, typical};
    use super::*;

    #[test]
    fn errors_too_small_are_forgiven() {
        let steps = typical(41);
        let original = alpha(&Cp::default(), &scaled(&steps, 2.0));
        let found = alpha(&Cp::default(), &scaled(&steps, 60.0));
        assert!((found / original / 30.0 - 1.0).abs() < 1e-10);
    }

    #[test]
    fn agrees_with_cross_validation_where_the_noise_is_as_declared() {
        // N ln χ² − 2N ln(N − N_good) ≈ χ²/s² + 2N_good + constant for N_good ≪ N.
        let steps = ladder(61, |alpha| {
            let n_good = 2.0 / (1.0 + (alpha / 1e3).powf(0.3));
            (100.0 - n_good + 4e6 * (1.0 + 1e5 / alpha).powf(-1.6), n_good)
        });
        let (cp, gcv) =
            (Cp { slack: 2.0, descent: 1.0 }, super::super::Gcv { slack: 2.0, descent: 1.0 });
        assert!((alpha(&cp, &steps) / alpha(&gcv, &steps)).ln().abs() < 0.05);
    }

    #[test]
    fn more_good_data_than_data_is_a_refusal() {
        let steps = ladder(20, |_| (1.0, 200.0));
        assert!(reason(&Cp::default(), &steps).contains("no more data"));
    }
}
