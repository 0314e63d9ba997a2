//! A given α.

use super::{AlphaChoice, AlphaRule, LadderView};
use crate::error::{Result, check_positive};
use crate::real::Real;

/// The given α > 0, whatever the ladder shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FixedAlpha<T = f64>(pub T);

impl<T: Real> AlphaRule<T> for FixedAlpha<T> {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn check(&self) -> Result<()> {
        check_positive("alpha", self.0)
    }

    fn fixed(&self) -> Option<T> {
        Some(self.0)
    }

    fn choose(&self, _ladder: &LadderView<T>) -> AlphaChoice<T> {
        AlphaChoice::at(self.0)
    }
}
