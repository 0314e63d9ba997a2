//! Fredholm integral equations of the first kind, and above all the analytic continuation of
//! imaginary-time and Matsubara Green's functions to real-frequency spectra.
//!
//! The problem is G(x) = ∫ K(x, ω) A(ω) dω with a known kernel K, noisy data G(x_i) and an unknown density
//! A ≥ 0; discretised, g = K a + noise with spectral weights a_j = A(ω_j) Δω_j. Its inverse is ill-posed:
//! every method here is a way of saying what else is believed about A, and every answer comes with a report
//! that says how far it can be trusted.
//!
//! ```
//! use fredholm::{FermionTime, FrequencyGrid, MaxEnt, Measurement, Problem, Solver};
//!
//! // Data: G(τ) of two levels at ±1, β = 10, with error bars.
//! let beta = 10.0_f64;
//! let tau: Vec<f64> = (0..=40).map(|i| beta * i as f64 / 40.0).collect();
//! let level = |t: f64, e: f64| (-t * e).exp() / (1.0 + (-beta * e).exp());
//! let g: Vec<f64> = tau.iter().map(|&t| 0.5 * (level(t, 1.0) + level(t, -1.0))).collect();
//! let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
//!
//! // Kernel, data and frequency grid make a problem; a solver makes a solution of it.
//! let grid = FrequencyGrid::uniform(-4.0, 4.0, 161)?;
//! let problem = Problem::new(&FermionTime::new(beta)?, &data, &grid)?;
//! let solution = MaxEnt::default().solve(&problem)?;
//!
//! let peaks = solution.spectrum().peaks(0.1)?;
//! assert_eq!(peaks.len(), 2);
//! assert!((peaks[1].position - 1.0).abs() < 0.05);
//! assert!(solution.report().status.is_success());
//! # Ok::<(), fredholm::Error>(())
//! ```
//!
//! # Map of the rooms
//!
//! | you have or want | look at |
//! |---|---|
//! | data with error bars, a covariance, Monte Carlo bins | [`Measurement`], [`Bins`] |
//! | an equation | [`Kernel`] and its implementations ([`FermionTime`], [`FermionMatsubara`], …, [`FromFn`]) |
//! | moments, a known tail, other linear constraints | [`WithRows`]; exactly the norm: [`MaxEnt::fix_norm`] |
//! | a real-frequency axis | [`FrequencyGrid`] |
//! | something to solve | [`Problem`]; [`ForwardModel`] prepared once for many data vectors |
//! | maximum entropy | [`MaxEnt`], [`DefaultModel`], [`Prior`]; of either sign [`PositiveNegativeEntropy`] |
//! | a rule for α | [`AlphaRule`]: [`Gcv`], [`Cp`], [`Chi2Kink`], [`Curvature`], [`LineFit`], [`Historic`], [`Classic`], [`Bryan`], [`FixedAlpha`]; for the kinetic weight [`KineticSearch`] |
//! | sparse, non-negative or quadratic fits | [`ProximalGradient`] (ISTA, FISTA), [`BasisPursuit`], [`SparseModelling`], [`Nnls`], [`Ridge`]; operators under [`Prox`] |
//! | iterations of your own | [`FixedPointMap`], [`iterate`]; around any map [`Relaxed`], [`Accelerated`], [`Anderson`]; splittings [`Admm`], [`DouglasRachford`], [`PrimalDual`] |
//! | derivatives of an answer | [`Sensitivity`] of maximum entropy; [`Adjoint`] of any [`DifferentiableMap`]'s fixed point |
//! | networks | [`Rlista`], [`Unrolled`], [`Layer`], [`DenseNetwork`], [`ConvolutionNetwork`], [`Estimator`], [`TrainingSet`]; the linear yardstick [`Lmmse`]; after any of them [`DataConsistent`] |
//! | another device | [`Backend`]: [`Cpu`], `Wgpu`, `Cuda`; a network trained there by [`train_on`] or epoch by epoch ([`DeviceTraining`]); a network of one's own there: [`DeviceNetwork`]; many spectra there: [`Continuation`] |
//! | spectra of few peaks | [`FewPeaks`]: refines any answer; with the method before it as one solver [`Refined`] |
//! | error bars of an answer | [`Posterior`] of maximum entropy; [`Bootstrap`], [`Jackknife`] of any solver |
//! | a self-energy | [`SelfEnergy`] |
//! | a matrix of Green's functions | [`MatrixProblem`], [`MatrixMaxEnt`], [`OffDiagonalDefault`] |
//! | more cores, more machines | the page [`outgrowing`] one core, one machine |
//! | ranks that compute together | [`Communicator`], [`Training::with_communicator`], [`PreparedMaxEnt::solve_shared`] |
//! | an answer | [`Solution`]: [`Spectrum`], back-continued data, [`Report`] with its [`Certificate`] |
//!
//! # Conventions
//!
//! - Everything is generic over [`Real`] (`f32`, `f64`), `f64` by default; use `f32` for networks only.
//! - A matrix that holds a batch has one problem per column. Complex data are stacked: all real parts, then
//!   all imaginary parts.
//! - Energies are in any unit, times in its inverse; a density is in 1/energy, weights have no unit.
//! - Bad input is an [`Error`](enum@Error) that names the argument, its value and what was expected. Failure to converge is
//!   a [`Status`] in the report, together with the best iterate. No public function panics, slices of the
//!   wrong length in low-level operators (documented there) aside.
//! - Random numbers come from a generator of the caller's; the same seed gives the same bits for any number of
//!   threads.
//!
//! # Features
//!
//! - `rayon` (default): threads; results do not depend on their number.
//! - `serde`: spectra, grids and networks (versioned) to store and read back, reports to write out. The
//!   caller does the I/O.
//! - `wgpu`: training and inference of networks on Vulkan, Metal and DirectX 12 devices, in `f32` (`Wgpu`).
//! - `cuda`: the same on NVIDIA devices, in `f32` and `f64`, and maximum entropy for many spectra in `f64` (`Cuda`); not yet
//!   run on a GPU.
//! - `mpi`: ranks that are the processes of an MPI run (`MpiCommunicator`). Needs an MPI library and clang's
//!   library (Debian: `libopenmpi-dev openmpi-bin libclang-dev clang`).
//!
//! Which of them when: [`outgrowing`].

/// The README's example, compiled as a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod cluster;
mod device;
mod error;
mod estimate;
mod fixed_point;
mod gradient_check;
mod grid;
mod kernel;
mod linalg;
mod matrix_valued;
mod maxent;
mod network;
mod noise;
mod operator;
pub mod outgrowing;
mod parallel;
mod peaks;
mod prior;
mod problem;
mod prox;
mod real;
mod resampling;
mod scratch;
mod self_energy;
mod solution;
mod sparse;
mod spectrum;
mod synthetic;
#[cfg(test)]
mod test_support;
mod train;

#[cfg(feature = "mpi")]
pub use cluster::MpiCommunicator;
pub use cluster::{Alone, Communicator, ThreadCommunicator};
#[cfg(feature = "cuda")]
pub use device::Cuda;
#[cfg(feature = "wgpu")]
pub use device::Wgpu;
pub use device::{
    Backend, Continuation, Cpu, CpuPredictor, CpuStepper, DeviceActivation, DeviceNetwork,
    DeviceTraining, Formulas, Operation, Plan, Predictor, Relaxation, Stepper, train_on,
};
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub use device::{DevicePredictor, DeviceStepper};
pub use error::{Error, Result};
pub use estimate::Estimate;
pub use fixed_point::{
    Accelerated, Adjoint, AdjointSolver, Admm, Anderson, AugmentedMinimizer, Backtracking,
    ConjugateGradients, DifferentiableMap, DifferentiablePoint, DouglasRachford, FixedPoint,
    FixedPointGradient, FixedPointMap, Iterates, IterationInfo, IterationOptions, IterationReport,
    PrimalDual, Relaxed, iterate,
};
pub use gradient_check::check_gradient;
pub use grid::FrequencyGrid;
pub use kernel::{
    BosonMatsubara, BosonMatsubaraSymmetric, BosonTime, BosonTimeSymmetric, Density,
    FermionMatsubara, FermionMatsubaraSymmetric, FermionTime, FermionTimeSymmetric, FromComplexFn,
    FromFn, Kernel, Laplace, Matsubara, Transformed, WithRows,
};
pub use linalg::{BandedRows, SymmetricBand};
pub use matrix_valued::{
    MatrixMaxEnt, MatrixProblem, MatrixSolution, OffDiagonalDefault, Positivity,
};
pub use maxent::{
    AlphaChoice, AlphaPick, AlphaRule, Bryan, Chi2Kink, Classic, Cp, Curvature, FixedAlpha, Gcv,
    Historic, KineticSearch, LadderView, LineFit, MaxEnt, MaxEntGradient, MaxEntSolver, Posterior,
    PreparedMaxEnt, Sensitivity, SharedAnswers, SharedOutcome,
};
#[cfg(feature = "mpi")]
pub use mpi;
pub use nalgebra;
pub use network::{
    BoundLayer, ConvolutionArchitecture, ConvolutionNetwork, ConvolutionWorkspace,
    DenseArchitecture, DenseNetwork, DenseWorkspace, ErrorSummary, Front, FrontModes, Head, Headed,
    HeadedWorkspace, Initialization, Layer, LayerCoherence, Network, RootSquareError, Thresholds,
    Unrolled, UnrolledArchitecture, UnrolledWorkspace, WeightDistribution, average_coherence,
    mutual_coherence,
};
pub use noise::{
    AutocorrelationTime, Bins, CovarianceEstimator, Measurement, NoiseReport, NoiseTreatment,
    Rebinning, Whitening, stack_complex,
};
pub use operator::{
    ComposedOperator, Convolution, LinearOperator, NormEstimate, ScaledOperator, StackedOperator,
    check_adjoint, estimate_norm,
};
pub use peaks::{FewPeaks, GaussianPeak, PeakReport, PreparedFewPeaks, Refined, RefinedBatch};
pub use prior::{
    BayesianReconstruction, Entropy, GaussianProcess, Kinetic, L1Prior, Legendre,
    PositiveNegativeEntropy, Prior, SumRule,
};
pub use problem::{Fingerprint, ForwardModel, Problem};
pub use prox::{
    AffineSet, BandedQuadratic, BoxConstraint, Conjugate, ConjugateOf, DensityVariation,
    ElasticNet, Entropic, GroupNorm, Huber, L1Ball, L2Ball, L2Norm, LInfinityNorm, LogSum,
    MoreauEnvelope, NonNegative, NuclearNorm, OneSidedSoftThreshold, PlusQuadratic,
    PrecomposedDiagonal, PrecomposedOrthogonal, Prox, Scad, Scaled, SeparableSum, Simplex,
    SoftThreshold, SquaredL2, TotalVariation, Translated, WeightedL1,
};
pub use rand;
pub use real::Real;
pub use resampling::{Bands, Bootstrap, Jackknife, ReplicaInfo, ResampledValue, ResamplingMethod};
pub use self_energy::{ContinuedSelfEnergy, NormalizedSelfEnergy, SelfEnergy, SelfEnergyTail};
pub use solution::{
    Certificate, KineticStep, LadderStep, MaxEntReport, PenaltyReport, Report, Solution, Solver,
    Status, Warning,
};
pub use sparse::{
    BasisPursuit, BatchOutcome, BatchSolution, DataConsistent, DataView, LeastSquares, Nnls,
    ProximalGradient, ProximalGradientMap, Ridge, RidgeRule, SparseModelling, SparsityRule,
    SparsityStep,
};
pub use spectrum::{DefaultModel, DefaultPeak, Peak, Spectrum};
pub use synthetic::{
    AugmentedSet, FreshNoise, GaussianMixture, NoiseLevel, PeakRange, PeakSize, Resident,
    SampleStream, TrainingSet, TrainingSource,
};
pub use train::{
    Adam, AdamConfig, DepthProfile, DivergenceOrigin, EpochInfo, Estimator, Lmmse, Rlista,
    RlistaConfig, Robustness, Schedule, TrainOptions, Trainer, Training, TrainingDoubt,
    TrainingReport, TrainingState, TrainingStatus, train,
};
