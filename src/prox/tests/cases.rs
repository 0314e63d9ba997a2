//! The operators that the battery runs, each with what it needs to know of them, written independently.

use super::super::*;
use super::{dot, minus};
use crate::linalg::{BandedRows, Svd, jacobi_svd};
use nalgebra::DMatrix;

type OnVector<T, R> = Box<dyn Fn(&[T], T) -> R>;

/// An operator with what the battery needs to know of it.
pub(super) struct Case<T: Real> {
    pub(super) name: &'static str,
    pub(super) op: Box<dyn Prox<T>>,
    /// prox_{f*/γ}(w), where f is convex.
    pub(super) conjugate_prox: OnVector<T, Vec<T>>,
    /// How far z is from where the operator is not differentiable.
    pub(super) kink_distance: OnVector<T, T>,
}

fn case<T: Real>(
    name: &'static str,
    op: impl Prox<T> + 'static,
    conjugate_prox: impl Fn(&[T], T) -> Vec<T> + 'static,
    kink_distance: impl Fn(&[T], T) -> T + 'static,
) -> Case<T> {
    let (op, conjugate_prox) = (Box::new(op), Box::new(conjugate_prox));
    Case { name, op, conjugate_prox, kink_distance: Box::new(kink_distance) }
}

pub(super) fn map<T: Real>(w: &[T], f: impl Fn(T) -> T) -> Vec<T> {
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

/// The operators for vectors of length n. One line an operator: the operator, prox_{f*/γ}, its kinks.
pub(super) fn all<T: Real>(n: usize) -> Vec<Case<T>> {
    let lit = T::lit;
    let (zero, one) = (T::zero(), T::one());
    let smooth = |_: &[T], _: T| T::INFINITY;
    // Smooth, but with a third derivative by γ of order γ⁻³.
    let curved = |_: &[T], gamma: T| bent(T::INFINITY, gamma);
    let not_convex = |_: &[T], _: T| Vec::new();
    let mut cases = vec![
        case("l1", SoftThreshold, move |w, _| clamp(w, one), |z, g| distance(z, &[g, -g])),
        case(
            "one-sided l1",
            OneSidedSoftThreshold,
            move |w, _| map(w, |w: T| w.min(one)),
            |z, gamma| distance(z, &[gamma]),
        ),
        case(
            "non-negative",
            NonNegative,
            move |w, _| map(w, |w: T| w.min(zero)),
            move |z, _| distance(z, &[zero]),
        ),
        case(
            "box",
            BoxConstraint::new(lit(LOWER), lit(UPPER)).unwrap(),
            move |w, gamma| {
                let (lower, upper) = (lit(LOWER) / gamma, lit(UPPER) / gamma);
                map(w, |w: T| (w - upper).max(zero) + (w - lower).min(zero))
            },
            move |z, _| distance(z, &[lit(LOWER), lit(UPPER)]),
        ),
        case(
            "simplex",
            Simplex::new(lit(SUM)).unwrap(),
            move |w, gamma| {
                let level = water_level(w, lit(SUM) / gamma);
                map(w, |w: T| w.min(level))
            },
            move |z, _| distance(z, &[water_level(z, lit(SUM))]),
        ),
        case("squared l2", SquaredL2, move |w, g| map(w, |w: T| w / (one + one / g)), smooth),
        case(
            "elastic net",
            ElasticNet::new(lit(0.7)).unwrap(),
            move |w, gamma| {
                let ridge = lit(0.7) * gamma;
                map(w, |w: T| {
                    let excess = w - w.max(-one).min(one);
                    w - excess / (one + ridge)
                })
            },
            |z, g| distance(z, &[g, -g]),
        ),
        case(
            "Huber",
            Huber::new(lit(0.4)).unwrap(),
            move |w, gamma| clamp(&map(w, |w: T| w / (one + lit(0.4) / gamma)), one),
            move |z, gamma| distance(z, &[gamma + lit(0.4), -gamma - lit(0.4)]),
        ),
        case("SCAD", Scad::new(lit(0.6), lit(3.7)).unwrap(), not_convex, move |z, gamma| {
            distance(&sizes(z), &[lit(0.6) * gamma, lit(0.6) * (one + gamma), lit(0.6 * 3.7)])
        }),
        case("SCAD with jumps", Scad::new(lit(0.6), lit(2.1)).unwrap(), not_convex, move |z, g| {
            let level = lit(0.3) * (lit(3.1) + g);
            let kinks = [lit(0.6) * g, lit(0.6) * (one + g), lit(0.6 * 2.1), level];
            bent(distance(&sizes(z), &kinks), (g - lit(1.1)).abs())
        }),
        case("log-sum", LogSum::new(lit(0.5)).unwrap(), not_convex, |z, gamma| {
            // The derivative is infinite where the root is double; its third one, 24 d^(-5/2) in the
            // discriminant d, is what central differences see of it: below their rounding from 1.5 on.
            let double = z.iter().any(|z| {
                let above = z.abs() + T::lit(0.5);
                (above * above - T::lit(4.0) * gamma).abs() < T::lit(1.5)
            });
            let jump = log_sum_jump(T::lit(0.5), gamma);
            if double { T::zero() } else { distance(&sizes(z), &[jump]) }
        }),
        case(
            "l2",
            L2Norm,
            move |w, _| map(w, |v: T| v / one.max(norm(w))),
            |z, gamma| bent((norm(z) - gamma).abs(), norm(z)),
        ),
        case(
            "l infinity",
            LInfinityNorm,
            move |w, _| soft(w, l1_level(w, one)),
            |z, gamma| {
                let inside = (sizes(z).into_iter().sum::<T>() - gamma).abs();
                inside.min(distance(&sizes(z), &[l1_level(z, gamma)]))
            },
        ),
        case(
            "l1 ball",
            L1Ball::new(lit(SUM)).unwrap(),
            move |w, gamma| clamp(w, l1_level(w, lit(SUM) / gamma)),
            move |z, _| {
                let inside = (sizes(z).into_iter().sum::<T>() - lit(SUM)).abs();
                inside.min(distance(&sizes(z), &[l1_level(z, lit(SUM))]))
            },
        ),
        case(
            "l2 ball",
            L2Ball::new(lit(SUM)).unwrap(),
            move |w, g| map(w, |v: T| v * (one - lit(SUM) / g / norm(w)).max(zero)),
            move |z, _| (norm(z) - lit(SUM)).abs(),
        ),
        case(
            "total variation",
            TotalVariation,
            |w, _| tube_projection(w, &vec![T::one(); w.len()]),
            |z, gamma| stable(&TotalVariation, z, gamma),
        ),
    ];
    if n == 0 {
        return cases;
    }
    let weights: Vec<T> = (0..n).map(|i| lit(0.2 + (0.7 * i as f64).sin().abs())).collect();
    let (w1, w2, d) = (weights.clone(), weights.clone(), weights.clone());
    let widths: Vec<T> = (0..n).map(|i| lit(0.6 + 0.5 * (0.7 * i as f64).sin().abs())).collect();
    let (w3, w4) = (widths.clone(), widths.clone());
    let mut groups = vec![3; n / 3];
    groups.extend((!n.is_multiple_of(3)).then_some(n % 3));
    let rows = [3, 2, 1].into_iter().find(|&r| n.is_multiple_of(r)).unwrap_or(1);
    let svd = move |z: &[T]| {
        jacobi_svd(&DMatrix::from_column_slice(rows, n / rows, z)).expect("it converges")
    };
    let first_differences = |n: usize| {
        let coefficients = [-one, lit(1.5)].repeat(n - 1);
        BandedRows::new(n, 2, (0..n - 1).collect(), coefficients).unwrap()
    };
    cases.extend([
        case(
            "weighted l1",
            WeightedL1::new(weights.clone()).unwrap(),
            move |w, _| w.iter().zip(&w1).map(|(&w, &c)| w.max(-c).min(c)).collect(),
            move |z, gamma| {
                let gaps = z.iter().zip(&w2).map(|(z, &c)| (z.abs() - gamma * c).abs());
                gaps.fold(T::INFINITY, T::min)
            },
        ),
        case(
            "density variation",
            DensityVariation::new(widths).unwrap(),
            move |w, _| tube_projection(w, &w3),
            move |z, gamma| stable(&DensityVariation::new(w4.clone()).unwrap(), z, gamma),
        ),
        case(
            "entropic",
            Entropic::new(weights).unwrap(),
            move |w, g| exponential(w, &d, g),
            curved,
        ),
        case(
            "groups",
            GroupNorm::new(&groups).unwrap(),
            move |w, _| w.chunks(3).flat_map(|w| map(w, |v: T| v / one.max(norm(w)))).collect(),
            |z, g| {
                let kinks = z.chunks(3).map(|z| bent((norm(z) - g).abs(), norm(z)));
                kinks.fold(T::INFINITY, T::min)
            },
        ),
        case(
            "sum rule",
            AffineSet::sum_rule(n, lit(SUM)).unwrap(),
            move |w, g| {
                let count = lit(n as f64);
                let mean = w.iter().copied().sum::<T>() / count;
                vec![mean - lit(SUM) / g / count; n]
            },
            smooth,
        ),
        case(
            "nuclear",
            NuclearNorm::new(rows, n / rows).unwrap(),
            move |w, _| {
                let Svd { u, s, vt } = svd(w);
                let clipped = DMatrix::from_diagonal(&s.map(|s| s.min(one)));
                (u * clipped * vt).as_slice().to_vec()
            },
            move |z, gamma| {
                let gap = distance(svd(z).s.as_slice(), &[gamma]);
                bent(gap, gap)
            },
        ),
    ]);
    // The calculus: conjugates by the rules f → c f, f(· − b), f(D · + b), f(Q ·), …, written out.
    let ramp: Vec<T> = (0..n).map(|i| lit(0.3 + 0.9 * (1.3 * i as f64).cos())).collect();
    let (b1, b2, b3) = (ramp.clone(), ramp.clone(), ramp.clone());
    let diagonal: Vec<T> = ramp.iter().map(|&r| r + lit(0.8)).map(|d| d + d).collect();
    let (d1, d2) = (diagonal.clone(), diagonal.clone());
    let away = |z: &[T], b: &[T], kink: T| distance(&minus(z, b), &[kink, -kink]);
    let (left, right) = (n / 2, n - n / 2);
    let mut blocks: Vec<(usize, Box<dyn Prox<T>>)> = vec![(right, Box::new(SoftThreshold))];
    if left > 0 {
        blocks.insert(0, (left, Box::new(Simplex::new(lit(SUM)).unwrap())));
    }
    cases.extend([
        case(
            "3 l1",
            Scaled::new(SoftThreshold, lit(3.0)).unwrap(),
            move |w, _| clamp(w, lit(3.0)),
            move |z, g| distance(z, &[lit(3.0) * g, lit(-3.0) * g]),
        ),
        case(
            "translated l1",
            Translated::new(SoftThreshold, ramp.clone()).unwrap(),
            move |w, g| w.iter().zip(&b1).map(|(&w, &b)| (w - b / g).max(-one).min(one)).collect(),
            move |z, g| away(z, &b2, g),
        ),
        case(
            "translated ball",
            Translated::new(L2Ball::new(lit(SUM)).unwrap(), ramp.clone()).unwrap(),
            {
                let b = ramp.clone();
                move |w, g| {
                    let w: Vec<T> = w.iter().zip(&b).map(|(&w, &b)| w - b / g).collect();
                    map(&w, |v: T| v * (one - lit(SUM) / g / norm(&w)).max(zero))
                }
            },
            {
                let b = ramp.clone();
                move |z, _| (norm(&minus(z, &b)) - lit(SUM)).abs()
            },
        ),
        case(
            "l1 of D x",
            PrecomposedDiagonal::new(SoftThreshold, diagonal.clone(), vec![zero; n]).unwrap(),
            move |w, _| w.iter().zip(&d1).map(|(&w, &d)| w.max(-d.abs()).min(d.abs())).collect(),
            move |z, gamma| {
                let gaps = z.iter().zip(&d2).map(|(z, &d)| (z.abs() - gamma * d.abs()).abs());
                // The kink of the inner operator is reached |d| times as fast.
                gaps.fold(T::INFINITY, T::min) / lit(4.0)
            },
        ),
        case(
            "l2 of 2 x + b",
            PrecomposedDiagonal::new(L2Norm, vec![lit(2.0); n], ramp.clone()).unwrap(),
            move |w, gamma| {
                // Conjugate: −b·y/2 on ‖y‖ ≤ 2.
                let w: Vec<T> = w.iter().zip(&b3).map(|(&w, &b)| w + b / (gamma + gamma)).collect();
                map(&w, |v: T| v / one.max(norm(&w) / lit(2.0)))
            },
            {
                let b = ramp.clone();
                move |z, gamma| {
                    let y: Vec<T> = z.iter().zip(&b).map(|(&z, &b)| z + z + b).collect();
                    bent((norm(&y) - lit(4.0) * gamma).abs() / lit(8.0), norm(&y) / lit(4.0))
                }
            },
        ),
        case(
            "box*",
            ConjugateOf::new::<T>(BoxConstraint::new(lit(LOWER), lit(UPPER)).unwrap()).unwrap(),
            move |w, _| map(w, |w: T| w.max(lit(LOWER)).min(lit(UPPER))),
            move |z, g| distance(z, &[lit(LOWER) * g, lit(UPPER) * g]),
        ),
        case(
            "squared l2*",
            ConjugateOf::new::<T>(SquaredL2).unwrap(),
            move |w, g| map(w, |w: T| w / (one + one / g)),
            smooth,
        ),
        case(
            "envelope of l2",
            MoreauEnvelope::new(L2Norm, lit(0.6)).unwrap(),
            move |w, gamma| {
                // Conjugate: 0.3 ‖y‖² on ‖y‖ ≤ 1.
                let w = map(w, |w| w / (one + lit(0.6) / gamma));
                map(&w, |v: T| v / one.max(norm(&w)))
            },
            move |z, gamma| bent((norm(z) - gamma - lit(0.6)).abs(), norm(z)),
        ),
        case(
            "l1 plus quadratic",
            PlusQuadratic::new(SoftThreshold, lit(0.8), ramp.clone()).unwrap(),
            {
                let b = ramp.clone();
                move |w, gamma| {
                    // By components: x = S_{1/0.8}(a + y/0.8) is the slope of the conjugate at y.
                    let solve = |(&w, &a): (&T, &T)| {
                        let slope = |y: f64| {
                            let v = a.as_f64() + y / 0.8;
                            v - v.clamp(-1.25, 1.25)
                        };
                        let (mut low, mut high) = (-1e3, 1e3);
                        for _ in 0..100 {
                            let middle: f64 = 0.5 * (low + high);
                            let rest = middle + slope(middle) / gamma.as_f64() - w.as_f64();
                            if rest < 0.0 { low = middle } else { high = middle }
                        }
                        T::lit(low)
                    };
                    w.iter().zip(&b).map(solve).collect()
                }
            },
            {
                let b = ramp.clone();
                move |z, gamma| {
                    let points = z.iter().zip(&b).map(|(&z, &a)| z + gamma * lit(0.8) * a);
                    distance(&points.collect::<Vec<_>>(), &[gamma, -gamma]) / lit(3.0)
                }
            },
        ),
        case(
            "simplex and l1",
            SeparableSum::new(blocks).unwrap(),
            move |w, gamma| {
                let (a, b) = w.split_at(left);
                let level = if left > 0 { water_level(a, lit(SUM) / gamma) } else { zero };
                let mut dual = map(a, |w: T| w.min(level));
                dual.extend(clamp(b, one));
                dual
            },
            move |z, gamma| {
                let (a, b) = z.split_at(left);
                let level = if left > 0 { water_level(a, lit(SUM)) } else { zero };
                distance(a, &[level]).min(distance(b, &[gamma, -gamma]))
            },
        ),
    ]);
    if n <= 100 {
        // A reflection I − 2vvᵀ/‖v‖² and, for a subspace, its leading rows.
        let v = DMatrix::from_fn(n, 1, |i, _| lit(1.0 + (1.9 * i as f64).sin()));
        let q = DMatrix::identity(n, n) - &v * v.transpose() * (lit(2.0) / v.norm_squared());
        let (q1, q2) = (q.clone(), q.clone());
        let turn = |q: &DMatrix<T>, z: &[T]| {
            (q * DMatrix::from_column_slice(z.len(), 1, z)).as_slice().to_vec()
        };
        cases.push(case(
            "l1 of Q x",
            PrecomposedOrthogonal::new(SoftThreshold, &q).unwrap(),
            move |w, _| turn(&q1.transpose(), &clamp(&turn(&q1, w), one)),
            move |z, g| distance(&turn(&q2, z), &[g, -g]) / T::lit(2.0),
        ));
        let leading = q.rows(0, n.div_ceil(2)).into_owned();
        let (q1, q2) = (leading.clone(), leading.clone());
        cases.push(case(
            "l1 of a subspace",
            PrecomposedOrthogonal::new(SoftThreshold, &leading).unwrap(),
            move |w, _| turn(&q1.transpose(), &clamp(&turn(&q1, w), one)),
            move |z, g| distance(&turn(&q2, z), &[g, -g]) / T::lit(2.0),
        ));
    }
    if n > 1 {
        let operator = BandedQuadratic::new(first_differences(n));
        cases.push(case("kinetic", operator, |w, gamma| kinetic_dual(w, gamma), curved));
        let a = DMatrix::from_fn(2, n, |k, j| lit((j as f64 / n as f64 - 0.4).powi(k as i32)));
        let set = AffineSet::new(&a, &[one, lit(0.3)]).unwrap();
        cases.push(case("moments", set, move |w, gamma| moments_dual(&a, w, gamma), smooth));
    }
    cases
}

fn sizes<T: Real>(z: &[T]) -> Vec<T> {
    map(z, |z| z.abs())
}

fn clamp<T: Real>(w: &[T], c: T) -> Vec<T> {
    map(w, |w| w.max(-c).min(c))
}

fn soft<T: Real>(w: &[T], c: T) -> Vec<T> {
    map(w, |w| w - w.max(-c).min(c))
}

pub(super) fn norm<T: Real>(z: &[T]) -> T {
    dot(z, z).sqrt()
}

/// The distance of a kink, or none where the curvature, inverse to `radius`, defeats finite differences.
fn bent<T: Real>(kink: T, radius: T) -> T {
    if radius < T::lit(0.3) { T::zero() } else { kink }
}

/// The τ with Σ max(|w| − τ, 0) = total, 0 where Σ |w| falls short of it.
fn l1_level<T: Real>(w: &[T], total: T) -> T {
    let w = sizes(w);
    if w.iter().copied().sum::<T>() <= total { T::zero() } else { water_level(&w, total) }
}

/// The z from which on the log-sum threshold is not zero, by bisection of the least objective on a grid.
fn log_sum_jump<T: Real>(epsilon: T, gamma: T) -> T {
    let (epsilon, gamma) = (epsilon.as_f64(), gamma.as_f64());
    if gamma <= epsilon * epsilon {
        return T::lit(gamma / epsilon);
    }
    let gain = |z: f64| {
        let discriminant = (z + epsilon).powi(2) - 4.0 * gamma;
        let x = 0.5 * (z - epsilon + discriminant.max(0.0).sqrt());
        gamma * (x / epsilon).max(0.0).ln_1p() + 0.5 * x * x - x * z
    };
    let (mut low, mut high) = (2.0 * gamma.sqrt() - epsilon, gamma / epsilon);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if gain(middle) > 0.0 { low = middle } else { high = middle }
    }
    T::lit(low)
}

/// The projection on { y: |c_0 y_0 + … + c_i y_i| ≤ 1, all of them adding up to 0 }, by relaxation of the sums.
fn tube_projection<T: Real>(w: &[T], c: &[T]) -> Vec<T> {
    let n = w.len();
    let c: Vec<f64> = c.iter().map(|c| c.as_f64()).collect();
    let mut s = vec![0.0; n + 1];
    for _ in 0..100_000 {
        let mut change = 0.0_f64;
        for i in 1..n {
            // Where the derivative of Σ ((s_{i+1} − s_i)/c_i − w_i)² by s_i is zero.
            let (left, right) = (c[i - 1].powi(-2), c[i].powi(-2));
            let pull = w[i - 1].as_f64() / c[i - 1] - w[i].as_f64() / c[i];
            let target = (left * s[i - 1] + right * s[i + 1] + pull) / (left + right);
            let clamped = target.clamp(-1.0, 1.0);
            change = change.max((clamped - s[i]).abs());
            s[i] = clamped;
        }
        if change < 1e-16 {
            break;
        }
    }
    (0..n).map(|i| T::lit((s[i + 1] - s[i]) / c[i])).collect()
}

/// The p with p + d e^p/γ = w, by bisection.
fn exponential<T: Real>(w: &[T], d: &[T], gamma: T) -> Vec<T> {
    let solve = |(w, d): (&T, &T)| {
        let (w, d) = (w.as_f64(), d.as_f64() / gamma.as_f64());
        let (mut low, mut high) = (w - d * w.exp(), w);
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if middle + d * middle.exp() < w { low = middle } else { high = middle }
        }
        T::lit(low)
    };
    w.iter().zip(d).map(solve).collect()
}

/// H (I + γH)⁻¹ γ w for the H of the rows (−1, 1.5).
fn kinetic_dual<T: Real>(w: &[T], gamma: T) -> Vec<T> {
    let n = w.len();
    let r = DMatrix::from_fn(n - 1, n, |i, j| match j.wrapping_sub(i) {
        0 => -1.0,
        1 => 1.5,
        _ => 0.0,
    });
    let (h, gamma) = (r.transpose() * r, gamma.as_f64());
    let matrix = DMatrix::identity(n, n) + &h * gamma;
    let right = DMatrix::from_iterator(n, 1, w.iter().map(|w| gamma * w.as_f64()));
    (h * matrix.lu().solve(&right).unwrap()).iter().map(|&v| T::lit(v)).collect()
}

/// Aᵀt that is closest to w − …: (A Aᵀ) t = A w − b/γ.
fn moments_dual<T: Real>(a: &DMatrix<T>, w: &[T], gamma: T) -> Vec<T> {
    let a = a.map(|v| v.as_f64());
    let w = DMatrix::from_iterator(w.len(), 1, w.iter().map(|w| w.as_f64()));
    let b = DMatrix::from_column_slice(2, 1, &[1.0, 0.3]) / gamma.as_f64();
    let t = (&a * a.transpose()).lu().solve(&(&a * w - b)).unwrap();
    (a.transpose() * t).iter().map(|&v| T::lit(v)).collect()
}

/// For a piecewise linear operator: infinite where its derivative is the same all around z and γ, else 0.
fn stable<T: Real>(op: &dyn Prox<T>, z: &[T], gamma: T) -> T {
    let u: Vec<T> = (0..z.len()).map(|i| T::lit((1.0 + i as f64).sin())).collect();
    let derivative = |z: &[T], gamma: T| {
        let mut grad = vec![T::zero(); z.len()];
        grad.push(op.prox_vjp(z, gamma, &u, &mut grad.clone()));
        let last = grad.len() - 1;
        op.prox_vjp(z, gamma, &u, &mut grad[..last]);
        grad
    };
    let here = derivative(z, gamma);
    let step = T::lit(6.0) * T::EPSILON.cbrt();
    let mut point = z.to_vec();
    let mut same = true;
    for step in [step, -step] {
        same &= gamma + step > T::zero() && derivative(z, gamma + step) == here;
        for i in 0..z.len() {
            point[i] = z[i] + step;
            same &= derivative(&point, gamma) == here;
            point[i] = z[i];
        }
    }
    if same { T::INFINITY } else { T::zero() }
}
