//! Noise that is a function of step and sample: drawn anew at every step, the same wherever it is drawn.

use super::NoiseLevel;
use super::noise_level::Noise;
use super::philox;
use crate::error::Result;
use crate::network::Front;
use crate::real::Real;
use rand::Rng;

/// The noise of an [`AugmentedSet`](crate::AugmentedSet): F ξ with ξ standard normal, times σ where every sample draws
/// its own, as a network behind a front sees it.
///
/// Coordinate i of ξ is word i of the counter-based generator Philox at (step, sample), by Box and Muller's
/// transform: kernels of a device draw it where it is used.
#[derive(Debug, Clone)]
pub struct FreshNoise {
    /// Key of the generator.
    key: [u32; 2],
    noise: Noise,
    /// Variances of the coordinates, for a front that is told them.
    told: Option<Vec<f64>>,
}

impl FreshNoise {
    /// For data of length `rows`, seen through `front` if there is one; `rng` gives the key.
    pub(super) fn new(
        level: &NoiseLevel,
        rows: usize,
        front: Option<&Front>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let noise = Noise::new(level, rows, front)?;
        let told = front.filter(|f| f.is_adaptive()).map(|_| noise.variances());
        Ok(FreshNoise { key: [rng.next_u32(), rng.next_u32()], noise, told })
    }

    /// Adds the noise of these samples at this step to a panel of their data, and tells a front of it;
    /// `scratch` has twice the length of the data.
    pub(super) fn add<T: Real>(
        &self,
        step: usize,
        samples: &[usize],
        scratch: &mut [f64],
        input: &mut [T],
    ) {
        let (m, batch) = (self.noise.len(), samples.len());
        let (draws, noise) = scratch[..2 * m].split_at_mut(m);
        for (b, &sample) in samples.iter().enumerate() {
            philox::normals(self.key, step, sample, draws);
            let t = self.noise.range().map_or(0.0, |_| philox::uniform(self.key, step, sample));
            let factor = self.noise.shape(t, draws, noise);
            for (i, &noise) in noise.iter().enumerate() {
                input[i * batch + b] += T::lit(noise);
            }
            if let Some(variances) = &self.told {
                Front::tell(variances, factor, &mut input[b..], batch);
            }
        }
    }

    /// The variances of the coordinates at σ = 1, if a front is told them.
    pub(crate) fn told(&self) -> Option<&[f64]> {
        self.told.as_deref()
    }
}

/// What the kernels of a device are told.
#[cfg(any(feature = "wgpu", feature = "cuda", test))]
impl FreshNoise {
    /// The key of the generator.
    pub(crate) fn key(&self) -> [u32; 2] {
        self.key
    }

    /// σ = `.0` exp(`.1` t), t uniform on (0, 1).
    pub(crate) fn range(&self) -> (f64, f64) {
        self.noise.range().map_or((1.0, 0.0), |(least, largest)| (least, (largest / least).ln()))
    }

    /// F.
    pub(crate) fn factor(&self) -> &super::Factor {
        self.noise.factor()
    }
}
