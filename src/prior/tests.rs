//! One battery for every prior, and what each promises besides.

use super::*;
use crate::grid::FrequencyGrid;
use crate::kernel::Density;
use crate::spectrum::Spectrum;
use nalgebra::{DMatrix, DVector};
use num_dual::{DualNum, DualVec64, gradient};
use proptest::prelude::*;
use std::sync::Arc;

/// Every prior of the crate on a grid of 9 points: those that α may scale, and the others.
type Priors<T> = (Vec<Box<dyn Legendre<T>>>, Vec<Box<dyn Prior<T>>>);

fn every_prior<T: Real>() -> Priors<T> {
    let l = T::lit;
    let uniform = FrequencyGrid::uniform(l(-2.0), l(3.0), 9).unwrap();
    let tangent = FrequencyGrid::tangent(l(-2.0), l(3.0), 9, l(0.7)).unwrap();
    let d: Vec<T> = (0..9).map(|j| l(0.1 + 0.03 * j as f64)).collect();
    let e: Vec<T> = (0..9).map(|j| l(0.4 - 0.02 * j as f64)).collect();
    let entropy = Entropy::new(d.clone()).unwrap();
    let signed = PositiveNegativeEntropy::new(d.clone(), e.clone()).unwrap();
    let ratios = BayesianReconstruction::new(d.clone(), tangent.weights()).unwrap();
    let sum = l(SUM);
    let (mut scaled, mut plain): Priors<T> = (Vec::new(), Vec::new());
    scaled.push(Box::new(entropy.clone()));
    scaled.push(Box::new(signed.clone()));
    scaled.push(Box::new(PositiveNegativeEntropy::symmetric(e.clone()).unwrap()));
    scaled.push(Box::new(ratios.clone()));
    scaled.push(Box::new(SumRule::new(Arc::new(entropy), sum).unwrap()));
    scaled.push(Box::new(SumRule::new(Arc::new(signed), sum).unwrap()));
    scaled.push(Box::new(SumRule::new(Arc::new(ratios), sum).unwrap()));
    plain.push(Box::new(Kinetic::natural(&uniform).unwrap()));
    plain.push(Box::new(Kinetic::natural(&tangent).unwrap()));
    plain.push(Box::new(Kinetic::dirichlet(&uniform).unwrap()));
    plain.push(Box::new(Kinetic::dirichlet(&tangent).unwrap()));
    plain.push(Box::new(Kinetic::central(&uniform).unwrap()));
    plain.push(Box::new(Kinetic::second_order(&uniform).unwrap()));
    plain.push(Box::new(Kinetic::second_order(&tangent).unwrap()));
    let signs = e.iter().enumerate().map(|(j, &e)| if j < 3 { -e } else { e });
    let reference = Spectrum::new(tangent.clone(), signs.collect::<Vec<_>>(), Density::Spectral);
    plain.push(Box::new(Kinetic::relative(&reference.unwrap()).unwrap()));
    let half = FrequencyGrid::uniform(T::zero(), l(4.0), 9).unwrap();
    let reference = Spectrum::new(half, d.clone(), Density::EvenSpectral).unwrap();
    plain.push(Box::new(Kinetic::relative(&reference).unwrap()));
    plain.push(Box::new(L1Prior::new(d.clone()).unwrap()));
    plain.push(Box::new(GaussianProcess::exponential(&tangent, &e, l(0.3), l(1.5)).unwrap()));
    (scaled, plain)
}

/// The sum of the weights at which priors are tried.
const SUM: f64 = 2.9;

/// Weights to try a prior at: positive, or of either sign.
fn weights<T: Real>(positive: bool) -> Vec<T> {
    let shape = |j: usize| {
        if positive { 0.3 + 0.2 * (1.3 * j as f64).sin() } else { (2.0 * j as f64).cos() }
    };
    let total: f64 = (0..9).map(shape).sum();
    (0..9).map(|j| T::lit(shape(j) + (SUM - total) / 9.0)).collect()
}

fn gradient_at<T: Real>(prior: &dyn Prior<T>, h: &[T]) -> Vec<T> {
    let mut g = vec![T::zero(); h.len()];
    prior.add_gradient(h, T::one(), &mut g);
    g
}

fn hessian_at<T: Real>(prior: &dyn Prior<T>, h: &[T]) -> SymmetricBand<T> {
    let mut hessian = SymmetricBand::zeros(h.len(), prior.bandwidth());
    prior.add_hessian(h, T::one(), &mut hessian);
    hessian
}

/// Gradient and Hessian against central differences, capabilities against value and gradient.
fn battery(prior: &dyn Prior<f64>, h: &[f64]) {
    let n = prior.dim();
    let gradient = gradient_at(prior, h);
    let hessian = hessian_at(prior, h);
    let step = 1e-5;
    for j in 0..n {
        let (mut up, mut down) = (h.to_vec(), h.to_vec());
        up[j] += step;
        down[j] -= step;
        let slope = (prior.value(&up) - prior.value(&down)) / (2.0 * step);
        assert!((slope - gradient[j]).abs() < 1e-7 * (1.0 + slope.abs()), "{prior:?}");
        let (gu, gd) = (gradient_at(prior, &up), gradient_at(prior, &down));
        for i in 0..n {
            let curvature = (gu[i] - gd[i]) / (2.0 * step);
            assert!((curvature - hessian.get(i, j)).abs() < 1e-6 * (1.0 + curvature.abs()));
        }
    }
    // Weights multiply and results accumulate.
    let mut twice = vec![1.0; n];
    prior.add_gradient(h, 2.0, &mut twice);
    assert!((0..n).all(|j| (twice[j] - 1.0 - 2.0 * gradient[j]).abs() < 1e-12 * (1.0 + gradient[j].abs())));
    if let Some(rows) = prior.rows() {
        let mut r = vec![0.0; rows.rows()];
        rows.apply(h, &mut r);
        assert!(prior.targets().is_empty() || prior.targets().len() == r.len());
        r.iter_mut().zip(prior.targets()).for_each(|(r, c)| *r -= c);
        let value = 0.5 * r.iter().map(|x| x * x).sum::<f64>();
        assert!((value - prior.value(h)).abs() < 1e-13 * (1.0 + value));
        let mut g = vec![0.0; n];
        rows.add_transposed(&r, &mut g);
        assert!((0..n).all(|j| (g[j] - gradient[j]).abs() < 1e-12 * (1.0 + g[j].abs())));
        assert!(prior.is_convex() && prior.bandwidth() + 1 >= rows.width());
    }
}

/// What a scaled prior promises besides.
fn legendre_battery(prior: &dyn Legendre<f64>, h: &[f64]) {
    let n = prior.dim();
    let gradient = gradient_at(prior, h);
    let hessian = hessian_at(prior, h);
    assert!(prior.bandwidth() == 0 && prior.is_convex());
    let scale: f64 = (0..n).map(|j| 1.0 / hessian.get(j, j)).sum();
    assert!((prior.scale(h) - scale).abs() < 1e-13 * scale, "{prior:?}");
    let mut back = vec![0.0; n];
    prior.conjugate_gradient(&gradient, &mut back);
    assert!((0..n).all(|j| (back[j] - h[j]).abs() < 1e-13), "{prior:?}");
    // The minimum is at u = 0, and is 0 unless the sum rule lifts it.
    prior.conjugate_gradient(&vec![0.0; n], &mut back);
    assert!(prior.fixes_sum() || prior.value(&back).abs() < 1e-14, "{prior:?}");
    assert!(prior.value(h) >= prior.value(&back));
    // Fenchel–Young: the divergence at u = ∇φ(h) + δ is that of h from ∇φ*(u), φ(h) − φ(k) − u·(h − k).
    for size in [1e-3, 0.03, 0.3] {
        let delta: Vec<f64> = (0..n).map(|j| size * (2.1 * j as f64).cos()).collect();
        let u: Vec<f64> = (0..n).map(|j| gradient[j] + delta[j]).collect();
        let mut k = vec![0.0; n];
        prior.conjugate_gradient(&u, &mut k);
        let bregman: f64 =
            prior.value(h) - prior.value(&k) - (0..n).map(|j| u[j] * (h[j] - k[j])).sum::<f64>();
        let divergence = prior.divergence(h, &delta);
        assert!((divergence - bregman).abs() < 1e-13 + 1e-12 * bregman, "{size} {prior:?}");
        let l1: f64 = (0..n).map(|j| (h[j] - k[j]).abs()).sum();
        match prior.distance_bound(prior.scale(h), divergence) {
            // The bounds are not idle: to leading order in δ they miss by Cauchy's inequality alone.
            Some(bound) => assert!(l1 <= bound && bound < 4.0 * l1, "{l1} {bound} {prior:?}"),
            None => assert!(size > 0.1, "{prior:?}"),
        }
    }
    // Digits are kept where δ is tiny: ½ Σ δ²/φ'' with δ less its weighted mean where the sum is fixed.
    let delta: Vec<f64> = (0..n).map(|j| 1e-7 * (2.1 * j as f64).cos()).collect();
    let weighted: f64 = (0..n).map(|j| delta[j] / hessian.get(j, j)).sum();
    let mean = if prior.fixes_sum() { weighted / scale } else { 0.0 };
    let quadratic: f64 = (0..n).map(|j| 0.5 * (delta[j] - mean).powi(2) / hessian.get(j, j)).sum();
    assert!((prior.divergence(h, &delta) / quadratic - 1.0).abs() < 1e-5, "{prior:?}");
    // Steps: a small one whole, an absurd one in part, and to where φ* is finite.
    assert_eq!(prior.step_limit(&vec![0.0; n], &vec![1e-3; n]), 1.0);
    let steep: Vec<f64> = (0..n).map(|j| 1e4 * (j as f64 - 2.0)).collect();
    let limit = prior.step_limit(&vec![0.0; n], &steep);
    assert!(limit > 0.0 && limit < 1.0);
    prior.conjugate_gradient(&steep.iter().map(|d| limit * d).collect::<Vec<_>>(), &mut back);
    assert!(back.iter().all(|h| h.is_finite() && (*h > 0.0 || !prior.is_positive())));
    // The sum rule: ∇φ*(u + t) with the sum asked for.
    let mut shifted = vec![0.0; n];
    let wanted = 0.7;
    if let Some(t) = prior.conjugate_gradient_of_sum(&gradient, wanted, &mut back) {
        assert!((back.iter().sum::<f64>() - wanted).abs() < 1e-14);
        let u: Vec<f64> = gradient.iter().map(|g| g + t).collect();
        prior.conjugate_gradient(&u, &mut shifted);
        assert!((0..n).all(|j| (shifted[j] - back[j]).abs() < 1e-13), "{prior:?}");
        // It does not depend on a constant in u, and moves with the sum.
        let far: Vec<f64> = gradient.iter().map(|g| g + 1e5).collect();
        prior.conjugate_gradient_of_sum(&far, wanted, &mut shifted);
        assert!((0..n).all(|j| (shifted[j] - back[j]).abs() < 1e-9), "{prior:?}");
        assert!((shifted.iter().sum::<f64>() - wanted).abs() < 1e-14);
    }
    assert_eq!(prior.fixes_sum(), {
        prior.conjugate_gradient(&vec![0.0; n], &mut back);
        prior.conjugate_gradient(&vec![0.3; n], &mut shifted);
        (back.iter().sum::<f64>() - shifted.iter().sum::<f64>()).abs() < 1e-12
    });
}

#[test]
fn every_prior_passes_the_battery() {
    let (scaled, plain) = every_prior::<f64>();
    for prior in &scaled {
        for positive in [true, false] {
            if positive || !prior.is_positive() {
                battery(prior.as_ref(), &weights(positive));
                legendre_battery(prior.as_ref(), &weights(positive));
            }
        }
    }
    for prior in &plain {
        battery(prior.as_ref(), &weights(true));
        battery(prior.as_ref(), &weights(false));
    }
    let smallest = FrequencyGrid::uniform(0.0, 1.0, 3).unwrap();
    battery(&Kinetic::central(&smallest).unwrap(), &[0.2, 0.5, 0.4]);
    battery(&Kinetic::second_order(&smallest).unwrap(), &[0.2, 0.5, 0.4]);
}

/// Single precision against double, to rounding: values, derivatives and conjugates. The divergence is the
/// definition's, evaluated in double precision, where that has digits to spare.
#[test]
fn every_prior_keeps_its_digits_in_single_precision() {
    let ((scaled, plain), (scaled64, plain64)) = (every_prior::<f32>(), every_prior::<f64>());
    let close = |a: f32, b: f64, size: f64| (f64::from(a) - b).abs() <= 2e-6 * (size + b.abs());
    let compare = |single: &dyn Prior<f32>, double: &dyn Prior<f64>| {
        let (h, h64) = (weights::<f32>(true), weights::<f64>(true));
        let (g, g64) = (gradient_at(single, &h), gradient_at(double, &h64));
        let (b, b64) = (hessian_at(single, &h), hessian_at(double, &h64));
        // Rounding of h shows by the curvature.
        let size: f64 = (0..9).map(|j| b64.get(j, j)).fold(1.0, f64::max);
        assert!(close(single.value(&h), double.value(&h64), size), "{single:?}");
        for j in 0..9 {
            assert!(close(g[j], g64[j], size), "{single:?}");
            assert!((0..9).all(|i| close(b.get(i, j), b64.get(i, j), size)), "{single:?}");
        }
    };
    for (single, double) in plain.iter().zip(&plain64) {
        compare(single.as_ref(), double.as_ref());
    }
    for (single, double) in scaled.iter().zip(&scaled64) {
        compare(single.as_ref(), double.as_ref());
        for size in [1e-3, 0.1] {
            let h: Vec<f32> = weights(true);
            let h64: Vec<f64> = h.iter().map(|&h| f64::from(h)).collect();
            let delta: Vec<f32> = (0..9).map(|j| size * (2.1 * j as f32).cos()).collect();
            let mut u = gradient_at(double.as_ref() as &dyn Prior<f64>, &h64);
            u.iter_mut().zip(&delta).for_each(|(u, &d)| *u += f64::from(d));
            let mut k = vec![0.0; 9];
            double.conjugate_gradient(&u, &mut k);
            let product: f64 = (0..9).map(|j| u[j] * (h64[j] - k[j])).sum();
            let definition = double.value(&h64) - double.value(&k) - product;
            let found = f64::from(single.divergence(&h, &delta));
            assert!((found / definition - 1.0).abs() < 2e-3, "{found:e} {definition:e} {single:?}");
            let u: Vec<f32> = u.iter().map(|&u| u as f32).collect();
            let mut k32 = vec![0.0_f32; 9];
            single.conjugate_gradient(&u, &mut k32);
            assert!((0..9).all(|j| close(k32[j], k[j], 1.0)), "{single:?}");
        }
    }
}

proptest! {
    #![proptest_config(crate::test_support::cases(256))]
    /// Bounds on ‖h − k‖₁ over many decades of both, for pairs drawn at random.
    #[test]
    fn distance_bounds_hold_for_random_pairs(
        pairs in prop::collection::vec((-6.0..3.0_f64, -4.0..2.0_f64, -6.0..6.0_f64, -1.0..1.0_f64), 1..12),
        size in prop::sample::select(vec![1e-6, 1e-2, 1.0]),
    ) {
        let of = |f: fn(&(f64, f64, f64, f64)) -> f64| pairs.iter().map(f).collect::<Vec<_>>();
        let n = pairs.len();
        let d = of(|p| 10f64.powf(p.0));
        let priors: [Box<dyn Legendre<f64>>; 3] = [
            Box::new(Entropy::new(d.clone()).unwrap()),
            Box::new(PositiveNegativeEntropy::new(d.clone(), of(|p| 10f64.powf(p.1))).unwrap()),
            Box::new(BayesianReconstruction::new(d, &of(|p| 10f64.powf(p.1))).unwrap()),
        ];
        for prior in priors {
            // h from its u, inside the domain, and k from another.
            let inside = |x: f64, u0: f64| if u0.is_finite() { u0 * (1.0 - (-x).exp()) } else { x };
            let mut ends = vec![f64::INFINITY; n];
            if format!("{prior:?}").starts_with("Bayesian") {
                let far: Vec<f64> = vec![1e300; n];
                for (j, end) in ends.iter_mut().enumerate() {
                    let mut one = vec![0.0; n];
                    one[j] = far[j];
                    *end = prior.step_limit(&vec![0.0; n], &one) * far[j] / 0.9;
                }
            }
            let u: Vec<f64> = pairs.iter().zip(&ends).map(|(p, &end)| inside(p.2, end)).collect();
            let v: Vec<f64> =
                pairs.iter().zip(&ends).map(|(p, &end)| inside(p.2 + size * p.3, end)).collect();
            let (mut h, mut k) = (vec![0.0; n], vec![0.0; n]);
            prior.conjugate_gradient(&u, &mut h);
            prior.conjugate_gradient(&v, &mut k);
            let exact = gradient_at(prior.as_ref() as &dyn Prior<f64>, &h);
            let delta: Vec<f64> = v.iter().zip(&exact).map(|(v, u)| v - u).collect();
            let divergence = prior.divergence(&h, &delta);
            if let Some(bound) = prior.distance_bound(prior.scale(&h), divergence) {
                let l1: f64 = h.iter().zip(&k).map(|(h, k)| (h - k).abs()).sum();
                let rounding = 1e-12 * h.iter().zip(&k).map(|(h, k)| h.abs() + k.abs()).sum::<f64>();
                prop_assert!(l1 <= bound * (1.0 + 1e-6) + rounding, "{l1:e} {bound:e} {prior:?}");
            }
        }
    }
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

#[test]
fn positive_negative_entropy_is_the_best_split_into_two_positive_spectra() {
    // S(h) is the largest S₊(p) + S₋(m) over p − m = h; for d₋ → 0 it is Skilling's of h > 0.
    let (d, e) = (vec![0.2, 0.5, 0.3], vec![0.4, 0.1, 0.3]);
    let signed = PositiveNegativeEntropy::<f64>::new(d.clone(), e.clone()).unwrap();
    let (plus, minus) = (Entropy::new(d.clone()).unwrap(), Entropy::new(e).unwrap());
    for h in [[0.1, -0.7, 0.25], [-3.0, 0.0, 1e-3]] {
        let split = |m: &[f64; 3]| {
            let p: Vec<f64> = h.iter().zip(m).map(|(h, m)| h + m).collect();
            plus.value(&p) + minus.value(m)
        };
        let best = [0, 1, 2].map(|j| {
            let (d, e) = (d[j], minus.default_weights()[j]);
            0.5 * ((h[j] * h[j] + 4.0 * d * e).sqrt() - h[j])
        });
        assert!((signed.value(&h) - split(&best)).abs() < 1e-14);
        for j in 0..3 {
            for factor in [0.9, 1.1] {
                let mut other = best;
                other[j] *= factor;
                assert!(h[j] + other[j] <= 0.0 || split(&other) > signed.value(&h));
            }
        }
    }
    let nearly = PositiveNegativeEntropy::new(d.clone(), vec![1e-200; 3]).unwrap();
    let h = [0.1, 0.7, 0.25];
    assert!((nearly.value(&h) - plus.value(&h)).abs() < 1e-14);
    assert!((gradient_at(&nearly, &h)[1] - gradient_at(&plus, &h)[1]).abs() < 1e-14);
}

#[test]
fn bayesian_reconstruction_is_its_formula_and_skillings_near_a_flat_default_model() {
    let grid = FrequencyGrid::tangent(-2.0, 3.0, 9, 0.7).unwrap();
    let (w, a) = (grid.weights(), weights::<f64>(true));
    let d: Vec<f64> = w.iter().map(|w| 0.4 * w).collect();
    let prior = BayesianReconstruction::new(d.clone(), w).unwrap();
    let h: Vec<f64> = a.iter().zip(w).map(|(a, w)| a * w).collect();
    // D̄ ∫[A/D − 1 − ln(A/D)]dω.
    let formula: f64 =
        a.iter().zip(w).map(|(a, w)| 0.4 * w * (a / 0.4 - 1.0 - (a / 0.4).ln())).sum();
    assert!((prior.value(&h) / formula - 1.0).abs() < 1e-13);
    let near: Vec<f64> =
        d.iter().enumerate().map(|(j, d)| d * (1.0 + 1e-5 * (j as f64).sin())).collect();
    let skilling = Entropy::new(d).unwrap().value(&near);
    assert!((prior.value(&near) / skilling - 1.0).abs() < 1e-4);
}

#[test]
fn second_order_kinetic_is_the_integral_of_the_squared_second_derivative() {
    // A = ω³ on [0, 1]: ½∫(6ω)² dω = 6; a straight line costs nothing on any grid.
    for grid in [
        FrequencyGrid::uniform(0.0, 1.0, 801).unwrap(),
        FrequencyGrid::tangent(0.0, 1.0, 801, 0.6).unwrap(),
    ] {
        let prior = Kinetic::second_order(&grid).unwrap();
        let of = |f: fn(f64) -> f64| -> Vec<f64> {
            grid.points().iter().zip(grid.weights()).map(|(&w, d)| f(w) * d).collect()
        };
        assert!((prior.value(&of(|w| w.powi(3))) / 6.0 - 1.0).abs() < 6e-3);
        assert!(prior.value(&of(|w| 3.0 - 2.0 * w)) < 1e-14);
    }
    assert!(Kinetic::second_order(&FrequencyGrid::uniform(0.0, 1.0, 2).unwrap()).is_err());
}

#[test]
fn relative_kinetic_is_the_integral_of_the_squared_third_derivative_over_the_density() {
    // A = ω⁴ and A₀ = 2 + ω on [0, 1]: ½∫(24ω)²/(2.3 + ω) dω by the logarithm; a parabola costs nothing.
    let c = 2.3_f64;
    let expected = 288.0 * (0.5 - c + c * c * (1.0 + 1.0 / c).ln());
    for grid in [
        FrequencyGrid::uniform(0.0, 1.0, 401).unwrap(),
        FrequencyGrid::tangent(0.0, 1.0, 401, 0.6).unwrap(),
    ] {
        let of = |f: fn(f64) -> f64| -> Vec<f64> {
            grid.points().iter().zip(grid.weights()).map(|(&w, d)| f(w) * d).collect()
        };
        let reference = grid.points().iter().map(|w| 2.0 + w).collect::<Vec<_>>();
        let relative = |values: Vec<f64>, density| {
            Kinetic::relative(&Spectrum::new(grid.clone(), values, density).unwrap()).unwrap()
        };
        let prior = relative(reference.clone(), Density::Spectral);
        assert!((prior.value(&of(|w| w.powi(4))) / expected - 1.0).abs() < 2e-2);
        assert!(prior.value(&of(|w| 3.0 - 2.0 * w + w * w)) < 1e-7);
        // A sign of A₀ changes nothing.
        let negative = relative(reference.iter().map(|a| -a).collect(), Density::Spectral);
        assert_eq!(negative, prior);
        // An even density: what is smooth at zero costs as before, a kink there is seen.
        let even = relative(reference, Density::EvenSpectral);
        assert!((even.value(&of(|w| w.powi(4))) / expected - 1.0).abs() < 2e-2);
        assert!(even.value(&of(|w| 3.0 - w * w)) < 1e-7);
        assert!(prior.value(&of(|w| w)) < 1e-7 && even.value(&of(|w| w)) > 100.0 * expected);
    }
    // A grid that starts above zero is mirrored as well.
    let grid = FrequencyGrid::uniform(0.1, 1.1, 6).unwrap();
    let one = Spectrum::new(grid.clone(), vec![1.0; 6], Density::EvenSpectral).unwrap();
    let line: Vec<f64> = grid.points().iter().zip(grid.weights()).map(|(w, d)| w * d).collect();
    assert!(Kinetic::relative(&one).unwrap().value(&line) > 1.0);
    let few = FrequencyGrid::uniform(0.0, 1.0, 3).unwrap();
    for (grid, value) in [(few, 1.0), (grid, 0.0)] {
        let values = vec![value; grid.len()];
        assert!(
            Kinetic::relative(&Spectrum::new(grid, values, Density::Spectral).unwrap()).is_err()
        );
    }
}

#[test]
fn gaussian_process_has_the_precision_of_its_covariance() {
    let grid = FrequencyGrid::tangent(-2.0, 3.0, 9, 0.7).unwrap();
    let (omega, w) = (grid.points(), grid.weights());
    let mean: Vec<f64> = (0..9).map(|j| (0.4 * j as f64).cos()).collect();
    let prior = GaussianProcess::exponential(&grid, &mean, 0.3, 1.5).unwrap();
    let covariance =
        DMatrix::from_fn(9, 9, |i, j| 0.09 * (-(omega[i] - omega[j]).abs() / 1.5).exp());
    let h = weights::<f64>(true);
    let deviation = DVector::from_fn(9, |j, _| h[j] / w[j] - mean[j]);
    let expected = 0.5 * deviation.dot(&(covariance.try_inverse().unwrap() * &deviation));
    assert!((prior.value(&h) / expected - 1.0).abs() < 1e-11);
    // Its stiff limit is the kinetic prior of A − m.
    let (a, length) = (1e3, 1e6);
    let stiff = GaussianProcess::exponential(&grid, &mean, a, length).unwrap();
    let excess: Vec<f64> = h.iter().zip(&mean).zip(w).map(|((h, m), w)| h - m * w).collect();
    let kinetic = Kinetic::natural(&grid).unwrap().value(&excess);
    assert!((stiff.value(&h) / (length / (2.0 * a * a) * kinetic) - 1.0).abs() < 1e-4);
}

#[test]
fn bad_arguments_of_the_further_priors_are_named() {
    let grid = FrequencyGrid::uniform(-1.0, 1.0, 3).unwrap();
    let named = |error: crate::Error, name: &str| {
        let text = error.to_string();
        assert!(text.contains(name), "{text}");
    };
    named(PositiveNegativeEntropy::new(vec![0.1, 0.2], vec![0.1]).unwrap_err(), "negative");
    named(PositiveNegativeEntropy::new(vec![-0.1], vec![0.1]).unwrap_err(), "positive");
    named(BayesianReconstruction::new(vec![0.1], &[0.0]).unwrap_err(), "grid_weights");
    named(L1Prior::new(vec![0.1, -1.0]).unwrap_err(), "coefficients");
    named(L1Prior::<f64>::new(vec![]).unwrap_err(), "coefficients");
    named(GaussianProcess::exponential(&grid, &[0.0; 2], 1.0, 1.0).unwrap_err(), "mean");
    named(GaussianProcess::exponential(&grid, &[0.0; 3], 0.0, 1.0).unwrap_err(), "amplitude");
    named(GaussianProcess::exponential(&grid, &[0.0; 3], 1.0, f64::NAN).unwrap_err(), "length");
    let entropy = Arc::new(Entropy::new(vec![0.5; 3]).unwrap());
    named(SumRule::new(entropy.clone(), -1.0).unwrap_err(), "sum");
    let fixed = Arc::new(SumRule::new(entropy, 1.0).unwrap());
    named(SumRule::new(fixed, 1.0).unwrap_err(), "entropy");
    let signed = Arc::new(PositiveNegativeEntropy::symmetric(vec![0.5; 3]).unwrap());
    assert!(SumRule::new(signed, -0.3).is_ok());
}
