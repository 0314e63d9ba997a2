//! A function moved to another place.

use crate::error::{Result, check_finite};
use crate::prox::{Conjugate, Prox, check_dimension, check_lengths};
use crate::real::Real;
use crate::scratch::with_scratch;

/// f(x − b); prox_γ(z) = b + prox_{γf}(z − b), conjugate f*(y) + b·y. (Combettes and Pesquet, table 10.1 i.)
///
/// Around b = g, an [`L2Ball`](crate::L2Ball) of radius ε says that a fit is as good as the noise.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated<P, T = f64> {
    f: P,
    shift: Vec<T>,
}

impl<P: Prox<T>, T: Real> Translated<P, T> {
    /// `f` with its origin moved to `shift`.
    ///
    /// # Errors
    /// `shift` not finite, or of another length than `f` takes.
    pub fn new(f: P, shift: Vec<T>) -> Result<Self> {
        check_finite("shift", &shift)?;
        check_dimension(&f, shift.len(), "`shift`")?;
        Ok(Translated { f, shift })
    }

    /// Calls `body` with x − b.
    fn at<R>(&self, x: &[T], body: impl FnOnce(&[T]) -> R) -> R {
        check_lengths(x.len(), &[self.shift.len()]);
        with_scratch(x.len(), |moved: &mut [T]| {
            for ((m, &x), &b) in moved.iter_mut().zip(x).zip(&self.shift) {
                *m = x - b;
            }
            body(moved)
        })
    }
}

impl<P: Prox<T>, T: Real> Prox<T> for Translated<P, T> {
    fn value(&self, x: &[T]) -> T {
        self.at(x, |x| self.f.value(x))
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let value = self.at(z, |z| self.f.prox_into(z, gamma, out));
        for (out, &b) in out.iter_mut().zip(&self.shift) {
            *out += b;
        }
        value
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        self.at(z, |z| self.f.prox_vjp(z, gamma, upstream, grad))
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.shift.len())
    }

    fn is_convex(&self) -> bool {
        self.f.is_convex()
    }

    fn is_indicator(&self) -> bool {
        self.f.is_indicator()
    }

    fn gradient_lipschitz(&self) -> Option<T> {
        self.f.gradient_lipschitz()
    }

    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        check_lengths(y.len(), &[self.shift.len()]);
        let Conjugate { scale, value } = self.f.conjugate(y)?;
        let product: T = y.iter().zip(&self.shift).map(|(&y, &b)| y * b).sum();
        Some(Conjugate { scale, value: value + scale * product })
    }
}
