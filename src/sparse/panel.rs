//! ISTA and FISTA for many data vectors of one kernel at once.
//!
//! A panel holds sixteen problems with the batch index contiguous, so that a gradient is one product of KᵀK
//! with a panel that stays in the first-level cache, and momenta, restarts and residuals are vectors along
//! the batch. (A general product of matrices spends half its time on packing panels this small.)

use crate::linalg::{Vectorise, dispatch, has_fused_multiply_add};
use crate::prox::Prox;
use crate::real::Real;
use crate::solution::Status;

/// When the columns of a panel are done.
#[derive(Debug, Clone, Copy)]
pub(super) struct PanelLimits<T> {
    /// Of ‖Kᵀg‖∞.
    pub(super) tolerance: T,
    pub(super) max_iterations: usize,
    pub(super) accelerated: bool,
}

/// Problems a panel.
pub(super) const WIDTH: usize = 16;

/// One element of each problem.
type Row<T> = [T; WIDTH];

/// Rows of KᵀK that are multiplied together, for reuse of the panel's rows.
const ROWS: usize = 4;

/// Up to [`WIDTH`] problems under way; the places of missing ones hold zeros.
#[derive(Debug)]
pub(super) struct Panel<'a, T> {
    /// KᵀK, n × n.
    gram: &'a [T],
    /// Kᵀg.
    b: Vec<Row<T>>,
    x: Vec<Row<T>>,
    previous: Vec<Row<T>>,
    /// The extrapolated point y.
    y: Vec<Row<T>>,
    /// y − t∇(y).
    forward: Vec<Row<T>>,
    momentum: Momentum<T>,
}

/// Nesterov's sequence of each problem, and the sums that steer it.
#[derive(Debug)]
struct Momentum<T> {
    t: Row<T>,
    factor: Row<T>,
    /// (y − x⁺)·(x⁺ − x).
    uphill: Row<T>,
    /// ‖x⁺ − y‖².
    moved: Row<T>,
}

impl<'a, T: Real> Panel<'a, T> {
    /// For columns `b` = Kᵀg of `n` elements, one after another, starting at zero.
    pub(super) fn new(gram: &'a [T], n: usize, b: &[T]) -> Self {
        let zeros = vec![[T::zero(); WIDTH]; n];
        let mut panel = zeros.clone();
        for (column, b) in b.chunks_exact(n).enumerate() {
            for (row, &b) in panel.iter_mut().zip(b) {
                row[column] = b;
            }
        }
        Panel {
            gram,
            b: panel,
            x: zeros.clone(),
            previous: zeros.clone(),
            y: zeros.clone(),
            forward: zeros,
            momentum: Momentum {
                t: [T::one(); WIDTH],
                factor: [T::zero(); WIDTH],
                uphill: [T::zero(); WIDTH],
                moved: [T::zero(); WIDTH],
            },
        }
    }

    /// Iterates until each problem has converged once; writes its iterate there (of the last step, if it has
    /// not) to `weights`. `step` is (t, L, λ).
    pub(super) fn solve(
        mut self,
        prox: &impl Prox<T>,
        step: (T, T, T),
        limits: &PanelLimits<T>,
        weights: &mut [T],
    ) -> Vec<(Status, usize)> {
        let n = self.b.len();
        let batch = weights.len() / n;
        let (t, lipschitz, lambda) = step;
        let mut ends = vec![None; batch];
        let mut open = batch;
        // The residual (1/t + L)‖x⁺ − y‖ against tolerance·‖Kᵀg‖∞, both squared.
        let bounds: Row<T> = core::array::from_fn(|c| {
            let scale = self.b.iter().fold(T::zero(), |m, row| m.max(row[c].abs()));
            let bound = limits.tolerance * scale / (T::one() / t + lipschitz);
            bound * bound
        });
        for iteration in 1..=limits.max_iterations {
            self.step(prox, t, t * lambda);
            for c in 0..batch {
                let moved = self.momentum.moved[c];
                if moved > bounds[c] || ends[c].is_some() {
                    continue;
                }
                if moved.is_finite() {
                    self.write(c, weights);
                    ends[c] = Some((Status::Converged, iteration));
                } else {
                    ends[c] = Some((Status::NonFinite { stage: "an iterate" }, iteration));
                }
                open -= 1;
            }
            if open == 0 {
                break;
            }
            self.momentum.advance(limits.accelerated);
        }
        for c in (0..batch).filter(|&c| ends[c].is_none()) {
            self.write(c, weights);
        }
        let limit = (Status::IterationLimit, limits.max_iterations);
        ends.into_iter().map(|end| end.unwrap_or(limit.clone())).collect()
    }

    fn write(&self, column: usize, weights: &mut [T]) {
        let n = self.x.len();
        for (a, row) in weights[column * n..][..n].iter_mut().zip(&self.x) {
            *a = row[column];
        }
    }

    fn step(&mut self, prox: &impl Prox<T>, t: T, gamma: T) {
        let forward = Forward::<T, true> {
            gram: self.gram,
            step_size: t,
            factor: &self.momentum.factor,
            b: &self.b,
            x: &self.x,
            previous: &self.previous,
            y: &mut self.y,
            forward: &mut self.forward,
        };
        if has_fused_multiply_add() {
            dispatch(forward);
        } else {
            dispatch(forward.unfused());
        }
        core::mem::swap(&mut self.x, &mut self.previous);
        prox.prox_into(self.forward.as_flattened(), gamma, self.x.as_flattened_mut());
        dispatch(Measure {
            momentum: &mut self.momentum,
            y: &self.y,
            x: &self.x,
            previous: &self.previous,
        });
    }
}

impl<T: Real> Momentum<T> {
    /// The factors of the next step; a column whose momentum points uphill starts afresh.
    fn advance(&mut self, accelerated: bool) {
        if !accelerated {
            return;
        }
        let half = T::lit(0.5);
        for c in 0..WIDTH {
            if self.uphill[c] > T::zero() {
                self.t[c] = T::one();
                self.factor[c] = T::zero();
            } else {
                let next = half + (half * half + self.t[c] * self.t[c]).sqrt();
                self.factor[c] = (self.t[c] - T::one()) / next;
                self.t[c] = next;
            }
        }
    }
}

/// y = x + factor (x − previous), then y − t (KᵀK y − b).
struct Forward<'a, T, const FUSED: bool> {
    gram: &'a [T],
    step_size: T,
    factor: &'a Row<T>,
    b: &'a [Row<T>],
    x: &'a [Row<T>],
    previous: &'a [Row<T>],
    y: &'a mut [Row<T>],
    forward: &'a mut [Row<T>],
}

impl<'a, T> Forward<'a, T, true> {
    fn unfused(self) -> Forward<'a, T, false> {
        let Forward { gram, step_size, factor, b, x, previous, y, forward } = self;
        Forward { gram, step_size, factor, b, x, previous, y, forward }
    }
}

impl<T: Real, const FUSED: bool> Vectorise for Forward<'_, T, FUSED> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (n, t, factor) = (self.b.len(), self.step_size, *self.factor);
        for ((y, x), previous) in self.y.iter_mut().zip(self.x).zip(self.previous) {
            for c in 0..WIDTH {
                y[c] = x[c] + factor[c] * (x[c] - previous[c]);
            }
        }
        let y = &*self.y;
        let add_product = |sum: &mut T, h: T, y: T| {
            *sum = if FUSED { h.mul_add(y, *sum) } else { *sum + h * y };
        };
        for i0 in (0..n).step_by(ROWS) {
            // The last rows overlap those before where ROWS does not divide n.
            let i0 = i0.min(n.saturating_sub(ROWS));
            let rows = ROWS.min(n);
            let mut sums = [[T::zero(); WIDTH]; ROWS];
            if rows == ROWS {
                // KᵀK is symmetric: its columns i0…, contiguous in j as rows.
                let (h0, h) = self.gram[i0 * n..][..ROWS * n].split_at(n);
                let (h1, h) = h.split_at(n);
                let (h2, h3) = h.split_at(n);
                let [s0, s1, s2, s3] = &mut sums;
                for ((((y, &h0), &h1), &h2), &h3) in y.iter().zip(h0).zip(h1).zip(h2).zip(h3) {
                    for c in 0..WIDTH {
                        add_product(&mut s0[c], h0, y[c]);
                        add_product(&mut s1[c], h1, y[c]);
                        add_product(&mut s2[c], h2, y[c]);
                        add_product(&mut s3[c], h3, y[c]);
                    }
                }
            } else {
                for (r, sum) in sums.iter_mut().enumerate().take(rows) {
                    for (y, &h) in y.iter().zip(&self.gram[(i0 + r) * n..]) {
                        for c in 0..WIDTH {
                            add_product(&mut sum[c], h, y[c]);
                        }
                    }
                }
            }
            let out = self.forward[i0..].iter_mut().zip(&self.b[i0..]).zip(&y[i0..]);
            for (((z, b), y), sum) in out.zip(&sums).take(rows) {
                for c in 0..WIDTH {
                    z[c] = y[c] - t * (sum[c] - b[c]);
                }
            }
        }
    }
}

/// The sums of a step.
struct Measure<'a, T> {
    momentum: &'a mut Momentum<T>,
    y: &'a [Row<T>],
    x: &'a [Row<T>],
    previous: &'a [Row<T>],
}

impl<T: Real> Vectorise for Measure<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (mut uphill, mut moved) = ([T::zero(); WIDTH], [T::zero(); WIDTH]);
        for ((y, x), previous) in self.y.iter().zip(self.x).zip(self.previous) {
            for c in 0..WIDTH {
                let back = y[c] - x[c];
                uphill[c] += back * (x[c] - previous[c]);
                moved[c] += back * back;
            }
        }
        self.momentum.uphill = uphill;
        self.momentum.moved = moved;
    }
}
