//! The posterior covariance of a maximum-entropy solution: what the data leave undetermined, for integrals
//! of the spectrum.
//!
//! About its maximum the posterior e^{−Q} of the weights h is a Gaussian of covariance Γ⁻¹, Γ = BᵀB + αM,
//! with M = ∇²φ + Σ weight ∇²prior/α = LLᵀ banded. With Z = L⁻¹Bᵀ = Q diag(√λ) Wᵀ,
//! Γ⁻¹ = RᵀR, R = α^{−½} [1 − QQᵀ + Q diag(√(α/(α + λ))) Qᵀ] L⁻¹: what the data know is taken away from a
//! vector, not from a variance, so that deviations keep their digits down to ε of what the prior alone
//! leaves. The covariance of functionals c, c' is the product of Rc and Rc'. An exact sum rule takes the
//! direction R1 out of all of them. Source: Skilling and Gull, in *Maximum Entropy and Bayesian
//! Methods* (1991); Gubernatis, Jarrell, Silver and Sivia, Phys. Rev. B 44, 6011 (1991).

use super::builder::MaxEnt;
use super::modes::Modes;
use super::objective::Objective;
use super::prepared::PreparedMaxEnt;
use crate::error::{Error, Result, check_len};
use crate::estimate::Estimate;
use crate::linalg::{BandCholesky, dot, thin_svd};
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::Solution;
use crate::spectrum::Spectrum;
use nalgebra::DMatrix;
use std::borrow::Cow;

/// The Gaussian approximation of the posterior about a solution, at its α.
///
/// It holds what noise of the size declared and the prior at this α leave open; that α was chosen, and
/// that the approximation knows of no positivity, it does not hold. Integrals over windows wider than the
/// resolution are what can be quoted: neighbouring points are strongly correlated, and a band of
/// [`deviations`](Self::deviations) about the curve is *not* a region in which the true curve lies.
///
/// Where the prior holds the deviations are exact; for smooth spectra, which it does not expect, they are
/// too wide: in the example `uncertainty` (one to three peaks, five windows, noise 10⁻³ and 10⁻⁴, α by the default
/// rule) a deviation is 2.6 times the root mean square of the actual errors (geometric mean; between 1.0 and 7.4
/// times), and the true weight lies within one deviation in 97 % of the draws (58 % at worst), within two in all: a
/// calibrated deviation would do in 68 and 95 %.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, MaxEnt, Measurement, Problem, Solver};
/// let tau: Vec<f64> = (0..=20).map(|i| 0.5 * i as f64).collect();
/// let g: Vec<f64> = tau.iter().map(|&t| 0.5 * ((-t).exp() + (t - 10.0).exp()) / (1.0 + (-10.0_f64).exp())).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-3.0, 3.0, 61)?;
/// let problem = Problem::new(&FermionTime::new(10.0)?, &data, &grid)?;
/// let maxent = MaxEnt::default();
/// let solution = maxent.solve(&problem)?;
/// let weight = maxent.posterior(&problem, &solution)?.window(0.0, 3.0)?;
/// assert!((weight.value - 0.5).abs() < 3.0 * weight.deviation && weight.deviation < 0.01);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Posterior<T: Real = f64> {
    spectrum: Spectrum<T>,
    weights: Vec<T>,
    /// √α.
    scale: T,
    /// L.
    band: BandCholesky<T>,
    /// Q, N_ω × modes.
    basis: DMatrix<T>,
    /// 1 − √(α/(α + λ)).
    known: Vec<T>,
    /// R1 over its length, where Σh is fixed.
    fixed: Option<Vec<T>>,
}

impl<T: Real> Posterior<T> {
    pub(super) fn new(
        objective: &Objective<T>,
        modes: &Modes<T>,
        solution: &Solution<T>,
        alpha: T,
    ) -> Result<Self> {
        let n = modes.points;
        let weights = solution.spectrum().weights();
        let h = curved(&weights);
        let mut m = objective.hessian_storage();
        objective.precision(alpha, &h, &mut m);
        let mut band = BandCholesky::new(n, m.bandwidth());
        if !band.factor(&m) {
            return Err(Error::Decomposition {
                argument: "Hessian of the priors",
                decomposition: "Cholesky factorisation",
            });
        }
        let mut z = vec![T::zero(); n * modes.stride];
        band.forward_panel(&modes.columns, modes.stride, modes.count, &mut z);
        let z = DMatrix::from_fn(n, modes.count, |j, k| z[j * modes.stride + k]);
        let svd = thin_svd("posterior", &z)?;
        let known = |s: &T| T::one() - (alpha / (alpha + *s * *s)).sqrt();
        let mut posterior = Posterior {
            spectrum: solution.spectrum().clone(),
            weights,
            scale: alpha.sqrt(),
            band,
            known: svd.s.iter().map(known).collect(),
            basis: svd.u,
            fixed: None,
        };
        if objective.scaled.fixes_sum() {
            let mut along = posterior.root(&vec![T::one(); n]);
            let length = dot(&along, &along).sqrt();
            along.iter_mut().for_each(|v| *v /= length);
            posterior.fixed = Some(along);
        }
        Ok(posterior)
    }

    /// R c, with the direction of a fixed sum taken out.
    fn root(&self, coefficients: &[T]) -> Vec<T> {
        let mut y = coefficients.to_vec();
        self.band.forward(&mut y);
        for (q, &known) in self.basis.column_iter().zip(&self.known) {
            let overlap = known * dot(q.as_slice(), &y);
            y.iter_mut().zip(q.iter()).for_each(|(y, &q)| *y -= overlap * q);
        }
        y.iter_mut().for_each(|y| *y /= self.scale);
        if let Some(fixed) = &self.fixed {
            let overlap = dot(fixed, &y);
            y.iter_mut().zip(fixed).for_each(|(y, &f)| *y -= overlap * f);
        }
        y
    }

    /// Overwrites `v` with Γ⁻¹v = Rᵀ(R v).
    pub(super) fn multiply(&self, v: &mut [T]) {
        let mut y = self.root(v);
        for (q, &known) in self.basis.column_iter().zip(&self.known) {
            let overlap = known * dot(q.as_slice(), &y);
            y.iter_mut().zip(q.iter()).for_each(|(y, &q)| *y -= overlap * q);
        }
        self.band.backward(&mut y);
        v.iter_mut().zip(&y).for_each(|(v, &y)| *v = y / self.scale);
    }

    fn estimate(&self, coefficients: &[T]) -> Estimate<T> {
        let root = self.root(coefficients);
        let value = coefficients.iter().zip(&self.weights).map(|(&c, &a)| c * a).sum();
        Estimate { value, deviation: dot(&root, &root).sqrt() }
    }

    /// c·a for the spectral weights a, with its standard deviation.
    ///
    /// # Errors
    /// Coefficients of another number than the grid's points.
    pub fn functional(&self, coefficients: &[T]) -> Result<Estimate<T>> {
        check_len("coefficients", coefficients.len(), self.weights.len(), "the frequency grid")?;
        Ok(self.estimate(coefficients))
    }

    /// The weight between `from` and `to` ([`Spectrum::weight_between`]) with its standard deviation.
    ///
    /// # Errors
    /// A bound that is not finite.
    pub fn window(&self, from: T, to: T) -> Result<Estimate<T>> {
        Ok(self.estimate(&self.window_coefficients(from, to)?))
    }

    /// The k-th moment ([`Spectrum::moment`]) with its standard deviation, in units of energyᵏ.
    pub fn moment(&self, k: u32) -> Estimate<T> {
        let exponent = k.min(i32::MAX as u32) as i32;
        let powers: Vec<T> =
            self.spectrum.grid().points().iter().map(|w| w.powi(exponent)).collect();
        self.estimate(&powers)
    }

    /// The covariance of the weights in several windows (from, to): what errors of their sums, differences and
    /// ratios are made of.
    ///
    /// # Errors
    /// A bound that is not finite.
    pub fn window_covariance(&self, windows: &[(T, T)]) -> Result<DMatrix<T>> {
        let roots = windows
            .iter()
            .map(|&(from, to)| Ok(self.root(&self.window_coefficients(from, to)?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(products(&roots))
    }

    /// Standard deviations of the density at single points, in its units: strongly correlated with each
    /// other, and a statement about single points only (see the type's own documentation).
    pub fn deviations(&self) -> Vec<T> {
        self.unit_roots()
            .zip(self.spectrum.grid().weights())
            .map(|(r, &w)| dot(&r, &r).sqrt() / w)
            .collect()
    }

    /// The whole covariance of the spectral weights a, N_ω × N_ω.
    pub fn covariance(&self) -> DMatrix<T> {
        products(&self.unit_roots().collect::<Vec<_>>())
    }

    fn unit_roots(&self) -> impl Iterator<Item = Vec<T>> {
        let n = self.weights.len();
        (0..n).map(move |j| {
            let mut unit = vec![T::zero(); n];
            unit[j] = T::one();
            self.root(&unit)
        })
    }

    /// Of the weights a = A Δω.
    fn window_coefficients(&self, from: T, to: T) -> Result<Vec<T>> {
        let grid = self.spectrum.grid();
        let window = grid.window(from, to)?;
        Ok(window.iter().zip(grid.weights()).map(|(&c, &w)| c / w).collect())
    }
}

/// Weights with those that have underflowed lifted to where an entropy has a gradient and a curvature.
pub(super) fn curved<T: Real>(weights: &[T]) -> Vec<T> {
    let lifted = |h: &T| if h.abs() < T::MIN_POSITIVE { T::MIN_POSITIVE } else { *h };
    weights.iter().map(lifted).collect()
}

/// The Gram matrix of vectors.
fn products<T: Real>(roots: &[Vec<T>]) -> DMatrix<T> {
    let mut out = DMatrix::zeros(roots.len(), roots.len());
    for (i, a) in roots.iter().enumerate() {
        for (j, b) in roots[..=i].iter().enumerate() {
            out[(i, j)] = dot(a, b);
            out[(j, i)] = out[(i, j)];
        }
    }
    out
}

impl<T: Real> PreparedMaxEnt<T> {
    /// The posterior about `solution`, found by this method, at its α.
    ///
    /// # Errors
    /// A solution of another method, on another grid or for another density, or with another weight of the
    /// kinetic prior, entropy, default model or norm; an average over α ([`Bryan`](crate::Bryan)), which is the optimum at none; priors whose
    /// Hessian is not positive definite there; a preblur, whose hidden image the solution does not hold.
    pub fn posterior(&self, solution: &Solution<T>) -> Result<Posterior<T>> {
        if self.preblur.is_some() {
            return Err(Error::Unsupported {
                argument: "preblur",
                value: "a hidden image",
                expected: "no preblur: the posterior is that of the weights themselves",
            });
        }
        let (objective, alpha) = self.minimised_by(solution)?;
        Posterior::new(&objective, &self.modes, solution, alpha)
    }

    /// The objective that `solution` is an optimum of, with its kinetic prior, and its α.
    pub(super) fn minimised_by(
        &self,
        solution: &Solution<T>,
    ) -> Result<(Cow<'_, Objective<T>>, T)> {
        let refused =
            |value, expected| Error::Unsupported { argument: "solution", value, expected };
        let maxent =
            solution.report().maxent.as_ref().ok_or_else(|| {
                refused("not of maximum entropy", "a solution of maximum entropy")
            })?;
        let spectrum = solution.spectrum();
        if spectrum.grid() != self.model.grid() || spectrum.density() != self.model.density() {
            return Err(refused(
                "on another grid or for another density",
                "a solution on the frequency grid and for the density of the forward model",
            ));
        }
        if maxent.averaged > 1 {
            return Err(refused(
                "an average over alpha",
                "the optimum at one alpha, found by a rule that does not average",
            ));
        }
        let values = &maxent.kinetic_reference;
        let objective = if self.settings.kinetic_search.is_some() && !values.is_empty() {
            Cow::Owned(self.with_kinetic(maxent.kinetic, &self.reference(values)?)?)
        } else if maxent.kinetic == self.settings.kinetic {
            Cow::Borrowed(&self.objective)
        } else {
            return Err(Error::OutOfRange {
                argument: "kinetic",
                value: self.settings.kinetic.as_f64(),
                expected: "the weight that the solution was found with",
            });
        };
        // Other priors, or another default model, have another entropy there.
        if self.preblur.is_none() {
            let entropy = objective.parts(T::one(), &spectrum.weights()).0;
            let scale = objective.scaled.scale(&objective.start()) + maxent.entropy.abs();
            let same = (entropy - maxent.entropy).abs() <= T::EPSILON.sqrt() * scale;
            if !same {
                return Err(refused(
                    "of another entropy, or with another default model or norm",
                    "a solution found with this default model",
                ));
            }
        }
        Ok((objective, maxent.alpha))
    }
}

impl<T: Real> MaxEnt<T> {
    /// The posterior about `solution`, found by this method for `problem`, at its α.
    ///
    /// # Errors
    /// Those of [`prepare`](Self::prepare) and of [`PreparedMaxEnt::posterior`].
    pub fn posterior(&self, problem: &Problem<T>, solution: &Solution<T>) -> Result<Posterior<T>> {
        self.prepare(problem.model())?.posterior(solution)
    }
}
