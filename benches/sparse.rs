//! How long do sparse and constrained least squares take on many spectra, 100 data to 50 frequencies?

use criterion::{Criterion, criterion_group, criterion_main};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, Measurement, Nnls, NoiseLevel,
    Problem, ProximalGradient, Solver, SparseModelling, TrainingSet, Whitening,
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

fn fista(c: &mut Criterion) {
    let model = model();
    let set = spectra(&model, 200);
    let mut group = c.benchmark_group("FISTA, 10000 iterations, 200 spectra");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    let solver = ProximalGradient::fista(1e-5).tolerance(0.0).max_iterations(10_000);
    for threads in [1, 2] {
        let pool = pool(threads);
        group.bench_function(format!("threads {threads}"), |b| {
            b.iter(|| pool.install(|| solver.solve_batch(&model, set.data()).unwrap()));
        });
    }
}

/// Two peaks, β = 100, 201 times, noise 10⁻⁶: a ladder of 43 λ.
fn sparse_modelling(c: &mut Criterion) {
    let tau: Vec<f64> = (0..=200).map(|i| 0.5 * f64::from(i)).collect();
    let grid = FrequencyGrid::uniform(-3.0, 6.0, 201).unwrap();
    let kernel = FermionTime::new(100.0).unwrap();
    let measure = |g: &[f64]| Measurement::with_uniform_error(&tau, g, 1e-6).unwrap();
    let empty = Problem::new(&kernel, &measure(&[0.0; 201]), &grid).unwrap();
    let peak = |w: f64, m: f64, s: f64| (-0.5 * ((w - m) / s).powi(2)).exp();
    let mut a: Vec<f64> =
        grid.points().iter().map(|&w| peak(w, 1.0, 0.8) + 0.5 * peak(w, 2.2, 0.4)).collect();
    let total: f64 = a.iter().sum();
    a.iter_mut().for_each(|a| *a /= total);
    let problem =
        Problem::new(&kernel, &measure(&empty.back_continue(&a).unwrap()), &grid).unwrap();
    let solver = SparseModelling::default().sum_rule(1.0);
    let mut group = c.benchmark_group("sparse modelling, 201 x 201");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    group.bench_function("ladder", |b| b.iter(|| solver.solve(&problem).unwrap()));
}

criterion_group!(benches, nnls, fista, sparse_modelling);
criterion_main!(benches);
