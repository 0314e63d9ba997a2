//! The paper's network in one call.

use super::{EpochInfo, Estimator, TrainOptions, train};
use crate::error::Result;
use crate::network::{Initialization, Unrolled, UnrolledArchitecture};
use crate::prox::SoftThreshold;
use crate::real::Real;
use crate::synthetic::TrainingSet;
use core::ops::ControlFlow;
use rand::Rng;

/// LISTA and its relaxation with soft thresholds: the networks of the learned-optimizers paper.
pub type Rlista<T = f32> = Unrolled<T, SoftThreshold>;

/// Network and training of [`Rlista::train`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RlistaConfig {
    /// Number of layers L.
    pub depth: usize,
    /// Relaxation η in (0, 1]; 1 is LISTA, which wants a learning rate of 0.003 or less.
    pub relaxation: f64,
    /// Random initial weights.
    pub initialization: Initialization,
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
            initialization: Initialization::default(),
            options: TrainOptions::default(),
        }
    }
}

impl<T: Real> Rlista<T> {
    /// Builds a network for the shapes of `set`, and trains it.
    ///
    /// `rng` gives the initial weights, then the seed of the shuffles. `observer` sees every epoch and may
    /// stop the run.
    ///
    /// # Errors
    /// Those of [`Unrolled::random`] and [`train`].
    pub fn train(
        set: &TrainingSet<T>,
        config: &RlistaConfig,
        rng: &mut (impl Rng + ?Sized),
        observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Result<Estimator<T, Self>> {
        let architecture = UnrolledArchitecture {
            input: set.data().nrows(),
            output: set.weights().nrows(),
            depth: config.depth,
            relaxation: T::lit(config.relaxation),
        };
        let network = Self::random(architecture, SoftThreshold, &config.initialization, rng)?;
        let (network, report) = train(network, set, None, &config.options, rng, observer)?;
        Ok(Estimator::new(network, set.fingerprint()).with_training(report))
    }
}
