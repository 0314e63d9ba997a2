//! Buffers, pipelines and submissions of one network on a wgpu device.

use super::{DEVICE, Shared, ready};
use crate::device::activation::Formulas;
use crate::device::encode::{Encoded, Kernel};
use crate::device::engine::{Machine, Sizes};
use crate::device::launch::Launch;
use crate::error::{Error, Result};
use core::num::NonZeroU64;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of what a launch is told: at most sixteen places, counts and numbers.
const OPERATION: u64 = 64;
/// Launches in one submission, about: enough that submitting costs little, few enough to come back soon.
const SUBMISSION: usize = 1024;
/// Bytes read back at a time.
const READ: u64 = 16 << 20;

/// One network's memory on a device, with the pipelines made so far.
#[derive(Debug)]
pub struct WgpuMachine {
    shared: Arc<Shared>,
    arena: wgpu::Buffer,
    data: wgpu::Buffer,
    order: wgpu::Buffer,
    /// The number of the step in the order, and that of the first in the run: 64 bits.
    counter: wgpu::Buffer,
    /// Where numbers read back land.
    read: wgpu::Buffer,
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
    pipelines: BTreeMap<Kernel, wgpu::ComputePipeline>,
    activations: Vec<Formulas>,
    batch: usize,
}

/// Launches with what they are told on the device.
#[derive(Debug)]
pub struct Program {
    group: wgpu::BindGroup,
    launches: Vec<Ready>,
}

#[derive(Debug)]
struct Ready {
    pipeline: wgpu::ComputePipeline,
    /// Place in the uniform buffer.
    offset: u32,
    groups: (u32, u32),
}

impl WgpuMachine {
    pub(super) fn new(
        shared: &Arc<Shared>,
        sizes: &Sizes,
        activations: &[Formulas],
    ) -> Result<Self> {
        let device = &shared.device;
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC;
        let buffer = |label, numbers: usize, usage| {
            let size = 4 * numbers.max(1) as u64;
            let descriptor = wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            };
            device.create_buffer(&descriptor)
        };
        let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let arena = buffer("arena", sizes.arena.total(sizes.batch), usage);
        let data = buffer("samples", sizes.data.total(sizes.batch), usage);
        let order = buffer("order", sizes.order, usage);
        let counter = buffer("step", 3, usage);
        let landing = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let read = buffer("read", sizes.arena.total(sizes.batch).min((READ / 4) as usize), landing);
        if let Some(Some(_)) = ready(scope.pop()) {
            return Err(sizes.refused::<f32>(DEVICE));
        }
        let storage = |binding, read_only| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let operation = wgpu::BindGroupLayoutEntry {
            binding: 4,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: true,
                min_binding_size: NonZeroU64::new(OPERATION),
            },
            count: None,
        };
        let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &[
                storage(0, false),
                storage(1, true),
                storage(2, true),
                storage(3, false),
                operation,
            ],
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        shared.check("allocating")?;
        Ok(WgpuMachine {
            shared: Arc::clone(shared),
            arena,
            data,
            order,
            counter,
            read,
            bindings,
            layout,
            pipelines: BTreeMap::new(),
            activations: activations.to_vec(),
            batch: sizes.batch,
        })
    }

    /// The pipeline of a kernel, compiled at its first use.
    fn pipeline(&mut self, kernel: Kernel) -> Result<wgpu::ComputePipeline> {
        if let Some(pipeline) = self.pipelines.get(&kernel) {
            return Ok(pipeline.clone());
        }
        let device = &self.shared.device;
        let source = source(kernel, &self.activations);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        self.shared.check("compiling its kernels")?;
        self.pipelines.insert(kernel, pipeline.clone());
        Ok(pipeline)
    }

    /// `Err` if a launch has more groups in a dimension than the device takes; names a batch that fits where the
    /// batch is what makes it large.
    fn check_groups(&self, launch: &Launch<f32>, groups: (u32, u32)) -> Result<()> {
        let most = self.shared.device.limits().max_compute_workgroups_per_dimension;
        if groups.0.max(groups.1) <= most {
            return Ok(());
        }
        // The columns of a product with transposed samples are those of weights.
        let of_batch = !matches!(launch, Launch::Product { b, .. } if b.column != 1);
        let fits = (self.batch as u64 * u64::from(most)).checked_div(u64::from(groups.0));
        let remedy = match fits {
            Some(fits @ 1..) if of_batch && groups.1 <= most => format!("; a batch of {fits} fits"),
            _ => String::new(),
        };
        let (x, y) = groups;
        let reason = format!("{x} x {y} groups of threads, {most} a side are to be had{remedy}");
        Err(Error::DeviceFailed { device: DEVICE, stage: "preparing a step", reason })
    }

    fn failed(stage: &'static str, reason: &dyn core::fmt::Display) -> Error {
        Error::DeviceFailed { device: DEVICE, stage, reason: reason.to_string() }
    }
}

/// The text of a kernel.
fn source(kernel: Kernel, activations: &[Formulas]) -> String {
    const SAMPLES: &str = include_str!("samples.wgsl");
    const PHILOX: &str = include_str!("philox.wgsl");
    let body = match kernel {
        Kernel::Gather => include_str!("gather.wgsl").into(),
        Kernel::Noise => format!("{PHILOX}{}", include_str!("noise.wgsl")),
        Kernel::Tell => format!("{PHILOX}{}", include_str!("tell.wgsl")),
        Kernel::Product => include_str!("product.wgsl").into(),
        Kernel::FillRows => include_str!("fill_rows.wgsl").into(),
        Kernel::SumRows => include_str!("sum_rows.wgsl").into(),
        Kernel::Activate(a) => {
            include_str!("activate.wgsl").replace("VALUE", &activations[a].value)
        }
        Kernel::ActivateBack(a) => include_str!("activate_back.wgsl")
            .replace("VALUE", &activations[a].value)
            .replace("BY_ARGUMENT", &activations[a].by_argument)
            .replace("BY_PARAMETER", &activations[a].by_parameter),
        Kernel::Softmax => format!("{SAMPLES}{}", include_str!("softmax.wgsl")),
        Kernel::Normalise => format!("{SAMPLES}{}", include_str!("normalise.wgsl")),
        Kernel::SoftmaxBack => {
            format!("{SAMPLES}{}", include_str!("head_back.wgsl").replace("HEAD", "a * d"))
        }
        Kernel::NormaliseBack => {
            // A clipped component is the floor over the sum, by the same rounding.
            let slope = "select(d * inverse, T(0), a <= T(1e-9) * inverse)";
            format!("{SAMPLES}{}", include_str!("head_back.wgsl").replace("HEAD", slope))
        }
        Kernel::Loss => format!("{SAMPLES}{}", include_str!("loss.wgsl")),
        Kernel::Overlap => include_str!("overlap.wgsl").into(),
        Kernel::AddScaled => include_str!("add_scaled.wgsl").into(),
        Kernel::Adam => include_str!("adam.wgsl").into(),
        Kernel::Clamp => include_str!("clamp.wgsl").into(),
        Kernel::Advance => include_str!("advance.wgsl").into(),
    };
    format!("{}{body}", include_str!("prelude.wgsl"))
}

impl Machine<f32> for WgpuMachine {
    type Program = Program;

    fn write(&mut self, at: usize, values: &[f32]) -> Result<()> {
        self.shared.queue.write_buffer(&self.arena, 4 * at as u64, bytemuck::cast_slice(values));
        self.shared.check("writing parameters")
    }

    fn write_data(&mut self, at: usize, values: &[f32]) -> Result<()> {
        self.shared.queue.write_buffer(&self.data, 4 * at as u64, bytemuck::cast_slice(values));
        self.shared.check("writing samples")
    }

    fn write_order(&mut self, order: &[u32], step: usize) -> Result<()> {
        self.shared.queue.write_buffer(&self.order, 0, bytemuck::cast_slice(order));
        let (step, queue) = (step as u64, &self.shared.queue);
        let counter = [0, step as u32, (step >> 32) as u32];
        queue.write_buffer(&self.counter, 0, bytemuck::cast_slice(&counter));
        self.shared.check("writing the order of samples")
    }

    fn read(&mut self, at: usize, values: &mut [f32]) -> Result<()> {
        let Shared { device, queue, .. } = &*self.shared;
        let piece = (self.read.size() / 4) as usize;
        for (i, values) in values.chunks_mut(piece).enumerate() {
            let (from, size) = (4 * (at + i * piece) as u64, 4 * values.len() as u64);
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&self.arena, from, &self.read, 0, size);
            queue.submit([encoder.finish()]);
            let (sender, receiver) = std::sync::mpsc::channel();
            self.read.map_async(wgpu::MapMode::Read, 0..size, move |outcome| {
                // The receiver is there until the answer is.
                let _ = sender.send(outcome);
            });
            device
                .poll(wgpu::PollType::wait_indefinitely())
                .map_err(|e| Self::failed("waiting", &e))?;
            self.shared.check("computing")?;
            match receiver.try_recv() {
                Ok(Ok(())) => {}
                Ok(Err(e)) => return Err(Self::failed("reading", &e)),
                Err(e) => return Err(Self::failed("reading", &e)),
            }
            let view =
                self.read.get_mapped_range(0..size).map_err(|e| Self::failed("reading", &e))?;
            values.copy_from_slice(bytemuck::cast_slice(&view));
            drop(view);
            self.read.unmap();
        }
        Ok(())
    }

    fn prepare(&mut self, launches: &[Launch<f32>]) -> Result<Program> {
        let encoded: Vec<Encoded<f32>> = launches.iter().map(Launch::encode).collect();
        for (launch, encoded) in launches.iter().zip(&encoded) {
            self.check_groups(launch, encoded.groups)?;
        }
        let device = self.shared.device.clone();
        let stride = u64::from(device.limits().min_uniform_buffer_offset_alignment).max(OPERATION);
        let mut operations = vec![0_u32; encoded.len() * (stride / 4) as usize];
        let mut ready = Vec::with_capacity(encoded.len());
        let places = operations.chunks_exact_mut((stride / 4) as usize).zip(0_u32..);
        for (Encoded { kernel, words, numbers, groups }, (place, i)) in
            encoded.into_iter().zip(places)
        {
            let told = words.into_iter().chain(numbers.into_iter().map(f32::to_bits));
            place.iter_mut().zip(told).for_each(|(to, word)| *to = word);
            let pipeline = self.pipeline(kernel)?;
            ready.push(Ready { pipeline, offset: i * stride as u32, groups });
        }
        let uniform = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("operations"),
            size: 4 * operations.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.shared.queue.write_buffer(&uniform, 0, bytemuck::cast_slice(&operations));
        let whole = |binding, buffer: &'_ wgpu::Buffer| (binding, buffer.clone());
        let buffers = [
            whole(0, &self.arena),
            whole(1, &self.data),
            whole(2, &self.order),
            whole(3, &self.counter),
        ];
        let mut entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
            .iter()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        entries.push(wgpu::BindGroupEntry {
            binding: 4,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &uniform,
                offset: 0,
                size: NonZeroU64::new(OPERATION),
            }),
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.bindings,
            entries: &entries,
        });
        self.shared.check("preparing a step")?;
        Ok(Program { group, launches: ready })
    }

    fn run(&mut self, program: &Program, times: usize) -> Result<()> {
        let Shared { device, queue, .. } = &*self.shared;
        let together = (SUBMISSION / program.launches.len().max(1)).max(1);
        let mut left = times;
        while left > 0 {
            let steps = left.min(together);
            left -= steps;
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for Ready { pipeline, offset, groups } in
                core::iter::repeat_n(&program.launches, steps).flatten()
            {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, &program.group, &[*offset]);
                pass.dispatch_workgroups(groups.0, groups.1, 1);
            }
            drop(pass);
            queue.submit([encoder.finish()]);
        }
        self.shared.check("computing")
    }
}
