//! Singular value and symmetric eigenvalue decompositions, sorted.

use crate::error::{Error, Result};
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

/// Off-diagonal elements below this, relative to their neighbours, count as zero.
fn tolerance<T: Real>() -> T {
    T::lit(5.0) * T::EPSILON
}

/// Iterations after which a decomposition gives up: two or three a value are usual.
fn limit<T: Real>(a: &DMatrix<T>) -> usize {
    1000 + 100 * a.nrows().min(a.ncols())
}

/// Thin SVD of `a`; `argument` names it in the error when the iteration does not converge.
pub(crate) fn thin_svd<T: Real>(argument: &'static str, a: &DMatrix<T>) -> Result<Svd<T>> {
    let failed =
        || Error::Decomposition { argument, decomposition: "singular value decomposition" };
    // nalgebra bidiagonalises tall matrices faster than wide ones.
    let wide = a.ncols() > a.nrows();
    let work = if wide { a.transpose() } else { a.clone() };
    let svd = work.try_svd(true, true, tolerance(), limit(a)).ok_or_else(failed)?;
    let (u, s, vt) = (svd.u.ok_or_else(failed)?, svd.singular_values, svd.v_t.ok_or_else(failed)?);
    let mut order: Vec<usize> = (0..s.len()).collect();
    order.sort_by(|&i, &j| s[j].as_f64().total_cmp(&s[i].as_f64()));
    let s = DVector::from_iterator(s.len(), order.iter().map(|&i| s[i]));
    let u = u.select_columns(&order);
    let vt = vt.select_rows(&order);
    Ok(if wide { Svd { u: vt.transpose(), s, vt: u.transpose() } } else { Svd { u, s, vt } })
}

/// Eigenvalues, ascending, and orthonormal eigenvectors (columns) of a symmetric matrix.
pub(crate) fn symmetric_eigen<T: Real>(
    argument: &'static str,
    a: DMatrix<T>,
) -> Result<(DVector<T>, DMatrix<T>)> {
    let limit = limit(&a);
    let eigen = a
        .try_symmetric_eigen(tolerance(), limit)
        .ok_or(Error::Decomposition { argument, decomposition: "eigenvalue decomposition" })?;
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[i].as_f64().total_cmp(&eigen.eigenvalues[j].as_f64()));
    let values = DVector::from_iterator(order.len(), order.iter().map(|&i| eigen.eigenvalues[i]));
    Ok((values, eigen.eigenvectors.select_columns(&order)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn svd_is_sorted_and_reconstructs_wide_and_tall() {
        for (m, n) in [(7, 4), (4, 7), (5, 5), (1, 6), (6, 1)] {
            let a = DMatrix::from_fn(m, n, |i, j| ((3 * i + 5 * j) as f64).sin());
            let svd = thin_svd("a", &a).unwrap();
            assert!(svd.s.as_slice().windows(2).all(|w| w[0] >= w[1]));
            let b = &svd.u * DMatrix::from_diagonal(&svd.s) * &svd.vt;
            assert!((a - b).norm() < 1e-13);
        }
    }

    #[test]
    fn what_is_not_finite_ends_in_an_error() {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut a = DMatrix::from_fn(6, 4, |i, j| ((3 * i + 5 * j) as f64).sin());
            a[(2, 1)] = bad;
            let svd = thin_svd("a", &a);
            assert!(svd.is_err() || svd.unwrap().s.iter().any(|s| !s.is_finite()));
        }
    }

    #[test]
    fn eigenvalues_ascend_and_reconstruct() {
        let a = DMatrix::from_fn(6, 6, |i, j| 1.0 / (1.0 + i as f64 + j as f64));
        let (values, vectors) = symmetric_eigen("a", a.clone()).unwrap();
        assert!(values.as_slice().windows(2).all(|w| w[0] <= w[1]));
        let b = &vectors * DMatrix::from_diagonal(&values) * vectors.transpose();
        assert!((a - b).norm() < 1e-13);
    }
}
