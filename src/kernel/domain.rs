//! The domains of data axes and frequencies, and the loops that fill a matrix from a formula.

use crate::error::{Error, Result};
use crate::real::Real;
use nalgebra::{Complex, DMatrix};

/// `Err` unless every τ lies in [0, β], give or take one part in 10⁹ (tables with few digits) or four
/// roundings of `T`. Formulas clamp τ, so that the slack never becomes a growing exponential.
pub(super) fn check_times<T: Real>(x: &[T], beta: f64) -> Result<()> {
    let slack = beta * (4.0 * T::EPSILON.as_f64()).max(1e-9);
    first(x, |t| t < -slack || t > beta + slack, "x", "an imaginary time in [0, beta]")
}

/// `Err` at the first τ < 0.
pub(super) fn check_nonnegative_times<T: Real>(x: &[T]) -> Result<()> {
    first(x, |t| t < 0.0, "x", "an imaginary time >= 0")
}

/// `Err` at a fermionic Matsubara frequency that is zero.
pub(super) fn check_nonzero_frequencies<T: Real>(x: &[T]) -> Result<()> {
    first(x, |w| w == 0.0, "x", "a fermionic Matsubara frequency, which is not zero")
}

/// `Err` at the first ω < 0, for kernels that act on ω ≥ 0.
pub(super) fn check_half_line<T: Real>(omega: &[T]) -> Result<()> {
    first(omega, |w| w < 0.0, "omega", "a frequency >= 0, where this kernel's density lives")
}

fn first<T: Real>(
    values: &[T],
    bad: impl Fn(f64) -> bool,
    argument: &'static str,
    expected: &'static str,
) -> Result<()> {
    match values.iter().position(|v| bad(v.as_f64())) {
        None => Ok(()),
        Some(index) => Err(Error::ElementOutOfRange {
            argument,
            index,
            value: values[index].as_f64(),
            expected,
        }),
    }
}

/// Fills a real kernel from its pointwise formula in `f64`.
pub(super) fn fill_pointwise<T: Real>(
    x: &[T],
    omega: &[T],
    out: &mut DMatrix<T>,
    value: impl Fn(f64, f64) -> f64,
) {
    for (j, &w) in omega.iter().enumerate() {
        for (i, &t) in x.iter().enumerate() {
            out[(i, j)] = T::lit(value(t.as_f64(), w.as_f64()));
        }
    }
}

/// Fills a stacked complex kernel, real parts over imaginary parts, from its pointwise formula in `f64`.
pub(super) fn fill_stacked<T: Real>(
    x: &[T],
    omega: &[T],
    out: &mut DMatrix<T>,
    value: impl Fn(f64, f64) -> Complex<f64>,
) {
    for (j, &w) in omega.iter().enumerate() {
        for (i, &t) in x.iter().enumerate() {
            let k = value(t.as_f64(), w.as_f64());
            out[(i, j)] = T::lit(k.re);
            out[(x.len() + i, j)] = T::lit(k.im);
        }
    }
}
