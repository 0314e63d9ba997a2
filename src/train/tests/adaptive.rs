//! Networks that are told the noise.

use super::*;
use rand::RngExt;

/// The raw kernel, an adaptive front and data without noise.
fn setting() -> (Arc<ForwardModel<f64>>, Front, TrainingSet<f64>) {
    let model = Arc::new(model());
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(0.0));
    let clean = TrainingSet::generate(&mixture, &model, 400, &noise, &mut rng).unwrap();
    let front = Front::whitened(model.kernel(), 7, clean.data()).unwrap().adaptive();
    (model, front, clean)
}

/// x_k (1 + c_k) − p_k·K a of a source's samples is noise of variance c_k, and the last input is that of the front
/// at the same noise.
fn battery(source: &dyn TrainingSource<f64>, model: &ForwardModel<f64>, front: &Front, sigma: f64) {
    let samples: Vec<usize> = (0..400).collect();
    let (m, n, batch) = (source.input_len(), source.output_len(), samples.len());
    assert_eq!(m, 8);
    let mut scratch = vec![0.0; source.scratch_len(batch)];
    let (mut x, mut a) = (vec![0.0; m * batch], vec![0.0; n * batch]);
    source.fill(5, &samples, &mut scratch, &mut x, &mut a);
    let (x, a) = (DMatrix::from_row_slice(m, batch, &x), DMatrix::from_row_slice(n, batch, &a));
    let noise = Whitening::from_errors(&[sigma; 30]).unwrap();
    let told: DMatrix<f64> = front.at(&noise).unwrap().apply(&(model.kernel() * &a)).unwrap();
    for j in 0..batch {
        assert!((x[(7, j)] - told[(7, j)]).abs() < 1e-12);
    }
    let p = front.matrix();
    for k in 0..7 {
        let variance = sigma * sigma * p.row(k).norm_squared();
        let left = (x.row(k) - told.row(k)) * (1.0 + variance);
        // 400 draws: the deviation is known to 3.5 %.
        let found = (left.norm_squared() / batch as f64 / variance).sqrt();
        assert!((found - 1.0).abs() < 0.15, "{k}: {found}");
    }
}

#[test]
fn sources_tell_the_noise_they_draw() {
    let (model, front, clean) = setting();
    for sigma in [1e-4, 1e-2] {
        let level = NoiseLevel::LogUniform { least: sigma, largest: sigma };
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mixture = GaussianMixture::default();
        let stream =
            SampleStream::new(&mixture, &model, Some(&front), &level, 400, &mut rng).unwrap();
        battery(&stream, &model, &front, sigma);
        let set = AugmentedSet::<f64>::new(&clean, Some(&front), &level, &mut rng).unwrap();
        battery(&set, &model, &front, sigma);
    }
}

#[test]
fn an_estimator_takes_the_noise_from_its_problem() {
    let (model, front, clean) = setting();
    let architecture = UnrolledArchitecture::<f64>::rlista(8, 20, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let network =
        Unrolled::random(architecture, SoftThreshold, &Initialization::default(), &mut rng)
            .unwrap();
    let estimator = Estimator::new(network, model.fingerprint()).with_front(front).unwrap();
    let data = clean.data().column(0);
    assert!(estimator.apply(data.as_slice()).unwrap_err().to_string().contains("noise"));
    assert!(estimator.evaluate(&clean).is_err());
    assert!(estimator.clone().folded().is_err());
    let mut answers = Vec::new();
    for _ in 0..2 {
        let errors: Vec<f64> =
            (0..30).map(|_| 10.0_f64.powf(-4.0 + 2.0 * rng.random::<f64>())).collect();
        let noise = Whitening::from_errors(&errors).unwrap();
        let problem = Problem::from_model(
            Arc::new(model.with_whitening(noise.clone()).unwrap()),
            data.as_slice(),
        )
        .unwrap();
        let found = estimator.solve(&problem).unwrap().spectrum().weights();
        let expected = estimator.clone().at(&noise).unwrap().apply(data.as_slice()).unwrap();
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14));
        answers.push(found);
    }
    assert_ne!(answers[0], answers[1]);
    let short = Whitening::from_errors(&[1.0; 29]).unwrap();
    assert!(estimator.at(&short).is_err());
}
