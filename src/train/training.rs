//! The training loop: shuffles, epochs, validation, observer, and its state between two epochs.

use super::{Adam, TrainOptions, Trainer};
use crate::cluster::{Alone, Communicator, agree, digits, gather_columns, share};
use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::network::{ErrorSummary, Network, PANEL, apply_samples};
use crate::parallel;
use crate::real::Real;
use crate::synthetic::{TrainingSet, TrainingSource};
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
    /// The validation error has not improved for [`TrainOptions::patience`] epochs.
    OutOfPatience,
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
            TrainingStatus::OutOfPatience => {
                f.write_str("stopped, the validation error does not improve any more")
            }
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
    /// Validation errors of the weights returned.
    pub validation: Option<ErrorSummary>,
    /// The epoch these weights are of, if they are the best of a validation.
    pub best_epoch: Option<usize>,
}

/// Trains `network` on `source`; returns it with a report.
///
/// `observer` sees every epoch and may stop the run. `rng` gives one seed; every epoch shuffles the
/// samples with a ChaCha8 stream of its own. Minimises the batch mean of ‖a − ã‖₂. With a validation set
/// the network returned is that of the best epoch, unless the options say otherwise. [`Training`] does the
/// same epoch by epoch, and on several machines.
///
/// # Errors
/// Those of [`TrainOptions::validate`]; a source of another shape than the network.
pub fn train<T: Real, N: Network<T>, S: TrainingSource<T> + ?Sized>(
    network: N,
    source: &S,
    validation: Option<&TrainingSet<T>>,
    options: &TrainOptions,
    rng: &mut (impl Rng + ?Sized),
    observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
) -> Result<(N, TrainingReport)> {
    Training::new(network, source, options, rng)?.run(source, validation, observer)
}

/// A training run, epoch by epoch: for loops of one's own, for runs that are interrupted and go on, and for
/// runs on many machines ([`with_communicator`](Self::with_communicator)).
///
/// ```
/// use fredholm::*;
/// # use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
/// # use fredholm::nalgebra::DMatrix;
/// # let model = ForwardModel::new(
/// #     &FermionTime::new(8.0)?,
/// #     &[0.0, 4.0, 8.0],
/// #     &FrequencyGrid::uniform(-3.0, 3.0, 4)?,
/// #     Whitening::from_errors(&[1e-4; 3])?,
/// # )?;
/// # let data = DMatrix::from_fn(3, 9, |i, j| ((i + j) as f32).sin());
/// # let weights = DMatrix::from_fn(4, 9, |i, j| ((i * j) as f32).cos());
/// # let set = TrainingSet::new(data, weights, model.fingerprint())?;
/// # let mut rng = ChaCha8Rng::seed_from_u64(1);
/// # let shape = UnrolledArchitecture::rlista(3, 4, 2);
/// # let network = Rlista::random(shape, SoftThreshold, &Initialization::default(), &mut rng)?;
/// let options = TrainOptions::scaled(10, set.len());
/// let mut training = Training::new(network, &set, &options, &mut rng)?;
/// for _ in 0..3 {
///     training.epoch(&set, None)?;
/// }
/// let state = training.state(); // plain data with the feature `serde`
/// let mut training = Training::resume(state, &set)?;
/// while let Some(info) = training.epoch(&set, None)? {
///     assert!(info.epoch > 3);
/// }
/// let (network, report) = training.finish();
/// assert_eq!(report.epochs, 10);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Training<T: Real, N: Network<T>, C = Alone> {
    trainer: Trainer<T, N>,
    communicator: C,
    seed: [u8; 32],
    order: Vec<usize>,
    /// Parameters after the last sound epoch.
    sound: Vec<T>,
    best: Option<Best<T>>,
    /// Of the last whole epoch.
    validation: Option<ErrorSummary>,
    epoch: usize,
    training_loss: Option<f64>,
    /// Of a run that has ended before its last epoch.
    status: Option<TrainingStatus>,
}

/// The epoch of the least mean validation error.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Best<T> {
    epoch: usize,
    validation: ErrorSummary,
    parameters: Vec<T>,
}

/// All of a training run between two epochs: network, optimiser, seed, counters and best weights. A run
/// resumed from it gives the bits of one that was never interrupted.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrainingState<T: Real, N> {
    version: u32,
    network: N,
    adam: Adam<T>,
    options: TrainOptions,
    seed: [u8; 32],
    epoch: usize,
    steps: usize,
    training_loss: Option<f64>,
    validation: Option<ErrorSummary>,
    best: Option<Best<T>>,
}

impl<T: Real, N> TrainingState<T, N> {
    /// Whole epochs done.
    pub fn epochs(&self) -> usize {
        self.epoch
    }
}

/// Version of [`TrainingState`] written, and the only one read.
const VERSION: u32 = 1;

impl<T: Real, N: Network<T>> Training<T, N> {
    /// A run of `network` over `source`; `rng` gives the seed of its shuffles. A source smaller than a
    /// batch makes one.
    ///
    /// # Errors
    /// Those of [`TrainOptions::validate`]; a source of another shape than the network.
    pub fn new<S: TrainingSource<T> + ?Sized>(
        network: N,
        source: &S,
        options: &TrainOptions,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let batch = options.batch.min(source.epoch_len());
        let trainer = Trainer::new(network, TrainOptions { batch, ..*options })?;
        trainer.check(source)?;
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let sound = trainer.network().parameters().to_vec();
        Ok(Training {
            trainer,
            communicator: Alone,
            seed,
            order: (0..source.epoch_len()).collect(),
            sound,
            best: None,
            validation: None,
            epoch: 0,
            training_loss: None,
            status: None,
        })
    }

    /// Goes on where `state` was taken, over the same source.
    ///
    /// # Errors
    /// A state of another version, or one that does not fit together; a source of another shape than the
    /// network, or of fewer samples than the run's batch.
    pub fn resume<S>(state: TrainingState<T, N>, source: &S) -> Result<Self>
    where
        S: TrainingSource<T> + ?Sized,
    {
        if state.version != VERSION {
            let (what, found, expected) = ("training state", state.version, VERSION);
            return Err(Error::Version { what, found, expected });
        }
        check_not_empty("source", source.epoch_len(), state.options.batch)?;
        let mut trainer = Trainer::new(state.network, state.options)?;
        trainer.check(source)?;
        trainer.restore(state.adam, state.steps)?;
        let sound = trainer.network().parameters().to_vec();
        if let Some(best) = &state.best {
            check_len("best", best.parameters.len(), sound.len(), "the network's parameters")?;
            check_finite("best", &best.parameters)?;
        }
        Ok(Training {
            trainer,
            communicator: Alone,
            seed: state.seed,
            order: (0..source.epoch_len()).collect(),
            sound,
            best: state.best,
            validation: state.validation,
            epoch: state.epoch,
            training_loss: state.training_loss,
            status: None,
        })
    }

    /// The same run on all ranks of `communicator`, each of which has made it from the same source and
    /// options, or resumed it from the same state.
    ///
    /// Every rank takes its share of each batch and of the validation set; gradients and losses are added,
    /// in one message of as many numbers as there are parameters. Parameters and seed are those of rank 0.
    /// A run ends on all ranks when it ends on one: by divergence, out of patience, or stopped by the
    /// observer of any of them; an error of one rank is one of all. The same bits for a fixed number of
    /// ranks, and the same result to rounding for any.
    ///
    /// Sources that draw samples when they are used ([`SampleStream`](crate::SampleStream)) draw a rank's
    /// share alone; a [`TrainingSet`] every rank holds whole.
    ///
    /// ```
    /// use fredholm::*;
    /// # use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
    /// # use std::ops::ControlFlow;
    /// # let tau = [0.0, 2.0, 4.0, 6.0, 8.0];
    /// # let grid = FrequencyGrid::uniform(-3.0, 3.0, 8)?;
    /// # let noise = Whitening::from_errors(&[1e-4; 5])?;
    /// # let model = ForwardModel::new(&FermionTime::new(8.0)?, &tau, &grid, noise)?;
    /// // What every rank does; with MPI, `communicator` is an `MpiCommunicator`.
    /// let program = |communicator: &dyn Communicator<f32>| -> Result<Rlista> {
    ///     let mut rng = ChaCha8Rng::seed_from_u64(1);
    ///     let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-4));
    ///     let stream = SampleStream::new(&mixture, &model, None, &noise, 64, &mut rng)?;
    ///     let shape = UnrolledArchitecture::rlista(5, 8, 2);
    ///     let network = Rlista::random(shape, SoftThreshold, &Initialization::default(), &mut rng)?;
    ///     let options = TrainOptions { batch: 16, ..TrainOptions::scaled(2, 64) };
    ///     let training = Training::new(network, &stream, &options, &mut rng)?;
    ///     let (network, report) = training
    ///         .with_communicator(communicator)?
    ///         .run(&stream, None, |_| ControlFlow::Continue(()))?;
    ///     assert_eq!(report.steps, 8);
    ///     Ok(network)
    /// };
    /// let ranks = ThreadCommunicator::group(2);
    /// std::thread::scope(|scope| {
    ///     let ranks: Vec<_> =
    ///         ranks.into_iter().map(|rank| scope.spawn(|| program(&{ rank }))).collect();
    ///     let mut networks = ranks.into_iter().map(|rank| rank.join().unwrap());
    ///     assert_eq!(networks.next().unwrap()?, networks.next().unwrap()?);
    ///     Ok(())
    /// })
    /// # .and_then(|()| program(&Alone).map(drop))
    /// # as Result<()>
    /// ```
    ///
    /// # Errors
    /// Ranks whose runs differ in the numbers of parameters, of samples, of a batch, of epochs or steps; a
    /// rank that cannot be reached.
    pub fn with_communicator<C: Communicator<T>>(
        self,
        communicator: C,
    ) -> Result<Training<T, N, C>> {
        let Training {
            mut trainer,
            communicator: _,
            mut seed,
            order,
            mut sound,
            best,
            validation,
            epoch,
            training_loss,
            status,
        } = self;
        if communicator.size() > 1 {
            let counts = [
                sound.len(),
                order.len(),
                trainer.options().batch,
                trainer.options().epochs,
                epoch,
                trainer.steps(),
            ];
            check_alike(&communicator, &counts)?;
            let mut bytes = seed.map(|byte| T::lit(byte.into()));
            communicator.broadcast(0, &mut bytes)?;
            seed = bytes.map(|byte| byte.as_f64() as u8);
            trainer.share_parameters(&communicator)?;
            sound.copy_from_slice(trainer.network().parameters());
            trainer.keep_share(communicator.size());
        }
        Ok(Training {
            trainer,
            communicator,
            seed,
            order,
            sound,
            best,
            validation,
            epoch,
            training_loss,
            status,
        })
    }
}

impl<T: Real, N: Network<T>, C: Communicator<T>> Training<T, N, C> {
    /// Everything that is needed to go on from here: the weights of the last sound epoch.
    pub fn state(&self) -> TrainingState<T, N>
    where
        N: Clone,
    {
        TrainingState {
            version: VERSION,
            network: self.trainer.network().clone(),
            adam: self.trainer.adam().clone(),
            options: *self.trainer.options(),
            seed: self.seed,
            epoch: self.epoch,
            steps: self.trainer.steps(),
            training_loss: self.training_loss,
            validation: self.validation,
            best: self.best.clone(),
        }
    }

    /// All epochs that are left; see [`train`]. Of several ranks every one calls its `observer`.
    ///
    /// # Errors
    /// Those of [`epoch`](Self::epoch).
    pub fn run<S: TrainingSource<T> + ?Sized>(
        mut self,
        source: &S,
        validation: Option<&TrainingSet<T>>,
        mut observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Result<(N, TrainingReport)> {
        while let Some(info) = self.epoch(source, validation)? {
            if observer(&info).is_break() {
                self.stop();
            }
        }
        Ok(self.finish())
    }

    /// Ends the run: the next epoch will not be, on no rank of several.
    pub fn stop(&mut self) {
        self.status = Some(TrainingStatus::Stopped);
    }

    /// One epoch, then the errors over the validation set; `None` once the run has ended. All ranks of
    /// several call it until it is `None`.
    ///
    /// # Errors
    /// A source or set of another shape than the network, or of fewer samples than the run began with; a
    /// rank of several that fails or cannot be reached any more.
    pub fn epoch<S: TrainingSource<T> + ?Sized>(
        &mut self,
        source: &S,
        validation: Option<&TrainingSet<T>>,
    ) -> Result<Option<EpochInfo>> {
        let options = *self.trainer.options();
        let shared = self.communicator.size() > 1;
        agree(&self.communicator, self.check(source, validation))?;
        if shared {
            let stopped = matches!(self.status, Some(TrainingStatus::Stopped));
            let mut anywhere = [T::zero()];
            let here = if stopped { T::one() } else { T::zero() };
            self.communicator.all_reduce_sum(&[here], &mut anywhere)?;
            if anywhere[0] > T::zero() {
                self.stop();
            }
        }
        if self.status.is_some() || self.epoch >= options.epochs {
            return Ok(None);
        }
        let epoch = self.epoch + 1;
        let mut stream = ChaCha8Rng::from_seed(self.seed);
        stream.set_stream(epoch as u64);
        self.order.iter_mut().zip(0..).for_each(|(place, i)| *place = i);
        self.order.shuffle(&mut stream);
        let (trainer, order, communicator) = (&mut self.trainer, &self.order, &self.communicator);
        let loss = if shared {
            let loss =
                trainer.epoch(order, |t, batch| t.step_shared(source, batch, communicator))?;
            // Machines that round differently do not drift apart.
            trainer.share_parameters(communicator)?;
            loss
        } else {
            parallel::enter(|| {
                trainer.epoch(order, |t, batch| Ok(t.step_unchecked(source, batch)))
            })?
        };
        let parameters = trainer.network().parameters();
        if !loss.is_finite() || parameters.iter().any(|p| !p.is_finite()) {
            self.status = Some(TrainingStatus::Diverged { epoch, step: trainer.steps() });
            trainer.network_mut().parameters_mut().copy_from_slice(&self.sound);
            return Ok(None);
        }
        self.sound.copy_from_slice(parameters);
        self.epoch = epoch;
        self.training_loss = Some(loss);
        self.validation = match validation {
            Some(set) => {
                let estimates = shared_estimates(trainer.network(), set.data(), communicator)?;
                Some(set.score(&estimates)?)
            }
            None => None,
        };
        if let Some(validation) = self.validation {
            if self.best.as_ref().is_none_or(|best| validation.mean < best.validation.mean) {
                let parameters = self.sound.clone();
                self.best = Some(Best { epoch, validation, parameters });
            }
            let waited = epoch - self.best.as_ref().map_or(0, |best| best.epoch);
            if options.patience.is_some_and(|patience| waited > 0 && waited >= patience) {
                self.status = Some(TrainingStatus::OutOfPatience);
            }
        }
        Ok(Some(EpochInfo {
            epoch,
            epochs: options.epochs,
            steps: self.trainer.steps(),
            training_loss: loss,
            validation: self.validation,
            learning_rate: self.trainer.learning_rate(),
        }))
    }

    /// Whether source and set fit the network and the run.
    fn check<S: TrainingSource<T> + ?Sized>(
        &self,
        source: &S,
        validation: Option<&TrainingSet<T>>,
    ) -> Result<()> {
        self.trainer.check(source)?;
        check_not_empty("source", source.epoch_len(), self.order.len())?;
        validation.map_or(Ok(()), |set| self.trainer.check(set))
    }

    /// The network as it is now.
    pub fn network(&self) -> &N {
        self.trainer.network()
    }

    /// The network, with the weights of its best epoch if there was a validation and the options want
    /// them, and the report of the run.
    pub fn finish(self) -> (N, TrainingReport) {
        let (epochs, steps) = (self.epoch, self.trainer.steps());
        let keep = self.trainer.options().keep_best;
        let mut validation = self.validation;
        let mut network = self.trainer.into_network();
        let best = self.best.filter(|_| keep);
        if let Some(best) = &best {
            network.parameters_mut().copy_from_slice(&best.parameters);
            validation = Some(best.validation);
        }
        let report = TrainingReport {
            status: self.status.unwrap_or(TrainingStatus::Completed),
            epochs,
            steps,
            training_loss: self.training_loss.unwrap_or(f64::NAN),
            validation,
            best_epoch: best.map(|best| best.epoch),
        };
        (network, report)
    }
}

/// A network's answers to data in columns.
pub(super) fn estimates<T: Real, N: Network<T>>(network: &N, data: &DMatrix<T>) -> DMatrix<T> {
    let mut answers = DMatrix::zeros(network.output_len(), data.ncols());
    apply_samples(network, data.as_slice(), answers.as_mut_slice());
    answers
}

/// The same on every rank, each of which has computed its share of whole panels.
fn shared_estimates<T: Real, N: Network<T>>(
    network: &N,
    data: &DMatrix<T>,
    communicator: &impl Communicator<T>,
) -> Result<DMatrix<T>> {
    let (rank, size, count) = (communicator.rank(), communicator.size(), data.ncols());
    if size == 1 {
        return Ok(estimates(network, data));
    }
    let own = share(count, PANEL, rank, size);
    let own = estimates(network, &data.columns(own.start, own.len()).into_owned());
    let all = gather_columns(communicator, own, count, PANEL)?;
    let mut all = all.unwrap_or_else(|| DMatrix::zeros(network.output_len(), count));
    communicator.broadcast(0, all.as_mut_slice())?;
    Ok(all)
}

/// `Err` on every rank unless `counts` are the same on all.
fn check_alike<T: Real>(communicator: &impl Communicator<T>, counts: &[usize]) -> Result<()> {
    let digits: Vec<T> = counts.iter().flat_map(|&count| digits(count)).collect();
    let mut first = digits.clone();
    communicator.broadcast(0, &mut first)?;
    agree(
        communicator,
        if first == digits {
            Ok(())
        } else {
            Err(Error::Unsupported {
                argument: "communicator",
                value: "ranks with different runs",
                expected: "the same network, source, options and state on all ranks",
            })
        },
    )
}
