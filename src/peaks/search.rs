//! The search for mixtures that fit: orders, starting points, and the distinct modes found.
//!
//! The posterior of a mixture has many local maxima, so each order is entered from several sides: a greedy
//! decomposition of the answer to be refined, and the best mixture of the order before with one more peak:
//! where the answer exceeds it, where one of its peaks splits in two, and drawn from the answer. From the
//! best fit of an order the search hops on: one of its peaks is drawn anew, and the fit stays if it is better.

use super::fit::{Fitter, Mode, Rows, Target};
use super::mixture::Mixture;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

/// Bounds on what can be asked for: a fit of so many peaks is small still, and a search of so many starts ends.
pub(super) const MOST_PEAKS: usize = 64;
pub(super) const MOST_RESTARTS: usize = 10_000;

/// How far to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scope {
    /// Least and largest number of ordinary peaks.
    pub(super) orders: (usize, usize),
    /// Random starts of each order; four times as many hops.
    pub(super) restarts: usize,
    /// χ² up to which a mixture fits.
    pub(super) bound: f64,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// Distinct mixtures that fit, with their evidence, in the order of discovery.
    pub(super) modes: Vec<Mode>,
    pub(super) fits: usize,
    pub(super) iterations: usize,
    /// Whether any fit ended by itself.
    pub(super) converged: bool,
}

/// Steps of a fit to the data, and of one to the answer that is refined.
const LIMIT: usize = 60;
const GREEDY_LIMIT: usize = 25;
/// Widths a new peak is tried with, as parts of their range.
const WIDTHS: [f64; 3] = [0.15, 0.3, 0.6];
/// Draws anew for every random start.
const HOPS: usize = 4;
/// χ² above which drawing peaks anew is not worth the time.
const PROMISING: f64 = 1e4;
/// Error of the answer that its decomposition is fitted to, as a part of its norm.
const BLUR: f64 = 0.007;
/// Logarithm of the evidence by which an order has to fall behind to be the last.
const BEHIND: f64 = 12.0;
/// L1 distance, as a part of the norm, below which two mixtures are one.
const DISTINCT: f64 = 2e-3;

/// The evidence of all modes, −∞ without any.
pub(super) fn log_sum(modes: &[Mode]) -> f64 {
    let top = modes.iter().map(|m| m.log_evidence).fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + modes.iter().map(|m| (m.log_evidence - top).exp()).sum::<f64>().ln()
}

/// The weight of another answer above one of a mixture, at every point of the grid.
fn excess(answer: &[f64], weights: &[f64]) -> Vec<f64> {
    answer.iter().zip(weights).map(|(a, w)| a - w).collect()
}

/// Where a list is largest.
fn argmax(x: &[f64]) -> usize {
    (0..x.len()).fold(0, |best, i| if x[i] > x[best] { i } else { best })
}

/// Searches around `answer` (weights of norm about `target.norm`).
pub(super) fn search(mixture: &Mixture, target: Target<'_>, answer: &[f64], scope: Scope) -> Found {
    let (least, most) = scope.orders;
    let mut fitter = Fitter::new(mixture, most + usize::from(mixture.has_first()));
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut found = Found::default();

    // The answer as data of its own.
    let inverse = (BLUR * target.norm).recip();
    let scaled: Vec<f64> = answer.iter().map(|a| a * inverse).collect();
    let (matrix, norm) = (Rows::Unit(inverse), target.norm);
    let blurred = Target { matrix, data: &scaled, norm, prior: 0.1 };

    let mut greedy = fitter.descend(blurred, &mixture.least(), GREEDY_LIMIT);
    let mut best: Option<Mode> = None;
    let mut starts: Vec<Vec<f64>> = Vec::new();
    for order in 0..=most {
        starts.clear();
        if order > 0 {
            let at = mixture.points()[argmax(&excess(answer, &greedy.weights))];
            let candidates = WIDTHS.map(|width| {
                let start = extended(mixture, &greedy.z, at, width * mixture.width_range());
                fitter.descend(blurred, &start, GREEDY_LIMIT)
            });
            for candidate in candidates {
                if candidate.z.len() > greedy.z.len() || candidate.objective < greedy.objective {
                    greedy = candidate;
                }
            }
        }
        if order < least {
            continue;
        }
        starts.push(greedy.z.clone());
        if let Some(best) = best.as_ref().filter(|b| b.z.len() < greedy.z.len()) {
            more(mixture, best, answer, scope.restarts, &mut rng, &mut starts);
        }
        let mut here: Option<Mode> = None;
        for start in &starts {
            let mode = fitter.descend(target, start, LIMIT);
            found.add(&mut fitter, target, scope.bound, &mode);
            if here.as_ref().is_none_or(|h| is_lower(&mode, h)) {
                here = Some(mode);
            }
        }
        if let Some(here) = here.as_mut().filter(|h| order > 0 && h.chi2 < PROMISING) {
            for _ in 0..HOPS * scope.restarts {
                let start = hopped(mixture, here, order, answer, &mut rng);
                let mode = fitter.descend(target, &start, LIMIT);
                found.add(&mut fitter, target, scope.bound, &mode);
                if is_lower(&mode, here) {
                    *here = mode;
                }
            }
        }
        let top = |z: usize| {
            let of = found.modes.iter().filter(|m| m.z.len() == z);
            of.map(|m| m.log_evidence).fold(f64::NEG_INFINITY, f64::max)
        };
        let evidence = log_sum(&found.modes);
        if evidence.is_finite() && top(greedy.z.len()) < evidence - BEHIND {
            break;
        }
        best = here;
    }
    found
}

/// `z` with one more peak.
fn extended(mixture: &Mixture, z: &[f64], centre: f64, width: f64) -> Vec<f64> {
    z.iter().copied().chain(mixture.place(centre, width, 1.0)).collect()
}

/// Starts from the best mixture with one peak less.
fn more(
    mixture: &Mixture,
    best: &Mode,
    answer: &[f64],
    restarts: usize,
    rng: &mut ChaCha8Rng,
    starts: &mut Vec<Vec<f64>>,
) {
    let points = mixture.points();
    let at = points[argmax(&excess(answer, &best.weights))];
    for width in WIDTHS {
        starts.push(extended(mixture, &best.z, at, width * mixture.width_range()));
    }
    let per = mixture.per_peak();
    for (i, shape) in mixture.shapes(&best.z).enumerate() {
        let (shift, width) = (0.6 * shape.width, 0.7 * shape.width);
        let mut start = best.z.clone();
        if i > 0 || !mixture.has_first() {
            let place = mixture.global() + i * per;
            let half = mixture.place(shape.centre - shift, width, 0.7 * shape.height);
            start[place..].iter_mut().zip(half).for_each(|(z, half)| *z = half);
        }
        start.extend(mixture.place(shape.centre + shift, width, 0.7 * shape.height));
        starts.push(start);
    }
    for _ in 0..restarts {
        let (centre, width) = drawn(mixture, answer, rng);
        starts.push(extended(mixture, &best.z, centre, width));
    }
}

/// Centre and width of a peak, drawn from the answer and the range.
fn drawn(mixture: &Mixture, answer: &[f64], rng: &mut ChaCha8Rng) -> (f64, f64) {
    let total: f64 = answer.iter().map(|a| a.max(0.0)).sum();
    let mut left = total * rng.random::<f64>();
    let index = answer.iter().position(|a| {
        left -= a.max(0.0);
        left <= 0.0
    });
    (mixture.points()[index.unwrap_or(0)], mixture.width_range() * rng.random::<f64>())
}

/// The mixture of a mode with one of its ordinary peaks drawn anew.
fn hopped(
    mixture: &Mixture,
    mode: &Mode,
    order: usize,
    answer: &[f64],
    rng: &mut ChaCha8Rng,
) -> Vec<f64> {
    let mut z = mode.z.clone();
    let peak = rng.random_range(0..order) + usize::from(mixture.has_first());
    let (centre, width) = drawn(mixture, answer, rng);
    let place = mixture.global() + mixture.per_peak() * peak;
    z[place..].iter_mut().zip(mixture.place(centre, width, 1.0)).for_each(|(z, new)| *z = new);
    z
}

/// Whether a fit is better than another; any is better than none at all.
fn is_lower(mode: &Mode, than: &Mode) -> bool {
    mode.objective < than.objective || than.objective.is_nan()
}

impl Found {
    /// Takes note of a fit: a mode that fits and is not known becomes one of the modes.
    fn add(&mut self, fitter: &mut Fitter<'_>, target: Target<'_>, bound: f64, mode: &Mode) {
        self.fits += 1;
        self.iterations += mode.iterations;
        self.converged |= mode.converged;
        if mode.chi2.is_nan() || mode.chi2 > bound {
            return;
        }
        let alike = |m: &Mode| {
            let l1: f64 = excess(&m.weights, &mode.weights).iter().map(|d| d.abs()).sum();
            l1 < DISTINCT * target.norm
        };
        let known = self.modes.iter().position(alike);
        // Two of its peaks coincide, or one falls between the points, where fewer peaks give the same; or it is the
        // mode that is known.
        let told = |known: &Mode| {
            known.z.len() < mode.z.len()
                || (known.z.len() == mode.z.len() && known.objective <= mode.objective)
        };
        if known.is_some_and(|k| told(&self.modes[k])) {
            return;
        }
        let mut mode = mode.clone();
        mode.log_evidence = fitter.log_evidence(target, &mode);
        if !mode.log_evidence.is_finite() {
            return;
        }
        match known {
            Some(k) if self.modes[k].log_evidence >= mode.log_evidence => {}
            Some(k) => self.modes[k] = mode,
            None => self.modes.push(mode),
        }
    }
}
