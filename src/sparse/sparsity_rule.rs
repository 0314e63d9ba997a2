//! Rules that choose λ of sparse modelling from a ladder of solutions.

use crate::error::{Error, Result, check_positive};
use crate::real::Real;

/// One solution of a ladder of λ: what the rules look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparsityStep<T = f64> {
    /// Weight of the ℓ¹ norm.
    pub lambda: T,
    /// χ² of the solution.
    pub chi2: T,
    /// Coefficients that are not zero.
    pub nonzero: usize,
    /// Degrees of freedom of the fit, tr ∂(K a)/∂g: the coefficients that are not zero less what positivity
    /// and the sum rule fix (Tibshirani and Taylor, *Ann. Stat.* 40, 1198 (2012)).
    pub n_good: T,
    /// Whether the solution was found; the rules pass over it otherwise.
    pub converged: bool,
    /// Iterations spent.
    pub iterations: usize,
}

/// How λ is chosen. All but `Fixed` are blind to a common factor on the error bars.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum SparsityRule<T = f64> {
    /// This λ > 0.
    Fixed(T),
    /// The largest λ with χ² ≤ N s²: Morozov's discrepancy principle with the variance of the noise, in units
    /// of the error bars squared, as the data have it, s² = min χ²/(N − n_good) over the ladder.
    #[default]
    Discrepancy,
    /// The point of the curve log χ²(log λ) farthest below the straight line between its ends (Otsuki et
    /// al.), where less regularisation stops paying. Too large a λ by a factor of about ten as a rule.
    Elbow,
    /// The largest λ with ln χ² − 2 ln(N − n_good) within 4/N of its minimum: generalised
    /// cross-validation, whose minimum is flat.
    Gcv,
    /// The least error of prediction of data left out, every `folds`-th in turn. Takes `folds` times as long.
    CrossValidation {
        /// At least 2.
        folds: usize,
    },
}

impl<T: Real> SparsityRule<T> {
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            SparsityRule::Fixed(lambda) => check_positive("lambda", lambda),
            SparsityRule::CrossValidation { folds } if folds < 2 => {
                let expected = "at least 2";
                Err(Error::OutOfRange { argument: "folds", value: folds as f64, expected })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            SparsityRule::Fixed(_) => "fixed",
            SparsityRule::Discrepancy => "discrepancy",
            SparsityRule::Elbow => "elbow",
            SparsityRule::Gcv => "gcv",
            SparsityRule::CrossValidation { .. } => "cross-validation",
        }
    }

    /// The index of the chosen step of a ladder that is not empty.
    pub(super) fn choose(&self, ladder: &[SparsityStep<T>], n_data: usize) -> usize {
        let last = ladder.len() - 1;
        let n = n_data as f64;
        // Steps that interpolate tell nothing of the noise: they count only if all do.
        let spare = |s: &SparsityStep<T>| n - s.n_good.as_f64();
        let some = ladder.iter().any(|s| s.converged && spare(s) >= 1.0);
        let free = |s: &SparsityStep<T>| match spare(s) {
            spare if spare >= 1.0 => spare,
            _ if some => f64::NAN,
            _ => 1.0,
        };
        let chi2 = |s: &SparsityStep<T>| s.chi2.as_f64();
        let chosen = match self {
            SparsityRule::Fixed(_) | SparsityRule::CrossValidation { .. } => None,
            SparsityRule::Discrepancy => {
                let variance = |s: &SparsityStep<T>| chi2(s) / free(s);
                first_within(ladder, chi2, n * least(ladder, variance))
            }
            SparsityRule::Elbow => {
                let point = |s: &SparsityStep<T>| (s.lambda.as_f64().ln(), chi2(s).ln());
                let ((x0, y0), (x1, y1)) = (point(&ladder[0]), point(&ladder[last]));
                let height = |s: &SparsityStep<T>| {
                    let (x, y) = point(s);
                    y - (y0 + (y1 - y0) * (x - x0) / (x1 - x0))
                };
                first_within(ladder, height, least(ladder, height))
            }
            SparsityRule::Gcv => {
                let score = |s: &SparsityStep<T>| chi2(s).ln() - 2.0 * free(s).ln();
                first_within(ladder, score, least(ladder, score) + 4.0 / n)
            }
        };
        chosen.unwrap_or(last)
    }
}

/// The least score of the converged steps.
pub(super) fn least<T>(ladder: &[SparsityStep<T>], score: impl Fn(&SparsityStep<T>) -> f64) -> f64 {
    ladder.iter().filter(|s| s.converged).map(score).fold(f64::INFINITY, f64::min)
}

/// The first converged step with a score of at most `bound`.
pub(super) fn first_within<T>(
    ladder: &[SparsityStep<T>],
    score: impl Fn(&SparsityStep<T>) -> f64,
    bound: f64,
) -> Option<usize> {
    ladder.iter().position(|s| s.converged && score(s) <= bound)
}
