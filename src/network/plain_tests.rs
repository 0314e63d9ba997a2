//! Tests of the networks that are not unrolled.

use super::tests::{gradient_agrees, loss_and_gradient, normal};
use super::*;
use crate::error::Error;
use nalgebra::DMatrix;
use num_dual::{Dual64, DualNum};
use rand::{SeedableRng, rngs::ChaCha8Rng};

fn glorot() -> Initialization {
    let distribution = WeightDistribution::GlorotUniform;
    Initialization { distribution, ..Initialization::default() }
}

/// Moves the biases, zero at first, away from the kinks.
fn shaken<T: Real, N: Network<T>>(mut network: N) -> N {
    let shifts = normal::<T>(network.parameters().len(), 8);
    for (p, s) in network.parameters_mut().iter_mut().zip(shifts) {
        *p += T::lit(0.1) * s;
    }
    network
}

fn dense<T: Real>(widths: &[usize]) -> DenseNetwork<T> {
    let architecture = DenseArchitecture { widths: widths.to_vec() };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    shaken(DenseNetwork::random(architecture, &glorot(), &mut rng).unwrap())
}

fn convolution<T: Real>() -> ConvolutionNetwork<T> {
    let architecture =
        ConvolutionArchitecture { input: 5, output: 4, width: 9, kernel: 3, channels: 2 };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    shaken(ConvolutionNetwork::random(architecture, &glorot(), &mut rng).unwrap())
}

#[test]
fn gradients_agree_with_central_differences() {
    for batch in [1, 7, 33] {
        gradient_agrees(&dense(&[5, 4]), batch, &[0..20, 20..24]);
        let blocks = [0..30, 30..36, 36..78, 78..85, 85..113, 113..117];
        gradient_agrees(&dense(&[5, 6, 7, 4]), batch, &blocks);
        // 9 × 5 + 9, 2 × 3 + 2, 4 × 14 + 4.
        let blocks = [0..45, 45..54, 54..60, 60..62, 62..118, 118..122];
        gradient_agrees(&convolution(), batch, &blocks);
        gradient_agrees(&Headed::new(convolution(), Head::Softmax), batch, &blocks);
        gradient_agrees(&Headed::new(dense(&[5, 6, 4]), Head::Softmax), batch, &[0..36, 36..64]);
    }
}

type Duals = Vec<Dual64>;

/// W x + b for weights and biases at the start of `p`.
fn affine(p: &[Dual64], x: &[Dual64], outputs: usize) -> Duals {
    let n = x.len();
    let row = |i: usize| (0..n).fold(p[outputs * n + i], |s, j| s + p[i * n + j] * x[j]);
    (0..outputs).map(row).collect()
}

fn relu(z: Duals) -> Duals {
    z.into_iter().map(|z| if z.re > 0.0 { z } else { Dual64::from(0.0) }).collect()
}

fn loss(a: &[Dual64], target: &[f64]) -> Dual64 {
    let square = a.iter().zip(target).fold(Dual64::from(0.0), |s, (&a, &t)| s + (a - t) * (a - t));
    square.sqrt()
}

fn agrees<N: Network<f64>>(network: &N, reference: impl Fn(&[Dual64], &[Dual64]) -> Duals) {
    let (value, gradient) = loss_and_gradient(network, 1);
    let g: Duals = normal::<f64>(network.input_len(), 1).into_iter().map(Dual64::from).collect();
    let target = normal::<f64>(network.output_len(), 2);
    for (k, gradient) in gradient.iter().enumerate() {
        let mut duals: Duals = network.parameters().iter().map(|&p| Dual64::from(p)).collect();
        duals[k] = duals[k].derivative();
        let exact = loss(&reference(&duals, &g), &target);
        assert!((value - exact.re).abs() < 1e-13, "{value} {}", exact.re);
        assert!((gradient - 1.0 - exact.eps).abs() < 1e-12, "{k}: {gradient} {}", exact.eps);
    }
}

#[test]
fn gradients_agree_with_dual_numbers() {
    agrees(&dense(&[5, 6, 7, 4]), |p, g| {
        let x = relu(affine(p, g, 6));
        let x = relu(affine(&p[36..], &x, 7));
        affine(&p[85..], &x, 4)
    });
    agrees(&convolution(), |p, g| {
        let h = relu(affine(p, g, 9));
        // Channel by channel, position fastest.
        let mut features = Vec::new();
        for channel in 0..2 {
            for position in 0..7 {
                let tap = |s, k| s + p[54 + 3 * channel + k] * h[position + k];
                features.push((0..3).fold(p[60 + channel], tap));
            }
        }
        affine(&p[62..], &relu(features), 4)
    });
}

#[test]
fn a_batch_agrees_with_its_samples() {
    fn battery<T: Real, N: Network<T>>(network: N) {
        for samples in [1, 3, 65, 130] {
            let data = normal::<T>(5 * samples, 7);
            let mut answers = vec![T::zero(); 4 * samples];
            apply_samples(&network, &data, &mut answers);
            for (g, a) in data.chunks(5).zip(answers.chunks(4)) {
                let mut single = vec![T::zero(); 4];
                apply_samples(&network, g, &mut single);
                for (&a, &s) in a.iter().zip(&single) {
                    assert!((a - s).abs() <= T::lit(100.0) * T::EPSILON);
                }
            }
        }
    }
    battery::<f64, _>(dense(&[5, 6, 7, 4]));
    battery::<f32, _>(Headed::new(dense(&[5, 9, 4]), Head::Softmax));
    battery::<f64, _>(convolution());
    battery::<f32, _>(Headed::new(convolution(), Head::Normalised));
}

#[test]
fn layers_hold_all_parameters_and_keep_what_they_give() {
    fn layers<N: Network<f64>>(network: N, lengths: &[usize]) {
        let all = (0..network.depth()).flat_map(|layer| network.layer_parameters(layer));
        let mut all: Vec<usize> = all.flatten().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..network.parameters().len()), "{}", network.name());
        let (mut workspace, g) = (network.workspace(5), normal::<f64>(3 * 5, 1));
        let answer = network.forward(&g, 3, &mut workspace).to_vec();
        let output = |layer: usize| network.layer_output(layer, 3, &workspace).unwrap();
        assert!((0..network.depth()).map(|layer| output(layer).len() / 3).eq(lengths.to_vec()));
        assert_eq!(output(network.depth() - 1), answer);
    }
    layers(dense(&[5, 6, 7, 4]), &[6, 7, 4]);
    layers(convolution(), &[9, 14, 4]);
    layers(Headed::new(dense(&[5, 6, 4]), Head::Softmax), &[6, 4, 4]);
    layers(super::tests::learned(3, 0.5, crate::prox::SoftThreshold), &[4, 4, 4]);
}

#[test]
fn networks_of_the_paper_have_its_parameters_and_fold() {
    let count = |layers, width| DenseArchitecture::fcn(100, 50, layers, width).parameter_count();
    assert_eq!(count(2, 400).unwrap(), 60_450);
    assert_eq!(count(3, 300).unwrap(), 135_650);
    assert_eq!(count(4, 256).unwrap(), 170_290);
    let cnn = ConvolutionArchitecture::cnn_fcn(100, 50, 50);
    assert_eq!(cnn.parameter_count().unwrap(), 74_188);
    let front = Front::new(&DMatrix::from_fn(5, 8, |i, j| ((3 * i + j) as f64).cos())).unwrap();
    fn folds<N: Network<f64>>(network: N, front: &Front) {
        let g = normal::<f64>(8, 3);
        let x: DMatrix<f64> = front.apply(&DMatrix::from_column_slice(8, 1, &g)).unwrap();
        let (mut direct, mut folded) = (vec![0.0; 4], vec![0.0; 4]);
        apply_samples(&network, x.as_slice(), &mut direct);
        apply_samples(&network.folded(front).unwrap(), &g, &mut folded);
        assert!(direct.iter().zip(&folded).all(|(a, b)| (a - b).abs() < 1e-13));
    }
    folds(dense(&[5, 6, 4]), &front);
    folds(Headed::new(convolution(), Head::Softmax), &front);
    assert!(dense::<f64>(&[4, 3, 2]).folded(&front).is_err());
}

#[test]
fn random_weights_are_glorot_uniform() {
    let architecture = DenseArchitecture::fcn(300, 50, 2, 200);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let network = DenseNetwork::<f64>::random(architecture, &glorot(), &mut rng).unwrap();
    let (weights, bias) = network.parameters()[..60_200].split_at(60_000);
    let bound = (6.0_f64 / 500.0).sqrt();
    assert!(weights.iter().all(|w| w.abs() <= bound) && bias.iter().all(|&b| b == 0.0));
    let variance = weights.iter().map(|w| w * w).sum::<f64>() / 60_000.0;
    // The relative standard error of 60 000 draws is 0.004.
    assert!((variance / (2.0 / 500.0) - 1.0).abs() < 0.015);
}

#[test]
fn bad_input_is_named() {
    let widths = |w: &[usize]| DenseArchitecture { widths: w.to_vec() }.parameter_count();
    assert!(widths(&[3]).is_err() && widths(&[3, 0, 2]).is_err());
    assert!(widths(&[usize::MAX, 2]).is_err() && widths(&[usize::MAX / 4, 8]).is_err());
    let ok = ConvolutionArchitecture::cnn_fcn(100, 50, 50);
    for bad in [
        ConvolutionArchitecture { width: 7, ..ok },
        ConvolutionArchitecture { channels: 0, ..ok },
        ConvolutionArchitecture { output: usize::MAX, ..ok },
    ] {
        assert!(bad.parameter_count().is_err(), "{bad:?}");
    }
    let huge = ConvolutionArchitecture { width: 1 << 20, channels: 1 << 20, output: 1 << 20, ..ok };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    assert!(ConvolutionNetwork::<f64>::random(huge, &glorot(), &mut rng).is_err());
    let shape = DenseArchitecture { widths: vec![2, 1] };
    assert!(DenseNetwork::from_parameters(shape.clone(), vec![1.0; 3]).is_ok());
    assert!(DenseNetwork::from_parameters(shape.clone(), vec![1.0; 2]).is_err());
    let e = DenseNetwork::from_parameters(shape, vec![1.0, f64::NAN, 1.0]).unwrap_err();
    assert!(matches!(e, Error::NonFinite { index: Some(1), .. }));
    assert!(ConvolutionNetwork::from_parameters(ok, vec![0.0; 3]).is_err());
}

#[cfg(feature = "serde")]
#[test]
fn stored_networks_come_back_to_the_bit() {
    let network = Headed::new(dense::<f32>(&[5, 6, 4]), Head::Softmax);
    let text = serde_json::to_string(&network).unwrap();
    assert_eq!(serde_json::from_str::<Headed<DenseNetwork<f32>>>(&text).unwrap(), network);
    let text = serde_json::to_string(&convolution::<f64>()).unwrap();
    let back: ConvolutionNetwork<f64> = serde_json::from_str(&text).unwrap();
    assert_eq!(back, convolution());
    let wrong = text.replacen("\"width\":9", "\"width\":8", 1);
    assert_ne!(wrong, text);
    assert!(serde_json::from_str::<ConvolutionNetwork<f64>>(&wrong).is_err());
}
