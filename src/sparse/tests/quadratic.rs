//! Non-negative least squares and Tikhonov's regularisation.

use super::*;
use crate::problem::ForwardModel;
use crate::sparse::{Nnls, Ridge, RidgeRule};
use crate::synthetic::{GaussianMixture, NoiseLevel, TrainingSet};
use crate::{BatchSolution, Whitening};
use proptest::prelude::*;
use std::sync::Arc;

/// The kernel of the synthetic families: β = 16, 100 × 50.
fn model() -> Arc<ForwardModel<f64>> {
    let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap();
    let whitening = Whitening::from_errors(&[1e-5; 100]).unwrap();
    let kernel = FermionTime::new(16.0).unwrap();
    Arc::new(ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap())
}

fn spectra(samples: usize) -> TrainingSet<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let noise = NoiseLevel::Uniform(1e-5);
    TrainingSet::generate(&GaussianMixture::default(), &model(), samples, &noise, &mut rng).unwrap()
}

/// The largest violation of a ≥ 0, w ≤ 0, a w = 0 with w = Kᵀ(g − K a) − ρ a; infinite if some a < 0.
fn kkt(k: &DMatrix<f64>, g: &[f64], a: &[f64], ridge: f64) -> f64 {
    let a = DVector::from_column_slice(a);
    let w = k.transpose() * (DVector::from_column_slice(g) - k * &a) - &a * ridge;
    a.iter().zip(&w).fold(0.0, |m, (&a, &w)| {
        f64::max(
            m,
            if a > 0.0 {
                w.abs()
            } else if a == 0.0 {
                w
            } else {
                f64::INFINITY
            },
        )
    })
}

#[test]
fn nnls_with_ridge_reaches_its_error_on_the_synthetic_families() {
    let (model, set) = (model(), spectra(2000));
    let answer = Nnls::new(1e-6).solve_batch(&model, set.data()).unwrap();
    // 0.0255 on ten thousand spectra of this law, and 0.0249 ± 0.0004 by scipy's `nnls` on 1500 spectra of
    // an independent generator; the mean over 2000 is known to 0.0003.
    let mean = set.score(&answer.weights).unwrap().mean;
    assert!((mean - 0.0255).abs() < 0.001, "{mean}");
    for (i, outcome) in answer.outcomes.iter().enumerate() {
        assert_eq!(outcome.status, Status::Converged);
        let Certificate::Gap { gap, relative, l1_bound: Some(bound) } = outcome.certificate else {
            panic!("{:?}", outcome.certificate)
        };
        assert!(gap >= 0.0 && relative < 1e-8 && bound < 1e-6, "{gap} {relative} {bound}");
        let (g, a) = (set.data().column(i), answer.weights.column(i));
        assert!(kkt(model.kernel(), g.as_slice(), a.as_slice(), 1e-6) < 1e-12);
    }
}

#[test]
fn a_batch_is_its_problems_one_by_one_for_any_number_of_threads() {
    let (model, set) = (model(), spectra(70));
    for (view, ridge) in [(DataView::Raw, 1e-6), (DataView::Whitened, 1e4)] {
        let batch = || Nnls::new(ridge).view(view).solve_batch(&model, set.data()).unwrap();
        let answer = batch();
        for i in [0, 31, 32, 69] {
            let problem =
                Problem::from_model(Arc::clone(&model), set.data().column(i).as_slice()).unwrap();
            let solution = Nnls::new(ridge).view(view).solve(&problem).unwrap();
            let (a, b) = (solution.spectrum().weights(), answer.weights.column(i));
            let Certificate::Gap { l1_bound: Some(bound), .. } = solution.report().certificate
            else {
                panic!("{}", solution.report())
            };
            assert!(bound < 1e-6);
            assert!(a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>() <= 3.0 * bound);
            assert_eq!(solution.report().iterations, answer.outcomes[i].iterations);
        }
        #[cfg(feature = "rayon")]
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(batch), answer);
        }
    }
}

fn on_a_random_kernel<T: Real>(kernel: &DMatrix<T>, data: &[T], ridge: f64) -> BatchSolution<T> {
    let (rows, columns) = kernel.shape();
    let x: Vec<T> = (0..rows).map(|i| T::lit(i as f64)).collect();
    let grid = FrequencyGrid::uniform(T::zero(), T::one(), columns.max(2)).unwrap();
    let matrix = kernel.clone();
    let kernel = crate::FromFn::new(move |x: T, w: T| {
        let j = (w.as_f64() * (columns - 1) as f64).round() as usize;
        matrix[(x.as_f64() as usize, j)]
    });
    let whitening = crate::Whitening::from_errors(&vec![T::one(); rows]).unwrap();
    let model = ForwardModel::new(&kernel, &x, &grid, whitening).unwrap();
    let data = DMatrix::from_column_slice(rows, 1, data);
    Nnls::new(T::lit(ridge)).solve_batch(&model, &data).unwrap()
}

proptest! {
    #![proptest_config(crate::test_support::cases(60))]

    #[test]
    fn nnls_meets_its_conditions_on_any_kernel(
        rows in 1_usize..30, columns in 2_usize..30, seed in 0_u64..1000, ridge in 0..4_i32,
        correlated in proptest::bool::ANY,
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Correlated: a sum of columns before, so that a variable enters and leaves many times.
        let mut kernel =
            DMatrix::from_fn(rows, columns, |_, _| f64::standard_normal(&mut rng));
        if correlated {
            for j in 1..columns {
                for i in 0..rows {
                    kernel[(i, j)] = 0.1 * kernel[(i, j)] + kernel[(i, j - 1)];
                }
            }
        }
        let data: Vec<f64> = (0..rows).map(|_| f64::standard_normal(&mut rng)).collect();
        let ridge = if ridge == 0 { 0.0 } else { 10f64.powi(-2 * ridge) };
        let answer = on_a_random_kernel(&kernel, &data, ridge);
        let scale = kernel.norm_squared();
        let error = kkt(&kernel, &data, answer.weights.as_slice(), ridge);
        let outcome = &answer.outcomes[0];
        prop_assert!(outcome.status.is_success(), "{outcome:?}");
        if outcome.status == Status::Converged {
            prop_assert!(error <= 1e-11 * scale, "{error} of {scale}");
        } else {
            // A singular system was solved with its diagonal raised.
            prop_assert!(ridge == 0.0 && error <= 1e-6 * scale, "{error} of {scale}");
        }
    }
}

#[test]
fn nnls_agrees_with_the_proximal_gradient() {
    let (kernel, data) = random_lasso::<f64>(40, 30);
    let answer = on_a_random_kernel(&kernel, &data, 0.0);
    let map = ProximalGradientMap::new(&kernel, &data, NonNegative, 1.0).unwrap();
    let options = IterationOptions { tolerance: 1e-9, max_iterations: 50_000, history: false };
    let other = iterate(Accelerated::new(map), &[0.0; 30], &options, silent).unwrap();
    assert_eq!(other.report.status, Status::Converged);
    for (a, b) in answer.weights.iter().zip(&other.point) {
        assert!((a - b).abs() < 1e-9);
    }
    let single = on_a_random_kernel(&kernel.clone().cast::<f32>(), &cast(&data), 1e-3);
    let double = on_a_random_kernel(&kernel, &data, 1e-3);
    for (a, b) in single.weights.iter().zip(&double.weights) {
        assert!((f64::from(*a) - b).abs() < 1e-5);
    }
}

fn cast(v: &[f64]) -> Vec<f32> {
    v.iter().map(|&v| v as f32).collect()
}

#[test]
fn the_gap_bounds_the_distance_to_the_optimum() {
    let (model, set) = (model(), spectra(1));
    let (k, g) = (model.kernel(), set.data().column(0).into_owned());
    let normal = crate::sparse::normal_equations::NormalEquations::new(k, 1e-3).unwrap();
    let best = Nnls::new(1e-3).solve_batch(&model, set.data()).unwrap().weights;
    let objective =
        |a: &DMatrix<f64>| 0.5 * (&g - k * a).norm_squared() + 0.5e-3 * a.norm_squared();
    for size in [1e-2, 1e-4, 1e-6] {
        // Feasible points near the optimum.
        let a = best.map_with_location(|i, _, a| (a + size * (i as f64).sin()).max(0.0));
        let certificate = normal.certificates(g.as_slice(), a.as_slice(), true).remove(0);
        let Certificate::Gap { gap, l1_bound: Some(bound), .. } = certificate else { panic!() };
        assert!(objective(&a) - objective(&best) <= gap);
        assert!((&a - &best).lp_norm(1) <= bound);
    }
}

#[test]
fn degenerate_problems_end_well() {
    let zeros = DMatrix::<f64>::zeros(3, 4);
    let answer = on_a_random_kernel(&zeros, &[1.0, 2.0, 3.0], 0.0);
    assert_eq!(answer.outcomes[0].status, Status::Converged);
    assert!(answer.weights.iter().all(|&a| a == 0.0));
    // Data of the wrong sign.
    let ones = DMatrix::from_element(3, 4, 1.0);
    let answer = on_a_random_kernel(&ones, &[-1.0; 3], 1e-3);
    assert!(answer.weights.iter().all(|&a| a == 0.0));
    // Equal columns without a ridge: any split is optimal.
    let answer = on_a_random_kernel(&ones, &[2.0; 3], 0.0);
    assert!((answer.weights.sum() - 2.0_f64).abs() < 1e-12);
}

#[test]
fn ridge_solves_the_normal_equations_and_its_rules_do_what_they_say() {
    let problem = fermi::<f64>(40, 30);
    let (k, g) = (problem.whitened_kernel(), problem.whitened_data());
    let solve = |rule| Ridge::default().rule(rule).solve(&problem).unwrap();
    let fixed = solve(RidgeRule::Fixed(10.0));
    let a = DVector::from_vec(fixed.spectrum().weights());
    let normal = k.transpose() * k + DMatrix::identity(30, 30) * 10.0;
    let b = k.transpose() * DVector::from_column_slice(g);
    let exact = normal.cholesky().unwrap().solve(&b);
    assert!((&a - &exact).norm() < 1e-7 * exact.norm());
    let Certificate::Gap { relative, .. } = fixed.report().certificate else { panic!() };
    assert!(relative < 1e-8);
    let n = g.len() as f64;
    for factor in [1.0, 1.3] {
        let solution = solve(RidgeRule::Discrepancy { factor });
        assert_eq!(solution.report().status, Status::Converged);
        assert!((solution.report().chi2 / (factor * n) - 1.0).abs() < 1e-6);
    }
    // Cross-validation: the largest λ within 4/N of the least score.
    let gcv = solve(RidgeRule::Gcv);
    let chosen = gcv.report().penalty.unwrap().lambda;
    let score = |lambda: f64| {
        let h = k
            * (k.transpose() * k + DMatrix::identity(30, 30) * lambda)
                .cholesky()
                .unwrap()
                .inverse()
            * k.transpose();
        let r = DVector::from_column_slice(g) - &h * DVector::from_column_slice(g);
        (r.norm_squared() / (n - 1.4 * h.trace()).powi(2)).ln()
    };
    let least = (-60..60).map(|k| score(chosen * 1.1f64.powi(k))).fold(f64::INFINITY, f64::min);
    // The ladders that the least score is looked for on differ.
    let bound = least + 4.0 / n + 1e-4;
    assert!(score(chosen) <= bound && score(1.1 * chosen) > bound, "{} {bound}", score(chosen));
    assert!((1..30).all(|k| score(chosen * 1.5f64.powi(k)) > least + 4.0 / n));
    // A common factor on the error bars changes nothing.
    assert!((gcv.report().chi2 / n - 1.0).abs() < 0.5);
    let raw = Ridge::default().view(DataView::Raw).solve(&problem).unwrap();
    for (a, b) in gcv.spectrum().weights().iter().zip(raw.spectrum().weights()) {
        assert!((a - b).abs() < 1e-4);
    }
}

#[test]
fn the_ridge_of_nnls_is_chosen_as_that_of_tikhonov() {
    let problem = fermi::<f64>(40, 30);
    let solve = |rule| {
        let solver = Nnls::new(0.0).rule(rule).view(DataView::Whitened);
        solver.solve(&problem).unwrap()
    };
    let (k, g) = (problem.whitened_kernel(), problem.whitened_data());
    let n = g.len() as f64;
    // Cross-validation by its definition, the trace from a dense inverse on the support.
    let score = |lambda: f64| {
        let a = solve(RidgeRule::Fixed(lambda)).spectrum().weights();
        let support: Vec<usize> = (0..30).filter(|&i| a[i] > 0.0).collect();
        let p = k.select_columns(&support);
        let normal = p.transpose() * &p + DMatrix::identity(support.len(), support.len()) * lambda;
        let n_good = (&p * normal.cholesky().unwrap().inverse() * p.transpose()).trace();
        let r = DVector::from_column_slice(g) - k * DVector::from_vec(a);
        (r.norm_squared() / (n - 1.4 * n_good).powi(2)).ln()
    };
    let gcv = solve(RidgeRule::Gcv);
    let penalty = gcv.report().penalty.unwrap();
    assert_eq!((penalty.rule, &gcv.report().status), ("gcv", &Status::Converged));
    let step = 10f64.powf(1.0 / 3.0);
    let least = (-30..30).map(|i| score(penalty.lambda * step.powi(i)));
    let bound = least.fold(f64::INFINITY, f64::min) + 4.0 / n;
    assert!(score(penalty.lambda) <= bound + 1e-6);
    assert!((1..12).all(|i| score(penalty.lambda * step.powi(i)) > bound - 1e-6));
    // The discrepancy principle: within a step of χ² = N.
    let found = solve(RidgeRule::Discrepancy { factor: 1.2 });
    let penalty = found.report().penalty.unwrap();
    assert_eq!(penalty.rule, "discrepancy");
    assert!(found.report().chi2 <= 1.2 * n);
    assert!(solve(RidgeRule::Fixed(penalty.lambda * step)).report().chi2 > 1.2 * n);
    // Where no ridge does it.
    for factor in [1e-3, 1e12] {
        let rule = RidgeRule::Discrepancy { factor };
        let found = solve(rule);
        assert!(matches!(found.report().status, Status::NoAlpha { rule: "discrepancy", .. }));
        assert_eq!(found.spectrum().weights(), gcv.spectrum().weights());
        assert!(Nnls::new(0.0).rule(rule).solve(&problem).is_err());
    }
    let batch =
        Nnls::new(0.0).rule(RidgeRule::Gcv).solve_batch(problem.model(), &DMatrix::zeros(40, 1));
    assert!(matches!(batch, Err(Error::Unsupported { argument: "rule", .. })));
}

#[test]
fn ridge_says_when_its_rule_does_not_apply() {
    let problem = fermi::<f64>(40, 30);
    let rule = RidgeRule::Discrepancy { factor: 1e-3 };
    let solution = Ridge::default().rule(rule).solve(&problem).unwrap();
    assert!(matches!(solution.report().status, Status::NoAlpha { rule: "discrepancy", .. }));
    let vast = RidgeRule::Discrepancy { factor: 1e12 };
    let solution = Ridge::default().rule(vast).solve(&problem).unwrap();
    assert!(matches!(solution.report().status, Status::NoAlpha { .. }));
    let raw = Ridge::default().rule(rule).view(DataView::Raw);
    assert!(matches!(raw.solve(&problem), Err(Error::Unsupported { argument: "rule", .. })));
    let negative = Ridge::default().rule(RidgeRule::Fixed(-1.0)).solve(&problem);
    assert!(matches!(negative, Err(Error::OutOfRange { argument: "lambda", .. })));
    assert!(Nnls::new(-1.0).solve(&problem).is_err());
    assert!(Nnls::new(f64::NAN).solve(&problem).is_err());
    let model = problem.model();
    assert!(Nnls::new(1.0).solve_batch(model, &DMatrix::zeros(3, 2)).is_err());
    assert!(Nnls::new(1.0).solve_batch(model, &DMatrix::zeros(40, 0)).is_err());
}
