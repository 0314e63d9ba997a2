//! Conjugate gradients for symmetric positive definite systems.
//!
//! Source: Hestenes and Stiefel, *J. Res. Natl. Bur. Stand.* 49, 409 (1952).

use super::FixedPointMap;
use crate::error::{Result, check_finite};
use crate::linalg::{dispatch, dot};
use crate::real::Real;

/// Solves A x = b for a symmetric positive (semi)definite A, known by its product with a vector.
///
/// As a map it has a memory: it expects the `x` of a step to be the `out` of the step before. The residual is
/// ‖b − A x‖₂ at the new x, by its recurrence. In exact arithmetic it ends after as many steps as A has
/// distinct eigenvalues, and ‖x − x*‖_A falls at least as 2((√κ − 1)/(√κ + 1))^k, κ the condition number.
///
/// ```
/// use fredholm::{ConjugateGradients, IterationOptions, iterate};
/// use std::ops::ControlFlow;
///
/// let product = |x: &[f64], out: &mut [f64]| {
///     out[0] = 4.0 * x[0] + x[1];
///     out[1] = x[0] + 3.0 * x[1];
/// };
/// let map = ConjugateGradients::new(product, &[1.0, 2.0])?;
/// let options = IterationOptions { tolerance: 1e-12, ..Default::default() };
/// let answer = iterate(map, &[0.0, 0.0], &options, |_| ControlFlow::Continue(()))?;
/// assert_eq!(answer.report.iterations, 2);
/// assert!((answer.point[0] - 1.0 / 11.0).abs() < 1e-12);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConjugateGradients<A, T = f64> {
    product: A,
    b: Vec<T>,
    /// b − A x.
    residual: Vec<T>,
    direction: Vec<T>,
    /// A times the direction.
    image: Vec<T>,
    /// ‖b − A x‖²; `None` before the first step.
    square: Option<T>,
}

impl<A: FnMut(&[T], &mut [T]), T: Real> ConjugateGradients<A, T> {
    /// The system of a product `out = A x` and a right-hand side.
    ///
    /// # Errors
    /// `b` not finite.
    pub fn new(product: A, b: &[T]) -> Result<Self> {
        check_finite("b", b)?;
        let zeros = vec![T::zero(); b.len()];
        Ok(ConjugateGradients {
            product,
            b: b.to_vec(),
            residual: zeros.clone(),
            direction: zeros.clone(),
            image: zeros,
            square: None,
        })
    }

    /// Forgets all directions: the next step starts afresh, from any point.
    pub fn restart(&mut self) {
        self.square = None;
    }
}

impl<A: FnMut(&[T], &mut [T]), T: Real> FixedPointMap<T> for ConjugateGradients<A, T> {
    fn dim(&self) -> usize {
        self.b.len()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        let square = self.square.unwrap_or_else(|| {
            (self.product)(x, &mut self.image);
            for ((r, &b), &ax) in self.residual.iter_mut().zip(&self.b).zip(&self.image) {
                *r = b - ax;
            }
            self.direction.copy_from_slice(&self.residual);
            dot(&self.residual, &self.residual)
        });
        (self.product)(&self.direction, &mut self.image);
        let curvature = dot(&self.direction, &self.image);
        // At the solution, and along what A annihilates, there is no step.
        let length = if square > T::zero() && curvature > T::zero() {
            square / curvature
        } else {
            T::zero()
        };
        let (residual, direction, image) = (&mut self.residual, &mut self.direction, &self.image);
        let next = dispatch(|| {
            for i in 0..x.len() {
                out[i] = x[i] + length * direction[i];
                residual[i] -= length * image[i];
            }
            let next = dot(residual, residual);
            let beta = if square > T::zero() { next / square } else { T::zero() };
            for i in 0..x.len() {
                direction[i] = residual[i] + beta * direction[i];
            }
            next
        });
        self.square = Some(next);
    }

    fn residual(&self, _x: &[T], _out: &[T]) -> T {
        self.square.map_or(T::INFINITY, |square| square.sqrt())
    }
}
