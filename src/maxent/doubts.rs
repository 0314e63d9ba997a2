//! What a careful reader of an answer should be told: fit, scatter, norm, α.

use super::builder::MaxEnt;
use super::engine::Outcome;
use super::modes::Projected;
use super::objective::Objective;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{MaxEntReport, Warning, is_poor};
use core::ops::Range;
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
        let [real, imaginary] = parts(problem);
        if has_both_signs(problem, real.clone()) || has_both_signs(problem, imaginary.clone()) {
            warnings.push(Warning::BothSigns);
        } else if let Some(imaginary) = definite_overlap(problem, imaginary) {
            let opposite = definite_overlap(problem, real).is_some_and(|real| real < T::zero());
            if imaginary < T::zero() {
                let all = Warning::OppositeSign;
                warnings.push(if opposite { all } else { Warning::Conjugate });
            }
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
        let either_sign = !objective.scaled.is_positive();
        warnings.push(Warning::Norm { found, expected, either_sign });
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

/// The real and the imaginary part of complex data; all of real ones, and none.
fn parts<T: Real>(problem: &Problem<T>) -> [Range<usize>; 2] {
    let (rows, n) = (problem.kernel().nrows(), problem.model().x().len());
    let real = if rows == 2 * n { n } else { rows };
    [0..real, real..rows]
}

/// The sign of a datum of any positive spectrum: that of its row of the kernel, if it is the same at all frequencies.
fn sign<T: Real>(problem: &Problem<T>, datum: usize) -> Option<T> {
    let row = problem.kernel().row(datum);
    let has = |sign: T| row.iter().any(|&k| sign * k > T::zero());
    match (has(T::one()), has(-T::one())) {
        (true, false) => Some(T::one()),
        (false, true) => Some(-T::one()),
        _ => None,
    }
}

/// Σ g (K a)/σ² for a flat spectrum a, over those of these data that have one sign for any positive spectrum; `None`
/// where there are none.
fn definite_overlap<T: Real>(problem: &Problem<T>, data: Range<usize>) -> Option<T> {
    let deviations = problem.model().whitening().deviations();
    let terms = data.filter(|&i| sign(problem, i).is_some()).map(|i| {
        let row = problem.kernel().row(i);
        let fit: T = row.iter().zip(problem.grid().weights()).map(|(&k, &w)| k * w).sum();
        fit / deviations[i] * (problem.data()[i] / deviations[i])
    });
    terms.reduce(|sum, term| sum + term)
}

/// Error bars by which a datum has to have the wrong sign.
const SIGNIFICANT: f64 = 4.0;

/// Whether, of those of these data that have one sign for any positive spectrum, some have significantly that sign
/// and others the opposite one.
fn has_both_signs<T: Real>(problem: &Problem<T>, data: Range<usize>) -> bool {
    let deviations = problem.model().whitening().deviations();
    let (mut right, mut wrong) = (false, false);
    for (i, sign) in data.filter_map(|i| Some((i, sign(problem, i)?))) {
        let (g, limit) = (sign * problem.data()[i], T::lit(SIGNIFICANT) * deviations[i]);
        right |= g > limit;
        wrong |= -g > limit;
    }
    right && wrong
}
