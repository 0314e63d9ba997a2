//! What a careful reader of an answer should be told: fit, scatter, norm, α.

use super::builder::MaxEnt;
use super::engine::Outcome;
use super::modes::Projected;
use super::objective::Objective;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{MaxEntReport, Warning, is_poor};
use nalgebra::DVectorView;

/// Deviation of the norm from the default model's, over the scale of the entropy, that is worth a warning.
const NORM_WARNING: f64 = 0.01;

/// The warnings about an `answer` to `problem`, with the norm of the spectrum that is shown.
pub(super) fn doubts<T: Real>(
    settings: &MaxEnt<T>,
    objective: &Objective<T>,
    problem: &Problem<T>,
    data: &Projected<T>,
    maxent: &MaxEntReport<T>,
    (norm, answer): (T, &Outcome<T>),
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let (n, ladder) = (problem.whitened_data().len() as f64, &maxent.ladder);
    // What α can reach, or where the ladder does not tell, what any weights could.
    let free = settings.alpha.fixed().is_none() && objective.fixed.is_empty();
    let ladder_least = ladder.iter().map(|s| s.chi2.as_f64()).fold(f64::INFINITY, f64::min);
    let least = if free { ladder_least } else { data.outside.as_f64() };
    let chi2 = answer.chi2.as_f64();
    let (hopeless, poor) = (is_poor(least, n), is_poor(chi2, n));
    // Of weights of either sign no datum has the wrong one.
    if (hopeless || poor) && objective.scaled.is_positive() {
        let flat = DVectorView::from_slice(problem.grid().weights(), problem.grid().len());
        let fit = problem.whitened_kernel() * flat;
        let overlap: T = fit.iter().zip(problem.whitened_data()).map(|(&f, &g)| f * g).sum();
        if has_both_signs(problem) {
            warnings.push(Warning::BothSigns);
        } else if let Some(imaginary) = imaginary_overlap(problem) {
            warnings.extend((imaginary < T::zero()).then_some(Warning::Conjugate));
        } else if overlap < T::zero() {
            warnings.push(Warning::OppositeSign);
        }
    }
    if hopeless {
        warnings.push(Warning::PoorFit { chi2_per_datum: least / n });
    } else if poor {
        warnings.push(Warning::Underfitted { chi2_per_datum: chi2 / n });
    }
    let spare = n - answer.n_good.as_f64();
    if chi2 < 0.5 * spare && chi2 < spare - 4.0 * (2.0 * spare).sqrt() {
        warnings.push(Warning::LooseErrors { chi2_per_datum: chi2 / spare });
    }
    let start = objective.start();
    let (found, expected) = (norm.as_f64(), start.iter().copied().sum::<T>().as_f64());
    let known = settings.norm.is_some() || problem.model().density().norm().is_some();
    if known && (found - expected).abs() > NORM_WARNING * objective.scaled.scale(&start).as_f64() {
        warnings.push(Warning::Norm { found, expected });
    }
    if settings.alpha.fixed().is_none() {
        let last = ladder[ladder.len() - 1];
        if maxent.alpha >= ladder[0].alpha || maxent.alpha <= last.alpha {
            warnings.push(Warning::AlphaAtEnd { alpha: maxent.alpha.as_f64() });
        }
        if !last.converged {
            warnings.push(Warning::LadderCut {
                alpha: last.alpha.as_f64(),
                steps: ladder.len() - 1,
                at_limit: last.iterations >= settings.max_iterations,
            });
        }
    }
    warnings
}

/// Of complex data, Σ Im g Im (K a)/σ² for a flat spectrum a; `None` for real ones. Its sign is that of a G(iω_n), or of
/// its complex conjugate.
fn imaginary_overlap<T: Real>(problem: &Problem<T>) -> Option<T> {
    let (kernel, n) = (problem.kernel(), problem.model().x().len());
    if kernel.nrows() != 2 * n {
        return None;
    }
    let flat = DVectorView::from_slice(problem.grid().weights(), problem.grid().len());
    let fit = kernel.rows(n, n) * flat;
    let deviations = problem.model().whitening().deviations();
    let imaginary = problem.data()[n..].iter().zip(&deviations[n..]);
    Some(fit.iter().zip(imaginary).map(|(&f, (&g, &sigma))| f / sigma * (g / sigma)).sum())
}

/// Error bars by which a datum has to have the wrong sign.
const SIGNIFICANT: f64 = 4.0;

/// Whether, of the data for which the kernel has one sign at all frequencies, some have significantly that sign and
/// others the opposite one.
fn has_both_signs<T: Real>(problem: &Problem<T>) -> bool {
    let deviations = problem.model().whitening().deviations();
    let (mut right, mut wrong) = (false, false);
    for ((row, &g), &sigma) in problem.kernel().row_iter().zip(problem.data()).zip(&deviations) {
        let sign = if row.iter().all(|&k| k >= T::zero()) {
            T::one()
        } else if row.iter().all(|&k| k <= T::zero()) {
            -T::one()
        } else {
            continue;
        };
        let limit = T::lit(SIGNIFICANT) * sigma;
        right |= sign * g > limit;
        wrong |= -sign * g > limit;
    }
    right && wrong
}
