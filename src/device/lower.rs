//! From a plan to launches: where everything stands in the arena, and forward and reverse mode of each operation.

use super::engine::Need;
use super::launch::{Launch, Matrix, NONE, elementwise};
use super::plan::{Operation, Plan, Relaxation, channels};
use crate::error::Result;
use crate::real::Real;
use crate::synthetic::{Factor, FreshNoise};
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
    /// Partial sums of derivatives by thresholds and relaxations.
    partials: usize,
    /// F of the noise: deviations, or a matrix.
    factor: usize,
    /// Variances of the noise that a front is told.
    variances: usize,
    /// Standard normal numbers, a panel.
    draws: usize,
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
        noise: Option<&FreshNoise>,
    ) -> Result<Self> {
        let mut taps = 0;
        for operation in &plan.operations {
            if let Operation::Convolution { kernel, input, output, .. } = operation {
                let positions = output.len() / channels(*kernel, input, output)?.max(1);
                taps = taps.max(kernel * positions);
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
        let sums = partial_sums(plan, batch).iter().map(|sum| sum.count as usize).sum();
        let partials = take(only(sums));
        let numbers = noise.map_or(0, |noise| noise.factor().numbers().len());
        let factor = take(numbers);
        let variances = take(noise.and_then(FreshNoise::told).map_or(0, <[f64]>::len));
        let mut per_sample = 0_usize;
        let mut panel = |rows: usize| {
            per_sample = per_sample.saturating_add(rows);
            take(rows.saturating_mul(batch))
        };
        let values = panel(plan.rows);
        let deltas = panel(only(plan.rows));
        let target = panel(plan.output.len());
        let (errors, inverse, taps) = (panel(1), panel(1), panel(only(taps)));
        let drawn = match noise.map(FreshNoise::factor) {
            Some(Factor::Full(rows)) => rows.len().isqrt(),
            _ => 0,
        };
        let draws = panel(drawn);
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
            factor,
            variances,
            draws,
            total,
            per_sample,
        })
    }

    /// Hands what the noise is made with to `write`, with its place.
    pub(super) fn write_noise<T: Real>(
        &self,
        noise: &FreshNoise,
        mut write: impl FnMut(usize, &[T]) -> Result<()>,
    ) -> Result<()> {
        let told = noise.told().unwrap_or_default();
        for (at, numbers) in [(self.factor, noise.factor().numbers()), (self.variances, told)] {
            let rounded: Vec<T> = numbers.iter().map(|&v| T::lit(v)).collect();
            write(at, &rounded)?;
        }
        Ok(())
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

    /// The data of a batch, `features` numbers a sample, from `source` of the samples into the first rows.
    pub(super) fn gather(&mut self, source: usize, features: usize, ordered: bool) {
        let (features, to) = (features as u32, self.layout.value(0));
        let batch = self.batch();
        self.push(Launch::Gather { source: source as u32, features, to, batch, ordered });
    }

    /// The noise of a batch, added to its data, and told to the network in their last row: that of a step of its own
    /// for every batch where `by_step`.
    pub(super) fn noise(&mut self, noise: &FreshNoise, by_step: bool) {
        let (layout, batch, key) = (self.layout, self.batch(), noise.key());
        let (to, factor) = (layout.value(0), layout.factor as u32);
        let (least, spread) = noise.range();
        let (least, spread) = (T::lit(least), T::lit(spread));
        // Deviations times the draws, added where the data are; or the draws alone, for a product with F.
        let (full, features) = match noise.factor() {
            Factor::Diagonal(deviations) => (false, deviations.len() as u32),
            Factor::Full(rows) => (true, rows.len().isqrt() as u32),
        };
        let draws = layout.draws as u32;
        self.push(Launch::Noise {
            key,
            to: if full { draws } else { to },
            deviations: if full { NONE } else { factor },
            features,
            batch,
            by_step,
            add: !full,
            least,
            spread,
        });
        if full {
            self.push(Launch::Product {
                m: features,
                n: batch,
                k: features,
                a: Matrix::rows(factor, features),
                b: Matrix::rows(draws, batch),
                c: Matrix::rows(to, batch),
                accumulate: true,
            });
        }
        if noise.told().is_some() {
            let variances = layout.variances as u32;
            self.push(Launch::Tell { key, to, variances, features, batch, by_step, least, spread });
        }
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
                    thresholds,
                    relaxation,
                    before,
                    input,
                    output,
                } => {
                    let before = before.as_ref();
                    let (eta, relaxation) = self.relaxation(relaxation);
                    self.push(Launch::Activate {
                        activation: *activation,
                        z: layout.value(input.start),
                        before: before.map_or(NONE, |before| layout.value(before.start)),
                        out: layout.value(output.start),
                        theta: self.theta(thresholds),
                        span: Segments::new(thresholds, output, layout.batch).span,
                        eta,
                        count: output.len() as u32 * batch,
                        relaxation,
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
        let sums = partial_sums(plan, layout.batch);
        let partial = |parameter: usize| {
            let sum = sums.iter().find(|sum| sum.parameter == parameter);
            sum.map_or(NONE, |sum| layout.partials as u32 + sum.from)
        };
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
                    thresholds,
                    relaxation,
                    before,
                    input,
                    output,
                } => {
                    let Segments { span, length, count: segments } =
                        Segments::new(thresholds, output, layout.batch);
                    let d_theta = match thresholds.len() {
                        0 => NONE,
                        1 => partial(thresholds.start),
                        _ => layout.derivative(thresholds.start),
                    };
                    let d_eta = match relaxation {
                        Relaxation::Learned(eta) => partial(*eta),
                        Relaxation::Fixed(_) => NONE,
                    };
                    let (eta, relaxation) = self.relaxation(relaxation);
                    let theta = self.theta(thresholds);
                    let value = |panel: &Range<usize>| layout.value(panel.start);
                    let d_before = before.as_ref().map(|before| (before, touch(before)));
                    touch(input);
                    self.push(Launch::ActivateBack {
                        activation: *activation,
                        z: value(input),
                        before: before.as_ref().map_or(NONE, value),
                        delta: layout.delta(output.start),
                        d_z: layout.delta(input.start),
                        d_before: d_before.map_or(NONE, |(before, _)| layout.delta(before.start)),
                        add: d_before.is_some_and(|(_, add)| add),
                        theta,
                        span,
                        eta,
                        d_theta,
                        d_eta,
                        segment: length,
                        segments,
                        count: output.len() as u32 * batch,
                        relaxation,
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
        self.sum_partials(&sums);
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

    /// Derivatives from their partial sums: those of neighbours by one launch.
    fn sum_partials(&mut self, sums: &[Partial]) {
        let alike = |a: &Partial, b: &Partial| a.parameter + 1 == b.parameter && a.count == b.count;
        for run in sums.chunk_by(alike) {
            let from = self.layout.partials as u32 + run[0].from;
            let to = self.layout.derivative(run[0].parameter);
            self.sum_rows(from, to, run.len() as u32, run[0].count);
        }
    }

    /// The place of η, and its value where it has none.
    fn relaxation(&self, relaxation: &Relaxation) -> (u32, T) {
        match relaxation {
            Relaxation::Learned(eta) => (self.layout.parameter(*eta), T::zero()),
            Relaxation::Fixed(eta) => (NONE, T::lit(*eta)),
        }
    }

    /// The place of the first θ.
    fn theta(&self, thresholds: &Range<usize>) -> u32 {
        if thresholds.is_empty() { NONE } else { self.layout.parameter(thresholds.start) }
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
        for (range, interval) in &self.plan.domains {
            let (at, count) = (layout.parameter(range.start), range.len() as u32);
            // A device may not know infinity.
            let bound = |bound: f64| T::lit(bound.clamp(f32::MIN.into(), f32::MAX.into()));
            let (least, largest) = (bound(*interval.start()), bound(*interval.end()));
            self.push(Launch::Clamp { at, count, least, largest });
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

/// An activation's panel in runs of `length` elements, `count` of them, each with one θ, which `span` elements share.
struct Segments {
    span: u32,
    length: u32,
    count: u32,
}

impl Segments {
    fn new(thresholds: &Range<usize>, output: &Range<usize>, batch: usize) -> Self {
        // Of what the arena holds, 32 bits are enough.
        let narrow = |numbers: usize| u32::try_from(numbers).unwrap_or(NONE);
        let elements = narrow(output.len().saturating_mul(batch));
        if thresholds.len() > 1 {
            let batch = narrow(batch);
            return Segments { span: batch, length: batch, count: narrow(output.len()) };
        }
        let count = elementwise(elements);
        Segments { span: elements, length: elements.div_ceil(count), count }
    }
}

/// `count` partial sums, from place `from` on, of the derivative by a parameter.
struct Partial {
    parameter: usize,
    from: u32,
    count: u32,
}

/// The sums of the reverse pass that are not whole: by thresholds of whole panels, then by relaxations.
fn partial_sums(plan: &Plan, batch: usize) -> Vec<Partial> {
    let (mut by_theta, mut by_eta) = (Vec::new(), Vec::new());
    for operation in &plan.operations {
        if let Operation::Activation { thresholds, relaxation, output, .. } = operation {
            let Segments { count, .. } = Segments::new(thresholds, output, batch);
            if thresholds.len() == 1 {
                by_theta.push(Partial { parameter: thresholds.start, from: 0, count });
            }
            if let Relaxation::Learned(parameter) = *relaxation {
                by_eta.push(Partial { parameter, from: 0, count });
            }
        }
    }
    by_theta.append(&mut by_eta);
    let mut place = 0_u32;
    for sum in &mut by_theta {
        sum.from = place;
        place = place.saturating_add(sum.count);
    }
    by_theta
}

/// Channels, and positions times samples, of a convolution.
struct Convolved {
    channels: u32,
    long: u32,
}
