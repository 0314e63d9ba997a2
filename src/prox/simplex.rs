//! Projection on the simplex: positivity and a sum rule.
//!
//! Source: the active-set filter of Michelot, *J. Optim. Theory Appl.* 50, 195 (1986), on the components
//! that can be active (Condat, *Math. Program.* 158, 575 (2016)): exact, linear time on ordinary input.

use super::{Conjugate, Prox, check_lengths};
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
pub(super) fn threshold<T: Real>(
    z: &[T],
    map: impl Fn(T) -> T + Copy,
    sum: T,
    scratch: &mut [T],
) -> (T, T) {
    let top = max(z, map);
    // τ ≥ top − sum, since the largest component alone would then make up the sum.
    let mut active = 0;
    let mut total = T::zero();
    for &v in z {
        let v = map(v) - top;
        scratch[active] = v;
        if v > -sum {
            active += 1;
            total += v;
        }
    }
    loop {
        let tau = (total - sum) / T::lit(active as f64);
        let candidates = active;
        active = 0;
        total = T::zero();
        for i in 0..candidates {
            let v = scratch[i];
            scratch[active] = v;
            if v > tau {
                active += 1;
                total += v;
            }
        }
        if active == candidates || active == 0 {
            // One correction removes the rounding of `total`, whose terms may exceed `sum`.
            let reached: T = scratch[..active].iter().map(|&v| v - tau).sum();
            return (top, tau + (reached - sum) / T::lit(candidates as f64));
        }
    }
}

/// The largest of map(z); −∞ of none.
pub(super) fn max<T: Real>(z: &[T], map: impl Fn(T) -> T + Copy) -> T {
    dispatch(|| {
        z.iter().fold(-T::INFINITY, |m, &v| {
            let v = map(v);
            if v > m { v } else { m }
        })
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

    #[test]
    fn far_away_points_keep_their_digits() {
        let mut x = [0.0; 3];
        Simplex::new(1.0).unwrap().prox_into(&[1e12, 1e12 + 0.5, -1e300], 1.0, &mut x);
        assert_eq!(x, [0.25, 0.75, 0.0]);
    }
}
