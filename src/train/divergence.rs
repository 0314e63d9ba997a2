//! Where a training run that diverged went wrong first.

use crate::network::{Network, PANEL};
use crate::real::Real;
use crate::synthetic::{TrainingSource, draw};
use core::fmt;

/// What was not finite first, or exploded. Layers are counted from 1, as in the paper; an output head is one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DivergenceOrigin {
    /// Parameters of this layer: the last one with a parameter that is not finite, which the backward pass meets
    /// first.
    Parameters {
        /// The layer.
        layer: usize,
    },
    /// What this layer gives with finite parameters: the first one whose output is not finite, or as large as half
    /// of the exploded loss.
    Activations {
        /// The layer.
        layer: usize,
    },
    /// The loss alone: its sum of squares overflows.
    Loss,
}

impl fmt::Display for DivergenceOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DivergenceOrigin::Parameters { layer } => write!(f, "the parameters of layer {layer}"),
            DivergenceOrigin::Activations { layer } => write!(f, "the output of layer {layer}"),
            DivergenceOrigin::Loss => f.write_str("the loss"),
        }
    }
}

/// A mean loss this many times an earlier one has exploded.
pub(crate) const EXPLOSION: f64 = 1e6;

impl DivergenceOrigin {
    /// The last layer with a parameter that is not finite.
    pub(crate) fn in_parameters<T: Real, N: Network<T>>(network: &N) -> Option<Self> {
        let parameters = network.parameters();
        if parameters.iter().all(|p| p.is_finite()) {
            return None;
        }
        let finite = |layer: &usize| {
            let mut ranges = network.layer_parameters(*layer).into_iter();
            ranges.all(|range| parameters[range].iter().all(|p| p.is_finite()))
        };
        let layer = (0..network.depth()).rev().find(|layer| !finite(layer)).unwrap_or(0);
        Some(DivergenceOrigin::Parameters { layer: layer + 1 })
    }

    /// The first layer, counted from 0, whose output for this panel of input is not finite, or has a number half
    /// as large as one of a mean error of `loss`.
    pub(crate) fn in_activations<T: Real, N: Network<T>>(
        network: &N,
        input: &[T],
        workspace: &mut N::Workspace,
        loss: f64,
    ) -> Option<usize> {
        let batch = input.len() / network.input_len();
        network.forward(input, batch, workspace);
        let limit = match loss.is_finite() {
            true => 0.5 * loss / (network.output_len() as f64).sqrt(),
            false => f64::MAX,
        };
        let sound = |layer: &usize| {
            let output = network.layer_output(*layer, batch, workspace);
            output.is_none_or(|output| output.iter().all(|a| a.as_f64().abs() <= limit))
        };
        (0..network.depth()).find(|layer| !sound(layer))
    }

    /// What went wrong in an epoch over a source that ended before this step, with these parameters and this mean
    /// loss, if it is not finite, one of them is not, or the loss is above `limit`.
    pub(crate) fn of_epoch<T: Real, N: Network<T>>(
        network: &N,
        (source, step): (&dyn TrainingSource<T>, usize),
        loss: f64,
        limit: f64,
    ) -> Option<Self> {
        if let Some(origin) = Self::in_parameters(network) {
            return Some(origin);
        }
        if loss <= limit {
            return None;
        }
        let samples: Vec<usize> = (0..source.epoch_len()).collect();
        let (mut first, mut workspace) = (None::<usize>, network.workspace(1));
        for samples in samples.chunks(PANEL) {
            let mut data = vec![T::zero(); source.input_len() * samples.len()];
            let mut weights = vec![T::zero(); source.output_len() * samples.len()];
            draw(source, step, samples.len(), samples, &mut data, &mut weights);
            let layers = data
                .chunks_exact(source.input_len())
                .filter_map(|g| Self::in_activations(network, g, &mut workspace, loss));
            first = layers.chain(first).min();
        }
        Some(Self::of_activations(first))
    }

    /// From the first unsound layer over all samples.
    pub(crate) fn of_activations(layer: Option<usize>) -> Self {
        match layer {
            Some(layer) => DivergenceOrigin::Activations { layer: layer + 1 },
            None => DivergenceOrigin::Loss,
        }
    }
}
