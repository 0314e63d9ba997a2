//! The kernels of a device, and what a launch of one is told.
//!
//! All numbers live in one arena; places are indices into it. The samples of a set live in another, `data`. Every
//! kernel is written once in WGSL (`wgpu/*.wgsl`) and once in CUDA C (`cuda/kernels.cu`), and takes what a variant
//! holds in the order it is written here: places and counts first, then numbers.
// Seen from outside through the types of a device, where there is one.
#![cfg_attr(not(any(feature = "wgpu", feature = "cuda")), allow(unreachable_pub))]

use crate::network::Head;

/// A parameter that is not there.
pub(super) const NONE: u32 = u32::MAX;
/// Threads of a group, in every kernel.
pub(super) const GROUP: u32 = 256;
/// Most groups of an elementwise kernel; each thread takes several elements beyond.
pub(super) const MOST: u32 = 1024;

/// A matrix in the arena: its first element and the distance between rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    pub(super) at: u32,
    pub(super) row: u32,
    pub(super) column: u32,
}

impl Matrix {
    /// Contiguous rows, `row` apart.
    pub(super) fn rows(at: u32, row: u32) -> Self {
        Matrix { at, row, column: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Matrix { row: self.column, column: self.row, ..self }
    }
}

/// One launch of one kernel.
#[derive(Debug, Clone, PartialEq)]
pub enum Launch<T> {
    /// to(f, b) = data(source + s·features + f) for the b-th sample s of the step's batch, or for s = b where
    /// not `ordered`.
    Gather { source: u32, features: u32, to: u32, batch: u32, ordered: bool },
    /// to(f, b) (+)= σ_b d_f ξ(f, b), with ξ and σ_b = least · exp(spread · t_b) drawn from Philox under `key` at the
    /// b-th sample of the batch and the number of the step, the same for all steps where not `by_step`
    /// ([`FreshNoise`](crate::FreshNoise)); d stands at `deviations`, or is 1.
    Noise {
        key: [u32; 2],
        to: u32,
        deviations: u32,
        features: u32,
        batch: u32,
        by_step: bool,
        add: bool,
        least: T,
        spread: T,
    },
    /// With σ_b as above and c_f at `variances`: to(f, b) divided by 1 + σ_b² c_f, and the mean of 1/(1 + σ_b² c_f)
    /// in one row more.
    Tell {
        key: [u32; 2],
        to: u32,
        variances: u32,
        features: u32,
        batch: u32,
        by_step: bool,
        least: T,
        spread: T,
    },
    /// C = A B, or C += A B: m × k times k × n; C has contiguous rows.
    Product { m: u32, n: u32, k: u32, a: Matrix, b: Matrix, c: Matrix, accumulate: bool },
    /// to(r, c) = from(r).
    FillRows { from: u32, to: u32, rows: u32, columns: u32 },
    /// to(r) = scale Σ_c from(r, c); where `by_step`, to is moved on by the number of the step.
    SumRows { from: u32, to: u32, rows: u32, columns: u32, by_step: bool, scale: T },
    /// x = (1−η) before + η f(z; θ). θ of element i stands at theta + i/span; η at `eta`, or is `relaxation`.
    Activate {
        activation: usize,
        z: u32,
        before: u32,
        out: u32,
        theta: u32,
        span: u32,
        eta: u32,
        count: u32,
        relaxation: T,
    },
    /// With δ = ∂L/∂x: ∂L/∂z = η δ f′(z); ∂L/∂before (+)= (1−η) δ. Of the g-th of `segments` runs of `segment`
    /// elements, which have one θ, the sum of η δ ∂f/∂θ into d_theta + g and that of δ (f(z) − before) into d_eta + g.
    ActivateBack {
        activation: usize,
        z: u32,
        before: u32,
        delta: u32,
        d_z: u32,
        d_before: u32,
        add: bool,
        theta: u32,
        span: u32,
        eta: u32,
        d_theta: u32,
        d_eta: u32,
        segment: u32,
        segments: u32,
        count: u32,
        relaxation: T,
    },
    /// a = head(z), sample by sample, 1/Σ kept in `inverse`.
    HeadForward { head: Head, z: u32, out: u32, inverse: u32, rows: u32, batch: u32 },
    /// ∂L/∂z from ∂L/∂a.
    HeadBack { head: Head, out: u32, delta: u32, d_z: u32, inverse: u32, rows: u32, batch: u32 },
    /// errors(b) = ‖a_b − ã_b‖, δ = scale (a − ã)/‖a − ã‖, 0 where that is 0.
    Loss { out: u32, target: u32, delta: u32, errors: u32, rows: u32, batch: u32, scale: T },
    /// to(r) (+)= Σ_k taps(k, r − k) over the positions there are; rows of `batch` numbers.
    Overlap { taps: u32, to: u32, kernel: u32, positions: u32, batch: u32, add: bool },
    /// to(i) (+)= factor · from(i).
    AddScaled { from: u32, to: u32, count: u32, add: bool, factor: T },
    /// Adam's update of the step, unless its loss is not finite; rate and correction of step t stand at
    /// coefficients + 2t.
    Adam {
        parameters: u32,
        gradient: u32,
        m: u32,
        v: u32,
        count: u32,
        coefficients: u32,
        losses: u32,
        beta1: T,
        beta2: T,
        epsilon: T,
    },
    /// Numbers below `least` or above `largest` to these.
    Clamp { at: u32, count: u32, least: T, largest: T },
    /// The next step.
    Advance,
}

/// Groups of an elementwise kernel.
pub(super) fn elementwise(count: u32) -> u32 {
    count.div_ceil(GROUP).clamp(1, MOST)
}
