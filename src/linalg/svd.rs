//! A singular value decomposition, whichever way it was found.

use crate::real::Real;
use nalgebra::{DMatrix, DVector};

/// Thin singular value decomposition A = U diag(s) Vᵀ, s descending.
#[derive(Debug, Clone)]
pub(crate) struct Svd<T: Real> {
    /// rows × k, orthonormal columns.
    pub(crate) u: DMatrix<T>,
    /// k = min(rows, columns) singular values, descending.
    pub(crate) s: DVector<T>,
    /// k × columns, orthonormal rows.
    pub(crate) vt: DMatrix<T>,
}
