//! What the entropies whose conjugate is a sum of exponentials have in common.

use crate::linalg::{LANES, exp, vectorised};
use crate::real::Real;

/// Exponents beyond this are not stepped into: e⁵⁰ times the default model is no spectrum.
const LARGEST_EXPONENT: f64 = 50.0;

/// h ln(h/d) − h + d, for h ≤ 0 its limit d.
pub(super) fn relative_entropy<T: Real>(h: T, d: T) -> T {
    // d ((1 + x) ln(1 + x) − x), which keeps its digits near x = 0.
    let x = (h - d) / d;
    let log = if x.abs() < T::lit(0.5) { x.ln_1p() } else { (h / d).ln() };
    if h <= T::zero() { d } else { h * log - (h - d) }
}

/// e^x − 1 − x.
pub(super) fn excess<T: Real>(x: T) -> T {
    if x.abs() >= T::lit(1e-2) {
        return x.exp_m1() - x;
    }
    let series = |sum: T, k: f64| T::one() + x / T::lit(k) * sum;
    let sum = [7.0, 6.0, 5.0, 4.0, 3.0].into_iter().fold(T::one(), series);
    T::lit(0.5) * x * x * sum
}

/// Σ h (e^x − 1 − x).
pub(super) fn weighted_excess<T: Real>(h: &[T], x: &[T]) -> T {
    match small_excess(h, x) {
        Some(sum) => sum,
        None => h.iter().zip(x).map(|(&h, &x)| h * excess(x)).sum(),
    }
}

vectorised! {
    /// The same by the series alone, where it will do for every x.
    fn small_excess<'a, T>(h: &'a [T], x: &'a [T]) -> Option<T> {
        let c = [7.0, 6.0, 5.0, 4.0, 3.0].map(|k| T::one() / T::lit(k));
        let (mut sums, mut largest) = ([T::zero(); LANES], [T::zero(); LANES]);
        for (h, x) in h.chunks(LANES).zip(x.chunks(LANES)) {
            let (mut hs, mut xs) = ([T::zero(); LANES], [T::zero(); LANES]);
            hs[..h.len()].copy_from_slice(h);
            xs[..x.len()].copy_from_slice(x);
            for l in 0..LANES {
                let x = xs[l];
                largest[l] = if x.abs() > largest[l] { x.abs() } else { largest[l] };
                let mut series = T::one();
                for c in c {
                    series = T::one() + c * x * series;
                }
                sums[l] += hs[l] * (T::lit(0.5) * x * x * series);
            }
        }
        largest.iter().all(|&x| x < T::lit(1e-2)).then(|| sums.iter().copied().sum())
    }
}

/// out = scale·e^{u + shift}.
pub(super) fn exp_shifted<T: Real>(u: &[T], shift: T, scale: &[T], out: &mut [T]) {
    const BLOCK: usize = 64;
    let mut exponents = [T::zero(); BLOCK];
    for ((u, scale), out) in u.chunks(BLOCK).zip(scale.chunks(BLOCK)).zip(out.chunks_mut(BLOCK)) {
        let exponents = &mut exponents[..u.len()];
        for (e, &u) in exponents.iter_mut().zip(u) {
            *e = u + shift;
        }
        exp(exponents, scale, out);
    }
}

/// The largest step t ≤ 1 for which no u + t·du exceeds the largest exponent.
pub(super) fn exponent_limit<T: Real>(u: &[T], du: &[T]) -> T {
    let cap = T::lit(LARGEST_EXPONENT);
    let mut limit = T::one();
    if !exceeds(u, du, cap) {
        return limit;
    }
    for (&u, &du) in u.iter().zip(du) {
        if u + du > cap && du > T::zero() {
            // Where the cap is reached already, creep.
            let t = if u < cap - T::one() { (cap - u) / du } else { T::one() / du };
            limit = if t < limit { t } else { limit };
        }
    }
    limit
}

vectorised! {
    /// Whether any u + du does.
    fn exceeds<'a, T>(u: &'a [T], du: &'a [T], cap: T) -> bool {
        let mut most = cap;
        for (&u, &du) in u.iter().zip(du) {
            let x = u + du;
            most = if x > most { x } else { most };
        }
        most > cap
    }
}

/// ‖p − q‖₁ ≤ ⅔κ + √(4⁄9 κ² + 2κ Σp) for positive p, q with κ = Σ [p ln(p/q) − p + q].
///
/// From (x − y)² ≤ (⅔x + 4⁄3 y)(x ln(x/y) − x + y), Cauchy's inequality and Σq ≤ Σp + ‖p − q‖₁.
pub(super) fn distance_between<T: Real>(sum: T, divergence: T) -> T {
    let x = T::lit(2.0 / 3.0) * divergence;
    x + (x * x + T::lit(2.0) * sum * divergence).sqrt()
}
