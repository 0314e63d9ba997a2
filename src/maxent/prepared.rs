//! Maximum entropy prepared for one forward model: the solver of any number of data vectors.

use super::answer::{Answer, Solving};
use super::builder::{MaxEnt, MaxEntSolver};
use super::decision::Decision;
use super::doubts::doubts;
use super::dual::Dual;
use super::engine::Engine;
use super::kinetic_search::Found;
use super::ladder::{Ladder, descent, geometric};
use super::lane_dual::LaneDual;
use super::modes::{Modes, Projected};
use super::objective::Objective;
use super::preblur::{Preblur, shown};
use super::primal::Primal;
use crate::error::{Error, Result, check_positive};
use crate::linalg::SymmetricBand;
use crate::prior::Kinetic;
use crate::problem::{ForwardModel, Problem};
use crate::real::Real;
use crate::solution::{
    KineticStep, LadderStep, MaxEntReport, Report, Solution, Solver, Status, Warning,
};
use crate::spectrum::Spectrum;
use core::ops::ControlFlow;
use std::sync::Arc;

/// A [`MaxEnt`] with everything that does not depend on the data done: the kernel's singular values, the
/// default model on the grid, the range of α.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, MaxEnt, Measurement, Problem, Solver};
/// let tau: Vec<f64> = (0..=20).map(|i| 0.2 * f64::from(i)).collect();
/// let level = |t: f64, e: f64| (-t * e).exp() / (1.0 + (-4.0 * e).exp());
/// let g = |e: f64| tau.iter().map(|&t| level(t, e)).collect::<Vec<_>>();
/// let data = Measurement::with_uniform_error(&tau, &g(1.0), 1e-3)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 81)?;
/// let problem = Problem::new(&FermionTime::new(4.0)?, &data, &grid)?;
///
/// let prepared = MaxEnt::default().prepare(problem.model())?;
/// for energy in [0.5, 1.0, 1.5] {
///     let solution = prepared.solve(&problem.with_data(&g(energy))?)?;
///     assert!((solution.spectrum().peaks(0.1)?[0].position - energy).abs() < 0.1);
/// }
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug)]
pub struct PreparedMaxEnt<T: Real = f64> {
    pub(super) settings: MaxEnt<T>,
    pub(super) model: Arc<ForwardModel<T>>,
    pub(super) objective: Objective<T>,
    pub(super) modes: Modes<T>,
    pub(super) preblur: Option<Preblur<T>>,
    /// Of the default model.
    pub(super) norm: T,
    pub(super) alphas: Vec<T>,
}

/// What is minimised, with the weight of its kinetic prior and those it was chosen from.
#[derive(Debug)]
pub(super) struct Weighted<'a, T: Real> {
    objective: &'a Objective<T>,
    kinetic: T,
    reference: Option<Spectrum<T>>,
    steps: Vec<KineticStep<T>>,
    /// What speaks against the choice.
    doubt: Option<Warning>,
}

impl<T: Real> PreparedMaxEnt<T> {
    pub(super) fn new(settings: MaxEnt<T>, model: Arc<ForwardModel<T>>) -> Result<Self> {
        settings.check()?;
        let grid = model.grid();
        let known = settings.norm.or(model.density().norm().map(T::lit));
        if settings.fix_norm && known.is_none() {
            return Err(Error::Unsupported {
                argument: "fix_norm",
                value: "true without a norm",
                expected: "the norm of a bosonic density",
            });
        }
        let norm = known.unwrap_or(T::one());
        let density = settings.default_model.density_on(grid, norm)?;
        let d: Vec<T> = density.iter().zip(grid.weights()).map(|(&a, &w)| a * w).collect();
        let objective = settings.objective(grid, &d, norm)?;
        if settings.solver == MaxEntSolver::Dual && !objective.has_dual() {
            return Err(Error::Unsupported {
                argument: "solver",
                value: "dual",
                expected: "priors that offer their rows; the primal solver takes any",
            });
        }
        let preblur = settings.preblur.map(|width| Preblur::new(grid, width)).transpose()?;
        let modes = match &preblur {
            Some(preblur) => preblur.modes(&model)?,
            None => Modes::new(&model)?,
        };
        let alphas = alphas(&settings, &objective, &modes)?;
        Ok(PreparedMaxEnt { settings, model, objective, modes, preblur, norm, alphas })
    }

    /// The forward model it was prepared for.
    pub fn model(&self) -> &Arc<ForwardModel<T>> {
        &self.model
    }

    /// The solver of several data vectors side by side, where there is one.
    pub(super) fn lanes(&self) -> Option<LaneDual<'_, T>> {
        let dual = self.settings.solver != MaxEntSolver::Primal && self.objective.has_dual();
        let alike = self.settings.kinetic_search.is_none();
        (dual && alike && !self.objective.scaled.fixes_sum())
            .then(|| LaneDual::new(&self.objective, &self.modes))
    }

    pub(super) fn engine<'a>(&'a self, objective: &'a Objective<T>) -> Box<dyn Engine<T> + 'a> {
        if self.settings.solver != MaxEntSolver::Primal && objective.has_dual() {
            Box::new(Dual::new(objective, &self.modes))
        } else {
            Box::new(Primal::new(objective, &self.modes))
        }
    }

    /// The objective as it was prepared.
    pub(super) fn given(&self) -> Weighted<'_, T> {
        let kinetic = self.settings.kinetic;
        let (reference, steps) = (None, Vec::new());
        Weighted { objective: &self.objective, kinetic, reference, steps, doubt: None }
    }

    /// A density on the grid, for [`with_kinetic`](Self::with_kinetic).
    pub(super) fn reference(&self, values: &[T]) -> Result<Spectrum<T>> {
        Spectrum::new(self.model.grid().clone(), values.to_vec(), self.model.density())
    }

    /// The objective with a further kinetic prior of weight `lambda`, relative to a `reference`.
    pub(super) fn with_kinetic(&self, lambda: T, reference: &Spectrum<T>) -> Result<Objective<T>> {
        self.objective.with(lambda, Arc::new(Kinetic::relative(reference)?))
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
        self.model.check_same(problem.model())?;
        let PreparedMaxEnt { settings, modes, alphas, .. } = self;
        let data = modes.project(problem.whitened_data());
        let mut stopped = false;
        let mut watch = |step: &LadderStep<T>| {
            stopped = stopped || observer(step).is_break();
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let searched;
        let mut begun = None;
        let weighted = match &settings.kinetic_search {
            None => self.given(),
            Some(search) => {
                let found = search.run(self, problem, &data, &mut watch)?;
                let Found { lambda: kinetic, reference, steps, ladder, doubt } = found;
                searched = match &reference {
                    Some(reference) => self.with_kinetic(kinetic, reference)?,
                    None => self.objective.clone(),
                };
                begun = ladder;
                Weighted { objective: &searched, kinetic, reference, steps, doubt }
            }
        };
        let mut engine = self.engine(weighted.objective);
        engine.reset(&data);
        let (tolerance, limit) = (settings.ladder_tolerance, settings.max_iterations);
        let ladder = match begun {
            Some(ladder) => ladder,
            None => Ladder::run(engine.as_mut(), alphas, tolerance, limit, &mut watch),
        };
        let decision = self.decide(problem, &ladder)?;
        self.conclude(problem, &data, engine.as_mut(), (ladder, decision), weighted)
    }

    /// What the rule makes of a ladder.
    pub(super) fn decide(&self, problem: &Problem<T>, ladder: &Ladder<T>) -> Result<Decision<T>> {
        Decision::make(self.settings.alpha.as_ref(), ladder, problem.whitened_data().len())
    }

    /// The optimum that was decided on, by the `engine` of the ladder.
    pub(super) fn answer(
        &self,
        problem: &Problem<T>,
        engine: &mut dyn Engine<T>,
        objective: &Objective<T>,
        ladder: &Ladder<T>,
        decision: &Decision<T>,
    ) -> Result<Answer<T>> {
        let MaxEnt { tolerance, max_iterations, .. } = self.settings;
        let preblur = self.preblur.as_ref();
        let solving = Solving { problem, objective, preblur, tolerance, max_iterations };
        solving.mixture(engine, ladder, &decision.mixture)
    }

    /// Solves at the α decided on, with an engine that holds `data`, and says how it went.
    pub(super) fn conclude(
        &self,
        problem: &Problem<T>,
        data: &Projected<T>,
        engine: &mut dyn Engine<T>,
        (ladder, decision): (Ladder<T>, Decision<T>),
        weighted: Weighted<'_, T>,
    ) -> Result<Solution<T>> {
        let (settings, Weighted { objective, kinetic, reference, steps, doubt }) =
            (&self.settings, weighted);
        let (rule, n_data) = (settings.alpha.as_ref(), problem.whitened_data().len());
        let answer = self.answer(problem, engine, objective, &ladder, &decision)?;
        let Answer { weights, outcome, certificate } = answer;
        let preblur = self.preblur.as_ref();
        // An α that is fixed, or lies above the end of the ladder, does not depend on how it ended there.
        let last = ladder.converged().checked_sub(1).map(|i| ladder.steps[i].alpha);
        let inside = rule.fixed().is_some() || last.is_some_and(|last| decision.alpha() > last);
        let way = if inside { &Status::Converged } else { &ladder.status };
        let status = match (&ladder.status, &decision.refusal, &outcome.status) {
            (Status::Stopped, ..) => Status::Stopped,
            (_, _, Status::NonFinite { stage }) => Status::NonFinite { stage },
            (_, Some(reason), _) => Status::NoAlpha { rule: rule.name(), reason: reason.clone() },
            (_, None, Status::Converged | Status::RoundingFloor) if !way.is_success() => {
                way.clone()
            }
            (.., status) => status.clone(),
        };
        let maxent = MaxEntReport {
            rule: rule.name(),
            solver: engine.name(),
            alpha: decision.alpha(),
            averaged: decision.mixture.len(),
            kinetic,
            kinetic_reference: reference.map_or(Vec::new(), |r| r.values().to_vec()),
            kinetic_steps: steps,
            entropy: outcome.entropy,
            n_good: outcome.n_good,
            modes: self.modes.count,
            active_modes: outcome.active.min(self.modes.count),
            left_out: outcome.left_out,
            interval: decision.interval,
            spread: decision.spread(&ladder, &weights),
            curve: decision.curve,
            ladder: ladder.steps.clone(),
        };
        let shown = shown(preblur, &weights);
        let norm = shown.iter().copied().sum();
        let mut warnings = doubts(settings, objective, problem, data, &maxent, (norm, &outcome));
        warnings.extend(doubt);
        let report = Report {
            method: match preblur {
                Some(preblur) => format!("maximum entropy, preblur {}", preblur.width),
                None => "maximum entropy".into(),
            },
            status,
            chi2: outcome.chi2,
            n_data,
            norm,
            residual_correlation: None,
            iterations: ladder.iterations() + outcome.iterations,
            certificate,
            warnings,
            maxent: Some(maxent),
            penalty: None,
        };
        let mut solution = Solution::new(problem, &shown, report)?;
        if !objective.scaled.is_positive() {
            solution.retain_warnings(|w| !matches!(w, Warning::Negative { .. }));
        }
        Ok(solution)
    }
}

impl<T: Real> Solver<T> for PreparedMaxEnt<T> {
    /// Solves `problem`.
    ///
    /// # Errors
    /// A problem whose kernel, axes or noise are not those of the [`model`](PreparedMaxEnt::model). Failure to
    /// converge, or to choose α, is a [`Status`].
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        self.solve_observed(problem, &mut |_| ControlFlow::Continue(()))
    }
}

/// The α to visit: down to a fixed one, or the whole ladder.
fn alphas<T: Real>(
    settings: &MaxEnt<T>,
    objective: &Objective<T>,
    modes: &Modes<T>,
) -> Result<Vec<T>> {
    let mut curvature = SymmetricBand::zeros(modes.points, 0);
    objective.scaled.add_hessian(&objective.start(), T::one(), &mut curvature);
    let inverse: Vec<T> = (0..modes.points).map(|j| T::one() / curvature.get(j, j)).collect();
    let max = T::lit(10.0) * modes.largest_eigenvalue(&inverse);
    check_positive("largest alpha of the ladder", max)?;
    if let Some(alpha) = settings.alpha.fixed() {
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
    // The scale of the entropy, which is the norm of Skilling's.
    let scale = objective.scaled.scale(&objective.start());
    let (by_norm, by_range) = (T::lit(0.02) / scale, T::lit(1e-3) * max);
    let min = if by_norm < by_range { by_norm } else { by_range };
    Ok(geometric(max, min, settings.ladder_points))
}
