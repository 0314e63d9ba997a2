mod algorithms;
mod data_consistent;
mod operators;
mod quadratic;
mod sparse_modelling;

use super::*;
use crate::error::Error;
use crate::fixed_point::{Accelerated, Iterates, IterationOptions, iterate};
use crate::grid::FrequencyGrid;
use crate::kernel::FermionTime;
use crate::noise::Measurement;
use crate::problem::Problem;
use crate::prox::{
    BoxConstraint, NonNegative, OneSidedSoftThreshold, Prox, Simplex, SoftThreshold,
};
use crate::real::Real;
use crate::solution::{Certificate, Solver, Status, Warning};
use core::ops::ControlFlow;
use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// A random K, a sparse truth of both signs, and data with a little noise.
fn random_lasso<T: Real>(rows: usize, columns: usize) -> (DMatrix<T>, Vec<T>) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let kernel = DMatrix::from_fn(rows, columns, |_, _| T::standard_normal(&mut rng));
    let truth = DVector::from_fn(columns, |j, _| match j % 9 {
        0 => T::one(),
        4 => -T::lit(0.5),
        _ => T::zero(),
    });
    let noise = DVector::from_fn(rows, |_, _| T::lit(0.1) * T::standard_normal(&mut rng));
    let data = (&kernel * truth + noise).as_slice().to_vec();
    (kernel, data)
}

/// Two peaks seen through the Fermi kernel at β = 16, with noise of 10⁻⁴.
fn fermi<T: Real>(rows: usize, columns: usize) -> Problem<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let tau: Vec<T> = (0..rows).map(|i| T::lit(16.0 * i as f64 / (rows - 1) as f64)).collect();
    let grid = FrequencyGrid::uniform(-T::lit(3.0), T::lit(3.0), columns).unwrap();
    let kernel = FermionTime::new(16.0).unwrap();
    let clean =
        Measurement::with_uniform_error(&tau, &vec![T::zero(); rows], T::lit(1e-4)).unwrap();
    let problem = Problem::new(&kernel, &clean, &grid).unwrap();
    let peak = |w: f64, mu: f64, s: f64| (-(w - mu).powi(2) / (2.0 * s * s)).exp();
    let mut a: Vec<f64> = grid.points().iter().map(|w| w.as_f64()).collect();
    a.iter_mut().for_each(|w| *w = peak(*w, -1.0, 0.3) + peak(*w, 0.5, 0.2));
    let total: f64 = a.iter().sum();
    let a: Vec<T> = a.iter().map(|a| T::lit(a / total)).collect();
    let mut data = problem.back_continue(&a).unwrap();
    data.iter_mut().for_each(|g| *g += T::lit(1e-4) * T::standard_normal(&mut rng));
    problem.with_data(&data).unwrap()
}

/// The largest violation of the optimality conditions of λ‖·‖₁, or of its one-sided form, at `x`:
/// w = Kᵀ(g − K x) is λ sign(x_i) on the support and within [−λ, λ] (below λ) off it.
fn violation<T: Real>(k: &DMatrix<T>, g: &[T], x: &[T], lambda: T, one_sided: bool) -> f64 {
    let x = DVector::from_column_slice(x);
    let w = k.transpose() * (DVector::from_column_slice(g) - k * &x);
    let excess = |x: T, w: T| {
        if x > T::zero() {
            (w - lambda).abs()
        } else if x < T::zero() {
            if one_sided { T::INFINITY } else { (w + lambda).abs() }
        } else {
            let w = if one_sided { w } else { w.abs() };
            (w - lambda).max(T::zero())
        }
    };
    x.iter().zip(&w).fold(0.0, |m, (&x, &w)| f64::max(m, excess(x, w).as_f64()))
}

fn largest_gradient<T: Real>(k: &DMatrix<T>, g: &[T]) -> f64 {
    (k.transpose() * DVector::from_column_slice(g)).amax().as_f64()
}

fn silent<T>(_: &crate::IterationInfo<'_, T>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn orthogonal<T: Real>() {
    // Columns of a Householder reflection: KᵀK = I, a* = S_λ(Kᵀg).
    let v = DVector::from_fn(12, |i, _| T::lit((i as f64).sin())).normalize();
    let kernel = DMatrix::identity(12, 12) - &v * v.transpose() * T::lit(2.0);
    let kernel = kernel.columns(0, 9).into_owned();
    let data: Vec<T> = (0..12).map(|i| T::lit((1.7 * i as f64).cos())).collect();
    let lambda = T::lit(0.3);
    let z = kernel.transpose() * DVector::from_column_slice(&data);
    let mut expected = vec![T::zero(); 9];
    SoftThreshold.prox_into(z.as_slice(), lambda, &mut expected);
    let tolerance = T::lit(30.0) * T::EPSILON;
    let options = IterationOptions { tolerance, ..Default::default() };
    let mut map = ProximalGradientMap::new(&kernel, &data, SoftThreshold, lambda).unwrap();
    let answer = iterate(&mut map, &[T::zero(); 9], &options, silent).unwrap();
    assert_eq!(answer.report.status, Status::Converged);
    for (x, e) in answer.point.iter().zip(&expected) {
        assert!((*x - *e).abs() <= tolerance);
    }
    let Certificate::Gap { gap, .. } = map.certificate(&answer.point) else { panic!("no gap") };
    assert!(gap <= T::lit(100.0) * T::EPSILON);
    // One step of t = 1 is enough, and as good as any: S_λ(Kᵀg) whatever the start.
    let map = map.with_step_size(T::one()).unwrap();
    let start: Vec<T> = (0..9).map(|i| T::lit(i as f64)).collect();
    let mut iterates = Iterates::new(map, &start).unwrap();
    iterates.next();
    for (x, e) in iterates.point().iter().zip(&expected) {
        assert!((*x - *e).abs() <= T::lit(200.0) * T::EPSILON);
    }
}

#[test]
fn orthogonal_columns_have_a_closed_form() {
    orthogonal::<f32>();
    orthogonal::<f64>();
}

fn optimality<T: Real>(tolerance: f64) {
    let (kernel, data) = random_lasso::<T>(40, 60);
    let scale = largest_gradient(&kernel, &data);
    let lambda = T::lit(0.1 * scale);
    let options = IterationOptions {
        tolerance: T::lit(tolerance * scale),
        max_iterations: 20_000,
        history: false,
    };
    let x0 = vec![T::zero(); 60];
    let map = || ProximalGradientMap::new(&kernel, &data, SoftThreshold, lambda).unwrap();
    let ista = iterate(map(), &x0, &options, silent).unwrap();
    let fista = iterate(Accelerated::new(map()), &x0, &options, silent).unwrap();
    assert!(x0.iter().all(|&x| x == T::zero()));
    assert!(fista.report.iterations < ista.report.iterations);
    for answer in [&ista, &fista] {
        assert_eq!(answer.report.status, Status::Converged);
        let v = violation(&kernel, &data, &answer.point, lambda, false);
        assert!(v <= (tolerance + 50.0 * T::EPSILON.as_f64()) * scale, "{v} of {scale}");
        // Sparse, of both signs.
        assert!(answer.point.iter().filter(|&&x| x == T::zero()).count() > 30);
        assert!(answer.point.iter().any(|&x| x < T::zero()));
    }
    // Both optima are within √(2 gap/μ) of the only one; μ, the curvature on the support, is of order 10.
    for (a, b) in ista.point.iter().zip(&fista.point) {
        assert!((*a - *b).abs().as_f64() <= 20.0 * tolerance);
    }
}

#[test]
fn ista_and_fista_reach_the_optimum_of_a_random_lasso() {
    optimality::<f32>(1e-5);
    optimality::<f64>(1e-10);
}

#[test]
fn objectives_fall_at_least_as_fast_as_theory_says() {
    let (kernel, data) = random_lasso::<f64>(40, 60);
    let lambda = 0.02 * largest_gradient(&kernel, &data);
    let map = || ProximalGradientMap::new(&kernel, &data, SoftThreshold, lambda).unwrap();
    let (mut oracle, x0) = (map(), vec![0.0; 60]);
    let options = IterationOptions { tolerance: 1e-11, max_iterations: 50_000, history: false };
    let optimum = iterate(Accelerated::new(&mut oracle), &x0, &options, silent).unwrap();
    let Certificate::Gap { gap, .. } = oracle.certificate(&optimum.point) else { panic!() };
    let minimum = oracle.objective(&optimum.point);
    assert!(gap < 1e-11 * minimum);
    let square: f64 = optimum.point.iter().map(|x| x * x).sum();
    let l = oracle.lipschitz();

    let mut plain = Iterates::new(map(), &x0).unwrap();
    let mut fast = Iterates::new(Accelerated::new(map()).without_restarts(), &x0).unwrap();
    let mut restarted = Iterates::new(Accelerated::new(map()), &x0).unwrap();
    let mut last = f64::INFINITY;
    for k in 1..=400 {
        let n = k as f64;
        assert!(plain.next().is_some() && fast.next().is_some() && restarted.next().is_some());
        let excess = oracle.objective(plain.point()) - minimum;
        assert!(excess <= last + 1e-12 && excess <= l * square / (2.0 * n));
        last = excess;
        let bound = 2.0 * l * square / ((n + 1.0) * (n + 1.0));
        assert!(oracle.objective(fast.point()) - minimum <= bound);
        assert!(oracle.objective(restarted.point()) - minimum <= bound);
        // The certificate holds at every iterate, not only at the last.
        let mut once = map();
        crate::FixedPointMap::step(&mut once, plain.point(), &mut vec![0.0; 60]);
        if k % 40 == 0
            && let Certificate::Gap { gap, .. } = once.certificate(plain.point())
        {
            assert!(excess <= gap + 1e-12 * minimum && gap < 1e3 * excess.max(1e-9));
        }
    }
}

fn solver_on_fermi_kernel<T: Real>() {
    let problem = fermi::<T>(30, 20);
    let (kernel, data) = (problem.kernel(), problem.data());
    let scale = largest_gradient(kernel, data);
    let lambda = T::lit(0.05 * scale);
    let tolerance = T::lit(100.0) * T::EPSILON;
    for (solver, method) in
        [(ProximalGradient::ista(lambda), "ISTA"), (ProximalGradient::fista(lambda), "FISTA")]
    {
        let solution = solver.clone().tolerance(tolerance).solve(&problem).unwrap();
        let report = solution.report();
        assert_eq!((report.method.as_str(), &report.status), (method, &Status::Converged));
        let a = solution.spectrum().weights();
        assert!(violation(kernel, data, &a, lambda, false) <= 150.0 * T::EPSILON.as_f64() * scale);
        let Certificate::Gap { gap, relative, .. } = report.certificate else { panic!("no gap") };
        assert!(relative <= T::lit(1e3) * T::EPSILON && gap >= T::zero());
        let one_sided = solver.prox(OneSidedSoftThreshold).tolerance(tolerance);
        let solution = one_sided.solve(&problem).unwrap();
        assert!(solution.report().status.is_success());
        let a = solution.spectrum().weights();
        assert!(violation(kernel, data, &a, lambda, true) <= 150.0 * T::EPSILON.as_f64() * scale);
        assert!(a.iter().all(|&a| a >= T::zero()));
    }
}

#[test]
fn solvers_meet_the_optimality_conditions_on_the_fermi_kernel() {
    solver_on_fermi_kernel::<f32>();
    solver_on_fermi_kernel::<f64>();
}

#[test]
fn constrained_least_squares_meets_its_conditions() {
    let problem = fermi::<f64>(30, 20);
    let scale = largest_gradient(problem.kernel(), problem.data());
    let solve = |prox: Box<dyn Prox<f64>>| {
        let solver =
            ProximalGradient::fista(1.0).prox(prox).tolerance(1e-9).max_iterations(500_000);
        let solution = solver.solve(&problem).unwrap();
        assert_eq!(solution.report().status, Status::Converged);
        let a = solution.spectrum().weights();
        let misfit =
            DVector::from_column_slice(problem.data()) - DVector::from_vec(solution.fit().to_vec());
        let w = problem.kernel().transpose() * misfit;
        (a, w, solution.report().certificate, solution.report().norm)
    };
    // Non-negative: w ≤ 0, with equality where a > 0.
    let (a, w, certificate, _) = solve(Box::new(NonNegative));
    let Certificate::Stationarity { residual } = certificate else { panic!("{certificate:?}") };
    assert!(residual <= 1e-9 * scale);
    for (&a, &w) in a.iter().zip(&w) {
        assert!(a >= 0.0 && w <= residual && (a == 0.0 || w.abs() <= residual * 1.01));
    }
    // Simplex: w is largest, and constant, on the support.
    let (a, w, certificate, norm) = solve(Box::new(Simplex::new(1.0).unwrap()));
    assert!((norm - 1.0).abs() < 1e-13);
    let top = w.max();
    for (&a, &w) in a.iter().zip(&w) {
        assert!(a >= 0.0 && (a == 0.0 || top - w <= 3e-9 * scale));
    }
    let Certificate::Gap { gap, .. } = certificate else { panic!("{certificate:?}") };
    assert!(gap <= 3e-9 * scale);
    // Box: the gradient vanishes inside and points outwards at the bounds.
    let (a, w, certificate, _) = solve(Box::new(BoxConstraint::new(0.0, 0.12).unwrap()));
    assert!(a.contains(&0.12));
    for (&a, &w) in a.iter().zip(&w) {
        let outward = if a == 0.12 {
            -w
        } else if a == 0.0 {
            w
        } else {
            w.abs()
        };
        assert!((0.0..=0.12).contains(&a) && outward <= 1.01e-9 * scale);
    }
    assert!(matches!(certificate, Certificate::Gap { gap, .. } if gap <= 1e-8 * scale));
}

#[test]
fn views_differ_by_the_unit_of_lambda() {
    // With equal error bars σ the whitened objective is the raw one over σ².
    let problem = fermi::<f64>(30, 20);
    let raw = ProximalGradient::fista(0.1).solve(&problem).unwrap();
    let whitened =
        ProximalGradient::fista(0.1 / 1e-8).view(DataView::Whitened).solve(&problem).unwrap();
    assert!(raw.report().status.is_success() && whitened.report().status.is_success());
    assert!((raw.report().chi2 / whitened.report().chi2 - 1.0).abs() < 1e-4);
    for (a, b) in raw.spectrum().weights().iter().zip(whitened.spectrum().weights()) {
        assert!((a - b).abs() < 1e-4);
    }
}

#[test]
fn ends_are_told_apart() {
    let problem = fermi::<f64>(30, 20);
    let ista = || ProximalGradient::ista(1e-3);
    let limited = ista().max_iterations(5).solve(&problem).unwrap();
    assert_eq!(
        (&limited.report().status, limited.report().iterations),
        (&Status::IterationLimit, 5)
    );
    assert!(matches!(limited.report().certificate, Certificate::Gap { gap, .. } if gap > 1e-6));
    let mut residuals = Vec::new();
    let stopped = ista().solve_observed(&problem, |info| {
        residuals.push(info.residual);
        if info.iteration == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(stopped.unwrap().report().status, Status::Stopped);
    assert!(residuals.len() == 3 && residuals[2] < residuals[0]);
    let untouched = ista().max_iterations(0).solve(&problem).unwrap();
    assert_eq!(untouched.report().certificate, Certificate::None);
    let scale = largest_gradient(problem.kernel(), problem.data());
    let zero = ProximalGradient::ista(1.001 * scale).solve(&problem).unwrap();
    assert_eq!(zero.report().status, Status::Converged);
    assert_eq!(zero.report().norm, 0.0);
    let note = |w: &Warning| matches!(w, Warning::Note(text) if text.contains("lambda"));
    assert!(zero.report().warnings.iter().any(note));
    // Least squares: λ = 0 has no dual to bound it by.
    let plain = ProximalGradient::fista(0.0).solve(&problem).unwrap();
    assert!(matches!(plain.report().certificate, Certificate::Stationarity { .. }));
}

#[test]
fn bad_input_is_named() {
    let problem = fermi::<f64>(30, 20);
    let name = |error| match error {
        Error::OutOfRange { argument, .. }
        | Error::NonFinite { argument, .. }
        | Error::LengthMismatch { argument, .. } => argument,
        other => panic!("{other}"),
    };
    let solve = |lambda, tolerance| {
        name(ProximalGradient::ista(lambda).tolerance(tolerance).solve(&problem).unwrap_err())
    };
    assert_eq!(solve(-1.0, 1e-6), "lambda");
    assert_eq!(solve(f64::NAN, 1e-6), "lambda");
    assert_eq!(solve(1.0, -1e-6), "tolerance");
    assert_eq!(solve(1.0, f64::INFINITY), "tolerance");
    let map = |kernel: &DMatrix<f64>, data: &[f64]| {
        name(ProximalGradientMap::new(kernel, data, SoftThreshold, 1.0).map(|_| ()).unwrap_err())
    };
    let ones = DMatrix::from_element(2, 3, 1.0);
    assert_eq!(map(&(&ones * f64::NAN), &[1.0; 2]), "kernel");
    assert_eq!(map(&(&ones * 1e200), &[1.0; 2]), "squared norm of the kernel");
    assert_eq!(map(&ones, &[1.0; 3]), "data");
    assert_eq!(map(&ones, &[1.0, f64::INFINITY]), "data");
    for step in [0.0, -1.0, 0.34, f64::NAN] {
        let map = ProximalGradientMap::new(&ones, &[1.0; 2], SoftThreshold, 1.0).unwrap();
        assert_eq!(name(map.with_step_size(step).map(|_| ()).unwrap_err()), "step_size");
    }
    // A kernel of zeros is no error: any step is safe.
    let zeros = ones * 0.0;
    let mut map = ProximalGradientMap::new(&zeros, &[1.0; 2], SoftThreshold, 1.0).unwrap();
    assert_eq!(map.objective(&[0.0; 3]), 1.0);
}
