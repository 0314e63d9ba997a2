//! A function of rescaled and shifted components.

use crate::error::{Error, Result, check_finite, check_len};
use crate::prox::{Conjugate, Prox, check_dimension, check_lengths};
use crate::real::Real;
use crate::scratch::with_scratch;

/// f(D x + b) with a diagonal D: prox_γ(z) = D⁻¹(prox_{γD²f}(D z + b) − b), where f is separable with a
/// γ d_i² for each component, or D a multiple of the identity. Conjugate f*(D⁻¹y) − b·D⁻¹y.
/// (Combettes and Pesquet, table 10.1 i–ii.)
#[derive(Debug, Clone, PartialEq)]
pub struct PrecomposedDiagonal<P, T = f64> {
    f: P,
    diagonal: Vec<T>,
    shift: Vec<T>,
    /// Whether the diagonal is constant.
    uniform: bool,
}

impl<P: Prox<T>, T: Real> PrecomposedDiagonal<P, T> {
    /// f(D x + b), D of `diagonal`, b of `shift`.
    ///
    /// # Errors
    /// A diagonal element that is zero or not finite; a shift of another length, or not finite; a diagonal
    /// that is not constant with an `f` that is not separable; an `f` of vectors of another length.
    pub fn new(f: P, diagonal: Vec<T>, shift: Vec<T>) -> Result<Self> {
        check_finite("diagonal", &diagonal)?;
        if let Some(index) = diagonal.iter().position(|&d| d == T::zero()) {
            let expected = "a number other than zero";
            let argument = "diagonal";
            return Err(Error::ElementOutOfRange { argument, index, value: 0.0, expected });
        }
        check_len("shift", shift.len(), diagonal.len(), "`diagonal`")?;
        check_finite("shift", &shift)?;
        check_dimension(&f, diagonal.len(), "`diagonal`")?;
        let uniform = diagonal.windows(2).all(|w| w[0] == w[1]);
        if !uniform && !f.is_separable() {
            return Err(Error::Unsupported {
                argument: "diagonal",
                value: "several values",
                expected: "a separable function, or one value",
            });
        }
        Ok(PrecomposedDiagonal { f, diagonal, shift, uniform })
    }

    /// Calls `body` with D x + b.
    fn at<R>(&self, x: &[T], body: impl FnOnce(&[T]) -> R) -> R {
        check_lengths(x.len(), &[self.shift.len()]);
        with_scratch(x.len(), |mapped: &mut [T]| {
            for (i, m) in mapped.iter_mut().enumerate() {
                *m = self.diagonal[i] * x[i] + self.shift[i];
            }
            body(mapped)
        })
    }

    /// The stretches that share one d, and their d².
    fn stretches(&self) -> impl Iterator<Item = (core::ops::Range<usize>, T)> {
        let n = self.diagonal.len();
        let length = if self.uniform { n.max(1) } else { 1 };
        (0..n).step_by(length).map(move |i| (i..i + length, self.diagonal[i] * self.diagonal[i]))
    }
}

impl<P: Prox<T>, T: Real> Prox<T> for PrecomposedDiagonal<P, T> {
    fn value(&self, x: &[T]) -> T {
        self.at(x, |x| self.f.value(x))
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let mut value = T::zero();
        self.at(z, |z| {
            for (range, square) in self.stretches() {
                value += self.f.prox_into(&z[range.clone()], gamma * square, &mut out[range]);
            }
        });
        for ((out, &b), &d) in out.iter_mut().zip(&self.shift).zip(&self.diagonal) {
            *out = (*out - b) / d;
        }
        value
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        let mut by_gamma = T::zero();
        self.at(z, |z| {
            // D Jᵀ D⁻¹ u = Jᵀ u, and D⁻¹ D² = D.
            for (range, square) in self.stretches() {
                let d = self.diagonal[range.start];
                let (z, u) = (&z[range.clone()], &upstream[range.clone()]);
                by_gamma += d * self.f.prox_vjp(z, gamma * square, u, &mut grad[range]);
            }
        });
        by_gamma
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.diagonal.len())
    }

    fn is_convex(&self) -> bool {
        self.f.is_convex()
    }

    fn is_indicator(&self) -> bool {
        self.f.is_indicator()
    }

    fn gradient_lipschitz(&self) -> Option<T> {
        let squares = self.diagonal.iter().map(|&d| d * d);
        let largest = squares.fold(T::zero(), |m, d| if d > m { d } else { m });
        self.f.gradient_lipschitz().map(|l| largest * l)
    }

    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        check_lengths(y.len(), &[self.shift.len()]);
        with_scratch(y.len(), |mapped: &mut [T]| {
            for ((m, &y), &d) in mapped.iter_mut().zip(y).zip(&self.diagonal) {
                *m = y / d;
            }
            let Conjugate { scale, value } = self.f.conjugate(mapped)?;
            let product: T = mapped.iter().zip(&self.shift).map(|(&m, &b)| m * b).sum();
            Some(Conjugate { scale, value: value - scale * product })
        })
    }
}
