//! Symmetric banded matrices and their Cholesky factors.

use super::elementwise::{LANES, sum_of_logarithms};
use super::machine::vectorised;
use crate::real::Real;

/// A symmetric matrix that is zero beyond `bandwidth` sub-diagonals: the Hessian of a sum of priors.
#[derive(Debug, Clone, PartialEq)]
pub struct SymmetricBand<T = f64> {
    order: usize,
    bandwidth: usize,
    /// Element (i, i − k) at i·(bandwidth + 1) + k.
    data: Vec<T>,
}

impl<T: Real> SymmetricBand<T> {
    /// The zero matrix of an order with `bandwidth` sub-diagonals (0: a diagonal).
    pub fn zeros(order: usize, bandwidth: usize) -> Self {
        SymmetricBand { order, bandwidth, data: vec![T::zero(); order * (bandwidth + 1)] }
    }

    /// The order: number of rows and columns.
    pub fn order(&self) -> usize {
        self.order
    }

    /// The number of sub-diagonals.
    pub fn bandwidth(&self) -> usize {
        self.bandwidth
    }

    /// Element (i, j).
    ///
    /// # Panics
    /// If `i` or `j` is not below the order.
    pub fn get(&self, i: usize, j: usize) -> T {
        assert!(i < self.order && j < self.order, "({i}, {j}) is out of order {}", self.order);
        let k = i.abs_diff(j);
        if k > self.bandwidth { T::zero() } else { self.data[i.max(j) * (self.bandwidth + 1) + k] }
    }

    /// Adds `value` to element (i, j), and with it to (j, i).
    ///
    /// # Panics
    /// If (i, j) lies outside the matrix or its band.
    pub fn add(&mut self, i: usize, j: usize, value: T) {
        let k = i.abs_diff(j);
        assert!(k <= self.bandwidth, "({i}, {j}) is outside a band of {}", self.bandwidth);
        self.data[i.max(j) * (self.bandwidth + 1) + k] += value;
    }

    /// Adds a vector to the diagonal, times a factor.
    ///
    /// # Panics
    /// If `values` is not as long as the order.
    pub fn add_diagonal(&mut self, factor: T, values: &[T]) {
        assert_eq!(values.len(), self.order, "a diagonal of another order");
        for (row, &v) in self.data.chunks_exact_mut(self.bandwidth + 1).zip(values) {
            row[0] += factor * v;
        }
    }

    /// Sets this matrix to `factor` times another of the same shape.
    pub(crate) fn assign_scaled(&mut self, factor: T, other: &Self) {
        for (a, &b) in self.data.iter_mut().zip(&other.data) {
            *a = factor * b;
        }
    }

    /// out += M v, over the order of M.
    pub(crate) fn add_product(&self, v: &[T], out: &mut [T]) {
        for (i, row) in self.data.chunks_exact(self.bandwidth + 1).enumerate() {
            out[i] += row[0] * v[i];
            for (k, &m) in row.iter().enumerate().take(i + 1).skip(1) {
                out[i] += m * v[i - k];
                out[i - k] += m * v[i];
            }
        }
    }

    /// Sets every element to zero.
    pub(crate) fn clear(&mut self) {
        self.data.fill(T::zero());
    }
}

/// The factor L of M = L Lᵀ for a banded M.
#[derive(Debug, Clone)]
pub(crate) struct BandCholesky<T> {
    l: SymmetricBand<T>,
    /// 1/L_ii.
    inverse_diagonal: Vec<T>,
    /// L_ii².
    pivots: Vec<T>,
}

impl<T: Real> BandCholesky<T> {
    /// Storage for matrices of this shape.
    pub(crate) fn new(order: usize, bandwidth: usize) -> Self {
        BandCholesky {
            l: SymmetricBand::zeros(order, bandwidth),
            inverse_diagonal: vec![T::one(); order],
            pivots: vec![T::one(); order],
        }
    }

    /// Factors `m`, O(order·bandwidth²). `false` if it is not positive definite.
    pub(crate) fn factor(&mut self, m: &SymmetricBand<T>) -> bool {
        let w = m.bandwidth + 1;
        let l = &mut self.l.data;
        if m.bandwidth == 0 {
            return inverse_roots(&m.data, &mut self.inverse_diagonal);
        }
        // M = GD⁻¹Gᵀ with D = diag(d) the diagonal of G first, which takes no root from one row to the next.
        l.copy_from_slice(&m.data);
        let (pivots, inverse) = (&mut self.pivots, &mut self.inverse_diagonal);
        for i in 0..m.order {
            let mut pivot = l[i * w];
            for k in (1..w.min(i + 1)).rev() {
                // G(i, i−k) = M(i, i−k) − Σ_q G(i, i−q) G(i−k, i−q) / d(i−q)
                let mut sum = l[i * w + k];
                for q in k + 1..w.min(i + 1) {
                    sum -= l[i * w + q] * (l[(i - k) * w + q - k] * inverse[i - q]);
                }
                l[i * w + k] = sum;
                pivot -= (sum * sum) * inverse[i - k];
            }
            pivots[i] = pivot;
            inverse[i] = T::one() / pivot;
        }
        // L = GD^(−½).
        let definite = inverse_roots(pivots, inverse);
        for i in 1..m.order {
            for k in 1..w.min(i + 1) {
                l[i * w + k] *= inverse[i - k];
            }
        }
        definite
    }

    /// ln det M.
    pub(crate) fn log_determinant(&self) -> T {
        -T::lit(2.0) * sum_of_logarithms(self.inverse_diagonal.iter().copied())
    }

    /// Overwrites `v` with L⁻¹v.
    pub(crate) fn forward(&self, v: &mut [T]) {
        let w = self.l.bandwidth + 1;
        for i in 0..self.l.order {
            let inverse = self.inverse_diagonal[i];
            let mut value = v[i] * inverse;
            for k in (1..w.min(i + 1)).rev() {
                value -= (self.l.data[i * w + k] * inverse) * v[i - k];
            }
            v[i] = value;
        }
    }

    /// Overwrites `v` with L⁻ᵀv.
    pub(crate) fn backward(&self, v: &mut [T]) {
        let (w, n) = (self.l.bandwidth + 1, self.l.order);
        for i in (0..n).rev() {
            let inverse = self.inverse_diagonal[i];
            let mut value = v[i] * inverse;
            for k in (1..w.min(n - i)).rev() {
                value -= (self.l.data[(i + k) * w + k] * inverse) * v[i + k];
            }
            v[i] = value;
        }
    }

    /// Writes Z = L⁻¹Y for row-major Y and Z with rows `stride` apart, their leading `columns` columns
    /// (rounded up to full lanes).
    pub(crate) fn forward_panel(&self, y: &[T], stride: usize, columns: usize, z: &mut [T]) {
        let width = columns.next_multiple_of(LANES).min(stride);
        forward_rows(&self.l, &self.inverse_diagonal, y, stride, width, z);
    }
}

vectorised! {
    /// out = 1/√v; whether all v > 0.
    fn inverse_roots<'a, T>(v: &'a [T], out: &'a mut [T]) -> bool {
        let mut least = T::INFINITY;
        for (o, &v) in out.iter_mut().zip(v) {
            // A NaN fails this comparison too.
            least = if v > T::zero() { least } else { -T::one() };
            *o = T::one() / v.sqrt();
        }
        least > T::zero()
    }
}

vectorised! {
    /// Row i of Z = (row i of Y − Σ_k L(i, i−k) row i−k of Z)/L(i, i).
    fn forward_rows<'a, T>(
        l: &'a SymmetricBand<T>,
        inverse_diagonal: &'a [T],
        y: &'a [T],
        stride: usize,
        width: usize,
        z: &'a mut [T],
    ) -> () {
        let w = l.bandwidth + 1;
        for (i, y) in y.chunks_exact(stride).enumerate().take(l.order) {
            let (above, row) = z.split_at_mut(i * stride);
            let (row, y) = (&mut row[..width], &y[..width]);
            let inverse = inverse_diagonal[i];
            if w == 1 || i == 0 {
                for j in 0..width {
                    row[j] = y[j] * inverse;
                }
                continue;
            }
            let before = &above[(i - 1) * stride..][..width];
            let c = l.data[i * w + 1] * inverse;
            for j in 0..width {
                row[j] = y[j] * inverse - c * before[j];
            }
            for k in 2..w.min(i + 1) {
                let before = &above[(i - k) * stride..][..width];
                let c = l.data[i * w + k] * inverse;
                for j in 0..width {
                    row[j] -= c * before[j];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn agrees_with_the_dense_factorisation() {
        for (n, p) in [(1, 0), (6, 0), (7, 1), (9, 2), (5, 4), (12, 3)] {
            let mut m = SymmetricBand::<f64>::zeros(n, p);
            for i in 0..n {
                m.add(i, i, 3.0 + p as f64);
                for k in 1..=p.min(i) {
                    m.add(i, i - k, ((3 * i + k) as f64).sin());
                }
            }
            let dense = DMatrix::from_fn(n, n, |i, j| m.get(i, j));
            let mut factor = BandCholesky::new(n, p);
            assert!(factor.factor(&m));
            let v: Vec<f64> = (0..n).map(|i| (0.3 * i as f64).sin()).collect();
            let mut mv = vec![1.0; n];
            m.add_product(&v, &mut mv);
            let expected = (&dense * DVector::from_vec(v)).add_scalar(1.0);
            assert!((expected - DVector::from_vec(mv)).norm() < 1e-13);
            let b = DVector::from_fn(n, |i, _| (1.7 * i as f64).cos());
            let mut x = b.as_slice().to_vec();
            factor.forward(&mut x);
            let y = x.clone();
            factor.backward(&mut x);
            let expected = dense.clone().cholesky().unwrap();
            assert!((expected.solve(&b) - DVector::from_vec(x)).norm() < 1e-13);
            assert!(
                (expected.l().solve_lower_triangular(&b).unwrap() - DVector::from_vec(y)).norm()
                    < 1e-13
            );
            // The panel's columns are the single solves.
            let stride = LANES;
            let panel: Vec<f64> = (0..n * stride).map(|k| (k as f64).sin()).collect();
            let mut z = vec![0.0; n * stride];
            factor.forward_panel(&panel, stride, 3, &mut z);
            for c in 0..3 {
                let mut v: Vec<f64> = (0..n).map(|j| panel[j * stride + c]).collect();
                factor.forward(&mut v);
                assert!((0..n).all(|j| (v[j] - z[j * stride + c]).abs() < 1e-13));
            }
        }
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        for p in [0, 1] {
            let mut m = SymmetricBand::<f64>::zeros(3, p);
            m.add(0, 0, 1.0);
            m.add(1, 1, -1.0);
            m.add(2, 2, 1.0);
            assert!(!BandCholesky::new(3, p).factor(&m));
        }
    }
}
