//! Data with their noise.

use super::Whitening;
use crate::error::{Result, check_finite, check_len, check_not_empty};
use crate::real::Real;

/// Data g on an axis x, with what is known of their noise.
///
/// Complex data are stacked: all real parts, then all imaginary parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement<T = f64> {
    x: Vec<T>,
    values: Vec<T>,
    whitening: Whitening<T>,
}

impl<T: Real> Measurement<T> {
    /// Real data with independent error bars (standard deviations of the mean).
    ///
    /// `x`: the data axis; `values` and `errors`: as many as the kernel has rows (for complex data two
    /// for each x, stacked).
    ///
    /// # Errors
    /// Empty, non-finite or mismatched arrays; an error bar that is not positive.
    pub fn with_errors(x: &[T], values: &[T], errors: &[T]) -> Result<Self> {
        check_not_empty("x", x.len(), 1)?;
        check_finite("x", x)?;
        check_not_empty("values", values.len(), 1)?;
        check_finite("values", values)?;
        check_len("errors", errors.len(), values.len(), "`values`")?;
        let whitening = Whitening::from_errors(errors)?;
        Ok(Measurement { x: x.to_vec(), values: values.to_vec(), whitening })
    }

    /// Data with one error bar for all.
    ///
    /// # Errors
    /// As [`with_errors`](Self::with_errors).
    pub fn with_uniform_error(x: &[T], values: &[T], error: T) -> Result<Self> {
        Self::with_errors(x, values, &vec![error; values.len()])
    }

    /// The data axis.
    pub fn x(&self) -> &[T] {
        &self.x
    }

    /// The data, stacked if complex.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The whitening map of the noise.
    pub fn whitening(&self) -> &Whitening<T> {
        &self.whitening
    }
}
