//! The curvature of the objective at a solution, and its inverse: what derivatives of the solution and its
//! posterior covariance are made of.

use super::engine::Schur;
use super::modes::Modes;
use super::objective::Objective;
use crate::error::{Error, Result, check_all_positive, check_len, check_positive};
use crate::real::Real;
use crate::scratch::with_scratch;
use std::sync::Arc;

/// Corrections by the residual after a first solve: one is enough, the other for what is nearly singular.
const REFINEMENTS: usize = 2;

/// Γ = BᵀB + P″ at weights h, P″ = α∇²φ + Σ weight·∇²prior the banded Hessian of all priors, factored once.
///
/// With M = P″/α = LLᵀ, Z = L⁻¹Bᵀ and S = αI + ZᵀZ, Γ⁻¹v = L⁻ᵀ(y − Z S⁻¹Zᵀy)/α, y = L⁻¹v: O(N_ω s²) to
/// factor, O(N_ω s) to solve. Where the data outweigh α the difference cancels; residuals against Γ itself
/// make up for it.
#[derive(Debug, Clone)]
pub(super) struct Curvature<T> {
    modes: Arc<Modes<T>>,
    alpha: T,
    schur: Schur<T>,
}

impl<T: Real> Curvature<T> {
    /// At weights `h` > 0, on the grid of `modes`.
    ///
    /// # Errors
    /// α or weights not positive; weights of another length; an objective that is not strictly convex there.
    pub(super) fn new(
        modes: Arc<Modes<T>>,
        objective: &Objective<T>,
        alpha: T,
        h: &[T],
    ) -> Result<Self> {
        check_positive("alpha", alpha)?;
        check_len("weights", h.len(), modes.points, "the frequency grid")?;
        check_all_positive("weights", h)?;
        let mut schur = Schur::new(&modes, objective.hessian_storage());
        objective.precision(alpha, h, &mut schur.m);
        if !schur.factor(&modes, modes.count, alpha) {
            let decomposition = "Cholesky factorisation of the priors' Hessian";
            return Err(Error::Decomposition { argument: "weights", decomposition });
        }
        Ok(Curvature { modes, alpha, schur })
    }

    /// The number of weights.
    pub(super) fn dim(&self) -> usize {
        self.modes.points
    }

    /// Overwrites `v` with Γ⁻¹v.
    pub(super) fn solve(&self, v: &mut [T]) {
        let n = self.dim();
        // B is applied to vectors of full lanes.
        with_scratch(2 * self.modes.width, |buffer: &mut [T]| {
            buffer.fill(T::zero());
            let (w, rest) = buffer.split_at_mut(self.modes.width);
            w[..n].copy_from_slice(v);
            self.solve_once(&mut w[..n]);
            for _ in 0..REFINEMENTS {
                rest.fill(T::zero());
                self.add_product(w, rest);
                for (r, &v) in rest.iter_mut().zip(&*v) {
                    *r = v - *r;
                }
                self.solve_once(&mut rest[..n]);
                for (w, &r) in w[..n].iter_mut().zip(&*rest) {
                    *w += r;
                }
            }
            v.copy_from_slice(&w[..n]);
        });
    }

    fn solve_once(&self, v: &mut [T]) {
        with_scratch(self.modes.count, |modes: &mut [T]| {
            modes.fill(T::zero());
            self.schur.band.forward(v);
            self.schur.add_zt(v, modes);
            self.schur.solve(modes);
            self.schur.z_minus(modes, v);
            self.schur.band.backward(v);
        });
        for v in v {
            *v /= -self.alpha;
        }
    }

    /// out += Γ v, both of full lanes.
    fn add_product(&self, v: &[T], out: &mut [T]) {
        with_scratch(self.modes.count, |modes: &mut [T]| {
            for v in out.iter_mut() {
                *v /= self.alpha;
            }
            self.schur.m.add_product(v, out);
            for v in out.iter_mut() {
                *v *= self.alpha;
            }
            self.modes.apply(v, modes);
            self.modes.add_transposed(0, modes, out);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::FrequencyGrid;
    use crate::kernel::FermionTime;
    use crate::noise::Measurement;
    use crate::prior::{Entropy, Kinetic, Prior};
    use crate::problem::Problem;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn inverse_is_that_of_the_dense_matrix() {
        let (n_tau, n) = (20, 33);
        let tau: Vec<f64> = (0..n_tau).map(|i| 5.0 * f64::from(i) / 19.0).collect();
        let data = Measurement::with_uniform_error(&tau, &[0.3; 20], 1e-2).unwrap();
        let grid = FrequencyGrid::tangent(-4.0, 4.0, n, 0.4).unwrap();
        let problem = Problem::new(&FermionTime::new(5.0).unwrap(), &data, &grid).unwrap();
        let h: Vec<f64> = grid
            .points()
            .iter()
            .zip(grid.weights())
            .map(|(w, dw)| dw * (0.01 + (-w * w).exp()))
            .collect();
        let v: Vec<f64> = (0..n).map(|j| (1.3 * j as f64).sin()).collect();
        let k = problem.whitened_kernel();
        for lambda in [0.0, 0.1] {
            let kinetic = Kinetic::natural(&grid).unwrap();
            let mut band = crate::linalg::SymmetricBand::zeros(n, 1);
            kinetic.add_hessian(&h, lambda, &mut band);
            for alpha in [1e3, 1.0, 1e-3] {
                let entropy = Arc::new(Entropy::new(vec![0.1; n]).unwrap());
                let fixed: Vec<(f64, Arc<dyn Prior<f64>>)> =
                    vec![(lambda, Arc::new(kinetic.clone()))];
                let objective = Objective::new(entropy, fixed, n).unwrap();
                let modes = Arc::new(Modes::new(problem.model()).unwrap());
                let curvature = Curvature::new(modes, &objective, alpha, &h).unwrap();
                let mut w = v.clone();
                curvature.solve(&mut w);
                let diagonal = DVector::from_iterator(n, h.iter().map(|h| alpha / h));
                let gamma = k.transpose() * k
                    + DMatrix::from_fn(n, n, |i, j| band.get(i, j))
                    + DMatrix::from_diagonal(&diagonal);
                // In the scale √h the least eigenvalue is α or more.
                let scale = DVector::from_iterator(n, h.iter().map(|h| h.sqrt()));
                let scaled = DMatrix::from_fn(n, n, |i, j| scale[i] * gamma[(i, j)] * scale[j]);
                let right = scale.component_mul(&DVector::from_column_slice(&v));
                let w = DVector::from_vec(w).component_div(&scale);
                // Backward stable: the residual is rounding of the product itself.
                let residual = (&scaled * &w - &right).norm();
                let (size, rounding) = (scaled.norm(), 16.0 * f64::EPSILON);
                assert!(residual < rounding * size * w.norm(), "{lambda} {alpha}: {residual:e}");
                let dense = scaled.cholesky().unwrap().solve(&right);
                let difference = (dense - &w).norm();
                let bound = rounding * size / alpha * w.norm();
                assert!(difference < bound, "{lambda} {alpha}: {difference:e} > {bound:e}");
            }
        }
    }

    #[test]
    fn what_has_no_curvature_is_refused() {
        let data = Measurement::with_uniform_error(&[0.0, 0.5, 1.0], &[0.3; 3], 1e-2).unwrap();
        let grid = FrequencyGrid::uniform(-1.0, 1.0, 4).unwrap();
        let problem = Problem::new(&FermionTime::new(1.0).unwrap(), &data, &grid).unwrap();
        let entropy = Arc::new(Entropy::new(vec![0.1; 4]).unwrap());
        let objective = Objective::new(entropy, Vec::new(), 4).unwrap();
        let modes = Arc::new(Modes::new(problem.model()).unwrap());
        let at =
            |alpha, h: &[f64]| Curvature::new(Arc::clone(&modes), &objective, alpha, h).is_err();
        assert!(at(0.0, &[0.1; 4]) && at(1.0, &[0.1; 3]) && at(1.0, &[0.1, 0.1, 0.0, 0.1]));
        assert!(at(f64::NAN, &[0.1; 4]) && !at(1.0, &[0.1; 4]));
    }
}
