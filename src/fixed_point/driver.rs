//! The one driver: stopping, history and observers.

use super::{FixedPointMap, Iterates};
use crate::error::{Result, check_nonnegative};
use crate::real::Real;
use crate::solution::Status;
use core::ops::ControlFlow;

/// When to stop, and what to record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IterationOptions<T = f64> {
    /// Converged once the map's residual ≤ `tolerance`: ‖T(x) − x‖₂, or what the map documents.
    /// Default √ε.
    pub tolerance: T,
    /// Steps at most. Default 10 000.
    pub max_iterations: usize,
    /// Whether to record the residual of every step. Default no.
    pub history: bool,
}

impl<T: Real> Default for IterationOptions<T> {
    fn default() -> Self {
        IterationOptions { tolerance: T::EPSILON.sqrt(), max_iterations: 10_000, history: false }
    }
}

/// What an observer sees after each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IterationInfo<'a, T = f64> {
    /// Steps so far, 1 after the first.
    pub iteration: usize,
    /// The map's residual in this step.
    pub residual: T,
    /// The new iterate.
    pub point: &'a [T],
}

/// How an iteration went.
#[derive(Debug, Clone, PartialEq)]
pub struct IterationReport<T = f64> {
    /// How it ended.
    pub status: Status,
    /// Steps taken.
    pub iterations: usize,
    /// The map's residual in the last step; infinite if no step was taken.
    pub residual: T,
    /// The residual of every step, if asked for; empty otherwise.
    pub history: Vec<T>,
}

/// The answer of [`iterate`].
#[derive(Debug, Clone, PartialEq)]
pub struct FixedPoint<T = f64> {
    /// The last finite iterate.
    pub point: Vec<T>,
    /// How the iteration went.
    pub report: IterationReport<T>,
}

/// Steps without a new least residual after which the iteration is looked at for stalling.
const PATIENCE: usize = 100;

/// Iterates `map` from `x0`, which is left untouched, until its residual falls to the tolerance.
///
/// Stops also at the limit of iterations, when `observer` breaks, when an iterate would not be finite
/// (the last finite one is returned), and at the rounding floor: no new least residual in 100 steps, and
/// steps of no more than 4ε of the largest component. Which of these it was is the report's status.
/// Allocates nothing per step, unless a history is asked for.
///
/// # Errors
/// `x0` of another length than the map's dimension, or not finite; a negative or non-finite tolerance.
pub fn iterate<T: Real, M: FixedPointMap<T>>(
    map: M,
    x0: &[T],
    options: &IterationOptions<T>,
    mut observer: impl FnMut(&IterationInfo<'_, T>) -> ControlFlow<()>,
) -> Result<FixedPoint<T>> {
    check_nonnegative("tolerance", options.tolerance)?;
    let mut iterates = Iterates::new(map, x0)?;
    let mut report = IterationReport {
        status: Status::IterationLimit,
        iterations: 0,
        residual: T::INFINITY,
        history: Vec::new(),
    };
    let (mut least, mut since_least) = (T::INFINITY, 0);
    while report.iterations < options.max_iterations {
        let Some(residual) = iterates.next() else {
            report.status = Status::NonFinite { stage: "an iterate" };
            break;
        };
        report.iterations += 1;
        report.residual = residual;
        if options.history {
            report.history.push(residual);
        }
        let iteration = report.iterations;
        let stop = observer(&IterationInfo { iteration, residual, point: iterates.point() });
        if residual <= options.tolerance {
            report.status = Status::Converged;
            break;
        }
        if stop.is_break() {
            report.status = Status::Stopped;
            break;
        }
        since_least += 1;
        if residual < least {
            (least, since_least) = (residual, 0);
        }
        if since_least >= PATIENCE && iterates.has_stalled() {
            report.status = Status::RoundingFloor;
            break;
        }
    }
    Ok(FixedPoint { point: iterates.into_point(), report })
}
