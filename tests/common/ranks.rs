//! What every communicator must do, whatever carries its messages. Called on all its ranks at once.

use fredholm::nalgebra::DMatrix;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    AdamConfig, Alone, Communicator, FermionTime, ForwardModel, FrequencyGrid, GaussianMixture,
    Initialization, MaxEnt, Network, NoiseLevel, Real, Rlista, SampleStream, SoftThreshold,
    TrainOptions, Training, TrainingReport, TrainingSet, UnrolledArchitecture, Whitening,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The k-th number of a rank: a sum of these tells in which order it was taken.
fn number<T: Real>(rank: usize, k: usize) -> T {
    T::lit(((7 * rank + k) as f64).sin() * 10_f64.powi((rank % 3) as i32))
}

/// Sums, broadcasts and messages, and what they refuse.
pub(crate) fn messages<T: Real>(communicator: &dyn Communicator<T>) {
    let (rank, size) = (communicator.rank(), communicator.size());
    for length in [0, 1, 5000] {
        let values = |rank| (0..length).map(|k| number(rank, k)).collect::<Vec<T>>();
        for root in 0..size {
            let mut got = values(rank);
            communicator.broadcast(root, &mut got).unwrap();
            assert_eq!(got, values(root));
        }
        let mut sums = vec![T::INFINITY; length];
        communicator.all_reduce_sum(&values(rank), &mut sums).unwrap();
        for (k, &sum) in sums.iter().enumerate() {
            let exact: f64 = (0..size).map(|rank| number::<T>(rank, k).as_f64()).sum();
            let scale = 100.0 * size as f64;
            assert!((sum.as_f64() - exact).abs() <= scale * T::EPSILON.as_f64());
        }
        let mut first = sums.clone();
        communicator.broadcast(0, &mut first).unwrap();
        assert_eq!(first, sums, "the same bits on all ranks");
        communicator.all_reduce_sum(&values(rank), &mut sums).unwrap();
        assert_eq!(first, sums, "the same bits every time");
        // Round the ring: even ranks send first.
        if size > 1 {
            let (next, last) = ((rank + 1) % size, (rank + size - 1) % size);
            let mut got = values(rank);
            if rank % 2 == 0 {
                communicator.send(next, &values(rank)).unwrap();
                communicator.receive(last, &mut got).unwrap();
            } else {
                communicator.receive(last, &mut got).unwrap();
                communicator.send(next, &values(rank)).unwrap();
            }
            assert_eq!(got, values(last));
        }
    }
    let mut three = [T::zero(); 3];
    assert!(communicator.all_reduce_sum(&[T::one()], &mut three).is_err());
    for bad in [rank, size, usize::MAX] {
        assert!(communicator.send(bad, &three).is_err());
        assert!(communicator.receive(bad, &mut three).is_err());
    }
    assert!(communicator.broadcast(size, &mut three).is_err());
}

/// β = 8, 24 times, 20 frequencies.
fn model() -> Arc<ForwardModel<f64>> {
    let tau: Vec<f64> = (0..24).map(|i| 8.0 * f64::from(i) / 23.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 20).unwrap();
    let noise = Whitening::from_errors(&[1e-3; 24]).unwrap();
    Arc::new(ForwardModel::new(&FermionTime::new(8.0).unwrap(), &tau, &grid, noise).unwrap())
}

fn run<T: Real>(communicator: &dyn Communicator<T>) -> (Rlista<T>, TrainingReport) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-3));
    let stream = SampleStream::new(&mixture, &model(), None, &noise, 300, &mut rng).unwrap();
    let test = TrainingSet::generate(&mixture, &model(), 150, &noise, &mut rng).unwrap();
    let shape = UnrolledArchitecture::rlista(24, 20, 3);
    let network =
        Rlista::random(shape, SoftThreshold, &Initialization::default(), &mut rng).unwrap();
    // Steps that depend smoothly on the gradient, not on its sign alone.
    let adam = AdamConfig { epsilon: 1e-3, ..AdamConfig::default() };
    let options = TrainOptions { batch: 64, chunk: 24, adam, ..TrainOptions::scaled(3, 300) };
    Training::new(network, &stream, &options, &mut rng)
        .and_then(|training| training.with_communicator(communicator))
        .and_then(|training| training.run(&stream, Some(&test), |_| ControlFlow::Continue(())))
        .unwrap()
}

/// The same run as alone to `tolerance`, with the same bits every time and on every rank.
pub(crate) fn training<T: Real>(communicator: &dyn Communicator<T>, tolerance: f64) {
    let (network, report) = run(communicator);
    assert_eq!((report.epochs, report.steps), (3, 12));
    let mut first = network.parameters().to_vec();
    communicator.broadcast(0, &mut first).unwrap();
    assert_eq!(first, network.parameters());
    assert_eq!(run(communicator), (network.clone(), report));
    let (alone, expected) = run::<T>(&Alone);
    for (p, q) in network.parameters().iter().zip(alone.parameters()) {
        assert!((p.as_f64() - q.as_f64()).abs() < tolerance, "{p} {q}");
    }
    let errors = [report, expected].map(|report| report.validation.unwrap().mean);
    assert!((errors[0] - errors[1]).abs() < tolerance, "{errors:?}");
}

/// Rank 0 has the answers of one machine, bit by bit.
pub(crate) fn continuation(communicator: &dyn Communicator<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-3));
    let set = TrainingSet::<f64>::generate(&mixture, &model(), 45, &noise, &mut rng).unwrap();
    let root = communicator.rank() == 0;
    let data = if root { set.data().clone() } else { DMatrix::zeros(0, 0) };
    let prepared = MaxEnt::default().ladder_points(15).prepare(&model()).unwrap();
    let mut seen = 0;
    let answers = prepared
        .solve_shared(&data, communicator, &mut |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(seen <= 45_usize.div_ceil(8).div_ceil(communicator.size()) * 8);
    assert_eq!(answers.is_some(), root);
    if let Some(answers) = answers {
        let alone = prepared.solve_many(set.data()).unwrap();
        assert_eq!(answers.weights.ncols(), alone.len());
        for (column, solution) in answers.weights.column_iter().zip(&alone) {
            assert_eq!(column.as_slice(), solution.spectrum().weights());
        }
        for (outcome, solution) in answers.outcomes.iter().zip(&alone) {
            let (outcome, report) = (outcome.unwrap(), solution.report());
            assert_eq!(outcome.success, report.status.is_success());
            assert_eq!(outcome.chi2, report.chi2);
            assert_eq!(outcome.alpha, report.maxent.as_ref().unwrap().alpha);
        }
    }
}
