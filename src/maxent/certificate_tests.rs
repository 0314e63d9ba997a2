//! The certificate on random problems: small everywhere, and true.

use super::{FixedAlpha, MaxEnt};
use crate::grid::FrequencyGrid;
use crate::kernel::FermionTime;
use crate::linalg::{BandedRows, SymmetricBand};
use crate::noise::Whitening;
use crate::prior::{Kinetic, Prior};
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

/// A quadratic prior that says it is not convex.
#[derive(Debug)]
struct Denying(Kinetic);

impl Prior<f64> for Denying {
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn value(&self, h: &[f64]) -> f64 {
        self.0.value(h)
    }
    fn add_gradient(&self, h: &[f64], weight: f64, out: &mut [f64]) {
        self.0.add_gradient(h, weight, out);
    }
    fn add_hessian(&self, h: &[f64], weight: f64, out: &mut SymmetricBand<f64>) {
        self.0.add_hessian(h, weight, out);
    }
    fn bandwidth(&self) -> usize {
        self.0.bandwidth()
    }
    fn rows(&self) -> Option<&BandedRows<f64>> {
        self.0.rows()
    }
    fn is_convex(&self) -> bool {
        false
    }
}

/// Rows are proof: ½‖Rh − c‖² is convex.
#[test]
fn a_prior_with_rows_has_the_certificate() {
    let problem = problem(1);
    let prior = |prior: Arc<dyn Prior<f64>>| {
        let maxent = MaxEnt::default().alpha(FixedAlpha(10.0)).prior(1.0, prior);
        bound(&maxent.solve(&problem).unwrap())
    };
    let kinetic = Kinetic::natural(problem.grid()).unwrap();
    assert_eq!(prior(Arc::new(Denying(kinetic.clone()))), prior(Arc::new(kinetic)));
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
