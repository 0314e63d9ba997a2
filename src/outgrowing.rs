//! Outgrowing one core, one machine: what to switch on when, and what to expect of it.
//!
//! # Which feature when
//!
//! | you have | use | what it does |
//! |---|---|---|
//! | one machine | `rayon` (default) | threads over chunks of a batch, spectra, bins, samples to generate: the same bits for any number of threads |
//! | machines with MPI | `mpi`: [`Training::with_communicator`](crate::Training::with_communicator), [`PreparedMaxEnt::solve_shared`](crate::PreparedMaxEnt::solve_shared) over an `MpiCommunicator` | every rank takes its share of each batch, or of the spectra |
//! | machines with something else | a [`Communicator`](crate::Communicator) of your own: four methods | the same |
//! | a graphics card | `wgpu`: `Wgpu` (Vulkan, Metal, DirectX 12; `f32`); `cuda`: `Cuda` (NVIDIA; `f32`, `f64`), through [`train_on`](crate::train_on) | parameters, samples and steps stay on the device |
//! | an NVIDIA device and 10 000 spectra or more | `cuda`: `Cuda` as a [`Continuation`](crate::Continuation) (`f64`) | ladders of maximum entropy are walked there |
//! | another device for whole training steps | a [`Backend`](crate::Backend) of your own | the same |
//!
//! A rule of thumb: threads first, they share memory and one gradient. Ranks pay from the second machine on; on
//! each, one rank a socket with `rayon`'s threads inside it sums less than one rank a core. Offload when a
//! step is large: one small product after the other is slower on a device than here.
//!
//! # What ranks promise
//!
//! - *Training.* A batch is cut into one share for each rank; gradients and losses are summed in one message of as
//!   many numbers as there are parameters, and every rank takes the same step. The same result as on one rank to
//!   rounding; the same bits every time for a fixed number of ranks, as far as the library's sums keep their
//!   order (those of this crate do, and those of Open MPI for one number of ranks and one length).
//! - *Continuation.* Spectra are dealt out in whole groups of eight: the same bits for any number of ranks.
//! - *Ends.* Divergence, patience and an observer's stop on one rank end the run on all; bad input on one is an
//!   error on all, as are ranks of which only some validate. A program must not leave `main` while others wait: see
//!   `MpiCommunicator`. A process that dies takes an MPI run with it; what was saved after an epoch
//!   ([`TrainingState`](crate::TrainingState)) goes on with the bits of a run that was never interrupted. The
//!   example `distributed` does this.
//!
//! # Measured
//!
//! ```sh
//! cargo build --release --features mpi,serde --example distributed
//! mpirun -n 4 target/release/examples/distributed --scaling yes
//! ```
//!
//! prints, for 1, 2, 4, … of its ranks, a training step that grows with them and one that does not, continuation that
//! grows with them, the time of sums of all lengths, and the model below with its constants fitted to these. On one
//! machine ranks share cores, caches and memory, and where there are more of them than cores each has a part of one: four
//! ranks on two cores do at best half of what four cores would, and less where one waits for another that is not
//! running.
//!
//! On two cores with nothing else to do, one thread a rank, Open MPI 4.1, RLISTA-10 (100 times, 50 frequencies, `f32`) on
//! fresh samples, maximum entropy with 64 spectra a rank:
//!
//! | ranks | step of 256 samples a rank | step of 256 in all | maximum entropy |
//! |---|---|---|---|
//! | 1 | 1.36 ms, 100 % | 1.36 ms | 18.5 ms, 100 % |
//! | 2, each bound to a core | 1.46 ms, 93 % | 0.78 ms, 1.74 × | 20.4 ms, 91 % |
//! | 2 of 4 started, unbound | 1.59 ms, 83 % | 0.84 ms, 1.55 × | 20.0 ms, 91 % |
//! | 4, two to a core | 3.13 ms, 42 % | 1.06 ms, 1.23 × | 42.3 ms, 43 % |
//!
//! Four ranks on two cores would have 50 % if nothing were lost. A sum of 262 kB over two ranks takes 40 µs, of 16 kB
//! 8 µs, of four bytes 0.4 µs; the model's constants, fitted to sums of 4 bytes to 4 MB, are 0.2 µs and 5.1 GB/s, by which
//! they take 52, 3.7 and 0.4 µs: one bandwidth for all lengths is off by half between. With these links 1000 ranks would
//! keep 91 % of one rank's pace, with 100 Gbit/s and 2 µs 94 %.
//!
//! # Devices
//!
//! A network goes to a device as a [`Plan`](crate::Plan) of its operations, with parameters, Adam's moments and its
//! samples. A step is a fixed list of some 60 launches for ten layers (samples gathered by their shuffled
//! numbers, their noise, products, activations, loss, reverse mode, Adam); an epoch is that list repeated, recorded once as a CUDA
//! graph or submitted many steps at a time, and what comes back are the losses, once a run, and the parameters. Between two
//! ranks of a run, or for an optimiser of your own, [`Stepper::gradient`](crate::Stepper::gradient) hands the
//! gradient back.
//!
//! - *Samples.* A [`TrainingSet`](crate::TrainingSet) goes up whole. So does that of an
//!   [`AugmentedSet`](crate::AugmentedSet), whose noise is drawn where it is used: σ, a range of σ or a covariance, behind
//!   a front that may be told of it. It is a function of seed, step and sample, the same here and on every device. Any
//!   other source, a [`SampleStream`](crate::SampleStream) for one, is drawn on this machine's threads while the device
//!   works, and sent in slabs of 16 MB in `f32`: the same samples as here, none of them kept.
//! - *Going on.* [`DeviceTraining`](crate::DeviceTraining) is a run epoch by epoch, with a state that any device or the
//!   processor resumes, the same device with the same bits.
//! - *Which.* `cuda` on NVIDIA devices: products by cuBLAS in true `f32` (no TF32) or `f64`. `wgpu` anywhere else: its
//!   products are this crate's, in tiles of 64 × 64, and so slower than a maker's.
//! - *When.* Sixty launches of two to five microseconds are 0.1 to 0.3 ms, in which such a device does some 10¹⁰
//!   operations: below that many a step (batches of 256 at n = 50 have 10⁸) the launches take longer than the work.
//!   A device wants large batches, wide networks, or both.
//! - *Memory.* 4 p numbers for p parameters; (m + n) a sample of the set; 2 (m + 2 L n) + n + 2 a sample of a batch for an
//!   unrolled network, and m more to carry data there: 75 kB in `f32` at m = 800, n = 400, L = 10, so 0.75 GB for a
//!   batch of 10 000. Too large a batch is an error that names one that fits.
//! - *Floors.* A step has 4 L m n + 6 (L − 1) n² operations a sample: every product forward and for its weights, those
//!   between layers once more for what flows back; nothing flows to the data, nor through the first W_t, which meets
//!   zeros. RLISTA-10 at m = 800, n = 400 with 10 000 samples has 0.21 · 10¹²: 3.2 ms at the 67 TFLOP/s that an H200's
//!   maker states for `f32`. With 256 samples at m = 100, n = 50 it has 0.09 · 10⁹, 1.3 µs, and its time is that of
//!   60 launches.
//! - *Measured.* Nothing yet on a GPU: `cuda` has only been compiled and run on an emulated driver, `wgpu` run on Mesa's
//!   software device. Both agree there with the processor's engine, gradients and a hundred steps, to 10⁻⁴ in `f32`, and
//!   `cuda` to 10⁻¹² in `f64`, which `wgpu` has not. `examples/device_table.sh` prints tables of steps, training,
//!   inference and maximum entropy beside these floors, and beside PyTorch's times on the same device, in less than
//!   nine minutes.
//! - *Today,* with an NVIDIA device: hold it against the processor's engine first, `cargo test --release --features cuda
//!   --lib -- --ignored cuda::tests::it_agrees`, and rely on what passes.
//! - *Not there.* Spectra drawn on the device itself.
//!
//! ## Maximum entropy on a device
//!
//! One block of threads walks the whole ladder of one spectrum, its dual and its Newton matrix in shared memory, and
//! waits for no other spectrum. Rules for α are asked here; a second launch goes to the α that they chose, and this
//! machine computes each answer and its certificate from the dual that comes back. Spectra go there in slabs that fit the
//! device's free memory. Skilling's entropy and quadratic priors: what else there is, is refused by name.
//!
//! - *Work.* A Newton step with s active modes and n frequencies has n s² + n s operations for the Gram matrix, s³/3 for
//!   Cholesky's factor, 2 s² + 4 n s + 25 n for solution, step, residuals and exponentials; each α has one more such step
//!   for N_good and the prediction of the next, s³/3 for the trace, 4 n s for the certificate. At n = 50 with 100 times
//!   and σ = 10⁻⁵, 45 α to 10⁻⁸ take 1.84 steps each with 23 of 32 modes on average (counted on the processor):
//!   6.2 · 10⁶ operations a spectrum.
//! - *Bytes.* Each α writes 9 figures, 90 numbers of the dual and 50 weights: 54 kB a spectrum, of which 21 kB come
//!   back. The kernel's 28 kB are read again and again, from cache.
//! - *Floor.* 100 000 spectra are 0.62 · 10¹² operations, 18 ms at the 34 TFLOP/s that an H200's maker states for `f64`
//!   without tensor cores; 5.4 GB, 1.1 ms at 4.8 TB/s; 2.1 GB across the bus, 40 ms at 50 GB/s and some 0.3 s from memory
//!   that is not pinned, which is what happens. This machine's part, rule, answer and report, was measured at 40 µs a
//!   spectrum and thread: 4 s for 100 000 on one thread, a quarter of a second on sixteen.
//!   A kinetic prior adds N_ω numbers of the dual, a forward substitution of all active modes (4 n s) and one of a vector
//!   to each step.
//! - *Occupancy.* 14.4 kB of shared memory and 64 threads a block, 72 registers a thread (NVRTC 12.9 for `sm_90`): 14
//!   blocks, 28 of 64 warps, on a multiprocessor; with a kinetic prior 33 kB, six blocks. Some 10⁴ barriers between short
//!   stretches of work a ladder, not operations, are what it will wait for.
//! - *Measured.* Nothing: it has never run on a GPU. On the emulated driver it agrees with the processor's answers
//!   to 10⁻⁸ in L1 and in χ² along the ladder, for several rules, kernels and sizes, and the order in which threads run
//!   changes no bit.
//!
//! # A thousand ranks
//!
//! A sum of n bytes over P ranks takes about T = 2 log₂P · latency + 2 n (P − 1)/P / bandwidth: Rabenseifner's
//! algorithm, without the additions. A step over a fixed number of samples a rank takes what it takes alone, and T.
//! RLISTA-10 with 100 times and 50 frequencies has 75 010 parameters, n = 300 kB in `f32`; between machines with
//! links of 100 Gbit/s and a latency of 2 µs, as makers state them, and a step of 1 ms (256 samples on one core):
//!
//! | ranks | T | efficiency of 256 samples a rank | of 1024 (4 ms) |
//! |---|---|---|---|
//! | 2 | 28 µs | 97 % | 99 % |
//! | 10 | 57 µs | 95 % | 99 % |
//! | 100 | 74 µs | 93 % | 98 % |
//! | 1000 | 88 µs | 92 % | 98 % |
//!
//! The bandwidth's part hardly grows beyond ten ranks, the latency's by 13 µs with every factor of ten. What a batch of
//! 256 000 samples is worth to the training is another question: the gradient's noise falls with its root, and past
//! some size so does what a step gains. Continuation sends each spectrum's data once and its answer once, (m + n + 4)
//! numbers, against some 0.3 ms of work on one core: rank 0's link carries some 10⁷ spectra a second at n + m = 150.
//!
//! # Memory
//!
//! A stored sample of m data and n weights takes (m + n) times the size of its scalar: in `f32` with m = 100 and
//! n = 50 that is 600 bytes, 60 MB for the 100 000 of the learned-optimizers paper. A [`TrainingSet`](crate::TrainingSet)
//! is whole on every rank. A [`SampleStream`](crate::SampleStream) stores none: it takes (m + n) · c + m numbers of
//! `f64` for each chunk of c samples, 78 kB for c = 64, and the order of one epoch, 8 bytes a sample of it.
//!
//! A training run takes 5 + k times its p parameters (the network, Adam's two moments, the last sound and the best
//! weights, k chunks of a batch), and two more with several ranks, each of which has chunks for its share alone. A chunk
//! of c samples has (2 L + 1) n c numbers of an L-layer network and (m + 2 n) c of its own.
//!
//! # 10⁹ samples
//!
//! - *Stored* they are 600 GB, with 800 times and 400 frequencies 4.8 TB: more than most memories, and no better than
//!   fresh ones, which are never seen twice.
//! - *Streamed* they are 1000 epochs of 10⁶, none of them kept: 8 MB for the order of an epoch on each rank, and the
//!   chunks. Every sample of every step has a random stream of its own, so that ranks need no word about them.
//! - *Work.* A sample takes 4 L m n + 6 (L − 1) n² floating-point operations: for RLISTA-10 0.34 Mflop at m = 100,
//!   n = 50, and 21 Mflop at m = 800, n = 400. 10⁹ samples are 3.4 · 10¹⁴ and 2.1 · 10¹⁶.
//! - *Time.* At 100 GFLOP/s, what one recent core does in `f32`, that is 56 minutes for the smaller, 2.5 days for the
//!   larger, and four minutes of a thousand cores for it, a few per cent more with the sums (its 4.8 · 10⁶ parameters
//!   take 3 ms a step, 256 samples 55 ms). A step of the smaller with 256 fresh samples was measured at 1.2 ms on one
//!   core, draws included: 1.3 hours. A device that keeps 10 TFLOP/s busy needs 36 minutes for the larger, if the
//!   processor draws 460 000 samples a second for it: no backend draws spectra itself yet.
