//! Where training takes its samples from.

use super::{FreshNoise, TrainingSet};
use crate::network::{Front, PANEL, gather, scatter};
use crate::parallel;
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

    /// What can stay on a device for a whole run, if that is all there is to [`fill`](Self::fill). `None`: samples
    /// are drawn on this machine's threads and sent as they are used.
    fn resident(&self) -> Option<Resident<'_, T>> {
        None
    }
}

/// A source that a [`Backend`](crate::Backend) may upload once: samples of a set, to whose data noise is added at
/// every step.
#[derive(Debug, Clone, Copy)]
pub struct Resident<'a, T: Real> {
    /// The samples.
    pub set: &'a TrainingSet<T>,
    /// Their noise.
    pub noise: Option<&'a FreshNoise>,
}

/// Writes these samples one after the other, on all threads: each `batch` of them as they are at a step of its own,
/// the first at step `first`.
pub(crate) fn draw<T: Real>(
    source: &dyn TrainingSource<T>,
    first: usize,
    batch: usize,
    samples: &[usize],
    data: &mut [T],
    weights: &mut [T],
) {
    struct Part<'a, T> {
        step: usize,
        samples: &'a [usize],
        data: &'a mut [T],
        weights: &'a mut [T],
    }
    let (m, n) = (source.input_len(), source.output_len());
    let mut parts = Vec::new();
    let batches = data.chunks_mut(batch * m).zip(weights.chunks_mut(batch * n));
    for (step, (samples, (data, weights))) in (first..).zip(samples.chunks(batch).zip(batches)) {
        let panels = data.chunks_mut(PANEL * m).zip(weights.chunks_mut(PANEL * n));
        let panels = samples.chunks(PANEL).zip(panels);
        parts.extend(panels.map(|(samples, (data, weights))| Part {
            step,
            samples,
            data,
            weights,
        }));
    }
    parallel::for_each_mut(&mut parts, |_, part| {
        let batch = part.samples.len();
        let mut scratch = vec![0.0; source.scratch_len(batch)];
        let (mut input, mut target) = (vec![T::zero(); m * batch], vec![T::zero(); n * batch]);
        source.fill(part.step, part.samples, &mut scratch, &mut input, &mut target);
        scatter(&input, batch, part.data);
        scatter(&target, batch, part.weights);
    });
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

    fn resident(&self) -> Option<Resident<'_, T>> {
        Some(Resident { set: self, noise: None })
    }
}
