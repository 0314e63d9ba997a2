//! Skilling's entropy relative to a default model.
//!
//! φ(h) = Σ [h ln(h/d) − h + d] = −S ≥ 0, zero at h = d; ∇φ = ln(h/d), ∇²φ = diag(1/h), ∇φ*(u) = d e^u.
//! The kinetic-maxent paper writes S = −Σ h ln(h/d) and renormalises instead.

use super::exponential::{
    distance_between, exp_shifted, exponent_limit, relative_entropy, weighted_excess,
};
use super::{Legendre, Prior};
use crate::error::{Result, check_all_positive, check_not_empty};
use crate::linalg::{SymmetricBand, exp, sum as sum_in_lanes};
use crate::real::Real;

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
        h.iter().zip(&self.default).map(|(&h, &d)| relative_entropy(h, d)).sum()
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
        weighted_excess(h, delta)
    }

    fn step_limit(&self, u: &[T], du: &[T]) -> T {
        exponent_limit(u, du)
    }

    /// Σh.
    fn scale(&self, h: &[T]) -> T {
        sum_in_lanes(h)
    }

    fn distance_bound(&self, scale: T, divergence: T) -> Option<T> {
        Some(distance_between(scale, divergence))
    }

    /// h = sum·softmax(ln d + u).
    fn conjugate_gradient_of_sum(&self, u: &[T], sum: T, h: &mut [T]) -> Option<T> {
        let top = u.iter().fold(-T::INFINITY, |m, &u| if u > m { u } else { m });
        exp_shifted(u, -top, &self.default, h);
        let factor = sum / sum_in_lanes(h);
        for h in h {
            *h *= factor;
        }
        Some(factor.ln() - top)
    }

    /// Pinsker's inequality, ‖h − h*‖₁² ≤ 2·sum·divergence.
    fn distance_bound_of_sum(&self, scale: T, divergence: T) -> Option<T> {
        Some((T::lit(2.0) * scale * divergence).sqrt())
    }
}
