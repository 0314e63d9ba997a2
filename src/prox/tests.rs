//! One battery, run for every operator in both precisions. A new operator adds one line to [`cases::all`].

mod cases;

use super::*;
use crate::check_gradient;
use cases::{Case, all, map, norm};
use nalgebra::DMatrix;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

fn minus<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    a.iter().zip(b).map(|(&a, &b)| a - b).collect()
}

/// The result, written over garbage.
fn prox<T: Real>(name: &str, op: &dyn Prox<T>, z: &[T], gamma: T) -> Vec<T> {
    let mut out = vec![T::lit(7.0); z.len()];
    let value = op.prox_into(z, gamma, &mut out);
    let again = op.value(&out);
    assert!((value - again).abs() <= tolerance(z), "{name}, values {value} and {again} at {z:?}");
    out
}

/// Rounding of a sum over squares of a vector like `z`.
fn tolerance<T: Real>(z: &[T]) -> T {
    let n = T::lit(z.len() as f64);
    T::lit(20.0) * T::EPSILON * (T::one() + n + dot(z, z))
}

/// Everything that holds for two points z, y of equal length, an upstream gradient u and γ > 0.
fn battery<T: Real>(case: &Case<T>, z: &[T], y: &[T], u: &[T], gamma: T) {
    let op = &*case.op;
    let name = case.name;
    let (p, q) = (prox(name, op, z, gamma), prox(name, op, y, gamma));
    let tol = tolerance(z) + tolerance(y);
    let gamma2 = T::lit(2.0) * gamma;

    // Definition: p does at least as well as any point of the domain (q, and points towards it).
    let objective = |x: &[T]| op.value(x) + dot(&minus(x, z), &minus(x, z)) / gamma2;
    let least = objective(&p);
    for s in [1.0, 0.3, 1e-3].map(T::lit) {
        let x: Vec<T> = p.iter().zip(&q).map(|(&p, &q)| p + s * (q - p)).collect();
        assert!(least <= objective(&x) + tol / gamma, "{name}, definition: {least} at {z:?}");
    }
    assert!(least <= objective(y) + tol / gamma, "{name}, definition: {least}, free point {y:?}");
    // Nor do points near by, free or in the domain.
    for s in [1.0, 0.1, 1e-2, 1e-4].map(T::lit) {
        let near: Vec<T> = p.iter().zip(u).map(|(&p, &u)| p + s * u).collect();
        for x in [&prox(name, op, &near, gamma), &near] {
            assert!(least <= objective(x) + tol / gamma, "{name}, definition near by at {z:?}");
        }
    }

    // ∇f(p) = (z − p)/γ is Lipschitz where f is smooth.
    let difference = minus(&p, &q);
    if let Some(lipschitz) = op.gradient_lipschitz() {
        let gradients = minus(&minus(z, &p), &minus(y, &q));
        let (gradients, points) = (dot(&gradients, &gradients).sqrt(), norm(&difference));
        assert!(gradients <= gamma * lipschitz * points + tol, "{name}, Lipschitz");
    }

    if op.is_convex() {
        // Moreau: prox_{γf}(z) + γ prox_{f*/γ}(z/γ) = z.
        let scaled = map(z, |z| z / gamma);
        let dual = (case.conjugate_prox)(&scaled, gamma);
        for i in 0..z.len() {
            let sum = p[i] + gamma * dual[i];
            assert!((sum - z[i]).abs() <= tol, "{name}, Moreau at {i} of {z:?}: {sum}");
        }
        // Firmly non-expansive: ‖p − q‖² ≤ (p − q)·(z − y).
        let product = dot(&difference, &minus(z, y));
        assert!(dot(&difference, &difference) <= product + tol, "{name}, firm");
    }

    if op.is_indicator() {
        assert_eq!(op.value(&p), T::zero(), "{name}, feasible");
        let again = prox(name, op, &p, gamma);
        assert!(minus(&again, &p).iter().all(|d| d.abs() <= tol), "{name}, idempotent");
    }

    // Fenchel–Young: f(x) + f*(s·w) ≥ s·w·x, with equality for the subgradient w = (z − p)/γ at p.
    if let Some(Conjugate { scale, value }) = op.conjugate(y) {
        assert!(scale >= T::zero() && scale <= T::one());
        for x in [&p, &q] {
            assert!(op.value(x) + value >= scale * dot(x, y) - tol, "{name}, Fenchel-Young");
        }
    }
    let subgradient = map(&minus(z, &p), |d| d / gamma);
    if let Some(Conjugate { scale, value }) = op.conjugate(&subgradient)
        && scale > T::zero()
    {
        assert!(scale >= T::one() - tol);
        let gap = op.value(&p) + value - scale * dot(&p, &subgradient);
        assert!(gap.abs() <= T::lit(10.0) * tol / gamma, "{name}, Fenchel equality: {gap}");
    }

    // Derivatives with respect to the argument and to γ, off the kinks.
    // Twice the checker's largest step, in the argument or in γ; both are at most 3.
    let clearance = T::lit(6.0) * T::EPSILON.cbrt();
    if (case.kink_distance)(z, gamma) > clearance {
        let mut gradient = vec![T::lit(7.0); z.len() + 1];
        let (by_z, by_gamma) = gradient.split_at_mut(z.len());
        by_gamma[0] = op.prox_vjp(z, gamma, u, by_z);
        let mut point = z.to_vec();
        point.push(gamma);
        let f = |x: &[T]| dot(u, &prox(name, op, &x[..z.len()], x[z.len()]));
        let deviation = check_gradient(f, &point, &gradient).unwrap();
        let largest = gradient.iter().fold(T::zero(), |m, g| m.max(g.abs()));
        // Rounding of Σ u p over the step.
        let size: T = T::one() + u.iter().map(|u| u.abs()).sum::<T>();
        let rounding = T::lit(20.0) * T::EPSILON.powf(T::lit(2.0 / 3.0)) * size;
        assert!(
            deviation * largest <= rounding,
            "{name}, derivative: {deviation} at {z:?}, {gamma}"
        );
    }
}

/// Three vectors of one length and a parameter.
fn arguments() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>, f64)> {
    prop_oneof![Just(1_usize), Just(2), Just(15), Just(16), Just(17), 3..70_usize].prop_flat_map(
        |n| {
            let vector = || prop::collection::vec(-3.0..3.0, n);
            (vector(), vector(), vector(), 0.05..2.0)
        },
    )
}

proptest! {
    #![proptest_config(crate::test_support::cases(200))]

    #[test]
    fn every_operator_is_what_it_says((z, y, u, gamma) in arguments()) {
        for case in all::<f64>(z.len()) {
            battery(&case, &z, &y, &u, gamma);
        }
        let single = |v: &[f64]| map(v, |v| v as f32 as f64).iter().map(|&v| v as f32).collect();
        let (z, y, u): (Vec<f32>, Vec<f32>, Vec<f32>) = (single(&z), single(&y), single(&u));
        for case in all::<f32>(z.len()) {
            battery(&case, &z, &y, &u, gamma as f32);
        }
    }
}

/// An operator made for vectors of one length says so: iterations rely on it.
#[test]
fn dimensions_are_told() {
    for n in [1, 6] {
        for case in all::<f64>(n) {
            if let Some(dimension) = case.op.dimension() {
                assert_eq!(dimension, n, "{}", case.name);
            } else {
                // Any length, without a panic.
                let mut out = vec![0.0; n + 3];
                case.op.prox_into(&vec![0.5; n + 3], 0.3, &mut out);
                assert!(out.iter().all(|v| v.is_finite()), "{}", case.name);
            }
        }
    }
}

/// A minimiser of a convex objective that knows only its values and, from `sample`, points of its domain:
/// line searches towards points around the best so far.
fn naive_minimiser(
    objective: impl Fn(&[f64]) -> f64,
    sample: impl Fn(&[f64]) -> Vec<f64>,
    start: &[f64],
) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut x = sample(start);
    let along = |x: &[f64], to: &[f64], s: f64| -> Vec<f64> {
        x.iter().zip(to).map(|(x, to)| x + s * (to - x)).collect()
    };
    for k in 0..1500 {
        let size = 10f64.powf(0.5 - 3.5 * f64::from(k % 50) / 50.0);
        let near: Vec<f64> = x.iter().map(|x| x + size * f64::standard_normal(&mut rng)).collect();
        for to in [sample(&near), near] {
            // Thirds of the segment, the worse of which is cut off.
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..40 {
                let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
                let (at_a, at_b) = (objective(&along(&x, &to, a)), objective(&along(&x, &to, b)));
                if at_a <= at_b { high = b } else { low = a }
            }
            let best = along(&x, &to, 0.5 * (low + high));
            for candidate in [best, to.clone()] {
                if objective(&candidate) < objective(&x) {
                    x = candidate;
                }
            }
        }
    }
    x
}

#[test]
fn a_naive_minimiser_finds_the_same_points() {
    for (n, z, gamma) in [
        (1, vec![1.3], 0.4),
        (1, vec![-0.2], 1.1),
        (2, vec![1.9, -0.6], 0.5),
        (2, vec![-0.4, 0.1], 1.3),
        (3, vec![0.8, -1.7, 0.3], 0.7),
    ] {
        for Case { name, op, .. } in all::<f64>(n) {
            if !op.is_convex() {
                continue;
            }
            let objective =
                |x: &[f64]| op.value(x) + dot(&minus(x, &z), &minus(x, &z)) / (2.0 * gamma);
            let sample = |y: &[f64]| prox(name, &*op, y, 1e-3);
            let found = naive_minimiser(objective, sample, &vec![0.1; n]);
            let p = prox(name, &*op, &z, gamma);
            let (excess, off) = (objective(&found) - objective(&p), minus(&found, &p));
            // The objective is 1/γ-strongly convex about its minimiser, and the naive one has come near it.
            let square = dot(&off, &off);
            assert!(excess >= square / (2.0 * gamma) - 1e-12, "{name} at {z:?}: {found:?} {p:?}");
            assert!(square < 1e-6, "{name} at {z:?}: {found:?} {p:?}");
        }
    }
}

fn extremes<T: Real>() {
    // No component: nothing to do.
    for Case { op, .. } in all::<T>(0) {
        op.prox_into(&[], T::one(), &mut []);
        assert_eq!(op.prox_vjp(&[], T::one(), &[], &mut []), T::zero());
        op.conjugate(&[]);
    }
    // Large: the blocks of the loops and their remainder against one component at a time.
    let n = 10_007;
    let z: Vec<T> = (0..n).map(|i| T::lit(3.0 * (0.37 * i as f64).sin())).collect();
    let u: Vec<T> = (0..n).map(|i| T::lit((0.11 * i as f64).cos())).collect();
    let gamma = T::lit(0.4);
    for Case { name, op, .. } in all::<T>(n) {
        let p = prox(name, &*op, &z, gamma);
        assert!(op.value(&p) < T::INFINITY);
        let mut gradient = vec![T::zero(); n];
        let by_gamma = op.prox_vjp(&z, gamma, &u, &mut gradient);
        if op.is_separable() {
            let (mut value, mut total) = (0.0, 0.0);
            for i in 0..n {
                let (mut x, mut g) = ([T::zero()], [T::zero()]);
                value += op.prox_into(&z[i..=i], gamma, &mut x).as_f64();
                total += op.prox_vjp(&z[i..=i], gamma, &u[i..=i], &mut g).as_f64();
                assert_eq!((x[0], g[0]), (p[i], gradient[i]));
            }
            // n/32 additions in each lane, terms of at most 5.
            let tol = T::EPSILON.as_f64() * 5.0 * n as f64 * (n as f64 / 32.0 + 64.0);
            assert!((op.value(&p).as_f64() - value).abs() < tol);
            assert!((by_gamma.as_f64() - total).abs() < tol);
        }
        if op.is_convex() {
            let q = prox(name, &*op, &u, gamma);
            let d = minus(&p, &q);
            assert!(dot(&d, &d) <= dot(&d, &minus(&z, &u)) + tolerance(&z));
        }
    }
    // NaN and infinities: no panic, and a NaN is not swallowed.
    let nan = T::zero() / T::zero();
    for Case { name, op, .. } in all::<T>(40) {
        let mut strange = z[..40].to_vec();
        strange[7] = nan;
        let mut out = vec![T::zero(); 40];
        op.prox_into(&strange, gamma, &mut out);
        assert!(out[7].as_f64().is_nan(), "{name}");
        op.prox_vjp(&strange, gamma, &u[..40], &mut out);
        op.conjugate(&strange);
        strange[7] = T::INFINITY;
        strange[8] = -T::INFINITY;
        op.prox_into(&strange, gamma, &mut out);
        op.prox_vjp(&strange, gamma, &u[..40], &mut out);
        op.prox_into(&[nan; 40], gamma, &mut out);
        assert!(out.iter().all(|v| v.as_f64().is_nan()), "{name}");
    }
}

#[test]
fn empty_large_and_not_finite() {
    extremes::<f32>();
    extremes::<f64>();
}

#[test]
fn kinks_count_as_flat() {
    let mut grad = [0.0; 2];
    assert_eq!(SoftThreshold.prox_vjp(&[0.5, -0.5], 0.5, &[1.0, 1.0], &mut grad), 0.0);
    assert_eq!(grad, [0.0, 0.0]);
    assert_eq!(OneSidedSoftThreshold.prox_vjp(&[0.5], 0.5, &[1.0], &mut grad[..1]), 0.0);
    assert_eq!(grad[0], 0.0);
    NonNegative.prox_vjp(&[0.0], 1.0, &[1.0], &mut grad[..1]);
    assert_eq!(grad[0], 0.0);
    BoxConstraint::new(-1.0, 1.0).unwrap().prox_vjp(&[-1.0, 1.0], 1.0, &[1.0; 2], &mut grad);
    assert_eq!(grad, [0.0, 0.0]);
}

#[test]
#[should_panic(expected = "slices of lengths 2 and 1")]
fn lengths_must_agree() {
    SoftThreshold.prox_into(&[1.0, 2.0], 1.0, &mut [0.0]);
}

#[test]
fn borrowed_and_boxed_operators_are_operators() {
    fn norm<P: Prox<f64>>(op: P) -> f64 {
        assert!(op.is_separable() && op.is_convex());
        op.conjugate(&[2.0]).unwrap().scale + op.prox_into(&[3.0], 1.0, &mut [0.0])
    }
    let boxed: Box<dyn Prox<f64>> = Box::new(SoftThreshold);
    assert_eq!(norm(&boxed), 2.5);
    assert_eq!(norm(boxed), 2.5);
}

#[test]
fn properties_are_inherited() {
    let scaled = Scaled::new(SquaredL2, 3.0).unwrap();
    assert!(scaled.is_separable() && scaled.is_convex() && !scaled.is_indicator());
    assert_eq!(scaled.gradient_lipschitz(), Some(3.0));
    let moved = Translated::new(NonNegative, vec![1.0]).unwrap();
    assert!(moved.is_indicator() && !moved.is_separable() && moved.gradient_lipschitz().is_none());
    let scad = || Scad::new(1.0, 3.7).unwrap();
    assert!(!Scaled::new(scad(), 2.0).unwrap().is_convex());
    assert!(!Translated::new(scad(), vec![1.0]).unwrap().is_convex());
    assert!(!PlusQuadratic::new(scad(), 1.0, vec![0.0]).unwrap().is_convex());
    let stretched = PrecomposedDiagonal::new(SquaredL2, vec![2.0, 3.0], vec![0.0; 2]).unwrap();
    assert_eq!(stretched.gradient_lipschitz(), Some(9.0));
    let envelope = |f: Box<dyn Prox<f64>>| MoreauEnvelope::new(f, 0.5).unwrap();
    assert_eq!(envelope(Box::new(SoftThreshold)).gradient_lipschitz(), Some(2.0));
    assert_eq!(envelope(Box::new(SquaredL2)).gradient_lipschitz(), Some(1.0 / 1.5));
    let quadratic = PlusQuadratic::new(SquaredL2, 2.0, vec![0.0]).unwrap();
    assert_eq!(quadratic.gradient_lipschitz(), Some(3.0));
    let sum = |f: Vec<(usize, Box<dyn Prox<f64>>)>| SeparableSum::new(f).unwrap();
    let smooth = sum(vec![(1, Box::new(SquaredL2)), (2, Box::new(Huber::new(0.5).unwrap()))]);
    assert_eq!(smooth.gradient_lipschitz(), Some(2.0));
    let sets = sum(vec![(1, Box::new(NonNegative)), (2, Box::new(L2Ball::new(1.0).unwrap()))]);
    assert!(sets.is_indicator() && sets.gradient_lipschitz().is_none());
    assert!(!sum(vec![(1, Box::new(scad())), (1, Box::new(SquaredL2))]).is_convex());
}

#[test]
fn wrappers_refuse_what_has_no_rule() {
    let scad = || Scad::new(1.0, 3.7).unwrap();
    assert!(ConjugateOf::new::<f64>(scad()).is_err());
    assert!(MoreauEnvelope::new(scad(), 1.0).is_err());
    assert!(MoreauEnvelope::new(SoftThreshold, 0.0).is_err());
    assert!(Scaled::new(SoftThreshold, -1.0).is_err());
    assert!(Translated::new(SoftThreshold, vec![f64::NAN]).is_err());
    assert!(PlusQuadratic::new(SoftThreshold, 0.0, vec![]).is_err());
    assert!(PrecomposedDiagonal::new(L2Norm, vec![1.0, 2.0], vec![0.0; 2]).is_err());
    assert!(PrecomposedDiagonal::new(SoftThreshold, vec![1.0, 0.0], vec![0.0; 2]).is_err());
    assert!(PrecomposedDiagonal::new(SoftThreshold, vec![1.0], vec![0.0; 2]).is_err());
    assert!(PrecomposedOrthogonal::new(SoftThreshold, &DMatrix::from_element(2, 2, 1.0)).is_err());
    assert!(SeparableSum::<f64>::new(vec![(0, Box::new(SoftThreshold))]).is_err());
}

#[test]
fn the_conjugate_of_the_conjugate_is_the_function() {
    let twice = ConjugateOf::new::<f64>(ConjugateOf::new::<f64>(L2Norm).unwrap()).unwrap();
    let z = [3.0_f64, -1.0, 0.5];
    let (x, y) = (prox("l2**", &twice, &z, 0.7), prox("l2", &L2Norm, &z, 0.7));
    assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-15_f64));
}

#[test]
fn gradient_of_the_envelope_is_its_gradient() {
    let envelope = MoreauEnvelope::new(Simplex::new(1.5).unwrap(), 0.4).unwrap();
    let x = [0.3, -1.0, 2.0, 0.9];
    let mut gradient = [7.0; 4];
    let value = envelope.gradient_into(&x, &mut gradient);
    assert_eq!(value, envelope.value(&x));
    assert!(check_gradient(|x| envelope.value(x), &x, &gradient).unwrap() < 1e-9);
}
