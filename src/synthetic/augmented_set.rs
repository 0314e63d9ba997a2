//! Noise augmentation: fresh noise for every step.

use super::noise_level::Noise;
use super::{NoiseLevel, TrainingSet, TrainingSource};
use crate::error::Result;
use crate::network::Front;
use crate::problem::Fingerprint;
use crate::real::Real;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

/// A set whose data get fresh noise whenever they are used.
///
/// Every sample of every step draws from a ChaCha8 stream of its own.
#[derive(Debug, Clone)]
pub struct AugmentedSet<T: Real = f64> {
    set: TrainingSet<T>,
    front: Option<Front>,
    noise: Noise,
    /// Variances of the coordinates, for a front that is told them.
    told: Option<Vec<f64>>,
    seed: [u8; 32],
}

impl<T: Real> AugmentedSet<T> {
    /// Over `set` of raw data, best made without noise of their own, as a network behind `front` sees
    /// them; `rng` gives the seed.
    ///
    /// # Errors
    /// A front or noise for data of another length; noise that is none (see [`NoiseLevel`]).
    pub fn new<U: Real>(
        set: &TrainingSet<U>,
        front: Option<&Front>,
        noise: &NoiseLevel,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let noise = Noise::new(noise, set.data().nrows(), front)?;
        let told = front.filter(|f| f.is_adaptive()).map(|_| noise.variances());
        let set = set.seen_through(front.map(Front::silent).as_ref())?;
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let front = front.or(set.front()).cloned();
        Ok(AugmentedSet { set, front, noise, told, seed })
    }
}

/// The stream of one sample at one step.
pub(super) fn stream(seed: [u8; 32], step: usize, sample: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::from_seed(seed);
    rng.set_stream(((step as u64) << 32) ^ sample as u64);
    rng
}

impl<T: Real> TrainingSource<T> for AugmentedSet<T> {
    fn input_len(&self) -> usize {
        self.set.input_len() + usize::from(self.told.is_some())
    }

    fn output_len(&self) -> usize {
        self.set.output_len()
    }

    fn epoch_len(&self) -> usize {
        self.set.len()
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Some(self.set.fingerprint())
    }

    fn front(&self) -> Option<&Front> {
        self.front.as_ref()
    }

    fn scratch_len(&self, _batch: usize) -> usize {
        2 * self.set.input_len()
    }

    fn fill(
        &self,
        step: usize,
        samples: &[usize],
        scratch: &mut [f64],
        input: &mut [T],
        target: &mut [T],
    ) {
        self.set.fill(step, samples, &mut [], input, target);
        let (m, batch) = (self.set.input_len(), samples.len());
        let (draws, noise) = scratch[..2 * m].split_at_mut(m);
        for (b, &sample) in samples.iter().enumerate() {
            let factor = self.noise.draw(&mut stream(self.seed, step, sample), draws, noise);
            for (i, &noise) in noise.iter().enumerate() {
                input[i * batch + b] += T::lit(noise);
            }
            if let Some(variances) = &self.told {
                Front::tell(variances, factor, &mut input[b..], batch);
            }
        }
    }
}
