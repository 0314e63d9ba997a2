//! Maximum entropy for many data vectors on a CUDA device: a block of threads for each, its whole ladder in one launch.
#![allow(unsafe_code)] // launches of a kernel

use super::machine::{compile, copy};
use super::{Cuda, DEVICE, failed};
use crate::device::Continuation;
use crate::error::{Error, Result};
use crate::maxent::{EntropicDual, FIGURES, ManyDuals, PreparedMaxEnt, Wanted};
use crate::solution::Solution;
use cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute, CUresult};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, DevicePtr, DriverError, LaunchConfig,
    PushKernelArg,
};
use nalgebra::DMatrix;
use std::sync::Arc;

/// Its kernel.
pub(super) const SOURCE: &str = include_str!("maxent.cu");

/// Data vectors in one launch at most: several for every block that a large device holds at a time.
const LARGEST_SLAB: usize = 8192;
/// Bytes of spectra on ladders that this machine keeps of one launch, twice.
const LARGEST_LADDERS: usize = 1 << 29;

/// Vectors over modes, frequencies and rows of priors in a block's shared memory: `OVER_MODES`, `OVER_FREQUENCIES` and
/// `OVER_ROWS` there.
const VECTORS: [usize; 3] = [14, 6, 11];

/// A task that begins at the default model.
const NO_STATE: u32 = u32::MAX;

impl Continuation<f64> for Cuda {
    fn continue_many(
        &self,
        prepared: &PreparedMaxEnt<f64>,
        data: &DMatrix<f64>,
    ) -> Result<Vec<Solution<f64>>> {
        let dual = prepared.entropic_dual()?;
        let function = self.maxent_kernel()?;
        let mut duals = CudaDuals::new(&self.context, function, dual, data.ncols())?;
        prepared.solve_with(&mut duals, data)
    }
}

impl Cuda {
    fn maxent_kernel(&self) -> Result<CudaFunction> {
        if let Some(function) = self.maxent.get() {
            return Ok(function.clone());
        }
        let module = compile(&self.context, SOURCE.into())?;
        let function = module.load_function("maxent");
        let function = function.map_err(|e| failed("loading a kernel")(&e))?;
        // Once, for every size: launches of several threads share it.
        function
            .set_attribute(
                CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                i32::try_from(most_shared(&self.context)?).unwrap_or(i32::MAX),
            )
            .map_err(|e| failed("opening")(&e))?;
        Ok(self.maxent.get_or_init(|| function).clone())
    }
}

/// Bytes of shared memory that a block of the kernel may ask for.
fn most_shared(context: &CudaContext) -> Result<usize> {
    let opening = failed("opening");
    context.bind_to_thread().map_err(|e| opening(&e))?;
    let most = context
        .attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
        .map_err(|e| opening(&e))?;
    // What the kernel takes besides.
    Ok(usize::try_from(most).unwrap_or(0).saturating_sub(1024))
}

/// The duals of a slab of data vectors in a device's memory.
struct CudaDuals<'a> {
    stream: Arc<CudaStream>,
    function: CudaFunction,
    dual: EntropicDual<'a, f64>,
    capacity: usize,
    launch: LaunchConfig,
    /// B, Bᵀ, singular values, default model; of the priors' rows their numbers, targets, numbers by column, RᵀR.
    model: [CudaSlice<f64>; 8],
    /// First columns of rows, rows that columns meet.
    places: [CudaSlice<u32>; 2],
    ladder: CudaSlice<f64>,
    data: CudaSlice<f64>,
    tasks: CudaSlice<u32>,
    /// Of the ladders, every step of every vector.
    figures: CudaSlice<f64>,
    states: CudaSlice<f64>,
    weights: CudaSlice<f64>,
    /// Of what is wanted besides, one a vector.
    alphas: CudaSlice<f64>,
    reached_figures: CudaSlice<f64>,
    reached_states: CudaSlice<f64>,
}

/// Data vectors that a slab holds, of `wanted`: one needs `each` bytes, all of them `fixed`.
fn slab(wanted: usize, fixed: usize, each: usize, free: usize) -> Result<usize> {
    // A device cannot hand out all of its memory: pieces of it are not contiguous.
    let available = free - free / 16;
    let fits = available.saturating_sub(fixed) / each;
    if fits == 0 {
        return Err(Error::DeviceMemory {
            device: DEVICE,
            what: "the kernel and one ladder",
            bytes: (fixed + each) as u64,
            available: Some(available as u64),
            batch: None,
        });
    }
    Ok(wanted.clamp(1, LARGEST_SLAB).min(fits))
}

impl<'a> CudaDuals<'a> {
    fn new(
        context: &Arc<CudaContext>,
        function: CudaFunction,
        dual: EntropicDual<'a, f64>,
        wanted: usize,
    ) -> Result<Self> {
        let opening = failed("opening");
        let (points, modes) = (dual.points, dual.modes);
        let (priors, row) = (&dual.priors, modes | 1);
        let counts = [modes, points, priors.targets.len()];
        let mut doubles: usize = VECTORS.iter().zip(counts).map(|(a, b)| a * b).sum();
        doubles += modes * row;
        if !priors.targets.is_empty() {
            doubles += points * (row + priors.span);
        }
        let shared = doubles * size_of::<f64>();
        let most = most_shared(context)?;
        if shared > most {
            return Err(Error::DeviceMemory {
                device: DEVICE,
                what: "modes and frequencies of one problem, in a block's shared memory,",
                bytes: shared as u64,
                available: Some(most as u64),
                batch: None,
            });
        }
        let (steps, state) = (dual.alphas.len(), dual.state_len);
        let of_priors = 2 * (priors.values.len() + priors.column_values.len()) + priors.gram.len();
        let fixed = dual.rows.len() + dual.columns.len() + modes + points + steps + of_priors;
        let each = modes + 1 + steps * (FIGURES + state + points) + 1 + FIGURES + state + 1;
        let (free, _) = context.mem_get_info().map_err(|e| failed("asking for memory")(&e))?;
        let here = (LARGEST_LADDERS / (8 * steps * points).max(1)).max(1);
        let capacity = slab(wanted.min(here), 8 * fixed, 8 * each, free)?;
        // Memory that others took meanwhile.
        let allocating = |e: &DriverError| match e.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::DeviceMemory {
                device: DEVICE,
                what: "the ladders of as many spectra as seemed to fit",
                bytes: 8 * (fixed + capacity * each) as u64,
                available: None,
                batch: (capacity > 1).then_some(capacity / 2),
            },
            _ => failed("allocating")(e),
        };
        let stream = context.new_stream().map_err(|e| opening(&e))?;
        let numbers = |count: usize| stream.alloc_zeros::<f64>(count).map_err(|e| allocating(&e));
        // Nothing is a place of one zero.
        let upload = |values: &[f64]| {
            let values = if values.is_empty() { &[0.0] } else { values };
            stream.clone_htod(values).map_err(|e| allocating(&e))
        };
        let upload_places = |places: &[u32]| {
            let places = if places.is_empty() { &[0] } else { places };
            stream.clone_htod(places).map_err(|e| allocating(&e))
        };
        let all = capacity * steps;
        Ok(CudaDuals {
            model: [
                upload(dual.rows)?,
                upload(dual.columns)?,
                upload(dual.sigma)?,
                upload(&dual.default)?,
                upload(&priors.values)?,
                upload(&priors.targets)?,
                upload(&priors.column_values)?,
                upload(&priors.gram)?,
            ],
            places: [upload_places(&priors.first)?, upload_places(&priors.meets)?],
            ladder: upload(dual.alphas)?,
            data: numbers(capacity * (modes + 1))?,
            tasks: stream.alloc_zeros(2 * capacity).map_err(|e| allocating(&e))?,
            figures: numbers(all * FIGURES)?,
            states: numbers(all * state)?,
            weights: numbers(all * points)?,
            alphas: numbers(capacity)?,
            reached_figures: numbers(capacity * FIGURES)?,
            reached_states: numbers(capacity * state)?,
            launch: LaunchConfig {
                grid_dim: (1, 1, 1),
                block_dim: (if points <= 128 { 64 } else { 128 }, 1, 1),
                shared_mem_bytes: shared as u32,
            },
            stream,
            function,
            dual,
            capacity,
        })
    }

    /// Has a block for each of `tasks` visit `steps` α: those of the ladder, or one of its own.
    fn launch(&self, tasks: usize, ladder: bool) -> Result<()> {
        let place = |memory: &CudaSlice<f64>| memory.device_ptr(&self.stream).0;
        let [alphas, figures, states, weights] = if ladder {
            [&self.ladder, &self.figures, &self.states, &self.weights].map(place)
        } else {
            let [a, f, s] = [&self.alphas, &self.reached_figures, &self.reached_states].map(place);
            [a, f, s, 0]
        };
        let place_of = |memory: &CudaSlice<u32>| memory.device_ptr(&self.stream).0;
        let mut places: Vec<u64> = self.model.iter().map(place).collect();
        places.extend(self.places.iter().map(place_of));
        places.extend([place(&self.data), place_of(&self.tasks), place(&self.states)]);
        places.extend([alphas, figures, states, weights]);
        let d = &self.dual;
        let steps = if ladder { d.alphas.len() } else { 1 };
        let tolerance = if ladder { d.ladder_tolerance } else { d.tolerance };
        let limit = d.max_iterations.min(u32::MAX as usize);
        let of_priors = [d.priors.targets.len(), d.priors.span, d.priors.across];
        let sizes = [d.points, d.width, d.modes, d.stride].into_iter().chain(of_priors);
        let counts = sizes.chain([steps, usize::from(ladder), limit]).map(|n| n as u32);
        let counts: Vec<u32> = counts.collect();
        let mut builder = self.stream.launch_builder(&self.function);
        places.iter().for_each(|place| {
            builder.arg(place);
        });
        counts.iter().for_each(|count| {
            builder.arg(count);
        });
        builder.arg(&tolerance);
        let launch = LaunchConfig { grid_dim: (tasks as u32, 1, 1), ..self.launch };
        // SAFETY: arguments are in the order of the kernel's; `tasks` are within the capacity for which all memory was
        // allocated, and so are the vectors and states that they name.
        unsafe { builder.launch(launch) }.map_err(|e| failed("launching a kernel")(&e))?;
        Ok(())
    }

    /// Copies the leading numbers to this machine.
    fn read(&self, from: &CudaSlice<f64>, count: usize, to: &mut [f64]) -> Result<()> {
        let reading = failed("reading");
        let view = from.try_slice(..count).ok_or_else(|| reading(&"more than there is"))?;
        self.stream.memcpy_dtoh(&view, to).map_err(|e| reading(&e))
    }

    fn wait(&self) -> Result<()> {
        self.stream.synchronize().map_err(|e| failed("computing")(&e))
    }
}

impl ManyDuals<f64> for CudaDuals<'_> {
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn descend(
        &mut self,
        data: &[f64],
        figures: &mut Vec<f64>,
        weights: &mut Vec<f64>,
    ) -> Result<()> {
        let count = data.len() / (self.dual.modes + 1);
        let tasks: Vec<u32> = (0..count as u32).flat_map(|problem| [problem, NO_STATE]).collect();
        copy(&self.stream, data, &mut self.data, 0)?;
        copy(&self.stream, &tasks, &mut self.tasks, 0)?;
        self.launch(count, true)?;
        let steps = count * self.dual.alphas.len();
        figures.resize(steps * FIGURES, 0.0);
        weights.resize(steps * self.dual.points, 0.0);
        self.read(&self.figures, steps * FIGURES, figures)?;
        self.read(&self.weights, steps * self.dual.points, weights)?;
        self.wait()
    }

    fn reach(
        &mut self,
        wanted: &[Wanted<f64>],
        figures: &mut Vec<f64>,
        states: &mut Vec<f64>,
    ) -> Result<()> {
        let (state, steps) = (self.dual.state_len, self.dual.alphas.len());
        figures.resize(wanted.len() * FIGURES, 0.0);
        states.resize(wanted.len() * state, 0.0);
        let slabs = wanted.chunks(self.capacity);
        let places = figures
            .chunks_mut(self.capacity * FIGURES)
            .zip(states.chunks_mut(self.capacity * state));
        for (wanted, (figures, states)) in slabs.zip(places) {
            let begin = |w: &Wanted<f64>| [w.problem as u32, (w.problem * steps + w.step) as u32];
            let tasks: Vec<u32> = wanted.iter().flat_map(begin).collect();
            let alphas: Vec<f64> = wanted.iter().map(|w| w.alpha).collect();
            copy(&self.stream, &tasks, &mut self.tasks, 0)?;
            copy(&self.stream, &alphas, &mut self.alphas, 0)?;
            self.launch(wanted.len(), false)?;
            self.read(&self.reached_figures, figures.len(), figures)?;
            self.read(&self.reached_states, states.len(), states)?;
            self.wait()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_fit_and_too_little_memory_is_named() {
        assert_eq!(slab(100, 1000, 50, 1 << 20), Ok(100));
        assert_eq!(slab(1_000_000, 1000, 50, 1 << 30), Ok(LARGEST_SLAB));
        // 15/16 of 3200 bytes hold 40 vectors of 50 besides the 1000.
        assert_eq!(slab(100, 1000, 50, 3200), Ok(40));
        assert_eq!(slab(0, 1000, 50, 3200), Ok(1));
        let message = slab(100, 1000, 50, 1100).unwrap_err().to_string();
        assert!(message.contains("1050 bytes") && message.contains("1032"), "{message}");
    }
}
