//! What a device does with the networks of the learned-optimizers paper, and with maximum entropy: one table, in less
//! than nine minutes.
//!
//! ```text
//! cargo run --release --features wgpu --example device_table            # a Vulkan, Metal or DirectX 12 device
//! cargo run --release --features cuda --example device_table -- cuda    # an NVIDIA device, f32 and f64
//! cargo run --release --example device_table -- cpu                     # this machine's cores
//! ```
//!
//! `--seconds S` is the time given to each figure (3), `--small` leaves out the large networks (for software devices).
//! Every figure stands beside its floor: the time its floating-point operations or its bytes would take at
//! `--tflops` (default 67, an H200's in f32; half of it in f64) and `--bandwidth` TB/s (4.8).
//!
//! Maximum entropy is there in `f64`, on the processor's cores and on NVIDIA devices: 100 000 spectra (256 where
//! `--small`), the work of this machine included.

#![allow(clippy::print_stdout)]

use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    AugmentedSet, Backend, Continuation, Cpu, FermionTime, ForwardModel, FrequencyGrid, Front,
    GaussianMixture, Initialization, MaxEnt, NoiseLevel, Predictor, Real, Rlista, SampleStream,
    SoftThreshold, Stepper, TrainOptions, TrainingSet, TrainingSource, UnrolledArchitecture,
    Whitening,
};
use std::sync::Arc;
use std::time::Instant;

/// Floating-point operations of maximum entropy for one spectrum at 50 × 100 with 45 α, counted from the kernel: 32 modes,
/// of which 23 are active on average, and 1.84 Newton steps an α, as `solve_many` needs (see `outgrowing`).
const MAXENT_FLOPS: f64 = 6.2e6;
/// Bytes it writes: for each α nine figures, 90 numbers of the dual, 50 weights.
const MAXENT_BYTES: f64 = 45.0 * 149.0 * 8.0;

type Outcome<V> = Result<V, Box<dyn std::error::Error>>;

/// How to measure, and the device's limits.
struct Settings {
    seconds: f64,
    small: bool,
    tflops: f64,
    bandwidth: f64,
}

/// One line of the table.
struct Line {
    what: String,
    seconds: f64,
    flops: f64,
    bytes: f64,
}

fn model(m: usize, n: usize) -> Outcome<ForwardModel<f64>> {
    let tau: Vec<f64> = (0..m).map(|i| 16.0 * i as f64 / (m - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, n)?;
    let noise = Whitening::from_errors(&vec![1e-5; m])?;
    Ok(ForwardModel::new(&FermionTime::new(16.0)?, &tau, &grid, noise)?)
}

fn samples<T: Real>(m: usize, n: usize, count: usize) -> Outcome<TrainingSet<T>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let noise = NoiseLevel::Uniform(1e-5);
    Ok(TrainingSet::generate(&GaussianMixture::default(), &model(m, n)?, count, &noise, &mut rng)?)
}

fn network<T: Real>(m: usize, n: usize, depth: usize) -> Outcome<Rlista<T>> {
    let shape = UnrolledArchitecture::rlista(m, n, depth);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    Ok(Rlista::random(shape, SoftThreshold, &Initialization::default(), &mut rng)?)
}

/// Multiplications and additions of a forward pass for one sample.
fn forward_flops(m: usize, n: usize, depth: usize) -> f64 {
    2.0 * (depth * n * m + (depth - 1) * n * n) as f64
}

/// The same of a training step: every product forward and for its weights, those between layers once more for what
/// flows back. Nothing flows to the data.
fn step_flops(m: usize, n: usize, depth: usize) -> f64 {
    (4 * depth * n * m + 6 * (depth - 1) * n * n) as f64
}

/// The median time of `f` over `seconds`, after one call that does not count.
fn time(seconds: f64, mut f: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    f()?;
    let (begin, mut times) = (Instant::now(), Vec::new());
    while begin.elapsed().as_secs_f64() < seconds || times.len() < 3 {
        let start = Instant::now();
        f()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// What a step trains on.
#[derive(Clone, Copy)]
enum Kind {
    /// A set on the device.
    Set,
    /// The same, with noise drawn there.
    Noise,
    /// Fresh samples, drawn on this machine.
    Stream,
}

impl Kind {
    fn source<T: Real>(
        self,
        m: usize,
        n: usize,
        count: usize,
    ) -> Outcome<Box<dyn TrainingSource<T>>> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let noise = NoiseLevel::Uniform(1e-5);
        Ok(match self {
            Kind::Set => Box::new(samples::<T>(m, n, count)?),
            Kind::Noise => {
                Box::new(AugmentedSet::new(&samples::<T>(m, n, count)?, None, &noise, &mut rng)?)
            }
            Kind::Stream => {
                let (mixture, model) = (GaussianMixture::default(), model(m, n)?);
                Box::new(SampleStream::new(&mixture, &model, None, &noise, count, &mut rng)?)
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Set => "",
            Kind::Noise => ", fresh noise",
            Kind::Stream => ", fresh samples from this machine",
        }
    }
}

/// Seconds of one training step: `together` of them are handed over at once, then waited for.
fn step<T: Real, B: Backend<T, Rlista<T>>>(
    device: &B,
    (m, n, batch): (usize, usize, usize),
    kind: Kind,
    together: usize,
    settings: &Settings,
) -> Outcome<Line> {
    let source = kind.source::<T>(m, n, batch.max(1000))?;
    let options = TrainOptions { batch, learning_rate: 1e-4, ..TrainOptions::default() };
    let mut stepper = device.stepper(network::<T>(m, n, 10)?, &*source, &options)?;
    let order: Vec<usize> = (0..together * batch).map(|i| i % source.epoch_len()).collect();
    let seconds = time(settings.seconds, || {
        stepper.run(&order)?;
        let loss = stepper.loss()?;
        if loss.is_finite() { Ok(()) } else { Err("the loss is not finite".into()) }
    })?;
    let parameters = (10 * n * (n + m) + 10) as f64;
    let panels = (batch * (2 * m + 6 * 10 * n)) as f64;
    Ok(Line {
        what: format!("training step, RLISTA-10, {n} x {m}, batch {batch}{}", kind.name()),
        seconds: seconds / together as f64,
        flops: step_flops(m, n, 10) * batch as f64,
        bytes: (8.0 * parameters + panels) * size_of::<T>() as f64,
    })
}

/// Seconds for 10 000 spectra, their data on the device, or on this machine where `carried`.
fn spectra<T: Real, B: Backend<T, Rlista<T>>>(
    device: &B,
    (m, n): (usize, usize),
    carried: bool,
    settings: &Settings,
) -> Outcome<Line> {
    const COUNT: usize = 10_000;
    let set = samples::<T>(m, n, COUNT)?;
    let network = network::<T>(m, n, 6)?;
    let seconds = if carried {
        let mut predictor = device.predictor(&network, COUNT)?;
        time(settings.seconds, || predictor.predict(set.data()).map(drop).map_err(Into::into))?
    } else {
        let options = TrainOptions { batch: COUNT, ..TrainOptions::default() };
        let mut stepper = device.stepper(network, &set, &options)?;
        let all: Vec<usize> = (0..COUNT).collect();
        time(settings.seconds, || stepper.evaluate(&all).map(|_| ()).map_err(Into::into))?
    };
    let place = if carried { "carried there and back" } else { "resident, with their errors" };
    Ok(Line {
        what: format!("{COUNT} spectra, RLISTA-6, {n} x {m}, {place}"),
        seconds,
        flops: forward_flops(m, n, 6) * COUNT as f64,
        bytes: (COUNT * (m + 4 * 6 * n)) as f64 * size_of::<T>() as f64,
    })
}

/// The paper's training: 100 000 samples, 150 epochs; behind a front of singular vectors, which shortens the data.
fn training<T: Real, B: Backend<T, Rlista<T>>>(device: &B, settings: &Settings) -> Outcome<Line> {
    let (m, n, modes) = (100, 50, 16);
    let set = samples::<f64>(m, n, 100_000)?;
    let front = Front::singular(model(m, n)?.kernel(), modes, set.data())?;
    let raw = samples::<T>(m, n, 100_000)?;
    let behind = set.conditioned::<T>(&front)?;
    let mut seconds = [0.0; 2];
    let mut whole = true;
    for (set, seconds) in [&raw, &behind].into_iter().zip(&mut seconds) {
        let options = TrainOptions { learning_rate: 1e-3, ..TrainOptions::default() };
        let inputs = set.data().nrows();
        let mut stepper = device.stepper(network::<T>(inputs, n, 10)?, set, &options)?;
        let order: Vec<usize> = (0..set.len()).map(|i| (i * 7919) % set.len()).collect();
        let (start, mut epochs) = (Instant::now(), 0);
        while epochs < 150 && start.elapsed().as_secs_f64() < 10.0 * settings.seconds {
            stepper.run(&order)?;
            if !stepper.loss()?.is_finite() {
                return Err("the loss is not finite".into());
            }
            epochs += 1;
        }
        whole &= epochs == 150;
        *seconds = start.elapsed().as_secs_f64() * 150.0 / f64::from(epochs);
    }
    let note = if whole { "" } else { ", from fewer epochs" };
    let steps = 150.0 * (100_000 / 256) as f64;
    Ok(Line {
        what: format!(
            "the paper's training, raw data{note} (behind {modes} modes: {:.2} s)",
            seconds[1]
        ),
        seconds: seconds[0],
        flops: step_flops(m, n, 10) * 256.0 * steps,
        bytes: 8.0 * 75_010.0 * size_of::<T>() as f64 * steps,
    })
}

/// Maximum entropy for many spectra, 50 frequencies and 100 times, 45 α with N_good, gaps to 10⁻⁸: data to answers.
fn continuation<C: Continuation<f64>>(device: &C, settings: &Settings) -> Outcome<Line> {
    let count = if settings.small { 256 } else { 100_000 };
    let set = samples::<f64>(100, 50, count)?;
    let prepared = MaxEnt::default().ladder_points(45).prepare(&Arc::new(model(100, 50)?))?;
    // Kernels are compiled, memory is touched.
    device.continue_many(&prepared, &set.data().columns(0, 64).into_owned())?;
    let start = Instant::now();
    let answers = device.continue_many(&prepared, set.data())?;
    let seconds = start.elapsed().as_secs_f64();
    let failed = answers.iter().filter(|a| !a.report().status.is_success()).count();
    let note = if failed == 0 { String::new() } else { format!(" ({failed} failed)") };
    Ok(Line {
        what: format!("{count} spectra, maximum entropy, 50 x 100, 45 α{note}"),
        seconds,
        flops: MAXENT_FLOPS * count as f64,
        bytes: MAXENT_BYTES * count as f64,
    })
}

fn head(device: &str, precision: &str) {
    println!("\n{device}, {precision}");
    println!("| what | time | floor | of the floor | GFLOP/s |\n|---|---|---|---|---|");
}

fn show<T>(line: Outcome<Line>, settings: &Settings) {
    let tflops = if size_of::<T>() == 4 { settings.tflops } else { settings.tflops / 2.0 };
    match line {
        Ok(Line { what, seconds, flops, bytes }) => {
            let floor = (flops / tflops / 1e12).max(bytes / settings.bandwidth / 1e12);
            println!(
                "| {what} | {:.3} ms | {:.3} ms | {:.1} | {:.0} |",
                1e3 * seconds,
                1e3 * floor,
                seconds / floor,
                1e-9 * flops / seconds
            );
        }
        Err(e) => println!("| not measured: {e} | | | | |"),
    }
}

fn table<T: Real, B: Backend<T, Rlista<T>>>(device: &B, settings: &Settings) -> Outcome<()> {
    let precision = if size_of::<T>() == 4 { "f32" } else { "f64" };
    head(&device.name(), precision);
    let show = |line: Outcome<Line>| show::<T>(line, settings);
    for kind in [Kind::Set, Kind::Noise, Kind::Stream] {
        show(step::<T, B>(device, (100, 50, 256), kind, 100, settings));
    }
    if settings.small {
        return Ok(());
    }
    show(step::<T, B>(device, (100, 50, 4096), Kind::Set, 20, settings));
    show(step::<T, B>(device, (400, 200, 2048), Kind::Set, 10, settings));
    show(step::<T, B>(device, (800, 400, 10_000), Kind::Set, 5, settings));
    show(step::<T, B>(device, (800, 400, 10_000), Kind::Noise, 5, settings));
    for n in [100, 200, 400] {
        show(spectra::<T, B>(device, (2 * n, n), false, settings));
    }
    show(spectra::<T, B>(device, (800, 400), true, settings));
    show(training::<T, B>(device, settings));
    Ok(())
}

fn main() -> std::process::ExitCode {
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            println!("device_table: {e}");
            std::process::ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<()> {
    let mut settings = Settings { seconds: 3.0, small: false, tflops: 67.0, bandwidth: 4.8 };
    let mut device = if cfg!(feature = "wgpu") { "wgpu" } else { "cpu" }.to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Outcome<f64> {
            let value = arguments.next().ok_or_else(|| format!("{argument}: a number follows"))?;
            Ok(value.parse().map_err(|_| format!("{argument} {value}: expected a number"))?)
        };
        match argument.as_str() {
            "--seconds" => settings.seconds = number()?,
            "--tflops" => settings.tflops = number()?,
            "--bandwidth" => settings.bandwidth = number()?,
            "--small" => settings.small = true,
            name @ ("cpu" | "wgpu" | "cuda") => device = name.to_owned(),
            other => return Err(format!("{other}: expected cpu, wgpu, cuda or an option").into()),
        }
    }
    match device.as_str() {
        "cpu" => {
            table::<f32, _>(&Cpu, &settings)?;
            head("cpu", "f64");
            show::<f64>(continuation(&Cpu, &settings), &settings);
            Ok(())
        }
        #[cfg(feature = "wgpu")]
        "wgpu" => table::<f32, _>(&fredholm::Wgpu::try_new()?, &settings),
        #[cfg(feature = "cuda")]
        "cuda" => {
            let device = fredholm::Cuda::try_new(0)?;
            table::<f32, _>(&device, &settings)?;
            table::<f64, _>(&device, &settings)?;
            show::<f64>(continuation(&device, &settings), &settings);
            Ok(())
        }
        other => Err(format!("{other}: build with `--features {other}`").into()),
    }
}
