//! ISTA and FISTA as solvers of a problem.

use super::batch::{check_batch, solve_in_chunks};
use super::normal_equations::NormalEquations;
use super::panel::{Panel, PanelLimits, WIDTH};
use super::{BatchOutcome, BatchSolution, DataView, ProximalGradientMap};
use crate::error::{Result, check_nonnegative};
use crate::fixed_point::{
    Accelerated, FixedPoint, FixedPointMap, IterationInfo, IterationOptions, iterate,
};
use crate::problem::{ForwardModel, Problem};
use crate::prox::{Prox, SoftThreshold};
use crate::real::Real;
use crate::solution::{Certificate, PenaltyReport, Report, Solution, Solver, Status, Warning};
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// Minimises ½‖g − K a‖² + λ f(a) over spectral weights a = A Δω by proximal gradient iterations from
/// a = 0: ISTA, or FISTA with adaptive restart.
///
/// f is the ℓ¹ norm unless another operator is given: [`OneSidedSoftThreshold`](crate::OneSidedSoftThreshold)
/// for spectra known to be positive, a projection such as [`Simplex`](crate::Simplex), for which λ plays no
/// role, or any [`Prox`]. λ is in units of the objective of the chosen [`DataView`]: the whitened one, ½χ²,
/// wants a λ larger by 1/σ². For the ℓ¹ norm a = 0 is the answer from λ = ‖Kᵀg‖∞ on.
///
/// Converged when a subgradient of norm ≤ tolerance·‖Kᵀg‖∞ is known to exist. The certificate is the
/// duality gap where the conjugate of f allows one (ℓ¹, one-sided ℓ¹, box, simplex), else the norm of a
/// subgradient at the answer. ISTA's objective falls short of the minimum by ≤ L‖a*‖²/(2k) after k steps,
/// FISTA's by about ≤ 2L‖a*‖²/(k + 1)², L = ‖K‖²: on a Fermi kernel with a small λ the former takes
/// millions of steps, the latter thousands.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, Measurement, OneSidedSoftThreshold, Problem};
/// use fredholm::{ProximalGradient, Solver};
///
/// let tau: Vec<f64> = (0..=20).map(|i| 0.1 * f64::from(i)).collect();
/// let g: Vec<f64> = tau.iter().map(|t| (-t).exp() / (1.0 + (-2.0_f64).exp())).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 41)?;
/// let problem = Problem::new(&FermionTime::new(2.0)?, &data, &grid)?;
///
/// let solution = ProximalGradient::fista(1e-4).prox(OneSidedSoftThreshold).solve(&problem)?;
/// assert!(solution.report().status.is_success());
/// assert!((solution.report().norm - 1.0).abs() < 1e-2);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ProximalGradient<T = f64, P = SoftThreshold> {
    pub(super) prox: P,
    lambda: T,
    accelerated: bool,
    pub(super) view: DataView,
    pub(super) tolerance: T,
    max_iterations: usize,
}

impl<T: Real> ProximalGradient<T> {
    /// The iterative shrinkage-thresholding algorithm with weight λ of f.
    pub fn ista(lambda: T) -> Self {
        ProximalGradient {
            prox: SoftThreshold,
            lambda,
            accelerated: false,
            view: DataView::default(),
            tolerance: T::lit(1e-6),
            max_iterations: 100_000,
        }
    }

    /// Its accelerated form, with weight λ of f.
    pub fn fista(lambda: T) -> Self {
        ProximalGradient { accelerated: true, ..Self::ista(lambda) }
    }
}

impl<T: Real, P: Prox<T>> ProximalGradient<T, P> {
    /// Another f, by its proximal operator: a type, a reference or a box.
    pub fn prox<Q: Prox<T>>(self, prox: Q) -> ProximalGradient<T, Q> {
        ProximalGradient {
            prox,
            lambda: self.lambda,
            accelerated: self.accelerated,
            view: self.view,
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
    }

    /// Which form of the data to fit. Default raw.
    #[must_use]
    pub fn view(mut self, view: DataView) -> Self {
        self.view = view;
        self
    }

    /// Converged when dist(0, ∂F(a)) ≤ `tolerance`·‖Kᵀg‖∞, the gradient at a = 0. Default 10⁻⁶.
    #[must_use]
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Steps at most. Default 100 000.
    #[must_use]
    pub fn max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    pub(super) fn name(&self) -> &'static str {
        if self.accelerated { "FISTA" } else { "ISTA" }
    }

    /// Iterates the map from `start` until its residual is ≤ `tolerance`.
    pub(super) fn iterate<Q: Prox<T>>(
        &self,
        map: &mut ProximalGradientMap<'_, Q, T>,
        start: &[T],
        tolerance: T,
        observer: impl FnMut(&IterationInfo<'_, T>) -> ControlFlow<()>,
    ) -> Result<FixedPoint<T>> {
        let max_iterations = self.max_iterations;
        let options = IterationOptions { tolerance, max_iterations, history: false };
        if self.accelerated {
            iterate(Accelerated::new(map), start, &options, observer)
        } else {
            iterate(map, start, &options, observer)
        }
    }

    /// [`solve`](Solver::solve) for every column of `data` (raw data × problems).
    ///
    /// For a separable operator the gradients of many columns are one product of matrices with KᵀK; every
    /// column has its own momentum and restarts, and its answer is that of `solve` to rounding. Other
    /// operators are solved column by column. The same bits for any number of threads.
    ///
    /// # Errors
    /// Those of `solve`; data that are empty, not finite, or of another length than the kernel's rows.
    pub fn solve_batch(
        &self,
        model: &ForwardModel<T>,
        data: &DMatrix<T>,
    ) -> Result<BatchSolution<T>> {
        check_batch(model, data)?;
        check_nonnegative("tolerance", self.tolerance)?;
        let (kernel, data) = (self.view.kernel(model), self.view.columns(model, data));
        let rows = kernel.nrows();
        let first = &data.as_slice()[..rows];
        let map = ProximalGradientMap::new(kernel, first, &self.prox, self.lambda)?;
        let normal = NormalEquations::new(kernel, T::zero())?;
        let limits = PanelLimits {
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
            accelerated: self.accelerated,
        };
        Ok(solve_in_chunks(&data, kernel.ncols(), WIDTH, |data, weights| {
            let separable = self.prox.is_separable();
            let ends = if separable {
                let b = normal.right_hand_sides(data);
                let step = (map.step_size(), map.lipschitz(), self.lambda);
                Panel::new(normal.gram(), kernel.ncols(), &b)
                    .solve(&self.prox, step, &limits, weights)
            } else {
                vec![(Status::Converged, 0); data.len() / rows]
            };
            let columns = data.chunks_exact(rows).zip(weights.chunks_exact_mut(kernel.ncols()));
            let solved = columns.zip(ends).map(|((data, a), (status, iterations))| {
                let mut map = map.clone().for_data(data);
                let mut outcome =
                    BatchOutcome { status, iterations, certificate: Certificate::None };
                if !separable {
                    let scale = self.tolerance * map.gradient_size(a);
                    let go_on = |_: &IterationInfo<'_, T>| ControlFlow::Continue(());
                    if let Ok(answer) = self.iterate(&mut map, a, scale, go_on) {
                        a.copy_from_slice(&answer.point);
                        outcome.status = answer.report.status;
                        outcome.iterations = answer.report.iterations;
                    }
                } else if outcome.iterations > 0 {
                    // A last step without KᵀK, whose rounding the certificate then does not see.
                    let before = a.to_vec();
                    map.step(&before, a);
                    outcome.iterations += 1;
                }
                if outcome.iterations > 0 && !matches!(outcome.status, Status::NonFinite { .. }) {
                    outcome.certificate = map.certificate(a);
                }
                outcome
            });
            solved.collect()
        }))
    }

    /// [`solve`](Solver::solve), with an observer that sees every step and may stop.
    ///
    /// # Errors
    /// A negative or non-finite λ or tolerance; a kernel so large that ‖K‖² overflows.
    pub fn solve_observed(
        &self,
        problem: &Problem<T>,
        observer: impl FnMut(&IterationInfo<'_, T>) -> ControlFlow<()>,
    ) -> Result<Solution<T>> {
        check_nonnegative("tolerance", self.tolerance)?;
        let (kernel, data) = (self.view.kernel(problem.model()), self.view.data(problem));
        let mut map = ProximalGradientMap::new(kernel, data, &self.prox, self.lambda)?;
        let origin = vec![T::zero(); kernel.ncols()];
        let scale = map.gradient_size(&origin);
        let answer = self.iterate(&mut map, &origin, self.tolerance * scale, observer)?;
        let status = answer.report.status;
        // Without a step that gave this answer there is nothing to certify it by.
        let certified = answer.report.iterations > 0 && !matches!(status, Status::NonFinite { .. });
        let certificate =
            if certified { map.certificate(&answer.point) } else { Certificate::None };
        let mut warnings = Vec::new();
        if certified && answer.point.iter().all(|&a| a == T::zero()) {
            warnings.push(Warning::Note(format!(
                "the answer is zero: lambda = {:e} is too large; it wants to be well below {:e}",
                self.lambda, scale
            )));
        }
        let report = Report {
            method: self.name().to_string(),
            status,
            chi2: T::zero(),
            n_data: 0,
            norm: T::zero(),
            residual_correlation: None,
            iterations: answer.report.iterations,
            certificate,
            warnings,
            maxent: None,
            penalty: Some(PenaltyReport { lambda: self.lambda, rule: "fixed" }),
        };
        Solution::new(problem, &answer.point, report)
    }
}

impl<T: Real, P: Prox<T>> Solver<T> for ProximalGradient<T, P> {
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        self.solve_observed(problem, |_| ControlFlow::Continue(()))
    }
}
