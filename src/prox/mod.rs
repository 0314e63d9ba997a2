//! Proximal operators, prox_{γf}(z) = argmin_x f(x) + ‖x − z‖²/(2γ), with their derivatives. Floor 4.
//!
//! One file per operator. An operator that acts on each component alone is written as scalar formulas
//! (`separable`); the loops over slices exist once.
//!
//! Source: Parikh and Boyd, *Proximal Algorithms* (2014); thresholds as activations: \[LO\] II.C–D.

mod box_constraint;
mod non_negative;
mod one_sided_soft_threshold;
mod separable;
mod simplex;
mod soft_threshold;
#[cfg(test)]
mod tests;

pub use box_constraint::BoxConstraint;
pub use non_negative::NonNegative;
pub use one_sided_soft_threshold::OneSidedSoftThreshold;
pub use simplex::Simplex;
pub use soft_threshold::SoftThreshold;

use crate::real::Real;

/// A function f with a computable proximal operator, differentiable almost everywhere.
///
/// The same operator can be iterated (ISTA), relaxed, accelerated, unrolled and trained: its parameter
/// γ ≥ 0 is what a network learns as its threshold. Object-safe; slices of any length. A NaN in `z` gives
/// a NaN in the result, never a panic.
///
/// ```
/// use fredholm::{Prox, SoftThreshold};
/// let mut x = [0.0; 3];
/// let norm = SoftThreshold.prox_into(&[2.0, -0.5, -3.0], 1.0, &mut x);
/// assert_eq!(x, [1.0, 0.0, -2.0]);
/// assert_eq!(norm, 3.0); // f = ‖·‖₁ at the result
/// ```
pub trait Prox<T: Real>: Send + Sync {
    /// f(x); +∞ outside the domain of f.
    fn value(&self, x: &[T]) -> T;

    /// Writes prox_{γf}(z) into `out` and returns f there.
    ///
    /// # Panics
    /// If `out` has another length than `z`.
    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T;

    /// Vector–Jacobian product: writes (∂prox_{γf}(z)/∂z)ᵀ u into `grad` and returns
    /// u·∂prox_{γf}(z)/∂γ, for the upstream gradient u. At a kink, the derivative on the flat side.
    ///
    /// # Panics
    /// If `upstream` or `grad` has another length than `z`.
    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T;

    /// Whether the operator acts on each component alone and on all alike, so that a batch of any layout
    /// may be handed to it as one long vector.
    fn is_separable(&self) -> bool {
        false
    }

    /// Whether f is convex.
    fn is_convex(&self) -> bool {
        true
    }

    /// The convex conjugate f*(y) = sup_x x·y − f(x) along the ray through `y`; `None` where it is not
    /// known. A duality gap is made of it.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        let _ = y;
        None
    }
}

/// Value of a convex conjugate f* at the largest multiple of a point y, up to y itself, where it is
/// finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conjugate<T = f64> {
    /// The largest s in \[0, 1\] with s·y in the domain of f*.
    pub scale: T,
    /// f*(s·y).
    pub value: T,
}

/// A borrowed or boxed operator is an operator.
macro_rules! forward_prox {
    ($($pointer:ty),*) => {$(
        impl<T: Real, P: Prox<T> + ?Sized> Prox<T> for $pointer {
            fn value(&self, x: &[T]) -> T {
                (**self).value(x)
            }
            fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
                (**self).prox_into(z, gamma, out)
            }
            fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
                (**self).prox_vjp(z, gamma, upstream, grad)
            }
            fn is_separable(&self) -> bool {
                (**self).is_separable()
            }
            fn is_convex(&self) -> bool {
                (**self).is_convex()
            }
            fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
                (**self).conjugate(y)
            }
        }
    )*};
}
forward_prox!(&P, Box<P>);

/// The documented panic of an operator handed slices of different lengths.
fn check_lengths(z: usize, others: &[usize]) {
    #[cold]
    #[inline(never)]
    fn mismatch(z: usize, other: usize) -> ! {
        panic!("a proximal operator was handed slices of lengths {z} and {other}")
    }
    if let Some(&other) = others.iter().find(|&&n| n != z) {
        mismatch(z, other);
    }
}
