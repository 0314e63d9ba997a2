//! One battery for every prior, and what each promises besides.

use super::*;
use crate::grid::FrequencyGrid;
use num_dual::{DualNum, DualVec64, gradient};

/// Gradient and Hessian against central differences, capabilities against value and gradient.
fn battery(prior: &dyn Prior<f64>) {
    let n = prior.dim();
    let h: Vec<f64> = (0..n).map(|j| 0.3 + 0.2 * (1.3 * j as f64).sin()).collect();
    let gradient_at = |h: &[f64]| {
        let mut g = vec![0.0; n];
        prior.add_gradient(h, 1.0, &mut g);
        g
    };
    let gradient = gradient_at(&h);
    let mut hessian = SymmetricBand::zeros(n, prior.bandwidth());
    prior.add_hessian(&h, 1.0, &mut hessian);
    let step = 1e-5;
    for j in 0..n {
        let (mut up, mut down) = (h.clone(), h.clone());
        up[j] += step;
        down[j] -= step;
        let slope = (prior.value(&up) - prior.value(&down)) / (2.0 * step);
        assert!((slope - gradient[j]).abs() < 1e-7 * (1.0 + slope.abs()), "{prior:?}");
        let (gu, gd) = (gradient_at(&up), gradient_at(&down));
        for i in 0..n {
            let curvature = (gu[i] - gd[i]) / (2.0 * step);
            assert!((curvature - hessian.get(i, j)).abs() < 1e-6 * (1.0 + curvature.abs()));
        }
    }
    // Weights multiply and results accumulate.
    let mut twice = vec![1.0; n];
    prior.add_gradient(&h, 2.0, &mut twice);
    assert!((0..n).all(|j| (twice[j] - 1.0 - 2.0 * gradient[j]).abs() < 1e-12 * (1.0 + gradient[j].abs())));
    if let Some(rows) = prior.rows() {
        let mut r = vec![0.0; rows.rows()];
        rows.apply(&h, &mut r);
        let value = 0.5 * r.iter().map(|x| x * x).sum::<f64>();
        assert!((value - prior.value(&h)).abs() < 1e-13 * (1.0 + value));
        let mut g = vec![0.0; n];
        rows.add_transposed(&r, &mut g);
        assert!((0..n).all(|j| (g[j] - gradient[j]).abs() < 1e-12 * (1.0 + g[j].abs())));
    }
}

/// What a scaled prior promises besides.
fn legendre_battery(legendre: &dyn Legendre<f64>) {
    battery(legendre);
    let n = legendre.dim();
    let h: Vec<f64> = (0..n).map(|j| 0.3 + 0.2 * (1.3 * j as f64).sin()).collect();
    let mut gradient = vec![0.0; n];
    legendre.add_gradient(&h, 1.0, &mut gradient);
    assert_eq!(legendre.bandwidth(), 0);
    let mut back = vec![0.0; n];
    legendre.conjugate_gradient(&gradient, &mut back);
    assert!((0..n).all(|j| (back[j] - h[j]).abs() < 1e-14));
    // Fenchel–Young: the divergence at u = ∇φ(h) + δ is that of h from ∇φ*(u), φ(h) − φ(k) − u·(h − k).
    for scale in [1e-3, 0.3, 2.0] {
        let delta: Vec<f64> = (0..n).map(|j| scale * (2.1 * j as f64).cos()).collect();
        let u: Vec<f64> = (0..n).map(|j| gradient[j] + delta[j]).collect();
        let mut k = vec![0.0; n];
        legendre.conjugate_gradient(&u, &mut k);
        let bregman: f64 = legendre.value(&h)
            - legendre.value(&k)
            - (0..n).map(|j| u[j] * (h[j] - k[j])).sum::<f64>();
        let divergence = legendre.divergence(&h, &delta);
        assert!((divergence - bregman).abs() < 1e-13 + 1e-12 * bregman, "{scale}");
        if let Some(bound) = legendre.distance_bound(h.iter().sum(), divergence) {
            let l1: f64 = (0..n).map(|j| (h[j] - k[j]).abs()).sum();
            assert!(l1 <= bound, "{l1} > {bound}");
        }
    }
    assert_eq!(legendre.step_limit(&vec![0.0; n], &vec![1.0; n]), 1.0);
    let limit = legendre.step_limit(&vec![0.0; n], &vec![1e4; n]);
    assert!(limit > 0.0 && limit < 1.0);
}

#[test]
fn every_prior_passes_the_battery() {
    let uniform = FrequencyGrid::uniform(-2.0, 3.0, 9).unwrap();
    let tangent = FrequencyGrid::tangent(-2.0, 3.0, 10, 0.7).unwrap();
    let d: Vec<f64> = (0..9).map(|j| 0.1 + 0.03 * j as f64).collect();
    legendre_battery(&Entropy::new(d).unwrap());
    for grid in [&uniform, &tangent] {
        battery(&Kinetic::natural(grid).unwrap());
        battery(&Kinetic::dirichlet(grid).unwrap());
    }
    battery(&Kinetic::central(&uniform).unwrap());
    battery(&Kinetic::central(&FrequencyGrid::uniform(0.0, 1.0, 3).unwrap()).unwrap());
}

#[test]
fn entropy_gradient_is_that_of_its_formula_by_dual_numbers() {
    let d = [0.2, 0.5, 0.3_f64];
    let h = [0.1, 0.7, 0.25_f64];
    let formula = |h: nalgebra::SVector<DualVec64<nalgebra::Const<3>>, 3>| {
        (0..3)
            .map(|j| h[j] * (h[j] / d[j]).ln() - h[j] + d[j])
            .sum::<DualVec64<nalgebra::Const<3>>>()
    };
    let (value, expected): (f64, nalgebra::SVector<f64, 3>) =
        gradient(formula, &nalgebra::SVector::from(h));
    let entropy = Entropy::<f64>::new(d.to_vec()).unwrap();
    let mut found = [0.0; 3];
    entropy.add_gradient(&h, 1.0, &mut found);
    assert!((entropy.value(&h) - value).abs() < 1e-15);
    assert!((0..3).all(|j| (found[j] - expected[j]).abs() < 1e-15));
}

#[test]
fn entropy_vanishes_at_the_default_model_and_keeps_digits_near_it() {
    let d = vec![0.25; 4];
    let entropy = Entropy::new(d.clone()).unwrap();
    assert_eq!(entropy.value(&d), 0.0);
    let h: Vec<f64> = d.iter().map(|d| d * (1.0 + 1e-7)).collect();
    // φ = d x²/2 to leading order.
    assert!((entropy.value(&h) / 0.5e-14 - 1.0).abs() < 1e-6);
}

#[test]
fn natural_kinetic_is_the_integral_of_the_squared_slope() {
    // A = ω² on [0, 1]: ½∫(2ω)² dω = 2/3, to second order in the spacing; on any grid.
    for grid in [
        FrequencyGrid::uniform(0.0, 1.0, 401).unwrap(),
        FrequencyGrid::tangent(0.0, 1.0, 801, 0.6).unwrap(),
    ] {
        let h: Vec<f64> =
            grid.points().iter().zip(grid.weights()).map(|(w, d)| w * w * d).collect();
        assert!((Kinetic::natural(&grid).unwrap().value(&h) - 2.0 / 3.0).abs() < 1e-5);
        let flat = grid.weights().to_vec();
        assert!(Kinetic::natural(&grid).unwrap().value(&flat) < 1e-20);
        assert!(Kinetic::dirichlet(&grid).unwrap().value(&flat) > 100.0);
    }
}

#[test]
fn central_kinetic_has_the_papers_gradient() {
    // (1/4Δω)(2A_i − A_{i+2} − A_{i−2}), A = 0 beyond both ends, and is blind to alternation inside.
    let grid = FrequencyGrid::uniform(-1.0, 1.0, 8).unwrap();
    let (n, spacing) = (8_isize, 2.0 / 7.0);
    let a: Vec<f64> = (0..8).map(|i| 0.4 + (1.1 * i as f64).sin()).collect();
    let at = |i: isize| if (0..n).contains(&i) { a[i as usize] } else { 0.0 };
    let h: Vec<f64> = a.iter().zip(grid.weights()).map(|(a, w)| a * w).collect();
    let mut g = vec![0.0; 8];
    Kinetic::central(&grid).unwrap().add_gradient(&h, 1.0, &mut g);
    for i in 0..n {
        let expected = (2.0 * at(i) - at(i + 2) - at(i - 2)) / (4.0 * spacing);
        // ∂/∂A = Δω ∂/∂h.
        assert!((g[i as usize] * grid.weights()[i as usize] - expected).abs() < 1e-13);
    }
    let tangent = FrequencyGrid::tangent(-1.0, 1.0, 8, 0.5).unwrap();
    assert!(matches!(
        Kinetic::central(&tangent),
        Err(crate::Error::ElementOutOfRange { argument: "grid", .. })
    ));
}

#[test]
fn bad_default_weights_are_named() {
    assert!(matches!(
        Entropy::new(vec![0.1, 0.0]),
        Err(crate::Error::ElementOutOfRange { argument: "default_weights", index: 1, .. })
    ));
    assert!(Entropy::<f64>::new(vec![]).is_err());
    assert!(Entropy::new(vec![f32::NAN]).is_err());
}
