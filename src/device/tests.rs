//! A network of one's own on a device, and what fits.

use super::engine::{Need, Sizes};
use super::interpreter::Interpreter;
use super::{Backend, Cpu, DeviceNetwork, Plan, Stepper, battery};
use crate::error::{Error, Result};
use crate::network::{DenseArchitecture, DenseNetwork, Initialization, Network};
use crate::prox::NonNegative;
use crate::train::TrainOptions;
use core::ops::Range;
use rand::{SeedableRng, rngs::ChaCha8Rng};

/// A dense network with a penalty of its own.
#[derive(Clone)]
struct Penalised(DenseNetwork<f64>, Vec<Range<usize>>);

impl Network<f64> for Penalised {
    type Workspace = <DenseNetwork<f64> as Network<f64>>::Workspace;

    fn name(&self) -> String {
        self.0.name()
    }

    fn input_len(&self) -> usize {
        self.0.input_len()
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn parameters(&self) -> &[f64] {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> &mut [f64] {
        self.0.parameters_mut()
    }

    fn penalised(&self) -> Vec<Range<usize>> {
        self.1.clone()
    }

    fn workspace(&self, batch: usize) -> Self::Workspace {
        self.0.workspace(batch)
    }

    fn forward<'w>(
        &self,
        input: &[f64],
        batch: usize,
        workspace: &'w mut Self::Workspace,
    ) -> &'w [f64] {
        self.0.forward(input, batch, workspace)
    }

    fn backward(
        &self,
        input: &[f64],
        upstream: &[f64],
        batch: usize,
        workspace: &mut Self::Workspace,
        gradient: &mut [f64],
        accumulate: bool,
    ) {
        self.0.backward(input, upstream, batch, workspace, gradient, accumulate);
    }
}

impl DeviceNetwork<f64> for Penalised {
    fn plan(&self) -> Result<Plan> {
        self.0.plan()
    }
}

fn dense() -> DenseNetwork<f64> {
    let (m, n) = battery::SHAPE;
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    DenseNetwork::random(DenseArchitecture::fcn(m, n, 2, 9), &Initialization::default(), &mut rng)
        .unwrap()
}

#[test]
fn a_penalty_adds_to_the_gradients_of_all_parameters() {
    let (set, network) = (battery::samples::<f64>(20), dense());
    let options = TrainOptions { batch: 20, l2: 0.3, ..TrainOptions::default() };
    let samples: Vec<usize> = (0..20).collect();
    let count = network.parameters().len();
    // Weights, biases, and both in ranges that begin and end between.
    let everything = Penalised(network, vec![0..7, 9..count]);
    let (mut found, mut expected) = (vec![0.0; count], vec![0.0; count]);
    let mut stepper = Interpreter(NonNegative).stepper(everything.clone(), &set, &options).unwrap();
    stepper.gradient(&samples, &mut found).unwrap();
    let mut stepper = Cpu.stepper(everything, &set, &options).unwrap();
    stepper.gradient(&samples, &mut expected).unwrap();
    let scale = expected.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
    assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() <= 1e-12 * scale));
}

#[test]
fn a_penalty_on_what_is_no_parameter_is_refused() {
    let (set, network) = (battery::samples::<f64>(20), dense());
    let (device, count) = (Interpreter(NonNegative), network.parameters().len());
    let beyond = Penalised(network.clone(), vec![0..3, 5..count + 1]);
    #[expect(clippy::reversed_empty_ranges)]
    let backwards = Penalised(network, vec![0..3, 9..5]);
    for (network, what) in [(beyond, "the network's parameters"), (backwards, "ends before")] {
        for error in [
            device.stepper(network.clone(), &set, &TrainOptions::default()).map(drop).unwrap_err(),
            device.predictor(&network, 3).map(drop).unwrap_err(),
        ] {
            let message = error.to_string();
            assert!(message.contains("penalised") && message.contains(what), "{message}");
        }
    }
}

#[test]
fn what_fits_together_is_taken_and_a_batch_that_does_is_named() {
    let arena = Need { fixed: 100, per_sample: 8 };
    let data = Need { fixed: 50, per_sample: 2 };
    let check = |batch, each, together| {
        Sizes { batch, arena, data, order: 0 }.check::<f32>("a device", each, together)
    };
    // 100 + 8·10 and 50 + 2·10 numbers: 250 in all.
    assert_eq!(check(10, 180, 250), Ok(()));
    for (each, together, batch, bytes, available) in
        [(180, 249, Some(9), 1000, 996), (179, 250, Some(9), 720, 716), (180, 150, None, 1000, 600)]
    {
        let error = check(10, each, together).unwrap_err();
        let Error::DeviceMemory { bytes: b, available: a, batch: fits, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((b, a, fits), (bytes, Some(available), batch));
        if let Some(batch) = batch {
            assert_eq!(check(batch, each, together), Ok(()));
        }
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
#[test]
fn what_a_driver_refuses_is_named_with_half_the_batch() {
    let arena = Need { fixed: 100, per_sample: 8 };
    let data = Need { fixed: 50, per_sample: 2 };
    let refused = |batch| Sizes { batch, arena, data, order: 0 }.refused::<f32>("a device");
    let error = refused(100);
    let message = error.to_string();
    assert!(message.contains("4600 bytes, which its driver refuses: try a batch of 42"), "{error}");
    // 150 + 10·42 numbers are less than half of 1150, one sample more is not.
    let expected = (4600, None, Some(42));
    let Error::DeviceMemory { bytes, available, batch, .. } = error else { panic!("{error}") };
    assert_eq!((bytes, available, batch), expected);
    assert!(matches!(refused(10), Error::DeviceMemory { batch: None, .. }));
}
