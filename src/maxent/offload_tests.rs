//! What a device has to do with many data vectors: what this machine does with each.

use super::dual::Dual;
use super::engine::Engine;
use super::modes::Projected;
use super::offload::{EntropicDual, FIGURES, ManyDuals, SOLVED_HERE, Wanted};
use crate::error::Result;
use crate::grid::FrequencyGrid;
use crate::kernel::{BosonTimeSymmetric, FermionMatsubara, FermionTime, Kernel};
use crate::linalg::{BandedRows, SymmetricBand};
use crate::maxent::{
    Bryan, Chi2Kink, Classic, FixedAlpha, KineticSearch, MaxEnt, MaxEntSolver, PreparedMaxEnt,
};
use crate::noise::Whitening;
use crate::prior::{Entropy, Prior};
use crate::problem::{ForwardModel, Problem};
use crate::solution::{Certificate, Solution, Solver, Status};
use nalgebra::{DMatrix, DVector};
use rand::{SeedableRng, rngs::ChaCha8Rng};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

/// A device of one's own: [`PreparedMaxEnt::solve_many`] by other means.
pub(crate) type Solve<'a> =
    &'a dyn Fn(&PreparedMaxEnt<f64>, &DMatrix<f64>) -> Result<Vec<Solution<f64>>>;

/// A device of this machine's own duals, three data vectors at a time.
struct Twin<'a> {
    dual: EntropicDual<'a, f64>,
    engine: Dual<'a, f64>,
    states: Vec<Vec<f64>>,
    data: Vec<Projected<f64>>,
}

impl Twin<'_> {
    fn step(&mut self, alpha: f64, tolerance: f64, figures: &mut Vec<f64>) -> bool {
        let o = self.engine.solve(alpha, tolerance, self.dual.max_iterations);
        let status = match o.status {
            Status::Converged => 0.0,
            Status::RoundingFloor => 1.0,
            _ => 2.0,
        };
        let (iterations, active) = (o.iterations as f64, o.active as f64);
        let [entropy, gap, n_good, log] = [o.entropy, o.gap, o.n_good, o.log_probability];
        figures.extend([status, iterations, active, o.chi2, o.norm, entropy, gap, n_good, log]);
        o.status.is_success()
    }
}

impl ManyDuals<f64> for Twin<'_> {
    fn capacity(&self) -> usize {
        3
    }

    fn descend(
        &mut self,
        data: &[f64],
        figures: &mut Vec<f64>,
        weights: &mut Vec<f64>,
    ) -> Result<()> {
        let (steps, modes) = (self.dual.alphas.len(), self.dual.modes);
        figures.clear();
        weights.clear();
        self.states.clear();
        let split = |g: &[f64]| Projected { data: g[..modes].to_vec(), outside: g[modes] };
        self.data = data.chunks_exact(modes + 1).map(split).collect();
        for i in 0..self.data.len() {
            self.engine.reset(&self.data[i]);
            for &alpha in self.dual.alphas {
                let tolerance = self.dual.ladder_tolerance;
                let converged = self.step(alpha, tolerance, figures);
                weights.extend(self.engine.weights());
                let mut state = vec![0.0; self.dual.state_len];
                self.engine.save(&mut state);
                self.states.push(state);
                if !converged {
                    break;
                }
            }
            // What is not reached says nothing.
            figures.resize((i + 1) * steps * FIGURES, f64::NAN);
            weights.resize((i + 1) * steps * self.dual.points, f64::NAN);
            self.states.resize((i + 1) * steps, Vec::new());
        }
        Ok(())
    }

    fn reach(
        &mut self,
        wanted: &[Wanted<f64>],
        figures: &mut Vec<f64>,
        states: &mut Vec<f64>,
    ) -> Result<()> {
        figures.clear();
        states.clear();
        for w in wanted {
            self.engine.reset(&self.data[w.problem]);
            let state = &self.states[w.problem * self.dual.alphas.len() + w.step];
            assert!(state[0] >= w.alpha || w.step == 0);
            self.engine.load(state);
            self.step(w.alpha, self.dual.tolerance, figures);
            let begin = states.len();
            states.resize(begin + self.dual.state_len, 0.0);
            self.engine.save(&mut states[begin..]);
        }
        Ok(())
    }
}

#[test]
fn a_device_gives_what_this_machine_gives() {
    battery(&|prepared, data| {
        let dual = prepared.entropic_dual()?;
        let engine = Dual::new(&prepared.objective, &prepared.modes);
        prepared.solve_with(&mut Twin { dual, engine, states: vec![], data: vec![] }, data)
    });
}

/// A model of some kernel, and noisy data of peaks that differ: the last of them too large, too small, of the wrong sign.
fn case(
    kernel: &dyn Kernel<f64>,
    axis: &[f64],
    grid: FrequencyGrid<f64>,
    sigma: f64,
    columns: usize,
) -> (Arc<ForwardModel<f64>>, DMatrix<f64>) {
    let rows = kernel.rows(axis.len());
    let whitening = Whitening::from_errors(&vec![sigma; rows]).unwrap();
    let model = ForwardModel::new(kernel, axis, &grid, whitening).unwrap();
    let (mut rng, span) = (ChaCha8Rng::seed_from_u64(9), grid.max() - grid.min());
    let mut data = DMatrix::zeros(rows, columns);
    for (l, mut column) in data.column_iter_mut().enumerate() {
        let place = |share: f64| grid.min() + share * span;
        let (centre, width) = (place(0.2 + 0.6 * l as f64 / columns as f64), 0.04 * span);
        let peak = |w: f64, c: f64| (-0.5 * ((w - c) / width).powi(2)).exp();
        let shape = |w: f64| peak(w, centre) + 0.5 * peak(w, place(0.3));
        let cells = grid.points().iter().zip(grid.weights());
        let mut a = DVector::from_iterator(grid.len(), cells.map(|(&w, &d)| shape(w) * d));
        a /= a.sum();
        let factor = match columns - l {
            1 if columns > 4 => 30.0,
            2 if columns > 4 => 1e-3,
            3 if columns > 4 => -1.0,
            _ => 1.0,
        };
        let noise = |g: f64| factor * g + sigma * <f64 as crate::Real>::standard_normal(&mut rng);
        column.copy_from(&(model.kernel() * a).map(noise));
    }
    (Arc::new(model), data)
}

fn times(count: usize, beta: f64) -> Vec<f64> {
    (0..count).map(|i| beta * i as f64 / (count - 1) as f64).collect()
}

/// Solved far enough that what differs is rounding.
fn sharp() -> MaxEnt<f64> {
    MaxEnt::default().ladder_tolerance(1e-18).tolerance(1e-15)
}

/// Whether a device's answers are those of `solve_many`.
fn compare(prepared: &PreparedMaxEnt<f64>, data: &DMatrix<f64>, solve: Solve<'_>) {
    let before = SOLVED_HERE.load(Ordering::Relaxed);
    let (expected, found) = (prepared.solve_many(data).unwrap(), solve(prepared, data).unwrap());
    // What this machine has to solve in its place shows nothing of a device: the three bad ones of a case at most, and
    // twice where the device is asked twice.
    let bad = if data.ncols() > 4 { 3 } else { 0 };
    let here = SOLVED_HERE.load(Ordering::Relaxed) - before;
    assert!(here <= 2 * bad, "{here} solved without the device");
    assert_eq!(found.len(), data.ncols());
    for (l, (x, y)) in expected.iter().zip(&found).enumerate() {
        let (a, b) = (x.report(), y.report());
        assert_eq!(a.status, b.status, "{l}");
        let (m, n) = (a.maxent.as_ref().unwrap(), b.maxent.as_ref().unwrap());
        assert_eq!(m.ladder.len(), n.ladder.len());
        for (s, t) in m.ladder.iter().zip(&n.ladder) {
            assert_eq!((s.alpha, s.converged), (t.alpha, t.converged));
            assert!((s.chi2 - t.chi2).abs() <= 1e-8 * s.chi2.max(1e-6), "{l}: {s:?} {t:?}");
            assert!((s.n_good - t.n_good).abs() <= 1e-5 * (1.0 + s.n_good), "{l}: {s:?} {t:?}");
            let scale = a.norm + s.entropy.abs();
            assert!((s.entropy - t.entropy).abs() <= 1e-7 * scale, "{l}: {s:?} {t:?}");
            let (p, q) = (s.log_probability, t.log_probability);
            assert!((p - q).abs() <= 1e-5 * (1.0 + p.abs()), "{l}: {s:?} {t:?}");
            // As far as what is asked for, or rounding, allows.
            assert!(t.gap <= 10.0 * s.gap.max(1e-14 * t.alpha * a.norm), "{l}: {s:?} {t:?}");
        }
        let shift = (m.alpha / n.alpha - 1.0).abs();
        assert!(shift < 1e-6, "{l}: {} {}", m.alpha, n.alpha);
        assert!((m.n_good - n.n_good).abs() <= 1e-5 * (1.0 + m.n_good), "{l}");
        assert_eq!(m.averaged, n.averaged);
        let bound = |c: &Certificate<f64>| match c {
            Certificate::Gap { l1_bound, .. } => l1_bound.unwrap(),
            other => panic!("{other:?}"),
        };
        let pairs = x.spectrum().weights().into_iter().zip(y.spectrum().weights());
        let l1: f64 = pairs.map(|(x, y)| (x - y).abs()).sum();
        let (p, q) = (bound(&a.certificate), bound(&b.certificate));
        assert!(q <= 10.0 * p.max(1e-7 * a.norm), "{l}: bounds {p:e} and {q:e}");
        // A rule that interpolates shifts α by rounding.
        assert!(l1 <= p + q + shift * a.norm, "{l}: {l1:e}, {p:e}, {q:e}, {shift:e}");
        assert!(l1 <= 1e-8 * a.norm.max(1.0), "{l}: {l1:e}");
    }
}

/// Everything a device that walks ladders has to show.
pub(crate) fn battery(solve: Solve<'_>) {
    let fermions = FermionTime::new(10.0).unwrap();
    let grid = |points| FrequencyGrid::uniform(-3.0, 3.0, points).unwrap();
    // Rules, and numbers that are multiples of nothing.
    let (model, data) = case(&fermions, &times(30, 10.0), grid(37), 1e-4, 11);
    let base = sharp().ladder_points(30);
    for solver in [
        base.clone(),
        base.clone().alpha(Chi2Kink::default()),
        base.clone().alpha(Classic),
        base.clone().alpha(Bryan),
        base.clone().alpha(FixedAlpha(50.0)),
        base.clone().preblur(0.3),
        base.clone().kinetic(1.0),
        base.clone().kinetic(0.1).prior(2.0, Arc::new(Ripple)).alpha(FixedAlpha(3.0)),
    ] {
        compare(&solver.prepare(&model).unwrap(), &data, solve);
    }
    // Few of everything; more frequencies than a block of 64 threads likes; other kernels and grids.
    let (model, data) = case(&fermions, &times(2, 10.0), grid(4), 1e-2, 2);
    compare(&base.prepare(&model).unwrap(), &data, solve);
    let (model, data) = case(&fermions, &times(41, 10.0), grid(131), 1e-5, 3);
    compare(&base.prepare(&model).unwrap(), &data, solve);
    compare(&base.clone().kinetic(10.0).prepare(&model).unwrap(), &data, solve);
    let axis: Vec<f64> =
        (0..24).map(|n| (2 * n + 1) as f64 * core::f64::consts::PI / 10.0).collect();
    let (model, data) = case(&FermionMatsubara, &axis, grid(50), 1e-4, 5);
    compare(&base.clone().default_model(gaussian()).prepare(&model).unwrap(), &data, solve);
    let positive = FrequencyGrid::uniform(0.0, 4.0, 33).unwrap();
    let bosons = BosonTimeSymmetric::new(6.0).unwrap();
    let (model, data) = case(&bosons, &times(20, 3.0), positive, 1e-3, 4);
    compare(&base.prepare(&model).unwrap(), &data, solve);
    failures(solve);
    refusals(solve);
}

/// A quadratic prior with targets, whose rows leave frequencies out: ½ Σ (h_j − 2h_{j+2} − 0.01)².
#[derive(Debug)]
struct Ripple;

impl Ripple {
    fn rows_of() -> &'static (BandedRows<f64>, Vec<f64>) {
        static ROWS: OnceLock<(BandedRows<f64>, Vec<f64>)> = OnceLock::new();
        ROWS.get_or_init(|| {
            let first: Vec<usize> = (0..35).step_by(3).collect();
            let values = [1.0, 0.0, -2.0].repeat(first.len());
            let targets = vec![0.01; first.len()];
            (BandedRows::new(37, 3, first, values).unwrap(), targets)
        })
    }

    /// weight·(Rh − c).
    fn misses(h: &[f64], weight: f64) -> Vec<f64> {
        let (rows, targets) = Self::rows_of();
        let mut values = vec![0.0; targets.len()];
        rows.apply(h, &mut values);
        values.iter_mut().zip(targets).for_each(|(v, c)| *v = weight * (*v - c));
        values
    }
}

impl Prior<f64> for Ripple {
    fn dim(&self) -> usize {
        37
    }

    fn value(&self, h: &[f64]) -> f64 {
        Self::misses(h, 1.0).iter().map(|v| 0.5 * v * v).sum()
    }

    fn add_gradient(&self, h: &[f64], weight: f64, out: &mut [f64]) {
        Self::rows_of().0.add_transposed(&Self::misses(h, weight), out);
    }

    fn add_hessian(&self, _: &[f64], weight: f64, out: &mut SymmetricBand<f64>) {
        Self::rows_of().0.add_hessian(weight, out);
    }

    fn bandwidth(&self) -> usize {
        2
    }

    fn is_convex(&self) -> bool {
        true
    }

    fn rows(&self) -> Option<&BandedRows<f64>> {
        Some(&Self::rows_of().0)
    }

    fn targets(&self) -> &[f64] {
        &Self::rows_of().1
    }
}

fn gaussian() -> crate::DefaultModel<f64> {
    crate::DefaultModel::Gaussian { centre: 0.3, width: 1.0 }
}

/// What fails alone fails with the same words among others, and disturbs none.
fn failures(solve: Solve<'_>) {
    let fermions = FermionTime::new(10.0).unwrap();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 37).unwrap();
    let (model, mut data) = case(&fermions, &times(30, 10.0), grid, 1e-4, 4);
    let prepared = sharp().ladder_points(20).prepare(&model).unwrap();
    let good = solve(&prepared, &data).unwrap();
    // Far beyond what exponents reach.
    data.column_mut(1).scale_mut(1e120);
    let found = solve(&prepared, &data).unwrap();
    let single = |prepared: &PreparedMaxEnt<f64>, l: usize| {
        let problem = Problem::from_model(Arc::clone(&model), data.column(l).as_slice()).unwrap();
        prepared.solve(&problem).unwrap()
    };
    assert!(!found[1].report().status.is_success());
    assert_eq!(found[1].report(), single(&prepared, 1).report());
    for l in [0, 2, 3] {
        assert!(found[l] == good[l], "{l}");
    }
    // With one iteration for each α none gets to the end.
    let hasty = MaxEnt::default().max_iterations(1).prepare(&model).unwrap();
    for (l, found) in solve(&hasty, &data).unwrap().iter().enumerate() {
        assert_eq!(*found, single(&hasty, l));
    }
    assert!(solve(&prepared, &DMatrix::zeros(30, 0)).unwrap().is_empty());
}

/// Bad data, and what only this machine does, are named.
fn refusals(solve: Solve<'_>) {
    let fermions = FermionTime::new(10.0).unwrap();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 20).unwrap();
    let (model, data) = case(&fermions, &times(12, 10.0), grid, 1e-3, 3);
    let refused = |solver: MaxEnt<f64>, data: &DMatrix<f64>, words: &[&str]| {
        let message = solve(&solver.prepare(&model).unwrap(), data).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    let mut bad = data.clone();
    bad[(3, 1)] = f64::NAN;
    refused(MaxEnt::default(), &bad, &["`data`"]);
    refused(MaxEnt::default(), &data.rows(0, 11).into_owned(), &["`data`", "the kernel's rows"]);
    let entropy = Arc::new(Entropy::new(vec![0.05; 20]).unwrap());
    for (solver, word) in [
        (MaxEnt::default().kinetic_search(KineticSearch::default()), "chosen from the data"),
        (MaxEnt::default().prior(1.0, entropy.clone()), "not quadratic"),
        (MaxEnt::default().scaled_prior(entropy), "in place of the entropy"),
        (MaxEnt::default().fix_norm(true), "a fixed norm"),
        (MaxEnt::default().solver(MaxEntSolver::Primal), "the primal solver"),
    ] {
        refused(solver, &data, &[word, "`Cpu`"]);
    }
}
