//! Whitening as linear algebra, bins as statistics, and every bad input by its own name.

use super::autocorrelation::{integrated_time, neighbour_correlation};
use super::*;
use crate::error::Error;
use crate::real::Real;
use nalgebra::{Complex, DMatrix, dmatrix};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// W as a matrix.
fn dense<T: Real>(w: &Whitening<T>) -> DMatrix<T> {
    w.apply_matrix(&DMatrix::identity(w.columns(), w.columns()))
}

/// C = D M Mᵀ D with M of `rank` columns and error bars D over two decades.
fn covariance(n: usize, rank: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let m = DMatrix::from_fn(n, rank, |_, _| f64::standard_normal(&mut rng));
    let d = DMatrix::from_fn(n, n, |i, j| {
        if i == j { 1e-4 * 10_f64.powf(2.0 * i as f64 / n as f64) } else { 0.0 }
    });
    &d * &m * m.transpose() * &d
}

fn stationary(n: usize, length: f64) -> DMatrix<f64> {
    DMatrix::from_fn(n, n, |i, j| (-(i as f64 - j as f64).abs() / length).exp())
}

/// Bins of zero mean and covariance LLᵀ, each correlated by `rho` with the one before.
fn bins(count: usize, l: &DMatrix<f64>, rho: f64, rng: &mut ChaCha8Rng) -> Bins {
    let n = l.nrows();
    let fresh = DMatrix::from_fn(n, count, |_, _| f64::standard_normal(rng));
    let mut rows = (l * fresh).transpose();
    let weight = (1.0 - rho * rho).sqrt();
    for b in 1..count {
        for i in 0..n {
            rows[(b, i)] = rho * rows[(b - 1, i)] + weight * rows[(b, i)];
        }
    }
    Bins::new(rows).unwrap()
}

/// χ² of the truth, which is zero, over the number of modes.
fn chi2_of_truth(whitening: &Whitening, bins: &Bins) -> f64 {
    let whitened = whitening.apply(&bins.mean());
    whitened.iter().map(|g| g * g).sum::<f64>() / whitened.len() as f64
}

/// Mean over `draws` sets of bins of χ²(truth)/N by an estimator.
fn mean_chi2(
    estimator: CovarianceEstimator,
    (count, rho): (usize, f64),
    c: &DMatrix<f64>,
    draws: u64,
) -> f64 {
    let l = c.clone().cholesky().unwrap().l();
    let one = |seed| {
        let bins = bins(count, &l, rho, &mut ChaCha8Rng::seed_from_u64(seed));
        chi2_of_truth(&Whitening::from_bins(&bins, estimator, 1e-12).unwrap(), &bins)
    };
    (0..draws).map(one).sum::<f64>() / draws as f64
}

proptest! {
    #![proptest_config(crate::test_support::cases(40))]

    /// W C Wᵀ = 1 on the kept modes; WᵀW is a generalised inverse of C; the rank is found.
    #[test]
    fn whitening_is_the_inverse_square_root(n in 1..20_usize, rank in 1..20_usize, seed in 0..1000_u64) {
        let rank = rank.min(n);
        let c = covariance(n, rank, seed);
        let whitening = Whitening::from_covariance(&c, 1e-12).unwrap();
        let w = dense(&whitening);
        prop_assert_eq!(whitening.rows(), rank);
        prop_assert_eq!((whitening.report().kept, whitening.report().dropped), (rank, n - rank));
        // Eigenvalues are known to ε s_max: to ε × the condition number of each.
        let eigenvalues = c.clone().symmetric_eigenvalues();
        let smallest = eigenvalues.iter().copied().filter(|&s| s > 1e-12 * eigenvalues.max());
        let condition = eigenvalues.max() / smallest.fold(f64::INFINITY, f64::min);
        let tolerance = 100.0 * f64::EPSILON * condition;
        let unit = &w * &c * w.transpose();
        prop_assert!((unit - DMatrix::identity(rank, rank)).amax() < tolerance);
        let inverse = w.transpose() * &w;
        prop_assert!((&c * inverse * &c - &c).amax() < tolerance * c.amax());
    }

    /// A diagonal covariance is its error bars: the same W, entry for entry, to rounding.
    #[test]
    fn diagonal_covariance_is_error_bars(errors in prop::collection::vec(1e-8..1e-3_f64, 1..30)) {
        let variances: Vec<f64> = errors.iter().map(|e| e * e).collect();
        let c = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(variances));
        let (a, b) = (
            dense(&Whitening::from_covariance(&c, 1e-12).unwrap()),
            dense(&Whitening::from_errors(&errors).unwrap()),
        );
        prop_assert_eq!(a.shape(), b.shape());
        for (a, b) in a.iter().zip(b.iter()) {
            prop_assert!((a - b).abs() <= 4.0 * f64::EPSILON * b);
        }
    }
}

#[test]
fn single_precision_whitens_too() {
    let c = stationary(12, 2.0) * 1e-8;
    let exact = Whitening::from_covariance(&c, 1e-12).unwrap();
    let rounded = Whitening::from_covariance(&c.map(|v| v as f32), 1e-12).unwrap();
    assert_eq!(rounded.rows(), 12);
    assert!(rounded.report().relative_cut >= 2.0 * f64::from(f32::EPSILON));
    let g: Vec<f32> = (0..12).map(|i| 1e-4 * (i as f32).sin()).collect();
    let g64: Vec<f64> = g.iter().map(|&v| f64::from(v)).collect();
    let norm = |v: Vec<f64>| v.iter().map(|x| x * x).sum::<f64>();
    let (a, b) =
        (norm(exact.apply(&g64)), { norm(rounded.apply(&g).into_iter().map(f64::from).collect()) });
    // Condition number of C: 17.
    assert!((a / b - 1.0).abs() < 50.0 * f64::from(f32::EPSILON));
    let errors = Whitening::from_errors(&[0.5_f32, 0.25]).unwrap();
    assert_eq!(errors.apply(&[1.0, 1.0]), [2.0, 4.0]);
}

/// The smallest eigenvalue is 10⁻³ of the largest: every cut between 10⁻¹⁴ and 10⁻⁶ keeps all modes.
#[test]
fn the_cut_does_not_matter_where_the_matrix_is_well_conditioned() {
    let c = stationary(60, 5.0);
    let g: Vec<f64> = (0..60).map(|i| (0.3 * i as f64).cos()).collect();
    let chi2 = |cut| {
        let w = Whitening::from_covariance(&c, cut).unwrap();
        (w.rows(), w.apply(&g).iter().map(|v| v * v).sum::<f64>())
    };
    let direct = {
        let g = nalgebra::DVector::from_vec(g.clone());
        g.dot(&c.clone().cholesky().unwrap().solve(&g))
    };
    for cut in [0.0, 1e-14, 1e-10, 1e-6] {
        let (rows, value) = chi2(cut);
        assert_eq!(rows, 60);
        assert!((value / direct - 1.0).abs() < 1e-11);
    }
    assert!(chi2(0.5).0 < 10);
}

#[test]
fn the_cut_counts_what_it_drops() {
    let c = dmatrix![1.0, 0.0, 0.0; 0.0, 0.0, 0.0; 0.0, 0.0, 1e-14];
    let w = Whitening::from_covariance(&c, 1e-12).unwrap();
    assert_eq!((w.rows(), w.report().kept, w.report().dropped), (1, 1, 2));
    assert_eq!(w.apply(&[3.0, 5.0, 7.0]), [3.0]);
    assert_eq!(Whitening::from_covariance(&c, 0.0).unwrap().rows(), 2);
    // A table of few digits: a negative eigenvalue takes modes of its size with it.
    let c = dmatrix![1.0, 1.0 + 1e-9, 0.0; 1.0 + 1e-9, 1.0, 0.0; 0.0, 0.0, 1e-10];
    let w = Whitening::from_covariance(&c, 0.0).unwrap();
    assert_eq!(w.rows(), 1);
    assert_eq!(w.report().notes.len(), 2);
    assert!(w.report().notes[1].starts_with("1 of 3 modes"));
    assert!(w.report().to_string().contains("1 of 3 kept"));
}

#[test]
fn bad_covariances_are_named() {
    let cut = 1e-12;
    let error = |c: DMatrix<f64>| Whitening::from_covariance(&c, cut).unwrap_err();
    assert!(matches!(error(DMatrix::zeros(0, 0)), Error::Empty { argument: "covariance", .. }));
    assert!(matches!(
        error(DMatrix::zeros(2, 3)),
        Error::LengthMismatch { argument: "covariance", found: 3, expected: 2, .. }
    ));
    assert!(matches!(
        error(dmatrix![1.0, f64::NAN; 0.0, 1.0]),
        Error::NonFinite { argument: "covariance", index: Some(2), .. }
    ));
    assert!(matches!(
        error(dmatrix![1.0, 0.5; 0.4, 1.0]),
        Error::NotSymmetric { row: 0, column: 1, value: 0.5, transposed: 0.4, .. }
    ));
    assert!(matches!(
        error(dmatrix![1.0, 2.0; 2.0, 1.0]),
        Error::NotPositiveSemidefinite { eigenvalue, largest, .. }
            if (eigenvalue + 1.0).abs() < 1e-14 && (largest - 3.0).abs() < 1e-14
    ));
    assert!(matches!(error(-DMatrix::identity(2, 2)), Error::NotPositiveSemidefinite { .. }));
    assert!(matches!(error(DMatrix::zeros(2, 2)), Error::SingularCovariance { .. }));
    assert!(matches!(error(DMatrix::from_element(9, 9, 1e308)), Error::NonFinite { .. }));
    for cut in [-1e-3, 1.0, f64::NAN] {
        let e = Whitening::from_covariance(&DMatrix::identity(2, 2), cut).unwrap_err();
        assert!(matches!(
            e,
            Error::OutOfRange { argument: "relative_cut", .. }
                | Error::NonFinite { argument: "relative_cut", .. }
        ));
    }
    let error = Whitening::from_errors(&[1.0, 1e-310]).unwrap_err();
    assert!(matches!(error, Error::ElementOutOfRange { argument: "errors", index: 1, .. }));
    let error =
        Whitening::from_covariance(&dmatrix![1e-80_f64, 0.0; 0.0, 1e-80].map(|v| v as f32), 0.0);
    assert!(matches!(error, Err(Error::SingularCovariance { .. })));
}

#[test]
fn bad_measurements_are_named() {
    let (x, g) = ([0.0, 1.0], [0.5, 0.2]);
    let cov = DMatrix::identity(2, 2);
    let e = Measurement::with_covariance(&[], &g, &cov).unwrap_err();
    assert!(matches!(e, Error::Empty { argument: "x", .. }));
    let e = Measurement::with_covariance(&x, &[], &cov).unwrap_err();
    assert!(matches!(e, Error::Empty { argument: "values", .. }));
    let e = Measurement::with_covariance(&x, &[0.5, f64::NAN], &cov).unwrap_err();
    assert!(matches!(e, Error::NonFinite { argument: "values", index: Some(1), .. }));
    let e = Measurement::with_covariance(&x, &g, &DMatrix::identity(3, 3)).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "covariance", found: 3, .. }));
    let e = Measurement::with_errors(&x, &g, &[0.1, 0.0]).unwrap_err();
    assert!(matches!(e, Error::ElementOutOfRange { argument: "errors", index: 1, .. }));
    let e = Measurement::with_errors(&x, &g, &[0.1]).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "errors", .. }));
    let e = Measurement::new(&x, &g, Whitening::from_errors(&[1.0]).unwrap()).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "whitening", .. }));
    let z = [Complex::new(1.0, 2.0), Complex::new(3.0, 4.0)];
    let e = Measurement::with_complex_errors(&x, &z, &z[..1]).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "errors", .. }));
    let data = Measurement::with_errors(&x, &g, &[0.1, 0.2]).unwrap();
    assert!(matches!(data.scaled(0.0), Err(Error::OutOfRange { argument: "factor", .. })));
    assert!(matches!(data.scaled(f64::NAN), Err(Error::NonFinite { argument: "factor", .. })));
    assert!(matches!(data.scaled(1e-310), Err(Error::NonFinite { argument: "whitening", .. })));
}

#[test]
fn bad_bins_are_named() {
    let e = Bins::<f64>::from_slice(&[1.0, 2.0], 2).unwrap_err();
    assert!(matches!(e, Error::Empty { argument: "bins", expected: 2 }));
    let e = Bins::<f64>::from_slice(&[1.0, 2.0, 3.0], 2).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "bins", found: 3, expected: 2, .. }));
    let e = Bins::<f64>::from_slice(&[1.0], 0).unwrap_err();
    assert!(matches!(e, Error::Empty { argument: "data", .. }));
    let e = Bins::from_slice(&[1.0, 2.0, 3.0, f64::INFINITY], 2).unwrap_err();
    assert!(matches!(e, Error::NonFinite { argument: "bins", index: Some(3), .. }));
    let e = Bins::new(dmatrix![1.0, 2.0; f64::NAN, 4.0]).unwrap_err();
    assert!(matches!(e, Error::NonFinite { argument: "bins", index: Some(1), .. }));
    let bins = Bins::from_slice(&[1.0, 2.0, 3.0, 4.0, 7.0, 6.0], 2).unwrap();
    assert!(matches!(bins.rebin(0), Err(Error::OutOfRange { argument: "m", .. })));
    assert!(matches!(bins.rebin(2), Err(Error::OutOfRange { argument: "m", .. })));
    let e = Whitening::from_bins(&bins, CovarianceEstimator::Hartlap, 0.0).unwrap_err();
    assert!(matches!(e, Error::OutOfRange { argument: "bins", value: 3.0, .. }));
    let e = Whitening::from_bins(&bins, CovarianceEstimator::Automatic, 2.0).unwrap_err();
    assert!(matches!(e, Error::OutOfRange { argument: "relative_cut", .. }));
    let same = Bins::from_slice(&[0.1, 0.2, 0.1, 0.2, 0.1, 0.2], 2).unwrap();
    let e = Measurement::from_bins(&[0.0, 1.0], &same).unwrap_err();
    assert!(matches!(e, Error::SingularCovariance { argument: "bins" }));
    let e = Measurement::from_bins(&[], &bins).unwrap_err();
    assert!(matches!(e, Error::Empty { argument: "x", .. }));
    let huge = Bins::from_slice(&[1e200, 0.0, -1e200, 1.0], 2).unwrap();
    assert!(matches!(Measurement::from_bins(&[0.0], &huge), Err(Error::NonFinite { .. })));
}

#[test]
fn mean_and_covariance_are_the_textbook_ones() {
    let rows = dmatrix![1.0, 10.0; 2.0, 14.0; 6.0, 12.0];
    let bins = Bins::new(rows.clone()).unwrap();
    assert_eq!(bins, Bins::from_slice(&[1.0, 10.0, 2.0, 14.0, 6.0, 12.0], 2).unwrap());
    assert_eq!((bins.count(), bins.n_data()), (3, 2));
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-14 * (1.0 + b.abs()), "{a} {b}");
    close(bins.mean()[0], 3.0);
    close(bins.mean()[1], 12.0);
    // Deviations (−2, −2), (−1, 2), (3, 0), over N_b(N_b − 1) = 6.
    let c = bins.covariance();
    for (found, expected) in c.iter().zip([14.0 / 6.0, 2.0 / 6.0, 2.0 / 6.0, 8.0 / 6.0]) {
        close(*found, expected);
    }
    for i in 0..2 {
        close(bins.errors()[i], c[(i, i)].sqrt());
    }
    let complex = DMatrix::from_fn(3, 1, |b, _| Complex::new(rows[(b, 0)], rows[(b, 1)]));
    assert_eq!(Bins::from_complex(&complex).unwrap(), bins);
    let single = Bins::new(rows.map(|v| v as f32)).unwrap();
    assert_eq!(single.covariance(), c.map(|v| v as f32));
}

#[test]
fn rebinning_averages_and_keeps_the_mean() {
    let bins = Bins::from_slice(&[1.0, 3.0, 5.0, 9.0, 100.0], 1).unwrap();
    let two = bins.rebin(2).unwrap();
    assert_eq!(two.matrix().as_slice(), [2.0, 7.0]);
    assert_eq!(bins.rebin(1).unwrap(), bins);
}

/// AR(1) bins with ρ = 0.7: 1 + 2 Σ ρ^t = (1 + ρ)/(1 − ρ) = 5.67; independent ones: 1.
#[test]
fn autocorrelation_time_of_a_known_process() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let l = DMatrix::identity(20, 20);
    let mean = |times: Vec<f64>| times.iter().sum::<f64>() / times.len() as f64;
    let long = bins(4000, &l, 0.7, &mut rng);
    // Statistical error: 5.67 √(2·29/4000)/√20 = 0.15; the window leaves out e^{-5}.
    assert!((mean(long.autocorrelation_times()) - 1.7 / 0.3).abs() < 0.5);
    let independent = bins(4000, &l, 0.0, &mut rng);
    assert!((mean(independent.autocorrelation_times()) - 1.0).abs() < 0.05);
    // Averages of 60 have forgotten each other; 66 of them, of 20 data: 1 ± 2√(3/66)/√20 = 1 ± 0.1.
    let rebinned = long.rebin(60).unwrap();
    assert!((mean(rebinned.autocorrelation_times()) - 1.0).abs() < 0.3);
    assert_eq!(integrated_time(&[0.0; 9]), 1.0);
}

/// 200 bins of 101 points: the uncorrected inverse gives (N_b−1)/(N_b−p−2) = 2.05, Hartlap's factor 1.
#[test]
fn hartlap_unbiases_chi2() {
    let c = stationary(101, 4.0);
    let draws = 24;
    // χ²/N of one draw scatters by about 0.2: the mean of 24 by 0.04, twice that uncorrected.
    let sample = mean_chi2(CovarianceEstimator::Sample, (200, 0.0), &c, draws);
    assert!((sample - 199.0 / 97.0).abs() < 0.25, "{sample}");
    let hartlap = mean_chi2(CovarianceEstimator::Hartlap, (200, 0.0), &c, draws);
    assert!((hartlap - 1.0).abs() < 0.12, "{hartlap}");
    // Bins correlated in time: far too large, whatever the factor.
    let correlated = mean_chi2(CovarianceEstimator::Sample, (200, 0.7), &c, 4);
    assert!(correlated > 8.0, "{correlated}");
}

#[test]
fn the_estimator_follows_the_number_of_bins_and_says_so() {
    let n = 20;
    let l = stationary(n, 3.0).cholesky().unwrap().l();
    let x: Vec<f64> = (0..n).map(|i| i as f64).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut report = |count: usize, rho: f64| {
        let bins = bins(count, &l, rho, &mut rng);
        let data = Measurement::from_bins(&x, &bins).unwrap();
        assert_eq!(data.values(), bins.mean());
        data.noise_report().clone()
    };
    let plenty = report(50, 0.0);
    let expected = NoiseTreatment::Hartlap { factor: 28.0 / 49.0, bins: 50 };
    assert_eq!((plenty.treatment, plenty.kept), (expected, n));
    assert!(plenty.notes.is_empty(), "{plenty}");
    // Fewer than 2.5 bins a mode; fewer than one; two.
    for count in [49, 12, 2] {
        let few = report(count, 0.0);
        let NoiseTreatment::Shrinkage { intensity, bins } = few.treatment else { panic!("{few}") };
        assert!((0.0..=1.0).contains(&intensity) && bins == count);
        assert_eq!(few.kept, n);
        assert_eq!(intensity == 1.0, count == 2);
    }
    let slow = report(400, 0.7);
    assert!(slow.autocorrelation.unwrap().mean > 3.0, "{slow}");
    assert!(slow.notes.iter().any(|n| n.contains("correlated with each other")));
    let text = slow.to_string();
    assert!(text.contains("Hartlap") && text.contains("autocorrelation time"), "{text}");
}

/// Without shrinkage never more modes than N_b − 1, and whitened by the sample itself.
#[test]
fn few_bins_keep_at_most_their_rank() {
    let l = stationary(30, 3.0).cholesky().unwrap().l();
    let bins = bins(11, &l, 0.0, &mut ChaCha8Rng::seed_from_u64(1));
    let w = Whitening::from_bins(&bins, CovarianceEstimator::Sample, 0.0).unwrap();
    assert_eq!((w.rows(), w.report().dropped), (10, 20));
    assert!(
        w.report().notes[0].starts_with("10 of 30 modes")
            && w.report().notes[0].contains("11 bins")
    );
    let m = dense(&w);
    let unit = &m * bins.covariance() * m.transpose();
    assert!((unit - DMatrix::identity(10, 10)).amax() < 1e-12);
    let errors = Whitening::from_errors(&bins.errors()).unwrap();
    let diagonal = Whitening::from_bins(&bins, CovarianceEstimator::Diagonal, 0.0).unwrap();
    assert!((dense(&errors) - dense(&diagonal)).amax() <= 1e-14 * dense(&errors).amax());
}

/// Shrunk covariances are usable where sample ones are not, and close to the truth where bins abound.
#[test]
fn shrinkage_tempers_chi2() {
    let c = stationary(60, 3.0);
    for count in [20, 61, 120] {
        let chi2 = mean_chi2(CovarianceEstimator::Shrinkage, (count, 0.0), &c, 12);
        assert!((0.6..1.3).contains(&chi2), "{count} bins: {chi2}");
    }
    let l = c.clone().cholesky().unwrap().l();
    let many = bins(4000, &l, 0.0, &mut ChaCha8Rng::seed_from_u64(5));
    let w = Whitening::from_bins(&many, CovarianceEstimator::Shrinkage, 1e-12).unwrap();
    let NoiseTreatment::Shrinkage { intensity, .. } = w.report().treatment else { panic!() };
    assert!(intensity < 0.05, "{intensity}");
    // Independent data: all sample correlations are noise.
    let one = DMatrix::identity(40, 40);
    let independent = bins(60, &one, 0.0, &mut ChaCha8Rng::seed_from_u64(6));
    let w = Whitening::from_bins(&independent, CovarianceEstimator::Shrinkage, 1e-12).unwrap();
    let NoiseTreatment::Shrinkage { intensity, .. } = w.report().treatment else { panic!() };
    assert!(intensity > 0.9, "{intensity}");
}

/// Why bins must be plenty for Hartlap's factor: at two a mode a fit weighted by it scatters more than one
/// weighted by the shrunk covariance, at ten no longer. Fitted are the lowest six cosines, which are zero.
#[test]
fn fits_scatter_less_with_shrinkage_where_bins_are_few() {
    let n = 50;
    let l = stationary(n, 3.0).cholesky().unwrap().l();
    let cosines = DMatrix::from_fn(n, 6, |i, k| {
        (std::f64::consts::PI * k as f64 * (i as f64 + 0.5) / n as f64).cos()
    });
    let scatter = |estimator, count| -> f64 {
        let one = |seed| {
            let bins = bins(count, &l, 0.0, &mut ChaCha8Rng::seed_from_u64(seed));
            let w = Whitening::from_bins(&bins, estimator, 1e-12).unwrap();
            let (a, g) = (w.apply_matrix(&cosines), w.apply(&bins.mean()));
            let normal = (a.transpose() * &a).cholesky().unwrap();
            normal.solve(&(a.transpose() * nalgebra::DVector::from_vec(g))).norm_squared()
        };
        (0..20).map(one).sum()
    };
    let ratio = |count| {
        scatter(CovarianceEstimator::Hartlap, count)
            / scatter(CovarianceEstimator::Shrinkage, count)
    };
    assert!(ratio(2 * n) > 1.3, "{}", ratio(2 * n));
    assert!(ratio(10 * n) < 1.15, "{}", ratio(10 * n));
}

/// The intensity by its definition, one pair at a time.
#[test]
fn shrinkage_intensity_is_the_analytic_one() {
    let l = stationary(6, 2.0).cholesky().unwrap().l();
    let bins = bins(15, &l, 0.0, &mut ChaCha8Rng::seed_from_u64(11));
    let (n, d) = (15.0_f64, bins.deviations());
    let sd = |i: usize| (d.matrix.column(i).norm_squared() / (n - 1.0)).sqrt();
    let (mut variance, mut correlation) = (0.0, 0.0);
    for i in 0..6 {
        for j in (0..6).filter(|&j| j != i) {
            let w: Vec<f64> =
                (0..15).map(|b| d.matrix[(b, i)] / sd(i) * d.matrix[(b, j)] / sd(j)).collect();
            let mean = w.iter().sum::<f64>() / n;
            variance += n / (n - 1.0).powi(3) * w.iter().map(|w| (w - mean).powi(2)).sum::<f64>();
            correlation += (n / (n - 1.0) * mean).powi(2);
        }
    }
    assert!((d.shrinkage_intensity() - variance / correlation).abs() < 1e-13);
}

#[test]
fn data_without_noise_are_left_out_and_counted() {
    let l = stationary(5, 1.0).cholesky().unwrap().l();
    let mut m = bins(40, &l, 0.0, &mut ChaCha8Rng::seed_from_u64(2)).matrix().clone();
    m.column_mut(1).fill(0.1);
    m.column_mut(3).fill(0.0);
    for estimator in [
        CovarianceEstimator::Automatic,
        CovarianceEstimator::Sample,
        CovarianceEstimator::Shrinkage,
        CovarianceEstimator::Diagonal,
    ] {
        let w = Whitening::from_bins(&Bins::new(m.clone()).unwrap(), estimator, 1e-12).unwrap();
        let report = w.report();
        assert_eq!((report.kept, report.dropped, report.constant), (3, 2, 2), "{estimator:?}");
        assert!(report.notes.iter().any(|n| n.starts_with("2 data")));
        assert!(w.apply(&[0.0, 1.0, 0.0, 1.0, 0.0]).iter().all(|v: &f64| v.abs() < 1e-12));
    }
}

#[test]
fn complex_data_are_stacked_and_scale_with_their_noise() {
    let z = [Complex::new(1.0, 2.0), Complex::new(3.0, 4.0)];
    let e = [Complex::new(0.1, 0.2), Complex::new(0.3, 0.4)];
    let data = Measurement::with_complex_errors(&[1.0, 3.0], &z, &e).unwrap();
    assert_eq!(data.values(), [1.0, 3.0, 2.0, 4.0]);
    let stacked = [0.1, 0.3, 0.2, 0.4];
    let plain = Measurement::with_errors(data.x(), data.values(), &stacked).unwrap();
    assert_eq!(data, plain);
    let c = covariance(4, 4, 9);
    for data in [plain, Measurement::with_covariance(&[1.0, 3.0], data.values(), &c).unwrap()] {
        let scaled = data.scaled(-2.0).unwrap();
        assert_eq!(scaled.values()[1], -6.0);
        let (a, b) =
            (data.whitening().apply(data.values()), scaled.whitening().apply(scaled.values()));
        assert!(a.iter().zip(&b).all(|(a, b)| (a + b).abs() <= 1e-14 * a.abs()));
    }
}

#[test]
fn further_rows_are_whitened_beside_the_data() {
    let (x, g) = ([0.0, 1.0, 2.0], [0.5, 0.2, 0.3]);
    let c = covariance(3, 3, 5);
    for data in [
        Measurement::with_covariance(&x, &g, &c).unwrap(),
        Measurement::with_errors(&x, &g, &[0.1, 0.2, 0.3]).unwrap(),
    ] {
        let both = data.with_rows(&[1.0, -2.0], &[0.5, 0.25]).unwrap();
        assert_eq!((both.x(), both.values()), (&x[..], &[0.5, 0.2, 0.3, 1.0, -2.0][..]));
        let (upper, w) = (dense(data.whitening()), dense(both.whitening()));
        assert_eq!(w.shape(), (5, 5));
        assert_eq!(w.view((0, 0), (3, 3)), upper.view((0, 0), (3, 3)));
        assert_eq!(
            (w[(3, 3)], w[(4, 4)], w[(3, 4)], w[(0, 3)], w[(4, 1)]),
            (2.0, 4.0, 0.0, 0.0, 0.0)
        );
        assert_eq!((both.noise_report().data, both.noise_report().kept), (5, 5));
    }
}

/// Independent values: mean 0, and the variance that is written down, for few values and for many.
#[test]
fn neighbours_of_independent_noise_are_uncorrelated_within_the_deviation() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    for n in [4, 30] {
        let draws = 4000;
        let (mut sum, mut square, mut deviation) = (0.0, 0.0, 0.0);
        for _ in 0..draws {
            let r: Vec<f64> = (0..n).map(|_| f64::standard_normal(&mut rng)).collect();
            let (correlation, expected) = neighbour_correlation(&r).unwrap();
            (sum, square, deviation) = (sum + correlation, square + correlation.powi(2), expected);
        }
        let (mean, variance) = (sum / draws as f64, square / draws as f64);
        // Standard errors: deviation/√4000, and √(2/4000) of the variance at most.
        assert!(mean.abs() < 4.0 * deviation / (draws as f64).sqrt(), "{n}: {mean}");
        assert!((variance / deviation.powi(2) - 1.0).abs() < 0.09, "{n}: {variance}");
    }
}

/// W W⁺ = 1, W⁺W⁺ᵀ = C on the kept modes, and its diagonal.
#[test]
fn colouring_is_the_inverse_of_whitening() {
    let full = covariance(7, 7, 3);
    let singular = covariance(7, 4, 4);
    let errors = Whitening::from_errors(&[1e-3, 2e-3, 0.5]).unwrap();
    assert_eq!(errors.deviations(), [1e-3, 2e-3, 0.5]);
    for (w, c) in [
        (Whitening::from_covariance(&full, 1e-12).unwrap(), full),
        (Whitening::from_covariance(&singular, 1e-12).unwrap(), singular),
        (errors, DMatrix::from_diagonal(&nalgebra::dvector![1e-6, 4e-6, 0.25])),
    ] {
        let k = w.rows();
        let columns: Vec<nalgebra::DVector<f64>> = (0..k)
            .map(|i| w.colour(DMatrix::<f64>::identity(k, k).column(i).as_slice()).into())
            .collect();
        let coloured = DMatrix::from_columns(&columns);
        assert!((dense(&w) * &coloured - DMatrix::identity(k, k)).amax() < 1e-6);
        assert!((&coloured * coloured.transpose() - &c).amax() < 1e-12 * c.amax());
        for (i, s) in w.deviations().iter().enumerate() {
            assert!((s * s - c[(i, i)]).abs() < 1e-12 * c.amax());
        }
    }
}

/// Noise whose real and imaginary parts depend on each other: the blocks of the stacked covariance hold it. For
/// circular noise of Hermitian covariance H the stacked one is ½[[Re H, −Im H], [Im H, Re H]], and χ² is twice
/// that of complex algebra.
#[test]
fn stacked_covariances_hold_what_complex_ones_hold_and_more() {
    let z = |re, im| Complex::new(re, im);
    let hermitian = dmatrix![
        z(2.0, 0.0), z(0.3, 0.5), z(0.1, -0.2);
        z(0.3, -0.5), z(1.0, 0.0), z(0.2, 0.4);
        z(0.1, 0.2), z(0.2, -0.4), z(1.5, 0.0)
    ];
    let (re, im) = (hermitian.map(|c| c.re), hermitian.map(|c| c.im));
    let mut stacked = DMatrix::zeros(6, 6);
    stacked.view_mut((0, 0), (3, 3)).copy_from(&re);
    stacked.view_mut((3, 3), (3, 3)).copy_from(&re);
    stacked.view_mut((0, 3), (3, 3)).copy_from(&(-&im));
    stacked.view_mut((3, 0), (3, 3)).copy_from(&im);
    let w = Whitening::from_covariance(&(stacked * 0.5), 1e-12).unwrap();
    let g = nalgebra::dvector![z(0.3, -1.0), z(2.0, 0.7), z(-0.4, 0.1)];
    let whitened = w.apply(&stack_complex(g.as_slice()));
    let complex = (g.adjoint() * hermitian.try_inverse().unwrap() * &g)[(0, 0)].re;
    let chi2: f64 = whitened.iter().map(|v| v * v).sum();
    assert!((chi2 / (2.0 * complex) - 1.0).abs() < 1e-12);

    // Noise along one direction of the complex plane: Re and Im share it, which no Hermitian matrix can say.
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let direction = z(0.6, 0.8);
    let rows = DMatrix::from_fn(50, 2, |_, _| direction * f64::standard_normal(&mut rng));
    let bins = Bins::from_complex(&rows).unwrap();
    let c = bins.covariance();
    for i in 0..2 {
        assert!((c[(i, 2 + i)] / c[(i, i)] - 0.8 / 0.6).abs() < 1e-12);
    }
    let w = Whitening::from_bins(&bins, CovarianceEstimator::Automatic, 1e-12).unwrap();
    assert_eq!((w.rows(), w.report().dropped), (2, 2));
}

#[test]
fn automatic_rebinning_ends_where_bins_are_independent_or_too_few() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let l = DMatrix::identity(20, 20);
    let independent = bins(1000, &l, 0.0, &mut rng).autorebin().unwrap();
    assert_eq!((independent.factor, independent.bins.count()), (1, 1000));
    assert!(independent.independent && independent.before == independent.after);
    // τ = 5.7 bins: averages of m are correlated by about τ/2m with the next.
    let slow = bins(8000, &l, 0.7, &mut rng);
    let rebinned = slow.autorebin().unwrap();
    assert!(rebinned.independent && rebinned.factor >= 16, "{rebinned}");
    assert_eq!(rebinned.bins, slow.rebin(rebinned.factor).unwrap());
    assert!(rebinned.before.mean > 5.0 && rebinned.after.mean < 1.2);
    // The error bars are then those of the process: √τ times those of independent bins.
    let errors = rebinned.bins.errors();
    let mean = errors.iter().map(|e| e * e).sum::<f64>() / 20.0 * 8000.0;
    assert!((mean / (1.7 / 0.3) - 1.0).abs() < 0.25, "{mean}");
    let few = bins(100, &l, 0.9, &mut rng).autorebin().unwrap();
    assert!(!few.independent && few.bins.count() == 25 && few.factor == 4, "{few}");
    assert!(few.to_string().contains("still correlated"));
    let constant = Bins::new(DMatrix::from_element(9, 2, 0.5)).unwrap().autorebin().unwrap();
    assert!(constant.independent && constant.factor == 1);
}
