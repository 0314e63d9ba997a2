//! Bins of a Monte Carlo run: their mean, its covariance, and their correlation in time.
//!
//! Source: \[KM\] eqs. 4–5.

use super::AutocorrelationTime;
use super::autocorrelation::integrated_time;
use super::shrinkage::shrinkage_intensity;
use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::linalg::{MatMut, MatRef, gemm};
use crate::real::Real;
use nalgebra::{Complex, DMatrix};

/// N_b bins of N data each: the rows of a matrix, in the order in which they were measured.
///
/// Complex data are stacked, all real parts, then all imaginary parts: the covariance of the stacked
/// vector holds the Re–Re, Im–Im and Re–Im blocks. Statistics are computed in `f64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins<T: Real = f64> {
    matrix: DMatrix<T>,
}

/// Bins averaged until they are independent, or as far as their number allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebinning<T: Real = f64> {
    /// The averaged bins.
    pub bins: Bins<T>,
    /// How many bins were averaged into one.
    pub factor: usize,
    /// Autocorrelation time before, in the bins given.
    pub before: AutocorrelationTime,
    /// Autocorrelation time after, in the averaged bins.
    pub after: AutocorrelationTime,
    /// Whether the averaged bins are independent within the error of the autocorrelation time. If not, error bars
    /// are still too small by about √time, and more bins are needed.
    pub independent: bool,
}

impl<T: Real> core::fmt::Display for Rebinning<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} bins of {} each, autocorrelation time {:.2} (from {:.2}): {}",
            self.bins.count(),
            self.factor,
            self.after.mean,
            self.before.mean,
            if self.independent {
                "independent"
            } else {
                "still correlated, and too few to average further"
            }
        )
    }
}

/// The mean of bins and their deviations from it, in `f64`.
#[derive(Debug)]
pub(super) struct Deviations {
    pub(super) mean: Vec<f64>,
    /// N_b × N; zero in the columns of constant data.
    pub(super) matrix: DMatrix<f64>,
    /// Data that are the same in all bins, up to the rounding of `T`.
    pub(super) constant: usize,
}

impl Deviations {
    /// The sample covariance of the mean, Σ_b d_b d_bᵀ/(N_b(N_b − 1)).
    pub(super) fn covariance(&self) -> DMatrix<f64> {
        let (bins, n) = self.matrix.shape();
        let d = MatRef::column_major(self.matrix.as_slice(), bins, n);
        let mut c = DMatrix::zeros(n, n);
        gemm(MatMut::column_major(c.as_mut_slice(), n, n), d.t(), d, false);
        c /= bins as f64 * (bins as f64 - 1.0);
        c.fill_lower_triangle_with_upper_triangle();
        c
    }

    /// The autocorrelation times of the data.
    pub(super) fn times(&self) -> Vec<f64> {
        self.matrix.column_iter().map(|d| integrated_time(d.as_slice())).collect()
    }

    /// The weight of the diagonal in a shrunk covariance.
    pub(super) fn shrinkage_intensity(&self) -> f64 {
        shrinkage_intensity(&self.matrix)
    }
}

/// Fewer bins are left by no automatic averaging.
const FEWEST_BINS: usize = 20;

impl<T: Real> Bins<T> {
    /// From a matrix with one bin a row.
    ///
    /// # Errors
    /// Fewer than two bins, no data, or a non-finite entry.
    pub fn new(matrix: DMatrix<T>) -> Result<Self> {
        check_not_empty("bins", matrix.nrows(), 2)?;
        check_not_empty("data", matrix.ncols(), 1)?;
        check_finite("bins", matrix.as_slice())?;
        Ok(Bins { matrix })
    }

    /// From a slice holding one bin of `n_data` numbers after the other.
    ///
    /// # Errors
    /// As [`new`](Self::new); a slice that is no multiple of `n_data` long.
    pub fn from_slice(values: &[T], n_data: usize) -> Result<Self> {
        check_not_empty("data", n_data, 1)?;
        let bins = values.len() / n_data;
        check_len("bins", values.len(), bins * n_data, "a whole number of bins")?;
        check_finite("bins", values)?;
        Self::new(DMatrix::from_row_slice(bins, n_data, values))
    }

    /// From a complex matrix with one bin a row: stacks real parts and imaginary parts.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_complex(matrix: &DMatrix<Complex<T>>) -> Result<Self> {
        let n = matrix.ncols();
        Self::new(DMatrix::from_fn(matrix.nrows(), 2 * n, |b, i| {
            if i < n { matrix[(b, i)].re } else { matrix[(b, i - n)].im }
        }))
    }

    /// The number of bins N_b, at least two.
    pub fn count(&self) -> usize {
        self.matrix.nrows()
    }

    /// The number of data N in a bin.
    pub fn n_data(&self) -> usize {
        self.matrix.ncols()
    }

    /// The bins, one a row.
    pub fn matrix(&self) -> &DMatrix<T> {
        &self.matrix
    }

    /// The mean ḡ over the bins.
    pub fn mean(&self) -> Vec<T> {
        self.deviations().mean.iter().map(|&m| T::lit(m)).collect()
    }

    /// The sample covariance of the mean, C = 1/(N_b(N_b−1)) Σ_b (g^(b)−ḡ)(g^(b)−ḡ)ᵀ. Its rank is at most
    /// N_b − 1, and its inverse, where there is one, is on average (N_b−1)/(N_b−N−2) times too large.
    pub fn covariance(&self) -> DMatrix<T> {
        self.deviations().covariance().map(T::lit)
    }

    /// The standard errors of the mean, from the diagonal of [`covariance`](Self::covariance).
    pub fn errors(&self) -> Vec<T> {
        let (d, n) = (self.deviations(), self.count() as f64);
        d.matrix
            .column_iter()
            .map(|d| T::lit((d.norm_squared() / (n * (n - 1.0))).sqrt()))
            .collect()
    }

    /// The integrated autocorrelation time of each datum from bin to bin (see [`AutocorrelationTime`]): 1
    /// for independent bins; summed up to an automatic window, the smallest W ≥ 2.5 τ(W).
    pub fn autocorrelation_times(&self) -> Vec<f64> {
        self.deviations().times()
    }

    /// Averages of `m` consecutive bins; the remainder at the end is left out. Do so until the
    /// autocorrelation time is 1: bins that are correlated make error bars too small.
    ///
    /// # Errors
    /// `m` zero, or so large that fewer than two bins remain.
    pub fn rebin(&self, m: usize) -> Result<Self> {
        let count = self.count().checked_div(m).unwrap_or(0);
        if count < 2 {
            return Err(Error::OutOfRange {
                argument: "m",
                value: m as f64,
                expected: "at least 1 and at most half the number of bins",
            });
        }
        let matrix = DMatrix::from_fn(count, self.n_data(), |b, i| {
            let rows = self.matrix.view((b * m, i), (m, 1));
            T::lit(rows.iter().map(|v| v.as_f64()).sum::<f64>() / m as f64)
        });
        Self::new(matrix)
    }

    /// Rebins by powers of two until the autocorrelation time, on average over the data, is 1 within its
    /// standard error √(12/N_b), as long as twenty bins are left. Error bars come first: where too few bins
    /// remain for a covariance, shrinkage makes one of them
    /// ([`CovarianceEstimator`](super::CovarianceEstimator)). The result says how far that went.
    ///
    /// # Errors
    /// None for valid bins.
    pub fn autorebin(&self) -> Result<Rebinning<T>> {
        let before = AutocorrelationTime::of(&self.deviations());
        let (mut factor, mut bins, mut after) = (1, self.clone(), before);
        loop {
            let independent = after.mean <= 1.0 + (12.0 / bins.count() as f64).sqrt();
            let next = self.count() / (2 * factor);
            if independent || next < FEWEST_BINS {
                return Ok(Rebinning { bins, factor, before, after, independent });
            }
            factor *= 2;
            bins = self.rebin(factor)?;
            after = AutocorrelationTime::of(&bins.deviations());
        }
    }

    pub(super) fn deviations(&self) -> Deviations {
        let mut matrix = self.matrix.map(|v| v.as_f64());
        let (n, mut constant) = (matrix.nrows() as f64, 0);
        let mut mean = Vec::with_capacity(matrix.ncols());
        for mut column in matrix.column_iter_mut() {
            let first = column.iter().map(|v| v / n).sum::<f64>();
            column.add_scalar_mut(-first);
            let rest = column.sum() / n;
            column.add_scalar_mut(-rest);
            mean.push(first + rest);
            let rounding = 4.0 * T::EPSILON.as_f64() * (first + rest).abs();
            if column.norm_squared() <= n * rounding * rounding {
                column.fill(0.0);
                constant += 1;
            }
        }
        Deviations { mean, matrix, constant }
    }
}

impl AutocorrelationTime {
    /// Of times for each datum; the constant ones carry none.
    pub(super) fn of(deviations: &Deviations) -> Self {
        let varying = deviations.matrix.column_iter().map(|d| d.amax() > 0.0);
        let times = deviations.times();
        let (mut sum, mut max, mut count) = (0.0, 0.0_f64, 0.0);
        for (time, _) in times.iter().zip(varying).filter(|(_, varies)| *varies) {
            sum += time;
            max = max.max(*time);
            count += 1.0;
        }
        if count == 0.0 {
            // Nothing varies, nothing is correlated.
            return AutocorrelationTime { mean: 1.0, max: 1.0 };
        }
        AutocorrelationTime { mean: sum / count, max }
    }
}
