//! Data with their noise.

use super::{Bins, CovarianceEstimator, NoiseReport, Whitening};
use crate::error::{Error, Result, check_finite, check_len, check_not_empty, check_scalar};
use crate::real::Real;
use nalgebra::{Complex, DMatrix};

/// Data g on an axis x, with what is known of their noise.
///
/// Complex data are stacked: all real parts, then all imaginary parts ([`stack_complex`]).
///
/// ```
/// use fredholm::{Measurement, nalgebra::DMatrix};
/// let covariance = DMatrix::from_row_slice(2, 2, &[2e-6, 1e-6, 1e-6, 2e-6]);
/// let data = Measurement::with_covariance(&[0.0, 1.0], &[0.5, 0.2], &covariance)?;
/// assert_eq!(data.noise_report().kept, 2);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement<T: Real = f64> {
    x: Vec<T>,
    values: Vec<T>,
    whitening: Whitening<T>,
}

/// All real parts, then all imaginary parts: the order in which complex data, error bars (those of the two
/// parts as one complex number) and covariances are taken.
pub fn stack_complex<T: Real>(values: &[Complex<T>]) -> Vec<T> {
    values.iter().map(|z| z.re).chain(values.iter().map(|z| z.im)).collect()
}

impl<T: Real> Measurement<T> {
    /// Data with a whitening of their noise.
    ///
    /// `x`: the data axis; `values`: as many as the kernel has rows (for complex data two for each x,
    /// stacked).
    ///
    /// # Errors
    /// Empty or non-finite arrays; a whitening for another number of values.
    pub fn new(x: &[T], values: &[T], whitening: Whitening<T>) -> Result<Self> {
        check_axis_and_values(x, values)?;
        check_len("whitening", whitening.columns(), values.len(), "`values`")?;
        Ok(Measurement { x: x.to_vec(), values: values.to_vec(), whitening })
    }

    /// Data with independent error bars (standard deviations of the mean).
    ///
    /// `x`: the data axis; `values` and `errors`: as many as the kernel has rows (for complex data two
    /// for each x, stacked).
    ///
    /// # Errors
    /// Empty or non-finite arrays; as many errors as values are not given; an error bar that is not positive.
    /// (How many values there must be for each x, the kernel says: see [`Problem`](crate::Problem).)
    pub fn with_errors(x: &[T], values: &[T], errors: &[T]) -> Result<Self> {
        check_axis_and_values(x, values)?;
        check_len("errors", errors.len(), values.len(), "`values`")?;
        Self::new(x, values, Whitening::from_errors(errors)?)
    }

    /// Data with one error bar for all.
    ///
    /// # Errors
    /// As [`with_errors`](Self::with_errors).
    pub fn with_uniform_error(x: &[T], values: &[T], error: T) -> Result<Self> {
        Self::with_errors(x, values, &vec![error; values.len()])
    }

    /// Complex data with independent error bars of real and imaginary part, given as the two parts of
    /// `errors`.
    ///
    /// # Errors
    /// As [`with_errors`](Self::with_errors), indices being those of the stacked vector.
    pub fn with_complex_errors(
        x: &[T],
        values: &[Complex<T>],
        errors: &[Complex<T>],
    ) -> Result<Self> {
        check_len("errors", errors.len(), values.len(), "`values`")?;
        Self::with_errors(x, &stack_complex(values), &stack_complex(errors))
    }

    /// Data with the covariance matrix of their mean; modes below 10⁻¹² of the largest are dropped.
    ///
    /// For complex data it is the covariance of the stacked real vector.
    ///
    /// # Errors
    /// Empty, non-finite or mismatched arrays; those of [`Whitening::from_covariance`].
    pub fn with_covariance(x: &[T], values: &[T], covariance: &DMatrix<T>) -> Result<Self> {
        Self::with_covariance_cut(x, values, covariance, Whitening::default_cut())
    }

    /// As [`with_covariance`](Self::with_covariance), dropping modes below `relative_cut` of the largest.
    ///
    /// # Errors
    /// As there; `relative_cut` outside \[0, 1).
    pub fn with_covariance_cut(
        x: &[T],
        values: &[T],
        covariance: &DMatrix<T>,
        relative_cut: T,
    ) -> Result<Self> {
        check_axis_and_values(x, values)?;
        check_len("covariance", covariance.nrows(), values.len(), "`values`")?;
        Self::new(x, values, Whitening::from_covariance(covariance, relative_cut)?)
    }

    /// The mean of bins with the covariance of that mean, corrected for the number of bins
    /// ([`CovarianceEstimator::Automatic`]); modes below 10⁻¹² of the largest are dropped.
    ///
    /// # Errors
    /// An empty or non-finite axis; bins of which every datum is constant.
    pub fn from_bins(x: &[T], bins: &Bins<T>) -> Result<Self> {
        Self::from_bins_with(x, bins, CovarianceEstimator::Automatic, Whitening::default_cut())
    }

    /// As [`from_bins`](Self::from_bins), by an estimator and a cut of one's own.
    ///
    /// # Errors
    /// Those of [`Whitening::from_bins`].
    pub fn from_bins_with(
        x: &[T],
        bins: &Bins<T>,
        estimator: CovarianceEstimator,
        relative_cut: T,
    ) -> Result<Self> {
        let mean = bins.mean();
        check_axis_and_values(x, &mean)?;
        Self::new(x, &mean, Whitening::from_bins(bins, estimator, relative_cut)?)
    }

    /// Further data with independent error bars, appended to the values: those of the rows that
    /// [`WithRows`](crate::WithRows) appends to a kernel.
    ///
    /// # Errors
    /// Empty or non-finite arrays; two lengths; an error bar that is not positive.
    pub fn with_rows(&self, values: &[T], errors: &[T]) -> Result<Self> {
        check_not_empty("values", values.len(), 1)?;
        check_finite("values", values)?;
        check_len("errors", errors.len(), values.len(), "`values`")?;
        let values: Vec<T> = self.values.iter().chain(values).copied().collect();
        Self::new(&self.x, &values, self.whitening.with_errors(errors)?)
    }

    /// Data and noise multiplied by `factor`: −1 turns G(τ) = −⟨T c(τ)c†⟩ into what the kernel describes.
    ///
    /// # Errors
    /// `factor` zero or not finite, or one that takes the data out of range.
    pub fn scaled(&self, factor: T) -> Result<Self> {
        check_scalar("factor", factor)?;
        if factor == T::zero() {
            return Err(Error::OutOfRange {
                argument: "factor",
                value: 0.0,
                expected: "a number that is not zero",
            });
        }
        let values: Vec<T> = self.values.iter().map(|&v| v * factor).collect();
        Self::new(&self.x, &values, self.whitening.scaled(factor)?)
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

    /// What was done with the noise, and what a careful reader should know of it.
    pub fn noise_report(&self) -> &NoiseReport {
        self.whitening.report()
    }
}

fn check_axis_and_values<T: Real>(x: &[T], values: &[T]) -> Result<()> {
    check_not_empty("x", x.len(), 1)?;
    check_finite("x", x)?;
    check_not_empty("values", values.len(), 1)?;
    check_finite("values", values)
}
