//! The strongest prior a score allows, and what lies a factor below it.

use super::{AlphaChoice, LadderView};
use crate::error::{Error, Result, check_nonnegative, check_positive};
use crate::real::Real;

/// `Err` unless `slack` ≥ 0 and `descent` ≥ 1, both finite.
pub(in crate::maxent) fn check_slack(slack: f64, descent: f64) -> Result<()> {
    check_nonnegative("slack", slack)?;
    check_positive("descent", descent)?;
    if descent < 1.0 {
        let expected = "a factor of at least 1";
        return Err(Error::OutOfRange { argument: "descent", value: descent, expected });
    }
    Ok(())
}

/// Where a score falls to its minimum + slack.
#[derive(Debug)]
pub(in crate::maxent) struct Edge {
    /// ln of the weight there.
    pub(in crate::maxent) at: f64,
    /// The first step within the slack.
    pub(in crate::maxent) index: usize,
}

/// Where the score falls to its minimum + `slack` over falling x = ln weight, or `None` if it is undefined
/// everywhere.
///
/// The crossing is interpolated in x and the logarithm of the score's excess, which falls like a power of
/// the weight. Where the first step is within the slack already, it is the edge.
pub(in crate::maxent) fn edge(x: &[f64], score: &[f64], slack: f64) -> Option<Edge> {
    let least = score.iter().copied().filter(|s| s.is_finite()).fold(f64::INFINITY, f64::min);
    // A NaN fails these comparisons; −∞ passes them, as the best score there can be.
    let index = score.iter().position(|&s| s <= least + slack && s < f64::INFINITY)?;
    if index == 0 {
        return Some(Edge { at: x[0], index });
    }
    let (above, below) = (score[index - 1] - least, score[index] - least);
    let t = (above / slack).ln() / (above / below.max(0.01 * slack)).ln();
    let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 1.0 };
    Some(Edge { at: x[index - 1] + t * (x[index] - x[index - 1]), index })
}

/// The edge of the slack on the ladder, divided by `descent`. Where the ladder's first step is within the
/// slack already, that step is the choice.
pub(super) fn below_slack<T: Real>(
    ladder: &LadderView<T>,
    score: Vec<f64>,
    slack: f64,
    descent: f64,
    undefined: &str,
) -> AlphaChoice<T> {
    let x = ladder.log_alpha();
    match edge(&x, &score, slack) {
        None => AlphaChoice::refused(format!("{undefined} at all {} steps of the ladder", x.len())),
        Some(Edge { index: 0, .. }) => AlphaChoice::at(ladder.steps()[0].alpha).with_curve(score),
        Some(Edge { at, .. }) => {
            let last = x[x.len() - 1];
            let choice = (at - descent.ln()).max(last);
            AlphaChoice::at_log(choice)
                .with_log_interval((2.0 * choice - at).max(last), at)
                .with_curve(score)
        }
    }
}
