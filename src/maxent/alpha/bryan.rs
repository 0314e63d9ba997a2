//! Bryan's average over α.

use super::classic::Maximum;
use super::{AlphaChoice, AlphaRule, LadderView};
use crate::real::Real;

/// The average of the ladder's spectra with weights P(α|g) d ln α (Bryan 1990).
///
/// It refuses where [`Classic`](super::Classic) does, and has its weaknesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bryan;

/// Relative weights below this are left out.
const LEAST: f64 = 1e-10;

impl<T: Real> AlphaRule<T> for Bryan {
    fn name(&self) -> &'static str {
        "bryan"
    }

    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T> {
        match Maximum::find(ladder) {
            Err(reason) => AlphaChoice::refused(reason),
            Ok(Maximum { curve, index, first, last }) => {
                let x = ladder.log_alpha();
                let end = x.len() - 1;
                let weight = |i: usize| {
                    let probability = (curve[i] - curve[index]).exp();
                    // Trapezoid; a NaN fails the comparison.
                    let width = 0.5 * (x[i.saturating_sub(1)] - x[(i + 1).min(end)]);
                    T::lit(if probability > LEAST { probability * width } else { 0.0 })
                };
                let weights: Vec<T> = (0..x.len()).map(weight).collect();
                AlphaChoice::average(weights).with_log_interval(x[last], x[first]).with_curve(curve)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::{choose, ladder, reason};
    use super::super::{AlphaPick, Classic};
    use super::*;

    #[test]
    fn weights_are_those_of_the_probability() {
        let mut steps = ladder(201, |_| (100.0, 5.0));
        let (centre, width) = (1e3_f64, 1.3);
        for s in &mut steps {
            s.log_probability = -3e5 - 0.5 * ((s.alpha / centre).ln() / width).powi(2);
        }
        let AlphaPick::Average(p) = choose(&Bryan, &steps).pick else { panic!() };
        let total: f64 = p.iter().sum();
        // ∫ e^{−x²/2w²} dx, the mean and the variance of a Gaussian.
        assert!((total / (width * std::f64::consts::TAU.sqrt()) - 1.0).abs() < 1e-8);
        let moment = |k| -> f64 {
            steps.iter().zip(&p).map(|(s, p)| p / total * (s.alpha / centre).ln().powi(k)).sum()
        };
        assert!(moment(1).abs() < 1e-8 && (moment(2) / (width * width) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn refuses_with_the_classic_rule() {
        let steps = ladder(20, |alpha| (1e3 / alpha, 5.0));
        assert_eq!(reason(&Bryan, &steps), reason(&Classic, &steps));
    }
}
