//! Synthetic spectra and data: what networks are trained on. Floor 7.
//!
//! Source: learned-optimizers paper (\[LO\]), III.A. Randomness comes from the caller's generator, which
//! seeds one ChaCha stream for every block of samples: the same seed gives the same bits for any number
//! of threads.

mod augmented_set;
mod correlated;
mod gaussian_mixture;
mod noise_level;
mod sample_stream;
mod source;
mod training_set;

pub use augmented_set::AugmentedSet;
pub use gaussian_mixture::{GaussianMixture, PeakRange, PeakSize};
pub use noise_level::NoiseLevel;
pub use sample_stream::SampleStream;
pub use source::TrainingSource;
pub use training_set::TrainingSet;
