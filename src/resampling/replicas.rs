//! Solving the replicas of a problem, in parallel.

use super::bands::{Bands, ResamplingMethod};
use crate::error::{Error, Result, check_count, check_len};
use crate::noise::Bins;
use crate::parallel;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::Solver;
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// Replicas between two calls of the observer. Fixed, so that a run that is stopped has done the same for
/// any number of threads.
const ROUND: usize = 32;

/// What an observer sees after every few replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaInfo {
    /// Replicas solved.
    pub done: usize,
    /// Replicas asked for.
    pub total: usize,
}

/// Solves `problem` and `count` replicas of it, the data of replica r being `data(r)`.
pub(super) fn solve_replicas<T: Real>(
    problem: &Problem<T>,
    solver: &(impl Solver<T> + Sync + ?Sized),
    (count, method): (usize, ResamplingMethod),
    data: impl Fn(usize) -> Vec<T> + Sync,
    mut observer: impl FnMut(ReplicaInfo) -> ControlFlow<()>,
) -> Result<Bands<T>> {
    let centre = solver.solve(problem)?.spectrum().clone();
    let (n, mut values) = (centre.values().len(), Vec::new());
    let (mut unsuccessful, mut stopped) = (0, false);
    while values.len() < n * count {
        let start = values.len() / n;
        let mut round: Vec<_> = (start..count.min(start + ROUND)).map(|_| None).collect();
        parallel::for_each_mut(&mut round, |i, slot| {
            let solve = || solver.solve(&problem.with_data(&data(start + i))?);
            *slot = Some(solve());
        });
        for solution in round.into_iter().flatten() {
            let solution = solution?;
            unsuccessful += usize::from(!solution.report().status.is_success());
            values.extend_from_slice(solution.spectrum().values());
        }
        let done = values.len() / n;
        if observer(ReplicaInfo { done, total: count }).is_break() {
            stopped = done < count;
            break;
        }
    }
    let replicas = DMatrix::from_vec(n, values.len() / n, values);
    Ok(Bands::new(centre, replicas, method, unsuccessful, stopped))
}

/// Averages of `block` bins, checked to be those of the problem's data.
pub(super) fn blocks<T: Real>(
    problem: &Problem<T>,
    bins: &Bins<T>,
    block: usize,
) -> Result<Bins<T>> {
    check_count("block", block, 1..=bins.count() / 2, "at least two blocks of at least one bin")?;
    let expected =
        "the problem's data; further rows have no bins: `Bootstrap::parametric` draws them too";
    check_len("bins", bins.n_data(), problem.data().len(), expected)?;
    // The remainder behind the last block may move the mean a little, a sign or a factor moves it far.
    let differences: Vec<T> =
        bins.mean().iter().zip(problem.data()).map(|(&m, &g)| m - g).collect();
    let whitened = problem.model().whitening().apply(&differences);
    let chi2: T = whitened.iter().map(|&v| v * v).sum();
    if chi2.as_f64() > whitened.len() as f64 {
        return Err(Error::OutOfRange {
            argument: "bins",
            value: chi2.as_f64(),
            expected: "bins whose mean is the problem's data, sign and scale included (chi2 of the difference \
                       at most the number of data)",
        });
    }
    bins.rebin(block)
}
