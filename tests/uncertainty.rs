//! Error bars of answers: the posterior of maximum entropy against dense algebra and against draws, the bootstrap
//! and the jackknife against what is known of linear estimates.

use core::ops::ControlFlow;
use fredholm::nalgebra::{DMatrix, DVector};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Bins, Bootstrap, BosonTime, Bryan, DefaultModel, Error, FermionTime, FixedAlpha, FrequencyGrid,
    Jackknife, Kernel, Kinetic, MaxEnt, Measurement, Prior, Problem, Real, ReplicaInfo,
    ResamplingMethod, Ridge, RidgeRule, Solution, Solver, Spectrum, SymmetricBand, WithRows,
};

const BETA: f64 = 8.0;

fn gaussian(w: f64, mu: f64, sigma: f64) -> f64 {
    (-0.5 * ((w - mu) / sigma).powi(2)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
}

fn tau(n: usize) -> Vec<f64> {
    (0..n).map(|i| BETA * i as f64 / (n - 1) as f64).collect()
}

fn normals(n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..n).map(|_| f64::standard_normal(rng)).collect()
}

/// Two peaks on a grid that is not uniform, with noise.
fn problem(n_tau: usize, n_omega: usize, sigma: f64, seed: u64) -> (Problem, Spectrum) {
    let grid = FrequencyGrid::tangent(-4.0, 4.0, n_omega, 0.3).unwrap();
    let truth = Spectrum::from_fn(grid.clone(), |w| {
        0.6 * gaussian(w, -1.2, 0.4) + 0.4 * gaussian(w, 1.5, 0.6)
    })
    .unwrap();
    let kernel = FermionTime::new(BETA).unwrap();
    let exact =
        kernel.matrix(&tau(n_tau), grid.points()).unwrap() * DVector::from_vec(truth.weights());
    let noise = normals(n_tau, &mut ChaCha8Rng::seed_from_u64(seed));
    let g: Vec<f64> = exact.iter().zip(&noise).map(|(g, e)| g + sigma * e).collect();
    let data = Measurement::with_uniform_error(&tau(n_tau), &g, sigma).unwrap();
    (Problem::new(&kernel, &data, &grid).unwrap(), truth)
}

fn alpha_of(solution: &Solution) -> f64 {
    solution.report().maxent.as_ref().unwrap().alpha
}

/// Γ = K̃ᵀK̃ + α diag(1/h) + λRᵀR, in the scale of √h, inverted by a dense factorisation.
fn dense_covariance(problem: &Problem, h: &[f64], alpha: f64, lambda: f64) -> DMatrix<f64> {
    let n = h.len();
    let k = problem.whitened_kernel();
    let mut band = SymmetricBand::zeros(n, 1);
    Kinetic::natural(problem.grid()).unwrap().add_hessian(h, lambda, &mut band);
    let gamma = k.transpose() * k;
    let root: Vec<f64> = h.iter().map(|h| h.sqrt()).collect();
    let scaled = DMatrix::from_fn(n, n, |i, j| {
        let own = if i == j { alpha / h[i] } else { 0.0 };
        root[i] * (gamma[(i, j)] + band.get(i, j) + own) * root[j]
    });
    let inverse = scaled.cholesky().unwrap().inverse();
    DMatrix::from_fn(n, n, |i, j| root[i] * inverse[(i, j)] * root[j])
}

#[test]
fn posterior_is_the_dense_inverse() {
    let (problem, _) = problem(30, 61, 1e-2, 1);
    let windows = [(-4.0, 0.0), (0.0, 4.0), (-1.7, -0.3), (0.9, 1.05)];
    for lambda in [0.0, 1e-2] {
        for alpha in [1e3, 10.0, 0.1] {
            let maxent =
                MaxEnt::default().kinetic(lambda).alpha(FixedAlpha(alpha)).tolerance(1e-13);
            let solution = maxent.solve(&problem).unwrap();
            let posterior = maxent.posterior(&problem, &solution).unwrap();
            let h = solution.spectrum().weights();
            let exact = dense_covariance(&problem, &h, alpha, lambda);
            // Relative to what the prior alone would leave, to which the dense inverse rounds.
            let difference = (posterior.covariance() - &exact).amax();
            assert!(difference < 1e-9 * exact.amax(), "{alpha} {lambda}: {difference:e}");
            let grid = problem.grid();
            for (j, s) in posterior.deviations().iter().enumerate() {
                let expected = exact[(j, j)].sqrt() / grid.weights()[j];
                assert!((s / expected - 1.0).abs() < 1e-7);
            }
            let functionals = DMatrix::from_columns(
                &windows
                    .iter()
                    .map(|&(from, to)| {
                        let c = grid.window(from, to).unwrap();
                        DVector::from_fn(61, |j, _| c[j] / grid.weights()[j])
                    })
                    .collect::<Vec<_>>(),
            );
            let expected = functionals.transpose() * &exact * &functionals;
            let found = posterior.window_covariance(&windows).unwrap();
            assert!((&found - &expected).amax() < 1e-8 * expected.amax());
            for (k, &(from, to)) in windows.iter().enumerate() {
                let one = posterior.window(from, to).unwrap();
                let weight = solution.spectrum().weight_between(from, to).unwrap();
                assert!((one.value - weight).abs() < 1e-13);
                assert!((one.deviation.powi(2) - found[(k, k)]).abs() < 1e-12 * found[(k, k)]);
            }
            let mean = DVector::from_column_slice(grid.points());
            let expected = mean.dot(&(&exact * &mean)).sqrt();
            let first = posterior.moment(1);
            assert!((first.deviation / expected - 1.0).abs() < 1e-7);
            assert!((first.value - solution.spectrum().moment(1)).abs() < 1e-13);
            let same = posterior.functional(grid.points()).unwrap();
            assert_eq!(same, first);
        }
    }
}

#[test]
fn the_posterior_has_its_limits() {
    let (loose, _) = problem(20, 41, 1e-2, 2);
    let whole = |problem: &Problem, alpha: f64| {
        let maxent = MaxEnt::default().alpha(FixedAlpha(alpha));
        let solution = maxent.solve(problem).unwrap();
        (maxent.posterior(problem, &solution).unwrap(), solution.spectrum().weights())
    };
    // α → ∞: the prior's own covariance, h/α on the diagonal.
    let (posterior, h) = whole(&loose, 1e12);
    let covariance = posterior.covariance();
    for i in 0..41 {
        for j in 0..41 {
            let expected = if i == j { h[i] / 1e12 } else { 0.0 };
            assert!((covariance[(i, j)] - expected).abs() < 1e-4 * h[i] / 1e12);
        }
    }
    // Data that fix the norm to 10⁻⁹: G(0) + G(β) = ∫A, an error of √2 10⁻⁹ at most, whatever α is.
    let (sharp, _) = problem(20, 41, 1e-9, 2);
    let (posterior, _) = whole(&sharp, 1.0);
    let norm = posterior.moment(0).deviation;
    assert!(norm > 1e-11 && norm < 2.0_f64.sqrt() * 1e-9, "{norm:e}");
}

/// With Σh fixed the covariance is Γ⁻¹ − Γ⁻¹11ᵀΓ⁻¹/1ᵀΓ⁻¹1: that of a Gaussian conditioned on its sum.
#[test]
fn a_fixed_norm_leaves_no_doubt_about_itself() {
    let (problem, _) = problem(25, 51, 1e-2, 3);
    let maxent = MaxEnt::default().fix_norm(true).alpha(FixedAlpha(5.0));
    let solution = maxent.solve(&problem).unwrap();
    let posterior = maxent.posterior(&problem, &solution).unwrap();
    let free = dense_covariance(&problem, &solution.spectrum().weights(), 5.0, 0.0);
    let one = DVector::from_element(51, 1.0);
    let along = &free * &one;
    let exact = &free - &along * along.transpose() / one.dot(&along);
    assert!((posterior.covariance() - &exact).amax() < 1e-9 * free.amax());
    let norm = posterior.moment(0);
    assert!((norm.value - 1.0).abs() < 1e-12 && norm.deviation < 1e-8 * along.sum().sqrt());
    // What one half gains the other loses.
    let halves = posterior.window_covariance(&[(-4.0, 0.3), (0.3, 4.0)]).unwrap();
    assert!((halves[(0, 0)] + halves[(0, 1)]).abs() < 1e-9 * halves[(0, 0)]);
    let plain = MaxEnt::default().alpha(FixedAlpha(5.0));
    let plain = plain.posterior(&problem, &solution).unwrap();
    assert!(plain.window(-4.0, 0.3).unwrap().deviation > halves[(0, 0)].sqrt());
}

/// Where α is large against the fluctuations the prior is Gaussian: spectra drawn from it, data drawn from
/// them, and (c·h − c·ĥ)/deviation is standard normal: its square has mean 1 ± √(2/draws).
#[test]
fn the_posterior_is_calibrated_where_it_is_exact() {
    let (n_tau, n_omega, sigma, alpha, draws) = (15, 31, 2e-4, 1e6, 300);
    let grid = FrequencyGrid::uniform(-3.0, 3.0, n_omega).unwrap();
    let kernel = FermionTime::new(BETA).unwrap();
    let matrix = kernel.matrix(&tau(n_tau), grid.points()).unwrap();
    let data = Measurement::with_uniform_error(&tau(n_tau), &[0.5; 15], sigma).unwrap();
    let base = Problem::new(&kernel, &data, &grid).unwrap();
    let maxent = MaxEnt::default().alpha(FixedAlpha(alpha)).prepare(base.model()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let windows = [(-3.0, 0.0), (0.5, 2.0), (-3.0, 3.0)];
    let mut squares = [0.0; 3];
    for _ in 0..draws {
        let h: Vec<f64> = grid
            .weights()
            .iter()
            .zip(normals(n_omega, &mut rng))
            .map(|(w, x)| w / 6.0 + (w / 6.0 / alpha).sqrt() * x)
            .collect();
        let noise = normals(n_tau, &mut rng);
        let g: Vec<f64> = (&matrix * DVector::from_column_slice(&h))
            .iter()
            .zip(noise)
            .map(|(g, e)| g + sigma * e)
            .collect();
        let truth = Spectrum::from_weights(grid.clone(), &h, Default::default()).unwrap();
        let solution = maxent.solve(&base.with_data(&g).unwrap()).unwrap();
        let posterior = maxent.posterior(&solution).unwrap();
        for (square, (from, to)) in squares.iter_mut().zip(windows) {
            let found = posterior.window(from, to).unwrap();
            let miss = truth.weight_between(from, to).unwrap() - found.value;
            *square += (miss / found.deviation).powi(2) / draws as f64;
        }
    }
    for square in squares {
        assert!((square - 1.0).abs() < 3.5 * (2.0 / draws as f64).sqrt(), "{squares:?}");
    }
}

#[test]
fn a_posterior_wants_a_solution_of_its_own_kind() {
    let (problem, _) = problem(10, 21, 1e-2, 3);
    let maxent = MaxEnt::default();
    let other = Ridge::default().solve(&problem).unwrap();
    assert!(matches!(
        maxent.posterior(&problem, &other),
        Err(Error::Unsupported { argument: "solution", .. })
    ));
    let solution = maxent.solve(&problem).unwrap();
    let posterior = maxent.posterior(&problem, &solution).unwrap();
    let refused = |maxent: &MaxEnt, problem: &Problem, solution: &Solution| -> String {
        maxent.posterior(problem, solution).unwrap_err().to_string()
    };
    // As many points elsewhere, and the same points for A/ω.
    let elsewhere = FrequencyGrid::uniform(-4.0, 4.0, 21).unwrap();
    let data = Measurement::with_uniform_error(&tau(10), problem.data(), 1e-2).unwrap();
    let moved = Problem::new(&FermionTime::new(BETA).unwrap(), &data, &elsewhere).unwrap();
    assert!(refused(&maxent, &moved, &solution).contains("another grid"));
    let boson = BosonTime::new(BETA).unwrap();
    let ratio = Problem::new(&boson, &data, problem.grid()).unwrap();
    assert!(refused(&maxent, &ratio, &solution).contains("another density"));
    // An average over α is the optimum at none; where the average is of one, it is.
    let average = maxent.clone().alpha(Bryan).solve(&problem).unwrap();
    assert!(average.report().maxent.as_ref().unwrap().averaged > 1);
    assert!(refused(&maxent, &problem, &average).contains("average over alpha"));
    assert_eq!(solution.report().maxent.as_ref().unwrap().averaged, 1);
    let kinetic = maxent.clone().kinetic(0.1);
    assert!(refused(&kinetic, &problem, &solution).contains("kinetic"));
    let other = maxent.clone().default_model(DefaultModel::Gaussian { centre: 0.0, width: 1.0 });
    assert!(refused(&other, &problem, &solution).contains("default model"));
    assert!(refused(&maxent.clone().norm(1.1), &problem, &solution).contains("norm"));
    assert!(matches!(posterior.functional(&[1.0]), Err(Error::LengthMismatch { .. })));
    assert!(matches!(posterior.window(f64::NAN, 0.0), Err(Error::NonFinite { .. })));
    assert!(posterior.window_covariance(&[(0.0, f64::INFINITY)]).is_err());
}

/// Bins of the problem's data: exact data plus correlated noise, each bin by `rho` with the one before.
fn bins(problem: &Problem, count: usize, error: f64, rho: f64, seed: u64) -> Bins {
    let n = problem.data().len();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut previous = normals(n, &mut rng);
    let mut rows = DMatrix::zeros(count, n);
    for b in 0..count {
        for (i, fresh) in normals(n, &mut rng).into_iter().enumerate() {
            let e: f64 = rho * previous[i] + (1.0 - rho * rho).sqrt() * fresh;
            previous[i] = e;
            rows[(b, i)] = problem.data()[i] + error * e;
        }
    }
    Bins::new(rows).unwrap()
}

fn on_bins(model: &Problem, bins: &Bins) -> Problem {
    let data = Measurement::from_bins(model.model().x(), bins).unwrap();
    Problem::new(&FermionTime::new(BETA).unwrap(), &data, model.grid()).unwrap()
}

fn go(_: ReplicaInfo) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The smoothest linear estimate there is: its error follows from the covariance of the bins by matrices alone.
fn linear() -> Ridge {
    Ridge::default().rule(RidgeRule::Fixed(1.0))
}

#[test]
fn of_linear_estimates_the_error_is_known() {
    let (model, _) = problem(12, 21, 1e-3, 4);
    let bins = bins(&model, 60, 1e-2, 0.0, 9);
    let problem = on_bins(&model, &bins);
    let solver = linear();
    // The matrix of the estimate, column by column.
    let zero = vec![0.0; 12];
    let response = DMatrix::from_columns(
        &(0..12)
            .map(|i| {
                let mut unit = zero.clone();
                unit[i] = 1.0;
                let solution = solver.solve(&problem.with_data(&unit).unwrap()).unwrap();
                DVector::from_vec(solution.spectrum().weights())
            })
            .collect::<Vec<_>>(),
    );
    let exact = &response * bins.covariance() * response.transpose();
    let deviation = |c: &DVector<f64>| c.dot(&(&exact * c)).sqrt();
    let w = problem.grid().weights();
    let window = problem.grid().window(-2.0, 0.5).unwrap();
    let c = DVector::from_fn(21, |j, _| window[j] / w[j]);

    let jackknife = Jackknife::default().bins(&problem, &bins, &solver, go).unwrap();
    assert_eq!(jackknife.method(), ResamplingMethod::Jackknife { parts: 60 });
    for (j, point) in jackknife.points().enumerate() {
        let unit = DVector::from_fn(21, |i, _| if i == j { 1.0 / w[j] } else { 0.0 });
        assert!((point.deviation() / deviation(&unit) - 1.0).abs() < 1e-9);
        assert!(point.bias().abs() < 1e-9 * point.deviation());
    }
    let weight = jackknife.functional(|a| a.weight_between(-2.0, 0.5)).unwrap();
    assert!((weight.deviation() / deviation(&c) - 1.0).abs() < 1e-9);
    assert!(matches!(weight.quantile(0.5), Err(Error::Unsupported { .. })));

    // Stopped after 32 of the 60: the error of the mean of all bins, from the scatter of those.
    let stop = |_: ReplicaInfo| ControlFlow::Break(());
    let cut = Jackknife::default().bins(&problem, &bins, &solver, stop).unwrap();
    assert!(cut.stopped() && cut.replicas().ncols() == 32);
    let of_bins = bins.matrix().rows(0, 32) * response.transpose() * &c;
    let exact_cut = (of_bins.variance() * 32.0 / 31.0 / 60.0).sqrt();
    let weight = cut.functional(|a| a.weight_between(-2.0, 0.5)).unwrap();
    assert!((weight.deviation() / exact_cut - 1.0).abs() < 1e-9);

    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let bootstrap = Bootstrap::new(2000).bins(&problem, &bins, &solver, &mut rng, go).unwrap();
    let weight = bootstrap.functional(|a| a.weight_between(-2.0, 0.5)).unwrap();
    // Standard error of a deviation from 2000 draws: 1.6 %.
    assert!((weight.deviation() / deviation(&c) - 1.0).abs() < 0.06, "{}", weight.estimate());
    let value = solver.solve(&problem).unwrap().spectrum().weight_between(-2.0, 0.5).unwrap();
    assert_eq!(weight.value(), value);
    assert!(weight.bias().abs() < 4.0 * weight.deviation() / 2000_f64.sqrt());
    // A Gaussian's quantiles, standard error 1.4/√2000 deviations there.
    for (p, x) in [(0.158_655, -1.0), (0.5, 0.0), (0.841_345, 1.0)] {
        let q = (weight.quantile(p).unwrap() - value) / weight.deviation();
        assert!((q - x).abs() < 0.12, "{p}: {q}");
    }
    assert!(weight.quantile(0.0).unwrap() < weight.quantile(1.0).unwrap());
    assert!(weight.quantile(1.5).is_err());

    // Drawn from the covariance of the problem instead, which carries Hartlap's factor.
    let whitening = problem.model().whitening();
    let rows = whitening.apply_matrix(&DMatrix::identity(12, 12));
    let assumed = (rows.transpose() * rows).try_inverse().unwrap();
    let exact = (&response * assumed * response.transpose() * &c).dot(&c).sqrt();
    let fit = solver.solve(&problem).unwrap();
    let bands =
        Bootstrap::new(2000).parametric(&problem, fit.fit(), &solver, &mut rng, go).unwrap();
    let weight = bands.functional(|a| a.weight_between(-2.0, 0.5)).unwrap();
    assert!((weight.deviation() / exact - 1.0).abs() < 0.06);
}

/// ρ = 0.6: the variance of the mean is (1 + ρ)/(1 − ρ) = 4 times that of independent bins, and blocks see it.
#[test]
fn blocks_see_the_correlation_of_bins() {
    let (model, _) = problem(12, 21, 1e-3, 4);
    let bins = bins(&model, 4000, 1e-2, 0.6, 11);
    let problem = on_bins(&model, &bins);
    let solver = linear();
    let deviation = |block: usize| {
        let bands = Jackknife::default().block(block).bins(&problem, &bins, &solver, go).unwrap();
        bands.functional(|a| a.weight_between(-4.0, 4.0)).unwrap().deviation()
    };
    // 1000 and 80 blocks: standard errors of 2 % and 8 %; blocks of 50 miss τ/50 of the variance.
    let ratio = deviation(50) / deviation(4);
    let single: f64 = 1.0 + 2.0 * (0.75 * 0.6 + 0.5 * 0.36 + 0.25 * 0.216);
    assert!((ratio / (4.0 / single).sqrt() - 1.0).abs() < 0.25, "{ratio}");
}

#[test]
fn bands_are_the_same_bits_for_any_number_of_threads() {
    let (problem, truth) = problem(15, 31, 1e-3, 6);
    let solution = MaxEnt::default().solve(&problem).unwrap();
    let solver = MaxEnt::default().alpha(FixedAlpha(alpha_of(&solution)));
    let prepared = solver.prepare(problem.model()).unwrap();
    let run = || {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        Bootstrap::new(40).parametric(&problem, solution.fit(), &prepared, &mut rng, go).unwrap()
    };
    let bands = run();
    assert_eq!((bands.unsuccessful(), bands.stopped()), (0, false));
    assert_eq!(bands.replicas().shape(), (31, 40));
    #[cfg(feature = "rayon")]
    for threads in [1, 3] {
        let pool = rayon_pool(threads);
        assert!(pool.install(run) == bands);
    }
    let weight = bands.functional(|a| a.weight_between(-4.0, 0.2)).unwrap();
    let miss = truth.weight_between(-4.0, 0.2).unwrap() - weight.value();
    assert!(miss.abs() < 4.0 * weight.deviation(), "{miss} {}", weight.estimate());
    // The observer hears of every round and may stop after it.
    let mut heard = Vec::new();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let observer = |info: ReplicaInfo| {
        heard.push((info.done, info.total));
        ControlFlow::Break(())
    };
    let cut =
        Bootstrap::new(40).parametric(&problem, solution.fit(), &prepared, &mut rng, observer);
    let cut = cut.unwrap();
    assert!(cut.stopped() && heard == [(32, 40)]);
    assert_eq!(cut.replicas().as_slice(), &bands.replicas().as_slice()[..31 * 32]);
}

#[cfg(feature = "rayon")]
fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn bad_resampling_is_named() {
    let (problem, _) = problem(10, 21, 1e-2, 3);
    let bins = bins(&problem, 10, 1e-2, 0.0, 1);
    let (solver, mut rng) = (linear(), ChaCha8Rng::seed_from_u64(1));
    let error = Bootstrap::new(1).bins(&problem, &bins, &solver, &mut rng, go).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { argument: "replicas", .. }));
    for block in [0, 6] {
        let error = Jackknife::default().block(block).bins(&problem, &bins, &solver, go);
        assert!(matches!(error, Err(Error::OutOfRange { argument: "block", .. })));
    }
    // Bins of the opposite sign.
    let flipped = Bins::new(-bins.matrix()).unwrap();
    let error = Jackknife::default().bins(&problem, &flipped, &solver, go).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { argument: "bins", .. }));
    let short = Bins::new(bins.matrix().columns(0, 9).into_owned()).unwrap();
    let error = Jackknife::default().bins(&problem, &short, &solver, go).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { argument: "bins", .. }));
    let kernel = WithRows::new(FermionTime::new(BETA).unwrap()).moment(0);
    let data = Measurement::from_bins(&tau(10), &bins).unwrap().with_rows(&[1.0], &[1e-3]);
    let rows = Problem::new(&kernel, &data.unwrap(), problem.grid()).unwrap();
    let error = Bootstrap::new(9).bins(&rows, &bins, &solver, &mut rng, go).unwrap_err();
    assert!(error.to_string().contains("parametric"), "{error}");
    assert!(Bootstrap::new(9).parametric(&rows, rows.data(), &solver, &mut rng, go).is_ok());
    let error = Bootstrap::new(9).parametric(&problem, &[0.5], &solver, &mut rng, go).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { argument: "centre", .. }));
    let bands = Jackknife::default().bins(&problem, &bins, &solver, go).unwrap();
    assert!(matches!(bands.functional(|_| Ok(f64::NAN)), Err(Error::NonFinite { .. })));
}
