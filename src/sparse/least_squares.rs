//! ½‖g − K x‖² by the minimiser of itself plus a quadratic.

use crate::error::{Result, check_finite, check_len};
use crate::fixed_point::AugmentedMinimizer;
use crate::linalg::{MatMut, MatRef, gemm, thin_svd};
use crate::real::Real;
use nalgebra::DMatrix;

/// f(x) = ½‖g − K x‖² for [`Admm`](crate::Admm) and [`DouglasRachford`](crate::DouglasRachford), M = 1:
///
/// argmin f(x) + (ρ/2)‖x − v‖² = w − V diag(s²/(s² + ρ)) Vᵀw,   w = v + Kᵀg/ρ,   K = U diag(s) Vᵀ.
///
/// One singular value decomposition serves every ρ; a call costs two products with Vᵀ.
#[derive(Debug, Clone)]
pub struct LeastSquares<T: Real = f64> {
    /// Vᵀ, k × n.
    vt: DMatrix<T>,
    /// s².
    squares: Vec<T>,
    /// Kᵀg.
    correlation: Vec<T>,
    /// Vᵀw.
    modes: Vec<T>,
}

impl<T: Real> LeastSquares<T> {
    /// Of a kernel K and data g.
    ///
    /// # Errors
    /// Kernel or data not finite; data of another length than the kernel's rows; a decomposition that does
    /// not converge.
    pub fn new(kernel: &DMatrix<T>, data: &[T]) -> Result<Self> {
        check_finite("kernel", kernel.as_slice())?;
        check_len("data", data.len(), kernel.nrows(), "the kernel's rows")?;
        check_finite("data", data)?;
        let svd = thin_svd("kernel", kernel)?;
        let (rows, n) = kernel.shape();
        let mut correlation = vec![T::zero(); n];
        gemm(
            MatMut::column_major(&mut correlation, n, 1),
            MatRef::column_major(kernel.as_slice(), rows, n).t(),
            MatRef::column_major(data, rows, 1),
            false,
        );
        let squares: Vec<T> = svd.s.iter().map(|&s| s * s).collect();
        Ok(LeastSquares { modes: vec![T::zero(); squares.len()], vt: svd.vt, squares, correlation })
    }
}

impl<T: Real> AugmentedMinimizer<T> for LeastSquares<T> {
    fn shape(&self) -> (usize, usize) {
        (self.vt.ncols(), self.vt.ncols())
    }

    fn minimise(&mut self, rho: T, v: &[T], x: &mut [T], mx: &mut [T]) {
        let (k, n) = self.vt.shape();
        let vt = MatRef::column_major(self.vt.as_slice(), k, n);
        for ((x, &v), &c) in x.iter_mut().zip(v).zip(&self.correlation) {
            *x = v + c / rho;
        }
        let modes = &mut self.modes;
        gemm(MatMut::column_major(modes, k, 1), vt, MatRef::column_major(x, n, 1), false);
        for (mode, &square) in modes.iter_mut().zip(&self.squares) {
            *mode *= -square / (square + rho);
        }
        gemm(MatMut::column_major(x, n, 1), vt.t(), MatRef::column_major(modes, k, 1), true);
        mx.copy_from_slice(x);
    }

    fn adjoint(&mut self, y: &[T], out: &mut [T]) {
        out.copy_from_slice(y);
    }

    fn gradient_scale(&self) -> T {
        self.correlation.iter().map(|&c| c * c).sum::<T>().sqrt()
    }
}
