//! Smoothly clipped absolute deviation: a threshold that leaves large components alone.
//!
//! Source: Fan and Li, *J. Am. Stat. Assoc.* 96, 1348 (2001), eq. 2.8.

use super::separable::{ScalarProx, separable_prox};
use crate::error::{Error, Result, check_positive, check_scalar};
use crate::real::Real;

/// f(x) = Σ φ(|x_i|) with φ′(x) = λ up to x = λ, (aλ − x)/(a − 1) from there to aλ, 0 beyond. Not convex.
///
/// For γ < a − 1 the objective of the proximal operator is strictly convex, with the one minimiser (z ≥ 0)
/// max(z − γλ, 0) up to z = λ(1 + γ), then ((a − 1)z − γaλ)/(a − 1 − γ) up to aλ, then z. For γ ≥ a − 1 there
/// are two local minima, max(z − γλ, 0) and z: the lower one is returned, the smaller one where they are
/// level, at z = λ(a + 1 + γ)/2 for γ ≤ a + 1 and λ√(γ(a + 1)) beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scad<T = f64> {
    lambda: T,
    a: T,
}

impl<T: Real> Scad<T> {
    /// With threshold λ and clipping at aλ; Fan and Li take a = 3.7.
    ///
    /// # Errors
    /// `lambda` not finite or not positive; `a` not finite or not above 2.
    pub fn new(lambda: T, a: T) -> Result<Self> {
        check_positive("lambda", lambda)?;
        check_scalar("a", a)?;
        if a <= T::lit(2.0) {
            let expected = "a number above 2";
            return Err(Error::OutOfRange { argument: "a", value: a.as_f64(), expected });
        }
        Ok(Scad { lambda, a })
    }

    /// Where the soft threshold ends, and where the identity begins.
    #[inline(always)]
    fn breaks(&self, gamma: T) -> (T, T) {
        let (lambda, a) = (self.lambda, self.a);
        let one = T::one();
        if gamma < a - one {
            (lambda * (one + gamma), a * lambda)
        } else {
            let level = if gamma <= a + one {
                T::lit(0.5) * lambda * (a + one + gamma)
            } else {
                lambda * (gamma * (a + one)).sqrt()
            };
            (level, level)
        }
    }
}

impl<T: Real> ScalarProx<T> for Scad<T> {
    const IS_CONVEX: bool = false;

    #[inline(always)]
    fn value(&self, x: T) -> T {
        let (lambda, a, x) = (self.lambda, self.a, x.abs());
        let one = T::one();
        if x <= lambda {
            lambda * x
        } else if x <= a * lambda {
            let two = T::lit(2.0);
            (two * a * lambda * x - x * x - lambda * lambda) / (two * (a - one))
        } else {
            T::lit(0.5) * lambda * lambda * (a + one) + T::zero() * x
        }
    }

    #[inline(always)]
    fn prox(&self, z: T, gamma: T) -> T {
        let size = z.abs();
        let (soft, identity) = self.breaks(gamma);
        let x = if size <= soft {
            let x = size - gamma * self.lambda;
            if x < T::zero() { T::zero() } else { x }
        } else if size <= identity {
            let above = self.a - T::one();
            (above * size - gamma * self.a * self.lambda) / (above - gamma)
        } else {
            size
        };
        if z < T::zero() { -x } else { x }
    }

    #[inline(always)]
    fn derivative(&self, z: T, gamma: T) -> (T, T) {
        let size = z.abs();
        let (soft, identity) = self.breaks(gamma);
        let (zero, one) = (T::zero(), T::one());
        let (by_size, by_gamma) = if size <= gamma * self.lambda && size <= soft {
            (zero, zero)
        } else if size <= soft {
            (one, -self.lambda)
        } else if size <= identity {
            let above = self.a - one;
            let rest = one / (above - gamma);
            (above * rest, above * (size - self.a * self.lambda) * rest * rest)
        } else {
            (one, zero)
        };
        (by_size, if z < zero { -by_gamma } else { by_gamma })
    }

    /// Not asked for: f is not convex.
    fn conjugate(&self, _y: T) -> T {
        T::INFINITY
    }
}
separable_prox!(Scad<T>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked() {
        let argument = |lambda: f64, a| match Scad::new(lambda, a) {
            Err(Error::OutOfRange { argument, .. }) => argument,
            _ => "",
        };
        assert_eq!(
            [argument(0.0, 3.7), argument(1.0, 2.0), argument(1.0, 2.1)],
            ["lambda", "a", ""]
        );
    }

    #[test]
    fn large_components_are_left_alone() {
        let op = Scad::new(1.0, 3.7).unwrap();
        let mut x = [0.0; 3];
        crate::Prox::prox_into(&op, &[0.5, 1.5, -9.0], 1.0, &mut x);
        assert_eq!(x, [0.0, 0.5, -9.0]);
    }
}
