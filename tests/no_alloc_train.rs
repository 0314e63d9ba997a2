//! A training step allocates nothing once warm.
//!
//! Counted on this thread by a global allocator, hence a test binary of its own; on one thread, where the
//! whole step runs on it.

use fredholm::nalgebra::DMatrix;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    AugmentedSet, ConvolutionArchitecture, ConvolutionNetwork, DenseArchitecture, DenseNetwork,
    FermionTime, ForwardModel, FrequencyGrid, Front, GaussianMixture, Head, Headed, Initialization,
    Network, NoiseLevel, Real, Rlista, SampleStream, SoftThreshold, Thresholds, TrainOptions,
    Trainer, TrainingSet, TrainingSource, UnrolledArchitecture, Whitening,
};

#[path = "common/allocations.rs"]
mod allocations;

use allocations::allocations;

fn model() -> ForwardModel<f64> {
    let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap();
    let whitening = Whitening::from_errors(&[1e-5; 100]).unwrap();
    ForwardModel::new(&FermionTime::new(16.0).unwrap(), &tau, &grid, whitening).unwrap()
}

fn steps_allocate_nothing<T: Real, N: Network<T>>(network: N, source: &dyn TrainingSource<T>) {
    let name = network.name();
    let mut trainer = Trainer::new(network, TrainOptions::default()).unwrap();
    let order: Vec<usize> = (0..512).rev().collect();
    trainer.step(source, &order[..256]).unwrap();
    let count = allocations(|| {
        for samples in order.chunks(256).cycle().take(4) {
            trainer.step(source, samples).unwrap();
        }
    });
    assert_eq!(count, 0, "allocations in four steps of {name}");
}

fn warm_steps<T: Real>() {
    let model = model();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-5));
    let set = TrainingSet::<T>::generate(&mixture, &model, 512, &noise, &mut rng).unwrap();
    let start = Initialization::default();

    let rlista = UnrolledArchitecture::rlista(100, 50, 10);
    let mut unrolled =
        |architecture| Rlista::<T>::random(architecture, SoftThreshold, &start, &mut rng).unwrap();
    steps_allocate_nothing(unrolled(rlista), &set);
    steps_allocate_nothing(Headed::new(unrolled(rlista), Head::Normalised), &set);
    let thresholds = Thresholds::PerComponent;
    let learned = UnrolledArchitecture { learned_relaxation: true, thresholds, ..rlista };
    steps_allocate_nothing(unrolled(learned), &set);

    let fcn = DenseArchitecture::fcn(100, 50, 3, 60);
    let fcn = DenseNetwork::<T>::random(fcn, &start, &mut rng).unwrap();
    steps_allocate_nothing(Headed::new(fcn, Head::Softmax), &set);
    let cnn = ConvolutionArchitecture::cnn_fcn(100, 50, 50);
    let cnn = ConvolutionNetwork::<T>::random(cnn, &start, &mut rng).unwrap();
    steps_allocate_nothing(Headed::new(cnn, Head::Softmax), &set);

    // Samples drawn in the step, raw and behind a front.
    let singular = Front::singular(model.kernel(), 14, set.data()).unwrap();
    for front in [None, Some(&singular)] {
        let input = front.map_or(100, Front::output_len);
        let small = Rlista::<T>::random(
            UnrolledArchitecture::rlista(input, 50, 3),
            SoftThreshold,
            &start,
            &mut rng,
        );
        let small = small.unwrap();
        let stream = SampleStream::new(&mixture, &model, front, &noise, 512, &mut rng).unwrap();
        steps_allocate_nothing(small.clone(), &stream);
        steps_allocate_nothing(
            small,
            &AugmentedSet::<T>::new(&set, front, &noise, &mut rng).unwrap(),
        );
    }
    // The counter counts.
    assert!(allocations(|| drop(DMatrix::<f64>::zeros(3, 3))) >= 1);
}

fn on_one_thread(run: impl FnOnce() + Send) {
    #[cfg(feature = "rayon")]
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(run);
    #[cfg(not(feature = "rayon"))]
    run();
}

#[test]
fn a_warm_step_allocates_nothing() {
    on_one_thread(warm_steps::<f32>);
    on_one_thread(warm_steps::<f64>);
}
