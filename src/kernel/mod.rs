//! Kernels K(x, ω) of the integral equation G(x) = ∫ K(x, ω) A(ω) dω. Floor 2.
//!
//! A [`Kernel`] fills a real matrix for a data axis and a frequency grid, so that pointwise formulas,
//! complex kernels (stacked as real part over imaginary part) and linear transforms of other kernels all
//! fit. Formulas are evaluated in `f64`, by branches that neither overflow nor lose digits for |βω| up to
//! 10⁶, and rounded once to the scalar asked for. One file a kernel.
//!
//! Signs: the kernels in imaginary time are positive, as is ⟨c(τ)c†⟩; those at Matsubara frequencies are
//! minus their Fourier transforms, as G(iω_n) is of −⟨T c(τ)c†⟩, except [`BosonMatsubaraSymmetric`], which
//! is the positive χ(iν_n). In the heads of the files \[LO\] stands for the learned-optimizers paper and
//! \[KM\] for the kinetic-maxent paper.

mod boson_matsubara;
mod boson_matsubara_symmetric;
mod boson_time;
mod boson_time_symmetric;
mod domain;
mod fermion_matsubara;
mod fermion_matsubara_symmetric;
mod fermion_time;
mod fermion_time_symmetric;
mod from_fn;
mod laplace;
mod matsubara;
#[cfg(test)]
mod tests;
mod transformed;
mod with_rows;

pub use boson_matsubara::BosonMatsubara;
pub use boson_matsubara_symmetric::BosonMatsubaraSymmetric;
pub use boson_time::BosonTime;
pub use boson_time_symmetric::BosonTimeSymmetric;
pub use fermion_matsubara::FermionMatsubara;
pub use fermion_matsubara_symmetric::FermionMatsubaraSymmetric;
pub use fermion_time::FermionTime;
pub use fermion_time_symmetric::FermionTimeSymmetric;
pub use from_fn::{FromComplexFn, FromFn};
pub use laplace::Laplace;
pub use matsubara::Matsubara;
pub use transformed::Transformed;
pub use with_rows::WithRows;

use crate::error::{Result, check_finite, check_not_empty};
use crate::real::Real;
use nalgebra::DMatrix;

/// Which density a kernel acts on, hence what a solver returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Density {
    /// The spectral function A(ω) itself, on the whole axis.
    #[default]
    Spectral,
    /// A(ω) on ω ≥ 0, continued as an even function (particle–hole symmetry): ∫₀^∞ A dω is half the norm.
    EvenSpectral,
    /// A(ω)/ω of a bosonic correlation function, on the whole axis.
    OverFrequency,
    /// (2/π) χ''(ω)/ω on ω ≥ 0, with χ'' odd and A = χ''/π.
    SusceptibilityOverFrequency,
}

impl Density {
    /// The formula of the density, for headers and axes.
    pub fn label(self) -> &'static str {
        match self {
            Density::Spectral | Density::EvenSpectral => "A(omega)",
            Density::OverFrequency => "A(omega)/omega",
            Density::SusceptibilityOverFrequency => "(2/pi) chi''(omega)/omega",
        }
    }

    /// ∫ of the density where physics fixes it: 1 for the spectral function of a fermion, ½ for its half of the
    /// axis; what a bosonic one integrates to is for the data to say.
    pub fn norm(self) -> Option<f64> {
        match self {
            Density::Spectral => Some(1.0),
            Density::EvenSpectral => Some(0.5),
            Density::OverFrequency | Density::SusceptibilityOverFrequency => None,
        }
    }

    /// Whether the density lives on ω ≥ 0 only: the half of an even function.
    pub fn is_half_line(self) -> bool {
        matches!(self, Density::EvenSpectral | Density::SusceptibilityOverFrequency)
    }

    /// A(ω) from the density's value at ω.
    pub fn spectral<T: Real>(self, omega: T, value: T) -> T {
        match self {
            Density::Spectral | Density::EvenSpectral => value,
            Density::OverFrequency => omega * value,
            Density::SusceptibilityOverFrequency => T::lit(0.5) * omega * value,
        }
    }
}

/// A kernel: the left-hand side of the integral equation for a data axis and a frequency grid.
///
/// Implement [`check`](Self::check) and [`fill`](Self::fill); for a pointwise formula wrap a closure in
/// [`FromFn`] instead. Object-safe.
///
/// # How to add a kernel
///
/// 1. A formula of your own needs no new type: wrap a closure in [`FromFn`] or [`FromComplexFn`], a matrix times
///    another kernel in [`Transformed`]. A type is for a formula that wants branches to stay exact.
/// 2. Make a file named after the kernel (the model is `laplace`, or `fermion_time` with a temperature). Its head
///    gives the formula, the density it acts on, its sign and the source. A constructor checks the parameters
///    and returns a `Result`.
/// 3. Implement [`Kernel::check`] with the domains of `domain` (imaginary times, half a frequency axis, …), so
///    that errors name the argument and its place, and [`Kernel::fill`] with `fill_pointwise`, which evaluates
///    in `f64`. Write the formula so that no exponential of a positive number occurs and the limit at ω = 0 is
///    taken, with `exp_m1` where a difference would cancel. A complex kernel says how many rows it has; a
///    density other than A(ω) is named by [`Kernel::density`].
/// 4. Name the type in this module and in `lib.rs`; to have it on the command line, add it to `KERNELS` of the
///    example `continuation`. A reference value computed in more digits goes to `tests/kernel_reference.rs`.
/// 5. Add its line to `all` in `tests.rs`: name, kernel, a data axis with both of its ends, and whether it lives
///    on ω ≥ 0. That line runs it at β from 10⁻³ to 10⁴ and |βω| up to 10⁶, subnormal frequencies and zero among
///    them, in both precisions: shape, density, no overflow, no NaN, and the sign of every element.
///
/// ```text
/// case("laplace", Box::new(Laplace), tau(), true),
/// ```
pub trait Kernel<T: Real = f64>: Send + Sync {
    /// The number of real data rows for `n` points of the data axis: `n` for a real kernel, 2`n` for a
    /// complex one (real parts, then imaginary parts).
    fn rows(&self, n: usize) -> usize {
        n
    }

    /// Whether data axis `x` and frequencies `omega` lie in the kernel's domain.
    ///
    /// # Errors
    /// Names the argument, its value and the domain. Both are already known to be non-empty and finite.
    fn check(&self, x: &[T], omega: &[T]) -> Result<()>;

    /// Writes K(x_i, ω_j), without quadrature weights, into `out` (rows(x.len()) × omega.len()).
    ///
    /// Called after [`check`](Self::check) has passed.
    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>);

    /// The density the kernel acts on.
    fn density(&self) -> Density {
        Density::Spectral
    }

    /// The kernel matrix, rows × N_ω: checks, allocates and fills.
    ///
    /// # Errors
    /// Empty or non-finite axes, those of [`check`](Self::check), and a kernel value that is not finite.
    fn matrix(&self, x: &[T], omega: &[T]) -> Result<DMatrix<T>> {
        check_not_empty("x", x.len(), 1)?;
        check_not_empty("omega", omega.len(), 1)?;
        check_finite("x", x)?;
        check_finite("omega", omega)?;
        self.check(x, omega)?;
        let mut out = DMatrix::zeros(self.rows(x.len()), omega.len());
        self.fill(x, omega, &mut out);
        check_finite("kernel", out.as_slice())?;
        Ok(out)
    }
}

/// A kernel chosen at run time.
impl<T: Real, K: Kernel<T> + ?Sized> Kernel<T> for Box<K> {
    fn rows(&self, n: usize) -> usize {
        (**self).rows(n)
    }

    fn check(&self, x: &[T], omega: &[T]) -> Result<()> {
        (**self).check(x, omega)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        (**self).fill(x, omega, out);
    }

    fn density(&self) -> Density {
        (**self).density()
    }
}
