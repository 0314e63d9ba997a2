//! Matrices, dense and banded, as operators.

use super::{LinearOperator, check_shape};
use crate::linalg::{BandedRows, MatMut, MatRef, gemm};
use crate::real::Real;
use nalgebra::DMatrix;

impl<T: Real> LinearOperator<T> for DMatrix<T> {
    fn rows(&self) -> usize {
        self.nrows()
    }

    fn columns(&self) -> usize {
        self.ncols()
    }

    fn apply_into(&self, x: &[T], out: &mut [T]) {
        let (m, n) = self.shape();
        check_shape((x.len(), out.len()), (n, m));
        let a = MatRef::column_major(self.as_slice(), m, n);
        gemm(MatMut::column_major(out, m, 1), a, MatRef::column_major(x, n, 1), false);
    }

    fn adjoint_into(&self, y: &[T], out: &mut [T]) {
        let (m, n) = self.shape();
        check_shape((y.len(), out.len()), (m, n));
        let a = MatRef::column_major(self.as_slice(), m, n);
        gemm(MatMut::column_major(out, n, 1), a.t(), MatRef::column_major(y, m, 1), false);
    }
}

impl<T: Real> LinearOperator<T> for BandedRows<T> {
    fn rows(&self) -> usize {
        BandedRows::rows(self)
    }

    fn columns(&self) -> usize {
        BandedRows::columns(self)
    }

    fn apply_into(&self, x: &[T], out: &mut [T]) {
        check_shape((x.len(), out.len()), (BandedRows::columns(self), BandedRows::rows(self)));
        self.apply(x, out);
    }

    fn adjoint_into(&self, y: &[T], out: &mut [T]) {
        check_shape((y.len(), out.len()), (BandedRows::rows(self), BandedRows::columns(self)));
        out.fill(T::zero());
        self.add_transposed(y, out);
    }
}
