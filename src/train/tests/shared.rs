//! One run on several ranks.

use super::*;
use crate::cluster::Communicator;
use crate::error::Result;
use crate::test_support::on_ranks;

type Outcome<T> = (Rlista<T>, TrainingReport);

/// Four epochs on `size` ranks with a validation set of more than one panel; all must agree.
fn run_on<T: Real, S: TrainingSource<T>>(size: usize, source: &S) -> Outcome<T> {
    let validation = set::<T>(150, 2);
    let mut outcomes = on_ranks(size, |rank| {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        // Steps that depend smoothly on the gradient, not on its sign alone.
        let adam = AdamConfig { epsilon: 1e-3, ..AdamConfig::default() };
        let options = TrainOptions { adam, l2: 1e-4, ..options(4) };
        Training::new(network(3), source, &options, &mut rng)
            .and_then(|training| training.with_communicator(&rank))
            .and_then(|training| training.run(source, Some(&validation), go))
            .unwrap()
    });
    let first = outcomes.remove(0);
    assert!(outcomes.iter().all(|outcome| *outcome == first));
    first
}

#[test]
fn any_number_of_ranks_gives_the_same_run_to_rounding() {
    fn battery<T: Real>(source: &impl TrainingSource<T>, tolerance: f64) {
        let (alone, report) = run_on(1, source);
        assert_eq!((report.status, report.epochs), (TrainingStatus::Completed, 4));
        // Shares of a batch of 64: equal or not, of whole chunks of 24 or not.
        for size in [2, 3, 4, 7] {
            let (network, other) = run_on(size, source);
            assert_eq!((other.steps, other.best_epoch), (report.steps, report.best_epoch));
            for (p, q) in alone.parameters().iter().zip(network.parameters()) {
                assert!((*p - *q).abs().as_f64() < tolerance, "{size} ranks: {p} {q}");
            }
            let errors = [report, other].map(|r| r.validation.unwrap().mean);
            assert!((errors[0] - errors[1]).abs() < tolerance, "{size} ranks: {errors:?}");
            assert!((report.training_loss - other.training_loss).abs() < tolerance);
        }
    }
    battery::<f64>(&set::<f64>(500, 1), 1e-12);
    battery::<f64>(&stream(None, 1e-3), 1e-12);
    battery::<f32>(&set::<f32>(500, 1), 1e-4);
}

#[test]
fn a_number_of_ranks_fixes_the_bits_for_any_number_of_threads() {
    let source = set::<f32>(500, 1);
    let run = run_on(3, &source);
    assert_eq!(run_on(3, &source), run);
    #[cfg(feature = "rayon")]
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| run_on(3, &source)), run);
    }
    // One rank is no ranks.
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let expected = train(network(3), &source, None, &options(2), &mut rng, go).unwrap();
    let alone = on_ranks(1, |rank| {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let training = Training::new(network(3), &source, &options(2), &mut rng).unwrap();
        training.with_communicator(rank).unwrap().run(&source, None, go).unwrap()
    });
    assert_eq!(alone, [expected]);
}

#[test]
fn all_ranks_begin_with_the_weights_and_the_seed_of_the_first() {
    let source = set::<f64>(300, 1);
    let run = |apart: bool| {
        on_ranks::<f64, _>(2, |rank| {
            let own = if apart { Communicator::rank(&rank) as u64 } else { 0 };
            let mut rng = ChaCha8Rng::seed_from_u64(own);
            let shape = UnrolledArchitecture::rlista(30, 20, 2);
            let start = Initialization::default();
            let network = Unrolled::random(shape, SoftThreshold, &start, &mut rng).unwrap();
            let training = Training::new(network, &source, &options(2), &mut rng).unwrap();
            training.with_communicator(rank).unwrap().run(&source, None, go).unwrap()
        })
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_run_on_ranks_goes_on_from_its_state() {
    let source = set::<f32>(300, 1);
    let begin = |rng: &mut ChaCha8Rng| Training::new(network(2), &source, &options(5), rng);
    let whole = on_ranks(2, |rank| {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut training = begin(&mut rng).unwrap().with_communicator(rank).unwrap();
        while training.epoch(&source, Some(&source)).unwrap().is_some() {}
        training.state()
    });
    let halves = on_ranks(2, |rank| {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut training = begin(&mut rng).unwrap().with_communicator(&rank).unwrap();
        for _ in 0..2 {
            training.epoch(&source, Some(&source)).unwrap();
        }
        let rest = Training::resume(training.state(), &source).unwrap();
        let mut rest = rest.with_communicator(&rank).unwrap();
        while rest.epoch(&source, Some(&source)).unwrap().is_some() {}
        rest.state()
    });
    assert_eq!(halves, whole);
}

#[test]
fn what_ends_a_run_on_one_rank_ends_it_on_all() {
    let source = set::<f32>(300, 1);
    let start = |options: &TrainOptions| {
        Training::new(network(3), &source, options, &mut ChaCha8Rng::seed_from_u64(6)).unwrap()
    };
    // An observer.
    let stopped = on_ranks(3, |rank| {
        let patient = Communicator::rank(&rank) < 2;
        let training = start(&options(9)).with_communicator(rank).unwrap();
        training.run(&source, None, |info| {
            if patient || info.epoch < 2 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })
    });
    for outcome in stopped {
        let (_, report) = outcome.unwrap();
        assert_eq!((report.status, report.epochs), (TrainingStatus::Stopped, 2));
    }
    // Divergence: the weights from before are kept.
    let wild = TrainOptions { learning_rate: 1e30, ..options(3) };
    let (network, expected) = start(&wild).run(&source, None, go).unwrap();
    assert!(matches!(expected.status, TrainingStatus::Diverged { epoch: 1, .. }), "{expected:?}");
    for outcome in on_ranks(3, |rank| {
        start(&wild).with_communicator(rank).unwrap().run(&source, None, go).unwrap()
    }) {
        assert_eq!(
            (outcome.0.parameters(), outcome.1.status),
            (network.parameters(), expected.status)
        );
    }
    // A source of another shape, on one rank.
    let narrow = DMatrix::<f32>::from_element(3, 300, 1.0);
    let narrow = TrainingSet::new(narrow.clone(), narrow, model().fingerprint()).unwrap();
    let outcomes = on_ranks(3, |rank| {
        let bad = Communicator::rank(&rank) == 1;
        let training = start(&options(2)).with_communicator(rank).unwrap();
        training.run(if bad { &narrow } else { &source }, None, go).map(drop)
    });
    for (rank, outcome) in outcomes.into_iter().enumerate() {
        match outcome.unwrap_err() {
            Error::LengthMismatch { argument: "data", .. } => assert_eq!(rank, 1),
            Error::OtherRank { rank: culprit, .. } => assert_eq!((culprit, rank == 1), (1, false)),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_rank_that_dies_leaves_a_state_to_go_on_from() {
    let source = set::<f32>(300, 1);
    let start = || {
        Training::new(network(2), &source, &options(4), &mut ChaCha8Rng::seed_from_u64(6)).unwrap()
    };
    let states = on_ranks(3, |rank| -> Result<_> {
        let mortal = Communicator::rank(&rank) == 1;
        let mut training = start().with_communicator(rank)?;
        let mut saved = training.state();
        while !(mortal && training.state().epochs() == 2) {
            match training.epoch(&source, None) {
                Ok(Some(_)) => saved = training.state(),
                Ok(None) => break,
                Err(e) => {
                    assert!(matches!(e, Error::OtherRank { .. }), "{e}");
                    return Ok(saved);
                }
            }
        }
        assert!(mortal);
        Ok(saved)
    });
    let finish = |size, state: Option<TrainingState<f32, Rlista<f32>>>| {
        on_ranks(size, |rank| {
            let training = match &state {
                Some(state) => Training::resume(state.clone(), &source).unwrap(),
                None => start(),
            };
            training.with_communicator(rank).unwrap().run(&source, None, go).unwrap()
        })
    };
    let expected = finish(3, None);
    for state in states {
        assert_eq!(finish(3, Some(state.unwrap())), expected);
    }
}

#[test]
fn patience_that_ends_on_one_rank_ends_on_all() {
    let (source, good) = (set::<f64>(300, 1), set::<f64>(150, 2));
    let options = TrainOptions { patience: Some(1), ..options(4) };
    let start = || {
        let rng = &mut ChaCha8Rng::seed_from_u64(6);
        Training::new(network::<f64>(3), &source, &options, rng).unwrap()
    };
    // Truths that are the answers after the first epoch: the second leads away from them.
    let mut answers = on_ranks(3, |rank| {
        let mut training = start().with_communicator(rank).unwrap();
        training.epoch(&source, Some(&good)).unwrap();
        super::training::estimates(training.network(), good.data())
    });
    let bad = TrainingSet::new(good.data().clone(), answers.remove(0), good.fingerprint()).unwrap();
    let run = |bad_rank| {
        on_ranks(3, |rank| {
            let set = if Communicator::rank(&rank) == bad_rank { &bad } else { &good };
            let training = start().with_communicator(rank).unwrap();
            training.run(&source, Some(set), go).unwrap().1
        })
    };
    let reports = run(usize::MAX);
    assert!(reports.iter().all(|report| report.status == TrainingStatus::Completed), "{reports:?}");
    for bad_rank in 0..3 {
        for report in run(bad_rank) {
            assert_eq!((report.status, report.epochs), (TrainingStatus::OutOfPatience, 2));
        }
    }
}

#[test]
fn validation_of_some_ranks_only_is_an_error_of_all() {
    let (source, long, short) = (set::<f32>(300, 1), set::<f32>(150, 2), set::<f32>(149, 2));
    let sets: [[Option<&TrainingSet<f32>>; 3]; 3] = [
        [Some(&long), None, None],
        [None, Some(&long), None],
        [Some(&long), Some(&long), Some(&short)],
    ];
    for sets in sets {
        let outcomes = on_ranks(3, |rank| {
            let validation = sets[Communicator::rank(&rank)];
            let rng = &mut ChaCha8Rng::seed_from_u64(6);
            let training = Training::new(network(2), &source, &options(2), rng).unwrap();
            training.with_communicator(rank).unwrap().run(&source, validation, go).map(drop)
        });
        for (set, outcome) in sets.iter().zip(outcomes) {
            let e = outcome.unwrap_err();
            let first = set.map(TrainingSet::len) == sets[0].map(TrainingSet::len);
            assert_eq!(matches!(e, Error::OtherRank { .. }), first, "{e}");
            assert_eq!(e.to_string().contains("validation"), !first, "{e}");
        }
    }
}

#[test]
fn ranks_with_different_runs_are_refused() {
    let source = set::<f32>(300, 1);
    let same = options(2);
    for other in [
        options(3),
        TrainOptions { chunk: same.chunk + 1, ..same },
        TrainOptions { patience: Some(3), ..same },
        TrainOptions { l2: 1e-3, ..same },
        TrainOptions { learning_rate: 2.0 * same.learning_rate, ..same },
    ] {
        let outcomes = on_ranks(3, |rank| {
            let options = if Communicator::rank(&rank) == 2 { &other } else { &same };
            let rng = &mut ChaCha8Rng::seed_from_u64(6);
            let training = Training::new(network(2), &source, options, rng).unwrap();
            training.with_communicator(rank).map(drop)
        });
        assert!(matches!(outcomes[2], Err(Error::Unsupported { argument: "communicator", .. })));
        for outcome in &outcomes[..2] {
            assert!(matches!(outcome, Err(Error::OtherRank { rank: 2, .. })), "{outcome:?}");
        }
    }
}
