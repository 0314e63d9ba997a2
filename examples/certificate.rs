//! How close to its optimum does maximum entropy come, and does its certificate tell the truth?
//!
//!     cargo run --release --example certificate [problems]
//!
//! Random problems (kernel, β, grid, number of data, noise, spectrum and its norm) × 45 α × kinetic weights 0, 1, 100:
//! how many points of the ladders have gap/(α·norm) ≤ 10⁻¹⁰, and why not the others. Then answers at fixed α,
//! solved loosely and again to a much smaller gap: their distance over the bound that was certified.

#![allow(clippy::print_stdout)]

use fredholm::rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    BosonMatsubara, BosonTime, BosonTimeSymmetric, Certificate, FermionMatsubara, FermionTime,
    FixedAlpha, ForwardModel, FrequencyGrid, GaussianMixture, Kernel, Laplace, Matsubara, MaxEnt,
    NoiseLevel, Problem, Solution, Solver, TrainingSet, Whitening,
};
use std::error::Error;
use std::sync::Arc;

/// A problem and the norm of its spectrum.
fn problem(rng: &mut ChaCha8Rng) -> Result<(Problem<f64>, f64), Box<dyn Error>> {
    let beta = 10f64.powf(rng.random_range(0.3..1.7));
    let (frequencies, count) = (rng.random_range(30..120), rng.random_range(20..150));
    let tau: Vec<f64> = (0..count).map(|i| beta * i as f64 / (count - 1) as f64).collect();
    let (kernel, axis, half): (Box<dyn Kernel>, _, _) = match rng.random_range(0..6) {
        0 => (Box::new(FermionTime::new(beta)?), tau, false),
        1 => (Box::new(BosonTime::new(beta)?), tau, false),
        2 => (Box::new(BosonTimeSymmetric::new(beta)?), tau, true),
        3 => (Box::new(FermionMatsubara), Matsubara::Fermion.frequencies(beta, count / 2)?, false),
        4 => (Box::new(BosonMatsubara), Matsubara::Boson.frequencies(beta, count / 2)?, false),
        _ => (Box::new(Laplace), tau[1..].to_vec(), true),
    };
    let width = rng.random_range(2.5..8.0);
    let least = if half { 0.0 } else { -width };
    let grid = FrequencyGrid::uniform(least, width, frequencies)?;
    let noise = 10f64.powf(rng.random_range(-6.0..-2.0));
    let norm = 10f64.powf(rng.random_range(-0.5..0.5));
    let rows = kernel.rows(axis.len());
    let whitening = Whitening::from_errors(&vec![noise * norm; rows])?;
    let model = ForwardModel::new(&kernel, &axis, &grid, whitening)?;
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(noise));
    let set = TrainingSet::generate(&mixture, &model, 1, &noise, rng)?;
    let problem = Problem::from_model(Arc::new(model), (set.data() * norm).as_slice())?;
    Ok((problem, norm))
}

fn bound(solution: &Solution<f64>) -> f64 {
    match solution.report().certificate {
        Certificate::Gap { l1_bound, .. } => l1_bound.unwrap_or(f64::INFINITY),
        _ => f64::INFINITY,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(500), |n| n.parse())?;
    let mut rng = ChaCha8Rng::seed_from_u64(2026);
    let problems = (0..count).map(|_| problem(&mut rng)).collect::<Result<Vec<_>, _>>()?;
    println!("{count} problems, 45 alpha each, gap/(alpha norm) <= 1e-10:");
    for kinetic in [0.0, 1.0, 100.0] {
        let (mut points, mut good, mut floor, mut cut, mut worst) = (0_usize, 0_u32, 0, 0, 0.0_f64);
        let (mut answers, mut violated, mut closest) = (0, 0, 0.0_f64);
        for (problem, norm) in &problems {
            let solver = MaxEnt::default().norm(*norm).ladder_points(45).ladder_tolerance(5e-11);
            let solver = solver.kinetic(kinetic);
            let solution = solver.solve(problem)?;
            let ladder = solution.report().maxent.as_ref().map_or(&[][..], |m| &m.ladder);
            for step in ladder {
                let gap = step.gap / step.alpha / norm;
                points += 1;
                if gap <= 1e-10 {
                    good += 1;
                } else if step.converged {
                    floor += 1;
                    worst = worst.max(gap);
                }
            }
            // Points that a ladder cut short was not asked for count as missed.
            cut += 45 - ladder.iter().filter(|s| s.converged).count();
            points += 45 - ladder.len();
            for step in ladder.iter().filter(|s| s.converged).step_by(11) {
                let at = |tolerance| {
                    let solver =
                        MaxEnt::default().norm(*norm).kinetic(kinetic).tolerance(tolerance);
                    solver.alpha(FixedAlpha(step.alpha)).solve(problem)
                };
                let (loose, tight) = (at(1e-7)?, at(1e-13)?);
                let (a, b) = (loose.spectrum().weights(), tight.spectrum().weights());
                let distance: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum();
                answers += 1;
                violated += usize::from(distance > bound(&loose) + bound(&tight));
                closest = closest.max(distance / bound(&loose));
            }
        }
        println!(
            "kinetic {kinetic:3}: {:.3} % of {points}; {floor} at the rounding floor (worst {worst:.1e}), {cut} \
             not converged; L1 bound violated in {violated} of {answers}, largest distance/bound {closest:.3}",
            100.0 * f64::from(good) / points as f64
        );
    }
    Ok(())
}
