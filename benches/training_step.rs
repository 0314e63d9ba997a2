//! How long is a training step, forward + backward + Adam, of every network of the paper: 100 → 50, batch 256, in
//! f32 and f64, on one thread and on two; how long are its 10 000 answers of table VI; and what remains for a single
//! spectrum. `cargo bench --bench training_step -- --quick`, or with part of a name.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fredholm::rand::{Rng, SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};
use fredholm::{
    ConvolutionArchitecture, ConvolutionNetwork, DenseArchitecture, DenseNetwork, Estimator,
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, Head, Headed, Initialization,
    Network, NoiseLevel, Real, Rlista, SoftThreshold, TrainOptions, Trainer, TrainingSet,
    UnrolledArchitecture, Whitening, nalgebra::DMatrix,
};
use rayon::ThreadPool;
use std::time::{Duration, Instant};

/// Kernel, data and 10⁻⁵ noise of the paper, on `n` frequencies and 2n times.
fn model(n: usize) -> ForwardModel {
    let tau: Vec<f64> = (0..2 * n).map(|i| 16.0 * i as f64 / (2 * n - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, n).unwrap();
    let whitening = Whitening::from_errors(&vec![1e-5; 2 * n]).unwrap();
    ForwardModel::new(&FermionTime::new(16.0).unwrap(), &tau, &grid, whitening).unwrap()
}

fn pool(threads: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(2)
}

fn unrolled<T: Real>(architecture: UnrolledArchitecture<T>) -> Rlista<T> {
    Rlista::random(architecture, SoftThreshold, &Initialization::default(), &mut rng()).unwrap()
}

fn dense<T: Real>(n: usize, layers: usize, width: usize) -> Headed<DenseNetwork<T>> {
    let shape = DenseArchitecture::fcn(2 * n, n, layers, width);
    let network = DenseNetwork::random(shape, &Initialization::default(), &mut rng()).unwrap();
    Headed::new(network, Head::Softmax)
}

fn convolution<T: Real>(n: usize, width: usize) -> Headed<ConvolutionNetwork<T>> {
    let shape = ConvolutionArchitecture::cnn_fcn(2 * n, n, width);
    let network = ConvolutionNetwork::random(shape, &Initialization::default(), &mut rng());
    Headed::new(network.unwrap(), Head::Softmax)
}

/// Steps of one network, with chunks of 64 and 128 samples.
fn steps<T: Real, N: Network<T> + Clone>(c: &mut Criterion, set: &TrainingSet<T>, network: N) {
    let scalar = if size_of::<T>() == 4 { "f32" } else { "f64" };
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.shuffle(&mut rng());
    let mut group = c.benchmark_group(format!("step {scalar} {}", network.name()));
    group.sample_size(20).measurement_time(Duration::from_secs(1));
    for threads in [1, 2] {
        let pool = pool(threads);
        for chunk in [64, 128] {
            let options = TrainOptions { chunk, learning_rate: 1e-3, ..TrainOptions::default() };
            let mut trainer = Trainer::new(network.clone(), options).unwrap();
            let (batch, mut first) = (options.batch, 0);
            let id = BenchmarkId::new(format!("threads {threads}"), format!("chunk {chunk}"));
            group.bench_function(id, |b| {
                b.iter_custom(|steps| {
                    // Inside the pool, as a training run is.
                    pool.install(|| {
                        let start = Instant::now();
                        for _ in 0..steps {
                            first = (first + batch) % (set.len() - batch);
                            trainer.step(set, &order[first..first + batch]).unwrap();
                        }
                        start.elapsed()
                    })
                });
            });
        }
    }
}

fn training<T: Real>(c: &mut Criterion) {
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-5));
    let set = TrainingSet::generate(&mixture, &model(50), 2560, &noise, &mut rng()).unwrap();
    for depth in [10, 20] {
        steps::<T, _>(c, &set, unrolled(UnrolledArchitecture::rlista(100, 50, depth)));
    }
    steps::<T, _>(c, &set, unrolled(UnrolledArchitecture::lista(100, 50, 5)));
    for (layers, width) in [(2, 400), (3, 300), (4, 256)] {
        steps::<T, _>(c, &set, dense(50, layers, width));
    }
    steps::<T, _>(c, &set, convolution(50, 50));
}

/// Answers to `spectra` data vectors at once.
fn answers<N: Network<f32>>(
    c: &mut Criterion,
    n: usize,
    network: N,
    spectra: usize,
    threads: usize,
) {
    let mut rng = rng();
    let data = DMatrix::from_fn(2 * n, spectra, |_, _| (rng.next_u32() >> 8) as f32 / 16_777_216.0);
    let name = format!("{spectra} spectra {}", network.name());
    let estimator = Estimator::new(network, model(n).fingerprint());
    let mut group = c.benchmark_group(name);
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    let id = BenchmarkId::new(format!("threads {threads}"), format!("frequencies {n}"));
    group.bench_function(id, |b| {
        pool(threads).install(|| b.iter(|| estimator.apply_batch(&data).unwrap()));
    });
}

fn inference(c: &mut Criterion) {
    answers(c, 50, unrolled(UnrolledArchitecture::rlista(100, 50, 10)), 1, 1);
    for n in [100, 200, 400] {
        for depth in [6, 20] {
            answers(c, n, unrolled(UnrolledArchitecture::rlista(2 * n, n, depth)), 10_000, 2);
        }
        answers(c, n, dense(n, 4, 256), 10_000, 2);
        answers(c, n, convolution(n, 500), 10_000, 2);
    }
}

criterion_group!(benches, training::<f32>, training::<f64>, inference);
criterion_main!(benches);
