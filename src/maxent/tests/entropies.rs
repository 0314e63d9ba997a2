//! Entropies besides Skilling's, the exact sum rule, and priors with targets: both solvers against each
//! other, against dense formulas, and against the limits they come from.

use super::*;
use crate::kernel::WithRows;
use crate::prior::{
    BayesianReconstruction, GaussianProcess, L1Prior, Legendre, PositiveNegativeEntropy, SumRule,
};

fn fixed(alpha: f64) -> MaxEnt {
    MaxEnt::default().alpha(FixedAlpha(alpha)).tolerance(1e-14)
}

/// A default model that is not flat, times the grid's weights.
fn default_weights(problem: &Problem<f64>, centre: f64) -> Vec<f64> {
    let grid = problem.grid();
    let weight = |(&w, &dw): (&f64, &f64)| (0.05 + gaussian(w, centre, 1.0)) * dw;
    grid.points().iter().zip(grid.weights()).map(weight).collect()
}

/// Every entropy, and each with its sum fixed.
fn entropies(problem: &Problem<f64>, sum: f64) -> Vec<Arc<dyn Legendre<f64>>> {
    let (d, e) = (default_weights(problem, 0.4), default_weights(problem, -1.0));
    let skilling = Arc::new(Entropy::new(d.clone()).unwrap());
    let signed = Arc::new(PositiveNegativeEntropy::new(d.clone(), e).unwrap());
    let ratios = Arc::new(BayesianReconstruction::new(d, problem.grid().weights()).unwrap());
    vec![
        Arc::new(SumRule::new(skilling.clone(), sum).unwrap()),
        Arc::new(SumRule::new(signed.clone(), sum).unwrap()),
        Arc::new(SumRule::new(ratios.clone(), sum).unwrap()),
        skilling,
        signed,
        ratios,
    ]
}

/// −∇Q/α at h up to a constant where the sum is fixed, and (N_good, ½ ln det ratio) from dense matrices.
fn dense_figures(
    problem: &Problem<f64>,
    entropy: &dyn Legendre<f64>,
    others: &[(f64, &dyn Prior<f64>)],
    alpha: f64,
    h: &[f64],
) -> (DVector<f64>, f64, f64) {
    let (n, k) = (h.len(), problem.whitened_kernel());
    let column = DVector::from_column_slice(h);
    let residual = DVector::from_column_slice(problem.whitened_data()) - k * &column;
    let mut force = (k.transpose() * residual).as_slice().to_vec();
    let mut curvature = SymmetricBand::zeros(n, 2);
    for (weight, prior) in others {
        prior.add_gradient(h, -weight, &mut force);
        prior.add_hessian(h, weight / alpha, &mut curvature);
    }
    entropy.add_gradient(h, -alpha, &mut force);
    let mut own = SymmetricBand::zeros(n, 0);
    entropy.add_hessian(h, 1.0, &mut own);
    let w = DMatrix::from_fn(n, n, |i, j| own.get(i, j));
    let m = DMatrix::from_fn(n, n, |i, j| own.get(i, j) + curvature.get(i, j));
    let (m, w) = (m.cholesky().unwrap(), w.cholesky().unwrap());
    let log =
        |c: &nalgebra::Cholesky<f64, nalgebra::Dyn>| 2.0 * c.l().diagonal().map(f64::ln).sum();
    let (mut inverse, mut twice) = (m.inverse(), log(&w) - log(&m));
    if entropy.fixes_sum() {
        // On the plane Σ dh = 0: M⁻¹ less its part along M⁻¹1, and det M times 1ᵀM⁻¹1 (over n).
        let along = inverse.column_sum();
        twice += w.inverse().sum().ln() - along.sum().ln();
        inverse -= &along * along.transpose() / along.sum();
    }
    let lambda = (k * inverse * k.transpose()).symmetric_eigenvalues();
    let good = lambda.iter().map(|l| l / (alpha + l)).sum();
    let ratio = twice - lambda.iter().map(|l| (l / alpha).max(-0.5).ln_1p()).sum::<f64>();
    (DVector::from_vec(force) / alpha, good, 0.5 * ratio)
}

#[test]
fn every_entropy_has_one_optimum_in_both_solvers_and_dense_formulas() {
    let problem = random_problem(3, 24, 41, -2.5);
    let kinetic = Kinetic::natural(problem.grid()).unwrap();
    for entropy in entropies(&problem, 0.97) {
        for lambda in [0.0, 0.3] {
            let mut constants = Vec::new();
            for alpha in [1e3, 10.0, 0.1] {
                let base = fixed(alpha).scaled_prior(entropy.clone()).kinetic(lambda);
                let dual = base.clone().solve(&problem).unwrap();
                let primal = base.solver(MaxEntSolver::Primal).solve(&problem).unwrap();
                let what = format!("{entropy:?} {alpha} {lambda}");
                let a = dual.spectrum().weights();
                for s in [&dual, &primal] {
                    assert!(s.report().status.is_success(), "{what}: {}", s.report());
                    assert!(relative_gap(s) <= 1e-13, "{what}: {}", s.report());
                    let sum: f64 = s.spectrum().weights().iter().sum();
                    assert!(!entropy.fixes_sum() || (sum - 0.97).abs() < 1e-12, "{sum}");
                    let h = s.spectrum().weights();
                    let others: [(f64, &dyn Prior<f64>); 1] = [(lambda, &kinetic)];
                    let (force, good, ratio) =
                        dense_figures(&problem, entropy.as_ref(), &others, alpha, &h);
                    // The gradient vanishes where it can be told: in the metric of the entropy.
                    let mut own = SymmetricBand::zeros(h.len(), 0);
                    entropy.add_hessian(&h, 1.0, &mut own);
                    let scale = entropy.scale(&h);
                    let inverse = |j: usize| 1.0 / own.get(j, j);
                    let sum: f64 = (0..h.len()).map(|j| force[j] * inverse(j)).sum();
                    let mean = if entropy.fixes_sum() { sum / scale } else { 0.0 };
                    let size: f64 =
                        (0..h.len()).map(|j| (force[j] - mean).powi(2) * inverse(j)).sum();
                    // A gap ½‖r‖² of the dual allows for ε = (B, R)ᵀr/α.
                    let k = problem.whitened_kernel();
                    let mut rows = SymmetricBand::zeros(h.len(), 1);
                    kinetic.add_hessian(&h, lambda, &mut rows);
                    let trace: f64 = (0..h.len())
                        .map(|j| inverse(j) * (k.column(j).norm_squared() + rows.get(j, j)))
                        .sum();
                    assert!(size <= 2e-13 * scale * (1.0 + trace / alpha), "{what}: {size:e}");
                    let m = s.report().maxent.as_ref().unwrap();
                    assert!((m.n_good / good - 1.0).abs() < 1e-5, "{what}: {} {good}", m.n_good);
                    let step = m.ladder.last().unwrap();
                    let value = alpha * entropy.value(&h) + lambda * kinetic.value(&h);
                    let log = ratio - 0.5 * s.report().chi2 - value;
                    constants.push(step.log_probability - log);
                }
                let b = primal.spectrum().weights();
                assert!(l1(&a, &b) < 1e-6, "{what}: {:e}", l1(&a, &b));
            }
            // ln P(α|g) is the dense formula's up to one constant.
            let spread = constants.iter().map(|c| (c - constants[0]).abs()).fold(0.0, f64::max);
            assert!(spread < 1e-4, "{entropy:?} {lambda}: {constants:?}");
        }
    }
}

proptest! {
    #![proptest_config(crate::test_support::cases(12))]
    #[test]
    fn gap_and_l1_bound_hold_for_every_entropy(
        seed in 0_u64..1000,
        n_tau in 5_usize..30,
        n_omega in 6_usize..40,
        log_sigma in -3.5..-1.5,
        log_alpha in -1.0..4.0,
        lambda in prop::sample::select(vec![0.0, 0.3]),
    ) {
        let problem = random_problem(seed, n_tau, n_omega, log_sigma);
        let alpha = 10f64.powf(log_alpha);
        let kinetic = Kinetic::natural(problem.grid()).unwrap();
        // K(0, ω) + K(β, ω) = 1.
        let norm = problem.data()[0] + problem.data()[n_tau - 1];
        for entropy in entropies(&problem, norm) {
            let base = fixed(alpha).scaled_prior(entropy.clone()).kinetic(lambda);
            let value = |h: &[f64]| {
                0.5 * problem.chi2(h).unwrap() + alpha * entropy.value(h) + lambda * kinetic.value(h)
            };
            let reference = base.clone().solve(&problem).unwrap().spectrum().weights();
            for solver in [MaxEntSolver::Dual, MaxEntSolver::Primal] {
                for tolerance in [1e-1, 1e-5] {
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
                    prop_assert!(relative <= tolerance, "{entropy:?} {}", loose.report());
                    let excess = value(&h) - value(&reference);
                    prop_assert!(excess <= gap + 1e-11 * value(&reference).abs(), "{excess:e} > {gap:e} {entropy:?}");
                    if let Some(bound) = l1_bound {
                        prop_assert!(l1(&h, &reference) <= bound + 1e-6);
                    }
                }
            }
        }
    }
}

#[test]
fn the_sum_rule_is_the_limit_of_one_more_datum() {
    let beta = 8.0;
    let plain = random_problem(5, 20, 41, -2.0);
    let grid = plain.grid();
    let data = Measurement::with_uniform_error(plain.model().x(), plain.data(), 1e-2).unwrap();
    let kernel = WithRows::new(FermionTime::new(beta).unwrap()).moment(0);
    for lambda in [0.0, 0.3] {
        for (alpha, norm) in [(30.0, 0.9), (0.3, 1.05)] {
            let base = fixed(alpha).kinetic(lambda).norm(norm);
            let exact = base.clone().fix_norm(true).solve(&plain).unwrap();
            assert!(exact.report().status.is_success(), "{}", exact.report());
            assert!((exact.report().norm - norm).abs() < 1e-13);
            // One error bar after the other: the distance falls with its square.
            let near = |error: f64| {
                let data = data.with_rows(&[norm], &[error]).unwrap();
                let problem = Problem::new(&kernel, &data, grid).unwrap();
                base.clone().solve(&problem).unwrap()
            };
            let distances = [1e-3, 1e-4, 1e-5]
                .map(|error| l1(&near(error).spectrum().weights(), &exact.spectrum().weights()));
            assert!(distances[2] < 1e-5, "{distances:?}");
            assert!(distances[1] < 0.03 * distances[0] && distances[2] < 0.03 * distances[1]);
            // The further datum is a good one.
            let good = |s: &Solution| s.report().maxent.as_ref().unwrap().n_good;
            let difference = good(&near(1e-5)) - good(&exact);
            assert!((difference - 1.0).abs() < 1e-3, "{difference}");
        }
    }
    // Pinsker's inequality in its plain form.
    let solution = MaxEnt::default().alpha(FixedAlpha(1.0)).fix_norm(true).solve(&plain).unwrap();
    let Certificate::Gap { gap, l1_bound: Some(bound), .. } = solution.report().certificate else {
        panic!("{}", solution.report());
    };
    assert!((bound / (2.0 * gap).sqrt() - 1.0).abs() < 1e-12);
}

#[test]
fn spectra_of_either_sign_change_sign_with_their_data() {
    let problem = random_problem(7, 30, 61, -3.0);
    let grid = problem.grid();
    let truth = Spectrum::from_fn(grid.clone(), |w| {
        0.5 * gaussian(w, 1.2, 0.5) - 0.5 * gaussian(w, -1.0, 0.6)
    })
    .unwrap();
    let exact = problem.back_continue(&truth.weights()).unwrap();
    let data: Vec<f64> = exact.iter().zip(normal_noise(30, 9)).map(|(g, e)| g + 1e-3 * e).collect();
    let problem = problem.with_data(&data).unwrap();
    let flipped = problem.with_data(&data.iter().map(|g| -g).collect::<Vec<_>>()).unwrap();
    let d: Vec<f64> = grid.weights().iter().map(|w| 0.1 * w).collect();
    let entropy = Arc::new(PositiveNegativeEntropy::symmetric(d).unwrap());
    let solver = MaxEnt::default().scaled_prior(entropy);
    let (up, down) = (solver.solve(&problem).unwrap(), solver.solve(&flipped).unwrap());
    assert!(up.report().status.is_success(), "{}", up.report());
    let minus: Vec<f64> = down.spectrum().weights().iter().map(|a| -a).collect();
    assert!(l1(&up.spectrum().weights(), &minus) < 1e-5);
    let error = l1(&up.spectrum().weights(), &truth.weights());
    assert!(error < 0.25, "{error} {}", up.report());
    // Negative weight is what was asked for; a norm of zero is what the default model says.
    let unwanted = |w: &Warning| matches!(w, Warning::Negative { .. } | Warning::Norm { .. });
    assert!(!up.report().warnings.iter().any(unwanted), "{}", up.report());
    // A spectrum that has a norm is told where the zero that it is compared with comes from.
    let one = Spectrum::from_fn(grid.clone(), |w| gaussian(w, 0.3, 0.6)).unwrap();
    let problem = problem.with_data(&problem.back_continue(&one.weights()).unwrap()).unwrap();
    let report = solver.solve(&problem).unwrap().report().clone();
    let told = report.warnings.iter().find(|w| matches!(w, Warning::Norm { .. })).unwrap();
    let text = told.to_string();
    assert!(text.contains("default models of both signs differ by 0.000000"), "{text}");
    // Whatever they differ by.
    let parts = [0.1, 0.05].map(|d| grid.weights().iter().map(|w| d * w).collect::<Vec<f64>>());
    let entropy = PositiveNegativeEntropy::new(parts[0].clone(), parts[1].clone()).unwrap();
    let differ = MaxEnt::default().scaled_prior(Arc::new(entropy));
    let report = differ.solve(&problem).unwrap().report().clone();
    let told = report.warnings.iter().find(|w| matches!(w, Warning::Norm { .. })).unwrap();
    assert!(told.to_string().contains("default models of both signs differ by"), "{told}");
}

#[test]
fn the_positive_negative_entropy_tends_to_skillings() {
    let problem = random_problem(11, 20, 31, -2.5);
    let d = default_weights(&problem, 0.0);
    let small: Vec<f64> = d.iter().map(|d| 1e-14 * d).collect();
    let signed = Arc::new(PositiveNegativeEntropy::new(d.clone(), small).unwrap());
    for alpha in [100.0, 1.0] {
        let a = fixed(alpha).scaled_prior(signed.clone()).solve(&problem).unwrap();
        let skilling = Arc::new(Entropy::new(d.clone()).unwrap());
        let b = fixed(alpha).scaled_prior(skilling).solve(&problem).unwrap();
        assert!(l1(&a.spectrum().weights(), &b.spectrum().weights()) < 1e-6);
    }
}

#[test]
fn priors_with_targets_go_to_the_dual() {
    let problem = random_problem(13, 20, 41, -2.5);
    let grid = problem.grid();
    let mean: Vec<f64> = grid.points().iter().map(|&w| gaussian(w, 0.3, 0.8)).collect();
    let process = Arc::new(GaussianProcess::exponential(grid, &mean, 0.1, 1.0).unwrap());
    for alpha in [10.0, 0.1] {
        let base = fixed(alpha).prior(2.0, process.clone()).kinetic(0.1);
        let dual = base.clone().solver(MaxEntSolver::Dual).solve(&problem).unwrap();
        let primal = base.solver(MaxEntSolver::Primal).solve(&problem).unwrap();
        for s in [&dual, &primal] {
            assert!(relative_gap(s) <= 1e-13, "{}", s.report());
        }
        assert!(l1(&dual.spectrum().weights(), &primal.spectrum().weights()) < 1e-6);
    }
    // A stiff process is its mean, whatever the data.
    let stiff = Arc::new(GaussianProcess::exponential(grid, &mean, 1e-6, 1.0).unwrap());
    let s = fixed(1e-3).prior(1.0, stiff).solve(&problem).unwrap();
    let weights: Vec<f64> = mean.iter().zip(grid.weights()).map(|(m, w)| m * w).collect();
    assert!(l1(&s.spectrum().weights(), &weights) < 1e-3, "{}", s.report());
}

#[test]
fn the_l1_norm_only_tilts_the_default_model() {
    let problem = random_problem(17, 20, 41, -2.5);
    let d = default_weights(&problem, 0.0);
    let prices: Vec<f64> = (0..d.len()).map(|j| 1.0 + (j as f64).sin()).collect();
    let (alpha, weight) = (2.0, 3.0);
    let tilted: Vec<f64> =
        d.iter().zip(&prices).map(|(d, c)| d * (-weight * c / alpha).exp()).collect();
    let base = |d: Vec<f64>| fixed(alpha).scaled_prior(Arc::new(Entropy::new(d).unwrap()));
    let priced = base(d).prior(weight, Arc::new(L1Prior::new(prices).unwrap()));
    let (a, b) = (priced.solve(&problem).unwrap(), base(tilted).solve(&problem).unwrap());
    assert!(relative_gap(&a) <= 1e-14 && relative_gap(&b) <= 1e-14);
    assert!(l1(&a.spectrum().weights(), &b.spectrum().weights()) < 1e-6);
}

#[test]
fn the_posterior_knows_a_fixed_sum() {
    // The whole weight has no uncertainty left, and windows have what one more, sharp datum leaves them.
    let plain = random_problem(29, 20, 41, -2.0);
    let data = Measurement::with_uniform_error(plain.model().x(), plain.data(), 1e-2).unwrap();
    let sharp = data.with_rows(&[1.0], &[1e-5]).unwrap();
    let kernel = WithRows::new(FermionTime::new(8.0).unwrap()).moment(0);
    let further = Problem::new(&kernel, &sharp, plain.grid()).unwrap();
    for lambda in [0.0, 0.3] {
        let base = fixed(3.0).kinetic(lambda);
        let exact = base.clone().fix_norm(true);
        let a = exact.posterior(&plain, &exact.solve(&plain).unwrap()).unwrap();
        let b = base.posterior(&further, &base.solve(&further).unwrap()).unwrap();
        let whole = a.window(-4.0, 4.0).unwrap();
        assert!((whole.value - 1.0).abs() < 1e-12 && whole.deviation < 1e-7, "{whole:?}");
        for (from, to) in [(-4.0, 0.0), (0.5, 2.0)] {
            let (a, b) = (a.window(from, to).unwrap(), b.window(from, to).unwrap());
            assert!((a.deviation / b.deviation - 1.0).abs() < 1e-3, "{a:?} {b:?}");
        }
    }
    let blurred = fixed(3.0).preblur(0.3);
    let solution = blurred.solve(&plain).unwrap();
    let refused = blurred.posterior(&plain, &solution);
    assert!(matches!(refused, Err(Error::Unsupported { argument: "preblur", .. })));
}
