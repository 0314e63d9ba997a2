//! A function with a quadratic added.

use crate::error::{Result, check_finite, check_positive};
use crate::prox::{Conjugate, Prox, check_dimension, check_lengths};
use crate::real::Real;
use crate::scratch::with_scratch;

/// h(x) = f(x) + (ρ/2)‖x − a‖², ρ > 0: prox_{γh}(z) = prox_{γ'f}((z + γρ a)/(1 + γρ)), γ' = γ/(1 + γρ).
/// (Combettes and Pesquet, table 10.1 iv.)
///
/// For a convex f, h*(y) is finite everywhere: its supremum is attained at prox_{f/ρ}(a + y/ρ).
#[derive(Debug, Clone, PartialEq)]
pub struct PlusQuadratic<P, T = f64> {
    f: P,
    rho: T,
    centre: Vec<T>,
}

impl<P: Prox<T>, T: Real> PlusQuadratic<P, T> {
    /// `f` plus (ρ/2)‖x − `centre`‖².
    ///
    /// # Errors
    /// `rho` not finite or not positive; `centre` not finite, or of another length than `f` takes.
    pub fn new(f: P, rho: T, centre: Vec<T>) -> Result<Self> {
        check_positive("rho", rho)?;
        check_finite("centre", &centre)?;
        check_dimension(&f, centre.len(), "`centre`")?;
        Ok(PlusQuadratic { f, rho, centre })
    }

    /// (ρ/2)‖x − a‖².
    fn quadratic(&self, x: &[T]) -> T {
        let squares = x.iter().zip(&self.centre).map(|(&x, &a)| (x - a) * (x - a));
        T::lit(0.5) * self.rho * squares.sum::<T>()
    }

    /// Calls `body` with α z + β a.
    fn at<R>(&self, z: &[T], alpha: T, beta: T, body: impl FnOnce(&[T]) -> R) -> R {
        check_lengths(z.len(), &[self.centre.len()]);
        with_scratch(z.len(), |point: &mut [T]| {
            for ((p, &z), &a) in point.iter_mut().zip(z).zip(&self.centre) {
                *p = alpha * z + beta * a;
            }
            body(point)
        })
    }
}

impl<P: Prox<T>, T: Real> Prox<T> for PlusQuadratic<P, T> {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.centre.len()]);
        self.f.value(x) + self.quadratic(x)
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let shrink = T::one() / (T::one() + gamma * self.rho);
        let value = self.at(z, shrink, shrink * gamma * self.rho, |point| {
            self.f.prox_into(point, gamma * shrink, out)
        });
        value + self.quadratic(out)
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        let shrink = T::one() / (T::one() + gamma * self.rho);
        let mut by_gamma = self.at(z, shrink, shrink * gamma * self.rho, |point| {
            self.f.prox_vjp(point, gamma * shrink, upstream, grad)
        });
        for i in 0..z.len() {
            by_gamma += self.rho * grad[i] * (self.centre[i] - z[i]);
            grad[i] *= shrink;
        }
        by_gamma * shrink * shrink
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.centre.len())
    }

    fn is_convex(&self) -> bool {
        self.f.is_convex()
    }

    fn gradient_lipschitz(&self) -> Option<T> {
        self.f.gradient_lipschitz().map(|l| l + self.rho)
    }

    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        if !self.f.is_convex() {
            return None;
        }
        let inverse = T::one() / self.rho;
        self.at(y, inverse, T::one(), |point| {
            with_scratch(y.len(), |x: &mut [T]| {
                let value = self.f.prox_into(point, inverse, x);
                let product: T = x.iter().zip(y).map(|(&x, &y)| x * y).sum();
                Some(Conjugate { scale: T::one(), value: product - value - self.quadratic(x) })
            })
        })
    }
}
