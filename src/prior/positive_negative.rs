//! The entropy of a spectrum of either sign, as the difference of two positive ones.
//!
//! A = A₊ − A₋ with default models D₊, D₋ and Skilling's entropy of each, maximised over the splitting: with
//! s = √(h² + 4d₊d₋), φ(h) = −S = Σ [d₊ + d₋ − s + h u], u = ∇φ = ln((s + h)/2d₊), ∇²φ = diag(1/s),
//! ∇φ*(u) = d₊e^u − d₋e^{−u}. Source: Gull and Skilling (1999), MemSys5 users' manual; Kraberger,
//! Triebl, Zingl and Aichhorn, Phys. Rev. B 96, 155128 (2017), for off-diagonal Green's functions.

use super::exponential::{distance_between, excess, exp_shifted, exponent_limit, relative_entropy};
use super::{Legendre, Prior};
use crate::error::{Result, check_all_positive, check_len, check_not_empty};
use crate::linalg::SymmetricBand;
use crate::real::Real;

/// Minus the positive–negative entropy, Σ [d₊ + d₋ − √(h² + 4d₊d₋) + h u]: for off-diagonal elements of
/// matrix-valued spectra, and any other density without a sign.
///
/// With p = d₊e^u and m = d₋e^{−u}, so that h = p − m and pm = d₊d₋, it is the relative entropy of (p, m) with
/// respect to (d₊, d₋): zero at h = d₊ − d₋, and the certificate's bound is that of a positive spectrum of
/// weights (p, m).
#[derive(Debug, Clone, PartialEq)]
pub struct PositiveNegativeEntropy<T = f64> {
    positive: Vec<T>,
    negative: Vec<T>,
    /// 2√(d₊d₋).
    width: Vec<T>,
}

impl<T: Real> PositiveNegativeEntropy<T> {
    /// Relative to default weights d± = D± Δω of the positive and the negative part.
    ///
    /// # Errors
    /// Empty, non-finite or non-positive weights; two lengths.
    pub fn new(positive: impl Into<Vec<T>>, negative: impl Into<Vec<T>>) -> Result<Self> {
        let (positive, negative) = (positive.into(), negative.into());
        check_not_empty("positive", positive.len(), 1)?;
        check_len("negative", negative.len(), positive.len(), "`positive`")?;
        check_all_positive("positive", &positive)?;
        check_all_positive("negative", &negative)?;
        let root = |(&p, &m): (&T, &T)| T::lit(2.0) * p.sqrt() * m.sqrt();
        let width = positive.iter().zip(&negative).map(root).collect();
        Ok(PositiveNegativeEntropy { positive, negative, width })
    }

    /// The same default model for both parts: the spectrum is expected to be zero.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn symmetric(default_weights: impl Into<Vec<T>>) -> Result<Self> {
        let default = default_weights.into();
        Self::new(default.clone(), default)
    }

    /// The parts p and m of h = p − m, of which the entropy is a sum.
    fn parts(&self, j: usize, h: T) -> (T, T) {
        let c = self.width[j];
        let large = T::lit(0.5) * (h.hypot(c) + h.abs());
        let small = T::lit(0.5) * c * (T::lit(0.5) * c / large);
        if h < T::zero() { (small, large) } else { (large, small) }
    }

    /// Writes d₊e^v − d₋e^{−v} with e^v = `factor`·e^{u + shift}.
    fn difference(&self, u: &[T], shift: T, factor: T, h: &mut [T]) {
        exp_shifted(u, shift, &self.positive, h);
        for (h, (&p, &m)) in h.iter_mut().zip(self.positive.iter().zip(&self.negative)) {
            let up = *h * factor;
            *h = up - m * (p / up);
        }
    }
}

impl<T: Real> Prior<T> for PositiveNegativeEntropy<T> {
    fn dim(&self) -> usize {
        self.positive.len()
    }

    fn value(&self, h: &[T]) -> T {
        let term = |(j, &h): (usize, &T)| {
            let (p, m) = self.parts(j, h);
            relative_entropy(p, self.positive[j]) + relative_entropy(m, self.negative[j])
        };
        h.iter().enumerate().map(term).sum()
    }

    fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]) {
        for (j, (o, &h)) in out.iter_mut().zip(h).enumerate() {
            let (p, m) = self.parts(j, h);
            let u = if h < T::zero() {
                (self.negative[j] / m).ln()
            } else {
                (p / self.positive[j]).ln()
            };
            *o += weight * u;
        }
    }

    fn add_hessian(&self, h: &[T], weight: T, out: &mut SymmetricBand<T>) {
        for (j, (&h, &c)) in h.iter().zip(&self.width).enumerate() {
            out.add(j, j, weight / h.hypot(c));
        }
    }

    fn is_convex(&self) -> bool {
        true
    }
}

impl<T: Real> Legendre<T> for PositiveNegativeEntropy<T> {
    fn conjugate_gradient(&self, u: &[T], h: &mut [T]) {
        self.difference(u, T::zero(), T::one(), h);
    }

    /// Σ [p (e^δ − 1 − δ) + m (e^{−δ} − 1 + δ)].
    fn divergence(&self, h: &[T], delta: &[T]) -> T {
        let term = |(j, (&h, &x)): (usize, (&T, &T))| {
            let (p, m) = self.parts(j, h);
            p * excess(x) + m * excess(-x)
        };
        h.iter().zip(delta).enumerate().map(term).sum()
    }

    /// Either part may grow.
    fn step_limit(&self, u: &[T], du: &[T]) -> T {
        let mut limit = T::one();
        for (u, du) in u.iter().zip(du) {
            let (up, down) = (exponent_limit(&[*u], &[*du]), exponent_limit(&[-*u], &[-*du]));
            let least = if up < down { up } else { down };
            limit = if least < limit { least } else { limit };
        }
        limit
    }

    /// Σ √(h² + 4d₊d₋) = Σ (p + m).
    fn scale(&self, h: &[T]) -> T {
        h.iter().zip(&self.width).map(|(&h, &c)| h.hypot(c)).sum()
    }

    /// The divergence is the relative entropy of (p, m) and (p*, m*), and |h − h*| = |p − p*| + |m − m*|, since p
    /// and m change in opposite directions: the bound of positive spectra with Σ(p + m) in place of Σh.
    fn distance_bound(&self, scale: T, divergence: T) -> Option<T> {
        Some(distance_between(scale, divergence))
    }

    fn is_positive(&self) -> bool {
        false
    }

    /// e^t is the positive root of P x² − sum·x − M = 0 with P = Σ d₊e^u, M = Σ d₋e^{−u}.
    fn conjugate_gradient_of_sum(&self, u: &[T], sum: T, h: &mut [T]) -> Option<T> {
        let ends = u.iter().fold((T::INFINITY, -T::INFINITY), |(low, high), &u| {
            (if u < low { u } else { low }, if u > high { u } else { high })
        });
        let centre = T::lit(0.5) * (ends.0 + ends.1);
        exp_shifted(u, -centre, &self.positive, h);
        let (mut up, mut down) = (T::zero(), T::zero());
        for (&h, (&p, &m)) in h.iter().zip(self.positive.iter().zip(&self.negative)) {
            up += h;
            down += m * (p / h);
        }
        let root = sum.hypot(T::lit(2.0) * up.sqrt() * down.sqrt());
        let x = if sum < T::zero() {
            T::lit(2.0) * down / (root - sum)
        } else {
            (root + sum) / (T::lit(2.0) * up)
        };
        self.difference(u, -centre, x, h);
        Some(x.ln() - centre)
    }
}
