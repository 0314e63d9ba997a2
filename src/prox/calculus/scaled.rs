//! A function times a number.

use crate::error::{Result, check_positive};
use crate::prox::{Conjugate, Prox};
use crate::real::Real;
use crate::scratch::with_scratch;

/// c·f(x), c > 0; prox_{γ(cf)} = prox_{(γc)f}, (cf)*(y) = c f*(y/c). (Parikh and Boyd, eq. 2.2.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaled<P, T = f64> {
    f: P,
    factor: T,
}

impl<P: Prox<T>, T: Real> Scaled<P, T> {
    /// `factor` times `f`.
    ///
    /// # Errors
    /// `factor` not finite or not positive.
    pub fn new(f: P, factor: T) -> Result<Self> {
        check_positive("factor", factor)?;
        Ok(Scaled { f, factor })
    }
}

impl<P: Prox<T>, T: Real> Prox<T> for Scaled<P, T> {
    fn value(&self, x: &[T]) -> T {
        self.factor * self.f.value(x)
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        self.factor * self.f.prox_into(z, self.factor * gamma, out)
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        self.factor * self.f.prox_vjp(z, self.factor * gamma, upstream, grad)
    }

    fn dimension(&self) -> Option<usize> {
        self.f.dimension()
    }

    fn is_separable(&self) -> bool {
        self.f.is_separable()
    }

    fn is_convex(&self) -> bool {
        self.f.is_convex()
    }

    fn is_indicator(&self) -> bool {
        self.f.is_indicator()
    }

    fn gradient_lipschitz(&self) -> Option<T> {
        self.f.gradient_lipschitz().map(|l| self.factor * l)
    }

    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        with_scratch(y.len(), |scaled: &mut [T]| {
            for (s, &y) in scaled.iter_mut().zip(y) {
                *s = y / self.factor;
            }
            let Conjugate { scale, value } = self.f.conjugate(scaled)?;
            Some(Conjugate { scale, value: self.factor * value })
        })
    }
}
