//! What else a spectrum may be: the evidence of a Gaussian distribution of spectra.
//!
//! With mean m and covariance C of a set of spectra, data y = M a + noise of unit variance are distributed as
//! N(M m, M C Mᵀ + 1) if a is as N(m, C), and
//!
//! ```text
//! ln p(y) = −½ dᵀ(M C Mᵀ + 1)⁻¹d − ½ ln det(M C Mᵀ + 1) − ½ r ln 2π,   d = y − M m
//! ```
//!
//! (the ½ r ln 2π of the noise is left out here as in the evidence of a mixture).

use crate::error::{Error, Result};
use crate::linalg::Cholesky;
use nalgebra::DMatrix;

/// ln p(y) of the Gaussian distribution.
#[derive(Debug, Clone)]
pub(super) struct Alternative {
    mean: Vec<f64>,
    cholesky: Cholesky<f64>,
}

impl Alternative {
    /// Of spectra given by their weights, one a column; `matrix` is M.
    pub(super) fn new(matrix: &DMatrix<f64>, weights: &DMatrix<f64>) -> Result<Self> {
        let mut y = matrix * weights;
        let mean = y.column_mean();
        y.column_iter_mut().for_each(|mut column| column -= &mean);
        let mut covariance = &y * y.transpose();
        covariance /= y.ncols() as f64;
        let r = matrix.nrows();
        let mut cholesky = Cholesky::new(r);
        cholesky.set(r, |i, j| covariance[(i, j)] + if i == j { 1.0 } else { 0.0 });
        match cholesky.factor() {
            Some(_) => Ok(Alternative { mean: mean.as_slice().to_vec(), cholesky }),
            None => Err(Error::Decomposition {
                argument: "spectra",
                decomposition: "Cholesky factorisation of the covariance",
            }),
        }
    }

    /// ln p(y).
    pub(super) fn log_evidence(&self, y: &[f64]) -> f64 {
        let d: Vec<f64> = y.iter().zip(&self.mean).map(|(y, m)| y - m).collect();
        let mut solved = d.clone();
        self.cholesky.solve(&mut solved);
        let square: f64 = d.iter().zip(&solved).map(|(d, s)| d * s).sum();
        -0.5 * (square + self.cholesky.log_determinant())
    }
}
