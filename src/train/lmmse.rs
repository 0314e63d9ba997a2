//! The linear estimator of least mean square error, learned from a training set.
//!
//! Source: Kay, *Fundamentals of Statistical Signal Processing: Estimation Theory* (1993), chapter 12.

use super::Estimator;
use crate::error::{Result, check_finite, check_nonnegative};
use crate::linalg::{MatMut, MatRef, gemm, symmetric_eigen};
use crate::network::{DenseArchitecture, DenseNetwork};
use crate::real::Real;
use crate::synthetic::TrainingSet;
use nalgebra::DMatrix;

/// Fits the map â = W g + b of least mean square error over a training set of N samples,
///
/// ```text
/// min (1/N) Σ ‖a − W g − b‖² + ρ ‖W‖²      W = C_ag (C_gg + ρ)⁻¹    b = ā − W ḡ
/// ```
///
/// with the covariances C over the set; without b, with its second moments. No iteration, no sign constraint, and
/// by far the cheapest yardstick for a network. The ridge ρ acts like further independent noise of variance ρ in
/// every datum: a set without noise and ρ = σ² gives the estimator for noise σ, a larger ρ one that mistrusts its
/// data. Directions in which data vary by less than 10⁻⁷ of the most they vary, the accuracy of second moments, are
/// left out.
///
/// The result is a network of one layer in an [`Estimator`], so a solver; all in `f64` whatever the set's scalar.
///
/// ```
/// use fredholm::*;
/// # use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
/// # let (beta, grid) = (8.0, FrequencyGrid::uniform(-3.0, 3.0, 20)?);
/// # let tau: Vec<f64> = (0..30).map(|i| beta * f64::from(i) / 29.0).collect();
/// # let noise = Whitening::from_errors(&[1e-4; 30])?;
/// # let model = ForwardModel::new(&FermionTime::new(beta)?, &tau, &grid, noise)?;
/// # let mut rng = ChaCha8Rng::seed_from_u64(1);
/// # let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-4));
/// let set = TrainingSet::<f64>::generate(&mixture, &model, 1000, &noise, &mut rng)?;
/// let estimator = Lmmse::affine().fit(&set)?;
/// assert!(estimator.evaluate(&set)?.mean < 0.1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lmmse {
    offset: bool,
    ridge: f64,
}

/// Samples taken together: the size of the `f64` copies.
const BLOCK: usize = 4096;

impl Lmmse {
    /// â = W g + b, without ridge.
    pub fn affine() -> Self {
        Lmmse { offset: true, ridge: 0.0 }
    }

    /// â = W g, without ridge.
    pub fn linear() -> Self {
        Lmmse { offset: false, ridge: 0.0 }
    }

    /// ρ ≥ 0, in units of the data squared.
    #[must_use]
    pub fn ridge(mut self, ridge: f64) -> Self {
        self.ridge = ridge;
        self
    }

    /// The estimator for problems of the set's fingerprint.
    ///
    /// # Errors
    /// A ridge that is negative or not finite; samples whose second moments overflow.
    pub fn fit<T: Real>(&self, set: &TrainingSet<T>) -> Result<Estimator<f64, DenseNetwork<f64>>> {
        check_nonnegative("ridge", self.ridge)?;
        let (m, n) = (set.data().nrows(), set.weights().nrows());
        let mean = |samples: &DMatrix<T>| match self.offset {
            true => samples.map(|v| v.as_f64()).column_mean().as_slice().to_vec(),
            false => vec![0.0; samples.nrows()],
        };
        let (mean_g, mean_a) = (mean(set.data()), mean(set.weights()));
        let (mut c_gg, mut c_ga) = (DMatrix::zeros(m, m), DMatrix::zeros(m, n));
        for start in (0..set.len()).step_by(BLOCK) {
            let count = BLOCK.min(set.len() - start);
            let g = centred(set.data(), start, count, &mean_g);
            let a = centred(set.weights(), start, count, &mean_a);
            let g = MatRef::column_major(&g, m, count);
            let a = MatRef::column_major(&a, n, count);
            gemm(MatMut::column_major(c_gg.as_mut_slice(), m, m), g, g.t(), true);
            gemm(MatMut::column_major(c_ga.as_mut_slice(), m, n), g, a.t(), true);
        }
        let samples = set.len() as f64;
        check_finite("data", c_gg.as_slice())?;
        let (values, vectors) = symmetric_eigen("data", c_gg / samples)?;
        let largest = values.iter().copied().fold(0.0, f64::max);
        // (C_gg + ρ)⁻¹ C_ga, without the directions that are rounding.
        let mut modes = vectors.tr_mul(&(c_ga / samples));
        for (mut row, &value) in modes.row_iter_mut().zip(&values) {
            let value = value + self.ridge;
            row *= if value > m as f64 * f64::EPSILON * largest { value.recip() } else { 0.0 };
        }
        let w = vectors * modes; // Wᵀ, m × n: column-major, it is W row-major.
        let mut parameters = w.as_slice().to_vec();
        for (column, a) in w.column_iter().zip(&mean_a) {
            let shift: f64 = column.iter().zip(&mean_g).map(|(w, g)| w * g).sum();
            parameters.push(a - shift);
        }
        let network =
            DenseNetwork::from_parameters(DenseArchitecture { widths: vec![m, n] }, parameters)?;
        Ok(Estimator::new(network, set.fingerprint()))
    }
}

/// `count` columns from `start` on, less their mean.
fn centred<T: Real>(samples: &DMatrix<T>, start: usize, count: usize, mean: &[f64]) -> Vec<f64> {
    let columns = samples.columns(start, count);
    let mean = mean.iter().cycle();
    columns.iter().zip(mean).map(|(v, mean)| v.as_f64() - mean).collect()
}
