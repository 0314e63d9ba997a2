//! Networks: the one layer, its unrolling, and what training needs of any network. Floor 6.
//!
//! - [`Layer`]: x ↦ prox_θ(W_t x + W_e g), a step of ISTA or a layer of LISTA;
//! - [`Unrolled`]: LISTA and RLISTA, with forward and reverse mode side by side;
//! - [`DenseNetwork`], [`ConvolutionNetwork`]: the paper's plain baselines;
//! - [`Network`]: the small trait training is written against;
//! - [`Headed`]: any network with an output [`Head`], which makes its answer a density;
//! - [`Front`]: a fixed linear map of the data before a network;
//! - [`RootSquareError`]: the loss;
//! - [`average_coherence`] and kin: diagnostics of matrices and layers.
//!
//! Source: learned-optimizers paper (\[LO\]), II.D and appendix A.

mod activation;
mod architecture;
mod coherence;
mod convolution;
mod dense;
mod error_summary;
mod front;
mod front_modes;
mod head;
mod layer;
mod loss;
mod panel;
#[cfg(test)]
mod plain_tests;
#[cfg(feature = "serde")]
mod stored;
#[cfg(test)]
mod tests;
mod unrolled;

pub(crate) use architecture::LEAST_RELAXATION;
pub use architecture::{Initialization, Thresholds, UnrolledArchitecture, WeightDistribution};
pub use coherence::{LayerCoherence, average_coherence, mutual_coherence};
pub use convolution::{ConvolutionArchitecture, ConvolutionNetwork, ConvolutionWorkspace};
pub use dense::{DenseArchitecture, DenseNetwork, DenseWorkspace};
pub use error_summary::ErrorSummary;
pub use front::Front;
pub use front_modes::FrontModes;
pub use head::{Head, Headed, HeadedWorkspace};
pub use layer::{BoundLayer, Layer};
pub use loss::RootSquareError;
pub(crate) use panel::{gather, scatter};
pub use unrolled::{Unrolled, UnrolledWorkspace};

use crate::error::{Error, Result, is_finite};
use crate::linalg::Aligned;
use crate::parallel;
use crate::real::Real;
use core::ops::Range;

/// A map from data g to spectral weights a with trainable parameters.
///
/// Batches are *panels*: the batch index is the contiguous one, element (feature i, sample b) at
/// i·`batch` + b. The slice lengths of [`forward`](Self::forward) and [`backward`](Self::backward) are
/// the caller's business: these two are the inner loop of training.
///
/// # How to add a layer
///
/// 1. Another *activation* is no new layer: anything that implements [`Prox`](crate::Prox), with the
///    vector–Jacobian product of its prox by the argument and by γ, is one. `Unrolled<T, P>` iterates, relaxes,
///    unrolls and trains it; add its line to the battery of `tests.rs`, `a_batch_agrees_with_its_samples`:
///
///    ```text
///    battery::<f64, _>(SoftThreshold);
///    ```
/// 2. Another *architecture* is a type that implements [`Network`]: all parameters in one vector, a workspace
///    that holds every buffer of both passes, and [`Network::forward`] beside [`Network::backward`] in one file (the
///    model is `dense`). Panels have the batch index contiguous: write inner loops over it, products through
///    `crate::linalg::gemm`. An architecture type with a `validate` and a constructor from random numbers
///    (`random`) come with it; [`Network::project`] and [`Network::penalised`] where they mean something;
///    [`Network::depth`] and its kin, so that diagnostics can name a layer.
/// 3. Training, [`Front`], [`Headed`] and [`Estimator`](crate::Estimator) work from the trait alone; name the
///    type in this module and in `lib.rs`.
/// 4. Add its lines to `plain_tests.rs`: the gradient by finite differences and by dual numbers, and that a batch of
///    any size gives what its samples give one by one, in both precisions:
///
/// ```text
/// battery::<f64, _>(convolution());
/// ```
pub trait Network<T: Real>: Send + Sync {
    /// Buffers of a forward and a backward pass.
    type Workspace: Send + Sync;

    /// A short name for reports, like `rlista-10`.
    fn name(&self) -> String;

    /// The length of g.
    fn input_len(&self) -> usize;

    /// The length of a.
    fn output_len(&self) -> usize;

    /// All trainable parameters, in one vector.
    fn parameters(&self) -> &[T];

    /// The same, to be updated.
    fn parameters_mut(&mut self) -> &mut [T];

    /// The number of parameters that act on the answer: the first W_t of an unrolled network does not.
    fn live_parameters(&self) -> usize {
        self.parameters().len()
    }

    /// The network g ↦ N(P g) for this network N and the front's P, as one of its own kind that sees raw
    /// g: P is folded into the first weights.
    ///
    /// # Errors
    /// A front of another output length than the network's input; a network without linear first layer.
    fn folded(self, front: &Front) -> Result<Self>
    where
        Self: Sized,
    {
        let _ = front;
        Err(Error::Unsupported {
            argument: "network",
            value: "one that does not fold",
            expected: "a network whose first layer is linear in the data",
        })
    }

    /// The weights of all layers but the last, ranges of [`parameters`](Self::parameters): what an ℓ²
    /// penalty acts on.
    fn penalised(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    /// The number of layers, of which diagnostics speak.
    fn depth(&self) -> usize {
        1
    }

    /// The parameters of one layer, counted from 0: ranges of [`parameters`](Self::parameters).
    fn layer_parameters(&self, layer: usize) -> Vec<Range<usize>> {
        let _ = layer;
        core::iter::once(0..self.parameters().len()).collect()
    }

    /// What one layer, counted from 0, gave in the last forward pass: a panel, there until the next pass of either
    /// kind. `None` where the network does not keep it.
    fn layer_output<'w>(
        &self,
        layer: usize,
        batch: usize,
        workspace: &'w Self::Workspace,
    ) -> Option<&'w [T]> {
        let _ = (layer, batch, workspace);
        None
    }

    /// Returns parameters that an update has pushed out of their domain to it (thresholds to θ ≥ 0).
    fn project(&mut self) {}

    /// Buffers for panels of at most `batch` samples: all the memory the two passes use.
    fn workspace(&self, batch: usize) -> Self::Workspace;

    /// The output panel for an input panel; it lives in the workspace until the next pass.
    ///
    /// # Panics
    /// If `input` has another length than input_len × batch, or `batch` is 0 or exceeds the workspace's.
    fn forward<'w>(&self, input: &[T], batch: usize, workspace: &'w mut Self::Workspace)
    -> &'w [T];

    /// Reverse mode after [`forward`](Self::forward) on the same `input` and workspace: for `upstream` =
    /// ∂L/∂output writes ∂L/∂parameters into `gradient`, or adds it where `accumulate`. The output panel
    /// is overwritten.
    ///
    /// # Panics
    /// If a slice has another length than its panel, or `gradient` than the parameters, or `batch` is 0.
    fn backward(
        &self,
        input: &[T],
        upstream: &[T],
        batch: usize,
        workspace: &mut Self::Workspace,
        gradient: &mut [T],
        accumulate: bool,
    );
}

/// Samples of a panel outside training: fixed, so that the bits do not depend on the number of threads.
pub(crate) const PANEL: usize = 64;

/// The network's answers to many data vectors, both as contiguous samples one after another; whether all data are
/// finite, which costs nothing while a panel is near.
///
/// # Panics
/// If the numbers of samples differ.
pub(crate) fn apply_samples<T: Real, N: Network<T>>(
    network: &N,
    data: &[T],
    answers: &mut [T],
) -> bool {
    let (m, n) = (network.input_len(), network.output_len());
    assert_eq!(data.len() / m, answers.len() / n, "as many answers as data vectors");
    let panels = (data.len() / m).div_ceil(PANEL);
    let share = panels.div_ceil(parallel::threads()).max(1) * PANEL;
    let shares = data.chunks(share * m).zip(answers.chunks_mut(share * n));
    let mut shares: Vec<_> = shares.map(|(data, answers)| (data, answers, true)).collect();
    parallel::for_each_mut(&mut shares, |_, (data, answers, finite)| {
        let mut workspace = network.workspace(PANEL.min(data.len() / m));
        let mut input = Aligned::zeros(m * PANEL);
        for (data, answers) in data.chunks(PANEL * m).zip(answers.chunks_mut(PANEL * n)) {
            let batch = data.len() / m;
            *finite &= is_finite(data);
            gather(m, batch, |b| &data[b * m..][..m], &mut input);
            let output = network.forward(&input[..m * batch], batch, &mut workspace);
            scatter(output, batch, answers);
        }
    });
    shares.iter().all(|&(.., finite)| finite)
}
