//! What every backend must show against the crate's own engine: forward pass, gradient and a hundred steps of
//! training, each to a tolerance relative to the largest number compared; then its refusals.

use super::engine::{Machine, Need, Open, Sizes};
use super::interpreter::Interpreter;
use super::launch::{Launch, NONE};
use super::{Backend, Cpu, DeviceTraining, Predictor, Stepper, train_on};
use crate::error::Error;
use crate::grid::FrequencyGrid;
use crate::kernel::FermionTime;
use crate::network::{
    ConvolutionArchitecture, ConvolutionNetwork, DenseArchitecture, DenseNetwork, Front, Head,
    Headed, Initialization, Network, Thresholds, Unrolled, UnrolledArchitecture,
};
use crate::noise::Whitening;
use crate::problem::ForwardModel;
use crate::prox::{
    ElasticNet, Huber, NonNegative, OneSidedSoftThreshold, SoftThreshold, SquaredL2,
};
use crate::real::Real;
use crate::synthetic::{
    AugmentedSet, GaussianMixture, NoiseLevel, SampleStream, TrainingSet, TrainingSource, normals,
    uniform,
};
use crate::train::{AdamConfig, Schedule, TrainOptions, Training, TrainingStatus, train};
use core::ops::ControlFlow;
use rand::{SeedableRng, rngs::ChaCha8Rng};

/// Lengths of data and answer: no multiples of a power of two.
pub(super) const SHAPE: (usize, usize) = (21, 13);
/// Samples of the set, and of a step.
const SAMPLES: usize = 150;
const BATCH: usize = 37;

/// The forward model of all samples.
fn model() -> ForwardModel<f64> {
    let (m, n) = SHAPE;
    let tau: Vec<f64> = (0..m).map(|i| 8.0 * i as f64 / (m - 1) as f64).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, n).unwrap();
    let noise = Whitening::from_errors(&vec![1e-3; m]).unwrap();
    ForwardModel::new(&FermionTime::new(8.0).unwrap(), &tau, &grid, noise).unwrap()
}

/// Spectra of the usual kind, with their data.
pub(super) fn samples<T: Real>(count: usize) -> TrainingSet<T> {
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-3));
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    TrainingSet::generate(&mixture, &model(), count, &noise, &mut rng).unwrap()
}

/// Sources whose samples are drawn at every step: noise of every kind on samples that stay on a device, and streams.
fn drawn_sources<T: Real>() -> Vec<Box<dyn TrainingSource<T>>> {
    let (model, m) = (model(), SHAPE.0);
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let (mixture, silent) = (GaussianMixture::default(), NoiseLevel::Uniform(0.0));
    let set = TrainingSet::<f64>::generate(&mixture, &model, 60, &silent, &mut rng).unwrap();
    let front = Front::singular(model.kernel(), 6, set.data()).unwrap();
    let told = front.clone().adaptive();
    let tau: Vec<f64> = (0..m).map(|i| i as f64).collect();
    let covariance = NoiseLevel::correlated(&tau, &vec![3e-3; m], 4.0).unwrap();
    let range = NoiseLevel::LogUniform { least: 1e-4, largest: 1e-2 };
    let per_datum = NoiseLevel::PerDatum((1..=m).map(|i| 1e-3 * i as f64).collect());
    let kinds = [
        (None, per_datum),
        (None, range.clone()),
        (None, covariance.clone()),
        (Some(&front), NoiseLevel::Uniform(1e-3)),
        (Some(&told), range.clone()),
    ];
    let mut sources: Vec<Box<dyn TrainingSource<T>>> = Vec::new();
    for (front, noise) in kinds {
        sources.push(Box::new(AugmentedSet::new(&set, front, &noise, &mut rng).unwrap()));
    }
    for (front, noise) in [(None, covariance), (Some(&told), range)] {
        let stream = SampleStream::new(&mixture, &model, front, &noise, 60, &mut rng);
        sources.push(Box::new(stream.unwrap()));
    }
    sources
}

fn options() -> TrainOptions {
    TrainOptions {
        epochs: 25,
        batch: BATCH,
        learning_rate: 3e-3,
        schedule: Schedule::Exponential { rate: 0.7, steps: 30.0 },
        // A large ε: parameters whose gradient is but rounding would walk with the rate's full length otherwise, and
        // two engines that round differently would part for no fault of either.
        adam: AdamConfig { epsilon: 1e-4, ..AdamConfig::default() },
        l2: 1e-4,
        ..TrainOptions::default()
    }
}

/// Fails unless the two agree to `tolerance` of the largest number expected.
fn assert_close<T: Real>(what: &str, found: &[T], expected: &[T], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().map(|v| v.as_f64().abs()).fold(0.0, f64::max);
    let distance = |i: usize| (found[i].as_f64() - expected[i].as_f64()).abs();
    // A NaN is beyond, too.
    let beyond = |&i: &usize| !matches!(distance(i), d if d <= tolerance * scale);
    let wrong: Vec<usize> = (0..found.len()).filter(beyond).collect();
    if let Some(&i) = wrong.first() {
        let worst = (0..found.len()).map(distance).fold(0.0, f64::max) / scale;
        panic!(
            "{what}[{i}]: {} instead of {}; {} of {} beyond, worst {worst:e}",
            found[i],
            expected[i],
            wrong.len(),
            found.len()
        );
    }
}

/// The battery for one network.
pub(super) fn check<T: Real, N: Network<T> + Clone, B: Backend<T, N>>(
    backend: &B,
    network: &N,
    tolerance: f64,
) {
    let (set, options, name) = (samples::<T>(SAMPLES), options(), network.name());
    let kind = core::any::type_name::<N>();
    let what = |what: &str| format!("{name} ({kind}) on {}: {what}", backend.name());

    // The forward pass, in panels that do not divide the number of samples.
    let reference = Cpu.predictor(network, 70).unwrap().predict(set.data()).unwrap();
    let answers = backend.predictor(network, 70).unwrap().predict(set.data()).unwrap();
    assert_close(&what("answers"), answers.as_slice(), reference.as_slice(), tolerance);

    // Loss and gradient of a batch whose samples are not in order.
    let mut expected = Cpu.stepper(network.clone(), &set, &options).unwrap();
    let mut found = backend.stepper(network.clone(), &set, &options).unwrap();
    let batch: Vec<usize> = (0..BATCH).map(|i| 17 * i % SAMPLES).collect();
    let count = network.parameters().len();
    let (mut g, mut h) = (vec![T::one(); count], vec![T::one(); count]);
    let losses = [
        found.gradient(&batch, &mut g).unwrap(),
        expected.gradient(&batch, &mut h).unwrap(),
        found.evaluate(&batch).unwrap(),
        expected.evaluate(&batch).unwrap(),
    ];
    for loss in losses {
        assert!((loss / losses[1] - 1.0).abs() <= tolerance, "{} {losses:?}", what("losses"));
    }
    assert_close(&what("gradient"), &g, &h, tolerance);
    // The loss of batches and a remainder; of less than a batch.
    for count in [2 * BATCH + 5, 5] {
        let samples: Vec<usize> = (0..count).map(|i| 17 * i % SAMPLES).collect();
        let losses = (found.evaluate(&samples).unwrap(), expected.evaluate(&samples).unwrap());
        assert!((losses.0 / losses.1 - 1.0).abs() <= tolerance, "{} {losses:?}", what("loss"));
    }

    // A hundred steps, in runs that end and begin in the middle of the schedule.
    let order: Vec<usize> = (0..100 * BATCH).map(|i| 31 * i % SAMPLES).collect();
    for part in order.chunks(23 * BATCH) {
        found.run(part).unwrap();
        expected.run(part).unwrap();
        let (found, expected) = (found.loss().unwrap(), expected.loss().unwrap());
        assert!((found / expected - 1.0).abs() <= tolerance, "{}", what("losses of steps"));
    }
    assert_eq!(found.steps(), 100);
    assert_eq!(found.learning_rate(), expected.learning_rate());
    let answers = found.predict(set.data()).unwrap();
    let reference = expected.predict(set.data()).unwrap();
    assert_close(
        &what("answers after training"),
        answers.as_slice(),
        reference.as_slice(),
        tolerance,
    );
    let (found, expected) = (found.finish().unwrap(), expected.finish().unwrap());
    assert_ne!(found.parameters(), network.parameters());
    assert_close(&what("parameters"), found.parameters(), expected.parameters(), tolerance);

    refusals(backend, network, &set);
}

/// Samples and noise drawn at every step are those of the crate's own engine: losses, gradient, and parameters
/// after more steps than are sent at once.
pub(super) fn drawn<T: Real, B: Backend<T, Unrolled<T, SoftThreshold>>>(
    backend: &B,
    tolerance: f64,
) {
    let options = TrainOptions { batch: 17, ..options() };
    for (i, source) in drawn_sources::<T>().iter().enumerate() {
        let what = |what: &str| format!("source {i} on {}: {what}", backend.name());
        let architecture = UnrolledArchitecture::rlista(source.input_len(), SHAPE.1, 3);
        let mut rng = ChaCha8Rng::seed_from_u64(29);
        let network =
            Unrolled::random(architecture, SoftThreshold, &Initialization::default(), &mut rng)
                .unwrap();
        let source = &**source;
        let mut expected = Cpu.stepper(network.clone(), source, &options).unwrap();
        let mut found = backend.stepper(network.clone(), source, &options).unwrap();
        let order: Vec<usize> = (0..13 * 17).map(|i| 31 * i % 60).collect();
        let mut gradients = [0, 1].map(|_| vec![T::zero(); network.parameters().len()]);
        for part in [&order[..7 * 17], &order[7 * 17..]] {
            found.run(part).unwrap();
            expected.run(part).unwrap();
            let [g, h] = &mut gradients;
            let losses = [
                (found.loss().unwrap(), expected.loss().unwrap()),
                // Two batches and a remainder, all as at the next step.
                (found.evaluate(&part[..39]).unwrap(), expected.evaluate(&part[..39]).unwrap()),
                (
                    found.gradient(&part[..17], g).unwrap(),
                    expected.gradient(&part[..17], h).unwrap(),
                ),
            ];
            let close =
                |&(found, expected): &(f64, f64)| (found / expected - 1.0).abs() <= tolerance;
            assert!(losses.iter().all(close), "{} {losses:?}", what("losses"));
            assert_close(&what("gradient"), g, h, tolerance);
        }
        let (found, expected) = (found.finish().unwrap(), expected.finish().unwrap());
        assert_close(&what("parameters"), found.parameters(), expected.parameters(), tolerance);
    }
}

/// A run that is interrupted and goes on has the bits of one that is not, on the same device; the processor goes on
/// from its state, too.
pub(super) fn resumed<T: Real, B: Backend<T, Unrolled<T, SoftThreshold>>>(
    backend: &B,
    tolerance: f64,
) {
    let validation = samples::<T>(20);
    let sources = drawn_sources::<T>();
    // A stream without a front, and noise of σ drawn for every sample.
    for source in [&*sources[5], &*sources[1]] {
        let options = TrainOptions { epochs: 5, batch: 17, ..options() };
        let network = learned(true, Thresholds::PerComponent);
        let rng = || ChaCha8Rng::seed_from_u64(31);
        let go_on = |_: &_| ControlFlow::Continue(());
        let whole = train_on(
            backend,
            network.clone(),
            source,
            Some(&validation),
            &options,
            &mut rng(),
            go_on,
        )
        .unwrap();
        let mut first =
            DeviceTraining::new(backend, network, source, &options, &mut rng()).unwrap();
        first.epoch(Some(&validation)).unwrap();
        first.epoch(Some(&validation)).unwrap();
        let state = first.state().unwrap();
        assert_eq!(state.epochs(), 2);
        let then = DeviceTraining::resume(backend, state.clone(), source).unwrap();
        let then = then.run(Some(&validation), go_on).unwrap();
        assert_eq!(then.0.parameters(), whole.0.parameters());
        assert_eq!(then.1, whole.1);
        assert_eq!(then.1.epochs, 5);
        let here = Training::resume(state, source).unwrap();
        let here = here.run(source, Some(&validation), go_on).unwrap();
        assert_close("resumed here", here.0.parameters(), whole.0.parameters(), tolerance);
    }
}

/// Numbers drawn on a device are those of the generator, past the 32 bits of a step too.
pub(super) fn draws<T: Real>(device: &impl Open<T>, tolerance: f64) {
    const FEATURES: u32 = 6;
    const BATCH: u32 = 300;
    let numbers = (FEATURES * BATCH) as usize;
    let need = |fixed| Need { fixed, per_sample: 0 };
    let sizes = Sizes { batch: 1, arena: need(numbers), data: need(1), order: 2 * BATCH as usize };
    let mut machine = device.open(&sizes, &[]).unwrap();
    let order: Vec<u32> = (0..2 * BATCH).map(|i| (i * 7919) % 10_007).collect();
    let (key, step) = ([5, 0x8000_0001], (7 << 32) - 1);
    machine.write_order(&order, step).unwrap();
    let noise = Launch::Noise {
        key,
        to: 0,
        deviations: NONE,
        features: FEATURES,
        batch: BATCH,
        by_step: true,
        add: false,
        least: T::lit(0.5),
        spread: T::lit(3.0),
    };
    let program = machine.prepare(&[noise, Launch::Advance]).unwrap();
    for i in 0..2 {
        machine.run(&program, 1).unwrap();
        let mut found = vec![T::zero(); numbers];
        machine.read(0, &mut found).unwrap();
        let mut expected = vec![T::zero(); numbers];
        for b in 0..BATCH as usize {
            let sample = order[i * BATCH as usize + b] as usize;
            let mut draws = [0.0; FEATURES as usize];
            normals(key, step + i, sample, &mut draws);
            let sigma = 0.5 * (3.0 * uniform(key, step + i, sample)).exp();
            for (f, draw) in draws.iter().enumerate() {
                expected[f * BATCH as usize + b] = T::lit(sigma * draw);
            }
        }
        assert_close("draws", &found, &expected, tolerance);
    }
}

/// Bad input is named, and a loss that is not finite ends a run with sound weights.
fn refusals<T: Real, N: Network<T> + Clone, B: Backend<T, N>>(
    backend: &B,
    network: &N,
    set: &TrainingSet<T>,
) {
    let options = TrainOptions { batch: 8, ..options() };
    let mut stepper = backend.stepper(network.clone(), set, &options).unwrap();
    assert!(matches!(stepper.run(&[0, SAMPLES]), Err(Error::ElementOutOfRange { index: 1, .. })));
    assert!(matches!(stepper.evaluate(&[]), Err(Error::Empty { argument: "samples", .. })));
    let mut gradient = vec![T::zero(); network.parameters().len()];
    let e = stepper.gradient(&[0; 7], &mut gradient).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "samples", expected: 8, .. }));
    assert!(stepper.gradient(&[0; 8], &mut gradient[1..]).is_err());
    assert!(stepper.predict(&nalgebra::DMatrix::zeros(SHAPE.0 + 1, 2)).is_err());
    assert!(stepper.loss().unwrap().is_nan());
    assert!(backend.predictor(network, 0).is_err());
    let bad = TrainOptions { learning_rate: -1.0, ..options };
    assert!(backend.stepper(network.clone(), set, &bad).is_err());
    let swapped = TrainingSet::new(set.weights().clone(), set.data().clone(), set.fingerprint());
    assert!(backend.stepper(network.clone(), &swapped.unwrap(), &options).is_err());

    let far = TrainOptions { learning_rate: 1e300, epochs: 3, ..options };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let run = |_: &_| ControlFlow::Continue(());
    let (end, report) = train_on(backend, network.clone(), set, None, &far, &mut rng, run).unwrap();
    assert!(matches!(report.status, TrainingStatus::Diverged { .. }), "{report:?}");
    assert!(end.parameters().iter().all(|p| p.is_finite()));
}

/// The training loop with a validation set: its first epoch is that of the crate's own, it ends when patience does, and
/// the weights are those of the best epoch.
pub(super) fn best<T: Real, B: Backend<T, Unrolled<T, SoftThreshold>>>(
    backend: &B,
    tolerance: f64,
) {
    let (set, validation) = (samples::<T>(SAMPLES), samples::<T>(20));
    let options = TrainOptions {
        epochs: 100,
        learning_rate: 3e-2,
        schedule: Schedule::Constant,
        patience: Some(2),
        ..options()
    };
    let network = unrolled(SoftThreshold, 0.5);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut epochs = Vec::new();
    let (end, report) =
        train_on(backend, network.clone(), &set, Some(&validation), &options, &mut rng, |info| {
            epochs.push(*info);
            ControlFlow::Continue(())
        })
        .unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut first = None;
    let _ = train(network, &set, Some(&validation), &options, &mut rng, |info| {
        first = Some(*info);
        ControlFlow::Break(())
    });
    let (found, expected) = (epochs[0], first.unwrap());
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() <= tolerance, "{a} instead of {b}");
    close(found.training_loss, expected.training_loss);
    close(found.validation.unwrap().mean, expected.validation.unwrap().mean);

    let errors: Vec<f64> = epochs.iter().map(|info| info.validation.unwrap().mean).collect();
    let best = errors.iter().copied().fold(f64::INFINITY, f64::min);
    let epoch = 1 + errors.iter().position(|&error| error == best).unwrap();
    assert_eq!(report.best_epoch, Some(epoch));
    assert_eq!(report.status, TrainingStatus::OutOfPatience, "{errors:?}");
    assert_eq!(epochs.len(), epoch + 2);
    let answers = backend.predictor(&end, 7).unwrap().predict(validation.data()).unwrap();
    close(validation.score(&answers).unwrap().mean, best);
}

/// Kernels whose elements are more than their threads take them in turns: rows and elements beyond all groups.
pub(super) fn turns<T: Real>(device: &impl Open<T>) {
    const ROWS: u32 = 2000;
    const COLUMNS: u32 = 300;
    let (panel, sums) = (ROWS, ROWS + ROWS * COLUMNS);
    let arena = Need { fixed: (sums + ROWS) as usize, per_sample: 0 };
    let data = Need { fixed: 1, per_sample: 0 };
    let mut machine = device.open(&Sizes { batch: 1, arena, data, order: 1 }, &[]).unwrap();
    let values: Vec<T> = (0..ROWS).map(|r| T::lit(f64::from(r % 7))).collect();
    machine.write(0, &values).unwrap();
    let (count, one) = (ROWS * COLUMNS, T::one());
    let launches = [
        Launch::FillRows { from: 0, to: panel, rows: ROWS, columns: COLUMNS },
        Launch::AddScaled { from: panel, to: panel, count, add: true, factor: one },
        Launch::SumRows {
            from: panel,
            to: sums,
            rows: ROWS,
            columns: COLUMNS,
            by_step: false,
            scale: one,
        },
    ];
    let program = machine.prepare(&launches).unwrap();
    machine.run(&program, 1).unwrap();
    let mut found = vec![T::zero(); ROWS as usize];
    machine.read(sums as usize, &mut found).unwrap();
    let expected = values.iter().map(|&v| T::lit(2.0 * f64::from(COLUMNS)) * v);
    assert!(found.iter().zip(expected).all(|(&f, e)| f == e));
}

/// The paper's networks and another activation, small.
pub(super) fn unrolled<T: Real, P: crate::prox::Prox<T>>(prox: P, eta: f64) -> Unrolled<T, P> {
    let (input, output) = SHAPE;
    let relaxation = T::lit(eta);
    let architecture =
        UnrolledArchitecture { relaxation, ..UnrolledArchitecture::rlista(input, output, 6) };
    let initialization = Initialization { threshold: 2e-2, ..Initialization::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    Unrolled::random(architecture, prox, &initialization, &mut rng).unwrap()
}

/// The same with relaxations or many thresholds that are learned.
fn learned<T: Real>(
    learned_relaxation: bool,
    thresholds: Thresholds,
) -> Unrolled<T, SoftThreshold> {
    let plain = unrolled::<T, _>(SoftThreshold, 0.5).architecture();
    let architecture = UnrolledArchitecture { learned_relaxation, thresholds, ..plain };
    let initialization = Initialization { threshold: 2e-2, ..Initialization::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(19);
    Unrolled::random(architecture, SoftThreshold, &initialization, &mut rng).unwrap()
}

fn dense<T: Real>() -> DenseNetwork<T> {
    let shape = DenseArchitecture::fcn(SHAPE.0, SHAPE.1, 3, 19);
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    DenseNetwork::random(shape, &Initialization::default(), &mut rng).unwrap()
}

fn convolution<T: Real>() -> ConvolutionNetwork<T> {
    let shape = ConvolutionArchitecture {
        kernel: 5,
        channels: 3,
        ..ConvolutionArchitecture::cnn_fcn(SHAPE.0, SHAPE.1, 14)
    };
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    ConvolutionNetwork::random(shape, &Initialization::default(), &mut rng).unwrap()
}

/// Runs the battery, or whatever is called `check`, for every network with a plan: its activation's operator first,
/// for devices that want one, then the network.
macro_rules! every_network {
    ($check:ident) => {
        $check!(SoftThreshold, unrolled(SoftThreshold, 0.5));
        $check!(SoftThreshold, unrolled(SoftThreshold, 1.0));
        $check!(SoftThreshold, learned(true, Thresholds::Shared));
        $check!(SoftThreshold, learned(false, Thresholds::PerComponent));
        $check!(
            SoftThreshold,
            Headed::new(learned(true, Thresholds::PerComponent), Head::Normalised)
        );
        $check!(
            OneSidedSoftThreshold,
            Headed::new(unrolled(OneSidedSoftThreshold, 0.5), Head::Normalised)
        );
        $check!(NonNegative, dense());
        $check!(NonNegative, Headed::new(dense(), Head::Softmax));
        $check!(NonNegative, convolution());
        let huber = Huber::new(T::lit(0.1)).unwrap();
        $check!(huber, unrolled(huber, 0.5));
        let elastic = ElasticNet::new(T::lit(0.1)).unwrap();
        $check!(elastic, unrolled(elastic, 0.5));
        $check!(SquaredL2, unrolled(SquaredL2, 0.5));
    };
}

/// The battery of the interpreter, which has no formulas: it takes the operator itself.
pub(super) fn interpreter<T: Real>(tolerance: f64) {
    macro_rules! run {
        ($prox:expr, $network:expr) => {
            check::<T, _, _>(&Interpreter($prox), &$network, tolerance);
        };
    }
    every_network!(run);
    turns::<T>(&Interpreter(NonNegative));
    best::<T, _>(&Interpreter(SoftThreshold), tolerance);
    drawn::<T, _>(&Interpreter(SoftThreshold), tolerance);
    draws::<T>(&Interpreter(NonNegative), tolerance);
    resumed::<T, _>(&Interpreter(SoftThreshold), tolerance);
}

/// The battery of a device.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
macro_rules! battery {
    ($device:expr, $scalar:ty, $tolerance:expr) => {{
        type T = $scalar;
        macro_rules! run {
            ($prox:expr, $network:expr) => {
                check::<T, _, _>($device, &$network, $tolerance);
            };
        }
        every_network!(run);
        turns::<T>($device);
        best::<T, _>($device, $tolerance);
        drawn::<T, _>($device, $tolerance);
        draws::<T>($device, $tolerance);
        resumed::<T, _>($device, $tolerance);
    }};
}

#[cfg(feature = "wgpu")]
pub(super) fn wgpu(device: &super::Wgpu) {
    battery!(device, f32, 1e-4);
}

#[cfg(feature = "cuda")]
pub(super) fn cuda(device: &super::Cuda) {
    battery!(device, f32, 1e-4);
    battery!(device, f64, 1e-12);
}

#[test]
fn the_cpu_agrees_with_itself() {
    check::<f64, _, _>(&Cpu, &unrolled(SoftThreshold, 0.5), 1e-12);
    check::<f32, _, _>(&Cpu, &unrolled(OneSidedSoftThreshold, 1.0), 1e-4);
    check::<f64, _, _>(&Cpu, &dense(), 1e-12);
}

#[test]
fn on_the_cpu_it_is_the_training_loop() {
    let (set, validation) = (samples::<f32>(SAMPLES), samples::<f32>(20));
    let options = TrainOptions { epochs: 6, patience: Some(3), ..options() };
    let network = unrolled::<f32, _>(SoftThreshold, 0.5);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let a = train_on(&Cpu, network.clone(), &set, Some(&validation), &options, &mut rng, |info| {
        first.push(*info);
        ControlFlow::Continue(())
    });
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let b = train(network, &set, Some(&validation), &options, &mut rng, |info| {
        second.push(*info);
        ControlFlow::Continue(())
    });
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(first, second);
    assert_eq!(first.len(), 6);
    // Of samples drawn at every step too.
    let options = TrainOptions { patience: None, ..options };
    for source in drawn_sources::<f32>() {
        let (source, go_on) = (&*source, |_: &_| ControlFlow::Continue(()));
        let shape = UnrolledArchitecture::rlista(source.input_len(), SHAPE.1, 3);
        let rng = || ChaCha8Rng::seed_from_u64(5);
        let network =
            Unrolled::random(shape, SoftThreshold, &Initialization::default(), &mut rng()).unwrap();
        let a = train_on(&Cpu, network.clone(), source, None, &options, &mut rng(), go_on).unwrap();
        let b = train(network.clone(), source, None, &options, &mut rng(), go_on).unwrap();
        assert_eq!(a, b);
        assert_eq!(a.1.epochs, 6);
        let far = TrainOptions { learning_rate: 1e30, ..options };
        let (_, report) = train_on(&Cpu, network, source, None, &far, &mut rng(), go_on).unwrap();
        assert!(matches!(report.status, TrainingStatus::Diverged { .. }), "{report:?}");
    }
}
