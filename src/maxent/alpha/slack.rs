//! The largest α a score allows, and what lies a factor below it.

use super::{AlphaChoice, LadderView};
use crate::error::{Error, Result, check_nonnegative, check_positive};
use crate::real::Real;

/// `Err` unless `slack` ≥ 0 and `descent` ≥ 1, both finite.
pub(super) fn check_slack(slack: f64, descent: f64) -> Result<()> {
    check_nonnegative("slack", slack)?;
    check_positive("descent", descent)?;
    if descent < 1.0 {
        let expected = "a factor of at least 1";
        return Err(Error::OutOfRange { argument: "descent", value: descent, expected });
    }
    Ok(())
}

/// Where the score falls to its minimum + `slack` on the way down the ladder, divided by `descent`.
///
/// The crossing is interpolated in the logarithms of α and of the score's excess, which falls like a power
/// of α. Where the ladder's first step is within the slack already, that step is the choice.
pub(super) fn below_slack<T: Real>(
    ladder: &LadderView<T>,
    score: Vec<f64>,
    slack: f64,
    descent: f64,
    undefined: &str,
) -> AlphaChoice<T> {
    let x = ladder.log_alpha();
    let least = score.iter().copied().filter(|s| s.is_finite()).fold(f64::INFINITY, f64::min);
    // A NaN fails this comparison; −∞ passes it, as the best score there can be.
    let Some(first) = score.iter().position(|&s| s <= least + slack && s < f64::INFINITY) else {
        return AlphaChoice::refused(format!("{undefined} at all {} steps of the ladder", x.len()));
    };
    if first == 0 {
        return AlphaChoice::at(ladder.steps()[0].alpha).with_curve(score);
    }
    let (above, below) = (score[first - 1] - least, score[first] - least);
    let t = (above / slack).ln() / (above / below.max(0.01 * slack)).ln();
    let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 1.0 };
    let edge = x[first - 1] + t * (x[first] - x[first - 1]);
    let last = x[x.len() - 1];
    let choice = (edge - descent.ln()).max(last);
    AlphaChoice::at_log(choice)
        .with_log_interval((2.0 * choice - edge).max(last), edge)
        .with_curve(score)
}
