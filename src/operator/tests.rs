//! One battery for every operator, in both precisions: a new one adds a line to [`all`].

use super::*;
use crate::linalg::BandedRows;
use nalgebra::{DMatrix, DVector};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

fn dense<T: Real>(m: usize, n: usize) -> DMatrix<T> {
    DMatrix::from_fn(m, n, |i, j| T::lit(((3 * i + 7 * j * j) as f64).sin()))
}

fn banded<T: Real>(n: usize) -> BandedRows<T> {
    let coefficients = (0..2 * (n - 1)).map(|k| T::lit((k as f64).cos())).collect();
    BandedRows::new(n, 2, (0..n - 1).collect(), coefficients).unwrap()
}

fn window<T: Real>(length: usize, origin: usize, n: usize) -> Convolution<T> {
    let coefficients = (0..length).map(|k| T::lit(1.0 / (1.0 + k as f64))).collect();
    Convolution::new(coefficients, origin, n).unwrap()
}

/// The operators, with their matrices.
fn all<T: Real>() -> Vec<(Box<dyn LinearOperator<T>>, DMatrix<T>)> {
    let lit = T::lit;
    let by_rows = |r: &BandedRows<T>| {
        let mut matrix = DMatrix::zeros(r.rows(), r.columns());
        for j in 0..r.columns() {
            let mut unit = vec![T::zero(); r.columns()];
            unit[j] = T::one();
            r.apply(&unit, matrix.column_mut(j).as_mut_slice());
        }
        matrix
    };
    let toeplitz = |length: usize, origin: usize, n: usize| {
        DMatrix::from_fn(n, n, |i, j| {
            let k = i + origin;
            if k >= j && k - j < length { lit(1.0 / (1.0 + (k - j) as f64)) } else { T::zero() }
        })
    };
    let rows = banded(9);
    let stacked = {
        let (a, b) = (dense::<T>(4, 9), by_rows(&rows));
        DMatrix::from_fn(12, 9, |i, j| if i < 4 { a[(i, j)] } else { b[(i - 4, j)] })
    };
    let product = dense::<T>(4, 9) * dense::<T>(9, 6);
    vec![
        (Box::new(dense(7, 5)), dense(7, 5)),
        (Box::new(dense(5, 70)), dense(5, 70)),
        (Box::new(dense(0, 3)), dense(0, 3)),
        (Box::new(dense(1, 1)), dense(1, 1)),
        (Box::new(rows.clone()), by_rows(&rows)),
        (Box::new(window(5, 2, 17)), toeplitz(5, 2, 17)),
        (Box::new(window(5, 0, 17)), toeplitz(5, 0, 17)),
        (Box::new(window(5, 4, 3)), toeplitz(5, 4, 3)),
        (Box::new(window(1, 0, 0)), toeplitz(1, 0, 0)),
        (Box::new(ComposedOperator::new(dense(4, 9), dense(9, 6)).unwrap()), product),
        (Box::new(ScaledOperator::new(dense(4, 9), lit(-2.5)).unwrap()), dense(4, 9) * lit(-2.5)),
        (Box::new(StackedOperator::new(dense(4, 9), rows).unwrap()), stacked),
    ]
}

fn battery<T: Real>() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (operator, matrix) in all::<T>() {
        let (m, n) = (operator.rows(), operator.columns());
        assert_eq!((m, n), matrix.shape());
        assert!(check_adjoint(&*operator, &mut rng) <= T::lit(20.0) * T::EPSILON);
        let (x, y): (Vec<T>, Vec<T>) = (random(n, &mut rng), random(m, &mut rng));
        // Over garbage.
        let (mut ax, mut aty) = (vec![T::lit(7.0); m], vec![T::lit(7.0); n]);
        operator.apply_into(&x, &mut ax);
        operator.adjoint_into(&y, &mut aty);
        let (x, y) = (DVector::from_vec(x), DVector::from_vec(y));
        let tol = T::lit(200.0) * T::EPSILON;
        assert!((&matrix * x - DVector::from_vec(ax)).norm() <= tol);
        assert!((matrix.transpose() * y - DVector::from_vec(aty)).norm() <= tol);
    }
}

#[test]
fn every_operator_is_its_matrix_and_its_adjoint() {
    battery::<f32>();
    battery::<f64>();
}

struct Wrong;

impl LinearOperator<f64> for Wrong {
    fn rows(&self) -> usize {
        30
    }
    fn columns(&self) -> usize {
        30
    }
    fn apply_into(&self, x: &[f64], out: &mut [f64]) {
        window(3, 0, 30).apply_into(x, out);
    }
    fn adjoint_into(&self, y: &[f64], out: &mut [f64]) {
        window(3, 0, 30).apply_into(y, out);
    }
}

#[test]
fn a_wrong_adjoint_is_seen() {
    assert!(check_adjoint(&Wrong, &mut ChaCha8Rng::seed_from_u64(1)) > 1e-3);
}

fn norms<T: Real>() {
    let slack = T::lit(1e3) * T::EPSILON;
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (m, n) in [(7, 5), (5, 7), (120, 90), (1, 1), (3, 200)] {
            let a = DMatrix::from_fn(m, n, |_, _| T::standard_normal(&mut rng));
            let gram = if m < n { &a * a.transpose() } else { a.transpose() * &a };
            let exact = gram.symmetric_eigenvalues().max().sqrt();
            for steps in [1, 8, 32, 64, 300] {
                let NormEstimate { lower, upper } = estimate_norm(&a, steps, &mut rng).unwrap();
                assert!(lower <= exact * (T::one() + slack), "{m}x{n} {steps}: {lower} {exact}");
                assert!(upper >= exact * (T::one() - slack), "{m}x{n} {steps}: {upper} {exact}");
                if steps >= 64 {
                    assert!(upper <= lower * T::lit(1.01) && lower >= exact * T::lit(0.999));
                }
            }
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let zero = estimate_norm(&DMatrix::<T>::zeros(4, 3), 5, &mut rng).unwrap();
    assert_eq!((zero.lower, zero.upper), (T::zero(), T::zero()));
    assert!(estimate_norm(&DMatrix::<T>::zeros(4, 0), 5, &mut rng).is_err());
    assert!(estimate_norm(&dense::<T>(4, 3), 0, &mut rng).is_err());
    assert!(estimate_norm(&(dense::<T>(4, 3) * T::INFINITY), 5, &mut rng).is_err());
}

#[test]
fn norms_lie_between_their_bounds() {
    norms::<f32>();
    norms::<f64>();
}

#[test]
fn shapes_are_checked() {
    assert!(ComposedOperator::new(dense::<f64>(2, 3), dense::<f64>(2, 3)).is_err());
    assert!(StackedOperator::new(dense::<f64>(2, 3), dense::<f64>(2, 4)).is_err());
    assert!(ScaledOperator::new(dense(2, 3), f64::NAN).is_err());
    assert!(Convolution::<f64>::new(vec![], 0, 3).is_err());
    assert!(Convolution::new(vec![1.0], 1, 3).is_err());
    assert!(Convolution::new(vec![f64::NAN], 0, 3).is_err());
}
