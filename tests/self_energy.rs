//! Self-energies whose continuation is known in closed form.

use fredholm::nalgebra::Complex;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Error, FrequencyGrid, Matsubara, MaxEnt, Measurement, Real, SelfEnergy, stack_complex,
};

type C = Complex<f64>;

/// ∫ σ(ω')/(z − ω') of a semicircle of unit norm and half width D: 2(z − √(z² − D²))/D², the branch that decays.
fn semicircle(z: C, width: f64) -> C {
    let root = (z - width).sqrt() * (z + width).sqrt();
    2.0 * (z - root) / (width * width)
}

/// Two bands: Σ_H = 1.1, norm 0.9, mean 0.3·(−1.5) + 0.6·1.2, from closed forms on both axes.
fn two_bands(z: C) -> C {
    1.1 + 0.3 * semicircle(z + 1.5, 0.8) + 0.6 * semicircle(z - 1.2, 1.0)
}

fn measured(sigma: impl Fn(C) -> C, beta: f64, count: usize, error: f64, seed: u64) -> Measurement {
    let wn = Matsubara::Fermion.frequencies(beta, count).unwrap();
    let exact: Vec<C> = wn.iter().map(|&w| sigma(C::new(0.0, w))).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = stack_complex(&exact)
        .into_iter()
        .map(|v| v + error * f64::standard_normal(&mut rng))
        .collect();
    Measurement::with_uniform_error(&wn, &values, error).unwrap()
}

/// U²/4/(iω_n) + U/2: the atomic limit at half filling, whose tail is its first two terms.
#[test]
fn the_atomic_limit_is_its_own_tail() {
    let u = 2.0;
    let data = measured(|z| u / 2.0 + u * u / 4.0 / z, 10.0, 40, 1e-5, 1);
    let tail = SelfEnergy::new(&data).unwrap().tail().unwrap();
    assert!(tail.asymptotic && tail.from == data.x()[0], "{tail:?}");
    assert!((tail.hartree.value - 1.0).abs() < 4.0 * tail.hartree.deviation);
    assert!((tail.norm.value - 1.0).abs() < 4.0 * tail.norm.deviation);
    assert!(tail.hartree.deviation < 1e-5 && tail.norm.deviation < 1e-3);
    // A pole at zero: the continued weight sits there.
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 301).unwrap();
    let continued = SelfEnergy::new(&data).unwrap().solve(&grid, &MaxEnt::default()).unwrap();
    let weight = continued.solution().spectrum().weight_between(-0.1, 0.1).unwrap();
    assert!(weight > 0.95, "{weight}");
}

/// Estimates of Hartree term and norm over many draws: no bias beyond their errors, which are right; where the tail is
/// long, and where it has hardly begun.
#[test]
fn the_tail_is_unbiased_and_knows_its_error() {
    for (beta, count, error) in [(20.0, 120, 1e-4), (20.0, 30, 1e-5), (40.0, 60, 1e-5)] {
        let (mut squares, draws) = ([0.0; 2], 60);
        for seed in 0..draws {
            let data = measured(two_bands, beta, count, error, 100 + seed);
            let tail = SelfEnergy::new(&data).unwrap().tail().unwrap();
            assert!(tail.asymptotic, "{tail:?}");
            squares[0] += ((tail.hartree.value - 1.1) / tail.hartree.deviation).powi(2);
            squares[1] += ((tail.norm.value - 0.9) / tail.norm.deviation).powi(2);
        }
        // 1 if the tail were known; choosing where it begins costs something.
        for square in squares.map(|s| s / draws as f64) {
            assert!(square > 0.4 && square < 1.6, "{beta} {count} {error}: {squares:?}");
        }
    }
}

#[test]
fn two_bands_come_back_on_the_real_axis() {
    let grid = FrequencyGrid::uniform(-5.0, 5.0, 401).unwrap();
    for (error, bound) in [(1e-3, 0.25), (1e-5, 0.12)] {
        let data = measured(two_bands, 20.0, 120, error, 7);
        let continued = SelfEnergy::new(&data).unwrap().solve(&grid, &MaxEnt::default()).unwrap();
        assert!(continued.solution().report().status.is_success());
        let exact: Vec<C> = grid.points().iter().map(|&w| two_bands(C::new(w, 1e-9))).collect();
        let found = continued.values();
        // ∫|ΔΣ| over the band against ∫|Σ − Σ_H|.
        let (mut miss, mut size) = (0.0, 0.0);
        for (f, e) in found.iter().zip(&exact) {
            miss += (f - e).norm();
            size += (e - 1.1).norm();
        }
        assert!(miss < bound * size, "{error}: {}", miss / size);
        // Far outside the bands Σ is its tail: −Im Σ = 0, Re Σ known to the accuracy of its moments.
        assert!((found[0] - exact[0]).norm() < 0.02);
        // What is found is causal, its Green's function too, and 1/G + Σ is ω − ε by definition.
        let g = continued.greens_function(0.4);
        for ((&w, g), sigma) in grid.points().iter().zip(&g).zip(&found) {
            assert!(sigma.im <= 0.0 && g.im <= 0.0);
            assert!((g.inv() + sigma - (w - 0.4)).norm() < 1e-9 * (1.0 + g.inv().norm()));
        }
    }
}

/// What is given is used, and the same as what is found when it is right.
#[test]
fn given_terms_take_the_place_of_the_tail() {
    let grid = FrequencyGrid::uniform(-5.0, 5.0, 201).unwrap();
    let data = measured(two_bands, 20.0, 120, 1e-4, 3);
    let fitted = SelfEnergy::new(&data).unwrap().solve(&grid, &MaxEnt::default()).unwrap();
    let given = SelfEnergy::new(&data).unwrap().hartree(1.1).norm(0.9);
    let given = given.solve(&grid, &MaxEnt::default()).unwrap();
    assert_eq!((given.hartree().deviation, given.norm().deviation), (0.0, 0.0));
    assert_eq!((given.hartree().value, given.norm().value), (1.1, 0.9));
    let distance = fitted.solution().spectrum().l1_error(given.solution().spectrum()).unwrap();
    assert!(distance < 0.1, "{distance}");
    // Too few frequencies for a tail do when both are given, and only then.
    let few = measured(two_bands, 20.0, 6, 1e-4, 3);
    let given = SelfEnergy::new(&few).unwrap().hartree(1.1).norm(0.9);
    assert!(given.solve(&grid, &MaxEnt::default()).unwrap().tail().is_none());
    let error = SelfEnergy::new(&few).unwrap().norm(0.9).solve(&grid, &MaxEnt::default());
    assert!(matches!(error, Err(Error::OutOfRange { argument: "tail", .. })));
}

#[test]
fn bad_self_energies_are_named() {
    let data = Measurement::with_uniform_error(&[1.0, 2.0], &[0.0, 1.0, 2.0], 0.1).unwrap();
    assert!(matches!(
        SelfEnergy::new(&data),
        Err(Error::LengthMismatch { argument: "values", .. })
    ));
    let data = Measurement::with_uniform_error(&[-1.0, 1.0], &[0.0; 4], 0.1).unwrap();
    assert!(matches!(SelfEnergy::new(&data), Err(Error::ElementOutOfRange { argument: "x", .. })));
    let data = Measurement::with_uniform_error(&[2.0, 1.0], &[0.0; 4], 0.1).unwrap();
    assert!(matches!(SelfEnergy::new(&data), Err(Error::NotIncreasing { argument: "x", .. })));
    let data = measured(two_bands, 20.0, 40, 1e-4, 3);
    let grid = FrequencyGrid::uniform(-5.0, 5.0, 51).unwrap();
    let solve = |s: SelfEnergy| s.solve(&grid, &MaxEnt::default()).unwrap_err();
    let base = || SelfEnergy::new(&data).unwrap();
    assert!(matches!(solve(base().norm(-1.0)), Error::OutOfRange { argument: "norm", .. }));
    // The opposite convention of sign.
    let flipped: Vec<f64> = data.values().iter().map(|v| -v).collect();
    let flipped = Measurement::with_uniform_error(data.x(), &flipped, 1e-4).unwrap();
    let error = solve(SelfEnergy::new(&flipped).unwrap()).to_string();
    assert!(error.contains("norm") && error.contains("opposite sign"), "{error}");
    // Five bandwidths are not asymptotic at an error of 10⁻⁸, which matters where the tail is used.
    let near = measured(two_bands, 20.0, 14, 1e-8, 3);
    let noted = |s: SelfEnergy| {
        let solution = s.solve(&grid, &MaxEnt::default()).unwrap();
        assert!(!solution.tail().unwrap().asymptotic);
        let warnings = &solution.solution().report().warnings;
        warnings.iter().any(|w| w.to_string().contains("tail of the self-energy"))
    };
    let near = || SelfEnergy::new(&near).unwrap();
    assert!(noted(near()) && noted(near().norm(0.9)) && !noted(near().norm(0.9).hartree(1.1)));
    assert!(matches!(
        solve(base().hartree(f64::NAN)),
        Error::NonFinite { argument: "hartree", .. }
    ));
    assert!(matches!(solve(base().tail_from(1e3)), Error::OutOfRange { argument: "tail", .. }));
}
