//! The certificate on random problems: small everywhere, and true.

use super::{FixedAlpha, MaxEnt};
use crate::grid::FrequencyGrid;
use crate::kernel::FermionTime;
use crate::noise::Whitening;
use crate::problem::{ForwardModel, Problem};
use crate::solution::{Certificate, Solution, Solver};
use crate::synthetic::{GaussianMixture, NoiseLevel, TrainingSet};
use rand::SeedableRng;
use std::sync::Arc;

/// A problem of its own β, width, sizes and noise (10⁻² to 10⁻⁵).
fn problem(index: usize) -> Problem<f64> {
    let (beta, width) = (2.0 + 5.0 * (index % 5) as f64, 3.0 + (index % 3) as f64);
    let (frequencies, times) = (31 + 7 * (index % 4), 25 + 11 * (index % 6));
    let sigma = 10f64.powi(-2 - (index % 4) as i32);
    let tau: Vec<f64> = (0..times).map(|i| beta * i as f64 / (times - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-width, width, frequencies).unwrap();
    let whitening = Whitening::from_errors(&vec![sigma; times]).unwrap();
    let kernel = FermionTime::new(beta).unwrap();
    let model = ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap();
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(index as u64);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(sigma));
    let set = TrainingSet::generate(&mixture, &model, 1, &noise, &mut rng).unwrap();
    Problem::from_model(Arc::new(model), set.data().as_slice()).unwrap()
}

fn bound(solution: &Solution<f64>) -> f64 {
    match solution.report().certificate {
        Certificate::Gap { l1_bound, .. } => l1_bound.unwrap(),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn the_certificate_is_small_and_no_distance_exceeds_it() {
    let (mut points, mut good) = (0_u32, 0_u32);
    for index in 0..12 {
        let problem = problem(index);
        for kinetic in [0.0, 1.0, 100.0] {
            let base = MaxEnt::default().kinetic(kinetic);
            let solver = base.clone().ladder_points(20).ladder_tolerance(5e-11);
            let solution = solver.solve(&problem).unwrap();
            let ladder = &solution.report().maxent.as_ref().unwrap().ladder;
            points += 20;
            good += ladder.iter().filter(|s| s.gap <= 1e-10 * s.alpha).count() as u32;
            for step in ladder.iter().filter(|s| s.converged).step_by(9) {
                let base = base.clone().alpha(FixedAlpha(step.alpha));
                let solve = |tolerance| base.clone().tolerance(tolerance).solve(&problem).unwrap();
                let (loose, tight) = (solve(1e-6), solve(1e-13));
                assert!(bound(&tight) < 0.1 * bound(&loose) || bound(&loose) < 1e-6);
                let (a, b) = (loose.spectrum().weights(), tight.spectrum().weights());
                let distance: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum();
                assert!(distance <= bound(&loose) + bound(&tight), "{index} {kinetic} {step:?}");
            }
        }
    }
    assert!(f64::from(good) >= 0.99 * f64::from(points), "{good} of {points}");
}
