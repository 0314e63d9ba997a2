//! Training and inference on a machine: the same for every one of them.
//!
//! A step is the same list of launches every time: what differs from step to step stands on the device and is found
//! by the number of the step, which the last launch counts up. So a step can be recorded once and repeated.
// Seen from outside through the types of a device, where there is one.
#![cfg_attr(not(any(feature = "wgpu", feature = "cuda")), allow(unreachable_pub))]

use super::activation::Formulas;
use super::cpu::check_samples;
use super::launch::Launch;
use super::lower::{Layout, Lowering};
use super::plan::{DeviceNetwork, Plan};
use super::{Predictor, Stepper};
use crate::error::{Error, Result, check_finite, check_len, check_not_empty, check_range};
use crate::real::Real;
use crate::synthetic::{Resident, TrainingSource, draw};
use crate::train::{Adam, TrainOptions};
use core::fmt;
use core::ops::Range;
use nalgebra::DMatrix;

/// Memory on a device, and what runs there.
pub trait Machine<T: Real> {
    /// Launches made ready.
    type Program;

    /// Writes numbers into the arena.
    fn write(&mut self, at: usize, values: &[T]) -> Result<()>;

    /// Reads them back, after all that was run.
    fn read(&mut self, at: usize, values: &mut [T]) -> Result<()>;

    /// Writes numbers into the samples.
    fn write_data(&mut self, at: usize, values: &[T]) -> Result<()>;

    /// Writes the numbers of the samples of the steps to come, of which the first is step number `step` of the run,
    /// and begins with it.
    fn write_order(&mut self, order: &[u32], step: usize) -> Result<()>;

    /// Makes launches ready.
    fn prepare(&mut self, launches: &[Launch<T>]) -> Result<Self::Program>;

    /// Runs them `times` times; may return before they are done.
    fn run(&mut self, program: &Self::Program, times: usize) -> Result<()>;
}

/// What a machine needs memory for, in numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) arena: Need,
    pub(crate) data: Need,
    pub(crate) order: usize,
}

/// Numbers that are needed whatever the batch, and for each of its samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub(crate) fixed: usize,
    pub(crate) per_sample: usize,
}

impl Need {
    /// For a batch.
    pub(crate) fn total(&self, batch: usize) -> usize {
        self.per_sample.saturating_mul(batch).saturating_add(self.fixed)
    }
}

impl Sizes {
    /// `Err` unless arena and samples hold at most `each` numbers each, and at most `together` between them; names the
    /// size and a batch that fits.
    pub(crate) fn check<T>(
        &self,
        device: &'static str,
        each: usize,
        together: usize,
    ) -> Result<()> {
        let each = each.min(u32::MAX as usize);
        let bytes = |numbers: usize| (numbers as u64).saturating_mul(size_of::<T>() as u64);
        let both = Need {
            fixed: self.arena.fixed.saturating_add(self.data.fixed),
            per_sample: self.arena.per_sample.saturating_add(self.data.per_sample),
        };
        let needs = [
            ("parameters and panels", self.arena, each),
            ("the samples", self.data, each),
            ("parameters, panels and samples", both, together),
        ];
        let fits = |(_, need, most): &(_, Need, usize)| {
            most.saturating_sub(need.fixed) / need.per_sample.max(1)
        };
        let batch = needs.iter().map(fits).min().unwrap_or(0);
        for (what, need, most) in needs {
            let numbers = need.total(self.batch);
            if numbers > most {
                return Err(Error::DeviceMemory {
                    device,
                    what,
                    bytes: bytes(numbers),
                    available: Some(bytes(most)),
                    batch: (batch > 0).then_some(batch),
                });
            }
        }
        Ok(())
    }
}

/// What a driver refuses that was thought to fit.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl Sizes {
    /// The error that says so, and a batch that needs half as much.
    pub(crate) fn refused<T>(&self, device: &'static str) -> Error {
        let bytes = |need: &Need| need.total(self.batch).saturating_mul(size_of::<T>()) as u64;
        let all = bytes(&self.arena).saturating_add(bytes(&self.data));
        let half = (all / 2) as usize / size_of::<T>();
        let left = half.saturating_sub(self.arena.fixed.saturating_add(self.data.fixed));
        let batch = left / (self.arena.per_sample.saturating_add(self.data.per_sample)).max(1);
        Error::DeviceMemory {
            device,
            what: "parameters, panels and samples",
            bytes: all,
            available: None,
            batch: (batch > 0).then_some(batch),
        }
    }
}

/// Opens a machine for these sizes and activations.
pub(crate) trait Open<T: Real> {
    type Machine: Machine<T>;

    fn open(&self, sizes: &Sizes, activations: &[Formulas]) -> Result<Self::Machine>;
}

/// Steps in one run, for which coefficients and losses have room.
const STEPS: usize = 4096;
/// Numbers of the samples that are sent at once, unless a single batch has more.
const SLAB: usize = 4 << 20;

/// A network that answers on a device.
pub struct DevicePredictor<T: Real, M: Machine<T>> {
    plan: Plan,
    layout: Layout,
    machine: M,
    program: M::Program,
    /// Where data to answer stand among the samples.
    staging: usize,
    /// Data of one panel, sample after sample; then its answers, a panel.
    buffer: Vec<T>,
}

impl<T: Real, M: Machine<T>> DevicePredictor<T, M> {
    pub(super) fn new<N: DeviceNetwork<T>>(
        device: &impl Open<T, Machine = M>,
        network: &N,
        batch: usize,
    ) -> Result<Self> {
        check_not_empty("batch", batch, 1)?;
        let Checked { plan, count, .. } = Checked::new(network)?;
        let layout = Layout::new(&plan, count, batch, 0, false, None)?;
        let data = Need { fixed: 0, per_sample: plan.input };
        let sizes = Sizes { batch, arena: layout.need(), data, order: batch };
        let mut machine = device.open(&sizes, &plan.activations)?;
        machine.write(layout.parameters, network.parameters())?;
        let program = prediction(&mut machine, &plan, &layout, 0)?;
        Ok(DevicePredictor { plan, layout, machine, program, staging: 0, buffer: Vec::new() })
    }
}

/// What a network says of itself, asked for once and checked.
struct Checked {
    plan: Plan,
    /// Number of parameters.
    count: usize,
    penalised: Vec<Range<usize>>,
}

impl Checked {
    fn new<T: Real, N: DeviceNetwork<T>>(network: &N) -> Result<Self> {
        let (plan, count, penalised) =
            (network.plan()?, network.parameters().len(), network.penalised());
        plan.check(count)?;
        check_len("plan", plan.input, network.input_len(), "the network's input")?;
        check_len("plan", plan.output.len(), network.output_len(), "the network's output")?;
        for range in &penalised {
            check_range("penalised", range, count, "the network's parameters")?;
        }
        Ok(Checked { plan, count, penalised })
    }
}

/// Data at `staging` to answers.
fn prediction<T: Real, M: Machine<T>>(
    machine: &mut M,
    plan: &Plan,
    layout: &Layout,
    staging: usize,
) -> Result<M::Program> {
    let mut lowering = Lowering::new(plan, layout);
    lowering.gather(staging, plan.input, false);
    lowering.forward();
    machine.prepare(&lowering.launches)
}

impl<T: Real, M: Machine<T>> Predictor<T> for DevicePredictor<T, M> {
    fn predict(&mut self, data: &DMatrix<T>) -> Result<DMatrix<T>> {
        let (m, n, batch) = (self.plan.input, self.plan.output.len(), self.layout.batch);
        check_len("data", data.nrows(), m, "the network's input")?;
        check_finite("data", data.as_slice())?;
        let mut answers = DMatrix::zeros(n, data.ncols());
        let output = self.layout.values + self.plan.output.start * batch;
        self.buffer.resize(n * batch, T::zero());
        let columns = answers.as_mut_slice().chunks_mut(n * batch);
        for (data, answers) in data.as_slice().chunks(m * batch).zip(columns) {
            // Samples of an earlier panel stand behind a panel that is not full.
            self.machine.write_data(self.staging, data)?;
            self.machine.run(&self.program, 1)?;
            self.machine.read(output, &mut self.buffer)?;
            for (b, answer) in answers.chunks_exact_mut(n).enumerate() {
                for (i, a) in answer.iter_mut().enumerate() {
                    *a = self.buffer[i * batch + b];
                }
            }
        }
        Ok(answers)
    }
}

/// A network in training on a device.
pub struct DeviceStepper<'s, T: Real, N, M: Machine<T>> {
    network: N,
    options: TrainOptions,
    predictor: DevicePredictor<T, M>,
    /// Samples of an epoch.
    samples: usize,
    /// Where they do not stay on the device.
    stream: Option<Stream<'s, T>>,
    step: M::Program,
    gradient: M::Program,
    evaluation: M::Program,
    steps: usize,
    /// Steps of the last run, whose losses are still on the device.
    pending: usize,
    /// Sum and number of the losses read and not asked for.
    losses: (f64, usize),
    order: Vec<u32>,
}

/// Samples drawn on this machine for the steps to come.
struct Stream<'s, T> {
    source: &'s dyn TrainingSource<T>,
    data: Vec<T>,
    weights: Vec<T>,
}

impl<T: Real> Stream<'_, T> {
    /// Draws these samples, each `batch` of them for a step of its own, the first for step `first`.
    fn draw(&mut self, first: usize, batch: usize, samples: &[usize]) {
        self.data.resize(samples.len() * self.source.input_len(), T::zero());
        self.weights.resize(samples.len() * self.source.output_len(), T::zero());
        draw(self.source, first, batch, samples, &mut self.data, &mut self.weights);
    }
}

impl<'s, T: Real, N: DeviceNetwork<T>, M: Machine<T>> DeviceStepper<'s, T, N, M> {
    pub(super) fn new(
        device: &impl Open<T, Machine = M>,
        network: N,
        source: &'s dyn TrainingSource<T>,
        options: &TrainOptions,
    ) -> Result<Self> {
        options.validate()?;
        let Checked { plan, count, penalised } = Checked::new(&network)?;
        check_len("data", source.input_len(), plan.input, "the network's input")?;
        check_len("weights", source.output_len(), plan.output.len(), "the network's output")?;
        let (batch, samples, n) = (options.batch, source.epoch_len(), plan.output.len());
        let resident = source.resident();
        let noise = resident.and_then(|Resident { noise, .. }| noise);
        let m = resident.map_or(plan.input, |Resident { set, .. }| set.data().nrows());
        let mut steps = samples.div_ceil(batch).clamp(1, STEPS);
        let data = if resident.is_some() {
            Need { fixed: samples.saturating_mul(m + n), per_sample: plan.input }
        } else {
            // A batch at least; several if they fit into a slab.
            steps = steps.min(SLAB / batch.saturating_mul(m + n)).max(1);
            Need { fixed: 0, per_sample: steps * (m + n) + plan.input }
        };
        let layout = Layout::new(&plan, count, batch, steps, true, noise)?;
        let order = steps.saturating_mul(batch);
        let sizes = Sizes { batch, arena: layout.need(), data, order };
        let mut machine = device.open(&sizes, &plan.activations)?;
        machine.write(layout.parameters, network.parameters())?;
        let places = if resident.is_some() { samples } else { order };
        let weights = places * m;
        let stream = match resident {
            Some(Resident { set, .. }) => {
                machine.write_data(0, set.data().as_slice())?;
                machine.write_data(weights, set.weights().as_slice())?;
                None
            }
            None => Some(Stream { source, data: Vec::new(), weights: Vec::new() }),
        };
        if let Some(noise) = noise {
            layout.write_noise(noise, |at, values| machine.write(at, values))?;
        }

        let programs = [true, false].map(|by_step| {
            let mut lowering = Lowering::new(&plan, &layout);
            lowering.gather(0, m, true);
            if let Some(noise) = noise {
                lowering.noise(noise, by_step);
            }
            lowering.gather_target(weights);
            lowering.forward();
            lowering.loss();
            lowering
        });
        let [mut lowering, mut evaluation] = programs;
        evaluation.launches.push(Launch::Advance);
        lowering.backward(options.l2, &penalised);
        let gradient = machine.prepare(&lowering.launches)?;
        lowering.update(count, options);
        let step = machine.prepare(&lowering.launches)?;
        let evaluation = machine.prepare(&evaluation.launches)?;
        let staging = places * (m + n);
        let program = prediction(&mut machine, &plan, &layout, staging)?;
        let predictor =
            DevicePredictor { plan, layout, machine, program, staging, buffer: Vec::new() };
        Ok(DeviceStepper {
            network,
            options: *options,
            predictor,
            samples,
            stream,
            step,
            gradient,
            evaluation,
            steps: 0,
            pending: 0,
            losses: (0.0, 0),
            order: Vec::new(),
        })
    }

    /// Makes these samples ready on the device, as many batches as it holds at most, the last filled up with the
    /// first sample: each as it is at a step of its own where they are `steps`, else all as at the next step. Reads
    /// the losses of the last run before they are overwritten.
    fn stage(&mut self, samples: &[usize], steps: bool) -> Result<()> {
        let batch = self.options.batch;
        self.order.clear();
        if let Some(stream) = &mut self.stream {
            // While the device works on the steps before.
            stream.draw(self.steps, if steps { batch } else { samples.len() }, samples);
            self.order.extend((0..).take(samples.len()));
        } else {
            self.order.extend(samples.iter().map(|&s| s as u32));
        }
        self.collect()?;
        let DevicePredictor { machine, layout, plan, .. } = &mut self.predictor;
        if let Some(Stream { data, weights, .. }) = &self.stream {
            machine.write_data(0, data)?;
            machine.write_data(layout.steps * batch * plan.input, weights)?;
        }
        self.order.resize(samples.len().next_multiple_of(batch), self.order[0]);
        machine.write_order(&self.order, self.steps)
    }

    /// Reads the losses of the last run.
    fn collect(&mut self) -> Result<()> {
        let (sum, count) = self.read_losses(self.pending)?;
        self.losses.0 += sum;
        self.losses.1 += count;
        self.pending = 0;
        Ok(())
    }

    fn read_losses(&mut self, count: usize) -> Result<(f64, usize)> {
        let mut losses = vec![T::zero(); count];
        let DevicePredictor { machine, layout, .. } = &mut self.predictor;
        if count > 0 {
            machine.read(layout.losses, &mut losses)?;
        }
        Ok((losses.iter().map(|l| l.as_f64()).sum(), count))
    }

    fn check(&self, samples: &[usize]) -> Result<()> {
        check_samples(samples, self.samples)
    }
}

impl<T: Real, N: DeviceNetwork<T>, M: Machine<T>> Predictor<T> for DeviceStepper<'_, T, N, M> {
    fn predict(&mut self, data: &DMatrix<T>) -> Result<DMatrix<T>> {
        self.predictor.predict(data)
    }
}

impl<T: Real, N: DeviceNetwork<T>, M: Machine<T>> Stepper<T, N> for DeviceStepper<'_, T, N, M> {
    fn options(&self) -> &TrainOptions {
        &self.options
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn run(&mut self, order: &[usize]) -> Result<()> {
        self.check(order)?;
        let (batch, capacity) = (self.options.batch, self.predictor.layout.steps);
        let whole = &order[..order.len() / batch * batch];
        for part in whole.chunks(capacity * batch) {
            self.stage(part, true)?;
            let count = part.len() / batch;
            let coefficients: Vec<T> = (0..count).flat_map(|s| self.coefficients(s)).collect();
            let DevicePredictor { machine, layout, .. } = &mut self.predictor;
            machine.write(layout.coefficients, &coefficients)?;
            machine.run(&self.step, count)?;
            self.steps += count;
            self.pending = count;
        }
        Ok(())
    }

    fn loss(&mut self) -> Result<f64> {
        self.collect()?;
        let (sum, count) = core::mem::take(&mut self.losses);
        Ok(sum / count as f64)
    }

    fn evaluate(&mut self, samples: &[usize]) -> Result<f64> {
        check_not_empty("samples", samples.len(), 1)?;
        self.check(samples)?;
        let (batch, capacity) = (self.options.batch, self.predictor.layout.steps);
        let (whole, rest) = samples.split_at(samples.len() / batch * batch);
        let mut total = 0.0;
        for part in whole.chunks(capacity * batch) {
            self.stage(part, false)?;
            let count = part.len() / batch;
            self.predictor.machine.run(&self.evaluation, count)?;
            total += self.read_losses(count)?.0 * batch as f64;
        }
        if !rest.is_empty() {
            self.stage(rest, false)?;
            let mut errors = vec![T::zero(); rest.len()];
            let DevicePredictor { machine, layout, .. } = &mut self.predictor;
            machine.run(&self.evaluation, 1)?;
            machine.read(layout.errors, &mut errors)?;
            total += errors.iter().map(|e| e.as_f64()).sum::<f64>();
        }
        Ok(total / samples.len() as f64)
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [T]) -> Result<f64> {
        check_len("samples", samples.len(), self.options.batch, "a batch")?;
        let count = self.network.parameters().len();
        check_len("gradient", gradient.len(), count, "the network's parameters")?;
        self.check(samples)?;
        self.stage(samples, false)?;
        let DevicePredictor { machine, layout, .. } = &mut self.predictor;
        machine.run(&self.gradient, 1)?;
        machine.read(layout.gradient, gradient)?;
        Ok(self.read_losses(1)?.0)
    }

    fn optimizer(&mut self) -> Result<Adam<T>> {
        let count = self.network.parameters().len();
        let (mut m, mut v) = (vec![T::zero(); count], vec![T::zero(); count]);
        let DevicePredictor { machine, layout, .. } = &mut self.predictor;
        machine.read(layout.m, &mut m)?;
        machine.read(layout.v, &mut v)?;
        Ok(Adam::after(self.options.adam, m, v, self.steps))
    }

    fn restore(&mut self, optimizer: &Adam<T>, steps: usize) -> Result<()> {
        optimizer.check(self.network.parameters().len())?;
        let (m, v) = optimizer.moments();
        let DevicePredictor { machine, layout, .. } = &mut self.predictor;
        machine.write(layout.m, m)?;
        machine.write(layout.v, v)?;
        self.steps = steps;
        Ok(())
    }

    fn network(&mut self) -> Result<&N> {
        let DevicePredictor { machine, layout, .. } = &mut self.predictor;
        machine.read(layout.parameters, self.network.parameters_mut())?;
        Ok(&self.network)
    }

    fn finish(mut self) -> Result<N> {
        self.network()?;
        Ok(self.network)
    }
}

impl<T: Real, N: DeviceNetwork<T>, M: Machine<T>> DeviceStepper<'_, T, N, M> {
    /// Adam's rate and correction `ahead` steps from now.
    fn coefficients(&self, ahead: usize) -> [T; 2] {
        let TrainOptions { adam, learning_rate, schedule, .. } = &self.options;
        let step = self.steps + ahead;
        let rate = learning_rate * schedule.factor(step);
        let t = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let first = 1.0 - adam.beta1.powi(t);
        [T::lit(rate / first), T::lit(1.0 / (1.0 - adam.beta2.powi(t)))]
    }
}

impl<T: Real, M: Machine<T>> fmt::Debug for DevicePredictor<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevicePredictor").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl<T: Real, N, M: Machine<T>> fmt::Debug for DeviceStepper<'_, T, N, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceStepper")
            .field("options", &self.options)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
