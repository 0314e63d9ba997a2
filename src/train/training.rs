//! The training loop: shuffles, epochs, validation, observer.

use super::{TrainOptions, Trainer};
use crate::error::Result;
use crate::network::{ErrorSummary, Network, apply_samples};
use crate::parallel;
use crate::real::Real;
use crate::synthetic::TrainingSet;
use core::fmt;
use core::ops::ControlFlow;
use nalgebra::DMatrix;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// What the observer of [`train`] sees after every epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochInfo {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Epochs asked for.
    pub epochs: usize,
    /// Steps done.
    pub steps: usize,
    /// Mean loss over the epoch, each batch before its step.
    pub training_loss: f64,
    /// Root-square errors over the validation set, if there is one.
    pub validation: Option<ErrorSummary>,
    /// Learning rate of the next step.
    pub learning_rate: f64,
}

/// How a training run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum TrainingStatus {
    /// All epochs were done.
    Completed,
    /// The observer asked to stop.
    Stopped,
    /// Loss or parameters became NaN or infinite; the parameters of the last sound epoch are kept.
    Diverged {
        /// The epoch it happened in, counted from 1.
        epoch: usize,
        /// The steps done before.
        step: usize,
    },
}

impl fmt::Display for TrainingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainingStatus::Completed => f.write_str("completed"),
            TrainingStatus::Stopped => f.write_str("stopped by the observer"),
            TrainingStatus::Diverged { epoch, step } => write!(
                f,
                "diverged in epoch {epoch} after step {step}, weights of the epoch before kept: \
                 lower the learning rate"
            ),
        }
    }
}

/// What a training run did.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TrainingReport {
    /// How it ended.
    pub status: TrainingStatus,
    /// Whole epochs done.
    pub epochs: usize,
    /// Steps done.
    pub steps: usize,
    /// Mean loss of the last whole epoch; NaN if there was none.
    pub training_loss: f64,
    /// Validation errors after the last whole epoch.
    pub validation: Option<ErrorSummary>,
}

/// Trains `network` on `set`; returns it with a report.
///
/// `observer` sees every epoch and may stop the run. `rng` gives one seed; every epoch shuffles the set
/// with a ChaCha8 stream of its own. Minimises the batch mean of ‖a − ã‖₂.
///
/// # Errors
/// Those of [`TrainOptions::validate`]; a set of another shape than the network.
pub fn train<T: Real, N: Network<T>>(
    network: N,
    set: &TrainingSet<T>,
    validation: Option<&TrainingSet<T>>,
    options: &TrainOptions,
    rng: &mut (impl Rng + ?Sized),
    mut observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
) -> Result<(N, TrainingReport)> {
    let batch = options.batch.min(set.len());
    let mut trainer = Trainer::new(network, TrainOptions { batch, ..*options })?;
    trainer.check(set)?;
    validation.map_or(Ok(()), |set| trainer.check(set))?;
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let mut order: Vec<usize> = (0..set.len()).collect();
    let mut sound = trainer.network().parameters().to_vec();
    let mut report = TrainingReport {
        status: TrainingStatus::Completed,
        epochs: 0,
        steps: 0,
        training_loss: f64::NAN,
        validation: None,
    };
    for epoch in 1..=options.epochs {
        let mut stream = ChaCha8Rng::from_seed(seed);
        stream.set_stream(epoch as u64);
        order.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
        order.shuffle(&mut stream);
        let loss = parallel::enter(|| trainer.epoch(set, &order));
        let parameters = trainer.network().parameters();
        if !loss.is_finite() || parameters.iter().any(|p| !p.is_finite()) {
            report.status = TrainingStatus::Diverged { epoch, step: trainer.steps() };
            trainer.network_mut().parameters_mut().copy_from_slice(&sound);
            break;
        }
        sound.copy_from_slice(parameters);
        report.epochs = epoch;
        report.steps = trainer.steps();
        report.training_loss = loss;
        report.validation = match validation {
            Some(set) => Some(set.score(&estimates(trainer.network(), set.data()))?),
            None => None,
        };
        let info = EpochInfo {
            epoch,
            epochs: options.epochs,
            steps: trainer.steps(),
            training_loss: loss,
            validation: report.validation,
            learning_rate: trainer.learning_rate(),
        };
        if observer(&info).is_break() {
            report.status = TrainingStatus::Stopped;
            break;
        }
    }
    Ok((trainer.into_network(), report))
}

/// A network's answers to data in columns.
pub(super) fn estimates<T: Real, N: Network<T>>(network: &N, data: &DMatrix<T>) -> DMatrix<T> {
    let mut answers = DMatrix::zeros(network.output_len(), data.ncols());
    apply_samples(network, data.as_slice(), answers.as_mut_slice());
    answers
}
