//! The training loop: shuffles, epochs, validation, observer, and its state between two epochs.

use super::progress::{Best, Progress, same};
use super::shared::shared_estimates;
use super::{Adam, DivergenceOrigin, TrainOptions, Trainer, TrainingReport};
use crate::cluster::{Alone, Communicator, agree};
use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::network::{ErrorSummary, Network, apply_samples};
use crate::parallel;
use crate::problem::Fingerprint;
use crate::real::Real;
use crate::synthetic::{TrainingSet, TrainingSource};
use core::fmt;
use core::ops::ControlFlow;
use nalgebra::DMatrix;
use rand::Rng;

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

impl fmt::Display for EpochInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EpochInfo { epoch, epochs, steps, training_loss, learning_rate, .. } = self;
        write!(f, "epoch {epoch} of {epochs}, {steps} steps: loss {training_loss:.4e}")?;
        if let Some(validation) = self.validation {
            write!(f, ", validation error {:.4e}", validation.mean)?;
        }
        write!(f, ", learning rate {learning_rate:.2e}")
    }
}

/// How a training run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TrainingStatus {
    /// All epochs were done.
    Completed,
    /// The run was finished by its caller before its last epoch ([`Training::finish`]).
    Unfinished,
    /// The observer asked to stop.
    Stopped,
    /// The validation error has not improved for [`TrainOptions::patience`] epochs.
    OutOfPatience,
    /// Loss or parameters became NaN or infinite, or the loss of a step rose to a million times that of the epoch's
    /// first step or the mean of the epoch before; the parameters of the best epoch, or the last that an epoch
    /// began with whose first loss was sound, are kept. Losses are taken before a step: what the very last step of
    /// a run does, if its parameters stay finite, shows in a validation only.
    Diverged {
        /// The epoch it happened in, counted from 1.
        epoch: usize,
        /// The steps done before.
        step: usize,
        /// What went wrong first.
        origin: DivergenceOrigin,
        /// The epoch whose weights are kept; 0: the initial ones, in which nothing was learned. States stored before
        /// this was known are read as the latter.
        #[cfg_attr(feature = "serde", serde(default))]
        kept: usize,
    },
}

impl TrainingStatus {
    /// Whether the run diverged.
    pub fn is_divergence(&self) -> bool {
        matches!(self, TrainingStatus::Diverged { .. })
    }
}

impl fmt::Display for TrainingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrainingStatus::Completed => f.write_str("completed"),
            TrainingStatus::Unfinished => {
                f.write_str("finished by its caller before the last epoch")
            }
            TrainingStatus::Stopped => f.write_str("stopped by the observer"),
            TrainingStatus::OutOfPatience => {
                f.write_str("stopped, the validation error does not improve any more")
            }
            TrainingStatus::Diverged { epoch, step, origin, kept } => {
                write!(f, "diverged in epoch {epoch} after step {step}, first in {origin}; ")?;
                match kept {
                    0 => f.write_str("the weights are the initial, untrained ones")?,
                    _ => write!(f, "sound weights kept, those of epoch {kept}")?,
                }
                f.write_str(": lower the learning rate")
            }
        }
    }
}

/// Trains `network` on `source`; returns it with a report.
///
/// `observer` sees every epoch and may stop the run. `rng` gives one seed; every epoch shuffles the
/// samples with a ChaCha8 stream of its own. Minimises the batch mean of ‖a − ã‖₂. With a validation set
/// the network returned is that of the best epoch, unless the options say otherwise. [`Training`] does the
/// same epoch by epoch, and on several machines.
///
/// # Errors
/// Those of [`TrainOptions::validate`]; a source of another shape than the network; a validation set of another
/// shape or fingerprint, or seen through another front; patience without one.
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
    pub(super) trainer: Trainer<T, N>,
    pub(super) communicator: C,
    pub(super) progress: Progress<T>,
}

/// All of a training run between two epochs, on this machine or a device: network, optimiser, seed, counters and best weights. A run
/// resumed from it gives the bits of one that was never interrupted, but for the weights it keeps where its first
/// loss has exploded: those it was resumed with.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrainingState<T: Real, N> {
    version: u32,
    pub(crate) network: N,
    pub(crate) adam: Adam<T>,
    pub(crate) options: TrainOptions,
    seed: [u8; 32],
    /// Of the source, if it tells it.
    #[cfg_attr(feature = "serde", serde(default))]
    fingerprint: Option<Fingerprint>,
    epoch: usize,
    pub(crate) steps: usize,
    training_loss: Option<f64>,
    #[cfg_attr(feature = "serde", serde(default))]
    least_loss: Option<f64>,
    validation: Option<ErrorSummary>,
    best: Option<Best<T>>,
    /// Of a run that ended of itself.
    #[cfg_attr(feature = "serde", serde(default))]
    status: Option<TrainingStatus>,
}

impl<T: Real, N> TrainingState<T, N> {
    /// Whole epochs done.
    pub fn epochs(&self) -> usize {
        self.epoch
    }
}

impl<T: Real, N: Network<T>> TrainingState<T, N> {
    /// Of a run that has come so far.
    pub(crate) fn new(
        network: N,
        adam: Adam<T>,
        options: TrainOptions,
        steps: usize,
        progress: &Progress<T>,
    ) -> Self {
        TrainingState {
            version: VERSION,
            network,
            adam,
            options,
            seed: progress.seed,
            fingerprint: progress.fingerprint,
            epoch: progress.epoch,
            steps,
            training_loss: progress.training_loss,
            least_loss: progress.least_loss,
            validation: progress.validation,
            best: progress.best.clone(),
            status: progress.status.filter(|_| !progress.is_stopped()),
        }
    }

    /// The bookkeeping of a run that goes on over `source`.
    pub(crate) fn progress<S>(&mut self, source: &S) -> Result<Progress<T>>
    where
        S: TrainingSource<T> + ?Sized,
    {
        if self.version != VERSION {
            let (what, found, expected) = ("training state", self.version, VERSION);
            return Err(Error::Version { what, found, expected });
        }
        check_not_empty("source", source.epoch_len(), self.options.batch)?;
        same(self.fingerprint, source.fingerprint())?;
        let parameters = self.network.parameters();
        if let Some(best) = &self.best {
            let found = best.parameters.len();
            check_len("best", found, parameters.len(), "the network's parameters")?;
            check_finite("best", &best.parameters)?;
        }
        let mut progress = Progress::resume(source, parameters, self.seed, self.epoch);
        progress.best = self.best.take();
        progress.validation = self.validation;
        progress.training_loss = self.training_loss;
        progress.least_loss = self.least_loss.or(self.training_loss);
        progress.status = self.status;
        Ok(progress)
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
        let progress = Progress::new(source, trainer.network().parameters(), rng);
        Ok(Training { trainer, communicator: Alone, progress })
    }

    /// Goes on where `state` was taken, over the same source: a run that was stopped too, while one that diverged
    /// or is out of patience stays ended.
    ///
    /// # Errors
    /// A state of another version, or one that does not fit together; a source of another shape than the
    /// network, of another fingerprint than the run's, or of fewer samples than its batch.
    pub fn resume<S>(mut state: TrainingState<T, N>, source: &S) -> Result<Self>
    where
        S: TrainingSource<T> + ?Sized,
    {
        let progress = state.progress(source)?;
        let mut trainer = Trainer::new(state.network, state.options)?;
        trainer.check(source)?;
        trainer.restore(state.adam, state.steps)?;
        Ok(Training { trainer, communicator: Alone, progress })
    }
}

impl<T: Real, N: Network<T>, C: Communicator<T>> Training<T, N, C> {
    /// Everything that is needed to go on from here. After a divergence the weights are sound and the optimiser is
    /// that of the failed epoch; the state then is of a run that has ended.
    pub fn state(&self) -> TrainingState<T, N>
    where
        N: Clone,
    {
        let Trainer { network, options, .. } = &self.trainer;
        let (adam, steps) = (self.trainer.adam().clone(), self.trainer.steps());
        TrainingState::new(network.clone(), adam, *options, steps, &self.progress)
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
        self.progress.stop();
    }

    /// One epoch, then the errors over the validation set; `None` once the run has ended. All ranks of
    /// several call it until it is `None`.
    ///
    /// # Errors
    /// A source or set of another shape than the network; a source of fewer samples than the run began with, or of
    /// another fingerprint; a set of
    /// another fingerprint than the source's, or seen through another front; patience without a validation set; ranks
    /// of which some validate and others do not, or on sets of other sizes; a rank of several that fails or cannot be
    /// reached any more.
    pub fn epoch<S: TrainingSource<T> + ?Sized>(
        &mut self,
        source: &S,
        validation: Option<&TrainingSet<T>>,
    ) -> Result<Option<EpochInfo>> {
        let options = *self.trainer.options();
        agree(&self.communicator, self.check(source, validation))?;
        self.check_validation(validation)?;
        self.share_end()?;
        if self.progress.is_over(&options) {
            return Ok(None);
        }
        let (trainer, communicator) = (&mut self.trainer, &self.communicator);
        let (limit, before) = (self.progress.limit(), trainer.steps());
        let order = self.progress.shuffle();
        let outcome = if communicator.size() > 1 {
            let outcome = trainer.epoch(order, limit, |trainer, batch, limit| {
                trainer.step_shared(source, batch, limit, communicator)
            })?;
            // Machines that round differently do not drift apart.
            trainer.share_parameters(communicator)?;
            outcome
        } else {
            parallel::enter(|| {
                trainer.epoch(order, limit, |trainer, batch, limit| {
                    Ok(trainer.step_unchecked(source, batch, limit))
                })
            })?
        };
        if let Some(origin) = trainer.origin(outcome, communicator)? {
            let steps = trainer.steps();
            let sound = self.progress.diverge(origin, steps, steps > before);
            trainer.network_mut().parameters_mut().copy_from_slice(sound);
            return Ok(None);
        }
        let (ControlFlow::Continue(loss) | ControlFlow::Break(loss)) = outcome;
        self.progress.accept(loss, trainer.network().parameters());
        let validation = match validation {
            Some(set) => {
                let estimates = shared_estimates(trainer.network(), set.data(), communicator)?;
                Some(set.score(&estimates)?)
            }
            None => None,
        };
        self.progress.judge(validation, &options);
        Ok(Some(EpochInfo {
            epoch: self.progress.epochs(),
            epochs: options.epochs,
            steps: self.trainer.steps(),
            training_loss: loss,
            validation,
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
        self.progress.expect(source)?;
        check_not_empty("source", source.epoch_len(), self.progress.samples())?;
        self.trainer.options().check_validation(source, validation)?;
        validation.map_or(Ok(()), |set| self.trainer.check(set))
    }

    /// The network as it is now.
    pub fn network(&self) -> &N {
        self.trainer.network()
    }

    /// The network, with the weights of its best epoch if there was a validation and the options want
    /// them, and the report of the run.
    pub fn finish(self) -> (N, TrainingReport) {
        let (options, steps) = (*self.trainer.options(), self.trainer.steps());
        let mut network = self.trainer.into_network();
        let (best, report) = self.progress.finish(&options, steps);
        if let Some(best) = best {
            network.parameters_mut().copy_from_slice(&best);
        }
        (network, report)
    }
}

/// A network's answers to data in columns.
pub(crate) fn estimates<T: Real, N: Network<T>>(network: &N, data: &DMatrix<T>) -> DMatrix<T> {
    let mut answers = DMatrix::zeros(network.output_len(), data.ncols());
    apply_samples(network, data.as_slice(), answers.as_mut_slice());
    answers
}

/// The same; `Err` for data that are not finite.
pub(crate) fn checked_estimates<T: Real, N: Network<T>>(
    network: &N,
    data: &DMatrix<T>,
) -> Result<DMatrix<T>> {
    let mut answers = DMatrix::zeros(network.output_len(), data.ncols());
    if !apply_samples(network, data.as_slice(), answers.as_mut_slice()) {
        check_finite("data", data.as_slice())?;
    }
    Ok(answers)
}
