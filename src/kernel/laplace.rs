//! The Laplace transform, K(τ, ω) = e^{−τω}: zero temperature, projector Monte Carlo.

use super::Kernel;
use super::domain::{check_half_line, check_nonnegative_times, fill_pointwise};
use crate::error::Result;
use crate::real::Real;
use nalgebra::DMatrix;

/// K(τ, ω) = e^{−τω}, τ ≥ 0, ω ≥ 0, acting on A(ω).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Laplace;

impl<T: Real> Kernel<T> for Laplace {
    fn check(&self, x: &[T], omega: &[T]) -> Result<()> {
        check_nonnegative_times(x)?;
        check_half_line(omega)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        fill_pointwise(x, omega, out, |t, w| (-t * w).exp());
    }
}
