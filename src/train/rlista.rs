//! The paper's network in one call.

use super::{EpochInfo, Estimator, TrainOptions};
use crate::error::{Error, Result};
use crate::network::{Front, Initialization, Thresholds, Unrolled, UnrolledArchitecture};
use crate::prox::SoftThreshold;
use crate::real::Real;
use crate::synthetic::{TrainingSet, TrainingSource};
use core::ops::ControlFlow;
use rand::Rng;

/// LISTA and its relaxation with soft thresholds: the networks of the learned-optimizers paper.
pub type Rlista<T = f32> = Unrolled<T, SoftThreshold>;

/// Network and training of [`Rlista::train`] and [`Rlista::train_from`].
#[derive(Debug, Clone, PartialEq)]
pub struct RlistaConfig {
    /// Number of layers L.
    pub depth: usize,
    /// Relaxation η in (0, 1]; 1 is LISTA, which wants a learning rate of 0.003 or less.
    pub relaxation: f64,
    /// Whether every layer learns an η of its own.
    pub learned_relaxation: bool,
    /// Whether a layer learns one threshold or one a component.
    pub thresholds: Thresholds,
    /// Random initial weights.
    pub initialization: Initialization,
    /// A fixed map of the data before the network.
    pub front: Option<Front>,
    /// The training.
    pub options: TrainOptions,
}

impl Default for RlistaConfig {
    /// The paper's: ten layers, η = ½, LeCun-normal weights, and the training of its table I
    /// ([`TrainOptions::default`]), without its ℓ² penalty, which
    /// taken as a sum of squares makes the result worse (0.063 instead of 0.046 in a short run).
    fn default() -> Self {
        RlistaConfig {
            depth: 10,
            relaxation: 0.5,
            learned_relaxation: false,
            thresholds: Thresholds::Shared,
            initialization: Initialization::default(),
            front: None,
            options: TrainOptions::default(),
        }
    }
}

impl RlistaConfig {
    /// What serves better than the paper's recipe: the network behind a front of leading singular vectors
    /// ([`Front::singular`]), small initial weights (LeCun-normal × 0.1) and a learning rate that falls
    /// to zero along a cosine over `epochs` passes through `samples` samples.
    pub fn conditioned(front: Front, epochs: usize, samples: usize) -> Self {
        RlistaConfig {
            initialization: Initialization { scale: 0.1, ..Initialization::default() },
            front: Some(front),
            options: TrainOptions::cosine(epochs, samples),
            ..Self::default()
        }
    }
}

impl<T: Real> Rlista<T> {
    /// Builds a network for the shapes of `set`, and trains it.
    ///
    /// `rng` gives the initial weights, then the seed of the shuffles. `observer` sees every epoch and may
    /// stop the run. There is no validation, hence no patience either: for those take [`Estimator::train`].
    ///
    /// ```
    /// use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
    /// use fredholm::*;
    /// use std::ops::ControlFlow;
    /// let (beta, grid) = (8.0, FrequencyGrid::uniform(-3.0, 3.0, 20)?);
    /// let tau: Vec<f64> = (0..30).map(|i| beta * f64::from(i) / 29.0).collect();
    /// let noise = Whitening::from_errors(&[1e-4; 30])?;
    /// let model = ForwardModel::new(&FermionTime::new(beta)?, &tau, &grid, noise)?;
    ///
    /// let mut rng = ChaCha8Rng::seed_from_u64(1);
    /// let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-4));
    /// let set = TrainingSet::<f32>::generate(&mixture, &model, 1000, &noise, &mut rng)?;
    /// let config =
    ///     RlistaConfig { depth: 3, options: TrainOptions::scaled(2, 1000), ..Default::default() };
    /// let estimator = Rlista::train(&set, &config, &mut rng, |_| ControlFlow::Continue(()))?;
    /// assert!(estimator.evaluate(&set)?.mean < 0.3);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Unrolled::random`] and [`Estimator::train`].
    pub fn train(
        set: &TrainingSet<T>,
        config: &RlistaConfig,
        rng: &mut (impl Rng + ?Sized),
        observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Result<Estimator<T, Self>> {
        match &config.front {
            Some(front) => Self::train_from(&set.conditioned(front)?, config, rng, observer),
            None => Self::train_from(set, config, rng, observer),
        }
    }

    /// The same on any source of samples that tells its fingerprint, a [`SampleStream`](crate::SampleStream) of
    /// fresh ones for example. The network stands behind the source's own front.
    ///
    /// ```
    /// use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
    /// use fredholm::*;
    /// use std::ops::ControlFlow;
    /// # let (beta, grid) = (8.0, FrequencyGrid::uniform(-3.0, 3.0, 20)?);
    /// # let tau: Vec<f64> = (0..30).map(|i| beta * f64::from(i) / 29.0).collect();
    /// # let noise = Whitening::from_errors(&[1e-4; 30])?;
    /// # let model = ForwardModel::new(&FermionTime::new(beta)?, &tau, &grid, noise)?;
    /// let mut rng = ChaCha8Rng::seed_from_u64(1);
    /// let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-4));
    /// // A front from a few samples, then a stream behind it: two epochs of 1000 samples, none of them seen twice.
    /// let few = TrainingSet::<f64>::generate(&mixture, &model, 500, &noise, &mut rng)?;
    /// let front = Front::singular(model.kernel(), 8, few.data())?;
    /// let stream = SampleStream::new(&mixture, &model, Some(&front), &noise, 1000, &mut rng)?;
    /// let config = RlistaConfig { depth: 3, ..RlistaConfig::conditioned(front, 2, 1000) };
    /// let estimator = Rlista::<f32>::train_from(&stream, &config, &mut rng, |info| {
    ///     assert!(info.epoch <= 2);
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(estimator.fingerprint(), model.fingerprint()); // it takes raw data of this model
    /// assert_eq!(estimator.input_len(), 30);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Unrolled::random`] and [`Estimator::train_from`]; a front in `config` that is not the source's.
    pub fn train_from<S: TrainingSource<T> + ?Sized>(
        source: &S,
        config: &RlistaConfig,
        rng: &mut (impl Rng + ?Sized),
        observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Result<Estimator<T, Self>> {
        if config.front.is_some() && config.front.as_ref() != source.front() {
            return Err(Error::Unsupported {
                argument: "front",
                value: "another than the source's",
                expected: "none, or the one that the source shows its samples behind",
            });
        }
        let architecture = UnrolledArchitecture {
            input: source.input_len(),
            output: source.output_len(),
            depth: config.depth,
            relaxation: T::lit(config.relaxation),
            learned_relaxation: config.learned_relaxation,
            thresholds: config.thresholds,
        };
        let network = Self::random(architecture, SoftThreshold, &config.initialization, rng)?;
        Estimator::train_from(network, source, None, &config.options, rng, observer)
    }
}
