//! Pairs of data and spectra to train on and to test with.

use super::noise_level::Noise;
use super::{GaussianMixture, NoiseLevel};
use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::linalg::{MatMut, MatRef, gemm};
use crate::network::{ErrorSummary, Front};
use crate::parallel;
use crate::problem::{Fingerprint, ForwardModel};
use crate::real::Real;
use nalgebra::DMatrix;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// Data g and the spectral weights a they came from, one sample a column, with the fingerprint of the
/// forward model between them.
///
/// A network trained on a set takes problems of that fingerprint. It is that of a `ForwardModel<f64>`
/// whatever `T` is: training in `f32` does not change which problems are solved afterwards.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSet<T: Real = f64> {
    data: DMatrix<T>,
    weights: DMatrix<T>,
    fingerprint: Fingerprint,
    /// Between raw data and `data`.
    front: Option<Front>,
}

/// Samples drawn from one random stream.
const BLOCK: usize = 256;

/// The samples of one stream, as places in the matrices of the set.
struct Block<'a, T> {
    data: &'a mut [T],
    weights: &'a mut [T],
    outcome: Result<()>,
}

impl<T: Real> TrainingSet<T> {
    /// From data (m × samples) and weights (n × samples) of one's own.
    ///
    /// # Errors
    /// No sample, different numbers of samples, or a value that is not finite.
    pub fn new(data: DMatrix<T>, weights: DMatrix<T>, fingerprint: Fingerprint) -> Result<Self> {
        check_not_empty("data", data.len(), 1)?;
        check_not_empty("weights", weights.len(), 1)?;
        check_len("weights", weights.ncols(), data.ncols(), "the samples of `data`")?;
        check_finite("data", data.as_slice())?;
        check_finite("weights", weights.as_slice())?;
        Ok(TrainingSet { data, weights, fingerprint, front: None })
    }

    /// `samples` spectra from `mixture`, their data g = K a + σ ξ with ξ standard normal.
    ///
    /// Computed in `f64` and rounded to `T` at the end. `rng` gives the seed; every 256 samples have a
    /// ChaCha8 stream of their own.
    ///
    /// # Errors
    /// No samples; those of [`GaussianMixture::validate`]; noise negative, not finite, or of another
    /// length than the data; peaks that miss the grid.
    pub fn generate(
        mixture: &GaussianMixture,
        model: &ForwardModel<f64>,
        samples: usize,
        noise: &NoiseLevel,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        check_not_empty("samples", samples, 1)?;
        mixture.validate()?;
        let (m, n) = model.kernel().shape();
        let noise = Noise::new(noise, m, None)?;
        if samples.checked_mul(m.max(n)).is_none_or(|k| k > isize::MAX as usize / 8) {
            return Err(Error::OutOfRange {
                argument: "samples",
                value: samples as f64,
                expected: "a set that fits into memory",
            });
        }
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let mut data = DMatrix::zeros(m, samples);
        let mut weights = DMatrix::zeros(n, samples);
        let mut blocks: Vec<Block<'_, T>> = (data.as_mut_slice().chunks_mut(BLOCK * m))
            .zip(weights.as_mut_slice().chunks_mut(BLOCK * n))
            .map(|(data, weights)| Block { data, weights, outcome: Ok(()) })
            .collect();
        parallel::for_each_mut(&mut blocks, |stream, block| {
            let mut rng = ChaCha8Rng::from_seed(seed);
            rng.set_stream(stream as u64);
            block.outcome = fill_block(mixture, model, &noise, &mut rng, block);
        });
        blocks.into_iter().try_for_each(|block| block.outcome)?;
        Self::new(data, weights, model.fingerprint())
    }

    /// The data, m × samples.
    pub fn data(&self) -> &DMatrix<T> {
        &self.data
    }

    /// The spectral weights, n × samples.
    pub fn weights(&self) -> &DMatrix<T> {
        &self.weights
    }

    /// The number of samples (at least one).
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.data.ncols()
    }

    /// Of the forward model between data and weights.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the data have been seen through ([`conditioned`](Self::conditioned)); none for raw ones.
    pub fn front(&self) -> Option<&Front> {
        self.front.as_ref()
    }

    /// The same samples as a network behind `front` sees them, x = P g instead of g; rounded to `U`.
    ///
    /// # Errors
    /// A front for data of another length; a set that has been seen through a front before.
    pub fn conditioned<U: Real>(&self, front: &Front) -> Result<TrainingSet<U>> {
        if self.front.is_some() {
            return Err(Error::Unsupported {
                argument: "front",
                value: "a second one",
                expected: "a set of raw data",
            });
        }
        let weights = self.weights.map(|a| U::lit(a.as_f64()));
        let set = TrainingSet::new(front.apply(&self.data)?, weights, self.fingerprint)?;
        Ok(TrainingSet { front: Some(front.clone()), ..set })
    }

    /// [`conditioned`](Self::conditioned) where there is a front; else a copy, rounded to `U`.
    pub(super) fn seen_through<U: Real>(&self, front: Option<&Front>) -> Result<TrainingSet<U>> {
        if let Some(front) = front {
            return self.conditioned(front);
        }
        let round = |v: T| U::lit(v.as_f64());
        let set =
            TrainingSet::new(self.data.map(round), self.weights.map(round), self.fingerprint)?;
        Ok(TrainingSet { front: self.front.clone(), ..set })
    }

    /// Data and weights of sample `i`, contiguous.
    pub(crate) fn sample(&self, i: usize) -> (&[T], &[T]) {
        let (m, n) = (self.data.nrows(), self.weights.nrows());
        (&self.data.as_slice()[i * m..][..m], &self.weights.as_slice()[i * n..][..n])
    }

    /// Root-square errors ‖a − ã‖₂ of any method's estimates of the weights, one a column.
    ///
    /// # Errors
    /// `estimates` of another shape than the weights.
    pub fn score(&self, estimates: &DMatrix<T>) -> Result<ErrorSummary> {
        check_len("estimates", estimates.nrows(), self.weights.nrows(), "the frequency grid")?;
        check_len("estimates", estimates.ncols(), self.len(), "the samples of the set")?;
        let pairs = estimates.column_iter().zip(self.weights.column_iter());
        Ok(ErrorSummary::new(
            pairs
                .map(|(a, t)| {
                    a.iter()
                        .zip(t.iter())
                        .map(|(&a, &t)| {
                            let d = (a - t).as_f64();
                            d * d
                        })
                        .sum::<f64>()
                        .sqrt()
                })
                .collect(),
        ))
    }
}

/// Spectra, then data, then noise of one block.
fn fill_block<T: Real>(
    mixture: &GaussianMixture,
    model: &ForwardModel<f64>,
    noise: &Noise,
    rng: &mut ChaCha8Rng,
    block: &mut Block<'_, T>,
) -> Result<()> {
    let (m, n) = model.kernel().shape();
    let count = block.data.len() / m;
    let mut weights = vec![0.0; n * count];
    for a in weights.chunks_exact_mut(n) {
        mixture.fill(model.grid(), rng, a)?;
    }
    let mut data = vec![0.0; m * count];
    gemm(
        MatMut::column_major(&mut data, m, count),
        MatRef::column_major(model.kernel().as_slice(), m, n),
        MatRef::column_major(&weights, n, count),
        false,
    );
    let (mut draws, mut errors) = (vec![0.0; m], vec![0.0; m]);
    for g in data.chunks_exact_mut(m) {
        noise.draw(rng, &mut draws, &mut errors);
        g.iter_mut().zip(&errors).for_each(|(g, e)| *g += e);
    }
    for (to, &from) in
        block.data.iter_mut().zip(&data).chain(block.weights.iter_mut().zip(&weights))
    {
        *to = T::lit(from);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::FrequencyGrid;
    use crate::kernel::FermionTime;
    use crate::noise::Whitening;

    fn model() -> ForwardModel<f64> {
        let tau: Vec<f64> = (0..20).map(|i| 8.0 * f64::from(i) / 19.0).collect();
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 30).unwrap();
        let whitening = Whitening::from_errors(&[1e-3; 20]).unwrap();
        ForwardModel::new(&FermionTime::new(8.0).unwrap(), &tau, &grid, whitening).unwrap()
    }

    fn generate<T: Real>(samples: usize, noise: &NoiseLevel, seed: u64) -> TrainingSet<T> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        TrainingSet::generate(&GaussianMixture::default(), &model(), samples, noise, &mut rng)
            .unwrap()
    }

    #[test]
    fn data_are_the_kernel_times_weights_plus_noise() {
        let clean = generate::<f64>(700, &NoiseLevel::Uniform(0.0), 5);
        let residual = clean.data() - model().kernel() * clean.weights();
        assert!(residual.amax() < 1e-15);
        let sigma: Vec<f64> = (1..=20).map(|i| 1e-3 * f64::from(i)).collect();
        let noisy = generate::<f64>(700, &NoiseLevel::PerDatum(sigma.clone()), 5);
        let residual = noisy.data() - model().kernel() * noisy.weights();
        for (row, sigma) in residual.row_iter().zip(&sigma) {
            // 700 draws: the standard deviation is known to 2.7 %.
            let rms = (row.norm_squared() / 700.0).sqrt() / sigma;
            assert!((rms - 1.0).abs() < 0.12, "{rms}");
        }
    }

    #[test]
    fn a_seed_fixes_the_bits_whatever_the_length_scalar_or_threads() {
        let noise = NoiseLevel::Uniform(1e-4);
        let (long, short) = (generate::<f64>(600, &noise, 9), generate::<f64>(256, &noise, 9));
        assert_eq!(long.data().columns(0, 256), short.data().columns(0, 256));
        let single = generate::<f32>(600, &noise, 9);
        assert!(single.data().iter().zip(long.data()).all(|(&s, &d)| s == d as f32));
        assert_eq!(single.fingerprint(), long.fingerprint());
        assert_ne!(generate::<f64>(256, &noise, 10), short);
        #[cfg(feature = "rayon")]
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| generate::<f64>(600, &noise, 9)), long);
        }
    }

    #[test]
    fn bad_input_is_named() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mixture = GaussianMixture::default();
        let mut set = |samples, noise| {
            TrainingSet::<f32>::generate(&mixture, &model(), samples, &noise, &mut rng)
        };
        assert!(matches!(set(0, NoiseLevel::Uniform(0.0)), Err(Error::Empty { .. })));
        assert!(set(5, NoiseLevel::Uniform(-1.0)).is_err());
        assert!(set(usize::MAX, NoiseLevel::Uniform(1.0)).is_err());
        let e = set(5, NoiseLevel::PerDatum(vec![1.0])).unwrap_err();
        assert!(matches!(e, Error::LengthMismatch { argument: "noise", .. }));
        let (one, two) = (DMatrix::<f64>::zeros(3, 1), DMatrix::<f64>::zeros(3, 2));
        assert!(TrainingSet::new(one.clone(), two, model().fingerprint()).is_err());
        let set = TrainingSet::new(one.clone(), one, model().fingerprint()).unwrap();
        assert!(set.score(&DMatrix::zeros(2, 1)).is_err());
    }
}
