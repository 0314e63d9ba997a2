//! The largest magnitude, by the projection on an ℓ¹ ball (Moreau's decomposition).

use super::simplex::{max, threshold};
use super::{Conjugate, Prox, check_lengths, sum};
use crate::linalg::dispatch;
use crate::real::Real;

/// f(x) = max_i |x_i|; prox_{γf}(z) clamps z to [−τ, τ] with the τ that gives Σ max(|z_i| − τ, 0) = γ, and is
/// zero where ‖z‖₁ ≤ γ.
///
/// On the k components |z| > τ with signs s the vector–Jacobian product is s (s·u)/k, elsewhere u;
/// ∂/∂γ: −(s·u)/k. Convex.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LInfinityNorm;

impl<T: Real> Prox<T> for LInfinityNorm {
    fn value(&self, x: &[T]) -> T {
        let top = max(x, |v| v.abs());
        if top > T::zero() { top } else { T::zero() }
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        if gamma <= T::zero() {
            out.copy_from_slice(z);
            return self.value(z);
        }
        if sum(z, |v| v.abs()) <= gamma {
            out.fill(T::zero());
            return T::zero();
        }
        let (top, tau) = threshold(z, |v| v.abs(), gamma, out);
        let level = top + tau;
        dispatch(|| {
            for (&z, out) in z.iter().zip(&mut *out) {
                let below = if z > level { level } else { z };
                *out = if below < -level { -level } else { below };
            }
        });
        level
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        if gamma <= T::zero() {
            grad.copy_from_slice(upstream);
            return T::zero();
        }
        if sum(z, |v| v.abs()) <= gamma {
            grad.fill(T::zero());
            return T::zero();
        }
        let (top, tau) = threshold(z, |v| v.abs(), gamma, grad);
        let level = top + tau;
        let (mut k, mut total) = (0, T::zero());
        for (&z, &u) in z.iter().zip(upstream).filter(|(z, _)| z.abs() > level) {
            k += 1;
            total += if z < T::zero() { -u } else { u };
        }
        let mean = total / T::lit(k.max(1) as f64);
        for ((&z, &u), grad) in z.iter().zip(upstream).zip(grad) {
            let clamped = if z < T::zero() { -mean } else { mean };
            *grad = if z.abs() > level { clamped } else { u };
        }
        -mean
    }

    /// The indicator of ‖y‖₁ ≤ 1.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        let size = sum(y, |v| v.abs());
        let scale = if size > T::one() { T::one() / size } else { T::one() };
        Some(Conjugate { scale, value: T::zero() })
    }
}
