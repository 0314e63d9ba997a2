//! What reports of training say, and which sources and sets a network is trained and tested on.

use super::*;
use crate::solution::Warning;

/// Trains `network` at this rate; without and with a validation set.
fn at_rate<N: Network<f32> + Clone>(network: &N, rate: f64, epochs: usize) -> [TrainingReport; 2] {
    let options = TrainOptions { learning_rate: rate, ..options(epochs) };
    let (training, validation) = (set(1000, 1), set(200, 2));
    [None, Some(&validation)].map(|validation| {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        train(network.clone(), &training, validation, &options, &mut rng, go).unwrap().1
    })
}

#[test]
fn a_learning_rate_of_a_thousand_leaves_no_weights_that_are_called_sound() {
    for report in at_rate(&network::<f32>(10), 1e3, 3) {
        assert!(matches!(report.status, TrainingStatus::Diverged { kept: 0, .. }), "{report}");
        let text = report.to_string();
        assert!(text.contains("initial, untrained ones") && !text.contains("sound"), "{text}");
    }
}

/// A saturated softmax has a finite loss and no gradient.
#[test]
fn a_softmax_network_that_is_wrecked_is_doubted() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let fcn = DenseArchitecture::fcn(30, 20, 3, 25);
    let fcn = DenseNetwork::<f32>::random(fcn, &Initialization::default(), &mut rng).unwrap();
    let softmax = Headed::new(fcn, Head::Softmax);
    for report in at_rate(&softmax, 1e3, 3) {
        assert_eq!(report.status, TrainingStatus::Completed, "{report}");
        let Some(TrainingDoubt::Useless { error, baseline }) = report.doubt() else {
            panic!("{report}")
        };
        assert!(error > baseline && report.to_string().contains("more than the"), "{report}");
    }
    for report in at_rate(&softmax, 0.01, 10) {
        assert_eq!(report.doubt(), None, "{report}");
        assert!(
            report.training_loss < report.baseline && report.status == TrainingStatus::Completed
        );
    }
    // An estimator of the wrecked network says so with every answer.
    let model = Arc::new(model());
    let [report, _] = at_rate(&softmax, 1e3, 3);
    let estimator = Estimator::new(softmax, model.fingerprint()).with_training(report);
    let solution = estimator.solve(&Problem::from_model(model, &[0.5; 30]).unwrap()).unwrap();
    let warnings = &solution.report().warnings;
    assert!(warnings.iter().any(|w| w.to_string().contains("more than the")), "{warnings:?}");
}

#[test]
fn the_baseline_is_the_loss_of_the_mean_spectrum() {
    let training = set::<f64>(512, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (_, report) = train(network(2), &training, None, &options(1), &mut rng, go).unwrap();
    assert!((report.baseline - mean_spectrum_error(&training)).abs() < 1e-13);
}

#[test]
fn a_loss_that_has_risen_is_told_where_no_validation_kept_better_weights() {
    let sound = TrainingReport {
        status: TrainingStatus::Completed,
        epochs: 5,
        epochs_asked: 5,
        steps: 50,
        training_loss: 0.07,
        least_loss: 0.02,
        baseline: 0.13,
        validation: None,
        best_epoch: None,
    };
    assert_eq!(sound.doubt(), Some(TrainingDoubt::Risen { loss: 0.07, least: 0.02 }));
    assert!(sound.to_string().contains("rose to"));
    assert_eq!(TrainingReport { best_epoch: Some(2), ..sound }.doubt(), None);
    assert_eq!(TrainingReport { training_loss: 0.03, ..sound }.doubt(), None);
    // Targets that are all the same: a perfect network is as good as their mean.
    let perfect = TrainingReport { training_loss: 0.0, least_loss: 0.0, baseline: 0.0, ..sound };
    assert_eq!(perfect.doubt(), None);
    let wrong = TrainingReport { training_loss: 0.01, ..perfect };
    assert!(matches!(wrong.doubt(), Some(TrainingDoubt::Useless { .. })));
    #[cfg(feature = "serde")]
    assert_eq!(
        serde_json::to_value(wrong.doubt()).unwrap(),
        serde_json::json!({ "Useless": { "error": 0.01, "baseline": 0.0 } })
    );
}

#[test]
fn a_run_that_is_finished_early_is_not_called_completed() {
    let training = set::<f64>(200, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut run = Training::new(network(2), &training, &options(4), &mut rng).unwrap();
    for _ in 0..3 {
        let info = run.epoch(&training, None).unwrap().unwrap();
        let text = info.to_string();
        assert!(text.starts_with(&format!("epoch {} of 4", info.epoch)), "{text}");
        assert!(text.contains(&format!("loss {:.4e}", info.training_loss)), "{text}");
    }
    let (_, report) = run.finish();
    assert_eq!((report.status, report.epochs), (TrainingStatus::Unfinished, 3));
    assert_eq!(report.epochs_asked, 4);
    assert!(report.to_string().contains("before the last epoch; 3 of 4 epochs"), "{report}");
    let run = Training::new(network(2), &training, &options(4), &mut rng).unwrap();
    let (_, report) = run.finish();
    assert_eq!(report.doubt(), Some(TrainingDoubt::Untrained));
    assert!(report.to_string().contains("untrained"), "{report}");
}

/// A set of the same shape from another kernel.
#[test]
fn sets_of_another_fingerprint_are_refused() {
    let tau: Vec<f64> = (0..30).map(|i| 4.0 * f64::from(i) / 29.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 20).unwrap();
    let noise = Whitening::from_errors(&[1e-3; 30]).unwrap();
    let elsewhere = ForwardModel::new(&FermionTime::new(4.0).unwrap(), &tau, &grid, noise).unwrap();
    let training = set::<f64>(64, 1);
    let other = TrainingSet::new(
        training.data().clone(),
        training.weights().clone(),
        elsewhere.fingerprint(),
    )
    .unwrap();
    let estimator = Estimator::new(network::<f64>(2), model().fingerprint());
    assert!(estimator.evaluate(&training).is_ok());
    let e = estimator.evaluate(&other).unwrap_err();
    assert!(matches!(e, Error::FingerprintMismatch { .. }), "{e}");
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let e = train(network(2), &training, Some(&other), &options(2), &mut rng, go).unwrap_err();
    assert!(matches!(e, Error::FingerprintMismatch { .. }), "{e}");
    // Samples that say nothing about their model are anyone's.
    assert!(
        train(network(2), &Anonymous(&training), Some(&other), &options(1), &mut rng, go).is_ok()
    );
    let e = Estimator::train_from(
        network::<f64>(2),
        &Anonymous(&training),
        None,
        &options(1),
        &mut rng,
        go,
    )
    .unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "source", .. }), "{e}");
}

#[test]
fn a_run_goes_on_over_samples_of_its_own_kind() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let training = set::<f64>(64, 1);
    let (data, weights) = (training.data().clone(), training.weights().clone());
    let tau: Vec<f64> = (0..30).map(|i| 4.0 * f64::from(i) / 29.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 20).unwrap();
    let noise = Whitening::from_errors(&[1e-3; 30]).unwrap();
    let elsewhere = ForwardModel::new(&FermionTime::new(4.0).unwrap(), &tau, &grid, noise).unwrap();
    let other = TrainingSet::new(data, weights, elsewhere.fingerprint()).unwrap();
    let mut run = Training::new(network(2), &training, &options(3), &mut rng).unwrap();
    run.epoch(&training, None).unwrap();
    let e = run.epoch(&other, None).unwrap_err();
    assert!(matches!(e, Error::FingerprintMismatch { .. }), "{e}");
    let state = run.state();
    let e = Training::resume(state.clone(), &other).unwrap_err();
    assert!(matches!(e, Error::FingerprintMismatch { .. }), "{e}");
    // What was refused has done nothing.
    assert_eq!(run.epoch(&training, None).unwrap().unwrap().epoch, 2);
    assert!(Training::resume(state, &training).unwrap().epoch(&training, None).unwrap().is_some());
}

/// Fronts of one output length, which data of a set do not show.
#[test]
fn sets_seen_through_another_front_are_refused() {
    let (model, raw, test) = (model(), set::<f64>(64, 1), set::<f64>(32, 2));
    let front = Front::singular(model.kernel(), 8, raw.data()).unwrap();
    let other = Front::whitened(model.kernel(), 8, raw.data()).unwrap();
    let [seen, elsewhere] = [&front, &other].map(|front| test.conditioned::<f64>(front).unwrap());
    let conditioned = raw.conditioned::<f64>(&front).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let shape = UnrolledArchitecture::rlista(8, 20, 2);
    let network =
        Rlista::<f64>::random(shape, SoftThreshold, &Initialization::default(), &mut rng).unwrap();
    let options = options(1);
    let mut by = |validation: &TrainingSet<f64>| {
        let network = network.clone();
        train(network, &conditioned, Some(validation), &options, &mut rng, go).map(drop)
    };
    assert!(by(&seen).is_ok());
    let e = by(&elsewhere).unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "validation", .. }), "{e}");
    // One that was conditioned by hand knows of no front.
    let by_hand = (elsewhere.data().clone(), test.weights().clone());
    assert!(by(&TrainingSet::new(by_hand.0, by_hand.1, test.fingerprint()).unwrap()).is_ok());
    let e = Estimator::train(
        network.clone(),
        Some(front.clone()),
        &raw,
        Some(&elsewhere),
        &options,
        &mut rng,
        go,
    )
    .unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "validation", .. }), "{e}");
    // One that is told its noise has come from an adaptive front.
    let adaptive = other.adaptive();
    let noise = Whitening::from_errors(&[1e-4; 30]).unwrap();
    let told = test.conditioned::<f64>(&adaptive.at(&noise).unwrap()).unwrap();
    let level = NoiseLevel::Uniform(1e-4);
    let augmented = AugmentedSet::<f64>::new(&raw, Some(&adaptive), &level, &mut rng).unwrap();
    let shape = UnrolledArchitecture::rlista(9, 20, 2);
    let wide =
        Rlista::<f64>::random(shape, SoftThreshold, &Initialization::default(), &mut rng).unwrap();
    assert!(train(wide, &augmented, Some(&told), &options, &mut rng, go).is_ok());
}

/// A front with as many outputs as inputs would take its own output.
#[test]
fn an_estimator_is_tested_on_raw_data() {
    let test = set::<f64>(32, 2);
    let front = Front::new(&(DMatrix::identity(30, 30) * 2.0)).unwrap();
    let bare = Estimator::new(network::<f64>(2), test.fingerprint());
    let estimator = bare.clone().with_front(front.clone()).unwrap();
    let seen = test.conditioned(&front).unwrap();
    let errors = estimator.evaluate(&test).unwrap();
    let e = estimator.evaluate(&seen).unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "set", .. }), "{e}");
    // The network alone takes what the front gives.
    assert_eq!(bare.evaluate(&seen).unwrap(), errors);
}

/// The samples of a set without what it knows of them.
struct Anonymous<'a>(&'a TrainingSet<f64>);

impl TrainingSource<f64> for Anonymous<'_> {
    fn input_len(&self) -> usize {
        self.0.input_len()
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn epoch_len(&self) -> usize {
        self.0.epoch_len()
    }

    fn fill(
        &self,
        step: usize,
        samples: &[usize],
        scratch: &mut [f64],
        input: &mut [f64],
        target: &mut [f64],
    ) {
        self.0.fill(step, samples, scratch, input, target);
    }
}

/// A stream in one call gives the estimator that is made of its parts by hand.
#[test]
fn any_source_trains_an_estimator_in_one_call() {
    let (model, raw, test) = (model(), set::<f64>(300, 1), set::<f64>(100, 2));
    let front = Front::singular(model.kernel(), 8, raw.data()).unwrap();
    let noise = NoiseLevel::Uniform(1e-4);
    let mixture = GaussianMixture { peaks: (1, 4), ..GaussianMixture::default() };
    let rng = || ChaCha8Rng::seed_from_u64(7);
    let stream =
        SampleStream::new(&mixture, &model, Some(&front), &noise, 640, &mut rng()).unwrap();
    let config =
        RlistaConfig { options: options(3), ..RlistaConfig::conditioned(front.clone(), 3, 640) };
    let estimator = Rlista::<f64>::train_from(&stream, &config, &mut rng(), go).unwrap();
    let by_hand = {
        let mut rng = rng();
        let shape = UnrolledArchitecture::rlista(8, 20, 10);
        let start = Initialization { scale: 0.1, ..Initialization::default() };
        let network = Unrolled::random(shape, SoftThreshold, &start, &mut rng).unwrap();
        train::<f64, _, _>(network, &stream, None, &options(3), &mut rng, go).unwrap().0
    };
    assert_eq!(*estimator.network(), by_hand);
    assert_eq!(estimator.front(), Some(&front));
    assert_eq!(estimator.fingerprint(), model.fingerprint());
    assert!(estimator.evaluate(&test).unwrap().mean.is_finite());
    // Without its front in the configuration as well; with another, not.
    let plain = RlistaConfig { front: None, ..config.clone() };
    assert_eq!(Rlista::<f64>::train_from(&stream, &plain, &mut rng(), go).unwrap(), estimator);
    let other = Front::singular(model.kernel(), 7, raw.data()).unwrap();
    let other = RlistaConfig { front: Some(other), ..config };
    let e = Rlista::<f64>::train_from(&stream, &other, &mut rng(), go).unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "front", .. }), "{e}");

    // A set that was conditioned, one that is augmented, and a raw one behind the front: all the same estimator's.
    let network = || {
        let shape = UnrolledArchitecture::rlista(8, 20, 3);
        Unrolled::random(shape, SoftThreshold, &Initialization::default(), &mut rng()).unwrap()
    };
    let conditioned = raw.conditioned::<f64>(&front).unwrap();
    let options = options(2);
    let from = |source: &dyn TrainingSource<f64>| {
        Estimator::train_from(network(), source, Some(&test), &options, &mut rng(), go).unwrap()
    };
    let direct = Estimator::train(
        network(),
        Some(front.clone()),
        &raw,
        Some(&test),
        &options,
        &mut rng(),
        go,
    );
    assert_eq!(from(&conditioned), direct.unwrap());
    let silent = NoiseLevel::Uniform(0.0);
    let augmented = AugmentedSet::new(&raw, Some(&front), &silent, &mut rng()).unwrap();
    assert_eq!(from(&augmented), from(&conditioned));
    // What was seen through a front is not seen through one again.
    let e = conditioned.conditioned::<f64>(&front).unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "front", .. }), "{e}");
}

/// A network knows neither α nor λ.
#[test]
fn a_network_whose_answer_does_not_fit_is_given_its_own_advice() {
    let model = Arc::new(model());
    let estimator = Estimator::new(network::<f64>(3), model.fingerprint());
    let problem = Problem::from_model(model, &[0.5; 30]).unwrap();
    let solution = estimator.solve(&problem).unwrap();
    let report = solution.report();
    assert!(report.chi2 > 100.0 * report.n_data as f64);
    let told = report.warnings.iter().find(|w| matches!(w, Warning::Inconsistent { .. })).unwrap();
    let text = told.to_string();
    for advice in ["DataConsistent", "FewPeaks", "default model", "train on"] {
        assert!(text.contains(advice), "{text}");
    }
    let page = report.to_string();
    assert!(!page.contains("alpha") && !page.contains("lambda"), "{page}");
}
