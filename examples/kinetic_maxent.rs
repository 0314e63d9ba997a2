//! What the kinetic prior of the kinetic-maxent paper does: its figures 1 and 2 as a table, and more.
//!
//! `cargo run --release --example kinetic_maxent -- [--draws 20] [--output kinetic_maxent.svg]`
//!
//! 1. Two Gaussians, 0.45 N(−2, 0.4) + 0.55 N(2.1, 0.5), β = 10, 50 Matsubara frequencies, noise 10⁻³ on real
//!    and imaginary parts, default model N(0, 1), 301 points on [−5, 5]: spectra for α from 10⁴ to 10⁻⁶ and
//!    λ from 0 to 100. Without the kinetic term they break into spikes as α falls; with λ ≥ 1 they stop
//!    changing.
//! 2. Three peaks, weights 0.36, 0.28, 0.36 at −2.5, 0, 2.5 (widths 0.45, 0.25, 0.45), β = 20: means over noise
//!    draws at α = 10⁻⁵, beside the best that plain maximum entropy reaches at any α.
//!
//! α and λ are this crate's: ½χ² − αS + (λ/2)∫(dA/dω)²dω with χ² of the stacked real and imaginary parts,
//! which is twice the paper's for circular noise, so that α and λ are twice the paper's.

#![allow(clippy::print_stdout)] // it is what the program is for

use fredholm::rand::SeedableRng;
use fredholm::rand::rngs::ChaCha8Rng;
use fredholm::{
    DefaultModel, FermionMatsubara, FixedAlpha, ForwardModel, FrequencyGrid, Matsubara, MaxEnt,
    Problem, Real, Result, Solution, Solver, Spectrum, Whitening,
};
use indicatif::{ProgressBar, ProgressStyle};
use plot::{Colour, Mark, Panel, Series};
use std::sync::Arc;

#[path = "common/plot.rs"]
mod plot;

const LAMBDAS: [f64; 5] = [0.0, 0.1, 1.0, 10.0, 100.0];
const ALPHAS: [f64; 5] = [1e4, 1e2, 1.0, 1e-2, 1e-6];
const NOISE: f64 = 1e-3;
const FREQUENCIES: usize = 50;

/// A truth, and problems of its data.
struct Case {
    truth: Spectrum,
    silent: Problem,
}

impl Case {
    /// A sum of Gaussians (weight, position, width), with data that hold no noise.
    fn new(beta: f64, peaks: &[(f64, f64, f64)]) -> Result<Self> {
        let grid = FrequencyGrid::uniform(-5.0, 5.0, 301)?;
        let iw = Matsubara::Fermion.frequencies(beta, FREQUENCIES)?;
        let noise = Whitening::from_errors(&[NOISE; 2 * FREQUENCIES])?;
        let model = Arc::new(ForwardModel::new(&FermionMatsubara, &iw, &grid, noise)?);
        let truth = Spectrum::from_fn(grid, |w: f64| {
            let peak = |&(weight, mu, sigma): &(f64, f64, f64)| {
                let u = (w - mu) / sigma;
                weight * (-0.5 * u * u).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
            };
            peaks.iter().map(peak).sum()
        })?;
        let silent = Problem::from_model(model, &[0.0; 2 * FREQUENCIES])?;
        Ok(Case { truth, silent })
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Result<Problem> {
        let exact = self.silent.back_continue(&self.truth.weights())?;
        let noisy: Vec<f64> = exact.iter().map(|g| g + NOISE * f64::standard_normal(rng)).collect();
        self.silent.with_data(&noisy)
    }
}

/// What the tables show of a spectrum.
#[derive(Default, Clone, Copy)]
struct Shape {
    maxima: f64,
    total_variation: f64,
    chi2: f64,
    l1: f64,
}

impl Shape {
    fn of(solution: &Solution, truth: &Spectrum) -> Result<Self> {
        let spectrum = solution.spectrum();
        Ok(Shape {
            maxima: spectrum.peaks(0.01)?.len() as f64,
            total_variation: spectrum.total_variation(),
            chi2: solution.report().chi2,
            l1: spectrum.l1_error(truth)?,
        })
    }

    fn add(&mut self, other: &Shape, weight: f64) {
        self.maxima += weight * other.maxima;
        self.total_variation += weight * other.total_variation;
        self.chi2 += weight * other.chi2;
        self.l1 += weight * other.l1;
    }
}

fn maxent(lambda: f64) -> MaxEnt {
    MaxEnt::default()
        .default_model(DefaultModel::Gaussian { centre: 0.0, width: 1.0 })
        .kinetic(lambda)
}

/// Solutions at fixed α, and whether all of them converged.
fn solve(problem: &Problem, lambda: f64, alpha: f64) -> Result<Solution> {
    let solution = maxent(lambda).alpha(FixedAlpha(alpha)).solve(problem)?;
    if !solution.report().status.is_success() {
        println!("lambda {lambda}, alpha {alpha:e}: {}", solution.report().status);
    }
    Ok(solution)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (mut draws, mut output) = (20, String::from("kinetic_maxent.svg"));
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--draws" => draws = value.parse()?,
            "--output" => output = value,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);

    // 1. Two Gaussians.
    let case = Case::new(10.0, &[(0.45, -2.0, 0.4), (0.55, 2.1, 0.5)])?;
    let problem = case.draw(&mut rng)?;
    println!("Two Gaussians: maxima above 1 % / total variation / chi2 / L1 error");
    println!(
        "the truth has {} maxima and total variation {:.3}; N = {}\n",
        case.truth.peaks(0.01)?.len(),
        case.truth.total_variation(),
        problem.whitened_data().len()
    );
    print!("{:>7}", "lambda");
    ALPHAS.iter().for_each(|alpha| print!("{:>30}", format!("alpha = {alpha:e}")));
    println!();
    let mut coldest = Vec::new();
    for lambda in LAMBDAS {
        print!("{lambda:>7}");
        for alpha in ALPHAS {
            let solution = solve(&problem, lambda, alpha)?;
            let s = Shape::of(&solution, &case.truth)?;
            let text =
                format!("{:.0} /{:6.2} /{:8.2} /{:6.3}", s.maxima, s.total_variation, s.chi2, s.l1);
            print!("{text:>30}");
            if alpha == ALPHAS[ALPHAS.len() - 1] {
                coldest.push(solution.spectrum().clone());
            }
        }
        println!();
    }

    // 2. Three peaks.
    let case = Case::new(20.0, &[(0.36, -2.5, 0.45), (0.28, 0.0, 0.25), (0.36, 2.5, 0.45)])?;
    let bar = ProgressBar::new(draws as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} draws, eta {eta}")?);
    let mut means = [Shape::default(); LAMBDAS.len()];
    let mut best = 0.0;
    let weight = 1.0 / f64::from(draws);
    for _ in 0..draws {
        let problem = case.draw(&mut rng)?;
        for (mean, lambda) in means.iter_mut().zip(LAMBDAS) {
            mean.add(&Shape::of(&solve(&problem, lambda, 1e-5)?, &case.truth)?, weight);
        }
        let mut least = f64::INFINITY;
        for i in 0..40 {
            let alpha = 10f64.powf(4.0 - 0.2 * f64::from(i));
            least = least.min(Shape::of(&solve(&problem, 0.0, alpha)?, &case.truth)?.l1);
        }
        best += weight * least;
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("\nThree peaks, alpha = 1e-5, means of {draws} draws");
    println!("{:>7}{:>9}{:>18}{:>9}{:>9}", "lambda", "maxima", "total variation", "chi2", "L1");
    for (s, lambda) in means.iter().zip(LAMBDAS) {
        println!(
            "{lambda:>7}{:>9.1}{:>18.2}{:>9.2}{:>9.3}",
            s.maxima, s.total_variation, s.chi2, s.l1
        );
    }
    println!(
        "truth: {} maxima, total variation {:.2}; best plain maximum entropy over all alpha: L1 {best:.3}",
        case.truth.peaks(0.01)?.len(),
        case.truth.total_variation()
    );

    std::fs::write(&output, draw(&problem, &coldest)?)?;
    println!("\nspectra of the two Gaussians at alpha = 1e-6: {output}");
    Ok(())
}

/// A panel for every λ.
fn draw(
    problem: &Problem,
    spectra: &[Spectrum],
) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let omega = problem.grid().points();
    let case = Case::new(10.0, &[(0.45, -2.0, 0.4), (0.55, 2.1, 0.5)])?;
    let panels: Vec<Panel> = spectra
        .iter()
        .zip(LAMBDAS)
        .map(|(spectrum, lambda)| {
            let series =
                |label, y, mark, colour| Series { label, x: omega, y, errors: &[], mark, colour };
            Panel {
                title: format!("λ = {lambda}, α = 10⁻⁶"),
                x_label: "ω",
                y_label: "A(ω)",
                height: 230,
                from_zero: true,
                series: vec![
                    series("truth", case.truth.values(), Mark::Area, Colour::Grey),
                    series("maximum entropy", spectrum.values(), Mark::Line, Colour::Blue),
                ],
            }
        })
        .collect();
    plot::svg(900, &panels)
}
