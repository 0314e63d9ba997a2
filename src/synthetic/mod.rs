//! Synthetic spectra and data: what networks are trained on. Floor 7.
//!
//! Source: learned-optimizers paper (\[LO\]), III.A. Randomness comes from the caller's generator, which
//! seeds one ChaCha stream for every block of samples: the same seed gives the same bits for any number
//! of threads. Noise that devices draw too has a generator without a state ([`FreshNoise`]).

mod augmented_set;
mod correlated;
mod fresh_noise;
mod gaussian_mixture;
mod noise_level;
mod philox;
mod sample_stream;
mod source;
mod training_set;

pub use augmented_set::AugmentedSet;
pub use fresh_noise::FreshNoise;
pub use gaussian_mixture::{GaussianMixture, PeakRange, PeakSize};
#[cfg(any(feature = "wgpu", feature = "cuda", test))]
pub(crate) use noise_level::Factor;
pub use noise_level::NoiseLevel;
#[cfg(test)]
pub(crate) use philox::{normals, uniform};
pub use sample_stream::SampleStream;
pub(crate) use source::draw;
pub use source::{Resident, TrainingSource};
pub use training_set::TrainingSet;
