//! The primal Newton iteration of the kinetic-maxent paper (eq. 34): steps by conjugate gradients.
//!
//! Minimises Q(h) = ½‖g − Bh‖² + αφ(h) + Σ weight·P(h) over h > 0 for any smooth priors. A step solves
//! (P'' + BᵀB)δ = −∇Q with P'' the banded Hessian of all priors, by conjugate gradients preconditioned with
//! the Cholesky factor of P'': the preconditioned matrix is the identity plus one of the rank of B, stiff
//! kinetic terms or not. BᵀB is never formed. The step is cut short of the boundary h = 0, and the forcing
//! term ties the accuracy of a step to the distance from the optimum.
//!
//! Where every prior is convex and φ of Legendre type the iterate carries a rigorous gap: with
//! ε = −∇Q/α, Q(h) − min Q ≤ α[φ(h) + φ*(∇φ(h) + ε) − h·(∇φ(h) + ε)] (Fenchel–Young), for Skilling's entropy
//! α Σ h(e^ε − 1 − ε).

use super::engine::{Engine, Outcome, Schur};
use super::modes::Modes;
use super::objective::Objective;
use crate::linalg::{add_product_t, dot, product, residual};
use crate::real::Real;
use crate::solution::Status;

/// Modes with σ²·norm below this times α are left out of the Newton matrix (never out of the gradient).
const CUT: f64 = 1e-14;
/// Largest fraction of the way to the boundary that a step may go.
const FRACTION_TO_BOUNDARY: f64 = 0.95;

/// Where the iteration stands.
#[derive(Debug, Clone)]
struct Point<T> {
    /// Weights.
    h: Vec<T>,
    /// g − Bh over all modes.
    r: Vec<T>,
    /// ε = −∇Q/α.
    epsilon: Vec<T>,
}

/// The iteration with its workspace.
#[derive(Debug)]
pub(super) struct Primal<'a, T: Real> {
    objective: &'a Objective<T>,
    modes: &'a Modes<T>,
    certified: bool,
    schur: Schur<T>,
    alpha: T,
    point: Point<T>,
    trial: Point<T>,
    /// Newton step δ, and the vectors of conjugate gradients over ω.
    step: Vec<T>,
    rest: Vec<T>,
    preconditioned: Vec<T>,
    search: Vec<T>,
    image: Vec<T>,
    /// B·search.
    fit: Vec<T>,
}

impl<'a, T: Real> Primal<'a, T> {
    /// Starts from the default weights `d`.
    pub(super) fn new(objective: &'a Objective<T>, modes: &'a Modes<T>, d: &[T]) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let mut point =
            Point { h: zeros(modes.width), r: zeros(modes.count), epsilon: zeros(modes.width) };
        point.h[..d.len()].copy_from_slice(d);
        Primal {
            objective,
            modes,
            certified: objective.has_gap(),
            schur: Schur::new(modes, objective.hessian_storage()),
            alpha: T::zero(),
            trial: point.clone(),
            point,
            step: zeros(modes.width),
            rest: zeros(modes.width),
            preconditioned: zeros(modes.width),
            search: zeros(modes.width),
            image: zeros(modes.width),
            fit: zeros(modes.count),
        }
    }

    /// Evaluates r and ε at p.h. The residual is summed in doubled precision: ε multiplies its error
    /// by σ/α.
    fn evaluate(objective: &Objective<T>, modes: &Modes<T>, alpha: T, p: &mut Point<T>) {
        let n = modes.points;
        residual(&modes.rows, &p.h, &modes.data, &mut p.r);
        p.epsilon.fill(T::zero());
        add_product_t(&modes.rows, &p.r, &mut p.epsilon);
        let (epsilon, h) = (&mut p.epsilon[..n], &p.h[..n]);
        for (weight, prior) in &objective.fixed {
            prior.add_gradient(h, -*weight, epsilon);
        }
        for e in epsilon.iter_mut() {
            *e /= alpha;
        }
        objective.scaled.add_gradient(h, -T::one(), epsilon);
    }

    /// The rigorous gap, where the priors allow one.
    fn gap(&self, p: &Point<T>) -> Option<T> {
        let n = self.modes.points;
        let legendre = self.objective.legendre().filter(|_| self.certified)?;
        Some(self.alpha * legendre.divergence(&p.h[..n], &p.epsilon[..n]))
    }

    /// Factors M = P''/α, with a shift where a prior is not convex.
    fn factor_priors(&mut self) -> bool {
        let n = self.modes.points;
        self.objective.precision(self.alpha, &self.point.h[..n], &mut self.schur.m);
        let mut shift = T::EPSILON.sqrt();
        while !self.schur.band.factor(&self.schur.m) {
            for j in 0..n {
                let diagonal = self.schur.m.get(j, j);
                self.schur.m.add(j, j, shift * (diagonal.abs() + T::one() / self.point.h[j]));
            }
            shift *= T::lit(10.0);
            if !(shift < T::lit(1e12)) {
                return false;
            }
        }
        true
    }

    /// Solves (M + BᵀB/α) step = ε by preconditioned conjugate gradients until the preconditioned residual
    /// has fallen by `forcing`.
    fn conjugate_gradients(&mut self, active: usize, forcing: T) {
        let n = self.modes.points;
        let rows = &self.modes.rows[..active * self.modes.width];
        self.step.fill(T::zero());
        self.rest.copy_from_slice(&self.point.epsilon);
        self.search.fill(T::zero());
        let (mut rho, mut first) = (T::zero(), T::zero());
        for iteration in 0..4 * active + 50 {
            self.preconditioned.copy_from_slice(&self.rest);
            self.schur.band.forward(&mut self.preconditioned[..n]);
            self.schur.band.backward(&mut self.preconditioned[..n]);
            let previous = rho;
            rho = dot(&self.rest, &self.preconditioned);
            if iteration == 0 {
                first = rho;
            } else if !(rho > forcing * forcing * first) {
                break;
            }
            let beta = if iteration == 0 { T::zero() } else { rho / previous };
            for (p, &z) in self.search.iter_mut().zip(&self.preconditioned) {
                *p = z + beta * *p;
            }
            product(rows, &self.search, &mut self.fit[..active]);
            self.image.fill(T::zero());
            add_product_t(rows, &self.fit[..active], &mut self.image);
            for v in &mut self.image {
                *v /= self.alpha;
            }
            self.schur.m.add_product(&self.search, &mut self.image);
            let curvature = dot(&self.search, &self.image);
            if !(curvature > T::zero()) {
                break;
            }
            let t = rho / curvature;
            for j in 0..n {
                self.step[j] += t * self.search[j];
                self.rest[j] -= t * self.image[j];
            }
        }
    }

    fn newton(&mut self, tolerance: T, iterations: &mut usize, max_iterations: usize) -> Status {
        let mut stalled = 0;
        loop {
            let n = self.modes.points;
            let norm: T = self.point.h.iter().copied().sum();
            let scale = self.alpha * norm;
            if !self.point.epsilon.iter().all(|e| e.is_finite()) || !self.factor_priors() {
                return Status::NonFinite { stage: "the priors' Hessian or the gradient" };
            }
            let gap = self.measure(false);
            if gap <= tolerance * scale {
                return Status::Converged;
            }
            let near = gap <= T::EPSILON.sqrt() * scale;
            let stuck = if near { Status::RoundingFloor } else { Status::IterationLimit };
            if stalled == 3 {
                return stuck;
            }
            if *iterations == max_iterations {
                return Status::IterationLimit;
            }
            *iterations += 1;
            let active = self.modes.significant(self.alpha, norm, T::lit(CUT));
            let relative = (gap / scale).sqrt();
            let (loose, tight) = (T::lit(0.1), T::EPSILON.sqrt());
            let forcing = if relative < loose { relative } else { loose };
            let forcing = if forcing > tight { forcing } else { tight };
            self.conjugate_gradients(active, forcing);
            let mut t = T::one();
            for (&h, &s) in self.point.h[..n].iter().zip(&self.step) {
                let reach = -T::lit(FRACTION_TO_BOUNDARY) * h / s;
                if s < T::zero() && reach < t {
                    t = reach;
                }
            }
            let slope = -dot(&self.point.epsilon, &self.step);
            let mut accepted = false;
            for _ in 0..30 {
                for j in 0..n {
                    self.trial.h[j] = self.point.h[j] + t * self.step[j];
                }
                Self::evaluate(self.objective, self.modes, self.alpha, &mut self.trial);
                let trial = -dot(&self.trial.epsilon, &self.step);
                if trial.is_finite() && trial <= T::lit(0.5) * slope.abs() {
                    accepted = true;
                    break;
                }
                let secant = slope / (slope - trial);
                let (low, high) = (T::lit(0.1), T::lit(0.5));
                t *= if secant > low { if secant < high { secant } else { high } } else { low };
            }
            if !accepted {
                return stuck;
            }
            if near {
                let trial = self.measure(true);
                stalled = if trial >= T::lit(0.3) * gap { stalled + 1 } else { 0 };
                if trial >= gap {
                    continue;
                }
            }
            core::mem::swap(&mut self.point, &mut self.trial);
        }
    }

    /// The distance from the optimum at point or trial: the gap, or where there is none Newton's decrement
    /// ½α ε·M⁻¹ε in the metric of the priors.
    fn measure(&mut self, at_trial: bool) -> T {
        let p = if at_trial { &self.trial } else { &self.point };
        if let Some(gap) = self.gap(p) {
            return gap;
        }
        self.preconditioned.copy_from_slice(&p.epsilon);
        self.schur.band.forward(&mut self.preconditioned[..self.modes.points]);
        T::lit(0.5) * self.alpha * dot(&self.preconditioned, &self.preconditioned)
    }
}

impl<T: Real> Engine<T> for Primal<'_, T> {
    fn name(&self) -> &'static str {
        "primal Newton-CG"
    }

    fn solve(&mut self, alpha: T, tolerance: T, max_iterations: usize) -> Outcome<T> {
        self.alpha = alpha;
        Self::evaluate(self.objective, self.modes, alpha, &mut self.point);
        let mut iterations = 0;
        let status = self.newton(tolerance, &mut iterations, max_iterations);
        let p = &self.point;
        let norm: T = p.h.iter().copied().sum();
        let gap = self.gap(p).filter(|g| g.is_finite()).unwrap_or(T::INFINITY);
        let stationarity = alpha * dot(&p.epsilon, &p.epsilon).sqrt();
        let chi2 = self.modes.chi2_outside + dot(&p.r, &p.r);
        let active = self.modes.significant(alpha, norm, T::lit(CUT));
        let factored = self.factor_priors() && self.schur.factor(self.modes, active, alpha);
        let n_good = if factored { self.schur.n_good() } else { T::lit(active as f64) };
        Outcome { chi2, norm, gap, stationarity, n_good, iterations, status }
    }

    fn weights(&self) -> &[T] {
        &self.point.h[..self.modes.points]
    }

    fn state_len(&self) -> usize {
        self.point.h.len()
    }

    fn save(&self, state: &mut [T]) {
        state.copy_from_slice(&self.point.h);
    }

    fn load(&mut self, state: &[T]) {
        self.point.h.copy_from_slice(state);
    }
}
