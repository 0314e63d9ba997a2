//! Derivatives of solutions are exact: against central differences of fourth order, to 10⁻⁶.

use fredholm::nalgebra::DMatrix;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    BosonTimeSymmetric, DefaultModel, FermionMatsubara, FermionTime, FixedAlpha, FrequencyGrid,
    FromFn, Kernel, Kinetic, Laplace, MaxEnt, Measurement, Problem, Real, Solver, Spectrum,
};
use std::sync::Arc;

/// f′(x) from five points, x and 2h to both sides: exact but for h⁴f⁽⁵⁾/30.
fn central(mut f: impl FnMut(f64) -> f64, x: f64, h: f64) -> f64 {
    let mut odd = |h: f64| f(x + h) - f(x - h);
    (8.0 * odd(h) - odd(2.0 * h)) / (12.0 * h)
}

/// f′(0) from five points at and above zero.
fn one_sided(mut f: impl FnMut(f64) -> f64, h: f64) -> f64 {
    let weights = [-25.0, 48.0, -36.0, 16.0, -3.0];
    weights.iter().enumerate().map(|(k, w)| w * f(k as f64 * h)).sum::<f64>() / (12.0 * h)
}

/// The largest deviation of a component over the largest component.
fn deviation(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    assert!(largest > 0.0);
    found.iter().zip(expected).fold(0.0_f64, |m, (f, e)| m.max((f - e).abs())) / largest
}

fn normal(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| f64::standard_normal(&mut rng)).collect()
}

/// A kernel with the axis, grid and units it is used on.
struct Case {
    name: &'static str,
    kernel: Box<dyn Kernel<f64>>,
    x: Vec<f64>,
    grid: FrequencyGrid,
}

fn cases() -> Vec<Case> {
    let line = |n: usize, top: f64| (0..n).map(|i| top * i as f64 / (n - 1) as f64).collect();
    let both = FrequencyGrid::uniform(-3.0, 3.0, 24).unwrap();
    let half = FrequencyGrid::uniform(0.0, 4.0, 20).unwrap();
    let frequencies = (0..5).map(|n| f64::from(2 * n + 1) * std::f64::consts::PI / 6.0).collect();
    let tangent = FrequencyGrid::tangent(-4.0, 4.0, 25, 0.5).unwrap();
    let case = |name, kernel, x, grid| Case { name, kernel, x, grid };
    vec![
        case("fermion, tau", Box::new(FermionTime::new(6.0).unwrap()), line(12, 6.0), both.clone()),
        case("fermion, i omega", Box::new(FermionMatsubara), frequencies, tangent),
        case(
            "boson, symmetric",
            Box::new(BosonTimeSymmetric::new(5.0).unwrap()),
            line(9, 5.0),
            half.clone(),
        ),
        case("laplace", Box::new(Laplace), line(10, 3.0), half),
        case(
            "gauss",
            Box::new(FromFn::new(|x: f64, w: f64| (-(x - w) * (x - w)).exp())),
            line(8, 2.0),
            both,
        ),
    ]
}

/// A problem with correlated errors of size `sigma`, of a broad spectrum with noise.
fn problem(case: &Case, sigma: f64) -> Problem {
    let truth =
        Spectrum::from_fn(case.grid.clone(), |w| 0.4 * (-0.5 * (w - 0.7) * (w - 0.7)).exp());
    let exact = case.kernel.matrix(&case.x, case.grid.points()).unwrap()
        * DMatrix::from_column_slice(case.grid.len(), 1, &truth.unwrap().weights());
    let noise = normal(exact.len(), 5);
    let g: Vec<f64> = exact.iter().zip(&noise).map(|(g, e)| g + sigma * e).collect();
    let n = g.len();
    let covariance = DMatrix::from_fn(n, n, |i, j| {
        sigma * sigma * 0.5_f64.powi(i.abs_diff(j) as i32) * (1.0 + 0.3 * ((i + j) as f64).sin())
    });
    let covariance = &covariance * covariance.transpose() / (sigma * sigma);
    let data = Measurement::with_covariance(&case.x, &g, &covariance);
    Problem::new(case.kernel.as_ref(), &data.unwrap(), &case.grid).unwrap()
}

/// Every parameter of a maximum-entropy solution, kernels, kinetic terms and weights of entropy.
#[test]
fn maximum_entropy() {
    for case in cases() {
        let problem = problem(&case, 1e-2);
        let n = case.grid.len();
        let upstream = normal(n, 8);
        let widths = case.grid.weights();
        let d: Vec<f64> = case
            .grid
            .points()
            .iter()
            .zip(widths)
            .map(|(w, dw)| dw * 0.3 / (1.0 + 0.2 * (w - 0.3) * (w - 0.3)))
            .collect();
        let ridge = Arc::new(Kinetic::dirichlet(&case.grid).unwrap());
        let builder = |d: &[f64], alpha: f64, lambda: f64, weight: f64| {
            let values: Vec<f64> = d.iter().zip(widths).map(|(d, w)| d / w).collect();
            let density = problem.model().density();
            let spectrum = Spectrum::new(case.grid.clone(), values, density).unwrap();
            MaxEnt::default()
                .default_model(DefaultModel::Spectrum { spectrum, floor: 1e-12 })
                .norm(d.iter().sum())
                .kinetic(lambda)
                .prior(weight, ridge.clone())
                .alpha(FixedAlpha(alpha))
                .tolerance(1e-24)
        };
        for (alpha, lambda, weight) in [(10.0, 0.0, 0.0), (1.0, 0.3, 0.0), (0.1, 0.05, 0.02)] {
            let solve = |problem: &Problem, d: &[f64], alpha, lambda, weight| {
                let solution = builder(d, alpha, lambda, weight).solve(problem).unwrap();
                assert!(solution.report().status.is_success(), "{}", solution.report());
                solution
            };
            let loss = |problem: &Problem, d: &[f64], alpha, lambda, weight| -> f64 {
                let weights = solve(problem, d, alpha, lambda, weight).spectrum().weights();
                weights.iter().zip(&upstream).map(|(h, v)| h * v).sum()
            };
            let solution = solve(&problem, &d, alpha, lambda, weight);
            let sensitivity =
                builder(&d, alpha, lambda, weight).sensitivity(&problem, &solution).unwrap();
            assert!(sensitivity.distance() < 1e-10, "{:e}", sensitivity.distance());
            let gradient = sensitivity.vjp_weights(&upstream).unwrap();

            let by_data: Vec<f64> = (0..problem.data().len())
                .map(|i| {
                    let mut g = problem.data().to_vec();
                    let f = |x| {
                        g[i] = x;
                        loss(&problem.with_data(&g).unwrap(), &d, alpha, lambda, weight)
                    };
                    central(f, problem.data()[i], 2e-5 * alpha)
                })
                .collect();
            let by_default: Vec<f64> = (0..n)
                .map(|j| {
                    let mut e = d.clone();
                    let f = |x| {
                        e[j] = x;
                        loss(&problem, &e, alpha, lambda, weight)
                    };
                    central(f, d[j], 1e-2 * d[j])
                })
                .collect();
            let by_alpha = central(|a| loss(&problem, &d, a, lambda, weight), alpha, 1e-2 * alpha);
            let by_lambda = |l| loss(&problem, &d, alpha, l, weight);
            let by_lambda = match lambda {
                0.0 => one_sided(by_lambda, 1e-3),
                _ => central(by_lambda, lambda, 1e-2 * lambda),
            };
            let by_weight = |w| loss(&problem, &d, alpha, lambda, w);
            let by_weight = match weight {
                0.0 => one_sided(by_weight, 1e-3),
                _ => central(by_weight, weight, 1e-2 * weight),
            };
            for (name, found, expected) in [
                ("data", &gradient.data[..], &by_data[..]),
                ("default", &gradient.default_weights, &by_default),
                ("alpha", &[gradient.alpha], &[by_alpha]),
                ("kinetic", &[gradient.kinetic], &[by_lambda]),
                ("prior", &gradient.priors, &[by_weight]),
            ] {
                let error = deviation(found, expected);
                assert!(error < 1e-6, "{} {alpha} {lambda} {name}: {error:e}", case.name);
            }
        }
    }
}
