//! What is to be minimised, and how α is chosen: the builder [`MaxEnt`].

use super::alpha::{AlphaRule, Gcv};
use super::kinetic_search::KineticSearch;
use super::objective::Objective;
use super::prepared::PreparedMaxEnt;
use crate::error::{Result, check_count, check_nonnegative, check_positive};
use crate::grid::FrequencyGrid;
use crate::prior::{Entropy, Kinetic, Legendre, Prior, SumRule};
use crate::problem::{ForwardModel, Problem};
use crate::real::Real;
use crate::solution::{LadderStep, Solution, Solver};
use crate::spectrum::DefaultModel;
use core::ops::ControlFlow;
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
    pub(super) kinetic: T,
    pub(super) kinetic_search: Option<KineticSearch>,
    pub(super) default_model: DefaultModel<T>,
    pub(super) norm: Option<T>,
    pub(super) fix_norm: bool,
    pub(super) preblur: Option<T>,
    pub(super) alpha: Arc<dyn AlphaRule<T>>,
    pub(super) scaled: Option<Arc<dyn Legendre<T>>>,
    pub(super) priors: Vec<(T, Arc<dyn Prior<T>>)>,
    pub(super) solver: MaxEntSolver,
    pub(super) tolerance: T,
    pub(super) ladder_tolerance: T,
    pub(super) ladder_points: usize,
    pub(super) max_iterations: usize,
}

impl<T: Real> Default for MaxEnt<T> {
    /// A flat default model, no kinetic term, α by generalised cross-validation.
    fn default() -> Self {
        let at_least = |x: f64| {
            if x > 10.0 * T::EPSILON.as_f64() { T::lit(x) } else { T::lit(10.0) * T::EPSILON }
        };
        MaxEnt {
            kinetic: T::zero(),
            kinetic_search: None,
            default_model: DefaultModel::Flat,
            norm: None,
            fix_norm: false,
            preblur: None,
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
        (self.kinetic, self.kinetic_search) = (lambda, None);
        self
    }

    /// Chooses the weight of a kinetic prior from the data, by [`KineticSearch`] as it is by default. The prior
    /// is one relative to the answer without it ([`Kinetic::relative`]), on a grid of at least four points.
    pub fn kinetic_auto(self) -> Self {
        self.kinetic_search(KineticSearch::default())
    }

    /// The same with a slack and a descent of one's own.
    pub fn kinetic_search(mut self, search: KineticSearch) -> Self {
        (self.kinetic, self.kinetic_search) = (T::zero(), Some(search));
        self
    }

    /// The default model; flat unless given. It is scaled to integrate to [`norm`](Self::norm).
    pub fn default_model(mut self, model: impl Into<DefaultModel<T>>) -> Self {
        self.default_model = model.into();
        self
    }

    /// The norm of the default model, and what the spectrum's norm is compared with. By default the
    /// [density's own](crate::Density::norm), or 1 and no comparison where it has none.
    pub fn norm(mut self, norm: T) -> Self {
        self.norm = Some(norm);
        self
    }

    /// Whether the spectrum has exactly that norm (Σh = norm, [`SumRule`]); `false` by default: data that know
    /// the norm say so themselves. A further linear constraint is a further datum
    /// ([`WithRows`](crate::WithRows)).
    pub fn fix_norm(mut self, fix: bool) -> Self {
        self.fix_norm = fix;
        self
    }

    /// The spectrum shown is a hidden image X convolved with a Gaussian of standard deviation `width` > 0,
    /// A = G_b X; no preblur by default. Default model, entropy, further priors and a fixed norm refer to X;
    /// χ², norm and fit in the report are those of A, and so is the bound of the certificate. For broad
    /// spectra it takes away the ringing that noise causes; nothing narrower than `width` can be seen.
    pub fn preblur(mut self, width: T) -> Self {
        self.preblur = Some(width);
        self
    }

    /// The rule that chooses α: [`Gcv`] (the default), [`Chi2Kink`](crate::Chi2Kink),
    /// [`FixedAlpha`](crate::FixedAlpha), or one's own.
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

    /// The answer is solved until gap/(α·norm) ≤ `tolerance` (the norm being
    /// [`Legendre::scale`] where another prior takes the place of the entropy); 10⁻¹¹ by default, 5·10⁻¹⁵ proves 10⁻⁷ in L1.
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

    /// Whether [`fix_norm`](Self::fix_norm) is set.
    pub(crate) fn fixes_norm(&self) -> bool {
        self.fix_norm
    }

    pub(super) fn check(&self) -> Result<()> {
        check_nonnegative("kinetic", self.kinetic)?;
        if let Some(search) = &self.kinetic_search {
            search.check()?;
        }
        if let Some(norm) = self.norm {
            check_positive("norm", norm)?;
        }
        check_positive("tolerance", self.tolerance)?;
        check_positive("ladder tolerance", self.ladder_tolerance)?;
        check_count("ladder points", self.ladder_points, 5..=10_000, "5 to 10000 points")?;
        check_count("max iterations", self.max_iterations, 1..=usize::MAX, "at least 1")?;
        self.alpha.check()
    }

    pub(super) fn objective(
        &self,
        grid: &FrequencyGrid<T>,
        d: &[T],
        norm: T,
    ) -> Result<Objective<T>> {
        let mut fixed = self.priors.clone();
        if self.kinetic > T::zero() {
            fixed.push((self.kinetic, Arc::new(Kinetic::natural(grid)?)));
        }
        let scaled: Arc<dyn Legendre<T>> = match &self.scaled {
            Some(prior) => Arc::clone(prior),
            None => Arc::new(Entropy::new(d.to_vec())?),
        };
        let scaled = match self.fix_norm {
            true => Arc::new(SumRule::new(scaled, norm)?),
            false => scaled,
        };
        Objective::new(scaled, fixed, d.len())
    }

    /// Does once what does not depend on the data: the singular values of the kernel, the default model on
    /// the grid, the range of α. Any number of data vectors with the model's noise are then solved one by
    /// one or all together.
    ///
    /// # Errors
    /// A parameter out of range, a default model without weight on the grid, a prior made for another grid
    /// or not finite at the default model, a kernel that is zero, and the dual solver with priors that have
    /// no dual.
    pub fn prepare(&self, model: &Arc<ForwardModel<T>>) -> Result<PreparedMaxEnt<T>> {
        PreparedMaxEnt::new(self.clone(), Arc::clone(model))
    }

    /// Solves `problem`, reporting every step of the ladder to `observer`, which may stop the run: the
    /// answer then is the last step's, with [`Status::Stopped`](crate::Status::Stopped).
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn solve_observed(
        &self,
        problem: &Problem<T>,
        observer: &mut dyn FnMut(&LadderStep<T>) -> ControlFlow<()>,
    ) -> Result<Solution<T>> {
        self.prepare(problem.model())?.solve_observed(problem, observer)
    }
}

impl<T: Real> Solver<T> for MaxEnt<T> {
    /// Solves `problem`.
    ///
    /// # Errors
    /// As [`prepare`](MaxEnt::prepare). Failure to converge, or to choose α, is a
    /// [`Status`](crate::Status).
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        self.prepare(problem.model())?.solve(problem)
    }
}
