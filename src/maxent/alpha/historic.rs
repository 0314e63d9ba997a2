//! χ² = N.

use super::{AlphaChoice, AlphaRule, LadderView};
use crate::real::Real;

/// The α at which χ² = N (Gull and Daniell 1978, Morozov's discrepancy principle).
///
/// It stands and falls with the error bars: it refuses where χ² = N is out of reach on either side. The
/// interval is that of χ² = N ± √(2N).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Historic;

/// ln α at which χ² crosses `target` on the way down, by interpolation in the logarithms; the nearer end of
/// the ladder where it does not.
fn crossing(x: &[f64], chi2: &[f64], target: f64) -> f64 {
    match chi2.iter().position(|&c| c <= target) {
        Some(0) => x[0],
        None => x[x.len() - 1],
        Some(i) => {
            let t = (chi2[i - 1] / target).ln() / (chi2[i - 1] / chi2[i]).ln();
            x[i - 1] + t.clamp(0.0, 1.0) * (x[i] - x[i - 1])
        }
    }
}

impl<T: Real> AlphaRule<T> for Historic {
    fn name(&self) -> &'static str {
        "historic"
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        let (x, n) = (ladder.log_alpha(), ladder.n_data() as f64);
        let chi2: Vec<f64> = ladder.steps().iter().map(|s| s.chi2.as_f64()).collect();
        let curve: Vec<f64> = chi2.iter().map(|c| c / n).collect();
        let (Some(&first), Some(&last)) = (chi2.first(), chi2.last()) else {
            return AlphaChoice::refused("the ladder has no step");
        };
        let refused = |reason: String| AlphaChoice::refused(reason).with_curve(curve.clone());
        if first.is_nan() || first <= n {
            return refused(format!(
                "chi2 = {first:.3e} is below N = {n} at the largest alpha already: the default model fits, or \
                 the error bars are too large"
            ));
        }
        if last.is_nan() || last > n {
            return refused(format!(
                "chi2 = N = {n} is out of reach: chi2 = {last:.3e} at the smallest alpha (error bars too small, or \
                 a grid that does not allow the fit?)"
            ));
        }
        let root = (2.0 * n).sqrt();
        AlphaChoice::at_log(crossing(&x, &chi2, n))
            .with_log_interval(crossing(&x, &chi2, n - root), crossing(&x, &chi2, n + root))
            .with_curve(curve)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{alpha, choose, ladder, reason, scaled, typical};
    use super::*;

    #[test]
    fn finds_where_a_power_law_crosses() {
        // χ² = 100 (α/300)^0.7: the interpolation is exact.
        let steps = ladder(23, |alpha| (100.0 * (alpha / 300.0_f64).powf(0.7), 1.0));
        assert!((alpha(&Historic, &steps) / 300.0 - 1.0).abs() < 1e-10);
        let [low, high] = choose(&Historic, &steps).interval.unwrap();
        let chi2 = |alpha: f64| 100.0 * (alpha / 300.0).powf(0.7);
        let root = 200f64.sqrt();
        assert!(
            (chi2(low) - 100.0 + root).abs() < 1e-6 && (chi2(high) - 100.0 - root).abs() < 1e-6
        );
    }

    #[test]
    fn out_of_reach_is_a_refusal() {
        assert!(reason(&Historic, &scaled(&typical(30), 2.0)).contains("out of reach"));
        assert!(reason(&Historic, &scaled(&typical(30), 1e-5)).contains("default model fits"));
        assert!(reason(&Historic, &[]).contains("no step"));
    }
}
