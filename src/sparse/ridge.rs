//! Tikhonov's regularisation, λ given or chosen from the data.
//!
//! Source: Tikhonov (1963); Golub, Heath and Wahba, *Technometrics* 21, 215 (1979) for generalised
//! cross-validation; Morozov (1966) for the discrepancy principle.

use super::batch::single;
use super::normal_equations::NormalEquations;
use super::{BatchOutcome, BatchSolution, DataView};
use crate::error::{Error, Result, check_positive};
use crate::linalg::thin_svd;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{PenaltyReport, Solution, Solver, Status};
use nalgebra::{DMatrix, DVector, DVectorView};

/// How [`Ridge`] and [`Nnls`](super::Nnls) choose the weight λ of ½‖a‖².
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RidgeRule<T = f64> {
    /// This λ > 0.
    Fixed(T),
    /// The largest λ with ln ‖g − K a‖² − 2 ln(N − 1.4 n_good) within 4/N of its minimum, n_good = tr ∂(K a)/∂g:
    /// generalised cross-validation, whose minimum is flat, with the factor that keeps it from following the
    /// noise now and then (Kim and Gu, *J. R. Stat. Soc. B* 66, 337 (2004)). Blind to a common factor on the error
    /// bars; misled by noise that is correlated and not known to be.
    Gcv,
    /// The λ where χ² = factor · N; wants the whitened view and error bars that can be believed.
    Discrepancy {
        /// Morozov's factor, 1 as a rule.
        factor: T,
    },
}

/// Minimises ½‖g − K a‖² + ½λ‖a‖² over spectral weights a of any sign: a = V diag(s/(s² + λ)) Uᵀ g.
///
/// λ is in units of ½‖g − K a‖² in the chosen [`DataView`], whitened unless set. The quick first look at a
/// problem and the yardstick of what its data determine, not a spectrum to publish: nothing keeps it
/// positive. A rule that does not apply to the data ends in [`Status::NoAlpha`], with the answer of
/// generalised cross-validation. The certificate is the gap ‖e‖²/2λ of the gradient e.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, Measurement, Problem, Ridge, Solver};
///
/// let tau: Vec<f64> = (0..=20).map(|i| 0.1 * f64::from(i)).collect();
/// let g: Vec<f64> = tau.iter().map(|t| (-t).exp() / (1.0 + (-2.0_f64).exp())).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 41)?;
/// let problem = Problem::new(&FermionTime::new(2.0)?, &data, &grid)?;
///
/// let solution = Ridge::default().solve(&problem)?; // λ by generalised cross-validation
/// assert!((solution.report().norm - 1.0).abs() < 1e-2);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ridge<T = f64> {
    rule: RidgeRule<T>,
    view: DataView,
}

impl<T: Real> Default for Ridge<T> {
    fn default() -> Self {
        Ridge { rule: RidgeRule::Gcv, view: DataView::Whitened }
    }
}

impl<T: Real> Ridge<T> {
    /// How λ is chosen. Default generalised cross-validation.
    #[must_use]
    pub fn rule(mut self, rule: RidgeRule<T>) -> Self {
        self.rule = rule;
        self
    }

    /// Which form of the data to fit. Default whitened.
    #[must_use]
    pub fn view(mut self, view: DataView) -> Self {
        self.view = view;
        self
    }
}

/// Slack of the score of generalised cross-validation, times N.
pub(super) const SLACK: f64 = 4.0;

/// ln χ² − 2 ln(N − 1.4 n_good).
pub(super) fn gcv_score<T: Real>(chi2: T, n_data: usize, n_good: T) -> T {
    let free = T::lit(n_data as f64) - T::lit(1.4) * n_good;
    if free > T::zero() { chi2.ln() - T::lit(2.0) * free.ln() } else { T::INFINITY }
}

impl<T: Real> RidgeRule<T> {
    /// `Err` unless the rule can be used on data in this view; `least` checks a given λ.
    pub(super) fn check(
        &self,
        view: DataView,
        least: impl Fn(&'static str, T) -> Result<()>,
    ) -> Result<()> {
        match *self {
            RidgeRule::Fixed(lambda) => least("lambda", lambda),
            RidgeRule::Gcv => Ok(()),
            RidgeRule::Discrepancy { factor } => {
                check_positive("factor", factor)?;
                if view == DataView::Whitened {
                    return Ok(());
                }
                Err(Error::Unsupported {
                    argument: "rule",
                    value: "discrepancy",
                    expected: "the whitened view, where the noise is known to have variance 1",
                })
            }
        }
    }
}

/// The data in the basis of the singular vectors.
struct Modes<T: Real> {
    s: DVector<T>,
    /// Uᵀg.
    c: DVector<T>,
    /// ‖g − UUᵀg‖².
    outside: T,
    /// Number of data.
    rows: usize,
}

/// λ is searched for between these multiples of s_max².
fn range<T: Real>() -> (T, T) {
    (T::EPSILON * T::EPSILON, T::lit(1e3))
}

impl<T: Real> Modes<T> {
    /// ‖g − K a‖² and N − tr K(KᵀK + λ)⁻¹Kᵀ at λ.
    fn misfit(&self, lambda: T) -> (T, T) {
        let mut misfit = self.outside;
        let mut free = T::lit((self.rows - self.s.len()) as f64);
        for (&s, &c) in self.s.iter().zip(&self.c) {
            let f = lambda / (s * s + lambda);
            misfit += f * f * c * c;
            free += f;
        }
        (misfit, free)
    }

    /// The largest ln λ within the slack of the minimum of generalised cross-validation, on a fine ladder, then by
    /// bisection.
    fn gcv(&self, low: T, high: T) -> T {
        let score = |x: T| {
            let (misfit, free) = self.misfit(x.exp());
            gcv_score(misfit, self.rows, T::lit(self.rows as f64) - free)
        };
        const STEPS: usize = 1000;
        let h = (high - low) / T::lit(STEPS as f64);
        let ladder = || (0..=STEPS).map(|i| low + T::lit(i as f64) * h);
        let least = ladder().map(score).fold(T::INFINITY, T::min);
        let bound = least + T::lit(SLACK / self.rows as f64);
        let inside = ladder().filter(|&x| score(x) <= bound).last().unwrap_or(low);
        let (mut a, mut b) = (inside, (inside + h).min(high));
        while b - a > T::lit(1e-3) {
            let middle = T::lit(0.5) * (a + b);
            if score(middle) <= bound { a = middle } else { b = middle }
        }
        a
    }

    /// ln λ where the misfit is `target`, or why there is none: it increases with λ.
    fn discrepancy(&self, low: T, high: T, target: T) -> core::result::Result<T, String> {
        let misfit = |x: T| self.misfit(x.exp()).0;
        let (mut a, mut b) = (low, high);
        if misfit(a) > target {
            return Err(format!(
                "even the best fit has chi2 = {:.3e} > {:.3e}: the error bars are too small, or grid or \
                 kernel do not fit the data",
                misfit(a),
                target
            ));
        }
        if misfit(b) < target {
            return Err(format!(
                "the spectrum 0 already has chi2 = {:.3e} < {:.3e}",
                misfit(b),
                target
            ));
        }
        while b - a > T::lit(64.0) * T::EPSILON * (T::one() + a.abs()) {
            let middle = T::lit(0.5) * (a + b);
            if misfit(middle) < target { a = middle } else { b = middle }
        }
        Ok(T::lit(0.5) * (a + b))
    }
}

impl<T: Real> Solver<T> for Ridge<T> {
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        self.rule.check(self.view, check_positive)?;
        let (kernel, data) = (self.view.kernel(problem.model()), self.view.data(problem));
        let made;
        let svd = match self.view {
            DataView::Whitened => problem.model().svd()?,
            DataView::Raw => {
                made = thin_svd("kernel", kernel)?;
                &made
            }
        };
        let g = DVectorView::from_slice(data, data.len());
        let c = svd.u.transpose() * g;
        let outside = (g - &svd.u * &c).norm_squared();
        let modes = Modes { s: svd.s.clone(), c, outside, rows: data.len() };
        let square = svd.s[0] * svd.s[0];
        if square == T::zero() {
            return Err(Error::OutOfRange {
                argument: "kernel",
                value: 0.0,
                expected: "one that is not zero",
            });
        }
        let (low, high) = ((square * range::<T>().0).ln(), (square * range::<T>().1).ln());
        let mut status = Status::Converged;
        let (lambda, rule) = match self.rule {
            RidgeRule::Fixed(lambda) => (lambda, "fixed"),
            RidgeRule::Gcv => (modes.gcv(low, high).exp(), "gcv"),
            RidgeRule::Discrepancy { factor } => {
                let target = factor * T::lit(data.len() as f64);
                match modes.discrepancy(low, high, target) {
                    Ok(x) => (x.exp(), "discrepancy"),
                    Err(why) => {
                        let reason = format!("{why}; lambda is that of cross-validation");
                        status = Status::NoAlpha { rule: "discrepancy", reason };
                        (modes.gcv(low, high).exp(), "gcv")
                    }
                }
            }
        };
        let filtered = DVector::from_iterator(
            modes.s.len(),
            modes.s.iter().zip(&modes.c).map(|(&s, &c)| s / (s * s + lambda) * c),
        );
        let weights = svd.vt.transpose() * filtered;
        let normal = NormalEquations::new(kernel, lambda)?;
        let certificate = normal.certificates(data, weights.as_slice(), false).remove(0);
        let batch = BatchSolution {
            weights: DMatrix::from_column_slice(weights.len(), 1, weights.as_slice()),
            outcomes: vec![BatchOutcome { status, iterations: 1, certificate }],
        };
        single(problem, batch, "ridge", PenaltyReport { lambda, rule })
    }
}
