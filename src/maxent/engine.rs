//! What the two solvers have in common: an iteration that holds the optimum at one α and moves to
//! another, and the Schur complement both need.

use super::modes::{Modes, Projected};
use super::objective::Objective;
use crate::linalg::{BandCholesky, Cholesky, SymmetricBand, dot, sum_of_logarithms, vectorised};
use crate::real::Real;
use crate::solution::Status;

/// The optimum at one α, as far as it was reached.
#[derive(Debug, Clone)]
pub(super) struct Outcome<T> {
    pub(super) chi2: T,
    /// Σh.
    pub(super) norm: T,
    /// What gaps are divided by, Σ 1/φ''(h): for Skilling's entropy Σh.
    pub(super) scale: T,
    /// Entropy S, minus the value of the scaled prior.
    pub(super) entropy: T,
    /// Bound on objective − minimum over all modes; infinite where the priors allow none.
    pub(super) gap: T,
    /// Euclidean norm of the objective's gradient with respect to u = ∇φ(h), for Skilling's entropy ln h; infinite
    /// from the duals, whose certificate is the gap.
    pub(super) stationarity: T,
    pub(super) n_good: T,
    /// ln P(α|g) per d ln α, up to a constant.
    pub(super) log_probability: T,
    /// Modes in the Newton matrix.
    pub(super) active: usize,
    /// What the gap holds for the modes left out of it, and for rounding.
    pub(super) left_out: T,
    pub(super) iterations: usize,
    pub(super) status: Status,
}

/// An iteration for the minimum of ½‖g − Bh‖² + α·scaled + Σ weight·prior.
pub(super) trait Engine<T: Real>: Send {
    fn name(&self) -> &'static str;

    /// Puts other data in, and goes back to the minimum of the scaled prior, the optimum at infinite α.
    fn reset(&mut self, data: &Projected<T>);

    /// Moves from the present iterate to the optimum at `alpha`: gap ≤ tolerance·α·scale.
    fn solve(&mut self, alpha: T, tolerance: T, max_iterations: usize) -> Outcome<T>;

    /// The weights h of the present iterate.
    fn weights(&self) -> &[T];

    /// Length of the state handed to [`save`](Self::save) and [`load`](Self::load).
    fn state_len(&self) -> usize;

    fn save(&self, state: &mut [T]);

    fn load(&mut self, state: &[T]);
}

/// S = αI + B M⁻¹Bᵀ over the leading modes, with M = (Hessian of the priors)/α banded: eliminating the
/// weights costs no more than a diagonal would, O(N_ω s²).
///
/// Where Σh is fixed, M⁻¹ stands for the inverse on the plane Σ dh = 0, M⁻¹ − M⁻¹11ᵀM⁻¹/(1ᵀM⁻¹1): with L of
/// M = LLᵀ it is L⁻ᵀ(I − qqᵀ)L⁻¹, q = L⁻¹1/‖L⁻¹1‖.
#[derive(Debug, Clone)]
pub(super) struct Schur<T> {
    alpha: T,
    modes: usize,
    /// M, to be filled before [`factor`](Self::factor).
    pub(super) m: SymmetricBand<T>,
    /// L of M = LLᵀ.
    pub(super) band: BandCholesky<T>,
    /// Z = L⁻¹Bᵀ, N_ω × stride; (I − qqᵀ)L⁻¹Bᵀ where Σh is fixed.
    z: Vec<T>,
    dense: Cholesky<T>,
    /// q, and Zᵀq; empty where Σh is free.
    q: Vec<T>,
    ztq: Vec<T>,
    /// 1ᵀM⁻¹1.
    plane: T,
}

impl<T: Real> Schur<T> {
    pub(super) fn new(modes: &Modes<T>, m: SymmetricBand<T>, fixes_sum: bool) -> Self {
        let if_fixed = |n: usize| if fixes_sum { vec![T::zero(); n] } else { Vec::new() };
        Schur {
            q: if_fixed(m.order()),
            ztq: if_fixed(modes.stride),
            plane: T::one(),
            alpha: T::zero(),
            modes: 0,
            band: BandCholesky::new(m.order(), m.bandwidth()),
            m,
            z: vec![T::zero(); modes.points * modes.stride],
            dense: Cholesky::new(modes.count),
        }
    }

    /// Factors M. `false` if it is not positive definite.
    pub(super) fn factor_band(&mut self) -> bool {
        let definite = self.band.factor(&self.m);
        if definite && !self.q.is_empty() {
            self.q.fill(T::one());
            self.band.forward(&mut self.q);
            self.plane = dot(&self.q, &self.q);
            let length = self.plane.sqrt();
            self.q.iter_mut().for_each(|q| *q /= length);
        }
        definite
    }

    /// Factors M and S. `false` if M is not positive definite or a value is not finite.
    pub(super) fn factor(&mut self, modes: &Modes<T>, active: usize, alpha: T) -> bool {
        (self.alpha, self.modes) = (alpha, active);
        if !self.factor_band() {
            return false;
        }
        self.band.forward_panel(&modes.columns, modes.stride, active, &mut self.z);
        if !self.q.is_empty() {
            self.ztq.fill(T::zero());
            for (row, &q) in self.z.chunks_exact(modes.stride).zip(&self.q) {
                self.ztq.iter_mut().zip(&row[..active]).for_each(|(t, &z)| *t += q * z);
            }
            for (row, &q) in self.z.chunks_exact_mut(modes.stride).zip(&self.q) {
                row[..active].iter_mut().zip(&self.ztq).for_each(|(z, &t)| *z -= q * t);
            }
        }
        self.dense.set_gram(active, alpha, &self.z);
        self.dense.factor().is_some()
    }

    /// Overwrites `b` with S⁻¹b.
    pub(super) fn solve(&self, b: &mut [T]) {
        self.dense.solve(b);
    }

    /// v −= q qᵀv for a v = L⁻¹b, where Σh is fixed. Returns the m for which what is left is L⁻¹(b − m1).
    pub(super) fn project(&self, v: &mut [T]) -> T {
        if self.q.is_empty() {
            return T::zero();
        }
        let along = dot(&self.q, v);
        for (v, &q) in v.iter_mut().zip(&self.q) {
            *v -= q * along;
        }
        along / self.plane.sqrt()
    }

    /// out += Zᵀ y.
    pub(super) fn add_zt(&self, y: &[T], out: &mut [T]) {
        add_rows(&self.z, self.dense.stride(), y, out);
    }

    /// y = Z x − y.
    pub(super) fn z_minus(&self, x: &[T], y: &mut [T]) {
        products_minus(&self.z, self.dense.stride(), x, y);
    }

    /// ½ ln[det(α∇²φ)/det(whole Hessian)] at `h`, where M is factored. The whole Hessian is αM + BᵀB, of
    /// determinant αⁿ det M det(S/α); on the plane of fixed Σh that of M is det M·1ᵀM⁻¹1 (up to a constant).
    pub(super) fn log_determinant_ratio(&mut self, objective: &Objective<T>, h: &[T]) -> T {
        let mut twice = T::lit(self.modes as f64) * self.alpha.ln() - self.dense.log_determinant();
        if !objective.fixed.is_empty() {
            let n = self.m.order();
            twice -= self.band.log_determinant();
            self.m.clear();
            objective.scaled.add_hessian(&h[..n], T::one(), &mut self.m);
            twice += sum_of_logarithms((0..n).map(|j| self.m.get(j, j)));
            if !self.q.is_empty() {
                twice += objective.scaled.scale(&h[..n]).ln() - self.plane.ln();
            }
        }
        T::lit(0.5) * twice
    }

    /// N_good = tr[Λ(α + Λ)⁻¹] with Λ the eigenvalues of B M⁻¹Bᵀ: the number of good data.
    pub(super) fn n_good(&mut self) -> T {
        T::lit(self.modes as f64) - self.alpha * self.dense.trace_of_inverse()
    }
}

vectorised! {
    /// out += Σ_j y_j z_j over the rows z_j of a matrix, `stride` apart.
    fn add_rows<'a, T>(z: &'a [T], stride: usize, y: &'a [T], out: &'a mut [T]) -> () {
        for (row, &y) in z.chunks_exact(stride).zip(y) {
            for (o, &z) in out.iter_mut().zip(row) {
                *o += y * z;
            }
        }
    }
}

vectorised! {
    /// y_j = z_j·x − y_j for the rows z_j of a matrix, `stride` apart.
    fn products_minus<'a, T>(z: &'a [T], stride: usize, x: &'a [T], y: &'a mut [T]) -> () {
        for (row, y) in z.chunks_exact(stride).zip(y) {
            *y = dot(row, x) - *y;
        }
    }
}
