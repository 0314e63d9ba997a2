//! Memory, kernels, products and graphs of one network on a CUDA device.
#![allow(unsafe_code)] // calls of the driver's and cuBLAS's C interfaces

use super::source::{entry, source};
use super::{DEVICE, failed};
use crate::device::activation::Formulas;
use crate::device::encode::{Encoded, Kernel};
use crate::device::engine::{Machine, Sizes};
use crate::device::launch::{GROUP, Launch, Matrix};
use crate::error::{Error, Result};
use crate::real::Real;
use core::ffi::c_int;
use core::fmt;
use cudarc::cublas::{self, CudaBlas, sys::cublasOperation_t};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaModule, CudaSlice, CudaStream, DevicePtr, DeviceRepr,
    DriverError, LaunchConfig, PushKernelArg, ValidAsZeroBits,
};
use cudarc::nvrtc;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes lent to cuBLAS, so that it takes none while a graph is recorded.
pub(super) const WORKSPACE: usize = 32 << 20;

/// The arguments of a product that are not its sizes: one matrix.
type Operand = (cublasOperation_t, u64, c_int);

/// A launch with what its kernel is told.
type Ready<T> = (Launch<T>, Encoded<T>, CudaFunction);

/// A scalar that CUDA and cuBLAS know.
pub trait Number: Real + DeviceRepr + ValidAsZeroBits + Unpin {
    /// Its name in C.
    const NAME: &'static str;

    /// C = A B + β C for column-major matrices on the device: n × k times k × m.
    ///
    /// # Safety
    /// Places must lie in live device memory, with room for the sizes.
    #[doc(hidden)]
    unsafe fn multiply(
        blas: &CudaBlas,
        sizes: [c_int; 3],
        left: (cublasOperation_t, u64, c_int),
        right: (cublasOperation_t, u64, c_int),
        accumulate: bool,
        to: (u64, c_int),
    ) -> core::result::Result<(), cublas::result::CublasError>;
}

macro_rules! number {
    ($t:ty, $name:literal, $gemm:ident) => {
        impl Number for $t {
            const NAME: &'static str = $name;

            unsafe fn multiply(
                blas: &CudaBlas,
                [m, n, k]: [c_int; 3],
                left: Operand,
                right: Operand,
                accumulate: bool,
                to: (u64, c_int),
            ) -> core::result::Result<(), cublas::result::CublasError> {
                let (alpha, beta): ($t, $t) = (1.0, if accumulate { 1.0 } else { 0.0 });
                // SAFETY: the caller's; α and β live until the call returns, which reads them.
                unsafe {
                    cublas::result::$gemm(
                        *blas.handle(),
                        left.0,
                        right.0,
                        m,
                        n,
                        k,
                        &alpha,
                        left.1 as *const $t,
                        left.2,
                        right.1 as *const $t,
                        right.2,
                        &beta,
                        to.0 as *mut $t,
                        to.1,
                    )
                }
            }
        }
    };
}
number!(f32, "float", sgemm);
number!(f64, "double", dgemm);

/// `Err` naming the first library that the system does not find.
pub(super) fn libraries(missing: &dyn Fn(String, &'static str) -> Error) -> Result<()> {
    let not_found = |library: &str| format!("the library {library} was not found");
    // SAFETY: these load the libraries by name and do not call into them.
    let (driver, blas, compiler) = unsafe {
        (
            cudarc::driver::sys::is_culib_present(),
            cudarc::cublas::sys::is_culib_present(),
            cudarc::nvrtc::sys::is_culib_present(),
        )
    };
    if !driver {
        return Err(missing(not_found("libcuda"), "install NVIDIA's driver"));
    }
    if !blas {
        return Err(missing(not_found("libcublas"), "install the CUDA toolkit's cuBLAS"));
    }
    if !compiler {
        return Err(missing(not_found("libnvrtc"), "install the CUDA toolkit's NVRTC"));
    }
    Ok(())
}

/// Turns off what only several streams need, and what cannot be recorded in a graph.
pub(super) fn use_one_stream(context: &CudaContext) {
    // SAFETY: all memory of a context of ours is used on the one stream of its machine.
    unsafe { context.disable_event_tracking() };
}

/// Compiles kernels for the device of a context.
pub(super) fn compile(context: &Arc<CudaContext>, source: String) -> Result<Arc<CudaModule>> {
    let opening = failed("opening");
    let (major, minor) = context.compute_capability().map_err(|e| opening(&e))?;
    // Code for the H100 runs on what came after it.
    let capability = (10 * major + minor).min(90);
    let options = nvrtc::CompileOptions {
        options: vec![format!("--gpu-architecture=compute_{capability}")],
        ..Default::default()
    };
    let ptx = nvrtc::compile_ptx_with_opts(source, options)
        .map_err(|e| failed("compiling its kernels")(&format!("{e:?}")))?;
    context.load_module(ptx).map_err(|e| opening(&e))
}

/// One network's memory on a device, with its kernels.
pub struct CudaMachine<T: Number> {
    stream: Arc<CudaStream>,
    blas: CudaBlas,
    module: Arc<CudaModule>,
    functions: BTreeMap<Kernel, CudaFunction>,
    arena: CudaSlice<T>,
    data: CudaSlice<T>,
    order: CudaSlice<u32>,
    /// The number of the step in the order, and that of the first in the run: 64 bits.
    counter: CudaSlice<u32>,
    /// cuBLAS works in it.
    _workspace: CudaSlice<u8>,
}

/// Launches, and the graph that was recorded of them.
pub struct Program<T> {
    launches: Vec<Ready<T>>,
    graph: Option<CudaGraph>,
}

impl<T: Number> CudaMachine<T> {
    pub(super) fn new(
        context: &Arc<CudaContext>,
        sizes: &Sizes,
        activations: &[Formulas],
    ) -> Result<Self> {
        let opening = failed("opening");
        let module = compile(context, source(T::NAME, activations))?;
        let stream = context.new_stream().map_err(|e| opening(&e))?;
        let blas = CudaBlas::new(Arc::clone(&stream)).map_err(|e| opening(&format!("{e:?}")))?;
        let allocating = |e: &DriverError| match e.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => sizes.refused::<T>(DEVICE),
            _ => failed("allocating")(e),
        };
        let arena = stream
            .alloc_zeros(sizes.arena.total(sizes.batch).max(1))
            .map_err(|e| allocating(&e))?;
        let data =
            stream.alloc_zeros(sizes.data.total(sizes.batch).max(1)).map_err(|e| allocating(&e))?;
        let order = stream.alloc_zeros(sizes.order.max(1)).map_err(|e| allocating(&e))?;
        let counter = stream.alloc_zeros(3).map_err(|e| allocating(&e))?;
        let workspace = stream.alloc_zeros::<u8>(WORKSPACE).map_err(|e| allocating(&e))?;
        let place = workspace.device_ptr(&stream).0;
        // SAFETY: the workspace lives as long as the handle, in the machine.
        unsafe { cublas::sys::cublasSetWorkspace_v2(*blas.handle(), place as *mut _, WORKSPACE) }
            .result()
            .map_err(|e| opening(&format!("{e:?}")))?;
        stream.synchronize().map_err(|e| allocating(&e))?;
        let functions = BTreeMap::new();
        Ok(CudaMachine {
            stream,
            blas,
            module,
            functions,
            arena,
            data,
            order,
            counter,
            _workspace: workspace,
        })
    }

    fn function(&mut self, kernel: Kernel) -> Result<CudaFunction> {
        if let Some(function) = self.functions.get(&kernel) {
            return Ok(function.clone());
        }
        let function = self
            .module
            .load_function(&entry(kernel))
            .map_err(|e| failed("loading a kernel")(&e))?;
        self.functions.insert(kernel, function.clone());
        Ok(function)
    }

    /// Does these launches, one after the other.
    fn launch(&self, program: &[Ready<T>]) -> Result<()> {
        for (launch, encoded, function) in program {
            if let Launch::Product { m, n, k, a, b, c, accumulate } = *launch
                && let (Some(left), Some(right)) = (operand(b, k, n), operand(a, m, k))
            {
                self.multiply([n, m, k], left, right, accumulate, c)?;
            } else {
                self.kernel(encoded, function)?;
            }
        }
        Ok(())
    }

    /// Row-major C = A B is column-major Cᵀ = Bᵀ Aᵀ.
    fn multiply(
        &self,
        sizes: [u32; 3],
        left: (cublasOperation_t, Matrix, u32),
        right: (cublasOperation_t, Matrix, u32),
        accumulate: bool,
        to: Matrix,
    ) -> Result<()> {
        let length = |n: u32| {
            c_int::try_from(n).map_err(|_| failed("computing")(&"a matrix of more than 2³¹ rows"))
        };
        let base = self.arena.device_ptr(&self.stream).0;
        let place = |at: u32| base + u64::from(at) * size_of::<T>() as u64;
        let operand = |(transposed, matrix, between): (cublasOperation_t, Matrix, u32)| {
            Ok::<_, Error>((transposed, place(matrix.at), length(between)?))
        };
        let sizes = [length(sizes[0])?, length(sizes[1])?, length(sizes[2])?];
        let (left, right) = (operand(left)?, operand(right)?);
        let to = (place(to.at), length(to.row.max(1))?);
        // SAFETY: places and sizes are those of panels and weights inside the arena, as lowered from a checked plan.
        unsafe { T::multiply(&self.blas, sizes, left, right, accumulate, to) }
            .map_err(|e| failed("a product")(&format!("{e:?}")))
    }

    fn kernel(&self, encoded: &Encoded<T>, function: &CudaFunction) -> Result<()> {
        let places = [
            self.arena.device_ptr(&self.stream).0,
            self.data.device_ptr(&self.stream).0,
            self.order.device_ptr(&self.stream).0,
            self.counter.device_ptr(&self.stream).0,
        ];
        let mut builder = self.stream.launch_builder(function);
        places.iter().for_each(|place| {
            builder.arg(place);
        });
        encoded.words.iter().for_each(|word| {
            builder.arg(word);
        });
        encoded.numbers.iter().for_each(|number| {
            builder.arg(number);
        });
        let configuration = LaunchConfig {
            grid_dim: (encoded.groups.0, encoded.groups.1, 1),
            block_dim: (GROUP, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: arguments are in the order of the kernel's; it stays inside the arena as it was told.
        unsafe { builder.launch(configuration) }.map_err(|e| failed("launching a kernel")(&e))?;
        Ok(())
    }

    /// Records launches as a graph; `None` where the driver does not record them, which then are done one by one.
    fn record(&self, launches: &[Ready<T>]) -> Option<CudaGraph> {
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        self.stream.begin_capture(mode).ok()?;
        let recorded = self.launch(launches);
        let flag = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        // Recording ends whether or not it went well.
        let graph = self.stream.end_capture(flag).ok().flatten();
        recorded.ok().and(graph)
    }
}

/// How cuBLAS takes a matrix of `rows` × `columns`, read in its column-major order as the transpose: as it lies or
/// transposed, with the distance of its rows; `None` where rows overlap.
fn operand(matrix: Matrix, rows: u32, columns: u32) -> Option<(cublasOperation_t, Matrix, u32)> {
    let (operation, between, across, along) = if matrix.column == 1 {
        (cublasOperation_t::CUBLAS_OP_N, matrix.row, rows, columns)
    } else {
        (cublasOperation_t::CUBLAS_OP_T, matrix.column, columns, rows)
    };
    // The distance of the rows of a matrix that has but one is of no interest.
    let between = if across == 1 { between.max(along) } else { between };
    (between >= along).then_some((operation, matrix, between.max(1)))
}

impl<T: Number> Machine<T> for CudaMachine<T> {
    type Program = Program<T>;

    fn write(&mut self, at: usize, values: &[T]) -> Result<()> {
        copy(&self.stream, values, &mut self.arena, at)
    }

    fn write_data(&mut self, at: usize, values: &[T]) -> Result<()> {
        copy(&self.stream, values, &mut self.data, at)
    }

    fn write_order(&mut self, order: &[u32], step: usize) -> Result<()> {
        copy(&self.stream, order, &mut self.order, 0)?;
        let step = step as u64;
        copy(&self.stream, &[0, step as u32, (step >> 32) as u32], &mut self.counter, 0)
    }

    fn read(&mut self, at: usize, values: &mut [T]) -> Result<()> {
        let reading = failed("reading");
        let view = self.arena.try_slice(at..at + values.len());
        let view = view.ok_or_else(|| reading(&"more than the arena holds"))?;
        self.stream.memcpy_dtoh(&view, values).map_err(|e| reading(&e))?;
        self.stream.synchronize().map_err(|e| failed("computing")(&e))
    }

    fn prepare(&mut self, launches: &[Launch<T>]) -> Result<Program<T>> {
        let ready = |launch: &Launch<T>| {
            let encoded = launch.encode();
            let function = self.function(encoded.kernel)?;
            Ok((launch.clone(), encoded, function))
        };
        let launches = launches.iter().map(ready).collect::<Result<Vec<_>>>()?;
        self.stream.synchronize().map_err(|e| failed("preparing a step")(&e))?;
        let graph = self.record(&launches);
        Ok(Program { launches, graph })
    }

    fn run(&mut self, program: &Program<T>, times: usize) -> Result<()> {
        for _ in 0..times {
            match &program.graph {
                Some(graph) => graph.launch().map_err(|e| failed("computing")(&e))?,
                None => self.launch(&program.launches)?,
            }
        }
        Ok(())
    }
}

/// Copies numbers to the device.
pub(super) fn copy<V: DeviceRepr>(
    stream: &Arc<CudaStream>,
    values: &[V],
    to: &mut CudaSlice<V>,
    at: usize,
) -> Result<()> {
    let writing = failed("writing");
    let view = to.try_slice_mut(at..at + values.len());
    let mut view = view.ok_or_else(|| writing(&"more than its memory holds"))?;
    stream.memcpy_htod(values, &mut view).map_err(|e| writing(&e))
}

impl<T: Number> fmt::Debug for CudaMachine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(DEVICE).field("numbers", &self.arena.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Program<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("launches", &self.launches.len())
            .field("recorded", &self.graph.is_some())
            .finish()
    }
}
