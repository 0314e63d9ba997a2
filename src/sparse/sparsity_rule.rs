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
    /// Iterations spent.
    pub iterations: usize,
}

/// How λ is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum SparsityRule<T = f64> {
    /// This λ > 0.
    Fixed(T),
    /// The point of the curve log χ²(log λ) farthest below the straight line between its ends (Otsuki et
    /// al.), where less regularisation stops paying.
    #[default]
    Elbow,
    /// The minimum of generalised cross-validation, χ²/(N − nonzero coefficients)².
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
            SparsityRule::Elbow => "elbow",
            SparsityRule::Gcv => "gcv",
            SparsityRule::CrossValidation { .. } => "cross-validation",
        }
    }

    /// The index of the chosen step of a ladder that is not empty.
    pub(super) fn choose(&self, ladder: &[SparsityStep<T>], n_data: usize) -> usize {
        let last = ladder.len() - 1;
        match self {
            SparsityRule::Fixed(_) | SparsityRule::CrossValidation { .. } => last,
            SparsityRule::Elbow => {
                let point = |s: &SparsityStep<T>| (s.lambda.as_f64().ln(), s.chi2.as_f64().ln());
                let ((x0, y0), (x1, y1)) = (point(&ladder[0]), point(&ladder[last]));
                largest(ladder, last, |s| {
                    let (x, y) = point(s);
                    y0 + (y1 - y0) * (x - x0) / (x1 - x0) - y
                })
            }
            SparsityRule::Gcv => largest(ladder, last, |s| {
                let free = n_data as f64 - s.nonzero as f64;
                2.0 * free.ln() - s.chi2.as_f64().ln()
            }),
        }
    }
}

/// The first step with the largest score; `otherwise` if no score is a number.
fn largest<T>(
    ladder: &[SparsityStep<T>],
    otherwise: usize,
    score: impl Fn(&SparsityStep<T>) -> f64,
) -> usize {
    let mut best = (f64::NEG_INFINITY, otherwise);
    for (i, step) in ladder.iter().enumerate() {
        let value = score(step);
        if value > best.0 {
            best = (value, i);
        }
    }
    best.1
}
