//! Bad input is an error of its own variant, naming the argument; nothing panics.

use fredholm::nalgebra::DMatrix;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Adjoint, AdjointSolver, Admm, AffineSet, Alone, Backend, Backtracking, BandedQuadratic,
    BandedRows, BasisPursuit, Bins, BosonTimeSymmetric, BoxConstraint, Bryan, Chi2Kink,
    Communicator, ComposedOperator, ConjugateOf, Convolution, Cp, Cpu, Curvature, DataConsistent,
    DefaultModel, DefaultPeak, Density, DensityVariation, DeviceNetwork, DouglasRachford, Entropic,
    Entropy, EpochInfo, Error, Estimator, FermionMatsubara, FermionTime, FewPeaks, FixedAlpha,
    ForwardModel, FrequencyGrid, FromFn, Front, FrontModes, GaussianMixture, Gcv, GroupNorm,
    Historic, Initialization, IterationOptions, Kernel, KineticSearch, Laplace, Layer,
    LeastSquares, LineFit, Lmmse, MaxEnt, Measurement, MoreauEnvelope, NuclearNorm, Operation,
    PeakRange, Plan, PlusQuadratic, PositiveNegativeEntropy, PrecomposedDiagonal,
    PrecomposedOrthogonal, Predictor, PrimalDual, Problem, Prox, ProximalGradient,
    ProximalGradientMap, Scaled, SeparableSum, Simplex, SoftThreshold, Solver, Spectrum,
    StackedOperator, SumRule, Thresholds, TrainOptions, Training, TrainingSet, TrainingSource,
    Transformed, Translated, Unrolled, UnrolledArchitecture, WeightedL1, Whitening, WithRows,
    train,
};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use std::ops::ControlFlow;
use std::sync::Arc;

const TAU: [f64; 4] = [0.0, 1.0, 2.0, 3.0];
const G: [f64; 4] = [0.5, 0.2, 0.2, 0.5];

fn grid() -> FrequencyGrid {
    FrequencyGrid::uniform(-3.0, 3.0, 31).unwrap()
}

fn problem() -> Problem {
    let data = Measurement::with_uniform_error(&TAU, &G, 1e-2).unwrap();
    Problem::new(&FermionTime::new(3.0).unwrap(), &data, &grid()).unwrap()
}

/// The message names what the user has to look at.
fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{text}` does not mention `{word}`");
    }
}

#[test]
fn nan_and_infinity() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let with_bad = [0.5, bad, 0.2, 0.5];
        for (result, name) in [
            (Measurement::with_uniform_error(&TAU, &with_bad, 1e-2).map(drop), "values"),
            (Measurement::with_uniform_error(&with_bad, &G, 1e-2).map(drop), "x"),
            (Measurement::with_errors(&TAU, &G, &with_bad).map(drop), "errors"),
            (FrequencyGrid::from_points(with_bad.to_vec()).map(drop), "points"),
            (Bins::from_slice(&with_bad, 2).map(drop), "bins"),
            (problem().with_data(&with_bad).map(drop), "values"),
            (FermionTime::new(bad).map(drop), "beta"),
            (FrequencyGrid::uniform(bad, 1.0, 5).map(drop), "min"),
            (Simplex::new(bad).map(drop), "sum"),
            (Spectrum::new(grid(), vec![bad; 31], Density::Spectral).map(drop), "values"),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::NonFinite { .. }), "{name}: {error:?}");
            says(&error, &[name, "finite"]);
        }
    }
    // A bound may be infinite, so NaN is merely out of range.
    let error = BoxConstraint::new(f64::NAN, 1.0).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { argument: "lower", .. }), "{error:?}");
    let mut covariance = DMatrix::identity(4, 4);
    covariance[(2, 1)] = f64::NAN;
    let error = Measurement::with_covariance(&TAU, &G, &covariance).unwrap_err();
    assert!(matches!(error, Error::NonFinite { argument: "covariance", .. }), "{error:?}");
    // A kernel of the user's that is not finite somewhere.
    let kernel = FromFn::new(|x: f64, w: f64| 1.0 / (x * w));
    let error = kernel.matrix(&TAU, &[1.0, 2.0]).unwrap_err();
    assert!(
        matches!(error, Error::KernelValue { row: 0, x: Some(0.0), column: 0, omega: 1.0, .. }),
        "{error:?}"
    );
}

#[test]
fn empty() {
    let none: [f64; 0] = [];
    for (result, name) in [
        (Measurement::with_uniform_error(&none, &G, 1e-2).map(drop), "x"),
        (Measurement::with_uniform_error(&TAU, &none, 1e-2).map(drop), "values"),
        (Whitening::from_errors(&none).map(drop), "errors"),
        (FrequencyGrid::from_points(none.to_vec()).map(drop), "points"),
        (FermionTime::new(1.0).unwrap().matrix(&none, &TAU).map(drop), "x"),
        (FermionTime::new(1.0).unwrap().matrix(&[0.0], &none).map(drop), "omega"),
        (Bins::<f64>::new(DMatrix::zeros(0, 3)).map(drop), "bins"),
        (Bins::<f64>::new(DMatrix::zeros(1, 3)).map(drop), "bins"),
        (Bins::<f64>::new(DMatrix::zeros(3, 0)).map(drop), "data"),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Empty { .. }), "{name}: {error:?}");
        says(&error, &[name, "empty"]);
    }
}

#[test]
fn mismatched() {
    let kernel = FermionTime::new(3.0).unwrap();
    let short = Measurement::with_uniform_error(&TAU, &G[..3], 1e-2).unwrap();
    let complex = Measurement::with_uniform_error(&TAU, &G, 1e-2).unwrap();
    let matsubara = Problem::new(&FermionMatsubara, &complex, &grid());
    for (result, words) in [
        (Measurement::with_errors(&TAU, &G, &[1e-2; 3]).map(drop), ["errors", "3", "4"]),
        (Problem::new(&kernel, &short, &grid()).map(drop), ["data", "3", "4"]),
        (problem().with_data(&G[..2]).map(drop), ["values", "2", "4"]),
        (problem().chi2(&G).map(drop), ["weights", "4", "31"]),
        (problem().back_continue(&G).map(drop), ["weights", "4", "31"]),
        (Spectrum::new(grid(), vec![0.0; 30], Density::Spectral).map(drop), ["values", "30", "31"]),
        (
            Measurement::with_covariance(&TAU, &G, &DMatrix::identity(3, 3)).map(drop),
            ["covariance", "3", "4"],
        ),
        (Bins::from_slice(&[0.0; 7], 2).map(drop), ["bins", "7", "6"]),
        (FrequencyGrid::with_weights(vec![0.0, 1.0], vec![1.0]).map(drop), ["weights", "1", "2"]),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::LengthMismatch { .. }), "{error:?}");
        says(&error, &words);
    }
    // ω₀ = 0 is no fermionic frequency: the axis is refused before lengths are compared.
    assert!(matches!(matsubara, Err(Error::ElementOutOfRange { argument: "x", index: 0, .. })));
    let transformed = Transformed::new(DMatrix::identity(2, 3), kernel, &TAU);
    assert!(matches!(transformed.map(drop), Err(Error::LengthMismatch { .. })));
}

#[test]
fn unsorted() {
    for points in [vec![0.0, 2.0, 1.0], vec![0.0, 1.0, 1.0]] {
        let error = FrequencyGrid::from_points(points).unwrap_err();
        assert!(matches!(error, Error::NotIncreasing { index: 2, .. }), "{error:?}");
        says(&error, &["points", "increasing"]);
    }
    let error = FrequencyGrid::uniform(2.0, -2.0, 5).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { argument: "max", .. }), "{error:?}");
}

#[test]
fn errors_that_are_not_positive() {
    for bad in [0.0, -1e-3] {
        let error = Measurement::with_errors(&TAU, &G, &[1e-3, 1e-3, bad, 1e-3]).unwrap_err();
        assert!(
            matches!(error, Error::ElementOutOfRange { argument: "errors", index: 2, .. }),
            "{error:?}"
        );
        says(&error, &["errors", "[2]", "positive"]);
    }
}

#[test]
fn covariance() {
    let with = |c: &DMatrix<f64>| Measurement::with_covariance(&TAU, &G, c);
    let mut asymmetric = DMatrix::identity(4, 4);
    asymmetric[(0, 3)] = 0.5;
    assert!(matches!(with(&asymmetric), Err(Error::NotSymmetric { .. })));
    let mut indefinite = DMatrix::identity(4, 4);
    indefinite[(0, 0)] = -1.0;
    assert!(matches!(with(&indefinite), Err(Error::NotPositiveSemidefinite { .. })));
    assert!(matches!(with(&DMatrix::zeros(4, 4)), Err(Error::SingularCovariance { .. })));
    assert!(matches!(with(&DMatrix::identity(4, 3)), Err(Error::LengthMismatch { .. })));
    // Rank deficient but not zero: fewer modes, no error.
    let data = with(&DMatrix::from_element(4, 4, 1e-4)).unwrap();
    assert_eq!(data.whitening().rows(), 1);
    // Bins that never change have no noise to divide by.
    let constant = Bins::new(DMatrix::from_element(5, 4, 0.3)).unwrap();
    let error = Measurement::from_bins(&TAU, &constant).unwrap_err();
    assert!(matches!(error, Error::SingularCovariance { .. }), "{error:?}");
}

#[test]
fn outside_the_kernels_domain() {
    let beyond = [0.0, 1.0, 2.0, 3.1];
    let time = FermionTime::new(3.0).unwrap();
    let boson = BosonTimeSymmetric::new(3.0).unwrap();
    for (result, words) in [
        (time.matrix(&beyond, &[0.0]).map(drop), ["x", "[3]", "3.1"]),
        (boson.matrix(&TAU, &[-1.0, 1.0]).map(drop), ["omega", "[0]", "-1"]),
        (Laplace.matrix(&TAU, &[1.0, -0.5]).map(drop), ["omega", "[1]", "-0.5"]),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::ElementOutOfRange { .. }), "{error:?}");
        says(&error, &words);
    }
    for beta in [0.0, -3.0] {
        let error = FermionTime::new(beta).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { argument: "beta", .. }), "{error:?}");
    }
}

#[test]
fn parameters_of_solvers() {
    let p = problem();
    let fails = |result: fredholm::Result<fredholm::Solution>, name: &str| {
        says(&result.unwrap_err(), &[name]);
    };
    fails(MaxEnt::default().kinetic(-1.0).solve(&p), "kinetic");
    fails(MaxEnt::default().preblur(0.0).solve(&p), "preblur");
    fails(MaxEnt::default().fix_norm(true).norm(-1.0).solve(&p), "norm");
    for peaks in [vec![], vec![DefaultPeak { weight: -1.0, centre: 0.0, width: 1.0 }]] {
        let name = if peaks.is_empty() { "peaks" } else { "weight" };
        let models = [DefaultModel::Gaussians(peaks.clone()), DefaultModel::Lorentzians(peaks)];
        for model in models {
            fails(MaxEnt::default().default_model(model).solve(&p), name);
        }
    }
    for moments in [vec![], vec![0.0, -1.0], vec![0.0, 1e3], vec![f64::NAN]] {
        let model = DefaultModel::Moments(moments);
        fails(MaxEnt::default().default_model(model).solve(&p), "moments");
    }
    for (mean, variance, name) in [
        (f64::NAN, 1.0, "mean"),
        (0.0, -1.0, "variance"),
        (0.5, 1e3, "variance"),
        (9.0, 1.0, "variance"),
    ] {
        let model = DefaultModel::from_mean_and_variance(mean, variance);
        fails(MaxEnt::default().default_model(model).solve(&p), name);
    }
    let (short, d) = (PositiveNegativeEntropy::symmetric(vec![0.1; 7]).unwrap(), vec![0.1; 31]);
    fails(MaxEnt::default().scaled_prior(Arc::new(short)).solve(&p), "scaled prior");
    let sum = SumRule::new(Arc::new(Entropy::new(d).unwrap()), 1.0).unwrap();
    fails(
        MaxEnt::default().scaled_prior(Arc::new(sum)).fix_norm(true).solve(&p),
        "conjugate_gradient_of_sum",
    );
    fails(MaxEnt::default().kinetic(f64::NAN).solve(&p), "kinetic");
    fails(MaxEnt::default().norm(0.0).solve(&p), "norm");
    fails(MaxEnt::default().tolerance(0.0).solve(&p), "tolerance");
    fails(MaxEnt::default().ladder_points(1).solve(&p), "ladder");
    fails(MaxEnt::default().alpha(Gcv { descent: 0.5, ..Gcv::default() }).solve(&p), "descent");
    fails(MaxEnt::default().alpha(Cp { slack: f64::NAN, ..Cp::default() }).solve(&p), "slack");
    fails(MaxEnt::default().alpha(Curvature { gamma: 0.0 }).solve(&p), "gamma");
    let rising = KineticSearch { descent: 0.1, ..KineticSearch::default() };
    fails(MaxEnt::default().kinetic_search(rising).solve(&p), "descent");
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-310, f64::MIN_POSITIVE, 1e-40] {
        assert!(MaxEnt::default().alpha(FixedAlpha(alpha)).solve(&p).is_err(), "{alpha}");
    }
    let narrow = DefaultModel::Gaussian { centre: 0.0, width: 0.0 };
    fails(MaxEnt::default().default_model(narrow).solve(&p), "width");
    let far = DefaultModel::Gaussian { centre: 1e6, width: 0.1 };
    fails(MaxEnt::default().default_model(far).solve(&p), "default model");
    let negative = Spectrum::from_fn(grid(), |_| -1.0).unwrap();
    fails(MaxEnt::default().default_model(negative).solve(&p), "default model");
    fails(ProximalGradient::ista(-1.0).solve(&p), "lambda");
    fails(ProximalGradient::fista(f64::NAN).solve(&p), "lambda");
    fails(ProximalGradient::ista(1.0).tolerance(-1.0).solve(&p), "tolerance");
}

#[test]
fn networks() {
    let shape = UnrolledArchitecture::rlista(2, 1, 1);
    let network = |shape, parameters: &[f64]| {
        Unrolled::from_parameters(shape, SoftThreshold, parameters.to_vec()).unwrap_err()
    };
    says(&network(shape, &[1.0; 3]), &["parameters", "3", "4"]);
    says(&network(shape, &[1.0, f64::NAN, 1.0, 1.0]), &["parameters", "[1]", "finite"]);
    says(&network(shape, &[1.0, 1.0, 1.0, -0.5]), &["thresholds", "-0.5", "non-negative"]);
    let learned = UnrolledArchitecture { learned_relaxation: true, ..shape };
    says(&network(learned, &[1.0, 1.0, 1.0, 0.5, 1.5]), &["relaxations", "1.5", "[10⁻³, 1]"]);
    let shape = UnrolledArchitecture { thresholds: Thresholds::PerComponent, ..shape };
    let simplex = Simplex::new(1.0).unwrap();
    let set = TrainingSet::new(
        DMatrix::from_fn(4, 3, |i, j| (i * j) as f64),
        DMatrix::identity(31, 3),
        problem().model().fingerprint(),
    )
    .unwrap();
    says(&Lmmse::affine().ridge(-1.0).fit(&set).unwrap_err(), &["ridge", "-1", "non-negative"]);
    let step = DataConsistent::new(Lmmse::affine().fit(&set).unwrap(), 0.0);
    says(&step.solve(&problem()).unwrap_err(), &["error", "0", "positive"]);
    let coupled = Unrolled::from_parameters(shape, simplex, vec![1.0; 4]).unwrap_err();
    says(&coupled, &["thresholds", "component", "alone"]);
}

#[test]
fn modes_of_a_front() {
    let (kernel, weights) = (DMatrix::<f64>::identity(3, 2), DMatrix::from_element(2, 4, 1.0));
    let noise = |data: usize| Whitening::from_errors(&vec![1e-3; data]).unwrap();
    let fails = |kernel: &DMatrix<f64>, weights: &DMatrix<f64>, noise, words: &[&str]| {
        says(&FrontModes::choose(kernel, weights, &noise).unwrap_err(), words);
    };
    for bad in [f64::NAN, f64::INFINITY] {
        fails(&DMatrix::from_element(3, 2, bad), &weights, noise(3), &["kernel", "finite"]);
        fails(&kernel, &DMatrix::from_element(2, 4, bad), noise(3), &["weights", "finite"]);
    }
    fails(&DMatrix::zeros(0, 0), &weights, noise(3), &["kernel", "empty"]);
    fails(&kernel, &DMatrix::zeros(3, 4), noise(3), &["weights", "3", "2"]);
    fails(&kernel, &DMatrix::zeros(2, 0), noise(3), &["weights", "empty"]);
    fails(&kernel, &weights, noise(4), &["noise", "4", "3"]);
    let loud = Whitening::from_errors(&[10.0; 3]).unwrap();
    fails(&kernel, &weights, loud, &["noise", "below the signal"]);
    let singular = Whitening::from_covariance(&DMatrix::from_element(3, 3, 1e-6), 1e-12).unwrap();
    fails(&kernel, &weights, singular, &["noise", "dropped", "full rank"]);
}

/// The samples of a set without what it knows of them.
struct Anonymous(TrainingSet<f64>);

impl TrainingSource<f64> for Anonymous {
    fn input_len(&self) -> usize {
        self.0.input_len()
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn epoch_len(&self) -> usize {
        self.0.epoch_len()
    }

    fn fill(&self, step: usize, samples: &[usize], f: &mut [f64], x: &mut [f64], a: &mut [f64]) {
        self.0.fill(step, samples, f, x, a);
    }
}

#[test]
fn training() {
    let rng = || ChaCha8Rng::seed_from_u64(1);
    let go = |_: &EpochInfo| ControlFlow::Continue(());
    let set = |fingerprint| {
        let data = DMatrix::from_fn(4, 6, |i, j| (i * j) as f64);
        TrainingSet::new(data, DMatrix::identity(31, 6), fingerprint).unwrap()
    };
    let model = problem().model().clone();
    let other = Problem::new(
        &FermionTime::new(3.5).unwrap(),
        &Measurement::with_uniform_error(&TAU, &G, 1e-2).unwrap(),
        &grid(),
    );
    let (set, other) = (set(model.fingerprint()), set(other.unwrap().model().fingerprint()));
    let shape = UnrolledArchitecture::rlista(4, 31, 2);
    let network =
        || Unrolled::random(shape, SoftThreshold, &Initialization::default(), &mut rng()).unwrap();
    let options = TrainOptions::scaled(1, 6);
    let fails = |options: TrainOptions, validation, words: &[&str]| {
        let trained = train(network(), &set, validation, &options, &mut rng(), go);
        says(&trained.map(drop).unwrap_err(), words);
    };
    let none = TrainOptions { epochs: 0, ..options };
    fails(none, None, &["epochs", "0", "at least one"]);
    says(&Training::new(network(), &set, &none, &mut rng()).map(drop).unwrap_err(), &["epochs"]);
    let patient = TrainOptions { patience: Some(3), ..options };
    fails(patient, None, &["patience", "validation set"]);
    fails(options, Some(&other), &["fingerprint", "beta"]);
    let estimator = Estimator::new(network(), model.fingerprint());
    says(&estimator.evaluate(&other).unwrap_err(), &["fingerprint", "beta"]);
    let front = Front::new(&DMatrix::identity(4, 4)).unwrap();
    let behind = estimator.with_front(front.clone()).unwrap();
    let seen = set.conditioned(&front).unwrap();
    says(&behind.evaluate(&seen).unwrap_err(), &["set", "front", "raw"]);
    let twice = Front::new(&(DMatrix::identity(4, 4) * 2.0)).unwrap();
    let elsewhere = set.conditioned(&twice).unwrap();
    let trained = train(network(), &seen, Some(&elsewhere), &options, &mut rng(), go);
    says(&trained.map(drop).unwrap_err(), &["validation", "another front"]);
    let anonymous = Anonymous(set);
    let trained = Estimator::train_from(network(), &anonymous, None, &options, &mut rng(), go);
    says(&trained.map(drop).unwrap_err(), &["source", "fingerprint"]);
}

#[test]
fn few_peaks() {
    let problem = problem();
    let model = problem.model();
    let fails = |few: FewPeaks, words: &[&str]| says(&few.prepare(model).unwrap_err(), words);
    fails(FewPeaks::on(&grid()).orders(2, 1), &["orders", "1", "ordered"]);
    fails(FewPeaks::on(&grid()).orders(0, 3), &["orders", "at least one peak"]);
    fails(FewPeaks::on(&grid()).orders(1, usize::MAX), &["orders", "at most 64"]);
    fails(FewPeaks::on(&grid()).restarts(usize::MAX), &["restarts", "at most"]);
    fails(FewPeaks::on(&grid()).heights(f64::NAN), &["heights", "finite"]);
    fails(FewPeaks::on(&grid()).norm(-1.0), &["norm", "-1", "positive"]);
    let point = PeakRange { centre: (0.1, 0.1), width: (0.1, 0.2) };
    let mixture = GaussianMixture { peak: point, ..GaussianMixture::default() };
    fails(FewPeaks::new(mixture), &["centre", "0.1", "extent"]);
    let set = TrainingSet::new(
        DMatrix::zeros(4, 3),
        DMatrix::from_element(31, 3, 0.1),
        problem.model().fingerprint(),
    )
    .unwrap();
    fails(FewPeaks::on(&grid()).against(&set, 0.0), &["odds", "0", "positive"]);
    let few = FewPeaks::on(&grid()).prepare(model).unwrap();
    let zero = Spectrum::from_fn(grid(), |_| 0.0).unwrap();
    says(&few.refine(&problem, &zero).unwrap_err(), &["answer", "0", "positive sum"]);
    let other = FrequencyGrid::uniform(-3.0, 3.0, 30).unwrap();
    let short = Spectrum::from_fn(other, |_| 0.1).unwrap();
    says(&few.refine(&problem, &short).unwrap_err(), &["answer", "30", "31"]);
    let other = FrequencyGrid::uniform(-3.0, 3.1, 31).unwrap();
    let beside = Spectrum::from_fn(other, |_| 0.1).unwrap();
    says(&few.refine(&problem, &beside).unwrap_err(), &["answer", "another grid"]);
    let bosonic = Spectrum::new(grid(), vec![0.1; 31], Density::OverFrequency).unwrap();
    says(&few.refine(&problem, &bosonic).unwrap_err(), &["answer", "density"]);
    let flat = Spectrum::from_fn(grid(), |_| 0.1).unwrap();
    let noisier = Measurement::with_uniform_error(&TAU, &G, 2e-2).unwrap();
    let noisier = Problem::new(&FermionTime::new(3.0).unwrap(), &noisier, &grid()).unwrap();
    says(&few.refine(&noisier, &flat).unwrap_err(), &["problem", "noise"]);
    let answer = DMatrix::from_element(31, 1, 0.1);
    let nan = DMatrix::from_element(4, 1, f64::NAN);
    says(&few.refine_batch(&nan, &answer).unwrap_err(), &["data", "NaN"]);
    says(&few.refine_batch(&DMatrix::zeros(3, 1), &answer).unwrap_err(), &["data", "3", "4"]);
}

/// Numbers of any kind, a bad one now and then.
#[test]
fn derivatives_of_solutions() {
    let problem = problem();
    let maxent = MaxEnt::default().alpha(FixedAlpha(1.0));
    let solution = maxent.solve(&problem).unwrap();
    let other_data = problem.with_data(&[0.6, 0.1, 0.1, 0.6]).unwrap();
    let not_optimal = ["solution", "optimum of this objective"];
    says(&maxent.sensitivity(&other_data, &solution).unwrap_err(), &not_optimal);
    let other_weight = maxent.clone().kinetic(1.0).sensitivity(&problem, &solution);
    says(&other_weight.unwrap_err(), &["kinetic", "1", "found with"]);
    let other_method = ProximalGradient::fista(1e-3).solve(&problem).unwrap();
    says(
        &maxent.sensitivity(&problem, &other_method).unwrap_err(),
        &["solution", "maximum entropy"],
    );
    let sensitivity = maxent.sensitivity(&problem, &solution).unwrap();
    says(&sensitivity.vjp_weights(&[1.0; 3]).unwrap_err(), &["upstream", "3", "31"]);
    says(&sensitivity.vjp_density(&[f64::NAN; 31]).unwrap_err(), &["upstream", "NaN"]);

    let (kernel, options) = (problem.kernel(), IterationOptions::default());
    let map = ProximalGradientMap::new(kernel, problem.data(), SoftThreshold, 0.1).unwrap();
    let iterate = |adjoint: Adjoint| adjoint.iterate(map.clone(), &[0.0; 31], &options);
    says(&iterate(Adjoint::Truncated { steps: 0 }).unwrap_err(), &["steps", "0"]);
    let solver = AdjointSolver::Anderson { memory: 101 };
    says(&iterate(Adjoint::Implicit { solver, options }).unwrap_err(), &["memory", "101"]);
    let mut point = iterate(Adjoint::default()).unwrap();
    says(&point.vjp(&[1.0; 3]).unwrap_err(), &["upstream", "3", "31"]);
    says(&point.vjp(&[f64::INFINITY; 31]).unwrap_err(), &["upstream", "inf"]);
}

/// A proximal operator made for vectors of another length, and an operator of another shape, are errors of whatever
/// iterates them.
#[test]
fn operators_that_do_not_fit() {
    let problem = problem();
    let (kernel, data) = (problem.kernel(), problem.data());
    let identity = DMatrix::<f64>::identity(3, 3);
    let rows = || BandedRows::new(3, 2, vec![0, 1], vec![-1.0, 1.0, -1.0, 1.0]).unwrap();
    let small: Vec<Box<dyn Prox<f64>>> = vec![
        Box::new(WeightedL1::new(vec![1.0; 3]).unwrap()),
        Box::new(Entropic::new(vec![1.0; 3]).unwrap()),
        Box::new(DensityVariation::new(vec![1.0; 3]).unwrap()),
        Box::new(BandedQuadratic::new(rows())),
        Box::new(GroupNorm::new(&[1, 2]).unwrap()),
        Box::new(NuclearNorm::new(3, 1).unwrap()),
        Box::new(AffineSet::sum_rule(3, 1.0).unwrap()),
        Box::new(
            SeparableSum::new(vec![(3, Box::new(SoftThreshold) as Box<dyn Prox<f64>>)]).unwrap(),
        ),
        Box::new(Translated::new(SoftThreshold, vec![0.0; 3]).unwrap()),
        Box::new(PlusQuadratic::new(SoftThreshold, 1.0, vec![0.0; 3]).unwrap()),
        Box::new(PrecomposedDiagonal::new(SoftThreshold, vec![2.0; 3], vec![0.0; 3]).unwrap()),
        Box::new(PrecomposedOrthogonal::new(SoftThreshold, &identity).unwrap()),
        Box::new(Scaled::new(WeightedL1::new(vec![1.0; 3]).unwrap(), 2.0).unwrap()),
        Box::new(MoreauEnvelope::new(WeightedL1::new(vec![1.0; 3]).unwrap(), 2.0).unwrap()),
        Box::new(ConjugateOf::new::<f64>(WeightedL1::new(vec![1.0; 3]).unwrap()).unwrap()),
    ];
    let squares = LeastSquares::new(kernel, data).unwrap();
    for prox in &small {
        let smooth = |_: &[f64], _: &mut [f64]| 0.0;
        let w = [0.0; 4];
        let shape = UnrolledArchitecture::rlista(4, 31, 2);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let start = Initialization::default();
        let columns = DMatrix::from_column_slice(4, 1, data);
        let fista = ProximalGradient::fista(1e-3).prox(prox);
        let refused = [
            fista.solve(&problem).err(),
            fista.solve_batch(problem.model(), &columns).err(),
            BasisPursuit::new(1e-2).solver(fista.clone()).solve(&problem).err(),
            ProximalGradientMap::new(kernel, data, prox, 1.0).err(),
            ProximalGradientMap::for_operator(kernel, data, prox, 1.0, 10.0).err(),
            Admm::new(squares.clone(), prox).err(),
            DouglasRachford::new(squares.clone(), prox, 1.0).err(),
            PrimalDual::new(kernel, prox, SoftThreshold).err(),
            PrimalDual::new(kernel, SoftThreshold, prox).err(),
            PrimalDual::for_operator(kernel, prox, SoftThreshold, 10.0).err(),
            Backtracking::new(31, smooth, prox, 1.0, 1.0).err(),
            Layer::new(&w, &w, &[0.1], prox).err(),
            Unrolled::<f64, _>::random(shape, prox, &start, &mut rng).err(),
            Translated::new(prox, vec![0.0; 31]).err(),
            PlusQuadratic::new(prox, 1.0, vec![0.0; 31]).err(),
            PrecomposedDiagonal::new(prox, vec![1.0; 31], vec![0.0; 31]).err(),
            PrecomposedOrthogonal::new(prox, &DMatrix::<f64>::identity(31, 31)).err(),
        ];
        for (i, error) in refused.iter().enumerate() {
            let error = error.as_ref().unwrap_or_else(|| panic!("case {i}"));
            says(error, &["`prox`", "3"]);
        }
    }
    let block: Box<dyn Prox<f64>> = Box::new(WeightedL1::new(vec![1.0; 3]).unwrap());
    says(&SeparableSum::new(vec![(4, block)]).unwrap_err(), &["`prox`", "3", "4"]);

    // Data of another length than an operator's rows; a norm that is none.
    let blur = Convolution::new(vec![0.25, 0.5, 0.25], 1, 31).unwrap();
    let of = |data: &[f64], norm: f64| {
        ProximalGradientMap::for_operator(&blur, data, SoftThreshold, 1.0, norm).map(|_| ())
    };
    assert!(of(&[0.0; 31], 1.0).is_ok());
    says(&of(data, 1.0).unwrap_err(), &["`data`", "4", "31"]);
    says(&of(&[f64::NAN; 31], 1.0).unwrap_err(), &["`data`", "NaN"]);
    for norm in [-1.0, f64::NAN, f64::INFINITY, 1e200] {
        says(&of(&[0.0; 31], norm).unwrap_err(), &["norm"]);
    }
    for norm in [-1.0, f64::NAN, f64::INFINITY, 1e-320] {
        let map = PrimalDual::for_operator(&blur, SoftThreshold, SoftThreshold, norm);
        says(&map.unwrap_err(), &["norm"]);
    }
    let narrow = Convolution::new(vec![1.0], 0, 30).unwrap();
    says(&ComposedOperator::new(&narrow, &blur).unwrap_err(), &["inner", "31", "30"]);
    says(&StackedOperator::new(&narrow, &blur).unwrap_err(), &["lower", "31", "30"]);
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        60 => 0.1..10.0,
        2 => -10.0..10.0,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => any::<f64>(),
    ]
}

/// Lists of equal length as a rule.
fn lists() -> impl Strategy<Value = [Vec<f64>; 3]> {
    let of = |n| prop::collection::vec(number(), n);
    prop_oneof![
        8 => (of(4..5), of(4..5), of(4..5)),
        1 => (of(0..6), of(0..6), of(0..6)),
    ]
    .prop_map(|(x, g, e)| [x, g, e])
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/proptest-regressions/bad_input.txt"))),
        rng_seed: RngSeed::Fixed(20),
        ..ProptestConfig::with_cases(500)
    })]

    /// Whatever comes in, a result comes out; and what is accepted is finite.
    #[test]
    fn nothing_panics(
        [x, g, e] in lists(),
        mut points in prop::collection::vec(number(), 0..8),
        sorted in prop::bool::weighted(0.9),
        (beta, alpha, kinetic) in (number(), number(), number()),
    ) {
        if sorted {
            points.sort_by(f64::total_cmp);
        }
        let run = || -> fredholm::Result<()> {
            let grid = FrequencyGrid::from_points(points)?;
            let data = Measurement::with_errors(&x, &g, &e)?;
            let problem = Problem::new(&FermionTime::new(beta + 10.0)?, &data, &grid)?;
            let solver = MaxEnt::default().alpha(FixedAlpha(alpha)).kinetic(kinetic);
            let solution = solver.max_iterations(20).solve(&problem)?;
            assert!(solution.spectrum().values().iter().all(|v| v.is_finite()));
            Ok(())
        };
        let _ = run();
        let _ = FrequencyGrid::uniform(beta, alpha, 5);
        let _ = FrequencyGrid::tangent(beta, alpha, 5, kinetic);
        let _ = FrequencyGrid::lorentzian(beta, alpha, 5, kinetic);
        let _ = FrequencyGrid::hyperbolic(beta, alpha, 5, kinetic);
        let _ = FrequencyGrid::logarithmic(beta, alpha, 5);
        let _ = Bins::from_slice(&g, x.len());
    }

    /// Data of any finite size: solved, or refused, or a status; never a panic or a NaN spectrum.
    #[test]
    fn extreme_scales_end_in_a_status(
        scale in -300.0..300.0_f64,
        error in -300.0..300.0_f64,
        rule in 0..8_usize,
    ) {
        let values = G.map(|v| v * 10_f64.powf(scale));
        let run = || -> fredholm::Result<()> {
            let data = Measurement::with_uniform_error(&TAU, &values, 10_f64.powf(error))?;
            let problem = Problem::new(&FermionTime::new(3.0)?, &data, &grid())?;
            let solver = MaxEnt::default().ladder_points(8).max_iterations(20);
            let solver = match rule {
                0 => solver.alpha(Gcv::default()),
                1 => solver.alpha(Chi2Kink::default()),
                2 => solver.alpha(Curvature::default()),
                3 => solver.alpha(LineFit),
                4 => solver.alpha(Cp::default()),
                5 => solver.alpha(Bryan),
                6 => solver.alpha(Historic),
                _ => solver.alpha(FixedAlpha(1.0)),
            };
            let solution = solver.solve(&problem)?;
            assert!(solution.spectrum().values().iter().all(|v| v.is_finite()));
            Ok(())
        };
        let _ = run();
    }
}

#[test]
fn batches_of_data() {
    let p = problem();
    let prepared = MaxEnt::default().prepare(p.model()).unwrap();
    let error = |data: DMatrix<f64>| prepared.solve_many(&data).unwrap_err();
    says(&error(DMatrix::zeros(3, 2)), &["data", "3", "4"]);
    says(&error(DMatrix::from_element(4, 2, f64::NAN)), &["data"]);
    let three = Whitening::from_errors(&[1.0; 3]).unwrap();
    says(&p.model().with_whitening(three).unwrap_err(), &["data", "3", "4"]);
}

#[test]
fn models_check_their_whitening() {
    let whitening = Whitening::from_errors(&[1.0; 3]).unwrap();
    let model = ForwardModel::new(&FermionTime::new(3.0).unwrap(), &TAU, &grid(), whitening);
    assert!(matches!(model.map(drop), Err(Error::LengthMismatch { .. })));
}

#[test]
fn further_rows_without_their_data() {
    let kernel = || WithRows::new(FermionTime::new(3.0).unwrap());
    let data = Measurement::with_uniform_error(&TAU, &G, 1e-2).unwrap();
    for (result, words) in [
        (Problem::new(&kernel().moment(0), &data, &grid()), ["data", "5"]),
        (Problem::new(&kernel(), &data, &grid()), ["further rows", "empty"]),
        (Problem::new(&kernel().row(|_| f64::NAN), &data, &grid()), ["kernel", "finite"]),
    ] {
        says(&result.map(drop).unwrap_err(), &words);
    }
    for (values, errors, name) in [
        (&[][..], &[][..], "values"),
        (&[1.0][..], &[][..], "errors"),
        (&[1.0][..], &[0.0][..], "errors"),
        (&[f64::NAN][..], &[1.0][..], "values"),
    ] {
        says(&data.with_rows(values, errors).map(drop).unwrap_err(), &[name]);
    }
}

#[test]
fn ranks_that_are_not_there() {
    let mut one = [1.0_f64];
    for (result, name) in [
        (Alone.send(0, &one), "to"),
        (Alone.receive(1, &mut one), "from"),
        (Alone.broadcast(1, &mut one), "root"),
        (Alone.all_reduce_sum(&one, &mut []), "sums"),
    ] {
        says(&result.unwrap_err(), &[name]);
    }
}

#[test]
fn networks_and_devices_that_do_not_fit() {
    let plain = UnrolledArchitecture::<f64>::rlista(2, 3, 2);
    let network = |shape: UnrolledArchitecture| {
        let parameters = vec![0.5; shape.parameter_count().unwrap()];
        Unrolled::from_parameters(shape, SoftThreshold, parameters).unwrap()
    };
    let thresholds = Thresholds::PerComponent;
    let learned = UnrolledArchitecture { learned_relaxation: true, thresholds, ..plain };
    let (learned, count) = (network(learned).plan().unwrap(), learned.parameter_count().unwrap());
    assert!(learned.check(count).is_ok());
    says(&learned.check(count - 1).unwrap_err(), &["plan", "parameters"]);
    let domains = vec![(0..1, 1.0..=f64::NAN)];
    let nowhere = Plan { domains, ..learned.clone() };
    says(&nowhere.check(count).unwrap_err(), &["plan", "interval", "bounds"]);
    let mut wide = learned;
    for operation in &mut wide.operations {
        if let Operation::Activation { thresholds, .. } = operation {
            thresholds.end += 1;
        }
    }
    says(&wide.check(count).unwrap_err(), &["plan", "4", "3", "activation"]);
    let plan = network(plain).plan().unwrap();
    says(&plan.check(3).unwrap_err(), &["plan", "parameters"]);
    let operations = [&plan.operations[..], &plan.operations[..]].concat();
    let twice = Plan { operations, ..plan.clone() };
    says(&twice.check(100).unwrap_err(), &["plan", "two operations"]);
    let unwritten = Plan { operations: Vec::new(), ..plan.clone() };
    says(&unwritten.check(100).unwrap_err(), &["plan", "written before"]);
    says(&Cpu.predictor(&network(plain), 0).map(drop).unwrap_err(), &["batch"]);
    let network = network(plain);
    let mut predictor = Cpu.predictor(&network, 8).unwrap();
    says(&predictor.predict(&DMatrix::zeros(3, 1)).unwrap_err(), &["data", "3", "2"]);
    let mut data = DMatrix::zeros(2, 100);
    data[(1, 90)] = f64::NEG_INFINITY;
    says(&predictor.predict(&data).unwrap_err(), &["data", "[181]", "-inf", "finite"]);
}
