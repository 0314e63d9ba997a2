//! Training: Adam, schedules, the loop, and the trained network as a solver. Floor 7.
//!
//! - [`train`]: shuffles, steps, validates, reports to an observer;
//! - [`Training`]: the same epoch by epoch, with a state to resume from;
//! - [`Trainer`]: the single step, for loops of one's own;
//! - [`Adam`], [`Schedule`]: the optimiser;
//! - [`Estimator`]: a network that knows which problems it was trained for;
//! - [`Robustness`], [`DepthProfile`]: what noise does to its answers, and how many of its layers matter;
//! - [`Lmmse`]: the linear estimator of least mean square error, the yardstick of any network;
//! - [`TrainingReport`], [`TrainingDoubt`]: what a run did, and what speaks against its weights;
//! - [`Rlista`]: the paper's network, trained in one call, on a set or ([`Rlista::train_from`]) on any other source: a
//!   stream of fresh samples, a set with fresh noise.
//!
//! Source: learned-optimizers paper (\[LO\]), table I.

mod adam;
mod depth_profile;
mod divergence;
mod estimator;
mod lmmse;
mod progress;
mod report;
mod rlista;
mod robustness;
mod schedule;
mod shared;
#[cfg(test)]
mod tests;
mod trainer;
mod training;

pub use adam::{Adam, AdamConfig};
pub use depth_profile::DepthProfile;
pub use divergence::DivergenceOrigin;
pub use estimator::Estimator;
pub use lmmse::Lmmse;
pub(crate) use progress::Progress;
pub use report::{TrainingDoubt, TrainingReport};
pub use rlista::{Rlista, RlistaConfig};
pub use robustness::Robustness;
pub use schedule::Schedule;
pub use trainer::{TrainOptions, Trainer};
pub use training::{EpochInfo, Training, TrainingState, TrainingStatus, train};
pub(crate) use training::{checked_estimates, estimates};
