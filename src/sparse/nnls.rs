//! Non-negative least squares with a ridge, exact.

use super::active_set::ActiveSet;
use super::batch::{check_batch, single, solve_in_chunks};
use super::normal_equations::NormalEquations;
use super::{BatchOutcome, BatchSolution, DataView};
use crate::error::{Result, check_nonnegative};
use crate::problem::{ForwardModel, Problem};
use crate::real::Real;
use crate::solution::{Solution, Solver};
use nalgebra::DMatrix;

/// Data vectors solved together: their products with the kernel are products of matrices.
const CHUNK: usize = 32;

/// Minimises ½‖g − K a‖² + ½ρ‖a‖² over spectral weights a ≥ 0, by an active-set method: the optimum to
/// rounding, not an iterate near it.
///
/// ρ ≥ 0 is in units of ½‖g − K a‖² in the chosen [`DataView`]. Without a ridge the answer fits the noise by
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
    ridge: T,
    view: DataView,
}

impl<T: Real> Nnls<T> {
    /// With ridge ρ ≥ 0, on the data as measured.
    pub fn new(ridge: T) -> Self {
        Nnls { ridge, view: DataView::default() }
    }

    /// Which form of the data to fit. Default raw.
    #[must_use]
    pub fn view(mut self, view: DataView) -> Self {
        self.view = view;
        self
    }

    /// Solves for every column of `data` (raw data × problems). The kernel's Gram matrix and its Cholesky
    /// factor are made once; the same bits for any number of threads.
    ///
    /// # Errors
    /// A negative or non-finite ridge; data that are empty, not finite, or of another length than the
    /// kernel's rows; a kernel whose square overflows.
    pub fn solve_batch(
        &self,
        model: &ForwardModel<T>,
        data: &DMatrix<T>,
    ) -> Result<BatchSolution<T>> {
        check_batch(model, data)?;
        self.solve_columns(self.view.kernel(model), &self.view.columns(model, data))
    }

    fn solve_columns(&self, kernel: &DMatrix<T>, data: &DMatrix<T>) -> Result<BatchSolution<T>> {
        check_nonnegative("ridge", self.ridge)?;
        let normal = NormalEquations::new(kernel, self.ridge)?;
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

impl<T: Real> Solver<T> for Nnls<T> {
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        let kernel = self.view.kernel(problem.model());
        let batch = self.solve_columns(kernel, &self.view.column(problem))?;
        single(problem, batch, "non-negative least squares")
    }
}
