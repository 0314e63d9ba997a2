//! The primal Newton iteration of the kinetic-maxent paper (eq. 34): steps by conjugate gradients.
//!
//! Minimises Q(h) = ½‖g − Bh‖² + αφ(h) + Σ weight·P(h) for any smooth priors P. A step solves
//! (P'' + BᵀB)δ = −∇Q with P'' the banded Hessian of all priors, by conjugate gradients preconditioned with
//! the Cholesky factor of P'': the preconditioned matrix is the identity plus one of the rank of B, stiff
//! kinetic terms or not. BᵀB is never formed. Steps are solved to √ε relative: weights near zero count for
//! nothing in the metric of the residual, yet their u = ln(h/d) must follow, and does not otherwise.
//!
//! Positivity is built in: the iterate is u = ∇φ(h), for Skilling's entropy ln(h/d), and moves along
//! u + t du, du = ∇²φ(h)δ. A straight line in h would reach the boundary after a small fraction of the step
//! wherever a weight is to fall by orders of magnitude. Q cannot choose the step length along that curve:
//! its stiff directions forbid all but the shortest. The dual can, without being formed: where the other
//! priors are quadratic, its slope at t is Σ (h(t) − h − tδ) du − (1 − t) c, where −c is the slope at 0 and
//! c ≥ Σ δ du; the step is shortened until the slope is no more than half of c. With other priors the Newton
//! correction itself must shrink too (Deuflhard's natural monotonicity test).
//!
//! Where every prior is convex the iterate carries a rigorous gap: with ε = −∇Q/α,
//! Q(h) − min Q ≤ α[φ(h) + φ*(u + ε) − h·(u + ε)] (Fenchel–Young), for Skilling's entropy
//! α Σ h(e^ε − 1 − ε).

use super::engine::{Engine, Outcome, Schur};
use super::modes::{Modes, Projected};
use super::objective::Objective;
use crate::linalg::{SymmetricBand, dot, residual};
use crate::prior::Legendre;
use crate::real::Real;
use crate::solution::Status;

/// Modes with σ²·scale below this times α are left out of the Newton matrix (never out of the gradient).
const CUT: f64 = 1e-14;
/// A predicted change of u beyond this is not trusted.
const LARGEST_PREDICTION: f64 = 3.0;

/// Where the iteration stands.
#[derive(Debug, Clone, Default)]
struct Point<T> {
    /// u = ∇φ(h).
    u: Vec<T>,
    /// Weights h = ∇φ*(u).
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
    data: Projected<T>,
    legendre: &'a dyn Legendre<T>,
    certified: bool,
    schur: Schur<T>,
    /// ∇²φ(h), diagonal.
    curvature: SymmetricBand<T>,
    /// 0 before the first solve.
    alpha: T,
    point: Point<T>,
    trial: Point<T>,
    /// Newton step δ in h, and what it does to u.
    step: Vec<T>,
    step_u: Vec<T>,
    /// Conjugate gradients over ω: solution, residual, preconditioned residual, search direction, image.
    solution: Vec<T>,
    rest: Vec<T>,
    preconditioned: Vec<T>,
    search: Vec<T>,
    image: Vec<T>,
    /// B·search.
    fit: Vec<T>,
}

impl<'a, T: Real> Primal<'a, T> {
    /// Starts from the minimum of the scaled prior, the optimum at infinite α.
    pub(super) fn new(objective: &'a Objective<T>, modes: &'a Modes<T>) -> Self {
        let zeros = |n: usize| vec![T::zero(); n];
        let width = modes.width;
        let point = Point {
            u: zeros(width),
            h: zeros(width),
            r: zeros(modes.count),
            epsilon: zeros(width),
        };
        Primal {
            objective,
            modes,
            data: Projected::default(),
            legendre: objective.scaled.as_ref(),
            certified: objective.has_gap(),
            schur: Schur::new(modes, objective.hessian_storage(), objective.scaled.fixes_sum()),
            curvature: SymmetricBand::zeros(modes.points, 0),
            alpha: T::zero(),
            trial: point.clone(),
            point,
            step: zeros(width),
            step_u: zeros(width),
            solution: zeros(width),
            rest: zeros(width),
            preconditioned: zeros(width),
            search: zeros(width),
            image: zeros(width),
            fit: zeros(modes.count),
        }
    }

    /// Evaluates r and ε at p.u and p.h. The residual is summed in doubled precision: ε multiplies its
    /// error by σ/α.
    fn evaluated(&self, mut p: Point<T>) -> Point<T> {
        let (modes, n) = (self.modes, self.modes.points);
        residual(&modes.rows, &p.h, &self.data.data, &mut p.r);
        p.epsilon.fill(T::zero());
        modes.add_transposed(0, &p.r, &mut p.epsilon);
        let epsilon = &mut p.epsilon[..n];
        for (weight, prior) in &self.objective.fixed {
            prior.add_gradient(&p.h[..n], -*weight, epsilon);
        }
        for (e, &u) in epsilon.iter_mut().zip(&p.u) {
            *e = *e / self.alpha - u;
        }
        p
    }

    /// Sets u and h of `trial` to the point at t of the curve u + t·`step_u`.
    fn advance(&mut self, t: T) {
        let (n, trial) = (self.modes.points, &mut self.trial);
        for ((a, &b), &d) in trial.u.iter_mut().zip(&self.point.u).zip(&self.step_u) {
            *a = b + t * d;
        }
        self.legendre.conjugate_gradient(&trial.u[..n], &mut trial.h[..n]);
    }

    /// The distance from the optimum: the gap, or where there is none Newton's decrement ½α ε·M⁻¹ε in
    /// the metric of the priors last factored.
    fn distance(&mut self, at_trial: bool) -> T {
        let p = if at_trial { &self.trial } else { &self.point };
        let n = self.modes.points;
        if self.certified {
            return self.alpha * self.legendre.divergence(&p.h[..n], &p.epsilon[..n]);
        }
        self.preconditioned.copy_from_slice(&p.epsilon);
        self.schur.band.forward(&mut self.preconditioned[..n]);
        self.schur.project(&mut self.preconditioned[..n]);
        T::lit(0.5) * self.alpha * dot(&self.preconditioned, &self.preconditioned)
    }

    /// ‖∂Q/∂u‖/α, where the curvature is that of the present point: ε/φ'', less the mean that the sum
    /// rule takes up.
    fn slope_norm(&self) -> T {
        let n = self.modes.points;
        let inverse = |j: usize| T::one() / self.curvature.get(j, j);
        let mut mean = T::zero();
        if self.legendre.fixes_sum() {
            let weighted: T = (0..n).map(|j| inverse(j) * self.point.epsilon[j]).sum();
            mean = weighted / self.legendre.scale(&self.point.h[..n]);
        }
        let slope = |j: usize| inverse(j) * (self.point.epsilon[j] - mean);
        (0..n).map(|j| slope(j) * slope(j)).sum::<T>().sqrt()
    }

    /// Factors M = P''/α at the present point, with a shift where a prior is not convex. What follows from M, N_good
    /// and ln P, then follows from the shifted one: B M⁻¹Bᵀ of an indefinite M has no eigenvalues to count.
    fn factor_priors(&mut self) -> bool {
        let n = self.modes.points;
        let h = &self.point.h[..n];
        self.curvature.clear();
        self.objective.scaled.add_hessian(h, T::one(), &mut self.curvature);
        self.objective.precision(self.alpha, h, &mut self.schur.m);
        let mut shift = T::EPSILON.sqrt();
        while !self.schur.factor_band() {
            for j in 0..n {
                let size = self.schur.m.get(j, j).abs() + self.curvature.get(j, j);
                self.schur.m.add(j, j, shift * size);
            }
            shift *= T::lit(10.0);
            if shift > T::lit(1e6) || !shift.is_finite() {
                return false;
            }
        }
        true
    }

    /// Solves (M + BᵀB/α) solution = rest by preconditioned conjugate gradients until the preconditioned
    /// residual has fallen by `forcing`.
    fn conjugate_gradients(&mut self, active: usize, forcing: T) {
        let n = self.modes.points;
        self.solution.fill(T::zero());
        self.search.fill(T::zero());
        let (mut rho, mut first) = (T::zero(), T::zero());
        for iteration in 0..4 * active + 50 {
            self.preconditioned.copy_from_slice(&self.rest);
            self.schur.band.forward(&mut self.preconditioned[..n]);
            // The multiplier of a fixed sum must not grow: it would drown the rest.
            let multiplier = self.schur.project(&mut self.preconditioned[..n]);
            self.rest[..n].iter_mut().for_each(|r| *r -= multiplier);
            self.schur.band.backward(&mut self.preconditioned[..n]);
            let previous = rho;
            rho = dot(&self.rest, &self.preconditioned);
            let beta = if iteration == 0 { T::zero() } else { rho / previous };
            if iteration == 0 {
                first = rho;
            }
            let done = iteration > 0 && rho <= forcing * forcing * first;
            if done || rho <= T::zero() || !rho.is_finite() {
                break;
            }
            for (p, &z) in self.search.iter_mut().zip(&self.preconditioned) {
                *p = z + beta * *p;
            }
            self.modes.apply(&self.search, &mut self.fit[..active]);
            self.image.fill(T::zero());
            self.modes.add_transposed(0, &self.fit[..active], &mut self.image);
            for v in &mut self.image {
                *v /= self.alpha;
            }
            self.schur.m.add_product(&self.search, &mut self.image);
            let curvature = dot(&self.search, &self.image);
            if !(curvature > T::zero() && curvature.is_finite()) {
                break;
            }
            let t = rho / curvature;
            for (x, &p) in self.solution.iter_mut().zip(&self.search) {
                *x += t * p;
            }
            for (r, &v) in self.rest.iter_mut().zip(&self.image) {
                *r -= t * v;
            }
        }
    }

    /// Solves for the step of a right-hand side in `rest`, in h and in u.
    fn find_step(&mut self, active: usize, forcing: T) {
        self.conjugate_gradients(active, forcing);
        core::mem::swap(&mut self.step, &mut self.solution);
        for (j, d) in self.step_u[..self.modes.points].iter_mut().enumerate() {
            *d = self.curvature.get(j, j) * self.step[j];
        }
    }

    fn significant(&self) -> usize {
        let scale = self.legendre.scale(&self.point.h[..self.modes.points]);
        self.modes.significant(self.alpha, scale, T::lit(CUT))
    }

    /// Follows the tangent of αu(α) in ln α from the present optimum, where M is factored, to `alpha`.
    fn predict(&mut self, alpha: T) {
        for (r, &u) in self.rest.iter_mut().zip(&self.point.u) {
            *r = -u;
        }
        self.find_step(self.significant(), T::EPSILON.sqrt());
        let (log, ratio) = ((alpha / self.alpha).ln(), self.alpha / alpha);
        for (d, &u) in self.step_u.iter_mut().zip(&self.point.u) {
            *d = ratio * (u + log * (u + *d)) - u;
        }
        let n = self.modes.points;
        let limit = self.legendre.step_limit(&self.point.u[..n], &self.step_u[..n]);
        let small = self.step_u.iter().all(|d| d.abs() < T::lit(LARGEST_PREDICTION));
        if small && limit >= T::one() {
            for (u, &d) in self.point.u.iter_mut().zip(&self.step_u) {
                *u += d;
            }
        }
    }

    /// Shortens the step from `t` until it is safe, and sets `trial` there.
    fn search_along_step(&mut self, mut t: T, active: usize) -> bool {
        let quadratic = self.objective.has_dual();
        let size = dot(&self.step, &self.step_u);
        let start = dot(&self.point.epsilon, &self.step);
        for _ in 0..40 {
            self.advance(t);
            let mut excess = T::zero();
            for (j, &d) in self.step_u.iter().enumerate() {
                excess += (self.trial.h[j] - self.point.h[j] - t * self.step[j]) * d;
            }
            if excess <= (T::lit(1.5) - t) * size {
                let p = core::mem::take(&mut self.trial);
                self.trial = self.evaluated(p);
                if quadratic {
                    return true;
                }
                self.rest.copy_from_slice(&self.trial.epsilon);
                self.conjugate_gradients(active, T::lit(0.1));
                let left = dot(&self.trial.epsilon, &self.solution);
                if left <= (T::one() - T::lit(0.5) * t) * start {
                    return true;
                }
            }
            t *= T::lit(0.5);
        }
        false
    }

    fn newton(&mut self, tolerance: T, iterations: &mut usize, max_iterations: usize) -> Status {
        let (n, mut stalled) = (self.modes.points, 0);
        loop {
            let scale = self.alpha * self.legendre.scale(&self.point.h[..n]);
            if !self.point.epsilon.iter().all(|e| e.is_finite()) || !self.factor_priors() {
                return Status::NonFinite { stage: "the priors' Hessian or the gradient" };
            }
            let distance = self.distance(false);
            if distance <= tolerance * scale {
                return Status::Converged;
            }
            // Below this, progress that fails to be fast fails for rounding.
            let near = distance <= T::EPSILON.sqrt() * scale;
            let stuck = if near { Status::RoundingFloor } else { Status::Stalled };
            if stalled == 3 {
                return stuck;
            }
            if *iterations == max_iterations {
                return Status::IterationLimit;
            }
            *iterations += 1;
            let active = self.significant();
            self.rest.copy_from_slice(&self.point.epsilon);
            self.find_step(active, T::EPSILON.sqrt());
            let first = self.legendre.step_limit(&self.point.u[..n], &self.step_u[..n]);
            let accepted = self.search_along_step(first, active);
            if !accepted {
                return stuck;
            }
            if near {
                let trial = self.distance(true);
                stalled = if trial >= T::lit(0.3) * distance { stalled + 1 } else { 0 };
                if trial >= distance {
                    continue;
                }
            }
            core::mem::swap(&mut self.point, &mut self.trial);
        }
    }
}

impl<T: Real> Engine<T> for Primal<'_, T> {
    fn name(&self) -> &'static str {
        "primal Newton-CG"
    }

    fn reset(&mut self, data: &Projected<T>) {
        self.data.clone_from(data);
        self.point.u.fill(T::zero());
        self.alpha = T::zero();
    }

    fn solve(&mut self, alpha: T, tolerance: T, max_iterations: usize) -> Outcome<T> {
        if self.alpha > T::zero() && self.factor_priors() {
            self.predict(alpha);
        }
        self.alpha = alpha;
        let mut point = core::mem::take(&mut self.point);
        let n = self.modes.points;
        self.legendre.conjugate_gradient(&point.u[..n], &mut point.h[..n]);
        self.point = self.evaluated(point);
        let mut iterations = 0;
        let status = self.newton(tolerance, &mut iterations, max_iterations);
        let active = self.significant();
        let factored = self.factor_priors() && self.schur.factor(self.modes, active, alpha);
        let gap = if self.certified { self.distance(false) } else { T::INFINITY };
        let p = &self.point;
        let norm: T = p.h.iter().copied().sum();
        let gap = if gap.is_finite() { gap } else { T::INFINITY };
        let scale = self.legendre.scale(&p.h[..n]);
        let stationarity = alpha * self.slope_norm();
        let chi2 = self.data.outside + dot(&p.r, &p.r);
        let (entropy, value) = self.objective.parts(alpha, &p.h[..n]);
        let (mut n_good, mut log_probability) = (T::lit(active as f64), -T::INFINITY);
        if factored {
            let ratio = self.schur.log_determinant_ratio(self.objective, &p.h);
            (n_good, log_probability) = (self.schur.n_good(), ratio - T::lit(0.5) * chi2 - value);
        }
        Outcome {
            chi2,
            norm,
            scale,
            entropy,
            gap,
            stationarity,
            n_good,
            log_probability,
            active,
            left_out: T::zero(),
            iterations,
            status,
        }
    }

    fn weights(&self) -> &[T] {
        &self.point.h[..self.modes.points]
    }

    fn state_len(&self) -> usize {
        1 + self.point.u.len()
    }

    fn save(&self, state: &mut [T]) {
        state[0] = self.alpha;
        state[1..].copy_from_slice(&self.point.u);
    }

    fn load(&mut self, state: &[T]) {
        let n = self.modes.points;
        self.alpha = state[0];
        self.point.u.copy_from_slice(&state[1..]);
        self.legendre.conjugate_gradient(&self.point.u[..n], &mut self.point.h[..n]);
    }
}
