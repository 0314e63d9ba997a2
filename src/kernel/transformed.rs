//! A linear transform of another kernel: Legendre, IR or DLR coefficients, projections on singular vectors.

use super::{Density, Kernel};
use crate::error::{Result, check_finite, check_len, check_not_empty};
use crate::linalg::{MatMut, MatRef, gemm};
use crate::real::Real;
use nalgebra::DMatrix;

/// The kernel T K of data T g, for a given matrix T and a kernel K on an axis of its own.
///
/// The data axis of the transformed data names the rows of T (the order l of a Legendre coefficient, the
/// number of a singular vector): it must be as long as T has rows. Acts on the density K acts on.
///
/// ```
/// use fredholm::{FermionTime, Kernel, Transformed, nalgebra::DMatrix};
/// let tau = [0.0_f64, 1.0, 2.0];
/// let sums = DMatrix::from_row_slice(2, 3, &[1.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
/// let kernel = Transformed::new(sums, FermionTime::new(2.0)?, &tau)?;
/// let k = kernel.matrix(&[0.0, 1.0], &[-3.0, 0.5])?;
/// assert!((k[(0, 0)] - 1.0_f64).abs() < 1e-15); // G(0) + G(β) is the norm
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Transformed<K, T: Real = f64> {
    matrix: DMatrix<T>,
    kernel: K,
    axis: Vec<T>,
}

impl<T: Real, K: Kernel<T>> Transformed<K, T> {
    /// From T (new data × rows of `kernel` on `axis`), the kernel and its data axis.
    ///
    /// # Errors
    /// Empty or non-finite arrays; a matrix whose columns are not the kernel's rows on `axis`.
    pub fn new(matrix: DMatrix<T>, kernel: K, axis: &[T]) -> Result<Self> {
        check_not_empty("matrix", matrix.nrows(), 1)?;
        check_not_empty("axis", axis.len(), 1)?;
        check_finite("axis", axis)?;
        check_len(
            "matrix",
            matrix.ncols(),
            kernel.rows(axis.len()),
            "the kernel's rows on `axis`",
        )?;
        check_finite("matrix", matrix.as_slice())?;
        Ok(Transformed { matrix, kernel, axis: axis.to_vec() })
    }
}

impl<T: Real, K: Kernel<T>> Kernel<T> for Transformed<K, T> {
    fn check(&self, x: &[T], omega: &[T]) -> Result<()> {
        check_len("x", x.len(), self.matrix.nrows(), "the rows of the transform")?;
        self.kernel.check(&self.axis, omega)
    }

    fn fill(&self, _x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        let (rows, inner, columns) = (self.matrix.nrows(), self.matrix.ncols(), omega.len());
        let mut kernel = DMatrix::zeros(inner, columns);
        self.kernel.fill(&self.axis, omega, &mut kernel);
        gemm(
            MatMut::column_major(out.as_mut_slice(), rows, columns),
            MatRef::column_major(self.matrix.as_slice(), rows, inner),
            MatRef::column_major(kernel.as_slice(), inner, columns),
            false,
        );
    }

    fn density(&self) -> Density {
        self.kernel.density()
    }
}
