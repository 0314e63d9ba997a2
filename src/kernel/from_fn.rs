//! Kernels from closures: any Fredholm equation of the first kind.

use super::domain::check_half_line;
use super::{Density, Kernel};
use crate::error::Result;
use crate::real::Real;
use core::fmt;
use nalgebra::{Complex, DMatrix};

/// A real kernel from its pointwise formula (x, ω) ↦ K(x, ω).
///
/// ```
/// use fredholm::{FromFn, Kernel};
/// let blur = FromFn::new(|x: f64, w: f64| (-0.5 * (x - w) * (x - w)).exp());
/// assert_eq!(blur.matrix(&[0.0, 1.0], &[0.0, 1.0, 2.0])?.shape(), (2, 3));
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct FromFn<F> {
    f: F,
    density: Density,
}

/// A complex kernel from its pointwise formula, stacked \[Re; Im\].
#[derive(Clone, Copy)]
pub struct FromComplexFn<F> {
    f: F,
    density: Density,
}

impl<F> FromFn<F> {
    /// A kernel acting on A(ω). A value that is not finite is an error when a matrix is made.
    pub fn new(f: F) -> Self {
        FromFn { f, density: Density::Spectral }
    }

    /// The same kernel acting on another density; one that lives on ω ≥ 0 refuses negative frequencies.
    #[must_use]
    pub fn with_density(self, density: Density) -> Self {
        FromFn { density, ..self }
    }
}

impl<F> FromComplexFn<F> {
    /// A kernel acting on A(ω). A value that is not finite is an error when a matrix is made.
    pub fn new(f: F) -> Self {
        FromComplexFn { f, density: Density::Spectral }
    }

    /// The same kernel acting on another density; one that lives on ω ≥ 0 refuses negative frequencies.
    #[must_use]
    pub fn with_density(self, density: Density) -> Self {
        FromComplexFn { density, ..self }
    }
}

impl<T: Real, F: Fn(T, T) -> T + Send + Sync> Kernel<T> for FromFn<F> {
    fn check(&self, _x: &[T], omega: &[T]) -> Result<()> {
        if self.density.is_half_line() { check_half_line(omega) } else { Ok(()) }
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        for (j, &w) in omega.iter().enumerate() {
            for (i, &x) in x.iter().enumerate() {
                out[(i, j)] = (self.f)(x, w);
            }
        }
    }

    fn density(&self) -> Density {
        self.density
    }
}

impl<T: Real, F: Fn(T, T) -> Complex<T> + Send + Sync> Kernel<T> for FromComplexFn<F> {
    fn rows(&self, n: usize) -> usize {
        2 * n
    }

    fn check(&self, _x: &[T], omega: &[T]) -> Result<()> {
        if self.density.is_half_line() { check_half_line(omega) } else { Ok(()) }
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        let n = x.len();
        for (j, &w) in omega.iter().enumerate() {
            for (i, &x) in x.iter().enumerate() {
                let k = (self.f)(x, w);
                out[(i, j)] = k.re;
                out[(n + i, j)] = k.im;
            }
        }
    }

    fn density(&self) -> Density {
        self.density
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("density", &self.density).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for FromComplexFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromComplexFn").field("density", &self.density).finish_non_exhaustive()
    }
}
