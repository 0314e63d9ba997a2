//! Devices reached by wgpu: Vulkan, Metal or DirectX 12, in `f32`.
//!
//! Kernels are WGSL, compiled by the driver when a network is uploaded. All of them see the same five bindings: the
//! arena, the samples, their order, the number of the step, and what the launch is told, an element of a uniform buffer
//! that holds those of a whole step. Many steps are one submission.
//!
//! How much memory there is, the interface does not say: buffers that the driver refuses, though each is of a size the
//! device takes, are an [`Error::DeviceMemory`] with a batch that needs half as much.

mod machine;

use super::engine::{DevicePredictor, DeviceStepper, Open, Sizes};
use super::plan::DeviceNetwork;
use super::{Backend, Formulas};
use crate::error::{Error, Result};
use crate::synthetic::TrainingSource;
use crate::train::TrainOptions;
use core::fmt;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use machine::WgpuMachine;
use std::sync::{Arc, Mutex, PoisonError};

/// The backend's name in errors.
const DEVICE: &str = "wgpu";

/// A device of the operating system's graphics interface: training and inference in `f32` of every network with a
/// [`Plan`](crate::Plan).
///
/// Products are tiled in the device's shared memory, sums are added in a fixed order, so a device repeats its bits;
/// another one rounds differently. A tile is summed by one group over the whole depth: the gradients of weights, whose
/// depth is the batch (times the positions of a convolution), are `f32` sums of that length, slow where the batch is
/// large and the weights are few.
///
/// There is no `f64` on most of these devices, so `Wgpu` is a backend for `f32`
/// alone:
///
/// ```compile_fail,E0277
/// # use fredholm::*;
/// fn double(device: &Wgpu, network: &Rlista<f64>) {
///     let _ = Backend::<f64, _>::predictor(device, network, 256);
/// }
/// ```
#[derive(Clone)]
pub struct Wgpu {
    shared: Arc<Shared>,
}

/// What machines of one device share.
#[derive(Debug)]
struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    name: String,
    /// The first error the driver told since it was last asked.
    error: Arc<Mutex<Option<String>>>,
}

impl Shared {
    /// `Err` if the driver complained.
    fn check(&self, stage: &'static str) -> Result<()> {
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(()),
            Some(reason) => Err(Error::DeviceFailed { device: DEVICE, stage, reason }),
        }
    }
}

impl fmt::Debug for Wgpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wgpu").field(&self.shared.name).finish()
    }
}

#[cfg(test)]
mod tests;

/// The output of a future that is ready at once, as those of native drivers are.
fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// What to do where there is no adapter.
const REMEDY: &str = "install the graphics driver, or Mesa's software device (mesa-vulkan-drivers)";

impl Wgpu {
    /// The fastest device the system offers; a software device if there is no other.
    ///
    /// ```no_run
    /// use fredholm::*;
    /// # fn run(network: Rlista<f32>, set: &TrainingSet<f32>) -> Result<()> {
    /// # let mut rng = <rand::rngs::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
    /// let device = Wgpu::try_new()?;
    /// let options = TrainOptions::default();
    /// let (network, report) = train_on(&device, network, set, None, &options, &mut rng, |_| {
    ///     std::ops::ControlFlow::Continue(())
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoDevice`] without an adapter, saying what to install; [`Error::DeviceFailed`] where its driver
    /// refuses.
    pub fn try_new() -> Result<Self> {
        let missing = |missing: String| Error::NoDevice { device: DEVICE, missing, remedy: REMEDY };
        if wgpu::Instance::enabled_backend_features().is_empty() {
            return Err(missing("no driver interface on this platform".into()));
        }
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = ready(instance.request_adapter(&options))
            .ok_or_else(|| missing("the driver does not answer".into()))?
            .map_err(|e| missing(e.to_string()))?;
        let info = adapter.get_info();
        let refused = |reason| Error::DeviceFailed { device: DEVICE, stage: "opening", reason };
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = ready(adapter.request_device(&descriptor))
            .ok_or_else(|| refused("the driver does not answer".into()))?
            .map_err(|e| refused(e.to_string()))?;
        let error = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&error);
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            slot.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e.to_string());
        }));
        let name = format!("wgpu ({}, {:?})", info.name, info.backend);
        Ok(Wgpu { shared: Arc::new(Shared { device, queue, name, error }) })
    }
}

impl Open<f32> for Wgpu {
    type Machine = WgpuMachine;

    fn open(&self, sizes: &Sizes, activations: &[Formulas]) -> Result<WgpuMachine> {
        let limits = self.shared.device.limits();
        let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let most = usize::try_from(most / 4).unwrap_or(usize::MAX);
        // What there is in all, the interface does not say.
        sizes.check::<f32>(DEVICE, most, usize::MAX)?;
        WgpuMachine::new(&self.shared, sizes, activations)
    }
}

impl<N: DeviceNetwork<f32>> Backend<f32, N> for Wgpu {
    type Stepper<'s> = DeviceStepper<'s, f32, N, WgpuMachine>;
    type Predictor<'n>
        = DevicePredictor<f32, WgpuMachine>
    where
        N: 'n;

    fn name(&self) -> String {
        self.shared.name.clone()
    }

    fn stepper<'s>(
        &self,
        network: N,
        source: &'s dyn TrainingSource<f32>,
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
