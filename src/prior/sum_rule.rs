//! An entropy on the plane Σh = N: the exact sum rule.
//!
//! φ_N = φ where Σh = N, +∞ elsewhere. Its conjugate is φ_N*(u) = min_t φ*(u + t) − tN, with gradient
//! h = ∇φ*(u + t) at the t that meets the sum: for Skilling's entropy N·softmax(ln d + u). Nothing in the dual, its
//! certificate or N_good changes, but that Newton's steps obey Σ dh = 0.

use super::{Legendre, Prior};
use crate::error::{Error, Result, check_positive, check_scalar};
use crate::linalg::SymmetricBand;
use crate::real::Real;
use crate::scratch::with_scratch;
use std::sync::Arc;

/// A change of u by more than this between any two weights is cut short: e¹⁰⁰ is no step.
const LARGEST_SPREAD: f64 = 100.0;

/// An entropy with Σh fixed, exactly.
///
/// [`MaxEnt::fix_norm`](crate::MaxEnt::fix_norm) makes one of the entropy in use.
#[derive(Debug, Clone)]
pub struct SumRule<T: Real = f64> {
    entropy: Arc<dyn Legendre<T>>,
    sum: T,
}

impl<T: Real> SumRule<T> {
    /// `entropy` where Σh = `sum`.
    ///
    /// # Errors
    /// A sum that is not finite, or not positive for an entropy of positive weights; an entropy that does
    /// not offer [`conjugate_gradient_of_sum`](Legendre::conjugate_gradient_of_sum).
    pub fn new(entropy: Arc<dyn Legendre<T>>, sum: T) -> Result<Self> {
        check_scalar("sum", sum)?;
        if entropy.is_positive() {
            check_positive("sum", sum)?;
        }
        let n = entropy.dim();
        let (u, mut h) = (vec![T::zero(); n], vec![T::zero(); n]);
        if entropy.fixes_sum() || entropy.conjugate_gradient_of_sum(&u, sum, &mut h).is_none() {
            return Err(Error::Unsupported {
                argument: "entropy",
                value: "a scaled prior without the sum rule",
                expected: "one that offers conjugate_gradient_of_sum",
            });
        }
        Ok(SumRule { entropy, sum })
    }
}

impl<T: Real> Prior<T> for SumRule<T> {
    fn dim(&self) -> usize {
        self.entropy.dim()
    }

    fn value(&self, h: &[T]) -> T {
        self.entropy.value(h)
    }

    /// Up to a multiple of (1, …, 1).
    fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]) {
        self.entropy.add_gradient(h, weight, out);
    }

    fn add_hessian(&self, h: &[T], weight: T, out: &mut SymmetricBand<T>) {
        self.entropy.add_hessian(h, weight, out);
    }

    fn is_convex(&self) -> bool {
        true
    }
}

impl<T: Real> Legendre<T> for SumRule<T> {
    fn conjugate_gradient(&self, u: &[T], h: &mut [T]) {
        if self.entropy.conjugate_gradient_of_sum(u, self.sum, h).is_none() {
            h.fill(T::INFINITY);
        }
    }

    /// min_t φ(h) + φ*(u + t) − h·(u + t): every t gives a bound.
    fn divergence(&self, h: &[T], delta: &[T]) -> T {
        let n = h.len();
        with_scratch(2 * n, |buffer: &mut [T]| {
            let (shifted, k) = buffer.split_at_mut(n);
            shifted.copy_from_slice(delta);
            self.entropy.add_gradient(h, T::one(), shifted);
            let t = self.entropy.conjugate_gradient_of_sum(shifted, self.sum, k);
            let Some(t) = t.filter(|t| t.is_finite()) else { return T::INFINITY };
            for (s, &d) in shifted.iter_mut().zip(delta) {
                *s = d + t;
            }
            self.entropy.divergence(h, shifted)
        })
    }

    /// u matters only up to a constant.
    fn step_limit(&self, _u: &[T], du: &[T]) -> T {
        let ends = du.iter().fold((T::INFINITY, -T::INFINITY), |(low, high), &u| {
            (if u < low { u } else { low }, if u > high { u } else { high })
        });
        let spread = ends.1 - ends.0;
        let cap = T::lit(LARGEST_SPREAD);
        if spread > cap { cap / spread } else { T::one() }
    }

    fn scale(&self, h: &[T]) -> T {
        self.entropy.scale(h)
    }

    fn distance_bound(&self, scale: T, divergence: T) -> Option<T> {
        self.entropy.distance_bound_of_sum(scale, divergence)
    }

    fn is_positive(&self) -> bool {
        self.entropy.is_positive()
    }

    fn fixes_sum(&self) -> bool {
        true
    }
}
