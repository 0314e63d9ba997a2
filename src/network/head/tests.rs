use super::*;
use crate::network::tests::{gradient_agrees, loss_and_gradient, network, normal};
use crate::prox::SoftThreshold;
use num_dual::{Dual64, DualNum};

/// Only what differs from the head's network: its Jacobian, on parameters of every kind.
#[test]
fn gradients_agree_with_central_differences() {
    for head in [Head::Linear, Head::Normalised, Head::Softmax] {
        // One sample alone may have a single positive component, whose gradient is zero.
        for (depth, batch) in [(1, 5), (3, 7), (3, 16)] {
            let inner = network::<f64, _>(depth, 0.5, SoftThreshold);
            let headed = Headed::new(inner, head);
            let count = headed.parameters().len();
            let thresholds = count - depth..count;
            gradient_agrees(&headed, batch, &[0..20 * depth, thresholds]);
        }
    }
}

/// A network that is its parameters, whatever the data: the head alone.
#[derive(Debug, Clone)]
struct Constant<T>(Vec<T>);

impl<T: Real> Network<T> for Constant<T> {
    type Workspace = Vec<T>;

    fn name(&self) -> String {
        "constant".into()
    }
    fn input_len(&self) -> usize {
        1
    }
    fn output_len(&self) -> usize {
        self.0.len()
    }
    fn parameters(&self) -> &[T] {
        &self.0
    }
    fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
    fn workspace(&self, batch: usize) -> Vec<T> {
        vec![T::zero(); self.0.len() * batch]
    }
    fn forward<'w>(&self, _: &[T], batch: usize, workspace: &'w mut Vec<T>) -> &'w [T] {
        for (row, &z) in workspace.chunks_mut(batch).zip(&self.0) {
            row.fill(z);
        }
        &workspace[..self.0.len() * batch]
    }
    fn backward(
        &self,
        _: &[T],
        upstream: &[T],
        batch: usize,
        _: &mut Vec<T>,
        gradient: &mut [T],
        _: bool,
    ) {
        for (g, row) in gradient.iter_mut().zip(upstream.chunks(batch)) {
            *g += row.iter().copied().sum();
        }
    }
}

fn reference(head: Head, z: &[Dual64], target: &[f64]) -> Dual64 {
    let y: Vec<Dual64> = match head {
        Head::Linear => return norm(z, target),
        Head::Normalised => {
            z.iter().map(|&z| if z.re > 0.0 { z + 1e-9 } else { Dual64::from(1e-9) }).collect()
        }
        Head::Softmax => z.iter().map(|z| z.exp()).collect(),
    };
    let total = y.iter().fold(Dual64::from(0.0), |s, &y| s + y);
    let a: Vec<Dual64> = y.iter().map(|&y| y / total).collect();
    norm(&a, target)
}

fn norm(a: &[Dual64], target: &[f64]) -> Dual64 {
    let square = a.iter().zip(target).fold(Dual64::from(0.0), |s, (&a, &t)| s + (a - t) * (a - t));
    square.sqrt()
}

#[test]
fn gradients_agree_with_dual_numbers() {
    for head in [Head::Linear, Head::Normalised, Head::Softmax] {
        let network = Headed::new(Constant(normal::<f64>(9, 5)), head);
        let (loss, gradient) = loss_and_gradient(&network, 1);
        let target = normal::<f64>(9, 2);
        for (k, gradient) in gradient.iter().enumerate() {
            let mut z: Vec<Dual64> =
                network.parameters().iter().map(|&z| Dual64::new(z, 0.0)).collect();
            z[k] = z[k].derivative();
            let exact = reference(head, &z, &target);
            assert!((loss - exact.re).abs() < 1e-13);
            assert!((gradient - 1.0 - exact.eps).abs() < 1e-12, "{head:?} {k}");
        }
    }
}

#[test]
fn answers_are_densities_whatever_the_network_says() {
    fn battery<T: Real>() {
        let rounding = T::lit(10.0) * T::EPSILON;
        for head in [Head::Normalised, Head::Softmax] {
            for scale in [0.0, 1.0, 1e4, 1e30] {
                let z: Vec<T> = normal::<T>(7, 3).iter().map(|&z| z * T::lit(scale)).collect();
                for z in [z.clone(), z.iter().map(|z| -z.abs()).collect()] {
                    let network = Headed::new(Constant(z), head);
                    let mut workspace = network.workspace(3);
                    let a = network.forward(&[T::zero(); 3], 3, &mut workspace);
                    for b in 0..3 {
                        let sample = || a.iter().skip(b).step_by(3).copied();
                        assert!(sample().all(|a| a >= T::zero()));
                        assert!((sample().sum::<T>() - T::one()).abs() < rounding, "{scale}");
                    }
                }
            }
            let network = Headed::new(Constant(vec![T::one(), T::zero() / T::zero()]), head);
            let mut workspace = network.workspace(1);
            let a = network.forward(&[T::zero()], 1, &mut workspace);
            assert!(a.iter().any(|a| !a.is_finite()), "NaN was hidden by {head:?}");
        }
    }
    battery::<f64>();
    battery::<f32>();
}
