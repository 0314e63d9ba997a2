//! What a rule makes of a ladder.

use crate::real::Real;

/// The α to use, the steps to average over, or why neither can be told.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AlphaPick<T = f64> {
    /// This α, which need not be a step of the ladder.
    At(T),
    /// The average of the ladder's spectra with these weights, one a step; they are normalised by whoever
    /// takes the average.
    Average(Vec<T>),
    /// The rule does not apply; why.
    Refused(String),
}

/// A choice with what it rests on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AlphaChoice<T = f64> {
    /// The choice.
    pub pick: AlphaPick<T>,
    /// What the rule looked at: one number for every step of the ladder, or none.
    pub curve: Vec<f64>,
    /// The smallest and the largest α the rule would accept as well.
    pub interval: Option<[T; 2]>,
}

impl<T: Real> AlphaChoice<T> {
    /// This α.
    pub fn at(alpha: T) -> Self {
        Self::new(AlphaPick::At(alpha))
    }

    /// An average over the ladder, with one weight ≥ 0 a step.
    pub fn average(weights: impl Into<Vec<T>>) -> Self {
        Self::new(AlphaPick::Average(weights.into()))
    }

    /// None; `reason` says why the rule does not apply.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::new(AlphaPick::Refused(reason.into()))
    }

    /// Adds what the rule looked at, one number for every step.
    #[must_use]
    pub fn with_curve(mut self, curve: impl Into<Vec<f64>>) -> Self {
        self.curve = curve.into();
        self
    }

    /// Adds the interval of acceptable α.
    #[must_use]
    pub fn with_interval(mut self, low: T, high: T) -> Self {
        self.interval = Some([low, high]);
        self
    }

    fn new(pick: AlphaPick<T>) -> Self {
        AlphaChoice { pick, curve: Vec::new(), interval: None }
    }

    /// e^x for a rule that thinks in ln α.
    pub(super) fn at_log(x: f64) -> Self {
        Self::at(T::lit(x.exp()))
    }

    /// Adds the interval [e^low, e^high].
    pub(super) fn with_log_interval(self, low: f64, high: f64) -> Self {
        self.with_interval(T::lit(low.exp()), T::lit(high.exp()))
    }
}
