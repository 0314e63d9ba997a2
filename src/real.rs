//! The scalar: one sealed trait, implemented for `f32` and `f64`. Floor 0.

use nalgebra::RealField;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A real scalar, `f32` or `f64`: the only bound used in this crate.
///
/// `f32` is meant for training and inference, `f64` for everything ill-conditioned.
/// Arithmetic and elementary functions come from [`nalgebra::RealField`].
///
/// ```
/// use fredholm::Real;
/// fn half<T: Real>(x: T) -> T { T::lit(0.5) * x }
/// assert_eq!(half(3.0_f32), 1.5);
/// ```
pub trait Real:
    RealField
    + Copy
    + Default
    + core::iter::Sum
    + core::fmt::LowerExp
    + num_traits::ToPrimitive
    + num_traits::FromPrimitive
    + sealed::Sealed
{
    /// Machine epsilon: the distance from 1 to the next larger number.
    const EPSILON: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// A literal: `x` rounded to this type.
    fn lit(x: f64) -> Self;
    /// This number as `f64` (exact).
    fn as_f64(self) -> f64;
    /// One draw from the standard normal distribution.
    fn standard_normal<R: Rng + ?Sized>(rng: &mut R) -> Self;
    /// (n, 2ⁿ) with n the integer nearest to `x`; 2ⁿ must be a normal number. Free of branches, so that
    /// loops over it vectorise.
    #[doc(hidden)]
    fn round_exp2(x: Self) -> (Self, Self);
}

macro_rules! impl_real {
    ($($t:ty, $round:literal, $bias:literal);*) => {$(
        impl Real for $t {
            const EPSILON: Self = <$t>::EPSILON;
            const INFINITY: Self = <$t>::INFINITY;
            const MIN_POSITIVE: Self = <$t>::MIN_POSITIVE;
            #[inline(always)]
            fn lit(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn as_f64(self) -> f64 {
                f64::from(self)
            }
            fn standard_normal<R: Rng + ?Sized>(rng: &mut R) -> Self {
                StandardNormal.sample(rng)
            }
            #[inline(always)]
            fn round_exp2(x: Self) -> (Self, Self) {
                // Adding 1.5·2^(mantissa bits) leaves the integer in the low bits of the sum.
                let shifted = x + $round;
                let bits = shifted.to_bits().wrapping_add($bias);
                (shifted - $round, <$t>::from_bits(bits << (<$t>::MANTISSA_DIGITS - 1)))
            }
        }
    )*};
}
impl_real!(f32, 12_582_912.0, 127; f64, 6_755_399_441_055_744.0, 1023);

/// Whether two arrays agree element by element, to `epsilon` or to `max_relative` of the larger number.
pub(crate) fn all_close<T: Real>(a: &[T], b: &[T], epsilon: T, max_relative: T) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(&x, &y)| {
            let (d, s) = ((x - y).abs(), if x.abs() > y.abs() { x.abs() } else { y.abs() });
            d <= epsilon || d <= max_relative * s
        })
}
