//! Maximum entropy: minimise ½χ² − αS + Σ weight·prior over h = A Δω > 0, and choose α. Floor 6.
//!
//! Sources: kinetic-maxent paper (II), learned-optimizers paper (II.A); Skilling's entropy, so that α → ∞
//! gives the default model. Two solvers behind one call:
//! - `dual`: Newton on the dual, for an entropy with quadratic priors; certificate for free;
//! - `primal`: Newton with conjugate-gradient steps, for any smooth priors.
//!
//! `modes` holds the data both see, `objective` the priors, `engine` what the solvers share, `ladder` the
//! annealing from large to small α, `alpha` the rules that choose it.

mod alpha;
mod dual;
mod engine;
mod ladder;
mod modes;
mod objective;
mod primal;
#[cfg(test)]
mod tests;

pub use alpha::{AlphaChoice, AlphaRule, Chi2Kink, FixedAlpha, Gcv};

use crate::error::{Error, Result, check_count, check_nonnegative, check_positive};
use crate::linalg::SymmetricBand;
use crate::prior::{Entropy, Kinetic, Legendre, Prior};
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{
    Certificate, LadderStep, MaxEntReport, Report, Solution, Solver, Status, Warning, is_poor,
};
use crate::spectrum::DefaultModel;
use core::ops::ControlFlow;
use dual::Dual;
use engine::{Engine, Outcome};
use ladder::{Ladder, descent, geometric};
use modes::Modes;
use nalgebra::DVectorView;
use objective::Objective;
use primal::Primal;
use std::sync::Arc;

/// Which iteration finds the optimum; the answer is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MaxEntSolver {
    /// The dual where the priors have one, else the primal.
    #[default]
    Auto,
    /// Newton on the dual.
    Dual,
    /// Newton on the weights, steps by conjugate gradients.
    Primal,
}

/// Gap/(α·norm) to which the steps of a ladder are solved: enough for any rule that chooses α.
const LADDER_TOLERANCE: f64 = 1e-8;
/// Relative deviation of the norm that is worth a warning.
const NORM_WARNING: f64 = 0.01;

/// Maximum entropy with a default model, further priors, and a rule for α.
///
/// Minimises Q(h) = ½χ² + α Σ [h ln(h/d) − h + d] + (λ/2)∫(dA/dω)²dω + Σ weight·prior over the spectral
/// weights h = A Δω, with d = D Δω and χ² in whitened units.
///
/// ```
/// use fredholm::{Chi2Kink, FermionTime, FrequencyGrid, MaxEnt, Measurement, Problem, Solver};
/// let (beta, tau) = (10.0_f64, [0.0_f64, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
/// let g = tau.map(|t| 0.5 * ((-t).exp() + (t - beta).exp()) / (1.0 + (-beta).exp()));
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-3.0, 3.0, 61)?;
/// let problem = Problem::new(&FermionTime::new(beta)?, &data, &grid)?;
/// let solution = MaxEnt::default().kinetic(1e-3).solve(&problem)?;
/// assert!((solution.report().norm - 1.0).abs() < 1e-2);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it solves"]
pub struct MaxEnt<T: Real = f64> {
    kinetic: T,
    default_model: DefaultModel<T>,
    norm: T,
    alpha: Arc<dyn AlphaRule<T>>,
    scaled: Option<Arc<dyn Legendre<T>>>,
    priors: Vec<(T, Arc<dyn Prior<T>>)>,
    solver: MaxEntSolver,
    tolerance: T,
    ladder_tolerance: T,
    ladder_points: usize,
    max_iterations: usize,
}

impl<T: Real> Default for MaxEnt<T> {
    /// A flat default model of norm one, no kinetic term, α by generalised cross-validation.
    fn default() -> Self {
        let at_least = |x: f64| {
            if x > 10.0 * T::EPSILON.as_f64() { T::lit(x) } else { T::lit(10.0) * T::EPSILON }
        };
        MaxEnt {
            kinetic: T::zero(),
            default_model: DefaultModel::Flat,
            norm: T::one(),
            alpha: Arc::new(Gcv::default()),
            scaled: None,
            priors: Vec::new(),
            solver: MaxEntSolver::Auto,
            tolerance: at_least(1e-11),
            ladder_tolerance: at_least(LADDER_TOLERANCE),
            ladder_points: 50,
            max_iterations: 200,
        }
    }
}

impl<T: Real> MaxEnt<T> {
    /// Weight λ ≥ 0 of the kinetic prior in its first-difference form with free ends
    /// ([`Kinetic::natural`]); 0 by default. Units: energy³ for a normalised spectrum.
    pub fn kinetic(mut self, lambda: T) -> Self {
        self.kinetic = lambda;
        self
    }

    /// The default model; flat unless given. It is scaled to integrate to [`norm`](Self::norm).
    pub fn default_model(mut self, model: impl Into<DefaultModel<T>>) -> Self {
        self.default_model = model.into();
        self
    }

    /// The norm of the default model, and what the spectrum's norm is compared with; 1 by default.
    pub fn norm(mut self, norm: T) -> Self {
        self.norm = norm;
        self
    }

    /// The rule that chooses α: [`Gcv`] (the default), [`Chi2Kink`], [`FixedAlpha`], or one's own.
    pub fn alpha(mut self, rule: impl AlphaRule<T> + 'static) -> Self {
        self.alpha = Arc::new(rule);
        self
    }

    /// Adds a prior with a weight of its own, which α does not scale.
    pub fn prior(mut self, weight: T, prior: Arc<dyn Prior<T>>) -> Self {
        self.priors.push((weight, prior));
        self
    }

    /// Replaces Skilling's entropy as the term that α scales. The default model is then not used.
    pub fn scaled_prior(mut self, prior: Arc<dyn Legendre<T>>) -> Self {
        self.scaled = Some(prior);
        self
    }

    /// Which iteration to use.
    pub fn solver(mut self, solver: MaxEntSolver) -> Self {
        self.solver = solver;
        self
    }

    /// The answer is solved until gap/(α·norm) ≤ `tolerance`; 10⁻¹¹ by default, 5·10⁻¹⁵ proves 10⁻⁷ in L1.
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The same for the steps of the ladder; 10⁻⁸ by default.
    pub fn ladder_tolerance(mut self, tolerance: T) -> Self {
        self.ladder_tolerance = tolerance;
        self
    }

    /// The number of α on the ladder, at least five; 50 by default.
    pub fn ladder_points(mut self, points: usize) -> Self {
        self.ladder_points = points;
        self
    }

    /// The limit of Newton iterations at each α; 200 by default.
    pub fn max_iterations(mut self, limit: usize) -> Self {
        self.max_iterations = limit;
        self
    }

    fn check(&self) -> Result<()> {
        check_nonnegative("kinetic", self.kinetic)?;
        check_positive("norm", self.norm)?;
        check_positive("tolerance", self.tolerance)?;
        check_positive("ladder tolerance", self.ladder_tolerance)?;
        check_count("ladder points", self.ladder_points, 5..=10_000, "5 to 10000 points")?;
        check_count("max iterations", self.max_iterations, 1..=usize::MAX, "at least 1")?;
        self.alpha.check()
    }

    fn objective(&self, problem: &Problem<T>, d: &[T]) -> Result<Objective<T>> {
        let mut fixed = self.priors.clone();
        if self.kinetic > T::zero() {
            fixed.push((self.kinetic, Arc::new(Kinetic::natural(problem.grid())?)));
        }
        let scaled: Arc<dyn Legendre<T>> = match &self.scaled {
            Some(prior) => Arc::clone(prior),
            None => Arc::new(Entropy::new(d.to_vec())?),
        };
        Objective::new(scaled, fixed, d.len())
    }

    /// Solves `problem`, reporting every step of the ladder to `observer`, which may stop the run: the
    /// answer then is the last step's, with [`Status::Stopped`].
    ///
    /// # Errors
    /// As [`Solver::solve`].
    pub fn solve_observed(
        &self,
        problem: &Problem<T>,
        observer: &mut dyn FnMut(&LadderStep<T>) -> ControlFlow<()>,
    ) -> Result<Solution<T>> {
        self.check()?;
        let grid = problem.grid();
        let density = self.default_model.density_on(grid, self.norm)?;
        let d: Vec<T> = density.iter().zip(grid.weights()).map(|(&a, &w)| a * w).collect();
        let objective = self.objective(problem, &d)?;
        if self.solver == MaxEntSolver::Dual && !objective.has_dual() {
            return Err(Error::Unsupported {
                argument: "solver",
                value: "dual",
                expected: "priors that offer their rows; the primal solver takes any",
            });
        }
        let modes = Modes::new(problem)?;
        let mut engine: Box<dyn Engine<T> + '_> =
            if self.solver != MaxEntSolver::Primal && objective.has_dual() {
                Box::new(Dual::new(&objective, &modes))
            } else {
                Box::new(Primal::new(&objective, &modes))
            };
        let alphas = self.alphas(&objective, &modes)?;
        let entropy = |h: &[T]| -objective.scaled.value(h);
        let ladder = Ladder::run(
            engine.as_mut(),
            &alphas,
            self.ladder_tolerance,
            self.max_iterations,
            entropy,
            observer,
        );
        let n_data = problem.whitened_data().len();
        let (alpha, refusal) = self.choose(&ladder, n_data);
        ladder.rewind(engine.as_mut(), alpha);
        let before = engine.weights().to_vec();
        let mut answer = engine.solve(alpha, self.tolerance, self.max_iterations);
        if !answer.status.is_success() {
            // The best iterate: the start, where the attempt has only led away from the optimum.
            let value = |h: &[T]| Ok(T::lit(0.5) * problem.chi2(h)? + objective.value(alpha, h));
            let (start, end): (T, T) = (value(&before)?, value(engine.weights())?);
            if end.partial_cmp(&start).is_none_or(|order| order.is_gt()) {
                ladder.rewind(engine.as_mut(), alpha);
                let status = answer.status;
                answer = Outcome { status, ..engine.solve(alpha, self.tolerance, 0) };
            }
        }
        // A fixed α does not depend on how the way down to it ended.
        let way = if self.alpha.fixed().is_some() { &Status::Converged } else { &ladder.status };
        let status = match (&ladder.status, refusal, &answer.status) {
            (Status::Stopped, ..) => Status::Stopped,
            (_, _, Status::NonFinite { stage }) => Status::NonFinite { stage },
            (_, Some(reason), _) => Status::NoAlpha { rule: self.alpha.name(), reason },
            (_, None, Status::Converged | Status::RoundingFloor) if !way.is_success() => {
                way.clone()
            }
            (.., status) => status.clone(),
        };
        let certificate = if objective.has_gap() {
            let divergence = answer.gap / alpha;
            let l1_bound = objective.scaled.distance_bound(answer.norm, divergence);
            Certificate::Gap {
                gap: answer.gap,
                relative: divergence / answer.norm,
                l1_bound: l1_bound.filter(|b| b.is_finite()),
            }
        } else {
            Certificate::Stationarity { residual: answer.stationarity }
        };
        let weights = engine.weights().to_vec();
        let maxent = MaxEntReport {
            rule: self.alpha.name(),
            solver: engine.name(),
            alpha,
            kinetic: self.kinetic,
            entropy: entropy(&weights),
            n_good: answer.n_good,
            ladder: ladder.steps.clone(),
        };
        let report = Report {
            method: "maximum entropy".into(),
            status,
            chi2: answer.chi2,
            n_data,
            norm: answer.norm,
            iterations: ladder.iterations() + answer.iterations,
            certificate,
            warnings: self.warnings(&maxent, problem, modes.chi2_outside, &answer),
            maxent: Some(maxent),
            penalty: None,
        };
        Solution::new(problem, &weights, report)
    }

    /// The α to visit: down to a fixed one, or the whole ladder.
    fn alphas(&self, objective: &Objective<T>, modes: &Modes<T>) -> Result<Vec<T>> {
        let mut curvature = SymmetricBand::zeros(modes.points, 0);
        objective.scaled.add_hessian(&objective.start(), T::one(), &mut curvature);
        let inverse: Vec<T> = (0..modes.points).map(|j| T::one() / curvature.get(j, j)).collect();
        let max = T::lit(10.0) * modes.largest_eigenvalue(&inverse);
        check_positive("largest alpha of the ladder", max)?;
        if let Some(alpha) = self.alpha.fixed() {
            // Rounding of the largest term of the Newton matrix, squared: no digit of α is left there.
            if alpha <= T::EPSILON * T::EPSILON * max {
                return Err(Error::OutOfRange {
                    argument: "alpha",
                    value: alpha.as_f64(),
                    expected: "an alpha that rounding leaves something of, next to the data's term",
                });
            }
            return Ok(descent(max, alpha));
        }
        let (by_norm, by_range) = (T::lit(0.02) / self.norm, T::lit(1e-3) * max);
        let min = if by_norm < by_range { by_norm } else { by_range };
        Ok(geometric(max, min, self.ladder_points))
    }

    /// α, and where the rule refuses the reason with what is returned instead.
    fn choose(&self, ladder: &Ladder<T>, n_data: usize) -> (T, Option<String>) {
        let last = ladder.steps[ladder.steps.len() - 1].alpha;
        if ladder.status == Status::Stopped {
            return (last, None);
        }
        if let Some(alpha) = self.alpha.fixed() {
            return (alpha, None);
        }
        let steps = &ladder.steps[..ladder.converged()];
        if steps.is_empty() {
            return (last, Some("no step of the ladder converged".into()));
        }
        let usable = |alpha: T| alpha > T::zero() && alpha.is_finite();
        let reason = match self.alpha.choose(steps, n_data) {
            AlphaChoice::At(alpha) if usable(alpha) => return (alpha, None),
            AlphaChoice::At(alpha) => format!("it chose alpha = {alpha}, which is not positive"),
            AlphaChoice::Refused(reason) => reason,
        };
        match Gcv::default().choose(steps, n_data) {
            AlphaChoice::At(alpha) if usable(alpha) => (
                alpha,
                Some(format!(
                    "{reason}; returned instead: alpha = {alpha:e} of generalised cross-validation"
                )),
            ),
            _ => {
                let least = steps[steps.len() - 1].alpha;
                let text =
                    format!("{reason}; returned instead: the ladder's smallest alpha = {least:e}");
                (least, Some(text))
            }
        }
    }

    fn warnings(
        &self,
        maxent: &MaxEntReport<T>,
        problem: &Problem<T>,
        chi2_outside: T,
        answer: &Outcome<T>,
    ) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let (n, ladder) = (problem.whitened_data().len() as f64, &maxent.ladder);
        // What α can reach, or where the ladder does not tell, what any weights could.
        let free =
            self.alpha.fixed().is_none() && self.kinetic == T::zero() && self.priors.is_empty();
        let ladder_least = ladder.iter().map(|s| s.chi2.as_f64()).fold(f64::INFINITY, f64::min);
        let least = if free { ladder_least } else { chi2_outside.as_f64() };
        let chi2 = answer.chi2.as_f64();
        if is_poor(least, n) {
            let flat = DVectorView::from_slice(problem.grid().weights(), problem.grid().len());
            let fit = problem.whitened_kernel() * flat;
            let overlap: T = fit.iter().zip(problem.whitened_data()).map(|(&f, &g)| f * g).sum();
            if overlap < T::zero() {
                warnings.push(Warning::OppositeSign);
            }
            warnings.push(Warning::PoorFit { chi2_per_datum: least / n });
        } else if is_poor(chi2, n) {
            warnings.push(Warning::Underfitted { chi2_per_datum: chi2 / n });
        }
        let spare = n - answer.n_good.as_f64();
        if chi2 < 0.5 * spare && chi2 < spare - 4.0 * (2.0 * spare).sqrt() {
            warnings.push(Warning::LooseErrors { chi2_per_datum: chi2 / spare });
        }
        let (found, expected) = (answer.norm.as_f64(), self.norm.as_f64());
        if (found - expected).abs() > NORM_WARNING * expected {
            warnings.push(Warning::Norm { found, expected });
        }
        if self.alpha.fixed().is_none() {
            let last = ladder[ladder.len() - 1];
            if maxent.alpha >= ladder[0].alpha || maxent.alpha <= last.alpha {
                warnings.push(Warning::AlphaAtEnd { alpha: maxent.alpha.as_f64() });
            }
            if !last.converged {
                let steps = ladder.len() - 1;
                warnings.push(Warning::LadderCut { alpha: last.alpha.as_f64(), steps });
            }
        }
        warnings
    }
}

impl<T: Real> Solver<T> for MaxEnt<T> {
    /// Solves `problem`.
    ///
    /// # Errors
    /// A parameter out of range, a default model without weight on the grid, a prior made for another grid
    /// or not finite at the default model, a kernel that is zero, and the dual solver with priors that have
    /// no dual. Failure to converge, or to choose α, is a [`Status`].
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        self.solve_observed(problem, &mut |_| ControlFlow::Continue(()))
    }
}
