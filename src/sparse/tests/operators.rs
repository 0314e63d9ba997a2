//! Iterations over operators of which no matrix is formed.

use crate::fixed_point::{Accelerated, FixedPointMap, PrimalDual};
use crate::operator::{Convolution, LinearOperator, estimate_norm};
use crate::prox::{NonNegative, SoftThreshold, SquaredL2};
use crate::sparse::ProximalGradientMap;
use nalgebra::DMatrix;
use rand::{SeedableRng, rngs::ChaCha8Rng};

/// An iterate after many steps.
fn iterated(mut map: impl FixedPointMap<f64>) -> Vec<f64> {
    let mut x: Vec<f64> = (0..map.dim()).map(|i| 0.1 * (i as f64).cos()).collect();
    let mut next = x.clone();
    for _ in 0..300 {
        map.step(&x, &mut next);
        core::mem::swap(&mut x, &mut next);
    }
    x
}

/// The iterates are those of the matrix, at the same step size.
#[test]
fn a_convolution_is_iterated_like_its_matrix() {
    let n = 60;
    let window = (-5..=6).map(|k| (-0.1 * f64::from(k * k)).exp()).collect();
    let blur = Convolution::new(window, 5, n).unwrap();
    let mut matrix = DMatrix::zeros(n, n);
    for (j, mut column) in matrix.column_iter_mut().enumerate() {
        let mut unit = vec![0.0; n];
        unit[j] = 1.0;
        blur.apply_into(&unit, column.as_mut_slice());
    }
    let data: Vec<f64> = (0..n).map(|i| f64::from(i == 20) + (0.3 * i as f64).sin()).collect();
    let norm = estimate_norm(&blur, 60, &mut ChaCha8Rng::seed_from_u64(1)).unwrap().upper;
    let exact = matrix.clone().svd(false, false).singular_values.max();
    assert!(norm >= exact && norm < 1.01 * exact);

    let free = |prox| ProximalGradientMap::for_operator(&blur, &data, prox, 0.05, norm).unwrap();
    let formed = |prox| {
        let map = ProximalGradientMap::new(&matrix, &data, prox, 0.05).unwrap();
        map.with_step_size(norm.powi(-2)).unwrap()
    };
    let close = |a: Vec<f64>, b: Vec<f64>| {
        assert!(a.iter().any(|a| a.abs() > 0.01));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-11), "{a:?} {b:?}");
    };
    close(iterated(free(SoftThreshold)), iterated(formed(SoftThreshold)));
    close(
        iterated(Accelerated::new(free(SoftThreshold))),
        iterated(Accelerated::new(formed(SoftThreshold))),
    );
    // A trait object is an operator too.
    let boxed: Box<dyn LinearOperator<f64>> = Box::new(blur.clone());
    let map = ProximalGradientMap::for_operator(&boxed, &data, SoftThreshold, 0.05, norm).unwrap();
    assert_eq!(iterated(map), iterated(free(SoftThreshold)));

    let free = PrimalDual::for_operator(&blur, NonNegative, SquaredL2, norm).unwrap();
    let formed = PrimalDual::for_operator(&matrix, NonNegative, SquaredL2, norm).unwrap();
    let (free, formed) = (iterated(free), iterated(formed));
    assert!(free.iter().zip(&formed).all(|(a, b)| (a - b).abs() < 1e-11));
}
