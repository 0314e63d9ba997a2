//! The one matrix product: strided views and C = A·B or C += A·B.

use super::product::Product;
use super::simd::InstructionSet;
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

    /// Strides of which one is 1; `data` must reach the last element.
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
        assert!(row_stride == 1 || column_stride == 1, "neither rows nor columns are contiguous");
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
        let MatMut { data, rows, columns, row_stride, column_stride } =
            Self::row_major(data, columns, rows);
        MatMut {
            data,
            rows: columns,
            columns: rows,
            row_stride: column_stride,
            column_stride: row_stride,
        }
    }

    /// A row-major rows × columns matrix.
    pub(crate) fn row_major(data: &'a mut [T], rows: usize, columns: usize) -> Self {
        Self::with_stride(data, rows, columns, columns)
    }

    /// A row-major matrix whose rows are `stride` ≥ columns apart; `data` must reach the last element.
    pub(crate) fn with_stride(
        data: &'a mut [T],
        rows: usize,
        columns: usize,
        stride: usize,
    ) -> Self {
        assert!(data.len() >= extent(rows, columns, stride, 1), "view out of bounds");
        assert!(rows <= 1 || stride >= columns, "overlapping elements");
        MatMut { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The transposed view.
    fn t(self) -> Self {
        MatMut {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
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
    product(InstructionSet::detect(), c, keep, factor, a, b);
}

/// The same with the instructions of `set`, which the processor must have.
fn product<T: Real>(
    set: InstructionSet,
    c: MatMut<'_, T>,
    keep: Option<T>,
    factor: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
) {
    // Vectors run along the rows of C, so one whose columns are contiguous is computed as its transpose: Cᵀ = Bᵀ Aᵀ.
    // A vector is both, and becomes a column if that makes dot products of contiguous numbers, else a row.
    let contiguous = a.column_stride == 1 && b.row_stride == 1;
    let flip = match (c.rows, c.columns) {
        (_, 1) => c.row_stride == 1 && !contiguous,
        (1, _) => contiguous || c.column_stride != 1,
        _ => c.column_stride != 1,
    };
    let (c, a, b) = if flip { (c.t(), b.t(), a.t()) } else { (c, a, b) };
    let product = Product {
        rows: c.rows,
        depth: a.columns,
        columns: c.columns,
        a: a.data.as_ptr(),
        a_row: a.row_stride,
        a_column: a.column_stride,
        b: b.data.as_ptr(),
        b_row: b.row_stride,
        b_column: b.column_stride,
        c: c.data.as_mut_ptr(),
        c_row: c.row_stride,
        keep,
        factor,
    };
    // SAFETY: the views were checked to lie inside their slices, the shapes to fit; `c` has distinct elements and
    // is a unique borrow; a column next to another is one element away, or there is but one; views have a stride of 1.
    unsafe { product.run(set) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::machine::simd::available;
    use nalgebra::DMatrix;

    /// All sizes around the edges of tiles, all layouts, against the plain product in `f64`.
    fn battery<T: Real>(set: InstructionSet, m: usize, k: usize, n: usize) {
        let a = DMatrix::<f64>::from_fn(m, k, |i, j| (i as f64 - 0.3 * j as f64).sin());
        let b = DMatrix::<f64>::from_fn(k, n, |i, j| (0.7 * i as f64 + j as f64).cos());
        // The numbers as T has them.
        let (a, b) = (a.map(|x| T::lit(x)), b.map(|x| T::lit(x)));
        let expected = a.map(|x| x.as_f64()) * b.map(|x| x.as_f64());
        let (at, bt) = (a.transpose(), b.transpose());
        let tolerance = 4.0 * T::EPSILON.as_f64() * (1.0 + k as f64);
        let views_a = [
            MatRef::column_major(a.as_slice(), m, k),
            MatRef::column_major(at.as_slice(), k, m).t(),
        ];
        let views_b =
            [MatRef::column_major(b.as_slice(), k, n), MatRef::row_major(bt.as_slice(), k, n)];
        let held = |i: usize, j: usize| 0.5 + (i * n + j) as f64 / (m * n) as f64;
        let cases =
            [(None, 1.0), (Some(1.0), 1.0), (Some(0.25), -3.0), (None, 2.0), (Some(1.0), 0.5)];
        for (va, vb, column_major) in [
            (views_a[0], views_b[0], true),
            (views_a[0], views_b[0], false),
            (views_a[1], views_b[0], true),
            (views_a[1], views_b[0], false),
            (views_a[0], views_b[1], true),
            (views_a[0], views_b[1], false),
            (views_a[1], views_b[1], true),
            (views_a[1], views_b[1], false),
        ] {
            for (keep, factor) in cases {
                // Rows longer than the matrix: what lies between is not touched.
                let stride = if column_major { m } else { n + 3 };
                let place =
                    |i: usize, j: usize| if column_major { i + j * m } else { i * stride + j };
                let mut c = vec![T::lit(f64::NAN); if column_major { m * n } else { m * stride }];
                if keep.is_some() {
                    for i in 0..m {
                        for j in 0..n {
                            c[place(i, j)] = T::lit(held(i, j));
                        }
                    }
                }
                let view = if column_major {
                    MatMut::column_major(&mut c, m, n)
                } else {
                    MatMut::with_stride(&mut c, m, n, stride)
                };
                product(set, view, keep.map(T::lit), T::lit(factor), va, vb);
                for i in 0..m {
                    for j in 0..n {
                        let kept = keep.map_or(0.0, |keep| keep * T::lit(held(i, j)).as_f64());
                        let error = c[place(i, j)].as_f64() - kept - factor * expected[(i, j)];
                        assert!(
                            error.abs() <= tolerance * (1.0 + factor.abs()),
                            "{set:?} {m}x{k}x{n}: {error}"
                        );
                    }
                }
                if !column_major {
                    let between = c.chunks(stride).flat_map(|row| &row[n..]);
                    assert!(between.into_iter().all(|x| x.as_f64().is_nan()));
                }
            }
        }
    }

    #[test]
    fn every_layout_size_and_instruction_set_agrees_with_the_plain_product() {
        for set in available() {
            for (m, k, n) in [
                (1, 1, 1),
                (1, 37, 1),
                (50, 100, 1),
                (1, 100, 50),
                (7, 19, 2),
                (50, 64, 50),
                (9, 33, 20),
                (13, 5, 67),
                (20, 150, 130),
                (200, 3, 17),
                (17, 700, 19),
                (5, 0, 6),
                (200, 0, 200),
                // A so large that its rows are asked for ahead; rows of B so long that whole registers are packed.
                (200, 340, 20),
                (17, 9, 300),
            ] {
                battery::<f64>(set, m, k, n);
                battery::<f32>(set, m, k, n);
            }
            for columns in 1..=70 {
                battery::<f32>(set, columns % 9 + 1, 21, columns);
                battery::<f64>(set, columns % 9 + 1, 70, columns);
            }
        }
    }

    #[test]
    fn products_with_nothing_in_them_change_nothing_but_what_is_kept() {
        let mut c = [2.0; 4];
        let empty = MatRef::row_major(&[], 2, 0);
        gemm_scaled(MatMut::row_major(&mut c, 2, 2), Some(0.5), 1.0, empty, empty.t());
        assert_eq!(c, [1.0; 4]);
        gemm(MatMut::row_major(&mut c, 2, 2), empty, empty.t(), false);
        assert_eq!(c, [0.0; 4]);
        gemm(MatMut::row_major(&mut c, 0, 2), empty.t(), MatRef::row_major(&[1.0; 4], 2, 2), false);
    }

    #[test]
    fn a_column_of_a_panel_has_the_bits_it_has_among_others() {
        let (m, k) = (50, 70);
        let w: Vec<f32> = (0..m * k).map(|i| (i as f32).sin()).collect();
        let x: Vec<f32> = (0..k * 64).map(|i| (i as f32).cos()).collect();
        let mut z = vec![0.0; m * 64];
        let w = MatRef::row_major(&w, m, k);
        gemm(MatMut::row_major(&mut z, m, 64), w, MatRef::row_major(&x, k, 64), false);
        for few in [2, 17, 63] {
            let part: Vec<f32> = x.chunks(64).flat_map(|row| &row[..few]).copied().collect();
            let mut y = vec![0.0; m * few];
            gemm(MatMut::row_major(&mut y, m, few), w, MatRef::row_major(&part, k, few), false);
            assert!(y.chunks(few).zip(z.chunks(64)).all(|(y, z)| y == &z[..few]));
        }
    }
}
