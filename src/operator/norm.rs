//! The norm of an operator from a few of its products, with bounds.
//!
//! Source: Lanczos's iteration on AᵀA from a random vector; its probable error: Kuczyński and Woźniakowski,
//! *SIAM J. Matrix Anal. Appl.* 13, 1094 (1992), theorem 4.2.

use super::{LinearOperator, random};
use crate::error::{Error, Result, check_not_empty};
use crate::linalg::{dot, symmetric_eigen};
use crate::real::Real;
use nalgebra::DMatrix;
use rand::Rng;

/// The probability that [`NormEstimate::upper`] fails, over the random start.
const FAILURE: f64 = 1e-6;

/// Bounds of ‖A‖₂.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormEstimate<T = f64> {
    /// The norm is at least this (to rounding): the square root of the largest Ritz value of AᵀA.
    pub lower: T,
    /// The norm is at most this, but for a chance of 10⁻⁶ over the start: with θ the Ritz value of k steps,
    /// λ_max(AᵀA) ≤ θ/(1 − e), e = (ln(1.648 √n/10⁻⁶)/(2k − 1))². Infinite where e ≥ 1; equal to `lower` to
    /// rounding where the iteration has exhausted the space.
    pub upper: T,
}

/// Bounds the norm of `operator` by at most `steps` Lanczos steps: a product with A and one with Aᵀ each.
///
/// Keeps all vectors and orthogonalises against them, k·n numbers. 64 steps bound the norm to 1 %, for any A
/// with less than a thousand columns; fewer are wanted where the spectrum of singular values decays, as the
/// lower bound tells. For a dense kernel the step sizes of this crate use a bound that is certain.
///
/// # Errors
/// `steps` zero; an operator without rows or columns, or whose products are not finite.
pub fn estimate_norm<T: Real, R: Rng + ?Sized>(
    operator: &(impl LinearOperator<T> + ?Sized),
    steps: usize,
    rng: &mut R,
) -> Result<NormEstimate<T>> {
    let (m, n) = (operator.rows(), operator.columns());
    check_not_empty("steps", steps, 1)?;
    check_not_empty("operator", m.min(n), 1)?;
    let mut basis: Vec<Vec<T>> = Vec::new();
    let (mut diagonal, mut off) = (Vec::new(), Vec::new());
    let mut next: Vec<T> = random(n, rng);
    let mut image = vec![T::zero(); m];
    let mut exhausted = false;
    while basis.len() < steps && !exhausted {
        let length = dot(&next, &next).sqrt();
        let v: Vec<T> = next.iter().map(|&v| v / length).collect();
        operator.apply_into(&v, &mut image);
        operator.adjoint_into(&image, &mut next);
        let alpha = dot(&image, &image);
        if !alpha.is_finite() || next.iter().any(|v| !v.is_finite()) {
            let (argument, value) = ("product with `operator`", alpha.as_f64());
            return Err(Error::NonFinite { argument, index: None, value });
        }
        basis.push(v);
        diagonal.push(alpha);
        // Twice is enough.
        for _ in 0..2 {
            for v in &basis {
                let c = dot(v, &next);
                for (x, &v) in next.iter_mut().zip(v) {
                    *x -= c * v;
                }
            }
        }
        let beta = dot(&next, &next).sqrt();
        let scale = diagonal.iter().fold(T::zero(), |m, &a| if a > m { a } else { m });
        let rounding = T::lit(10.0 * n as f64) * T::EPSILON * scale;
        exhausted = basis.len() == n || beta <= rounding;
        off.push(beta);
    }
    let k = basis.len();
    let tridiagonal = DMatrix::from_fn(k, k, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => off[i.min(j)],
        _ => T::zero(),
    });
    let (ritz, _) = symmetric_eigen("Lanczos matrix", tridiagonal)?;
    let theta = if ritz[k - 1] > T::zero() { ritz[k - 1] } else { T::zero() };
    let error = ((1.648 * (n as f64).sqrt() / FAILURE).ln() / (2.0 * k as f64 - 1.0)).powi(2);
    let slack = T::one() + T::lit(10.0 * (m + n) as f64) * T::EPSILON;
    let upper = if exhausted {
        theta * slack
    } else if error < 1.0 {
        theta * slack / T::lit(1.0 - error)
    } else {
        T::INFINITY
    };
    Ok(NormEstimate { lower: theta.sqrt(), upper: upper.sqrt() })
}
