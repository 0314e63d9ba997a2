//! Skilling's entropy relative to a default model.
//!
//! φ(h) = Σ [h ln(h/d) − h + d] = −S ≥ 0, zero at h = d; ∇φ = ln(h/d), ∇²φ = diag(1/h), ∇φ*(u) = d e^u.
//! The kinetic-maxent paper writes S = −Σ h ln(h/d) and renormalises instead.

use super::{Legendre, Prior};
use crate::error::{Result, check_all_positive, check_not_empty};
use crate::linalg::{SymmetricBand, exp};
use crate::real::Real;

/// Exponents beyond this are not stepped into: e⁵⁰ times the default model is no spectrum.
const LARGEST_EXPONENT: f64 = 50.0;

/// φ(h) = Σ [h ln(h/d) − h + d], minus the entropy S of weights h relative to default weights d.
#[derive(Debug, Clone, PartialEq)]
pub struct Entropy<T = f64> {
    default: Vec<T>,
}

impl<T: Real> Entropy<T> {
    /// Relative to default weights d_j = D(ω_j) Δω_j.
    ///
    /// # Errors
    /// Empty, non-finite or non-positive weights.
    pub fn new(default_weights: impl Into<Vec<T>>) -> Result<Self> {
        let default = default_weights.into();
        check_not_empty("default_weights", default.len(), 1)?;
        check_all_positive("default_weights", &default)?;
        Ok(Entropy { default })
    }

    /// The default weights d.
    pub fn default_weights(&self) -> &[T] {
        &self.default
    }
}

impl<T: Real> Prior<T> for Entropy<T> {
    fn dim(&self) -> usize {
        self.default.len()
    }

    fn value(&self, h: &[T]) -> T {
        let term = |(&h, &d): (&T, &T)| {
            // h ln(h/d) − h + d = d ((1 + x) ln(1 + x) − x), which keeps its digits near x = 0.
            let x = (h - d) / d;
            let log = if x.abs() < T::lit(0.5) { x.ln_1p() } else { (h / d).ln() };
            if h <= T::zero() { d } else { h * log - (h - d) }
        };
        h.iter().zip(&self.default).map(term).sum()
    }

    fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]) {
        for ((o, &h), &d) in out.iter_mut().zip(h).zip(&self.default) {
            *o += weight * (h / d).ln();
        }
    }

    fn add_hessian(&self, h: &[T], weight: T, out: &mut SymmetricBand<T>) {
        for (j, &h) in h.iter().enumerate() {
            out.add(j, j, weight / h);
        }
    }

    fn is_convex(&self) -> bool {
        true
    }
}

impl<T: Real> Legendre<T> for Entropy<T> {
    fn conjugate_gradient(&self, u: &[T], h: &mut [T]) {
        exp(u, &self.default, h);
    }

    fn conjugate_curvature(&self, h: &[T], out: &mut [T]) {
        out.copy_from_slice(h);
    }

    /// Σ [h u − h + d].
    fn value_at(&self, u: &[T], h: &[T]) -> T {
        // h may be a weight below which exp does not go; there h u is nothing.
        let term = |((&u, &h), &d)| {
            let u = if u < -T::lit(500.0) { -T::lit(500.0) } else { u };
            h * u - (h - d)
        };
        u.iter().zip(h).zip(&self.default).map(term).sum()
    }

    /// Σ h (e^δ − 1 − δ).
    fn divergence(&self, h: &[T], delta: &[T]) -> T {
        let excess = |&x: &T| {
            if x.abs() < T::lit(1e-2) {
                let c = |k: f64| T::one() / T::lit(k);
                T::lit(0.5)
                    * x
                    * x
                    * (T::one()
                        + x * c(3.0)
                            * (T::one()
                                + x * c(4.0)
                                    * (T::one()
                                        + x * c(5.0)
                                            * (T::one() + x * c(6.0) * (T::one() + x * c(7.0))))))
            } else {
                x.exp_m1() - x
            }
        };
        h.iter().zip(delta).map(|(&h, x)| h * excess(x)).sum()
    }

    fn step_limit(&self, u: &[T], du: &[T]) -> T {
        let cap = T::lit(LARGEST_EXPONENT);
        let mut limit = T::one();
        for (&u, &du) in u.iter().zip(du) {
            if u + du > cap && du > T::zero() {
                // Where the cap is reached already, creep.
                let t = if u < cap - T::one() { (cap - u) / du } else { T::one() / du };
                limit = if t < limit { t } else { limit };
            }
        }
        limit
    }

    /// From (x − y)² ≤ (⅔x + 4⁄3 y)(x ln(x/y) − x + y), Cauchy's inequality and Σh* ≤ Σh + ‖h − h*‖₁: with
    /// κ the divergence, ‖h − h*‖₁ ≤ ⅔κ + √(4⁄9 κ² + 2 norm κ).
    fn distance_bound(&self, norm: T, divergence: T) -> Option<T> {
        let x = T::lit(2.0 / 3.0) * divergence;
        Some(x + (x * x + T::lit(2.0) * norm * divergence).sqrt())
    }
}
