//! Runs that diverge: where they are said to, and what they leave.

use super::*;

#[test]
fn divergence_stops_the_run_and_keeps_sound_weights() {
    fn diverges<T: Real, N: Network<T> + Clone>(before: &N, rate: f64) -> (N, TrainingReport) {
        let options = TrainOptions { learning_rate: rate, ..options(3) };
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let (after, report) =
            train(before.clone(), &set(1000, 1), None, &options, &mut rng, go).unwrap();
        let TrainingStatus::Diverged { epoch: 1, step, origin, kept: 0 } = report.status else {
            panic!("{} {report:?}", before.name())
        };
        let text = report.status.to_string();
        assert!(step >= 1 && text.contains(&format!("after step {step}, first in {origin}")));
        assert!(text.contains("initial, untrained") && !text.contains("sound"), "{text}");
        assert_eq!(report.doubt(), Some(TrainingDoubt::Untrained));
        assert!(report.training_loss.is_nan());
        assert_eq!(after.parameters(), before.parameters());
        (after, report)
    }
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let start = Initialization::default();
    let fcn = DenseArchitecture::fcn(30, 20, 3, 25);
    let fcn = DenseNetwork::<f32>::random(fcn, &start, &mut rng).unwrap();
    let cnn = ConvolutionArchitecture { input: 30, output: 20, width: 12, kernel: 4, channels: 3 };
    let cnn = ConvolutionNetwork::<f32>::random(cnn, &start, &mut rng).unwrap();
    let activations = |report: TrainingReport| match report.status {
        TrainingStatus::Diverged { origin: DivergenceOrigin::Activations { layer }, .. } => layer,
        _ => panic!("{report:?}"),
    };
    // Weights of 10²⁵ (one step is the rate): a product of two overflows, so the second layer does.
    let (_, report) = diverges(&fcn, 1e25);
    assert_eq!(activations(report), 2);
    let (_, report) = diverges(&cnn, 1e25);
    assert_eq!(activations(report), 2);
    let (_, report) = diverges(&Headed::new(fcn, Head::Normalised), 1e25);
    assert_eq!(activations(report), 2);
    // In the wider range it does not overflow, but explodes: the last layer is as large as the loss.
    let (_, report) = diverges(&network::<f64>(3), 1e25);
    assert_eq!(activations(report), 3);
    let (after, report) = diverges(&network::<f32>(3), 1e25);
    assert_eq!(activations(report), 2);
    // A solution of such a network says so.
    let model = Arc::new(model());
    let estimator = Estimator::new(after, model.fingerprint()).with_training(report);
    let problem = Problem::from_model(model, &[0.5; 30]).unwrap();
    let solution = estimator.solve(&problem).unwrap();
    assert!(solution.report().warnings.iter().any(|w| w.to_string().contains("diverged")));
}

#[test]
fn divergence_after_sound_epochs_keeps_the_best_one() {
    // A learning rate that grows by 10⁴⁰ over an epoch's 15 steps.
    let schedule = Schedule::Exponential { rate: 1e40, steps: 15.0 };
    let options = TrainOptions { schedule, learning_rate: 1e-43, ..options(6) };
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (training, validation) = (set(1000, 1), set(200, 2));
    let mut errors = Vec::new();
    let (after, report) =
        train(network::<f64>(3), &training, Some(&validation), &options, &mut rng, |i| {
            errors.push(i.validation.unwrap().mean);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(
        matches!(report.status, TrainingStatus::Diverged { epoch: 2, kept: 1, .. }),
        "{report:?}"
    );
    assert!(report.status.to_string().contains("sound weights kept, those of epoch 1"));
    assert_eq!((report.epochs, report.best_epoch), (1, Some(1)));
    assert_eq!(report.validation.unwrap().mean, errors[0]);
    let estimator = Estimator::new(after, validation.fingerprint());
    assert_eq!(estimator.evaluate(&validation).unwrap().mean, errors[0]);
}

#[test]
fn an_explosion_is_found_where_an_epoch_is_one_step() {
    // The rate grows by 10²⁰ a step: the second step explodes within the numbers, which the third finds.
    let schedule = Schedule::Exponential { rate: 1e20, steps: 1.0 };
    let options = TrainOptions { batch: 200, schedule, learning_rate: 1e-12, ..options(6) };
    let training = set::<f64>(200, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut run = Training::new(network::<f64>(3), &training, &options, &mut rng).unwrap();
    run.epoch(&training, None).unwrap().unwrap();
    let sound = run.network().clone();
    let info = run.epoch(&training, None).unwrap().unwrap();
    assert!(info.training_loss < 10.0 && *run.network() != sound);
    assert_eq!(run.epoch(&training, None).unwrap(), None);
    // It stays ended when it is resumed.
    let mut resumed = Training::resume(run.state(), &training).unwrap();
    assert_eq!(resumed.epoch(&training, None).unwrap(), None);
    for run in [run, resumed] {
        let (after, report) = run.finish();
        let TrainingStatus::Diverged { epoch: 3, step: 2, origin, kept: 1 } = report.status else {
            panic!("{report:?}")
        };
        assert_eq!(origin, DivergenceOrigin::Activations { layer: 3 });
        // What the exploded weights were made from.
        assert_eq!(after, sound);
    }
}

#[test]
fn parameters_that_are_not_finite_are_named_by_layer() {
    let mut broken = network::<f64>(3);
    let origin = |network: &Rlista<f64>| DivergenceOrigin::in_parameters(network);
    assert_eq!(origin(&broken), None);
    // W_e of the second layer, then W_t and θ of the third.
    for (index, layer) in [(700, 2), (3 * 600 + 2 * 400, 3)] {
        broken.parameters_mut()[index] = f64::NAN;
        assert_eq!(origin(&broken), Some(DivergenceOrigin::Parameters { layer }));
    }
    let mut broken = network::<f64>(3);
    broken.parameters_mut()[3 * 1000 + 1] = f64::INFINITY;
    assert_eq!(origin(&broken), Some(DivergenceOrigin::Parameters { layer: 2 }));
}
