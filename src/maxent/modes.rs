//! The whitened problem in the singular vectors of its kernel.
//!
//! K̃ = U diag(σ) Vᵀ: B = diag(σ)Vᵀ and g = Uᵀg̃ leave χ² = ‖g − Bh‖² + a constant. Rows are sorted by σ, so
//! that the modes the data can tell from noise at a given α are the leading ones.

use crate::error::{Error, Result};
use crate::linalg::{LANES, add_product_t, product};
use crate::problem::Problem;
use crate::real::Real;

/// B, g and the part of χ² that no spectrum can change.
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
    /// g.
    pub(super) data: Vec<T>,
    /// ‖g̃ − U g‖².
    pub(super) chi2_outside: T,
    sigma: Vec<T>,
}

impl<T: Real> Modes<T> {
    /// Projects a problem on the singular vectors of its kernel.
    pub(super) fn new(problem: &Problem<T>) -> Result<Self> {
        let svd = problem.model().svd()?;
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
        let mut outside = problem.whitened_data().to_vec();
        let mut data = Vec::with_capacity(count);
        for u in svd.u.column_iter().take(count) {
            data.push(u.iter().zip(problem.whitened_data()).map(|(&u, &g)| u * g).sum());
        }
        for (u, &g) in svd.u.column_iter().zip(&data) {
            for (o, &u) in outside.iter_mut().zip(u.iter()) {
                *o -= u * g;
            }
        }
        let chi2_outside = outside.iter().map(|&o| o * o).sum();
        let sigma = svd.s.iter().take(count).copied().collect();
        Ok(Modes { points, width, count, stride, rows, columns, data, chi2_outside, sigma })
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
