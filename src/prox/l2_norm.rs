//! The Euclidean norm: all components or none.

use super::{Conjugate, Prox, check_lengths, norm};
use crate::linalg::{dispatch, dot};
use crate::real::Real;

/// f(x) = ‖x‖₂; prox_{γf}(z) = max(1 − γ/‖z‖, 0) z, block soft thresholding.
///
/// With n = z/‖z‖ and ‖z‖ > γ: ∂/∂z = (1 − γ/‖z‖) I + (γ/‖z‖) n nᵀ, ∂/∂γ = −n; zero otherwise. Convex.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L2Norm;

impl<T: Real> Prox<T> for L2Norm {
    fn value(&self, x: &[T]) -> T {
        norm(x)
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let size = norm(z);
        if size <= gamma {
            out.fill(T::zero());
            return T::zero();
        }
        let factor = T::one() - gamma / size;
        dispatch(|| {
            for (&z, out) in z.iter().zip(&mut *out) {
                *out = factor * z;
            }
        });
        size - gamma
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        let size = norm(z);
        if size <= gamma {
            grad.fill(T::zero());
            return T::zero();
        }
        let along = dispatch(|| dot(z, upstream)) / size;
        let (ratio, along_z) = (gamma / size, along / size);
        dispatch(|| {
            for ((&z, &u), grad) in z.iter().zip(upstream).zip(&mut *grad) {
                *grad = u + ratio * (along_z * z - u);
            }
        });
        -along
    }

    /// The indicator of ‖y‖ ≤ 1.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        let size = norm(y);
        let scale = if size > T::one() { T::one() / size } else { T::one() };
        Some(Conjugate { scale, value: T::zero() })
    }
}
