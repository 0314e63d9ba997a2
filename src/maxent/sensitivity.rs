//! Derivatives of a maximum-entropy solution with respect to what it was made from.
//!
//! The weights h solve α∇φ(h) + Σ weight·∇P(h) − K̃ᵀ(g̃ − K̃h) = 0. By the implicit function theorem
//! Γ dh = K̃ᵀdg̃ − ∇φ dα − Σ ∇P dweight − α (∂∇φ/∂d) dd with Γ the curvature there; an upstream gradient v =
//! ∂loss/∂h is pulled back through one solution w of Γw = v, Γ being symmetric. Nothing depends on how h
//! was found, or on how many iterations that took. Source: Krantz and Parks, *The Implicit Function Theorem*;
//! for optima, Blondel et al., *NeurIPS* 35 (2022).

use super::builder::MaxEnt;
use super::objective::Objective;
use super::posterior::{Posterior, curved};
use super::prepared::PreparedMaxEnt;
use crate::error::{Error, Result, check_finite, check_len};
use crate::linalg::{MatMut, MatRef, dot, gemm};
use crate::prior::{Kinetic, Prior};
use crate::problem::{ForwardModel, Problem};
use crate::real::Real;
use crate::solution::Solution;
use std::sync::Arc;

/// Newton's step from the solution, over its norm, beyond which it is no optimum of the objective.
const FAR: f64 = 1e-2;

/// The derivatives of a maximum-entropy solution h, ready to be contracted with an upstream gradient.
///
/// α is a number here: the derivative of the rule that chose it is *not* included. Where the norm is
/// fixed ([`MaxEnt::fix_norm`]) h moves on the plane Σh = norm, and that norm is a number too. Made by
/// [`MaxEnt::sensitivity`].
#[derive(Debug, Clone)]
pub struct Sensitivity<T: Real = f64> {
    /// Γ⁻¹.
    posterior: Posterior<T>,
    model: Arc<ForwardModel<T>>,
    /// −α ∂∇φ/∂d; empty for a prior of the user's.
    by_default: Vec<T>,
    /// ∇φ(h).
    by_alpha: Vec<T>,
    /// ∇P(h) of the kinetic prior, then of every other in the order it was added.
    by_weight: Vec<Vec<T>>,
    distance: T,
}

/// The gradient of a loss with respect to all that a maximum-entropy solution depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxEntGradient<T = f64> {
    /// ∂loss/∂g of the raw data (stacked if complex), in 1/units of g.
    pub data: Vec<T>,
    /// ∂loss/∂d of the default weights d = D Δω as the entropy uses them, scaled to the norm; with
    /// respect to ln d multiply by d. Empty if a scaled prior takes the place of Skilling's entropy.
    pub default_weights: Vec<T>,
    /// ∂loss/∂α.
    pub alpha: T,
    /// ∂loss/∂λ of the kinetic prior, whether λ is zero or not; in 1/energy³, and where λ was chosen in
    /// norm/energy⁶ with what the prior is relative to held fixed.
    pub kinetic: T,
    /// ∂loss/∂weight of every further prior, in the order they were added.
    pub priors: Vec<T>,
}

impl<T: Real> MaxEnt<T> {
    /// Prepares the derivatives of `solution`, which this builder has made of `problem`, with respect to
    /// data, default model, α, λ and the weights of further priors.
    ///
    /// ```
    /// use fredholm::{FermionTime, FixedAlpha, FrequencyGrid, MaxEnt, Measurement, Problem, Solver};
    /// let (beta, tau) = (10.0_f64, [0.0_f64, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
    /// let g = tau.map(|t| 0.5 * ((-t).exp() + (t - beta).exp()) / (1.0 + (-beta).exp()));
    /// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
    /// let grid = FrequencyGrid::uniform(-3.0, 3.0, 61)?;
    /// let problem = Problem::new(&FermionTime::new(beta)?, &data, &grid)?;
    ///
    /// // How the density at ω = 1 moves with α: a central difference agrees.
    /// let solve = |alpha| MaxEnt::default().alpha(FixedAlpha(alpha)).tolerance(1e-14).solve(&problem);
    /// let maxent = MaxEnt::default();
    /// let mut at_one = vec![0.0; 61];
    /// at_one[40] = 1.0;
    /// let gradient = maxent.sensitivity(&problem, &solve(1.0)?)?.vjp_density(&at_one)?;
    /// let (above, below) = (solve(1.001)?, solve(0.999)?);
    /// let slope = (above.spectrum().values()[40] - below.spectrum().values()[40]) / 0.002;
    /// assert!((gradient.alpha / slope - 1.0).abs() < 1e-4);
    /// # Ok::<(), fredholm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare) and [`PreparedMaxEnt::sensitivity`].
    pub fn sensitivity(
        &self,
        problem: &Problem<T>,
        solution: &Solution<T>,
    ) -> Result<Sensitivity<T>> {
        self.prepare(problem.model())?.sensitivity(problem, solution)
    }
}

impl<T: Real> PreparedMaxEnt<T> {
    /// As [`MaxEnt::sensitivity`].
    ///
    /// # Errors
    /// A problem of another model; a solution of another method or grid, or one that is not the optimum of
    /// this objective at its α (Newton's step from it exceeds 1 % of its norm); a preblur, whose hidden image
    /// the solution does not hold; priors that are not convex there.
    pub fn sensitivity(
        &self,
        problem: &Problem<T>,
        solution: &Solution<T>,
    ) -> Result<Sensitivity<T>> {
        self.model.check_same(problem.model())?;
        let posterior = self.posterior(solution)?;
        let (objective, alpha) = self.minimised_by(solution)?;
        let (grid, h) = (self.model.grid(), curved(&solution.spectrum().weights()));
        let distance = distance(&posterior, problem, &objective, alpha, &h);
        let norm: T = h.iter().map(|h| h.abs()).sum();
        if distance > T::lit(FAR) * norm || !distance.is_finite() {
            return Err(Error::OutOfRange {
                argument: "solution: Newton's step over its norm",
                value: (distance / norm).as_f64(),
                expected: "at most 0.01: the optimum of this objective for this problem",
            });
        }
        let gradient = |prior: &dyn Prior<T>| {
            let mut out = vec![T::zero(); h.len()];
            prior.add_gradient(&h, T::one(), &mut out);
            out
        };
        let chosen = solution.report().maxent.as_ref().map(|m| &m.kinetic_reference[..]);
        let kinetic = match chosen {
            Some(values) if !values.is_empty() => Kinetic::relative(&self.reference(values)?)?,
            _ => Kinetic::natural(grid)?,
        };
        let mut by_weight = vec![gradient(&kinetic)];
        by_weight.extend(self.settings.priors.iter().map(|(_, prior)| gradient(prior.as_ref())));
        let by_alpha = gradient(&*objective.scaled);
        // The default weights are where the entropy has its minimum.
        let by_default = match &self.settings.scaled {
            None => objective.start().iter().map(|&d| alpha / d).collect(),
            Some(_) => Vec::new(),
        };
        let model = Arc::clone(&self.model);
        Ok(Sensitivity { posterior, model, by_default, by_alpha, by_weight, distance })
    }
}

/// ‖Γ⁻¹∇Q‖₁, the length of Newton's step from h.
fn distance<T: Real>(
    posterior: &Posterior<T>,
    problem: &Problem<T>,
    objective: &Objective<T>,
    alpha: T,
    h: &[T],
) -> T {
    let kernel = problem.whitened_kernel();
    let mut residual: Vec<T> = problem.whitened_data().iter().map(|&g| -g).collect();
    multiply(kernel, false, h, &mut residual);
    let mut gradient = vec![T::zero(); h.len()];
    multiply(kernel, true, &residual, &mut gradient);
    objective.scaled.add_gradient(h, alpha, &mut gradient);
    for (weight, prior) in &objective.fixed {
        prior.add_gradient(h, *weight, &mut gradient);
    }
    posterior.multiply(&mut gradient);
    gradient.iter().map(|v| v.abs()).sum()
}

/// out += K x, or Kᵀ x.
fn multiply<T: Real>(k: &nalgebra::DMatrix<T>, transposed: bool, x: &[T], out: &mut [T]) {
    let (len, matrix) = (out.len(), MatRef::column_major(k.as_slice(), k.nrows(), k.ncols()));
    let matrix = if transposed { matrix.t() } else { matrix };
    let x = MatRef::column_major(x, x.len(), 1);
    gemm(MatMut::column_major(out, len, 1), matrix, x, true);
}

impl<T: Real> Sensitivity<T> {
    /// The number of weights.
    pub fn dim(&self) -> usize {
        self.by_alpha.len()
    }

    /// ‖Γ⁻¹∇Q‖₁: how far the solution is from the optimum, in weights, to first order. The derivatives are
    /// those of the optimum up to a relative error of this order over the norm.
    pub fn distance(&self) -> T {
        self.distance
    }

    /// The gradient of a loss from `upstream` = ∂loss/∂h, h = A Δω the spectral weights.
    ///
    /// # Errors
    /// `upstream` of another length than the grid, or not finite.
    pub fn vjp_weights(&self, upstream: &[T]) -> Result<MaxEntGradient<T>> {
        check_len("upstream", upstream.len(), self.dim(), "the frequency grid")?;
        check_finite("upstream", upstream)?;
        let mut w = upstream.to_vec();
        self.posterior.multiply(&mut w);
        let whitened_kernel = self.model.whitened_kernel();
        let mut whitened = vec![T::zero(); whitened_kernel.nrows()];
        multiply(whitened_kernel, false, &w, &mut whitened);
        let along = |gradient: &Vec<T>| -dot(&w, gradient);
        Ok(MaxEntGradient {
            data: self.model.whitening().apply_transposed(&whitened),
            default_weights: self.by_default.iter().zip(&w).map(|(&c, &w)| c * w).collect(),
            alpha: along(&self.by_alpha),
            kinetic: along(&self.by_weight[0]),
            priors: self.by_weight[1..].iter().map(along).collect(),
        })
    }

    /// The same from `upstream` = ∂loss/∂A, A the density: ∂loss/∂h = (∂loss/∂A)/Δω.
    ///
    /// # Errors
    /// As [`vjp_weights`](Self::vjp_weights).
    pub fn vjp_density(&self, upstream: &[T]) -> Result<MaxEntGradient<T>> {
        check_len("upstream", upstream.len(), self.dim(), "the frequency grid")?;
        let widths = self.model.grid().weights();
        let by_weights: Vec<T> = upstream.iter().zip(widths).map(|(&u, &w)| u / w).collect();
        self.vjp_weights(&by_weights)
    }
}
