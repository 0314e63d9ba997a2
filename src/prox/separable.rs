//! Separable functions f(x) = Σ φ(x_i): scalar formulas, and the loops that apply them to slices.

use super::{Conjugate, check_lengths};
use crate::linalg::dispatch;
use crate::real::Real;

/// The formulas of one component. All are branch-free selections, so that the loops vectorise.
pub(super) trait ScalarProx<T: Real> {
    /// φ(x).
    fn value(&self, x: T) -> T;
    /// prox_{γφ}(z).
    fn prox(&self, z: T, gamma: T) -> T;
    /// (∂prox/∂z, ∂prox/∂γ); at a kink, on the flat side.
    fn derivative(&self, z: T, gamma: T) -> (T, T);
    /// The largest s in [0, 1] with s·y in the domain of φ*.
    fn conjugate_scale(&self, y: T) -> T;
    /// φ*(y) for y in its domain.
    fn conjugate(&self, y: T) -> T;
}

/// Independent partial sums, so that a reduction fills a vector register.
const LANES: usize = 16;

pub(super) fn value<T: Real>(op: &impl ScalarProx<T>, x: &[T]) -> T {
    dispatch(|| {
        let mut sums = [T::zero(); LANES];
        let blocks = x.chunks_exact(LANES);
        let tail: T = blocks.remainder().iter().map(|&v| op.value(v)).sum();
        for block in blocks {
            for (sum, &v) in sums.iter_mut().zip(block) {
                *sum += op.value(v);
            }
        }
        sums.into_iter().sum::<T>() + tail
    })
}

pub(super) fn prox_into<T: Real>(op: &impl ScalarProx<T>, z: &[T], gamma: T, out: &mut [T]) -> T {
    check_lengths(z.len(), &[out.len()]);
    dispatch(|| {
        let mut sums = [T::zero(); LANES];
        let mut outs = out.chunks_exact_mut(LANES);
        let blocks = z.chunks_exact(LANES);
        let rest = blocks.remainder();
        for (block, out) in blocks.zip(&mut outs) {
            for ((sum, &z), out) in sums.iter_mut().zip(block).zip(out) {
                *out = op.prox(z, gamma);
                *sum += op.value(*out);
            }
        }
        let mut total: T = sums.into_iter().sum();
        for (&z, out) in rest.iter().zip(outs.into_remainder()) {
            *out = op.prox(z, gamma);
            total += op.value(*out);
        }
        total
    })
}

pub(super) fn prox_vjp<T: Real>(
    op: &impl ScalarProx<T>,
    z: &[T],
    gamma: T,
    upstream: &[T],
    grad: &mut [T],
) -> T {
    check_lengths(z.len(), &[upstream.len(), grad.len()]);
    dispatch(|| {
        let mut sums = [T::zero(); LANES];
        let mut grads = grad.chunks_exact_mut(LANES);
        let (blocks, ups) = (z.chunks_exact(LANES), upstream.chunks_exact(LANES));
        let (rest, rest_ups) = (blocks.remainder(), ups.remainder());
        for ((block, up), grad) in blocks.zip(ups).zip(&mut grads) {
            for (((sum, &z), &u), grad) in sums.iter_mut().zip(block).zip(up).zip(grad) {
                let (by_z, by_gamma) = op.derivative(z, gamma);
                *grad = u * by_z;
                *sum += u * by_gamma;
            }
        }
        let mut total: T = sums.into_iter().sum();
        for ((&z, &u), grad) in rest.iter().zip(rest_ups).zip(grads.into_remainder()) {
            let (by_z, by_gamma) = op.derivative(z, gamma);
            *grad = u * by_z;
            total += u * by_gamma;
        }
        total
    })
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
            fn conjugate(&self, y: &[T]) -> Option<crate::prox::Conjugate<T>> {
                Some(crate::prox::separable::conjugate(self, y))
            }
        }
    };
}
pub(super) use separable_prox;
