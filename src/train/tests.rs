use super::*;
use crate::error::Error;
use crate::grid::FrequencyGrid;
use crate::kernel::FermionTime;
use crate::network::{
    Front, Head, Headed, Initialization, Network, Unrolled, UnrolledArchitecture,
};
use crate::noise::Whitening;
use crate::problem::{ForwardModel, Problem};
use crate::prox::{OneSidedSoftThreshold, SoftThreshold};
use crate::real::Real;
use crate::solution::{Certificate, Solver};
use crate::synthetic::{GaussianMixture, NoiseLevel, PeakRange, TrainingSet};
use core::ops::ControlFlow;
use nalgebra::DMatrix;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use std::sync::Arc;

fn model() -> ForwardModel<f64> {
    let tau: Vec<f64> = (0..30).map(|i| 8.0 * f64::from(i) / 29.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 20).unwrap();
    let whitening = Whitening::from_errors(&[1e-3; 30]).unwrap();
    ForwardModel::new(&FermionTime::new(8.0).unwrap(), &tau, &grid, whitening).unwrap()
}

fn set<T: Real>(samples: usize, seed: u64) -> TrainingSet<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Peaks that 20 points can resolve.
    let peak = PeakRange { centre: (-1.5, 1.5), width: (0.3, 0.6) };
    let mixture = GaussianMixture { peaks: (1, 4), peak, ..GaussianMixture::default() };
    let noise = NoiseLevel::Uniform(1e-4);
    TrainingSet::generate(&mixture, &model(), samples, &noise, &mut rng).unwrap()
}

fn network<T: Real>(depth: usize) -> Rlista<T> {
    let architecture = UnrolledArchitecture::rlista(30, 20, depth);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    Unrolled::random(architecture, SoftThreshold, &Initialization::default(), &mut rng).unwrap()
}

/// Batches of 64 in ragged chunks; the learning rate falls by 0.9¹⁵ over a run of 1000 samples.
fn options(epochs: usize) -> TrainOptions {
    let schedule = Schedule::Exponential { rate: 0.9, steps: epochs as f64 };
    TrainOptions { epochs, batch: 64, chunk: 24, schedule, ..TrainOptions::default() }
}

fn go(_: &EpochInfo) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn run<T: Real>(epochs: usize) -> (Rlista<T>, TrainingReport) {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    train(network(3), &set(1000, 1), None, &options(epochs), &mut rng, go).unwrap()
}

/// Mean root-square error of the mean spectrum: what a network that ignores g can reach.
fn mean_spectrum_error<T: Real>(set: &TrainingSet<T>) -> f64 {
    let mean = set.weights().column_mean();
    set.score(&DMatrix::from_fn(mean.len(), set.len(), |i, _| mean[i])).unwrap().mean
}

#[test]
fn training_learns_to_invert_the_kernel() {
    fn battery<T: Real>() {
        let (training, test) = (set::<T>(4000, 1), set::<T>(1000, 2));
        let mut losses = Vec::new();
        let config = RlistaConfig {
            depth: 4,
            options: TrainOptions { epochs: 10, ..options(40) },
            ..RlistaConfig::default()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let estimator = Rlista::train(&training, &config, &mut rng, |info| {
            losses.push(info.training_loss);
            assert_eq!((info.epochs, info.steps), (10, losses.len() * 62));
            ControlFlow::Continue(())
        })
        .unwrap();
        let report = estimator.training().unwrap();
        assert_eq!((report.status, report.epochs), (TrainingStatus::Completed, 10));
        assert_eq!(report.training_loss, losses[9]);
        assert!(losses[9] < 0.4 * losses[0], "{losses:?}");
        let error = estimator.evaluate(&test).unwrap();
        // A third of what the mean spectrum gives; measured 0.22 of it.
        let bound = mean_spectrum_error(&test) / 3.0;
        assert!(error.mean < bound, "{error:?} {bound}");
        assert!(error.median < error.mean && error.mean < error.p90);
    }
    battery::<f32>();
    battery::<f64>();
}

#[test]
fn a_seed_fixes_the_bits_for_any_number_of_threads() {
    let (network, report) = run::<f32>(2);
    assert_eq!(run::<f32>(2), (network.clone(), report));
    #[cfg(feature = "rayon")]
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| run::<f32>(2)), (network.clone(), report));
    }
}

#[test]
fn chunks_change_a_step_by_rounding_only() {
    let set = set::<f64>(64, 1);
    let samples: Vec<usize> = (0..64).collect();
    let step = |chunk| {
        let options = TrainOptions { batch: 64, chunk, ..options(1) };
        let mut trainer = Trainer::new(network::<f64>(3), options).unwrap();
        let loss = trainer.step(&set, &samples).unwrap();
        (loss, trainer.into_network())
    };
    let (loss, network) = step(64);
    for chunk in [1, 7, 32, 100] {
        let (other_loss, other) = step(chunk);
        assert!((loss - other_loss).abs() < 1e-14);
        for (p, q) in network.parameters().iter().zip(other.parameters()) {
            // Adam's first step is the sign of the gradient: only tiny components can tell.
            assert!((p - q).abs() < 1e-7, "{p} {q}");
        }
    }
}

#[test]
fn thresholds_are_never_negative() {
    let set = set::<f64>(64, 1);
    let samples: Vec<usize> = (0..64).collect();
    let options = TrainOptions { learning_rate: 0.02, ..options(1) };
    // Small weights give a small answer, which lower thresholds would raise.
    let architecture = UnrolledArchitecture::rlista(30, 20, 3);
    let initialization =
        Initialization { scale: 0.03, threshold: 0.01, ..Initialization::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let network =
        Unrolled::<f64, _>::random(architecture, SoftThreshold, &initialization, &mut rng).unwrap();
    let mut trainer = Trainer::new(network, options).unwrap();
    let mut touched = false;
    for _ in 0..200 {
        trainer.step(&set, &samples).unwrap();
        let thresholds = trainer.network().thresholds();
        assert!(thresholds.iter().all(|&t| t >= 0.0));
        touched |= thresholds.contains(&0.0);
    }
    assert!(touched, "no threshold was ever projected: the test shows nothing");
    assert_eq!(trainer.steps(), 200);
}

#[test]
fn any_activation_trains() {
    let architecture = UnrolledArchitecture::<f64>::rlista(30, 20, 3);
    let initialization = Initialization { scale: 0.3, threshold: 0.0, ..Initialization::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let network =
        Unrolled::random(architecture, OneSidedSoftThreshold, &initialization, &mut rng).unwrap();
    let (training, test) = (set(1000, 1), set(500, 2));
    let validation = Some(&test);
    let (_, report) = train(network, &training, validation, &options(5), &mut rng, go).unwrap();
    let error = report.validation.unwrap().mean;
    assert!(error < 0.5 * mean_spectrum_error(&test), "{error}");
}

#[test]
fn divergence_stops_the_run_and_keeps_sound_weights() {
    let before = network::<f32>(3);
    let options = TrainOptions { learning_rate: 1e25, ..options(3) };
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (after, report) =
        train(before.clone(), &set(1000, 1), None, &options, &mut rng, go).unwrap();
    let TrainingStatus::Diverged { epoch: 1, step } = report.status else { panic!("{report:?}") };
    assert!(step >= 1 && report.status.to_string().contains(&format!("step {step}")));
    assert!(report.training_loss.is_nan());
    assert_eq!(after, before);
    // A solution of such a network says so.
    let model = Arc::new(model());
    let estimator = Estimator::new(after, model.fingerprint()).with_training(report);
    let problem = Problem::from_model(model, &[0.5; 30]).unwrap();
    let solution = estimator.solve(&problem).unwrap();
    assert!(solution.report().warnings.iter().any(|w| w.to_string().contains("diverged")));
}

#[test]
fn the_observer_stops_the_run() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let stop = |info: &EpochInfo| {
        if info.epoch == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let (network, report) =
        train(network::<f32>(3), &set(1000, 1), None, &options(9), &mut rng, stop).unwrap();
    assert_eq!((report.status, report.epochs), (TrainingStatus::Stopped, 2));
    // Another schedule length would differ: this one is that of nine epochs.
    assert_ne!(network, run::<f32>(2).0);
}

#[test]
fn a_set_smaller_than_a_batch_is_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (_, report) =
        train(network::<f32>(2), &set(10, 1), None, &options(3), &mut rng, go).unwrap();
    assert_eq!((report.epochs, report.steps), (3, 3));
}

#[test]
fn an_estimator_solves_the_problems_it_was_made_for() {
    let model = Arc::new(model());
    let estimator = Estimator::new(run::<f32>(3).0, model.fingerprint());
    let test = set::<f64>(5, 2);
    let data = test.data().map(|g| g as f32);
    let batch = estimator.apply_batch(&data).unwrap();
    for (j, g) in test.data().column_iter().enumerate() {
        let problem = Problem::from_model(Arc::clone(&model), g.as_slice()).unwrap();
        let solver: &dyn Solver<f64> = &estimator;
        let solution = solver.solve(&problem).unwrap();
        let report = solution.report();
        assert_eq!((report.method.as_str(), report.certificate), ("rlista-3", Certificate::None));
        let weights = solution.spectrum().weights();
        let single = estimator.apply(data.column(j).as_slice()).unwrap();
        for i in 0..20 {
            assert!((weights[i] - f64::from(single[i])).abs() < 1e-15);
            assert!((single[i] - batch[(i, j)]).abs() < 1e-5);
        }
    }
    // Another β: refused.
    let kernel = FermionTime::new(8.5).unwrap();
    let whitening = model.whitening().clone();
    let other = ForwardModel::new(&kernel, model.x(), model.grid(), whitening).unwrap();
    let problem = Problem::from_model(Arc::new(other), &[0.1; 30]).unwrap();
    assert!(matches!(estimator.solve(&problem), Err(Error::FingerprintMismatch { .. })));
    // Other noise: accepted.
    let whitening = Whitening::from_errors(&[0.1; 30]).unwrap();
    let kernel = FermionTime::new(8.0).unwrap();
    let other = ForwardModel::new(&kernel, model.x(), model.grid(), whitening).unwrap();
    let problem = Problem::from_model(Arc::new(other), &[0.1; 30]).unwrap();
    assert!(estimator.solve(&problem).is_ok());
    assert!(estimator.apply(&[0.0; 29]).is_err());
    assert!(estimator.apply(&[f32::NAN; 30]).is_err());
    assert!(estimator.apply_batch(&DMatrix::zeros(31, 2)).is_err());
    assert_eq!(estimator.apply_batch(&DMatrix::zeros(30, 0)).unwrap().shape(), (20, 0));
    assert!(
        estimator
            .evaluate(
                &TrainingSet::new(
                    DMatrix::zeros(30, 1),
                    DMatrix::zeros(21, 1),
                    model.fingerprint()
                )
                .unwrap()
            )
            .is_err()
    );
}

#[test]
fn bad_options_are_named() {
    let training = set::<f32>(20, 1);
    let run = |options: TrainOptions| {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        train(network::<f32>(2), &training, None, &options, &mut rng, go)
    };
    let ok = options(1);
    assert!(run(ok).is_ok());
    assert!(matches!(
        run(TrainOptions { batch: 0, ..ok }),
        Err(Error::Empty { argument: "batch", .. })
    ));
    assert!(run(TrainOptions { chunk: 0, ..ok }).is_err());
    assert!(run(TrainOptions { learning_rate: f64::NAN, ..ok }).is_err());
    assert!(run(TrainOptions { learning_rate: 0.0, ..ok }).is_err());
    let absurd = TrainOptions { batch: usize::MAX / 2, chunk: 1, ..ok };
    let e = Trainer::new(network::<f32>(2), absurd).unwrap_err();
    assert!(matches!(e, Error::OutOfRange { argument: "batch", .. }));
    let (_, report) = run(TrainOptions { epochs: 0, ..ok }).unwrap();
    assert!(report.training_loss.is_nan() && report.steps == 0);
    let other = DMatrix::zeros(31, 3);
    let other = TrainingSet::new(other, DMatrix::zeros(20, 3), training.fingerprint()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let e = train(network::<f32>(2), &other, None, &ok, &mut rng, go).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "data", .. }));
    let e = train(network::<f32>(2), &training, Some(&other), &ok, &mut rng, go).unwrap_err();
    assert!(matches!(e, Error::LengthMismatch { argument: "data", .. }));
    let mut trainer = Trainer::new(network::<f32>(2), ok).unwrap();
    assert!(trainer.step(&training, &[]).is_err());
    assert!(trainer.step(&training, &[0; 65]).is_err());
    let e = trainer.step(&training, &[0, 20]).unwrap_err();
    assert!(matches!(e, Error::ElementOutOfRange { argument: "samples", index: 1, .. }));
    assert!(trainer.step(&other, &[0]).is_err());
    assert!(trainer.step(&training, &[0, 19]).unwrap().is_finite());
}

/// A network behind a front of singular vectors, trained shortly.
fn conditioned<T: Real>(training: &TrainingSet<T>) -> Estimator<T, Rlista<T>> {
    let front = Front::singular(model().kernel(), 9, training.data()).unwrap();
    let config = RlistaConfig::conditioned(front, 5, 4000);
    let config =
        RlistaConfig { depth: 4, options: TrainOptions { batch: 64, ..config.options }, ..config };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    Rlista::train(training, &config, &mut rng, go).unwrap()
}

#[test]
fn conditioning_helps_and_takes_raw_data() {
    let (training, test) = (set::<f32>(4000, 1), set::<f32>(1000, 2));
    let estimator = conditioned(&training);
    assert_eq!((estimator.input_len(), estimator.network().input_len()), (30, 9));
    let error = estimator.evaluate(&test).unwrap().mean;
    // The raw network of twice the epochs is tested against a third; measured 0.13.
    assert!(error < mean_spectrum_error(&test) / 5.0, "{error}");
    // One by one, from a problem in double precision, and as a batch.
    let model = Arc::new(model());
    let batch = estimator.apply_batch(test.data()).unwrap();
    for j in [0, 17, 999] {
        let g: Vec<f64> = test.data().column(j).iter().map(|&g| f64::from(g)).collect();
        let problem = Problem::from_model(Arc::clone(&model), &g).unwrap();
        let weights = estimator.solve(&problem).unwrap().spectrum().weights();
        for (w, b) in weights.iter().zip(batch.column(j).iter()) {
            assert!((w - f64::from(*b)).abs() < 1e-5);
        }
    }
    assert!(estimator.apply(&[0.0; 9]).is_err());
    assert!(estimator.clone().with_front(Front::new(&DMatrix::identity(8, 30)).unwrap()).is_err());
}

#[test]
fn a_folded_front_is_the_same_map_to_the_rounding_of_the_data() {
    let training = set::<f32>(4000, 1);
    let estimator = conditioned(&training);
    let folded = estimator.clone().folded().unwrap();
    assert!(folded.front().is_none());
    // Counted both ways: W_e of 9 or of 30 columns; the first W_t never acts.
    let count = |input: usize| 4 * (20 * input + 400 + 1) - 400;
    assert_eq!(estimator.network().live_parameters(), count(9));
    assert_eq!(folded.network().live_parameters(), count(30));
    // The deviation stays below what noise of 10⁻⁵, a tenth of the set's, does to the answer.
    let test = set::<f32>(500, 2);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let noisy = test.data().map(|g| g + 1e-5 * f32::standard_normal(&mut rng));
    let answer = estimator.apply_batch(test.data()).unwrap();
    let by_folding = (folded.apply_batch(test.data()).unwrap() - &answer).norm();
    let by_noise = (estimator.apply_batch(&noisy).unwrap() - &answer).norm();
    assert!(by_folding < 0.1 * by_noise, "{by_folding:e} {by_noise:e}");
    // In double precision, to rounding.
    let training = set::<f64>(4000, 1);
    let estimator = conditioned(&training);
    let answer = estimator.apply_batch(training.data()).unwrap();
    let folded = estimator.folded().unwrap().apply_batch(training.data()).unwrap();
    assert!((folded - answer).amax() < 1e-9);
}

#[test]
fn heads_train() {
    let (training, test) = (set::<f32>(4000, 1), set::<f32>(1000, 2));
    let front = Front::singular(model().kernel(), 9, training.data()).unwrap();
    for (head, part) in [(Head::Normalised, 5.0), (Head::Softmax, 3.0)] {
        let architecture = UnrolledArchitecture::rlista(9, 20, 3);
        let initialization = Initialization { scale: 0.1, ..Initialization::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let network =
            Rlista::<f32>::random(architecture, SoftThreshold, &initialization, &mut rng).unwrap();
        let estimator = Estimator::train(
            Headed::new(network, head),
            Some(front.clone()),
            &training,
            None,
            &options(10),
            &mut rng,
            go,
        )
        .unwrap();
        let error = estimator.evaluate(&test).unwrap().mean;
        assert!(error < mean_spectrum_error(&test) / part, "{head:?} {error}");
        let answer = estimator.apply(test.data().column(0).as_slice()).unwrap();
        assert!((answer.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}

#[test]
fn a_run_has_the_steps_it_counts() {
    assert_eq!(TrainOptions::default().steps(100_000), 58_500);
    assert_eq!(TrainOptions { epochs: 3, ..options(1) }.steps(10), 3);
    assert_eq!(options(1).steps(0), 0);
    let Schedule::Exponential { rate, steps } = TrainOptions::scaled(20, 20_000).schedule else {
        panic!("another schedule")
    };
    assert_eq!((rate, steps), (0.9, 20.0 * 78.0 / 15.0));
    assert_eq!(TrainOptions::cosine(2, 1000).schedule, Schedule::Cosine { steps: 6.0 });
}

#[cfg(feature = "serde")]
#[test]
fn stored_estimators_come_back_to_the_bit() {
    fn battery<T: Real + serde::Serialize + serde::de::DeserializeOwned>() {
        let estimator = Estimator::new(run::<T>(1).0, model().fingerprint());
        let text = serde_json::to_string(&estimator).unwrap();
        let back: Estimator<T, Rlista<T>> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, estimator);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let reject = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut value = value.clone();
            change(&mut value);
            let text = value.to_string();
            let result: Result<Estimator<T, Rlista<T>>, _> = serde_json::from_str(&text);
            result.unwrap_err().to_string()
        };
        let version = reject(&|v| v["network"]["version"] = 7.into());
        assert!(version.contains("version 7: expected 1"), "{version}");
        let depth = reject(&|v| v["network"]["architecture"]["depth"] = 4.into());
        assert!(depth.contains("`parameters` has length"), "{depth}");
        let zero = reject(&|v| v["network"]["architecture"]["input"] = 0.into());
        assert!(zero.contains("`input` is empty"), "{zero}");
        let null = reject(&|v| v["network"]["parameters"][3] = serde_json::Value::Null);
        assert!(null.contains("invalid type"), "{null}");
        let front = Front::new(&DMatrix::from_fn(30, 30, |i, j| 1.0 / (1 + i + j) as f64)).unwrap();
        let estimator = estimator.with_front(front).unwrap();
        let text = serde_json::to_string(&estimator).unwrap();
        assert_eq!(serde_json::from_str::<Estimator<T, Rlista<T>>>(&text).unwrap(), estimator);
        let front = reject(&|v| {
            let matrix = vec![1.0; 3];
            v["front"] = serde_json::json!({"inputs": 30, "outputs": 30, "matrix": matrix});
        });
        assert!(front.contains("`matrix` has length 3"), "{front}");
    }
    battery::<f32>();
    battery::<f64>();
}
