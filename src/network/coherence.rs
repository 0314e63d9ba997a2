//! Diagnostics of matrices and layers: coherence of columns, and how deep a gradient reaches.
//!
//! Source: \[LO\] eqs. 14, 19–21, figure 3.

use super::{Layer, UnrolledArchitecture};
use crate::linalg::{MatMut, MatRef, gemm};
use crate::prox::Prox;
use crate::real::Real;
use nalgebra::DMatrix;

/// Mutual coherence μ(B) = max_{i≠j} |⟨b_i, b_j⟩|/(‖b_i‖‖b_j‖) of the columns of B (\[LO\] eq. 14): 1 where
/// two are parallel, 0 where all are orthogonal. Columns of zeros are left out.
///
/// ```
/// use fredholm::{mutual_coherence, nalgebra::dmatrix};
/// assert!((mutual_coherence(&dmatrix![1.0, 3.0; 0.0, 4.0_f64]) - 0.6).abs() < 1e-15);
/// ```
pub fn mutual_coherence<T: Real>(matrix: &DMatrix<T>) -> T {
    let gram = cosines(matrix);
    let n = gram.ncols();
    let pairs = (0..n).flat_map(|j| (0..j).map(move |i| (i, j)));
    pairs.fold(T::zero(), |m, ij| larger(m, gram[ij].abs()))
}

/// The larger number; NaN where one is: it must not be hidden.
fn larger<T: Real>(m: T, x: T) -> T {
    if x > m || x.as_f64().is_nan() { x } else { m }
}

/// Average coherence ν(B) = max_i |Σ_{j≠i} ⟨b_i, b_j⟩/(‖b_i‖‖b_j‖)|/(n−1) of the n columns of B (\[LO\]
/// eq. 21). Columns of zeros count as orthogonal to all; a single column has 0.
pub fn average_coherence<T: Real>(matrix: &DMatrix<T>) -> T {
    let gram = cosines(matrix);
    let n = gram.ncols();
    let sums = (0..n).map(|i| {
        let others = (0..n).filter(|&j| j != i).map(|j| gram[(i, j)]);
        others.sum::<T>().abs()
    });
    let largest = sums.fold(T::zero(), larger);
    largest / T::lit(n.max(2) as f64 - 1.0)
}

/// ⟨b_i, b_j⟩/(‖b_i‖‖b_j‖), zero for columns of zeros.
fn cosines<T: Real>(matrix: &DMatrix<T>) -> DMatrix<T> {
    let (m, n) = matrix.shape();
    let mut unit = matrix.clone();
    for mut column in unit.column_iter_mut() {
        let norm = column.norm();
        if norm != T::zero() {
            column /= norm;
        }
    }
    let mut gram = DMatrix::zeros(n, n);
    let b = MatRef::column_major(unit.as_slice(), m, n);
    gemm(MatMut::column_major(gram.as_mut_slice(), n, n), b.t(), b, false);
    gram
}

/// Average coherences of a layer's matrices, in both readings of \[LO\] figure 3: the text can mean the
/// columns of W_e or those of its transpose, and of W_t or of W_t − I. For ISTA at β = 16 the second ones
/// (0.46 and 0.60) are those it describes as close to 0.5; the first are 0.80 and 0.03.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LayerCoherence<T = f64> {
    /// ν(W_e).
    pub w_e: T,
    /// ν(W_eᵀ).
    pub w_e_transposed: T,
    /// ν(W_t).
    pub w_t: T,
    /// ν(W_t − I).
    pub w_t_minus_identity: T,
}

impl<T: Real, P: Prox<T>> Layer<'_, T, P> {
    /// Average coherences of W_e and W_t.
    pub fn coherence(&self) -> LayerCoherence<T> {
        let (w_t, w_e) = (self.w_t(), self.w_e());
        let identity = DMatrix::identity(w_t.nrows(), w_t.nrows());
        LayerCoherence {
            w_e: average_coherence(&w_e),
            w_e_transposed: average_coherence(&w_e.transpose()),
            w_t: average_coherence(&w_t),
            w_t_minus_identity: average_coherence(&(w_t - identity)),
        }
    }
}

impl<T: Real> UnrolledArchitecture<T> {
    /// The number of layers over which the direct path of the gradient, (1−η)^{L−l} at layer l, falls by
    /// 1/e: −1/ln(1−η) (\[LO\] eq. 20); 1.44 for η = ½, zero for LISTA, which has no such path. Of the η it starts
    /// with, where it is learned. How many layers matter for the answer is another question:
    /// [`Estimator::depth_profile`](crate::Estimator::depth_profile).
    pub fn effective_depth(&self) -> T {
        if self.relaxation == T::one() {
            return T::zero();
        }
        -T::one() / (T::one() - self.relaxation).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{FermionTime, Kernel};
    use crate::network::Unrolled;
    use crate::prox::SoftThreshold;
    use nalgebra::dmatrix;

    fn battery<T: Real>() {
        let b = dmatrix![1.0, 3.0, 0.0, -1.0; 0.0, 4.0, 0.0, 0.0].map(T::lit);
        let rounding = T::lit(4.0) * T::EPSILON;
        // Cosines 0.6, 0, -1 | -0.6: the sums without the diagonal are -0.4, 0, 0, -1.6.
        assert!((mutual_coherence(&b) - T::one()).abs() < rounding);
        assert!((average_coherence(&b) - T::lit(1.6 / 3.0)).abs() < rounding);
        assert_eq!(mutual_coherence(&DMatrix::<T>::identity(4, 4)), T::zero());
        assert_eq!(average_coherence(&DMatrix::<T>::from_element(3, 1, T::one())), T::zero());
        assert_eq!(average_coherence(&DMatrix::<T>::zeros(0, 0)), T::zero());
        let is_nan = |x: T| x.as_f64().is_nan();
        let nan = DMatrix::from_element(2, 2, T::zero() / T::zero());
        assert!(is_nan(mutual_coherence(&nan)) && is_nan(average_coherence(&nan)));
        // The finite pair comes last.
        let mut first = DMatrix::<T>::identity(3, 3);
        first[(0, 0)] = nan[(0, 0)];
        assert!(is_nan(mutual_coherence(&first)) && is_nan(average_coherence(&first)));
    }

    #[test]
    fn coherences_follow_their_formulas() {
        battery::<f64>();
        battery::<f32>();
    }

    #[test]
    fn ista_has_the_coherences_of_the_paper_in_one_reading_only() {
        let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
        let omega: Vec<f64> = (0..50).map(|i| -3.0 + 6.0 * f64::from(i) / 49.0).collect();
        let kernel = FermionTime::new(16.0).unwrap().matrix(&tau, &omega).unwrap();
        let step = 1.0 / kernel.norm_squared();
        let architecture = UnrolledArchitecture::lista(100, 50, 1);
        let ista = Unrolled::ista(architecture, &kernel, SoftThreshold, step, 1e-3).unwrap();
        let c = ista.layer(0).unwrap().coherence();
        // Measured independently: 0.80, 0.455, 0.03 and 0.60.
        assert!((c.w_e_transposed - 0.455).abs() < 0.01, "{c:?}");
        assert!((c.w_t_minus_identity - 0.60).abs() < 0.01, "{c:?}");
        assert!((c.w_e - 0.80).abs() < 0.01, "{c:?}");
        assert!((mutual_coherence(&kernel) - 1.0).abs() < 0.01);
    }

    #[test]
    fn the_direct_path_decays_with_the_relaxation() {
        let rlista = UnrolledArchitecture::<f64>::rlista(5, 4, 9);
        assert!((rlista.effective_depth() - 1.0 / 2.0_f64.ln()).abs() < 1e-15);
        assert_eq!(UnrolledArchitecture::<f64>::lista(5, 4, 9).effective_depth(), 0.0);
    }
}
