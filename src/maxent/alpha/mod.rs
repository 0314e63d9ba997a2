//! Rules that choose α from what a ladder of α shows. One file a rule.
//!
//! α is the weight of the entropy in ½χ² − αS, with χ² in whitened units. Other programs mean other things
//! by it: one multiplies it by N, one has a factor 2/N in its step, unwhitened ones differ by 1/σ².

mod chi2_kink;
mod fixed;
mod gcv;

pub use chi2_kink::Chi2Kink;
pub use fixed::FixedAlpha;
pub use gcv::Gcv;

use crate::error::Result;
use crate::real::Real;
use crate::solution::LadderStep;
use core::fmt::Debug;

/// What a rule makes of a ladder.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AlphaChoice<T = f64> {
    /// This α, which need not be a step of the ladder.
    At(T),
    /// The rule does not apply; why.
    Refused(String),
}

/// A way to choose α. Object-safe.
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

    /// Chooses from a ladder of optima, ordered from large to small α, for `n_data` whitened data.
    fn choose(&self, ladder: &[LadderStep<T>], n_data: usize) -> AlphaChoice<T>;
}
