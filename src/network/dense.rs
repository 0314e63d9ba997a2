//! Fully connected networks (FCN): affine layers with ReLU between them.
//!
//! Source: \[LO\] appendix A, table IV. With x₁ = g, for l = 1…L:
//!
//! ```text
//! x_{l+1} = max(W_l x_l + b_l, 0),  the last layer without the maximum
//! ```
//!
//! Reverse mode, with δ = ∂L/∂(W_l x_l + b_l):
//!
//! ```text
//! ∂L/∂W_l = δ x_lᵀ    ∂L/∂b_l = Σ δ    ∂L/∂x_l = W_lᵀ δ, where x_l > 0
//! ```
//!
//! The softmax of the paper's networks is a head: `Headed::new(network, Head::Softmax)`.

use super::{Front, Initialization, Network};
use crate::error::{Error, Result, check_finite, check_len};
use crate::linalg::{Aligned, MatMut, MatRef, dispatch, gemm};
use crate::real::Real;
use core::ops::Range;
use rand::Rng;

/// The lengths of data, hidden layers and answer: FCN-k has k layers and k + 1 lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DenseArchitecture {
    /// m, the hidden widths, n.
    pub widths: Vec<usize>,
}

impl DenseArchitecture {
    /// FCN-`layers` of the paper: hidden layers of one width.
    pub fn fcn(input: usize, output: usize, layers: usize, width: usize) -> Self {
        let mut widths = vec![width; layers.saturating_add(1).max(2)];
        widths[0] = input;
        let last = widths.len() - 1;
        widths[last] = output;
        DenseArchitecture { widths }
    }

    /// Number of parameters, Σ (width_l + 1) width_{l+1}: weights and biases.
    ///
    /// # Errors
    /// Fewer than two lengths, one that is zero, or more parameters than memory can hold.
    pub fn parameter_count(&self) -> Result<usize> {
        if self.widths.len() < 2 {
            return Err(Error::Empty { argument: "widths", expected: 2 });
        }
        if self.widths.contains(&0) {
            return Err(Error::Empty { argument: "widths", expected: 1 });
        }
        let layer = |pair: &[usize]| pair[0].checked_add(1)?.checked_mul(pair[1]);
        (self.widths.windows(2))
            .try_fold(0_usize, |sum, pair| sum.checked_add(layer(pair)?))
            .filter(|&count| count <= isize::MAX as usize / size_of::<f64>())
            .ok_or(Error::OutOfRange {
                argument: "widths",
                value: self.widths.iter().map(|&w| w as f64).fold(0.0, f64::max),
                expected: "a network that fits into memory",
            })
    }
}

/// A fully connected network with ReLU activations and a linear last layer.
///
/// Parameters, in one vector: of each layer in turn W_l (row-major, width_{l+1} × width_l), then b_l.
///
/// ```
/// use fredholm::*;
/// let mut rng = <rand::rngs::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
/// let shape = DenseArchitecture::fcn(100, 50, 2, 400);
/// let network = DenseNetwork::<f32>::random(shape, &Initialization::default(), &mut rng)?;
/// assert_eq!(network.parameters().len(), 60_450);
/// let fcn = Headed::new(network, Head::Softmax);
/// assert_eq!(fcn.name(), "fcn-2/400 softmax");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        into = "super::stored::Stored<DenseArchitecture, T>",
        try_from = "super::stored::Stored<DenseArchitecture, T>",
        bound(serialize = "T: serde::Serialize", deserialize = "T: serde::Deserialize<'de>")
    )
)]
pub struct DenseNetwork<T: Real = f64> {
    architecture: DenseArchitecture,
    parameters: Vec<T>,
}

impl<T: Real> DenseNetwork<T> {
    /// From all parameters, in the order documented above.
    ///
    /// # Errors
    /// Those of [`DenseArchitecture::parameter_count`]; another number of parameters; one that is not
    /// finite.
    pub fn from_parameters(architecture: DenseArchitecture, parameters: Vec<T>) -> Result<Self> {
        let count = architecture.parameter_count()?;
        check_len("parameters", parameters.len(), count, "the architecture's parameters")?;
        check_finite("parameters", &parameters)?;
        Ok(DenseNetwork { architecture, parameters })
    }

    /// With random weights and zero biases.
    ///
    /// # Errors
    /// Those of [`DenseArchitecture::parameter_count`]; a scale negative or not finite; a network that does not
    /// fit into memory.
    pub fn random(
        architecture: DenseArchitecture,
        initialization: &Initialization,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let count = architecture.parameter_count()?;
        let mut parameters = initialization.prepare(count)?;
        for pair in architecture.widths.windows(2) {
            initialization.draw(pair[0] * pair[1], (pair[0], pair[1]), rng, &mut parameters);
            parameters.resize(parameters.len() + pair[1], T::zero());
        }
        Self::from_parameters(architecture, parameters)
    }

    /// The lengths of its layers.
    pub fn architecture(&self) -> &DenseArchitecture {
        &self.architecture
    }
}

/// Ranges of these lengths, one after the other.
pub(super) fn consecutive(
    sizes: impl IntoIterator<Item = usize>,
) -> impl Iterator<Item = Range<usize>> {
    sizes.into_iter().scan(0, |end, size| {
        let start = *end;
        *end += size;
        Some(start..*end)
    })
}

/// Weights and biases of the first layer, and the parameters of those behind it.
pub(super) fn layer<T>(parameters: &[T], inputs: usize, outputs: usize) -> (&[T], &[T], &[T]) {
    let (weights, rest) = parameters.split_at(inputs * outputs);
    let (bias, rest) = rest.split_at(outputs);
    (weights, bias, rest)
}

/// z = W x + b for a panel, or max(W x + b, 0).
pub(super) fn affine_forward<T: Real>(
    weights: &[T],
    bias: &[T],
    x: &[T],
    batch: usize,
    positive: bool,
    z: &mut [T],
) {
    let (outputs, inputs) = (bias.len(), weights.len() / bias.len());
    gemm(
        MatMut::row_major(z, outputs, batch),
        MatRef::row_major(weights, outputs, inputs),
        MatRef::row_major(x, inputs, batch),
        false,
    );
    add_bias(bias, positive, z);
}

/// Adds one number to each row of a panel; where `positive`, then takes max(z, 0), a NaN staying one.
pub(super) fn add_bias<T: Real>(bias: &[T], positive: bool, z: &mut [T]) {
    let batch = z.len() / bias.len();
    dispatch(|| {
        for (row, &b) in z.chunks_exact_mut(batch).zip(bias) {
            if positive {
                row.iter_mut()
                    .for_each(|z| *z = if *z + b <= T::zero() { T::zero() } else { *z + b });
            } else {
                row.iter_mut().for_each(|z| *z += b);
            }
        }
    });
}

/// ∂L/∂W and ∂L/∂b of one affine layer, written or added into its piece of the gradient.
pub(super) fn affine_gradient<T: Real>(
    delta: &[T],
    x: &[T],
    batch: usize,
    gradient: &mut [T],
    accumulate: bool,
) {
    let (outputs, inputs) = (delta.len() / batch, x.len() / batch);
    let (weights, bias) = gradient.split_at_mut(inputs * outputs);
    gemm(
        MatMut::row_major(weights, outputs, inputs),
        MatRef::row_major(delta, outputs, batch),
        MatRef::row_major(x, inputs, batch).t(),
        accumulate,
    );
    add_row_sums(delta, batch, bias, accumulate);
}

/// The sum of every row of a panel, in lanes.
pub(super) fn add_row_sums<T: Real>(panel: &[T], batch: usize, sums: &mut [T], accumulate: bool) {
    const LANES: usize = 16;
    dispatch(|| {
        for (row, sum) in panel.chunks_exact(batch).zip(sums) {
            let mut lanes = [T::zero(); LANES];
            let (blocks, rest) = row.as_chunks::<LANES>();
            for block in blocks {
                for i in 0..LANES {
                    lanes[i] += block[i];
                }
            }
            let total = lanes.iter().chain(rest).copied().sum();
            *sum = if accumulate { *sum + total } else { total };
        }
    });
}

/// ∂L/∂x = Wᵀ δ.
pub(super) fn affine_backward<T: Real>(weights: &[T], delta: &[T], batch: usize, d_x: &mut [T]) {
    let (outputs, inputs) = (delta.len() / batch, d_x.len() / batch);
    gemm(
        MatMut::row_major(d_x, inputs, batch),
        MatRef::row_major(weights, outputs, inputs).t(),
        MatRef::row_major(delta, outputs, batch),
        false,
    );
}

/// The reverse of max(z, 0) = x: δ where x is positive.
pub(super) fn relu_backward<T: Real>(x: &[T], delta: &mut [T]) {
    dispatch(|| {
        for (d, &x) in delta.iter_mut().zip(x) {
            *d = if x > T::zero() { *d } else { T::zero() };
        }
    });
}

/// Buffers of [`DenseNetwork`]: a panel for every layer's output, and two of the widest for δ.
#[derive(Debug, Clone)]
pub struct DenseWorkspace<T> {
    /// Samples the panels have room for.
    capacity: usize,
    /// x_{l+1} of all layers.
    x: Vec<Aligned<T>>,
    /// δ of the layer at hand, and of the one before it.
    delta: Aligned<T>,
    next: Aligned<T>,
}

impl<T: Real> Network<T> for DenseNetwork<T> {
    type Workspace = DenseWorkspace<T>;

    fn name(&self) -> String {
        let widths = &self.architecture.widths;
        let hidden = &widths[1..widths.len() - 1];
        let width = match hidden.first() {
            Some(first) if hidden.iter().all(|w| w == first) => format!("/{first}"),
            _ => String::new(),
        };
        if self.depth() == 1 { "affine".into() } else { format!("fcn-{}{width}", self.depth()) }
    }

    fn input_len(&self) -> usize {
        self.architecture.widths[0]
    }

    fn output_len(&self) -> usize {
        self.architecture.widths[self.depth()]
    }

    fn parameters(&self) -> &[T] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }

    fn folded(mut self, front: &Front) -> Result<Self> {
        let found = front.output_len();
        check_len("front", found, self.input_len(), "the network's input")?;
        let first = found * self.architecture.widths[1];
        let mut parameters = front.fold(&self.parameters[..first])?;
        parameters.extend_from_slice(&self.parameters[first..]);
        self.architecture.widths[0] = front.input_len();
        Self::from_parameters(self.architecture, parameters)
    }

    fn penalised(&self) -> Vec<Range<usize>> {
        let widths = &self.architecture.widths;
        let layers = (0..self.depth() - 1).flat_map(|layer| self.layer_parameters(layer));
        layers.zip(&widths[1..]).map(|(range, bias)| range.start..range.end - bias).collect()
    }

    fn depth(&self) -> usize {
        self.architecture.widths.len() - 1
    }

    fn layer_parameters(&self, layer: usize) -> Vec<Range<usize>> {
        let sizes = self.architecture.widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]);
        consecutive(sizes).nth(layer).into_iter().collect()
    }

    fn layer_output<'w>(
        &self,
        layer: usize,
        batch: usize,
        workspace: &'w DenseWorkspace<T>,
    ) -> Option<&'w [T]> {
        let width = self.architecture.widths.get(layer + 1)?;
        workspace.x[layer].get(..width * batch)
    }

    fn workspace(&self, batch: usize) -> DenseWorkspace<T> {
        let panel = |&width: &usize| Aligned::zeros(width * batch);
        let widths = &self.architecture.widths[1..];
        let widest = widths.iter().max().copied().unwrap_or(0);
        DenseWorkspace {
            capacity: batch,
            x: widths.iter().map(panel).collect(),
            delta: panel(&widest),
            next: panel(&widest),
        }
    }

    fn forward<'w>(
        &self,
        input: &[T],
        batch: usize,
        workspace: &'w mut DenseWorkspace<T>,
    ) -> &'w [T] {
        let widths = &self.architecture.widths;
        assert!(input.len() == widths[0] * batch, "input panel of another length");
        assert!(batch <= workspace.capacity, "batch larger than the workspace");
        let mut parameters = &self.parameters[..];
        for (l, pair) in widths.windows(2).enumerate() {
            let (weights, bias, rest) = layer(parameters, pair[0], pair[1]);
            parameters = rest;
            let (before, after) = workspace.x.split_at_mut(l);
            let x = before.last().map_or(input, |x| &x[..pair[0] * batch]);
            let z = &mut after[0][..pair[1] * batch];
            affine_forward(weights, bias, x, batch, l + 1 < self.depth(), z);
        }
        &workspace.x[self.depth() - 1][..self.output_len() * batch]
    }

    fn backward(
        &self,
        input: &[T],
        upstream: &[T],
        batch: usize,
        workspace: &mut DenseWorkspace<T>,
        gradient: &mut [T],
        accumulate: bool,
    ) {
        let widths = &self.architecture.widths;
        assert!(upstream.len() == self.output_len() * batch, "upstream panel of another length");
        assert!(gradient.len() == self.parameters.len(), "gradient of another length");
        let DenseWorkspace { x, delta, next, .. } = workspace;
        delta[..upstream.len()].copy_from_slice(upstream);
        let mut end = gradient.len();
        for l in (0..self.depth()).rev() {
            let (inputs, outputs) = (widths[l], widths[l + 1]);
            let start = end - (inputs + 1) * outputs;
            let before = if l == 0 { input } else { &x[l - 1][..inputs * batch] };
            let d = &delta[..outputs * batch];
            affine_gradient(d, before, batch, &mut gradient[start..end], accumulate);
            if l > 0 {
                let d_x = &mut next[..inputs * batch];
                affine_backward(&self.parameters[start..][..inputs * outputs], d, batch, d_x);
                relu_backward(before, d_x);
                core::mem::swap(delta, next);
            }
            end = start;
        }
    }
}
