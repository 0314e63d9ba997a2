//! One battery for every kernel in both precisions, and the identities that tie them to each other.

use super::*;
use crate::error::Error;
use nalgebra::Complex;
use proptest::prelude::*;

const BETA: f64 = 5.0;

/// A kernel with a formula, and a valid data axis with both ends.
struct Case<T: Real> {
    name: &'static str,
    kernel: Box<dyn Kernel<T>>,
    x: Vec<T>,
    half_line: bool,
}

fn all<T: Real>(beta: f64) -> Vec<Case<T>> {
    let l = T::lit;
    let tau = || vec![l(0.0), l(1e-6 * beta), l(0.25 * beta), l(0.5 * beta), l(beta)];
    let fermion = || Matsubara::Fermion.frequencies(l(beta), 4).unwrap();
    let boson = || Matsubara::Boson.frequencies(l(beta), 4).unwrap();
    let case = |name, kernel, x, half_line| Case { name, kernel, x, half_line };
    vec![
        case("fermion τ", Box::new(FermionTime::new(beta).unwrap()), tau(), false),
        case("fermion τ sym", Box::new(FermionTimeSymmetric::new(beta).unwrap()), tau(), true),
        case("fermion iω", Box::new(FermionMatsubara), fermion(), false),
        case("fermion iω sym", Box::new(FermionMatsubaraSymmetric), fermion(), true),
        case("boson τ", Box::new(BosonTime::new(beta).unwrap()), tau(), false),
        case("boson τ sym", Box::new(BosonTimeSymmetric::new(beta).unwrap()), tau(), true),
        case("boson iν", Box::new(BosonMatsubara), boson(), false),
        case("boson iν sym", Box::new(BosonMatsubaraSymmetric), boson(), true),
        case("laplace", Box::new(Laplace), tau(), true),
    ]
}

/// Frequencies with |βω| up to 10⁶, zero and subnormal ones among them; the positive half if asked for.
fn frequencies<T: Real>(beta: f64, half_line: bool) -> Vec<T> {
    let magnitudes = [0.0, 1e-40, 1e-20, 1e-8, 0.1, 1.0, 40.0, 710.0, 1e4, 1e6];
    let signs: &[f64] = if half_line { &[1.0] } else { &[-1.0, 1.0] };
    let scaled = magnitudes.iter().flat_map(|&m| signs.iter().map(move |&s| s * m / beta));
    scaled.map(T::lit).collect()
}

fn battery<T: Real>(beta: f64) {
    for Case { name, kernel, x, half_line } in all::<T>(beta) {
        assert!(half_line || !kernel.density().is_half_line(), "{name}");
        let omega = frequencies::<T>(beta, half_line);
        let matrix = kernel.matrix(&x, &omega).unwrap();
        assert_eq!(matrix.shape(), (kernel.rows(x.len()), omega.len()), "{name}");
        let (re, rest) = (matrix.rows(0, x.len()), matrix.rows_range(x.len()..));
        let opposite = |k: T, w: T| k.as_f64() * w.as_f64() <= 0.0;
        let columns = || re.column_iter().zip(rest.column_iter()).zip(&omega);
        match name {
            // Re K = −ω/(ω_n² + ω²), Im K < 0.
            "fermion iω" => assert!(columns().all(|((re, im), &w)| {
                re.iter().all(|&k| opposite(k, w)) && im.iter().all(|k| k.as_f64() <= 0.0)
            })),
            // −1 ≤ Re K ≤ 0, Im K = −ων_n/(ν_n² + ω²).
            "boson iν" => assert!(columns().all(|((re, im), &w)| {
                re.iter().all(|k| (-1.0..=0.0).contains(&k.as_f64()))
                    && im.iter().all(|&k| opposite(k, w))
            })),
            "fermion iω sym" => assert!(re.iter().all(|k| k.as_f64() <= 0.0)),
            _ => assert!(re.iter().all(|k| k.as_f64() >= 0.0), "{name}"),
        }
    }
}

#[test]
fn finite_and_of_one_sign_everywhere() {
    for beta in [1e-3, 1.0, 37.5, 1e4] {
        battery::<f32>(beta);
        battery::<f64>(beta);
    }
}

#[test]
fn limits_of_bosons_at_zero() {
    for beta in [0.5_f64, 40.0] {
        let tau = [0.0, 0.3 * beta, beta];
        for k in BosonTime::new(beta).unwrap().matrix(&tau, &[-1e-300, 0.0, 1e-300]).unwrap().iter()
        {
            assert!((k * beta - 1.0).abs() <= 2.0 * f64::EPSILON);
        }
        let k: DMatrix<f64> = BosonTimeSymmetric::new(beta).unwrap().matrix(&tau, &[0.0]).unwrap();
        assert!(k.iter().all(|k| (k * beta - 1.0).abs() <= 2.0 * f64::EPSILON));
    }
    let k: DMatrix<f64> = BosonMatsubara.matrix(&[0.0, 1.0], &[-2.0, 0.0]).unwrap();
    let expected = [-1.0, -0.8, 0.0, 0.4, -1.0, 0.0, 0.0, 0.0];
    assert!((k - DMatrix::from_column_slice(4, 2, &expected)).amax() <= f64::EPSILON);
    let k: DMatrix<f64> = BosonMatsubaraSymmetric.matrix(&[0.0, 1.0], &[0.0, 2.0]).unwrap();
    assert_eq!(k[(0, 0)], 1.0);
    assert_eq!(k[(1, 0)], 0.0);
    assert!((k[(1, 1)] - 0.8).abs() <= f64::EPSILON);
}

/// ∫₀^β f dτ by four-point Gauss–Legendre on 400 panels.
fn integrate(f: impl Fn(f64) -> f64) -> f64 {
    const NODES: [(f64, f64); 2] = [
        (0.339_981_043_584_856_26, 0.652_145_154_862_546_1),
        (0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
    ];
    let half = BETA / 800.0;
    let mut sum = 0.0;
    for panel in 0..400 {
        let centre = half * (2 * panel + 1) as f64;
        for (x, w) in NODES {
            sum += w * (f(centre - half * x) + f(centre + half * x));
        }
    }
    half * sum
}

fn at<K: Kernel<f64>>(kernel: &K, x: f64, omega: f64) -> Vec<f64> {
    kernel.matrix(&[x], &[omega]).unwrap().as_slice().to_vec()
}

#[test]
fn matsubara_kernels_are_fourier_transforms_of_time_kernels() {
    let (fermion, boson) = (FermionTime::new(BETA).unwrap(), BosonTime::new(BETA).unwrap());
    let fermion_symmetric = FermionTimeSymmetric::new(BETA).unwrap();
    let boson_symmetric = BosonTimeSymmetric::new(BETA).unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{a} {b}");
    for omega in [-7.0, -0.4, 0.0, 0.02, 1.3, 9.0] {
        for n in 0..4 {
            let wn = Matsubara::Fermion.frequencies(BETA, 4).unwrap()[n];
            let nu = Matsubara::Boson.frequencies(BETA, 4).unwrap()[n];
            let k = at(&FermionMatsubara, wn, omega);
            close(-integrate(|t| (wn * t).cos() * at(&fermion, t, omega)[0]), k[0]);
            close(-integrate(|t| (wn * t).sin() * at(&fermion, t, omega)[0]), k[1]);
            let k = at(&BosonMatsubara, nu, omega);
            close(-integrate(|t| (nu * t).cos() * at(&boson, t, omega)[0]), k[0]);
            close(-integrate(|t| (nu * t).sin() * at(&boson, t, omega)[0]), k[1]);
            if omega >= 0.0 {
                let k = at(&FermionMatsubaraSymmetric, wn, omega)[0];
                close(-integrate(|t| (wn * t).sin() * at(&fermion_symmetric, t, omega)[0]), k);
                let k = at(&BosonMatsubaraSymmetric, nu, omega)[0];
                close(integrate(|t| (nu * t).cos() * at(&boson_symmetric, t, omega)[0]), k);
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::test_support::cases(200))]

    /// K(β−τ, −ω) = K(τ, ω); folded kernels are sums of the plain ones; norms.
    #[test]
    fn identities(log_beta in -3.0..4.0_f64, s in 0.0..=1.0_f64, log_x in -8.0..6.0_f64) {
        let beta = 10_f64.powf(log_beta);
        let (tau, omega) = (s * beta, 10_f64.powf(log_x) / beta);
        let mirror = beta - tau;
        // Each exponent is rounded to ε of itself, β − τ to ε of β.
        let close = |a: f64, b: f64| {
            (a - b).abs() <= 8.0 * f64::EPSILON * (1.0 + beta * omega) * b.abs() + 1e-300 * (1.0 + omega)
        };
        let fermion = FermionTime::new(beta).unwrap();
        let boson = BosonTime::new(beta).unwrap();
        for w in [omega, -omega] {
            prop_assert!(close(at(&fermion, mirror, -w)[0], at(&fermion, tau, w)[0]));
            prop_assert!(close(at(&boson, mirror, -w)[0], at(&boson, tau, w)[0]));
            let ends = at(&fermion, 0.0, w)[0] + at(&fermion, beta, w)[0];
            prop_assert!((ends - 1.0).abs() <= 2.0 * f64::EPSILON);
            // e^{−τω} weighs 1 ∓ n_F and 1 + n_B: their difference is the classical commutator, ω.
            let jump = at(&boson, 0.0, w)[0] - at(&boson, beta, w)[0];
            prop_assert!((jump - w).abs() <= 8.0 * f64::EPSILON * (w.abs() + 1.0 / beta));
        }
        let folded = at(&fermion, tau, omega)[0] + at(&fermion, tau, -omega)[0];
        prop_assert!(close(at(&FermionTimeSymmetric::new(beta).unwrap(), tau, omega)[0], folded));
        let folded = 0.5 * (at(&boson, tau, omega)[0] + at(&boson, tau, -omega)[0]);
        prop_assert!(close(at(&BosonTimeSymmetric::new(beta).unwrap(), tau, omega)[0], folded));
        let plus = at(&FermionMatsubara, tau + beta, omega);
        let minus = at(&FermionMatsubara, tau + beta, -omega);
        prop_assert_eq!(plus[0] + minus[0], 0.0);
        let k = at(&FermionMatsubaraSymmetric, tau + beta, omega)[0];
        prop_assert_eq!(plus[1] + minus[1], k);
    }

    #[test]
    fn symmetric_boson_integrates_to_one(x in 0.0..200.0_f64) {
        let kernel = BosonTimeSymmetric::new(BETA).unwrap();
        prop_assert!((integrate(|t| at(&kernel, t, x / BETA)[0]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn transforms_are_linear(entries in prop::collection::vec(-1.0..1.0_f64, 12), c in -3.0..3.0_f64) {
        let (tau, omega) = ([0.0, 1.0, 4.0], [-2.0, 0.0, 0.7]);
        let make = |m: DMatrix<f64>| {
            let inner: Box<dyn Kernel> = Box::new(FermionTime::new(BETA).unwrap());
            Transformed::new(m, inner, &tau).unwrap().matrix(&[0.0, 1.0], &omega).unwrap()
        };
        let a = DMatrix::from_column_slice(2, 3, &entries[..6]);
        let b = DMatrix::from_column_slice(2, 3, &entries[6..]);
        let difference = make(&a + &b * c) - (make(a) + make(b) * c);
        prop_assert!(difference.amax() < 1e-14);
    }
}

#[test]
fn transform_of_a_complex_kernel_sees_the_stacked_rows() {
    let (x, omega) = ([1.0, 3.0], [-2.0, 0.1, 4.0]);
    let plain = FermionMatsubara.matrix(&x, &omega).unwrap();
    let identity = Transformed::new(DMatrix::identity(4, 4), FermionMatsubara, &x).unwrap();
    assert_eq!(identity.matrix(&[0.0, 1.0, 2.0, 3.0], &omega).unwrap(), plain);
    let error = identity.matrix(&[0.0], &omega).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { argument: "x", found: 1, expected: 4, .. }));
    let error = Transformed::new(DMatrix::identity(2, 2), FermionMatsubara, &x).unwrap_err();
    assert!(matches!(error, Error::LengthMismatch { argument: "matrix", .. }));
    let nan = DMatrix::from_element(1, 4, f64::NAN);
    let error = Transformed::new(nan, FermionMatsubara, &x).unwrap_err();
    assert!(matches!(error, Error::NonFinite { argument: "matrix", .. }));
    let half = Transformed::new(DMatrix::identity(2, 2), BosonMatsubaraSymmetric, &x).unwrap();
    assert!(half.matrix(&x, &omega).is_err());
    assert_eq!(half.density(), Density::SusceptibilityOverFrequency);
}

#[test]
fn closures_are_kernels() {
    let (tau, omega) = ([0.0, 2.0, 5.0], [-1.0, 0.5]);
    let closure = FromFn::new(|t: f64, w: f64| (-t * w).exp() / (1.0 + (-BETA * w).exp()));
    let difference = closure.matrix(&tau, &omega).unwrap()
        - FermionTime::new(BETA).unwrap().matrix(&tau, &omega).unwrap();
    assert!(difference.amax() < 1e-15);
    let pole = FromComplexFn::new(|x: f32, w: f32| Complex::new(-w, x).inv());
    let difference = pole.matrix(&[1.0, 3.0], &[0.5, 2.0]).unwrap()
        - FermionMatsubara.matrix(&[1.0, 3.0], &[0.5, 2.0]).unwrap();
    assert!(difference.amax() < 2.0 * f32::EPSILON);
    let singular = FromFn::new(|x: f64, w: f64| 1.0 / (x - w));
    let error = singular.matrix(&[0.0, 1.0], &[-1.0, 1.0]).unwrap_err();
    assert!(matches!(
        error,
        Error::KernelValue { row: 1, x: Some(1.0), column: 1, omega: 1.0, value: f64::INFINITY }
    ));
    let told = "the kernel's row 1, `x` = 1, at `omega`[1] = 1 is inf: expected a finite number";
    assert_eq!(error.to_string(), told);
    let folded = singular.with_density(Density::EvenSpectral);
    assert_eq!(Kernel::<f64>::density(&folded), Density::EvenSpectral);
    let error = folded.matrix(&[0.0], &[-1.0]).unwrap_err();
    assert!(matches!(error, Error::ElementOutOfRange { argument: "omega", index: 0, .. }));
}

#[test]
fn bad_axes_are_named() {
    for beta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(FermionTime::new(beta).is_err());
        assert!(FermionTimeSymmetric::new(beta).is_err());
        assert!(BosonTime::new(beta).is_err());
        assert!(BosonTimeSymmetric::new(beta).is_err());
        assert!(Matsubara::Boson.frequencies(beta, 2).is_err());
    }
    for Case { name, kernel, x, half_line } in all::<f64>(BETA) {
        assert!(matches!(kernel.matrix(&[], &[1.0]), Err(Error::Empty { argument: "x", .. })));
        assert!(matches!(kernel.matrix(&x, &[]), Err(Error::Empty { argument: "omega", .. })));
        let error = kernel.matrix(&x, &[1.0, f64::NAN]).unwrap_err();
        assert!(matches!(error, Error::NonFinite { argument: "omega", index: Some(1), .. }));
        let error = kernel.matrix(&[f64::INFINITY], &[1.0]).unwrap_err();
        assert!(matches!(error, Error::NonFinite { argument: "x", index: Some(0), .. }));
        let outside = match name {
            "fermion iω" | "fermion iω sym" => Some(0.0),
            "boson iν" | "boson iν sym" => None,
            _ => Some(-1e-3),
        };
        if let Some(bad) = outside {
            let error = kernel.matrix(&[x[1], bad], &[1.0]).unwrap_err();
            let Error::ElementOutOfRange { argument: "x", index: 1, value, .. } = error else {
                panic!("{name}: {error}")
            };
            assert_eq!(value, bad);
        }
        let negative = kernel.matrix(&x, &[0.0, -0.5]);
        if half_line {
            assert!(matches!(
                negative,
                Err(Error::ElementOutOfRange { argument: "omega", index: 1, value: -0.5, .. })
            ));
        } else {
            assert!(negative.is_ok());
        }
    }
    let late = FermionTime::new(BETA).unwrap().matrix(&[BETA + 1e-3], &[1.0]);
    assert!(matches!(late, Err(Error::ElementOutOfRange { argument: "x", .. })));
}

/// β rounded to single precision, or to the digits of a table, still counts as τ = β.
#[test]
fn rounded_ends_are_accepted() {
    for beta in [0.1_f64, 37.7, 1234.567] {
        let k =
            FermionTime::new(beta).unwrap().matrix(&[beta as f32], &[-1e6_f32, 0.0, 1e6]).unwrap();
        assert_eq!(k.as_slice(), [1.0, 0.5, 0.0]);
        let rounded = beta * (1.0 + 5e-10);
        let k =
            BosonTime::new(beta).unwrap().matrix(&[rounded, -1e-10 * beta], &[-1e6, 1e6]).unwrap();
        assert!((k[(0, 0)] / 1e6 - 1.0).abs() < 1e-9 && (k[(1, 1)] / 1e6 - 1.0).abs() < 1e-9);
    }
}

/// Rows of moments are ∫ω^k A dω, with A from the density the kernel acts on.
#[test]
fn further_rows_are_moments_of_the_spectral_function() {
    let grid = crate::FrequencyGrid::uniform(0.0_f64, 6.0, 601).unwrap();
    // A = ω e^{−ω} has moments (k + 1)! on ω ≥ 0, but for the tail.
    let check = |kernel: &dyn Kernel<f64>, density: &dyn Fn(f64) -> f64| {
        let k = kernel.matrix(&[0.5], grid.points()).unwrap();
        assert_eq!(k.nrows(), 4);
        let w = grid.points().iter().zip(grid.weights());
        let a = nalgebra::DVector::from_iterator(601, w.map(|(&w, dw)| density(w) * dw));
        let moments = k * a;
        let tail = [7.0, 50.0, 363.0].map(|c: f64| c * (-6.0_f64).exp());
        for (i, expected) in [1.0, 2.0].into_iter().enumerate() {
            assert!((moments[i + 1] - expected + tail[i]).abs() < 1e-3, "{i}: {moments}");
        }
        // The row of one's own is for the density as it is.
        assert!((moments[3] - 2.0 * density(1.5) * grid.weights()[150]).abs() < 1e-12);
    };
    let own = |w: f64| if (w - 1.5).abs() < 1e-6 { 2.0 } else { 0.0 };
    let spectral = |w: f64| w * (-w).exp();
    check(&WithRows::new(FermionTime::new(2.0).unwrap()).moment(0).moment(1).row(own), &spectral);
    let ratio = |w: f64| (-w).exp();
    check(&WithRows::new(BosonTime::new(2.0).unwrap()).moment(0).moment(1).row(own), &ratio);
    let even = |w: f64| 2.0 * (-w).exp();
    let symmetric = BosonTimeSymmetric::new(2.0).unwrap();
    check(&WithRows::new(symmetric).moment(0).moment(1).row(own), &even);
}

#[test]
fn the_highest_power_is_no_negative_one() {
    let kernel = WithRows::new(FermionTime::new(2.0).unwrap()).moment(u32::MAX);
    let matrix: DMatrix<f64> = kernel.matrix(&[1.0], &[0.5, 1.0]).unwrap();
    assert_eq!((matrix[(1, 0)], matrix[(1, 1)]), (0.0, 1.0));
}
