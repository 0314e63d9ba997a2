//! What methods without a network reach on the spectra that networks are judged by: the mean root-square
//! error ‖a − ã‖₂ over a test set, and over its first 200 spectra.
//!
//! `cargo run --release --example baselines -- [--samples 100000] [--test 10000] [--noise 1e-5] [--seed 1]`
//!
//! The setting of the learned-optimizers paper: β = 16, 100 imaginary times, 50 frequencies on [−3, 3],
//! mixtures of Gaussian peaks. `--samples` is the size of the set that the mean spectrum and the affine map are
//! learned from; the time of the maps is with learning them.

use fredholm::nalgebra::DMatrix;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    ErrorSummary, GaussianMixture, Lmmse, Nnls, NoiseLevel, OneSidedSoftThreshold, Problem,
    ProximalGradient, Ridge, RidgeRule, Solver, TrainingSet,
};
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

#[path = "common/paper.rs"]
mod paper;

type Outcome<V> = Result<V, Box<dyn Error>>;

/// How many spectra the second figure of a row is about.
const FIRST: usize = 200;

#[allow(clippy::print_stdout)]
fn main() -> Outcome<()> {
    let (mut samples, mut spectra, mut noise, mut seed) = (100_000, 10_000, 1e-5, 1);
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--samples" => samples = value.parse()?,
            "--test" => spectra = value.parse()?,
            "--noise" => noise = value.parse()?,
            "--seed" => seed = value.parse()?,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    let model = Arc::new(paper::model(noise)?);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mixture, level) = (GaussianMixture::default(), NoiseLevel::Uniform(noise));
    let mut set = |n| TrainingSet::generate(&mixture, &model, n, &level, &mut rng);
    let (training, test) = (set(samples)?, set(spectra)?);
    let data = test.data();

    println!("noise {noise:e}; {spectra} test spectra, {samples} training spectra");
    println!(
        "{:36} {:6}  {:6}  {:6}  first {FIRST}  us each",
        "estimator", "mean", "median", "p90"
    );
    let row = |name: &str, solve: &dyn Fn() -> Outcome<DMatrix<f64>>| -> Outcome<()> {
        let clock = Instant::now();
        let weights = solve()?;
        let each = 1e6 * clock.elapsed().as_secs_f64() / weights.ncols() as f64;
        let error = |i: usize| (test.weights().column(i) - weights.column(i)).norm();
        let summary = |n: usize| ErrorSummary::new((0..n).map(error).collect());
        let ErrorSummary { mean, median, p90 } = summary(weights.ncols());
        let first = summary(FIRST.min(weights.ncols())).mean;
        println!("{name:36} {mean:.4}  {median:.4}  {p90:.4}  {first:.4}    {each:8.1}");
        Ok(())
    };
    row("zero", &|| Ok(DMatrix::zeros(50, spectra)))?;
    let mean = training.weights().column_mean();
    row("mean of the training spectra", &|| Ok(DMatrix::from_fn(50, spectra, |i, _| mean[i])))?;
    row("linear least squares", &|| Ok(Lmmse::linear().fit(&training)?.apply_batch(data)?))?;
    row("affine least squares", &|| Ok(Lmmse::affine().fit(&training)?.apply_batch(data)?))?;
    let proximal = |solver: ProximalGradient| {
        let solver = solver.prox(OneSidedSoftThreshold).tolerance(0.0).max_iterations(10_000);
        Ok(solver.solve_batch(&model, data)?.weights)
    };
    row("ISTA, lambda 1e-3, 10000 steps", &|| proximal(ProximalGradient::ista(1e-3)))?;
    row("FISTA, lambda 1e-5, 10000 steps", &|| proximal(ProximalGradient::fista(1e-5)))?;
    row("NNLS, ridge 1e-6", &|| Ok(Nnls::new(1e-6).solve_batch(&model, data)?.weights))?;
    let each = |solver: &dyn Solver<f64>| -> Outcome<DMatrix<f64>> {
        let mut weights = DMatrix::zeros(50, FIRST.min(spectra));
        for (i, mut column) in weights.column_iter_mut().enumerate() {
            let problem = Problem::from_model(Arc::clone(&model), data.column(i).as_slice())?;
            column.copy_from_slice(&solver.solve(&problem)?.spectrum().weights());
        }
        Ok(weights)
    };
    // With a rule for the weight of the penalty, one problem at a time.
    row("NNLS, ridge by GCV", &|| each(&Nnls::new(0.0).rule(RidgeRule::Gcv)))?;
    row("ridge, GCV", &|| each(&Ridge::default()))?;
    Ok(())
}
