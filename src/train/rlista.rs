//! The paper's network in one call.

use super::{EpochInfo, Estimator, TrainOptions};
use crate::error::Result;
use crate::network::{Front, Initialization, Thresholds, Unrolled, UnrolledArchitecture};
use crate::prox::SoftThreshold;
use crate::real::Real;
use crate::synthetic::TrainingSet;
use core::ops::ControlFlow;
use rand::Rng;

/// LISTA and its relaxation with soft thresholds: the networks of the learned-optimizers paper.
pub type Rlista<T = f32> = Unrolled<T, SoftThreshold>;

/// Network and training of [`Rlista::train`].
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
    /// stop the run.
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
        let architecture = UnrolledArchitecture {
            input: config.front.as_ref().map_or(set.data().nrows(), Front::output_len),
            output: set.weights().nrows(),
            depth: config.depth,
            relaxation: T::lit(config.relaxation),
            learned_relaxation: config.learned_relaxation,
            thresholds: config.thresholds,
        };
        let network = Self::random(architecture, SoftThreshold, &config.initialization, rng)?;
        Estimator::train(network, config.front.clone(), set, None, &config.options, rng, observer)
    }
}
