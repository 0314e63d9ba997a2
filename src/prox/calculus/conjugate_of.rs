//! The convex conjugate of a function, as a function.

use crate::error::{Error, Result};
use crate::prox::{Conjugate, Prox, check_lengths};
use crate::real::Real;
use crate::scratch::with_scratch;

/// f*(y) = sup_x x·y − f(x) of a convex f; prox_{γf*}(z) = z − γ prox_{f/γ}(z/γ), γ > 0 (z for γ = 0).
/// (Moreau's decomposition, Parikh and Boyd, eq. 2.4.)
///
/// What primal–dual methods step with. [`value`](Prox::value) needs [`Prox::conjugate`] of f, and is NaN where
/// that is not known; a point beyond the domain by rounding (64 ε) counts as inside. The value that
/// [`prox_into`](Prox::prox_into) returns comes from Fenchel's equality at the result p,
/// f*(p) = w·p − f(w), w = prox_{f/γ}(z/γ), and needs nothing else of f. The conjugate of f* is f.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConjugateOf<P> {
    f: P,
}

impl<P> ConjugateOf<P> {
    /// The conjugate of `f`.
    ///
    /// # Errors
    /// `f` not convex.
    pub fn new<T: Real>(f: P) -> Result<Self>
    where
        P: Prox<T>,
    {
        if f.is_convex() {
            Ok(ConjugateOf { f })
        } else {
            let expected = "a convex function";
            Err(Error::Unsupported { argument: "f", value: "not convex", expected })
        }
    }
}

impl<P: Prox<T>, T: Real> Prox<T> for ConjugateOf<P> {
    fn value(&self, x: &[T]) -> T {
        match self.f.conjugate(x) {
            None => T::zero() / T::zero(),
            Some(c) if c.scale >= T::one() - T::lit(64.0) * T::EPSILON => c.value,
            Some(_) => T::INFINITY,
        }
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        if gamma <= T::zero() {
            out.copy_from_slice(z);
            return self.value(z);
        }
        with_scratch(2 * z.len(), |scratch: &mut [T]| {
            let (scaled, w) = scratch.split_at_mut(z.len());
            for (s, &z) in scaled.iter_mut().zip(z) {
                *s = z / gamma;
            }
            let value = self.f.prox_into(scaled, T::one() / gamma, w);
            let mut product = T::zero();
            for ((out, &z), &w) in out.iter_mut().zip(z).zip(&*w) {
                *out = z - gamma * w;
                product += w * *out;
            }
            product - value
        })
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        if gamma <= T::zero() {
            grad.copy_from_slice(upstream);
            return T::zero();
        }
        with_scratch(2 * z.len(), |scratch: &mut [T]| {
            let (scaled, w) = scratch.split_at_mut(z.len());
            for (s, &z) in scaled.iter_mut().zip(z) {
                *s = z / gamma;
            }
            let inverse = T::one() / gamma;
            self.f.prox_into(scaled, inverse, w);
            let mut total = self.f.prox_vjp(scaled, inverse, upstream, grad) * inverse;
            for i in 0..z.len() {
                total += grad[i] * scaled[i] - upstream[i] * w[i];
                grad[i] = upstream[i] - grad[i];
            }
            total
        })
    }

    fn dimension(&self) -> Option<usize> {
        self.f.dimension()
    }

    fn is_separable(&self) -> bool {
        self.f.is_separable()
    }

    /// f** = f for a convex f; points outside its domain are not scaled into it.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        let value = self.f.value(y);
        value.is_finite().then_some(Conjugate { scale: T::one(), value })
    }
}
