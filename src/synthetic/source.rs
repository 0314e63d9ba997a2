//! Where training takes its samples from.

use super::TrainingSet;
use crate::network::{Front, gather};
use crate::problem::Fingerprint;
use crate::real::Real;

/// Samples for a training step, written as panels: element (feature i, sample b) at i·batch + b.
///
/// What sample number i is at step t depends on i, t and the source alone, never on threads, batches or
/// chunks. Steps allocate nothing: a source declares the scratch it wants.
pub trait TrainingSource<T: Real>: Sync {
    /// The length of a network's input.
    fn input_len(&self) -> usize;

    /// The length of its output.
    fn output_len(&self) -> usize;

    /// The number of samples of an epoch.
    fn epoch_len(&self) -> usize;

    /// The length of the scratch [`fill`](Self::fill) wants for `batch` samples.
    fn scratch_len(&self, batch: usize) -> usize {
        let _ = batch;
        0
    }

    /// Of the forward model between spectra and raw data, if there is one: what an
    /// [`Estimator`](crate::Estimator) trained on the samples knows its problems by.
    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    /// The front between raw data and the samples, if there is one: a network trained on them stands behind it.
    fn front(&self) -> Option<&Front> {
        None
    }

    /// Writes input and target of the samples with these numbers, each below
    /// [`epoch_len`](Self::epoch_len), as they are at step `step`.
    ///
    /// # Panics
    /// If a slice is shorter than its panel, or a number too large.
    fn fill(
        &self,
        step: usize,
        samples: &[usize],
        scratch: &mut [f64],
        input: &mut [T],
        target: &mut [T],
    );
}

impl<T: Real> TrainingSource<T> for TrainingSet<T> {
    fn input_len(&self) -> usize {
        self.data().nrows()
    }

    fn output_len(&self) -> usize {
        self.weights().nrows()
    }

    fn epoch_len(&self) -> usize {
        self.len()
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Some(self.fingerprint())
    }

    fn front(&self) -> Option<&Front> {
        self.front()
    }

    fn fill(
        &self,
        _step: usize,
        samples: &[usize],
        _scratch: &mut [f64],
        input: &mut [T],
        target: &mut [T],
    ) {
        let batch = samples.len();
        gather(self.input_len(), batch, |b| self.sample(samples[b]).0, input);
        gather(self.output_len(), batch, |b| self.sample(samples[b]).1, target);
    }
}
