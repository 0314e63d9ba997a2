//! Non-negative least squares with a ridge, exact.

use super::active_set::ActiveSet;
use super::batch::{check_batch, single, solve_in_chunks};
use super::normal_equations::NormalEquations;
use super::ridge::{SLACK, gcv_score};
use super::sparsity_rule::{first_within, least};
use super::{BatchOutcome, BatchSolution, DataView, RidgeRule, SparsityStep};
use crate::error::{Error, Result, check_nonnegative};
use crate::problem::{ForwardModel, Problem};
use crate::real::Real;
use crate::solution::{PenaltyReport, Solution, Solver, Status};
use nalgebra::{DMatrix, DVectorView};

/// Data vectors solved together: their products with the kernel are products of matrices.
const CHUNK: usize = 32;

/// Minimises ½‖g − K a‖² + ½ρ‖a‖² over spectral weights a ≥ 0, by an active-set method: the optimum to
/// rounding, not an iterate near it.
///
/// ρ ≥ 0 is in units of ½‖g − K a‖² in the chosen [`DataView`], given or chosen by a [`RidgeRule`] from a ladder
/// of solutions. Without a ridge the answer fits the noise by
/// a few isolated peaks; ρ = 10⁻⁶ suits raw data of noise 10⁻⁵. The normal equations are what is solved, so
/// that a singular direction of K counts only above √ε‖K‖: where rounding makes them indefinite the status
/// is [`Status::RoundingFloor`](crate::Status::RoundingFloor).
///
/// With ρ > 0 the certificate is a gap: with the gradient e of what is not complementary and s ≥ 0 the rest
/// of the gradient, objective − minimum ≤ s·a + ‖e‖²/2ρ, and the L1 distance to the only optimum
/// ≤ √(2 N_ω gap/ρ). With ρ = 0 it is the norm of the violation of the optimality conditions.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, Measurement, Nnls, Problem, Solver};
///
/// let tau: Vec<f64> = (0..=20).map(|i| 0.1 * f64::from(i)).collect();
/// let g: Vec<f64> = tau.iter().map(|t| (-t).exp() / (1.0 + (-2.0_f64).exp())).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 41)?;
/// let problem = Problem::new(&FermionTime::new(2.0)?, &data, &grid)?;
///
/// let solution = Nnls::new(1e-6).solve(&problem)?;
/// assert!(solution.report().status.is_success());
/// assert!((solution.report().norm - 1.0).abs() < 1e-3);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nnls<T = f64> {
    rule: RidgeRule<T>,
    view: DataView,
}

/// Steps a decade of the ladder of ρ, and its decades.
const STEPS_PER_DECADE: i32 = 3;
const DECADES: i32 = 16;

impl<T: Real> Nnls<T> {
    /// With ridge ρ ≥ 0, on the data as measured.
    pub fn new(ridge: T) -> Self {
        Nnls { rule: RidgeRule::Fixed(ridge), view: DataView::default() }
    }

    /// How ρ is chosen instead. A rule that does not apply ends in [`Status::NoAlpha`], with the answer of
    /// generalised cross-validation.
    #[must_use]
    pub fn rule(mut self, rule: RidgeRule<T>) -> Self {
        self.rule = rule;
        self
    }

    /// Which form of the data to fit. Default raw.
    #[must_use]
    pub fn view(mut self, view: DataView) -> Self {
        self.view = view;
        self
    }

    /// Solves for every column of `data` (raw data × problems) with the one ridge given. The kernel's Gram matrix and its Cholesky
    /// factor are made once; the same bits for any number of threads.
    ///
    /// # Errors
    /// A negative or non-finite ridge, or a rule for it; data that are empty, not finite, or of another length than the
    /// kernel's rows; a kernel whose square overflows.
    pub fn solve_batch(
        &self,
        model: &ForwardModel<T>,
        data: &DMatrix<T>,
    ) -> Result<BatchSolution<T>> {
        check_batch(model, data)?;
        let RidgeRule::Fixed(ridge) = self.rule else {
            let expected =
                "a ridge of its own for each of many data vectors is not chosen: give one";
            return Err(Error::Unsupported { argument: "rule", value: "of a batch", expected });
        };
        let (kernel, data) = (self.view.kernel(model), self.view.columns(model, data));
        Self::solve_columns(kernel, &data, ridge)
    }

    fn solve_columns(kernel: &DMatrix<T>, data: &DMatrix<T>, ridge: T) -> Result<BatchSolution<T>> {
        check_nonnegative("ridge", ridge)?;
        let normal = NormalEquations::new(kernel, ridge)?;
        let n = kernel.ncols();
        Ok(solve_in_chunks(data, n, CHUNK, |data, weights| {
            let b = normal.right_hand_sides(data);
            let mut active_set = ActiveSet::new(n);
            let mut guess = vec![T::zero(); n];
            let mut ends = Vec::new();
            for (b, a) in b.chunks_exact(n).zip(weights.chunks_exact_mut(n)) {
                normal.unconstrained(b, &mut guess);
                ends.push(active_set.solve(normal.gram(), b, &guess));
                a.copy_from_slice(&active_set.x);
            }
            let certificates = normal.certificates(data, weights, true);
            ends.into_iter()
                .zip(certificates)
                .map(|((status, iterations), certificate)| BatchOutcome {
                    status,
                    iterations,
                    certificate,
                })
                .collect()
        }))
    }
}

impl<T: Real> Nnls<T> {
    /// The solutions at a ladder of ρ, large to small, from the largest eigenvalue of KᵀK at most.
    fn ladder(&self, kernel: &DMatrix<T>, data: &[T]) -> Result<Vec<SparsityStep<T>>> {
        let n = kernel.ncols();
        let mut normal = NormalEquations::new(kernel, T::zero())?;
        let b = normal.right_hand_sides(data);
        let top = (0..n).map(|i| normal.gram()[i * (n + 1)]).sum::<T>();
        let mut active_set = ActiveSet::new(n);
        let mut guess = vec![T::zero(); n];
        let g = DVectorView::from_slice(data, data.len());
        let mut steps = Vec::new();
        for k in 0..=DECADES * STEPS_PER_DECADE {
            let lambda = top * T::lit(10f64.powf(-f64::from(k) / f64::from(STEPS_PER_DECADE)));
            normal.set_ridge(lambda);
            let (status, iterations) = active_set.solve(normal.gram(), &b, &guess);
            guess.copy_from_slice(&active_set.x);
            let support = active_set.support();
            // tr K_P(K_PᵀK_P + ρ)⁻¹K_Pᵀ on the support P.
            let n_good = T::lit(support as f64) - lambda * active_set.trace_of_inverse();
            steps.push(SparsityStep {
                lambda,
                chi2: (g - kernel * DVectorView::from_slice(&guess, n)).norm_squared(),
                nonzero: support,
                n_good,
                converged: status == Status::Converged,
                iterations,
            });
        }
        Ok(steps)
    }

    /// The ρ of the rule, its name, and why another was used if it was.
    fn choose(&self, kernel: &DMatrix<T>, data: &[T]) -> Result<(T, &'static str, Option<String>)> {
        self.rule.check(self.view, check_nonnegative)?;
        if let RidgeRule::Fixed(ridge) = self.rule {
            return Ok((ridge, "fixed", None));
        }
        let steps = self.ladder(kernel, data)?;
        let n = data.len() as f64;
        let score = |s: &SparsityStep<T>| gcv_score(s.chi2, data.len(), s.n_good).as_f64();
        let lowest = least(&steps, score);
        let gcv = || first_within(&steps, score, lowest + SLACK / n).filter(|_| lowest.is_finite());
        let chi2 = |s: &SparsityStep<T>| s.chi2.as_f64();
        let ridge = |at: Option<usize>| at.map_or(T::zero(), |i| steps[i].lambda);
        if let RidgeRule::Discrepancy { factor } = self.rule {
            let target = factor.as_f64() * n;
            match first_within(&steps, chi2, target) {
                at @ Some(1..) => return Ok((ridge(at), "discrepancy", None)),
                at => {
                    let which = if at.is_some() { "largest" } else { "smallest" };
                    let found = if at.is_some() { chi2(&steps[0]) } else { least(&steps, chi2) };
                    let reason = format!(
                        "chi2 = {found:.3e} at the {which} lambda against {target:.3e}; lambda is that of \
                         cross-validation"
                    );
                    return Ok((ridge(gcv()), "gcv", Some(reason)));
                }
            }
        }
        let chosen = gcv();
        let reason = || "no lambda of the ladder has a finite score; lambda is 0".to_owned();
        Ok((ridge(chosen), "gcv", chosen.is_none().then(reason)))
    }
}

impl<T: Real> Solver<T> for Nnls<T> {
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        let kernel = self.view.kernel(problem.model());
        let (lambda, rule, reason) = self.choose(kernel, self.view.data(problem))?;
        let mut batch = Self::solve_columns(kernel, &self.view.column(problem), lambda)?;
        if let Some(reason) = reason {
            batch.outcomes[0].status = Status::NoAlpha { rule: "discrepancy", reason };
        }
        single(problem, batch, "non-negative least squares", PenaltyReport { lambda, rule })
    }
}
