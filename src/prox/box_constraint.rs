//! Projection on a box.

use super::separable::{ScalarProx, separable_prox};
use crate::error::{Error, Result};
use crate::real::Real;

/// f(x) = 0 where lower ≤ x_i ≤ upper for all i, +∞ elsewhere; prox_{γf} clamps, whatever γ.
///
/// Derivatives: ∂/∂z = 1\[lower < z < upper\], ∂/∂γ = 0. Separable, convex.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxConstraint<T = f64> {
    lower: T,
    upper: T,
}

impl<T: Real> BoxConstraint<T> {
    /// The box \[lower, upper\]ⁿ. An infinite bound is none.
    ///
    /// # Errors
    /// A bound that is NaN; `lower` = +∞, `upper` = −∞; `upper` below `lower`.
    pub fn new(lower: T, upper: T) -> Result<Self> {
        let bad = |argument, value: T, expected| {
            Err(Error::OutOfRange { argument, value: value.as_f64(), expected })
        };
        if lower.as_f64().is_nan() || lower == T::INFINITY {
            return bad("lower", lower, "a number or minus infinity");
        }
        if upper.as_f64().is_nan() || upper == -T::INFINITY {
            return bad("upper", upper, "a number or infinity");
        }
        if upper < lower {
            return bad("upper", upper, "a number not below `lower`");
        }
        Ok(BoxConstraint { lower, upper })
    }

    /// The lower bound of every component.
    pub fn lower(&self) -> T {
        self.lower
    }

    /// The upper bound of every component.
    pub fn upper(&self) -> T {
        self.upper
    }
}

impl<T: Real> ScalarProx<T> for BoxConstraint<T> {
    const IS_INDICATOR: bool = true;

    #[inline(always)]
    fn value(&self, x: T) -> T {
        if x >= self.lower && x <= self.upper { T::zero() } else { T::INFINITY }
    }

    #[inline(always)]
    fn prox(&self, z: T, _gamma: T) -> T {
        let z = if z < self.lower { self.lower } else { z };
        if z > self.upper { self.upper } else { z }
    }

    #[inline(always)]
    fn derivative(&self, z: T, _gamma: T) -> (T, T) {
        let inside = z > self.lower && z < self.upper;
        (if inside { T::one() } else { T::zero() }, T::zero())
    }

    #[inline(always)]
    fn conjugate_scale(&self, y: T) -> T {
        if ScalarProx::conjugate(self, y) < T::INFINITY { T::one() } else { T::zero() }
    }

    /// The support function max(lower·y, upper·y).
    #[inline(always)]
    fn conjugate(&self, y: T) -> T {
        if y > T::zero() {
            self.upper * y
        } else if y < T::zero() {
            self.lower * y
        } else {
            T::zero()
        }
    }
}
separable_prox!(BoxConstraint<T>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prox::Prox;

    #[test]
    fn bounds_are_checked() {
        let argument = |lower: f64, upper: f64| match BoxConstraint::new(lower, upper) {
            Err(Error::OutOfRange { argument, .. }) => Some(argument),
            _ => None,
        };
        assert_eq!(argument(f64::NAN, 1.0), Some("lower"));
        assert_eq!(argument(f64::INFINITY, f64::INFINITY), Some("lower"));
        assert_eq!(argument(0.0, f64::NAN), Some("upper"));
        assert_eq!(argument(0.0, -1.0), Some("upper"));
        assert_eq!(argument(f64::NEG_INFINITY, f64::INFINITY), None);
        assert_eq!(argument(2.0, 2.0), None);
    }

    #[test]
    fn infinite_bounds_are_none() {
        let half_line = BoxConstraint::new(1.0, f64::INFINITY).unwrap();
        let mut x = [0.0; 2];
        assert_eq!(half_line.prox_into(&[-3.0, 1e300], 1.0, &mut x), 0.0);
        assert_eq!(x, [1.0, 1e300]);
        // f*(y) = y for y ≤ 0, +∞ beyond.
        let below = Prox::conjugate(&half_line, &[-2.0, 0.0]).unwrap();
        assert_eq!((below.scale, below.value), (1.0, -2.0));
        assert_eq!(Prox::conjugate(&half_line, &[2.0, 0.0]).unwrap().scale, 0.0);
    }
}
