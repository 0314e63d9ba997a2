//! Sparse modelling, and the alternating direction method on the same problem.

use super::*;
use crate::fixed_point::{Admm, AugmentedMinimizer};
use crate::linalg::{add_product_t, product};
use crate::sparse::interior_point::InteriorPoint;
use crate::sparse::singular_basis::SingularBasis;
use crate::spectrum::Spectrum;
use crate::{SparseModelling, SparsityRule, SparsityStep};

/// 0.8 N(1, 0.8) + 0.2 N(2.2, 0.4): a maximum at 1.03 and, the peaks being that wide, a shoulder near 2.
fn two_peaks(omega: f64) -> f64 {
    let normal = |m: f64, s: f64| {
        (-(omega - m).powi(2) / (2.0 * s * s)).exp() / (s * std::f64::consts::TAU.sqrt())
    };
    0.8 * normal(1.0, 0.8) + 0.2 * normal(2.2, 0.4)
}

/// β = 100, 201 times, noise 10⁻⁶; data of a fine grid, solved for on 201 points in [−3, 6].
fn two_peak_problem(seed: u64) -> (Problem<f64>, Spectrum<f64>) {
    let tau: Vec<f64> = (0..=200).map(|i| 0.5 * f64::from(i)).collect();
    let kernel = FermionTime::new(100.0).unwrap();
    let measure = |g: &[f64]| Measurement::with_uniform_error(&tau, g, 1e-6).unwrap();
    let fine = FrequencyGrid::uniform(-5.0, 8.0, 2601).unwrap();
    let fine_truth = Spectrum::from_fn(fine.clone(), two_peaks).unwrap();
    let exact = Problem::new(&kernel, &measure(&[0.0; 201]), &fine).unwrap();
    let mut g = exact.back_continue(&fine_truth.weights()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    g.iter_mut().for_each(|g| *g += 1e-6 * f64::standard_normal(&mut rng));
    let grid = FrequencyGrid::uniform(-3.0, 6.0, 201).unwrap();
    let problem = Problem::new(&kernel, &measure(&g), &grid).unwrap();
    (problem, Spectrum::from_fn(grid, two_peaks).unwrap())
}

#[test]
fn the_two_peak_problem_is_resolved_by_the_default_rule() {
    for seed in 0..4 {
        let (problem, truth) = two_peak_problem(seed);
        let solution = SparseModelling::default().sum_rule(1.0).solve(&problem).unwrap();
        let (report, spectrum) = (solution.report(), solution.spectrum());
        assert_eq!(report.status, Status::Converged);
        let error = spectrum.l1_error(&truth).unwrap();
        assert!(error <= 0.10, "{error}");
        assert!((report.norm - 1.0).abs() < 1e-10);
        assert!(spectrum.values().iter().all(|&a| a >= 0.0));
        // Both peaks, with their weights.
        for (from, to) in [(0.2, 1.6), (1.6, 2.8)] {
            let found = spectrum.weight_between(from, to).unwrap();
            let expected = truth.weight_between(from, to).unwrap();
            assert!((found / expected - 1.0).abs() < 0.05, "{found} {expected}");
            let peaks = spectrum.peaks(0.02).unwrap();
            assert!(peaks.iter().any(|p| p.position > from && p.position < to), "{peaks:?}");
        }
        let Certificate::Gap { relative, .. } = report.certificate else { panic!() };
        // The gradient's rounding, ε‖Sy‖ ≈ 10⁻⁴, against an objective of 10⁴.
        assert!(relative < 1e-6);
    }
}

#[test]
fn the_rules_choose_from_the_ladder() {
    let (problem, truth) = two_peak_problem(1);
    let solver = SparseModelling::default().sum_rule(1.0);
    let ladder = solver.ladder(&problem).unwrap();
    // χ² falls with λ, from far above N to about N.
    assert!(ladder.windows(2).all(|w| w[1].lambda < w[0].lambda && w[1].chi2 <= w[0].chi2 * 1.001));
    assert!(ladder[0].chi2 > 1e8 && ladder.last().unwrap().chi2 < 201.0);
    assert!(ladder[0].nonzero < ladder.last().unwrap().nonzero);
    // The fit has fewer degrees of freedom than coefficients that are not zero: positivity fixes the others.
    for step in &ladder {
        assert!((0.0..=step.nonzero as f64 + 0.1).contains(&step.n_good), "{step:?}");
    }
    let folds = 4;
    for (rule, most) in [
        (SparsityRule::Discrepancy, 1.2),
        (SparsityRule::Gcv, 1.2),
        (SparsityRule::CrossValidation { folds }, 1.2),
        (SparsityRule::Elbow, 2.0),
    ] {
        let solution = solver.clone().rule(rule).solve(&problem).unwrap();
        let per_datum = solution.report().chi2 / 201.0;
        assert!((0.7..most).contains(&per_datum), "{rule:?}: {per_datum}");
        assert!(solution.spectrum().l1_error(&truth).unwrap() < 0.15);
    }
    // The discrepancy principle: χ² ≤ N s², and not so one step before.
    let spread = |s: &SparsityStep| s.chi2 / (201.0 - s.n_good);
    let variance = ladder.iter().map(spread).fold(f64::INFINITY, f64::min);
    let chosen = solver.solve(&problem).unwrap().report().penalty.unwrap().lambda;
    let at = ladder.iter().position(|s| s.lambda == chosen).unwrap();
    assert!(ladder[at].chi2 <= 201.0 * variance && ladder[at - 1].chi2 > 201.0 * variance);
    // A given λ is the ladder's solution at it.
    let step = ladder[20];
    let fixed = solver.clone().rule(SparsityRule::Fixed(step.lambda)).solve(&problem).unwrap();
    assert!((fixed.report().chi2 / step.chi2 - 1.0).abs() < 1e-9);
}

#[test]
fn rules_are_blind_to_a_common_factor_on_the_error_bars() {
    let problem = fermi::<f64>(60, 40);
    let whitening = crate::Whitening::from_errors(&[1e-3; 60]).unwrap();
    let data = Measurement::new(problem.model().x(), problem.data(), whitening).unwrap();
    let kernel = FermionTime::new(16.0).unwrap();
    let loose = Problem::new(&kernel, &data, problem.grid()).unwrap();
    for rule in [SparsityRule::Discrepancy, SparsityRule::Gcv, SparsityRule::Elbow] {
        let solver = SparseModelling::default().sum_rule(1.0).rule(rule);
        let answers = [&problem, &loose].map(|p| solver.solve(p).unwrap());
        let distance = answers[0].spectrum().l1_error(answers[1].spectrum()).unwrap();
        assert!(distance < 1e-3, "{rule:?}: {distance}");
    }
}

/// Two levels, which the singular functions of this kernel cannot form without going negative.
#[test]
fn levels_that_are_too_sharp_are_found_where_they_are_and_said_to_be_too_sharp() {
    let tau: Vec<f64> = (0..=40).map(|i| 0.25 * f64::from(i)).collect();
    let level = |t: f64, e: f64| (-t * e).exp() / (1.0 + (-10.0 * e).exp());
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for sigma in [1e-3, 1e-4, 1e-6] {
        let noisy = |&t: &f64| {
            0.5 * (level(t, 1.0) + level(t, -1.0)) + sigma * f64::standard_normal(&mut rng)
        };
        let g: Vec<f64> = tau.iter().map(noisy).collect();
        let data = Measurement::with_uniform_error(&tau, &g, sigma).unwrap();
        let grid = FrequencyGrid::uniform(-4.0, 4.0, 161).unwrap();
        let problem = Problem::new(&FermionTime::new(10.0).unwrap(), &data, &grid).unwrap();
        let solver = SparseModelling::default().sum_rule(1.0);
        let solution = solver.solve(&problem).unwrap();
        let peaks = solution.spectrum().peaks(0.2).unwrap();
        assert_eq!(peaks.len(), 2, "{peaks:?}");
        assert!((peaks[0].position + 1.0).abs() < 0.05 && (peaks[1].position - 1.0).abs() < 0.05);
        // No λ fits; the one chosen is within a few per cent of the best fit there is.
        let ladder = solver.ladder(&problem).unwrap();
        let least = ladder.iter().map(|s| s.chi2).fold(f64::INFINITY, f64::min);
        assert!(solution.report().chi2 < 1.2 * least && least > 5.0 * 41.0);
        let note =
            |w: &Warning| matches!(w, Warning::Note(text) if text.contains("no lambda fits"));
        assert!(solution.report().warnings.iter().any(note));
        // Non-negative least squares, which is not bound to those functions, fits.
        let nnls = crate::Nnls::new(0.0).rule(crate::RidgeRule::Gcv).view(DataView::Whitened);
        let report = nnls.solve(&problem).unwrap();
        assert!(report.report().chi2 < 2.0 * 41.0, "{}", report.report());
    }
}

/// ½‖y − S x‖² with c·x = norm and M x = (x, κ V x).
struct Split<'a> {
    basis: &'a SingularBasis<f64>,
    kappa: f64,
}

impl AugmentedMinimizer<f64> for Split<'_> {
    fn shape(&self) -> (usize, usize) {
        (self.basis.s.len(), self.basis.s.len() + self.basis.root.len())
    }

    fn minimise(&mut self, rho: f64, v: &[f64], x: &mut [f64], mx: &mut [f64]) {
        let SingularBasis { s, y, vt, sum, .. } = self.basis;
        let (v1, v2) = v.split_at(s.len());
        let inverse: Vec<f64> =
            s.iter().map(|s| 1.0 / (s * s + rho * (1.0 + self.kappa * self.kappa))).collect();
        product(vt, v2, x);
        for i in 0..s.len() {
            x[i] = inverse[i] * (s[i] * y[i] + rho * (v1[i] + self.kappa * x[i]));
        }
        let (c, norm) = sum.as_ref().unwrap();
        let found: f64 = c.iter().zip(&*x).map(|(c, x)| c * x).sum();
        let slope: f64 = c.iter().zip(&inverse).map(|(c, d)| c * c * d).sum();
        for i in 0..s.len() {
            x[i] += (norm - found) / slope * inverse[i] * c[i];
        }
        let (m1, m2) = mx.split_at_mut(s.len());
        m1.copy_from_slice(x);
        m2.fill(0.0);
        add_product_t(vt, x, m2);
        m2.iter_mut().for_each(|m| *m *= self.kappa);
    }

    fn adjoint(&mut self, y: &[f64], out: &mut [f64]) {
        let (y1, y2) = y.split_at(self.basis.s.len());
        product(&self.basis.vt, y2, out);
        out.iter_mut().zip(y1).for_each(|(out, y)| *out = y + self.kappa * *out);
        let c = &self.basis.sum.as_ref().unwrap().0;
        let along: f64 = c.iter().zip(&*out).map(|(c, v)| c * v).sum();
        let square: f64 = c.iter().map(|c| c * c).sum();
        out.iter_mut().zip(c).for_each(|(out, c)| *out -= along / square * c);
    }

    fn gradient_scale(&self) -> f64 {
        self.basis.s[0] * self.basis.y[0].abs()
    }
}

/// λ‖x‖₁ for the first elements, z ≥ 0 for the others.
struct SparseAndPositive(f64, usize);

impl Prox<f64> for SparseAndPositive {
    fn value(&self, x: &[f64]) -> f64 {
        let (x, z) = x.split_at(self.1);
        self.0 * SoftThreshold.value(x) + NonNegative.value(z)
    }

    fn prox_into(&self, z: &[f64], gamma: f64, out: &mut [f64]) -> f64 {
        let ((z1, z2), (x1, x2)) = (z.split_at(self.1), out.split_at_mut(self.1));
        let norm = SoftThreshold.prox_into(z1, gamma * self.0, x1);
        self.0 * norm + NonNegative.prox_into(z2, gamma, x2)
    }

    fn prox_vjp(&self, _: &[f64], _: f64, _: &[f64], _: &mut [f64]) -> f64 {
        unreachable!("not differentiated here")
    }
}

#[test]
fn the_alternating_direction_method_finds_the_same_optimum() {
    let problem = fermi::<f64>(60, 40);
    let (kernel, data) = (problem.whitened_kernel(), problem.whitened_data());
    let basis = SingularBasis::new(kernel, data, problem.grid(), Some(1.0)).unwrap();
    for lambda in [1e5, 1e3, 10.0] {
        let optimum = InteriorPoint::new(&basis).solve(lambda, 1e-9);
        let k = basis.s.len();
        let split = Split { basis: &basis, kappa: 10.0 };
        let admm = Admm::new(split, SparseAndPositive(lambda, k))
            .unwrap()
            .with_rho(30.0 * lambda)
            .unwrap();
        let mut admm = admm.without_balancing();
        let options =
            IterationOptions { tolerance: 1e-11, max_iterations: 200_000, history: false };
        let x0 = vec![0.0; 2 * (k + 40)];
        let answer = iterate(&mut admm, &x0, &options, silent).unwrap();
        assert!(answer.report.status.is_success(), "{:?}", answer.report);
        let (primal, dual) = admm.residuals();
        assert!(primal < 1e-7 && dual < 1e-7);
        let z = &answer.point[k..k + 40];
        let distance: f64 =
            (0..40).map(|j| (z[j] / 10.0 * basis.root[j] - optimum.weights[j]).abs()).sum();
        assert!(distance < 1e-4, "{distance} at {lambda}");
        // The coefficients that are zero exactly in one are counted as zero in the other.
        let nonzero = answer.point[..k].iter().filter(|&&x| x != 0.0).count();
        assert_eq!(nonzero, optimum.nonzero);
    }
}

#[test]
fn the_norm_is_found_where_it_is_not_given() {
    let problem = fermi::<f64>(60, 40);
    let solution = SparseModelling::default().solve(&problem).unwrap();
    assert_eq!(solution.report().status, Status::Converged);
    assert!((solution.report().norm - 1.0).abs() < 1e-2);
}

#[test]
fn single_precision_gives_finite_weights_and_an_honest_status() {
    let problem = fermi::<f32>(60, 40);
    let solution = SparseModelling::default().sum_rule(1.0).solve(&problem).unwrap();
    assert!((solution.report().norm - 1.0).abs() < 1e-3);
    assert!(solution.spectrum().values().iter().all(|a| a.is_finite() && *a >= 0.0));
    // Data of four digits and singular values squared: seven digits do not prove the optimum.
    let Certificate::Gap { relative, .. } = solution.report().certificate else { panic!() };
    // The default tolerance is 10⁴ ε = 1.19e-3.
    let expected = if relative > 1.2e-3 { Status::RoundingFloor } else { Status::Converged };
    assert_eq!(solution.report().status, expected, "{}", solution.report());
}

#[test]
fn bad_parameters_are_named() {
    let problem = fermi::<f64>(30, 20);
    let solve = |solver: SparseModelling| solver.solve(&problem).unwrap_err().to_string();
    let default = SparseModelling::default;
    assert!(solve(default().sum_rule(0.0)).contains("norm"));
    assert!(solve(default().tolerance(f64::NAN)).contains("tolerance"));
    assert!(solve(default().rule(SparsityRule::Fixed(0.0))).contains("lambda"));
    assert!(solve(default().rule(SparsityRule::CrossValidation { folds: 1 })).contains("folds"));
    assert!(solve(default().rule(SparsityRule::CrossValidation { folds: 99 })).contains("folds"));
    let zero = problem.with_data(&[0.0; 30]).unwrap();
    assert!(default().solve(&zero).is_err());
}
