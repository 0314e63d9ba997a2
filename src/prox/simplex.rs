//! Projection on the simplex: positivity and a sum rule.
//!
//! Source: the active-set filter of Michelot, *J. Optim. Theory Appl.* 50, 195 (1986), which is Newton's method
//! on the sum, from the components that can be active (Condat, *Math. Program.* 158, 575 (2016)): exact, linear
//! time on ordinary input.

use super::{Conjugate, Prox, check_lengths, sum as lane_sum};
use crate::error::{Result, check_positive};
use crate::linalg::dispatch;
use crate::real::Real;

/// f(x) = 0 where x ≥ 0 and Σ x_i = sum, +∞ elsewhere; prox_{γf}(z) = max(z − τ, 0) with the τ that gives
/// this sum, whatever γ.
///
/// [`value`](Prox::value) allows the sum the rounding of its own addition, (n + 8) ε · sum.
/// The vector–Jacobian product is the projection on the active face: on the k components z > τ,
/// u − (Σ u)/k, zero elsewhere; ∂/∂γ = 0. Convex, not separable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simplex<T = f64> {
    sum: T,
}

impl<T: Real> Simplex<T> {
    /// The vectors x ≥ 0 with Σ x_i = `sum`.
    ///
    /// # Errors
    /// `sum` not finite or not positive.
    pub fn new(sum: T) -> Result<Self> {
        check_positive("sum", sum)?;
        Ok(Simplex { sum })
    }

    /// The prescribed sum.
    pub fn sum(&self) -> T {
        self.sum
    }
}

/// With v = map(z) component by component: the largest of v, and the τ with Σ max(v − τ, 0) = `sum` > 0,
/// measured from it. `scratch` is overwritten.
///
/// The sum is convex in τ, so that Newton's method from below rises to the answer and components drop out for
/// good: a pass that drops none was the last. Once few are left they are gathered, and z is not read again.
pub(super) fn threshold<T: Real>(
    z: &[T],
    map: impl Fn(T) -> T + Copy,
    sum: T,
    scratch: &mut [T],
) -> (T, T) {
    let top = max(z, map);
    let from_top = move |v: T| map(v) - top;
    // Two bounds from below: the largest component alone, and all of them, would make up the sum.
    let all = (lane_sum(z, from_top) - sum) / T::lit(z.len() as f64);
    let mut tau = if all > -sum { all } else { -sum };
    let mut active = usize::MAX;
    loop {
        let (next, count) = newton(z, from_top, sum, tau);
        if count >= active {
            return (top, next);
        }
        (tau, active) = (next, count);
        if count < z.len() / GATHER {
            break;
        }
    }
    let gathered = gather(z, from_top, tau, scratch);
    loop {
        let (next, count) = newton(&scratch[..gathered], |v| v, sum, tau);
        if count >= active {
            return (top, next);
        }
        (tau, active) = (next, count);
    }
}

/// The part of z at which what is left of it is gathered: about as many passes over z as gathering costs.
const GATHER: usize = 8;

/// Components a block: independent partial sums, so that a loop runs in lanes.
const BLOCK: usize = 32;

/// A step of Newton's method on Σ max(v − τ, 0) − `sum` from `tau`, and the number of v = map(z) above it.
fn newton<T: Real>(z: &[T], map: impl Fn(T) -> T + Copy, sum: T, tau: T) -> (T, usize) {
    let (excess, count) = dispatch(|| {
        let (mut sums, mut counts) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
        let (blocks, rest) = z.as_chunks::<BLOCK>();
        for block in blocks {
            for l in 0..BLOCK {
                let excess = map(block[l]) - tau;
                let above = excess > T::zero();
                sums[l] += if above { excess } else { T::zero() };
                counts[l] += if above { T::one() } else { T::zero() };
            }
        }
        let mut excess: T = sums.into_iter().sum();
        let mut count: usize = counts.into_iter().map(|count| count.as_f64() as usize).sum();
        for v in rest.iter().map(|&v| map(v) - tau).filter(|&v| v > T::zero()) {
            excess += v;
            count += 1;
        }
        (excess, count)
    });
    (tau + (excess - sum) / T::lit(count as f64), count)
}

/// Writes the map(z) above `tau` in their order and returns their number.
fn gather<T: Real>(z: &[T], map: impl Fn(T) -> T + Copy, tau: T, out: &mut [T]) -> usize {
    dispatch(|| {
        let mut gathered = 0;
        for block in z.chunks(BLOCK) {
            // Blocks without any are passed over; in the others there is no branch to be predicted.
            if block.iter().fold(false, |any, &v| any | (map(v) > tau)) {
                for &v in block {
                    let v = map(v);
                    out[gathered] = v;
                    gathered += usize::from(v > tau);
                }
            }
        }
        gathered
    })
}

/// The largest of map(z), in lanes; −∞ of none. NaN is passed over.
pub(super) fn max<T: Real>(z: &[T], map: impl Fn(T) -> T + Copy) -> T {
    let larger = |m: T, v: T| if v > m { v } else { m };
    dispatch(|| {
        let mut lanes = [-T::INFINITY; 32];
        let (blocks, rest) = z.as_chunks::<32>();
        for block in blocks {
            for l in 0..32 {
                lanes[l] = larger(lanes[l], map(block[l]));
            }
        }
        let top = rest.iter().fold(-T::INFINITY, |m, &v| larger(m, map(v)));
        lanes.into_iter().fold(top, larger)
    })
}

impl<T: Real> Prox<T> for Simplex<T> {
    fn value(&self, x: &[T]) -> T {
        let total: T = x.iter().copied().sum();
        let rounding = T::lit(x.len() as f64 + 8.0) * T::EPSILON * self.sum;
        let inside = x.iter().all(|&v| v >= T::zero()) && (total - self.sum).abs() <= rounding;
        if inside { T::zero() } else { T::INFINITY }
    }

    fn prox_into(&self, z: &[T], _gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let (top, tau) = threshold(z, |v| v, self.sum, out);
        dispatch(|| {
            for (&z, out) in z.iter().zip(&mut *out) {
                let v = (z - top) - tau;
                *out = if v <= T::zero() { T::zero() } else { v };
            }
        });
        T::zero()
    }

    fn prox_vjp(&self, z: &[T], _gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        let (top, tau) = threshold(z, |v| v, self.sum, grad);
        let active = |z: T| (z - top) - tau > T::zero();
        let (mut k, mut total) = (0, T::zero());
        for (_, &u) in z.iter().zip(upstream).filter(|(z, _)| active(**z)) {
            k += 1;
            total += u;
        }
        let mean = total / T::lit(k.max(1) as f64);
        for ((&z, &u), grad) in z.iter().zip(upstream).zip(grad) {
            *grad = if active(z) { u - mean } else { T::zero() };
        }
        T::zero()
    }

    fn is_indicator(&self) -> bool {
        true
    }

    /// The support function sum · max_i y_i.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        Some(Conjugate { scale: T::one(), value: self.sum * max(y, |v| v) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn sum_is_checked() {
        assert!(matches!(Simplex::new(0.0), Err(Error::OutOfRange { argument: "sum", .. })));
        assert!(matches!(Simplex::new(f64::NAN), Err(Error::NonFinite { argument: "sum", .. })));
    }

    /// τ from the sorted values: the k largest are active for the last k with v_k > (Σ_{i≤k} v_i − sum)/k.
    fn by_sorting(z: &[f64], sum: f64) -> f64 {
        let mut sorted = z.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let (mut total, mut tau) = (0.0, 0.0);
        for (k, &v) in sorted.iter().enumerate() {
            total += v;
            let next = (total - sum) / (k + 1) as f64;
            if v > next {
                tau = next;
            }
        }
        tau
    }

    #[test]
    fn the_threshold_is_that_of_sorting_for_dense_and_sparse_answers() {
        let shapes: [fn(f64) -> f64; 4] = [
            |i| (1.7 * i * i).sin(),
            // Each step of Newton's method drops few components.
            |i| -1.01f64.powf(i),
            |i| (i % 7.0).floor(),
            |_| -3.0,
        ];
        for shape in shapes {
            for n in [1, 2, 31, 33, 300, 3000] {
                let z: Vec<f64> = (0..n).map(|i| shape(f64::from(i))).collect();
                for sum in [1e-9, 1.0, 30.0, 1e3, 1e6] {
                    let mut x = vec![7.0; z.len()];
                    Simplex::new(sum).unwrap().prox_into(&z, 1.0, &mut x);
                    let tau = by_sorting(&z, sum);
                    for (x, z) in x.iter().zip(&z) {
                        let expected = f64::max(z - tau, 0.0);
                        assert!((x - expected).abs() <= 1e-12 * (z.abs() + tau.abs() + sum));
                    }
                    let total: f64 = x.iter().sum();
                    assert!((total - sum).abs() <= 1e-13 * f64::from(n) * sum);
                }
            }
        }
    }

    #[test]
    fn far_away_points_keep_their_digits() {
        let mut x = [0.0; 3];
        Simplex::new(1.0).unwrap().prox_into(&[1e12, 1e12 + 0.5, -1e300], 1.0, &mut x);
        assert_eq!(x, [0.25, 0.75, 0.0]);
    }
}
