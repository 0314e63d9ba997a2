//! The bootstrap: replicas drawn from the bins, or from the noise.

use super::bands::{Bands, ResamplingMethod};
use super::replicas::{ReplicaInfo, blocks, solve_replicas};
use crate::error::{Result, check_count, check_finite, check_len};
use crate::noise::Bins;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::Solver;
use core::ops::ControlFlow;
use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng};

/// Bands from replicas of the data.
///
/// ```
/// use core::ops::ControlFlow;
/// use fredholm::{Bootstrap, FermionTime, FixedAlpha, FrequencyGrid, MaxEnt, Measurement, Problem, Solver};
/// use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
/// let tau: Vec<f64> = (0..=10).map(f64::from).collect();
/// let g: Vec<f64> = tau.iter().map(|t| ((-t).exp() + (t - 10.0).exp()) / 2.0).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-2)?;
/// let grid = FrequencyGrid::uniform(-3.0, 3.0, 41)?;
/// let problem = Problem::new(&FermionTime::new(10.0)?, &data, &grid)?;
/// let solution = MaxEnt::default().solve(&problem)?;
/// let alpha = solution.report().maxent.as_ref().map_or(1.0, |m| m.alpha);
///
/// let same_alpha = MaxEnt::default().alpha(FixedAlpha(alpha));
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// let bands = Bootstrap::new(20).parametric(
///     &problem, solution.fit(), &same_alpha, &mut rng, |_| ControlFlow::Continue(()))?;
/// let weight = bands.functional(|a| a.weight_between(0.0, 3.0))?;
/// assert!((weight.value() - 0.5).abs() < 0.05 && weight.deviation() < 0.05);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a builder does nothing until it resamples"]
pub struct Bootstrap {
    replicas: usize,
    block: usize,
}

impl Bootstrap {
    /// Of this many replicas: 100 for a deviation to 7 %, a thousand for quantiles.
    pub fn new(replicas: usize) -> Self {
        Bootstrap { replicas, block: 1 }
    }

    /// Draws blocks of this many consecutive bins; 1 by default. Take at least twice the autocorrelation time
    /// ([`Bins::autocorrelation_times`]): single bins that are correlated give bands that are too narrow.
    pub fn block(mut self, bins: usize) -> Self {
        self.block = bins;
        self
    }

    /// Replicas are means of bins drawn with replacement; the solver sees the problem's own covariance.
    ///
    /// A mean of n blocks drawn from n scatters by (n − 1)/n of the variance of the mean: deviations are
    /// stretched by √(n/(n − 1)), so that the replicas have the sample covariance of the mean. Bins behind
    /// the last full block are left out.
    ///
    /// # Errors
    /// Fewer than two replicas; a block of no bin, or of more than half of them; bins whose mean is not the
    /// problem's data (a
    /// problem with further rows, [`WithRows`](crate::WithRows), has none such); those of the solver.
    pub fn bins<T: Real>(
        &self,
        problem: &Problem<T>,
        bins: &Bins<T>,
        solver: &(impl Solver<T> + Sync + ?Sized),
        rng: &mut (impl Rng + ?Sized),
        observer: impl FnMut(ReplicaInfo) -> ControlFlow<()>,
    ) -> Result<Bands<T>> {
        let seed = self.seed(rng)?;
        let blocks = blocks(problem, bins, self.block)?;
        let (n, mean) = (blocks.count(), problem.data());
        let blocks_mean = blocks.mean();
        let stretch = T::lit((n as f64 / (n as f64 - 1.0)).sqrt() / n as f64);
        let data = |replica| {
            let mut rng = stream(seed, replica);
            let mut sum = vec![T::zero(); mean.len()];
            for _ in 0..n {
                let row = blocks.matrix().row(rng.random_range(0..n));
                for ((s, &v), &m) in sum.iter_mut().zip(row.iter()).zip(&blocks_mean) {
                    *s += v - m;
                }
            }
            mean.iter().zip(&sum).map(|(&m, &s)| m + stretch * s).collect()
        };
        solve_replicas(
            problem,
            solver,
            (self.replicas, ResamplingMethod::Bootstrap),
            data,
            observer,
        )
    }

    /// Replicas are `centre` plus noise of the problem's covariance: for data without bins.
    ///
    /// `centre`: the back-continued data of a solution ([`Solution::fit`](crate::Solution::fit)), which have no
    /// noise of their own, as a rule. About the data themselves replicas carry their noise twice, and a rule
    /// that chooses α by the fit sees χ² ≈ 2N.
    ///
    /// # Errors
    /// Fewer than two replicas; `centre` of another length than the data or not finite; those of the solver.
    pub fn parametric<T: Real>(
        &self,
        problem: &Problem<T>,
        centre: &[T],
        solver: &(impl Solver<T> + Sync + ?Sized),
        rng: &mut (impl Rng + ?Sized),
        observer: impl FnMut(ReplicaInfo) -> ControlFlow<()>,
    ) -> Result<Bands<T>> {
        let seed = self.seed(rng)?;
        check_len("centre", centre.len(), problem.data().len(), "the problem's data")?;
        check_finite("centre", centre)?;
        let whitening = problem.model().whitening();
        let data = |replica| {
            let mut rng = stream(seed, replica);
            let draws: Vec<T> =
                (0..whitening.rows()).map(|_| T::standard_normal(&mut rng)).collect();
            let noise = whitening.colour(&draws);
            centre.iter().zip(&noise).map(|(&g, &e)| g + e).collect()
        };
        solve_replicas(
            problem,
            solver,
            (self.replicas, ResamplingMethod::Bootstrap),
            data,
            observer,
        )
    }

    /// What the streams of random numbers of all replicas start from.
    fn seed(&self, rng: &mut (impl Rng + ?Sized)) -> Result<[u8; 32]> {
        check_count("replicas", self.replicas, 2..=1_000_000, "2 to 1000000 replicas")?;
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        Ok(seed)
    }
}

fn stream(seed: [u8; 32], replica: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::from_seed(seed);
    rng.set_stream(replica as u64);
    rng
}
