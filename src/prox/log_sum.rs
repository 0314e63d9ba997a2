//! The log-sum penalty. Source: Candès, Wakin and Boyd, *J. Fourier Anal. Appl.* 14, 877 (2008).

use super::separable::{ScalarProx, separable_prox};
use crate::error::{Result, check_positive};
use crate::real::Real;

/// f(x) = Σ ln(1 + |x_i|/ε): closer to counting the components than the ℓ¹ norm is. Not convex.
///
/// prox_{γf}(z) for z ≥ 0 is either 0 or the larger root x₊ of x² + (ε − z)x + γ − εz = 0, a local minimum
/// where it is positive; the one with the lower objective is returned, 0 where they are level. It is
/// continuous for γ ≤ ε², where x₊ takes over at z = γ/ε, and jumps beyond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogSum<T = f64> {
    epsilon: T,
}

impl<T: Real> LogSum<T> {
    /// With the size ε below which components count as small.
    ///
    /// # Errors
    /// `epsilon` not finite or not positive.
    pub fn new(epsilon: T) -> Result<Self> {
        check_positive("epsilon", epsilon)?;
        Ok(LogSum { epsilon })
    }

    /// The minimiser for z = `size` ≥ 0, and √((z + ε)² − 4γ).
    #[inline(always)]
    fn root(&self, size: T, gamma: T) -> (T, T) {
        let (epsilon, half) = (self.epsilon, T::lit(0.5));
        let above = size + epsilon;
        let discriminant = above * above - T::lit(4.0) * gamma;
        if discriminant < T::zero() {
            return (T::zero(), T::one());
        }
        let root = discriminant.sqrt();
        let x = if size > epsilon {
            half * (size - epsilon + root)
        } else {
            T::lit(2.0) * (epsilon * size - gamma) / (epsilon - size + root)
        };
        // Objectives times γ: at x and at 0.
        let excess = gamma * ScalarProx::value(self, x) + half * x * x - x * size;
        if x <= T::zero() || excess >= T::zero() { (T::zero(), root) } else { (x, root) }
    }
}

impl<T: Real> ScalarProx<T> for LogSum<T> {
    const IS_CONVEX: bool = false;

    #[inline(always)]
    fn value(&self, x: T) -> T {
        (x.abs() / self.epsilon).ln_1p()
    }

    #[inline(always)]
    fn prox(&self, z: T, gamma: T) -> T {
        let x = self.root(z.abs(), gamma).0;
        if z < T::zero() { -x } else { x }
    }

    #[inline(always)]
    fn derivative(&self, z: T, gamma: T) -> (T, T) {
        let (x, root) = self.root(z.abs(), gamma);
        if x == T::zero() {
            return (T::zero(), T::zero());
        }
        let by_z = T::lit(0.5) * (T::one() + (z.abs() + self.epsilon) / root);
        (by_z, if z < T::zero() { T::one() / root } else { -T::one() / root })
    }

    /// Not asked for: f is not convex.
    fn conjugate(&self, _y: T) -> T {
        T::INFINITY
    }
}
separable_prox!(LogSum<T>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsilon_is_checked() {
        assert!(LogSum::new(0.0).is_err() && LogSum::new(f64::NAN).is_err());
    }
}
