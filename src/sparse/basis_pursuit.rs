//! The constrained form of sparse recovery, by homotopy in λ.
//!
//! Source: [LO] eq. 7; continuation in λ with warm starts: Hale, Yin and Zhang, *SIAM J. Optim.* 19, 1107
//! (2008).

use super::{BatchOutcome, ProximalGradient, ProximalGradientMap};
use crate::error::{Result, check_nonnegative, check_positive};
use crate::fixed_point::IterationInfo;
use crate::problem::Problem;
use crate::prox::{Prox, SoftThreshold};
use crate::real::Real;
use crate::solution::{Certificate, PenaltyReport, Solution, Solver, Status};
use core::ops::ControlFlow;

/// Minimises f(a), the ℓ¹ norm unless `solver` has another, subject to ‖g − K a‖₂ ≤ ε.
///
/// The misfit of the minimiser of ½‖g − K a‖² + λ f(a) grows with λ: λ falls from where a = 0, each solution
/// starting from the one before, until the misfit is below ε, and is then closed in on by regula falsi in
/// (ln λ, ln misfit). Converged when the misfit is within `accuracy` of ε, relative, and the last inner
/// iteration converged.
///
/// The certificate is the duality gap f(a) − [g·ν − ε‖ν‖ − f*(Kᵀν)], the misfit being what was found. Where
/// even the smallest λ tried leaves a misfit above ε the status is [`Status::NoAlpha`], with the solution there.
///
/// ```
/// use fredholm::{BasisPursuit, FermionTime, FrequencyGrid, Measurement, Problem, Solver};
///
/// let tau: Vec<f64> = (0..=20).map(|i| 0.1 * f64::from(i)).collect();
/// let g: Vec<f64> = tau.iter().map(|t| (-t).exp() / (1.0 + (-2.0_f64).exp())).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 41)?;
/// let problem = Problem::new(&FermionTime::new(2.0)?, &data, &grid)?;
///
/// let solution = BasisPursuit::new(1e-2).solve(&problem)?;
/// let misfit: f64 = solution.fit().iter().zip(&g).map(|(f, g)| (f - g).powi(2)).sum();
/// assert!((misfit.sqrt() - 1e-2).abs() < 2e-4);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BasisPursuit<T = f64, P = SoftThreshold> {
    epsilon: T,
    accuracy: T,
    solver: ProximalGradient<T, P>,
}

/// The ratio of successive λ, the number of them, and of regula falsi afterwards.
const RATIO: f64 = 0.3;
const STEPS: usize = 24;
const REFINEMENTS: usize = 40;

impl<T: Real> BasisPursuit<T> {
    /// With the largest misfit ε > 0 in the view of the solver, FISTA on raw data unless another is given.
    pub fn new(epsilon: T) -> Self {
        let solver = ProximalGradient::fista(T::one()).tolerance(T::lit(1e-7));
        BasisPursuit { epsilon, accuracy: T::lit(1e-2), solver }
    }
}

impl<T: Real, P: Prox<T>> BasisPursuit<T, P> {
    /// Another inner solver: its operator f, view, tolerance and limit of iterations; its λ plays no role.
    pub fn solver<Q: Prox<T>>(self, solver: ProximalGradient<T, Q>) -> BasisPursuit<T, Q> {
        BasisPursuit { epsilon: self.epsilon, accuracy: self.accuracy, solver }
    }

    /// How close the misfit is to come to ε, relative. Default 10⁻².
    #[must_use]
    pub fn accuracy(mut self, accuracy: T) -> Self {
        self.accuracy = accuracy;
        self
    }
}

impl<T: Real, P: Prox<T>> Solver<T> for BasisPursuit<T, P> {
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        check_positive("epsilon", self.epsilon)?;
        check_positive("accuracy", self.accuracy)?;
        check_nonnegative("tolerance", self.solver.tolerance)?;
        let view = self.solver.view;
        let (kernel, data) = (view.kernel(problem.model()), view.data(problem));
        let mut map = ProximalGradientMap::new(kernel, data, &self.solver.prox, T::one())?;
        let mut point = vec![T::zero(); kernel.ncols()];
        let scale = map.gradient_size(&point);
        let tolerance = self.solver.tolerance;
        let (target, mut iterations) = (self.epsilon.ln(), 0);
        let mut status = Status::Converged;
        let mut at = |map: &mut ProximalGradientMap<'_, &P, T>, point: &mut Vec<T>, x: T| {
            let lambda = x.exp();
            map.set_lambda(lambda);
            let go_on = |_: &IterationInfo<'_, T>| ControlFlow::Continue(());
            let answer = self.solver.iterate(map, point, tolerance * lambda, go_on)?;
            iterations += answer.report.iterations;
            *point = answer.point;
            status = answer.report.status;
            let (misfit, _) = map.constrained_bound(point);
            Ok::<T, crate::error::Error>(misfit.max(T::MIN_POSITIVE).ln() - target)
        };
        let close = |excess: T| excess.abs() <= self.accuracy;
        // High: misfit above ε. Low: below.
        let norm: T = data.iter().map(|&g| g * g).sum::<T>().sqrt();
        let mut high = (scale.max(T::MIN_POSITIVE).ln(), norm.max(T::MIN_POSITIVE).ln() - target);
        let mut x = high.0;
        let mut excess = high.1;
        if excess > T::zero() {
            for _ in 0..STEPS {
                x += T::lit(RATIO.ln());
                excess = at(&mut map, &mut point, x)?;
                if excess <= T::zero() {
                    break;
                }
                high = (x, excess);
            }
            let mut low = (x, excess);
            for _ in 0..REFINEMENTS {
                if excess > T::zero() && low.1 > T::zero() || close(excess) {
                    break;
                }
                // Illinois' form of regula falsi: kept from creeping by a step to the middle.
                let secant = low.0 - low.1 * (high.0 - low.0) / (high.1 - low.1);
                let middle = T::lit(0.5) * (low.0 + high.0);
                x = T::lit(0.5) * (secant + middle);
                excess = at(&mut map, &mut point, x)?;
                if excess > T::zero() { high = (x, excess) } else { low = (x, excess) }
            }
        } else {
            // a = 0 is good enough.
            map.set_lambda(scale.max(T::MIN_POSITIVE));
        }
        let (misfit, bound) = map.constrained_bound(&point);
        if excess > T::zero() && !close(excess) {
            let reason = format!(
                "the misfit is {:.3e} even at lambda = {:.3e}, whose solution is returned",
                misfit,
                x.exp()
            );
            status = Status::NoAlpha { rule: "constrained misfit", reason };
        }
        let value = map.penalty(&point);
        let certificate = match bound {
            Some(bound) if value.is_finite() => {
                let gap = (value - bound).max(T::zero());
                let relative = gap / value.max(T::MIN_POSITIVE);
                Certificate::Gap { gap, relative, l1_bound: None }
            }
            _ => Certificate::None,
        };
        let method = format!("basis pursuit by {}", self.solver.name());
        let penalty = PenaltyReport { lambda: x.exp(), rule: "constrained misfit" };
        let outcome = BatchOutcome { status, iterations, certificate };
        Solution::new(problem, &point, outcome.report(&method, penalty, Vec::new()))
    }
}
