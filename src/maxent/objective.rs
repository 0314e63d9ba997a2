//! What is minimised besides ½χ²: one prior scaled by α, and others with weights of their own.

use crate::error::{
    Error, Result, check_all_positive, check_finite, check_len, check_nonnegative, check_positive,
    check_scalar,
};
use crate::linalg::{BandedRows, SymmetricBand};
use crate::prior::{Legendre, Prior};
use crate::real::Real;
use std::sync::Arc;

/// α·scaled + Σ weight·prior.
#[derive(Debug, Clone)]
pub(super) struct Objective<T> {
    pub(super) scaled: Arc<dyn Legendre<T>>,
    pub(super) fixed: Vec<(T, Arc<dyn Prior<T>>)>,
    bandwidth: usize,
}

impl<T: Real> Objective<T> {
    /// Checks that every prior fits a grid of `n` points and is finite at the start.
    pub(super) fn new(
        scaled: Arc<dyn Legendre<T>>,
        fixed: Vec<(T, Arc<dyn Prior<T>>)>,
        n: usize,
    ) -> Result<Self> {
        for (weight, prior) in &fixed {
            check_nonnegative("prior weight", *weight)?;
            check_len("prior", prior.dim(), n, "the frequency grid")?;
            if let Some(rows) = prior.rows().filter(|_| !prior.targets().is_empty()) {
                check_len("prior targets", prior.targets().len(), rows.rows(), "the prior's rows")?;
            }
            if prior.bandwidth() >= n {
                return Err(Error::OutOfRange {
                    argument: "prior bandwidth",
                    value: prior.bandwidth() as f64,
                    expected: "fewer sub-diagonals than the frequency grid has points",
                });
            }
        }
        check_len("scaled prior", scaled.dim(), n, "the frequency grid")?;
        let fixed: Vec<_> = fixed.into_iter().filter(|(weight, _)| *weight > T::zero()).collect();
        let bandwidth = fixed.iter().map(|(_, p)| p.bandwidth()).max().unwrap_or(0);
        let objective = Objective { scaled, fixed, bandwidth };
        let start = objective.start();
        check_finite("weights at the minimum of the scaled prior", &start)?;
        if objective.scaled.is_positive() {
            check_all_positive("weights at the minimum of the scaled prior", &start)?;
        }
        check_positive("scale of the scaled prior at its minimum", objective.scaled.scale(&start))?;
        for (_, prior) in &objective.fixed {
            check_scalar("prior at the default model", prior.value(&start))?;
            let mut gradient = vec![T::zero(); n];
            prior.add_gradient(&start, T::one(), &mut gradient);
            check_finite("prior gradient at the default model", &gradient)?;
        }
        let mut hessian = objective.hessian_storage();
        objective.precision(T::one(), &start, &mut hessian);
        for j in 0..n {
            check_finite("prior Hessian at the default model", &[hessian.get(j, j)])?;
        }
        Ok(objective)
    }

    /// The same with a further prior.
    pub(super) fn with(&self, weight: T, prior: Arc<dyn Prior<T>>) -> Result<Self> {
        let mut fixed = self.fixed.clone();
        fixed.push((weight, prior));
        Self::new(Arc::clone(&self.scaled), fixed, self.scaled.dim())
    }

    /// The entropy −scaled(h), and α·scaled(h) + Σ weight·prior(h).
    pub(super) fn parts(&self, alpha: T, h: &[T]) -> (T, T) {
        let scaled = self.scaled.value(h);
        let fixed = self.fixed.iter().map(|(weight, prior)| *weight * prior.value(h));
        (-scaled, alpha * scaled + fixed.sum::<T>())
    }

    /// The optimum at infinite α: the minimum of the scaled prior.
    pub(super) fn start(&self) -> Vec<T> {
        let mut h = vec![T::zero(); self.scaled.dim()];
        self.scaled.conjugate_gradient(&vec![T::zero(); self.scaled.dim()], &mut h);
        h
    }

    /// Whether the dual can be formed: the fixed priors are quadratic.
    pub(super) fn has_dual(&self) -> bool {
        self.fixed.iter().all(|(_, p)| p.rows().is_some())
    }

    /// Whether an iterate carries a rigorous gap: a convex prior may be replaced by its tangent, which
    /// bounds it from below.
    pub(super) fn has_gap(&self) -> bool {
        self.fixed.iter().all(|(_, p)| p.is_convex() || p.rows().is_some())
    }

    /// All rows R of the fixed priors and their targets c, times the square roots of their weights.
    pub(super) fn rows(&self) -> Option<(BandedRows<T>, Vec<T>)> {
        let (mut parts, mut targets) = (Vec::new(), Vec::new());
        for (weight, prior) in &self.fixed {
            if let Some(rows) = prior.rows() {
                let root = weight.sqrt();
                parts.push((root, rows));
                let end = targets.len() + rows.rows();
                targets.extend(prior.targets().iter().map(|&c| root * c));
                targets.resize(end, T::zero());
            }
        }
        (!parts.is_empty()).then(|| (BandedRows::stacked(self.scaled.dim(), &parts), targets))
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
