//! A network as data: the operations of its forward pass, which any device can run and differentiate.
//!
//! All panels of a pass stand in one tall stack of rows; a row holds one number of every sample of the batch, so
//! that a panel is a range of rows and row r begins at r·batch. Reverse mode is not written by networks: it
//! follows from the operations.

use super::activation::{DeviceActivation, Formulas};
use crate::error::{Error, Result, check_len, check_range};
use crate::network::{Head, Network};
use crate::real::Real;
use core::ops::{Range, RangeInclusive};

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
        /// The places of θ: one for all rows, or one a row; none where θ is 0.
        thresholds: Range<usize>,
        /// η.
        relaxation: Relaxation,
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

/// The relaxation η of an activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Relaxation {
    /// This number.
    Fixed(f64),
    /// The parameter at this place.
    Learned(usize),
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
    /// What is done, in this order; [`check`](Plan::check) says what may follow what.
    pub operations: Vec<Operation>,
    /// The activations in use.
    pub activations: Vec<Formulas>,
    /// Parameters that an update returns to an interval, where they have left it.
    pub domains: Vec<(Range<usize>, RangeInclusive<f64>)>,
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

    /// `Err` unless the operations can be run and differentiated: what a device relies on.
    ///
    /// - Panels lie in the stack, parameters among `parameters`, of which each belongs to one operation; shapes
    ///   fit each other; nothing is empty.
    /// - A row is written by one operation, before it is read. Products may be added to it between, not to the data
    ///   nor to what a head wrote.
    /// - What an activation or a head reads, nothing else reads, unless it is data: its derivative is written, not
    ///   added.
    /// - A panel that is read is of the data or has none of them, and later operations read all of it or nothing: its
    ///   derivative is written as a whole.
    /// - There is one head at most, and no [`Head::Linear`].
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn check(&self, parameters: usize) -> Result<()> {
        if u32::try_from(self.rows).is_err() {
            return refuse("a stack of more than 2³² rows", "places of 32 bits");
        }
        self.panel_of_stack(&(0..self.input))?;
        self.panel_of_stack(&self.output)?;
        for (range, interval) in &self.domains {
            check_range("plan", range, parameters, "the network's parameters")?;
            if interval.is_empty() {
                return refuse("an interval without a number", "bounds in their order");
            }
        }
        for operation in &self.operations {
            self.check_shapes(operation)?;
        }
        self.check_parameters(parameters)?;
        self.check_order()?;
        self.check_derivatives()
    }

    /// `Err` unless these are rows of the stack, all of the data or none.
    fn panel_of_stack(&self, panel: &Range<usize>) -> Result<()> {
        check_range("plan", panel, self.rows, "the rows of its stack")?;
        if panel.is_empty() {
            return refuse("an empty panel", "a row at least");
        }
        if panel.start < self.input && panel.end > self.input {
            return refuse("a panel that begins in the data and ends behind", "one of both");
        }
        Ok(())
    }

    fn check_shapes(&self, operation: &Operation) -> Result<()> {
        let output = operation.output();
        for panel in operation.reads().chain([output]) {
            self.panel_of_stack(panel)?;
        }
        match operation {
            Operation::Affine { accumulate: true, bias: Some(_), .. } => refuse(
                "an accumulated product with a bias",
                "the bias with the product that comes first",
            ),
            Operation::Affine { .. } => Ok(()),
            Operation::Convolution { kernel, input, .. } => {
                channels(*kernel, input, output).map(drop)
            }
            Operation::Activation { activation, thresholds, .. } => {
                if thresholds.len() > 1 {
                    check_len("plan", thresholds.len(), output.len(), "an activation's output")?;
                }
                let number = *activation..activation.saturating_add(1);
                check_range("plan", &number, self.activations.len(), "its activations")?;
                operation.reads().try_for_each(|panel| {
                    check_len("plan", panel.len(), output.len(), "an activation's output")
                })
            }
            Operation::Head { head: Head::Linear, .. } => {
                refuse("a linear head", "no operation for a head that does nothing")
            }
            Operation::Head { input, .. } => {
                check_len("plan", input.len(), output.len(), "a head's output")
            }
        }
    }

    /// `Err` unless every parameter is there and belongs to one operation: its derivative is written, not added.
    fn check_parameters(&self, count: usize) -> Result<()> {
        let mut used = vec![false; count];
        for range in self.operations.iter().flat_map(Operation::parameters) {
            check_range("plan", &range, count, "the network's parameters")?;
            if used[range.clone()].contains(&true) {
                return refuse("a parameter in two operations", "one operation for each");
            }
            used[range].fill(true);
        }
        Ok(())
    }

    /// `Err` unless every row is written once before it is read and has the derivative its readers give it.
    fn check_order(&self) -> Result<()> {
        let mut rows = vec![Row::Unwritten; self.rows];
        rows[..self.input].fill(Row::Data);
        let read = |rows: &mut [Row]| {
            rows.iter_mut().try_for_each(|row| match row {
                Row::Data => Ok(()),
                Row::Open | Row::Closed | Row::Read => {
                    *row = Row::Read;
                    Ok(())
                }
                Row::Unwritten => refuse("a row that is read first", "one that is written before"),
                Row::Taken => refuse(TAKEN, ALONE),
            })
        };
        let mut heads = 0;
        for operation in &self.operations {
            match operation {
                Operation::Affine { input, .. } | Operation::Convolution { input, .. } => {
                    read(&mut rows[input.clone()])?;
                }
                Operation::Activation { input, .. } | Operation::Head { input, .. } => {
                    if let Operation::Activation { before: Some(before), .. } = operation {
                        read(&mut rows[before.clone()])?;
                    }
                    if rows[input.clone()].contains(&Row::Read) {
                        return refuse(TAKEN, ALONE);
                    }
                    read(&mut rows[input.clone()])?;
                    let taken = rows[input.clone()].iter_mut().filter(|row| **row == Row::Read);
                    taken.for_each(|row| *row = Row::Taken);
                }
            }
            let (from, to) = match operation {
                Operation::Affine { accumulate: true, .. } => (Row::Open, Row::Open),
                Operation::Head { .. } => (Row::Unwritten, Row::Closed),
                _ => (Row::Unwritten, Row::Open),
            };
            let written = &mut rows[operation.output().clone()];
            if written.iter().any(|row| *row != from) {
                return match from {
                    Row::Open => refuse(
                        "a product added to rows that are data, of a head, unwritten or read",
                        "one added to what an operation has written and none has read",
                    ),
                    _ => refuse("a row that is written twice", "one that is written once"),
                };
            }
            written.fill(to);
            heads += usize::from(to == Row::Closed);
        }
        if heads > 1 {
            return refuse("several heads", "one at most");
        }
        read(&mut rows[self.output.clone()])
    }

    /// `Err` if, in reverse mode, a derivative would be added to rows of which some have one and some none.
    fn check_derivatives(&self) -> Result<()> {
        let mut written = vec![false; self.rows];
        written[self.output.clone()].fill(true);
        for panel in self.operations.iter().rev().flat_map(Operation::reads) {
            let rows = &mut written[panel.clone()];
            if panel.start >= self.input && rows.contains(&true) && rows.contains(&false) {
                return refuse(
                    "a panel of which part is read by later operations or the answer",
                    "one of which they read all or nothing",
                );
            }
            rows.fill(true);
        }
        Ok(())
    }
}

const TAKEN: &str = "the input of an activation or a head that is read elsewhere, too";
const ALONE: &str = "one that nothing else reads";

/// What has been done with a row of the stack.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Row {
    Unwritten,
    /// Of the data: no derivative is asked for.
    Data,
    /// Written: products may be added.
    Open,
    /// Written by a head, whose derivative goes by what it wrote.
    Closed,
    /// Read by what adds its derivative to that of others.
    Read,
    /// Read by what writes its derivative.
    Taken,
}

impl Operation {
    /// The panels that are read, in the order in which reverse mode gives them their derivatives.
    fn reads(&self) -> impl Iterator<Item = &Range<usize>> {
        let (before, input) = match self {
            Operation::Activation { before, input, .. } => (before.as_ref(), input),
            Operation::Affine { input, .. }
            | Operation::Convolution { input, .. }
            | Operation::Head { input, .. } => (None, input),
        };
        before.into_iter().chain([input])
    }

    fn output(&self) -> &Range<usize> {
        match self {
            Operation::Affine { output, .. }
            | Operation::Convolution { output, .. }
            | Operation::Activation { output, .. }
            | Operation::Head { output, .. } => output,
        }
    }

    /// The parameters, of panels that have been checked.
    pub(super) fn parameters(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let from = |start: usize, count: usize| start..start.saturating_add(count);
        let ranges = match self {
            Operation::Affine { weights, bias, input, output, .. } => [
                Some(from(*weights, input.len().saturating_mul(output.len()))),
                bias.map(|bias| from(bias, output.len())),
            ],
            Operation::Convolution { weights, bias, kernel, input, output } => {
                let channels = output.len() / (input.len() + 1 - kernel);
                [
                    Some(from(*weights, channels.saturating_mul(*kernel))),
                    Some(from(*bias, channels)),
                ]
            }
            Operation::Activation { thresholds, relaxation, .. } => [
                Some(thresholds.clone()),
                match relaxation {
                    Relaxation::Learned(eta) => Some(from(*eta, 1)),
                    Relaxation::Fixed(_) => None,
                },
            ],
            Operation::Head { .. } => [None, None],
        };
        ranges.into_iter().flatten()
    }
}

fn refuse(value: &'static str, expected: &'static str) -> Result<()> {
    Err(Error::Unsupported { argument: "plan", value, expected })
}

/// Channels of a convolution.
pub(super) fn channels(
    kernel: usize,
    input: &Range<usize>,
    output: &Range<usize>,
) -> Result<usize> {
    let positions = if kernel == 0 { 0 } else { (input.len() + 1).saturating_sub(kernel) };
    let channels = output.len().checked_div(positions).unwrap_or(0);
    check_len("plan", output.len(), channels * positions, "channels times positions")?;
    Ok(channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prox::NonNegative;

    /// Data 0..2, then panels of two rows; weights of four parameters each.
    fn check(rows: usize, output: Range<usize>, operations: Vec<Operation>) -> Result<()> {
        let mut plan = Plan { rows, output, operations, ..Plan::new(2) };
        plan.activation(&NonNegative);
        plan.check(40)
    }

    fn affine(weights: usize, input: Range<usize>, output: Range<usize>) -> Operation {
        Operation::Affine { weights, bias: None, input, output, accumulate: false }
    }

    fn added(weights: usize, input: Range<usize>, output: Range<usize>) -> Operation {
        Operation::Affine { weights, bias: None, input, output, accumulate: true }
    }

    fn rectified(input: Range<usize>, output: Range<usize>) -> Operation {
        let (activation, thresholds, before) = (0, 0..0, None);
        let relaxation = Relaxation::Fixed(1.0);
        Operation::Activation { activation, thresholds, relaxation, before, input, output }
    }

    fn head(head: Head, input: Range<usize>, output: Range<usize>) -> Operation {
        Operation::Head { head, input, output }
    }

    /// Fails unless it is refused for what is said.
    fn refused(result: Result<()>, what: &str) {
        let message = result.unwrap_err().to_string();
        assert!(message.contains("plan") && message.contains(what), "{message}");
    }

    #[test]
    fn what_can_be_differentiated_is_taken() {
        let z = || affine(0, 0..2, 2..4);
        assert_eq!(check(4, 2..4, vec![z()]), Ok(()));
        // A connection past a layer: an activation's output is read by a product and another added to it.
        let past = vec![
            z(),
            rectified(2..4, 4..6),
            affine(4, 4..6, 6..8),
            added(8, 4..6, 6..8),
            added(12, 0..2, 6..8),
            rectified(6..8, 8..10),
            added(16, 4..6, 8..10),
            head(Head::Softmax, 8..10, 10..12),
        ];
        assert_eq!(check(12, 10..12, past), Ok(()));
        // Data may be read by all.
        let data = vec![rectified(0..2, 2..4), added(0, 0..2, 2..4), rectified(0..2, 4..6)];
        assert_eq!(check(6, 2..4, data), Ok(()));
    }

    #[test]
    fn wrong_gradients_are_refused() {
        let z = || affine(0, 0..2, 2..4);
        let x = || rectified(2..4, 4..6);
        // (a) What an activation or a head takes is not read elsewhere.
        refused(check(8, 6..8, vec![z(), x(), affine(4, 2..4, 6..8)]), "read elsewhere");
        refused(check(8, 4..6, vec![z(), affine(4, 2..4, 6..8), x()]), "read elsewhere");
        refused(check(6, 2..4, vec![z(), x()]), "read elsewhere");
        let normalised = head(Head::Normalised, 2..4, 6..8);
        refused(check(8, 6..8, vec![z(), x(), normalised]), "read elsewhere");
        let kept = Operation::Activation {
            activation: 0,
            thresholds: 0..0,
            relaxation: Relaxation::Fixed(0.5),
            before: Some(2..4),
            input: 2..4,
            output: 4..6,
        };
        refused(check(6, 4..6, vec![z(), kept]), "read elsewhere");
        // (b) A derivative is added to all of a panel or to nothing.
        let part = vec![affine(0, 0..2, 2..5), affine(6, 2..5, 5..7), affine(12, 3..5, 7..9)];
        refused(check(9, 7..9, part), "of which part is read");
        let past = vec![affine(0, 0..2, 2..5), affine(6, 2..4, 5..7), affine(10, 2..5, 7..9)];
        assert_eq!(check(9, 7..9, past.clone()), Ok(()));
        refused(check(9, 3..6, past), "of which part is read");
        // (c) Data have no derivative.
        refused(check(6, 4..6, vec![z(), affine(4, 1..3, 4..6)]), "begins in the data");
        // (d) Sums begin with what was written and end before they are read.
        refused(check(4, 2..4, vec![added(0, 0..2, 2..4)]), "a product added");
        refused(check(4, 2..4, vec![z(), added(4, 2..4, 2..4)]), "a product added");
        refused(check(4, 2..4, vec![added(0, 0..2, 0..2), affine(4, 0..2, 2..4)]), "added");
        refused(check(6, 4..6, vec![z(), affine(4, 2..4, 4..6), added(8, 0..2, 2..4)]), "added");
        let headed = head(Head::Normalised, 2..4, 4..6);
        refused(check(6, 4..6, vec![z(), headed, added(4, 0..2, 4..6)]), "added");
        refused(check(4, 2..4, vec![z(), affine(4, 0..2, 2..4)]), "written twice");
        refused(check(4, 2..4, vec![z(), rectified(2..4, 2..4)]), "written twice");
        refused(check(6, 4..6, vec![affine(0, 2..4, 4..6), affine(4, 0..2, 2..4)]), "read first");
        refused(check(6, 4..6, vec![z()]), "read first");
        // (e) A parameter belongs to one operation.
        refused(check(6, 4..6, vec![z(), affine(3, 2..4, 4..6)]), "two operations");
        let biased = Operation::Affine {
            weights: 0,
            bias: Some(3),
            input: 0..2,
            output: 2..4,
            accumulate: false,
        };
        refused(check(4, 2..4, vec![biased]), "two operations");
        let learned = |thresholds, relaxation| {
            let (activation, before) = (0, None);
            let (input, output) = (2..4, 4..6);
            let relaxation = Relaxation::Learned(relaxation);
            let activation =
                Operation::Activation { activation, thresholds, relaxation, before, input, output };
            check(6, 4..6, vec![z(), activation])
        };
        assert_eq!(learned(4..6, 6), Ok(()));
        assert_eq!(learned(4..5, 39), Ok(()));
        refused(learned(4..7, 7), "activation's output");
        refused(learned(3..5, 6), "two operations");
        refused(learned(4..6, 5), "two operations");
        refused(learned(39..41, 6), "parameters");
        refused(learned(4..6, 40), "parameters");
        // (f) Heads.
        refused(check(6, 4..6, vec![z(), head(Head::Linear, 2..4, 4..6)]), "linear head");
        let two = vec![z(), head(Head::Softmax, 2..4, 4..6), head(Head::Normalised, 4..6, 6..8)];
        refused(check(8, 6..8, two), "several heads");
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        #[expect(clippy::reversed_empty_ranges)]
        let (backwards, empty) = (4..2, 2..2);
        let z = || affine(0, 0..2, 2..4);
        refused(check(4, 2..4, vec![affine(0, 0..2, backwards.clone())]), "ends before");
        refused(check(4, backwards.clone(), vec![z()]), "ends before");
        refused(check(4, empty.clone(), vec![z()]), "empty");
        refused(check(4, 2..4, vec![z(), affine(4, 0..2, empty)]), "empty");
        refused(Plan { rows: 4, output: 2..4, ..Plan::new(0) }.check(0), "empty");
        let mut plan = Plan { rows: 4, output: 2..4, operations: vec![z()], ..Plan::new(2) };
        plan.domains.push((backwards, 0.0..=1.0));
        refused(plan.check(40), "ends before");
        plan.domains = vec![(0..1, 1.0..=f64::NAN)];
        refused(plan.check(40), "interval");
        plan.domains.clear();
        plan.rows = usize::MAX;
        refused(plan.check(40), "rows");
        refused(check(4, 2..4, vec![affine(usize::MAX, 0..2, 2..4)]), "parameters");
        for kernel in [0, 3, usize::MAX] {
            let (input, output) = (0..2, 2..4);
            let bent = Operation::Convolution { weights: 0, bias: 4, kernel, input, output };
            refused(check(4, 2..4, vec![bent]), "channels");
        }
    }
}
