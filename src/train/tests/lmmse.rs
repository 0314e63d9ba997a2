//! The linear estimator against its equations.

use super::*;

#[test]
fn linear_estimators_satisfy_their_normal_equations() {
    fn battery<T: Real>(set: &TrainingSet<T>, ridge: f64, tolerance: f64) {
        let exact = TrainingSet::new(
            set.data().map(|v| v.as_f64()),
            set.weights().map(|v| v.as_f64()),
            set.fingerprint(),
        )
        .unwrap();
        for (recipe, offset) in [(Lmmse::affine(), true), (Lmmse::linear(), false)] {
            let estimator = recipe.ridge(ridge).fit(set).unwrap();
            let residual = exact.weights() - estimator.apply_batch(exact.data()).unwrap();
            // ∂/∂W: (a − W g − b) gᵀ/N = ρ W, in units of the moments it is the difference of.
            let n = exact.len() as f64;
            let w = DMatrix::from_row_slice(20, 30, &estimator.network().parameters()[..600]);
            let moment = exact.weights() * exact.data().transpose() / n;
            let slope = &residual * exact.data().transpose() / n - w * ridge;
            assert!(slope.norm() < tolerance * moment.norm(), "{:e}", slope.norm());
            let bias = residual.column_mean();
            let (largest, b) = (bias.amax(), &estimator.network().parameters()[600..]);
            assert!(if offset { largest < 1e-12 } else { b.iter().all(|&b| b == 0.0) });
        }
    }
    battery(&set::<f64>(1000, 1), 0.0, 1e-9);
    battery(&set::<f64>(5000, 1), 1e-6, 1e-9);
    battery(&set::<f32>(1000, 1), 1e-4, 1e-9);
    // Fewer samples than data: what they determine, and no more.
    battery(&set::<f64>(10, 1), 0.0, 1e-9);
}

#[test]
fn a_ridge_is_further_noise() {
    // Every sample with ± s in each datum in turn: s²/30 is added to the covariance, and nothing else.
    let set = set::<f64>(100, 1);
    let s = 1e-2;
    let shifts: Vec<(usize, f64)> =
        (0..60).map(|k| (k / 2, if k % 2 == 0 { s } else { -s })).collect();
    let shift = |i: usize, j: usize| if shifts[j % 60].0 == i { shifts[j % 60].1 } else { 0.0 };
    let noisy = TrainingSet::new(
        DMatrix::from_fn(30, 6000, |i, j| set.data()[(i, j / 60)] + shift(i, j)),
        DMatrix::from_fn(20, 6000, |i, j| set.weights()[(i, j / 60)]),
        set.fingerprint(),
    )
    .unwrap();
    let parameters =
        |set, ridge| Lmmse::affine().ridge(ridge).fit(set).unwrap().network().parameters().to_vec();
    let (direct, through) = (parameters(&noisy, 0.0), parameters(&set, s * s / 30.0));
    let size = direct.iter().fold(0.0, |top, p| f64::max(top, p.abs()));
    assert!(direct.iter().zip(&through).all(|(a, b)| (a - b).abs() < 1e-8 * size), "{size}");
}

#[test]
fn linear_estimators_are_solvers() {
    let (training, test) = (set::<f64>(4000, 1), set::<f64>(500, 2));
    let estimator = Lmmse::affine().fit(&training).unwrap();
    let error = estimator.evaluate(&test).unwrap().mean;
    assert!(error < 0.3 * mean_spectrum_error(&test), "{error}");
    let problem = Problem::from_model(Arc::new(model()), test.data().column(0).as_slice()).unwrap();
    let solution = (&estimator as &dyn Solver<f64>).solve(&problem).unwrap();
    assert_eq!(solution.report().method, "affine");
    let answer = estimator.apply(problem.data()).unwrap();
    let weights = solution.spectrum().weights();
    assert!(answer.iter().zip(weights).all(|(a, w)| (a - w).abs() < 1e-14));
    for ridge in [-1.0, f64::NAN] {
        assert!(Lmmse::linear().ridge(ridge).fit(&training).is_err());
    }
    let huge = TrainingSet::new(
        training.data() * 1e200,
        training.weights().clone(),
        training.fingerprint(),
    );
    let e = Lmmse::affine().fit(&huge.unwrap()).unwrap_err();
    assert!(matches!(e, Error::NonFinite { argument: "data", .. }));
}
