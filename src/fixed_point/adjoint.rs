//! How to differentiate a fixed point: through all steps, through the last few, or by the implicit function
//! theorem.
//!
//! Of x_{k+1} = T(x_k; p) the chain rule gives p̄ = Σ_k (∂T/∂p)ᵀ w_k with w_K = v = ∂loss/∂x_K and w_{k−1} =
//! Jᵀw_k: unrolled. At a fixed point all Jacobians are one and the same, and the sum is (∂T/∂p)ᵀw for w =
//! v + Jᵀw: implicit. Truncated, the sum ends after its last few terms.
//!
//! Source: Griewank and Walther, *Evaluating Derivatives* (2008), ch. 15; Bai, Kolter and Koltun, *NeurIPS* 32
//! (2019); truncation: Shaban et al., *AISTATS* (2019).

use super::adjoint_system::{AdjointMap, MetricGradients};
use super::{
    Anderson, DifferentiableMap, FixedPoint, FixedPointMap, IterationInfo, IterationOptions,
    IterationReport, iterate,
};
use crate::error::{Error, Result, check_count, check_finite, check_len};
use crate::linalg::dot;
use crate::real::Real;
use crate::solution::Status;
use core::ops::ControlFlow;

/// How the derivative of a fixed point is taken.
///
/// | | memory | is the derivative of |
/// |---|---|---|
/// | `Unrolled` | one vector a step | the last iterate, x₀ held fixed |
/// | `Truncated` | `steps` + 1 vectors | the same, up to what the earlier steps add: ρ^`steps`, ρ the contraction |
/// | `Implicit` | a few vectors, whatever the number of steps | the fixed point, as far as the iterate is one |
///
/// ```
/// use fredholm::nalgebra::DMatrix;
/// use fredholm::{Adjoint, IterationOptions, ProximalGradientMap, SoftThreshold};
///
/// // K = I: x = (2, 0) is the soft threshold of g = (3, ½) by λ = 1.
/// let kernel = DMatrix::<f64>::identity(2, 2);
/// let map = ProximalGradientMap::new(&kernel, &[3.0, 0.5], SoftThreshold, 1.0)?;
/// let options = IterationOptions { tolerance: 1e-12, ..Default::default() };
/// let mut answer = Adjoint::default().iterate(map, &[0.0, 0.0], &options)?;
///
/// // ∂(x₁ + x₂) by g₁, g₂ and λ.
/// let gradient = answer.vjp(&[1.0, 1.0])?;
/// assert!(gradient.report.status.is_success());
/// for (found, expected) in gradient.parameters.iter().zip([1.0, 0.0, -1.0]) {
///     assert!((found - expected).abs() < 1e-10);
/// }
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Adjoint<T = f64> {
    /// Through every step.
    Unrolled,
    /// Through the last steps only.
    Truncated {
        /// How many, at least one.
        steps: usize,
    },
    /// By the implicit function theorem.
    Implicit {
        /// What solves w = v + Jᵀw.
        solver: AdjointSolver,
        /// Of that iteration: its residual shall fall to `tolerance`·‖v‖₂.
        options: IterationOptions<T>,
    },
}

/// What solves the adjoint system w = v + Jᵀw of an implicit derivative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdjointSolver {
    /// The iteration w ← v + Jᵀw: as slow as that of the map.
    Iteration,
    /// The same by [`Anderson`]'s acceleration, for any map.
    Anderson {
        /// The steps it remembers, 1 to 100.
        memory: usize,
    },
    /// Conjugate gradients, for maps that offer a [metric](DifferentiableMap::metric): proximal gradients of
    /// convex functions do.
    ConjugateGradients,
}

impl<T: Real> Default for Adjoint<T> {
    /// Implicit, by Anderson's acceleration with a memory of ten, to 100ε.
    fn default() -> Self {
        let tolerance = T::lit(100.0) * T::EPSILON;
        Adjoint::Implicit {
            solver: AdjointSolver::Anderson { memory: 10 },
            options: IterationOptions { tolerance, ..IterationOptions::default() },
        }
    }
}

impl<T: Real> Adjoint<T> {
    /// Iterates `map` from `x0` as [`iterate`] does, and keeps what the derivative will need.
    ///
    /// A fixed point found faster by other means, an accelerated iteration for example, is a good x₀ of an
    /// implicit derivative.
    ///
    /// # Errors
    /// Those of [`iterate`]; no `steps`; a memory out of range.
    pub fn iterate<M: DifferentiableMap<T>>(
        &self,
        mut map: M,
        x0: &[T],
        options: &IterationOptions<T>,
    ) -> Result<DifferentiablePoint<M, T>> {
        let n = map.dim();
        let kept = match *self {
            Adjoint::Unrolled => usize::MAX,
            Adjoint::Truncated { steps } => {
                check_count("steps", steps, 1..=usize::MAX, "at least 1")?;
                steps.saturating_add(1)
            }
            Adjoint::Implicit { solver, .. } => {
                if let AdjointSolver::Anderson { memory } = solver {
                    check_count("memory", memory, 1..=100, "between 1 and 100")?;
                }
                0
            }
        };
        // x₀, x₁, …, the newest `kept` of them in a ring: the answer too, at which no step was taken.
        let mut tape = Vec::new();
        let mut keep = |step: usize, x: &[T]| {
            if step < kept {
                tape.extend_from_slice(x);
            } else if kept > 0 {
                let at = step % kept * n;
                tape[at..at + n].copy_from_slice(x);
            }
        };
        keep(0, x0);
        let answer = iterate(&mut map, x0, options, |info| {
            keep(info.iteration, info.point);
            ControlFlow::Continue(())
        })?;
        Ok(DifferentiablePoint { adjoint: *self, kept, map, answer, tape })
    }
}

/// A fixed point that can be differentiated, by [`Adjoint::iterate`].
#[derive(Debug, Clone)]
pub struct DifferentiablePoint<M, T = f64> {
    adjoint: Adjoint<T>,
    /// The length of the tape in points once it is full.
    kept: usize,
    map: M,
    answer: FixedPoint<T>,
    tape: Vec<T>,
}

/// The derivative of a loss by the parameters of a map, through its fixed point.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedPointGradient<T = f64> {
    /// ∂loss/∂p, in the map's order.
    pub parameters: Vec<T>,
    /// How it was found. The residual is ‖v + Jᵀw − w‖ for an implicit derivative, in the map's metric for
    /// conjugate gradients; else ‖w‖ where the sum over steps ended. A truncated one has converged if no step
    /// is missing or that is ≤ √ε‖v‖; [`Status::IterationLimit`] says that it is not the full derivative.
    pub report: IterationReport<T>,
}

impl<M: DifferentiableMap<T>, T: Real> DifferentiablePoint<M, T> {
    /// The last iterate.
    pub fn point(&self) -> &[T] {
        &self.answer.point
    }

    /// How the iteration went.
    pub fn report(&self) -> &IterationReport<T> {
        &self.answer.report
    }

    /// The map, to be iterated again.
    pub fn into_map(self) -> M {
        self.map
    }

    /// ∂loss/∂p from `upstream` v = ∂loss/∂x at the point.
    ///
    /// An implicit derivative of a point that is no fixed point is off by about the point's own error: see
    /// [`report`](Self::report).
    ///
    /// # Errors
    /// `upstream` of another length than the point, or not finite; conjugate gradients for a map without a
    /// metric; a negative or non-finite tolerance.
    pub fn vjp(&mut self, upstream: &[T]) -> Result<FixedPointGradient<T>> {
        check_len("upstream", upstream.len(), self.answer.point.len(), "the fixed point")?;
        check_finite("upstream", upstream)?;
        let mut gradient = match self.adjoint {
            Adjoint::Implicit { solver, options } => self.implicit(upstream, solver, options)?,
            _ => self.through_steps(upstream),
        };
        if !gradient.parameters.iter().all(|p| p.is_finite()) {
            gradient.report.status = Status::NonFinite { stage: "the derivative of a fixed point" };
        }
        Ok(gradient)
    }

    fn through_steps(&mut self, upstream: &[T]) -> FixedPointGradient<T> {
        let (n, taken) = (upstream.len(), self.answer.report.iterations);
        let steps = taken.min(self.kept - 1);
        let mut parameters = vec![T::zero(); self.map.parameter_count()];
        let (mut w, mut before) = (upstream.to_vec(), vec![T::zero(); n]);
        for step in (taken - steps..taken).rev() {
            self.map.linearise(&self.tape[step % self.kept * n..][..n]);
            self.map.add_vjp_parameters(&w, &mut parameters);
            self.map.vjp_point(&w, &mut before);
            core::mem::swap(&mut w, &mut before);
        }
        let residual = dot(&w, &w).sqrt();
        let small = residual <= T::EPSILON.sqrt() * dot(upstream, upstream).sqrt();
        let whole = steps == taken || small;
        let status = if whole { Status::Converged } else { Status::IterationLimit };
        let report = IterationReport { status, iterations: steps, residual, history: Vec::new() };
        FixedPointGradient { parameters, report }
    }

    fn implicit(
        &mut self,
        upstream: &[T],
        solver: AdjointSolver,
        mut options: IterationOptions<T>,
    ) -> Result<FixedPointGradient<T>> {
        options.tolerance *= dot(upstream, upstream).sqrt();
        self.map.linearise(&self.answer.point);
        let map = &mut self.map;
        let go_on = |_: &IterationInfo<'_, T>| ControlFlow::Continue(());
        let mut answer = match solver {
            AdjointSolver::Iteration => {
                iterate(AdjointMap { map, upstream }, upstream, &options, go_on)?
            }
            AdjointSolver::Anderson { memory } => {
                let accelerated = Anderson::new(AdjointMap { map, upstream }, memory)?;
                iterate(accelerated, upstream, &options, go_on)?
            }
            AdjointSolver::ConjugateGradients => {
                if !map.metric(upstream, &mut upstream.to_vec()) {
                    return Err(Error::Unsupported {
                        argument: "solver",
                        value: "conjugate gradients",
                        expected: "a map that offers a metric; Anderson's acceleration takes any",
                    });
                }
                iterate(MetricGradients::new(map, upstream), upstream, &options, go_on)?
            }
        };
        if solver == AdjointSolver::ConjugateGradients {
            // What the metric does not see.
            let w = answer.point.clone();
            AdjointMap { map: &mut self.map, upstream }.step(&w, &mut answer.point);
        }
        let mut parameters = vec![T::zero(); self.map.parameter_count()];
        self.map.add_vjp_parameters(&answer.point, &mut parameters);
        Ok(FixedPointGradient { parameters, report: answer.report })
    }
}
