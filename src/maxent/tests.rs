//! The two solvers against each other, against a dense method that shares no code with them, and against
//! the limits the equations have.

use super::*;
use crate::error::{Error, Result};
use crate::grid::FrequencyGrid;
use crate::kernel::{BosonTimeSymmetric, FermionTime, Kernel};
use crate::linalg::SymmetricBand;
use crate::noise::Measurement;
use crate::prior::{Entropy, Kinetic, Prior};
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{Certificate, LadderStep, Solution, Solver, Status, Warning};
use crate::spectrum::{DefaultModel, Spectrum};
use core::ops::ControlFlow;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::SeedableRng;
use std::sync::Arc;

mod entropies;
mod kinetic_search;
mod preblur;
mod statuses;

/// 1/(iω_n − ω), real parts over imaginary parts.
struct Matsubara;

impl<T: Real> Kernel<T> for Matsubara {
    fn rows(&self, n: usize) -> usize {
        2 * n
    }

    fn check(&self, _x: &[T], _omega: &[T]) -> Result<()> {
        Ok(())
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        for (j, w) in omega.iter().map(|w| w.as_f64()).enumerate() {
            for (i, z) in x.iter().map(|x| x.as_f64()).enumerate() {
                out[(i, j)] = T::lit(-w / (z * z + w * w));
                out[(x.len() + i, j)] = T::lit(-z / (z * z + w * w));
            }
        }
    }
}

fn normal_noise(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| <f64 as Real>::standard_normal(&mut rng)).collect()
}

fn gaussian(w: f64, mu: f64, sigma: f64) -> f64 {
    (-0.5 * ((w - mu) / sigma).powi(2)).exp() / (sigma * (2.0 * core::f64::consts::PI).sqrt())
}

/// 0.45 N(−2, 0.4) + 0.55 N(2.1, 0.5), β = 10, 50 Matsubara frequencies, 301 points on [−5, 5].
fn two_gaussians<T: Real>(sigma: f64) -> (Problem<T>, Vec<f64>) {
    let n = 50;
    let grid = FrequencyGrid::<T>::uniform(T::lit(-5.0), T::lit(5.0), 301).unwrap();
    let x: Vec<T> =
        (0..n).map(|i| T::lit((2 * i + 1) as f64 * core::f64::consts::PI / 10.0)).collect();
    let a: Vec<f64> = grid
        .points()
        .iter()
        .map(|w| 0.45 * gaussian(w.as_f64(), -2.0, 0.4) + 0.55 * gaussian(w.as_f64(), 2.1, 0.5))
        .collect();
    let weights: Vec<T> = a.iter().zip(grid.weights()).map(|(&a, &w)| T::lit(a) * w).collect();
    let kernel = Kernel::<T>::matrix(&Matsubara, &x, grid.points()).unwrap();
    let noise = normal_noise(2 * n, 7);
    let g: Vec<T> = (kernel * DVector::from_vec(weights))
        .iter()
        .zip(&noise)
        .map(|(&g, &e)| g + T::lit(sigma * e))
        .collect();
    let data = Measurement::with_uniform_error(&x, &g, T::lit(sigma)).unwrap();
    (Problem::new(&Matsubara, &data, &grid).unwrap(), a)
}

fn normal_model() -> DefaultModel<f64> {
    DefaultModel::Gaussian { centre: 0.0, width: 1.0 }
}

fn relative_gap<T: Real>(solution: &Solution<T>) -> T {
    match solution.report().certificate {
        Certificate::Gap { relative, .. } => relative,
        ref other => panic!("{other:?}"),
    }
}

fn l1<T: Real>(a: &[T], b: &[T]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (a - b).abs().as_f64()).sum()
}

/// Dense damped Newton for the stationarity of Q in x = ln(h/d), annealed: no singular vectors, no dual, no
/// bands, no code of the crate's solvers.
fn dense_reference(problem: &Problem<f64>, d: &[f64], alpha: f64, lambda: f64) -> Vec<f64> {
    let n = d.len();
    let (k, g) = (problem.whitened_kernel(), DVector::from_column_slice(problem.whitened_data()));
    let (omega, w) = (problem.grid().points(), problem.grid().weights());
    let mut kinetic = DMatrix::<f64>::zeros(n, n);
    for j in 0..n - 1 {
        let scale = lambda / (omega[j + 1] - omega[j]);
        for (p, sp) in [(j, -1.0 / w[j]), (j + 1, 1.0 / w[j + 1])] {
            for (q, sq) in [(j, -1.0 / w[j]), (j + 1, 1.0 / w[j + 1])] {
                kinetic[(p, q)] += scale * sp * sq;
            }
        }
    }
    let quadratic = k.transpose() * k + &kinetic;
    let weights = |x: &DVector<f64>| DVector::from_fn(n, |j, _| d[j] * x[j].max(-300.0).exp());
    let mut x = DVector::<f64>::zeros(n);
    let mut a = 1e8;
    loop {
        a = (a * 0.5_f64).max(alpha);
        // αx − force, zero at the optimum.
        let slope = |x: &DVector<f64>| {
            let h = weights(x);
            let force = k.transpose() * (&g - k * &h) - &kinetic * &h;
            DVector::from_fn(n, |j, _| a * x[j] - force[j])
        };
        for _ in 0..60 {
            let root = weights(&x).map(f64::sqrt);
            let mut matrix = DMatrix::from_fn(n, n, |i, j| root[i] * quadratic[(i, j)] * root[j]);
            matrix.set_diagonal(&matrix.diagonal().add_scalar(a));
            let factor = matrix.cholesky().unwrap();
            let right = root.component_mul(&slope(&x));
            let step = factor.solve(&right);
            let (dx, size) = (-step.component_div(&root), right.dot(&step));
            if size < 1e-16 * a {
                break;
            }
            // Shorten until the exponential bends the step's own line by no more than its size.
            let (h, dh) = (weights(&x), -root.component_mul(&step));
            let mut t = 1.0;
            let excess = |t: f64| (weights(&(&x + &dx * t)) - &h - &dh * t).dot(&dx);
            while !(excess(t).is_finite() && excess(t) <= (1.5 - t) * dh.dot(&dx)) {
                t *= 0.5;
                assert!(t > 1e-12, "the reference is stuck");
            }
            x += &dx * t;
        }
        if a == alpha {
            return weights(&x).as_slice().to_vec();
        }
    }
}

#[test]
fn dual_primal_and_a_dense_method_agree_at_fixed_alpha() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let grid = problem.grid();
    let density = normal_model().density_on(grid, 1.0).unwrap();
    let d: Vec<f64> = density.iter().zip(grid.weights()).map(|(a, w)| a * w).collect();
    for lambda in [0.0, 1.0] {
        for alpha in [1e4, 1e2, 1.0, 1e-2] {
            let solve = |solver| {
                MaxEnt::default()
                    .default_model(normal_model())
                    .kinetic(lambda)
                    .alpha(FixedAlpha(alpha))
                    .tolerance(5e-15)
                    .solver(solver)
                    .solve(&problem)
                    .unwrap()
            };
            let (dual, primal) = (solve(MaxEntSolver::Dual), solve(MaxEntSolver::Primal));
            for s in [&dual, &primal] {
                assert_eq!(s.report().status, Status::Converged, "{}", s.report());
                assert!(relative_gap(s) <= 5e-15, "{}", s.report());
            }
            let (a, b) = (dual.spectrum().weights(), primal.spectrum().weights());
            assert!(l1(&a, &b) < 1e-7, "alpha {alpha} lambda {lambda}: {:e}", l1(&a, &b));
            let c = dense_reference(&problem, &d, alpha, lambda);
            assert!(l1(&a, &c) < 1e-6, "alpha {alpha} lambda {lambda}: {:e}", l1(&a, &c));
            assert!(l1(&b, &c) < 1e-6);
            let good = |s: &Solution| s.report().maxent.as_ref().unwrap().n_good;
            assert!((good(&dual) - good(&primal)).abs() < 1e-6 * good(&dual));
            assert!((dual.report().chi2 - primal.report().chi2).abs() < 1e-6 * dual.report().chi2);
        }
    }
}

/// A random small problem: positions, widths and errors drawn, data with noise.
fn random_problem(seed: u64, n_tau: usize, n_omega: usize, log_sigma: f64) -> Problem<f64> {
    let draw = normal_noise(n_tau + 3, seed);
    let beta = 8.0;
    let tau: Vec<f64> = (0..n_tau).map(|i| beta * i as f64 / (n_tau - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-4.0, 4.0, n_omega).unwrap();
    let width = 0.3 + draw[n_tau].abs();
    let truth = Spectrum::from_fn(grid.clone(), |w| gaussian(w, draw[n_tau + 1], width)).unwrap();
    let kernel = FermionTime::new(beta).unwrap();
    let sigma = 10f64.powf(log_sigma);
    let exact = Kernel::<f64>::matrix(&kernel, &tau, grid.points()).unwrap()
        * DVector::from_vec(truth.weights());
    let g: Vec<f64> = exact.iter().zip(&draw).map(|(g, e)| g + sigma * e).collect();
    let data = Measurement::with_uniform_error(&tau, &g, sigma).unwrap();
    Problem::new(&kernel, &data, &grid).unwrap()
}

/// ½χ² + αφ + λ kinetic.
fn objective_value(problem: &Problem<f64>, alpha: f64, lambda: f64, h: &[f64]) -> f64 {
    let flat = 1.0 / (problem.grid().max() - problem.grid().min());
    let d: Vec<f64> = problem.grid().weights().iter().map(|w| w * flat).collect();
    0.5 * problem.chi2(h).unwrap()
        + alpha * Entropy::new(d).unwrap().value(h)
        + lambda * Kinetic::natural(problem.grid()).unwrap().value(h)
}

proptest! {
    #![proptest_config(crate::test_support::cases(24))]
    #[test]
    fn gap_and_l1_bound_hold_against_a_finer_reference(
        seed in 0_u64..1000,
        n_tau in 5_usize..40,
        n_omega in 6_usize..60,
        log_sigma in -4.0..-1.5,
        log_alpha in -1.0..5.0,
        lambda in prop::sample::select(vec![0.0, 0.01, 1.0]),
    ) {
        let problem = random_problem(seed, n_tau, n_omega, log_sigma);
        let alpha = 10f64.powf(log_alpha);
        let base = MaxEnt::default().kinetic(lambda).alpha(FixedAlpha(alpha));
        let reference = base.clone().tolerance(1e-14).solve(&problem).unwrap();
        let h_star = reference.spectrum().weights();
        let minimum = objective_value(&problem, alpha, lambda, &h_star);
        for solver in [MaxEntSolver::Dual, MaxEntSolver::Primal] {
            for tolerance in [1e-1, 1e-4, 1e-7] {
                let loose = base
                    .clone()
                    .solver(solver)
                    .tolerance(tolerance)
                    .ladder_tolerance(0.5)
                    .solve(&problem)
                    .unwrap();
                let h = loose.spectrum().weights();
                let Certificate::Gap { gap, relative, l1_bound } = loose.report().certificate
                else { return Err(TestCaseError::fail("no gap")); };
                prop_assert!(relative <= tolerance, "{}", loose.report());
                let excess = objective_value(&problem, alpha, lambda, &h) - minimum;
                prop_assert!(excess <= gap + 1e-12 * minimum.abs(), "{excess:e} > {gap:e}");
                let Certificate::Gap { l1_bound: reference_bound, .. } =
                    reference.report().certificate else { unreachable!() };
                let distance = l1(&h, &h_star);
                prop_assert!(distance <= l1_bound.unwrap() + reference_bound.unwrap());
            }
        }
    }
}

#[test]
fn infinite_alpha_returns_the_default_model() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let grid = problem.grid();
    for solver in [MaxEntSolver::Dual, MaxEntSolver::Primal] {
        let solution = MaxEnt::default()
            .default_model(normal_model())
            .norm(0.8)
            .alpha(FixedAlpha(1e14))
            .solver(solver)
            .solve(&problem)
            .unwrap();
        let d = normal_model().density_on(grid, 0.8).unwrap();
        let largest = solution
            .spectrum()
            .values()
            .iter()
            .zip(&d)
            .map(|(a, d)| (a / d - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(largest < 1e-6, "{largest:e}");
        assert!(solution.report().status.is_success());
    }
}

#[test]
fn vanishing_alpha_fits_exact_data() {
    // χ² of exact data is 0 at its minimum; it falls in proportion to α on the way.
    let (problem, truth) = two_gaussians::<f64>(1e-3);
    let weights: Vec<f64> =
        truth.iter().zip(problem.grid().weights()).map(|(a, w)| a * w).collect();
    let exact = problem.with_data(&problem.back_continue(&weights).unwrap()).unwrap();
    let chi2 = |alpha| {
        let s = MaxEnt::default()
            .default_model(normal_model())
            .alpha(FixedAlpha(alpha))
            .solve(&exact)
            .unwrap();
        assert!(s.report().status.is_success(), "{}", s.report());
        s.report().chi2
    };
    let (a, b, c) = (chi2(1.0), chi2(1e-3), chi2(1e-6));
    assert!(b < 0.1 * a && c < 0.1 * b && c < 1e-5, "{a:e} {b:e} {c:e}");
}

/// ½ Σ (A_{j+1} − A_j)²/Δ_j without saying that it is quadratic, and a quartic penalty.
#[derive(Debug)]
struct Plain {
    kinetic: Kinetic<f64>,
    quartic: f64,
    convex: bool,
}

impl Prior<f64> for Plain {
    fn dim(&self) -> usize {
        self.kinetic.dim()
    }
    fn value(&self, h: &[f64]) -> f64 {
        self.kinetic.value(h) + self.quartic * h.iter().map(|x| x.powi(4)).sum::<f64>()
    }
    fn add_gradient(&self, h: &[f64], weight: f64, out: &mut [f64]) {
        self.kinetic.add_gradient(h, weight, out);
        for (o, x) in out.iter_mut().zip(h) {
            *o += 4.0 * weight * self.quartic * x.powi(3);
        }
    }
    fn add_hessian(&self, h: &[f64], weight: f64, out: &mut SymmetricBand<f64>) {
        self.kinetic.add_hessian(h, weight, out);
        for (j, x) in h.iter().enumerate() {
            out.add(j, j, 12.0 * weight * self.quartic * x * x);
        }
    }
    fn bandwidth(&self) -> usize {
        self.kinetic.bandwidth()
    }
    fn is_convex(&self) -> bool {
        self.convex
    }
}

#[test]
fn a_users_prior_is_solved_by_the_primal() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let plain = |quartic, convex| {
        let kinetic = Kinetic::natural(problem.grid()).unwrap();
        Arc::new(Plain { kinetic, quartic, convex }) as Arc<dyn Prior<f64>>
    };
    let base = MaxEnt::default().alpha(FixedAlpha(10.0)).tolerance(1e-13);
    let known = base.clone().kinetic(1.0).solve(&problem).unwrap();
    assert_eq!(known.report().maxent.as_ref().unwrap().solver, "dual Newton");
    let user = base.clone().prior(1.0, plain(0.0, true)).solve(&problem).unwrap();
    assert_eq!(user.report().maxent.as_ref().unwrap().solver, "primal Newton-CG");
    assert!(relative_gap(&user) <= 1e-13);
    assert!(l1(&known.spectrum().weights(), &user.spectrum().weights()) < 1e-6);
    // A prior that is not quadratic, first said to be convex, then not.
    let gap = base.clone().prior(1.0, plain(1e6, true)).solve(&problem).unwrap();
    let stationary = base.clone().prior(1.0, plain(1e6, false)).solve(&problem).unwrap();
    assert!(relative_gap(&gap) <= 1e-13);
    assert!(matches!(
        stationary.report().certificate,
        Certificate::Stationarity { residual } if residual < 1e-3
    ));
    let distance = l1(&gap.spectrum().weights(), &stationary.spectrum().weights());
    assert!(distance < 1e-5, "{distance:e}");
    assert!(l1(&gap.spectrum().weights(), &known.spectrum().weights()) > 1e-3);
    // The dual refuses it.
    let refused = base.prior(1.0, plain(0.0, true)).solver(MaxEntSolver::Dual).solve(&problem);
    assert!(matches!(refused, Err(Error::Unsupported { argument: "solver", .. })));
}

#[test]
fn several_quadratic_priors_of_different_width_go_to_the_dual() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let solve = |solver| {
        MaxEnt::default()
            .kinetic(0.3)
            .prior(0.5, Arc::new(Kinetic::central(problem.grid()).unwrap()))
            .prior(0.1, Arc::new(Kinetic::dirichlet(problem.grid()).unwrap()))
            .alpha(FixedAlpha(1.0))
            .tolerance(5e-15)
            .solver(solver)
            .solve(&problem)
            .unwrap()
    };
    let (dual, primal) = (solve(MaxEntSolver::Dual), solve(MaxEntSolver::Primal));
    assert!(relative_gap(&dual) <= 5e-15 && relative_gap(&primal) <= 5e-15);
    assert!(l1(&dual.spectrum().weights(), &primal.spectrum().weights()) < 1e-7);
}

/// Local maxima above one per cent of the largest, and total variation.
fn shape(a: &[f64]) -> (usize, f64) {
    let top = a.iter().copied().fold(0.0, f64::max);
    let maxima = a.windows(3).filter(|w| w[1] > w[0] && w[1] > w[2] && w[1] > 0.01 * top).count();
    (maxima, a.windows(2).map(|w| (w[1] - w[0]).abs()).sum())
}

#[test]
fn kinetic_weight_freezes_the_limit_of_small_alpha() {
    // The table of the two-Gaussian case: without the kinetic term spikes grow as α falls, with λ ≥ 1 the
    // spectrum stops changing; a large λ flattens it.
    let (problem, truth) = two_gaussians::<f64>(1e-3);
    let solve = |lambda, alpha| {
        let s = MaxEnt::default()
            .default_model(normal_model())
            .kinetic(lambda)
            .alpha(FixedAlpha(alpha))
            .solve(&problem)
            .unwrap();
        assert!(s.report().status.is_success(), "{}", s.report());
        assert!(relative_gap(&s) < 1e-8, "{}", s.report());
        s
    };
    let summary = |lambda, alpha| shape(solve(lambda, alpha).spectrum().values());
    assert_eq!(shape(&truth).0, 2);
    for lambda in [0.0, 1.0, 100.0] {
        let (maxima, tv) = summary(lambda, 1e4);
        assert!(maxima == 2 && (1.2..1.5).contains(&tv), "{lambda}: {maxima} {tv}");
    }
    let (spikes, tv) = summary(0.0, 1e-2);
    assert!(spikes >= 4 && tv > 8.0, "{spikes} {tv}");
    assert!(summary(0.0, 1e-6).1 > tv);
    let (frozen, tv) = summary(1.0, 1e-2);
    assert!(frozen <= 3 && tv < 2.2, "{frozen} {tv}");
    let change = l1(&solve(1.0, 1e-2).spectrum().weights(), &solve(1.0, 1e-6).spectrum().weights());
    assert!(change < 0.02, "{change}");
    let (flat, tv) = summary(100.0, 1e-2);
    assert!(flat == 2 && tv < 1.6, "{flat} {tv}");
}

#[test]
fn default_rule_and_kink_find_the_two_peaks() {
    let (problem, truth) = two_gaussians::<f64>(1e-3);
    let weights: Vec<f64> =
        truth.iter().zip(problem.grid().weights()).map(|(a, w)| a * w).collect();
    let gcv = MaxEnt::default().default_model(normal_model()).solve(&problem).unwrap();
    let kink = MaxEnt::default()
        .default_model(normal_model())
        .alpha(Chi2Kink::default())
        .solve(&problem)
        .unwrap();
    for s in [&gcv, &kink] {
        let report = s.report();
        assert_eq!(report.status, Status::Converged, "{report}");
        assert!(relative_gap(s) <= 1e-11);
        assert!((report.norm - 1.0).abs() < 1e-2);
        assert!(l1(&s.spectrum().weights(), &weights) < 0.3, "{report}");
        let m = report.maxent.as_ref().unwrap();
        assert_eq!(m.ladder.len(), 50);
        assert!(m.entropy < 0.0 && m.n_good > 3.0 && m.n_good < 40.0);
        // The modes left out count for nothing, and the certificate holds what they count for.
        let Certificate::Gap { gap, .. } = report.certificate else { panic!("{report}") };
        assert!(m.left_out >= 0.0 && m.left_out <= gap);
        assert!(m.n_good < m.active_modes as f64 && m.active_modes < m.modes && m.modes <= 100);
        let falls =
            |f: fn(&LadderStep<f64>) -> f64| m.ladder.windows(2).all(|w| f(&w[1]) < f(&w[0]));
        assert!(falls(|s| s.alpha) && falls(|s| s.chi2) && falls(|s| s.entropy));
        assert!(m.ladder.iter().all(|s| s.n_good > 0.0 && s.n_good < 60.0));
        assert!(m.ladder.iter().all(|s| s.gap <= 1e-8 * s.alpha * 1.2));
        // χ² in the report is recomputed from the raw problem.
        assert!((report.chi2 - problem.chi2(&s.spectrum().weights()).unwrap()).abs() < 1e-9);
    }
}

#[test]
fn a_common_factor_on_the_errors_moves_nothing() {
    // With errors f σ the optimum at α is that at α f² before; χ² takes a factor 1/f², N_good none.
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let factor = 3.0;
    let data = Measurement::with_uniform_error(problem.model().x(), problem.data(), 1e-3 * factor)
        .unwrap();
    let wider = Problem::new(&Matsubara, &data, problem.grid()).unwrap();
    let mut ladders = [Vec::new(), Vec::new()];
    for i in 0..25 {
        let alpha = 10f64.powf(5.0 - 0.25 * i as f64);
        for (p, scale, ladder) in [(&problem, 1.0, 0), (&wider, factor * factor, 1)] {
            let solver = MaxEnt::default().alpha(FixedAlpha(alpha / scale)).ladder_tolerance(1e-14);
            let s = solver.solve(p).unwrap();
            let m = s.report().maxent.as_ref().unwrap();
            ladders[ladder]
                .push(LadderStep { chi2: s.report().chi2, ..m.ladder[m.ladder.len() - 1] });
        }
    }
    for (a, b) in ladders[0].iter().zip(&ladders[1]) {
        assert!((a.chi2 / b.chi2 / (factor * factor) - 1.0).abs() < 1e-6);
        let difference = (a.n_good - b.n_good).abs();
        assert!(difference < 1e-6, "{a:?} {b:?}");
    }
    let choice = |l: &[LadderStep<f64>]| {
        let choice = Gcv::default().choose(&LadderView::new(l, &[], 100).unwrap());
        let AlphaPick::At(alpha) = choice.pick else { panic!("{choice:?}") };
        alpha
    };
    let ratio = choice(&ladders[0]) / choice(&ladders[1]);
    // Interpolated between steps that agree to 10⁻⁶.
    assert!((ratio / (factor * factor) - 1.0).abs() < 1e-5);
}

#[test]
fn every_rule_reports_what_it_looked_at() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let solve =
        |rule: Box<dyn Fn(MaxEnt) -> MaxEnt>| rule(MaxEnt::default()).solve(&problem).unwrap();
    let rules: [Box<dyn Fn(MaxEnt) -> MaxEnt>; 8] = [
        Box::new(|m| m.alpha(Gcv::default())),
        Box::new(|m| m.alpha(Cp::default())),
        Box::new(|m| m.alpha(Chi2Kink::default())),
        Box::new(|m| m.alpha(Curvature::default())),
        Box::new(|m| m.alpha(LineFit)),
        Box::new(|m| m.alpha(Historic)),
        Box::new(|m| m.alpha(Classic)),
        Box::new(|m| m.alpha(Bryan)),
    ];
    for rule in rules {
        let s = solve(rule);
        let (report, m) = (s.report(), s.report().maxent.as_ref().unwrap());
        assert_eq!(report.status, Status::Converged, "{report}");
        assert!(relative_gap(&s) <= 1e-11, "{report}");
        let Certificate::Gap { l1_bound: Some(bound), .. } = report.certificate else { panic!() };
        assert!(bound < 1e-4);
        assert_eq!(m.curve.len(), m.ladder.len());
        let [low, high] = m.interval.unwrap();
        assert!(low <= m.alpha && m.alpha <= high && low < high, "{report}");
        assert!(m.spread.unwrap() < 0.5, "{report}");
        assert!(report.to_string().contains("moves the spectrum by"));
    }
}

#[test]
fn an_average_is_that_of_its_members_and_so_is_its_certificate() {
    /// The mean of the third and the seventh step.
    #[derive(Debug)]
    struct Mean;
    impl AlphaRule for Mean {
        fn name(&self) -> &'static str {
            "mean"
        }
        fn choose(&self, ladder: &LadderView) -> AlphaChoice {
            assert_eq!(ladder.weights(3).len(), 301);
            let weight = |i| if i == 3 || i == 7 { 2.0 } else { 0.0 };
            AlphaChoice::average((0..ladder.steps().len()).map(weight).collect::<Vec<_>>())
        }
    }
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let base = MaxEnt::default().ladder_points(12).tolerance(1e-13);
    let mean = base.clone().alpha(Mean).solve(&problem).unwrap();
    let m = mean.report().maxent.as_ref().unwrap();
    let members =
        [3, 7].map(|i| base.clone().alpha(FixedAlpha(m.ladder[i].alpha)).solve(&problem).unwrap());
    let weights = members.each_ref().map(|s| s.spectrum().weights());
    let expected: Vec<f64> =
        weights[0].iter().zip(&weights[1]).map(|(a, b)| 0.5 * (a + b)).collect();
    assert!(l1(&mean.spectrum().weights(), &expected) < 1e-6);
    let bound = |s: &Solution| match s.report().certificate {
        Certificate::Gap { l1_bound, .. } => l1_bound.unwrap(),
        _ => panic!(),
    };
    // Either has been solved from another start: the bounds agree in what they are asked to be below.
    assert!(
        bound(&mean) <= (2e-13_f64 * 1.1).sqrt() && bound(&members[0]) <= (2e-13_f64 * 1.1).sqrt()
    );
    let product = m.ladder[3].alpha * m.ladder[7].alpha;
    assert!((m.alpha * m.alpha / product - 1.0).abs() < 1e-12);
    assert!((mean.report().chi2 - problem.chi2(&expected).unwrap()).abs() < 1e-3);
}

#[test]
fn the_probability_of_alpha_holds_the_determinant_of_the_whole_hessian() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let n = problem.grid().len();
    let kernel = problem.whitened_kernel();
    for lambda in [0.0, 1.0] {
        for alpha in [1e4, 1.0] {
            let s = MaxEnt::default()
                .kinetic(lambda)
                .alpha(FixedAlpha(alpha))
                .ladder_tolerance(1e-13)
                .solve(&problem)
                .unwrap();
            let step = *s.report().maxent.as_ref().unwrap().ladder.last().unwrap();
            let h = s.spectrum().weights();
            // In √h ∂√h the matrices of the two determinants are αI and αI + √h(KᵀK + λL)√h.
            let mut band = SymmetricBand::zeros(n, 1);
            Kinetic::natural(problem.grid()).unwrap().add_hessian(&h, lambda, &mut band);
            let gram = kernel.transpose() * kernel;
            let whole = DMatrix::from_fn(n, n, |i, j| {
                (h[i] * h[j]).sqrt() * (gram[(i, j)] + band.get(i, j)) / alpha
                    + if i == j { 1.0 } else { 0.0 }
            });
            let determinant: f64 =
                whole.cholesky().unwrap().l().diagonal().iter().map(|l| 2.0 * l.ln()).sum();
            let value = objective_value(&problem, alpha, lambda, &h);
            let expected = -value - 0.5 * determinant;
            let error = (step.log_probability - expected).abs();
            assert!(error < 1e-6 * expected.abs(), "{} {expected}", step.log_probability);
        }
    }
}

#[test]
fn a_prepared_solver_is_the_solver_and_knows_its_model() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let solver = MaxEnt::default().kinetic(0.1).ladder_points(12);
    let prepared = solver.prepare(problem.model()).unwrap();
    let other: Vec<f64> = problem.data().iter().map(|g| 0.9 * g).collect();
    for p in [problem.clone(), problem.with_data(&other).unwrap()] {
        assert_eq!(prepared.solve(&p).unwrap(), solver.solve(&p).unwrap());
    }
    // The same model made again is the same model; other noise or axes are refused.
    let noise = |sigma| Measurement::with_uniform_error(problem.model().x(), problem.data(), sigma);
    let same = Problem::new(&Matsubara, &noise(1e-3).unwrap(), problem.grid()).unwrap();
    assert!(prepared.solve(&same).is_ok());
    let noisier = Problem::new(&Matsubara, &noise(2e-3).unwrap(), problem.grid()).unwrap();
    let refused = prepared.solve(&noisier);
    assert!(matches!(refused, Err(Error::Unsupported { argument: "problem", .. })), "{refused:?}");
    let grid = FrequencyGrid::uniform(-4.0, 4.0, 301).unwrap();
    let elsewhere = Problem::new(&Matsubara, &noise(1e-3).unwrap(), &grid).unwrap();
    assert!(matches!(prepared.solve(&elsewhere), Err(Error::FingerprintMismatch { .. })));
}
