//! Noise augmentation: fresh noise for every step.

use super::{FreshNoise, NoiseLevel, Resident, TrainingSet, TrainingSource};
use crate::error::Result;
use crate::network::Front;
use crate::problem::Fingerprint;
use crate::real::Real;
use rand::Rng;

/// A set whose data get fresh noise whenever they are used.
///
/// A device holds the set and draws the noise where it trains, the same noise to rounding.
#[derive(Debug, Clone)]
pub struct AugmentedSet<T: Real = f64> {
    set: TrainingSet<T>,
    front: Option<Front>,
    noise: FreshNoise,
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
        let noise = FreshNoise::new(noise, set.data().nrows(), front, rng)?;
        let set = set.seen_through(front.map(Front::silent).as_ref())?;
        let front = front.or(set.front()).cloned();
        Ok(AugmentedSet { set, front, noise })
    }
}

impl<T: Real> TrainingSource<T> for AugmentedSet<T> {
    fn input_len(&self) -> usize {
        self.set.input_len() + usize::from(self.noise.told().is_some())
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
        self.noise.add(step, samples, scratch, input);
    }

    fn resident(&self) -> Option<Resident<'_, T>> {
        Some(Resident { set: &self.set, noise: Some(&self.noise) })
    }
}
