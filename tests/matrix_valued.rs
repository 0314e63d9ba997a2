//! Two bands mixed by a rotation that does not depend on ω: a matrix-valued spectrum known in every element.

use fredholm::nalgebra::{Complex, DVector};
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    BosonTime, Error, FermionMatsubara, FermionTime, FixedAlpha, FrequencyGrid, Kernel,
    MatrixMaxEnt, MatrixProblem, MatrixSolution, Matsubara, MaxEnt, Measurement,
    OffDiagonalDefault, PositiveNegativeEntropy, Problem, Real, Solver, Spectrum, Warning,
    stack_complex,
};
use std::sync::Arc;

const ERROR: f64 = 1e-4;
const ANGLE: f64 = 0.5;

fn gaussian(w: f64, mu: f64, sigma: f64) -> f64 {
    (-0.5 * ((w - mu) / sigma).powi(2)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
}

fn bands(w: f64) -> [f64; 2] {
    [gaussian(w, 1.0, 0.4), 0.6 * gaussian(w, -1.3, 0.5) + 0.4 * gaussian(w, 2.2, 0.6)]
}

fn grid() -> FrequencyGrid {
    FrequencyGrid::uniform(-5.0, 5.0, 201).unwrap()
}

/// A spectrum of any sign, and a problem with its data and noise.
fn element(model: Option<&Problem>, a: impl Fn(f64) -> f64, seed: u64) -> (Problem, Spectrum) {
    let wn = Matsubara::Fermion.frequencies(20.0, 60).unwrap();
    let truth = Spectrum::from_fn(grid(), a).unwrap();
    let matrix = FermionMatsubara.matrix(&wn, grid().points()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let g: Vec<f64> = (matrix * DVector::from_vec(truth.weights()))
        .iter()
        .map(|g| g + ERROR * f64::standard_normal(&mut rng))
        .collect();
    let problem = match model {
        Some(model) => model.with_data(&g).unwrap(),
        None => {
            let data = Measurement::with_uniform_error(&wn, &g, ERROR).unwrap();
            Problem::new(&FermionMatsubara, &data, &grid()).unwrap()
        }
    };
    (problem, truth)
}

/// A_11 = c²a₁ + s²a₂, A_22 = s²a₁ + c²a₂, A_12 = cs(a₁ − a₂)·`phase`.
fn rotated(seed: u64) -> (Problem, Problem, impl Fn(f64, u64) -> (Problem, Spectrum)) {
    let (s, c) = ANGLE.sin_cos();
    let mix = |x: f64, y: f64| move |w: f64| x * bands(w)[0] + y * bands(w)[1];
    let (first, _) = element(None, mix(c * c, s * s), seed);
    let (second, _) = element(Some(&first), mix(s * s, c * c), seed + 1);
    let base = first.clone();
    let mixed = move |part: f64, more: u64| {
        element(Some(&base), mix(part * c * s, -part * c * s), seed + more)
    };
    (first, second, mixed)
}

fn absolute(found: &[f64], truth: &Spectrum) -> f64 {
    let w = truth.grid().weights();
    found.iter().zip(truth.values()).zip(w).map(|((a, b), w)| (a - b).abs() * w).sum()
}

/// A_12 by continuing (G_11 + G_22)/2 ± G_12 as positive functions, half their difference.
fn difference(first: &Problem, second: &Problem, off: &Problem) -> Vec<f64> {
    let [plus, minus] = [1.0, -1.0].map(|sign| {
        let g: Vec<f64> = (0..off.data().len())
            .map(|i| 0.5 * (first.data()[i] + second.data()[i]) + sign * off.data()[i])
            .collect();
        MaxEnt::default().solve(&first.with_data(&g).unwrap()).unwrap()
    });
    let pairs = plus.spectrum().values().iter().zip(minus.spectrum().values());
    pairs.map(|(p, m)| 0.5 * (p - m)).collect()
}

/// The off-diagonal against the best that its entropy reaches at any α when it is told the true diagonals, and
/// against the difference of two positive spectra. Bands apart and mixed by half a radian are the case in which that
/// difference is as good or better: L1 errors of 0.093, 0.078, 0.073 against 0.066, 0.074, 0.042.
#[test]
fn a_rotated_model_comes_back() {
    let (mut ratio, mut worst): (Vec<f64>, f64) = (Vec::new(), 0.0);
    for seed in [10, 20, 30] {
        let (first, second, mixed) = rotated(seed);
        let (off, truth) = mixed(1.0, 2);
        let problem =
            MatrixProblem::symmetric(vec![first.clone(), second.clone()], vec![off.clone()]);
        let solution = MatrixMaxEnt::default().solve(&problem.unwrap()).unwrap();
        assert!(solution.is_success());
        let found = absolute(solution.real()[0].spectrum().values(), &truth);

        let (s, c) = ANGLE.sin_cos();
        let d: Vec<f64> = grid()
            .points()
            .iter()
            .zip(grid().weights())
            .map(|(&w, dw)| {
                let [a, b] = bands(w);
                dw * ((c * c * a + s * s * b) * (s * s * a + c * c * b)).sqrt().max(1e-9)
            })
            .collect();
        let told = Arc::new(PositiveNegativeEntropy::symmetric(d).unwrap());
        let best = (0..24)
            .map(|k| {
                let alpha = 1e5 * 10_f64.powf(-0.3 * f64::from(k));
                let maxent = MaxEnt::default().scaled_prior(told.clone()).alpha(FixedAlpha(alpha));
                absolute(maxent.solve(&off).unwrap().spectrum().values(), &truth)
            })
            .fold(f64::INFINITY, f64::min);
        ratio.push(found / best);
        worst = worst.max(found / absolute(&difference(&first, &second, &off), &truth));

        let positivity = solution.positivity().unwrap();
        assert_eq!(positivity.ratios.len(), 201);
        assert!(positivity.worst > -0.25 && positivity.negative_weight > -0.02);
        let trace: f64 = solution.diagonal().iter().map(|s| s.report().norm).sum();
        assert!((trace - 2.0).abs() < 5e-3);
        let norm = solution.real()[0].report().norm;
        assert!(norm.abs() < 5e-3, "{norm}");
    }
    assert!(ratio.iter().all(|&r| r < 2.0), "{ratio:?}");
    assert!(worst < 2.0, "{worst}");
}

/// Weight of either sign in imaginary time: G_12 changes its sign between τ = 0 and β, as no positive spectrum does,
/// and that is said before anything else; of data of one sign, the wrong one, that they have it.
#[test]
fn an_off_diagonal_taken_for_a_diagonal_is_told() {
    let tau: Vec<f64> = (0..=40).map(|i| 0.25 * f64::from(i)).collect();
    let kernel = FermionTime::new(10.0).unwrap();
    let matrix = kernel.matrix(&tau, grid().points()).unwrap();
    let solve = |a: fn(f64) -> f64, entropy: bool| {
        let truth = Spectrum::from_fn(grid(), a).unwrap();
        let g = &matrix * DVector::from_vec(truth.weights());
        let data = Measurement::with_uniform_error(&tau, g.as_slice(), 1e-4).unwrap();
        let problem = Problem::new(&kernel, &data, &grid()).unwrap();
        let default = PositiveNegativeEntropy::symmetric(vec![5e-3; 201]).unwrap();
        let maxent = match entropy {
            true => MaxEnt::default().scaled_prior(Arc::new(default)),
            false => MaxEnt::default(),
        };
        maxent.solve(&problem).unwrap().report().clone()
    };
    let off_diagonal = |w: f64| 0.4 * (bands(w)[0] - bands(w)[1]);
    let report = solve(off_diagonal, false);
    assert!(report.warnings.contains(&Warning::BothSigns), "{report}");
    let page = report.to_string();
    let first = page.lines().find(|l| l.starts_with("warning")).unwrap();
    assert!(first.contains("both signs") && !page.contains("even the best fit"), "{page}");
    let told = solve(|w| -bands(w)[0], false).warnings;
    assert!(told.contains(&Warning::OppositeSign) && !told.contains(&Warning::BothSigns));
    let told = solve(off_diagonal, true).warnings;
    assert!(!told.iter().any(|w| matches!(w, Warning::BothSigns | Warning::PoorFit { .. })));
}

/// Where the difference is worse: small off-diagonals, since its two errors are those of large spectra, and bands
/// that overlap, since the geometric mean of the diagonals then is a good default model. Mean L1 errors over four
/// draws, off-diagonal against difference: bands apart, angle 0.1: 0.019 against 0.045; overlapping, angles 0.1 and
/// 0.5: 0.0050 and 0.013 against 0.028 and 0.029.
#[test]
fn small_or_overlapping_off_diagonals_beat_the_difference() {
    type Pair = fn(f64) -> [f64; 2];
    let overlapping: Pair = |w| [gaussian(w, 0.3, 0.8), gaussian(w, -0.3, 0.8)];
    let cases = [(bands as Pair, 0.1, 0.6), (overlapping, 0.1, 0.3), (overlapping, 0.5, 0.6)];
    for (pair, angle, factor) in cases {
        let (mut found, mut naive) = (0.0, 0.0);
        for seed in [10, 20, 30, 40] {
            let (s, c) = f64::sin_cos(angle);
            let mix = |x: f64, y: f64| move |w: f64| x * pair(w)[0] + y * pair(w)[1];
            let (first, _) = element(None, mix(c * c, s * s), seed);
            let (second, _) = element(Some(&first), mix(s * s, c * c), seed + 1);
            let (off, truth) = element(Some(&first), mix(c * s, -c * s), seed + 2);
            naive += absolute(&difference(&first, &second, &off), &truth);
            let problem = MatrixProblem::symmetric(vec![first, second], vec![off]);
            let solution = MatrixMaxEnt::default().solve(&problem.unwrap()).unwrap();
            found += absolute(solution.real()[0].spectrum().values(), &truth);
        }
        assert!(found < factor * naive, "{angle}: {found} {naive}");
    }
}

/// The spectra of (c_1 ± c_2)/√2 as default model of the element are the better one for bands apart that mix strongly,
/// and only for those. Mean L1 errors over four draws, geometric mean against mixed: bands apart, angles 0.5 and 0.1,
/// 0.071 against 0.052 and 0.019 against 0.045; overlapping, angle 0.5, 0.013 against 0.029.
#[test]
fn mixed_default_models_are_for_bands_apart() {
    type Pair = fn(f64) -> [f64; 2];
    let overlapping: Pair = |w| [gaussian(w, 0.3, 0.8), gaussian(w, -0.3, 0.8)];
    let mut table = Vec::new();
    for (pair, angle) in [(bands as Pair, 0.5), (bands as Pair, 0.1), (overlapping, 0.5)] {
        let mut sums = [0.0; 3];
        for seed in [10, 20, 30, 40] {
            let (s, c) = f64::sin_cos(angle);
            let mix = |x: f64, y: f64| move |w: f64| x * pair(w)[0] + y * pair(w)[1];
            let (first, _) = element(None, mix(c * c, s * s), seed);
            let (second, _) = element(Some(&first), mix(s * s, c * c), seed + 1);
            let (off, truth) = element(Some(&first), mix(c * s, -c * s), seed + 2);
            sums[2] += absolute(&difference(&first, &second, &off), &truth);
            let problem = MatrixProblem::symmetric(vec![first, second], vec![off]).unwrap();
            for (k, default) in [OffDiagonalDefault::GeometricMean, OffDiagonalDefault::Mixed]
                .into_iter()
                .enumerate()
            {
                let maxent = MatrixMaxEnt::default().off_diagonal_default(default);
                let solution = maxent.solve(&problem).unwrap();
                assert!(solution.is_success());
                sums[k] += absolute(solution.real()[0].spectrum().values(), &truth);
            }
        }
        table.push(sums.map(|s| s / 4.0));
    }
    assert!(table[0][1] < 0.8 * table[0][0] && table[0][1] < 1.05 * table[0][2], "{table:?}");
    assert!(table[1..].iter().all(|row| row[0] < 0.6 * row[1]), "{table:?}");
}

/// A phase on the rotation: real and imaginary part are continued alike, and A stays Hermitian.
#[test]
fn a_complex_rotation_comes_back() {
    let (first, second, mixed) = rotated(40);
    let phase = 0.9_f64;
    let ((real, _), (imaginary, _)) = (mixed(phase.cos(), 2), mixed(phase.sin(), 3));
    let problem =
        MatrixProblem::hermitian(vec![first, second], vec![real], vec![imaginary]).unwrap();
    let solution = MatrixMaxEnt::default().solve(&problem).unwrap();
    let (upper, lower) = (solution.element(0, 1).unwrap(), solution.element(1, 0).unwrap());
    assert!(upper.iter().zip(&lower).all(|(a, b)| *a == b.conj()));
    let (s, c) = ANGLE.sin_cos();
    let (mut miss, mut size) = (0.0, 0.0);
    for (k, (&w, a)) in grid().points().iter().zip(&upper).enumerate() {
        let exact = Complex::from_polar(c * s * (bands(w)[0] - bands(w)[1]), phase);
        miss += (a - exact).norm();
        size += exact.norm();
        let matrix = solution.at(k).unwrap();
        assert_eq!(matrix, matrix.adjoint());
        assert_eq!(matrix[(0, 1)], *a);
    }
    assert!(miss < 0.2 * size, "{}", miss / size);
    // The eigenvalues of a 2 × 2 matrix: (trace ± √((A_11 − A_22)² + 4|A_12|²))/2.
    let positivity = solution.positivity().unwrap();
    for (k, ratio) in positivity.ratios.iter().enumerate() {
        let m = solution.at(k).unwrap();
        let (a, b) = (m[(0, 0)].re, m[(1, 1)].re);
        let root = ((a - b).powi(2) + 4.0 * m[(0, 1)].norm_sqr()).sqrt();
        assert!((ratio - 0.5 * (1.0 - root / (a + b))).abs() < 1e-9);
    }
}

/// In an orthonormal basis off-diagonals integrate to zero: exactly, where it is said, and real or imaginary.
#[test]
fn orthonormal_off_diagonals_have_no_weight() {
    let (first, second, mixed) = rotated(60);
    let ((real, truth), (imaginary, _)) = (mixed(0.8, 2), mixed(0.6, 3));
    let problem =
        MatrixProblem::hermitian(vec![first, second], vec![real], vec![imaginary]).unwrap();
    let free = MatrixMaxEnt::default().solve(&problem).unwrap();
    let fixed = MatrixMaxEnt::default().orthonormal(true).solve(&problem).unwrap();
    assert!(fixed.is_success() && fixed.diagonal() == free.diagonal());
    for parts in [MatrixSolution::real, MatrixSolution::imaginary] {
        assert!(parts(&free)[0].report().norm.abs() > 1e-6);
        assert!(parts(&fixed)[0].report().norm.abs() < 1e-13);
    }
    let [without, with] = [free, fixed].map(|s| absolute(s.real()[0].spectrum().values(), &truth));
    assert!(with < 1.05 * without, "{with} {without}");

    let norm = MatrixMaxEnt::default().off_diagonal(MaxEnt::default().fix_norm(true));
    let error = norm.solve(&problem).unwrap_err();
    assert!(matches!(error, Error::Unsupported { argument: "off_diagonal", .. }), "{error}");
    assert!(error.to_string().contains("orthonormal"), "{error}");
    let data = Measurement::with_uniform_error(&[0.0, 1.0], &[0.5, 0.5], 1e-2).unwrap();
    let boson = Problem::new(&BosonTime::new(20.0).unwrap(), &data, &grid()).unwrap();
    let boson = MatrixProblem::symmetric(vec![boson.clone(), boson.clone()], vec![boson]);
    let error = MatrixMaxEnt::default().orthonormal(true).solve(&boson.unwrap()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { argument: "orthonormal", .. }), "{error}");
}

/// G_12 and G_21 of the complex model, taken apart.
#[test]
fn hermitian_parts_are_those_of_the_spectrum() {
    let wn = Matsubara::Fermion.frequencies(20.0, 8).unwrap();
    let matrix = FermionMatsubara.matrix(&wn, grid().points()).unwrap();
    let apply = |a: &dyn Fn(f64) -> f64| -> Vec<Complex<f64>> {
        let g = &matrix * DVector::from_iterator(201, grid().points().iter().map(|&w| a(w)));
        (0..8).map(|n| Complex::new(g[n], g[8 + n])).collect()
    };
    let (re, im) = (apply(&|w| bands(w)[0]), apply(&|w| bands(w)[1]));
    let i = Complex::<f64>::i();
    let g_12: Vec<_> = re.iter().zip(&im).map(|(r, m)| r + i * m).collect();
    let g_21: Vec<_> = re.iter().zip(&im).map(|(r, m)| r - i * m).collect();
    let [a, b] = MatrixProblem::hermitian_parts(&g_12, &g_21).unwrap();
    let close = |x: &[Complex<f64>], y: &[Complex<f64>]| {
        stack_complex(x).iter().zip(stack_complex(y)).all(|(x, y)| (x - y).abs() < 1e-13)
    };
    assert!(close(&a, &re) && close(&b, &im));
    assert!(MatrixProblem::hermitian_parts(&g_12, &g_21[1..]).is_err());
}

#[test]
fn bad_matrices_are_named() {
    let (first, second, mixed) = rotated(50);
    let off = mixed(1.0, 2).0;
    let both = || vec![first.clone(), second.clone()];
    let error = MatrixProblem::symmetric(Vec::<Problem>::new(), Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Empty { argument: "diagonal", .. }));
    let error = MatrixProblem::symmetric(both(), Vec::new()).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { argument: "off-diagonals", .. }));
    let error = MatrixProblem::hermitian(both(), vec![off.clone()], Vec::new()).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { argument: "imaginary", .. }));
    let data = Measurement::with_uniform_error(off.model().x(), off.data(), ERROR).unwrap();
    let other = FrequencyGrid::uniform(-5.0, 5.0, 200).unwrap();
    let elsewhere = Problem::new(&FermionMatsubara, &data, &other).unwrap();
    let error = MatrixProblem::symmetric(both(), vec![elsewhere]).unwrap_err();
    assert!(matches!(error, Error::Unsupported { argument: "elements", .. }));
    let moved: Vec<f64> = off.model().x().iter().map(|w| 1.01 * w).collect();
    let data = Measurement::with_uniform_error(&moved, off.data(), ERROR).unwrap();
    let moved = Problem::new(&FermionMatsubara, &data, &grid()).unwrap();
    let apart = MatrixProblem::symmetric(both(), vec![moved]).unwrap();
    let mixed = MatrixMaxEnt::default().off_diagonal_default(OffDiagonalDefault::Mixed);
    let error = mixed.solve(&apart).unwrap_err();
    assert!(matches!(error, Error::Unsupported { argument: "off_diagonal_default", .. }));
    let one = MatrixProblem::symmetric(vec![first.clone()], Vec::new()).unwrap();
    let solution = MatrixMaxEnt::default().solve(&one).unwrap();
    let positivity = solution.positivity().unwrap();
    assert_eq!((positivity.worst, positivity.violated), (1.0, 0.0));
    assert!(matches!(solution.at(201), Err(Error::OutOfRange { argument: "k", .. })));
    assert!(matches!(solution.element(0, 1), Err(Error::OutOfRange { argument: "j", .. })));
}
