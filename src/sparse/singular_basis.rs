//! The data of sparse modelling in the basis of the kernel's singular vectors.
//!
//! Source: Otsuki, Ohzeki, Shinaoka and Yoshimi, *Phys. Rev. E* 95, 061302 (2017).

use crate::error::{Error, Result};
use crate::grid::FrequencyGrid;
use crate::linalg::{product, thin_svd};
use crate::real::Real;
use nalgebra::{DMatrix, DVectorView};

/// Singular values below this multiple of the largest are left out.
fn cut<T: Real>() -> T {
    T::lit(1e-10).max(T::lit(4.0) * T::EPSILON)
}

/// ½‖y − S x‖² over coefficients x, with V x ≥ 0 and c·x = norm.
///
/// Spectral weights are a = √Δω V x: with K √Δω = U S Vᵀ the rows of V are orthonormal as functions of ω,
/// on any grid.
#[derive(Debug, Clone)]
pub(super) struct SingularBasis<T: Real> {
    pub(super) s: Vec<T>,
    /// Uᵀg.
    pub(super) y: Vec<T>,
    /// ‖g − UUᵀg‖².
    outside: T,
    /// Vᵀ, one mode after another, each of `points` elements.
    pub(super) vt: Vec<T>,
    /// √Δω.
    pub(super) root: Vec<T>,
    /// The sum rule: c = V√Δω and the norm.
    pub(super) sum: Option<(Vec<T>, T)>,
}

impl<T: Real> SingularBasis<T> {
    pub(super) fn new(
        kernel: &DMatrix<T>,
        data: &[T],
        grid: &FrequencyGrid<T>,
        norm: Option<T>,
    ) -> Result<Self> {
        let root: Vec<T> = grid.weights().iter().map(|w| w.sqrt()).collect();
        let mut scaled = kernel.clone();
        for (mut column, &r) in scaled.column_iter_mut().zip(&root) {
            column *= r;
        }
        let svd = thin_svd("whitened kernel", &scaled)?;
        let g = DVectorView::from_slice(data, data.len());
        let c = svd.u.transpose() * g;
        let outside = (g - &svd.u * &c).norm_squared();
        if c[0] == T::zero() || svd.s[0] == T::zero() {
            let expected = "data that the leading mode of the kernel takes part in";
            return Err(Error::OutOfRange { argument: "data", value: 0.0, expected });
        }
        let least = cut::<T>() * svd.s[0];
        let k = svd.s.iter().take_while(|&&s| s > least).count();
        let lost: T = c.rows_range(k..).norm_squared();
        let vt: Vec<T> =
            (0..k).flat_map(|i| svd.vt.row(i).iter().copied().collect::<Vec<_>>()).collect();
        let mut basis = SingularBasis {
            s: svd.s.as_slice()[..k].to_vec(),
            y: c.as_slice()[..k].to_vec(),
            outside: outside + lost,
            vt,
            root,
            sum: None,
        };
        if let Some(norm) = norm {
            let mut c = vec![T::zero(); k];
            product(&basis.vt, &basis.root, &mut c);
            basis.sum = Some((c, norm));
        }
        Ok(basis)
    }

    /// |x| of the mode that the data fix best: the scale of all coefficients.
    pub(super) fn leading_coefficient(&self) -> T {
        (self.y[0] / self.s[0]).abs()
    }

    /// ‖Sy‖∞: the least λ for which x = 0 without constraints.
    pub(super) fn largest_lambda(&self) -> T {
        let pairs = self.s.iter().zip(&self.y);
        pairs.fold(T::zero(), |m, (&s, &y)| m.max((s * y).abs()))
    }

    /// ‖g − K a‖² of coefficients x.
    pub(super) fn misfit(&self, x: &[T]) -> T {
        let modes = self.s.iter().zip(&self.y).zip(x);
        self.outside + modes.map(|((&s, &y), &x)| (y - s * x) * (y - s * x)).sum::<T>()
    }
}
