//! A number with its uncertainty. Floor 0.

use crate::real::Real;
use core::fmt;

/// A value and its standard deviation, in the same units.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Estimate<T = f64> {
    /// The value.
    pub value: T,
    /// Its standard deviation.
    pub deviation: T,
}

impl<T: Real> fmt::Display for Estimate<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} +- {:.6}", self.value.as_f64(), self.deviation.as_f64())
    }
}
