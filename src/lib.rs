//! Fredholm integral equations of the first kind.
mod error;
mod fixed_point;
mod grid;
mod kernel;
mod linalg;
mod maxent;
mod noise;
mod prior;
mod problem;
mod prox;
mod real;
mod solution;
mod spectrum;
pub use error::{Error, Result};
pub use fixed_point::FixedPointMap;
pub use grid::FrequencyGrid;
pub use kernel::{Density, FermionTime, Kernel};
pub use linalg::{BandedRows, SymmetricBand};
pub use maxent::{AlphaChoice, AlphaRule, Chi2Kink, FixedAlpha, Gcv, MaxEnt, MaxEntSolver};
pub use nalgebra;
pub use noise::{Measurement, Whitening};
pub use prior::{Entropy, Kinetic, Legendre, Prior};
pub use problem::{Fingerprint, ForwardModel, Problem};
pub use prox::Prox;
pub use rand;
pub use real::Real;
pub use solution::{
    Certificate, LadderStep, MaxEntReport, Report, Solution, Solver, Status, Warning,
};
pub use spectrum::{DefaultModel, Spectrum};
