//! Proximal operators, prox_{γf}(z) = argmin_x f(x) + ‖x − z‖²/(2γ), with their derivatives. Floor 4.
//!
//! One file per operator; in `calculus`, functions made of functions. An operator that acts on each component
//! alone is written as scalar formulas (`separable`); the loops over slices exist once.
//!
//! Source: Parikh and Boyd, *Proximal Algorithms* (2014); thresholds as activations: \[LO\] II.C–D.

mod affine_set;
mod banded_quadratic;
mod box_constraint;
mod calculus;
mod elastic_net;
mod entropic;
mod group_norm;
mod huber;
mod l1_ball;
mod l2_ball;
mod l2_norm;
mod linf_norm;
mod log_sum;
mod non_negative;
mod nuclear_norm;
mod one_sided_soft_threshold;
mod scad;
mod separable;
mod simplex;
mod soft_threshold;
mod squared_l2;
#[cfg(test)]
mod tests;
mod total_variation;
mod weighted_l1;

pub use affine_set::AffineSet;
pub use banded_quadratic::BandedQuadratic;
pub use box_constraint::BoxConstraint;
pub use calculus::{
    ConjugateOf, MoreauEnvelope, PlusQuadratic, PrecomposedDiagonal, PrecomposedOrthogonal, Scaled,
    SeparableSum, Translated,
};
pub use elastic_net::ElasticNet;
pub use entropic::Entropic;
pub use group_norm::GroupNorm;
pub use huber::Huber;
pub use l1_ball::L1Ball;
pub use l2_ball::L2Ball;
pub use l2_norm::L2Norm;
pub use linf_norm::LInfinityNorm;
pub use log_sum::LogSum;
pub use non_negative::NonNegative;
pub use nuclear_norm::NuclearNorm;
pub use one_sided_soft_threshold::OneSidedSoftThreshold;
pub use scad::Scad;
pub use simplex::Simplex;
pub use soft_threshold::SoftThreshold;
pub use squared_l2::SquaredL2;
pub use total_variation::{DensityVariation, TotalVariation};
pub use weighted_l1::WeightedL1;

use crate::error::{Result, check_len};
use crate::linalg::{LANES, dispatch, dot};
use crate::real::Real;

/// A function f with a computable proximal operator, differentiable almost everywhere.
///
/// The same operator can be iterated (ISTA), relaxed, accelerated, unrolled and trained: its parameter
/// γ ≥ 0 is what a network learns as its threshold. Object-safe; slices of any length, or of the one
/// [`dimension`](Self::dimension) tells. A NaN in `z` gives
/// a NaN in the result, never a panic.
///
/// ```
/// use fredholm::{Prox, SoftThreshold};
/// let mut x = [0.0; 3];
/// let norm = SoftThreshold.prox_into(&[2.0, -0.5, -3.0], 1.0, &mut x);
/// assert_eq!(x, [1.0, 0.0, -2.0]);
/// assert_eq!(norm, 3.0); // f = ‖·‖₁ at the result
/// ```
///
/// # How to add a prox
///
/// 1. Make a file named after the function, with a type that holds its parameters. A constructor checks
///    them and returns a `Result`; the documentation gives f(x), the prox, its derivatives, the conjugate
///    and the source.
/// 2. Does φ act on each component alone, all alike? Implement `ScalarProx` in branch-free formulas (the
///    model is `soft_threshold`) and end with `separable_prox!(Type)`. If not, implement [`Prox`] on slices
///    (`l2_norm`). Either way write the derivatives next to the prox: by the argument (transposed, times an
///    upstream gradient) and by γ; at a kink take the flat side.
/// 3. State what is true and useful: `dimension` where it is fixed, `is_convex`, `is_indicator`,
///    `gradient_lipschitz`, and the conjugate where it has a formula, for duality gaps. Buffers come from
///    `crate::scratch::with_scratch`, so that nothing is allocated per call. A NaN gives a NaN, slices of the
///    wrong length the documented panic.
/// 4. Name the type in this module and in `lib.rs`.
/// 5. Add its line to `all` in `tests/cases.rs`: the operator, the proximal operator of its conjugate written
///    independently, and the distance of its kinks. That line runs the definition, Moreau's decomposition, firm
///    non-expansiveness, projections, Fenchel's equality, the Lipschitz constant, both derivatives against
///    finite differences, dirty buffers and all sizes, in both precisions:
///
/// ```text
/// case("squared l2", SquaredL2, |w, gamma| map(w, |w| w / (1 + 1 / gamma)), smooth),
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

    /// The length of the vectors it is made for; `None`: any. Iterations check it before they begin.
    fn dimension(&self) -> Option<usize> {
        None
    }

    /// Whether the operator acts on each component alone and on all alike, so that a batch of any layout
    /// may be handed to it as one long vector.
    fn is_separable(&self) -> bool {
        false
    }

    /// Whether f is convex.
    fn is_convex(&self) -> bool {
        true
    }

    /// Whether f takes the values 0 and +∞ only: the operator is then the projection on the set where f is
    /// 0, whatever γ.
    fn is_indicator(&self) -> bool {
        false
    }

    /// A Lipschitz constant of ∇f where f is differentiable everywhere and has one; `None` elsewhere. At a
    /// result x = prox_{γf}(z) of a differentiable f, ∇f(x) = (z − x)/γ.
    fn gradient_lipschitz(&self) -> Option<T> {
        None
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
            fn dimension(&self) -> Option<usize> {
                (**self).dimension()
            }
            fn is_separable(&self) -> bool {
                (**self).is_separable()
            }
            fn is_convex(&self) -> bool {
                (**self).is_convex()
            }
            fn is_indicator(&self) -> bool {
                (**self).is_indicator()
            }
            fn gradient_lipschitz(&self) -> Option<T> {
                (**self).gradient_lipschitz()
            }
            fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
                (**self).conjugate(y)
            }
        }
    )*};
}
forward_prox!(&P, Box<P>);

/// ‖x‖₂, without overflow or underflow on the way.
fn norm<T: Real>(x: &[T]) -> T {
    let square = dispatch(|| dot(x, x));
    if square.is_finite() && square > T::MIN_POSITIVE / T::EPSILON {
        return square.sqrt();
    }
    let top = simplex::max(x, |v| v.abs());
    if top <= T::zero() || !top.is_finite() {
        return square.sqrt();
    }
    let scaled: T = x.iter().map(|&v| (v / top) * (v / top)).sum();
    top * scaled.sqrt()
}

/// Σ x_i, in lanes.
fn sum<T: Real>(x: &[T], map: impl Fn(T) -> T + Copy) -> T {
    dispatch(|| {
        let mut lanes = [T::zero(); LANES];
        let (blocks, rest) = x.as_chunks::<LANES>();
        for block in blocks {
            for l in 0..LANES {
                lanes[l] += map(block[l]);
            }
        }
        lanes.into_iter().sum::<T>() + rest.iter().map(|&v| map(v)).sum::<T>()
    })
}

/// Fills `out` with NaN if `z` holds a NaN or an infinity: what operators that couple all components
/// make of it.
fn poisoned<T: Real>(z: &[T], out: &mut [T]) -> bool {
    let finite = sum(z, |v| T::zero() * v) == T::zero();
    if !finite {
        out.fill(T::zero() / T::zero());
    }
    !finite
}

/// `Err` unless `prox` takes vectors of `n` elements, those of `reference`.
pub(crate) fn check_dimension<T: Real, P: Prox<T> + ?Sized>(
    prox: &P,
    n: usize,
    reference: &'static str,
) -> Result<()> {
    prox.dimension().map_or(Ok(()), |dimension| check_len("prox", dimension, n, reference))
}

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
