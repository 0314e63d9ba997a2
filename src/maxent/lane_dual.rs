//! Newton's method on the dual for several data vectors side by side, one in each lane of a vector register.
//!
//! The mathematics is that of [`Dual`](super::dual::Dual), whose comments say why; the lanes go from α to α in
//! lockstep. What converged waits for the others, what failed is left behind and no other lane notices.

use super::dual::{CHORD_SAFETY, CUT, LARGEST_PREDICTION};
use super::engine::Outcome;
use super::extrapolation::Extrapolation;
use super::modes::{Modes, Projected};
use super::objective::Objective;
use crate::linalg::{
    BandedRows, LANES, LaneBandCholesky, LaneCholesky, LaneVec, Lanes, SymmetricBand,
    add_panel_product, add_panel_product_t, join_lanes, lane_dots, lane_product, lane_product_t,
    lane_select, lane_step, split_lanes,
};
use crate::prior::Legendre;
use crate::real::Real;
use crate::solution::Status;

/// A point of the dual of every lane, with what follows from it.
#[derive(Debug)]
struct Point<T> {
    mu: LaneVec<T>,
    nu: LaneVec<T>,
    /// u = Bᵀμ + Rᵀν.
    u: LaneVec<T>,
    /// h = ∇φ*(u).
    h: LaneVec<T>,
    r_mu: LaneVec<T>,
    r_nu: LaneVec<T>,
}

impl<T: Real> Point<T> {
    /// ½‖r‖².
    fn gaps(&self, active: usize) -> Lanes<T> {
        let (a, b) = (&self.r_mu[..active], &self.r_nu);
        let (a, b) = (lane_dots(a, a), lane_dots(b, b));
        core::array::from_fn(|l| T::lit(0.5) * (a[l] + b[l]))
    }

    /// Takes over another point in some lanes.
    fn take(&mut self, other: &Self, lanes: &[bool; LANES]) {
        lane_select(&mut self.mu, &other.mu, lanes);
        lane_select(&mut self.nu, &other.nu, lanes);
        lane_select(&mut self.u, &other.u, lanes);
        lane_select(&mut self.h, &other.h, lanes);
        lane_select(&mut self.r_mu, &other.r_mu, lanes);
        lane_select(&mut self.r_nu, &other.r_nu, lanes);
    }
}

/// Where the lanes stand on their way to one α.
struct Progress {
    /// `None` while it goes on.
    status: [Option<Status>; LANES],
    stalled: [u8; LANES],
    iterations: [usize; LANES],
}

/// The iteration with its workspace.
#[derive(Debug)]
pub(super) struct LaneDual<'a, T: Real> {
    legendre: &'a dyn Legendre<T>,
    modes: &'a Modes<T>,
    rows: Option<BandedRows<T>>,
    /// c of ½‖Rh − c‖².
    targets: Vec<T>,
    rows_gram: SymmetricBand<T>,
    band: LaneBandCholesky<T>,
    dense: LaneCholesky<T>,
    /// L⁻¹Bᵀ in panels of four columns; empty without rows.
    z: LaneVec<T>,
    /// The diagonal of ∇²φ* at `point`, that of ∇²φ with rows.
    curvature: LaneVec<T>,
    data: LaneVec<T>,
    outside: Lanes<T>,
    /// Lanes that still take part.
    live: [bool; LANES],
    alpha: Lanes<T>,
    active: usize,
    factored: bool,
    path_mu: Extrapolation<T>,
    path_nu: Extrapolation<T>,
    point: Point<T>,
    trial: Point<T>,
    step_mu: LaneVec<T>,
    step_nu: LaneVec<T>,
    step_u: LaneVec<T>,
    fit: LaneVec<T>,
    scratch: LaneVec<T>,
    /// Over ω, one lane after another, N_ω numbers each.
    split: [Vec<T>; 2],
}

impl<'a, T: Real> LaneDual<'a, T> {
    /// For an objective that [has a dual](Objective::has_dual), its Σh free.
    pub(super) fn new(objective: &'a Objective<T>, modes: &'a Modes<T>) -> Self {
        let (rows, targets) = objective.rows().unzip();
        let targets: Vec<T> = targets.unwrap_or_default();
        let m = targets.len();
        let mut rows_gram = objective.hessian_storage();
        if let Some(rows) = &rows {
            rows.add_hessian(T::one(), &mut rows_gram);
        }
        let (n, stride) = (modes.points, modes.stride);
        let lanes = LaneVec::zeros;
        let point = || Point {
            mu: lanes(stride),
            nu: lanes(m),
            u: lanes(n),
            h: lanes(n),
            r_mu: lanes(stride),
            r_nu: lanes(m),
        };
        LaneDual {
            legendre: objective.scaled.as_ref(),
            modes,
            band: LaneBandCholesky::new(n, rows_gram.bandwidth()),
            dense: LaneCholesky::new(stride),
            z: lanes(if rows.is_some() { n * stride } else { 0 }),
            rows,
            targets,
            rows_gram,
            curvature: lanes(n),
            data: lanes(stride),
            outside: [T::zero(); LANES],
            live: [false; LANES],
            alpha: [T::zero(); LANES],
            active: 0,
            factored: false,
            path_mu: Extrapolation::new(stride * LANES),
            path_nu: Extrapolation::new(m * LANES),
            trial: point(),
            point: point(),
            step_mu: lanes(stride),
            step_nu: lanes(m),
            step_u: lanes(n),
            fit: lanes(stride),
            scratch: lanes(n),
            split: [vec![T::zero(); n * LANES], vec![T::zero(); n * LANES]],
        }
    }

    /// Puts data in, at most one vector a lane, and goes back to the optimum at infinite α.
    pub(super) fn reset(&mut self, data: &[Projected<T>]) {
        for l in 0..LANES {
            self.live[l] = l < data.len();
            let own = &data[l.min(data.len() - 1)];
            for (to, &g) in self.data.iter_mut().zip(&own.data) {
                to[l] = g;
            }
            self.outside[l] = own.outside;
        }
        let p = &mut self.point;
        for v in [&mut p.mu, &mut p.nu, &mut p.u, &mut self.trial.mu] {
            v.fill([T::zero(); LANES]);
        }
        (self.active, self.factored) = (0, false);
        self.path_mu.clear();
        self.path_nu.clear();
        self.evaluate_point();
    }

    /// Whether a lane takes part: its data were put in and it has not failed.
    pub(super) fn is_live(&self, lane: usize) -> bool {
        self.live[lane]
    }

    /// h = ∇φ*(u) in some lanes.
    fn evaluate(
        legendre: &dyn Legendre<T>,
        split: &mut [Vec<T>; 2],
        p: &mut Point<T>,
        lanes: &[bool; LANES],
    ) {
        let n = p.u.len();
        let [u, h] = split;
        split_lanes(&p.u, n, u);
        split_lanes(&p.h, n, h);
        for ((u, h), _) in
            u.chunks_exact(n).zip(h.chunks_exact_mut(n)).zip(lanes).filter(|(_, on)| **on)
        {
            legendre.conjugate_gradient(u, h);
        }
        join_lanes(h, n, &mut p.h);
    }

    fn evaluate_point(&mut self) {
        Self::evaluate(self.legendre, &mut self.split, &mut self.point, &[true; LANES]);
    }

    /// Writes the residuals at a point whose μ, ν and h are set.
    fn residuals(
        modes: &Modes<T>,
        data: &[Lanes<T>],
        rows: Option<(&BandedRows<T>, &[T])>,
        alpha: &Lanes<T>,
        active: usize,
        p: &mut Point<T>,
    ) {
        let width = active.next_multiple_of(LANES);
        lane_product_t(&modes.columns, modes.stride, &p.h, &mut p.r_mu[..width]);
        for ((r, g), mu) in p.r_mu[..active].iter_mut().zip(data).zip(&p.mu) {
            for l in 0..LANES {
                r[l] += alpha[l] * mu[l] - g[l];
            }
        }
        if let Some((rows, targets)) = rows {
            rows.apply_lanes(&p.h, &mut p.r_nu);
            for ((r, nu), &c) in p.r_nu.iter_mut().zip(&p.nu).zip(targets) {
                for l in 0..LANES {
                    r[l] += alpha[l] * nu[l] - c;
                }
            }
        }
    }

    /// Factors the Hessians at the present point; `false` in the lanes where that fails.
    fn factor(&mut self) -> [bool; LANES] {
        let (n, active) = (self.modes.points, self.active);
        let [h, curvature] = &mut self.split;
        split_lanes(&self.point.h, n, h);
        for (h, c) in h.chunks_exact(n).zip(curvature.chunks_exact_mut(n)) {
            self.legendre.conjugate_curvature(h, c);
        }
        join_lanes(curvature, n, &mut self.curvature);
        self.factored = true;
        if self.rows.is_none() {
            let (columns, stride) = (&self.modes.columns, self.modes.stride);
            self.dense.set_weighted_gram(active, &self.alpha, columns, stride, &self.curvature);
            return self.dense.factor();
        }
        for c in self.curvature.as_flattened_mut() {
            *c = T::one() / *c;
        }
        let inverse = self.alpha.map(|alpha| T::one() / alpha);
        let banded = self.band.factor(&self.curvature, &inverse, &self.rows_gram);
        let stride = self.modes.stride;
        self.band.forward_panel(&self.modes.columns, stride, active, &mut self.z);
        self.dense.set_gram(active, &self.alpha, &self.z, n);
        let dense = self.dense.factor();
        core::array::from_fn(|l| banded[l] && dense[l])
    }

    /// Turns the right-hand side in (`step_mu`, `step_nu`) into −Hessian⁻¹ of it, and sets `step_u`.
    fn direction(&mut self) {
        let (active, stride, alpha) = (self.active, self.modes.stride, self.alpha);
        for a in self.step_mu[..active].as_flattened_mut() {
            *a = -*a;
        }
        if let Some(rows) = &self.rows {
            self.scratch.fill([T::zero(); LANES]);
            rows.add_transposed_lanes(&self.step_nu, &mut self.scratch);
            for v in &mut self.scratch {
                for l in 0..LANES {
                    v[l] /= alpha[l];
                }
            }
            self.band.forward(&mut self.scratch);
            add_panel_product_t(&self.z, &self.scratch, &mut self.step_mu[..active]);
        }
        self.dense.solve(&mut self.step_mu[..active]);
        lane_product(&self.modes.columns, stride, 0, &self.step_mu[..active], &mut self.step_u);
        if let Some(rows) = &self.rows {
            for y in self.scratch.as_flattened_mut() {
                *y = -*y;
            }
            add_panel_product(&self.z, &self.step_mu[..active], &mut self.scratch);
            self.band.backward(&mut self.scratch);
            // r_nu of the trial point is free here.
            rows.apply_lanes(&self.scratch, &mut self.trial.r_nu);
            for (nu, r) in self.step_nu.iter_mut().zip(&self.trial.r_nu) {
                for l in 0..LANES {
                    nu[l] = -(nu[l] + r[l]) / alpha[l];
                }
            }
            rows.add_transposed_lanes(&self.step_nu, &mut self.step_u);
        }
    }

    /// Sets `trial` to point + t·step, in some lanes. Returns the derivatives of Φ along the steps there.
    fn advance(&mut self, t: &Lanes<T>, lanes: &[bool; LANES]) -> Lanes<T> {
        let (p, q, active) = (&self.point, &mut self.trial, self.active);
        lane_step(&mut q.mu[..active], &p.mu, t, &self.step_mu, lanes);
        lane_step(&mut q.nu, &p.nu, t, &self.step_nu, lanes);
        lane_step(&mut q.u, &p.u, t, &self.step_u, lanes);
        Self::evaluate(self.legendre, &mut self.split, q, lanes);
        let rows = self.rows.as_ref().map(|rows| (rows, &self.targets[..]));
        Self::residuals(self.modes, &self.data, rows, &self.alpha, active, q);
        self.slopes_at(&self.trial)
    }

    fn slopes_at(&self, p: &Point<T>) -> Lanes<T> {
        let a = lane_dots(&p.r_mu[..self.active], &self.step_mu);
        let b = lane_dots(&p.r_nu, &self.step_nu);
        core::array::from_fn(|l| a[l] + b[l])
    }

    /// Continues the paths from the present optima to `alpha`, the same in all lanes.
    fn predict(&mut self, alpha: T) {
        let (active, old) = (self.active, self.alpha[0]);
        self.step_mu[..active].copy_from_slice(&self.point.mu[..active]);
        self.step_nu.copy_from_slice(&self.point.nu);
        self.direction();
        let p = &self.point;
        let (mu, nu) = (p.mu[..active].as_flattened(), p.nu.as_flattened());
        let (step_mu, step_nu) = (self.step_mu.as_flattened(), self.step_nu.as_flattened());
        self.path_mu.push(old.ln(), mu, step_mu.iter().map(|&s| old * s));
        self.path_nu.push(old.ln(), nu, step_nu.iter().map(|&s| old * s));
        self.path_mu.at(alpha.ln(), self.step_mu[..active].as_flattened_mut());
        self.path_nu.at(alpha.ln(), self.step_nu.as_flattened_mut());
        let steps = self.step_mu[..active].as_flattened_mut().iter_mut();
        steps.zip(mu).for_each(|(s, &mu)| *s -= mu);
        self.step_nu.as_flattened_mut().iter_mut().zip(nu).for_each(|(s, &nu)| *s -= nu);
        let (columns, stride) = (&self.modes.columns, self.modes.stride);
        lane_product(columns, stride, 0, &self.step_mu[..active], &mut self.step_u);
        if let Some(rows) = &self.rows {
            rows.add_transposed_lanes(&self.step_nu, &mut self.step_u);
        }
        let live = self.live;
        self.advance(&[T::one(); LANES], &live);
        let (sizes, mut change) = (self.scales(), [T::zero(); LANES]);
        for (a, b) in self.point.h.iter().zip(&self.trial.h) {
            for l in 0..LANES {
                change[l] += (a[l] - b[l]).abs();
            }
        }
        let limit = T::lit(LARGEST_PREDICTION);
        let trusted = core::array::from_fn(|l| live[l] && change[l] <= limit * sizes[l]);
        self.point.take(&self.trial, &trusted);
    }

    /// Takes in the modes that matter to any lane, and evaluates the point.
    fn activate(&mut self, cut: T) {
        let scales = self.scales();
        let wanted = (0..LANES).filter(|&l| self.live[l]).map(|l| {
            let wanted = self.modes.significant(self.alpha[l], scales[l], cut);
            LaneCholesky::<T>::padded(wanted)
        });
        let wanted = wanted.max().unwrap_or(0);
        if wanted > self.active {
            let (modes, p) = (self.modes, &mut self.point);
            lane_product_t(&modes.columns, modes.stride, &p.h, &mut self.fit);
            for k in self.active..wanted {
                for l in 0..LANES {
                    p.mu[k][l] = (self.data[k][l] - self.fit[k][l]) / self.alpha[l];
                }
            }
            let fresh = &p.mu[self.active..wanted];
            lane_product(&modes.columns, modes.stride, self.active, fresh, &mut self.step_u);
            let (mut small, limits) = (self.live, self.step_limits());
            let p = &mut self.point;
            for u in &self.step_u {
                for l in 0..LANES {
                    small[l] &= u[l].abs() < T::one() && limits[l] >= T::one();
                }
            }
            for (u, du) in p.u.iter_mut().zip(&self.step_u) {
                for l in 0..LANES {
                    u[l] = if small[l] { u[l] + du[l] } else { u[l] };
                }
            }
            for mu in &mut p.mu[self.active..wanted] {
                for l in 0..LANES {
                    mu[l] = if small[l] { mu[l] } else { T::zero() };
                }
            }
            self.trial.mu.copy_from_slice(&p.mu);
            self.active = wanted;
            self.evaluate_point();
        }
        let (data, rows) = (&self.data, self.rows.as_ref().map(|rows| (rows, &self.targets[..])));
        Self::residuals(self.modes, data, rows, &self.alpha, self.active, &mut self.point);
    }

    /// Σh.
    fn norms(&self) -> Lanes<T> {
        let mut sums = [T::zero(); LANES];
        for h in &self.point.h {
            for l in 0..LANES {
                sums[l] += h[l];
            }
        }
        sums
    }

    /// Σ 1/φ''(h).
    fn scales(&mut self) -> Lanes<T> {
        let (n, h) = (self.modes.points, &mut self.split[0]);
        split_lanes(&self.point.h, n, h);
        core::array::from_fn(|l| self.legendre.scale(&h[l * n..(l + 1) * n]))
    }

    /// How far along the step φ* can be evaluated.
    fn step_limits(&mut self) -> Lanes<T> {
        let (n, [u, du]) = (self.modes.points, &mut self.split);
        split_lanes(&self.point.u, n, u);
        split_lanes(&self.step_u, n, du);
        let lane = |l: usize| l * n..(l + 1) * n;
        core::array::from_fn(|l| self.legendre.step_limit(&u[lane(l)], &du[lane(l)]))
    }

    /// The search along the step, in the lanes `on`; `true` where it succeeded.
    fn search_along_step(&mut self, mut on: [bool; LANES]) -> [bool; LANES] {
        let (slopes, mut t) = (self.slopes_at(&self.point), self.step_limits());
        let mut accepted = [false; LANES];
        for _ in 0..30 {
            let trial = self.advance(&t, &on);
            for l in 0..LANES {
                if !on[l] {
                    continue;
                }
                let slope = slopes[l].abs();
                accepted[l] = trial[l].is_finite() && trial[l] <= T::lit(0.5) * slope;
                on[l] = !accepted[l];
                if accepted[l] {
                    continue;
                }
                let secant = slopes[l] / (slopes[l] - trial[l]);
                let (low, high) = (T::lit(0.1), T::lit(0.5));
                let cut =
                    if secant > low { if secant < high { secant } else { high } } else { low };
                let mut longest = t[l];
                for ((du, h), grown) in self.step_u.iter().zip(&self.point.h).zip(&self.trial.h) {
                    let excess = du[l] * (grown[l] - h[l]) / slope;
                    if excess > T::one() && du[l] > T::zero() {
                        let back = t[l] - (T::lit(4.0) * excess).ln() / du[l];
                        longest = if back < longest { back } else { longest };
                    }
                }
                t[l] = if longest < t[l] && longest > low * t[l] { longest } else { t[l] * cut };
            }
            if !on.contains(&true) {
                break;
            }
        }
        accepted
    }

    /// Newton steps until ½‖r‖² ≤ tolerance·α·scale over the active modes in every lane.
    fn newton(&mut self, tolerance: T, progress: &mut Progress, max_iterations: usize) {
        let mut before = [T::zero(); LANES];
        loop {
            let (gaps, scales) = (self.point.gaps(self.active), self.scales());
            let mut will_do = true;
            let (mut near, mut stuck) = ([false; LANES], [const { Status::Stalled }; LANES]);
            for l in 0..LANES {
                let scale = self.alpha[l] * scales[l];
                near[l] = gaps[l] <= T::EPSILON.sqrt() * scale;
                if near[l] {
                    stuck[l] = Status::RoundingFloor;
                }
                let status = &mut progress.status[l];
                if status.is_none() {
                    *status = if gaps[l] <= tolerance * scale {
                        Some(Status::Converged)
                    } else if progress.stalled[l] == 2 {
                        Some(stuck[l].clone())
                    } else if progress.iterations[l] == max_iterations {
                        Some(Status::IterationLimit)
                    } else if !gaps[l].is_finite() {
                        Some(Status::NonFinite { stage: "the dual" })
                    } else {
                        None
                    };
                }
                let reached = before[l] * tolerance * scale;
                let enough = T::lit(CHORD_SAFETY) * gaps[l] * gaps[l] <= reached;
                will_do &= enough || status.is_some();
            }
            if progress.status.iter().all(Option::is_some) {
                return;
            }
            let sound = if will_do { [true; LANES] } else { self.factor() };
            before = if will_do { [T::zero(); LANES] } else { gaps };
            for l in 0..LANES {
                if progress.status[l].is_none() {
                    progress.iterations[l] += 1;
                    if !sound[l] {
                        let stage = "the dual's Newton matrix";
                        progress.status[l] = Some(Status::NonFinite { stage });
                    }
                }
            }
            self.step_mu[..self.active].copy_from_slice(&self.point.r_mu[..self.active]);
            self.step_nu.copy_from_slice(&self.point.r_nu);
            self.direction();
            let on = core::array::from_fn(|l| progress.status[l].is_none());
            let accepted = self.search_along_step(on);
            let trial = self.trial.gaps(self.active);
            let mut taken = [false; LANES];
            for l in (0..LANES).filter(|&l| on[l]) {
                if !accepted[l] || !trial[l].is_finite() {
                    progress.status[l] = Some(stuck[l].clone());
                } else if near[l] && trial[l] >= T::lit(0.3) * gaps[l] {
                    progress.stalled[l] += 1;
                    taken[l] = trial[l] < gaps[l];
                } else {
                    progress.stalled[l] = 0;
                    taken[l] = true;
                }
            }
            self.point.take(&self.trial, &taken);
            self.factored = false;
        }
    }

    /// The gaps over all modes, and χ².
    fn certify(&mut self) -> (Lanes<T>, Lanes<T>) {
        let (modes, active, p) = (self.modes, self.active, &self.point);
        lane_product_t(&modes.columns, modes.stride, &p.h, &mut self.fit);
        let mut chi2 = self.outside;
        for (f, g) in self.fit.iter_mut().zip(&self.data) {
            for l in 0..LANES {
                f[l] = g[l] - f[l];
                chi2[l] += f[l] * f[l];
                f[l] /= self.alpha[l];
            }
        }
        self.fit[..active].copy_from_slice(&p.mu[..active]);
        lane_product(&modes.columns, modes.stride, 0, &self.fit, &mut self.step_u);
        if let Some(rows) = &self.rows {
            rows.add_transposed_lanes(&p.nu, &mut self.step_u);
        }
        let du = self.step_u.as_flattened_mut().iter_mut();
        du.zip(p.u.as_flattened()).for_each(|(d, &u)| *d -= u);
        let (n, mut gaps) = (modes.points, p.gaps(active));
        let [h, du] = &mut self.split;
        split_lanes(&p.h, n, h);
        split_lanes(&self.step_u, n, du);
        for l in (0..LANES).filter(|&l| self.live[l]) {
            let (h, du) = (&h[l * n..(l + 1) * n], &du[l * n..(l + 1) * n]);
            gaps[l] += self.alpha[l] * self.legendre.divergence(h, du);
        }
        (gaps, chi2)
    }

    /// Moves all live lanes from their present iterates to the optima at `alpha`. A lane that does not
    /// get there is live no longer.
    pub(super) fn solve(
        &mut self,
        alpha: T,
        tolerance: T,
        max_iterations: usize,
    ) -> [Option<Outcome<T>>; LANES] {
        if self.factored {
            self.predict(alpha);
        }
        self.alpha = [alpha; LANES];
        self.factored = false;
        let idle = |live: bool| if live { None } else { Some(Status::Converged) };
        let mut progress =
            Progress { status: self.live.map(idle), stalled: [0; LANES], iterations: [0; LANES] };
        let mut cut = T::lit(CUT);
        let (gaps, chi2, scales) = loop {
            self.activate(cut);
            self.newton(T::lit(0.5) * tolerance, &mut progress, max_iterations);
            let ((gaps, chi2), scales) = (self.certify(), self.scales());
            let met = |l: usize| gaps[l] <= tolerance * alpha * scales[l];
            let missing = |l: &usize| {
                self.live[*l] && !met(*l) && progress.status[*l] == Some(Status::Converged)
            };
            let all = LaneCholesky::<T>::padded(self.modes.count);
            if self.active < all && (0..LANES).any(|l| missing(&l)) {
                cut *= T::lit(1e-3);
                let again: Vec<usize> = (0..LANES)
                    .filter(|&l| self.live[l] && progress.status[l] == Some(Status::Converged))
                    .collect();
                again.into_iter().for_each(|l| progress.status[l] = None);
                continue;
            }
            break (gaps, chi2, scales);
        };
        let sound = self.factor();
        let log_ratio = self.log_determinant_ratios();
        let trace = self.dense.trace_of_inverse();
        let (rows_value, norms) = (self.rows_values(), self.norms());
        let n = self.modes.points;
        let [u, h] = &mut self.split;
        split_lanes(&self.point.u, n, u);
        split_lanes(&self.point.h, n, h);
        let order = T::lit(self.active as f64);
        core::array::from_fn(|l| {
            let status = match progress.status[l].take()? {
                _ if !self.live[l] => return None,
                _ if gaps[l] <= tolerance * alpha * scales[l] => Status::Converged,
                Status::Converged => Status::RoundingFloor,
                other => other,
            };
            self.live[l] = sound[l] && gaps[l].is_finite() && status.is_success();
            if !self.live[l] {
                return None;
            }
            let (u, h) = (&u[l * n..(l + 1) * n], &h[l * n..(l + 1) * n]);
            let divergence = self.legendre.value_at(u, h);
            let value = alpha * divergence + rows_value[l];
            Some(Outcome {
                chi2: chi2[l],
                norm: norms[l],
                scale: scales[l],
                entropy: -divergence,
                gap: gaps[l],
                stationarity: T::INFINITY,
                n_good: order - alpha * trace[l],
                log_probability: log_ratio[l] - T::lit(0.5) * chi2[l] - value,
                active: self.active,
                left_out: T::zero(),
                iterations: progress.iterations[l],
                status,
            })
        })
    }

    /// ½‖Rh − c‖², from the residuals Rh − c + αν.
    fn rows_values(&self) -> Lanes<T> {
        let mut sums = [T::zero(); LANES];
        for (r, nu) in self.point.r_nu.iter().zip(&self.point.nu) {
            for l in 0..LANES {
                let value = r[l] - self.alpha[l] * nu[l];
                sums[l] += T::lit(0.5) * value * value;
            }
        }
        sums
    }

    /// ½ ln[det(α∇²φ)/det(whole Hessian)], where the Hessians are factored.
    fn log_determinant_ratios(&self) -> Lanes<T> {
        let dense = self.dense.log_determinant();
        let order = T::lit(self.active as f64);
        let mut twice = core::array::from_fn(|l| order * self.alpha[l].ln() - dense[l]);
        if self.rows.is_some() {
            // det ∇²φ/det M, a few factors (all ≤ 1) at a time.
            let inverse = self.band.inverse_diagonal();
            for (c, d) in self.curvature.chunks(4).zip(inverse.chunks(4)) {
                for l in 0..LANES {
                    let factors = c.iter().zip(d).map(|(c, d)| c[l] * d[l] * d[l]);
                    twice[l] += factors.fold(T::one(), |product, x| product * x).ln();
                }
            }
        }
        twice.map(|x| T::lit(0.5) * x)
    }

    /// The weights h of one lane.
    pub(super) fn weights(&self, lane: usize, out: &mut [T]) {
        out.iter_mut().zip(&self.point.h).for_each(|(o, h)| *o = h[lane]);
    }

    /// The state of one lane, as the dual for one data vector [saves](super::engine::Engine::save) it.
    pub(super) fn save(&self, lane: usize, state: &mut [T]) {
        let p = &self.point;
        let count = self.modes.count;
        (state[0], state[1]) = (self.alpha[lane], T::lit(self.active.min(count) as f64));
        let (mu, rest) = state[2..].split_at_mut(count);
        let (nu, u) = rest.split_at_mut(p.nu.len());
        for (to, from) in [(mu, &p.mu), (nu, &p.nu), (u, &p.u)] {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from[lane]);
        }
    }
}
