//! The training loop over a backend's steps.

use super::{Backend, Predictor, Stepper};
use crate::error::{Result, check_len};
use crate::network::Network;
use crate::real::Real;
use crate::synthetic::{TrainingSet, TrainingSource};
use crate::train::{
    DivergenceOrigin, EpochInfo, Progress, TrainOptions, TrainingReport, TrainingState,
};
use core::fmt;
use core::ops::ControlFlow;
use rand::Rng;

/// Trains `network` on `source` on a device: what [`train`](crate::train) does, with the same shuffles and the same
/// treatment of best weights and patience. On [`Cpu`](crate::Cpu) it gives the bits of `train`, unless the run
/// diverges.
///
/// Losses come back once an epoch, as their mean, with the parameters; between, nothing waits for the device. So a
/// divergence is found at the end of its epoch: where the mean is a million times the least of the epochs before, or
/// is not finite, or a parameter is not. `train` also compares each step with the first of its epoch, and stops there. What
/// is kept, if not the best weights, are those that the last sound epoch began with. The validation set is answered
/// on the device too.
///
/// To solve problems with the network make it an [`Estimator`](crate::Estimator::new) of the source's fingerprint, with
/// [its front](crate::Estimator::with_front) if it was trained behind one and [the report](crate::Estimator::with_training).
///
/// # Errors
/// Those of [`Backend::stepper`]; a validation set of another shape than the network or of another fingerprint than the
/// source's, or seen through another front; patience without one; a device that fails.
pub fn train_on<T: Real, N: Network<T>, B: Backend<T, N>>(
    backend: &B,
    network: N,
    source: &dyn TrainingSource<T>,
    validation: Option<&TrainingSet<T>>,
    options: &TrainOptions,
    rng: &mut (impl Rng + ?Sized),
    observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
) -> Result<(N, TrainingReport)> {
    DeviceTraining::new(backend, network, source, options, rng)?.run(validation, observer)
}

/// [`train_on`] epoch by epoch: for loops of one's own, and runs that are interrupted and go on.
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
/// let mut training = DeviceTraining::new(&Cpu, network, &set, &options, &mut rng)?;
/// training.epoch(None)?;
/// let state = training.state()?; // plain data with the feature `serde`
/// let mut training = DeviceTraining::resume(&Cpu, state, &set)?;
/// while let Some(info) = training.epoch(None)? {
///     assert!(info.epoch > 1);
/// }
/// let (network, report) = training.finish()?;
/// assert_eq!(report.epochs, 10);
/// # Ok::<(), Error>(())
/// ```
pub struct DeviceTraining<'s, T: Real, N: Network<T>, B: Backend<T, N>> {
    stepper: B::Stepper<'s>,
    source: &'s dyn TrainingSource<T>,
    progress: Progress<T>,
    /// The weights to go back to after a divergence.
    sound: Option<Vec<T>>,
}

impl<'s, T: Real, N: Network<T>, B: Backend<T, N>> DeviceTraining<'s, T, N, B> {
    /// A run of `network` over `source`; `rng` gives the seed of its shuffles. A source smaller than a batch makes
    /// one.
    ///
    /// # Errors
    /// Those of [`Backend::stepper`].
    pub fn new(
        backend: &B,
        network: N,
        source: &'s dyn TrainingSource<T>,
        options: &TrainOptions,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let options = TrainOptions { batch: options.batch.min(source.epoch_len()), ..*options };
        let progress = Progress::new(source, network.parameters(), rng);
        let stepper = backend.stepper(network, source, &options)?;
        Ok(DeviceTraining { stepper, source, progress, sound: None })
    }

    /// Goes on where `state` was taken, over the same source, on this device or another: on the same one with
    /// the bits of a run that was never interrupted. States are those of [`Training`](crate::Training).
    ///
    /// # Errors
    /// As [`Training::resume`](crate::Training::resume), and those of [`Backend::stepper`].
    pub fn resume(
        backend: &B,
        mut state: TrainingState<T, N>,
        source: &'s dyn TrainingSource<T>,
    ) -> Result<Self> {
        let progress = state.progress(source)?;
        let mut stepper = backend.stepper(state.network, source, &state.options)?;
        stepper.restore(&state.adam, state.steps)?;
        Ok(DeviceTraining { stepper, source, progress, sound: None })
    }

    /// All epochs that are left; see [`train_on`].
    ///
    /// # Errors
    /// Those of [`epoch`](Self::epoch).
    pub fn run(
        mut self,
        validation: Option<&TrainingSet<T>>,
        mut observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Result<(N, TrainingReport)> {
        while let Some(info) = self.epoch(validation)? {
            if observer(&info).is_break() {
                self.stop();
            }
        }
        self.finish()
    }

    /// Ends the run: the next epoch will not be.
    pub fn stop(&mut self) {
        self.progress.stop();
    }

    /// One epoch, then the errors over the validation set; `None` once the run has ended.
    ///
    /// # Errors
    /// A validation set of another shape than the network or of another fingerprint than the source's, or seen through
    /// another front; patience without one; a device that fails.
    pub fn epoch(&mut self, validation: Option<&TrainingSet<T>>) -> Result<Option<EpochInfo>> {
        let DeviceTraining { stepper, source, progress, sound } = self;
        let options = *stepper.options();
        if let Some(validation) = validation {
            let network = stepper.network()?;
            let (m, n) = (network.input_len(), network.output_len());
            check_len("validation", validation.data().nrows(), m, "the network's input")?;
            check_len("validation", validation.weights().nrows(), n, "the network's output")?;
        }
        options.check_validation(*source, validation)?;
        if progress.is_over(&options) {
            return Ok(None);
        }
        stepper.run(progress.shuffle())?;
        let (loss, steps) = (stepper.loss()?, stepper.steps());
        let network = stepper.network()?;
        let seen = (*source, steps);
        if let Some(origin) = DivergenceOrigin::of_epoch(network, seen, loss, progress.limit()) {
            *sound = Some(progress.diverge(origin, steps, false).to_vec());
            return Ok(None);
        }
        progress.accept(loss, network.parameters());
        let errors = match validation {
            Some(validation) => Some(validation.score(&stepper.predict(validation.data())?)?),
            None => None,
        };
        progress.judge(errors, &options);
        Ok(Some(EpochInfo {
            epoch: progress.epochs(),
            epochs: options.epochs,
            steps,
            training_loss: loss,
            validation: errors,
            learning_rate: stepper.learning_rate(),
        }))
    }

    /// Everything that is needed to go on from here; see [`Training::state`](crate::Training::state).
    ///
    /// # Errors
    /// A device that fails.
    pub fn state(&mut self) -> Result<TrainingState<T, N>>
    where
        N: Clone,
    {
        let (options, steps) = (*self.stepper.options(), self.stepper.steps());
        let adam = self.stepper.optimizer()?;
        let mut network = self.stepper.network()?.clone();
        if let Some(sound) = &self.sound {
            network.parameters_mut().copy_from_slice(sound);
        }
        Ok(TrainingState::new(network, adam, options, steps, &self.progress))
    }

    /// The network, with the weights of its best epoch if there was a validation and the options want them, and the
    /// report of the run.
    ///
    /// # Errors
    /// A device that fails.
    pub fn finish(self) -> Result<(N, TrainingReport)> {
        let (options, steps) = (*self.stepper.options(), self.stepper.steps());
        let mut network = self.stepper.finish()?;
        let (best, report) = self.progress.finish(&options, steps);
        if let Some(parameters) = best.or(self.sound) {
            network.parameters_mut().copy_from_slice(&parameters);
        }
        Ok((network, report))
    }
}

impl<T: Real, N: Network<T>, B: Backend<T, N>> fmt::Debug for DeviceTraining<'_, T, N, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceTraining")
            .field("options", self.stepper.options())
            .field("steps", &self.stepper.steps())
            .finish_non_exhaustive()
    }
}
