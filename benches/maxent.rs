//! How long does maximum entropy take per spectrum: a ladder of 45 α with N_good at each, certificate 10⁻⁸,
//! the answer to 10⁻¹¹, the kernel decomposed before?

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, MaxEnt, NoiseLevel, Problem, Solver,
    TrainingSet, Whitening,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

const NOISE: f64 = 1e-5;
const SIZES: [(usize, usize); 4] = [(50, 100), (100, 200), (200, 400), (400, 800)];
const PRIORS: [(&str, f64); 2] = [("plain", 0.0), ("kinetic", 1.0)];

/// β = 16, |ω| ≤ 3, N_ω × N_τ.
fn model((frequencies, times): (usize, usize)) -> Arc<ForwardModel<f64>> {
    let tau: Vec<f64> = (0..times).map(|i| 16.0 * i as f64 / (times - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, frequencies).unwrap();
    let whitening = Whitening::from_errors(&vec![NOISE; times]).unwrap();
    let kernel = FermionTime::new(16.0).unwrap();
    Arc::new(ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap())
}

fn spectra(model: &ForwardModel<f64>, samples: usize) -> TrainingSet<f64> {
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(NOISE));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    TrainingSet::generate(&mixture, model, samples, &noise, &mut rng).unwrap()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// One spectrum after another, each in turn.
fn one_by_one(c: &mut Criterion) {
    let mut group = c.benchmark_group("maximum entropy, one spectrum");
    group.sample_size(40).measurement_time(Duration::from_secs(3));
    for size in SIZES {
        let model = model(size);
        let set = spectra(&model, 8);
        let problem = |g: fredholm::nalgebra::DVectorView<f64>| {
            Problem::from_model(Arc::clone(&model), g.as_slice()).unwrap()
        };
        let mut problems =
            set.data().column_iter().map(problem).collect::<Vec<_>>().into_iter().cycle();
        for (name, kinetic) in PRIORS {
            let solver = MaxEnt::default().ladder_points(45).kinetic(kinetic);
            let prepared = solver.prepare(&model).unwrap();
            group.bench_function(format!("{} x {} {name}", size.0, size.1), |b| {
                b.iter_batched(
                    || problems.next().unwrap(),
                    |problem| prepared.solve(&problem).unwrap(),
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

/// 256 spectra: eight at a time in the lanes of vector registers.
fn many(c: &mut Criterion) {
    let mut group = c.benchmark_group("maximum entropy, 256 spectra");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for size in SIZES {
        let model = model(size);
        let set = spectra(&model, 256);
        for (name, kinetic) in PRIORS {
            let solver = MaxEnt::default().ladder_points(45).kinetic(kinetic);
            let prepared = solver.prepare(&model).unwrap();
            for threads in [1, 2] {
                let pool = pool(threads);
                let name = format!("{} x {} {name}, threads {threads}", size.0, size.1);
                group.bench_function(name, |b| {
                    b.iter(|| {
                        pool.install(|| {
                            let mut norm = 0.0;
                            let receive = &mut |_, solution: fredholm::Solution<f64>| {
                                norm += solution.report().norm;
                                ControlFlow::Continue(())
                            };
                            prepared.solve_each(set.data(), receive).unwrap();
                            norm
                        })
                    });
                });
            }
        }
    }
}

criterion_group!(benches, one_by_one, many);
criterion_main!(benches);
