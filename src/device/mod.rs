//! Devices: whole steps of training, inference and continuation handed to whatever does the arithmetic. Floor 8.
//!
//! The seam lies at the level of a step, not of a product: parameters, moments and the training set are
//! uploaded once, noise is drawn there, a step runs where they are, and only losses and finished parameters come back. One small product
//! after the other would be slower than not to offload at all.
//!
//! - [`Backend`]: a device as the caller names it, [`Cpu`] being the one that is always there;
//! - [`Stepper`]: a network in training on a device; [`Predictor`]: a network that answers there;
//! - [`train_on`]: the training loop of [`train`](crate::train), on any device; [`DeviceTraining`]: epoch by epoch;
//! - [`DeviceNetwork`], [`Plan`]: a network as data, which any device can run and differentiate; [`DeviceActivation`]:
//!   an activation as formulas, which its compiler reads;
//! - `Wgpu` and `Cuda`, with the features of their names;
//! - [`Continuation`]: many maximum-entropy problems of one prepared model.
//!
//! A backend says by its implementations what it can do. A precision a device lacks, or a network that has no form
//! there, is a bound that does not hold: it does not compile, instead of being rounded or computed elsewhere.
//!
//! # From a network to a device
//!
//! `lower` writes a plan as launches of some sixteen kernels (`launch`), forward and in reverse, for one fixed layout of
//! all numbers in one arena; `engine` trains and answers with them on any `Machine`: memory, and lists of launches
//! made ready and repeated. The engine exists once. A device has the kernels in its language and a machine; an interpreter in
//! plain loops, for the tests alone, has the launches in Rust and is their oracle in both precisions.
//!
//! # How to add a device
//!
//! 1. Write the kernels of `encode`, with the arguments in its order, and a `Machine`.
//! 2. Implement `Open` and [`Backend`], for the precisions it has.
//! 3. Run the battery of `battery.rs` on it: every network, forward pass, gradient, a hundred steps and refusals
//!    against the crate's own engine:
//!
//! ```text
//! battery!(device, f32, 1e-4);
//! ```

mod activation;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod encode;
#[cfg(any(feature = "wgpu", feature = "cuda", test))]
mod engine;
#[cfg(any(feature = "wgpu", feature = "cuda", test))]
mod launch;
#[cfg(any(feature = "wgpu", feature = "cuda", test))]
mod lower;
mod networks;
mod plan;
mod training;
#[cfg(feature = "wgpu")]
mod wgpu;

#[cfg(test)]
mod battery;
#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod tests;

pub use activation::{DeviceActivation, Formulas};
pub use cpu::{Cpu, CpuPredictor, CpuStepper};
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub use engine::{DevicePredictor, DeviceStepper};
pub use plan::{DeviceNetwork, Operation, Plan, Relaxation};
pub use training::{DeviceTraining, train_on};
#[cfg(feature = "wgpu")]
pub use wgpu::Wgpu;

use crate::error::Result;
use crate::maxent::PreparedMaxEnt;
use crate::network::Network;
use crate::real::Real;
use crate::solution::Solution;
use crate::synthetic::TrainingSource;
use crate::train::{Adam, TrainOptions};
use nalgebra::DMatrix;

/// A device on which networks of type `N` train and answer in precision `T`.
///
/// ```
/// use fredholm::*;
/// # use fredholm::nalgebra::DMatrix;
/// # let mut rng = <rand::rngs::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
/// let shape = UnrolledArchitecture::rlista(5, 4, 3);
/// let network = Rlista::<f32>::random(shape, SoftThreshold, &Default::default(), &mut rng)?;
/// let data = DMatrix::from_fn(5, 7, |i, j| ((i * j) as f32).sin());
///
/// fn answers<B: Backend<f32, Rlista<f32>>>(
///     device: &B,
///     network: &Rlista<f32>,
///     data: &DMatrix<f32>,
/// ) -> Result<DMatrix<f32>> {
///     device.predictor(network, 256)?.predict(data)
/// }
/// assert_eq!(answers(&Cpu, &network, &data)?.shape(), (4, 7));
/// # Ok::<(), Error>(())
/// ```
pub trait Backend<T: Real, N: Network<T>> {
    /// What trains there, on samples that live for `'s`.
    type Stepper<'s>: Stepper<T, N>;
    /// What answers there, for a network that lives for `'n`.
    type Predictor<'n>: Predictor<T>
    where
        N: 'n;

    /// The device's name, for reports.
    fn name(&self) -> String;

    /// Takes a network and uploads it with all of `source` that can stay there
    /// ([`TrainingSource::resident`]); samples that are drawn when they are used come as the steps do, in
    /// slabs of some megabytes. Allocates every buffer of a step of [`TrainOptions::batch`] samples.
    ///
    /// # Errors
    /// Those of [`TrainOptions::validate`]; a source of another shape than the network; what the device cannot hold.
    fn stepper<'s>(
        &self,
        network: N,
        source: &'s dyn TrainingSource<T>,
        options: &TrainOptions,
    ) -> Result<Self::Stepper<'s>>;

    /// Uploads a network for inference in panels of `batch` samples.
    ///
    /// # Errors
    /// `batch` zero; what the device cannot hold.
    fn predictor<'n>(&self, network: &'n N, batch: usize) -> Result<Self::Predictor<'n>>
    where
        N: 'n;
}

/// A network that answers on a device.
pub trait Predictor<T: Real> {
    /// Spectral weights for many data vectors, one problem a column.
    ///
    /// # Errors
    /// Data of another length than the network's input; a device that fails.
    fn predict(&mut self, data: &DMatrix<T>) -> Result<DMatrix<T>>;
}

/// A network in training on a device: parameters, optimiser, samples and buffers are there.
pub trait Stepper<T: Real, N: Network<T>>: Predictor<T> {
    /// How it trains.
    fn options(&self) -> &TrainOptions;

    /// Steps done or handed to the device.
    fn steps(&self) -> usize;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64 {
        self.options().learning_rate * self.options().schedule.factor(self.steps())
    }

    /// Steps through `order`, numbers of samples, one whole batch after the other; what is left over after the last
    /// whole batch is left out. A device may return before it has done them.
    ///
    /// A step whose loss is not finite leaves the parameters as they were, and shows in the next
    /// [`loss`](Self::loss).
    ///
    /// # Errors
    /// A number beyond the source's epoch; a device that fails.
    fn run(&mut self, order: &[usize]) -> Result<()>;

    /// Mean loss of the steps since it was last asked for, each before its step, once they are done; NaN if there
    /// was none. Not finite if that of one step was not.
    ///
    /// # Errors
    /// A device that fails.
    fn loss(&mut self) -> Result<f64>;

    /// Mean loss over these samples with the parameters as they are, without a step: samples as they are at the
    /// next step, where they are drawn anew.
    ///
    /// # Errors
    /// No sample, a number beyond the source's epoch; a device that fails.
    fn evaluate(&mut self, samples: &[usize]) -> Result<f64>;

    /// The gradient of the mean loss of one batch of samples, with that of the ℓ² penalty, written into `gradient`;
    /// returns the mean loss. No step: for optimisers of one's own, and gradients summed over machines.
    ///
    /// # Errors
    /// Another number of samples than a batch, a number beyond the source's epoch, a `gradient` of another length than the
    /// parameters; a device that fails.
    fn gradient(&mut self, samples: &[usize], gradient: &mut [T]) -> Result<f64>;

    /// The optimiser after the steps done.
    ///
    /// # Errors
    /// A device that fails.
    fn optimizer(&mut self) -> Result<Adam<T>>;

    /// Goes on from an optimiser that has done `steps` steps with this network.
    ///
    /// # Errors
    /// An optimiser of another number of parameters; a device that fails.
    fn restore(&mut self, optimizer: &Adam<T>, steps: usize) -> Result<()>;

    /// The network with the parameters as they are now.
    ///
    /// # Errors
    /// A device that fails.
    fn network(&mut self) -> Result<&N>;

    /// The same, by value.
    ///
    /// # Errors
    /// A device that fails.
    fn finish(self) -> Result<N>
    where
        Self: Sized;
}

/// A device that solves many maximum-entropy problems of one prepared model. Apart from [`Backend`], so that a
/// device without the precision it needs does not claim it.
pub trait Continuation<T: Real> {
    /// The answers to many raw data vectors, one a column, each with its certificate; see
    /// [`PreparedMaxEnt::solve_many`].
    ///
    /// # Errors
    /// Another number of rows than the model has data, data that are not finite; a device that fails. Failure to
    /// converge, or to choose α, is a [`Status`](crate::Status).
    fn continue_many(
        &self,
        prepared: &PreparedMaxEnt<T>,
        data: &DMatrix<T>,
    ) -> Result<Vec<Solution<T>>>;
}
