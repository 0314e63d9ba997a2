//! Which default model serves maximum entropy best (learned-optimizers paper, III.F: RLISTA+)?
//!
//! `cargo run --release --example neural_default -- [--cases 200] [--samples 20000] [--epochs 20]
//! [--paper no] [--output neural_default.svg]`
//!
//! For noise of 10⁻⁵, 10⁻⁴ and 10⁻³, spectra of the paper's kind (β = 16, 100 imaginary times, 50 frequencies on
//! [−3, 3]) are continued by maximum entropy with four default models: flat; a Gaussian of the training
//! spectra's mean and variance; inexact, a linear least-squares estimator made for ten times the noise; and
//! the answer of RLISTA-10 behind a front of singular vectors, trained at that noise. Median RSE of the
//! defaults themselves and of maximum entropy with them, for several rules for α, and how often maximum
//! entropy improves on its default. `--paper yes` takes the paper's own network instead, six layers on raw
//! data, and draws two of its spectra as the paper's figure 5 does.

#![allow(clippy::print_stdout)] // it is what the program is for

use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Chi2Kink, DefaultModel, FermionTime, ForwardModel, FrequencyGrid, Front, GaussianMixture, Gcv,
    Lmmse, MaxEnt, NoiseLevel, Problem, Rlista, RlistaConfig, Solver, Spectrum, TrainOptions,
    TrainingSet, Whitening,
};
use indicatif::{ProgressBar, ProgressStyle};
use plot::{Colour, Mark, Panel, Series};
use std::ops::ControlFlow;
use std::sync::Arc;

#[path = "common/plot.rs"]
mod plot;

type Outcome<V> = Result<V, Box<dyn std::error::Error>>;

const BETA: f64 = 16.0;
const TIMES: usize = 100;
const MODES: usize = 14;

struct Options {
    cases: usize,
    samples: usize,
    epochs: usize,
    paper: bool,
    output: String,
}

impl Options {
    fn parse() -> Outcome<Self> {
        let mut o = Options {
            cases: 200,
            samples: 20_000,
            epochs: 20,
            paper: false,
            output: "neural_default.svg".into(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--cases" => o.cases = value.parse()?,
                "--samples" => o.samples = value.parse()?,
                "--epochs" => o.epochs = value.parse()?,
                "--paper" => o.paper = value == "yes",
                "--output" => o.output = value,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(o)
    }
}

/// A rule for α with its name in the table.
type Rule = (&'static str, fn(MaxEnt) -> MaxEnt);

const RULES: [Rule; 2] = [
    ("gcv", |maxent| maxent.alpha(Gcv::default())),
    ("chi2kink", |maxent| maxent.alpha(Chi2Kink::default())),
];

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

/// Mean and standard deviation in ω of the average training spectrum.
fn moments(set: &TrainingSet<f32>, grid: &FrequencyGrid) -> (f64, f64) {
    let average = set.weights().column_mean();
    let total: f64 = average.iter().map(|&a| f64::from(a)).sum();
    let moment = |k: i32| -> f64 {
        let terms = grid.points().iter().zip(&average).map(|(w, &a)| w.powi(k) * f64::from(a));
        terms.sum::<f64>() / total
    };
    (moment(1), (moment(2) - moment(1).powi(2)).sqrt())
}

fn main() -> Outcome<()> {
    let o = Options::parse()?;
    let tau: Vec<f64> = (0..TIMES).map(|i| BETA * i as f64 / (TIMES - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50)?;
    let mixture = GaussianMixture::default();
    let mut panels = Vec::new();

    for (seed, noise) in [1e-5, 1e-4, 1e-3].into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed as u64 + 1);
        let whitening = Whitening::from_errors(&[noise; TIMES])?;
        let kernel = FermionTime::new(BETA)?;
        let model = Arc::new(ForwardModel::new(&kernel, &tau, &grid, whitening)?);

        // The network and the inexact estimator.
        let level = NoiseLevel::Uniform(noise);
        let set = TrainingSet::<f32>::generate(&mixture, &model, o.samples, &level, &mut rng)?;
        let config = if o.paper {
            let options = TrainOptions::scaled(o.epochs, o.samples);
            RlistaConfig { depth: 6, options, ..RlistaConfig::default() }
        } else {
            let front = Front::singular(model.kernel(), MODES, set.data())?;
            RlistaConfig::conditioned(front, o.epochs, o.samples)
        };
        let bar = ProgressBar::new(o.epochs as u64).with_style(ProgressStyle::with_template(
            "training at noise {prefix}: {bar:30} {pos}/{len} {msg} eta {eta}",
        )?);
        bar.set_prefix(format!("{noise:e}"));
        let network = Rlista::train(&set, &config, &mut rng, |info| {
            bar.set_position(info.epoch as u64);
            bar.set_message(format!("loss {:.4}", info.training_loss));
            ControlFlow::Continue(())
        })?;
        bar.finish_and_clear();
        let louder = NoiseLevel::Uniform(10.0 * noise);
        let samples = o.samples.min(20_000);
        let inexact = Lmmse::affine()
            .fit(&TrainingSet::<f64>::generate(&mixture, &model, samples, &louder, &mut rng)?)?;
        let (centre, width) = moments(&set, &grid);

        // Test spectra, the same for every default model.
        let names = ["flat", "gaussian", "inexact", "network"];
        let mut own = vec![Vec::new(); names.len()];
        let mut fitted = vec![vec![Vec::new(); RULES.len()]; names.len()];
        let bar = ProgressBar::new(o.cases as u64).with_style(ProgressStyle::with_template(
            "maximum entropy: {bar:30} {pos}/{len} eta {eta}",
        )?);
        for case in 0..o.cases {
            let truth = mixture.draw(&grid, &mut rng)?;
            let silent = Problem::from_model(Arc::clone(&model), &[0.0; TIMES])?;
            let mut data = silent.back_continue(&truth.weights())?;
            for g in &mut data {
                *g += noise * <f64 as fredholm::Real>::standard_normal(&mut rng);
            }
            let problem = silent.with_data(&data)?;
            let answers = [
                None,
                None,
                Some(inexact.solve(&problem)?.spectrum().clone()),
                Some(network.solve(&problem)?.spectrum().clone()),
            ];
            for (k, answer) in answers.iter().enumerate() {
                let default = match (k, answer) {
                    (_, Some(spectrum)) => DefaultModel::from(spectrum),
                    (0, None) => DefaultModel::Flat,
                    (_, None) => DefaultModel::Gaussian { centre, width },
                };
                let density = default.density_on(&grid, 1.0)?;
                let alone = match answer {
                    Some(spectrum) => spectrum.clone(),
                    None => Spectrum::new(grid.clone(), density, model.density())?,
                };
                own[k].push(alone.rse(&truth)?);
                let maxent = MaxEnt::default().default_model(default);
                for (r, (_, with)) in RULES.iter().enumerate() {
                    let solution = with(maxent.clone()).solve(&problem)?;
                    fitted[k][r].push(solution.spectrum().rse(&truth)?);
                    if o.paper && seed == 0 && case < 2 && r == 0 && (k == 0 || k == 3) {
                        let alone = (k == 3).then_some(alone.clone());
                        panels.push((case, k, truth.clone(), alone, solution.spectrum().clone()));
                    }
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();

        println!("noise {noise:e}, median RSE of {} spectra", o.cases);
        print!("{:>10}{:>12}", "default", "itself");
        RULES.iter().for_each(|(name, _)| print!("{name:>12}{:>9}", "better"));
        println!();
        for (k, name) in names.iter().enumerate() {
            print!("{name:>10}{:>12.4}", median(own[k].clone()));
            for values in &fitted[k] {
                let better = values.iter().zip(&own[k]).filter(|(fit, own)| fit < own).count();
                let percent = 100.0 * better as f64 / o.cases as f64;
                print!("{:>12.4}{percent:>7.0} %", median(values.clone()));
            }
            println!();
        }
        println!();
    }
    if o.paper {
        std::fs::write(&o.output, draw(&panels, &grid)?)?;
        println!("two spectra as in the paper's figure 5: {}", o.output);
    }
    Ok(())
}

/// Case, default model, truth, the network's answer, maximum entropy's.
type Drawn = (usize, usize, Spectrum, Option<Spectrum>, Spectrum);

fn draw(spectra: &[Drawn], grid: &FrequencyGrid) -> Outcome<String> {
    let x = grid.points();
    let line = |label, y, mark, colour| Series { label, x, y, errors: &[], mark, colour };
    let mut panels = Vec::new();
    for case in 0..2 {
        let mut series = Vec::new();
        for (_, k, truth, network, answer) in spectra.iter().filter(|d| d.0 == case) {
            if *k == 0 {
                series.push(line("truth", truth.values(), Mark::Area, Colour::Grey));
                series.push(line("flat", answer.values(), Mark::Thin, Colour::Orange));
            } else if let Some(network) = network {
                series.push(line("RLISTA", network.values(), Mark::Thin, Colour::Green));
                series.push(line("RLISTA+", answer.values(), Mark::Line, Colour::Blue));
            }
        }
        panels.push(Panel {
            title: format!("spectrum {}", case + 1),
            x_label: "ω",
            y_label: "A(ω)",
            height: 320,
            from_zero: true,
            series,
        });
    }
    plot::svg(900, &panels)
}
