//! What is minimised besides ½χ²: one prior scaled by α, and others with weights of their own.

use crate::error::{Error, Result, check_finite, check_len, check_nonnegative};
use crate::linalg::{BandedRows, SymmetricBand};
use crate::prior::{Legendre, Prior};
use crate::real::Real;
use std::sync::Arc;

/// α·scaled + Σ weight·prior.
#[derive(Debug, Clone)]
pub(super) struct Objective<T> {
    pub(super) scaled: Arc<dyn Prior<T>>,
    pub(super) fixed: Vec<(T, Arc<dyn Prior<T>>)>,
    bandwidth: usize,
}

impl<T: Real> Objective<T> {
    /// Checks that every prior fits a grid with default weights `d` and is finite there.
    pub(super) fn new(
        scaled: Arc<dyn Prior<T>>,
        fixed: Vec<(T, Arc<dyn Prior<T>>)>,
        d: &[T],
    ) -> Result<Self> {
        for (weight, _) in &fixed {
            check_nonnegative("prior weight", *weight)?;
        }
        let fixed: Vec<_> = fixed.into_iter().filter(|(weight, _)| *weight > T::zero()).collect();
        let mut bandwidth = 0;
        for prior in fixed.iter().map(|(_, p)| p).chain([&scaled]) {
            check_len("prior", prior.dim(), d.len(), "the frequency grid")?;
            bandwidth = bandwidth.max(prior.bandwidth());
            if prior.bandwidth() >= d.len() {
                return Err(Error::OutOfRange {
                    argument: "prior bandwidth",
                    value: prior.bandwidth() as f64,
                    expected: "fewer sub-diagonals than the frequency grid has points",
                });
            }
            let mut gradient = vec![T::zero(); d.len()];
            prior.add_gradient(d, T::one(), &mut gradient);
            check_finite("prior gradient at the default model", &gradient)?;
            let mut hessian = SymmetricBand::zeros(d.len(), prior.bandwidth());
            prior.add_hessian(d, T::one(), &mut hessian);
            for j in 0..d.len() {
                check_finite("prior Hessian at the default model", &[hessian.get(j, j)])?;
            }
        }
        Ok(Objective { scaled, fixed, bandwidth })
    }

    /// The scaled prior as a Legendre function, if it is one.
    pub(super) fn legendre(&self) -> Option<&dyn Legendre<T>> {
        self.scaled.legendre()
    }

    /// Whether the dual can be formed: a Legendre prior scaled by α, quadratic ones besides.
    pub(super) fn has_dual(&self) -> bool {
        self.legendre().is_some() && self.fixed.iter().all(|(_, p)| p.rows().is_some())
    }

    /// Whether the primal iterate carries a rigorous gap: a convex prior h ↦ P(h) may be replaced by its
    /// tangent, which bounds it from below.
    pub(super) fn has_gap(&self) -> bool {
        self.legendre().is_some() && self.fixed.iter().all(|(_, p)| p.is_convex())
    }

    /// All rows of the fixed priors, times the square roots of their weights.
    pub(super) fn rows(&self) -> Option<BandedRows<T>> {
        let parts: Vec<_> =
            self.fixed.iter().filter_map(|(w, p)| p.rows().map(|r| (w.sqrt(), r))).collect();
        (!parts.is_empty()).then(|| BandedRows::stacked(self.scaled.dim(), &parts))
    }

    /// A matrix in which the Hessian of all priors fits.
    pub(super) fn hessian_storage(&self) -> SymmetricBand<T> {
        SymmetricBand::zeros(self.scaled.dim(), self.bandwidth)
    }

    /// out = (Σ weight ∇²prior)/α at `h`, the scaled prior with weight α.
    pub(super) fn precision(&self, alpha: T, h: &[T], out: &mut SymmetricBand<T>) {
        out.clear();
        for (weight, prior) in &self.fixed {
            prior.add_hessian(h, *weight / alpha, out);
        }
        self.scaled.add_hessian(h, T::one(), out);
    }
}
