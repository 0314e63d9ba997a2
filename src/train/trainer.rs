//! The training step.
//!
//! A step = forward + backward + Adam over one batch. The batch is cut into chunks of fixed size, each
//! chunk with buffers and a gradient of its own; gradients are added in the order of the chunks. So the
//! bits do not depend on the number of threads, and a step allocates nothing.

use super::divergence::EXPLOSION;
use super::{Adam, AdamConfig, DivergenceOrigin, Schedule};
use crate::error::{
    Error, Result, check_count, check_len, check_nonnegative, check_not_empty, check_positive,
    check_range,
};
use crate::linalg::{Aligned, dispatch};
use crate::network::{Network, RootSquareError};
use crate::parallel;
use crate::real::Real;
use crate::synthetic::{TrainingSet, TrainingSource};
use core::fmt;
use core::ops::{ControlFlow, Range};

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrainOptions {
    /// Passes through the training set, at least one.
    pub epochs: usize,
    /// Samples a step; a set with fewer is one batch. Samples left over after the last whole batch of an
    /// epoch wait for another epoch's shuffle.
    pub batch: usize,
    /// Samples a chunk, the unit of work of a thread, with a gradient of its own: half a batch is faster on two threads
    /// for a network of 10⁵ parameters. Another value gives other last bits.
    pub chunk: usize,
    /// Learning rate before the schedule's factor.
    pub learning_rate: f64,
    /// Factor on the learning rate.
    pub schedule: Schedule,
    /// Constants of the optimiser.
    pub adam: AdamConfig,
    /// Factor of an ℓ² penalty, l2 · Σ w² over the weights of all layers but the last; the losses reported
    /// are without it. The paper's 0.01 cannot have meant this sum of squares: it makes a short run worse
    /// (0.063 instead of 0.046) and contradicts the variances the paper prints.
    pub l2: f64,
    /// Whether a run with a validation set ends with the weights of its best epoch instead of its last.
    pub keep_best: bool,
    /// Epochs without a better validation error after which a run stops; `None`: never. A run without a validation
    /// set refuses it.
    pub patience: Option<usize>,
}

impl Default for TrainOptions {
    /// The paper's (table I): 150 epochs, batches of 256, learning rate 0.01 × 0.9^(step/3906), which for
    /// its 100 000 samples is a decay to 0.01 × 0.9¹⁵.
    fn default() -> Self {
        TrainOptions {
            epochs: 150,
            batch: 256,
            chunk: 64,
            learning_rate: 0.01,
            schedule: Schedule::Exponential { rate: 0.9, steps: 3906.0 },
            adam: AdamConfig::default(),
            l2: 0.0,
            keep_best: true,
            patience: None,
        }
    }
}

impl TrainOptions {
    /// The paper's recipe for fewer epochs and samples: its whole decay, 0.9¹⁵, spread over them.
    ///
    /// The schedule is counted in steps of its batch, 256 samples: with another batch, make the schedule
    /// anew from [`steps`](Self::steps).
    pub fn scaled(epochs: usize, samples: usize) -> Self {
        let options = TrainOptions { epochs, ..Self::default() };
        // No step at all makes no schedule either: any will do.
        let steps = options.steps(samples).max(1) as f64 / 15.0;
        TrainOptions { schedule: Schedule::Exponential { rate: 0.9, steps }, ..options }
    }

    /// The same with the learning rate falling to zero along a cosine, which serves conditioned networks
    /// better. The remark on the batch holds here too.
    pub fn cosine(epochs: usize, samples: usize) -> Self {
        let options = TrainOptions { epochs, ..Self::default() };
        let steps = options.steps(samples).max(1) as f64;
        TrainOptions { schedule: Schedule::Cosine { steps }, ..options }
    }

    /// The number of steps of a run over a set of `samples` samples: whole batches, a smaller set being
    /// one.
    pub fn steps(&self, samples: usize) -> usize {
        let batch = self.batch.min(samples);
        samples.checked_div(batch).unwrap_or(0).saturating_mul(self.epochs)
    }

    /// Whether the numbers are in their ranges.
    ///
    /// # Errors
    /// Names the one that is not.
    pub fn validate(&self) -> Result<()> {
        check_count("epochs", self.epochs, 1..=usize::MAX, "at least one epoch")?;
        check_not_empty("batch", self.batch, 1)?;
        check_not_empty("chunk", self.chunk, 1)?;
        check_positive("learning_rate", self.learning_rate)?;
        check_nonnegative("l2", self.l2)?;
        self.schedule.validate()?;
        self.adam.validate()
    }

    /// Whether a run over this source can go on with this validation set, as far as fingerprints and fronts of both
    /// are known.
    pub(crate) fn check_validation<T: Real, S: TrainingSource<T> + ?Sized>(
        &self,
        source: &S,
        validation: Option<&TrainingSet<T>>,
    ) -> Result<()> {
        let fronts = (source.front(), validation.and_then(TrainingSet::front));
        if let (Some(front), Some(other)) = fronts
            && !front.is_adaptive()
            && !other.is_adaptive()
            && front != other
        {
            return Err(Error::Unsupported {
                argument: "validation",
                value: "a set seen through another front",
                expected: "the front of the samples that are trained on",
            });
        }
        match validation {
            Some(set) => source.fingerprint().map_or(Ok(()), |f| f.expect(set.fingerprint())),
            None if self.patience.is_some() => Err(Error::Unsupported {
                argument: "patience",
                value: "set without a validation set",
                expected: "a validation set whose error is waited for",
            }),
            None => Ok(()),
        }
    }
}

/// Buffers of one chunk.
pub(super) struct Chunk<T, W> {
    workspace: W,
    /// g of the chunk's samples, a panel.
    input: Aligned<T>,
    /// ã, a panel.
    target: Aligned<T>,
    /// ∂L/∂a, a panel.
    upstream: Aligned<T>,
    /// For the source of the samples, made at its first step.
    scratch: Vec<f64>,
    loss: RootSquareError<T>,
    /// ∂L/∂parameters, summed over the chunk.
    pub(super) gradient: Vec<T>,
    /// Σ RSE over the chunk.
    total: f64,
}

/// `Err` if the memory manager refuses the panels and gradients of one batch. Workspaces are counted as
/// 16 panels of the network's output, more than those of networks that are not deep.
fn check_memory<T: Real, N: Network<T>>(network: &N, options: &TrainOptions) -> Result<()> {
    let features = network.input_len().saturating_add(network.output_len().saturating_mul(18));
    let gradients =
        options.batch.div_ceil(options.chunk).saturating_mul(network.parameters().len());
    let numbers = options.batch.saturating_mul(features).saturating_add(gradients);
    Vec::<T>::new().try_reserve_exact(numbers).map_err(|_| Error::OutOfRange {
        argument: "batch",
        value: options.batch as f64,
        expected: "a batch whose buffers fit into memory",
    })
}

/// A network with its optimiser and all buffers of a step.
pub struct Trainer<T: Real, N: Network<T>> {
    pub(super) network: N,
    adam: Adam<T>,
    pub(super) options: TrainOptions,
    pub(super) chunks: Vec<Chunk<T, N::Workspace>>,
    /// Parameters under the ℓ² penalty.
    penalised: Vec<Range<usize>>,
    steps: usize,
    /// With several ranks: gradient and loss of this one, then of all.
    pub(super) shared: [Vec<T>; 2],
}

impl<T: Real, N: Network<T>> fmt::Debug for Trainer<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("network", &self.network.name())
            .field("options", &self.options)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl<T: Real, N: Network<T>> Trainer<T, N> {
    /// Takes a network; allocates buffers for one batch.
    ///
    /// # Errors
    /// Those of [`TrainOptions::validate`]; a batch whose buffers do not fit into memory.
    pub fn new(network: N, options: TrainOptions) -> Result<Self> {
        options.validate()?;
        check_memory(&network, &options)?;
        let adam = Adam::new(options.adam, network.parameters().len())?;
        let chunks = (0..options.batch)
            .step_by(options.chunk)
            .map(|start| {
                let samples = options.chunk.min(options.batch - start);
                let zeros = |features: usize| Aligned::zeros(features * samples);
                Chunk {
                    workspace: network.workspace(samples),
                    input: zeros(network.input_len()),
                    target: zeros(network.output_len()),
                    upstream: zeros(network.output_len()),
                    scratch: Vec::new(),
                    loss: RootSquareError::new(samples),
                    gradient: vec![T::zero(); network.parameters().len()],
                    total: 0.0,
                }
            })
            .collect();
        let (penalised, count) = (network.penalised(), network.parameters().len());
        for range in &penalised {
            check_range("penalised", range, count, "the network's parameters")?;
        }
        let shared = [Vec::new(), Vec::new()];
        Ok(Trainer { network, adam, options, chunks, penalised, steps: 0, shared })
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    pub(super) fn network_mut(&mut self) -> &mut N {
        &mut self.network
    }

    /// The optimiser's state.
    pub(crate) fn adam(&self) -> &Adam<T> {
        &self.adam
    }

    /// Goes on from the state of an earlier trainer of this network.
    pub(crate) fn restore(&mut self, adam: Adam<T>, steps: usize) -> Result<()> {
        adam.check(self.network.parameters().len())?;
        self.adam = adam;
        self.steps = steps;
        Ok(())
    }

    /// The network, by value.
    pub fn into_network(self) -> N {
        self.network
    }

    /// How it trains.
    pub fn options(&self) -> &TrainOptions {
        &self.options
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.options.learning_rate * self.options.schedule.factor(self.steps)
    }

    /// One step on the samples of `source` with these numbers, at most a batch; returns their mean loss
    /// before the step. A loss that is not finite leaves the parameters as they were.
    ///
    /// # Errors
    /// No sample, more than a batch, a number beyond the source's epoch, or a source of another shape than
    /// the network.
    pub fn step<S>(&mut self, source: &S, samples: &[usize]) -> Result<f64>
    where
        S: TrainingSource<T> + ?Sized,
    {
        self.check_batch(source, samples)?;
        Ok(parallel::enter(|| self.step_unchecked(source, samples, f64::MAX)))
    }

    /// The gradient of the mean loss of these samples, at most a batch, written into `gradient`, and that loss; no
    /// step. For optimisers of one's own, and gradients summed over machines.
    ///
    /// # Errors
    /// As [`step`](Self::step); a `gradient` of another length than the parameters.
    pub fn gradient<S>(&mut self, source: &S, samples: &[usize], gradient: &mut [T]) -> Result<f64>
    where
        S: TrainingSource<T> + ?Sized,
    {
        self.check_batch(source, samples)?;
        let count = self.network.parameters().len();
        check_len("gradient", gradient.len(), count, "the network's parameters")?;
        let loss = parallel::enter(|| self.differentiate(source, samples, samples.len()));
        self.penalise();
        gradient.fill(T::zero());
        add_gradients(&self.chunks[..samples.len().div_ceil(self.options.chunk)], gradient);
        Ok(loss)
    }

    /// Whether `source` has the network's shape and `samples` are a batch of it.
    fn check_batch<S: TrainingSource<T> + ?Sized>(
        &self,
        source: &S,
        samples: &[usize],
    ) -> Result<()> {
        self.check(source)?;
        check_not_empty("samples", samples.len(), 1)?;
        if samples.len() > self.options.batch {
            return Err(Error::LengthMismatch {
                argument: "samples",
                found: samples.len(),
                expected: self.options.batch,
                reference: "a batch",
            });
        }
        if let Some(index) = samples.iter().position(|&s| s >= source.epoch_len()) {
            return Err(Error::ElementOutOfRange {
                argument: "samples",
                index,
                value: samples[index] as f64,
                expected: "a sample of the set",
            });
        }
        Ok(())
    }

    /// Whether `source` has the network's shape.
    pub(crate) fn check<S: TrainingSource<T> + ?Sized>(&self, source: &S) -> Result<()> {
        check_len("data", source.input_len(), self.network.input_len(), "the network's input")?;
        let n = source.output_len();
        check_len("weights", n, self.network.output_len(), "the network's output")
    }

    /// Loss of these samples and, by chunk, its gradient, as parts of the mean over `of` samples.
    pub(super) fn differentiate<S>(&mut self, source: &S, samples: &[usize], of: usize) -> f64
    where
        S: TrainingSource<T> + ?Sized,
    {
        let size = self.options.chunk;
        let chunks = &mut self.chunks[..samples.len().div_ceil(size)];
        let scale = T::lit(1.0 / of as f64);
        let (network, step) = (&self.network, self.steps);
        parallel::for_each_mut(chunks, |i, chunk| {
            let samples = &samples[i * size..samples.len().min((i + 1) * size)];
            chunk.run(network, source, step, samples, scale);
        });
        chunks.iter().map(|c| c.total).sum::<f64>() / of as f64
    }

    /// Adds the gradient of the ℓ² penalty to that of the first chunk.
    fn penalise(&mut self) {
        if self.options.l2 > 0.0 {
            // ∂/∂w of l2 Σ w².
            let factor = T::lit(2.0 * self.options.l2);
            for range in &self.penalised {
                let weights = &self.network.parameters()[range.clone()];
                let gradient = &mut self.chunks[0].gradient[range.clone()];
                dispatch(|| {
                    gradient.iter_mut().zip(weights).for_each(|(g, &w)| *g += factor * w);
                });
            }
        }
    }

    /// Moves the parameters against the gradients of the first `used` chunks and of the penalty.
    pub(super) fn descend(&mut self, used: usize) {
        self.penalise();
        let rate = self.learning_rate();
        let chunks = &self.chunks[..used];
        let gradients = || chunks.iter().map(|c| &c.gradient[..]);
        self.adam.step_sum(self.network.parameters_mut(), gradients, rate);
        self.network.project();
        self.steps += 1;
    }

    /// A step, unless the loss is above `limit` or no number.
    pub(super) fn step_unchecked<S>(&mut self, source: &S, samples: &[usize], limit: f64) -> f64
    where
        S: TrainingSource<T> + ?Sized,
    {
        let loss = self.differentiate(source, samples, samples.len());
        if loss <= limit {
            self.descend(samples.len().div_ceil(self.options.chunk));
        }
        loss
    }

    /// `step` on all whole batches of `order`, each with the limit of its loss, at first `limit`: their mean loss, or
    /// the first that is above its limit or no number, whose step was not done.
    pub(super) fn epoch(
        &mut self,
        order: &[usize],
        mut limit: f64,
        mut step: impl FnMut(&mut Self, &[usize], f64) -> Result<f64>,
    ) -> Result<ControlFlow<f64, f64>> {
        let mut total = 0.0;
        let batches = order.chunks_exact(self.options.batch);
        let count = batches.len();
        for (i, samples) in batches.enumerate() {
            let loss = step(self, samples, limit)?;
            if loss > limit || loss.is_nan() {
                return Ok(ControlFlow::Break(loss));
            }
            if i == 0 && loss > 0.0 {
                limit = limit.min(EXPLOSION * loss);
            }
            total += loss;
        }
        Ok(ControlFlow::Continue(total / count as f64))
    }

    /// The first layer, counted from 0, that went wrong in the last step, of `samples` samples and with this
    /// loss, which was not done.
    pub(super) fn unsound_layer(&mut self, samples: usize, loss: f64) -> Option<usize> {
        let (network, size) = (&self.network, self.options.chunk);
        let chunks = self.chunks.iter_mut().zip((0..samples).step_by(size));
        let layers = chunks.filter_map(|(chunk, start)| {
            let input = &chunk.input[..network.input_len() * size.min(samples - start)];
            DivergenceOrigin::in_activations(network, input, &mut chunk.workspace, loss)
        });
        layers.min()
    }
}

/// Adds the gradients of these chunks, in their order.
pub(super) fn add_gradients<T: Real, W>(chunks: &[Chunk<T, W>], sum: &mut [T]) {
    for chunk in chunks {
        dispatch(|| sum.iter_mut().zip(&chunk.gradient).for_each(|(s, &g)| *s += g));
    }
}

impl<T: Real, W: Send> Chunk<T, W> {
    /// Loss and gradient of these samples.
    fn run<N, S>(&mut self, network: &N, source: &S, step: usize, samples: &[usize], scale: T)
    where
        N: Network<T, Workspace = W>,
        S: TrainingSource<T> + ?Sized,
    {
        let batch = samples.len();
        let (m, n) = (network.input_len() * batch, network.output_len() * batch);
        let (input, target) = (&mut self.input[..m], &mut self.target[..n]);
        let scratch = source.scratch_len(batch);
        if self.scratch.len() < scratch {
            self.scratch.resize(scratch, 0.0);
        }
        source.fill(step, samples, &mut self.scratch, input, target);
        let output = network.forward(input, batch, &mut self.workspace);
        let upstream = &mut self.upstream[..n];
        self.total = self.loss.evaluate(output, target, batch, scale, upstream);
        network.backward(input, upstream, batch, &mut self.workspace, &mut self.gradient, false);
    }
}
