//! Linear operators without matrices: what iterations need of K is K x and Kᵀ y. Floor 2.
//!
//! A dense matrix ([`nalgebra::DMatrix`]) and [`BandedRows`](crate::BandedRows) are operators;
//! [`Convolution`] is one that is never formed; [`ComposedOperator`], [`ScaledOperator`] and
//! [`StackedOperator`] make operators of operators. [`ProximalGradientMap::for_operator`] (ISTA, FISTA) and
//! [`PrimalDual::for_operator`] take any of them; [`Admm`](crate::Admm) asks for the solution of a system instead,
//! an [`AugmentedMinimizer`](crate::AugmentedMinimizer). [`estimate_norm`] bounds the norm that step sizes need,
//! [`check_adjoint`] tests an operator of your own.
//!
//! [`ProximalGradientMap::for_operator`]: crate::ProximalGradientMap::for_operator
//! [`PrimalDual::for_operator`]: crate::PrimalDual::for_operator

mod combinators;
mod convolution;
mod matrices;
mod norm;
#[cfg(test)]
mod tests;

pub use combinators::{ComposedOperator, ScaledOperator, StackedOperator};
pub use convolution::Convolution;
pub use norm::{NormEstimate, estimate_norm};

use crate::linalg::dot;
use crate::real::Real;
use rand::Rng;

/// A linear map A: ℝⁿ → ℝᵐ and its adjoint. Object-safe; shared between threads.
///
/// ```
/// use fredholm::{LinearOperator, check_adjoint};
/// use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
///
/// /// Differences of neighbours.
/// struct Difference(usize);
/// impl LinearOperator<f64> for Difference {
///     fn rows(&self) -> usize {
///         self.0 - 1
///     }
///     fn columns(&self) -> usize {
///         self.0
///     }
///     fn apply_into(&self, x: &[f64], out: &mut [f64]) {
///         for i in 0..self.rows() {
///             out[i] = x[i + 1] - x[i];
///         }
///     }
///     fn adjoint_into(&self, y: &[f64], out: &mut [f64]) {
///         out.fill(0.0);
///         for i in 0..self.rows() {
///             out[i + 1] += y[i];
///             out[i] -= y[i];
///         }
///     }
/// }
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// assert!(check_adjoint(&Difference(50), &mut rng) < 1e-14);
/// ```
pub trait LinearOperator<T: Real = f64>: Send + Sync {
    /// m, the length of A x.
    fn rows(&self) -> usize;

    /// n, the length of x.
    fn columns(&self) -> usize;

    /// Writes A x.
    ///
    /// # Panics
    /// May panic if a slice has another length than the shape says; so may the adjoint.
    fn apply_into(&self, x: &[T], out: &mut [T]);

    /// Writes Aᵀ y.
    fn adjoint_into(&self, y: &[T], out: &mut [T]);
}

/// A borrowed or boxed operator is an operator.
macro_rules! forward_operator {
    ($($pointer:ty),*) => {$(
        impl<T: Real, A: LinearOperator<T> + ?Sized> LinearOperator<T> for $pointer {
            fn rows(&self) -> usize {
                (**self).rows()
            }
            fn columns(&self) -> usize {
                (**self).columns()
            }
            fn apply_into(&self, x: &[T], out: &mut [T]) {
                (**self).apply_into(x, out);
            }
            fn adjoint_into(&self, y: &[T], out: &mut [T]) {
                (**self).adjoint_into(y, out);
            }
        }
    )*};
}
forward_operator!(&A, Box<A>);

/// The dot-product test: |A x · y − x · Aᵀ y| over ‖A x‖‖y‖ + ‖x‖‖Aᵀ y‖ for one pair of random vectors.
///
/// Of the order of ε for an adjoint that is one (below 100 ε as a rule), of order one over the square root of
/// the dimension for one that is not. 0 for an operator without rows or columns.
pub fn check_adjoint<T: Real, R: Rng + ?Sized>(
    operator: &(impl LinearOperator<T> + ?Sized),
    rng: &mut R,
) -> T {
    let (m, n) = (operator.rows(), operator.columns());
    let x = random(n, rng);
    let y = random(m, rng);
    let (mut ax, mut aty) = (vec![T::zero(); m], vec![T::zero(); n]);
    operator.apply_into(&x, &mut ax);
    operator.adjoint_into(&y, &mut aty);
    let size = (dot(&ax, &ax) * dot(&y, &y)).sqrt() + (dot(&x, &x) * dot(&aty, &aty)).sqrt();
    let difference = (dot(&ax, &y) - dot(&x, &aty)).abs();
    if difference == T::zero() { difference } else { difference / size }
}

/// Independent normal numbers.
fn random<T: Real, R: Rng + ?Sized>(n: usize, rng: &mut R) -> Vec<T> {
    (0..n).map(|_| T::standard_normal(rng)).collect()
}

/// The documented panic of an operator handed slices that do not fit its shape.
fn check_shape(found: (usize, usize), expected: (usize, usize)) {
    #[cold]
    #[inline(never)]
    fn mismatch(found: (usize, usize), expected: (usize, usize)) -> ! {
        panic!("a linear operator was handed slices of lengths {found:?}, not {expected:?}")
    }
    if found != expected {
        mismatch(found, expected);
    }
}
