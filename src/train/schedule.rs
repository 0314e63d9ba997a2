//! Learning-rate schedules.

use crate::error::{Result, check_positive};

/// The factor on the learning rate at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Schedule {
    /// 1 throughout.
    Constant,
    /// rate^(step/steps), smooth in the step.
    Exponential {
        /// Factor reached after `steps` steps.
        rate: f64,
        /// Number of steps, not necessarily whole.
        steps: f64,
    },
}

impl Schedule {
    /// The factor at `step`, counted from 0.
    pub fn factor(&self, step: usize) -> f64 {
        match *self {
            Schedule::Constant => 1.0,
            Schedule::Exponential { rate, steps } => rate.powf(step as f64 / steps),
        }
    }

    /// Whether the numbers are positive and finite.
    ///
    /// # Errors
    /// Names the one that is not.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Schedule::Constant => Ok(()),
            Schedule::Exponential { rate, steps } => {
                check_positive("rate", rate)?;
                check_positive("steps", steps)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_follow_their_formulas() {
        assert_eq!(Schedule::Constant.factor(12345), 1.0);
        let paper = Schedule::Exponential { rate: 0.9, steps: 3906.0 };
        assert_eq!(paper.factor(0), 1.0);
        assert!((paper.factor(3906) - 0.9).abs() < 1e-15);
        assert!((paper.factor(1953) - 0.9_f64.sqrt()).abs() < 1e-15);
        assert!(paper.validate().is_ok());
        assert!(Schedule::Exponential { rate: 0.9, steps: 0.0 }.validate().is_err());
        assert!(Schedule::Exponential { rate: f64::NAN, steps: 1.0 }.validate().is_err());
    }
}
