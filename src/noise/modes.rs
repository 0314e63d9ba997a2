//! The eigenmodes of a covariance matrix, and which of them are kept.

use crate::error::{Error, Result, check_finite};
use crate::linalg::symmetric_eigen;
use nalgebra::DMatrix;

/// The kept modes C ≈ U diag(s) Uᵀ, s descending.
#[derive(Debug)]
pub(super) struct Modes {
    /// Variances s_k > 0.
    pub(super) variances: Vec<f64>,
    /// U, data × kept.
    pub(super) vectors: DMatrix<f64>,
    /// The cut in effect: at least what was asked for, and no less than rounding.
    pub(super) relative_cut: f64,
    /// The smallest eigenvalue over the largest, where it is negative beyond rounding.
    pub(super) negative: Option<f64>,
    /// Whether C was diagonal, with every mode kept, in which case U is left in the order of the data.
    pub(super) diagonal: bool,
}

impl Modes {
    /// Of a symmetric matrix whose entries carry the relative rounding `epsilon`.
    ///
    /// Kept are the modes with s_k > cut·s_max, where the cut is the largest of `relative_cut`, rounding
    /// (2√N·`epsilon`, unless C is diagonal) and |s_min|/s_max if s_min is negative: modes that small are
    /// demonstrably noise of the matrix. An eigenvalue below −`tolerance`·s_max is an error.
    pub(super) fn of(
        argument: &'static str,
        mut covariance: DMatrix<f64>,
        relative_cut: f64,
        epsilon: f64,
        tolerance: f64,
    ) -> Result<Self> {
        let n = covariance.nrows();
        check_finite(argument, covariance.as_slice())?;
        let scale = covariance.amax();
        if scale == 0.0 {
            return Err(Error::SingularCovariance { argument });
        }
        covariance /= scale;
        let is_diagonal = (0..n).all(|j| (0..n).all(|i| i == j || covariance[(i, j)] == 0.0));
        let (values, vectors) = if is_diagonal {
            (covariance.diagonal(), DMatrix::identity(n, n))
        } else {
            symmetric_eigen(argument, covariance)?
        };
        let (min, max) = (values.min(), values.max());
        if max <= 0.0 || min < -tolerance * max {
            return Err(Error::NotPositiveSemidefinite {
                argument,
                eigenvalue: scale * min,
                largest: scale * max,
            });
        }
        let rounding = if is_diagonal { 0.0 } else { 2.0 * (n as f64).sqrt() * epsilon };
        let negative = Some(min / max).filter(|&m| m < -rounding);
        let cut = relative_cut.max(rounding).max(-min / max);
        let mut kept: Vec<usize> = (0..n).filter(|&k| values[k] > cut * max).collect();
        let diagonal = is_diagonal && kept.len() == n;
        if !diagonal {
            kept.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
        }
        let variances: Vec<f64> = kept.iter().map(|&k| scale * values[k]).collect();
        check_finite(argument, &variances)?;
        Ok(Modes {
            variances,
            vectors: vectors.select_columns(&kept),
            relative_cut: cut,
            negative,
            diagonal,
        })
    }

    /// The number of kept modes p.
    pub(super) fn len(&self) -> usize {
        self.variances.len()
    }

    /// Why fewer modes than `data` were kept.
    pub(super) fn cut_note(&self, data: usize) -> String {
        format!(
            "{} of {data} modes of the covariance are kept: the others are below {:.1e} of the largest",
            self.len(),
            self.relative_cut
        )
    }

    /// Keeps the `limit` largest modes at most.
    pub(super) fn truncate(&mut self, limit: usize) {
        if limit < self.len() {
            let mut order: Vec<usize> = (0..self.len()).collect();
            order.sort_by(|&i, &j| self.variances[j].total_cmp(&self.variances[i]));
            order.truncate(limit);
            self.variances = order.iter().map(|&k| self.variances[k]).collect();
            self.vectors = self.vectors.select_columns(&order);
            self.diagonal = false;
        }
    }
}
