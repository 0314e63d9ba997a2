//! Synthetic spectra and data: what networks are trained on. Floor 7.
//!
//! Source: learned-optimizers paper (\[LO\]), III.A. Randomness comes from the caller's generator, which
//! seeds one ChaCha stream for every block of samples: the same seed gives the same bits for any number
//! of threads.

mod gaussian_mixture;
mod training_set;

pub use gaussian_mixture::{GaussianMixture, PeakRange};
pub use training_set::{NoiseLevel, TrainingSet};
