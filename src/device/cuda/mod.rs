//! NVIDIA devices, in `f32` and `f64`: cuBLAS for products, kernels compiled at run time for the rest, a step recorded
//! once as a CUDA graph. Maximum entropy for many spectra, in `f64`: one kernel that walks whole ladders of α.
//!
//! **This backend has not run on a GPU yet.** What is known of it: its kernels compile for the H100 (`sm_90`) with NVRTC
//! 12.9 and 13.5 in both precisions; it passes its battery on an emulated driver, which carries out its calls on the
//! processor (`tests/cuda_emulator`); and it refuses as documented where there is no driver. Speed, races between blocks
//! and a real driver's graphs are unknown. Where there is a GPU, `cargo test --features cuda --lib -- --ignored
//! cuda::tests::it_agrees` holds it against the crate's own engine.
//!
//! The driver, cuBLAS and NVRTC are looked for at run time: nothing of CUDA is needed to build, lint or document.

mod machine;
mod maxent;
mod source;
#[cfg(test)]
mod tests;

use super::engine::{DevicePredictor, DeviceStepper, Open, Sizes};
use super::plan::DeviceNetwork;
use super::{Backend, Formulas};
use crate::error::{Error, Result};
use crate::synthetic::TrainingSource;
use crate::train::TrainOptions;
use core::fmt;
use cudarc::driver::{CudaContext, CudaFunction};
use machine::{CudaMachine, Number, WORKSPACE};
use std::sync::{Arc, OnceLock};

/// The backend's name in errors.
const DEVICE: &str = "CUDA";

/// An NVIDIA device: training and inference in `f32` and `f64` of every network with a [`Plan`](crate::Plan).
///
/// Products in `f32` are true `f32`: the tensor cores' shorter TF32 is not used.
///
/// Maximum entropy ([`Continuation`](crate::Continuation)) in `f64` alone: Skilling's entropy with any default model, rule
/// for α and preblur, a kinetic prior, and others that are quadratic with rows of at most eight frequencies. The ladders are walked there, a block of threads for each spectrum, and their figures (χ², N_good,
/// gaps) are the device's. The rule is asked here, and each answer is this machine's, from the device's dual: so its
/// certificate does not rest on the device. What the device does not converge for is solved here, as what
/// [`PreparedMaxEnt::solve_many`](crate::PreparedMaxEnt::solve_many) finds for it. Other priors and
/// entropies, a kinetic weight chosen from the data and a fixed norm are [`Error::Unsupported`]; modes and frequencies of
/// which one problem does not fit a block's shared memory (227 kB: with 400 frequencies 140 modes, 45 with a kinetic
/// prior) are [`Error::DeviceMemory`].
///
/// ```no_run
/// use fredholm::*;
/// # fn run(prepared: &PreparedMaxEnt<f64>, data: &nalgebra::DMatrix<f64>) -> Result<()> {
/// let answers: Vec<Solution<f64>> = Cuda::try_new(0)?.continue_many(prepared, data)?;
/// # Ok(()) }
/// ```
///
/// There is no such implementation for `f32`; this does not compile:
///
/// ```compile_fail
/// use fredholm::*;
/// # fn run(prepared: &PreparedMaxEnt<f32>, data: &nalgebra::DMatrix<f32>) -> Result<()> {
/// let answers: Vec<Solution<f32>> = Cuda::try_new(0)?.continue_many(prepared, data)?;
/// # Ok(()) }
/// ```
///
/// **Not yet run on a GPU**: see [`Cuda::try_new`] for what it needs, and compare with [`Cpu`](crate::Cpu) before you
/// rely on it.
#[derive(Clone)]
pub struct Cuda {
    context: Arc<CudaContext>,
    name: String,
    /// The kernel of maximum entropy, once it is asked for.
    maxent: Arc<OnceLock<CudaFunction>>,
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cuda").field(&self.name).finish()
    }
}

/// What a driver's or library's error becomes.
fn failed(stage: &'static str) -> impl Fn(&dyn fmt::Display) -> Error {
    move |reason| Error::DeviceFailed { device: DEVICE, stage, reason: reason.to_string() }
}

impl Cuda {
    /// Device number `ordinal`, 0 being the first.
    ///
    /// ```no_run
    /// use fredholm::*;
    /// # fn run(network: &Rlista<f64>, data: &nalgebra::DMatrix<f64>) -> Result<()> {
    /// let device = Cuda::try_new(0)?;
    /// let answers = device.predictor(network, 1000)?.predict(data)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoDevice`] naming the library that was not found (the driver's `libcuda`, `libcublas`, `libnvrtc`) and
    /// how to get it, or without a device of this number.
    pub fn try_new(ordinal: usize) -> Result<Self> {
        let missing = |missing: String, remedy| Error::NoDevice { device: DEVICE, missing, remedy };
        machine::libraries(&missing)?;
        let count = CudaContext::device_count().map_err(|e| {
            missing(e.to_string(), "see whether `nvidia-smi` finds driver and device")
        })?;
        if usize::try_from(count).unwrap_or(0) <= ordinal {
            let found = format!("device {ordinal} of {count}");
            return Err(missing(found, "see `nvidia-smi -L` for the devices there are"));
        }
        let open = |e: &dyn fmt::Display| failed("opening")(e);
        let context = CudaContext::new(ordinal).map_err(|e| open(&e))?;
        machine::use_one_stream(&context);
        let name = context.name().map_err(|e| open(&e))?;
        Ok(Cuda { context, name: format!("CUDA ({name})"), maxent: Arc::default() })
    }
}

impl<T: Number> Open<T> for Cuda {
    type Machine = CudaMachine<T>;

    fn open(&self, sizes: &Sizes, activations: &[Formulas]) -> Result<CudaMachine<T>> {
        let (free, _) = self.context.mem_get_info().map_err(|e| failed("asking for memory")(&e))?;
        let others = sizes.order.saturating_mul(4).saturating_add(WORKSPACE);
        sizes.check::<T>(DEVICE, usize::MAX, free.saturating_sub(others) / size_of::<T>())?;
        CudaMachine::new(&self.context, sizes, activations)
    }
}

impl<T: Number, N: DeviceNetwork<T>> Backend<T, N> for Cuda {
    type Stepper<'s> = DeviceStepper<'s, T, N, CudaMachine<T>>;
    type Predictor<'n>
        = DevicePredictor<T, CudaMachine<T>>
    where
        N: 'n;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn stepper<'s>(
        &self,
        network: N,
        source: &'s dyn TrainingSource<T>,
        options: &TrainOptions,
    ) -> Result<Self::Stepper<'s>> {
        DeviceStepper::new(self, network, source, options)
    }

    fn predictor<'n>(&self, network: &'n N, batch: usize) -> Result<Self::Predictor<'n>>
    where
        N: 'n,
    {
        DevicePredictor::new(self, network, batch)
    }
}
