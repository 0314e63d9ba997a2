//! A last data-consistency step after another method, a network above all.

use super::active_set::ActiveSet;
use super::normal_equations::NormalEquations;
use crate::error::{Result, check_nonnegative, check_positive};
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{Certificate, PenaltyReport, Report, Solution, Solver, Status, Warning};
use nalgebra::DVectorView;

/// Moves the answer a₀ of another method to the data where they know better, and keeps it non-negative and, where it
/// is set, its sum:
///
/// ```text
/// min ½χ²(a) + ‖a − a₀‖²/2τ²    over a ≥ 0 (and Σ a = s)        τ² = error²/N_ω
/// ```
///
/// with the root-square `error` ‖a₀ − ã‖ that is expected of a₀, of one size in all directions: the most probable a
/// if a₀ is the truth with such errors. Where no bound is met, along the singular vectors of the whitened kernel,
///
/// ```text
/// a = a₀ + Σ_k v_k s_k τ²/(1 + s_k²τ²) u_k·(g̃ − K̃a₀)
/// ```
///
/// so that the leading directions, s_k τ ≫ 1, agree with the data to the noise, and those below stay as they were.
/// A feed-forward network need not reproduce the data it was shown; this makes it, at the price of a few small
/// factorisations. The step comes after the network: it is no part of its training, and has no gradient.
///
/// The certificate bounds the distance to the optimum: of the gradient (less its mean over a, with a sum) let d ≥ 0 be
/// the part that holds weights at zero and e the rest, then objective − minimum ≤ d·a + ½τ²‖e‖², and the L1 distance
/// ≤ τ √(2 N_ω gap).
///
/// ```
/// use fredholm::*;
/// # use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
/// # use std::sync::Arc;
/// # let (beta, grid) = (8.0, FrequencyGrid::uniform(-3.0, 3.0, 20)?);
/// # let tau: Vec<f64> = (0..30).map(|i| beta * f64::from(i) / 29.0).collect();
/// # let noise = Whitening::from_errors(&[1e-4; 30])?;
/// # let model = Arc::new(ForwardModel::new(&FermionTime::new(beta)?, &tau, &grid, noise)?);
/// # let mut rng = ChaCha8Rng::seed_from_u64(1);
/// # let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-4));
/// # let set = TrainingSet::<f64>::generate(&mixture, &model, 1000, &noise, &mut rng)?;
/// # let problem = Problem::from_model(model, set.data().column(0).as_slice())?;
/// let estimator = Lmmse::affine().fit(&set)?;
/// let error = estimator.evaluate(&set)?.mean;
/// let solution = DataConsistent::new(estimator, error).solve(&problem)?;
/// assert!(solution.spectrum().weights().iter().all(|&a| a >= 0.0));
/// assert!(solution.report().chi2 < 2.0 * 30.0);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataConsistent<S> {
    solver: S,
    error: f64,
    sum: Option<f64>,
}

impl<S> DataConsistent<S> {
    /// After `solver`, of whose answers a root-square `error` > 0 is expected:
    /// [`Estimator::evaluate`](crate::Estimator::evaluate) measures it.
    pub fn new(solver: S, error: f64) -> Self {
        DataConsistent { solver, error, sum: None }
    }

    /// The sum of the weights, s ≥ 0, exactly: 1 for a fermionic Green's function. It has to be one that the data
    /// agree with, or they bend the rest of the answer. Free unless set.
    #[must_use]
    pub fn sum(mut self, sum: f64) -> Self {
        self.sum = Some(sum);
        self
    }

    /// The method before the step.
    pub fn solver(&self) -> &S {
        &self.solver
    }
}

/// Steps for the multiplier of the sum: it is found after a handful, each on another piece of a piecewise linear
/// function.
const STEPS: usize = 60;

/// min ½aᵀHa − b·a over a ≥ 0 and Σ a = `sum`: how it ended, and the number of factorisations. The answer is left in
/// `active_set`.
///
/// The multiplier μ of the sum is the root of Σ a(μ) − sum, a(μ) the minimiser over a ≥ 0 for b + μ: it increases, in
/// linear pieces. Newton's method, within a bracket.
fn minimise_on_simplex<T: Real>(
    active_set: &mut ActiveSet<T>,
    gram: &[T],
    b: &[T],
    guess: &[T],
    sum: T,
) -> (Status, usize) {
    let (mut low, mut high) = (-T::INFINITY, T::INFINITY);
    let (mut mu, mut factorisations) = (T::zero(), 0);
    let (mut shifted, mut guess) = (b.to_vec(), guess.to_vec());
    let mut last = T::INFINITY;
    for _ in 0..STEPS {
        shifted.iter_mut().zip(b).for_each(|(shifted, &b)| *shifted = b + mu);
        let (status, count) = active_set.solve(gram, &shifted, &guess);
        factorisations += count;
        let excess = active_set.x.iter().copied().sum::<T>() - sum;
        // As near as rounding lets it come: the next step was no better.
        let stalled = excess.abs() <= T::EPSILON.sqrt() * sum && excess.abs() >= T::lit(0.5) * last;
        if !status.is_success() || excess == T::zero() || stalled {
            return (status, factorisations);
        }
        last = excess.abs();
        if excess > T::zero() {
            high = mu;
        } else {
            low = mu;
        }
        guess.copy_from_slice(&active_set.x);
        let slope = active_set.sum_of_inverse();
        let next = mu - excess / slope;
        let middle = T::lit(0.5) * (low + high);
        mu = match (next > low && next < high, middle.is_finite()) {
            (true, _) => next,
            // No digit is left between the two.
            (false, true) if middle <= low || middle >= high => {
                return (Status::RoundingFloor, factorisations);
            }
            (false, true) => middle,
            // Nothing is positive yet: one component alone, the most willing, makes the sum.
            (false, false) => {
                let (n, best) = (b.len(), argmax(b));
                (sum * gram[best * (n + 1)] - b[best]).max(mu + T::one())
            }
        };
    }
    (Status::IterationLimit, factorisations)
}

fn argmax<T: Real>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

impl<T: Real, S: Solver<T>> Solver<T> for DataConsistent<S> {
    fn solve(&self, problem: &Problem<T>) -> Result<Solution<T>> {
        check_positive("error", self.error)?;
        self.sum.map_or(Ok(()), |sum| check_nonnegative("sum", sum))?;
        let before = self.solver.solve(problem)?;
        let start = before.spectrum().weights();
        let (kernel, data, n) = (problem.whitened_kernel(), problem.whitened_data(), start.len());
        // 1/τ².
        let stiffness = T::lit(n as f64 / (self.error * self.error));
        check_positive("error", stiffness)?;
        let guess: Vec<T> = start.iter().map(|&a| a.max(T::zero())).collect();
        let sum = self.sum.map(T::lit);

        let normal = NormalEquations::new(kernel, stiffness)?;
        let mut b = normal.right_hand_sides(data);
        b.iter_mut().zip(&start).for_each(|(b, &a)| *b += stiffness * a);
        let mut active_set = ActiveSet::new(n);
        let (mut status, iterations) = match sum {
            None => active_set.solve(normal.gram(), &b, &guess),
            // Zero is the only point there is.
            Some(sum) if sum == T::zero() => (Status::Converged, 0),
            Some(sum) => minimise_on_simplex(&mut active_set, normal.gram(), &b, &guess, sum),
        };
        let total: T = active_set.x.iter().copied().sum();
        if let Some(sum) = sum
            && total > T::zero()
        {
            active_set.x.iter_mut().for_each(|a| *a *= sum / total);
        }
        let weights = &active_set.x;

        let residual = DVectorView::from_slice(data, data.len())
            - kernel * DVectorView::from_slice(weights, n);
        let mut gradient = normal.right_hand_sides(residual.as_slice());
        let (mut product, mut distance) = (T::zero(), T::zero());
        for ((&a, &start), d) in weights.iter().zip(&start).zip(&mut gradient) {
            *d = stiffness * (a - start) - *d;
            product += *d * a;
            distance += (a - start) * (a - start);
        }
        // On the simplex a constant more or less changes nothing.
        let mean = sum.filter(|&sum| sum > T::zero()).map_or(T::zero(), |sum| product / sum);
        let half = T::lit(0.5);
        let gap = weights.iter().zip(&gradient).map(|(&a, &d)| {
            let d = d - mean;
            if T::lit(2.0) * stiffness * a < d { d * a } else { half * d * d / stiffness }
        });
        let gap: T = gap.sum();
        let objective = half * (residual.norm_squared() + stiffness * distance);
        let certificate = Certificate::Gap {
            gap,
            relative: gap / objective.max(T::MIN_POSITIVE),
            l1_bound: Some((T::lit(2.0 * n as f64) * gap / stiffness).sqrt()),
        };
        let report = before.report();
        if !report.status.is_success() {
            status = report.status.clone();
        }
        let known = &problem.model().whitening().report().notes;
        let new = |w: &&Warning| matches!(w, Warning::Note(text) if !known.contains(text));
        Solution::new(
            problem,
            weights,
            Report {
                method: format!("{}, data-consistent", report.method),
                status,
                iterations,
                certificate,
                warnings: report.warnings.iter().filter(new).cloned().collect(),
                penalty: Some(PenaltyReport { lambda: stiffness, rule: "fixed" }),
                chi2: T::zero(),
                n_data: 0,
                norm: T::zero(),
                residual_correlation: None,
                maxent: None,
            },
        )
    }
}
