//! The one matrix product: strided views and C = A·B or C += A·B.

use crate::real::Real;

/// A strided matrix view: element (i, j) at `data[i * row_stride + j * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MatRef<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// Its mutable twin.
#[derive(Debug)]
pub(crate) struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

fn extent(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> usize {
    if rows == 0 || columns == 0 {
        0
    } else {
        (rows - 1) * row_stride + (columns - 1) * column_stride + 1
    }
}

impl<'a, T: Real> MatRef<'a, T> {
    /// A column-major rows × columns matrix (nalgebra's order) at the start of `data`.
    pub(crate) fn column_major(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, 1, rows)
    }

    /// A row-major rows × columns matrix: for a batch, row = feature, the batch index contiguous.
    pub(crate) fn row_major(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns, 1)
    }

    /// Any strides; `data` must reach the last element.
    pub(crate) fn strided(
        data: &'a [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Self {
        assert!(
            data.len() >= extent(rows, columns, row_stride, column_stride),
            "view out of bounds"
        );
        MatRef { data, rows, columns, row_stride, column_stride }
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Self {
        MatRef {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

impl<'a, T: Real> MatMut<'a, T> {
    /// A column-major rows × columns matrix at the start of `data`.
    pub(crate) fn column_major(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, 1, rows)
    }

    /// A row-major rows × columns matrix.
    pub(crate) fn row_major(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns, 1)
    }

    /// Any strides that keep elements apart; `data` must reach the last element.
    pub(crate) fn strided(
        data: &'a mut [T],
        rows: usize,
        columns: usize,
        row_stride: usize,
        column_stride: usize,
    ) -> Self {
        assert!(
            data.len() >= extent(rows, columns, row_stride, column_stride),
            "view out of bounds"
        );
        assert!(
            row_stride >= columns * column_stride || column_stride >= rows * row_stride,
            "overlapping elements"
        );
        MatMut { data, rows, columns, row_stride, column_stride }
    }
}

/// C = A·B, or C += A·B where `accumulate`. One thread: callers split batches instead.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn gemm<T: Real>(
    c: MatMut<'_, T>,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    accumulate: bool,
) {
    gemm_scaled(c, accumulate.then(T::one), T::one(), a, b);
}

/// C = keep·C + factor·A·B; without `keep`, what C held is not read. One thread.
///
/// # Panics
/// If the shapes do not fit.
pub(crate) fn gemm_scaled<T: Real>(
    c: MatMut<'_, T>,
    keep: Option<T>,
    factor: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
) {
    assert!(
        c.rows == a.rows && c.columns == b.columns && a.columns == b.rows,
        "product of {}x{} and {}x{} into {}x{}",
        a.rows,
        a.columns,
        b.rows,
        b.columns,
        c.rows,
        c.columns
    );
    // SAFETY: the views were checked to lie inside their slices, `c` has distinct elements and is a
    // unique borrow, and T is f32 or f64 (the trait is sealed), both known to the product.
    unsafe {
        ::gemm::gemm(
            c.rows,
            c.columns,
            a.columns,
            c.data.as_mut_ptr(),
            c.column_stride as isize,
            c.row_stride as isize,
            keep.is_some(),
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            keep.unwrap_or_else(T::one),
            factor,
            false,
            false,
            false,
            ::gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DMatrix;

    #[test]
    fn all_layouts_agree_with_the_plain_product() {
        let (m, k, n) = (5, 7, 3);
        let a = DMatrix::<f64>::from_fn(m, k, |i, j| (i as f64 - 0.3 * j as f64).sin());
        let b = DMatrix::<f64>::from_fn(k, n, |i, j| (0.7 * i as f64 + j as f64).cos());
        let expected = &a * &b;
        let (at, bt) = (a.transpose(), b.transpose());
        for transpose_a in [false, true] {
            for transpose_b in [false, true] {
                let va = if transpose_a {
                    MatRef::column_major(at.as_slice(), k, m).t()
                } else {
                    MatRef::column_major(a.as_slice(), m, k)
                };
                let vb = if transpose_b {
                    MatRef::row_major(bt.as_slice(), k, n)
                } else {
                    MatRef::column_major(b.as_slice(), k, n)
                };
                let mut c = DMatrix::from_element(m, n, 2.0);
                gemm(MatMut::column_major(c.as_mut_slice(), m, n), va, vb, true);
                assert!((c.add_scalar(-2.0) - &expected).norm() < 1e-13);
                let mut e = DMatrix::from_element(m, n, 2.0);
                let view = MatMut::column_major(e.as_mut_slice(), m, n);
                gemm_scaled(view, Some(0.25), 3.0, va, vb);
                assert!((e - (&expected * 3.0).add_scalar(0.5)).norm() < 1e-13);
                let mut d = vec![9.0; m * n];
                gemm(MatMut::row_major(&mut d, m, n), va, vb, false);
                for i in 0..m {
                    for j in 0..n {
                        assert!((d[i * n + j] - expected[(i, j)]).abs() < 1e-13);
                    }
                }
            }
        }
    }
}
