//! Singular value and symmetric eigenvalue decompositions, sorted.

use super::jacobi::jacobi_svd;
use super::machine::{MatMut, MatRef, gemm};
use super::svd::Svd;
use crate::error::{Error, Result};
use crate::real::Real;
use nalgebra::{DMatrix, DVector};

/// Iterations after which a decomposition gives up: two or three a value are usual.
fn limit<T: Real>(a: &DMatrix<T>) -> usize {
    1000 + 100 * a.nrows().min(a.ncols())
}

/// ‖A − U diag(s) Vᵀ‖ ≤ this times ε‖A‖, Frobenius norms; tens are usual for hundreds of columns.
const RECONSTRUCTION: f64 = 256.0;

/// Thin SVD of `a`; `argument` names it in the error when the iteration does not converge.
///
/// By bidiagonalisation (nalgebra), whose result is put to the test: where singular values coincide it was
/// seen to be wrong by parts in ten and in millions. Then, and where it fails, by Jacobi rotations.
pub(crate) fn thin_svd<T: Real>(argument: &'static str, a: &DMatrix<T>) -> Result<Svd<T>> {
    match bidiagonal_svd(a) {
        Some(svd) if reconstructs(&svd, a) => Ok(svd),
        _ => jacobi_svd(a).filter(|svd| reconstructs(svd, a)).ok_or(Error::Decomposition {
            argument,
            decomposition: "singular value decomposition",
        }),
    }
}

fn bidiagonal_svd<T: Real>(a: &DMatrix<T>) -> Option<Svd<T>> {
    // nalgebra bidiagonalises tall matrices faster than wide ones.
    let wide = a.ncols() > a.nrows();
    let work = if wide { a.transpose() } else { a.clone() };
    let svd = work.try_svd(true, true, T::EPSILON, limit(a))?;
    let (u, s, vt) = (svd.u?, svd.singular_values, svd.v_t?);
    let mut order: Vec<usize> = (0..s.len()).collect();
    order.sort_by(|&i, &j| s[j].as_f64().total_cmp(&s[i].as_f64()));
    let s = DVector::from_iterator(s.len(), order.iter().map(|&i| s[i]));
    let u = u.select_columns(&order);
    let vt = vt.select_rows(&order);
    Some(if wide { Svd { u: vt.transpose(), s, vt: u.transpose() } } else { Svd { u, s, vt } })
}

fn reconstructs<T: Real>(svd: &Svd<T>, a: &DMatrix<T>) -> bool {
    let (m, n, k) = (a.nrows(), a.ncols(), svd.s.len());
    let mut scaled = svd.u.clone();
    for (mut column, &s) in scaled.column_iter_mut().zip(&svd.s) {
        column *= -s;
    }
    let mut difference = a.clone();
    gemm(
        MatMut::column_major(difference.as_mut_slice(), m, n),
        MatRef::column_major(scaled.as_slice(), m, k),
        MatRef::column_major(svd.vt.as_slice(), k, n),
        true,
    );
    let size = a.norm();
    size.is_finite() && difference.norm() <= T::lit(RECONSTRUCTION) * T::EPSILON * size
}

/// Eigenvalues, ascending, and orthonormal eigenvectors (columns) of a symmetric matrix.
pub(crate) fn symmetric_eigen<T: Real>(
    argument: &'static str,
    a: DMatrix<T>,
) -> Result<(DVector<T>, DMatrix<T>)> {
    let limit = limit(&a);
    let eigen = a
        .try_symmetric_eigen(T::EPSILON, limit)
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
    fn coinciding_singular_values_are_no_trouble() {
        // Reflections times diag(2, 2, 1, 1, 1) and kin, in both precisions.
        fn battery<T: Real>() {
            for k in 0..200 {
                let n = 3 + k % 4;
                let u = DMatrix::from_fn(n, 1, |i, _| T::lit((1.3 * (i * (k + 1)) as f64).sin()));
                let h =
                    DMatrix::identity(n, n) - &u * u.transpose() * (T::lit(2.0) / u.norm_squared());
                let d = DMatrix::from_fn(n, n, |i, j| {
                    if i == j { T::lit(if i < 2 { 2.0 } else { 1.0 }) } else { T::zero() }
                });
                let a = &h * d * h.transpose();
                let svd = thin_svd("a", &a).unwrap();
                assert!(reconstructs(&svd, &a));
                assert!((svd.s[0] - T::lit(2.0)).abs() < T::lit(100.0) * T::EPSILON);
                assert!((svd.s[n - 1] - T::one()).abs() < T::lit(100.0) * T::EPSILON);
            }
        }
        battery::<f32>();
        battery::<f64>();
    }

    #[test]
    fn what_is_not_finite_ends_in_an_error() {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut a = DMatrix::from_fn(6, 4, |i, j| ((3 * i + 5 * j) as f64).sin());
            a[(2, 1)] = bad;
            assert!(matches!(thin_svd("a", &a), Err(Error::Decomposition { argument: "a", .. })));
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
