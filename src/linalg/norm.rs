//! An upper bound of the spectral norm, for step sizes that must not exceed it.

use super::{MatMut, MatRef, gemm};
use crate::real::Real;
use nalgebra::DMatrix;

/// Squarings of the Gram matrix: the bound's exponent is 2^(SQUARINGS + 1) = 1024.
const SQUARINGS: i32 = 9;

/// An upper bound of ‖A‖² = λ_max(AᵀA), at most n^{1/1024} times too large (0.4 % at n = 50), n the
/// smaller side of `a`. 0 for a zero or empty matrix; infinite or NaN where it overflows.
///
/// λ_max(G)^p ≤ tr G^p ≤ n λ_max(G)^p for the Gram matrix G and p = 1024, by repeated squaring: a few
/// matrix products, where a singular value decomposition costs several times as much and a power
/// iteration gives only a lower bound.
pub(crate) fn squared_norm_bound<T: Real>(a: &DMatrix<T>) -> T {
    let largest = a.iter().fold(T::zero(), |m, v| if v.abs() > m { v.abs() } else { m });
    if largest == T::zero() {
        return T::zero();
    }
    let (rows, columns, n) = (a.nrows(), a.ncols(), a.nrows().min(a.ncols()));
    let scaled = a / largest;
    let view = MatRef::column_major(scaled.as_slice(), rows, columns);
    let mut gram = DMatrix::<T>::zeros(n, n);
    let target = MatMut::column_major(gram.as_mut_slice(), n, n);
    if columns <= rows {
        gemm(target, view.t(), view, false);
    } else {
        gemm(target, view, view.t(), false);
    }
    // With H ← H²/‖H²‖ the norms taken out make up λ_max(G) ≤ Π ‖H_k²‖^{1/2^k}, for λ_max(H) ≤ ‖H‖ = 1.
    let mut square = DMatrix::<T>::zeros(n, n);
    let mut logarithm = T::zero();
    for k in 0..=SQUARINGS {
        let norm = gram.norm();
        gram.unscale_mut(norm);
        logarithm += norm.ln() * T::lit(0.5_f64.powi(k));
        if k < SQUARINGS {
            let view = MatRef::column_major(gram.as_slice(), n, n);
            gemm(MatMut::column_major(square.as_mut_slice(), n, n), view, view, false);
            core::mem::swap(&mut gram, &mut square);
        }
    }
    let rounding = T::one() + T::lit((rows + columns) as f64) * T::EPSILON;
    logarithm.exp() * rounding * largest * largest
}

#[cfg(test)]
mod tests {
    use super::super::thin_svd;
    use super::*;

    fn battery<T: Real>() {
        for (m, n) in [(1, 1), (7, 4), (4, 7), (60, 40), (1, 9)] {
            for shift in [0.0, 2.0] {
                let value = |i, j| ((3 * i * i + 5 * j) as f64).sin() + shift;
                let svd = thin_svd("a", &DMatrix::from_fn(m, n, value)).unwrap();
                let exact = svd.s[0].powi(2);
                let a = DMatrix::from_fn(m, n, |i, j| T::lit(value(i, j)));
                let bound = squared_norm_bound(&a).as_f64();
                let slack = (m.min(n) as f64).powf(1.0 / 1024.0);
                // The matrix itself is rounded.
                let (low, high) = (1.0 - T::EPSILON.as_f64(), 1.0 + 400.0 * T::EPSILON.as_f64());
                assert!(exact * low <= bound, "{m}x{n}: {bound} < {exact}");
                assert!(bound <= exact * slack * high, "{m}x{n}: {bound} > {exact}");
            }
        }
        assert_eq!(squared_norm_bound(&DMatrix::<T>::zeros(3, 2)), T::zero());
        assert_eq!(squared_norm_bound(&DMatrix::<T>::zeros(0, 2)), T::zero());
        assert!(!squared_norm_bound(&DMatrix::from_element(2, 2, T::INFINITY)).is_finite());
    }

    #[test]
    fn bounds_the_largest_singular_value() {
        battery::<f32>();
        battery::<f64>();
    }
}
