//! What a training run did, and what speaks against its result.

use super::TrainingStatus;
use crate::network::ErrorSummary;
use core::fmt;

/// What a training run did. Its `Display` is a sentence for a log.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TrainingReport {
    /// How it ended.
    pub status: TrainingStatus,
    /// Whole epochs done.
    pub epochs: usize,
    /// Epochs asked for.
    pub epochs_asked: usize,
    /// Steps done.
    pub steps: usize,
    /// Mean loss of the last whole epoch; NaN if there was none.
    pub training_loss: f64,
    /// The least of the mean losses of all epochs; NaN if there was none.
    pub least_loss: f64,
    /// The loss of who ignores the data and always answers with the mean target, over the first 512 samples of the
    /// source.
    pub baseline: f64,
    /// Validation errors of the weights returned.
    pub validation: Option<ErrorSummary>,
    /// The epoch these weights are of, if they are the best of a validation.
    pub best_epoch: Option<usize>,
}

/// What speaks against the weights of a training run, however it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum TrainingDoubt {
    /// The weights are the initial ones.
    Untrained,
    /// The network does worse than the mean target as the answer to all data. Units that died or saturated end
    /// so, with a finite loss and no gradient.
    Useless {
        /// The mean validation error, or without a validation the mean loss of the last epoch.
        error: f64,
        /// The report's baseline.
        baseline: f64,
    },
    /// The loss rose to more than twice its least, and no validation has kept better weights.
    Risen {
        /// Mean loss of the last epoch.
        loss: f64,
        /// The least mean loss of an epoch.
        least: f64,
    },
}

/// A loss this many times the least has risen, and does not only fluctuate.
const RISEN: f64 = 2.0;

impl TrainingReport {
    /// What a reader of the weights should know, the gravest alone; `None` for sound ones.
    ///
    /// A loss that is finite is no success: a softmax network that a large learning rate has driven into saturation
    /// ends its run as completed.
    pub fn doubt(&self) -> Option<TrainingDoubt> {
        let (loss, least, baseline) = (self.training_loss, self.least_loss, self.baseline);
        let error = self.validation.map_or(loss, |validation| validation.mean);
        if self.epochs == 0 || matches!(self.status, TrainingStatus::Diverged { kept: 0, .. }) {
            Some(TrainingDoubt::Untrained)
        } else if error > baseline {
            Some(TrainingDoubt::Useless { error, baseline })
        } else if self.best_epoch.is_none() && loss > RISEN * least {
            Some(TrainingDoubt::Risen { loss, least })
        } else {
            None
        }
    }
}

impl fmt::Display for TrainingDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainingDoubt::Untrained => f.write_str("the weights are the initial, untrained ones"),
            TrainingDoubt::Useless { error, baseline } => write!(
                f,
                "the network has a mean error of {error:.3e}, more than the {baseline:.3e} of who answers all \
                 data with the mean spectrum of the training set: train longer, or with a lower learning rate"
            ),
            TrainingDoubt::Risen { loss, least } => write!(
                f,
                "the loss rose to {loss:.3e} after an epoch of {least:.3e}: lower the learning rate, or keep the \
                 best epoch by a validation set"
            ),
        }
    }
}

impl fmt::Display for TrainingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrainingReport { status, epochs, epochs_asked, steps, .. } = self;
        write!(f, "training {status}; {epochs} of {epochs_asked} epochs, {steps} steps")?;
        if *epochs > 0 {
            write!(f, "; loss {:.4e} in the last epoch", self.training_loss)?;
            write!(f, ", {:.4e} for the mean spectrum", self.baseline)?;
        }
        if let Some(ErrorSummary { mean, median, p90 }) = self.validation {
            write!(f, "; validation error {mean:.4e} (median {median:.4e}, 90 % below {p90:.4e})")?;
        }
        if let Some(epoch) = self.best_epoch {
            write!(f, " with the weights of epoch {epoch}")?;
        }
        // A divergence has said so.
        match self.doubt() {
            Some(TrainingDoubt::Untrained) if self.status.is_divergence() => Ok(()),
            Some(doubt) => write!(f, "; {doubt}"),
            None => Ok(()),
        }
    }
}
