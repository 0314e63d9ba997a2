//! Cholesky factors of several banded matrices side by side, one in each lane.

use super::band::SymmetricBand;
use super::elementwise::LANES;
use super::lanes::{LaneVec, Lanes, add_multiple, multiply_add, scale};
use super::machine::vectorised;
use crate::real::Real;

/// Columns of a panel.
const PANEL: usize = 4;

/// The factors L of M = L Lᵀ for banded M = diag + factor·C with one C for all lanes.
#[derive(Debug)]
pub(crate) struct LaneBandCholesky<T> {
    order: usize,
    /// Sub-diagonals plus one.
    width: usize,
    /// −L(i, i − k) at i·width + k, k > 0.
    l: LaneVec<T>,
    /// 1/L(i, i).
    inverse_diagonal: LaneVec<T>,
}

impl<T: Real> LaneBandCholesky<T> {
    /// Storage for matrices of this shape.
    pub(crate) fn new(order: usize, bandwidth: usize) -> Self {
        let width = bandwidth + 1;
        LaneBandCholesky {
            order,
            width,
            l: LaneVec::zeros(order * width),
            inverse_diagonal: LaneVec::zeros(order),
        }
    }

    /// Factors diag + factor·C. `false` in the lanes where it is not positive definite.
    pub(crate) fn factor(
        &mut self,
        diagonal: &[Lanes<T>],
        factor: &Lanes<T>,
        c: &SymmetricBand<T>,
    ) -> [bool; LANES] {
        factor_band(self.width, diagonal, factor, c, &mut self.l, &mut self.inverse_diagonal)
    }

    /// 1/L(i, i).
    pub(crate) fn inverse_diagonal(&self) -> &[Lanes<T>] {
        &self.inverse_diagonal
    }

    /// Overwrites `v` with L⁻¹v.
    pub(crate) fn forward(&self, v: &mut [Lanes<T>]) {
        for i in 0..self.order {
            let (above, rest) = v.split_at_mut(i);
            for k in 1..self.width.min(i + 1) {
                multiply_add::<T, false>(&self.l[i * self.width + k], &above[i - k], &mut rest[0]);
            }
            scale(&self.inverse_diagonal[i], &mut rest[0]);
        }
    }

    /// Overwrites `v` with L⁻ᵀv.
    pub(crate) fn backward(&self, v: &mut [Lanes<T>]) {
        for i in (0..self.order).rev() {
            let (above, rest) = v.split_at_mut(i);
            scale(&self.inverse_diagonal[i], &mut rest[0]);
            for k in 1..self.width.min(i + 1) {
                multiply_add::<T, false>(&self.l[i * self.width + k], &rest[0], &mut above[i - k]);
            }
        }
    }

    /// Writes Z = L⁻¹Y for a row-major Y common to all lanes, the leading `columns` columns of rows `stride`
    /// apart. Z is written as panels of four columns, which are to be full.
    pub(crate) fn forward_panel(&self, y: &[T], stride: usize, columns: usize, z: &mut [Lanes<T>]) {
        forward_rows(self.width, &self.l, &self.inverse_diagonal, y, stride, columns, z);
    }
}

vectorised! {
    fn factor_band<'a, T, const FUSED: bool>(
        width: usize,
        diagonal: &'a [Lanes<T>],
        factor: &'a Lanes<T>,
        c: &'a SymmetricBand<T>,
        l: &'a mut [Lanes<T>],
        inverse_diagonal: &'a mut [Lanes<T>],
    ) -> [bool; LANES] {
        let mut definite = [true; LANES];
        for i in 0..diagonal.len() {
            let reach = width.min(i + 1);
            for k in (0..reach).rev() {
                // L(i, i−k) = (M(i, i−k) − Σ_q L(i, i−q) L(i−k, i−q)) / L(i−k, i−k)
                let mut sum = if k == 0 { diagonal[i] } else { [T::zero(); LANES] };
                let element = c.get(i, i - k);
                add_multiple::<T, FUSED>(factor, element, &mut sum);
                for q in k + 1..reach {
                    let other = l[i * width + q].map(|x| -x);
                    multiply_add::<T, FUSED>(&other, &l[(i - k) * width + q - k], &mut sum);
                }
                if k > 0 {
                    scale(&inverse_diagonal[i - k], &mut sum);
                    l[i * width + k] = sum.map(|x| -x);
                    continue;
                }
                for lane in 0..LANES {
                    let sound = sum[lane] > T::zero() && sum[lane] < T::INFINITY;
                    definite[lane] &= sound;
                    sum[lane] = if sound { sum[lane] } else { T::one() };
                }
                inverse_diagonal[i] = sum.map(|x| T::one() / x.sqrt());
            }
        }
        definite
    }
}

vectorised! {
    /// Row i of Z = (row i of Y − Σ_k L(i, i−k) row i−k of Z)/L(i, i), panel after panel.
    fn forward_rows<'a, T, const FUSED: bool>(
        width: usize,
        l: &'a [Lanes<T>],
        inverse_diagonal: &'a [Lanes<T>],
        y: &'a [T],
        stride: usize,
        columns: usize,
        z: &'a mut [Lanes<T>],
    ) -> () {
        let order = inverse_diagonal.len();
        for (first, panel) in (0..columns).step_by(PANEL).zip(z.chunks_exact_mut(order * PANEL)) {
            for (i, inverse) in inverse_diagonal.iter().enumerate() {
                let (above, row) = panel.split_at_mut(i * PANEL);
                let y = &y[i * stride + first..][..PANEL];
                let mut sums = [[T::zero(); LANES]; PANEL];
                for c in 0..PANEL {
                    sums[c] = [y[c]; LANES];
                }
                for b in 1..width.min(i + 1) {
                    let before = &above[(i - b) * PANEL..][..PANEL];
                    for c in 0..PANEL {
                        multiply_add::<T, FUSED>(&l[i * width + b], &before[c], &mut sums[c]);
                    }
                }
                for c in 0..PANEL {
                    scale(inverse, &mut sums[c]);
                }
                row[..PANEL].copy_from_slice(&sums);
            }
        }
    }
}

vectorised! {
    /// out += Zᵀ y for panels of four columns, as many columns as `out` holds.
    pub(crate) fn add_panel_product_t<'a, T, const FUSED: bool>(
        z: &'a [Lanes<T>],
        y: &'a [Lanes<T>],
        out: &'a mut [Lanes<T>],
    ) -> () {
        for (panel, out) in z.chunks_exact(y.len() * PANEL).zip(out.chunks_exact_mut(PANEL)) {
            let mut sums = [[T::zero(); LANES]; PANEL];
            sums.copy_from_slice(out);
            for (row, y) in panel.chunks_exact(PANEL).zip(y) {
                for c in 0..PANEL {
                    multiply_add::<T, FUSED>(&row[c], y, &mut sums[c]);
                }
            }
            out.copy_from_slice(&sums);
        }
    }
}

vectorised! {
    /// out += Z x for panels of four columns, as many columns as `x` holds.
    pub(crate) fn add_panel_product<'a, T, const FUSED: bool>(
        z: &'a [Lanes<T>],
        x: &'a [Lanes<T>],
        out: &'a mut [Lanes<T>],
    ) -> () {
        for (panel, x) in z.chunks_exact(out.len() * PANEL).zip(x.chunks_exact(PANEL)) {
            for (row, out) in panel.chunks_exact(PANEL).zip(out.iter_mut()) {
                let mut sum = *out;
                for c in 0..PANEL {
                    multiply_add::<T, FUSED>(&row[c], &x[c], &mut sum);
                }
                *out = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn every_lane_agrees_with_the_dense_factorisation() {
        for (n, p) in [(1, 0), (6, 0), (7, 1), (9, 2), (12, 3)] {
            let mut c = SymmetricBand::<f64>::zeros(n, p);
            for i in 0..n {
                c.add(i, i, 1.0 + p as f64);
                for k in 1..=p.min(i) {
                    c.add(i, i - k, ((3 * i + k) as f64).sin());
                }
            }
            let diagonal: Vec<Lanes<f64>> = (0..n)
                .map(|i| core::array::from_fn(|l| 1.5 + (0.7 * (i + 3 * l) as f64).sin()))
                .collect();
            let factor = core::array::from_fn(|l| 0.1 + 0.2 * l as f64);
            let mut band = LaneBandCholesky::new(n, p);
            assert_eq!(band.factor(&diagonal, &factor, &c), [true; LANES]);
            let stride = 8;
            let y: Vec<f64> = (0..n * stride).map(|k| (k as f64).sin()).collect();
            let mut z = vec![[0.0; LANES]; n * stride];
            band.forward_panel(&y, stride, 8, &mut z);
            let (mut along, mut across) = (vec![[0.25; LANES]; 8], vec![[0.5; LANES]; n]);
            add_panel_product_t(&z, &vec![[2.0; LANES]; n], &mut along);
            add_panel_product(&z, &[[2.0; LANES]; 8], &mut across);
            let element =
                |i: usize, k: usize, l: usize| z[(k / PANEL * n + i) * PANEL + k % PANEL][l];
            let b: Vec<Lanes<f64>> =
                (0..n).map(|i| core::array::from_fn(|l| (1.7 * (i + l) as f64).cos())).collect();
            let mut x = b.clone();
            band.forward(&mut x);
            let half = x.clone();
            band.backward(&mut x);
            for l in 0..LANES {
                let mut m = DMatrix::from_fn(n, n, |i, j| factor[l] * c.get(i, j));
                (0..n).for_each(|i| m[(i, i)] += diagonal[i][l]);
                let cholesky = m.cholesky().unwrap();
                let lane = |v: &[Lanes<f64>]| DVector::from_fn(n, |i, _| v[i][l]);
                assert!((cholesky.solve(&lane(&b)) - lane(&x)).norm() < 1e-13);
                let triangle = cholesky.l();
                let forward = |v: &DVector<f64>| triangle.solve_lower_triangular(v).unwrap();
                assert!((forward(&lane(&b)) - lane(&half)).norm() < 1e-13);
                for i in 0..n {
                    let sum: f64 = (0..8).map(|k| element(i, k, l)).sum();
                    assert!((across[i][l] - 0.5 - 2.0 * sum).abs() < 1e-13);
                }
                for k in 0..8 {
                    let sum: f64 = (0..n).map(|i| element(i, k, l)).sum();
                    assert!((along[k][l] - 0.25 - 2.0 * sum).abs() < 1e-13);
                    let column = DVector::from_fn(n, |i, _| y[i * stride + k]);
                    let found = DVector::from_fn(n, |i, _| element(i, k, l));
                    assert!((forward(&column) - found).norm() < 1e-13);
                }
            }
        }
        let mut band = LaneBandCholesky::new(2, 0);
        let mut diagonal = [[1.0; LANES]; 2];
        diagonal[1][3] = -1.0;
        let zero = SymmetricBand::zeros(2, 0);
        assert!(!band.factor(&diagonal, &[1.0; LANES], &zero)[3]);
    }
}
