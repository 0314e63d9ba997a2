//! From a plan to launches: where everything stands in the arena, and forward and reverse mode of each operation.

use super::engine::Need;
use super::launch::{Launch, Matrix, NONE, elementwise};
use super::plan::{Operation, Plan, channels};
use crate::error::Result;
use crate::real::Real;
use crate::train::TrainOptions;
use core::ops::Range;

/// Places in the arena, for batches of `batch` samples and runs of at most `steps` steps.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) batch: usize,
    pub(super) steps: usize,
    /// Number of parameters.
    count: usize,
    pub(super) parameters: usize,
    pub(super) gradient: usize,
    pub(super) m: usize,
    pub(super) v: usize,
    /// Rate and correction of Adam, step by step.
    pub(super) coefficients: usize,
    /// Mean loss, step by step.
    pub(super) losses: usize,
    /// The stack of panels.
    pub(super) values: usize,
    /// Its derivatives.
    deltas: usize,
    /// ã.
    target: usize,
    /// ‖a − ã‖ of every sample.
    pub(super) errors: usize,
    /// 1/Σ of a head, of every sample.
    inverse: usize,
    /// A convolution's derivatives by tap.
    taps: usize,
    /// Partial sums of ∂L/∂θ of all activations with one.
    partials: usize,
    /// Partial sums of each.
    groups: usize,
    /// All numbers.
    total: usize,
    /// Of these, what every further sample of a batch adds.
    per_sample: usize,
}

impl Layout {
    /// For `count` parameters; a layout for inference alone has no gradient, moments, derivatives or partial sums.
    pub(super) fn new(
        plan: &Plan,
        count: usize,
        batch: usize,
        steps: usize,
        training: bool,
    ) -> Result<Self> {
        let mut taps = 0;
        let (mut thetas, mut widest) = (0, 0);
        for operation in &plan.operations {
            match operation {
                Operation::Convolution { kernel, input, output, .. } => {
                    let positions = output.len() / channels(*kernel, input, output)?.max(1);
                    taps = taps.max(kernel * positions);
                }
                Operation::Activation { parameter: Some(_), output, .. } => {
                    thetas += 1;
                    widest = widest.max(output.len());
                }
                _ => {}
            }
        }
        let mut total = 0_usize;
        let mut take = |numbers: usize| {
            let place = total;
            total = total.saturating_add(numbers);
            place
        };
        let only = |numbers: usize| if training { numbers } else { 0 };
        let parameters = take(count);
        let (gradient, m, v) = (take(only(count)), take(only(count)), take(only(count)));
        let (coefficients, losses) = (take(2 * steps), take(steps));
        let groups = elementwise(u32::try_from(widest.saturating_mul(batch)).unwrap_or(NONE));
        let partials = take(only(thetas * groups as usize));
        let mut per_sample = 0_usize;
        let mut panel = |rows: usize| {
            per_sample = per_sample.saturating_add(rows);
            take(rows.saturating_mul(batch))
        };
        let values = panel(plan.rows);
        let deltas = panel(only(plan.rows));
        let target = panel(plan.output.len());
        let (errors, inverse, taps) = (panel(1), panel(1), panel(only(taps)));
        Ok(Layout {
            batch,
            steps,
            count,
            parameters,
            gradient,
            m,
            v,
            coefficients,
            losses,
            values,
            deltas,
            target,
            errors,
            inverse,
            taps,
            partials,
            groups: groups as usize,
            total,
            per_sample,
        })
    }

    /// What it takes of a device.
    pub(super) fn need(&self) -> Need {
        let panels = self.per_sample.saturating_mul(self.batch);
        Need { fixed: self.total.saturating_sub(panels), per_sample: self.per_sample }
    }

    fn value(&self, row: usize) -> u32 {
        (self.values + row * self.batch) as u32
    }

    fn delta(&self, row: usize) -> u32 {
        (self.deltas + row * self.batch) as u32
    }

    fn parameter(&self, index: usize) -> u32 {
        (self.parameters + index) as u32
    }

    fn derivative(&self, index: usize) -> u32 {
        (self.gradient + index) as u32
    }

    /// Rows of a panel of `rows` numbers a sample.
    fn panel(&self, at: u32, columns: usize) -> Matrix {
        Matrix::rows(at, columns as u32)
    }
}

/// Writes launches for one plan and layout. Places fit into 32 bits: the arena was checked.
pub(super) struct Lowering<'a, T> {
    pub(super) plan: &'a Plan,
    pub(super) layout: &'a Layout,
    pub(super) launches: Vec<Launch<T>>,
}

impl<'a, T: Real> Lowering<'a, T> {
    pub(super) fn new(plan: &'a Plan, layout: &'a Layout) -> Self {
        Lowering { plan, layout, launches: Vec::new() }
    }

    fn push(&mut self, launch: Launch<T>) {
        self.launches.push(launch);
    }

    fn batch(&self) -> u32 {
        self.layout.batch as u32
    }

    /// The data of a batch from `source` of the samples into the first rows.
    pub(super) fn gather(&mut self, source: usize, ordered: bool) {
        let (features, to) = (self.plan.input as u32, self.layout.value(0));
        let batch = self.batch();
        self.push(Launch::Gather { source: source as u32, features, to, batch, ordered });
    }

    /// Its weights from `source`.
    pub(super) fn gather_target(&mut self, source: usize) {
        let features = self.plan.output.len() as u32;
        let (source, to, batch) = (source as u32, self.layout.target as u32, self.batch());
        self.push(Launch::Gather { source, features, to, batch, ordered: true });
    }

    /// The forward pass.
    pub(super) fn forward(&mut self) {
        let (plan, layout, batch) = (self.plan, self.layout, self.batch());
        for operation in &plan.operations {
            match operation {
                Operation::Affine { weights, bias, input, output, accumulate } => {
                    let out = layout.value(output.start);
                    if let Some(bias) = bias {
                        self.push(Launch::FillRows {
                            from: layout.parameter(*bias),
                            to: out,
                            rows: output.len() as u32,
                            columns: batch,
                        });
                    }
                    self.push(Launch::Product {
                        m: output.len() as u32,
                        n: batch,
                        k: input.len() as u32,
                        a: Matrix::rows(layout.parameter(*weights), input.len() as u32),
                        b: layout.panel(layout.value(input.start), layout.batch),
                        c: layout.panel(out, layout.batch),
                        accumulate: *accumulate || bias.is_some(),
                    });
                }
                Operation::Convolution { weights, bias, kernel, input, output } => {
                    let Convolved { channels, long } = self.convolved(*kernel, input, output);
                    let out = layout.value(output.start);
                    self.push(Launch::FillRows {
                        from: layout.parameter(*bias),
                        to: out,
                        rows: channels,
                        columns: long,
                    });
                    self.push(Launch::Product {
                        m: channels,
                        n: long,
                        k: *kernel as u32,
                        a: Matrix::rows(layout.parameter(*weights), *kernel as u32),
                        // Row k is the signal from its row k on: rows that overlap.
                        b: layout.panel(layout.value(input.start), layout.batch),
                        c: Matrix::rows(out, long),
                        accumulate: true,
                    });
                }
                Operation::Activation {
                    activation,
                    parameter,
                    relaxation,
                    before,
                    input,
                    output,
                } => {
                    let before = before.as_ref();
                    self.push(Launch::Activate {
                        activation: *activation,
                        z: layout.value(input.start),
                        before: before.map_or(NONE, |before| layout.value(before.start)),
                        out: layout.value(output.start),
                        theta: parameter.map_or(NONE, |theta| layout.parameter(theta)),
                        count: output.len() as u32 * batch,
                        relaxation: T::lit(*relaxation),
                    });
                }
                Operation::Head { head, input, output } => self.push(Launch::HeadForward {
                    head: *head,
                    z: layout.value(input.start),
                    out: layout.value(output.start),
                    inverse: layout.inverse as u32,
                    rows: output.len() as u32,
                    batch,
                }),
            }
        }
    }

    /// Mean loss of a step, and ∂L/∂a of the mean.
    pub(super) fn loss(&mut self) {
        let (layout, batch, output) = (self.layout, self.batch(), self.plan.output.clone());
        let scale = T::lit(1.0 / layout.batch as f64);
        let errors = layout.errors as u32;
        self.push(Launch::Loss {
            out: layout.value(output.start),
            target: layout.target as u32,
            delta: layout.delta(output.start),
            errors,
            rows: output.len() as u32,
            batch,
            scale,
        });
        let to = layout.losses as u32;
        self.push(Launch::SumRows {
            from: errors,
            to,
            rows: 1,
            columns: batch,
            by_step: true,
            scale,
        });
    }

    /// Reverse mode after forward pass and loss; with the ℓ² penalty on `penalised` parameters.
    pub(super) fn backward(&mut self, l2: f64, penalised: &[Range<usize>]) {
        let (plan, layout, batch) = (self.plan, self.layout, self.batch());
        // Rows whose derivative has been written: further ones are added.
        let mut written = vec![false; plan.rows];
        let mut touch = |rows: &Range<usize>| {
            let add = written[rows.clone()].iter().any(|&w| w);
            written[rows.clone()].fill(true);
            add
        };
        touch(&plan.output);
        let parameter = |operation: &Operation| match operation {
            Operation::Activation { parameter, .. } => *parameter,
            _ => None,
        };
        let thetas: Vec<usize> = plan.operations.iter().filter_map(parameter).collect();
        let mut from = layout.partials as u32 + (thetas.len() * layout.groups) as u32;
        for operation in plan.operations.iter().rev() {
            match operation {
                Operation::Affine { weights, bias, input, output, .. } => {
                    let (rows, columns) = (output.len() as u32, input.len() as u32);
                    let delta = layout.panel(layout.delta(output.start), layout.batch);
                    let x = layout.panel(layout.value(input.start), layout.batch);
                    self.push(Launch::Product {
                        m: rows,
                        n: columns,
                        k: batch,
                        a: delta,
                        b: x.transposed(),
                        c: Matrix::rows(layout.derivative(*weights), columns),
                        accumulate: false,
                    });
                    if let Some(bias) = bias {
                        self.sum_rows(delta.at, layout.derivative(*bias), rows, batch);
                    }
                    if input.start >= plan.input {
                        let accumulate = touch(input);
                        self.push(Launch::Product {
                            m: columns,
                            n: batch,
                            k: rows,
                            a: Matrix::rows(layout.parameter(*weights), columns).transposed(),
                            b: delta,
                            c: layout.panel(layout.delta(input.start), layout.batch),
                            accumulate,
                        });
                    }
                }
                Operation::Convolution { weights, bias, kernel, input, output } => {
                    let Convolved { channels, long } = self.convolved(*kernel, input, output);
                    let taps_count = *kernel as u32;
                    let delta = Matrix::rows(layout.delta(output.start), long);
                    let x = layout.panel(layout.value(input.start), layout.batch);
                    self.push(Launch::Product {
                        m: channels,
                        n: taps_count,
                        k: long,
                        a: delta,
                        b: x.transposed(),
                        c: Matrix::rows(layout.derivative(*weights), taps_count),
                        accumulate: false,
                    });
                    self.sum_rows(delta.at, layout.derivative(*bias), channels, long);
                    if input.start >= plan.input {
                        let taps = layout.taps as u32;
                        self.push(Launch::Product {
                            m: taps_count,
                            n: long,
                            k: channels,
                            a: Matrix::rows(layout.parameter(*weights), taps_count).transposed(),
                            b: delta,
                            c: Matrix::rows(taps, long),
                            accumulate: false,
                        });
                        let (to, positions) = (layout.delta(input.start), long / batch);
                        let add = touch(input);
                        self.push(Launch::Overlap {
                            taps,
                            to,
                            kernel: taps_count,
                            positions,
                            batch,
                            add,
                        });
                    }
                }
                Operation::Activation {
                    activation,
                    parameter,
                    relaxation,
                    before,
                    input,
                    output,
                } => {
                    let count = output.len() as u32 * batch;
                    let groups =
                        if parameter.is_some() { layout.groups as u32 } else { elementwise(count) };
                    if parameter.is_some() {
                        from -= groups;
                    }
                    let d_before = before.as_ref().map(|before| (before, touch(before)));
                    touch(input);
                    self.push(Launch::ActivateBack {
                        activation: *activation,
                        z: layout.value(input.start),
                        delta: layout.delta(output.start),
                        d_z: layout.delta(input.start),
                        d_before: d_before.map_or(NONE, |(before, _)| layout.delta(before.start)),
                        add: d_before.is_some_and(|(_, add)| add),
                        theta: parameter.map_or(NONE, |theta| layout.parameter(theta)),
                        partials: if parameter.is_some() { from } else { NONE },
                        groups,
                        count,
                        relaxation: T::lit(*relaxation),
                    });
                }
                Operation::Head { head, input, output } => {
                    touch(input);
                    self.push(Launch::HeadBack {
                        head: *head,
                        out: layout.value(output.start),
                        delta: layout.delta(output.start),
                        d_z: layout.delta(input.start),
                        inverse: layout.inverse as u32,
                        rows: output.len() as u32,
                        batch,
                    });
                }
            }
        }
        self.sum_partials(&thetas);
        if l2 > 0.0 {
            self.penalise(l2, penalised);
        }
    }

    /// The gradient of the ℓ² penalty on ranges of the parameters, added where an operation has written;
    /// parameters of none have no other.
    fn penalise(&mut self, l2: f64, penalised: &[Range<usize>]) {
        let mut written = vec![false; self.layout.count];
        for range in self.plan.operations.iter().flat_map(Operation::parameters) {
            written[range].fill(true);
        }
        for range in penalised {
            let mut start = range.start;
            for run in written[range.clone()].chunk_by(|a, b| a == b) {
                self.push(Launch::AddScaled {
                    from: self.layout.parameter(start),
                    to: self.layout.derivative(start),
                    count: run.len() as u32,
                    add: run[0],
                    factor: T::lit(2.0 * l2),
                });
                start += run.len();
            }
        }
    }

    /// ∂L/∂θ from the partial sums of all activations, of which `thetas` are the parameters in the order of
    /// the forward pass: a run of neighbours is summed by one launch.
    fn sum_partials(&mut self, thetas: &[usize]) {
        let (groups, mut from) = (self.layout.groups as u32, self.layout.partials as u32);
        for run in thetas.chunk_by(|a, b| a + 1 == *b) {
            let rows = run.len() as u32;
            self.sum_rows(from, self.layout.derivative(run[0]), rows, groups);
            from += rows * groups;
        }
    }

    /// Adam, the return of parameters to their domain, and the next step.
    pub(super) fn update(&mut self, count: usize, options: &TrainOptions) {
        let layout = self.layout;
        self.push(Launch::Adam {
            parameters: layout.parameters as u32,
            gradient: layout.gradient as u32,
            m: layout.m as u32,
            v: layout.v as u32,
            count: count as u32,
            coefficients: layout.coefficients as u32,
            losses: layout.losses as u32,
            beta1: T::lit(options.adam.beta1),
            beta2: T::lit(options.adam.beta2),
            epsilon: T::lit(options.adam.epsilon),
        });
        for range in &self.plan.nonnegative {
            let (at, count) = (layout.parameter(range.start), range.len() as u32);
            self.push(Launch::Project { at, count });
        }
        self.push(Launch::Advance);
    }

    fn sum_rows(&mut self, from: u32, to: u32, rows: u32, columns: u32) {
        let scale = T::one();
        self.push(Launch::SumRows { from, to, rows, columns, by_step: false, scale });
    }

    /// The lengths of a convolution, which has been checked.
    fn convolved(&self, kernel: usize, input: &Range<usize>, output: &Range<usize>) -> Convolved {
        let positions = input.len() + 1 - kernel;
        Convolved {
            channels: (output.len() / positions) as u32,
            long: (positions * self.layout.batch) as u32,
        }
    }
}

/// Channels, and positions times samples, of a convolution.
struct Convolved {
    channels: u32,
    long: u32,
}
