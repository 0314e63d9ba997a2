//! The training loop.
//!
//! A step = forward + backward + Adam over one batch. The batch is cut into chunks of fixed size, each
//! chunk with buffers and a gradient of its own; gradients are added in the order of the chunks. So the
//! bits do not depend on the number of threads, and a step allocates nothing.

use super::{Adam, AdamConfig, Schedule};
use crate::error::{Error, Result, check_len, check_not_empty, check_positive};
use crate::network::{ErrorSummary, Network, RootSquareError, apply_samples, gather};
use crate::parallel;
use crate::real::Real;
use crate::synthetic::TrainingSet;
use core::fmt;
use core::ops::ControlFlow;
use nalgebra::DMatrix;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainOptions {
    /// Passes through the training set.
    pub epochs: usize,
    /// Samples a step; a set with fewer is one batch. Samples left over after the last whole batch of an
    /// epoch wait for another epoch's shuffle.
    pub batch: usize,
    /// Samples a chunk, the unit of work of a thread. Another value gives other last bits.
    pub chunk: usize,
    /// Learning rate before the schedule's factor.
    pub learning_rate: f64,
    /// Factor on the learning rate.
    pub schedule: Schedule,
    /// Constants of the optimiser.
    pub adam: AdamConfig,
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
        }
    }
}

impl TrainOptions {
    /// The paper's recipe for fewer epochs and samples, with its whole decay spread over them: 3906 steps
    /// shrink by (epochs/150)(samples/100 000).
    pub fn scaled(epochs: usize, samples: usize) -> Self {
        let steps = 3906.0 * (epochs as f64 / 150.0) * (samples as f64 / 100_000.0);
        let schedule = Schedule::Exponential { rate: 0.9, steps };
        TrainOptions { epochs, schedule, ..Self::default() }
    }

    /// Whether the numbers are in their ranges.
    ///
    /// # Errors
    /// Names the one that is not.
    pub fn validate(&self) -> Result<()> {
        check_not_empty("batch", self.batch, 1)?;
        check_not_empty("chunk", self.chunk, 1)?;
        check_positive("learning_rate", self.learning_rate)?;
        self.schedule.validate()?;
        self.adam.validate()
    }
}

/// Buffers of one chunk.
struct Chunk<T, W> {
    workspace: W,
    /// g of the chunk's samples, a panel.
    input: Vec<T>,
    /// ã, a panel.
    target: Vec<T>,
    /// ∂L/∂a, a panel.
    upstream: Vec<T>,
    loss: RootSquareError<T>,
    /// ∂L/∂parameters, summed over the chunk.
    gradient: Vec<T>,
    /// Σ RSE over the chunk.
    total: f64,
}

/// A network with its optimiser and all buffers of a step.
pub struct Trainer<T: Real, N: Network<T>> {
    network: N,
    adam: Adam<T>,
    options: TrainOptions,
    chunks: Vec<Chunk<T, N::Workspace>>,
    steps: usize,
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
    /// Those of [`TrainOptions::validate`].
    pub fn new(network: N, options: TrainOptions) -> Result<Self> {
        options.validate()?;
        let adam = Adam::new(options.adam, network.parameters().len())?;
        let chunks = (0..options.batch)
            .step_by(options.chunk)
            .map(|start| {
                let samples = options.chunk.min(options.batch - start);
                let zeros = |features: usize| vec![T::zero(); features * samples];
                Chunk {
                    workspace: network.workspace(samples),
                    input: zeros(network.input_len()),
                    target: zeros(network.output_len()),
                    upstream: zeros(network.output_len()),
                    loss: RootSquareError::new(samples),
                    gradient: vec![T::zero(); network.parameters().len()],
                    total: 0.0,
                }
            })
            .collect();
        Ok(Trainer { network, adam, options, chunks, steps: 0 })
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The network, by value.
    pub fn into_network(self) -> N {
        self.network
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.options.learning_rate * self.options.schedule.factor(self.steps)
    }

    /// One step on the samples of `set` with these indices, at most a batch; returns their mean loss
    /// before the step. A loss that is not finite leaves the parameters as they were.
    ///
    /// # Errors
    /// No sample, more than a batch, an index beyond the set, or a set of another shape than the network.
    pub fn step(&mut self, set: &TrainingSet<T>, samples: &[usize]) -> Result<f64> {
        self.check(set)?;
        check_not_empty("samples", samples.len(), 1)?;
        if samples.len() > self.options.batch {
            return Err(Error::LengthMismatch {
                argument: "samples",
                found: samples.len(),
                expected: self.options.batch,
                reference: "a batch",
            });
        }
        if let Some(index) = samples.iter().position(|&s| s >= set.len()) {
            return Err(Error::ElementOutOfRange {
                argument: "samples",
                index,
                value: samples[index] as f64,
                expected: "a sample of the set",
            });
        }
        Ok(parallel::enter(|| self.step_unchecked(set, samples)))
    }

    fn check(&self, set: &TrainingSet<T>) -> Result<()> {
        let (m, n) = (set.data().nrows(), set.weights().nrows());
        check_len("data", m, self.network.input_len(), "the network's input")?;
        check_len("weights", n, self.network.output_len(), "the network's output")
    }

    fn step_unchecked(&mut self, set: &TrainingSet<T>, samples: &[usize]) -> f64 {
        let rate = self.learning_rate();
        let size = self.options.chunk;
        let chunks = &mut self.chunks[..samples.len().div_ceil(size)];
        let scale = T::lit(1.0 / samples.len() as f64);
        let network = &self.network;
        parallel::for_each_mut(chunks, |i, chunk| {
            let samples = &samples[i * size..samples.len().min((i + 1) * size)];
            chunk.run(network, set, samples, scale);
        });
        let chunks = &*chunks;
        let loss = chunks.iter().map(|c| c.total).sum::<f64>() / samples.len() as f64;
        if loss.is_finite() {
            let gradients = || chunks.iter().map(|c| &c.gradient[..]);
            self.adam.step_sum(self.network.parameters_mut(), gradients, rate);
            self.network.project();
            self.steps += 1;
        }
        loss
    }
}

impl<T: Real, W: Send> Chunk<T, W> {
    /// Loss and gradient of these samples.
    fn run<N: Network<T, Workspace = W>>(
        &mut self,
        network: &N,
        set: &TrainingSet<T>,
        samples: &[usize],
        scale: T,
    ) {
        let batch = samples.len();
        let (m, n) = (network.input_len() * batch, network.output_len() * batch);
        let (input, target) = (&mut self.input[..m], &mut self.target[..n]);
        gather(network.input_len(), batch, |b| set.sample(samples[b]).0, input);
        gather(network.output_len(), batch, |b| set.sample(samples[b]).1, target);
        let output = network.forward(input, batch, &mut self.workspace);
        let upstream = &mut self.upstream[..n];
        self.total = self.loss.evaluate(output, target, batch, scale, upstream);
        network.backward(input, upstream, batch, &mut self.workspace, &mut self.gradient, false);
    }
}

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
    let mut sound = trainer.network.parameters().to_vec();
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
        let parameters = trainer.network.parameters();
        if !loss.is_finite() || parameters.iter().any(|p| !p.is_finite()) {
            report.status = TrainingStatus::Diverged { epoch, step: trainer.steps };
            trainer.network.parameters_mut().copy_from_slice(&sound);
            break;
        }
        sound.copy_from_slice(parameters);
        report.epochs = epoch;
        report.steps = trainer.steps;
        report.training_loss = loss;
        report.validation = match validation {
            Some(set) => Some(set.score(&estimates(&trainer.network, set.data()))?),
            None => None,
        };
        let info = EpochInfo {
            epoch,
            epochs: options.epochs,
            steps: trainer.steps,
            training_loss: loss,
            validation: report.validation,
            learning_rate: trainer.learning_rate(),
        };
        if observer(&info).is_break() {
            report.status = TrainingStatus::Stopped;
            break;
        }
    }
    Ok((trainer.network, report))
}

impl<T: Real, N: Network<T>> Trainer<T, N> {
    /// All whole batches of `order`; the mean loss, or the first that is not finite.
    fn epoch(&mut self, set: &TrainingSet<T>, order: &[usize]) -> f64 {
        let mut total = 0.0;
        let batches = order.chunks_exact(self.options.batch);
        let count = batches.len();
        for samples in batches {
            let loss = self.step_unchecked(set, samples);
            if !loss.is_finite() {
                return loss;
            }
            total += loss;
        }
        total / count as f64
    }
}

/// A network's answers to data in columns.
pub(super) fn estimates<T: Real, N: Network<T>>(network: &N, data: &DMatrix<T>) -> DMatrix<T> {
    let mut answers = DMatrix::zeros(network.output_len(), data.ncols());
    apply_samples(network, data.as_slice(), answers.as_mut_slice());
    answers
}
