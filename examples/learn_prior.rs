//! Learns a prior *through* maximum entropy: α, the kinetic weight λ and the default model that continue a
//! class of spectra best, by gradient descent on the error of the solutions.
//!
//! `cargo run --release --example learn_prior -- [--samples 256] [--epochs 20] [--cases 200]
//! [--noise 1e-3] [--output learn_prior.svg]`
//!
//! Training spectra are of the learned-optimizers paper's kind (β = 16, 50 frequencies on [−3, 3]), seen at 60
//! imaginary times. For each the solution h at the present (α, λ, D) is differentiated by the implicit
//! function theorem; the root-square error ‖h − a‖ to the true weights a is pulled back through it, and
//! Adam steps along. α and λ are learned as logarithms, the default model as a softmax. The table compares,
//! on spectra that were not trained on, what is learned with what the crate's rule for α gives.

#![allow(clippy::print_stdout)] // it is what the program is for

use fredholm::nalgebra::DMatrix;
use fredholm::rand::seq::SliceRandom;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Adam, AdamConfig, DefaultModel, FermionTime, FixedAlpha, ForwardModel, FrequencyGrid,
    GaussianMixture, MaxEnt, NoiseLevel, Problem, Schedule, Solver, Spectrum, TrainingSet,
    Whitening,
};
use indicatif::{ProgressBar, ProgressStyle};
use plot::{Colour, Mark, Panel, Series};
use std::sync::Arc;

#[path = "common/plot.rs"]
mod plot;

type Outcome<V> = Result<V, Box<dyn std::error::Error>>;

const BETA: f64 = 16.0;
const TIMES: usize = 60;
const BATCH: usize = 16;

struct Options {
    samples: usize,
    epochs: usize,
    cases: usize,
    noise: f64,
    output: String,
}

impl Options {
    fn parse() -> Outcome<Self> {
        let output = "learn_prior.svg".into();
        let mut o = Options { samples: 256, epochs: 20, cases: 200, noise: 1e-3, output };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--samples" => o.samples = value.parse()?,
                "--epochs" => o.epochs = value.parse()?,
                "--cases" => o.cases = value.parse()?,
                "--noise" => o.noise = value.parse()?,
                "--output" => o.output = value,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(o)
    }
}

/// What is learned: ln α, ln λ, and then ln D up to a constant, one value a grid point.
#[derive(Clone)]
struct LearnedPrior {
    parameters: Vec<f64>,
    kinetic: bool,
    default: bool,
}

impl LearnedPrior {
    /// A flat default model, α = 10, and λ = 10⁻³ if it is to be learned.
    fn new(points: usize, kinetic: bool, default: bool) -> Self {
        let mut parameters = vec![0.0; 2 + points];
        parameters[0] = 10.0_f64.ln();
        parameters[1] = 1e-3_f64.ln();
        LearnedPrior { parameters, kinetic, default }
    }

    fn alpha(&self) -> f64 {
        self.parameters[0].exp()
    }

    fn lambda(&self) -> f64 {
        if self.kinetic { self.parameters[1].exp() } else { 0.0 }
    }

    /// D, of norm one.
    fn density(&self, grid: &FrequencyGrid) -> Vec<f64> {
        let values: Vec<f64> = self.parameters[2..].iter().map(|p| p.exp()).collect();
        let norm = grid.integrate(&values);
        values.iter().map(|v| v / norm).collect()
    }

    fn solver(&self, model: &ForwardModel) -> Outcome<MaxEnt> {
        let grid = model.grid();
        let spectrum = Spectrum::new(grid.clone(), self.density(grid), model.density())?;
        Ok(MaxEnt::default()
            .default_model(DefaultModel::Spectrum { spectrum, floor: 1e-12 })
            .kinetic(self.lambda())
            .alpha(FixedAlpha(self.alpha())))
    }

    /// Mean error over samples, and its gradient added to `gradient`.
    fn loss(&self, batch: &[(&Problem, Vec<f64>)], gradient: &mut [f64]) -> Outcome<f64> {
        let model = batch[0].0.model();
        let solver = self.solver(model)?.prepare(model)?;
        let density = self.density(model.grid());
        let d: Vec<f64> = density.iter().zip(model.grid().weights()).map(|(d, w)| d * w).collect();
        let (mut total, share) = (0.0, 1.0 / batch.len() as f64);
        for (problem, truth) in batch {
            let solution = solver.solve(problem)?;
            let difference: Vec<f64> =
                solution.spectrum().weights().iter().zip(truth).map(|(h, a)| h - a).collect();
            let error = difference.iter().map(|e| e * e).sum::<f64>().sqrt();
            let upstream: Vec<f64> = difference.iter().map(|e| share * e / error).collect();
            let by = solver.sensitivity(problem, &solution)?.vjp_weights(&upstream)?;
            gradient[0] += by.alpha * self.alpha();
            if self.kinetic {
                gradient[1] += by.kinetic * self.lambda();
            }
            if self.default {
                // d = softmax: ∂loss/∂ln d less its mean.
                let mean: f64 = by.default_weights.iter().zip(&d).map(|(g, d)| g * d).sum();
                for ((out, g), d) in gradient[2..].iter_mut().zip(&by.default_weights).zip(&d) {
                    *out += d * (g - mean);
                }
            }
            total += share * error;
        }
        Ok(total)
    }
}

/// The problems of a set with the true weights.
fn samples(model: &Arc<ForwardModel>, set: &TrainingSet<f64>) -> Outcome<Vec<(Problem, Vec<f64>)>> {
    let pairs = set.data().column_iter().zip(set.weights().column_iter());
    let sample = |g: &[f64], a: &[f64]| Ok((Problem::from_model(model.clone(), g)?, a.to_vec()));
    pairs.map(|(g, a)| sample(g.into_owned().as_slice(), a.into_owned().as_slice())).collect()
}

/// Trains `prior`; returns the mean loss of every epoch.
fn train(
    prior: &mut LearnedPrior,
    set: &[(Problem, Vec<f64>)],
    epochs: usize,
    name: &str,
) -> Outcome<Vec<f64>> {
    let style = "learning {prefix}: {bar:30} {pos}/{len} {msg} eta {eta}";
    let bar = ProgressBar::new(epochs as u64).with_style(ProgressStyle::with_template(style)?);
    bar.set_prefix(name.to_string());
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut adam = Adam::new(AdamConfig::default(), prior.parameters.len())?;
    let mut order: Vec<usize> = (0..set.len()).collect();
    let steps = epochs * set.len().div_ceil(BATCH);
    let schedule = Schedule::Cosine { steps: steps as f64 };
    let (mut step, mut losses) = (0, Vec::new());
    for _ in 0..epochs {
        order.shuffle(&mut rng);
        let mut total = 0.0;
        for batch in order.chunks(BATCH) {
            let batch: Vec<_> = batch.iter().map(|&k| (&set[k].0, set[k].1.clone())).collect();
            let mut gradient = vec![0.0; prior.parameters.len()];
            total += prior.loss(&batch, &mut gradient)? * batch.len() as f64;
            adam.step(&mut prior.parameters, &gradient, 0.1 * schedule.factor(step))?;
            step += 1;
        }
        losses.push(total / set.len() as f64);
        bar.inc(1);
        bar.set_message(format!("error {:.4}", losses[losses.len() - 1]));
    }
    bar.finish_and_clear();
    Ok(losses)
}

/// Root-square errors of a solver over a set, sorted.
fn errors(solver: &MaxEnt, set: &[(Problem, Vec<f64>)]) -> Outcome<Vec<f64>> {
    let solver = solver.prepare(set[0].0.model())?;
    let mut errors = Vec::new();
    for (problem, truth) in set {
        let weights = solver.solve(problem)?.spectrum().weights();
        let squares = weights.iter().zip(truth).map(|(h, a)| (h - a) * (h - a));
        errors.push(squares.sum::<f64>().sqrt());
    }
    errors.sort_by(f64::total_cmp);
    Ok(errors)
}

fn main() -> Outcome<()> {
    let o = Options::parse()?;
    let tau: Vec<f64> = (0..TIMES).map(|i| BETA * i as f64 / (TIMES - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50)?;
    let whitening = Whitening::from_errors(&[o.noise; TIMES])?;
    let model = Arc::new(ForwardModel::new(&FermionTime::new(BETA)?, &tau, &grid, whitening)?);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(o.noise));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let training = TrainingSet::generate(&mixture, &model, o.samples, &noise, &mut rng)?;
    let average: DMatrix<f64> =
        DMatrix::from_column_slice(50, 1, training.weights().column_mean().as_slice());
    let training = samples(&model, &training)?;
    let test = TrainingSet::generate(&mixture, &model, o.cases, &noise, &mut rng)?;
    let test = samples(&model, &test)?;

    println!("root-square error of {} spectra not trained on, noise {:e}", test.len(), o.noise);
    println!("{:<34}{:>8}{:>8}{:>8}{:>10}{:>10}", "", "mean", "median", "p90", "alpha", "lambda");
    let row = |name: &str, solver: &MaxEnt, fixed: Option<(f64, f64)>| -> Outcome<()> {
        let e = errors(solver, &test)?;
        let at = |share: f64| e[((e.len() - 1) as f64 * share) as usize];
        let mean = e.iter().sum::<f64>() / e.len() as f64;
        print!("{name:<34}{mean:>8.4}{:>8.4}{:>8.4}", at(0.5), at(0.9));
        match fixed {
            Some((alpha, lambda)) => println!("{alpha:>10.2e}{lambda:>10.2e}"),
            None => println!("{:>10}{:>10}", "by rule", 0),
        }
        Ok(())
    };
    let average = Spectrum::from_weights(grid.clone(), average.as_slice(), model.density())?;
    row("flat, alpha by GCV", &MaxEnt::default(), None)?;
    row("training average, alpha by GCV", &MaxEnt::default().default_model(&average), None)?;
    let start = LearnedPrior::new(grid.len(), false, false);
    row("flat, before", &start.solver(&model)?, Some((start.alpha(), start.lambda())))?;
    let mut last = None;
    for (name, kinetic, default) in [
        ("alpha learned", false, false),
        ("alpha, lambda learned", true, false),
        ("alpha, default model learned", false, true),
        ("alpha, lambda, default learned", true, true),
    ] {
        let mut prior = LearnedPrior::new(grid.len(), kinetic, default);
        let losses = train(&mut prior, &training, o.epochs, name)?;
        row(name, &prior.solver(&model)?, Some((prior.alpha(), prior.lambda())))?;
        last = Some((prior, losses));
    }
    let (prior, losses) = last.ok_or("nothing was learned")?;
    std::fs::write(&o.output, draw(&prior, &losses, &average, &test[0], &model)?)?;
    println!("learned default model, training, and a spectrum: {}", o.output);
    Ok(())
}

/// The learned default model, the training, and the first test spectrum before and after.
fn draw(
    prior: &LearnedPrior,
    losses: &[f64],
    average: &Spectrum,
    (problem, truth): &(Problem, Vec<f64>),
    model: &ForwardModel,
) -> Outcome<String> {
    let (x, density) = (model.grid().points(), prior.density(model.grid()));
    let truth: Vec<f64> = truth.iter().zip(model.grid().weights()).map(|(a, w)| a / w).collect();
    let before = MaxEnt::default().solve(problem)?;
    let after = prior.solver(model)?.solve(problem)?;
    let epochs: Vec<f64> = (1..=losses.len()).map(|e| e as f64).collect();
    let line = |label, x, y, mark, colour| Series { label, x, y, errors: &[], mark, colour };
    let panel = |title: &str, x_label, y_label, series| Panel {
        title: title.into(),
        x_label,
        y_label,
        height: 300,
        from_zero: true,
        series,
    };
    let average = average.values();
    plot::svg(
        900,
        &[
            panel(
                "default model",
                "ω",
                "D(ω)",
                vec![
                    line("average of the training set", x, average, Mark::Thin, Colour::Orange),
                    line("learned", x, &density, Mark::Line, Colour::Blue),
                ],
            ),
            panel(
                "training",
                "epoch",
                "mean error",
                vec![line("", &epochs, losses, Mark::Line, Colour::Blue)],
            ),
            panel(
                "a spectrum not trained on",
                "ω",
                "A(ω)",
                vec![
                    line("truth", x, &truth, Mark::Area, Colour::Grey),
                    line("flat, GCV", x, before.spectrum().values(), Mark::Thin, Colour::Orange),
                    line("learned prior", x, after.spectrum().values(), Mark::Line, Colour::Blue),
                ],
            ),
        ],
    )
}
