//! The linear map g ↦ g̃ that turns correlated noise into independent noise of unit variance.

use crate::error::{Result, check_all_positive, check_not_empty};
use crate::real::Real;
use nalgebra::DMatrix;

/// A whitening map W with χ² = ‖W(g − Ka)‖².
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening<T = f64> {
    kind: Kind<T>,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind<T> {
    /// 1/σ_i for independent errors.
    Diagonal(Vec<T>),
    /// Kept modes × data, diag(s)^{−½} Uᵀ.
    Dense(DMatrix<T>),
}

impl<T: Real> Whitening<T> {
    /// From independent error bars σ_i (standard deviations of the mean): W = diag(1/σ).
    ///
    /// # Errors
    /// Empty, non-finite or non-positive error bars.
    pub fn from_errors(errors: &[T]) -> Result<Self> {
        check_not_empty("errors", errors.len(), 1)?;
        check_all_positive("errors", errors)?;
        Ok(Whitening { kind: Kind::Diagonal(errors.iter().map(|&e| T::one() / e).collect()) })
    }

    /// The number of raw data.
    pub fn columns(&self) -> usize {
        match &self.kind {
            Kind::Diagonal(d) => d.len(),
            Kind::Dense(w) => w.ncols(),
        }
    }

    /// The number of whitened data N: the kept modes.
    pub fn rows(&self) -> usize {
        match &self.kind {
            Kind::Diagonal(d) => d.len(),
            Kind::Dense(w) => w.nrows(),
        }
    }

    /// W v for a vector of [`columns`](Self::columns) entries.
    ///
    /// # Panics
    /// If the length differs.
    pub fn apply(&self, v: &[T]) -> Vec<T> {
        assert_eq!(v.len(), self.columns(), "whitening of a vector of another length");
        match &self.kind {
            Kind::Diagonal(d) => d.iter().zip(v).map(|(&d, &v)| d * v).collect(),
            Kind::Dense(w) => {
                (w * nalgebra::DVectorView::from_slice(v, v.len())).as_slice().to_vec()
            }
        }
    }

    /// W M for a matrix with [`columns`](Self::columns) rows.
    ///
    /// # Panics
    /// If the shape differs.
    pub fn apply_matrix(&self, m: &DMatrix<T>) -> DMatrix<T> {
        assert_eq!(m.nrows(), self.columns(), "whitening of a matrix of another height");
        match &self.kind {
            Kind::Diagonal(d) => {
                let mut out = m.clone();
                for mut column in out.column_iter_mut() {
                    for (v, &d) in column.iter_mut().zip(d) {
                        *v *= d;
                    }
                }
                out
            }
            Kind::Dense(w) => w * m,
        }
    }
}
