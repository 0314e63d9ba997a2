//! log χ²(log α), and whether there is a fall in it that could end in a kink.

use super::LadderView;
use crate::real::Real;

/// Least fall of log₁₀ χ² over the ladder.
const LEAST_FALL: f64 = 0.301;

/// x = log₁₀ α and y = log₁₀ χ² of every step; why not, if fewer than five are usable or χ² falls by less
/// than a factor of two: an informative default model fits already.
pub(super) fn log_chi2<T: Real>(ladder: &LadderView<T>) -> Result<[Vec<f64>; 2], String> {
    let x: Vec<f64> = ladder.steps().iter().map(|s| s.alpha.as_f64().log10()).collect();
    let y: Vec<f64> = ladder.steps().iter().map(|s| s.chi2.as_f64().log10()).collect();
    let usable = x.iter().zip(&y).filter(|(x, y)| x.is_finite() && y.is_finite()).count();
    if usable < x.len() || usable < 5 {
        return Err(format!("{usable} usable steps of {} of the ladder, five are needed", x.len()));
    }
    let (low, high) = y.iter().fold((y[0], y[0]), |(low, high), &y| (low.min(y), high.max(y)));
    if high - low < LEAST_FALL {
        return Err(format!(
            "chi2 falls only by a factor {:.2} over the ladder, so there is no kink: the default model already \
             fits",
            10f64.powf(high - low)
        ));
    }
    Ok([x, y])
}
