//! The active set of non-negative least squares on the normal equations.
//!
//! Block principal pivoting (Portugal, Júdice and Vicente, *Math. Comput.* 63, 625 (1994); Kim and Park,
//! *SIAM J. Sci. Comput.* 33, 3261 (2011)) exchanges all variables that violate a condition at once: a
//! handful of factorisations where it works. Where the violations stop becoming fewer, the method of
//! Lawson and Hanson (1974, ch. 23) goes on from the point reached, one variable at a time and with a
//! falling objective, which ends always.

use crate::linalg::{Cholesky, dispatch, dot};
use crate::real::Real;
use crate::solution::Status;

/// Exchanges without fewer violations before the method of Lawson and Hanson takes over.
const PATIENCE: usize = 3;

/// Workspace for min ½ xᵀHx − b·x over x ≥ 0, H symmetric and positive (semi)definite of order n.
#[derive(Debug, Clone)]
pub(super) struct ActiveSet<T> {
    /// x.
    pub(super) x: Vec<T>,
    /// b − Hx.
    w: Vec<T>,
    /// Minimiser over the passive variables, in their order.
    z: Vec<T>,
    /// The variables that are free to be positive, ascending.
    passive: Vec<usize>,
    is_passive: Vec<bool>,
    cholesky: Cholesky<T>,
    /// Whether rounding made the last factored matrix indefinite.
    jitter: bool,
    /// Variables that rounding alone would make passive.
    barred: Vec<bool>,
    factorisations: usize,
}

impl<T: Real> ActiveSet<T> {
    pub(super) fn new(n: usize) -> Self {
        ActiveSet {
            x: vec![T::zero(); n],
            w: vec![T::zero(); n],
            z: Vec::with_capacity(n),
            passive: Vec::with_capacity(n),
            is_passive: vec![false; n],
            cholesky: Cholesky::new(n),
            jitter: false,
            barred: vec![false; n],
            factorisations: 0,
        }
    }

    /// Solves with H = `gram` (n × n) from a guess of the passive variables: those where `guess` is
    /// positive. Leaves the answer in `x`; returns how it ended and the number of factorisations.
    pub(super) fn solve(&mut self, gram: &[T], b: &[T], guess: &[T]) -> (Status, usize) {
        let n = b.len();
        (self.jitter, self.factorisations) = (false, 0);
        self.x.copy_from_slice(guess);
        self.take_support();
        let converged = match self.exchange(gram, b) {
            Some(true) => Some(true),
            Some(false) => self.descend(gram, b, 30 * n + 100),
            None => None,
        };
        let status = match converged {
            None => Status::NonFinite { stage: "the normal equations" },
            Some(false) => Status::IterationLimit,
            Some(true) if self.jitter => Status::RoundingFloor,
            Some(true) => Status::Converged,
        };
        if converged.is_none() {
            self.x.fill(T::zero());
        }
        (status, self.factorisations)
    }

    /// tr H_PP⁻¹ over the passive variables of the last solution.
    pub(super) fn trace_of_inverse(&mut self) -> T {
        if self.passive.is_empty() { T::zero() } else { self.cholesky.trace_of_inverse() }
    }

    /// 1ᵀH_PP⁻¹1 over the passive variables of the last solution: what their sum gains for every unit added to b.
    pub(super) fn sum_of_inverse(&mut self) -> T {
        self.z.fill(T::one());
        if !self.passive.is_empty() {
            self.cholesky.solve(&mut self.z);
        }
        self.z.iter().copied().sum()
    }

    /// The number of passive variables of the last solution.
    pub(super) fn support(&self) -> usize {
        self.passive.len()
    }

    /// Passive variables: the positive ones.
    fn take_support(&mut self) {
        for (passive, &x) in self.is_passive.iter_mut().zip(&self.x) {
            *passive = x > T::zero();
        }
        self.list_passive();
    }

    fn list_passive(&mut self) {
        self.passive.clear();
        self.passive.extend((0..self.x.len()).filter(|&i| self.is_passive[i]));
    }

    /// z = H_PP⁻¹ b_P. `None` if that is not finite.
    fn minimise(&mut self, gram: &[T], b: &[T]) -> Option<()> {
        let n = b.len();
        let (passive, z) = (&self.passive, &mut self.z);
        z.clear();
        z.extend(passive.iter().map(|&i| b[i]));
        self.factorisations += 1;
        self.jitter = false;
        if passive.is_empty() {
            return Some(());
        }
        self.cholesky.set_principal(passive, gram, n);
        self.jitter = self.cholesky.factor()? > T::zero();
        self.cholesky.solve(z);
        z.iter().all(|z| z.is_finite()).then_some(())
    }

    /// x = z on the passive variables, 0 elsewhere; w = b − Hx. Returns the rounding of w.
    fn evaluate(&mut self, gram: &[T], b: &[T]) -> T {
        let n = b.len();
        self.x.fill(T::zero());
        for (&i, &z) in self.passive.iter().zip(&self.z) {
            self.x[i] = z;
        }
        let (x, w) = (&self.x, &mut self.w);
        dispatch(|| {
            for i in 0..n {
                w[i] = b[i] - dot(&gram[i * n..][..n], x);
            }
        });
        let (mut right, mut diagonal) = (T::zero(), T::zero());
        for i in 0..n {
            right = right.max(b[i].abs());
            diagonal = diagonal.max(gram[i * n + i]);
        }
        let size: T = self.z.iter().map(|z| z.abs()).sum();
        T::lit(4.0) * T::EPSILON * (right + diagonal * size)
    }

    /// Block principal pivoting. `Some(false)` if it does not get on.
    fn exchange(&mut self, gram: &[T], b: &[T]) -> Option<bool> {
        let (mut least, mut patience) = (usize::MAX, PATIENCE);
        loop {
            self.minimise(gram, b)?;
            let rounding = self.evaluate(gram, b);
            let violates = |passive: bool, x: T, w: T| {
                if passive { x < T::zero() } else { w > rounding }
            };
            let mut violations = 0;
            for i in 0..b.len() {
                if violates(self.is_passive[i], self.x[i], self.w[i]) {
                    violations += 1;
                }
            }
            if violations == 0 {
                return Some(true);
            }
            if violations < least {
                (least, patience) = (violations, PATIENCE);
            } else if patience == 0 {
                return Some(false);
            } else {
                patience -= 1;
            }
            for i in 0..b.len() {
                if violates(self.is_passive[i], self.x[i], self.w[i]) {
                    self.is_passive[i] = !self.is_passive[i];
                }
            }
            self.list_passive();
        }
    }

    /// Lawson and Hanson from the positive part of x. `Some(false)` at the limit of factorisations.
    fn descend(&mut self, gram: &[T], b: &[T], limit: usize) -> Option<bool> {
        self.take_support();
        self.barred.fill(false);
        let mut entered: Option<usize> = None;
        loop {
            // The minimum over the passive variables, by steps that keep x feasible.
            loop {
                self.minimise(gram, b)?;
                let mut step = T::one();
                for (&i, &z) in self.passive.iter().zip(&self.z) {
                    if z <= T::zero() {
                        step = step.min(self.x[i] / (self.x[i] - z));
                    }
                }
                if step == T::one() && self.z.iter().all(|&z| z > T::zero()) {
                    break;
                }
                for (&i, &z) in self.passive.iter().zip(&self.z) {
                    let at_bound = z <= T::zero() && self.x[i] / (self.x[i] - z) <= step;
                    let x = self.x[i];
                    self.x[i] = x + step * (z - x);
                    self.is_passive[i] = !at_bound && self.x[i] > T::zero();
                }
                self.clear_active();
            }
            match entered {
                Some(i) if !self.is_passive[i] => self.barred[i] = true,
                _ => self.barred.fill(false),
            }
            let rounding = self.evaluate(gram, b);
            let (mut best, mut largest) = (None, rounding);
            for i in 0..b.len() {
                if !self.is_passive[i] && !self.barred[i] && self.w[i] > largest {
                    (best, largest) = (Some(i), self.w[i]);
                }
            }
            let Some(entering) = best else { return Some(true) };
            if self.factorisations > limit {
                return Some(false);
            }
            entered = best;
            // At 0 it would count as a bound that is met; the step it is about to make is positive.
            self.is_passive[entering] = true;
            self.x[entering] = T::MIN_POSITIVE;
            self.list_passive();
        }
    }

    /// x = 0 on the variables that are no longer passive.
    fn clear_active(&mut self) {
        for (x, &passive) in self.x.iter_mut().zip(&self.is_passive) {
            if !passive {
                *x = T::zero();
            }
        }
        self.list_passive();
    }
}
