//! Rules that choose α from what a ladder of α shows. One file a rule.
//!
//! α is the weight of the entropy in ½χ² − αS, with χ² in whitened units. Other programs mean other things
//! by it: one multiplies it by N, one has a factor 2/N in its step, unwhitened ones differ by 1/σ².

mod bryan;
mod chi2_kink;
mod choice;
mod classic;
mod cp;
mod curvature;
mod fixed;
mod gcv;
mod historic;
mod kink;
mod line_fit;
pub(super) mod slack;
#[cfg(test)]
mod test_ladder;
mod view;

pub use bryan::Bryan;
pub use chi2_kink::Chi2Kink;
pub use choice::{AlphaChoice, AlphaPick};
pub use classic::Classic;
pub use cp::Cp;
pub use curvature::Curvature;
pub use fixed::FixedAlpha;
pub use gcv::Gcv;
pub use historic::Historic;
pub use line_fit::LineFit;
pub use view::LadderView;

use crate::error::Result;
use crate::real::Real;
use core::fmt::Debug;

/// A way to choose α. Object-safe.
///
/// A rule of one's own:
/// ```
/// use fredholm::{AlphaChoice, AlphaRule, LadderView};
///
/// /// The step at which the spectrum changes least from the step before.
/// #[derive(Debug)]
/// struct QuasiOptimal;
///
/// impl AlphaRule for QuasiOptimal {
///     fn name(&self) -> &'static str {
///         "quasi-optimal"
///     }
///
///     fn choose(&self, ladder: &LadderView) -> AlphaChoice {
///         let change = |i: usize| -> f64 {
///             let (a, b) = (ladder.weights(i - 1), ladder.weights(i));
///             a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
///         };
///         let curve: Vec<f64> = (1..ladder.steps().len()).map(change).collect();
///         match curve.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)) {
///             Some((i, _)) => AlphaChoice::at(ladder.steps()[i + 1].alpha),
///             None => AlphaChoice::refused("one step shows no change"),
///         }
///     }
/// }
/// ```
pub trait AlphaRule<T: Real = f64>: Debug + Send + Sync {
    /// A short name for reports.
    fn name(&self) -> &'static str;

    /// Whether the rule's own parameters make sense.
    ///
    /// # Errors
    /// Names the parameter.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The α to use if no ladder is needed to know it.
    fn fixed(&self) -> Option<T> {
        None
    }

    /// Chooses from the converged steps of a ladder, or refuses and says why.
    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T>;
}
