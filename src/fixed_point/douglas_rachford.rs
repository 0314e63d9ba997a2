//! Douglas–Rachford splitting.
//!
//! Source: Lions and Mercier, *SIAM J. Numer. Anal.* 16, 964 (1979); Eckstein and Bertsekas,
//! *Math. Program.* 55, 293 (1992).

use super::{AugmentedMinimizer, FixedPointMap, distance};
use crate::error::{Error, Result, check_positive};
use crate::linalg::dispatch;
use crate::prox::{Prox, check_dimension};
use crate::real::Real;

/// The map z ↦ z + y − x for min f(x) + h(x), with x = prox_{γf}(z) and y = prox_{γh}(2x − z).
///
/// f is an [`AugmentedMinimizer`] with M = 1, h a [`Prox`]. The map is firmly non-expansive: it may be relaxed
/// by 0 < η < 2 or Anderson-accelerated. The answer is not the fixed point z but
/// [`solution`](Self::solution) there. The residual is ‖x − y‖₂/γ, the norm of a subgradient of f at x plus
/// one of h at y; it falls at least as 1/√k, linearly on piecewise quadratic problems.
#[derive(Debug, Clone)]
pub struct DouglasRachford<S, P, T = f64> {
    step: S,
    prox: P,
    gamma: T,
    x: Vec<T>,
    mx: Vec<T>,
    reflected: Vec<T>,
    y: Vec<T>,
}

impl<S: AugmentedMinimizer<T>, P: Prox<T>, T: Real> DouglasRachford<S, P, T> {
    /// The splitting of f (`step`) and h (`prox`) with step γ.
    ///
    /// # Errors
    /// `gamma` not finite or not positive; a `step` with M ≠ 1, as far as its shape tells; a `prox` of vectors of
    /// another length than x.
    pub fn new(step: S, prox: P, gamma: T) -> Result<Self> {
        check_positive("gamma", gamma)?;
        let (n, m) = step.shape();
        if n != m {
            return Err(Error::LengthMismatch {
                argument: "step",
                found: m,
                expected: n,
                reference: "x: the splitting wants M = 1",
            });
        }
        check_dimension(&prox, n, "x")?;
        let zeros = vec![T::zero(); n];
        Ok(DouglasRachford {
            step,
            prox,
            gamma,
            x: zeros.clone(),
            mx: zeros.clone(),
            reflected: zeros.clone(),
            y: zeros,
        })
    }

    /// y = prox_{γh}(2x − z) of the last step, the minimiser once converged; zero before the first.
    pub fn solution(&self) -> &[T] {
        &self.y
    }
}

impl<S: AugmentedMinimizer<T>, P: Prox<T>, T: Real> FixedPointMap<T> for DouglasRachford<S, P, T> {
    fn dim(&self) -> usize {
        self.x.len()
    }

    fn step(&mut self, z: &[T], out: &mut [T]) {
        self.step.minimise(T::one() / self.gamma, z, &mut self.x, &mut self.mx);
        let (x, reflected) = (&self.x, &mut self.reflected);
        dispatch(|| {
            for i in 0..z.len() {
                reflected[i] = x[i] + x[i] - z[i];
            }
        });
        self.prox.prox_into(reflected, self.gamma, &mut self.y);
        let y = &self.y;
        dispatch(|| {
            for i in 0..z.len() {
                out[i] = z[i] + (y[i] - x[i]);
            }
        });
    }

    fn residual(&self, _z: &[T], _out: &[T]) -> T {
        distance(&self.x, &self.y) / self.gamma
    }
}
