//! What a training run knows between two epochs, whatever does its steps: the order of the samples, the last
//! sound weights, the best ones, and whether the run has ended.

use super::divergence::EXPLOSION;
use super::{DivergenceOrigin, TrainOptions, TrainingReport, TrainingStatus};
use crate::error::Result;
use crate::network::ErrorSummary;
use crate::problem::Fingerprint;
use crate::real::Real;
use crate::synthetic::TrainingSource;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// The bookkeeping of a run.
#[derive(Debug)]
pub(crate) struct Progress<T> {
    pub(super) seed: [u8; 32],
    /// Of the source, if it tells it.
    pub(super) fingerprint: Option<Fingerprint>,
    order: Vec<usize>,
    /// Parameters after the last sound epoch.
    sound: Vec<T>,
    /// Those it began with: its losses are known to be sound.
    earlier: Vec<T>,
    /// Epochs done when they were.
    earlier_epoch: usize,
    /// Mean loss of the mean target.
    baseline: f64,
    pub(super) best: Option<Best<T>>,
    /// Of the last whole epoch.
    pub(super) validation: Option<ErrorSummary>,
    pub(super) epoch: usize,
    pub(super) training_loss: Option<f64>,
    /// The least of all epochs.
    pub(super) least_loss: Option<f64>,
    /// Of a run that has ended before its last epoch.
    pub(super) status: Option<TrainingStatus>,
}

/// `Err` where both fingerprints are told and differ.
pub(super) fn same(expected: Option<Fingerprint>, found: Option<Fingerprint>) -> Result<()> {
    match (expected, found) {
        (Some(expected), Some(found)) => expected.expect(found),
        _ => Ok(()),
    }
}

/// The epoch of the least mean validation error.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Best<T> {
    epoch: usize,
    validation: ErrorSummary,
    pub(super) parameters: Vec<T>,
}

impl<T: Real> Progress<T> {
    /// Of a run over `source` that begins with these parameters; `rng` gives the seed of its shuffles.
    pub(crate) fn new<S: TrainingSource<T> + ?Sized>(
        source: &S,
        parameters: &[T],
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Self::resume(source, parameters, seed, 0)
    }

    /// The same with a seed that is known, after `epoch` epochs.
    pub(super) fn resume<S: TrainingSource<T> + ?Sized>(
        source: &S,
        parameters: &[T],
        seed: [u8; 32],
        epoch: usize,
    ) -> Self {
        Progress {
            seed,
            fingerprint: source.fingerprint(),
            order: (0..source.epoch_len()).collect(),
            sound: parameters.to_vec(),
            earlier: parameters.to_vec(),
            earlier_epoch: epoch,
            baseline: baseline(source),
            best: None,
            validation: None,
            epoch,
            training_loss: None,
            least_loss: None,
            status: None,
        }
    }

    /// Whether `source` is of the kernel and axes that the run began with, as far as both are told.
    pub(super) fn expect<S: TrainingSource<T> + ?Sized>(&self, source: &S) -> Result<()> {
        same(self.fingerprint, source.fingerprint())
    }

    /// The samples an epoch draws from.
    pub(super) fn samples(&self) -> usize {
        self.order.len()
    }

    /// Whether the run has ended, of itself or after its last epoch.
    pub(crate) fn is_over(&self, options: &TrainOptions) -> bool {
        self.status.is_some() || self.epoch >= options.epochs
    }

    /// The epochs done.
    pub(crate) fn epochs(&self) -> usize {
        self.epoch
    }

    /// Ends the run at the observer's word, unless it has ended of itself.
    pub(crate) fn stop(&mut self) {
        self.status.get_or_insert(TrainingStatus::Stopped);
    }

    /// Whether the observer has ended it.
    pub(super) fn is_stopped(&self) -> bool {
        self.status == Some(TrainingStatus::Stopped)
    }

    /// Ends the run for want of a better validation error.
    pub(super) fn lose_patience(&mut self) {
        self.status = Some(TrainingStatus::OutOfPatience);
    }

    /// Takes the parameters the run begins with.
    pub(super) fn begin(&mut self, parameters: &[T]) {
        self.sound.copy_from_slice(parameters);
        self.earlier.copy_from_slice(parameters);
    }

    /// The order of the samples in the next epoch: a ChaCha8 stream of its own.
    pub(crate) fn shuffle(&mut self) -> &[usize] {
        let mut stream = ChaCha8Rng::from_seed(self.seed);
        stream.set_stream(self.epoch as u64 + 1);
        self.order.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
        self.order.shuffle(&mut stream);
        &self.order
    }

    /// Takes the mean loss of a sound epoch and the parameters after it.
    pub(crate) fn accept(&mut self, loss: f64, parameters: &[T]) {
        core::mem::swap(&mut self.sound, &mut self.earlier);
        self.sound.copy_from_slice(parameters);
        self.earlier_epoch = self.epoch;
        self.epoch += 1;
        self.training_loss = Some(loss);
        self.least_loss = Some(self.least_loss.map_or(loss, |least| least.min(loss)));
    }

    /// The loss above which the next epoch has exploded: measured by the least of the run, so that no slow divergence
    /// raises it.
    pub(crate) fn limit(&self) -> f64 {
        self.least_loss.filter(|&loss| loss > 0.0).map_or(f64::MAX, |loss| EXPLOSION * loss)
    }

    /// Ends the run as diverged in the epoch at hand; the answer is the parameters to go back to: those this epoch
    /// began with if one of its losses was `sound`, else those of the epoch before.
    pub(crate) fn diverge(&mut self, origin: DivergenceOrigin, step: usize, sound: bool) -> &[T] {
        let kept = if sound { self.epoch } else { self.earlier_epoch };
        self.status = Some(TrainingStatus::Diverged { epoch: self.epoch + 1, step, origin, kept });
        if sound { &self.sound } else { &self.earlier }
    }

    /// Takes the validation errors after an accepted epoch.
    pub(crate) fn judge(&mut self, validation: Option<ErrorSummary>, options: &TrainOptions) {
        self.validation = validation;
        if let Some(validation) = validation {
            if self.best.as_ref().is_none_or(|best| validation.mean < best.validation.mean) {
                let parameters = self.sound.clone();
                self.best = Some(Best { epoch: self.epoch, validation, parameters });
            }
            let waited = self.epoch - self.best.as_ref().map_or(0, |best| best.epoch);
            if options.patience.is_some_and(|patience| waited > 0 && waited >= patience) {
                self.lose_patience();
            }
        }
    }

    /// The report of the run, and the weights of its best epoch if there was a validation and the options want
    /// them.
    pub(crate) fn finish(
        self,
        options: &TrainOptions,
        steps: usize,
    ) -> (Option<Vec<T>>, TrainingReport) {
        let best = self.best.filter(|_| options.keep_best);
        let mut status = self.status.unwrap_or(match self.epoch >= options.epochs {
            true => TrainingStatus::Completed,
            false => TrainingStatus::Unfinished,
        });
        if let (TrainingStatus::Diverged { kept, .. }, Some(best)) = (&mut status, &best) {
            *kept = best.epoch;
        }
        let report = TrainingReport {
            status,
            epochs: self.epoch,
            epochs_asked: options.epochs,
            steps,
            training_loss: self.training_loss.unwrap_or(f64::NAN),
            least_loss: self.least_loss.unwrap_or(f64::NAN),
            baseline: self.baseline,
            validation: best.as_ref().map(|best| best.validation).or(self.validation),
            best_epoch: best.as_ref().map(|best| best.epoch),
        };
        (best.map(|best| best.parameters), report)
    }
}

/// Samples over which the baseline is taken.
const BASELINE_SAMPLES: usize = 512;

/// Mean loss of the mean target as the answer to all data, over the first samples of `source`.
fn baseline<T: Real, S: TrainingSource<T> + ?Sized>(source: &S) -> f64 {
    let count = source.epoch_len().min(BASELINE_SAMPLES);
    let samples: Vec<usize> = (0..count).collect();
    let mut scratch = vec![0.0; source.scratch_len(count)];
    let mut input = vec![T::zero(); source.input_len() * count];
    let mut target = vec![T::zero(); source.output_len() * count];
    source.fill(0, &samples, &mut scratch, &mut input, &mut target);
    let mut squares = vec![0.0; count];
    for row in target.chunks_exact(count.max(1)) {
        let mean = row.iter().map(|a| a.as_f64()).sum::<f64>() / count as f64;
        squares.iter_mut().zip(row).for_each(|(s, a)| *s += (a.as_f64() - mean).powi(2));
    }
    squares.into_iter().map(f64::sqrt).sum::<f64>() / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Fingerprint;
    use crate::synthetic::TrainingSet;
    use nalgebra::DMatrix;

    fn set(targets: &[f64]) -> TrainingSet<f64> {
        let weights = DMatrix::from_row_slice(2, targets.len() / 2, targets);
        let data = DMatrix::zeros(1, weights.ncols());
        TrainingSet::new(data, weights, Fingerprint::of::<f64>(&[])).unwrap()
    }

    /// Targets (±3, ±4) about (1, 2): each 5 from their mean.
    #[test]
    fn the_baseline_is_the_error_of_the_mean_target() {
        let set = set(&[4.0, -2.0, 4.0, -2.0, 6.0, -2.0, -2.0, 6.0]);
        assert_eq!(baseline(&set), 5.0);
    }

    #[test]
    fn a_slow_divergence_does_not_raise_the_limit() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut progress = Progress::<f64>::new(&set(&[0.0; 6]), &[0.0], &mut rng);
        assert_eq!(progress.limit(), f64::MAX);
        for loss in [0.2, 0.1, 7.0, 3e4] {
            progress.accept(loss, &[loss]);
        }
        assert_eq!(progress.limit(), EXPLOSION * 0.1);
    }
}
