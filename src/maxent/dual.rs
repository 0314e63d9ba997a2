//! Newton's method on the dual, with its certificate.
//!
//! min_h ½‖g − Bh‖² + αφ(h) + ½‖Rh − c‖² with φ of Legendre type has the smooth, strictly convex, unconstrained
//! dual Φ(μ, ν) = φ*(Bᵀμ + Rᵀν) + ½α(‖μ‖² + ‖ν‖²) − μ·g − ν·c. Its gradient is r = (Bh − g + αμ, Rh − c + αν) at
//! h = ∇φ*(Bᵀμ + Rᵀν), and objective(h) − minimum ≤ ½‖r‖² at *every* (μ, ν): the gap between primal and
//! dual values. The rows R of quadratic priors are data c whose multipliers ν are eliminated
//! by a banded factorisation, so that a Newton step costs O(N_ω s²) with and without them. For Skilling's
//! entropy without R the Hessian is Bryan's matrix B diag(h) Bᵀ + αI (Bryan 1990).

use super::engine::{Engine, Outcome, Schur};
use super::extrapolation::Extrapolation;
use super::modes::{Modes, Projected};
use super::objective::Objective;
use crate::linalg::{BandedRows, SymmetricBand, dot, sum};
use crate::prior::Legendre;
use crate::real::Real;
use crate::solution::Status;

/// Modes with σ²·scale below this times α start out dropped; more are taken in where the certificate over
/// all modes asks for it.
pub(super) const CUT: f64 = 1e-12;
/// How much worse than the ratio of the last two gaps a step with the old matrix is taken to be.
pub(super) const CHORD_SAFETY: f64 = 30.0;
/// A predicted change of the weights by more than this, times their scale, is not trusted.
pub(super) const LARGEST_PREDICTION: f64 = 0.3;

/// A point of the dual, with what follows from it.
#[derive(Debug, Clone)]
struct Point<T> {
    /// Multipliers of the modes; zero for dropped ones.
    mu: Vec<T>,
    /// Multipliers of the rows R.
    nu: Vec<T>,
    /// u = Bᵀμ + Rᵀν.
    u: Vec<T>,
    /// h = ∇φ*(u).
    h: Vec<T>,
    /// Bh − g + αμ over the active modes.
    r_mu: Vec<T>,
    /// Rh − c + αν.
    r_nu: Vec<T>,
}

impl<T: Real> Point<T> {
    /// ½‖r‖².
    fn gap(&self, active: usize) -> T {
        let r = &self.r_mu[..active];
        T::lit(0.5) * (dot(r, r) + dot(&self.r_nu, &self.r_nu))
    }
}

/// The iteration with its workspace.
#[derive(Debug)]
pub(super) struct Dual<'a, T: Real> {
    legendre: &'a dyn Legendre<T>,
    objective: &'a Objective<T>,
    modes: &'a Modes<T>,
    data: Projected<T>,
    rows: Option<BandedRows<T>>,
    /// c.
    targets: Vec<T>,
    /// RᵀR.
    rows_gram: SymmetricBand<T>,
    schur: Schur<T>,
    alpha: T,
    active: usize,
    /// Whether `schur` is factored at `point` and `alpha`.
    factored: bool,
    /// μ and ν as functions of ln α.
    path_mu: Extrapolation<T>,
    path_nu: Extrapolation<T>,
    point: Point<T>,
    trial: Point<T>,
    /// Newton direction (dμ, dν), and what it does to u.
    step_mu: Vec<T>,
    step_nu: Vec<T>,
    step_u: Vec<T>,
    /// B h over all modes.
    fit: Vec<T>,
    /// Over ω: Rᵀr/α, then dh.
    scratch: Vec<T>,
}

impl<'a, T: Real> Dual<'a, T> {
    /// For an objective that [has a dual](Objective::has_dual).
    pub(super) fn new(objective: &'a Objective<T>, modes: &'a Modes<T>) -> Self {
        let legendre = objective.scaled.as_ref();
        let (rows, targets) = objective.rows().unzip();
        let targets: Vec<T> = targets.unwrap_or_default();
        let m = targets.len();
        let mut rows_gram = objective.hessian_storage();
        if let Some(rows) = &rows {
            rows.add_hessian(T::one(), &mut rows_gram);
        }
        let zeros = |n: usize| vec![T::zero(); n];
        let point = Point {
            mu: zeros(modes.count),
            nu: zeros(m),
            u: zeros(modes.width),
            h: zeros(modes.width),
            r_mu: zeros(modes.count),
            r_nu: zeros(m),
        };
        Dual {
            legendre,
            objective,
            modes,
            data: Projected::default(),
            rows,
            targets,
            schur: Schur::new(modes, rows_gram.clone(), legendre.fixes_sum()),
            rows_gram,
            alpha: T::zero(),
            active: 0,
            factored: false,
            path_mu: Extrapolation::new(modes.count),
            path_nu: Extrapolation::new(m),
            trial: point.clone(),
            point,
            step_mu: zeros(modes.count),
            step_nu: zeros(m),
            step_u: zeros(modes.width),
            fit: zeros(modes.count),
            scratch: zeros(modes.points),
        }
    }

    /// Writes the residuals at trial or point, whose μ, ν and h are set.
    fn residuals(
        modes: &Modes<T>,
        data: &[T],
        rows: Option<(&BandedRows<T>, &[T])>,
        alpha: T,
        active: usize,
        p: &mut Point<T>,
    ) {
        modes.apply(&p.h, &mut p.r_mu[..active]);
        for ((r, &g), &mu) in p.r_mu[..active].iter_mut().zip(data).zip(&p.mu) {
            *r += alpha * mu - g;
        }
        if let Some((rows, targets)) = rows {
            rows.apply(&p.h, &mut p.r_nu);
            for ((r, &c), &nu) in p.r_nu.iter_mut().zip(targets).zip(&p.nu) {
                *r += alpha * nu - c;
            }
        }
    }

    /// Factors the Hessian at the present point.
    fn factor(&mut self) -> bool {
        let n = self.modes.points;
        self.schur.m.assign_scaled(T::one() / self.alpha, &self.rows_gram);
        self.objective.scaled.add_hessian(&self.point.h[..n], T::one(), &mut self.schur.m);
        self.factored = self.schur.factor(self.modes, self.active, self.alpha);
        self.factored
    }

    /// Turns the right-hand side in (`step_mu`, `step_nu`) into −Hessian⁻¹ of it, and sets `step_u`.
    ///
    /// With M = ∇²φ + RᵀR/α: (αI + BM⁻¹Bᵀ)dμ = −a + BM⁻¹Rᵀb/α, dh = M⁻¹(Bᵀdμ − Rᵀb/α), dν = −(b + R dh)/α.
    fn direction(&mut self) {
        let (active, alpha) = (self.active, self.alpha);
        for a in &mut self.step_mu[..active] {
            *a = -*a;
        }
        if let Some(rows) = &self.rows {
            self.scratch.fill(T::zero());
            rows.add_transposed(&self.step_nu, &mut self.scratch);
            for v in &mut self.scratch {
                *v /= alpha;
            }
            self.schur.band.forward(&mut self.scratch);
            self.schur.add_zt(&self.scratch, &mut self.step_mu[..active]);
        }
        self.schur.solve(&mut self.step_mu[..active]);
        self.step_u.fill(T::zero());
        self.modes.add_transposed(0, &self.step_mu[..active], &mut self.step_u);
        if let Some(rows) = &self.rows {
            self.schur.z_minus(&self.step_mu[..active], &mut self.scratch);
            self.schur.project(&mut self.scratch);
            self.schur.band.backward(&mut self.scratch);
            // r_nu of the trial point is free here.
            rows.apply(&self.scratch, &mut self.trial.r_nu);
            for (nu, &r) in self.step_nu.iter_mut().zip(&self.trial.r_nu) {
                *nu = -(*nu + r) / alpha;
            }
            rows.add_transposed(&self.step_nu, &mut self.step_u);
        }
    }

    /// Sets `trial` to point + t·step. Returns the derivative of Φ along the step there.
    fn advance(&mut self, t: T) -> T {
        let (n, active) = (self.modes.points, self.active);
        let (p, q) = (&self.point, &mut self.trial);
        let step = |to: &mut [T], from: &[T], by: &[T]| {
            for ((a, &b), &d) in to.iter_mut().zip(from).zip(by) {
                *a = b + t * d;
            }
        };
        step(&mut q.mu[..active], &p.mu, &self.step_mu);
        step(&mut q.nu, &p.nu, &self.step_nu);
        step(&mut q.u, &p.u, &self.step_u);
        self.legendre.conjugate_gradient(&q.u[..n], &mut q.h[..n]);
        let rows = self.rows.as_ref().map(|r| (r, self.targets.as_slice()));
        let data = &self.data.data;
        Self::residuals(self.modes, data, rows, self.alpha, active, q);
        self.slope_at(&self.trial)
    }

    fn slope_at(&self, p: &Point<T>) -> T {
        let active = self.active;
        dot(&p.r_mu[..active], &self.step_mu[..active]) + dot(&p.r_nu, &self.step_nu)
    }

    /// Continues the path (μ, ν)(ln α) from the present optimum, and those before it, to `alpha`.
    ///
    /// Its slope is −αH⁻¹(μ, ν). Multipliers of modes that the data fix become constant as α falls, so that
    /// they are what to continue, rather than αμ.
    fn predict(&mut self, alpha: T) {
        let active = self.active;
        self.step_mu[..active].copy_from_slice(&self.point.mu[..active]);
        self.step_nu.copy_from_slice(&self.point.nu);
        self.direction();
        let (at, old, p) = (self.alpha.ln(), self.alpha, &self.point);
        self.path_mu.push(at, &p.mu[..active], self.step_mu.iter().map(|&s| old * s));
        self.path_nu.push(at, &p.nu, self.step_nu.iter().map(|&s| old * s));
        self.path_mu.at(alpha.ln(), &mut self.step_mu[..active]);
        self.path_nu.at(alpha.ln(), &mut self.step_nu);
        self.step_mu[..active].iter_mut().zip(&p.mu).for_each(|(s, &mu)| *s -= mu);
        self.step_nu.iter_mut().zip(&p.nu).for_each(|(s, &nu)| *s -= nu);
        self.step_u.fill(T::zero());
        self.modes.add_transposed(0, &self.step_mu[..active], &mut self.step_u);
        if let Some(rows) = &self.rows {
            rows.add_transposed(&self.step_nu, &mut self.step_u);
        }
        self.advance(T::one());
        let (before, after) = (&self.point.h, &self.trial.h);
        let size = self.legendre.scale(&before[..self.modes.points]);
        let change: T = before.iter().zip(after).map(|(&a, &b)| (a - b).abs()).sum();
        if change <= T::lit(LARGEST_PREDICTION) * size {
            core::mem::swap(&mut self.point, &mut self.trial);
        }
    }

    /// Takes in the modes that matter at the present α and `cut`, with the multipliers that leave them
    /// without residual, and evaluates the point.
    fn activate(&mut self, cut: T) {
        let (modes, p) = (self.modes, &mut self.point);
        let scale = self.legendre.scale(&p.h[..modes.points]);
        let wanted = modes.significant(self.alpha, scale, cut);
        if wanted > self.active {
            let fresh = self.active..wanted;
            modes.apply(&p.h, &mut self.fit[..wanted]);
            for k in fresh.clone() {
                p.mu[k] = (self.data.data[k] - self.fit[k]) / self.alpha;
            }
            self.step_u.fill(T::zero());
            modes.add_transposed(fresh.start, &p.mu[fresh.clone()], &mut self.step_u);
            let (n, du) = (modes.points, &self.step_u);
            let small = du.iter().all(|&x| x.abs() < T::one());
            if small && self.legendre.step_limit(&p.u[..n], &du[..n]) >= T::one() {
                for (u, &x) in p.u.iter_mut().zip(&self.step_u) {
                    *u += x;
                }
                self.legendre.conjugate_gradient(&p.u[..n], &mut p.h[..n]);
            } else {
                p.mu[fresh].fill(T::zero());
            }
            // Both points hold the same number of multipliers.
            self.trial.mu.copy_from_slice(&p.mu);
            self.active = wanted;
        }
        let rows = self.rows.as_ref().map(|r| (r, self.targets.as_slice()));
        let data = &self.data.data;
        Self::residuals(modes, data, rows, self.alpha, self.active, &mut self.point);
    }

    /// Sets `trial` to where the derivative of Φ along the step has come down to half of what it was, in
    /// absolute value, or beyond. `false` if there is no such place.
    ///
    /// On the derivative, because values of Φ cancel long before it does.
    fn search_along_step(&mut self) -> bool {
        let (n, slope) = (self.modes.points, self.slope_at(&self.point));
        let mut t = self.legendre.step_limit(&self.point.u[..n], &self.step_u[..n]);
        for _ in 0..30 {
            let trial = self.advance(t);
            if trial.is_finite() && trial <= T::lit(0.5) * slope.abs() {
                return true;
            }
            let secant = slope / (slope - trial);
            let (low, high) = (T::lit(0.1), T::lit(0.5));
            let cut = if secant > low { if secant < high { secant } else { high } } else { low };
            // A weight that was nothing and has outgrown all else fell on by du per unit of t, in logarithm.
            let mut longest = t;
            for ((&du, &h), &grown) in self.step_u.iter().zip(&self.point.h).zip(&self.trial.h) {
                let excess = du * (grown - h) / slope.abs();
                if excess > T::one() && du > T::zero() {
                    let back = t - (T::lit(4.0) * excess).ln() / du;
                    longest = if back < longest { back } else { longest };
                }
            }
            t = if longest < t && longest > low * t { longest } else { t * cut };
        }
        false
    }

    /// Newton steps until ½‖r‖² ≤ tolerance·α·scale over the active modes.
    ///
    /// Where a step has brought the gap down so far that another with the same matrix will do, the matrix is not
    /// factored again: its convergence is linear, with the ratio of the two gaps.
    fn newton(&mut self, tolerance: T, iterations: &mut usize, max_iterations: usize) -> Status {
        let (mut stalled, mut before) = (0, T::zero());
        loop {
            let size = self.legendre.scale(&self.point.h[..self.modes.points]);
            let (gap, scale) = (self.point.gap(self.active), self.alpha * size);
            if gap <= tolerance * scale {
                return Status::Converged;
            }
            // Below this, progress that fails to be quadratic fails for rounding.
            let near = gap <= T::EPSILON.sqrt() * scale;
            let stuck = if near { Status::RoundingFloor } else { Status::Stalled };
            if stalled == 2 {
                return stuck;
            }
            if *iterations == max_iterations {
                return Status::IterationLimit;
            }
            let will_do = T::lit(CHORD_SAFETY) * gap * gap <= before * tolerance * scale;
            before = if will_do { T::zero() } else { gap };
            if !gap.is_finite() || !(will_do || self.factor()) {
                return Status::NonFinite { stage: "the dual's Newton matrix" };
            }
            *iterations += 1;
            let active = self.active;
            self.step_mu[..active].copy_from_slice(&self.point.r_mu[..active]);
            self.step_nu.copy_from_slice(&self.point.r_nu);
            self.direction();
            let accepted = self.search_along_step();
            let trial = self.trial.gap(active);
            if !accepted || !trial.is_finite() {
                return stuck;
            }
            if near && trial >= T::lit(0.3) * gap {
                stalled += 1;
                if trial >= gap {
                    continue;
                }
            } else {
                stalled = 0;
            }
            core::mem::swap(&mut self.point, &mut self.trial);
            self.factored = false;
        }
    }

    /// The gap over all modes, the part of it that is due to the dropped ones and to rounding, and χ².
    ///
    /// For any h and multipliers y, objective(h) − minimum ≤ ½‖Bh − g + αy‖² + α[φ(h) + φ*(Bᵀy) − h·Bᵀy]. The
    /// dropped modes are given the multipliers that leave them without residual; the bracket also takes
    /// up what rounding has put between u and Bᵀμ + Rᵀν.
    fn certify(&mut self) -> (T, T, T) {
        let (modes, active, p) = (self.modes, self.active, &mut self.point);
        modes.apply(&p.h, &mut self.fit);
        let mut chi2 = self.data.outside;
        for (f, &g) in self.fit.iter_mut().zip(&self.data.data) {
            *f = g - *f;
            chi2 += *f * *f;
        }
        self.fit[..active].copy_from_slice(&p.mu[..active]);
        for f in &mut self.fit[active..] {
            *f /= self.alpha;
        }
        self.step_u.fill(T::zero());
        modes.add_transposed(0, &self.fit, &mut self.step_u);
        if let Some(rows) = &self.rows {
            rows.add_transposed(&p.nu, &mut self.step_u);
        }
        for (d, &u) in self.step_u.iter_mut().zip(&p.u) {
            *d -= u;
        }
        let n = modes.points;
        let left_out = self.alpha * self.legendre.divergence(&p.h[..n], &self.step_u[..n]);
        (p.gap(active) + left_out, left_out, chi2)
    }
}

impl<T: Real> Engine<T> for Dual<'_, T> {
    fn name(&self) -> &'static str {
        "dual Newton"
    }

    fn reset(&mut self, data: &Projected<T>) {
        self.data.clone_from(data);
        let (p, n) = (&mut self.point, self.modes.points);
        for v in [&mut p.mu, &mut p.nu, &mut p.u, &mut self.trial.mu] {
            v.fill(T::zero());
        }
        self.legendre.conjugate_gradient(&p.u[..n], &mut p.h[..n]);
        (self.alpha, self.active, self.factored) = (T::zero(), 0, false);
        self.path_mu.clear();
        self.path_nu.clear();
    }

    fn solve(&mut self, alpha: T, tolerance: T, max_iterations: usize) -> Outcome<T> {
        if self.factored {
            self.predict(alpha);
        }
        self.alpha = alpha;
        self.factored = false;
        let (mut cut, mut iterations) = (T::lit(CUT), 0);
        let n = self.modes.points;
        let (mut gap, left_out, chi2, scale, status);
        loop {
            self.activate(cut);
            let newton = self.newton(T::lit(0.5) * tolerance, &mut iterations, max_iterations);
            let (bound, rest, fit) = self.certify();
            let size = self.legendre.scale(&self.point.h[..n]);
            gap = bound;
            let converged = gap <= tolerance * alpha * size;
            if !converged && newton == Status::Converged && self.active < self.modes.count {
                cut *= T::lit(1e-3);
                continue;
            }
            status = match newton {
                _ if converged => Status::Converged,
                Status::Converged => Status::RoundingFloor,
                other => other,
            };
            (left_out, chi2, scale) = (rest, fit, size);
            break;
        }
        if !gap.is_finite() {
            gap = T::INFINITY;
        }
        let (mut n_good, mut log_probability) = (T::lit(self.active as f64), -T::INFINITY);
        let h = &self.point.h[..n];
        let norm = sum(h);
        let (entropy, value) = self.objective.parts(alpha, h);
        if self.factor() {
            let ratio = self.schur.log_determinant_ratio(self.objective, &self.point.h);
            (n_good, log_probability) = (self.schur.n_good(), ratio - T::lit(0.5) * chi2 - value);
        }
        Outcome {
            chi2,
            norm,
            scale,
            entropy,
            gap,
            stationarity: T::INFINITY,
            n_good,
            log_probability,
            active: self.active,
            left_out,
            iterations,
            status,
        }
    }

    fn weights(&self) -> &[T] {
        &self.point.h[..self.modes.points]
    }

    fn state_len(&self) -> usize {
        2 + self.point.mu.len() + self.point.nu.len() + self.point.u.len()
    }

    fn save(&self, state: &mut [T]) {
        let p = &self.point;
        (state[0], state[1]) = (self.alpha, T::lit(self.active as f64));
        let (mu, rest) = state[2..].split_at_mut(p.mu.len());
        let (nu, u) = rest.split_at_mut(p.nu.len());
        mu.copy_from_slice(&p.mu);
        nu.copy_from_slice(&p.nu);
        u.copy_from_slice(&p.u);
    }

    fn load(&mut self, state: &[T]) {
        let (p, n) = (&mut self.point, self.modes.points);
        self.alpha = state[0];
        self.active = state[1].as_f64() as usize;
        let (mu, rest) = state[2..].split_at(p.mu.len());
        let (nu, u) = rest.split_at(p.nu.len());
        p.mu.copy_from_slice(mu);
        p.nu.copy_from_slice(nu);
        p.u.copy_from_slice(u);
        p.mu[self.active..].fill(T::zero());
        self.trial.mu.copy_from_slice(&p.mu);
        self.legendre.conjugate_gradient(&p.u[..n], &mut p.h[..n]);
        self.factored = false;
        self.path_mu.clear();
        self.path_nu.clear();
    }
}
