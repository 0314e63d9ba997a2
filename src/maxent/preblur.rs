//! Preblur: the spectrum shown is a hidden image convolved with a Gaussian, A = G_b X.
//!
//! Entropy, default model and further priors are those of X; the data see K G_b. Structure narrower than b is
//! impossible in A, noise in X between neighbouring points costs nothing: Skilling's cure for ringing (MaxEnt
//! and Bayesian Methods, 1991).

use super::modes::Modes;
use crate::error::{Result, check_finite, check_positive};
use crate::grid::FrequencyGrid;
use crate::linalg::thin_svd;
use crate::problem::ForwardModel;
use crate::real::Real;
use nalgebra::{DMatrix, DVectorView};

/// The map from hidden to shown weights: G_ij = Δω_i e^{−(ω_i − ω_j)²/2b²}/Σ_l Δω_l e^{−(ω_i − ω_l)²/2b²}.
///
/// On densities its rows add up to one: a constant stays what it is up to the ends of the grid. The norm is kept
/// but for weight within a few b of them, where the grid resolves b; not where it is uneven and as coarse as b.
#[derive(Debug, Clone)]
pub(super) struct Preblur<T: Real> {
    pub(super) width: T,
    matrix: DMatrix<T>,
}

impl<T: Real> Preblur<T> {
    pub(super) fn new(grid: &FrequencyGrid<T>, width: T) -> Result<Self> {
        check_positive("preblur", width)?;
        let (n, omega, w) = (grid.len(), grid.points(), grid.weights());
        let mut matrix = DMatrix::from_fn(n, n, |i, j| {
            let u = (omega[i] - omega[j]) / width;
            w[i] * (-T::lit(0.5) * u * u).exp()
        });
        for (i, mut row) in matrix.row_iter_mut().enumerate() {
            let total: T = row.iter().zip(w).map(|(&g, &dw)| g * dw).sum::<T>() / w[i];
            row.iter_mut().for_each(|g| *g /= total);
        }
        check_finite("preblur matrix", matrix.as_slice())?;
        Ok(Preblur { width, matrix })
    }

    /// The modes of the blurred, whitened kernel K̃ G_b.
    pub(super) fn modes(&self, model: &ForwardModel<T>) -> Result<Modes<T>> {
        let blurred = model.whitened_kernel() * &self.matrix;
        Modes::of(&thin_svd("blurred kernel", &blurred)?)
    }

    /// ‖A − A*‖₁ over ‖X − X*‖₁ at most: the largest column sum.
    pub(super) fn gain(&self) -> T {
        let sums = self.matrix.column_iter().map(|c| c.iter().copied().sum::<T>());
        sums.fold(T::zero(), |m, s| if s > m { s } else { m })
    }
}

/// The weights of the spectrum shown, for those of the iteration: of a hidden image where there is a preblur.
pub(super) fn shown<T: Real>(preblur: Option<&Preblur<T>>, h: &[T]) -> Vec<T> {
    match preblur {
        Some(preblur) => {
            (&preblur.matrix * DVectorView::from_slice(h, h.len())).as_slice().to_vec()
        }
        None => h.to_vec(),
    }
}
