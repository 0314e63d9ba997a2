//! The CNN-FCN of the paper: an affine layer, a one-dimensional convolution, an affine layer.
//!
//! Source: \[LO\] appendix A, table V: FC(w) ReLU → conv1d(kernel 8, 32 channels, stride 1, no padding)
//! ReLU → FC, the softmax being a head.
//!
//! In a panel the rows p…p+7 of the first layer's output are one contiguous block for every position p,
//! so the convolution over all positions and samples is a single product, channels × 8 times a view of
//! 8 × (positions · batch) whose rows overlap.

use super::dense::{
    add_bias, add_row_sums, affine_backward, affine_forward, affine_gradient, consecutive, layer,
    relu_backward,
};
use super::{Front, Initialization, Network};
use crate::error::{Error, Result, check_finite, check_len};
use crate::linalg::{Aligned, MatMut, MatRef, dispatch, gemm};
use crate::real::Real;
use core::ops::Range;
use rand::Rng;

/// The lengths of a [`ConvolutionNetwork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConvolutionArchitecture {
    /// Length m of the data g.
    pub input: usize,
    /// Length n of the spectral weights a.
    pub output: usize,
    /// Width w of the first layer.
    pub width: usize,
    /// Taps of the convolution's kernel.
    pub kernel: usize,
    /// Channels of the convolution.
    pub channels: usize,
}

impl ConvolutionArchitecture {
    /// The paper's kernel of 8 taps and 32 channels.
    pub fn cnn_fcn(input: usize, output: usize, width: usize) -> Self {
        ConvolutionArchitecture { input, output, width, kernel: 8, channels: 32 }
    }

    /// Positions of the kernel.
    fn positions(&self) -> usize {
        self.width - self.kernel + 1
    }

    /// Parameters of the three layers.
    fn counts(&self) -> [usize; 3] {
        [
            (self.input + 1) * self.width,
            (self.kernel + 1) * self.channels,
            (self.channels * self.positions() + 1) * self.output,
        ]
    }

    /// Number of parameters, (m + 1) w + 9·32 + (32 (w − 7) + 1) n for the paper's kernel.
    ///
    /// # Errors
    /// A length of zero or beyond 2²⁰, or a first layer narrower than the kernel.
    pub fn parameter_count(&self) -> Result<usize> {
        let ConvolutionArchitecture { input, output, width, kernel, channels } = *self;
        let lengths = [
            ("input", input),
            ("output", output),
            ("width", width),
            ("kernel", kernel),
            ("channels", channels),
        ];
        for (argument, length) in lengths {
            if length == 0 {
                return Err(Error::Empty { argument, expected: 1 });
            }
            // Products of three lengths and their sums then stay below 2⁶².
            if length > 1 << 20 {
                return Err(Error::OutOfRange {
                    argument,
                    value: length as f64,
                    expected: "a network that fits into memory",
                });
            }
        }
        if width < kernel {
            return Err(Error::OutOfRange {
                argument: "width",
                value: width as f64,
                expected: "at least the taps of the kernel",
            });
        }
        Ok(self.counts().iter().sum())
    }
}

/// A convolution between two affine layers, with ReLU after the first two of the three.
///
/// Parameters, in one vector: weights (row-major) and biases of the first layer (w × m), of the
/// convolution (channels × taps) and of the last layer (n × channels·positions, position fastest).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        into = "super::stored::Stored<ConvolutionArchitecture, T>",
        try_from = "super::stored::Stored<ConvolutionArchitecture, T>",
        bound(serialize = "T: serde::Serialize", deserialize = "T: serde::Deserialize<'de>")
    )
)]
pub struct ConvolutionNetwork<T: Real = f64> {
    architecture: ConvolutionArchitecture,
    parameters: Vec<T>,
}

impl<T: Real> ConvolutionNetwork<T> {
    /// From all parameters, in the order documented above.
    ///
    /// # Errors
    /// Those of [`ConvolutionArchitecture::parameter_count`]; another number of parameters; one that is
    /// not finite.
    pub fn from_parameters(
        architecture: ConvolutionArchitecture,
        parameters: Vec<T>,
    ) -> Result<Self> {
        let count = architecture.parameter_count()?;
        check_len("parameters", parameters.len(), count, "the architecture's parameters")?;
        check_finite("parameters", &parameters)?;
        Ok(ConvolutionNetwork { architecture, parameters })
    }

    /// With random weights and zero biases.
    ///
    /// # Errors
    /// Those of [`ConvolutionArchitecture::parameter_count`]; a scale negative or not finite; a network that does not
    /// fit into memory.
    pub fn random(
        architecture: ConvolutionArchitecture,
        initialization: &Initialization,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let count = architecture.parameter_count()?;
        let mut parameters = initialization.prepare(count)?;
        let ConvolutionArchitecture { input, output, width, kernel, channels } = architecture;
        let features = channels * architecture.positions();
        // Weights of a layer, units that have a bias, and both fans.
        for (inputs, outputs, fan_out) in [
            (input, width, width),
            (kernel, channels, channels * kernel),
            (features, output, output),
        ] {
            initialization.draw(inputs * outputs, (inputs, fan_out), rng, &mut parameters);
            parameters.resize(parameters.len() + outputs, T::zero());
        }
        Self::from_parameters(architecture, parameters)
    }

    /// The lengths of its layers.
    pub fn architecture(&self) -> ConvolutionArchitecture {
        self.architecture
    }
}

/// Buffers of [`ConvolutionNetwork`]: for every sample 2 w + 2·32 (w − 7) + 8 (w − 7) + n numbers.
#[derive(Debug, Clone)]
pub struct ConvolutionWorkspace<T> {
    capacity: usize,
    /// Output of the first layer, and its δ.
    hidden: Aligned<T>,
    d_hidden: Aligned<T>,
    /// Output of the convolution, channels × positions, and its δ.
    features: Aligned<T>,
    d_features: Aligned<T>,
    /// δ of the convolution's inputs, by tap.
    taps: Aligned<T>,
    output: Aligned<T>,
}

impl<T: Real> Network<T> for ConvolutionNetwork<T> {
    type Workspace = ConvolutionWorkspace<T>;

    fn name(&self) -> String {
        format!("cnn-fcn/{}", self.architecture.width)
    }

    fn input_len(&self) -> usize {
        self.architecture.input
    }

    fn output_len(&self) -> usize {
        self.architecture.output
    }

    fn parameters(&self) -> &[T] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }

    fn folded(self, front: &Front) -> Result<Self> {
        let found = front.output_len();
        check_len("front", found, self.architecture.input, "the network's input")?;
        let first = found * self.architecture.width;
        let mut parameters = front.fold(&self.parameters[..first])?;
        parameters.extend_from_slice(&self.parameters[first..]);
        let architecture =
            ConvolutionArchitecture { input: front.input_len(), ..self.architecture };
        Self::from_parameters(architecture, parameters)
    }

    fn penalised(&self) -> Vec<Range<usize>> {
        let ConvolutionArchitecture { input, width, kernel, channels, .. } = self.architecture;
        let second = self.architecture.counts()[0];
        vec![0..input * width, second..second + kernel * channels]
    }

    fn depth(&self) -> usize {
        3
    }

    fn layer_parameters(&self, layer: usize) -> Vec<Range<usize>> {
        consecutive(self.architecture.counts()).nth(layer).into_iter().collect()
    }

    fn layer_output<'w>(
        &self,
        layer: usize,
        batch: usize,
        workspace: &'w ConvolutionWorkspace<T>,
    ) -> Option<&'w [T]> {
        let ConvolutionArchitecture { output, width, channels, .. } = self.architecture;
        match layer {
            0 => workspace.hidden.get(..width * batch),
            1 => workspace.features.get(..channels * self.architecture.positions() * batch),
            2 => workspace.output.get(..output * batch),
            _ => None,
        }
    }

    fn workspace(&self, batch: usize) -> ConvolutionWorkspace<T> {
        let ConvolutionArchitecture { output, width, kernel, channels, .. } = self.architecture;
        let positions = self.architecture.positions();
        let zeros = |features: usize| Aligned::zeros(features * batch);
        ConvolutionWorkspace {
            capacity: batch,
            hidden: zeros(width),
            d_hidden: zeros(width),
            features: zeros(channels * positions),
            d_features: zeros(channels * positions),
            taps: zeros(kernel * positions),
            output: zeros(output),
        }
    }

    fn forward<'w>(
        &self,
        input: &[T],
        batch: usize,
        workspace: &'w mut ConvolutionWorkspace<T>,
    ) -> &'w [T] {
        let ConvolutionArchitecture { input: m, output, width, kernel, channels } =
            self.architecture;
        assert!(input.len() == m * batch, "input panel of another length");
        assert!(batch <= workspace.capacity, "batch larger than the workspace");
        let long = self.architecture.positions() * batch;
        let hidden = &mut workspace.hidden[..width * batch];
        let features = &mut workspace.features[..channels * long];
        let out = &mut workspace.output[..output * batch];
        let (weights, bias, rest) = layer(&self.parameters, m, width);
        affine_forward(weights, bias, input, batch, true, hidden);
        let (weights, bias, rest) = layer(rest, kernel, channels);
        gemm(
            MatMut::row_major(features, channels, long),
            MatRef::row_major(weights, channels, kernel),
            MatRef::strided(hidden, kernel, long, batch, 1),
            false,
        );
        add_bias(bias, true, features);
        let (weights, bias, _) = layer(rest, channels * self.architecture.positions(), output);
        affine_forward(weights, bias, features, batch, false, out);
        out
    }

    fn backward(
        &self,
        input: &[T],
        upstream: &[T],
        batch: usize,
        workspace: &mut ConvolutionWorkspace<T>,
        gradient: &mut [T],
        accumulate: bool,
    ) {
        let ConvolutionArchitecture { input: m, output, width, kernel, channels } =
            self.architecture;
        assert!(upstream.len() == output * batch, "upstream panel of another length");
        assert!(gradient.len() == self.parameters.len(), "gradient of another length");
        let long = self.architecture.positions() * batch;
        let [first, second, _] = self.architecture.counts();
        let (g_first, rest) = gradient.split_at_mut(first);
        let (g_second, g_third) = rest.split_at_mut(second);
        let hidden = &workspace.hidden[..width * batch];
        let d_hidden = &mut workspace.d_hidden[..width * batch];
        let features = &workspace.features[..channels * long];
        let d_features = &mut workspace.d_features[..channels * long];
        let taps = &mut workspace.taps[..kernel * long];

        affine_gradient(upstream, features, batch, g_third, accumulate);
        let third = self.parameters.len() - g_third.len();
        let weights = &self.parameters[third..self.parameters.len() - output];
        affine_backward(weights, upstream, batch, d_features);
        relu_backward(features, d_features);

        let (g_taps, g_bias) = g_second.split_at_mut(channels * kernel);
        gemm(
            MatMut::row_major(g_taps, channels, kernel),
            MatRef::row_major(d_features, channels, long),
            MatRef::strided(hidden, kernel, long, batch, 1).t(),
            accumulate,
        );
        add_row_sums(d_features, long, g_bias, accumulate);
        affine_backward(&self.parameters[first..][..channels * kernel], d_features, long, taps);
        // Every tap saw the rows from its own number on.
        d_hidden.fill(T::zero());
        for (k, tap) in taps.chunks_exact(long).enumerate() {
            let d = &mut d_hidden[k * batch..][..long];
            dispatch(|| d.iter_mut().zip(tap).for_each(|(d, &t)| *d += t));
        }
        relu_backward(hidden, d_hidden);
        affine_gradient(d_hidden, &input[..m * batch], batch, g_first, accumulate);
    }
}
