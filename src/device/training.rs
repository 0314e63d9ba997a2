//! The training loop over a backend's steps.

use super::{Backend, Predictor, Stepper};
use crate::error::{Result, check_len};
use crate::network::Network;
use crate::real::Real;
use crate::synthetic::TrainingSet;
use crate::train::{DivergenceOrigin, EpochInfo, Progress, TrainOptions, TrainingReport};
use core::ops::ControlFlow;
use rand::Rng;

/// Trains `network` on `set` on a device: what [`train`](crate::train) does, with the same shuffles and the same
/// treatment of best weights and patience. On [`Cpu`](crate::Cpu) it gives the bits of `train`, unless the run
/// diverges.
///
/// Losses come back once an epoch, as their mean, with the parameters; between, nothing waits for the device. So a
/// divergence is found at the end of its epoch: where the mean is a million times the least of the epochs before, or
/// is not finite, or a parameter is not. `train` also compares each step with the first of its epoch, and stops there. What
/// is kept, if not the best weights, are those that the last sound epoch began with. The validation set is answered
/// on the device too.
///
/// # Errors
/// Those of [`Backend::stepper`]; a validation set of another shape than the network or of another fingerprint than the
/// training set's, or seen through another front; patience without one; a device that fails.
pub fn train_on<T: Real, N: Network<T>, B: Backend<T, N>>(
    backend: &B,
    network: N,
    set: &TrainingSet<T>,
    validation: Option<&TrainingSet<T>>,
    options: &TrainOptions,
    rng: &mut (impl Rng + ?Sized),
    mut observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
) -> Result<(N, TrainingReport)> {
    if let Some(validation) = validation {
        let (m, n) = (network.input_len(), network.output_len());
        check_len("validation", validation.data().nrows(), m, "the network's input")?;
        check_len("validation", validation.weights().nrows(), n, "the network's output")?;
    }
    options.check_validation(set, validation)?;
    let options = TrainOptions { batch: options.batch.min(set.len()), ..*options };
    let mut progress = Progress::new(set, network.parameters(), rng);
    let mut stepper = backend.stepper(network, set, &options)?;
    let mut sound = None;
    while !progress.is_over(&options) {
        stepper.run(progress.shuffle())?;
        let (loss, steps) = (stepper.loss()?, stepper.steps());
        let network = stepper.network()?;
        if let Some(origin) = DivergenceOrigin::of_epoch(network, set, loss, progress.limit()) {
            sound = Some(progress.diverge(origin, steps, false).to_vec());
            break;
        }
        progress.accept(loss, network.parameters());
        let errors = match validation {
            Some(validation) => Some(validation.score(&stepper.predict(validation.data())?)?),
            None => None,
        };
        progress.judge(errors, &options);
        let info = EpochInfo {
            epoch: progress.epochs(),
            epochs: options.epochs,
            steps,
            training_loss: loss,
            validation: errors,
            learning_rate: stepper.learning_rate(),
        };
        if observer(&info).is_break() {
            progress.stop();
        }
    }
    let steps = stepper.steps();
    let mut network = stepper.finish()?;
    let (best, report) = progress.finish(&options, steps);
    if let Some(parameters) = best.or(sound) {
        network.parameters_mut().copy_from_slice(&parameters);
    }
    Ok((network, report))
}
