//! The answers to many problems of one forward model.

use super::DataView;
use crate::error::{Result, check_finite, check_len, check_not_empty};
use crate::parallel;
use crate::problem::{ForwardModel, Problem};
use crate::real::Real;
use crate::solution::{Certificate, PenaltyReport, Report, Solution, Status, Warning};
use nalgebra::DMatrix;

/// How one problem of a batch went.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchOutcome<T = f64> {
    /// How it ended.
    pub status: Status,
    /// Iterations spent.
    pub iterations: usize,
    /// Distance to the optimum.
    pub certificate: Certificate<T>,
}

impl<T: Real> BatchOutcome<T> {
    /// A report of a method that found this, to be completed by [`Solution::new`].
    pub(super) fn report(
        self,
        method: &str,
        penalty: PenaltyReport<T>,
        warnings: Vec<Warning>,
    ) -> Report<T> {
        Report {
            method: method.into(),
            status: self.status,
            chi2: T::zero(),
            n_data: 0,
            norm: T::zero(),
            residual_correlation: None,
            iterations: self.iterations,
            certificate: self.certificate,
            warnings,
            maxent: None,
            penalty: Some(penalty),
        }
    }
}

/// Spectral weights for a batch of data vectors, and how each of them was found.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSolution<T: Real = f64> {
    /// Weights a = A Δω, N_ω × problems.
    pub weights: DMatrix<T>,
    /// One for each column of `weights`.
    pub outcomes: Vec<BatchOutcome<T>>,
}

/// `Err` unless `data` holds data vectors of `model`, one a column.
pub(super) fn check_batch<T: Real>(model: &ForwardModel<T>, data: &DMatrix<T>) -> Result<()> {
    check_not_empty("data", data.len(), 1)?;
    check_len("data", data.nrows(), model.kernel().nrows(), "the kernel's rows")?;
    check_finite("data", data.as_slice())
}

/// Solves the columns of `data` (in the solver's view) in chunks of `size`, on the threads of the pool.
///
/// `solve(data, weights)` is handed the columns of a chunk, one after another, and the place of their
/// weights, zero at first. A chunk is the same whatever the number of threads.
pub(super) fn solve_in_chunks<T: Real>(
    data: &DMatrix<T>,
    columns: usize,
    size: usize,
    solve: impl Fn(&[T], &mut [T]) -> Vec<BatchOutcome<T>> + Send + Sync,
) -> BatchSolution<T> {
    struct Chunk<'a, T> {
        data: &'a [T],
        weights: &'a mut [T],
        outcomes: Vec<BatchOutcome<T>>,
    }
    let mut weights = DMatrix::zeros(columns, data.ncols());
    let mut chunks: Vec<Chunk<'_, T>> = (data.as_slice().chunks(size * data.nrows()))
        .zip(weights.as_mut_slice().chunks_mut(size * columns))
        .map(|(data, weights)| Chunk { data, weights, outcomes: Vec::new() })
        .collect();
    parallel::for_each_mut(&mut chunks, |_, chunk| {
        chunk.outcomes = solve(chunk.data, chunk.weights);
    });
    let outcomes = chunks.into_iter().flat_map(|chunk| chunk.outcomes).collect();
    BatchSolution { weights, outcomes }
}

/// The one problem of a batch of one, as a solution.
pub(super) fn single<T: Real>(
    problem: &Problem<T>,
    batch: BatchSolution<T>,
    method: &str,
    penalty: PenaltyReport<T>,
) -> Result<Solution<T>> {
    let zero = batch.weights.iter().all(|&a| a == T::zero());
    let warning = || Warning::Note("the answer is zero: check sign and scale of the data".into());
    let warnings = if zero { vec![warning()] } else { Vec::new() };
    let outcome = batch.outcomes.into_iter().next().unwrap_or(BatchOutcome {
        status: Status::IterationLimit,
        iterations: 0,
        certificate: Certificate::None,
    });
    Solution::new(problem, batch.weights.as_slice(), outcome.report(method, penalty, warnings))
}

impl DataView {
    /// The data of one problem as a batch.
    pub(super) fn column<T: Real>(self, problem: &Problem<T>) -> DMatrix<T> {
        let data = self.data(problem);
        DMatrix::from_column_slice(data.len(), 1, data)
    }
}
