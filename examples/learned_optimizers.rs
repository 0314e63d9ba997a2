//! Errors of the networks of the learned-optimizers paper, and of better ones.
//!
//! `cargo run --release --example learned_optimizers -- [--samples 20000] [--epochs 20] [--test 10000]
//! [--noise 1e-5] [--modes 14] [--seed 1] [--only NAME] [--stream yes]`
//!
//! The setting of the paper: β = 16, 100 imaginary times, 50 frequencies on [−3, 3], single precision.
//! Networks on raw data follow the paper's recipe with its whole decay spread over the run; those behind a
//! front of singular vectors start small and follow a cosine. `--only` picks the rows whose name contains
//! a word; `--stream yes` trains on fresh samples instead of a fixed set. 100 000 samples and 150 epochs are
//! the paper's own length. The column `first, step` has the mean over the first 200 test spectra, of the network alone
//! and after a last data-consistency step, which is told the mean error over a validation set. All depths and widths of the paper: `architectures`.

use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    ConvolutionArchitecture, ConvolutionNetwork, DataConsistent, DenseArchitecture, DenseNetwork,
    EpochInfo, ErrorSummary, Estimator, ForwardModel, Front, GaussianMixture, Head, Headed,
    Initialization, Network, NoiseLevel, Problem, Rlista, SampleStream, SoftThreshold, Solution,
    Solver, TrainOptions, TrainingSet, UnrolledArchitecture, WeightDistribution, train,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

#[path = "common/paper.rs"]
mod paper;

type Outcome<V> = Result<V, Box<dyn Error>>;

/// Spectra that are made consistent with their data.
const FIRST: usize = 200;
/// Spectra from which that step knows how far the network is from the truth.
const VALIDATION: usize = 1000;

struct Options {
    samples: usize,
    epochs: usize,
    test: usize,
    noise: f64,
    modes: usize,
    seed: u64,
    only: String,
    stream: bool,
}

impl Options {
    fn parse() -> Outcome<Self> {
        let mut o = Options {
            samples: 20_000,
            epochs: 20,
            test: 10_000,
            noise: 1e-5,
            modes: 14,
            seed: 1,
            only: String::new(),
            stream: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--samples" => o.samples = value.parse()?,
                "--epochs" => o.epochs = value.parse()?,
                "--test" => o.test = value.parse()?,
                "--noise" => o.noise = value.parse()?,
                "--modes" => o.modes = value.parse()?,
                "--seed" => o.seed = value.parse()?,
                "--only" => o.only = value,
                "--stream" => o.stream = value == "yes",
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(o)
    }
}

/// What all rows share.
struct Setting {
    options: Options,
    model: Arc<ForwardModel<f64>>,
    training: TrainingSet<f32>,
    test: TrainingSet<f32>,
    validation: TrainingSet<f32>,
    front: Front,
}

impl Setting {
    fn new(options: Options) -> Outcome<Self> {
        let model = Arc::new(paper::model(options.noise)?);
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(options.noise));
        let mut set = |samples| TrainingSet::generate(&mixture, &model, samples, &noise, &mut rng);
        let (training, test) = (set(options.samples)?, set(options.test)?);
        let validation = set(VALIDATION)?;
        let front = Front::singular(model.kernel(), options.modes, training.data())?;
        Ok(Setting { options, model, training, test, validation, front })
    }

    /// Trains one network, raw or behind the front, and prints its row.
    fn row<N: Network<f32>>(
        &self,
        front: bool,
        learning_rate: f64,
        network: impl FnOnce(usize, &Initialization, &mut ChaCha8Rng) -> fredholm::Result<N>,
    ) -> Outcome<()> {
        let Options { samples, epochs, seed, .. } = self.options;
        let mut rng = ChaCha8Rng::seed_from_u64(seed + 1000);
        let (input, scale, options) = if front {
            (self.front.output_len(), 0.1, TrainOptions::cosine(epochs, samples))
        } else {
            (self.training.data().nrows(), 1.0, TrainOptions::scaled(epochs, samples))
        };
        let options = TrainOptions { learning_rate, ..options };
        let initialization = Initialization { scale, ..Initialization::default() };
        let network = network(input, &initialization, &mut rng)?;
        let name = network.name();
        let label = format!("{name}{}", if front { ", conditioned" } else { "" });
        if !label.contains(&self.options.only) {
            return Ok(());
        }
        let bar = ProgressBar::new(epochs as u64);
        let style = "{prefix:34} {bar:30} {pos}/{len} {msg} eta {eta}";
        bar.set_style(ProgressStyle::with_template(style)?);
        bar.set_prefix(label.clone());
        let watch = |info: &EpochInfo| {
            bar.set_position(info.epoch as u64);
            bar.set_message(format!("loss {:.4}", info.training_loss));
            ControlFlow::Continue(())
        };
        let parameters = network.live_parameters();
        let clock = Instant::now();
        let front = front.then(|| self.front.clone());
        let estimator = if self.options.stream {
            let (mixture, noise) = (GaussianMixture::default(), self.options.noise);
            let noise = NoiseLevel::Uniform(noise);
            let fresh = SampleStream::new(
                &mixture,
                &self.model,
                front.as_ref(),
                &noise,
                samples,
                &mut rng,
            )?;
            let (network, report) = train(network, &fresh, None, &options, &mut rng, watch)?;
            let plain = Estimator::new(network, self.training.fingerprint()).with_training(report);
            match front {
                Some(front) => plain.with_front(front)?,
                None => plain,
            }
        } else {
            Estimator::train(network, front, &self.training, None, &options, &mut rng, watch)?
        };
        let seconds = clock.elapsed().as_secs_f64();
        bar.finish_and_clear();
        self.print(&label, parameters, &estimator, seconds)
    }

    #[allow(clippy::print_stdout)]
    fn print<N: Network<f32>>(
        &self,
        label: &str,
        parameters: usize,
        estimator: &Estimator<f32, N>,
        seconds: f64,
    ) -> Outcome<()> {
        let ErrorSummary { mean, median, p90 } = estimator.evaluate(&self.test)?;
        // The last step, on the first spectra only: it takes them one by one.
        let error = estimator.evaluate(&self.validation)?.mean;
        let consistent = DataConsistent::new(estimator, error).sum(1.0);
        let (mut alone, mut after) = (0.0, 0.0);
        let count = FIRST.min(self.test.len());
        for i in 0..count {
            let data: Vec<f64> = self.test.data().column(i).iter().map(|&g| g.into()).collect();
            let problem = Problem::from_model(Arc::clone(&self.model), &data)?;
            let truth: Vec<f64> = self.test.weights().column(i).iter().map(|&a| a.into()).collect();
            let error = |solution: Solution| -> f64 {
                let pairs = solution.spectrum().weights().into_iter().zip(&truth);
                pairs.map(|(a, t)| (a - t).powi(2)).sum::<f64>().sqrt() / count as f64
            };
            alone += error(estimator.solve(&problem)?);
            after += error(consistent.solve(&problem)?);
        }
        let report = estimator.training().ok_or("no training report")?;
        let training = report.training_loss;
        println!(
            "{label:34} {parameters:10}  {mean:.4}  {median:.4}  {p90:.4}  {training:.4}  \
             {alone:.4} {after:.4}  {seconds:7.1}  {}",
            report.status
        );
        Ok(())
    }
}

fn rlista(
    depth: usize,
    relaxation: f32,
) -> impl Fn(usize, &Initialization, &mut ChaCha8Rng) -> fredholm::Result<Rlista<f32>> {
    move |input, initialization, rng| {
        let architecture =
            UnrolledArchitecture { relaxation, ..UnrolledArchitecture::rlista(input, 50, depth) };
        Rlista::random(architecture, SoftThreshold, initialization, rng)
    }
}

/// FCN and CNN-FCN start from Glorot-uniform weights at full scale.
fn glorot() -> Initialization {
    let distribution = WeightDistribution::GlorotUniform;
    Initialization { distribution, ..Initialization::default() }
}

fn fcn(
    layers: usize,
    width: usize,
) -> impl Fn(usize, &Initialization, &mut ChaCha8Rng) -> fredholm::Result<Headed<DenseNetwork<f32>>>
{
    move |input, _, rng| {
        let architecture = DenseArchitecture::fcn(input, 50, layers, width);
        Ok(Headed::new(DenseNetwork::random(architecture, &glorot(), rng)?, Head::Softmax))
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Outcome<()> {
    let s = Setting::new(Options::parse()?)?;
    let Options { samples, epochs, noise, stream, .. } = s.options;
    let kind = if stream { "fresh samples an epoch" } else { "samples" };
    println!("{samples} {kind}, {epochs} epochs, noise {noise:e}, {} test spectra", s.test.len());
    println!(
        "{:34} {:>10}  {:6}  {:6}  {:6}  {:6}  {:13}  {:>7}",
        "network", "parameters", "mean", "median", "p90", "train", "first, step", "seconds"
    );
    s.row(false, 0.003, rlista(5, 1.0))?;
    s.row(false, 0.01, rlista(6, 0.5))?;
    s.row(false, 0.01, rlista(10, 0.5))?;
    s.row(false, 0.01, rlista(20, 0.5))?;
    s.row(false, 0.01, fcn(2, 400))?;
    s.row(false, 0.01, fcn(3, 300))?;
    s.row(false, 0.01, fcn(4, 256))?;
    s.row(false, 0.01, |input, _, rng| {
        let architecture = ConvolutionArchitecture::cnn_fcn(input, 50, 50);
        Ok(Headed::new(ConvolutionNetwork::random(architecture, &glorot(), rng)?, Head::Softmax))
    })?;
    s.row(true, 0.01, rlista(6, 0.5))?;
    s.row(true, 0.01, rlista(10, 0.5))?;
    s.row(true, 0.01, |input, initialization, rng| {
        Ok(Headed::new(rlista(10, 0.5)(input, initialization, rng)?, Head::Normalised))
    })?;
    s.row(true, 0.01, fcn(4, 105))?;
    s.row(true, 0.01, fcn(4, 256))?;
    Ok(())
}
