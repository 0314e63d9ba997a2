//! Derivatives of solutions are exact: against central differences of fourth order, to 10⁻⁶.

use fredholm::nalgebra::{DMatrix, DVector};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Accelerated, Adjoint, AdjointSolver, BayesianReconstruction, BosonTimeSymmetric, DefaultModel,
    ElasticNet, Entropic, FermionMatsubara, FermionTime, FixedAlpha, FrequencyGrid, FromFn,
    IterationOptions, Kernel, Kinetic, Laplace, LogSum, MaxEnt, Measurement, OneSidedSoftThreshold,
    Problem, Prox, ProximalGradientMap, Real, Relaxed, Simplex, SoftThreshold, Solver, Spectrum,
    SquaredL2, Status, TotalVariation, iterate,
};
use std::ops::ControlFlow;
use std::sync::Arc;

#[path = "common/allocations.rs"]
mod allocations;

use allocations::{allocated_bytes, allocations};

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
        let norm: f64 = d.iter().sum();
        let builder = |fixed: bool, d: &[f64], alpha: f64, lambda: f64, weight: f64| {
            let values: Vec<f64> = d.iter().zip(widths).map(|(d, w)| d / w).collect();
            let density = problem.model().density();
            let spectrum = Spectrum::new(case.grid.clone(), values, density).unwrap();
            MaxEnt::default()
                .default_model(DefaultModel::Spectrum { spectrum, floor: 1e-12 })
                // A free norm is that of the default model; a fixed one stays.
                .norm(if fixed { norm } else { d.iter().sum() })
                .fix_norm(fixed)
                .kinetic(lambda)
                .prior(weight, ridge.clone())
                .alpha(FixedAlpha(alpha))
                .tolerance(1e-24)
        };
        for (fixed, alpha, lambda, weight) in [
            (false, 10.0, 0.0, 0.0),
            (false, 1.0, 0.3, 0.0),
            (false, 0.1, 0.05, 0.02),
            (true, 3.0, 0.0, 0.0),
            (true, 0.3, 0.05, 0.02),
        ] {
            let solve = |problem: &Problem, d: &[f64], alpha, lambda, weight| {
                let solution = builder(fixed, d, alpha, lambda, weight).solve(problem).unwrap();
                assert!(solution.report().status.is_success(), "{}", solution.report());
                solution
            };
            let loss = |problem: &Problem, d: &[f64], alpha, lambda, weight| -> f64 {
                let weights = solve(problem, d, alpha, lambda, weight).spectrum().weights();
                weights.iter().zip(&upstream).map(|(h, v)| h * v).sum()
            };
            let solution = solve(&problem, &d, alpha, lambda, weight);
            let sensitivity =
                builder(fixed, &d, alpha, lambda, weight).sensitivity(&problem, &solution).unwrap();
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
                    central(f, d[j], 3e-3 * d[j])
                })
                .collect();
            let by_alpha = central(|a| loss(&problem, &d, a, lambda, weight), alpha, 3e-3 * alpha);
            let by_lambda = |l| loss(&problem, &d, alpha, l, weight);
            let by_lambda = match lambda {
                0.0 => one_sided(by_lambda, 3e-4),
                _ => central(by_lambda, lambda, 3e-3 * lambda),
            };
            let by_weight = |w| loss(&problem, &d, alpha, lambda, w);
            let by_weight = match weight {
                0.0 => one_sided(by_weight, 3e-4),
                _ => central(by_weight, weight, 3e-3 * weight),
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

/// Weights that are zero in the arithmetic neither matter nor hurt: e⁻⁵⁰⁰ of a default weight of e⁻⁴⁰⁰.
#[test]
fn weights_that_underflow() {
    let case = &cases()[0];
    let problem = problem(case, 1e-3);
    let upstream = normal(case.grid.len(), 8);
    let default = Spectrum::from_fn(case.grid.clone(), |w| (-29.0 * (w - 0.7) * (w - 0.7)).exp());
    let default = DefaultModel::Spectrum { spectrum: default.unwrap(), floor: 1e-250 };
    let maxent = |alpha: f64| {
        let maxent = MaxEnt::default().default_model(default.clone());
        maxent.alpha(FixedAlpha(alpha)).tolerance(1e-24)
    };
    let alpha = 1e-3;
    let solution = maxent(alpha).solve(&problem).unwrap();
    assert!(solution.spectrum().weights().contains(&0.0));
    let sensitivity = maxent(alpha).sensitivity(&problem, &solution).unwrap();
    assert!(sensitivity.distance() < 1e-6, "{:e}", sensitivity.distance());
    let gradient = sensitivity.vjp_weights(&upstream).unwrap();
    let loss = |g: &[f64], alpha: f64| -> f64 {
        let solution = maxent(alpha).solve(&problem.with_data(g).unwrap()).unwrap();
        assert!(solution.report().status.is_success(), "{}", solution.report());
        solution.spectrum().weights().iter().zip(&upstream).map(|(h, v)| h * v).sum()
    };
    let by_data: Vec<f64> = (0..problem.data().len())
        .map(|i| {
            let mut g = problem.data().to_vec();
            let f = |x| {
                g[i] = x;
                loss(&g, alpha)
            };
            central(f, problem.data()[i], 2e-6 * alpha)
        })
        .collect();
    let error = deviation(&gradient.data, &by_data);
    assert!(error < 1e-4, "{error:e}");
    let by_alpha = central(|a| loss(problem.data(), a), alpha, 1e-2 * alpha);
    assert!((gradient.alpha / by_alpha - 1.0).abs() < 1e-4, "{} {by_alpha}", gradient.alpha);
}

/// A kinetic weight that was chosen is a number, like α.
#[test]
fn a_chosen_kinetic_weight() {
    let case = &cases()[0];
    let problem = problem(case, 1e-2);
    let upstream = normal(case.grid.len(), 8);
    let search = MaxEnt::default().kinetic_auto().tolerance(1e-24);
    let solution = search.solve(&problem).unwrap();
    let maxent = solution.report().maxent.as_ref().unwrap();
    assert!(maxent.kinetic > 0.0);
    let found = search.sensitivity(&problem, &solution).unwrap().vjp_weights(&upstream).unwrap();
    let (grid, density) = (problem.grid().clone(), solution.spectrum().density());
    let reference = Spectrum::new(grid, maxent.kinetic_reference.clone(), density).unwrap();
    let prior = Arc::new(Kinetic::relative(&reference).unwrap());
    let loss = |lambda: f64| -> f64 {
        let given = MaxEnt::default().prior(lambda, prior.clone()).alpha(FixedAlpha(maxent.alpha));
        let weights = given.tolerance(1e-24).solve(&problem).unwrap().spectrum().weights();
        weights.iter().zip(&upstream).map(|(h, u)| h * u).sum()
    };
    let (lambda, step) = (maxent.kinetic, 1e-3 * maxent.kinetic);
    let expected = (loss(lambda + step) - loss(lambda - step)) / (2.0 * step);
    assert!((found.kinetic / expected - 1.0).abs() < 1e-4, "{} {expected}", found.kinetic);
    let error = MaxEnt::default().sensitivity(&problem, &solution).unwrap_err();
    assert!(error.to_string().contains("kinetic"), "{error}");
}

/// An entropy other than Skilling's: data and weight.
#[test]
fn bayesian_reconstruction() {
    let case = &cases()[0];
    let problem = problem(case, 1e-2);
    let d: Vec<f64> = case.grid.weights().iter().map(|w| w / 6.0).collect();
    let upstream = normal(d.len(), 8);
    let entropy = Arc::new(BayesianReconstruction::new(d.clone(), case.grid.weights()).unwrap());
    let maxent = |alpha: f64| {
        let maxent = MaxEnt::default().scaled_prior(entropy.clone());
        maxent.alpha(FixedAlpha(alpha)).tolerance(1e-24)
    };
    let alpha = 0.3;
    let loss = |data: &[f64], alpha: f64| -> f64 {
        let solution = maxent(alpha).solve(&problem.with_data(data).unwrap()).unwrap();
        assert!(solution.report().status.is_success(), "{}", solution.report());
        solution.spectrum().weights().iter().zip(&upstream).map(|(h, v)| h * v).sum()
    };
    let by_data: Vec<f64> = (0..problem.data().len())
        .map(|i| {
            let mut g = problem.data().to_vec();
            let f = |x| {
                g[i] = x;
                loss(&g, alpha)
            };
            central(f, problem.data()[i], 1e-5)
        })
        .collect();
    let by_alpha = central(|a| loss(problem.data(), a), alpha, 3e-3);
    let solution = maxent(alpha).solve(&problem).unwrap();
    let sensitivity = maxent(alpha).sensitivity(&problem, &solution).unwrap();
    let gradient = sensitivity.vjp_weights(&upstream).unwrap();
    assert!(gradient.default_weights.is_empty());
    let error = deviation(&gradient.data, &by_data);
    assert!(error < 1e-6, "{error:e}");
    let error = deviation(&[gradient.alpha], &[by_alpha]);
    assert!(error < 1e-6, "{error:e}");
}

/// A well-conditioned 12 × 8 kernel, so that iterations end at rounding.
fn lasso() -> (DMatrix<f64>, Vec<f64>) {
    let random = normal(12 * 8, 3);
    let kernel =
        DMatrix::from_fn(12, 8, |i, j| random[8 * i + j] * 0.15 + if i == j { 1.0 } else { 0.0 });
    let data = (0..12).map(|i| (1.1 * f64::from(i)).sin() + 0.9).collect();
    (kernel, data)
}

/// ISTA to rounding.
const EXACT: IterationOptions<f64> =
    IterationOptions { tolerance: 0.0, max_iterations: 20_000, history: false };

fn implicit(solver: AdjointSolver) -> Adjoint<f64> {
    let options = IterationOptions { tolerance: 1e-13, max_iterations: 5000, history: false };
    Adjoint::Implicit { solver, options }
}

fn choices() -> Vec<Adjoint<f64>> {
    vec![
        Adjoint::Unrolled,
        Adjoint::Truncated { steps: 400 },
        Adjoint::default(),
        implicit(AdjointSolver::Iteration),
        implicit(AdjointSolver::Anderson { memory: 5 }),
        implicit(AdjointSolver::ConjugateGradients),
    ]
}

/// Data and weight of proximal-gradient fixed points, operators of all sorts, all ways to differentiate.
#[test]
fn proximal_gradients() {
    let (kernel, data) = lasso();
    let upstream = normal(8, 4);
    let default: Vec<f64> = (0..8).map(|j| 0.2 + 0.1 * f64::from(j)).collect();
    let operators: Vec<(&str, Box<dyn Prox<f64>>, f64)> = vec![
        ("soft threshold", Box::new(SoftThreshold), 0.3),
        ("one-sided", Box::new(OneSidedSoftThreshold), 0.2),
        ("elastic net", Box::new(ElasticNet::new(0.5).unwrap()), 0.2),
        ("simplex", Box::new(Simplex::new(1.5).unwrap()), 1.0),
        ("total variation", Box::new(TotalVariation), 0.1),
        ("entropic", Box::new(Entropic::new(default).unwrap()), 0.4),
    ];
    for (name, prox, lambda) in &operators {
        let point = |data: &[f64], lambda: f64| {
            let map = ProximalGradientMap::new(&kernel, data, prox, lambda).unwrap();
            let answer = Adjoint::default().iterate(map, &[0.1; 8], &EXACT).unwrap();
            assert!(answer.report().status.is_success(), "{name}");
            answer.point().to_vec()
        };
        let loss = |data: &[f64], lambda: f64| -> f64 {
            point(data, lambda).iter().zip(&upstream).map(|(x, v)| x * v).sum()
        };
        let mut expected: Vec<f64> = (0..data.len())
            .map(|i| {
                let mut g = data.clone();
                let f = |x| {
                    g[i] = x;
                    loss(&g, *lambda)
                };
                central(f, data[i], 1e-4)
            })
            .collect();
        expected.push(central(|l| loss(&data, l), *lambda, 1e-4));
        for adjoint in choices() {
            let map = ProximalGradientMap::new(&kernel, &data, prox, *lambda).unwrap();
            let mut answer = adjoint.iterate(map, &[0.1; 8], &EXACT).unwrap();
            let gradient = answer.vjp(&upstream).unwrap();
            assert!(gradient.report.status.is_success(), "{name} {adjoint:?} {gradient:?}");
            let error = deviation(&gradient.parameters, &expected);
            assert!(error < 1e-6, "{name} {adjoint:?}: {error:e}");
        }
    }
}

/// A relaxed map has the fixed points of the map, and their derivatives.
#[test]
fn relaxation_does_not_matter() {
    let (kernel, data) = lasso();
    let upstream = normal(8, 4);
    let map = ProximalGradientMap::new(&kernel, &data, SoftThreshold, 0.3).unwrap();
    for adjoint in choices() {
        let mut plain = adjoint.iterate(map.clone(), &[0.0; 8], &EXACT).unwrap();
        let relaxed = Relaxed::new(map.clone(), 0.7).unwrap();
        let mut relaxed = adjoint.iterate(relaxed, &[0.0; 8], &EXACT).unwrap();
        let expected = plain.vjp(&upstream).unwrap().parameters;
        let found = relaxed.vjp(&upstream).unwrap().parameters;
        assert!(deviation(&found, &expected) < 1e-10, "{adjoint:?}");
    }
}

/// A lasso of the Fermi kernel: FISTA's answer, differentiated where plain iterations would take millions. On
/// its support x = (KᵀK)⁻¹(Kᵀg − λ), whose derivatives are known.
#[test]
fn ill_conditioned_lasso_after_an_accelerated_iteration() {
    let case = &cases()[0];
    let problem = problem(case, 1e-3);
    let (kernel, data, lambda) = (problem.kernel(), problem.data(), 0.03);
    let n = case.grid.len();
    let upstream = normal(n, 4);
    let map = ProximalGradientMap::new(kernel, data, OneSidedSoftThreshold, lambda).unwrap();
    let options = IterationOptions { tolerance: 1e-10, max_iterations: 100_000, history: false };
    let fista = Accelerated::new(map.clone());
    let x = iterate(fista, &vec![0.0; n], &options, |_| ControlFlow::Continue(())).unwrap();
    assert!(x.report.status.is_success(), "{:?}", x.report);
    let support: Vec<usize> = (0..n).filter(|&j| x.point[j] > 0.0).collect();
    assert!((3..=8).contains(&support.len()), "{support:?}");
    let inside = kernel.select_columns(&support);
    let v = DVector::from_iterator(support.len(), support.iter().map(|&j| upstream[j]));
    let singular = inside.clone().svd(false, false).singular_values;
    assert!(singular[0] > 500.0 * singular[support.len() - 1], "{singular}");
    let w = inside.tr_mul(&inside).cholesky().unwrap().solve(&v);
    let mut expected = (&inside * &w).as_slice().to_vec();
    expected.push(-w.sum());
    for solver in [AdjointSolver::ConjugateGradients, AdjointSolver::Anderson { memory: 20 }] {
        let once = IterationOptions { max_iterations: 1, ..EXACT };
        let mut answer = implicit(solver).iterate(map.clone(), &x.point, &once).unwrap();
        let gradient = answer.vjp(&upstream).unwrap();
        assert!(gradient.report.status.is_success(), "{solver:?} {:?}", gradient.report);
        let error = deviation(&gradient.parameters, &expected);
        assert!(error < 1e-6, "{solver:?}: {error:e}");
    }
}

/// Truncated derivatives leave out what the report says, and less with every step.
#[test]
fn truncation_says_what_it_leaves_out() {
    let (kernel, data) = lasso();
    let upstream = normal(8, 4);
    let map = ProximalGradientMap::new(&kernel, &data, SoftThreshold, 0.3).unwrap();
    let exact = Adjoint::default().iterate(map.clone(), &[0.0; 8], &EXACT);
    let exact = exact.unwrap().vjp(&upstream).unwrap().parameters;
    let mut errors = Vec::new();
    for steps in [1, 5, 25, 100] {
        let answer = Adjoint::Truncated { steps }.iterate(map.clone(), &[0.0; 8], &EXACT);
        let gradient = answer.unwrap().vjp(&upstream).unwrap();
        let error = deviation(&gradient.parameters, &exact);
        assert_eq!(gradient.report.iterations, steps);
        errors.push(error);
        let left = gradient.report.residual;
        let small =
            left <= f64::EPSILON.sqrt() * upstream.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert_eq!(gradient.report.status == Status::Converged, small, "{left:e}");
        if !small {
            assert_eq!(gradient.report.status, Status::IterationLimit);
        }
    }
    assert!(errors[0] > 0.5 && errors[2] < 0.3 && errors[3] < 1e-4, "{errors:?}");
}

/// Far from the fixed point: the derivative of the last `steps` steps, from the point at which they begin.
#[test]
fn truncated_steps_are_those_that_were_taken() {
    let (kernel, data) = lasso();
    let (upstream, start, taken) = (normal(8, 4), [0.3; 8], 4);
    let default: Vec<f64> = (0..8).map(|j| 0.2 + 0.1 * f64::from(j)).collect();
    let prox = Entropic::new(default).unwrap();
    let run = |x: &[f64], data: &[f64], lambda: f64, steps: usize| {
        let map = ProximalGradientMap::new(&kernel, data, &prox, lambda).unwrap();
        let options = IterationOptions { tolerance: 0.0, max_iterations: steps, history: false };
        iterate(map, x, &options, |_| ControlFlow::Continue(())).unwrap().point
    };
    let loss = |x: &[f64], data: &[f64], lambda: f64, steps: usize| -> f64 {
        run(x, data, lambda, steps).iter().zip(&upstream).map(|(x, v)| x * v).sum()
    };
    for steps in 1..=taken + 2 {
        let last = steps.min(taken);
        let from = run(&start, &data, 0.4, taken - last);
        let by = |vector: &[f64], f: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
            (0..vector.len())
                .map(|i| {
                    let mut moved = vector.to_vec();
                    let f = |x| {
                        moved[i] = x;
                        f(&moved)
                    };
                    central(f, vector[i], 1e-3)
                })
                .collect()
        };
        let mut expected = by(&data, &|g| loss(&from, g, 0.4, last));
        expected.push(central(|l| loss(&from, &data, l, last), 0.4, 1e-3));
        let before = by(&from, &|x| loss(x, &data, 0.4, last));

        let map = ProximalGradientMap::new(&kernel, &data, &prox, 0.4).unwrap();
        let options = IterationOptions { tolerance: 0.0, max_iterations: taken, history: false };
        let answer = Adjoint::Truncated { steps }.iterate(map, &start, &options);
        let gradient = answer.unwrap().vjp(&upstream).unwrap();
        assert_eq!(gradient.report.iterations, last);
        let error = deviation(&gradient.parameters, &expected);
        assert!(error < 1e-8, "{steps}: {error:e}");
        let left = before.iter().map(|w| w * w).sum::<f64>().sqrt();
        assert!((gradient.report.residual / left - 1.0).abs() < 1e-8, "{steps}");
    }
}

#[test]
fn an_adjoint_that_does_not_converge_says_so() {
    let (kernel, data) = lasso();
    let map = ProximalGradientMap::new(&kernel, &data, SoftThreshold, 0.3).unwrap();
    let options = IterationOptions { tolerance: 1e-13, max_iterations: 2, history: false };
    for solver in [
        AdjointSolver::Iteration,
        AdjointSolver::Anderson { memory: 3 },
        AdjointSolver::ConjugateGradients,
    ] {
        let adjoint = Adjoint::Implicit { solver, options };
        let mut answer = adjoint.iterate(map.clone(), &[0.0; 8], &EXACT).unwrap();
        let gradient = answer.vjp(&normal(8, 4)).unwrap();
        assert_eq!(gradient.report.status, Status::IterationLimit);
        assert!(gradient.report.residual > 1e-6);
    }
    // A penalty that is not convex offers no metric.
    let map = ProximalGradientMap::new(&kernel, &data, LogSum::new(0.5).unwrap(), 0.1).unwrap();
    let gradients = implicit(AdjointSolver::ConjugateGradients);
    assert!(gradients.iterate(map, &[0.0; 8], &EXACT).unwrap().vjp(&[1.0; 8]).is_err());
}

/// An implicit derivative keeps a few vectors; an unrolled one keeps one a step.
#[test]
fn memory_does_not_grow_with_the_iterations() {
    let (kernel, data) = lasso();
    let upstream = normal(8, 4);
    let used = |adjoint: Adjoint<f64>, max_iterations: usize| {
        let map = ProximalGradientMap::new(&kernel, &data, SoftThreshold, 0.3).unwrap();
        // A negligible step, so that every iteration is taken.
        let map = map.with_step_size(1e-6).unwrap();
        let options = IterationOptions { max_iterations, ..EXACT };
        let (mut bytes, mut count) = (0, 0);
        count += allocations(|| {
            bytes = allocated_bytes(|| {
                let mut answer = adjoint.iterate(map, &[0.0; 8], &options).unwrap();
                assert_eq!(answer.report().iterations, max_iterations);
                answer.vjp(&upstream).unwrap();
            });
        });
        (bytes, count)
    };
    let mut few = vec![Adjoint::Truncated { steps: 10 }];
    few.extend(
        [
            AdjointSolver::Iteration,
            AdjointSolver::Anderson { memory: 5 },
            AdjointSolver::ConjugateGradients,
        ]
        .map(|solver| {
            let options = IterationOptions { tolerance: 0.0, max_iterations: 50, history: false };
            Adjoint::Implicit { solver, options }
        }),
    );
    for adjoint in few {
        used(adjoint, 100);
        let (short, long) = (used(adjoint, 100), used(adjoint, 5000));
        assert_eq!(short, long, "{adjoint:?}");
        assert!(short.0 < 64 * 8 * 8, "{adjoint:?}: {} bytes", short.0);
    }
    assert!(used(Adjoint::Unrolled, 5000).0 >= 5000 * 8 * 8);
}

/// Single precision follows, as far as its rounding times the condition of the problem (10⁴) allows.
#[test]
fn single_precision() {
    fn gradient<T: Real>() -> Vec<f64> {
        let tau: Vec<T> = (0..12).map(|i| T::lit(6.0 * f64::from(i) / 11.0)).collect();
        let grid = FrequencyGrid::uniform(T::lit(-3.0), T::lit(3.0), 24).unwrap();
        let g: Vec<T> =
            (0..12).map(|i| T::lit(0.3 + 0.02 * f64::from((i - 5) * (i - 6)))).collect();
        let data = Measurement::with_uniform_error(&tau, &g, T::lit(3e-2)).unwrap();
        let problem = Problem::new(&FermionTime::new(T::lit(6.0)).unwrap(), &data, &grid).unwrap();
        let maxent = MaxEnt::default().kinetic(T::lit(0.1)).alpha(FixedAlpha(T::lit(10.0)));
        let solution = maxent.solve(&problem).unwrap();
        let upstream: Vec<T> = normal(24, 8).into_iter().map(T::lit).collect();
        let by = maxent.sensitivity(&problem, &solution).unwrap().vjp_weights(&upstream).unwrap();

        let (kernel, data) = (problem.kernel(), problem.data());
        let map = ProximalGradientMap::new(kernel, data, SquaredL2, T::lit(0.3)).unwrap();
        let options = IterationOptions { tolerance: T::zero(), ..IterationOptions::default() };
        let point = Adjoint::default().iterate(map, &[T::zero(); 24], &options);
        let point = point.unwrap().vjp(&upstream).unwrap();
        assert!(point.report.status.is_success(), "{:?}", point.report);
        let values = by.data.iter().chain(&by.default_weights).chain(&point.parameters);
        values.chain([&by.alpha, &by.kinetic]).map(|v| v.as_f64()).collect()
    }
    assert!(deviation(&gradient::<f32>(), &gradient::<f64>()) < 1e-2);
}
