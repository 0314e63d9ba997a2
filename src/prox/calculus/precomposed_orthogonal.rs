//! A function of the components in another orthonormal basis.

use crate::error::{Error, Result, check_finite};
use crate::linalg::{MatMut, MatRef, add_product_t, gemm, product};
use crate::prox::{Conjugate, Prox, check_dimension, check_lengths};
use crate::real::Real;
use crate::scratch::with_scratch;
use nalgebra::DMatrix;

/// f(Q x) with orthonormal rows, Q Qᵀ = I: prox_γ(z) = z + Qᵀ(prox_{γf}(Q z) − Q z).
/// (Combettes and Pesquet, table 10.1 ix.)
///
/// Q of shape m × n may be square, or select a subspace: with the leading right singular vectors of a
/// kernel as rows, the ℓ¹ norm of its singular components. Conjugate f*(Q y) where Q is square, else not
/// offered: it is finite on the subspace alone.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecomposedOrthogonal<P, T: Real = f64> {
    f: P,
    /// Row-major.
    rows: Vec<T>,
    m: usize,
    n: usize,
}

impl<P: Prox<T>, T: Real> PrecomposedOrthogonal<P, T> {
    /// f(Q x).
    ///
    /// # Errors
    /// `q` empty, not finite, or with an element of Q Qᵀ − I beyond 16 n ε; `f` of vectors of another length than
    /// `q` has rows.
    pub fn new(f: P, q: &DMatrix<T>) -> Result<Self> {
        check_finite("q", q.as_slice())?;
        let (m, n) = q.shape();
        crate::error::check_not_empty("q", m * n, 1)?;
        check_dimension(&f, m, "the rows of `q`")?;
        let view = MatRef::column_major(q.as_slice(), m, n);
        let mut gram = DMatrix::zeros(m, m);
        gemm(MatMut::column_major(gram.as_mut_slice(), m, m), view, view.t(), false);
        let worst = (gram - DMatrix::identity(m, m)).amax();
        if worst > T::lit(16.0 * n as f64) * T::EPSILON {
            return Err(Error::OutOfRange {
                argument: "largest element of q qᵀ - 1",
                value: worst.as_f64(),
                expected: "orthonormal rows",
            });
        }
        Ok(PrecomposedOrthogonal { f, rows: q.transpose().as_slice().to_vec(), m, n })
    }

    /// Calls `body` with Q x and a buffer of its size.
    fn at<R>(&self, x: &[T], body: impl FnOnce(&[T], &mut [T]) -> R) -> R {
        check_lengths(x.len(), &[self.n]);
        with_scratch(2 * self.m, |scratch: &mut [T]| {
            let (mapped, buffer) = scratch.split_at_mut(self.m);
            product(&self.rows, x, mapped);
            body(mapped, buffer)
        })
    }

    /// out = x + Qᵀ(v − w).
    fn back(&self, x: &[T], v: &mut [T], w: &[T], out: &mut [T]) {
        for (v, &w) in v.iter_mut().zip(w) {
            *v -= w;
        }
        out.copy_from_slice(x);
        add_product_t(&self.rows, v, out);
    }
}

impl<P: Prox<T>, T: Real> Prox<T> for PrecomposedOrthogonal<P, T> {
    fn value(&self, x: &[T]) -> T {
        self.at(x, |v, _| self.f.value(v))
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        self.at(z, |v, p| {
            let value = self.f.prox_into(v, gamma, p);
            self.back(z, p, v, out);
            value
        })
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        self.at(z, |v, g| {
            self.at(upstream, |u, _| {
                let by_gamma = self.f.prox_vjp(v, gamma, u, g);
                self.back(upstream, g, u, grad);
                by_gamma
            })
        })
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.n)
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
        if self.m == self.n { self.at(y, |v, _| self.f.conjugate(v)) } else { None }
    }
}
