//! The whitened problem in the singular vectors of its kernel.
//!
//! K̃ = U diag(σ) Vᵀ: B = diag(σ)Vᵀ and g = Uᵀg̃ leave χ² = ‖g − Bh‖² + a constant. Rows are sorted by σ, so
//! that the modes the data can tell from noise at a given α are the leading ones.

use crate::error::{Error, Result};
use crate::linalg::{LANES, Svd, add_product_t, product};
use crate::problem::ForwardModel;
use crate::real::Real;
use nalgebra::DMatrix;

/// B, and the map from whitened data to g.
///
/// Modes with σ ≤ ε σ_1 are rounding of the kernel itself and are not kept; leaving them out changes
/// K̃ by no more than storing it did.
#[derive(Debug, Clone)]
pub(super) struct Modes<T> {
    /// Number of weights N_ω.
    pub(super) points: usize,
    /// N_ω rounded up to full lanes: the length of a row of `rows`, and of vectors over ω.
    pub(super) width: usize,
    /// Number of modes s.
    pub(super) count: usize,
    /// s rounded up to full lanes: the length of a row of `columns`.
    pub(super) stride: usize,
    /// B, row-major, s × width.
    pub(super) rows: Vec<T>,
    /// Bᵀ, row-major, N_ω × stride.
    pub(super) columns: Vec<T>,
    /// U, N × s.
    left: DMatrix<T>,
    pub(super) sigma: Vec<T>,
}

/// A data vector as the modes see it.
#[derive(Debug, Clone, Default)]
pub(super) struct Projected<T> {
    /// g = Uᵀg̃.
    pub(super) data: Vec<T>,
    /// ‖g̃ − U g‖²: the part of χ² that no spectrum can change.
    pub(super) outside: T,
}

impl<T: Real> Modes<T> {
    /// The modes of a model's whitened kernel.
    pub(super) fn new(model: &ForwardModel<T>) -> Result<Self> {
        Self::of(model.svd()?)
    }

    /// The modes of a decomposed kernel.
    pub(super) fn of(svd: &Svd<T>) -> Result<Self> {
        let (points, largest) = (svd.vt.ncols(), svd.s[0]);
        if !(largest > T::zero() && largest.is_finite()) {
            return Err(Error::OutOfRange {
                argument: "whitened kernel",
                value: largest.as_f64(),
                expected: "a finite kernel that is not zero",
            });
        }
        let count = svd.s.iter().filter(|&&s| s > T::EPSILON * largest).count();
        let (width, stride) = (points.next_multiple_of(LANES), count.next_multiple_of(LANES));
        let mut rows = vec![T::zero(); count * width];
        let mut columns = vec![T::zero(); points * stride];
        for j in 0..points {
            for k in 0..count {
                let b = svd.s[k] * svd.vt[(k, j)];
                rows[k * width + j] = b;
                columns[j * stride + k] = b;
            }
        }
        let left = svd.u.columns(0, count).into_owned();
        let sigma = svd.s.iter().take(count).copied().collect();
        Ok(Modes { points, width, count, stride, rows, columns, left, sigma })
    }

    /// Whitened data on the modes.
    pub(super) fn project(&self, whitened: &[T]) -> Projected<T> {
        let mut rest = whitened.to_vec();
        let mut data = Vec::with_capacity(self.count);
        for u in self.left.column_iter() {
            data.push(u.iter().zip(whitened).map(|(&u, &g)| u * g).sum());
        }
        for (u, &g) in self.left.column_iter().zip(&data) {
            for (r, &u) in rest.iter_mut().zip(u.iter()) {
                *r -= u * g;
            }
        }
        Projected { data, outside: rest.iter().map(|&r| r * r).sum() }
    }

    /// The number of leading modes with σ²·norm ≥ `cut`·α, at least one.
    pub(super) fn significant(&self, alpha: T, norm: T, cut: T) -> usize {
        let least = cut * alpha;
        self.sigma.partition_point(|&s| s * s * norm >= least).max(1)
    }

    /// out = B h for as many leading modes as `out` holds.
    pub(super) fn apply(&self, h: &[T], out: &mut [T]) {
        product(&self.rows, h, out);
    }

    /// out += Bᵀ μ for the modes from `first` on, as many as `mu` holds.
    pub(super) fn add_transposed(&self, first: usize, mu: &[T], out: &mut [T]) {
        add_product_t(&self.rows[first * self.width..], mu, out);
    }

    /// The largest eigenvalue of B diag(c) Bᵀ to three digits, by power iteration.
    pub(super) fn largest_eigenvalue(&self, c: &[T]) -> T {
        let mut v = vec![T::zero(); self.count];
        let mut w = vec![T::zero(); self.width];
        v[0] = T::one();
        let mut eigenvalue = T::zero();
        for _ in 0..100 {
            w.fill(T::zero());
            self.add_transposed(0, &v, &mut w);
            for (w, &c) in w.iter_mut().zip(c) {
                *w *= c;
            }
            self.apply(&w, &mut v);
            let norm = v.iter().map(|&x| x * x).sum::<T>().sqrt();
            for x in &mut v {
                *x /= norm;
            }
            let converged = (norm - eigenvalue).abs() <= T::lit(1e-3) * norm;
            eigenvalue = norm;
            if converged {
                break;
            }
        }
        eigenvalue
    }
}
