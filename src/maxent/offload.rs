//! Maximum entropy for many data vectors with a device: what it is told, what it finds, and what this machine makes of
//! that.
//!
//! A device moves duals from α to α ([`ManyDuals`]) and nothing else. The rule is asked here, by the code that single
//! problems go through, and the answers are those of this machine's [`Dual`](super::dual::Dual), which starts from the
//! device's and as a rule need not take a step: their certificates do not rest on the device.

use super::decision::Decision;
use super::engine::Outcome;
use super::ladder::Ladder;
use super::modes::Projected;
use super::prepared::PreparedMaxEnt;
use crate::error::{Error, Result};
use crate::linalg::BandedRows;
use crate::parallel;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{Solution, Solver, Status};
use nalgebra::DMatrix;
use std::sync::Arc;

/// Problems that share one engine here.
const GROUP: usize = 32;

/// Numbers that a device reports of an optimum: its status (0 converged, 1 at the rounding floor, else failed),
/// iterations, active modes, χ², Σh, entropy, gap, N_good, ln P(α|g).
pub(crate) const FIGURES: usize = 9;

/// Columns that a row of a quadratic prior may span on a device.
const WIDEST: usize = 8;

/// What a device is told once: the dual of Skilling's entropy, without what depends on the data.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code))] // the twin in the tests needs less
pub(crate) struct EntropicDual<'a, T> {
    /// N_ω, and the length of a row of `rows`.
    pub(crate) points: usize,
    pub(crate) width: usize,
    /// Modes s, and the length of a row of `columns`.
    pub(crate) modes: usize,
    pub(crate) stride: usize,
    /// B, row-major, s × `width`.
    pub(crate) rows: &'a [T],
    /// Bᵀ, row-major, N_ω × `stride`.
    pub(crate) columns: &'a [T],
    pub(crate) sigma: &'a [T],
    /// d of h = d e^u.
    pub(crate) default: Vec<T>,
    /// The ladder.
    pub(crate) alphas: &'a [T],
    /// Of its steps, and of the answer: gap ≤ tolerance·α·Σh.
    pub(crate) ladder_tolerance: T,
    pub(crate) tolerance: T,
    pub(crate) max_iterations: usize,
    /// R and c of ½‖Rh − c‖²; of no row without quadratic priors.
    pub(crate) priors: PriorRows<T>,
    /// Numbers of a saved dual, in the order in which this machine's saves it: α, active modes, μ, ν, u.
    pub(crate) state_len: usize,
}

/// The rows R of quadratic priors, and where columns meet them.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
pub(crate) struct PriorRows<T> {
    /// c.
    pub(crate) targets: Vec<T>,
    /// Columns that a row spans, and rows that a column meets at most.
    pub(crate) span: usize,
    pub(crate) across: usize,
    /// First column of each row, with its `span` numbers.
    pub(crate) first: Vec<u32>,
    pub(crate) values: Vec<T>,
    /// The `across` rows that each column meets, with its numbers there; zeros of row 0 where there are fewer.
    pub(crate) meets: Vec<u32>,
    pub(crate) column_values: Vec<T>,
    /// RᵀR row by row, from the diagonal backwards, `span` numbers each.
    pub(crate) gram: Vec<T>,
}

impl<T: Real> PriorRows<T> {
    fn new(rows: &BandedRows<T>, targets: Vec<T>) -> Self {
        let (n, span) = (rows.columns(), rows.width());
        let mut columns = vec![Vec::new(); n];
        let mut gram = vec![T::zero(); n * span];
        let (mut first, mut values) = (Vec::new(), Vec::new());
        for (i, (start, row)) in rows.iter().enumerate() {
            first.push(start as u32);
            values.extend_from_slice(row);
            for (a, &x) in row.iter().enumerate() {
                columns[start + a].push((i as u32, x));
                for (b, &y) in row[..=a].iter().enumerate() {
                    gram[(start + a) * span + a - b] += x * y;
                }
            }
        }
        let across = columns.iter().map(Vec::len).max().unwrap_or(0);
        for column in &mut columns {
            column.resize(across, (0, T::zero()));
        }
        let (meets, column_values) = columns.into_iter().flatten().unzip();
        PriorRows { targets, span, across, first, values, meets, column_values, gram }
    }
}

/// An optimum that is wanted: of one of the data vectors, from a step of its ladder to another α.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wanted<T> {
    pub(crate) problem: usize,
    pub(crate) step: usize,
    pub(crate) alpha: T,
}

/// The duals of many data vectors, each of which goes its own way.
pub(crate) trait ManyDuals<T: Real> {
    /// Data vectors taken at a time.
    fn capacity(&self) -> usize;

    /// Takes data vectors (s numbers and the part of χ² outside the modes, one vector after the other) from the default
    /// model down the ladder, each as far as it converges, and remembers the dual at every step. Writes figures and
    /// weights h of all steps of the first vector, then those of the next.
    fn descend(&mut self, data: &[T], figures: &mut Vec<T>, weights: &mut Vec<T>) -> Result<()>;

    /// Goes on from remembered steps. Writes figures and states in the order of what is wanted.
    fn reach(
        &mut self,
        wanted: &[Wanted<T>],
        figures: &mut Vec<T>,
        states: &mut Vec<T>,
    ) -> Result<()>;
}

/// A data vector on its way.
struct Member<T: Real> {
    problem: Problem<T>,
    data: Projected<T>,
    /// `None` if the device did not get to the end of it.
    found: Option<(Ladder<T>, Decision<T>)>,
    solution: Option<Result<Solution<T>>>,
}

impl<T: Real> PreparedMaxEnt<T> {
    /// What `device` is told.
    ///
    /// # Errors
    /// Anything but Skilling's entropy and quadratic priors of short rows.
    pub(crate) fn entropic_dual(&self) -> Result<EntropicDual<'_, T>> {
        let (settings, modes) = (&self.settings, &self.modes);
        let rows = self.objective.rows();
        let priors = rows.map_or_else(PriorRows::default, |(r, c)| PriorRows::new(&r, c));
        let refused = if settings.kinetic_search.is_some() {
            "a kinetic weight chosen from the data"
        } else if !self.objective.has_dual() {
            "a prior that is not quadratic"
        } else if priors.span > WIDEST {
            "a prior whose rows span more than eight frequencies"
        } else if settings.scaled.is_some() {
            "another prior in place of the entropy"
        } else if settings.fix_norm {
            "a fixed norm"
        } else if settings.solver == super::MaxEntSolver::Primal {
            "the primal solver"
        } else {
            return Ok(EntropicDual {
                points: modes.points,
                width: modes.width,
                modes: modes.count,
                stride: modes.stride,
                rows: &modes.rows,
                columns: &modes.columns,
                sigma: &modes.sigma,
                default: self.objective.start(),
                alphas: &self.alphas,
                ladder_tolerance: settings.ladder_tolerance,
                tolerance: settings.tolerance,
                max_iterations: settings.max_iterations,
                priors,
                state_len: self.state_len(),
            });
        };
        Err(Error::Unsupported {
            argument: "prepared",
            value: refused,
            expected: "Skilling's entropy with quadratic priors on a device; `Cpu` takes everything",
        })
    }

    /// [`solve_many`](Self::solve_many) with the ladders walked by `device`, which was told the
    /// [dual](Self::entropic_dual) of this model. What it does not get to the end of is solved here.
    ///
    /// # Errors
    /// As [`solve_many`](Self::solve_many); a device that fails.
    pub(crate) fn solve_with(
        &self,
        device: &mut dyn ManyDuals<T>,
        data: &DMatrix<T>,
    ) -> Result<Vec<Solution<T>>> {
        self.check_data(data)?;
        let mut solutions = Vec::with_capacity(data.ncols());
        let [mut figures, mut weights] = [Vec::new(), Vec::new()];
        let state_len = self.state_len();
        while solutions.len() < data.ncols() {
            let first = solutions.len();
            let count = device.capacity().clamp(1, data.ncols() - first);
            let mut members: Vec<Option<Result<Member<T>>>> = (0..count).map(|_| None).collect();
            in_groups(&mut members, |start, group| {
                for (i, member) in (first + start..).zip(group) {
                    *member = Some(self.member(data.column(i).as_slice()));
                }
            });
            let mut members = members.into_iter().flatten().collect::<Result<Vec<_>>>()?;
            let all = members.iter().map(|m| &m.data);
            let all: Vec<T> = all.flat_map(|d| d.data.iter().copied().chain([d.outside])).collect();
            device.descend(&all, &mut figures, &mut weights)?;
            let (f, w) = (self.alphas.len() * FIGURES, self.alphas.len() * self.modes.points);
            in_groups(&mut members, |start, group| {
                for (i, member) in (start..).zip(group) {
                    let (figures, weights) = (&figures[i * f..][..f], &weights[i * w..][..w]);
                    let ladder = self.ladder_of(state_len, figures, weights);
                    member.found =
                        ladder.and_then(|ladder| match self.decide(&member.problem, &ladder) {
                            Ok(decision) => Some((ladder, decision)),
                            Err(error) => {
                                member.solution = Some(Err(error));
                                None
                            }
                        });
                }
            });
            self.reach(device, state_len, &mut members)?;
            in_groups(&mut members, |_, group| self.conclude_group(group));
            for solution in members.into_iter().filter_map(|m| m.solution) {
                solutions.push(solution?);
            }
        }
        Ok(solutions)
    }

    /// Numbers of the state of an engine of this machine.
    fn state_len(&self) -> usize {
        self.engine(&self.objective).state_len()
    }

    fn member(&self, values: &[T]) -> Result<Member<T>> {
        let problem = Problem::from_model(Arc::clone(self.model()), values)?;
        let data = self.modes.project(problem.whitened_data());
        Ok(Member { problem, data, found: None, solution: None })
    }

    /// The ladder of a device's figures and weights; `None` if it ends early.
    fn ladder_of(&self, state_len: usize, figures: &[T], weights: &[T]) -> Option<Ladder<T>> {
        let (steps, points) = (self.alphas.len(), self.modes.points);
        let mut ladder = Ladder::new(steps, state_len, points);
        let found = figures.chunks_exact(FIGURES).zip(weights.chunks_exact(points));
        for (&alpha, (figures, weights)) in self.alphas.iter().zip(found) {
            ladder.push(alpha, outcome(figures)?, |to| to.copy_from_slice(weights));
        }
        Some(ladder)
    }

    /// Has the device go on to the α that were decided on.
    fn reach(
        &self,
        device: &mut dyn ManyDuals<T>,
        state_len: usize,
        members: &mut [Member<T>],
    ) -> Result<()> {
        let mut wanted = Vec::new();
        for (problem, member) in members.iter().enumerate() {
            if let Some((ladder, decision)) = &member.found {
                wanted.extend(decision.mixture.iter().map(|&(alpha, _)| {
                    let above = ladder.steps.iter().take_while(|s| s.alpha >= alpha).count();
                    Wanted { problem, step: above.saturating_sub(1), alpha }
                }));
            }
        }
        let (mut figures, mut states) = (Vec::new(), Vec::new());
        device.reach(&wanted, &mut figures, &mut states)?;
        let states = states.chunks_exact(state_len);
        for ((wanted, figures), state) in
            wanted.iter().zip(figures.chunks_exact(FIGURES)).zip(states)
        {
            let member = &mut members[wanted.problem];
            let modes =
                state.get(1).is_some_and(|&active| active.as_f64() <= self.modes.count as f64);
            let sound = modes && state.iter().all(|x| x.is_finite());
            match (outcome(figures).filter(|_| sound), &mut member.found) {
                (Some(outcome), Some((ladder, _))) => {
                    let save = |to: &mut [T]| to.copy_from_slice(state);
                    ladder.remember(wanted.alpha, outcome.iterations, save);
                }
                _ => member.found = None,
            }
        }
        Ok(())
    }

    /// The answers of some members.
    fn conclude_group(&self, group: &mut [Member<T>]) {
        let mut engine = self.engine(&self.objective);
        for Member { problem, data, found, solution } in group {
            if solution.is_some() {
                continue;
            }
            *solution = Some(match found.take() {
                Some(chosen) => {
                    engine.reset(data);
                    self.conclude(problem, data, engine.as_mut(), chosen, self.given())
                }
                None => {
                    #[cfg(test)]
                    SOLVED_HERE.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
                    self.solve(problem)
                }
            });
        }
    }
}

/// Data vectors that no device got to the end of.
#[cfg(test)]
pub(super) static SOLVED_HERE: core::sync::atomic::AtomicUsize =
    core::sync::atomic::AtomicUsize::new(0);

/// Calls `f` with the first number of every group, and its members.
fn in_groups<M: Send>(members: &mut [M], f: impl Fn(usize, &mut [M]) + Send + Sync) {
    let mut groups: Vec<_> = members.chunks_mut(GROUP).collect();
    parallel::for_each_mut(&mut groups, |i, group| f(i * GROUP, group));
}

/// What a device's figures say; `None` for a failure.
fn outcome<T: Real>(figures: &[T]) -> Option<Outcome<T>> {
    let &[status, iterations, active, chi2, norm, entropy, gap, n_good, log_probability] = figures
    else {
        return None;
    };
    let status = if status == T::zero() {
        Status::Converged
    } else if status == T::one() {
        Status::RoundingFloor
    } else {
        return None;
    };
    let sound = [chi2, norm, entropy, gap, n_good, log_probability].iter().all(|x| x.is_finite());
    sound.then(|| Outcome {
        chi2,
        norm,
        scale: norm,
        entropy,
        gap,
        stationarity: T::INFINITY,
        n_good,
        log_probability,
        active: active.as_f64() as usize,
        left_out: T::zero(),
        iterations: iterations.as_f64() as usize,
        status,
    })
}
