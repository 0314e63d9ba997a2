//! Separable functions f(x) = Σ φ(x_i): scalar formulas, and the loops that apply them to slices.

use super::{Conjugate, check_lengths, sum};
use crate::linalg::{Vectorise, dispatch};
use crate::real::Real;

/// The formulas of one component. All are branch-free selections, so that the loops vectorise.
pub(super) trait ScalarProx<T: Real> {
    /// Whether φ is convex. Where it is not, the conjugate is not asked for.
    const IS_CONVEX: bool = true;
    /// Whether φ is 0 or +∞.
    const IS_INDICATOR: bool = false;
    /// The Lipschitz constant of φ′ where φ is differentiable everywhere.
    fn gradient_lipschitz(&self) -> Option<T> {
        None
    }
    /// φ(x).
    fn value(&self, x: T) -> T;
    /// prox_{γφ}(z).
    fn prox(&self, z: T, gamma: T) -> T;
    /// (∂prox/∂z, ∂prox/∂γ); at a kink, on the flat side.
    fn derivative(&self, z: T, gamma: T) -> (T, T);
    /// The largest s in [0, 1] with s·y in the domain of φ*.
    fn conjugate_scale(&self, _y: T) -> T {
        T::one()
    }
    /// φ*(y) for y in its domain.
    fn conjugate(&self, y: T) -> T;
}

/// Elements a block: independent partial sums, so that a reduction vectorises. Fewer, and the compiler
/// unrolls the inner loops before it could. Results and sums are separate loops for the same reason: fused,
/// the partial sums spill to memory and the loop takes twice as long.
const LANES: usize = 32;

pub(super) fn value<T: Real>(op: &impl ScalarProx<T>, x: &[T]) -> T {
    sum(x, |x| op.value(x))
}

pub(super) fn prox_into<T: Real>(
    op: &(impl ScalarProx<T> + Copy),
    z: &[T],
    gamma: T,
    out: &mut [T],
) -> T {
    check_lengths(z.len(), &[out.len()]);
    dispatch(Forward { op: *op, z, gamma, out })
}

pub(super) fn prox_vjp<T: Real>(
    op: &(impl ScalarProx<T> + Copy),
    z: &[T],
    gamma: T,
    upstream: &[T],
    grad: &mut [T],
) -> T {
    check_lengths(z.len(), &[upstream.len(), grad.len()]);
    dispatch(Backward { op: *op, z, gamma, upstream, grad })
}

/// The loop of [`prox_into`].
struct Forward<'a, T, S> {
    op: S,
    z: &'a [T],
    gamma: T,
    out: &'a mut [T],
}

impl<T: Real, S: ScalarProx<T>> Vectorise for Forward<'_, T, S> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        let Forward { op, z, gamma, out } = self;
        let mut sums = [T::zero(); LANES];
        let (blocks, rest) = z.as_chunks::<LANES>();
        let (outs, rest_out) = out.as_chunks_mut::<LANES>();
        for (z, out) in blocks.iter().zip(outs) {
            *out = z.map(|z| op.prox(z, gamma));
            for i in 0..LANES {
                sums[i] += op.value(out[i]);
            }
        }
        let mut total: T = sums.into_iter().sum();
        for (&z, out) in rest.iter().zip(rest_out) {
            *out = op.prox(z, gamma);
            total += op.value(*out);
        }
        total
    }
}

/// The loop of [`prox_vjp`].
struct Backward<'a, T, S> {
    op: S,
    z: &'a [T],
    gamma: T,
    upstream: &'a [T],
    grad: &'a mut [T],
}

impl<T: Real, S: ScalarProx<T>> Vectorise for Backward<'_, T, S> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        let Backward { op, z, gamma, upstream, grad } = self;
        let mut sums = [T::zero(); LANES];
        let (blocks, rest) = z.as_chunks::<LANES>();
        let (ups, rest_up) = upstream.as_chunks::<LANES>();
        let (grads, rest_grad) = grad.as_chunks_mut::<LANES>();
        for ((z, u), grad) in blocks.iter().zip(ups).zip(grads) {
            for i in 0..LANES {
                grad[i] = u[i] * op.derivative(z[i], gamma).0;
            }
            for i in 0..LANES {
                sums[i] += u[i] * op.derivative(z[i], gamma).1;
            }
        }
        let mut total: T = sums.into_iter().sum();
        for ((&z, &u), grad) in rest.iter().zip(rest_up).zip(rest_grad) {
            let (by_z, by_gamma) = op.derivative(z, gamma);
            *grad = u * by_z;
            total += u * by_gamma;
        }
        total
    }
}

pub(super) fn conjugate<T: Real>(op: &impl ScalarProx<T>, y: &[T]) -> Conjugate<T> {
    let scale = y.iter().fold(T::one(), |least, &y| {
        let scale = op.conjugate_scale(y);
        if scale < least { scale } else { least }
    });
    let value = y.iter().map(|&y| op.conjugate(scale * y)).sum();
    Conjugate { scale, value }
}

/// Makes a type with scalar formulas a proximal operator.
macro_rules! separable_prox {
    ($operator:ty) => {
        impl<T: Real> crate::prox::Prox<T> for $operator {
            fn value(&self, x: &[T]) -> T {
                crate::prox::separable::value(self, x)
            }
            fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
                crate::prox::separable::prox_into(self, z, gamma, out)
            }
            fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
                crate::prox::separable::prox_vjp(self, z, gamma, upstream, grad)
            }
            fn is_separable(&self) -> bool {
                true
            }
            fn is_convex(&self) -> bool {
                <Self as ScalarProx<T>>::IS_CONVEX
            }
            fn is_indicator(&self) -> bool {
                <Self as ScalarProx<T>>::IS_INDICATOR
            }
            fn gradient_lipschitz(&self) -> Option<T> {
                ScalarProx::gradient_lipschitz(self)
            }
            fn conjugate(&self, y: &[T]) -> Option<crate::prox::Conjugate<T>> {
                let convex = <Self as ScalarProx<T>>::IS_CONVEX;
                convex.then(|| crate::prox::separable::conjugate(self, y))
            }
        }
    };
}
pub(super) use separable_prox;
