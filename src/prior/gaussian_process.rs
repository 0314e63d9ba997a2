//! A Gaussian process as prior of the density A: ½(A − m)ᵀC⁻¹(A − m) with a banded precision C⁻¹.

use super::Prior;
use crate::error::{Result, check_finite, check_len, check_positive};
use crate::grid::FrequencyGrid;
use crate::linalg::{BandedRows, SymmetricBand};
use crate::real::Real;

/// ½(A − m)ᵀC⁻¹(A − m) with the covariance C(ω, ω') = a² e^{−|ω−ω'|/ℓ} around a mean m(ω).
///
/// The Ornstein–Uhlenbeck or Matérn-½ process is Markovian: on any grid C⁻¹ = RᵀR exactly, with one row for
/// the first point, (A_0 − m_0)/a, and one for each step, (A_{j+1} − m_{j+1} − ρ(A_j − m_j))/(a√(1 − ρ²)) with
/// ρ = e^{−Δ/ℓ} (Rasmussen and Williams, Gaussian Processes for Machine Learning, B.2). For ℓ → ∞ at fixed
/// a²/ℓ it tends to the kinetic prior of A − m with λ = ℓ/2a².
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianProcess<T = f64> {
    rows: BandedRows<T>,
    targets: Vec<T>,
}

impl<T: Real> GaussianProcess<T> {
    /// Exponential covariance of standard deviation `amplitude` (in the units of A) and correlation length
    /// `length` (of ω), around the densities `mean` at the grid's points.
    ///
    /// # Errors
    /// `mean` of another length than the grid or not finite; an amplitude or a length that is not positive,
    /// or so extreme that the precision is not finite.
    pub fn exponential(
        grid: &FrequencyGrid<T>,
        mean: &[T],
        amplitude: T,
        length: T,
    ) -> Result<Self> {
        let (n, omega, w) = (grid.len(), grid.points(), grid.weights());
        check_len("mean", mean.len(), n, "the frequency grid")?;
        check_finite("mean", mean)?;
        check_positive("amplitude", amplitude)?;
        check_positive("length", length)?;
        let first = (0..n).map(|j| j.saturating_sub(1)).collect();
        let mut coefficients = vec![T::one() / (amplitude * w[0]), T::zero()];
        for j in 1..n {
            let x = -(omega[j] - omega[j - 1]) / length;
            let root = amplitude * (-(T::lit(2.0) * x).exp_m1()).sqrt();
            coefficients.extend([-x.exp() / (root * w[j - 1]), T::one() / (root * w[j])]);
        }
        let rows = BandedRows::new(n, 2, first, coefficients)?;
        let mean: Vec<T> = mean.iter().zip(w).map(|(&m, &w)| m * w).collect();
        let mut targets = vec![T::zero(); n];
        rows.apply(&mean, &mut targets);
        check_finite("mean over amplitude", &targets)?;
        Ok(GaussianProcess { rows, targets })
    }

    /// R h − c.
    fn residual(&self, h: &[T]) -> Vec<T> {
        let mut r = vec![T::zero(); self.rows.rows()];
        self.rows.apply(h, &mut r);
        for (r, &c) in r.iter_mut().zip(&self.targets) {
            *r -= c;
        }
        r
    }
}

impl<T: Real> Prior<T> for GaussianProcess<T> {
    fn dim(&self) -> usize {
        self.rows.columns()
    }

    fn value(&self, h: &[T]) -> T {
        T::lit(0.5) * self.residual(h).iter().map(|&r| r * r).sum()
    }

    fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]) {
        let r: Vec<T> = self.residual(h).iter().map(|&r| weight * r).collect();
        self.rows.add_transposed(&r, out);
    }

    fn add_hessian(&self, _h: &[T], weight: T, out: &mut SymmetricBand<T>) {
        self.rows.add_hessian(weight, out);
    }

    fn bandwidth(&self) -> usize {
        self.rows.width() - 1
    }

    fn rows(&self) -> Option<&BandedRows<T>> {
        Some(&self.rows)
    }

    fn targets(&self) -> &[T] {
        &self.targets
    }
}
