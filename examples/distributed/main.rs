//! Trains a network and continues a batch of spectra on many machines.
//!
//! ```sh
//! cargo build --release --features mpi,serde --example distributed
//! mpirun -n 4 target/release/examples/distributed [--samples 20000] [--epochs 10] [--depth 10] \
//!     [--batch 256] [--spectra 256] [--seed 1] [--threads 1] [--state FILE] [--fail RANK:EPOCH] [--scaling yes]
//! ```
//!
//! The setting of the learned-optimizers paper: β = 16, 100 imaginary times, 50 frequencies on [−3, 3]; RLISTA on
//! `--samples` fresh spectra an epoch, of which every rank draws its share; then maximum entropy for `--spectra`
//! others, which rank 0 deals out. With `--state` rank 0 saves the run after every epoch, and a run whose file is
//! there goes on from it (all ranks must see the file). Where a rank fails MPI ends all of them, and the file holds
//! the last whole epoch: `--fail 2:3` has rank 2 die after epoch 3. `--threads` is for each rank.
//!
//! `--scaling yes` measures instead: steps, sums and continuation on 1, 2, 4, … of the ranks, and what they say
//! about a thousand.

#![allow(clippy::print_stdout, clippy::print_stderr)] // it is what the program is for

mod scaling;

use fredholm::mpi;
use fredholm::mpi::topology::SimpleCommunicator;
use fredholm::mpi::traits::Communicator as _;
use fredholm::nalgebra::DMatrix;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, Initialization, MaxEnt,
    MpiCommunicator, NoiseLevel, Rlista, SampleStream, SoftThreshold, TrainOptions, Training,
    TrainingSet, TrainingState, UnrolledArchitecture, Whitening,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Outcome<V> = Result<V, Box<dyn std::error::Error>>;
type Ranks = MpiCommunicator<SimpleCommunicator>;

/// Noise of the data.
const SIGMA: f64 = 1e-4;

struct Arguments {
    samples: usize,
    epochs: usize,
    depth: usize,
    batch: usize,
    spectra: usize,
    seed: u64,
    #[cfg_attr(not(feature = "rayon"), allow(dead_code))]
    threads: usize,
    state: Option<PathBuf>,
    /// Rank and epoch of a death on purpose.
    fail: Option<(usize, usize)>,
    scaling: bool,
}

impl Arguments {
    fn parse() -> Outcome<Self> {
        let mut a = Arguments {
            samples: 20_000,
            epochs: 10,
            depth: 10,
            batch: 256,
            spectra: 256,
            seed: 1,
            threads: 1,
            state: None,
            fail: None,
            scaling: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--samples" => a.samples = value.parse()?,
                "--epochs" => a.epochs = value.parse()?,
                "--depth" => a.depth = value.parse()?,
                "--batch" => a.batch = value.parse()?,
                "--spectra" => a.spectra = value.parse()?,
                "--seed" => a.seed = value.parse()?,
                "--threads" => a.threads = value.parse()?,
                "--state" => a.state = Some(value.into()),
                "--fail" => {
                    let (rank, epoch) = value.split_once(':').ok_or("--fail wants RANK:EPOCH")?;
                    a.fail = Some((rank.parse()?, epoch.parse()?));
                }
                "--scaling" if value == "yes" => a.scaling = true,
                "--scaling" => return Err(format!("--scaling {value}: expected yes").into()),
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(a)
    }
}

/// The paper's problem: β = 16, 100 imaginary times, 50 frequencies.
fn model() -> Outcome<Arc<ForwardModel<f64>>> {
    let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50)?;
    let noise = Whitening::from_errors(&vec![SIGMA; tau.len()])?;
    Ok(Arc::new(ForwardModel::new(&FermionTime::new(16.0)?, &tau, &grid, noise)?))
}

/// A bar on rank 0, none elsewhere.
fn bar(ranks: &Ranks, length: usize) -> Outcome<ProgressBar> {
    if ranks.rank() > 0 {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} eta {eta}")?;
    Ok(ProgressBar::new(length as u64).with_style(style))
}

/// What rank 0 saved, if there is a file.
fn saved(path: Option<&Path>) -> Outcome<Option<TrainingState<f32, Rlista>>> {
    match path {
        Some(path) if path.exists() => Ok(Some(serde_json::from_slice(&fs::read(path)?)?)),
        _ => Ok(None),
    }
}

/// The file is the old state or the new one, whenever the program ends.
fn save(path: &Path, state: &TrainingState<f32, Rlista>) -> Outcome<()> {
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(state)?)?;
    Ok(fs::rename(new, path)?)
}

/// Trains on all ranks; the network is the same on each.
fn trained(a: &Arguments, ranks: &Ranks, model: &ForwardModel<f64>) -> Outcome<Rlista> {
    let mut rng = ChaCha8Rng::seed_from_u64(a.seed);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(SIGMA));
    let stream = SampleStream::new(&mixture, model, None, &noise, a.samples, &mut rng)?;
    let test = TrainingSet::<f32>::generate(&mixture, model, 1000, &noise, &mut rng)?;
    let training = match saved(a.state.as_deref())? {
        Some(state) => {
            if ranks.rank() == 0 {
                eprintln!("going on after epoch {}", state.epochs());
            }
            Training::resume(state, &stream)?
        }
        None => {
            let shape = UnrolledArchitecture::rlista(100, 50, a.depth);
            let start = Initialization::default();
            let network = Rlista::random(shape, SoftThreshold, &start, &mut rng)?;
            let options =
                TrainOptions { batch: a.batch, ..TrainOptions::scaled(a.epochs, a.samples) };
            Training::new(network, &stream, &options, &mut rng)?
        }
    };
    let mut training = training.with_communicator(ranks)?;
    let bar = bar(ranks, a.epochs)?;
    while let Some(info) = training.epoch(&stream, Some(&test))? {
        bar.set_position(info.epoch as u64);
        bar.set_message(format!("loss {:.4}", info.training_loss));
        if let Some(path) = a.state.as_ref().filter(|_| ranks.rank() == 0) {
            save(path, &training.state())?;
        }
        if a.fail == Some((ranks.rank(), info.epoch)) {
            std::process::abort();
        }
    }
    bar.finish_and_clear();
    let (network, report) = training.finish();
    if ranks.rank() == 0 {
        let errors = report.validation.ok_or("no validation")?;
        println!("ranks          {}", ranks.size());
        println!(
            "training       {}, {} epochs of {} samples",
            report.status, report.epochs, a.samples
        );
        println!("training loss  {:.9}", report.training_loss);
        println!("RSE, network   {:.9} mean, {:.9} median", errors.mean, errors.median);
    }
    Ok(network)
}

/// Continues the data of rank 0 on all ranks.
fn continued(a: &Arguments, ranks: &Ranks, model: &Arc<ForwardModel<f64>>) -> Outcome<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(a.seed + 1);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(SIGMA));
    let test = (ranks.rank() == 0)
        .then(|| TrainingSet::<f64>::generate(&mixture, model, a.spectra, &noise, &mut rng))
        .transpose()?;
    let data = test.as_ref().map_or_else(|| DMatrix::zeros(0, 0), |test| test.data().clone());
    let bar = bar(ranks, a.spectra.div_ceil(ranks.size()))?;
    let prepared = MaxEnt::default().prepare(model)?;
    let answers = prepared.solve_shared(&data, ranks, &mut |_, _| {
        bar.inc(1);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    if let (Some(test), Some(answers)) = (test, answers) {
        let good = answers.outcomes.iter().flatten().filter(|outcome| outcome.success).count();
        let bounds = answers.outcomes.iter().flatten().filter_map(|outcome| outcome.l1_bound);
        let errors = test.score(&answers.weights)?;
        println!("RSE, maxent    {:.9} mean, {:.9} median", errors.mean, errors.median);
        println!(
            "converged      {good} of {}, L1 bound {:.1e}",
            a.spectra,
            bounds.fold(0.0, f64::max)
        );
    }
    Ok(())
}

fn run(a: &Arguments, world: &SimpleCommunicator) -> Outcome<()> {
    #[cfg(feature = "rayon")]
    rayon::ThreadPoolBuilder::new().num_threads(a.threads).build_global()?;
    let model = model()?;
    if a.scaling {
        return scaling::measure(world, &model);
    }
    let ranks = MpiCommunicator::new(world.duplicate());
    trained(a, &ranks, &model)?;
    continued(a, &ranks, &model)
}

fn main() -> Outcome<()> {
    let threads = mpi::Threading::Funneled;
    let (universe, _) = mpi::initialize_with_threading(threads).ok_or("MPI is in use")?;
    let world = universe.world();
    // Leaving while others wait would leave them waiting, after an error as after a panic.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    if let Err(error) = Arguments::parse().and_then(|a| run(&a, &world)) {
        eprintln!("rank {}: {error}", world.rank());
        world.abort(1);
    }
    Ok(())
}
