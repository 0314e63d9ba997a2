use super::*;
use crate::error::Error;
use crate::solution::Status;
use core::ops::ControlFlow;
use proptest::prelude::*;

/// x ↦ c + ρ R(x − c), a rotation by `angle` in each pair of components, contracted by ρ.
#[derive(Debug)]
struct Spiral<T> {
    centre: Vec<T>,
    rho: T,
    angle: T,
}

impl<T: Real> FixedPointMap<T> for Spiral<T> {
    fn dim(&self) -> usize {
        self.centre.len()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        let (sin, cos) = self.angle.sin_cos();
        for i in (0..x.len()).step_by(2) {
            let (u, v) = (x[i] - self.centre[i], x[i + 1] - self.centre[i + 1]);
            out[i] = self.centre[i] + self.rho * (cos * u - sin * v);
            out[i + 1] = self.centre[i + 1] + self.rho * (sin * u + cos * v);
        }
    }
}

fn spiral<T: Real>(rho: f64, angle: f64) -> Spiral<T> {
    let centre = (0..6).map(|i| T::lit((i as f64).sin())).collect();
    Spiral { centre, rho: T::lit(rho), angle: T::lit(angle) }
}

/// Gradient step of ½ Σ d_i (x_i − 1)² with t = 1/max d.
struct Descent<T> {
    curvature: Vec<T>,
}

impl<T: Real> FixedPointMap<T> for Descent<T> {
    fn dim(&self) -> usize {
        self.curvature.len()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        for i in 0..x.len() {
            out[i] = x[i] - self.curvature[i] * (x[i] - T::one());
        }
    }
}

fn descent<T: Real>() -> Descent<T> {
    Descent { curvature: (0..8).map(|i| T::lit(0.1_f64.powi(i))).collect() }
}

fn silent<T>(_: &IterationInfo<'_, T>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn options<T: Real>(tolerance: f64, max_iterations: usize) -> IterationOptions<T> {
    IterationOptions { tolerance: T::lit(tolerance), max_iterations, history: true }
}

fn contraction<T: Real>() {
    let x0 = [T::lit(3.0); 6];
    let tolerance = 50.0 * T::EPSILON.as_f64();
    let mut map = spiral::<T>(0.5, 1.0);
    let answer = iterate(&mut map, &x0, &options(tolerance, 200), silent).unwrap();
    assert_eq!(answer.report.status, Status::Converged);
    assert_eq!(x0, [T::lit(3.0); 6]);
    // ‖x − x*‖ ≤ ρ/(1 − ρ) · residual = residual.
    assert!(distance(&answer.point, &map.centre) <= T::lit(1.01 * tolerance));
    // The residual shrinks by ρ each step.
    let history = &answer.report.history;
    assert_eq!(history.len(), answer.report.iterations);
    assert_eq!(*history.last().unwrap(), answer.report.residual);
    for pair in history.windows(2).take(10) {
        assert!((pair[1] / pair[0] - T::lit(0.5)).abs() < T::lit(1e-3));
    }
}

#[test]
fn contractions_converge_at_their_rate() {
    contraction::<f32>();
    contraction::<f64>();
}

fn isometry<T: Real>() {
    // A rotation by π/2 never converges by itself; relaxed by ½ it contracts by 1/√2.
    let angle = std::f64::consts::FRAC_PI_2;
    let x0 = [T::lit(2.0); 6];
    let plain = iterate(spiral(1.0, angle), &x0, &options(1e-3, 500), silent).unwrap();
    assert_eq!(plain.report.status, Status::IterationLimit);
    let map = Relaxed::new(spiral::<T>(1.0, angle), T::lit(0.5)).unwrap();
    let relaxed = iterate(map, &x0, &options(1e-3, 500), silent).unwrap();
    assert_eq!(relaxed.report.status, Status::Converged);
    let ratio = relaxed.report.history[9] / relaxed.report.history[8];
    assert!((ratio - T::lit(0.5_f64.sqrt())).abs() < T::lit(1e-3));
}

#[test]
fn relaxation_makes_an_isometry_converge() {
    isometry::<f32>();
    isometry::<f64>();
}

proptest! {
    #![proptest_config(crate::test_support::cases(64))]

    #[test]
    fn a_relaxed_step_is_the_convex_combination(
        x in prop::collection::vec(-2.0..2.0_f64, 6),
        eta in 0.01..1.99_f64,
    ) {
        let (mut image, mut out) = (vec![0.0; 6], vec![0.0; 6]);
        spiral(0.9, 0.3).step(&x, &mut image);
        let mut map = Relaxed::new(spiral(0.9, 0.3), eta).unwrap();
        map.step(&x, &mut out);
        for i in 0..6 {
            // Bit for bit.
            prop_assert_eq!(out[i], (1.0 - eta) * x[i] + eta * image[i]);
        }
        prop_assert_eq!(map.residual(&x, &out), distance(&x, &image));
    }
}

fn acceleration<T: Real>() {
    let x0 = [T::zero(); 8];
    let objective = |x: &[T]| {
        let terms = x.iter().zip(descent::<T>().curvature);
        T::lit(0.5) * terms.map(|(&x, d)| d * (x - T::one()) * (x - T::one())).sum::<T>()
    };
    // The bound of Beck and Teboulle with L = 1, ‖x0 − x*‖² = 8, for every iterate.
    let mut iterates = Iterates::new(Accelerated::new(descent()).without_restarts(), &x0).unwrap();
    for k in 1..300 {
        iterates.next().unwrap();
        let bound = 2.0 * 8.0 / ((k + 1) * (k + 1)) as f64;
        assert!(objective(iterates.point()).as_f64() <= bound * (1.0 + 1e-3));
    }
    // Curvatures down to 10⁻³ only: linear convergence, at √(condition number) when accelerated.
    let map = || Descent { curvature: descent::<T>().curvature[..4].to_vec() };
    let tolerance = options(100.0 * T::EPSILON.as_f64(), 100_000);
    let plain = iterate(map(), &x0[..4], &tolerance, silent).unwrap().report;
    let fast = iterate(Accelerated::new(map()), &x0[..4], &tolerance, silent).unwrap().report;
    assert_eq!((&plain.status, &fast.status), (&Status::Converged, &Status::Converged));
    assert!(8 * fast.iterations < plain.iterations, "{} {}", fast.iterations, plain.iterations);
}

#[test]
fn acceleration_keeps_its_bound_and_restarts() {
    acceleration::<f32>();
    acceleration::<f64>();
}

#[test]
fn a_restarted_acceleration_forgets() {
    let x0 = [0.0; 8];
    let mut map = Accelerated::new(descent::<f64>());
    let first = iterate(&mut map, &x0, &options(0.0, 20), silent).unwrap();
    map.restart();
    let second = iterate(&mut map, &x0, &options(0.0, 20), silent).unwrap();
    assert_eq!(first, second);
}

/// Doubles the iterate.
struct Doubling;

impl<T: Real> FixedPointMap<T> for Doubling {
    fn dim(&self) -> usize {
        2
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        out[0] = x[0] + x[0];
        out[1] = x[1];
    }
}

fn divergence<T: Real>() {
    let x0 = [T::one(); 2];
    let answer = iterate(Doubling, &x0, &options(0.0, 5000), silent).unwrap();
    assert!(matches!(answer.report.status, Status::NonFinite { .. }));
    assert!(answer.point.iter().all(|v| v.is_finite()));
    assert!(!(answer.point[0] + answer.point[0]).is_finite());
}

#[test]
fn divergence_returns_the_last_finite_iterate() {
    divergence::<f32>();
    divergence::<f64>();
}

/// x ↦ 1 + (x − 1)/10 with an error of ε, of alternating sign.
struct Noisy(f64);

impl FixedPointMap<f64> for Noisy {
    fn dim(&self) -> usize {
        1
    }

    fn step(&mut self, x: &[f64], out: &mut [f64]) {
        self.0 = -self.0;
        out[0] = 1.0 + 0.1 * (x[0] - 1.0) + self.0;
    }
}

#[test]
fn the_rounding_floor_is_told_from_slow_progress() {
    let answer = iterate(Noisy(f64::EPSILON), &[3.0], &options(0.0, 10_000), silent).unwrap();
    assert_eq!(answer.report.status, Status::RoundingFloor);
    assert!(answer.report.iterations < 1000);
    // Slow, but every residual is a new least one.
    let slow = iterate(spiral::<f64>(0.9999, 0.0), &[9.0; 6], &options(0.0, 5000), silent).unwrap();
    assert_eq!(slow.report.status, Status::IterationLimit);
}

#[test]
fn the_observer_sees_every_step_and_may_stop() {
    let mut seen = Vec::new();
    let answer = iterate(spiral::<f64>(0.5, 0.1), &[1.0; 6], &options(0.0, 100), |info| {
        seen.push((info.iteration, info.residual, info.point.to_vec()));
        if info.iteration == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(answer.report.status, Status::Stopped);
    assert_eq!(seen.len(), 7);
    assert_eq!(seen[6], (7, answer.report.residual, answer.point));
    let mut iterates = Iterates::new(spiral::<f64>(0.5, 0.1), &[1.0; 6]).unwrap();
    for (_, residual, point) in &seen {
        assert_eq!(iterates.next(), Some(*residual));
        assert_eq!(iterates.point(), point);
    }
}

#[test]
fn bad_input_is_named() {
    let run = |x0: &[f64], tolerance| {
        let options = IterationOptions { tolerance, ..Default::default() };
        iterate(spiral(0.5, 0.1), x0, &options, silent).unwrap_err()
    };
    assert!(matches!(run(&[0.0; 5], 1e-3), Error::LengthMismatch { argument: "x0", .. }));
    assert!(matches!(run(&[f64::NAN; 6], 1e-3), Error::NonFinite { argument: "x0", .. }));
    assert!(matches!(run(&[0.0; 6], -1.0), Error::OutOfRange { argument: "tolerance", .. }));
    assert!(matches!(run(&[0.0; 6], f64::NAN), Error::NonFinite { argument: "tolerance", .. }));
    for eta in [0.0, 2.0, -1.0] {
        let error = Relaxed::new(spiral(0.5, 0.1), eta).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { argument: "eta", .. }));
    }
    let none = iterate(spiral::<f64>(0.5, 0.1), &[1.0; 6], &options(1.0, 0), silent).unwrap();
    assert_eq!((none.report.status, none.point), (Status::IterationLimit, vec![1.0; 6]));
}

fn krylov<T: Real>() {
    // Anderson and conjugate gradients end on a linear problem after as many steps as there are eigenvalues.
    let curvature: Vec<T> = (0..8).map(|i| T::lit([1.0, 0.5, 0.2, 0.1][i % 4])).collect();
    let map = || Descent { curvature: curvature.clone() };
    let x0 = [T::zero(); 8];
    let tolerance = 100.0 * T::EPSILON.as_f64();
    let report = |map: &mut dyn FixedPointMap<T>| {
        let answer = iterate(map, &x0, &options(tolerance, 5000), silent).unwrap();
        assert_eq!(answer.report.status, Status::Converged);
        assert!(answer.point.iter().all(|&x| (x - T::one()).abs() < T::lit(1e4) * T::EPSILON));
        answer.report.iterations
    };
    assert!(report(&mut Anderson::new(map(), 4).unwrap()) <= 8);
    assert!(report(&mut map()) > 30);
    let product = |x: &[T], out: &mut [T]| {
        for i in 0..x.len() {
            out[i] = curvature[i] * x[i];
        }
    };
    assert!(report(&mut ConjugateGradients::new(product, &curvature).unwrap()) <= 6);
}

#[test]
fn methods_of_krylov_end_after_the_number_of_eigenvalues() {
    krylov::<f64>();
    krylov::<f32>();
}

#[test]
fn conjugate_gradients_fall_at_their_rate() {
    let a: Vec<f64> = (0..50).map(|i| 1.0 + 99.0 * (f64::from(i) / 49.0).powi(2)).collect();
    let product = |x: &[f64], out: &mut [f64]| {
        for i in 0..50 {
            out[i] = a[i] * x[i];
        }
    };
    let b: Vec<f64> = (0..50).map(|i| (f64::from(i) * 0.9).sin() + 1.0).collect();
    let energy = |x: &[f64]| -> f64 { (0..50).map(|i| a[i] * (x[i] - b[i] / a[i]).powi(2)).sum() };
    let mut iterates =
        Iterates::new(ConjugateGradients::new(product, &b).unwrap(), &[0.0; 50]).unwrap();
    let start = energy(&[0.0; 50]).sqrt();
    // κ = 100.
    for k in 1..60 {
        let residual = iterates.next().unwrap();
        let x = iterates.point();
        let bound = 2.0 * (9.0_f64 / 11.0).powi(k) * start;
        assert!(energy(x).sqrt() <= bound + 1e-12);
        let exact: f64 = (0..50).map(|i| (b[i] - a[i] * x[i]).powi(2)).sum();
        assert!((residual - exact.sqrt()).abs() < 1e-12 * 100.0);
    }
}

#[test]
fn anderson_is_safe_where_extrapolation_is_not() {
    // An isometry relaxed: extrapolation helps; a map with a kink: it must not hurt for ever.
    struct Kink;
    impl FixedPointMap<f64> for Kink {
        fn dim(&self) -> usize {
            2
        }
        fn step(&mut self, x: &[f64], out: &mut [f64]) {
            out[0] = 0.95 * x[0].max(0.3 * x[1]);
            out[1] = 0.9 * x[1].abs() + 0.01 * (x[0] - x[1]).abs().min(1.0);
        }
    }
    let x0 = [5.0, -3.0];
    let plain = iterate(Kink, &x0, &options(1e-10, 10_000), silent).unwrap();
    let fast =
        iterate(Anderson::new(Kink, 3).unwrap(), &x0, &options(1e-10, 10_000), silent).unwrap();
    assert_eq!(fast.report.status, Status::Converged);
    assert!(fast.report.iterations <= plain.report.iterations);
    let map = Relaxed::new(spiral::<f64>(1.0, 2.0), 0.5).unwrap();
    let answer =
        iterate(Anderson::new(map, 2).unwrap(), &[2.0; 6], &options(1e-12, 100), silent).unwrap();
    assert_eq!(answer.report.status, Status::Converged);
    let mut map = Anderson::new(spiral::<f64>(0.9, 2.0), 5).unwrap();
    let first = iterate(&mut map, &[2.0; 6], &options(0.0, 9), silent).unwrap();
    map.restart();
    assert_eq!(first, iterate(&mut map, &[2.0; 6], &options(0.0, 9), silent).unwrap());
    for memory in [0, 101] {
        let error = Anderson::new(Kink, memory).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { argument: "memory", .. }));
    }
}
