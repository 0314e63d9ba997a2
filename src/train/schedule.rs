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
    /// ½(1 + cos(π step/steps)), falling from 1 to 0; 0 from there on.
    Cosine {
        /// Number of steps, those of the whole run.
        steps: f64,
    },
}

impl Schedule {
    /// The factor at `step`, counted from 0.
    pub fn factor(&self, step: usize) -> f64 {
        match *self {
            Schedule::Constant => 1.0,
            Schedule::Exponential { rate, steps } => rate.powf(step as f64 / steps),
            Schedule::Cosine { steps } => {
                let progress = (step as f64 / steps).min(1.0);
                0.5 * (1.0 + (core::f64::consts::PI * progress).cos())
            }
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
            Schedule::Cosine { steps } => check_positive("steps", steps),
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
        let cosine = Schedule::Cosine { steps: 200.0 };
        assert_eq!((cosine.factor(0), cosine.factor(200), cosine.factor(999)), (1.0, 0.0, 0.0));
        assert!((cosine.factor(100) - 0.5).abs() < 1e-15);
        assert!((cosine.factor(50) - (0.5 + 0.125_f64.sqrt())).abs() < 1e-15);
        assert!(cosine.validate().is_ok());
        assert!(Schedule::Cosine { steps: 0.0 }.validate().is_err());
        assert!(Schedule::Exponential { rate: 0.9, steps: 0.0 }.validate().is_err());
        assert!(Schedule::Exponential { rate: f64::NAN, steps: 1.0 }.validate().is_err());
    }
}
