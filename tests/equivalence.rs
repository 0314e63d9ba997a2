//! Methods that must agree, each built from its own part of the crate.

use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Accelerated, Certificate, Entropic, FermionTime, FixedAlpha, FixedPointMap, FrequencyGrid,
    IterationInfo, IterationOptions, MaxEnt, Measurement, Nnls, Problem, ProximalGradient,
    ProximalGradientMap, Real, SoftThreshold, Solver, Spectrum, Unrolled, UnrolledArchitecture,
    iterate,
};
use std::ops::ControlFlow;

/// G(τ) of two Gaussian peaks, β = 16, noise as declared times `scatter`.
fn two_peaks(sigma: f64, scatter: f64) -> (Problem, Spectrum) {
    let beta = 16.0;
    let tau: Vec<f64> = (0..80).map(|i| beta * i as f64 / 79.0).collect();
    let grid = FrequencyGrid::uniform(-4.0, 4.0, 161).unwrap();
    let peak = |w: f64, at: f64, width: f64| {
        (-0.5 * ((w - at) / width).powi(2)).exp() / (width * (2.0 * std::f64::consts::PI).sqrt())
    };
    let truth = |w: f64| 0.4 * peak(w, -1.2, 0.5) + 0.6 * peak(w, 0.8, 0.35);
    let truth = Spectrum::from_fn(grid.clone(), truth).unwrap();
    let silent = Measurement::with_uniform_error(&tau, &vec![0.0; 80], sigma).unwrap();
    let problem = Problem::new(&FermionTime::new(beta).unwrap(), &silent, &grid).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let exact = problem.back_continue(&truth.weights()).unwrap();
    let noisy: Vec<f64> =
        exact.iter().map(|g| g + sigma * scatter * f64::standard_normal(&mut rng)).collect();
    (problem.with_data(&noisy).unwrap(), truth)
}

#[test]
fn untrained_network_is_the_matrix_free_iteration() {
    let (problem, _) = two_peaks(1e-3, 1.0);
    let (kernel, data) = (problem.kernel(), problem.data());
    let mut map = ProximalGradientMap::new(kernel, data, SoftThreshold, 1e-2).unwrap();
    let step = map.step_size();
    let architecture = UnrolledArchitecture::lista(kernel.nrows(), kernel.ncols(), 1);
    let network = Unrolled::ista(architecture, kernel, SoftThreshold, step, 1e-2).unwrap();
    let mut layer = network.layer(0).unwrap().bind(data).unwrap();
    let n = kernel.ncols();
    let (mut a, mut b) = (vec![0.0; n], vec![0.0; n]);
    let (mut next_a, mut next_b) = (vec![0.0; n], vec![0.0; n]);
    for iteration in 1..=50 {
        map.step(&a, &mut next_a);
        layer.step(&b, &mut next_b);
        std::mem::swap(&mut a, &mut next_a);
        std::mem::swap(&mut b, &mut next_b);
        // One step rounds sums of 80 + 161 terms of at most tKᵀg; the map is non-expansive, so that
        // errors of steps add up at most.
        let scale = a.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let difference = a.iter().zip(&b).fold(0.0_f64, |m, (x, y)| m.max((x - y).abs()));
        let bound = 4.0 * f64::EPSILON * scale * f64::from(iteration);
        assert!(difference <= bound, "{iteration}: {difference:e} > {bound:e}");
    }
    assert!(a.iter().any(|v| *v != 0.0));
}

/// Maximum entropy by Newton's method, by proximal gradients, and as the layer of a network, iterated.
#[test]
fn entropic_proximal_gradients_reach_maximum_entropy() {
    let (problem, _) = two_peaks(1e-2, 1.0);
    let (kernel, data) = (problem.whitened_kernel(), problem.whitened_data());
    let n = kernel.ncols();
    let d: Vec<f64> = problem.grid().weights().iter().map(|w| w / 8.0).collect();
    let flat = Entropic::new(d).unwrap();
    let l1 = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum() };
    for alpha in [1e2, 1.0] {
        let newton = MaxEnt::default().alpha(FixedAlpha(alpha)).tolerance(1e-14).solve(&problem);
        let newton = newton.unwrap().spectrum().weights();

        let twin = ProximalGradient::fista(alpha)
            .prox(flat.clone())
            .view(fredholm::DataView::Whitened)
            .tolerance(1e-12)
            .solve(&problem)
            .unwrap();
        assert!(twin.report().status.is_success());
        let distance = l1(&newton, &twin.spectrum().weights());
        assert!(distance < 1e-6, "{alpha}: {distance:e}");
        // The certificate of the one is that of the other, gap/(α·norm).
        let Certificate::Gap { gap, .. } = twin.report().certificate else { panic!("no gap") };
        assert!(gap <= 1e-13 * alpha * twin.report().norm, "{alpha}: {gap:e}");

        let map = ProximalGradientMap::new(kernel, data, &flat, alpha).unwrap();
        let architecture = UnrolledArchitecture::lista(kernel.nrows(), kernel.ncols(), 1);
        let network =
            Unrolled::ista(architecture, kernel, flat.clone(), map.step_size(), alpha).unwrap();
        let layer = Accelerated::new(network.layer(0).unwrap().bind(data).unwrap());
        let options =
            IterationOptions { tolerance: 1e-15, max_iterations: 100_000, history: false };
        let go_on = |_: &IterationInfo<'_>| ControlFlow::Continue(());
        let layer = iterate(layer, &vec![0.0; n], &options, go_on).unwrap();
        assert!(layer.report.status.is_success());
        let distance = l1(&newton, &layer.point);
        assert!(distance < 1e-6, "{alpha}: {distance:e}");
    }
}

#[test]
fn vanishing_alpha_reaches_the_least_chi_squared_of_any_positive_spectrum() {
    let (problem, _) = two_peaks(1e-2, 1.0);
    let least = Nnls::new(0.0).view(fredholm::DataView::Whitened).solve(&problem).unwrap();
    let least = least.report().chi2;
    let mut before = f64::INFINITY;
    for alpha in [1.0, 1e-2, 1e-4, 1e-6] {
        let answer = MaxEnt::default().alpha(FixedAlpha(alpha)).solve(&problem).unwrap();
        let chi2 = answer.report().chi2;
        assert!(chi2 >= least * (1.0 - 1e-9), "{alpha}: {chi2} < {least}");
        assert!(chi2 <= before);
        before = chi2;
    }
    // Optimality of both: ½(χ² − χ²_least) ≤ α (S at the one − S at the other) = O(α ln(1/ε)).
    assert!(before - least < 2e-6 * 1e3, "{before} {least}");
}

/// What real Monte Carlo data look like: error bars declared ten times larger than the scatter.
#[test]
fn loose_error_bars_leave_a_positive_normalised_spectrum_without_ringing() {
    let (problem, truth) = two_peaks(1e-3, 0.1);
    for solver in [
        MaxEnt::default().alpha(fredholm::Gcv::default()),
        MaxEnt::default().alpha(fredholm::Chi2Kink::default()),
    ] {
        let mut steps = 0;
        let solution = solver
            .solve_observed(&problem, &mut |_| {
                steps += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        let (a, report) = (solution.spectrum(), solution.report());
        assert!(report.status.is_success() && steps == 50);
        assert!(a.values().iter().all(|&v| v > 0.0));
        assert!((report.norm - 1.0).abs() < 1e-2);
        assert!(report.chi2 < 0.1 * report.n_data as f64);
        let peaks = a.peaks(0.05).unwrap();
        assert_eq!(peaks.len(), 2, "{peaks:?}");
        assert!((peaks[0].position + 1.2).abs() < 0.1 && (peaks[1].position - 0.8).abs() < 0.1);
        assert!(a.total_variation() < 1.1 * truth.total_variation());
        assert!(a.l1_error(&truth).unwrap() < 0.12);
        let loose = |w: &fredholm::Warning| matches!(w, fredholm::Warning::LooseErrors { .. });
        assert!(report.warnings.iter().any(loose));
    }
}
