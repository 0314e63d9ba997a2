//! A network as data: the operations of its forward pass, which any device can run and differentiate.
//!
//! All panels of a pass stand in one tall stack of rows; a row holds one number of every sample of the batch, so
//! that a panel is a range of rows and row r begins at r·batch. Reverse mode is not written by networks: it
//! follows from the operations.

use super::activation::{DeviceActivation, Formulas};
use crate::error::{Error, Result, check_len};
use crate::network::{Head, Network};
use crate::real::Real;
use core::ops::Range;

/// One operation of a forward pass. Ranges are rows of the stack; weights and biases are given by the place of
/// their first number in [`Network::parameters`], weights row-major. A parameter belongs to one operation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// output = W input + b, or output += W input; W is output × input.
    Affine {
        /// W.
        weights: usize,
        /// b, if there is one: not together with `accumulate`.
        bias: Option<usize>,
        /// x.
        input: Range<usize>,
        /// W x.
        output: Range<usize>,
        /// Whether the product is added to what stands in `output`.
        accumulate: bool,
    },
    /// One-dimensional convolution without padding, stride 1: output(c, p) = b_c + Σ_k W(c, k) input(p + k) for
    /// p = 0…input − kernel, rows of `output` in the order of channels, then positions; W is channels × kernel.
    Convolution {
        /// W.
        weights: usize,
        /// b, one number a channel.
        bias: usize,
        /// Number of taps.
        kernel: usize,
        /// The signal.
        input: Range<usize>,
        /// Channels × positions.
        output: Range<usize>,
    },
    /// output = (1−η) before + η f(input; θ), component by component; without `before`, output = η f(input; θ).
    Activation {
        /// Which of [`Plan::activations`] f is.
        activation: usize,
        /// The place of θ; 0 where there is none.
        parameter: Option<usize>,
        /// η.
        relaxation: f64,
        /// Panel of the size of `output`.
        before: Option<Range<usize>>,
        /// z.
        input: Range<usize>,
        /// x.
        output: Range<usize>,
    },
    /// output = head(input), sample by sample.
    Head {
        /// Not [`Head::Linear`].
        head: Head,
        /// z.
        input: Range<usize>,
        /// a.
        output: Range<usize>,
    },
}

/// The forward pass of a network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Rows of the stack.
    pub rows: usize,
    /// The data g: the first rows.
    pub input: usize,
    /// The answer a.
    pub output: Range<usize>,
    /// What is done, in this order; every panel is written before it is read.
    pub operations: Vec<Operation>,
    /// The activations in use.
    pub activations: Vec<Formulas>,
    /// Parameters that an update may not leave negative.
    pub nonnegative: Vec<Range<usize>>,
}

/// A network whose forward pass can be written as a [`Plan`].
///
/// The plan must compute what [`Network::forward`] computes. The crate's unrolled, dense and convolution
/// networks have one, with or without a head; a network of one's own gives its operations:
///
/// ```
/// use fredholm::*;
/// let shape = UnrolledArchitecture::<f64>::rlista(5, 4, 2);
/// let mut rng = <rand::rngs::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
/// let network = Unrolled::random(shape, SoftThreshold, &Default::default(), &mut rng)?;
/// let plan = network.plan()?;
/// assert_eq!(plan.rows, 5 + 2 * 4 + 2 * 4); // g, z of both layers, a of both layers
/// assert_eq!(plan.operations.len(), 4); // all W_e g, an activation, W_t a, an activation
/// # Ok::<(), Error>(())
/// ```
pub trait DeviceNetwork<T: Real>: Network<T> {
    /// The operations of the forward pass.
    ///
    /// # Errors
    /// A variant of the network that has no form on a device.
    fn plan(&self) -> Result<Plan>;
}

impl Plan {
    /// For data of `input` numbers.
    pub fn new(input: usize) -> Self {
        Plan { rows: input, input, output: 0..input, ..Plan::default() }
    }

    /// Further rows of the stack.
    pub fn panel(&mut self, rows: usize) -> Range<usize> {
        self.rows += rows;
        self.rows - rows..self.rows
    }

    /// The number of an activation, added to the list.
    pub fn activation(&mut self, activation: &impl DeviceActivation) -> usize {
        self.activations.push(activation.formulas());
        self.activations.len() - 1
    }

    /// Another operation.
    pub fn push(&mut self, operation: Operation) {
        self.operations.push(operation);
    }

    /// `Err` unless panels lie in the stack, parameters among `parameters`, and shapes fit each other: what a
    /// device relies on.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn check(&self, parameters: usize) -> Result<()> {
        let inside = |what, end, count, reference| {
            if end <= count { Ok(()) } else { check_len(what, end, count, reference) }
        };
        let row =
            |panel: &Range<usize>| inside("plan", panel.end, self.rows, "the rows of its stack");
        let weight = |from: usize, count: usize| {
            let end = from.saturating_add(count);
            inside("plan", end, parameters, "the network's parameters")
        };
        row(&(0..self.input))?;
        row(&self.output)?;
        for range in &self.nonnegative {
            weight(range.start, range.len())?;
        }
        for operation in &self.operations {
            match operation {
                Operation::Affine { weights, bias, input, output, accumulate } => {
                    row(input)?;
                    row(output)?;
                    weight(*weights, input.len() * output.len())?;
                    bias.map_or(Ok(()), |bias| weight(bias, output.len()))?;
                    if *accumulate && bias.is_some() {
                        return Err(Error::Unsupported {
                            argument: "plan",
                            value: "an accumulated product with a bias",
                            expected: "the bias with the product that comes first",
                        });
                    }
                }
                Operation::Convolution { weights, bias, kernel, input, output } => {
                    row(input)?;
                    row(output)?;
                    let channels = channels(*kernel, input, output)?;
                    weight(*weights, channels * kernel)?;
                    weight(*bias, channels)?;
                }
                Operation::Activation { activation, parameter, before, input, output, .. } => {
                    row(input)?;
                    row(output)?;
                    inside("plan", activation + 1, self.activations.len(), "its activations")?;
                    parameter.map_or(Ok(()), |theta| weight(theta, 1))?;
                    for panel in before.iter().chain([input]) {
                        row(panel)?;
                        check_len("plan", panel.len(), output.len(), "an activation's output")?;
                    }
                }
                Operation::Head { input, output, .. } => {
                    row(input)?;
                    row(output)?;
                    check_len("plan", input.len(), output.len(), "a head's output")?;
                }
            }
        }
        Ok(())
    }
}

/// Channels of a convolution.
pub(super) fn channels(
    kernel: usize,
    input: &Range<usize>,
    output: &Range<usize>,
) -> Result<usize> {
    let positions = (input.len() + 1).saturating_sub(kernel);
    let channels = output.len().checked_div(positions).unwrap_or(0);
    check_len("plan", output.len(), channels * positions, "channels times positions")?;
    Ok(channels)
}
