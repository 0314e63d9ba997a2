//! Maximum entropy for many data vectors on several ranks.

use super::prepared::PreparedMaxEnt;
use crate::cluster::{Communicator, agree, check_alike, gather_columns, scatter_columns, share};
use crate::error::{Result, check_finite, check_len};
use crate::linalg::LANES;
use crate::real::Real;
use crate::solution::{Certificate, Solution};
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// What the ranks of [`PreparedMaxEnt::solve_shared`] have found, one problem a column.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedAnswers<T: Real = f64> {
    /// Spectral weights a = A Δω, N_ω × problems.
    pub weights: DMatrix<T>,
    /// How each of them was found; `None`, and weights of zero, for what a stopped rank left.
    pub outcomes: Vec<Option<SharedOutcome<T>>>,
}

/// How one of many problems went. The rank that solved it was handed the whole report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedOutcome<T = f64> {
    /// Whether the answer is what was asked for ([`Status::is_success`](crate::Status::is_success)).
    pub success: bool,
    /// The chosen α.
    pub alpha: T,
    /// χ² of the answer.
    pub chi2: T,
    /// Bound on the L1 distance of the weights to the optimum, where one is known.
    pub l1_bound: Option<T>,
}

/// Numbers of an outcome.
const NUMBERS: usize = 4;

impl<T: Real> SharedOutcome<T> {
    fn of(solution: &Solution<T>) -> Self {
        let report = solution.report();
        SharedOutcome {
            success: report.status.is_success(),
            alpha: report.maxent.as_ref().map_or(T::zero(), |maxent| maxent.alpha),
            chi2: report.chi2,
            l1_bound: match report.certificate {
                Certificate::Gap { l1_bound, .. } => l1_bound,
                _ => None,
            },
        }
    }

    /// As a message: success as 1 or 2, no bound as −1.
    fn to_numbers(self) -> [T; NUMBERS] {
        let success = T::lit(if self.success { 2.0 } else { 1.0 });
        [success, self.alpha, self.chi2, self.l1_bound.unwrap_or(-T::one())]
    }

    /// Of a message; zeros are none.
    fn from_numbers(numbers: &[T]) -> Option<Self> {
        let &[success, alpha, chi2, bound] = numbers else { return None };
        let l1_bound = (bound >= T::zero()).then_some(bound);
        (success > T::zero()).then(|| SharedOutcome {
            success: success > T::one(),
            alpha,
            chi2,
            l1_bound,
        })
    }
}

impl<T: Real> PreparedMaxEnt<T> {
    /// [`solve_each`](Self::solve_each) on all ranks of `communicator`, each of which has prepared the same
    /// solver. `data` (data × problems) are those of rank 0; what other ranks pass is not looked at.
    ///
    /// Rank 0 deals the columns out in whole groups of eight, in their order, and is returned all answers;
    /// others are returned `None`. Every rank hands each solution it has found with its column's number to
    /// `receive`, which may stop its rank. Bits and order do not depend on the number of ranks.
    ///
    /// ```
    /// use fredholm::*;
    /// # use fredholm::nalgebra::DMatrix;
    /// # use std::{ops::ControlFlow, sync::Arc};
    /// # let tau: Vec<f64> = (0..=20).map(|i| 0.2 * f64::from(i)).collect();
    /// # let grid = FrequencyGrid::uniform(-4.0, 4.0, 41)?;
    /// # let noise = Whitening::from_errors(&[1e-3; 21])?;
    /// # let model = Arc::new(ForwardModel::new(&FermionTime::new(4.0)?, &tau, &grid, noise)?);
    /// // What every rank does; with MPI, `communicator` is an `MpiCommunicator`.
    /// let program = |communicator: &dyn Communicator<f64>| -> Result<()> {
    ///     let data = if communicator.rank() == 0 {
    ///         DMatrix::from_fn(21, 20, |i, k| (-tau[i] * (0.5 + 0.05 * k as f64)).exp())
    ///     } else {
    ///         DMatrix::zeros(0, 0)
    ///     };
    ///     let prepared = MaxEnt::default().ladder_points(20).prepare(&model)?;
    ///     let keep = &mut |_, _| ControlFlow::Continue(());
    ///     if let Some(answers) = prepared.solve_shared(&data, communicator, keep)? {
    ///         assert_eq!(answers.weights.shape(), (41, 20));
    ///     }
    ///     Ok(())
    /// };
    /// # program(&Alone)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`solve_each`](Self::solve_each), on all ranks; ranks that have prepared for other kernels or
    /// axes; a rank that cannot be reached.
    pub fn solve_shared<C: Communicator<T> + ?Sized>(
        &self,
        data: &DMatrix<T>,
        communicator: &C,
        receive: &mut dyn FnMut(usize, Solution<T>) -> ControlFlow<()>,
    ) -> Result<Option<SharedAnswers<T>>> {
        let (rows, points) = self.model().kernel().shape();
        let numbers = [rows as u64, points as u64, self.model().fingerprint().value()];
        check_alike(communicator, &numbers, "the same kernel, data axis and grid on all ranks")?;
        let fits = || {
            check_len("data", data.nrows(), rows, "the kernel's rows")?;
            check_finite("data", data.as_slice())
        };
        agree(communicator, if communicator.rank() == 0 { fits() } else { Ok(()) })?;
        let (own, columns) = scatter_columns(communicator, data, rows, LANES)?;
        let first = share(columns, LANES, communicator.rank(), communicator.size()).start;
        let mut answers = DMatrix::zeros(points + NUMBERS, own.ncols());
        let solved = self.solve_each(&own, &mut |i, solution| {
            let mut answer = answers.column_mut(i);
            answer.rows_mut(0, points).copy_from_slice(&solution.spectrum().weights());
            let numbers = SharedOutcome::of(&solution).to_numbers();
            answer.rows_mut(points, NUMBERS).copy_from_slice(&numbers);
            receive(first + i, solution)
        });
        agree(communicator, solved)?;
        let all = gather_columns(communicator, answers, columns, LANES)?;
        Ok(all.map(|all| SharedAnswers {
            outcomes: (all.as_slice().chunks_exact(points + NUMBERS))
                .map(|answer| SharedOutcome::from_numbers(&answer[points..]))
                .collect(),
            weights: all.rows(0, points).into_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Alone;
    use crate::error::Error;
    use crate::grid::FrequencyGrid;
    use crate::kernel::FermionTime;
    use crate::maxent::MaxEnt;
    use crate::noise::Whitening;
    use crate::problem::ForwardModel;
    use crate::test_support::on_ranks;
    use std::sync::Arc;

    /// β = 6, 25 times, 31 frequencies; single levels, the last at the edge of the grid.
    fn problem(columns: usize) -> (PreparedMaxEnt<f64>, DMatrix<f64>) {
        let tau: Vec<f64> = (0..25).map(|i| f64::from(i) / 4.0).collect();
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 31).unwrap();
        let whitening = Whitening::from_errors(&[1e-3; 25]).unwrap();
        let kernel = FermionTime::new(6.0).unwrap();
        let model = Arc::new(ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap());
        let level = |j: usize| 3.0 * j as f64 / columns as f64;
        let data = DMatrix::from_fn(25, columns, |i, j| {
            (-tau[i] * level(j)).exp() / (1.0 + (-6.0 * level(j)).exp())
        });
        (MaxEnt::default().ladder_points(10).prepare(&model).unwrap(), data)
    }

    /// The result of each of `size` ranks, with the columns it was handed.
    fn solved(
        size: usize,
        prepared: &PreparedMaxEnt<f64>,
        data: &DMatrix<f64>,
        stop: usize,
    ) -> Vec<(Result<Option<SharedAnswers>>, Vec<usize>)> {
        let empty = DMatrix::zeros(0, 0);
        on_ranks(size, |rank| {
            let data = if rank.rank() == 0 { data } else { &empty };
            let mut seen = Vec::new();
            let answers = prepared.solve_shared(data, &rank, &mut |i, _| {
                seen.push(i);
                if i == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            (answers, seen)
        })
    }

    #[test]
    fn any_number_of_ranks_gives_the_bits_of_one() {
        for columns in [0, 5, 42] {
            let (prepared, data) = problem(columns);
            let solutions = prepared.solve_many(&data).unwrap();
            for size in [1, 2, 3, 4, 8] {
                let outcomes = solved(size, &prepared, &data, usize::MAX);
                let seen: Vec<usize> = outcomes.iter().flat_map(|(_, seen)| seen.clone()).collect();
                assert_eq!(seen, (0..columns).collect::<Vec<_>>());
                for (rank, (answers, _)) in outcomes.into_iter().enumerate() {
                    let answers = answers.unwrap();
                    assert_eq!(answers.is_some(), rank == 0);
                    let Some(answers) = answers else { continue };
                    assert_eq!(answers.weights.shape(), (31, columns));
                    for (j, solution) in solutions.iter().enumerate() {
                        let weights = answers.weights.column(j);
                        assert_eq!(weights.as_slice(), solution.spectrum().weights());
                        assert_eq!(answers.outcomes[j], Some(SharedOutcome::of(solution)));
                        assert!(answers.outcomes[j].unwrap().l1_bound.unwrap() < 1e-3);
                    }
                }
            }
        }
    }

    #[test]
    fn a_stopped_rank_leaves_gaps_and_hinders_no_other() {
        let (prepared, data) = problem(32);
        // Of two ranks the second has columns 16 to 31.
        let outcomes = solved(2, &prepared, &data, 18);
        let answers = outcomes[0].0.clone().unwrap().unwrap();
        for (j, outcome) in answers.outcomes.iter().enumerate() {
            assert_eq!(outcome.is_some(), j <= 18, "{j}");
            assert_eq!(answers.weights.column(j).sum() > 0.1, j <= 18, "{j}");
        }
    }

    #[test]
    fn bad_data_of_the_first_rank_are_an_error_of_all() {
        let (prepared, data) = problem(20);
        let mut bad = data.clone();
        bad[(3, 17)] = f64::NAN;
        for bad in [bad, data.rows(0, 24).into_owned()] {
            let outcomes = solved(3, &prepared, &bad, usize::MAX);
            let message = outcomes[0].0.as_ref().unwrap_err().to_string();
            assert!(message.contains("`data`"), "{message}");
            for (outcome, _) in &outcomes[1..] {
                assert!(matches!(outcome, Err(Error::OtherRank { rank: 0, .. })), "{outcome:?}");
            }
        }
        let mut receive = |_, _| ControlFlow::Continue(());
        assert!(prepared.solve_shared(&DMatrix::zeros(24, 3), &Alone, &mut receive).is_err());
    }

    #[test]
    fn ranks_that_prepared_other_problems_are_refused() {
        let (prepared, data) = problem(20);
        // As many times and frequencies, but another temperature; and other numbers of both.
        let other = |beta: f64, times: u32, points| {
            let tau: Vec<f64> = (0..times).map(|i| f64::from(i) / 4.0).collect();
            let grid = FrequencyGrid::uniform(-3.0, 3.0, points).unwrap();
            let whitening = Whitening::from_errors(&vec![1e-3; tau.len()]).unwrap();
            let kernel = FermionTime::new(beta).unwrap();
            let model = ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap();
            MaxEnt::default().ladder_points(10).prepare(&Arc::new(model)).unwrap()
        };
        for other in [other(7.0, 25, 31), other(6.0, 24, 31), other(6.0, 25, 30)] {
            let outcomes = on_ranks(3, |rank| {
                let prepared = if rank.rank() == 1 { &other } else { &prepared };
                let mut receive = |_, _| ControlFlow::Continue(());
                prepared.solve_shared(&data, &rank, &mut receive).map(drop)
            });
            for (rank, outcome) in outcomes.into_iter().enumerate() {
                match outcome.unwrap_err() {
                    Error::Unsupported { argument: "communicator", .. } => assert_eq!(rank, 1),
                    e => assert!(matches!(e, Error::OtherRank { rank: 1, .. }), "{e}"),
                }
            }
        }
    }
}
