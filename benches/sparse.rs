//! How long do sparse and constrained least squares take on many spectra, 100 data to 50 frequencies?

use criterion::{Criterion, criterion_group, criterion_main};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, Nnls, NoiseLevel, TrainingSet,
    Whitening,
};
use std::time::Duration;

fn model() -> ForwardModel<f64> {
    let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap();
    let whitening = Whitening::from_errors(&[1e-5; 100]).unwrap();
    ForwardModel::new(&FermionTime::new(16.0).unwrap(), &tau, &grid, whitening).unwrap()
}

fn spectra(model: &ForwardModel<f64>, samples: usize) -> TrainingSet<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let noise = NoiseLevel::Uniform(1e-5);
    TrainingSet::generate(&GaussianMixture::default(), model, samples, &noise, &mut rng).unwrap()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn nnls(c: &mut Criterion) {
    let model = model();
    let set = spectra(&model, 256);
    let mut group = c.benchmark_group("non-negative least squares, ridge 1e-6, 256 spectra");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for threads in [1, 2] {
        let pool = pool(threads);
        group.bench_function(format!("threads {threads}"), |b| {
            b.iter(|| pool.install(|| Nnls::new(1e-6).solve_batch(&model, set.data()).unwrap()));
        });
    }
}

criterion_group!(benches, nnls);
criterion_main!(benches);
