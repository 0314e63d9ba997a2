//! An endless stream of fresh samples.

use super::noise_level::Noise;
use super::{GaussianMixture, NoiseLevel, TrainingSource};
use crate::error::{Result, check_len, check_not_empty};
use crate::grid::FrequencyGrid;
use crate::linalg::{MatMut, MatRef, gemm};
use crate::network::Front;
use crate::problem::{Fingerprint, ForwardModel};
use crate::real::Real;
use nalgebra::DMatrix;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// Spectra and data drawn when they are used and then forgotten: no sample is seen twice, and memory does
/// not grow with their number.
///
/// Every sample of every step draws from a ChaCha8 stream of its own.
#[derive(Debug, Clone)]
pub struct SampleStream {
    mixture: GaussianMixture,
    grid: FrequencyGrid<f64>,
    /// K, or P K behind a front.
    kernel: DMatrix<f64>,
    fingerprint: Fingerprint,
    front: Option<Front>,
    noise: Noise,
    /// Variances of the coordinates, for a front that is told them.
    told: Option<Vec<f64>>,
    epoch: usize,
    seed: [u8; 32],
}

impl SampleStream {
    /// Spectra from `mixture`, their data g = K a + noise as a network behind `front` sees them; `epoch`
    /// samples are called an epoch. `rng` gives the seed.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::draw`]; a front or noise for data of another length; noise that is none
    /// (see [`NoiseLevel`]); an empty epoch.
    pub fn new(
        mixture: &GaussianMixture,
        model: &ForwardModel<f64>,
        front: Option<&Front>,
        noise: &NoiseLevel,
        epoch: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        check_not_empty("epoch", epoch, 1)?;
        let rows = model.kernel().nrows();
        let noise = Noise::new(noise, rows, front)?;
        let kernel = match front {
            Some(front) => {
                check_len("front", front.input_len(), rows, "the kernel's rows")?;
                front.silent().apply(model.kernel())?
            }
            None => model.kernel().clone(),
        };
        let told = front.filter(|f| f.is_adaptive()).map(|_| noise.variances());
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        // Peaks that miss the grid show here.
        mixture.draw(model.grid(), &mut ChaCha8Rng::from_seed(seed))?;
        let (mixture, grid) = (mixture.clone(), model.grid().clone());
        let (fingerprint, front) = (model.fingerprint(), front.cloned());
        Ok(SampleStream { mixture, grid, kernel, fingerprint, front, noise, told, epoch, seed })
    }
}

/// The stream of one sample at one step.
fn stream(seed: [u8; 32], step: usize, sample: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::from_seed(seed);
    rng.set_stream(((step as u64) << 32) ^ sample as u64);
    rng
}

impl<T: Real> TrainingSource<T> for SampleStream {
    fn input_len(&self) -> usize {
        self.kernel.nrows() + usize::from(self.told.is_some())
    }

    fn output_len(&self) -> usize {
        self.kernel.ncols()
    }

    fn epoch_len(&self) -> usize {
        self.epoch
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Some(self.fingerprint)
    }

    fn front(&self) -> Option<&Front> {
        self.front.as_ref()
    }

    fn scratch_len(&self, batch: usize) -> usize {
        let (m, n) = self.kernel.shape();
        (m + n + 1) * batch + m
    }

    fn fill(
        &self,
        step: usize,
        samples: &[usize],
        scratch: &mut [f64],
        input: &mut [T],
        target: &mut [T],
    ) {
        let ((m, n), batch) = (self.kernel.shape(), samples.len());
        let (weights, rest) = scratch.split_at_mut(n * batch);
        let (data, rest) = rest.split_at_mut(m * batch);
        let (factors, draws) = rest.split_at_mut(batch);
        let places = weights.chunks_exact_mut(n).zip(data.chunks_exact_mut(m)).zip(&mut *factors);
        for (((a, g), factor), &sample) in places.zip(samples) {
            let mut rng = stream(self.seed, step, sample);
            if self.mixture.fill(&self.grid, &mut rng, a).is_err() {
                // A distribution that next to always misses the grid: the loss will say so.
                a.fill(f64::NAN);
            }
            *factor = self.noise.draw(&mut rng, &mut draws[..m], g);
        }
        gemm(
            MatMut::column_major(data, m, batch),
            MatRef::column_major(self.kernel.as_slice(), m, n),
            MatRef::column_major(weights, n, batch),
            true,
        );
        for (samples, features, panel) in [(&*data, m, &mut *input), (&*weights, n, target)] {
            for (i, row) in panel.chunks_exact_mut(batch).take(features).enumerate() {
                for (b, to) in row.iter_mut().enumerate() {
                    *to = T::lit(samples[b * features + i]);
                }
            }
        }
        if let Some(variances) = &self.told {
            for (b, &factor) in factors.iter().enumerate() {
                Front::tell(variances, factor, &mut input[b..], batch);
            }
        }
    }
}
