//! The jackknife: replicas that leave out one block of bins each.

use super::bands::{Bands, ResamplingMethod};
use super::replicas::{ReplicaInfo, blocks, solve_replicas};
use crate::error::Result;
use crate::noise::Bins;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::Solver;
use core::ops::ControlFlow;

/// Deviations from replicas that leave out one block of bins each: no random numbers, and for what depends
/// linearly on the data exactly the error of the mean. As many solutions as there are blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a builder does nothing until it resamples"]
pub struct Jackknife {
    block: usize,
}

impl Default for Jackknife {
    /// Single bins.
    fn default() -> Self {
        Jackknife { block: 1 }
    }
}

impl Jackknife {
    /// Leaves out blocks of this many consecutive bins; 1 by default. Take at least twice the autocorrelation
    /// time, and blocks as large as leave some twenty of them.
    pub fn block(mut self, bins: usize) -> Self {
        self.block = bins;
        self
    }

    /// Replicas are the means of all blocks but one; the solver sees the problem's own covariance. Bins
    /// behind the last full block are left out.
    ///
    /// # Errors
    /// A block of no bin, or of more than half of them; bins whose mean is not the problem's data (a
    /// problem with further rows, [`WithRows`](crate::WithRows), has none such); those of
    /// the solver.
    pub fn bins<T: Real>(
        &self,
        problem: &Problem<T>,
        bins: &Bins<T>,
        solver: &(impl Solver<T> + Sync + ?Sized),
        observer: impl FnMut(ReplicaInfo) -> ControlFlow<()>,
    ) -> Result<Bands<T>> {
        let blocks = blocks(problem, bins, self.block)?;
        let (parts, mean) = (blocks.count(), blocks.mean());
        let share = T::one() / T::lit(parts as f64 - 1.0);
        let data = |left_out| {
            let row = blocks.matrix().row(left_out);
            let shift = row.iter().zip(&mean).map(|(&v, &m)| share * (m - v));
            problem.data().iter().zip(shift).map(|(&g, s)| g + s).collect()
        };
        let method = ResamplingMethod::Jackknife { parts };
        solve_replicas(problem, solver, (parts, method), data, observer)
    }
}
