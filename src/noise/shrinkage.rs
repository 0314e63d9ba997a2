//! How far to shrink a sample covariance toward its diagonal.
//!
//! Source: J. Schäfer and K. Strimmer, Stat. Appl. Genet. Mol. Biol. 4, 32 (2005), target D (diagonal,
//! unequal variances), the intensity being that of the correlations.

use crate::linalg::{MatMut, MatRef, gemm};
use nalgebra::DMatrix;

/// λ = Σ_{i≠j} Var(r_ij)/Σ_{i≠j} r_ij², in \[0, 1\], from deviations with one bin a row.
///
/// Var(r_ij) = n/(n−1)³ Σ_b (w_bij − w̄_ij)² with w_bij = z_bi z_bj and z the deviations over their
/// standard deviation. λ = 1 where correlations do not exist (one datum) or say nothing (two bins, for
/// which every r_ij is ±1).
pub(super) fn shrinkage_intensity(deviations: &DMatrix<f64>) -> f64 {
    let (bins, data) = deviations.shape();
    if bins < 3 {
        return 1.0;
    }
    let n = bins as f64;
    let mut z = deviations.clone();
    for mut column in z.column_iter_mut() {
        let sd = column.norm() / (n - 1.0).sqrt();
        if sd > 0.0 {
            column /= sd;
        }
    }
    let w = gram(&z); // n w̄
    z.apply(|v| *v *= *v);
    let squares = gram(&z); // Σ_b w_b²
    let (mut variance, mut correlation) = (0.0, 0.0);
    for j in 0..data {
        for i in 0..j {
            let r = w[(i, j)] / (n - 1.0);
            variance += n / (n - 1.0).powi(3) * (squares[(i, j)] - w[(i, j)] * w[(i, j)] / n);
            correlation += r * r;
        }
    }
    if correlation > 0.0 { (variance / correlation).clamp(0.0, 1.0) } else { 1.0 }
}

fn gram(z: &DMatrix<f64>) -> DMatrix<f64> {
    let (rows, n) = z.shape();
    let view = MatRef::column_major(z.as_slice(), rows, n);
    let mut out = DMatrix::zeros(n, n);
    gemm(MatMut::column_major(out.as_mut_slice(), n, n), view.t(), view, false);
    out
}
