//! One battery, run for every operator in both precisions. A new operator adds one line to [`all`].

use super::*;
use crate::check_gradient;
use proptest::prelude::*;

/// An operator with what the battery needs to know of it.
struct Case<T: Real> {
    op: Box<dyn Prox<T>>,
    /// Whether f is 0 or +∞, its proximal operator a projection.
    is_indicator: bool,
    /// prox_{f*/γ}(w).
    conjugate_prox: fn(&[T], T) -> Vec<T>,
    /// How far z is from where the operator is not differentiable.
    kink_distance: fn(&[T], T) -> T,
}

fn map<T: Real>(w: &[T], f: impl Fn(T) -> T) -> Vec<T> {
    w.iter().map(|&w| f(w)).collect()
}

fn distance<T: Real>(z: &[T], kinks: &[T]) -> T {
    let pairs = z.iter().flat_map(|&z| kinks.iter().map(move |&k| (z - k).abs()));
    pairs.fold(T::INFINITY, T::min)
}

const LOWER: f64 = -0.7;
const UPPER: f64 = 1.1;
const SUM: f64 = 1.5;

/// The τ with Σ max(w − τ, 0) = total, by bisection.
fn water_level<T: Real>(w: &[T], total: T) -> T {
    let top = w.iter().fold(-T::INFINITY, |m, &v| m.max(v));
    let (mut low, mut high) = (top - total, top);
    for _ in 0..200 {
        let middle = T::lit(0.5) * (low + high);
        let sum: T = w.iter().map(|&w| (w - middle).max(T::zero())).sum();
        if sum > total { low = middle } else { high = middle }
    }
    low
}

fn all<T: Real>() -> Vec<Case<T>> {
    vec![
        Case {
            op: Box::new(SoftThreshold),
            is_indicator: false,
            conjugate_prox: |w, _| map(w, |w| w.max(-T::one()).min(T::one())),
            kink_distance: |z, gamma| distance(z, &[gamma, -gamma]),
        },
        Case {
            op: Box::new(OneSidedSoftThreshold),
            is_indicator: false,
            conjugate_prox: |w, _| map(w, |w| w.min(T::one())),
            kink_distance: |z, gamma| distance(z, &[gamma]),
        },
        Case {
            op: Box::new(NonNegative),
            is_indicator: true,
            conjugate_prox: |w, _| map(w, |w| w.min(T::zero())),
            kink_distance: |z, _| distance(z, &[T::zero()]),
        },
        Case {
            op: Box::new(BoxConstraint::new(T::lit(LOWER), T::lit(UPPER)).unwrap()),
            is_indicator: true,
            conjugate_prox: |w, gamma| {
                let (lower, upper) = (T::lit(LOWER) / gamma, T::lit(UPPER) / gamma);
                map(w, |w| (w - upper).max(T::zero()) + (w - lower).min(T::zero()))
            },
            kink_distance: |z, _| distance(z, &[T::lit(LOWER), T::lit(UPPER)]),
        },
        Case {
            op: Box::new(Simplex::new(T::lit(SUM)).unwrap()),
            is_indicator: true,
            conjugate_prox: |w, gamma| {
                let level = water_level(w, T::lit(SUM) / gamma);
                map(w, |w| w.min(level))
            },
            kink_distance: |z, _| distance(z, &[water_level(z, T::lit(SUM))]),
        },
    ]
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

fn minus<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    a.iter().zip(b).map(|(&a, &b)| a - b).collect()
}

/// The result, written over garbage.
fn prox<T: Real>(op: &dyn Prox<T>, z: &[T], gamma: T) -> Vec<T> {
    let mut out = vec![T::lit(7.0); z.len()];
    let value = op.prox_into(z, gamma, &mut out);
    assert!((value - op.value(&out)).abs() <= tolerance(z));
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
    let (p, q) = (prox(op, z, gamma), prox(op, y, gamma));
    let tol = tolerance(z) + tolerance(y);
    let gamma2 = T::lit(2.0) * gamma;

    // Definition: p does at least as well as any point of the domain (q, and points towards it).
    let objective = |x: &[T]| op.value(x) + dot(&minus(x, z), &minus(x, z)) / gamma2;
    let least = objective(&p);
    for s in [1.0, 0.3, 1e-3].map(T::lit) {
        let x: Vec<T> = p.iter().zip(&q).map(|(&p, &q)| p + s * (q - p)).collect();
        assert!(least <= objective(&x) + tol / gamma, "definition: {least} at {z:?}");
    }
    assert!(least <= objective(y) + tol / gamma, "definition: {least}, free point {y:?}");

    // Moreau: prox_{γf}(z) + γ prox_{f*/γ}(z/γ) = z.
    let scaled = map(z, |z| z / gamma);
    let dual = (case.conjugate_prox)(&scaled, gamma);
    for i in 0..z.len() {
        assert!((p[i] + gamma * dual[i] - z[i]).abs() <= tol, "Moreau at {i} of {z:?}");
    }

    // Firmly non-expansive: ‖p − q‖² ≤ (p − q)·(z − y).
    let difference = minus(&p, &q);
    assert!(dot(&difference, &difference) <= dot(&difference, &minus(z, y)) + tol);

    if case.is_indicator {
        assert_eq!(op.value(&p), T::zero(), "feasible");
        let again = prox(op, &p, gamma);
        assert!(minus(&again, &p).iter().all(|d| d.abs() <= tol), "idempotent");
    }

    // Fenchel–Young: f(x) + f*(s·w) ≥ s·w·x, with equality for the subgradient w = (z − p)/γ at p.
    if let Some(Conjugate { scale, value }) = op.conjugate(y) {
        assert!(scale >= T::zero() && scale <= T::one());
        for x in [&p, &q] {
            assert!(op.value(x) + value >= scale * dot(x, y) - tol, "Fenchel-Young");
        }
    }
    let subgradient = map(&minus(z, &p), |d| d / gamma);
    if let Some(Conjugate { scale, value }) = op.conjugate(&subgradient)
        && scale > T::zero()
    {
        assert!(scale >= T::one() - tol);
        let gap = op.value(&p) + value - scale * dot(&p, &subgradient);
        assert!(gap.abs() <= T::lit(10.0) * tol / gamma, "Fenchel equality: {gap}");
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
        let f = |x: &[T]| dot(u, &prox(op, &x[..z.len()], x[z.len()]));
        let deviation = check_gradient(f, &point, &gradient).unwrap();
        let largest = gradient.iter().fold(T::zero(), |m, g| m.max(g.abs()));
        // Rounding of Σ u p over the step.
        let size: T = T::one() + u.iter().map(|u| u.abs()).sum::<T>();
        let rounding = T::lit(20.0) * T::EPSILON.powf(T::lit(2.0 / 3.0)) * size;
        assert!(deviation * largest <= rounding, "derivative: {deviation} at {z:?}, {gamma}");
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
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_operator_is_what_it_says((z, y, u, gamma) in arguments()) {
        for case in all::<f64>() {
            battery(&case, &z, &y, &u, gamma);
        }
        let single = |v: &[f64]| map(v, |v| v as f32 as f64).iter().map(|&v| v as f32).collect();
        let (z, y, u): (Vec<f32>, Vec<f32>, Vec<f32>) = (single(&z), single(&y), single(&u));
        for case in all::<f32>() {
            battery(&case, &z, &y, &u, gamma as f32);
        }
    }
}

fn extremes<T: Real>() {
    for case in all::<T>() {
        let op = &*case.op;
        // No component: nothing to do.
        op.prox_into(&[], T::one(), &mut []);
        assert_eq!(op.prox_vjp(&[], T::one(), &[], &mut []), T::zero());
        op.conjugate(&[]);
        // Large: the blocks of the loops and their remainder against one component at a time.
        let n = 10_007;
        let z: Vec<T> = (0..n).map(|i| T::lit(3.0 * (0.37 * i as f64).sin())).collect();
        let u: Vec<T> = (0..n).map(|i| T::lit((0.11 * i as f64).cos())).collect();
        let gamma = T::lit(0.4);
        let p = prox(op, &z, gamma);
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
            // n/32 additions in each lane, terms of at most 3.
            let tol = T::EPSILON.as_f64() * 3.0 * n as f64 * (n as f64 / 32.0 + 64.0);
            assert!((op.value(&p).as_f64() - value).abs() < tol);
            assert!((by_gamma.as_f64() - total).abs() < tol);
        }
        // NaN and infinities: no panic, and a NaN is not swallowed.
        let mut strange = z[..40].to_vec();
        strange[7] = T::zero() / T::zero();
        let mut out = vec![T::zero(); 40];
        op.prox_into(&strange, gamma, &mut out);
        assert!(out[7].as_f64().is_nan());
        op.prox_vjp(&strange, gamma, &u[..40], &mut out);
        op.conjugate(&strange);
        strange[7] = T::INFINITY;
        strange[8] = -T::INFINITY;
        op.prox_into(&strange, gamma, &mut out);
        op.prox_into(&[T::zero() / T::zero(); 40], gamma, &mut out);
        assert!(out.iter().all(|v| v.as_f64().is_nan()));
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
