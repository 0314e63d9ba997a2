//! How long does maximum entropy take per spectrum: a ladder of 45 α with N_good at each, certificate 10⁻⁸,
//! the answer to 10⁻¹¹, the kernel decomposed before?

use criterion::{Criterion, criterion_group, criterion_main};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, MaxEnt, NoiseLevel, Problem, Solver,
    TrainingSet, Whitening,
};
use std::sync::Arc;
use std::time::Duration;

const NOISE: f64 = 1e-5;

/// β = 16, |ω| ≤ 3.
fn model(frequencies: usize, times: usize) -> ForwardModel<f64> {
    let tau: Vec<f64> = (0..times).map(|i| 16.0 * i as f64 / (times - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, frequencies).unwrap();
    let whitening = Whitening::from_errors(&vec![NOISE; times]).unwrap();
    ForwardModel::new(&FermionTime::new(16.0).unwrap(), &tau, &grid, whitening).unwrap()
}

/// Problems of several random spectra, their kernel decomposed.
fn problems(frequencies: usize, times: usize, samples: usize) -> Vec<Problem<f64>> {
    let model = model(frequencies, times);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(NOISE));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let set = TrainingSet::generate(&mixture, &model, samples, &noise, &mut rng).unwrap();
    let model = Arc::new(model);
    let problem = |g: fredholm::nalgebra::DVectorView<f64>| {
        Problem::from_model(Arc::clone(&model), g.as_slice()).unwrap()
    };
    let problems: Vec<_> = set.data().column_iter().map(problem).collect();
    MaxEnt::default().solve(&problems[0]).unwrap();
    problems
}

/// The mean over eight spectra, one after another on one thread.
fn one_by_one(c: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut group = c.benchmark_group("maximum entropy, 8 spectra one by one");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    for (frequencies, times) in [(50, 100), (100, 200), (200, 400), (400, 800)] {
        let problems = problems(frequencies, times, 8);
        for (name, kinetic) in [("plain", 0.0), ("kinetic", 1.0)] {
            let solver = MaxEnt::default().ladder_points(45).kinetic(kinetic);
            group.bench_function(format!("{frequencies} x {times} {name}"), |b| {
                b.iter(|| {
                    pool.install(|| {
                        problems.iter().map(|p| solver.solve(p).unwrap().report().norm).sum::<f64>()
                    })
                });
            });
        }
    }
}

criterion_group!(benches, one_by_one);
criterion_main!(benches);
