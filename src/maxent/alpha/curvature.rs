//! The point of largest curvature of log χ²(log α).

use super::classic::vertex;
use super::kink::log_chi2;
use super::{AlphaChoice, AlphaRule, LadderView};
use crate::error::{Result, check_positive};
use crate::real::Real;

/// The maximum of y''/(1 + y'²)^{3/2} with y = log₁₀ χ² and x = γ log₁₀ α (Bergeron and Tremblay 2016).
///
/// It does not care about a common factor on the error bars. It refuses where χ² falls by less than a factor
/// of two over the ladder, and where the curvature is largest at an end of it (data without noise). The
/// interval is that of half the largest curvature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curvature {
    /// Stretch γ > 0 of the logarithm of α; 0.2 by default.
    pub gamma: f64,
}

/// Curvature below this is that of a straight line.
const LEAST: f64 = 1e-3;

impl Default for Curvature {
    fn default() -> Self {
        Curvature { gamma: 0.2 }
    }
}

impl<T: Real> AlphaRule<T> for Curvature {
    fn name(&self) -> &'static str {
        "curvature"
    }

    fn check(&self) -> Result<()> {
        check_positive("gamma", self.gamma)
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        let [x, y] = match log_chi2(ladder) {
            Ok(curves) => curves,
            Err(reason) => return AlphaChoice::refused(reason),
        };
        let (x, n): (Vec<f64>, usize) = (x.iter().map(|x| self.gamma * x).collect(), y.len());
        let at = |i: usize| {
            let (left, right) = (x[i] - x[i - 1], x[i + 1] - x[i]);
            let (below, above) = ((y[i] - y[i - 1]) / left, (y[i + 1] - y[i]) / right);
            let slope = (below * right + above * left) / (left + right);
            let bend = 2.0 * (above - below) / (left + right);
            bend / (1.0 + slope * slope).powf(1.5)
        };
        // The ends have no second difference; they share that of their neighbours.
        let curve: Vec<f64> = (0..n).map(|i| at(i.clamp(1, n - 2))).collect();
        let index = (1..n - 1).max_by(|&a, &b| curve[a].total_cmp(&curve[b])).unwrap_or(1);
        let max = curve[index];
        if max.is_nan() || max < LEAST || index == 1 || index == n - 2 {
            return AlphaChoice::refused(
                "the curvature of chi2(alpha) is largest at an end of the ladder (data without noise, or error bars \
                 far too large or small?)",
            )
            .with_curve(curve);
        }
        let within = |&i: &usize| curve[i] >= 0.5 * max;
        let first = (1..index).rev().take_while(within).last().unwrap_or(index);
        let last = (index..n - 1).take_while(within).last().unwrap_or(index);
        let around = [index - 1, index, index + 1];
        let best = vertex(around.map(|i| x[i]), around.map(|i| curve[i]));
        let log = |x: f64| x / self.gamma * core::f64::consts::LN_10;
        AlphaChoice::at_log(log(best))
            .with_log_interval(log(x[last].min(best)), log(x[first].max(best)))
            .with_curve(curve)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{alpha, ladder, reason, scaled, typical};
    use super::*;

    #[test]
    fn finds_the_bend_of_a_hyperbola() {
        // y = √(u² + w²), u = x − c in units where γ = 1: curvature 1/w at u = 0 falls on both sides.
        for centre in [1.0, 3.3, 5.2] {
            let steps = ladder(201, |alpha| {
                let u = alpha.log10() - centre;
                (10f64.powf((u * u + 0.04).sqrt()), 1.0)
            });
            let found = alpha(&Curvature { gamma: 1.0 }, &steps).log10();
            assert!((found - centre).abs() < 1e-3, "{found} {centre}");
        }
    }

    #[test]
    fn a_common_factor_on_the_errors_changes_nothing() {
        let steps = typical(41);
        let ratio = alpha(&Curvature::default(), &scaled(&steps, 30.0))
            / alpha(&Curvature::default(), &steps);
        assert!((ratio / 30.0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn refuses_where_there_is_no_bend() {
        let rule = Curvature::default();
        assert!(reason(&rule, &ladder(20, |_| (100.0, 1.0))).contains("default model"));
        assert!(
            reason(&rule, &ladder(20, |alpha| (alpha.powf(1.6), 1.0)))
                .contains("end of the ladder")
        );
        assert!(reason(&rule, &typical(4)).contains("five"));
    }
}
