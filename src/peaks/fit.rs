//! The most probable mixture of one order: Levenberg and Marquardt's method.
//!
//! With r = y − M a(z) in units of the noise, J = M ∂a/∂z and φ = −ln p(z) of the prior, F = ½‖r‖² + φ falls
//! along the steps
//!
//! ```text
//! (JᵀJ + φ'' + λ diag(JᵀJ + φ'')) Δz = Jᵀr − φ'
//! ```
//!
//! λ falls after a step that lowers F and grows after one that does not (Marquardt, *SIAM J. Appl. Math.* 11,
//! 431 (1963)).

use super::mixture::{Evaluation, Mixture};
use crate::linalg::{Cholesky, MatMut, MatRef, dot, gemm};

/// M, r × n.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    /// Row-major.
    Dense(&'a [f64]),
    /// This times the unit matrix, r = n.
    Unit(f64),
}

/// What is fitted: y = M a + noise of unit variance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// M.
    pub(super) matrix: Rows<'a>,
    /// y.
    pub(super) data: &'a [f64],
    /// Norm of a.
    pub(super) norm: f64,
    /// Factor on the prior.
    pub(super) prior: f64,
}

/// A minimum, or where the iteration ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mode {
    /// Coordinates.
    pub(super) z: Vec<f64>,
    /// Weights on the grid.
    pub(super) weights: Vec<f64>,
    /// ‖r‖².
    pub(super) chi2: f64,
    /// F.
    pub(super) objective: f64,
    /// Of the mode and of those that other names of its peaks make of it.
    pub(super) log_evidence: f64,
    pub(super) iterations: usize,
    /// Whether the iteration ended by itself: at a minimum, or far above the data where none is looked for.
    pub(super) converged: bool,
}

/// Workspace.
#[derive(Debug)]
pub(super) struct Fitter<'a> {
    mixture: &'a Mixture,
    at: Evaluation,
    trial: Evaluation,
    residuals: Vec<f64>,
    /// J, a row for every coordinate.
    jacobian: Vec<f64>,
    /// JᵀJ + φ'', full.
    hessian: Vec<f64>,
    gradient: Vec<f64>,
    step: Vec<f64>,
    cholesky: Cholesky<f64>,
}

/// The largest change of a coordinate in one step.
const REACH: f64 = 1.2;
const FIRST_DAMPING: f64 = 1e-2;
const DAMPINGS: usize = 8;

/// How much lower F would have to be for another step to matter.
fn worthwhile(f: f64) -> f64 {
    5e-3 + 1e-4 * f
}

impl<'a> Fitter<'a> {
    /// For mixtures of at most `peaks` peaks.
    pub(super) fn new(mixture: &'a Mixture, peaks: usize) -> Self {
        let p = mixture.global() + mixture.per_peak() * peaks;
        Fitter {
            mixture,
            at: Evaluation::default(),
            trial: Evaluation::default(),
            residuals: Vec::new(),
            jacobian: Vec::new(),
            hessian: vec![0.0; p * p],
            gradient: vec![0.0; p],
            step: vec![0.0; p],
            cholesky: Cholesky::new(p),
        }
    }

    /// F and ‖r‖² of the weights in `evaluation`.
    fn objective(&mut self, target: Target<'_>, z: &[f64], trial: bool) -> (f64, f64) {
        let evaluation = if trial { &self.trial } else { &self.at };
        let n = self.mixture.len();
        let weights = &evaluation.weights;
        self.residuals.clear();
        match target.matrix {
            Rows::Dense(matrix) => {
                let rows = matrix.chunks_exact(n).zip(target.data);
                self.residuals.extend(rows.map(|(row, y)| y - dot(row, weights)));
            }
            Rows::Unit(scale) => {
                let pairs = target.data.iter().zip(weights);
                self.residuals.extend(pairs.map(|(y, a)| y - scale * a));
            }
        }
        let chi2: f64 = self.residuals.iter().map(|r| r * r).sum();
        let prior: f64 = z.iter().enumerate().map(|(i, &z)| self.mixture.prior(i, z)[0]).sum();
        (0.5 * chi2 + target.prior * prior, chi2)
    }

    /// JᵀJ + φ'' and Jᵀr − φ' at the current point.
    fn linearise(&mut self, target: Target<'_>, z: &[f64]) {
        let (n, r, p) = (self.mixture.len(), target.data.len(), z.len());
        self.mixture.jacobian(&mut self.at);
        self.jacobian.resize(p * r, 0.0);
        match target.matrix {
            Rows::Dense(matrix) => gemm(
                MatMut::row_major(&mut self.jacobian, p, r),
                MatRef::row_major(&self.at.jacobian, p, n),
                MatRef::row_major(matrix, r, n).t(),
                false,
            ),
            Rows::Unit(scale) => {
                let pairs = self.jacobian.iter_mut().zip(&self.at.jacobian);
                pairs.for_each(|(j, slope)| *j = scale * slope);
            }
        }
        for i in 0..p {
            let row = &self.jacobian[i * r..][..r];
            let [_, slope, curvature] = self.mixture.prior(i, z[i]);
            self.gradient[i] = dot(row, &self.residuals) - target.prior * slope;
            for j in 0..=i {
                let h = dot(row, &self.jacobian[j * r..][..r]);
                self.hessian[j * p + i] = h;
            }
            self.hessian[i * p + i] += target.prior * curvature;
        }
    }

    /// Goes down from `start`, at most `limit` steps.
    pub(super) fn descend(&mut self, target: Target<'_>, start: &[f64], limit: usize) -> Mode {
        let p = start.len();
        let mut z = start.to_vec();
        let mut next = z.clone();
        self.mixture.weights(&z, target.norm, &mut self.at);
        let (mut f, mut chi2) = self.objective(target, &z, false);
        let (mut damping, mut idle, mut iterations) = (FIRST_DAMPING, 0, 0);
        let mut converged = false;
        while iterations < limit && idle < 2 && f.is_finite() {
            iterations += 1;
            self.linearise(target, &z);
            let mut lower = false;
            for _ in 0..DAMPINGS {
                let hessian = &self.hessian;
                self.cholesky
                    .set(p, |i, j| hessian[i * p + j] * if i == j { 1.0 + damping } else { 1.0 });
                if self.cholesky.factor().is_none() {
                    damping *= 10.0;
                    continue;
                }
                self.step[..p].copy_from_slice(&self.gradient[..p]);
                self.cholesky.solve(&mut self.step[..p]);
                let longest = self.step[..p].iter().fold(0.0_f64, |m, s| m.max(s.abs()));
                let cut = (REACH / longest).min(1.0);
                for ((next, &z), &step) in next.iter_mut().zip(&z).zip(&self.step) {
                    *next = Mixture::clamp(z + cut * step);
                }
                self.mixture.weights(&next, target.norm, &mut self.trial);
                let (value, fit) = self.objective(target, &next, true);
                if value < f {
                    idle = if f - value < worthwhile(value) { idle + 1 } else { 0 };
                    (f, chi2, lower) = (value, fit, true);
                    core::mem::swap(&mut z, &mut next);
                    core::mem::swap(&mut self.at, &mut self.trial);
                    damping = (0.2 * damping).max(1e-9);
                    break;
                }
                damping *= 5.0;
            }
            if !lower {
                // Rounding hides the minimum, or the steps were too long all the same.
                converged = self.decrement(p).is_some_and(|d| d < worthwhile(f));
                break;
            }
            // A misfit this large after as many steps is no minimum worth reaching to the digit.
            if iterations >= 20 && chi2 > HOPELESS {
                converged = true;
                break;
            }
        }
        Mode {
            weights: self.at.weights.clone(),
            chi2,
            objective: f,
            log_evidence: f64::NEG_INFINITY,
            iterations,
            converged: converged || idle >= 2,
            z,
        }
    }

    /// ½ gᵀH⁻¹g at the point linearised last: what F falls short of its minimum by, to second order; none where H is
    /// not positive definite.
    fn decrement(&mut self, p: usize) -> Option<f64> {
        if !self.factor(p) {
            return None;
        }
        self.step[..p].copy_from_slice(&self.gradient[..p]);
        self.cholesky.solve(&mut self.step[..p]);
        Some(0.5 * dot(&self.gradient[..p], &self.step[..p]))
    }

    /// Factors H; whether it is positive definite as it is.
    fn factor(&mut self, p: usize) -> bool {
        let hessian = &self.hessian;
        self.cholesky.set(p, |i, j| hessian[i * p + j]);
        self.cholesky.factor() == Some(0.0)
    }

    /// Goes to `z` and linearises there.
    pub(super) fn revisit(&mut self, target: Target<'_>, z: &[f64]) {
        self.mixture.weights(z, target.norm, &mut self.at);
        self.objective(target, z, false);
        self.linearise(target, z);
    }

    /// F at `z`.
    pub(super) fn value(&mut self, target: Target<'_>, z: &[f64]) -> f64 {
        self.mixture.weights(z, target.norm, &mut self.trial);
        self.objective(target, z, true).0
    }

    /// An element of H of the point linearised last, which has `p` coordinates.
    pub(super) fn curvature(&self, p: usize, i: usize, j: usize) -> f64 {
        self.hessian[i.min(j) * p + i.max(j)]
    }

    /// Where the coordinates of ordinary peaks begin, and how many each has.
    pub(super) fn ordinary(&self) -> (usize, usize) {
        let per = self.mixture.per_peak();
        (self.mixture.global() + if self.mixture.has_first() { per } else { 0 }, per)
    }
}

/// χ² of a fit that only serves as the start of the next order.
const HOPELESS: f64 = 1e5;
