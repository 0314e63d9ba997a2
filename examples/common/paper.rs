//! The setting of the learned-optimizers paper (β = 16 is chosen here, it gives none) and the networks of its
//! appendix A.
#![allow(dead_code)] // not every program uses every network and every judgement

use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    ConvolutionArchitecture, ConvolutionNetwork, DenseArchitecture, DenseNetwork, EpochInfo,
    ErrorSummary, Estimator, FermionTime, ForwardModel, FrequencyGrid, Head, Headed,
    Initialization, Network, NoiseLevel, Robustness, SoftThreshold, TrainOptions, TrainingReport,
    TrainingSet, Unrolled, UnrolledArchitecture, WeightDistribution, Whitening,
};
use std::ops::ControlFlow;

type Outcome<V> = Result<V, Box<dyn std::error::Error>>;

/// Lengths of data and answer.
const SHAPE: (usize, usize) = (100, 50);

/// 100 imaginary times at β = 16, 50 frequencies on [−3, 3], noise of this size.
pub(crate) fn model(noise: f64) -> Outcome<ForwardModel<f64>> {
    let (beta, times) = (16.0, SHAPE.0);
    let tau: Vec<f64> = (0..times).map(|i| beta * i as f64 / (times - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, SHAPE.1)?;
    // Noise of zero has no whitening; the fingerprint does not contain it.
    let whitening = Whitening::from_errors(&vec![noise.max(1e-12); times])?;
    Ok(ForwardModel::new(&FermionTime::new(beta)?, &tau, &grid, whitening)?)
}

/// A network of the paper, by depth L or width w.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Architecture {
    Lista(usize),
    Rlista(usize),
    /// Layers, width.
    Fcn(usize, usize),
    CnnFcn(usize),
}

/// What can be asked of a trained network of any type.
pub(crate) trait Judge {
    fn evaluate(&self, set: &TrainingSet<f32>) -> fredholm::Result<ErrorSummary>;

    fn robustness(
        &self,
        data: &[f64],
        truth: &[f64],
        noise: f64,
        draws: usize,
        rng: &mut ChaCha8Rng,
    ) -> fredholm::Result<Robustness>;
}

impl<N: Network<f32>> Judge for Estimator<f32, N> {
    fn evaluate(&self, set: &TrainingSet<f32>) -> fredholm::Result<ErrorSummary> {
        self.evaluate(set)
    }

    fn robustness(
        &self,
        data: &[f64],
        truth: &[f64],
        noise: f64,
        draws: usize,
        rng: &mut ChaCha8Rng,
    ) -> fredholm::Result<Robustness> {
        self.robustness(data, truth, &NoiseLevel::Uniform(noise), draws, rng)
    }
}

/// A network with what its training did.
pub(crate) struct Trained {
    pub(crate) estimator: Box<dyn Judge>,
    pub(crate) report: TrainingReport,
}

impl Architecture {
    /// Its family, as the paper's figures name it.
    pub(crate) fn family(self) -> String {
        match self {
            Architecture::Lista(_) => "LISTA".into(),
            Architecture::Rlista(_) => "RLISTA".into(),
            Architecture::Fcn(layers, _) => format!("FCN-{layers}"),
            Architecture::CnnFcn(_) => "CNN-FCN".into(),
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Architecture::Lista(size) | Architecture::Rlista(size) => {
                format!("{}-{size}", self.family())
            }
            Architecture::Fcn(_, size) | Architecture::CnnFcn(size) => {
                format!("{}/{size}", self.family())
            }
        }
    }

    /// The number of parameters that act on the answer.
    pub(crate) fn parameters(self) -> Outcome<usize> {
        let (m, n) = SHAPE;
        Ok(match self {
            Architecture::Lista(depth) | Architecture::Rlista(depth) => {
                UnrolledArchitecture::<f32>::rlista(m, n, depth).parameter_count()? - n * n
            }
            Architecture::Fcn(layers, width) => {
                DenseArchitecture::fcn(m, n, layers, width).parameter_count()?
            }
            Architecture::CnnFcn(width) => {
                ConvolutionArchitecture::cnn_fcn(m, n, width).parameter_count()?
            }
        })
    }

    /// Trains it on raw data by the paper's recipe, the whole decay spread over the run; LeCun-normal weights for
    /// unrolled networks, Glorot-uniform ones for the others. LISTA learns at 0.003: at the paper's 0.01 its units die.
    pub(crate) fn train(
        self,
        set: &TrainingSet<f32>,
        epochs: usize,
        seed: u64,
        observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Outcome<Trained> {
        let (m, n) = SHAPE;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let learning_rate = if matches!(self, Architecture::Lista(_)) { 0.003 } else { 0.01 };
        let options = TrainOptions { learning_rate, ..TrainOptions::scaled(epochs, set.len()) };
        let lecun = Initialization::default();
        let distribution = WeightDistribution::GlorotUniform;
        let glorot = Initialization { distribution, ..lecun };
        let unrolled = |architecture: UnrolledArchitecture<f32>, rng: &mut ChaCha8Rng| {
            Unrolled::random(architecture, SoftThreshold, &lecun, rng)
        };
        match self {
            Architecture::Lista(depth) => {
                let network = unrolled(UnrolledArchitecture::lista(m, n, depth), &mut rng)?;
                trained(network, set, &options, rng, observer)
            }
            Architecture::Rlista(depth) => {
                let network = unrolled(UnrolledArchitecture::rlista(m, n, depth), &mut rng)?;
                trained(network, set, &options, rng, observer)
            }
            Architecture::Fcn(layers, width) => {
                let shape = DenseArchitecture::fcn(m, n, layers, width);
                let network = DenseNetwork::random(shape, &glorot, &mut rng)?;
                trained(Headed::new(network, Head::Softmax), set, &options, rng, observer)
            }
            Architecture::CnnFcn(width) => {
                let shape = ConvolutionArchitecture::cnn_fcn(m, n, width);
                let network = ConvolutionNetwork::random(shape, &glorot, &mut rng)?;
                trained(Headed::new(network, Head::Softmax), set, &options, rng, observer)
            }
        }
    }
}

fn trained<N: Network<f32> + 'static>(
    network: N,
    set: &TrainingSet<f32>,
    options: &TrainOptions,
    mut rng: ChaCha8Rng,
    observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
) -> Outcome<Trained> {
    let estimator = Estimator::train(network, None, set, None, options, &mut rng, observer)?;
    let report = *estimator.training().ok_or("no training report")?;
    Ok(Trained { estimator: Box::new(estimator), report })
}
