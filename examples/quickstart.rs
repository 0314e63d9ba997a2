//! Four methods on synthetic problems, compared in a table and drawn.
//!
//! Random mixtures of Gaussian peaks are turned into noisy G(τ); ISTA, a learned optimizer (RLISTA,
//! trained on the spot), maximum entropy with a flat default model, and maximum entropy with the
//! network's answer as default model (RLISTA+) try to find them again.
//!
//! `cargo run --release --example quickstart [-- --seed N --samples N --epochs N --noise SIGMA --output FILE.svg]`

#![allow(clippy::print_stdout)] // it is what the program is for

use fredholm::rand::SeedableRng;
use fredholm::rand::rngs::ChaCha8Rng;
use fredholm::{
    Certificate, FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, MaxEnt, NoiseLevel,
    OneSidedSoftThreshold, Problem, ProximalGradient, Real, Rlista, RlistaConfig, Solution, Solver,
    Spectrum, TrainOptions, TrainingSet, Whitening,
};
use indicatif::{ProgressBar, ProgressStyle};
use plot::{Colour, Mark, Panel, Series};
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

#[path = "common/plot.rs"]
mod plot;

const BETA: f64 = 16.0;
const TIMES: usize = 100;
const FREQUENCIES: usize = 50;
const CASES: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);

    // The physics: G(τ_i) = Σ_j K(τ_i, ω_j) a_j + noise.
    let tau: Vec<f64> = (0..TIMES).map(|i| BETA * i as f64 / (TIMES - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, FREQUENCIES)?;
    let noise = Whitening::from_errors(&vec![options.noise; TIMES])?;
    let model = Arc::new(ForwardModel::new(&FermionTime::new(BETA)?, &tau, &grid, noise)?);

    // Spectra to be found, and their noisy data.
    let generator = GaussianMixture::default();
    let mut cases = Vec::new();
    for _ in 0..CASES {
        let truth = generator.draw(&grid, &mut rng)?;
        let silent = Problem::from_model(Arc::clone(&model), &[0.0; TIMES])?;
        let exact = silent.back_continue(&truth.weights())?;
        let noisy: Vec<f64> =
            exact.iter().map(|g| g + options.noise * f64::standard_normal(&mut rng)).collect();
        cases.push((truth, silent.with_data(&noisy)?));
    }
    println!(
        "G(tau) at {TIMES} times, beta = {BETA}, noise {:e}; {FREQUENCIES} frequencies in [-3, 3]\n",
        options.noise
    );

    // A learned optimizer, trained on other spectra of the same kind.
    let bar = ProgressBar::new(options.epochs as u64);
    bar.set_style(ProgressStyle::with_template(
        "training RLISTA {bar:40} {pos}/{len} {msg} {eta}",
    )?);
    let clock = Instant::now();
    let level = NoiseLevel::Uniform(options.noise);
    let set = TrainingSet::<f32>::generate(&generator, &model, options.samples, &level, &mut rng)?;
    let config = RlistaConfig {
        options: TrainOptions::scaled(options.epochs, options.samples),
        ..RlistaConfig::default()
    };
    let network = Rlista::train(&set, &config, &mut rng, |info| {
        bar.set_position(info.epoch as u64);
        bar.set_message(format!("loss {:.4}", info.training_loss));
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    println!(
        "trained RLISTA-{} on {} spectra x {} epochs in {:.1} s ({})\n",
        config.depth,
        options.samples,
        options.epochs,
        clock.elapsed().as_secs_f64(),
        network.training().map_or_else(String::new, |t| t.status.to_string())
    );

    // Four answers to each.
    let ista = ProximalGradient::ista(1e-3).prox(OneSidedSoftThreshold).max_iterations(20_000);
    let flat = MaxEnt::default();
    let rows = [
        row("ISTA", &cases, |p| ista.solve(p))?,
        row("RLISTA", &cases, |p| network.solve(p))?,
        row("MaxEnt", &cases, |p| flat.solve(p))?,
        row("RLISTA+", &cases, |p| {
            MaxEnt::default().default_model(network.solve(p)?.spectrum()).solve(p)
        })?,
    ];
    let truth = &cases[0].0;

    print_table(&rows);
    draw_text(truth, &rows);
    draw_svg(&options.output, truth, &rows)?;
    println!("drawn to {}", options.output);
    Ok(())
}

struct Options {
    seed: u64,
    samples: usize,
    epochs: usize,
    noise: f64,
    output: String,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut options = Options {
            seed: 1,
            samples: 20_000,
            epochs: 60,
            noise: 1e-3,
            output: "quickstart.svg".into(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name}: expected a value"))?;
            let bad = |what: &str| format!("{name} {value}: expected {what}");
            match name.as_str() {
                "--seed" => {
                    options.seed = value.parse().map_err(|_| bad("a whole number"))?;
                }
                "--samples" => {
                    options.samples = value.parse().map_err(|_| bad("a whole number"))?;
                }
                "--epochs" => {
                    options.epochs = value.parse().map_err(|_| bad("a whole number"))?;
                }
                "--noise" => {
                    options.noise = value.parse().map_err(|_| bad("a number"))?;
                }
                "--output" => options.output = value,
                _ => {
                    return Err(format!(
                        "unknown option {name}: expected --seed, --samples, --epochs, --noise or --output"
                    )
                    .into());
                }
            }
        }
        Ok(options)
    }
}

fn series<'a>(label: &'a str, spectrum: &'a Spectrum, mark: Mark, colour: Colour) -> Series<'a> {
    Series { label, x: spectrum.grid().points(), y: spectrum.values(), errors: &[], mark, colour }
}

/// A method's answer to the first case, and its median error over all.
struct Row {
    name: &'static str,
    solution: Solution,
    rse: f64,
    median: f64,
    milliseconds: f64,
    converged: usize,
}

fn row(
    name: &'static str,
    cases: &[(Spectrum, Problem)],
    solve: impl Fn(&Problem) -> fredholm::Result<Solution>,
) -> fredholm::Result<Row> {
    let clock = Instant::now();
    let answers: Vec<Solution> =
        cases.iter().map(|(_, problem)| solve(problem)).collect::<Result<_, _>>()?;
    let milliseconds = 1e3 * clock.elapsed().as_secs_f64() / cases.len() as f64;
    let errors: Vec<f64> = (answers.iter().zip(cases))
        .map(|(answer, (truth, _))| answer.spectrum().rse(truth))
        .collect::<Result<_, _>>()?;
    let converged = answers.iter().filter(|a| a.report().status.is_success()).count();
    let rse = errors[0];
    let mut sorted = errors;
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let solution = answers.into_iter().next().expect("at least one case");
    Ok(Row { name, solution, rse, median, milliseconds, converged })
}

fn print_table(rows: &[Row]) {
    println!("          RSE of the  median                                  ms per");
    println!(
        "method    first one   of {CASES}    chi2/N      certificate        spectrum   converged"
    );
    for row in rows {
        let report = row.solution.report();
        let certificate = match report.certificate {
            Certificate::Gap { relative, .. } => format!("gap {relative:.1e}"),
            Certificate::Stationarity { residual } => format!("residual {residual:.1e}"),
            _ => "none".into(),
        };
        println!(
            "{:8}  {:.4}      {:.4}   {:<9.3e}   {:<16}   {:<8.2}   {}",
            row.name,
            row.rse,
            row.median,
            report.chi2 / report.n_data as f64,
            certificate,
            row.milliseconds,
            if row.name == "RLISTA" { "-".into() } else { format!("{}/{CASES}", row.converged) }
        );
    }
    println!();
}

/// Truth as a shaded area, RLISTA+ as dots, on a canvas of characters.
fn draw_text(truth: &Spectrum, rows: &[Row]) {
    const HEIGHT: usize = 14;
    let answer = rows[rows.len() - 1].solution.spectrum();
    let top = truth.values().iter().chain(answer.values()).fold(0.0_f64, |m, &v| m.max(v));
    let level = |v: f64| (v / top * (HEIGHT as f64 - 0.5)) as usize;
    for line in (0..HEIGHT).rev() {
        let text: String = (0..truth.values().len())
            .flat_map(|j| {
                let (t, a) = (level(truth.values()[j]), level(answer.values()[j]));
                let c = if a == line {
                    'o'
                } else if line < t {
                    '░'
                } else if line == t && t > 0 {
                    '▒'
                } else {
                    ' '
                };
                [c, if c == 'o' { ' ' } else { c }]
            })
            .collect();
        println!("  |{}", text.trim_end());
    }
    println!("  +{}", "-".repeat(2 * truth.values().len()));
    println!("   {:<48}0{:>48}", truth.grid().min(), truth.grid().max());
    println!("   shaded: truth, o: RLISTA+\n");
}

fn draw_svg(path: &str, truth: &Spectrum, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let colours = [Colour::Purple, Colour::Green, Colour::Blue, Colour::Orange];
    let mut curves = vec![series("truth", truth, Mark::Area, Colour::Grey)];
    for (row, colour) in rows.iter().zip(colours) {
        // RLISTA+ often runs right over RLISTA.
        let mark = if row.name == "RLISTA" { Mark::Points } else { Mark::Line };
        curves.push(series(row.name, row.solution.spectrum(), mark, colour));
    }
    let panel = Panel {
        title: "A(ω)".into(),
        x_label: "ω",
        y_label: "A(ω)",
        height: 520,
        from_zero: true,
        series: curves,
    };
    std::fs::write(path, plot::svg(900, &[panel])?)?;
    Ok(())
}
