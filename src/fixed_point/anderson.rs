//! Anderson acceleration, safeguarded.
//!
//! Source: Anderson, *J. ACM* 12, 547 (1965); Walker and Ni, *SIAM J. Numer. Anal.* 49, 1715 (2011);
//! safeguard: Zhang, O'Donoghue and Boyd, *SIAM J. Optim.* 30, 3170 (2020).

use super::{FixedPointMap, distance};
use crate::error::{Error, Result};
use crate::linalg::{Cholesky, dispatch, dot};
use crate::real::Real;

/// Extrapolates the iterates of any map: the next point is Σ θ_i T(x_i) over the last few x_i, Σ θ = 1, with
/// the θ that make Σ θ_i (T(x_i) − x_i) smallest.
///
/// On a linear map of m distinct eigenvalues a memory of m finds the fixed point in m + 1 steps, as GMRES
/// does; on a proximal gradient it counts once the support has settled. An extrapolated point is kept if its
/// residual ‖T(x) − x‖ is at most that of the point before, else the iteration goes back to the plain image
/// and forgets: every kept step is at least as good as a plain one of a non-expansive map.
///
/// As a map it has a memory: it expects the `x` of a step to be the `out` of the step before. The residual is
/// that of T at x. Memory: 2m + 4 vectors.
#[derive(Debug, Clone)]
pub struct Anderson<M, T = f64> {
    map: M,
    memory: usize,
    /// T(x), and f = T(x) − x.
    image: Vec<T>,
    defect: Vec<T>,
    /// T and f one step ago.
    last_image: Vec<T>,
    last_defect: Vec<T>,
    /// Their differences over the last steps, one after another; the newest at `newest`.
    image_steps: Vec<T>,
    defect_steps: Vec<T>,
    /// Inner products of the defect's differences, memory × memory.
    gram: Vec<T>,
    coefficients: Vec<T>,
    cholesky: Cholesky<T>,
    held: usize,
    next: usize,
    /// ‖f‖ at the last point that was kept; infinite before the first.
    kept: T,
    /// Whether the point of the coming step was extrapolated.
    extrapolated: bool,
}

impl<M: FixedPointMap<T>, T: Real> Anderson<M, T> {
    /// Accelerates `map` by the last `memory` steps, 5 to 20 as a rule.
    ///
    /// # Errors
    /// `memory` zero or above 100.
    pub fn new(map: M, memory: usize) -> Result<Self> {
        if memory == 0 || memory > 100 {
            let expected = "between 1 and 100";
            return Err(Error::OutOfRange { argument: "memory", value: memory as f64, expected });
        }
        let n = map.dim();
        let zeros = vec![T::zero(); n];
        Ok(Anderson {
            map,
            memory,
            image: zeros.clone(),
            defect: zeros.clone(),
            last_image: zeros.clone(),
            last_defect: zeros,
            image_steps: vec![T::zero(); n * memory],
            defect_steps: vec![T::zero(); n * memory],
            gram: vec![T::zero(); memory * memory],
            coefficients: vec![T::zero(); memory],
            cholesky: Cholesky::new(memory),
            held: 0,
            next: 0,
            kept: T::INFINITY,
            extrapolated: false,
        })
    }

    /// Forgets all steps: the next one starts afresh, from any point.
    pub fn restart(&mut self) {
        self.held = 0;
        self.next = 0;
        self.kept = T::INFINITY;
        self.extrapolated = false;
    }

    /// The map inside.
    pub fn into_inner(self) -> M {
        self.map
    }

    /// Puts the differences to the last point into memory.
    fn remember(&mut self) {
        let (n, at) = (self.image.len(), self.next);
        let image_step = &mut self.image_steps[at * n..][..n];
        let defect_step = &mut self.defect_steps[at * n..][..n];
        let (image, defect) = (&self.image, &self.defect);
        let (last_image, last_defect) = (&self.last_image, &self.last_defect);
        dispatch(|| {
            for i in 0..n {
                image_step[i] = image[i] - last_image[i];
                defect_step[i] = defect[i] - last_defect[i];
            }
        });
        self.held = (self.held + 1).min(self.memory);
        self.next = (at + 1) % self.memory;
        let (steps, gram, memory) = (&self.defect_steps, &mut self.gram, self.memory);
        let held = self.held;
        dispatch(|| {
            for k in 0..held {
                let value = dot(&steps[at * n..][..n], &steps[k * n..][..n]);
                gram[at * memory + k] = value;
                gram[k * memory + at] = value;
            }
        });
    }

    /// Writes T(x) − Σ γ_k ΔT_k, γ minimising ‖f − Σ γ_k Δf_k‖; `false` if there is no such point.
    fn extrapolate(&mut self, out: &mut [T]) -> bool {
        let (n, held, memory) = (self.image.len(), self.held, self.memory);
        let (gram, cholesky) = (&self.gram, &mut self.cholesky);
        // Differences of like direction: the Gram matrix is nearly singular, and its diagonal is raised.
        let raise = T::one() + T::lit(100.0) * T::EPSILON;
        cholesky.set(held, |i, j| gram[i * memory + j] * if i == j { raise } else { T::one() });
        if held == 0 || cholesky.factor().is_none() {
            return false;
        }
        let gamma = &mut self.coefficients[..held];
        for (k, gamma) in gamma.iter_mut().enumerate() {
            *gamma = dot(&self.defect_steps[k * n..][..n], &self.defect);
        }
        cholesky.solve(gamma);
        let (image, steps) = (&self.image, &self.image_steps);
        dispatch(|| {
            out.copy_from_slice(image);
            for (k, &gamma) in gamma.iter().enumerate() {
                let step = &steps[k * n..][..n];
                for i in 0..n {
                    out[i] -= gamma * step[i];
                }
            }
        });
        out.iter().all(|v| v.is_finite())
    }
}

impl<M: FixedPointMap<T>, T: Real> FixedPointMap<T> for Anderson<M, T> {
    fn dim(&self) -> usize {
        self.map.dim()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        self.map.step(x, &mut self.image);
        let size = distance(x, &self.image);
        let worse = size > self.kept || !size.is_finite();
        if self.extrapolated && worse {
            // Back to the plain image of the point before.
            out.copy_from_slice(&self.last_image);
            self.held = 0;
            self.next = 0;
            self.extrapolated = false;
            return;
        }
        for ((f, &t), &x) in self.defect.iter_mut().zip(&self.image).zip(x) {
            *f = t - x;
        }
        if self.kept < T::INFINITY {
            self.remember();
        }
        self.last_image.copy_from_slice(&self.image);
        self.last_defect.copy_from_slice(&self.defect);
        self.kept = size;
        self.extrapolated = size > T::zero() && self.extrapolate(out);
        if !self.extrapolated {
            out.copy_from_slice(&self.image);
        }
    }

    fn residual(&self, x: &[T], _out: &[T]) -> T {
        self.map.residual(x, &self.image)
    }
}
