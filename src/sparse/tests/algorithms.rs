//! Every algorithm on one lasso, one constrained and one ill-conditioned problem with known solutions.

use super::*;
use crate::fixed_point::{
    Admm, Anderson, Backtracking, ConjugateGradients, DouglasRachford, FixedPoint, FixedPointMap,
    PrimalDual, Relaxed, distance,
};
use crate::kernel::FromFn;
use crate::prox::SquaredL2;
use crate::sparse::LeastSquares;

/// Problems min ½‖g − K x‖² + λ f(x) with their only solution.
struct Known<T: Real> {
    kernel: DMatrix<T>,
    data: Vec<T>,
    lambda: T,
    solution: Vec<T>,
}

/// Builds g = K x* + r with Kᵀr = λ w, w = `slope` on the support and of size ≤ 0.8 off it (columns off the
/// support are shrunk, or with `one_sided` turned, to make it so).
fn known<T: Real>(mut k: DMatrix<f64>, x: &[f64], lambda: f64, one_sided: bool) -> Known<T> {
    let support: Vec<usize> = (0..x.len()).filter(|&j| x[j] != 0.0).collect();
    let active = k.select_columns(&support);
    let slopes = DVector::from_iterator(support.len(), support.iter().map(|&j| x[j].signum()));
    let mut r: DVector<f64> = DVector::from_fn(k.nrows(), |i, _| (1.7 * i as f64).sin());
    // The part of r outside the active columns is free; within them it is fixed by the slopes.
    let gram = (active.transpose() * &active).cholesky().unwrap();
    r -= &active * gram.solve(&(active.transpose() * &r));
    let wanted = if one_sided { slopes * 0.0 } else { slopes * lambda };
    r += &active * gram.solve(&wanted);
    for j in (0..x.len()).filter(|j| x[*j] == 0.0) {
        let w = k.column(j).dot(&r);
        if one_sided {
            k.column_mut(j).scale_mut(-w.signum());
        } else if w.abs() > 0.8 * lambda {
            k.column_mut(j).scale_mut(0.8 * lambda / w.abs());
        }
    }
    let g = &k * DVector::from_column_slice(x) + r;
    let cast = |v: &[f64]| v.iter().map(|&v| T::lit(v)).collect();
    Known {
        data: cast(g.as_slice()),
        lambda: T::lit(lambda),
        solution: cast(x),
        kernel: k.map(T::lit),
    }
}

fn lasso<T: Real>() -> Known<T> {
    let kernel = random_lasso::<f64>(40, 60).0;
    let x: Vec<f64> = (0..60)
        .map(|j| match j % 13 {
            0 => 1.0 + 0.1 * j as f64,
            7 => -0.5,
            _ => 0.0,
        })
        .collect();
    known(kernel, &x, 3.0, false)
}

/// Non-negative least squares.
fn constrained<T: Real>() -> Known<T> {
    let kernel = random_lasso::<f64>(40, 30).0;
    let x: Vec<f64> =
        (0..30).map(|j| if j % 3 == 0 { 0.2 * j as f64 + 0.1 } else { 0.0 }).collect();
    known(kernel, &x, 1.0, true)
}

/// A lasso on the Fermi kernel, of condition number 10¹².
fn ill_conditioned<T: Real>() -> Known<T> {
    let kernel = fermi::<f64>(30, 20).kernel().clone();
    let x: Vec<f64> = (0..20).map(|j| if j == 6 || j == 13 { 0.5 } else { 0.0 }).collect();
    known(kernel, &x, 0.01, false)
}

/// Ridge regression: f = ½‖·‖², of which Kᵀr = λ x* is the gradient.
fn quadratic<T: Real>(kernel: DMatrix<f64>, lambda: f64) -> Known<T> {
    let r = DVector::from_fn(kernel.nrows(), |i, _| (1.7 * i as f64).sin());
    let x = kernel.transpose() * &r / lambda;
    let g = &kernel * &x + r;
    let cast = |v: DVector<f64>| v.iter().map(|&v| T::lit(v)).collect();
    Known { data: cast(g), lambda: T::lit(lambda), solution: cast(x), kernel: kernel.map(T::lit) }
}

/// ½‖· − g‖².
struct Squares<'a, T>(&'a [T]);

impl<T: Real> Prox<T> for Squares<'_, T> {
    fn value(&self, x: &[T]) -> T {
        let d = distance(x, self.0);
        T::lit(0.5) * d * d
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        for ((out, &z), &g) in out.iter_mut().zip(z).zip(self.0) {
            *out = (z + gamma * g) / (T::one() + gamma);
        }
        self.value(out)
    }

    fn prox_vjp(&self, _: &[T], _: T, _: &[T], _: &mut [T]) -> T {
        unreachable!("not differentiated here")
    }
}

/// λ times another function.
struct Times<T, P>(T, P);

impl<T: Real, P: Prox<T>> Prox<T> for Times<T, P> {
    fn value(&self, x: &[T]) -> T {
        self.0 * self.1.value(x)
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        self.0 * self.1.prox_into(z, gamma * self.0, out)
    }

    fn prox_vjp(&self, _: &[T], _: T, _: &[T], _: &mut [T]) -> T {
        unreachable!("not differentiated here")
    }
}

/// ½‖g − K x‖² with its gradient.
fn smooth<'a, T: Real>(k: &'a DMatrix<T>, g: &'a [T]) -> impl FnMut(&[T], &mut [T]) -> T + 'a {
    move |x, gradient| {
        let r = k * DVector::from_column_slice(x) - DVector::from_column_slice(g);
        gradient.copy_from_slice((k.transpose() * &r).as_slice());
        T::lit(0.5) * r.norm_squared()
    }
}

/// Runs every algorithm and returns its name, its answer and the minimiser it found.
fn run_all<T: Real, P: Prox<T> + Copy>(
    known: &Known<T>,
    prox: P,
    tolerance: f64,
) -> Vec<(&'static str, FixedPoint<T>, Vec<T>)> {
    let Known { kernel, data, lambda, .. } = known;
    let n = kernel.ncols();
    let scale = T::lit(largest_gradient(kernel, data));
    let weighted = Times(*lambda, prox);
    let mut found = Vec::new();
    let mut run = |name, map: &mut dyn FixedPointMap<T>, tolerance: T| {
        let x0 = vec![T::lit(0.1); map.dim()];
        let options = IterationOptions { tolerance, max_iterations: 1_000_000, history: true };
        let answer = iterate(map, &x0, &options, silent).unwrap();
        assert!(answer.report.status.is_success(), "{name}: {:?}", answer.report.status);
        assert!(x0.iter().all(|&x| x == T::lit(0.1)));
        answer.point[..n].clone_into(&mut found);
        (name, answer, found.clone())
    };
    let absolute = T::lit(tolerance) * scale;
    let map = || ProximalGradientMap::new(kernel, data, prox, *lambda).unwrap();
    let squares = LeastSquares::new(kernel, data).unwrap();
    let middle = map().lipschitz() * T::lit(0.05);
    let mut all = vec![
        run("ISTA", &mut map(), absolute),
        run("relaxed ISTA", &mut Relaxed::new(map(), T::lit(0.5)).unwrap(), absolute),
        run("over-relaxed ISTA", &mut Relaxed::new(map(), T::lit(1.4)).unwrap(), absolute),
        run("FISTA", &mut Accelerated::new(map()), absolute),
        run("Anderson", &mut Anderson::new(map(), 5).unwrap(), absolute),
        run(
            "backtracking",
            &mut Backtracking::new(n, smooth(kernel, data), prox, *lambda, T::one()).unwrap(),
            absolute,
        ),
    ];
    let mut admm = Admm::new(squares.clone(), &weighted).unwrap();
    all.push(run("ADMM", &mut admm, T::lit(tolerance)));
    let mut fixed = Admm::new(squares.clone(), &weighted)
        .unwrap()
        .with_rho(middle)
        .unwrap()
        .without_balancing();
    all.push(run("ADMM, fixed rho", &mut fixed, T::lit(tolerance)));
    let mut splitting =
        DouglasRachford::new(squares.clone(), &weighted, T::one() / middle).unwrap();
    let (name, answer, _) = run("Douglas-Rachford", &mut splitting, absolute);
    all.push((name, answer, splitting.solution().to_vec()));
    let mut splitting = DouglasRachford::new(squares, &weighted, T::one() / middle).unwrap();
    let mut relaxed = Relaxed::new(&mut splitting, T::lit(1.5)).unwrap();
    let (name, answer, _) = run("relaxed Douglas-Rachford", &mut relaxed, absolute);
    all.push((name, answer, splitting.solution().to_vec()));
    let mut hybrid = PrimalDual::new(kernel, &weighted, Squares(data)).unwrap();
    all.push(run("primal-dual", &mut hybrid, absolute));
    // Homotopy: λ falls from where the answer is 0, each answer the start of the next.
    let mut map = map();
    let (mut point, mut weight) = (vec![T::zero(); n], scale);
    loop {
        weight = lambda.max(weight * T::lit(0.5));
        map.set_lambda(weight);
        let options =
            IterationOptions { tolerance: absolute, max_iterations: 400_000, history: false };
        let answer = iterate(Accelerated::new(&mut map), &point, &options, silent).unwrap();
        assert!(answer.report.status.is_success(), "homotopy: {:?}", answer.report.status);
        point.copy_from_slice(&answer.point);
        if weight == *lambda {
            all.push(("homotopy", answer, point));
            return all;
        }
    }
}

fn agreement<T: Real>(tolerance: f64, distance_bound: f64) {
    for (known, one_sided) in [(lasso::<T>(), false), (constrained::<T>(), true)] {
        let answers = if one_sided {
            run_all(&known, NonNegative, tolerance)
        } else {
            run_all(&known, SoftThreshold, tolerance)
        };
        for (name, _, x) in &answers {
            let far = distance(x, &known.solution).as_f64();
            assert!(far < distance_bound, "{name}: {far}");
        }
    }
}

#[test]
fn every_algorithm_finds_the_known_solutions() {
    agreement::<f64>(1e-10, 1e-8);
    agreement::<f32>(3e-5, 1e-2);
}

#[test]
fn every_algorithm_reaches_the_minimum_of_an_ill_conditioned_problem() {
    let known = ill_conditioned::<f64>();
    let mut oracle =
        ProximalGradientMap::new(&known.kernel, &known.data, SoftThreshold, known.lambda).unwrap();
    let minimum = oracle.objective(&known.solution);
    for (name, _, x) in run_all(&known, SoftThreshold, 1e-6) {
        let excess = oracle.objective(&x) - minimum;
        assert!(excess.abs() < 1e-5 * minimum, "{name}: {excess} of {minimum}");
    }
}

#[test]
fn every_algorithm_solves_a_quadratic_problem_and_conjugate_gradients_at_their_rate() {
    let tolerance = 1e-8;
    for (kernel, lambda) in [
        (random_lasso::<f64>(40, 60).0, 3.0),
        (random_lasso::<f64>(40, 30).0, 1.0),
        (fermi::<f64>(30, 20).kernel().clone(), 0.01),
    ] {
        let known = quadratic::<f64>(kernel, lambda);
        let Known { kernel, data, solution, .. } = &known;
        // λ-strong convexity: ‖x − x*‖ ≤ ‖∇F(x)‖/λ. Not every residual is a gradient.
        let bound = 100.0 * tolerance * largest_gradient(kernel, data) / lambda;
        for (name, _, x) in run_all(&known, SquaredL2, tolerance) {
            let far = distance(&x, solution);
            assert!(far < bound, "{name}: {far} of {bound}");
        }

        let n = kernel.ncols();
        let matrix = kernel.transpose() * kernel + DMatrix::identity(n, n) * lambda;
        let b = kernel.transpose() * DVector::from_column_slice(data);
        let product = |x: &[f64], out: &mut [f64]| {
            out.copy_from_slice((&matrix * DVector::from_column_slice(x)).as_slice());
        };
        let energy = |x: &[f64]| {
            let error = DVector::from_column_slice(x) - DVector::from_column_slice(solution);
            error.dot(&(&matrix * &error)).sqrt()
        };
        let eigenvalues = matrix.symmetric_eigenvalues();
        let root = (eigenvalues.max() / eigenvalues.min()).sqrt();
        let rate = (root - 1.0) / (root + 1.0);
        let x0 = vec![0.1; n];
        let map = ConjugateGradients::new(product, b.as_slice()).unwrap();
        let mut iterates = Iterates::new(map, &x0).unwrap();
        let start = energy(&x0);
        for k in 1..=2 * n {
            iterates.next().unwrap();
            let left = energy(iterates.point());
            assert!(left <= start * (2.0 * rate.powi(k as i32) + 1e-9), "{left} after {k}");
        }
        assert!(x0.iter().all(|&x| x == 0.1));
        let far = distance(iterates.point(), solution);
        assert!(far < 1e-6 * DVector::from_column_slice(solution).norm(), "{far}");
    }
}

#[test]
fn homotopy_finds_the_multiplier_of_the_constrained_form() {
    // x* minimises ‖x‖₁ where ‖g − K x‖ ≤ ‖g − K x*‖.
    for (known, accuracy) in [(lasso::<f64>(), 1e-7), (ill_conditioned::<f64>(), 1e-9)] {
        let Known { kernel, data, lambda, solution } = &known;
        let misfit = |x: &[f64]| {
            (DVector::from_column_slice(data) - kernel * DVector::from_column_slice(x)).norm()
        };
        let epsilon = misfit(solution);
        let index: Vec<f64> = (0..kernel.nrows()).map(|i| i as f64).collect();
        let grid =
            FrequencyGrid::uniform(0.0, (kernel.ncols() - 1) as f64, kernel.ncols()).unwrap();
        let entry = FromFn::new(|i: f64, j: f64| kernel[(i.round() as usize, j.round() as usize)]);
        let measured = Measurement::with_uniform_error(&index, data, 1.0).unwrap();
        let problem = Problem::new(&entry, &measured, &grid).unwrap();
        let solver = ProximalGradient::fista(1.0).tolerance(1e-9).max_iterations(400_000);
        let pursuit = crate::BasisPursuit::new(epsilon).accuracy(accuracy).solver(solver);
        let found = pursuit.solve(&problem).unwrap();
        let weights = found.spectrum().weights();
        assert!((misfit(&weights) / epsilon - 1.0).abs() <= 2.0 * accuracy);
        // The least norm falls with ε at the rate ε/λ.
        let norm = |x: &[f64]| x.iter().map(|x| x.abs()).sum::<f64>();
        let excess = (norm(&weights) - norm(solution)).abs();
        assert!(excess <= 4.0 * accuracy * epsilon * epsilon / lambda + 1e-8, "{excess}");
        let multiplier = found.report().penalty.as_ref().unwrap().lambda;
        assert!((multiplier / lambda - 1.0).abs() < 1e-2, "{multiplier} for {lambda}");
    }
}

#[test]
fn residuals_of_averaged_maps_fall_at_their_rate() {
    // ‖w_{k+1} − w_k‖² ≤ ‖w_0 − w*‖²/(k + 1) for firmly non-expansive maps, each in its own norm.
    let known = lasso::<f64>();
    let Known { kernel, data, lambda, solution } = &known;
    let residual = kernel * DVector::from_column_slice(solution) - DVector::from_column_slice(data);
    let gradient = kernel.transpose() * &residual;
    let weighted = Times(*lambda, SoftThreshold);
    let squares = LeastSquares::new(kernel, data).unwrap();
    let (n, rho) = (kernel.ncols(), 5.0);

    // ISTA with t = 1/L is averaged by 2/3, and 2/3 · 3/4 = 1/2 makes it firmly non-expansive.
    let map = ProximalGradientMap::new(kernel, data, SoftThreshold, *lambda).unwrap();
    let square = |w: &[f64]| w.iter().map(|w| w * w).sum();
    check_rate(Relaxed::new(map, 0.75).unwrap(), solution, square);

    let map = DouglasRachford::new(squares.clone(), &weighted, 1.0 / rho).unwrap();
    // z* = x* + γ∇f(x*).
    let z: Vec<f64> = solution.iter().zip(&gradient).map(|(x, d)| x + d / rho).collect();
    check_rate(map, &z, square);

    let map = Admm::new(squares, &weighted)
        .unwrap()
        .with_relaxation(1.0)
        .unwrap()
        .with_rho(rho)
        .unwrap()
        .without_balancing();
    let mut fixed = solution.clone();
    fixed.extend(gradient.iter().map(|d| -d));
    check_rate(map, &fixed, |w| {
        let (z, y) = w.split_at(n);
        rho * z.iter().map(|z| z * z).sum::<f64>() + y.iter().map(|y| y * y).sum::<f64>() / rho
    });

    let map = PrimalDual::new(kernel, &weighted, Squares(data)).unwrap();
    let (tau, sigma) = map.step_sizes();
    let mut fixed = solution.clone();
    fixed.extend(residual.iter());
    check_rate(map, &fixed, |w| {
        let (x, y) = w.split_at(n);
        let (x, y) = (DVector::from_column_slice(x), DVector::from_column_slice(y));
        x.norm_squared() / tau + y.norm_squared() / sigma - 2.0 * y.dot(&(kernel * &x))
    });
}

fn check_rate<M: FixedPointMap<f64>>(map: M, fixed: &[f64], square: impl Fn(&[f64]) -> f64) {
    let x0 = vec![0.0; fixed.len()];
    let start = square(fixed);
    let mut iterates = Iterates::new(map, &x0).unwrap();
    let mut last = x0;
    for k in 0..300 {
        iterates.next().unwrap();
        let step: Vec<f64> = iterates.point().iter().zip(&last).map(|(a, b)| a - b).collect();
        assert!(square(&step) <= start / (k + 1) as f64 * (1.0 + 1e-9), "step {k}");
        last = iterates.point().to_vec();
    }
    // The fixed point is one.
    let away: Vec<f64> = last.iter().zip(fixed).map(|(a, b)| a - b).collect();
    assert!(square(&away) <= start);
}

#[test]
fn backtracking_keeps_its_bound_without_a_lipschitz_constant() {
    let known = lasso::<f64>();
    let Known { kernel, data, lambda, solution } = &known;
    let mut oracle = ProximalGradientMap::new(kernel, data, SoftThreshold, *lambda).unwrap();
    let (minimum, l) = (oracle.objective(solution), oracle.lipschitz());
    let square: f64 = solution.iter().map(|x| x * x).sum();
    for first in [1e-6, 1.0, 1e6] {
        let mut map =
            Backtracking::new(60, smooth(kernel, data), SoftThreshold, *lambda, first).unwrap();
        let mut iterates = Iterates::new(&mut map, &[0.0; 60]).unwrap();
        for k in 1..=300 {
            iterates.next().unwrap();
            // t ≥ 1/2L, or what the first step has grown to.
            let least = (0.49 / l).min(first);
            let excess = oracle.objective(iterates.point()) - minimum;
            assert!(excess <= square / (2.0 * least * k as f64), "{excess} after {k}");
        }
        assert!(map.step_size() * l > 0.49);
    }
}

#[test]
fn anderson_needs_a_fifth_of_the_steps_of_plain_ista_on_the_fermi_kernel() {
    let problem = fermi::<f64>(60, 40);
    let (kernel, data) = (problem.kernel(), problem.data());
    let scale = largest_gradient(kernel, data);
    for lambda in [1e-2, 1e-4] {
        let map = || ProximalGradientMap::new(kernel, data, OneSidedSoftThreshold, lambda).unwrap();
        let options =
            IterationOptions { tolerance: 1e-5 * scale, max_iterations: 400_000, history: false };
        let steps = |map: &mut dyn FixedPointMap<f64>| {
            let report = iterate(map, &[0.0; 40], &options, silent).unwrap().report;
            assert_eq!(report.status, Status::Converged);
            report.iterations
        };
        let plain = steps(&mut map());
        let anderson = steps(&mut Anderson::new(map(), 5).unwrap());
        let restarted = steps(&mut Accelerated::new(map()));
        assert!(5 * anderson <= plain, "{anderson} {plain}");
        assert!(5 * restarted <= plain, "{restarted} {plain}");
    }
}

fn batches<T: Real>(tolerance: f64) {
    let problem = fermi::<T>(30, 20);
    let scale = largest_gradient(problem.kernel(), problem.data());
    // 37 problems: two full panels and a rest. Multiples of one data vector are told apart by λ.
    let data = DMatrix::from_fn(30, 37, |i, c| problem.data()[i] * T::lit(1.0 + 0.02 * c as f64));
    let lambda = T::lit(0.05 * scale);
    for solver in [ProximalGradient::fista(lambda), ProximalGradient::ista(lambda)] {
        let solver = solver.tolerance(T::lit(tolerance));
        let batch = solver.solve_batch(problem.model(), &data).unwrap();
        for c in [0, 15, 16, 36] {
            let one = problem.with_data(data.column(c).as_slice()).unwrap();
            let solution = solver.solve(&one).unwrap();
            let outcome = &batch.outcomes[c];
            assert_eq!(outcome.status, Status::Converged);
            let (a, b) = (solution.spectrum().weights(), batch.weights.column(c));
            let far = a.iter().zip(&b).fold(0.0, |m, (&a, &b)| f64::max(m, (a - b).abs().as_f64()));
            assert!(far < 1e3 * tolerance, "{far}");
            let Certificate::Gap { relative, .. } = outcome.certificate else { panic!() };
            assert!(relative.as_f64() < 1e3 * tolerance);
        }
        #[cfg(feature = "rayon")]
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| solver.solve_batch(problem.model(), &data).unwrap());
            assert_eq!(again, batch);
        }
    }
    // An operator that couples the components goes column by column.
    let solver = ProximalGradient::fista(T::one()).prox(Simplex::new(T::one()).unwrap());
    let solver = solver.tolerance(T::lit(tolerance));
    let batch = solver.solve_batch(problem.model(), &data).unwrap();
    for c in 0..37 {
        assert!((batch.weights.column(c).sum() - T::one()).abs() < T::lit(100.0) * T::EPSILON);
        assert_eq!(batch.outcomes[c].status, Status::Converged);
    }
    let short = solver.max_iterations(0).solve_batch(problem.model(), &data).unwrap();
    assert_eq!(short.outcomes[0].certificate, Certificate::None);
    assert!(ProximalGradient::fista(-T::one()).solve_batch(problem.model(), &data).is_err());
    let wrong = DMatrix::zeros(29, 1);
    assert!(ProximalGradient::fista(T::one()).solve_batch(problem.model(), &wrong).is_err());
}

#[test]
fn a_batch_of_lassos_is_its_problems_one_by_one() {
    batches::<f64>(1e-8);
    batches::<f32>(1e-4);
}

#[test]
fn basis_pursuit_meets_its_constraint_at_the_least_norm() {
    let problem = fermi::<f64>(40, 30);
    let data = DVector::from_column_slice(problem.data());
    for epsilon in [0.05, 0.01] {
        let solver = crate::BasisPursuit::new(epsilon).accuracy(1e-3);
        let solution = solver.solve(&problem).unwrap();
        assert_eq!(solution.report().status, Status::Converged, "{}", solution.report());
        let misfit = (&data - DVector::from_column_slice(solution.fit())).norm();
        assert!((misfit / epsilon - 1.0).abs() < 1.1e-3);
        let Certificate::Gap { relative, .. } = solution.report().certificate else { panic!() };
        assert!(relative < 1e-3, "{relative}");
        // Feasible points have no smaller norm.
        let norm: f64 = solution.spectrum().weights().iter().map(|a| a.abs()).sum();
        let truth_like = crate::Nnls::new(1e-6).solve(&problem).unwrap();
        let other: f64 = truth_like.spectrum().weights().iter().map(|a| a.abs()).sum();
        assert!(norm <= other);
    }
    // Zero is good enough, and what cannot be reached.
    let zero = crate::BasisPursuit::new(2.0 * data.norm()).solve(&problem).unwrap();
    assert_eq!((zero.report().norm, &zero.report().status), (0.0, &Status::Converged));
    let quick = ProximalGradient::fista(1.0).max_iterations(50);
    let never = crate::BasisPursuit::new(1e-9).solver(quick).solve(&problem).unwrap();
    assert!(matches!(never.report().status, Status::NoAlpha { .. }));
    assert!(crate::BasisPursuit::new(0.0).solve(&problem).is_err());
}
