//! Sparse modelling: few singular coefficients, a positive spectrum, a sum rule.
//!
//! Source: Otsuki, Ohzeki, Shinaoka and Yoshimi, *Phys. Rev. E* 95, 061302 (2017).

use super::BatchOutcome;
use super::interior_point::{InteriorPoint, Optimum};
use super::singular_basis::SingularBasis;
use super::sparsity_rule::{SparsityRule, SparsityStep};
use crate::error::{Error, Result, check_nonnegative, check_positive};
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{PenaltyReport, Solution, Solver, Warning, is_poor};
use nalgebra::DVector;

/// Minimises ½χ² + λ‖x‖₁ over spectral densities A ≥ 0, ∫A dω = norm; x = ∫V A dω are the coefficients of A
/// on the right singular functions V of the whitened kernel.
///
/// Data of noise σ fix some tens of these coefficients; the ℓ¹ norm sets the others to zero. The method's
/// authors iterate the alternating direction method of multipliers, which [`Admm`](crate::Admm) offers; at
/// noise of 10⁻⁶ it takes up to 10⁵ steps to reach the optimum of this problem. Here an interior point solves
/// it in some twenty: until primal *and* dual residuals and complementarity are below the tolerance; reaching
/// the limit of its steps is a status. The certificate is the duality gap.
///
/// λ is in units of ½χ² over x, and chosen on a ladder of solutions by a [`SparsityRule`], the discrepancy
/// principle unless set.
///
/// What the method can show is limited by the singular functions that the kernel has above 10⁻¹⁰ of its
/// largest singular value: a spectrum with features sharper than they can form without going negative is not
/// among the candidates, whatever λ, and χ² stays far above N. A warning says so.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, Measurement, Problem, Solver, SparseModelling};
///
/// let tau: Vec<f64> = (0..=40).map(|i| 0.1 * f64::from(i)).collect();
/// let level = |t: f64, e: f64| (-t * e).exp() / (1.0 + (-4.0 * e).exp());
/// let g: Vec<f64> = tau.iter().map(|&t| 0.5 * (level(t, 1.0) + level(t, -1.0))).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 81)?;
/// let problem = Problem::new(&FermionTime::new(4.0)?, &data, &grid)?;
///
/// let solution = SparseModelling::default().sum_rule(1.0).solve(&problem)?;
/// assert!((solution.report().norm - 1.0).abs() < 1e-9);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SparseModelling<T = f64> {
    rule: SparsityRule<T>,
    norm: Option<T>,
    tolerance: T,
}

impl<T: Real> Default for SparseModelling<T> {
    fn default() -> Self {
        SparseModelling {
            rule: SparsityRule::default(),
            norm: None,
            tolerance: T::lit(1e-6).max(T::lit(1e4) * T::EPSILON),
        }
    }
}

/// Steps a decade of the ladder of λ, and its decades.
const STEPS_PER_DECADE: usize = 3;
const DECADES: usize = 14;

impl<T: Real> SparseModelling<T> {
    /// How λ is chosen. Default the discrepancy principle.
    #[must_use]
    pub fn rule(mut self, rule: SparsityRule<T>) -> Self {
        self.rule = rule;
        self
    }

    /// Requires Σ a = `norm`, exactly. Default: the norm is whatever fits.
    #[must_use]
    pub fn sum_rule(mut self, norm: T) -> Self {
        self.norm = Some(norm);
        self
    }

    /// Converged when the duality gap, the rounding of the gradient included, is ≤ `tolerance` of the objective;
    /// complementarity alone is taken a thousand times further. Default 10⁻⁶ (10⁻³ in `f32`, which falls short
    /// of it for data of many digits: [`Status::RoundingFloor`](crate::Status::RoundingFloor)).
    #[must_use]
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    fn check(&self) -> Result<()> {
        check_nonnegative("tolerance", self.tolerance)?;
        if let Some(norm) = self.norm {
            check_positive("norm", norm)?;
        }
        self.rule.check()
    }

    /// The ladder of λ, large to small, that the rules look at: from ‖∇½χ²(0)‖∞ over fourteen decades.
    ///
    /// # Errors
    /// As [`solve`](Solver::solve).
    pub fn ladder(&self, problem: &Problem<T>) -> Result<Vec<SparsityStep<T>>> {
        self.check()?;
        let basis = self.basis(problem)?;
        let optima = self.descend(&basis, &lambdas(basis.largest_lambda()), problem)?;
        Ok(optima.into_iter().map(|(step, _)| step).collect())
    }

    fn basis(&self, problem: &Problem<T>) -> Result<SingularBasis<T>> {
        let (kernel, data) = (problem.whitened_kernel(), problem.whitened_data());
        SingularBasis::new(kernel, data, problem.grid(), self.norm)
    }

    /// Solutions at all `lambdas`.
    fn descend(
        &self,
        basis: &SingularBasis<T>,
        lambdas: &[T],
        problem: &Problem<T>,
    ) -> Result<Vec<(SparsityStep<T>, Optimum<T>)>> {
        let mut engine = InteriorPoint::new(basis);
        let mut solved = Vec::with_capacity(lambdas.len());
        for &lambda in lambdas {
            let optimum = engine.solve(lambda, self.tolerance);
            let step = SparsityStep {
                lambda,
                chi2: problem.chi2(&optimum.weights)?,
                nonzero: optimum.nonzero,
                n_good: optimum.n_good,
                converged: optimum.status.is_success(),
                iterations: optimum.iterations,
            };
            solved.push((step, optimum));
        }
        Ok(solved)
    }

    /// Squared errors of prediction at each λ: every `folds`-th datum left out in turn.
    fn cross_validate(&self, problem: &Problem<T>, lambdas: &[T], folds: usize) -> Result<Vec<T>> {
        let (kernel, data) = (problem.whitened_kernel(), problem.whitened_data());
        let mut errors = vec![T::zero(); lambdas.len()];
        for fold in 0..folds {
            let rows = |held: bool| -> Vec<usize> {
                (0..data.len()).filter(|i| (i % folds == fold) == held).collect()
            };
            let (kept, held) = (rows(false), rows(true));
            let part: Vec<T> = kept.iter().map(|&i| data[i]).collect();
            let basis =
                SingularBasis::new(&kernel.select_rows(&kept), &part, problem.grid(), self.norm)?;
            let mut engine = InteriorPoint::new(&basis);
            let other = kernel.select_rows(&held);
            for (error, &lambda) in errors.iter_mut().zip(lambdas) {
                let weights = DVector::from_vec(engine.solve(lambda, self.tolerance).weights);
                let fit = &other * weights;
                for (&i, &f) in held.iter().zip(&fit) {
                    *error += (data[i] - f) * (data[i] - f);
                }
            }
        }
        Ok(errors)
    }
}

/// A geometric ladder from `largest` down.
fn lambdas<T: Real>(largest: T) -> Vec<T> {
    let step = 1.0 / STEPS_PER_DECADE as f64;
    (0..=DECADES * STEPS_PER_DECADE)
        .map(|i| largest * T::lit(10f64.powf(-step * i as f64)))
        .collect()
}

impl<T: Real> Solver<T> for SparseModelling<T> {
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        self.check()?;
        let basis = self.basis(problem)?;
        let lambdas = match self.rule {
            SparsityRule::Fixed(lambda) => vec![lambda],
            _ => lambdas(basis.largest_lambda()),
        };
        let mut optima = self.descend(&basis, &lambdas, problem)?;
        let steps: Vec<SparsityStep<T>> = optima.iter().map(|(step, _)| *step).collect();
        let index = match self.rule {
            SparsityRule::CrossValidation { folds } => {
                check_len_at_least(problem.whitened_data().len(), folds)?;
                let mut errors = self.cross_validate(problem, &lambdas, folds)?;
                for (error, step) in errors.iter_mut().zip(&steps) {
                    *error = if step.converged { *error } else { T::INFINITY };
                }
                least(&errors)
            }
            _ => self.rule.choose(&steps, problem.whitened_data().len()),
        };
        let iterations = steps.iter().map(|s| s.iterations).sum();
        let (step, optimum) = optima.swap_remove(index);
        let mut warnings = Vec::new();
        if steps.len() > 1 && index + 1 == steps.len() {
            let text = "lambda is the end of its ladder: do not trust its choice";
            warnings.push(Warning::Note(text.into()));
        }
        let least = steps.iter().map(|s| s.chi2.as_f64()).fold(f64::INFINITY, f64::min);
        if steps.len() > 1 && is_poor(least, problem.whitened_data().len() as f64) {
            warnings.push(Warning::Note(
                "no lambda fits: singular functions of this kernel form no positive spectrum as sharp as these \
                 data want, or the error bars are too small; non-negative least squares and maximum entropy \
                 are not bound so"
                    .into(),
            ));
        }
        let Optimum { weights, status, certificate, .. } = optimum;
        let outcome = BatchOutcome { status, iterations, certificate };
        let penalty = PenaltyReport { lambda: step.lambda, rule: self.rule.name() };
        Solution::new(problem, &weights, outcome.report("sparse modelling", penalty, warnings))
    }
}

/// Index of the least value.
fn least<T: Real>(values: &[T]) -> usize {
    let mut best = 0;
    for (i, &v) in values.iter().enumerate() {
        if v < values[best] {
            best = i;
        }
    }
    best
}

/// `Err` unless every fold has data.
fn check_len_at_least(data: usize, folds: usize) -> Result<()> {
    if folds <= data {
        return Ok(());
    }
    let expected = "no more folds than data";
    Err(Error::OutOfRange { argument: "folds", value: folds as f64, expected })
}
