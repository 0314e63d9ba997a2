use super::*;
use crate::error::Error;
use crate::fixed_point::{FixedPointMap, IterationInfo, IterationOptions, Relaxed, iterate};
use crate::gradient_check::check_gradient;
use crate::kernel::{FermionTime, Kernel};
use crate::prox::{OneSidedSoftThreshold, Prox, Simplex, SoftThreshold};
use core::ops::ControlFlow;
use nalgebra::{DMatrix, DVector};
use num_dual::{Dual64, DualNum};
use rand::{SeedableRng, rngs::ChaCha8Rng};

pub(super) fn normal<T: Real>(n: usize, seed: u64) -> Vec<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| T::standard_normal(&mut rng)).collect()
}

pub(super) fn network<T: Real, P: Prox<T>>(depth: usize, eta: f64, prox: P) -> Unrolled<T, P> {
    let relaxation = T::lit(eta);
    unrolled(UnrolledArchitecture { relaxation, ..UnrolledArchitecture::rlista(5, 4, depth) }, prox)
}

/// The same with η_l and thresholds of each component learned, no two of them alike.
pub(super) fn learned<T: Real, P: Prox<T>>(depth: usize, eta: f64, prox: P) -> Unrolled<T, P> {
    let mut network = unrolled(
        UnrolledArchitecture {
            relaxation: T::lit(eta),
            learned_relaxation: true,
            thresholds: Thresholds::PerComponent,
            ..UnrolledArchitecture::rlista(5, 4, depth)
        },
        prox,
    );
    let first = network.parameters().len() - 5 * depth;
    for (i, p) in network.parameters_mut()[first..].iter_mut().enumerate() {
        *p += T::lit(0.002 * i as f64);
    }
    network
}

fn unrolled<T: Real, P: Prox<T>>(architecture: UnrolledArchitecture<T>, prox: P) -> Unrolled<T, P> {
    let initialization =
        Initialization { scale: 0.8, threshold: 0.05, ..Initialization::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(architecture.depth as u64);
    Unrolled::random(architecture, prox, &initialization, &mut rng).unwrap()
}

/// Mean loss over a batch, and its gradient added to one of all ones.
pub(super) fn loss_and_gradient<N: Network<f64>>(network: &N, batch: usize) -> (f64, Vec<f64>) {
    let (m, n) = (network.input_len() * batch, network.output_len() * batch);
    let (input, target) = (normal::<f64>(m, 1), normal(n, 2));
    // Room for more than this batch.
    let mut workspace = network.workspace(batch + 3);
    let mut upstream = vec![0.0; n];
    let output = network.forward(&input, batch, &mut workspace);
    let scale = 1.0 / batch as f64;
    let total = RootSquareError::new(batch).evaluate(output, &target, batch, scale, &mut upstream);
    let mut gradient = vec![1.0; network.parameters().len()];
    network.backward(&input, &upstream, batch, &mut workspace, &mut gradient, true);
    (total * scale, gradient)
}

/// The gradient of the loss of any network, by central differences: each of `blocks`, ranges of
/// parameters of one kind, against its own largest component.
pub(super) fn gradient_agrees<N: Network<f64> + Clone>(
    network: &N,
    batch: usize,
    blocks: &[core::ops::Range<usize>],
) {
    let (_, added) = loss_and_gradient(network, batch);
    for block in blocks {
        let gradient: Vec<f64> = added[block.clone()].iter().map(|g| g - 1.0).collect();
        let loss = |values: &[f64]| {
            let mut moved = network.clone();
            moved.parameters_mut()[block.clone()].copy_from_slice(values);
            loss_and_gradient(&moved, batch).0
        };
        let values = &network.parameters()[block.clone()];
        let deviation = check_gradient(loss, values, &gradient).unwrap();
        assert!(deviation < 1e-6, "{} batch {batch}, {block:?}: {deviation:e}", network.name());
        assert!(gradient.iter().any(|g| g.abs() > 1e-6), "{block:?} has no effect");
    }
}

#[test]
fn gradients_of_thresholds_and_relaxations_agree_with_central_differences() {
    for (depth, eta, batch) in [(1, 0.5, 1), (2, 0.9, 7), (6, 0.5, 7), (6, 0.3, 33)] {
        let weights = 36 * depth;
        // Without the first W_t, which never acts.
        let mut blocks = vec![0..20 * depth, weights..weights + 4 * depth];
        blocks.extend((1..depth).map(|l| 20 * depth + 16 * l..20 * depth + 16 * (l + 1)));
        blocks.push(weights + 4 * depth..weights + 5 * depth);
        gradient_agrees(&learned(depth, eta, SoftThreshold), batch, &blocks);
        gradient_agrees(&learned(depth, eta, OneSidedSoftThreshold), batch, &blocks);
    }
}

fn gradients_agree<P: Prox<f64> + Clone>(prox: P) {
    for (depth, eta, batch) in
        [(1, 1.0, 1), (1, 0.5, 7), (2, 1.0, 7), (6, 0.5, 7), (6, 0.3, 3), (6, 1.0, 3)]
    {
        let network = network(depth, eta, prox.clone());
        let (_, added) = loss_and_gradient(&network, batch);
        let gradient: Vec<f64> = added.iter().map(|g| g - 1.0).collect();
        let all = network.parameters();
        // Blocks of parameters of one kind and layer, each against its own largest component.
        let (e, t) = (20 * depth, 16);
        let thresholds = all.len() - depth..all.len();
        let mut blocks = vec![0..e, thresholds];
        blocks.extend((1..depth).map(|l| e + l * t..e + (l + 1) * t));
        for block in blocks {
            let loss = |values: &[f64]| {
                let mut moved = network.clone();
                moved.parameters_mut()[block.clone()].copy_from_slice(values);
                loss_and_gradient(&moved, batch).0
            };
            if gradient[block.clone()].iter().all(|&g| g.abs() < 1e-15) {
                // Thresholds of an operator that does not depend on its γ.
                assert!(block.end == all.len());
                let (value, mut values) = (loss(&all[block.clone()]), all[block.clone()].to_vec());
                values.iter_mut().for_each(|v| *v += 0.1);
                assert_eq!(loss(&values), value);
                continue;
            }
            let deviation =
                check_gradient(loss, &all[block.clone()], &gradient[block.clone()]).unwrap();
            assert!(deviation < 1e-6, "depth {depth}, eta {eta}, {block:?}: {deviation:e}");
        }
        // The first W_t never acts.
        assert!(gradient[e..e + t].iter().all(|&g| g == 0.0));
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    gradients_agree(SoftThreshold);
    gradients_agree(OneSidedSoftThreshold);
    // A sum large enough that no component stands alone, where the Jacobian is zero.
    gradients_agree(Simplex::new(5.0).unwrap());
}

/// The network and its loss on one sample, written from the formulas over dual numbers, with the soft threshold or
/// the one-sided one.
fn reference(
    parameters: &[Dual64],
    UnrolledArchitecture { depth, relaxation, learned_relaxation, thresholds, .. }: UnrolledArchitecture,
    one_sided: bool,
    g: &[f64],
    target: &[f64],
) -> Dual64 {
    let (m, n) = (g.len(), target.len());
    let per_component = thresholds == Thresholds::PerComponent;
    let mut a = vec![Dual64::from(0.0); n];
    for l in 0..depth {
        let w_e = &parameters[l * n * m..];
        let w_t = &parameters[depth * n * m + l * n * n..];
        let theta = &parameters[depth * n * (m + n)..];
        let eta = match learned_relaxation {
            true => theta[depth * if per_component { n } else { 1 } + l],
            false => Dual64::from(relaxation),
        };
        let next = |i: usize| {
            let theta = theta[if per_component { l * n + i } else { l }];
            let drive = (0..m).fold(Dual64::from(0.0), |s, j| s + w_e[i * m + j] * g[j]);
            let z = (0..n).fold(drive, |s, j| s + w_t[i * n + j] * a[j]);
            let y = match z.re {
                v if v > theta.re => z - theta,
                v if v < -theta.re && !one_sided => z + theta,
                _ => Dual64::from(0.0),
            };
            a[i] * (Dual64::from(1.0) - eta) + y * eta
        };
        a = (0..n).map(next).collect();
    }
    let square = a.iter().zip(target).fold(Dual64::from(0.0), |s, (&a, &t)| s + (a - t) * (a - t));
    square.sqrt()
}

#[test]
fn gradients_agree_with_dual_numbers() {
    let fixed = [(1, 1.0), (3, 1.0), (4, 0.5)].map(|(l, eta)| network(l, eta, SoftThreshold));
    let learned = [(1, 0.9), (4, 0.5)].map(|(l, eta)| learned(l, eta, SoftThreshold));
    for network in fixed.into_iter().chain(learned) {
        agrees_with_dual_numbers(&network, false);
    }
    for network in [(1, 0.9), (4, 0.5)].map(|(l, eta)| self::learned(l, eta, OneSidedSoftThreshold))
    {
        agrees_with_dual_numbers(&network, true);
    }
}

fn agrees_with_dual_numbers<P: Prox<f64> + Clone>(network: &Unrolled<f64, P>, one_sided: bool) {
    let (loss, gradient) = loss_and_gradient(network, 1);
    let (g, target) = (normal::<f64>(5, 1), normal::<f64>(4, 2));
    for (k, gradient) in gradient.iter().enumerate() {
        let mut duals: Vec<Dual64> =
            network.parameters().iter().map(|&p| Dual64::new(p, 0.0)).collect();
        duals[k] = duals[k].derivative();
        let exact = reference(&duals, network.architecture(), one_sided, &g, &target);
        assert!((loss - exact.re).abs() < 1e-13);
        assert!((gradient - 1.0 - exact.eps).abs() < 1e-12, "{k}: {gradient} {}", exact.eps);
    }
}

#[test]
fn backward_overwrites_or_adds() {
    let network = network(3, 0.5, SoftThreshold);
    let (_, added) = loss_and_gradient(&network, 4);
    let input = normal::<f64>(20, 1);
    let (mut workspace, mut upstream) = (network.workspace(4), vec![0.0; 16]);
    let output = network.forward(&input, 4, &mut workspace);
    let target = normal::<f64>(16, 2);
    RootSquareError::new(4).evaluate(output, &target, 4, 0.25, &mut upstream);
    let mut written = vec![f64::NAN; added.len()];
    network.backward(&input, &upstream, 4, &mut workspace, &mut written, false);
    assert!(written.iter().zip(&added).all(|(w, a)| (a - 1.0 - w).abs() < 1e-14));
}

/// Kernel, data and step size of an ISTA problem.
fn ista_problem<T: Real>() -> (DMatrix<T>, Vec<T>, T) {
    let tau: Vec<T> = (0..30).map(|i| T::lit(8.0 * f64::from(i) / 29.0)).collect();
    let omega: Vec<T> = (0..21).map(|i| T::lit(-3.0 + 0.3 * f64::from(i))).collect();
    let kernel = FermionTime::new(8.0).unwrap().matrix(&tau, &omega).unwrap();
    let a = DVector::from_iterator(21, omega.iter().map(|&w| (-w * w).exp()));
    let g = (&kernel * a).as_slice().to_vec();
    let step = T::lit(1.5) / kernel.norm_squared();
    (kernel, g, step)
}

fn untrained_network_is_ista<T: Real>() {
    let (kernel, g, step) = ista_problem::<T>();
    let (lambda, depth) = (T::lit(0.1), 12);
    let start = vec![T::zero(); 21];
    let options = IterationOptions { tolerance: T::zero(), max_iterations: depth, history: false };
    for eta in [T::one(), T::lit(0.5)] {
        let architecture =
            UnrolledArchitecture { relaxation: eta, ..UnrolledArchitecture::rlista(30, 21, depth) };
        let ista = |architecture| {
            Unrolled::ista(architecture, &kernel, SoftThreshold, step, lambda).unwrap()
        };
        let net = ista(architecture);
        let mut answer = vec![T::zero(); 21];
        apply_samples(&net, &g, &mut answer);

        // What could be learned changes nothing before it is.
        let thresholds = Thresholds::PerComponent;
        let net =
            ista(UnrolledArchitecture { learned_relaxation: true, thresholds, ..architecture });
        let mut same = vec![T::zero(); 21];
        apply_samples(&net, &g, &mut same);
        assert_eq!(same, answer);

        // The driver over one layer, bit for bit.
        let map = net.layer(0).unwrap().bind(&g).unwrap();
        let go = |_: &IterationInfo<'_, T>| ControlFlow::Continue(());
        let iterated = if eta == T::one() {
            iterate(map, &start, &options, go)
        } else {
            iterate(Relaxed::new(map, eta).unwrap(), &start, &options, go)
        };
        assert_eq!(iterated.unwrap().point, answer);

        // The matrix-free formula, K then Kᵀ, to rounding.
        let (mut x, data) = (DVector::from_vec(start.clone()), DVector::from_vec(g.clone()));
        for _ in 0..depth {
            let z = &x - kernel.tr_mul(&(&kernel * &x - &data)) * step;
            let y = z.map(|z| z.signum() * (z.abs() - step * lambda).max(T::zero()));
            x = x * (T::one() - eta) + y * eta;
        }
        let size = x.amax();
        assert!(size > T::lit(0.01));
        for (&x, &a) in x.iter().zip(&answer) {
            let rounding = T::lit(50.0) * T::EPSILON * size;
            assert!((x - a).abs() <= rounding, "{x} {a}");
        }
    }
}

#[test]
fn an_untrained_network_is_ista_in_both_scalars() {
    untrained_network_is_ista::<f64>();
    untrained_network_is_ista::<f32>();
}

#[test]
fn a_batch_agrees_with_its_samples() {
    fn battery<T: Real, P: Prox<T>>(prox: P) {
        let network = network::<T, P>(4, 0.5, prox);
        for samples in [1, 2, 63, 64, 65, 200] {
            let data = normal::<T>(5 * samples, 7);
            let mut answers = vec![T::zero(); 4 * samples];
            apply_samples(&network, &data, &mut answers);
            for (g, a) in data.chunks(5).zip(answers.chunks(4)) {
                let mut single = vec![T::zero(); 4];
                apply_samples(&network, g, &mut single);
                for (&a, &s) in a.iter().zip(&single) {
                    assert!((a - s).abs() <= T::lit(100.0) * T::EPSILON, "{samples}");
                }
            }
        }
    }
    battery::<f64, _>(SoftThreshold);
    battery::<f32, _>(OneSidedSoftThreshold);
    battery::<f64, _>(Simplex::new(1.0).unwrap());
}

#[test]
fn a_batch_agrees_with_its_samples_where_all_is_learned() {
    let network = learned::<f64, _>(4, 0.5, SoftThreshold);
    let data = normal::<f64>(5 * 65, 7);
    let (mut answers, mut single) = (vec![0.0; 4 * 65], vec![0.0; 4]);
    apply_samples(&network, &data, &mut answers);
    for (g, a) in data.chunks(5).zip(answers.chunks(4)) {
        apply_samples(&network, g, &mut single);
        assert!(a.iter().zip(&single).all(|(a, s)| (a - s).abs() <= 1e-14));
    }
}

#[test]
fn projection_raises_thresholds_only() {
    let mut network = network::<f64, _>(2, 1.0, SoftThreshold);
    let before: Vec<f64> = network.parameters().iter().map(|p| p - 1.0).collect();
    network.parameters_mut().copy_from_slice(&before);
    network.project();
    assert_eq!(network.thresholds(), [0.0, 0.0]);
    let weights = before.len() - 2;
    assert_eq!(network.parameters()[..weights], before[..weights]);

    let mut network = learned::<f64, _>(2, 0.5, SoftThreshold);
    let weights = network.parameters().len() - 10;
    let pushed = [-1.0, 0.2, 0.0, 0.3, -0.1, 0.4, 0.5, 0.6, -2.0, 1.5];
    network.parameters_mut()[weights..].copy_from_slice(&pushed);
    network.project();
    assert_eq!(network.thresholds(), [0.0, 0.2, 0.0, 0.3, 0.0, 0.4, 0.5, 0.6]);
    assert_eq!(network.relaxations(), [1e-3, 1.0]);
}

#[test]
fn layers_have_their_own_thresholds() {
    let network = learned::<f64, _>(2, 0.5, SoftThreshold);
    assert_eq!(network.layer(1).unwrap().thresholds(), &network.thresholds()[4..]);
    // The second layer, relaxed, goes on from the first, which begins at zero.
    let g = normal::<f64>(5, 7);
    let mut x = vec![0.0; 4];
    for l in 0..2 {
        let map = network.layer(l).unwrap().bind(&g).unwrap();
        let mut next = vec![0.0; 4];
        Relaxed::new(map, network.relaxations()[l]).unwrap().step(&x, &mut next);
        x = next;
    }
    let mut answer = vec![0.0; 4];
    apply_samples(&network, &g, &mut answer);
    assert_eq!(answer, x);
    assert_eq!(network.live_parameters(), 2 * (20 + 16 + 4 + 1) - 16);
    // A workspace with room for more samples has no more layers.
    let mut workspace = network.workspace(3);
    network.forward(&g, 1, &mut workspace);
    assert_eq!(network.layer_output(1, 1, &workspace), Some(&answer[..]));
    assert_eq!(network.layer_output(2, 1, &workspace), None);
    assert_eq!((network.name().as_str(), network.penalised()), ("rlista-2", vec![0..20, 40..56]));
}

#[cfg(feature = "serde")]
#[test]
fn stored_networks_come_back_to_the_bit() {
    let network = learned::<f32, _>(3, 0.5, SoftThreshold);
    let text = serde_json::to_string(&network).unwrap();
    let back: Unrolled<f32, SoftThreshold> = serde_json::from_str(&text).unwrap();
    assert_eq!(back, network);
    // Stored before there were such parameters.
    let plain = self::network::<f64, _>(2, 0.5, SoftThreshold);
    let mut value = serde_json::to_value(&plain).unwrap();
    let architecture = value["architecture"].as_object_mut().unwrap();
    assert!(architecture.remove("learned_relaxation").is_some());
    assert!(architecture.remove("thresholds").is_some());
    let back: Unrolled<f64, SoftThreshold> = serde_json::from_str(&value.to_string()).unwrap();
    assert_eq!(back, plain);
}

#[test]
fn random_weights_have_their_variance_and_seed() {
    let architecture = UnrolledArchitecture::<f64>::rlista(100, 50, 10);
    let random = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let initialization =
            Initialization { scale: 0.1, threshold: 0.2, ..Initialization::default() };
        Unrolled::random(architecture, SoftThreshold, &initialization, &mut rng).unwrap()
    };
    let network = random(1);
    assert_eq!(network.parameters().len(), 75_010);
    assert_eq!((network.name().as_str(), random(2).name().as_str()), ("rlista-10", "rlista-10"));
    assert!(network == random(1) && network != random(2));
    let p = network.parameters();
    let variance = |w: &[f64]| w.iter().map(|w| w * w).sum::<f64>() / w.len() as f64;
    // 50 000 and 25 000 draws: relative standard errors 0.006 and 0.009.
    assert!((variance(&p[..50_000]) / (0.01 / 100.0) - 1.0).abs() < 0.03);
    assert!((variance(&p[50_000..75_000]) / (0.01 / 50.0) - 1.0).abs() < 0.04);
    assert_eq!(network.thresholds(), [0.2; 10]);
}

#[test]
fn bad_input_is_named() {
    let rlista = UnrolledArchitecture::<f64>::rlista;
    assert!(matches!(
        rlista(0, 4, 2).parameter_count(),
        Err(Error::Empty { argument: "input", .. })
    ));
    assert!(rlista(usize::MAX, 4, 2).parameter_count().is_err());
    assert!(rlista(5, usize::MAX / 16, 2).parameter_count().is_err());
    for relaxation in [0.0, 1.1, f64::NAN] {
        let architecture = UnrolledArchitecture { relaxation, ..rlista(5, 4, 2) };
        assert!(architecture.parameter_count().is_err());
    }
    let build = |p: Vec<f64>| Unrolled::from_parameters(rlista(2, 1, 1), SoftThreshold, p);
    assert!(build(vec![1.0; 4]).is_ok());
    assert!(matches!(build(vec![1.0; 3]), Err(Error::LengthMismatch { .. })));
    assert!(matches!(build(vec![f64::NAN; 4]), Err(Error::NonFinite { index: Some(0), .. })));
    assert!(matches!(build(vec![-1.0; 4]), Err(Error::ElementOutOfRange { index: 0, .. })));
    let kernel = DMatrix::from_element(3, 2, 1.0);
    for (step, lambda) in [(0.0, 0.1), (0.1, -0.1), (f64::NAN, 0.1)] {
        assert!(Unrolled::ista(rlista(3, 2, 2), &kernel, SoftThreshold, step, lambda).is_err());
    }
    for (input, output) in [(2, 2), (3, 3)] {
        let e = Unrolled::ista(rlista(input, output, 2), &kernel, SoftThreshold, 0.1, 0.1);
        assert!(matches!(e, Err(Error::LengthMismatch { argument: "kernel", .. })));
    }
    let relaxation = 1e-4;
    let learned = UnrolledArchitecture { learned_relaxation: true, ..rlista(2, 1, 1) };
    assert!(UnrolledArchitecture { relaxation, ..learned }.parameter_count().is_err());
    for eta in [0.0, 1e-4, 1.1] {
        let p = vec![1.0, 1.0, 1.0, 0.1, eta];
        let e = Unrolled::from_parameters(learned, SoftThreshold, p).unwrap_err();
        assert!(matches!(e, Error::ElementOutOfRange { argument: "relaxations", index: 0, .. }));
    }
    let many = UnrolledArchitecture { thresholds: Thresholds::PerComponent, ..rlista(2, 1, 1) };
    let e = Unrolled::from_parameters(many, Simplex::new(1.0).unwrap(), vec![1.0; 4]).unwrap_err();
    assert!(matches!(e, Error::Unsupported { argument: "thresholds", .. }));
    let network = network::<f64, _>(2, 1.0, SoftThreshold);
    assert!(network.layer(2).is_err());
    assert!(network.layer(1).unwrap().bind(&[0.0; 4]).is_err());
    assert!(Layer::new(&[1.0; 4], &[1.0; 3], &[0.1], &SoftThreshold).is_err());
    assert!(Layer::new(&[1.0; 3], &[1.0; 2], &[0.1], &SoftThreshold).is_err());
    assert!(Layer::<f64, _>::new(&[], &[], &[0.1], &SoftThreshold).is_err());
    assert!(Layer::new(&[1.0; 4], &[1.0; 2], &[-0.1], &SoftThreshold).is_err());
    assert!(Layer::new(&[1.0; 4], &[1.0; 2], &[0.1; 3], &SoftThreshold).is_err());
    assert!(Layer::new(&[1.0; 4], &[1.0; 2], &[], &SoftThreshold).is_err());
    let simplex = Simplex::new(1.0).unwrap();
    assert!(Layer::new(&[1.0; 4], &[1.0; 2], &[0.1; 2], &simplex).is_err());
    let layer = Layer::new(&[1.0; 4], &[1.0; 2], &[0.1], &SoftThreshold).unwrap();
    assert_eq!(layer.bind(&[0.5]).unwrap().dim(), 2);
}
