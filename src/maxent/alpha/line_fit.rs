//! Two straight lines through log χ²(log α).

use super::kink::log_chi2;
use super::{AlphaChoice, AlphaRule, LadderView};
use crate::real::Real;

/// The best split of log χ²(log α) into a straight line at large α and a constant at small α; α* where the
/// two meet (Kraberger and others 2017).
///
/// It does not care about a common factor on the error bars. It refuses where χ² falls by less than a factor
/// of two over the ladder, and where the lines do not meet on it. In the interval the two lines are less than a
/// factor of two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineFit;

/// Slope, intercept and sum of squares of the straight line through points.
fn line(x: &[f64], y: &[f64]) -> [f64; 3] {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let xx: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
    let xy: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    let slope = xy / xx;
    let residual = |(x, y): (&f64, &f64)| (y - my - slope * (x - mx)).powi(2);
    [slope, my - slope * mx, x.iter().zip(y).map(residual).sum()]
}

/// Mean and sum of squares about it.
fn constant(y: &[f64]) -> [f64; 2] {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    [mean, y.iter().map(|y| (y - mean).powi(2)).sum()]
}

impl<T: Real> AlphaRule<T> for LineFit {
    fn name(&self) -> &'static str {
        "linefit"
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        let [x, y] = match log_chi2(ladder) {
            Ok(curves) => curves,
            Err(reason) => return AlphaChoice::refused(reason),
        };
        let mut best = [f64::INFINITY; 4];
        for split in 2..x.len() - 1 {
            let ([slope, intercept, above], [mean, below]) =
                (line(&x[..split], &y[..split]), constant(&y[split..]));
            if above + below < best[0] {
                best = [above + below, slope, intercept, mean];
            }
        }
        let [_, slope, intercept, mean] = best;
        let (meet, last) = ((mean - intercept) / slope, x[x.len() - 1]);
        if !(slope > 0.0 && meet > last && meet < x[0]) {
            return AlphaChoice::refused(format!(
                "a falling line and a constant through log chi2 (log alpha) meet at alpha = 1e{meet:.1}, outside \
                 the ladder"
            ))
            .with_curve(y);
        }
        let reach = core::f64::consts::LOG10_2 / slope;
        let log = |x: f64| x * core::f64::consts::LN_10;
        AlphaChoice::at_log(log(meet))
            .with_log_interval(log((meet - reach).max(last)), log((meet + reach).min(x[0])))
            .with_curve(y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{alpha, ladder, reason, scaled, typical};
    use super::*;

    #[test]
    fn finds_the_corner_of_a_line_and_a_constant() {
        for corner in [5.0, 2e3, 7e4_f64] {
            let steps = ladder(40, |alpha| (80.0 * (alpha / corner).max(1.0).powf(1.3), 1.0));
            assert!((alpha(&LineFit, &steps) / corner - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_common_factor_on_the_errors_changes_nothing() {
        let steps = typical(41);
        let ratio = alpha(&LineFit, &scaled(&steps, 30.0)) / alpha(&LineFit, &steps);
        assert!((ratio / 30.0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn refuses_where_there_is_no_corner() {
        assert!(reason(&LineFit, &ladder(20, |_| (100.0, 1.0))).contains("default model"));
        assert!(reason(&LineFit, &ladder(20, |a| (1e9 / a, 1.0))).contains("outside"));
    }
}
