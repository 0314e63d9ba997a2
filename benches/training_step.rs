//! How long is a training step: RLISTA-10, 100 → 50, batch 256, forward + backward + Adam, in f32 and f64,
//! on one thread and on all; and what remains of it for one layer and one sample.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, NoiseLevel, Real, Rlista,
    TrainOptions, Trainer, TrainingSet, UnrolledArchitecture, Whitening,
};
use std::time::Duration;

fn set<T: Real>(samples: usize) -> TrainingSet<T> {
    let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap();
    let whitening = Whitening::from_errors(&[1e-5; 100]).unwrap();
    let kernel = FermionTime::new(16.0).unwrap();
    let model = ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap();
    let noise = NoiseLevel::Uniform(1e-5);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    TrainingSet::generate(&GaussianMixture::default(), &model, samples, &noise, &mut rng).unwrap()
}

fn trainer<T: Real>(depth: usize, batch: usize, chunk: usize) -> Trainer<T, Rlista<T>> {
    let network = Rlista::random(
        UnrolledArchitecture::rlista(100, 50, depth),
        fredholm::SoftThreshold,
        &fredholm::Initialization::default(),
        &mut ChaCha8Rng::seed_from_u64(2),
    );
    let options = TrainOptions { batch, chunk, ..TrainOptions::default() };
    Trainer::new(network.unwrap(), options).unwrap()
}

fn steps<T: Real>(c: &mut Criterion, scalar: &str) {
    let set = set::<T>(2560);
    let mut group = c.benchmark_group(format!("training step {scalar}"));
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut cases = vec![(10, 256, 64, 1), (10, 256, 128, 1), (1, 1, 1, 1)];
    if threads > 1 {
        cases.push((10, 256, 64, threads));
        cases.push((10, 256, 128, threads));
    }
    for (depth, batch, chunk, threads) in cases {
        let name = format!("rlista-{depth} batch {batch} chunk {chunk} threads {threads}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = trainer::<T>(depth, batch, chunk);
            let mut next = 0;
            group.bench_function(name, |b| {
                b.iter_batched(
                    || {
                        next = (next + batch) % (set.len() - batch);
                        (next..next + batch).collect::<Vec<_>>()
                    },
                    |samples| trainer.step(&set, &samples).unwrap(),
                    BatchSize::SmallInput,
                );
            });
        });
    }
}

fn benchmark(c: &mut Criterion) {
    steps::<f32>(c, "f32");
    steps::<f64>(c, "f64");
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
