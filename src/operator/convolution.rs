//! Convolution in one dimension.

use super::{LinearOperator, check_shape};
use crate::error::{Error, Result, check_finite, check_not_empty};
use crate::linalg::dispatch;
use crate::real::Real;

/// (A x)_i = Σ_k c_k x_{i+origin−k}, x zero outside its n elements: m = n rows. Direct summation, O(n·len c).
///
/// With a window centred at its origin this is a preblur on a uniform grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution<T = f64> {
    coefficients: Vec<T>,
    origin: usize,
    n: usize,
}

impl<T: Real> Convolution<T> {
    /// Of vectors of `n` elements with coefficients c, of which c_origin multiplies the element itself.
    ///
    /// # Errors
    /// No coefficients; one not finite; `origin` not one of them.
    pub fn new(coefficients: Vec<T>, origin: usize, n: usize) -> Result<Self> {
        check_not_empty("coefficients", coefficients.len(), 1)?;
        check_finite("coefficients", &coefficients)?;
        if origin >= coefficients.len() {
            return Err(Error::OutOfRange {
                argument: "origin",
                value: origin as f64,
                expected: "the index of a coefficient",
            });
        }
        Ok(Convolution { coefficients, origin, n })
    }

    /// out_i = Σ c_k x_{i + sign·(origin − k)}: one shifted addition for each coefficient.
    fn correlate(&self, x: &[T], out: &mut [T], adjoint: bool) {
        check_shape((x.len(), out.len()), (self.n, self.n));
        out.fill(T::zero());
        for (k, &c) in self.coefficients.iter().enumerate() {
            let distance = k.abs_diff(self.origin).min(self.n);
            // Forward, a coefficient after the origin takes from the left; the adjoint reverses this.
            let (from, to) =
                if (k >= self.origin) == adjoint { (distance, 0) } else { (0, distance) };
            let (source, target) = (&x[from..self.n - to], &mut out[to..self.n - from]);
            dispatch(|| {
                for (o, &x) in target.iter_mut().zip(source) {
                    *o += c * x;
                }
            });
        }
    }
}

impl<T: Real> LinearOperator<T> for Convolution<T> {
    fn rows(&self) -> usize {
        self.n
    }

    fn columns(&self) -> usize {
        self.n
    }

    fn apply_into(&self, x: &[T], out: &mut [T]) {
        self.correlate(x, out, false);
    }

    fn adjoint_into(&self, y: &[T], out: &mut [T]) {
        self.correlate(y, out, true);
    }
}
