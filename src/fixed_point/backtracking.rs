//! Proximal gradient steps of a length found by backtracking.
//!
//! Source: Beck and Teboulle, *SIAM J. Imaging Sci.* 2, 183 (2009), eq. 2.11 and section 3; the step may grow
//! again: Scheinberg, Goldfarb and Bai, *Found. Comput. Math.* 14, 389 (2014).

use super::{FixedPointMap, distance};
use crate::error::{Result, check_positive};
use crate::prox::{Prox, check_dimension};
use crate::real::Real;

/// The map x ↦ x⁺ = prox_{tλf}(x − t∇F(x)) for min F(x) + λ f(x) with any smooth F, t found on the way.
///
/// F is a closure that writes ∇F(x) and returns F(x). Each step tries the last t, a little longer, and halves
/// it until F(x⁺) ≤ F(x) + ∇F(x)·d + ‖d‖²/2t with d = x⁺ − x: the descent that makes objective
/// minus minimum ≤ ‖x_0 − x*‖²/(2 t_min k) for a convex F, with t_min ≥ 1/2L. No Lipschitz constant is
/// needed. The residual is ‖d‖/t + ‖∇F(x⁺) − ∇F(x)‖, a bound on the distance of zero from the
/// subdifferential at x⁺.
#[derive(Debug, Clone)]
pub struct Backtracking<F, P, T = f64> {
    smooth: F,
    prox: P,
    lambda: T,
    step_size: T,
    gradient: Vec<T>,
    new_gradient: Vec<T>,
    forward: Vec<T>,
}

/// Halvings in one step at most: from 1 to the smallest normal number of a double.
const HALVINGS: usize = 1022;

impl<F: FnMut(&[T], &mut [T]) -> T, P: Prox<T>, T: Real> Backtracking<F, P, T> {
    /// The map in `dim` dimensions, with a first t.
    ///
    /// # Errors
    /// `lambda` or `step_size` not finite or not positive; a `prox` of vectors of another length than `dim`.
    pub fn new(dim: usize, smooth: F, prox: P, lambda: T, step_size: T) -> Result<Self> {
        check_positive("lambda", lambda)?;
        check_positive("step_size", step_size)?;
        check_dimension(&prox, dim, "`dim`")?;
        let zeros = vec![T::zero(); dim];
        Ok(Backtracking {
            smooth,
            prox,
            lambda,
            step_size,
            gradient: zeros.clone(),
            new_gradient: zeros.clone(),
            forward: zeros,
        })
    }

    /// t of the last step.
    pub fn step_size(&self) -> T {
        self.step_size
    }
}

impl<F: FnMut(&[T], &mut [T]) -> T, P: Prox<T>, T: Real> FixedPointMap<T>
    for Backtracking<F, P, T>
{
    fn dim(&self) -> usize {
        self.forward.len()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        let value = (self.smooth)(x, &mut self.gradient);
        let half = T::lit(0.5);
        let rounding = T::lit(1000.0) * T::EPSILON * value.abs();
        let mut t = self.step_size * T::lit(1.1);
        for _ in 0..HALVINGS {
            for ((z, &x), &d) in self.forward.iter_mut().zip(x).zip(&self.gradient) {
                *z = x - t * d;
            }
            self.prox.prox_into(&self.forward, t * self.lambda, out);
            let (mut slope, mut square) = (T::zero(), T::zero());
            for ((&new, &x), &g) in out.iter().zip(x).zip(&self.gradient) {
                slope += g * (new - x);
                square += (new - x) * (new - x);
            }
            let new_value = (self.smooth)(out, &mut self.new_gradient);
            let mut excess = new_value - value - slope;
            if excess.abs() <= rounding {
                // Too small to be told from rounding: by the trapezoidal rule, exact for a quadratic F.
                let gradients = self.new_gradient.iter().zip(&self.gradient);
                let bend = gradients.zip(out.iter().zip(x));
                excess = half * bend.map(|((&h, &g), (&new, &x))| (h - g) * (new - x)).sum::<T>();
            }
            if excess <= half * square / t {
                break;
            }
            t *= half;
        }
        self.step_size = t;
    }

    fn residual(&self, x: &[T], out: &[T]) -> T {
        distance(x, out) / self.step_size + distance(&self.gradient, &self.new_gradient)
    }
}
