//! How deep a network is that answers layer by layer: how near each of its iterates is to the answer.

use super::Estimator;
use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::network::{Network, PANEL, gather, scatter};
use crate::real::Real;
use crate::synthetic::TrainingSet;
use nalgebra::DMatrix;

/// How the iterates a_1 = 0, a_2, …, a_{L+1} of a network of L layers come to its answer a_{L+1}, in the mean over a
/// set. Where the answer is zero for all of it, the distances are NaN.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DepthProfile {
    /// d_l = ⟨‖a_{l+1} − a_{L+1}‖₂⟩/⟨‖a_{L+1}‖₂⟩ after l = 0…L layers: 1 at first, 0 in the end.
    pub distances: Vec<f64>,
    /// ⟨‖a_{l+1} − ã‖₂⟩ for the truth ã: the mean root-square error of a network cut off after l layers.
    pub errors: Vec<f64>,
}

impl DepthProfile {
    /// Σ_{l<L} d_l, the number of layers that do the work: 1 where the first layer already gives the answer,
    /// (L + 1)/2 where every layer goes as far as every other, L where the last one does it all, and 1/(1 − q)
    /// where the distance falls by a factor q a layer. More than L where the iterates go astray on their way.
    ///
    /// Another question than how deep a gradient reaches
    /// ([`UnrolledArchitecture::effective_depth`](crate::UnrolledArchitecture::effective_depth)).
    pub fn effective_depth(&self) -> f64 {
        self.distances.iter().sum()
    }
}

impl<T: Real, N: Network<T>> Estimator<T, N> {
    /// What every layer gives for data in columns, one matrix a layer: the iterates a_2…a_{L+1} of an unrolled
    /// network, the activations of others.
    ///
    /// # Errors
    /// Data without columns, of another length than the raw data it takes, or not finite; a network that does not keep
    /// them.
    pub fn layer_outputs(&self, data: &DMatrix<T>) -> Result<Vec<DMatrix<T>>> {
        check_len("data", data.nrows(), self.input_len(), "the network's input")?;
        check_not_empty("data", data.ncols(), 1)?;
        check_finite("data", data.as_slice())?;
        let seen = match self.front() {
            Some(front) => &front.apply(data)?,
            None => data,
        };
        let network = self.network();
        let (m, depth) = (network.input_len(), network.depth());
        let batch = PANEL.min(seen.ncols());
        let (mut workspace, mut input) = (network.workspace(batch), vec![T::zero(); m * batch]);
        let mut outputs = Vec::with_capacity(depth);
        for start in (0..seen.ncols()).step_by(PANEL) {
            let batch = PANEL.min(seen.ncols() - start);
            let sample = |b: usize| &seen.as_slice()[(start + b) * m..][..m];
            gather(m, batch, sample, &mut input[..m * batch]);
            network.forward(&input[..m * batch], batch, &mut workspace);
            for layer in 0..depth {
                let panel = network.layer_output(layer, batch, &workspace).ok_or(NOT_KEPT)?;
                let n = panel.len() / batch;
                if start == 0 {
                    outputs.push(DMatrix::zeros(n, seen.ncols()));
                }
                let columns = &mut outputs[layer].as_mut_slice()[start * n..][..batch * n];
                scatter(panel, batch, columns);
            }
        }
        Ok(outputs)
    }

    /// How near the iterates are to the answer and to the truth, in the mean over `set`.
    ///
    /// # Errors
    /// As [`layer_outputs`](Self::layer_outputs); a set of another shape than the network, or a network whose layers
    /// do not all give spectral weights.
    pub fn depth_profile(&self, set: &TrainingSet<T>) -> Result<DepthProfile> {
        let n = self.network().output_len();
        check_len("weights", set.weights().nrows(), n, "the network's output")?;
        let outputs = self.layer_outputs(set.data())?;
        let (Some(answer), true) = (outputs.last(), outputs.iter().all(|a| a.nrows() == n)) else {
            return Err(NOT_ITERATES);
        };
        let mean = |a: Option<&DMatrix<T>>, b: Option<&DMatrix<T>>| {
            let element = |m: Option<&DMatrix<T>>, i, j| m.map_or(0.0, |m| m[(i, j)].as_f64());
            let norm = |j| {
                (0..n).map(|i| (element(a, i, j) - element(b, i, j)).powi(2)).sum::<f64>().sqrt()
            };
            (0..set.len()).map(norm).sum::<f64>() / set.len() as f64
        };
        let size = mean(Some(answer), None);
        let iterates = || core::iter::once(None).chain(outputs.iter().map(Some));
        Ok(DepthProfile {
            distances: iterates().map(|a| mean(a, Some(answer)) / size).collect(),
            errors: iterates().map(|a| mean(a, Some(set.weights()))).collect(),
        })
    }
}

const NOT_KEPT: Error = Error::Unsupported {
    argument: "network",
    value: "one that does not keep what its layers give",
    expected: "a network with `layer_output`",
};

const NOT_ITERATES: Error = Error::Unsupported {
    argument: "network",
    value: "one with layers of other widths",
    expected: "an unrolled network, whose layers all give spectral weights",
};
