//! Projection on an affine set: a sum rule, moments, any linear equations that must hold exactly.

use super::{Prox, check_lengths, norm};
use crate::error::{Error, Result, check_finite, check_len, check_not_empty, check_scalar};
use crate::linalg::{add_product_t, jacobi_svd, product};
use crate::real::Real;
use crate::scratch::with_scratch;
use nalgebra::DMatrix;

/// f(x) = 0 where A x = b, +∞ elsewhere; prox_{γf}(z) = z − A⁺(A z − b), whatever γ.
///
/// A has m independent rows. Its singular value decomposition is taken once: the set is V x = c with
/// orthonormal rows, and a projection costs two passes over them (two for the rounding of the first).
/// [`value`](Prox::value) allows ‖V x − c‖ a rounding of (n + 8) ε (‖x‖ + ‖c‖).
/// ∂/∂z = I − VᵀV, ∂/∂γ = 0. Convex.
///
/// ```
/// use fredholm::{AffineSet, Prox};
/// let norm = AffineSet::sum_rule(4, 1.0)?;
/// let mut x = [0.0; 4];
/// norm.prox_into(&[0.5, 0.5, 0.25, 0.75], 1.0, &mut x);
/// assert!((x.iter().sum::<f64>() - 1.0).abs() < 1e-15);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AffineSet<T: Real = f64> {
    /// V, m rows of length n, one after the other.
    rows: Vec<T>,
    columns: usize,
    /// c.
    offset: Vec<T>,
}

impl<T: Real> AffineSet<T> {
    /// The set A x = b, A of shape m × n.
    ///
    /// # Errors
    /// A without rows, or with rows that depend linearly on each other to rounding; `b` of another length
    /// than its rows; either not finite.
    pub fn new(a: &DMatrix<T>, b: &[T]) -> Result<Self> {
        check_not_empty("a", a.nrows(), 1)?;
        check_finite("a", a.as_slice())?;
        check_len("b", b.len(), a.nrows(), "the rows of `a`")?;
        check_finite("b", b)?;
        let failed =
            Error::Decomposition { argument: "a", decomposition: "singular value decomposition" };
        let svd = jacobi_svd(a).ok_or(failed)?;
        let (m, n) = a.shape();
        let least = svd.s.iter().copied().fold(T::INFINITY, |x, y| if y < x { y } else { x });
        let rounding = T::lit((m + n) as f64) * T::EPSILON * svd.s[0];
        if m > n || least <= rounding {
            return Err(Error::OutOfRange {
                argument: "smallest singular value of `a`",
                value: if m > n { 0.0 } else { least.as_f64() },
                expected: "linearly independent rows",
            });
        }
        let mut offset: Vec<T> = Vec::with_capacity(m);
        for i in 0..m {
            let projected: T = svd.u.column(i).iter().zip(b).map(|(&u, &b)| u * b).sum();
            offset.push(projected / svd.s[i]);
        }
        Ok(AffineSet { rows: svd.vt.transpose().as_slice().to_vec(), columns: n, offset })
    }

    /// The set Σ x_i = `sum` in n dimensions.
    ///
    /// # Errors
    /// No dimension; `sum` not finite.
    pub fn sum_rule(n: usize, sum: T) -> Result<Self> {
        check_not_empty("n", n, 1)?;
        check_scalar("sum", sum)?;
        let root = T::lit(n as f64).sqrt();
        Ok(AffineSet { rows: vec![T::one() / root; n], columns: n, offset: vec![sum / root] })
    }

    /// x −= Vᵀ(V x − c).
    fn step(&self, x: &mut [T], offset: Option<&[T]>) {
        with_scratch(self.offset.len(), |v: &mut [T]| {
            product(&self.rows, x, v);
            for (i, v) in v.iter_mut().enumerate() {
                *v = offset.map_or(T::zero(), |c| c[i]) - *v;
            }
            add_product_t(&self.rows, v, x);
        });
    }
}

impl<T: Real> Prox<T> for AffineSet<T> {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.columns]);
        let size = norm(x) + norm(&self.offset);
        let rounding = T::lit(x.len() as f64 + 8.0) * T::EPSILON * size;
        with_scratch(self.offset.len(), |v: &mut [T]| {
            product(&self.rows, x, v);
            for (v, &c) in v.iter_mut().zip(&self.offset) {
                *v -= c;
            }
            if norm(v) <= rounding { T::zero() } else { T::INFINITY }
        })
    }

    fn prox_into(&self, z: &[T], _gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.columns]);
        out.copy_from_slice(z);
        self.step(out, Some(&self.offset));
        self.step(out, Some(&self.offset));
        T::zero()
    }

    fn prox_vjp(&self, z: &[T], _gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len(), self.columns]);
        grad.copy_from_slice(upstream);
        self.step(grad, None);
        T::zero()
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.columns)
    }

    fn is_indicator(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependent_rows_are_refused() {
        let a = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 2.0, 4.0, 6.0]);
        assert!(matches!(AffineSet::new(&a, &[1.0, 2.0]), Err(Error::OutOfRange { .. })));
        assert!(AffineSet::new(&DMatrix::from_element(3, 2, 1.0), &[1.0; 3]).is_err());
        assert!(AffineSet::new(&DMatrix::<f64>::zeros(0, 2), &[]).is_err());
        assert!(AffineSet::new(&DMatrix::from_element(1, 2, 1.0), &[1.0; 2]).is_err());
        assert!(AffineSet::sum_rule(0, 1.0).is_err() && AffineSet::sum_rule(1, f64::NAN).is_err());
    }

    #[test]
    fn moments_hold_after_projection() {
        let omega: Vec<f64> = (0..30).map(|j| -3.0 + 0.2 * f64::from(j)).collect();
        let a = DMatrix::from_fn(3, 30, |k, j| omega[j].powi(k as i32));
        let moments = AffineSet::new(&a, &[1.0, 0.2, 0.9]).unwrap();
        let z: Vec<f64> = omega.iter().map(|w| 1e3 * w.sin()).collect();
        let mut x = vec![0.0; 30];
        moments.prox_into(&z, 1.0, &mut x);
        for (k, expected) in [1.0, 0.2, 0.9].into_iter().enumerate() {
            let moment: f64 = omega.iter().zip(&x).map(|(w, x)| w.powi(k as i32) * x).sum();
            assert!((moment - expected).abs() < 1e-9, "{k}: {moment}");
        }
    }
}
