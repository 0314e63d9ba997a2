//! The data-consistency step against its conditions, its limits and another method.

use super::*;
use crate::DefaultModel;
use crate::noise::Whitening;
use crate::problem::ForwardModel;
use crate::solution::Solution;
use crate::sparse::{DataConsistent, Nnls};
use crate::spectrum::Spectrum;
use crate::synthetic::{GaussianMixture, NoiseLevel, TrainingSet};
use crate::train::Lmmse;
use std::sync::Arc;

/// A method that always gives this answer.
#[derive(Clone)]
struct Constant(Vec<f64>);

impl Solver<f64> for Constant {
    fn solve(&self, problem: &Problem<f64>) -> crate::Result<Solution<f64>> {
        let mut report = Nnls::new(1.0).solve(problem)?.report().clone();
        report.warnings.clear();
        report.method = "constant".into();
        Solution::new(problem, &self.0, report)
    }
}

/// A Gaussian, of sum 1.
fn guess(problem: &Problem<f64>) -> Vec<f64> {
    let gaussian = DefaultModel::Gaussian { centre: -0.2, width: 0.8 };
    let density = gaussian.density_on(problem.grid(), 1.0).unwrap();
    let density = Spectrum::new(problem.grid().clone(), density, crate::Density::Spectral).unwrap();
    density.weights()
}

fn step(problem: &Problem<f64>, start: &[f64], error: f64) -> Solution<f64> {
    DataConsistent::new(Constant(start.to_vec()), error).solve(problem).unwrap()
}

#[test]
fn it_is_the_minimum_of_its_objective() {
    let problem = fermi::<f64>(60, 41);
    let mut start = guess(&problem);
    start[3] = -0.01; // is not kept
    for (error, sum) in
        [(1e-3, None), (0.03, None), (1.0, None), (0.03, Some(1.0)), (1.0, Some(1.01))]
    {
        let mut solver = DataConsistent::new(Constant(start.clone()), error);
        if let Some(sum) = sum {
            solver = solver.sum(sum);
        }
        let solution = solver.solve(&problem).unwrap();
        let (report, a) = (solution.report(), solution.spectrum().weights());
        assert!(report.status.is_success(), "{report}");
        assert_eq!(report.method, "constant, data-consistent");
        let Certificate::Gap { gap, relative, l1_bound: Some(bound) } = report.certificate else {
            panic!("{report}")
        };
        assert!(relative < 1e-10, "{error} {sum:?}: {relative:e}");
        assert!((bound - (2.0 * gap).sqrt() * error).abs() < 1e-12);
        assert!(a.iter().all(|&a| a >= 0.0));
        assert!(sum.is_none_or(|sum| (a.iter().sum::<f64>() - sum).abs() < 1e-14));
        // Any other point that may be is worse.
        let stiffness = 41.0 / (error * error);
        let objective = |a: &[f64]| {
            let distance: f64 = a.iter().zip(&start).map(|(a, s)| (a - s).powi(2)).sum();
            0.5 * (problem.chi2(a).unwrap() + stiffness * distance)
        };
        let least = objective(&a);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for size in [1e-6, 1e-4, 1e-2] {
            let moved: Vec<f64> =
                a.iter().map(|a| a + size * f64::standard_normal(&mut rng)).collect();
            let mut other = vec![0.0; 41];
            match sum {
                Some(sum) => Simplex::new(sum).unwrap().prox_into(&moved, 1.0, &mut other),
                None => NonNegative.prox_into(&moved, 1.0, &mut other),
            };
            assert!(objective(&other) >= least - gap - 1e-12 * least);
        }
    }
}

#[test]
fn proximal_gradients_agree() {
    // ½χ² + ‖a − a₀‖²/2τ² as least squares with further rows, on the simplex.
    let problem = fermi::<f64>(60, 21);
    let (start, error) = (guess(&problem), 0.5);
    let solution =
        DataConsistent::new(Constant(start.clone()), error).sum(1.0).solve(&problem).unwrap();
    let root = 21.0_f64.sqrt() / error;
    let (whitened, n) = (problem.whitened_kernel(), 21);
    let scale = 1e-3;
    let rows = DMatrix::from_fn(60 + n, n, |i, j| match i.checked_sub(60) {
        None => scale * whitened[(i, j)],
        Some(i) => {
            if i == j {
                scale * root
            } else {
                0.0
            }
        }
    });
    let mut data: Vec<f64> = problem.whitened_data().iter().map(|g| scale * g).collect();
    data.extend(start.iter().map(|a| scale * root * a));
    let map = ProximalGradientMap::new(&rows, &data, Simplex::new(1.0).unwrap(), 1.0).unwrap();
    let options = IterationOptions { tolerance: 1e-13, max_iterations: 200_000, history: false };
    let point = iterate(Accelerated::new(map), &start, &options, silent).unwrap().point;
    let a = solution.spectrum().weights();
    let largest = a.iter().zip(&point).fold(0.0, |m, (a, p)| f64::max(m, (a - p).abs()));
    assert!(largest < 1e-6, "{largest:e}");
}

#[test]
fn inside_the_simplex_it_is_a_filter_of_singular_directions() {
    let problem = fermi::<f64>(60, 21);
    // The data of a spectrum near by, exactly.
    let start: Vec<f64> = guess(&problem).iter().map(|a| 0.9 * a + 0.1 / 21.0).collect();
    let near: Vec<f64> =
        start.iter().enumerate().map(|(j, a)| a * (1.0 + 0.1 * (j as f64).sin())).collect();
    let problem = problem.with_data(&problem.back_continue(&near).unwrap()).unwrap();
    let (error, svd) = (0.1, problem.whitened_kernel().clone().svd(true, true));
    let (u, vt, square) = (svd.u.unwrap(), svd.v_t.unwrap(), error * error / 21.0);
    let residual = DVector::from_vec(problem.whitened_residuals(&start).unwrap());
    let coordinates = u.tr_mul(&residual);
    let filtered = DVector::from_fn(21, |k, _| {
        let s = svd.singular_values[k];
        coordinates[k] * s * square / (1.0 + s * s * square)
    });
    let expected = DVector::from_column_slice(&start) + vt.tr_mul(&filtered);
    let a = step(&problem, &start, error).spectrum().weights();
    assert!(expected.iter().all(|&a| a > 0.0));
    assert!(a.iter().zip(&expected).all(|(a, e)| (a - e).abs() < 1e-9));
}

#[test]
fn small_and_large_errors_are_its_limits() {
    let problem = fermi::<f64>(60, 31);
    let start = guess(&problem);
    let close = |a: &[f64], b: &[f64], tolerance: f64| {
        let largest = a.iter().zip(b).fold(0.0, |m, (a, b)| f64::max(m, (a - b).abs()));
        assert!(largest < tolerance, "{largest:e}");
    };
    // Certain of its answer, whatever the data say.
    close(&step(&problem, &start, 1e-9).spectrum().weights(), &start, 1e-9);
    // The fit gets better with every doubt.
    let chi2: Vec<f64> =
        [1e-4, 1e-3, 1e-2, 1e-1, 1.0].map(|e| step(&problem, &start, e).report().chi2).to_vec();
    assert!(chi2.windows(2).all(|w| w[1] < w[0]) && chi2[3] < 1.5 * 60.0, "{chi2:?}");
    // Nothing known: non-negative least squares with that ridge; its sum needs no multiplier.
    let free = Nnls::new(1e-4).view(crate::DataView::Whitened).solve(&problem).unwrap();
    let (sum, error) = (free.report().norm, (31.0_f64 / 1e-4).sqrt());
    let zero = DataConsistent::new(Constant(vec![0.0; 31]), error);
    for solver in [zero.clone(), zero.sum(sum)] {
        let solution = solver.solve(&problem).unwrap();
        close(&solution.spectrum().weights(), &free.spectrum().weights(), 1e-6);
    }
    // A sum of nothing.
    let none = DataConsistent::new(Constant(start), 0.1).sum(0.0).solve(&problem).unwrap();
    assert!(none.spectrum().weights().iter().all(|&a| a == 0.0));
}

#[test]
fn answers_of_a_linear_estimator_get_better() {
    let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap();
    let whitening = Whitening::from_errors(&[1e-5; 100]).unwrap();
    let model =
        ForwardModel::new(&FermionTime::new(16.0).unwrap(), &tau, &grid, whitening).unwrap();
    let model = Arc::new(model);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-5));
    let mut set = |n| TrainingSet::<f64>::generate(&mixture, &model, n, &noise, &mut rng).unwrap();
    let (training, test) = (set(3000), set(200));
    let estimator = Lmmse::affine().fit(&training).unwrap();
    let error = estimator.evaluate(&test).unwrap().mean;
    let free = DataConsistent::new(estimator, error);
    for solver in [free.clone(), free.sum(1.0)] {
        let mut answers = DMatrix::zeros(50, 200);
        for (i, mut column) in answers.column_iter_mut().enumerate() {
            let data = test.data().column(i);
            let problem = Problem::from_model(Arc::clone(&model), data.as_slice()).unwrap();
            let solution = solver.solve(&problem).unwrap();
            assert!(solution.report().status.is_success(), "{}", solution.report());
            column.copy_from_slice(&solution.spectrum().weights());
        }
        let after = test.score(&answers).unwrap().mean;
        assert!(after < 0.9 * error, "{error} {after}");
    }
}

#[test]
fn bad_parameters_are_named() {
    let problem = fermi::<f64>(20, 11);
    let solver = |error| DataConsistent::new(Nnls::new(1e-6), error);
    for error in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let e = solver(error).solve(&problem).unwrap_err();
        assert!(e.to_string().contains("error"), "{e}");
    }
    for sum in [-1.0, f64::NAN] {
        let e = solver(0.1).sum(sum).solve(&problem).unwrap_err();
        assert!(e.to_string().contains("sum"), "{e}");
    }
}
