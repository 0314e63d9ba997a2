//! Iterations allocate nothing per step: counted by an allocator of this test's own.

use fredholm::nalgebra::DMatrix;
use fredholm::{
    Accelerated, Admm, AffineSet, Anderson, Backtracking, BandedQuadratic, BandedRows,
    BoxConstraint, ConjugateGradients, ConjugateOf, DifferentiableMap, DouglasRachford, Entropic,
    FixedPointMap, GroupNorm, Iterates, IterationOptions, L2Norm, LInfinityNorm, LeastSquares,
    MoreauEnvelope, NonNegative, OneSidedSoftThreshold, PrimalDual, Prox, ProximalGradientMap,
    Real, Relaxed, Simplex, SoftThreshold, TotalVariation, Translated, iterate,
};
use std::ops::ControlFlow;

#[path = "common/allocations.rs"]
mod allocations;

use allocations::allocations;

#[test]
fn the_counter_counts() {
    assert!(allocations(|| drop(std::hint::black_box(vec![1.0; 10]))) >= 1);
}

fn problem<T: Real>(rows: usize, columns: usize) -> (DMatrix<T>, Vec<T>) {
    let kernel = DMatrix::from_fn(rows, columns, |i, j| T::lit(((3 * i + 7 * j) as f64).sin()));
    (kernel, (0..rows).map(|i| T::lit((i as f64).cos())).collect())
}

fn operators<T: Real>() {
    let weights = vec![T::one(); 1001];
    let rows = BandedRows::new(1001, 2, (0..1000).collect(), [-T::one(), T::one()].repeat(1000));
    let operators: Vec<Box<dyn Prox<T>>> = vec![
        Box::new(SoftThreshold),
        Box::new(OneSidedSoftThreshold),
        Box::new(NonNegative),
        Box::new(BoxConstraint::new(T::zero(), T::one()).unwrap()),
        Box::new(Simplex::new(T::one()).unwrap()),
        Box::new(LInfinityNorm),
        Box::new(GroupNorm::new(&[501, 500]).unwrap()),
        Box::new(AffineSet::sum_rule(1001, T::one()).unwrap()),
        Box::new(BandedQuadratic::new(rows.unwrap())),
        Box::new(Entropic::new(weights.clone()).unwrap()),
        Box::new(TotalVariation),
        Box::new(ConjugateOf::new::<T>(Translated::new(L2Norm, weights).unwrap()).unwrap()),
        Box::new(MoreauEnvelope::new(TotalVariation, T::one()).unwrap()),
    ];
    let z: Vec<T> = (0..1001).map(|i| T::lit((i as f64).sin())).collect();
    let mut out = z.clone();
    for op in &operators {
        let mut run = || {
            op.prox_into(&z, T::lit(0.1), &mut out);
            op.prox_vjp(&z, T::lit(0.1), &z, &mut out);
            op.value(&z);
            op.conjugate(&z);
        };
        // The first calls may set up buffers of this thread.
        run();
        run();
        assert_eq!(allocations(run), 0);
    }
}

fn maps<T: Real>() {
    for (rows, columns) in [(30, 20), (100, 50), (50, 300)] {
        let (kernel, data) = problem::<T>(rows, columns);
        let map = ProximalGradientMap::new(&kernel, &data, SoftThreshold, T::lit(0.1)).unwrap();
        let x0 = vec![T::zero(); columns];
        let steps = |map: &mut dyn FixedPointMap<T>| {
            let x0 = vec![T::zero(); map.dim()];
            let mut iterates = Iterates::new(map, &x0).unwrap();
            // The first step may set up the matrix product's own thread-local storage.
            iterates.next();
            assert_eq!(allocations(|| assert_eq!(iterates.by_ref().take(50).count(), 50)), 0);
        };
        steps(&mut map.clone());
        steps(&mut Accelerated::new(map.clone()));
        steps(&mut Relaxed::new(map.clone(), T::lit(0.5)).unwrap());
        steps(&mut Accelerated::new(Relaxed::new(map.clone(), T::lit(0.5)).unwrap()));
        steps(&mut Anderson::new(map.clone(), 5).unwrap());
        let squares = LeastSquares::new(&kernel, &data).unwrap();
        steps(&mut Admm::new(squares.clone(), SoftThreshold).unwrap());
        steps(&mut DouglasRachford::new(squares, SoftThreshold, T::one()).unwrap());
        let inside = BoxConstraint::new(-T::one(), T::one()).unwrap();
        steps(&mut PrimalDual::new(&kernel, SoftThreshold, inside).unwrap());
        let product = |x: &[T], out: &mut [T]| out.copy_from_slice(x);
        steps(&mut ConjugateGradients::new(product, &x0).unwrap());
        let smooth = |x: &[T], gradient: &mut [T]| {
            gradient.copy_from_slice(x);
            x.iter().map(|&x| x * x).sum::<T>() * T::lit(0.5)
        };
        let lambda = T::lit(0.1);
        steps(&mut Backtracking::new(columns, smooth, SoftThreshold, lambda, lambda).unwrap());

        let mut linear = Relaxed::new(map.clone(), T::lit(0.5)).unwrap();
        let (x, mut back) = (vec![T::one(); columns], vec![T::zero(); columns]);
        let mut by_parameters = vec![T::zero(); linear.parameter_count()];
        let mut derivatives = || {
            linear.linearise(&x);
            linear.vjp_point(&x, &mut back);
            linear.add_vjp_parameters(&x, &mut by_parameters);
            assert!(linear.metric(&x, &mut back));
        };
        derivatives();
        assert_eq!(allocations(derivatives), 0);

        // The driver's own allocations do not depend on the number of steps.
        let drive = |max_iterations| {
            let options = IterationOptions { tolerance: T::zero(), max_iterations, history: false };
            let mut seen = 0;
            allocations(|| {
                let answer = iterate(map.clone(), &x0, &options, |_| {
                    seen += 1;
                    ControlFlow::Continue(())
                });
                assert_eq!(answer.unwrap().report.iterations, max_iterations);
            })
        };
        assert_eq!(drive(2), drive(60));
    }
}

#[test]
fn operators_allocate_nothing() {
    operators::<f32>();
    operators::<f64>();
}

#[test]
fn steps_allocate_nothing() {
    maps::<f32>();
    maps::<f64>();
}
