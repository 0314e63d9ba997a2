//! A training step allocates nothing once warm.
//!
//! Counted on this thread by a global allocator, hence a test binary of its own; on one thread, where the
//! whole step runs on it.

use fredholm::nalgebra::DMatrix;
use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    FermionTime, ForwardModel, FrequencyGrid, GaussianMixture, Initialization, NoiseLevel, Rlista,
    SoftThreshold, TrainOptions, Trainer, TrainingSet, UnrolledArchitecture, Whitening,
};

#[path = "common/allocations.rs"]
mod allocations;

use allocations::allocations;

fn warm_steps() {
    let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
    let grid = FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap();
    let whitening = Whitening::from_errors(&[1e-5; 100]).unwrap();
    let kernel = FermionTime::new(16.0).unwrap();
    let model = ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-5));
    let set = TrainingSet::<f32>::generate(&mixture, &model, 512, &noise, &mut rng).unwrap();
    let network = Rlista::random(
        UnrolledArchitecture::rlista(100, 50, 10),
        SoftThreshold,
        &Initialization::default(),
        &mut rng,
    );
    let mut trainer = Trainer::new(network.unwrap(), TrainOptions::default()).unwrap();
    let order: Vec<usize> = (0..512).rev().collect();
    trainer.step(&set, &order[..256]).unwrap();
    let count = allocations(|| {
        for _ in 0..3 {
            trainer.step(&set, &order[..256]).unwrap();
            trainer.step(&set, &order[256..]).unwrap();
        }
    });
    assert_eq!(count, 0, "allocations in six steps");
    // The counter counts.
    assert!(allocations(|| drop(DMatrix::<f64>::zeros(3, 3))) >= 1);
}

#[test]
fn a_warm_step_allocates_nothing() {
    #[cfg(feature = "rayon")]
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(warm_steps);
    #[cfg(not(feature = "rayon"))]
    warm_steps();
}
