//! Fredholm integral equations of the first kind.
mod error;
mod fixed_point;
mod gradient_check;
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
mod sparse;
mod spectrum;
pub use error::{Error, Result};
pub use fixed_point::{
    Accelerated, FixedPoint, FixedPointMap, Iterates, IterationInfo, IterationOptions,
    IterationReport, Relaxed, iterate,
};
pub use gradient_check::check_gradient;
pub use grid::FrequencyGrid;
pub use kernel::{
    BosonMatsubara, BosonMatsubaraSymmetric, BosonTime, BosonTimeSymmetric, Density,
    FermionMatsubara, FermionMatsubaraSymmetric, FermionTime, FermionTimeSymmetric, FromComplexFn,
    FromFn, Kernel, Laplace, Matsubara, Transformed,
};
pub use linalg::{BandedRows, SymmetricBand};
pub use maxent::{AlphaChoice, AlphaRule, Chi2Kink, FixedAlpha, Gcv, MaxEnt, MaxEntSolver};
pub use nalgebra;
pub use noise::{
    AutocorrelationTime, Bins, CovarianceEstimator, Measurement, NoiseReport, NoiseTreatment,
    Whitening, stack_complex,
};
pub use prior::{Entropy, Kinetic, Legendre, Prior};
pub use problem::{Fingerprint, ForwardModel, Problem};
pub use prox::{
    BoxConstraint, Conjugate, NonNegative, OneSidedSoftThreshold, Prox, Simplex, SoftThreshold,
};
pub use rand;
pub use real::Real;
pub use solution::{
    Certificate, LadderStep, MaxEntReport, Report, Solution, Solver, Status, Warning,
};
pub use sparse::{DataView, ProximalGradient, ProximalGradientMap};
pub use spectrum::{DefaultModel, Spectrum};
