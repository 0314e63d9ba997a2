//! Which error bars of a spectrum can be quoted: how often the true weight of a window lies within one and two
//! standard deviations of what maximum entropy finds, for the posterior and for the parametric bootstrap.
//!
//! `cargo run --release --example uncertainty [-- DRAWS]`: every row is the mean over DRAWS (50) noise draws with α
//! chosen anew for each; the bootstrap keeps it, or chooses it again for every replica. A calibrated error bar
//! covers 0.68 and 0.95.

#![allow(clippy::print_stdout)] // it is what the program is for

use core::ops::ControlFlow;
use fredholm::nalgebra::DVector;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Bootstrap, FermionTime, FixedAlpha, FrequencyGrid, Kernel, MaxEnt, Measurement, Problem, Real,
    Result, Solver, Spectrum,
};

const BETA: f64 = 10.0;
const REPLICAS: usize = 50;
const METHODS: &str = "posterior | bootstrap, alpha kept | bootstrap, alpha chosen";
const WINDOWS: [(f64, f64); 5] = [(-5.0, 0.0), (-1.0, 1.0), (0.0, 2.0), (-3.0, -1.0), (1.0, 5.0)];

fn gaussian(w: f64, mu: f64, sigma: f64) -> f64 {
    (-0.5 * ((w - mu) / sigma).powi(2)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
}

type Density = fn(f64) -> f64;

fn spectra() -> [(&'static str, Density); 3] {
    [
        ("one peak", |w| gaussian(w, 0.4, 0.6)),
        ("two peaks", |w| 0.6 * gaussian(w, -1.5, 0.4) + 0.4 * gaussian(w, 1.8, 0.6)),
        ("three peaks", |w| {
            0.4 * gaussian(w, -2.2, 0.5)
                + 0.2 * gaussian(w, 0.0, 0.15)
                + 0.4 * gaussian(w, 2.2, 0.5)
        }),
    ]
}

/// What is summed over the draws for one window.
#[derive(Default, Clone, Copy)]
struct Row {
    /// Within one and two deviations; for each of `METHODS`.
    within: [[f64; 2]; 3],
    deviation: [f64; 3],
    square: f64,
}

fn main() -> Result<()> {
    let draws: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(50);
    let grid = FrequencyGrid::uniform(-5.0, 5.0, 201)?;
    let kernel = FermionTime::new(BETA)?;
    let tau: Vec<f64> = (0..60).map(|i| BETA * f64::from(i) / 59.0).collect();
    let matrix = kernel.matrix(&tau, grid.points())?;
    println!("coverage within 1 and 2 deviations and mean deviation of {METHODS}; rms miss");
    for (name, density) in spectra() {
        let truth = Spectrum::from_fn(grid.clone(), density)?;
        let exact = &matrix * DVector::from_vec(truth.weights());
        for sigma in [1e-3, 1e-4] {
            let data = Measurement::with_uniform_error(&tau, exact.as_slice(), sigma)?;
            let base = Problem::new(&kernel, &data, &grid)?;
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut rows = [Row::default(); WINDOWS.len()];
            for _ in 0..draws {
                let g: Vec<f64> =
                    exact.iter().map(|g| g + sigma * f64::standard_normal(&mut rng)).collect();
                draw(&base.with_data(&g)?, &truth, &mut rng, &mut rows)?;
            }
            let n = draws as f64;
            for (row, (from, to)) in rows.iter().zip(WINDOWS) {
                print!("{name:11}  sigma {sigma:.0e}  [{from:4}, {to:4}]");
                for (within, deviation) in row.within.iter().zip(row.deviation) {
                    let [one, two] = within.map(|w| w / n);
                    print!("  {one:.2} {two:.2} {:.1e} |", deviation / n);
                }
                println!("  {:.1e}", (row.square / n).sqrt());
            }
        }
    }
    Ok(())
}

fn draw(problem: &Problem, truth: &Spectrum, rng: &mut ChaCha8Rng, rows: &mut [Row]) -> Result<()> {
    let anew = MaxEnt::default().prepare(problem.model())?;
    let solution = anew.solve(problem)?;
    let posterior = anew.posterior(&solution)?;
    let alpha = solution.report().maxent.as_ref().map_or(1.0, |m| m.alpha);
    let same = MaxEnt::default().alpha(FixedAlpha(alpha)).prepare(problem.model())?;
    let go = |_| ControlFlow::Continue(());
    let bootstrap = Bootstrap::new(REPLICAS);
    let kept = bootstrap.parametric(problem, solution.fit(), &same, rng, go)?;
    let chosen = bootstrap.parametric(problem, solution.fit(), &anew, rng, go)?;
    for (row, (from, to)) in rows.iter_mut().zip(WINDOWS) {
        let found = posterior.window(from, to)?;
        let window = |a: &Spectrum| a.weight_between(from, to);
        let deviations = [
            found.deviation,
            kept.functional(window)?.deviation(),
            chosen.functional(window)?.deviation(),
        ];
        let miss = (truth.weight_between(from, to)? - found.value).abs();
        for (k, deviation) in deviations.into_iter().enumerate() {
            row.within[k][0] += f64::from(miss < deviation);
            row.within[k][1] += f64::from(miss < 2.0 * deviation);
            row.deviation[k] += deviation;
        }
        row.square += miss * miss;
    }
    Ok(())
}
