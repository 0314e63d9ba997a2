//! Maximum entropy for many data vectors of one forward model.
//!
//! Where the dual can be formed the ladders of eight data vectors are walked side by side, one in each lane
//! of a vector register ([`LaneDual`]), and groups of eight on all threads. Groups are the same for any
//! number of threads, and so are the bits of the answers.

use super::engine::Engine;
use super::ladder::Ladder;
use super::lane_dual::LaneDual;
use super::prepared::PreparedMaxEnt;
use crate::error::{Result, check_finite, check_len};
use crate::linalg::LANES;
use crate::parallel;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{Solution, Solver};
use core::ops::ControlFlow;
use nalgebra::DMatrix;
use std::sync::Arc;

/// Groups that each thread is given in one round: enough to even out the threads.
const GROUPS: usize = 4;

/// What a group of lanes is solved with.
struct Slot<'a, T: Real> {
    lanes: Option<LaneDual<'a, T>>,
    single: Box<dyn Engine<T> + 'a>,
    problems: Vec<Problem<T>>,
    solutions: Vec<Result<Solution<T>>>,
}

impl<T: Real> PreparedMaxEnt<T> {
    /// The answers to many raw data vectors of the [`model`](Self::model), one a column of `data`
    /// (data × problems). Equal to those of [`solve`](Solver::solve) within the certificates of both; the
    /// same bits for any number of threads.
    ///
    /// Each solution holds its ladder; [`solve_each`](Self::solve_each) keeps none of them.
    ///
    /// # Errors
    /// Another number of rows than the model has data, and data that are not finite. Failure to converge,
    /// or to choose α, is a [`Status`](crate::Status).
    pub fn solve_many(&self, data: &DMatrix<T>) -> Result<Vec<Solution<T>>> {
        let mut solutions = Vec::with_capacity(data.ncols());
        self.solve_each(data, &mut |_, solution| {
            solutions.push(solution);
            ControlFlow::Continue(())
        })?;
        Ok(solutions)
    }

    /// As [`solve_many`](Self::solve_many), handing each solution with its column's number to `receive`, in
    /// order, and keeping none: memory does not grow with the number of columns. `receive` may stop the run.
    ///
    /// # Errors
    /// As [`solve_many`](Self::solve_many).
    pub fn solve_each(
        &self,
        data: &DMatrix<T>,
        receive: &mut dyn FnMut(usize, Solution<T>) -> ControlFlow<()>,
    ) -> Result<()> {
        check_len("data", data.nrows(), self.model().kernel().nrows(), "the kernel's rows")?;
        check_finite("data", data.as_slice())?;
        let count = parallel::threads() * GROUPS;
        let mut slots: Vec<Slot<'_, T>> = (0..count.min(data.ncols().div_ceil(LANES)))
            .map(|_| Slot {
                lanes: self.lanes(),
                single: self.engine(),
                problems: Vec::new(),
                solutions: Vec::new(),
            })
            .collect();
        let mut columns = data.column_iter();
        let mut index = 0;
        while index < data.ncols() {
            for slot in &mut slots {
                for column in columns.by_ref().take(LANES) {
                    let model = Arc::clone(self.model());
                    slot.problems.push(Problem::from_model(model, column.as_slice())?);
                }
            }
            parallel::for_each_mut(&mut slots, |_, slot| self.solve_group(slot));
            for solution in slots.iter_mut().flat_map(|slot| slot.solutions.drain(..)) {
                if receive(index, solution?).is_break() {
                    return Ok(());
                }
                index += 1;
            }
        }
        Ok(())
    }

    /// Solves the problems of a slot.
    fn solve_group(&self, slot: &mut Slot<'_, T>) {
        let Slot { lanes, single, problems, solutions } = slot;
        let Some(lanes) = lanes.as_mut().filter(|_| problems.len() > 1) else {
            solutions.extend(problems.drain(..).map(|problem| self.solve(&problem)));
            return;
        };
        let data: Vec<_> = problems.iter().map(|p| self.modes.project(p.whitened_data())).collect();
        lanes.reset(&data);
        let new = || Ladder::new(self.alphas.len(), single.state_len());
        let mut ladders: Vec<_> = problems.iter().map(|_| new()).collect();
        let (tolerance, limit) = (self.settings.ladder_tolerance, self.settings.max_iterations);
        for &alpha in &self.alphas {
            let outcomes = lanes.solve(alpha, tolerance, limit);
            for (l, (outcome, ladder)) in outcomes.into_iter().zip(&mut ladders).enumerate() {
                if let Some(outcome) = outcome {
                    ladder.push(alpha, outcome, |state| lanes.save(l, state));
                }
            }
        }
        for (l, ((problem, data), ladder)) in problems.drain(..).zip(data).zip(ladders).enumerate()
        {
            // What failed among others may not fail alone, and if it does says why.
            solutions.push(if lanes.is_live(l) {
                single.reset(&data);
                self.conclude(&problem, &data, single.as_mut(), ladder)
            } else {
                self.solve(&problem)
            });
        }
    }
}
