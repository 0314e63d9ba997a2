//! The plans of the crate's networks.

use super::activation::DeviceActivation;
use super::plan::{DeviceNetwork, Operation, Plan, Relaxation};
use crate::error::Result;
use crate::network::{
    ConvolutionNetwork, DenseNetwork, Head, Headed, LEAST_RELAXATION, Thresholds, Unrolled,
    UnrolledArchitecture,
};
use crate::prox::{NonNegative, Prox};
use crate::real::Real;
use core::ops::Range;

impl<T: Real, P: Prox<T> + DeviceActivation> DeviceNetwork<T> for Unrolled<T, P> {
    fn plan(&self) -> Result<Plan> {
        let UnrolledArchitecture {
            input: m,
            output: n,
            depth,
            relaxation,
            learned_relaxation,
            thresholds,
        } = self.architecture();
        let of_layer = match thresholds {
            Thresholds::Shared => 1,
            Thresholds::PerComponent => n,
        };
        let mut plan = Plan::new(m);
        let activation = plan.activation(self.prox());
        let (z, a) = (plan.panel(depth * n), plan.panel(depth * n));
        let layer = |panel: &Range<usize>, l: usize| panel.start + l * n..panel.start + (l + 1) * n;
        let (stacked, thetas) = (depth * n * m, depth * n * (m + n));
        let etas = thetas + depth * of_layer;
        plan.push(Operation::Affine {
            weights: 0,
            bias: None,
            input: 0..m,
            output: z.clone(),
            accumulate: false,
        });
        for l in 0..depth {
            let (input, output) = (layer(&z, l), layer(&a, l));
            let before = l.checked_sub(1).map(|l| layer(&a, l));
            if let Some(before) = &before {
                plan.push(Operation::Affine {
                    weights: stacked + l * n * n,
                    bias: None,
                    input: before.clone(),
                    output: input.clone(),
                    accumulate: true,
                });
            }
            let before = before.filter(|_| learned_relaxation || relaxation != T::one());
            let relaxation = match learned_relaxation {
                true => Relaxation::Learned(etas + l),
                false => Relaxation::Fixed(relaxation.as_f64()),
            };
            let thresholds = thetas + l * of_layer..thetas + (l + 1) * of_layer;
            plan.push(Operation::Activation {
                activation,
                thresholds,
                relaxation,
                before,
                input,
                output,
            });
        }
        plan.output = layer(&a, depth - 1);
        plan.domains.push((thetas..etas, 0.0..=f64::INFINITY));
        if learned_relaxation {
            plan.domains.push((etas..etas + depth, LEAST_RELAXATION..=1.0));
        }
        Ok(plan)
    }
}

impl Plan {
    /// W x + b with weights and biases from `*place` on; returns its output.
    fn affine(&mut self, place: &mut usize, input: Range<usize>, outputs: usize) -> Range<usize> {
        let (weights, output) = (*place, self.panel(outputs));
        let bias = weights + input.len() * outputs;
        *place = bias + outputs;
        self.push(Operation::Affine {
            weights,
            bias: Some(bias),
            input,
            output: output.clone(),
            accumulate: false,
        });
        output
    }

    /// The rectifier of a panel; `activation` is its number.
    fn rectify(&mut self, activation: usize, input: Range<usize>) -> Range<usize> {
        let output = self.panel(input.len());
        self.push(Operation::Activation {
            activation,
            thresholds: 0..0,
            relaxation: Relaxation::Fixed(1.0),
            before: None,
            input,
            output: output.clone(),
        });
        output
    }
}

impl<T: Real> DeviceNetwork<T> for DenseNetwork<T> {
    fn plan(&self) -> Result<Plan> {
        let widths = &self.architecture().widths;
        let mut plan = Plan::new(widths[0]);
        let rectifier = plan.activation(&NonNegative);
        let (mut place, mut x) = (0, 0..widths[0]);
        for (l, &width) in widths.iter().enumerate().skip(1) {
            x = plan.affine(&mut place, x, width);
            if l + 1 < widths.len() {
                x = plan.rectify(rectifier, x);
            }
        }
        plan.output = x;
        Ok(plan)
    }
}

impl<T: Real> DeviceNetwork<T> for ConvolutionNetwork<T> {
    fn plan(&self) -> Result<Plan> {
        let shape = self.architecture();
        let mut plan = Plan::new(shape.input);
        let rectifier = plan.activation(&NonNegative);
        let mut place = 0;
        let hidden = plan.affine(&mut place, 0..shape.input, shape.width);
        let hidden = plan.rectify(rectifier, hidden);
        let output = plan.panel(shape.channels * (shape.width - shape.kernel + 1));
        let (weights, bias) = (place, place + shape.channels * shape.kernel);
        place = bias + shape.channels;
        plan.push(Operation::Convolution {
            weights,
            bias,
            kernel: shape.kernel,
            input: hidden,
            output: output.clone(),
        });
        let features = plan.rectify(rectifier, output);
        plan.output = plan.affine(&mut place, features, shape.output);
        Ok(plan)
    }
}

impl<T: Real, N: DeviceNetwork<T>> DeviceNetwork<T> for Headed<N> {
    fn plan(&self) -> Result<Plan> {
        let mut plan = self.network().plan()?;
        if self.head() != Head::Linear {
            let (head, input) = (self.head(), plan.output.clone());
            let output = plan.panel(input.len());
            plan.output = output.clone();
            plan.push(Operation::Head { head, input, output });
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{DenseArchitecture, Initialization, Network};
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    #[test]
    fn plans_that_do_not_fit_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let shape = DenseArchitecture::fcn(4, 3, 2, 5);
        let network =
            DenseNetwork::<f64>::random(shape, &Initialization::default(), &mut rng).unwrap();
        let (plan, count) = (network.plan().unwrap(), network.parameters().len());
        assert!(plan.check(count).is_ok());
        assert!(plan.check(count - 1).is_err());
        let change = |change: &dyn Fn(&mut Plan)| {
            let mut plan = plan.clone();
            change(&mut plan);
            plan.check(count)
        };
        assert!(change(&|plan| plan.rows -= 1).is_err());
        assert!(change(&|plan| plan.activations.clear()).is_err());
        assert!(change(&|plan| plan.output.end += 1).is_err());
        let accumulated = |plan: &mut Plan| {
            if let Operation::Affine { accumulate, .. } = &mut plan.operations[0] {
                *accumulate = true;
            }
        };
        assert!(change(&accumulated).is_err());
        let (input, output) = (0..4, 4..9);
        let convolution = Operation::Convolution { weights: 0, bias: 0, kernel: 9, input, output };
        assert!(change(&|plan| plan.push(convolution.clone())).is_err());
    }
}
