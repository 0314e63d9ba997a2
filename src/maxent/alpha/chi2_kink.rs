//! The kink of log χ²(log α) between fitting the data and fitting the noise.

use super::kink::log_chi2;
use super::{AlphaChoice, AlphaRule, LadderView};
use crate::error::{Result, check_positive};
use crate::linalg::Cholesky;
use crate::real::Real;

/// Fits y = log₁₀ χ² against x = log₁₀ α by a + b/(1 + e^{−d(x − c)}); α* = 10^{c − f/d}.
///
/// It does not care about a common factor on the error bars, but needs a kink: it refuses where χ² falls by
/// less than a factor of two over the ladder (an informative default model), where the fitted curve has not
/// reached its lower plateau at the ladder's small end (data without noise, a ladder too short), and where
/// c or α* lie outside the ladder. The interval is that of f ± ½.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chi2Kink {
    /// How far below the centre of the fall α* lies, in units of its width; 2.5 by default, 2–2.5 usual.
    pub f: f64,
}

impl Default for Chi2Kink {
    fn default() -> Self {
        Chi2Kink { f: 2.5 }
    }
}

/// Largest fraction of the fitted fall that may be left at the ladder's small end.
const PLATEAU: f64 = 0.1;

/// a, b, c, d of the fitted curve.
type Curve = [f64; 4];

fn logistic(x: f64, p: &Curve) -> f64 {
    1.0 / (1.0 + (-p[3] * (x - p[2])).exp())
}

fn squares(x: &[f64], y: &[f64], p: &Curve) -> f64 {
    let residual = |(&x, &y): (&f64, &f64)| y - p[0] - p[1] * logistic(x, p);
    x.iter().zip(y).map(|xy| residual(xy).powi(2)).sum()
}

/// Least squares in a and b at given c and d.
fn linear(x: &[f64], y: &[f64], c: f64, d: f64) -> Curve {
    let n = x.len() as f64;
    let s: Vec<f64> = x.iter().map(|&x| logistic(x, &[0.0, 0.0, c, d])).collect();
    let (mean_s, mean_y) = (s.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let covariance: f64 = s.iter().zip(y).map(|(s, y)| (s - mean_s) * (y - mean_y)).sum();
    let variance: f64 = s.iter().map(|s| (s - mean_s).powi(2)).sum();
    let b = if variance > 0.0 { covariance / variance } else { 0.0 };
    [mean_y - b * mean_s, b, c, d]
}

/// Levenberg–Marquardt from `p`.
fn refine(x: &[f64], y: &[f64], mut p: Curve) -> (f64, Curve) {
    let mut cost = squares(x, y, &p);
    let (mut damping, mut normal) = (1e-3, Cholesky::<f64>::new(4));
    for _ in 0..200 {
        let (mut jtj, mut jtr) = ([[0.0; 4]; 4], [0.0; 4]);
        for (&x, &y) in x.iter().zip(y) {
            let s = logistic(x, &p);
            let slope = p[1] * s * (1.0 - s);
            let j = [1.0, s, -slope * p[3], slope * (x - p[2])];
            let r = y - p[0] - p[1] * s;
            for i in 0..4 {
                jtr[i] += j[i] * r;
                for k in 0..4 {
                    jtj[i][k] += j[i] * j[k];
                }
            }
        }
        let mut improved = false;
        while !improved && damping < 1e12 {
            let floor = 1e-12 * jtj[0][0];
            normal.set(4, |i, k| {
                jtj[i][k] + if i == k { damping * (jtj[i][i] + floor) } else { 0.0 }
            });
            let mut step = jtr;
            if normal.factor().is_some() {
                normal.solve(&mut step);
            }
            let mut trial = p;
            for i in 0..4 {
                trial[i] += step[i];
            }
            let trial_cost = squares(x, y, &trial);
            improved = trial_cost < cost;
            if improved {
                let gain = (cost - trial_cost) / cost;
                (p, cost, damping) = (trial, trial_cost, (0.3 * damping).max(1e-12));
                if gain < 1e-12 {
                    return (cost, p);
                }
            } else {
                damping *= 5.0;
            }
        }
        if !improved {
            break;
        }
    }
    (cost, p)
}

impl<T: Real> AlphaRule<T> for Chi2Kink {
    fn name(&self) -> &'static str {
        "chi2kink"
    }

    fn check(&self) -> Result<()> {
        check_positive("f", self.f)
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        let [x, y] = match log_chi2(ladder) {
            Ok(curves) => curves,
            Err(reason) => return AlphaChoice::refused(reason),
        };
        let refused = |reason: String| AlphaChoice::refused(reason).with_curve(y.clone());
        let (x_max, x_min) = (x[0], x[x.len() - 1]);
        let mut best: Option<(f64, Curve)> = None;
        for i in 1..8 {
            let c = x_min + (x_max - x_min) * f64::from(i) / 8.0;
            for d in [0.3, 1.0, 3.0] {
                let (cost, p) = refine(&x, &y, linear(&x, &y, c, d));
                if cost.is_finite() && best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, p));
                }
            }
        }
        let Some((_, mut p)) = best else {
            return refused("the fit of chi2(alpha) did not converge".into());
        };
        if p[3] < 0.0 {
            // The same curve with d > 0.
            p = [p[0] + p[1], -p[1], p[2], -p[3]];
        }
        let (centre, kink) = (p[2], p[2] - self.f / p[3]);
        if !(p[1] > 0.0 && p[3] > 0.0) {
            return refused("chi2 does not fall with alpha".into());
        }
        if !(centre > x_min && centre < x_max) {
            return refused(format!(
                "the centre of the fall of chi2, alpha = 1e{centre:.1}, lies outside the ladder"
            ));
        }
        if logistic(x_min, &p) > PLATEAU {
            return refused(
                "chi2 still falls at the small end of the ladder (data without noise, or error bars far too \
                 large or small?)"
                    .into(),
            );
        }
        if !(kink > x_min && kink < x_max) {
            return refused(format!("the kink, alpha = 1e{kink:.1}, lies outside the ladder"));
        }
        let log = |x: f64| x * core::f64::consts::LN_10;
        let reach = 0.5 / p[3];
        AlphaChoice::at_log(log(kink))
            .with_log_interval(log((kink - reach).max(x_min)), log((kink + reach).min(x_max)))
            .with_curve(y)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{alpha, ladder, reason};
    use super::*;
    use crate::solution::LadderStep;
    use proptest::prelude::*;

    fn fall(p: &Curve, ripple: f64) -> Vec<LadderStep<f64>> {
        ladder(50, |alpha| {
            let x = alpha.log10();
            (10f64.powf(p[0] + p[1] * logistic(x, p) + ripple * (3.0 * x).sin()), 1.0)
        })
    }

    proptest! {
        #![proptest_config(crate::test_support::cases(40))]
        #[test]
        fn recovers_the_kink_of_its_own_curve(
            a in -1.0..4.0, b in 1.0..8.0, c in 3.5..6.0, d in 0.8..3.0,
        ) {
            let p = [a, b, c, d];
            let kink = alpha(&Chi2Kink::default(), &fall(&p, 0.0)).log10();
            prop_assert!((kink - (c - 2.5 / d)).abs() < 1e-6);
            let rippled = alpha(&Chi2Kink::default(), &fall(&p, 1e-3)).log10();
            prop_assert!((rippled - (c - 2.5 / d)).abs() < 0.1);
        }
    }

    #[test]
    fn refuses_where_there_is_no_kink() {
        // An informative default model, data without noise, and too few steps.
        let rule = Chi2Kink::default();
        assert!(reason(&rule, &fall(&[2.0, 0.2, 4.0, 1.5], 0.0)).contains("factor 1.5"));
        let falling = ladder(50, |alpha| (alpha.powf(1.6), 1.0));
        assert!(reason(&rule, &falling).contains("ladder"));
        assert!(reason(&rule, &falling[..3]).contains("usable"));
    }
}
