//! Output heads: physics in the last step of a network.
//!
//! A head maps the plain output z of a network to spectral weights a; with δ = ∂L/∂a,
//!
//! ```text
//! normalised:  y = max(z, 0) + 10⁻⁹, a = y/Σy      ∂L/∂z = 1[z > 0] (δ − a·δ)/Σy
//! softmax:     a = e^z/Σe^z                        ∂L/∂z = a ⊙ (δ − a·δ)
//! ```
//!
//! so that a ≥ 0 and Σ a = 1 for whatever the network says. Agreement with the data is no head: it needs the problem;
//! see [`DataConsistent`](crate::DataConsistent).

use super::{Front, Network};
use crate::error::Result;
use crate::linalg::{Aligned, dispatch, exp};
use crate::real::Real;
use core::ops::Range;

#[cfg(test)]
mod tests;

/// What is done to the output of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Head {
    /// Nothing.
    #[default]
    Linear,
    /// Negative weights to zero, then Σ a = 1. (10⁻⁹ is added to each, so that a dead output is the flat
    /// spectrum.)
    Normalised,
    /// Softmax: a = e^z/Σ e^z.
    Softmax,
}

/// A network with an output head.
///
/// ```
/// use fredholm::*;
/// let architecture = UnrolledArchitecture::<f64>::rlista(5, 4, 2);
/// let mut rng = <rand::rngs::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
/// let network = Unrolled::random(architecture, SoftThreshold, &Default::default(), &mut rng)?;
/// let network = Headed::new(network, Head::Normalised);
/// let mut workspace = network.workspace(1);
/// let a = network.forward(&[0.1, 0.2, 0.3, 0.2, 0.1], 1, &mut workspace);
/// assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-15);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Headed<N> {
    network: N,
    head: Head,
}

impl<N> Headed<N> {
    /// `network` with `head`.
    pub fn new(network: N, head: Head) -> Self {
        Headed { network, head }
    }

    /// The network without its head.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The head.
    pub fn head(&self) -> Head {
        self.head
    }
}

/// Buffers of [`Headed`]: those of the network, two panels and three rows.
#[derive(Debug, Clone)]
pub struct HeadedWorkspace<T, W> {
    inner: W,
    /// a.
    output: Aligned<T>,
    /// ∂L/∂z; in the forward pass, arguments of the exponential.
    delta: Aligned<T>,
    /// max z of every sample; in the backward pass a·δ.
    row: Vec<T>,
    /// 1/Σy of every sample.
    inverse: Vec<T>,
    ones: Vec<T>,
}

impl<T: Real, N: Network<T>> Network<T> for Headed<N> {
    type Workspace = HeadedWorkspace<T, N::Workspace>;

    fn name(&self) -> String {
        match self.head {
            Head::Linear => self.network.name(),
            Head::Normalised => format!("{} normalised", self.network.name()),
            Head::Softmax => format!("{} softmax", self.network.name()),
        }
    }

    fn input_len(&self) -> usize {
        self.network.input_len()
    }

    fn output_len(&self) -> usize {
        self.network.output_len()
    }

    fn parameters(&self) -> &[T] {
        self.network.parameters()
    }

    fn parameters_mut(&mut self) -> &mut [T] {
        self.network.parameters_mut()
    }

    fn live_parameters(&self) -> usize {
        self.network.live_parameters()
    }

    fn folded(self, front: &Front) -> Result<Self> {
        Ok(Headed { network: self.network.folded(front)?, head: self.head })
    }

    fn penalised(&self) -> Vec<Range<usize>> {
        self.network.penalised()
    }

    /// Those of the network, and the head.
    fn depth(&self) -> usize {
        self.network.depth() + usize::from(self.head != Head::Linear)
    }

    fn layer_parameters(&self, layer: usize) -> Vec<Range<usize>> {
        if layer < self.network.depth() { self.network.layer_parameters(layer) } else { Vec::new() }
    }

    fn layer_output<'w>(
        &self,
        layer: usize,
        batch: usize,
        workspace: &'w Self::Workspace,
    ) -> Option<&'w [T]> {
        if layer < self.network.depth() {
            return self.network.layer_output(layer, batch, &workspace.inner);
        }
        workspace.output.get(..self.output_len() * batch)
    }

    fn project(&mut self) {
        self.network.project();
    }

    fn workspace(&self, batch: usize) -> Self::Workspace {
        let panel = if self.head == Head::Linear { 0 } else { self.output_len() * batch };
        HeadedWorkspace {
            inner: self.network.workspace(batch),
            output: Aligned::zeros(panel),
            delta: Aligned::zeros(panel),
            row: vec![T::zero(); batch],
            inverse: vec![T::zero(); batch],
            ones: vec![T::one(); batch],
        }
    }

    fn forward<'w>(
        &self,
        input: &[T],
        batch: usize,
        workspace: &'w mut Self::Workspace,
    ) -> &'w [T] {
        let HeadedWorkspace { inner, output, delta, row, inverse, ones } = workspace;
        let z = self.network.forward(input, batch, inner);
        let (row, inverse, ones) = (&mut row[..batch], &mut inverse[..batch], &ones[..batch]);
        match self.head {
            Head::Linear => return z,
            Head::Normalised => clip(z, batch, inverse, &mut output[..z.len()]),
            Head::Softmax => {
                let delta = &mut delta[..z.len()];
                shift(z, batch, row, delta);
                for (x, y) in delta.chunks_exact(batch).zip(output.chunks_exact_mut(batch)) {
                    exp(x, ones, y);
                }
                sum(&output[..z.len()], batch, inverse);
            }
        }
        let output = &mut output[..z.len()];
        dispatch(|| {
            inverse.iter_mut().for_each(|s| *s = T::one() / *s);
            for y in output.chunks_exact_mut(batch) {
                y.iter_mut().zip(&*inverse).for_each(|(y, &s)| *y *= s);
            }
        });
        output
    }

    fn backward(
        &self,
        input: &[T],
        upstream: &[T],
        batch: usize,
        workspace: &mut Self::Workspace,
        gradient: &mut [T],
        accumulate: bool,
    ) {
        let HeadedWorkspace { inner, output, delta, row, inverse, .. } = workspace;
        if self.head == Head::Linear {
            return self.network.backward(input, upstream, batch, inner, gradient, accumulate);
        }
        let panel = self.output_len() * batch;
        assert!(upstream.len() == panel, "upstream panel of another length");
        let (a, delta) = (&output[..panel], &mut delta[..panel]);
        let (mean, inverse) = (&mut row[..batch], &inverse[..batch]);
        dispatch(|| {
            mean.fill(T::zero());
            for (a, u) in a.chunks_exact(batch).zip(upstream.chunks_exact(batch)) {
                for ((mean, &a), &u) in mean.iter_mut().zip(a).zip(u) {
                    *mean += a * u;
                }
            }
        });
        let rows = a.chunks_exact(batch).zip(upstream.chunks_exact(batch));
        let rows = rows.zip(delta.chunks_exact_mut(batch));
        if self.head == Head::Softmax {
            dispatch(|| {
                for ((a, u), d) in rows {
                    for (((d, &a), &u), &mean) in d.iter_mut().zip(a).zip(u).zip(&*mean) {
                        *d = a * (u - mean);
                    }
                }
            });
        } else {
            dispatch(|| {
                for ((a, u), d) in rows {
                    let samples = d.iter_mut().zip(a).zip(u).zip(&*mean).zip(inverse);
                    for ((((d, &a), &u), &mean), &inverse) in samples {
                        // A clipped component is the floor over the sum, by the same rounding.
                        let clipped = a <= T::lit(FLOOR) * inverse;
                        *d = if clipped { T::zero() } else { (u - mean) * inverse };
                    }
                }
            });
        }
        self.network.backward(input, delta, batch, inner, gradient, accumulate);
    }
}

/// Added to every clipped component.
const FLOOR: f64 = 1e-9;

/// y = max(z, 0) + floor and its sum over every sample.
fn clip<T: Real>(z: &[T], batch: usize, sum: &mut [T], y: &mut [T]) {
    let floor = T::lit(FLOOR);
    dispatch(|| {
        sum.fill(T::zero());
        for (z, y) in z.chunks_exact(batch).zip(y.chunks_exact_mut(batch)) {
            for ((&z, y), sum) in z.iter().zip(y).zip(&mut *sum) {
                // Written so that a NaN stays one.
                *y = if z <= T::zero() { floor } else { z + floor };
                *sum += *y;
            }
        }
    });
}

/// z − max z of every sample.
fn shift<T: Real>(z: &[T], batch: usize, top: &mut [T], shifted: &mut [T]) {
    dispatch(|| {
        top.copy_from_slice(&z[..batch]);
        for z in z.chunks_exact(batch) {
            for (top, &z) in top.iter_mut().zip(z) {
                *top = if z > *top { z } else { *top };
            }
        }
        for (z, s) in z.chunks_exact(batch).zip(shifted.chunks_exact_mut(batch)) {
            for ((&z, s), &top) in z.iter().zip(s).zip(&*top) {
                *s = z - top;
            }
        }
    });
}

/// The sum over every sample.
fn sum<T: Real>(y: &[T], batch: usize, sum: &mut [T]) {
    dispatch(|| {
        sum.fill(T::zero());
        for y in y.chunks_exact(batch) {
            sum.iter_mut().zip(y).for_each(|(sum, &y)| *sum += y);
        }
    });
}
