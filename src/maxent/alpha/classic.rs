//! The most probable α.

use super::{AlphaChoice, AlphaRule, LadderView};
use crate::real::Real;

/// The α of largest posterior probability P(α|g) (Gull 1989, Skilling 1989), α taken to be uniform in ln α
/// beforehand.
///
/// Without further priors it solves −2αS = N_good, but for the change of the determinant with the spectrum. With
/// them the determinant of the whole Hessian counts
/// ([`LadderStep::log_probability`](crate::LadderStep::log_probability)): a quadratic prior ½‖Rh‖² is taken as the
/// measurement Rh = 0 with its noise, which it is to the solver, and not as part of what is normalised with the
/// entropy; a stiff one then counts as many good data, and α comes out larger. It refuses where the probability
/// still grows at an end of the ladder. The interval holds what is at most e² times less probable.
///
/// It believes the error bars, and that the default model is as far from the truth as the entropy says. For
/// spectra smoother than that it chooses α far too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classic;

/// Fall of ln P that bounds the interval of acceptable α.
const FALL: f64 = 2.0;

/// The step of largest ln P and the steps around it within [`FALL`], or why there is none.
pub(super) struct Maximum {
    pub(super) curve: Vec<f64>,
    pub(super) index: usize,
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Maximum {
    pub(super) fn find<T: Real>(ladder: &LadderView<T>) -> Result<Self, String> {
        let curve: Vec<f64> = ladder.steps().iter().map(|s| s.log_probability.as_f64()).collect();
        let finite = curve.iter().enumerate().filter(|(_, p)| p.is_finite());
        let Some((index, &max)) = finite.max_by(|a, b| a.1.total_cmp(b.1)) else {
            return Err(format!(
                "P(alpha) is undefined at all {} steps of the ladder",
                curve.len()
            ));
        };
        if index == 0 || index + 1 == curve.len() {
            let end = if index == 0 { "large" } else { "small" };
            return Err(format!("P(alpha) still grows at the {end} end of the ladder"));
        }
        let within = |&i: &usize| curve[i] >= max - FALL;
        let first = (0..index).rev().take_while(within).last().unwrap_or(index);
        let last = (index..curve.len()).take_while(within).last().unwrap_or(index);
        Ok(Maximum { curve, index, first, last })
    }
}

/// Where the parabola through three points of an (x, y) curve, the middle one the highest, has its maximum.
pub(super) fn vertex(x: [f64; 3], y: [f64; 3]) -> f64 {
    let (left, right) = ((y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1]));
    let bend = (right - left) / (x[2] - x[0]);
    let at = 0.5 * (x[0] + x[1]) - 0.5 * left / bend;
    if at.is_finite() { at.clamp(x[0].min(x[2]), x[0].max(x[2])) } else { x[1] }
}

impl<T: Real> AlphaRule<T> for Classic {
    fn name(&self) -> &'static str {
        "classic"
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        match Maximum::find(ladder) {
            Err(reason) => AlphaChoice::refused(reason),
            Ok(Maximum { curve, index: i, first, last }) => {
                let x = ladder.log_alpha();
                let at = vertex([x[i - 1], x[i], x[i + 1]], [curve[i - 1], curve[i], curve[i + 1]]);
                AlphaChoice::at_log(at)
                    .with_log_interval(x[last].min(at), x[first].max(at))
                    .with_curve(curve)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{alpha, ladder, reason};
    use super::*;
    use crate::solution::LadderStep;

    /// Steps whose ln P is a parabola in ln α with its maximum at `centre`.
    pub(crate) fn parabola(centre: f64) -> Vec<LadderStep<f64>> {
        let mut steps = ladder(37, |_| (100.0, 5.0));
        for s in &mut steps {
            s.log_probability = 7.0 - 0.5 * (s.alpha / centre).ln().powi(2);
        }
        steps
    }

    #[test]
    fn finds_the_vertex_between_the_steps() {
        for centre in [3.7, 1e3, 5e5] {
            assert!((alpha(&Classic, &parabola(centre)) / centre - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_maximum_at_an_end_is_a_refusal() {
        assert!(reason(&Classic, &parabola(1e12)).contains("large end"));
        assert!(reason(&Classic, &parabola(1e-12)).contains("small end"));
        let mut steps = parabola(1.0);
        for s in &mut steps {
            s.log_probability = f64::NEG_INFINITY;
        }
        assert!(reason(&Classic, &steps).contains("undefined"));
    }
}
