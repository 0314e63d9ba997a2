//! Iterates of networks, and how soon they come to the answer.

use super::*;
use crate::fixed_point::{FixedPointMap, Relaxed};

#[test]
fn layer_outputs_are_the_iterates() {
    let set = set::<f64>(300, 1);
    let front = Front::singular(model().kernel(), 9, set.data()).unwrap();
    let architecture = UnrolledArchitecture::rlista(9, 20, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let network =
        Unrolled::random(architecture, SoftThreshold, &Initialization::default(), &mut rng)
            .unwrap();
    let estimator =
        Estimator::new(network.clone(), set.fingerprint()).with_front(front.clone()).unwrap();
    let outputs = estimator.layer_outputs(set.data()).unwrap();
    assert_eq!(outputs.len(), 3);
    let seen: DMatrix<f64> = front.apply(set.data()).unwrap();
    for j in [0, 100, 299] {
        let mut x = vec![0.0; 20];
        for (l, output) in outputs.iter().enumerate() {
            let layer = network.layer(l).unwrap().bind(seen.column(j).as_slice()).unwrap();
            let mut next = vec![0.0; 20];
            Relaxed::new(layer, 0.5).unwrap().step(&x, &mut next);
            x = next;
            assert!(output.column(j).iter().zip(&x).all(|(o, x)| (o - x).abs() < 1e-13));
        }
    }
    assert!((estimator.apply_batch(set.data()).unwrap() - &outputs[2]).norm() < 1e-12);
}

/// A network whose layers all go to `target`, by η each: W_t and W_e are zero but for the row that makes it of the
/// first datum, which is 1.
fn towards(target: &[f64], relaxations: &[f64]) -> Rlista<f64> {
    let (n, depth) = (target.len(), relaxations.len());
    let architecture = UnrolledArchitecture {
        learned_relaxation: true,
        ..UnrolledArchitecture::rlista(1, n, depth)
    };
    let mut parameters: Vec<f64> = (0..depth).flat_map(|_| target.to_vec()).collect();
    parameters.resize(depth * n * (n + 1) + depth, 0.0);
    parameters.extend_from_slice(relaxations);
    Unrolled::from_parameters(architecture, SoftThreshold, parameters).unwrap()
}

#[test]
fn effective_depth_follows_its_limits() {
    let target = [0.5, 0.3, 0.2];
    let one = TrainingSet::new(
        DMatrix::from_element(1, 4, 1.0),
        DMatrix::from_fn(3, 4, |i, _| target[i]),
        model().fingerprint(),
    )
    .unwrap();
    let profile = |relaxations: &[f64]| {
        let network = towards(&target, relaxations);
        Estimator::new(network, one.fingerprint()).depth_profile(&one).unwrap()
    };
    // The first layer gives the answer.
    let first = profile(&[1.0, 1.0, 1.0, 1.0]);
    assert_eq!(first.distances, [1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(first.effective_depth(), 1.0);
    // Equal steps: what is left is 3/4, 2/4, 1/4 and 0 of the way.
    let equal = profile(&[0.25, 1.0 / 3.0, 0.5, 1.0]);
    assert!((equal.effective_depth() - 2.5).abs() < 1e-14, "{equal:?}");
    let size = target.iter().map(|t| t * t).sum::<f64>().sqrt();
    for (l, error) in equal.errors.iter().enumerate() {
        assert!((error - size * (1.0 - 0.25 * l as f64)).abs() < 1e-14);
    }
    // Halving: the answer itself is 1 − 2⁻²⁰ of the target.
    let halves = profile(&[0.5; 20]);
    assert!((halves.effective_depth() - 2.0).abs() < 1e-4);
    // An answer of zero for all data has no distances.
    let dead = towards(&[0.0; 3], &[0.5, 0.5]);
    let dead = Estimator::new(dead, one.fingerprint()).depth_profile(&one).unwrap();
    assert!(dead.distances.iter().all(|d| d.is_nan()) && dead.effective_depth().is_nan());
    assert!(dead.errors.iter().all(|error| (error - size).abs() < 1e-14));
}

#[test]
fn networks_without_iterates_are_refused() {
    let set = set::<f64>(10, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let shape = DenseArchitecture::fcn(30, 20, 3, 7);
    let network = DenseNetwork::<f64>::random(shape, &Initialization::default(), &mut rng).unwrap();
    let estimator = Estimator::new(network, set.fingerprint());
    let outputs = estimator.layer_outputs(set.data()).unwrap();
    assert!(outputs.iter().map(|output| output.shape()).eq([(7, 10), (7, 10), (20, 10)]));
    let e = estimator.depth_profile(&set).unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "network", .. }));
    assert!(estimator.layer_outputs(&DMatrix::zeros(29, 2)).is_err());
    assert!(estimator.layer_outputs(&DMatrix::from_element(30, 1, f64::NAN)).is_err());
    let empty = estimator.layer_outputs(&DMatrix::zeros(30, 0));
    assert!(matches!(empty, Err(Error::Empty { argument: "data", .. })));
}
