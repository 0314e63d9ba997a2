//! What 1, 2, 4, … ranks of this run do, and a model of a thousand.

use super::{Outcome, Ranks, SIGMA};
use fredholm::mpi::topology::{Color, SimpleCommunicator};
use fredholm::mpi::traits::{Communicator as _, CommunicatorCollectives};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Communicator, ForwardModel, GaussianMixture, Initialization, MaxEnt, MpiCommunicator, Network,
    NoiseLevel, Rlista, SampleStream, SoftThreshold, TrainOptions, Training, TrainingSet,
    UnrolledArchitecture,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Samples a rank in a step, steps of a measurement, spectra a rank.
const BATCH: usize = 256;
const STEPS: usize = 4;
const SPECTRA: usize = 64;

/// Measurements, of which the shortest counts: many and short, for machines that have other things to do.
const TIMES: usize = 60;

/// Lengths of the sums measured, in f32.
const LENGTHS: [usize; 7] = [1, 256, 4096, 16_384, 65_536, 262_144, 1_048_576];

/// Seconds of an all-reduce over `ranks` ranks.
struct Sum {
    ranks: usize,
    bytes: f64,
    seconds: f64,
}

/// Seconds of a message's start, and bytes a second.
struct Link {
    latency: f64,
    bandwidth: f64,
}

impl Link {
    /// T = 2 log₂P·latency + 2 bytes (P − 1)/P / bandwidth, by least squares of the relative deviations.
    fn fit<'a>(sums: impl Iterator<Item = &'a Sum>) -> Self {
        let (mut xx, mut xy, mut yy, mut x1, mut y1) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for sum in sums {
            let [x, y] = terms(sum.ranks, sum.bytes).map(|term| term / sum.seconds);
            xx += x * x;
            xy += x * y;
            yy += y * y;
            x1 += x;
            y1 += y;
        }
        let determinant = xx * yy - xy * xy;
        Link {
            latency: (x1 * yy - y1 * xy) / determinant,
            bandwidth: determinant / (y1 * xx - x1 * xy),
        }
    }

    fn seconds(&self, ranks: usize, bytes: f64) -> f64 {
        let [x, y] = terms(ranks, bytes);
        x * self.latency + y / self.bandwidth
    }
}

/// Factors of latency and of 1/bandwidth.
fn terms(ranks: usize, bytes: f64) -> [f64; 2] {
    let p = ranks as f64;
    [2.0 * p.log2(), 2.0 * bytes * (p - 1.0) / p]
}

/// The shortest time of `work`, each the longest of all ranks.
fn shortest(ranks: &Ranks, mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..TIMES {
        ranks.all_reduce_sum(&[0.0_f32], &mut [0.0])?;
        let start = Instant::now();
        work()?;
        // Of all ranks: each sets its place.
        let mut times = vec![0.0; ranks.size()];
        times[ranks.rank()] = start.elapsed().as_secs_f64();
        let mut all = times.clone();
        ranks.all_reduce_sum(&times, &mut all)?;
        best = best.min(all.into_iter().fold(0.0, f64::max));
    }
    Ok(best)
}

/// The paper's network for a problem of this size.
fn network(rng: &mut ChaCha8Rng) -> Outcome<Rlista> {
    let shape = UnrolledArchitecture::rlista(100, 50, 10);
    Ok(Rlista::random(shape, SoftThreshold, &Initialization::default(), rng)?)
}

/// Seconds of a training step over `batch` samples in all.
fn step(ranks: &Ranks, model: &ForwardModel<f64>, batch: usize) -> Outcome<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(SIGMA));
    let stream = SampleStream::new(&mixture, model, None, &noise, batch * STEPS, &mut rng)?;
    let network = network(&mut rng)?;
    let options = TrainOptions { batch, epochs: usize::MAX, ..TrainOptions::default() };
    let mut training =
        Training::new(network, &stream, &options, &mut rng)?.with_communicator(ranks)?;
    training.epoch(&stream, None)?;
    let seconds = shortest(ranks, || Ok(training.epoch(&stream, None).map(drop)?))?;
    Ok(seconds / STEPS as f64)
}

/// Seconds of continuing `spectra` spectra in all.
fn continuation(ranks: &Ranks, model: &Arc<ForwardModel<f64>>, spectra: usize) -> Outcome<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(SIGMA));
    let set = TrainingSet::<f64>::generate(&mixture, model, spectra, &noise, &mut rng)?;
    let prepared = MaxEnt::default().prepare(model)?;
    shortest(ranks, || {
        let each = &mut |_, _| ControlFlow::Continue(());
        Ok(prepared.solve_shared(set.data(), ranks, each).map(drop)?)
    })
}

/// Seconds of sums of all lengths.
fn sums(ranks: &Ranks) -> Outcome<Vec<Sum>> {
    LENGTHS
        .iter()
        .map(|&length| {
            let (values, mut sums) = (vec![1.0_f32; length], vec![0.0; length]);
            let times = (300_000 / length).clamp(2, 300);
            let seconds = shortest(ranks, || {
                (0..times).try_for_each(|_| ranks.all_reduce_sum(&values, &mut sums))?;
                Ok(())
            })?;
            let bytes = 4.0 * length as f64;
            Ok(Sum { ranks: ranks.size(), bytes, seconds: seconds / times as f64 })
        })
        .collect()
}

/// Times on the first 1, 2, 4, … ranks, printed by the first; the others sleep.
pub(super) fn measure(world: &SimpleCommunicator, model: &Arc<ForwardModel<f64>>) -> Outcome<()> {
    let first = world.rank() == 0;
    let cores = std::thread::available_parallelism()?.get();
    let mut all_sums = Vec::new();
    let mut alone = [0.0; 3];
    if first {
        println!(
            "{cores} cores; one thread a rank; RLISTA-10, 100 times, 50 frequencies, fresh samples\n"
        );
        println!("ranks   step of {BATCH} a rank   of {BATCH} in all   maxent, {SPECTRA} a rank");
    }
    let mut size = 1;
    while size <= world.size() {
        let member = world.rank() < size;
        let group = world.split_by_color(Color::with_value(i32::from(!member)));
        if let Some(group) = group.filter(|_| member) {
            let ranks = MpiCommunicator::new(group);
            let p = ranks.size();
            let times = [
                step(&ranks, model, BATCH * p)?,
                step(&ranks, model, BATCH)?,
                continuation(&ranks, model, SPECTRA * p)?,
            ];
            if p == 1 {
                alone = times;
            }
            if first {
                let [weak, strong, spectra] = [0, 1, 2].map(|k| 100.0 * alone[k] / times[k]);
                println!(
                    "{p:5}   {:8.3} ms {weak:4.0} %   {:8.3} ms {:4.2} x   {:8.2} ms {spectra:4.0} %",
                    1e3 * times[0],
                    1e3 * times[1],
                    strong / 100.0,
                    1e3 * times[2],
                );
            }
            if p > 1 {
                all_sums.extend(sums(&ranks)?);
            }
        }
        wait(world);
        size *= 2;
    }
    if first && !all_sums.is_empty() {
        let parameters = network(&mut ChaCha8Rng::seed_from_u64(1))?.parameters().len();
        predict(&all_sums, cores, alone[0], parameters);
    }
    Ok(())
}

/// A barrier that leaves the cores to those who work.
fn wait(world: &SimpleCommunicator) {
    let mut barrier = world.immediate_barrier();
    while let Err(still) = barrier.test() {
        barrier = still;
        sleep(Duration::from_millis(1));
    }
}

/// The sums, a model of them, and what it says about many ranks.
fn predict(sums: &[Sum], cores: usize, step: f64, parameters: usize) {
    let alike = |sum: &&Sum| sum.ranks <= cores.max(2);
    let here = Link::fit(sums.iter().filter(alike));
    println!("\nranks      bytes   all-reduce, us   model, us");
    for sum in sums {
        let model = if sum.ranks <= cores.max(2) {
            format!("{:.1}", 1e6 * here.seconds(sum.ranks, sum.bytes))
        } else {
            "more ranks than cores".into()
        };
        println!("{:5} {:10} {:16.1}   {model}", sum.ranks, sum.bytes, 1e6 * sum.seconds);
    }
    println!(
        "\nT = 2 log2(P) latency + 2 bytes (P - 1)/P / bandwidth: latency {:.2} us, bandwidth {:.2} GB/s",
        1e6 * here.latency,
        1e-9 * here.bandwidth
    );
    // A network of 100 Gbit/s between machines, as its makers state it.
    let network = Link { latency: 2e-6, bandwidth: 12.5e9 };
    let bytes = 4.0 * (parameters + 1) as f64;
    println!(
        "\nweak scaling by the model: {:.3} ms, {BATCH} samples a rank, {parameters} parameters",
        1e3 * step
    );
    println!("ranks   links as here   100 Gbit/s and 2 us");
    for ranks in [2, 10, 100, 1000, 10_000] {
        let [a, b] =
            [&here, &network].map(|link| 100.0 * step / (step + link.seconds(ranks, bytes)));
        println!("{ranks:5}   {a:8.1} %      {b:8.1} %");
    }
}
