//! LISTA and RLISTA: the one layer unrolled, each layer with weights of its own.
//!
//! Source: \[LO\] II.D. With a₁ = 0, for l = 1…L:
//!
//! ```text
//! z_l = W_t^l a_l + W_e^l g          a_{l+1} = (1−η) a_l + η prox_{θ_l}(z_l)
//! ```
//!
//! with one threshold θ_l for all components or one a component, and η fixed or learned (then η_l). Reverse mode,
//! with δ = ∂L/∂a_{l+1} and J the Jacobian of the proximal operator at z_l:
//!
//! ```text
//! u = η Jᵀδ    ∂L/∂W_t = u a_lᵀ    ∂L/∂W_e = u gᵀ    ∂L/∂a_l = (1−η) δ + W_tᵀu
//! ∂L/∂θ = η δ·∂prox/∂θ               ∂L/∂η = δ·(prox_θ(z_l) − a_l) = δ·(a_{l+1} − a_l)/η
//! ```
//!
//! The gradients of all W_e are one product; a_{l+1} is not needed once layer l+1 is done, so its place takes
//! Jᵀδ, and the workspace is two stacks of panels. The factors η and 1−η are those of the products, but for an
//! η_l of each layer, which the stack of all layers takes in.

use super::activation::{Activation, check_separable};
use super::architecture::LEAST_RELAXATION;
use super::layer::{Layer, affine};
use super::{Front, Initialization, Network, Thresholds, UnrolledArchitecture};
use crate::error::{
    Error, Result, check_all_nonnegative, check_finite, check_len, check_nonnegative,
    check_positive,
};
use crate::fixed_point::relax;
use crate::linalg::{Aligned, MatMut, MatRef, dispatch, dot, gemm, gemm_scaled};
use crate::prox::{Prox, check_dimension};
use crate::real::Real;
use core::ops::Range;
use nalgebra::DMatrix;
use rand::Rng;

/// LISTA, RLISTA, and ISTA before training: L layers prox_θ(W_t a + W_e g), relaxed by η.
///
/// The activation is any proximal operator `P`, a unit one whose γ is the layer's θ ≥ 0.
///
/// Parameters, in one vector: W_e of all layers stacked (L·n × m, row-major), then each layer's W_t
/// (n × n, row-major), then each layer's thresholds (one or n), then the L relaxations if they are learned.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        into = "super::stored::StoredUnrolled<T, P>",
        try_from = "super::stored::StoredUnrolled<T, P>",
        bound(
            serialize = "T: serde::Serialize, P: Prox<T> + Clone + serde::Serialize",
            deserialize = "T: serde::Deserialize<'de>, P: Prox<T> + serde::Deserialize<'de>"
        )
    )
)]
pub struct Unrolled<T: Real, P> {
    architecture: UnrolledArchitecture<T>,
    prox: P,
    parameters: Vec<T>,
}

impl<T: Real, P: Prox<T>> Unrolled<T, P> {
    /// From all parameters, in the order documented above.
    ///
    /// # Errors
    /// Those of [`UnrolledArchitecture::parameter_count`]; another number of parameters; one that is not
    /// finite; a negative threshold; a learned η outside [10⁻³, 1]; a threshold a component for an activation
    /// that is not separable; an activation of vectors of another length than the output.
    pub fn from_parameters(
        architecture: UnrolledArchitecture<T>,
        prox: P,
        parameters: Vec<T>,
    ) -> Result<Self> {
        let count = Self::parameter_count(&architecture, &prox)?;
        check_len("parameters", parameters.len(), count, "the architecture's parameters")?;
        check_finite("parameters", &parameters)?;
        let network = Unrolled { architecture, prox, parameters };
        check_all_nonnegative("thresholds", network.thresholds())?;
        let relaxations = &network.parameters[network.thresholds_range().end..];
        if let Some(index) = relaxations.iter().position(|&eta| clamp_relaxation(eta) != eta) {
            return Err(Error::ElementOutOfRange {
                argument: "relaxations",
                index,
                value: relaxations[index].as_f64(),
                expected: "a number in [10⁻³, 1]",
            });
        }
        Ok(network)
    }

    /// With random weights, drawn from `rng` in the order of the parameters.
    ///
    /// # Errors
    /// Those of [`UnrolledArchitecture::parameter_count`]; scale or threshold negative or not finite.
    pub fn random(
        architecture: UnrolledArchitecture<T>,
        prox: P,
        initialization: &Initialization,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        let count = Self::parameter_count(&architecture, &prox)?;
        let mut parameters = initialization.prepare(count)?;
        let UnrolledArchitecture { input, output, depth, .. } = architecture;
        for columns in [input, output] {
            let weights = depth * output * columns;
            initialization.draw(weights, (columns, output), rng, &mut parameters);
        }
        Self::with_weights(architecture, prox, parameters, T::lit(initialization.threshold))
    }

    /// Number of parameters, after a check of the activation.
    fn parameter_count(architecture: &UnrolledArchitecture<T>, prox: &P) -> Result<usize> {
        if architecture.thresholds == Thresholds::PerComponent {
            check_separable(prox)?;
        }
        check_dimension(prox, architecture.output, "the network's output")?;
        architecture.parameter_count()
    }

    /// From the weights of all layers, with all thresholds alike and η as it starts.
    fn with_weights(
        architecture: UnrolledArchitecture<T>,
        prox: P,
        mut parameters: Vec<T>,
        threshold: T,
    ) -> Result<Self> {
        let count = architecture.parameter_count()?;
        let relaxations = if architecture.learned_relaxation { architecture.depth } else { 0 };
        parameters.resize(count - relaxations, threshold);
        parameters.resize(count, architecture.relaxation);
        Self::from_parameters(architecture, prox, parameters)
    }

    /// L steps of ISTA for `kernel` K: W_e = tKᵀ, W_t = I − tKᵀK, θ = tλ in every layer.
    ///
    /// `step` t > 0 (convergent for t < 2/‖K‖²), `lambda` λ ≥ 0.
    ///
    /// # Errors
    /// As [`from_parameters`](Self::from_parameters); a kernel of another shape than the architecture's; `step`
    /// or `lambda` out of range.
    pub fn ista(
        architecture: UnrolledArchitecture<T>,
        kernel: &DMatrix<T>,
        prox: P,
        step: T,
        lambda: T,
    ) -> Result<Self> {
        let UnrolledArchitecture { input: m, output: n, depth, .. } = architecture;
        let count = Self::parameter_count(&architecture, &prox)?;
        check_len("kernel", kernel.nrows(), m, "the architecture's input")?;
        check_len("kernel", kernel.ncols(), n, "the architecture's output")?;
        check_finite("kernel", kernel.as_slice())?;
        check_positive("step", step)?;
        check_nonnegative("lambda", lambda)?;
        // Column-major m × n is row-major n × m: Kᵀ as W_e wants it.
        let w_e: Vec<T> = kernel.iter().map(|&k| step * k).collect();
        let mut w_t = vec![T::zero(); n * n];
        let k = MatRef::column_major(kernel.as_slice(), m, n);
        gemm(MatMut::row_major(&mut w_t, n, n), MatRef::row_major(&w_e, n, m), k, false);
        for (i, row) in w_t.chunks_exact_mut(n).enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                *v = if i == j { T::one() - *v } else { -*v };
            }
        }
        let mut parameters = Vec::with_capacity(count);
        for weights in [&w_e, &w_t] {
            for _ in 0..depth {
                parameters.extend_from_slice(weights);
            }
        }
        Self::with_weights(architecture, prox, parameters, step * lambda)
    }

    /// Shape and relaxation.
    pub fn architecture(&self) -> UnrolledArchitecture<T> {
        self.architecture
    }

    /// The activation.
    pub fn prox(&self) -> &P {
        &self.prox
    }

    /// The activation, by value.
    #[cfg(feature = "serde")]
    pub(super) fn into_prox(self) -> P {
        self.prox
    }

    /// The thresholds θ_l, layer by layer: one a layer, or n.
    pub fn thresholds(&self) -> &[T] {
        &self.parameters[self.thresholds_range()]
    }

    /// The relaxations: one a layer if they are learned, else one for all.
    pub fn relaxations(&self) -> &[T] {
        if self.architecture.learned_relaxation {
            &self.parameters[self.thresholds_range().end..]
        } else {
            core::slice::from_ref(&self.architecture.relaxation)
        }
    }

    /// Layer l, counted from 0.
    ///
    /// # Errors
    /// `l` not below the depth.
    pub fn layer(&self, l: usize) -> Result<Layer<'_, T, P>> {
        if l >= self.architecture.depth {
            return Err(Error::OutOfRange {
                argument: "l",
                value: l as f64,
                expected: "a layer below the network's depth",
            });
        }
        Layer::new(self.w_t(l), self.w_e(l), self.theta(l), &self.prox)
    }

    fn thresholds_range(&self) -> Range<usize> {
        let UnrolledArchitecture { output: n, depth, .. } = self.architecture;
        let start = self.stacked() + depth * n * n;
        start..start + depth * self.architecture.layer_thresholds()
    }

    fn theta(&self, l: usize) -> &[T] {
        let count = self.architecture.layer_thresholds();
        &self.thresholds()[l * count..][..count]
    }

    fn activation<'a>(&'a self, l: usize, columns: &'a mut [T]) -> Activation<'a, T, P> {
        Activation { prox: &self.prox, thresholds: self.theta(l), columns }
    }

    fn eta(&self, l: usize) -> T {
        let relaxations = self.relaxations();
        relaxations[l.min(relaxations.len() - 1)]
    }

    /// Number of weights in the stacked W_e: where the first W_t begins.
    fn stacked(&self) -> usize {
        self.architecture.depth * self.architecture.output * self.architecture.input
    }

    fn w_e(&self, l: usize) -> &[T] {
        let size = self.architecture.output * self.architecture.input;
        &self.parameters[l * size..][..size]
    }

    fn w_t(&self, l: usize) -> &[T] {
        let size = self.architecture.output * self.architecture.output;
        &self.parameters[self.stacked() + l * size..][..size]
    }
}

/// Buffers of [`Unrolled`]: 2L + 1 panels of n numbers a sample.
#[derive(Debug, Clone)]
pub struct UnrolledWorkspace<T> {
    /// Samples the panels have room for.
    capacity: usize,
    /// z_l of all layers.
    z: Aligned<T>,
    /// a_{l+1} of all layers; in the backward pass Jᵀδ.
    a: Aligned<T>,
    /// ∂L/∂a_{l+1}.
    delta: Aligned<T>,
    /// Three samples, for operators that need them contiguous.
    columns: Vec<T>,
}

impl<T: Real, P: Prox<T>> Network<T> for Unrolled<T, P> {
    type Workspace = UnrolledWorkspace<T>;

    fn name(&self) -> String {
        let UnrolledArchitecture { relaxation, learned_relaxation, .. } = self.architecture;
        let relaxed = if learned_relaxation || relaxation < T::one() { "r" } else { "" };
        format!("{relaxed}lista-{}", self.architecture.depth)
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

    fn live_parameters(&self) -> usize {
        self.parameters.len() - self.architecture.output * self.architecture.output
    }

    fn folded(self, front: &Front) -> Result<Self> {
        let found = front.output_len();
        check_len("front", found, self.architecture.input, "the network's input")?;
        let mut parameters = front.fold(&self.parameters[..self.stacked()])?;
        parameters.extend_from_slice(&self.parameters[self.stacked()..]);
        let architecture = UnrolledArchitecture { input: front.input_len(), ..self.architecture };
        Self::from_parameters(architecture, self.prox, parameters)
    }

    fn penalised(&self) -> Vec<Range<usize>> {
        let UnrolledArchitecture { input, output, depth, .. } = self.architecture;
        let stacked = self.stacked();
        vec![0..(depth - 1) * output * input, stacked..stacked + (depth - 1) * output * output]
    }

    fn depth(&self) -> usize {
        self.architecture.depth
    }

    fn layer_parameters(&self, layer: usize) -> Vec<Range<usize>> {
        let UnrolledArchitecture { input, output, learned_relaxation, .. } = self.architecture;
        let block = |start: usize, size: usize| start + layer * size..start + (layer + 1) * size;
        let Range { start, end } = self.thresholds_range();
        let (stacked, thresholds) = (self.stacked(), self.architecture.layer_thresholds());
        vec![
            block(0, output * input),
            block(stacked, output * output),
            block(start, thresholds),
            block(end, usize::from(learned_relaxation)),
        ]
    }

    /// The iterate a_{l+1}.
    fn layer_output<'w>(
        &self,
        layer: usize,
        batch: usize,
        workspace: &'w UnrolledWorkspace<T>,
    ) -> Option<&'w [T]> {
        if layer >= self.architecture.depth {
            return None;
        }
        let panel = self.architecture.output * batch;
        workspace.a.get(layer * panel..(layer + 1) * panel)
    }

    fn project(&mut self) {
        let Range { start, end } = self.thresholds_range();
        for theta in &mut self.parameters[start..end] {
            if *theta < T::zero() {
                *theta = T::zero();
            }
        }
        self.parameters[end..].iter_mut().for_each(|eta| *eta = clamp_relaxation(*eta));
    }

    fn workspace(&self, batch: usize) -> UnrolledWorkspace<T> {
        let panel = self.architecture.output * batch;
        UnrolledWorkspace {
            capacity: batch,
            z: Aligned::zeros(self.architecture.depth * panel),
            a: Aligned::zeros(self.architecture.depth * panel),
            delta: Aligned::zeros(panel),
            columns: vec![T::zero(); 3 * self.architecture.output],
        }
    }

    fn forward<'w>(
        &self,
        input: &[T],
        batch: usize,
        workspace: &'w mut UnrolledWorkspace<T>,
    ) -> &'w [T] {
        let UnrolledArchitecture { input: m, output: n, depth, .. } = self.architecture;
        assert!(input.len() == m * batch, "input panel of another length");
        assert!(batch <= workspace.capacity, "batch larger than the workspace");
        let panel = n * batch;
        for l in 0..depth {
            let z = &mut workspace.z[l * panel..][..panel];
            affine(z, self.w_e(l), m, input, batch, false);
            let (before, out) = workspace.a.split_at_mut(l * panel);
            let (out, eta) = (&mut out[..panel], self.eta(l));
            let a = &before[l.saturating_sub(1) * panel..];
            if l > 0 {
                affine(z, self.w_t(l), n, a, batch, true);
            }
            self.activation(l, &mut workspace.columns).apply(z, batch, out);
            if eta == T::one() {
                continue;
            }
            if l == 0 {
                dispatch(|| out.iter_mut().for_each(|o| *o *= eta));
            } else {
                dispatch(|| out.iter_mut().zip(a).for_each(|(o, &a)| *o = relax(eta, a, *o)));
            }
        }
        &workspace.a[(depth - 1) * panel..][..panel]
    }

    fn backward(
        &self,
        input: &[T],
        upstream: &[T],
        batch: usize,
        workspace: &mut UnrolledWorkspace<T>,
        gradient: &mut [T],
        accumulate: bool,
    ) {
        let UnrolledArchitecture { input: m, output: n, depth, .. } = self.architecture;
        let panel = n * batch;
        assert!(upstream.len() == panel, "upstream panel of another length");
        assert!(gradient.len() == self.parameters.len(), "gradient of another length");
        let learned = self.architecture.learned_relaxation;
        let thresholds = self.architecture.layer_thresholds();
        let (gradient, d_eta) = gradient.split_at_mut(self.thresholds_range().end);
        let (d_weights, d_theta) = gradient.split_at_mut(self.thresholds_range().start);
        let (d_w_e, d_w_t) = d_weights.split_at_mut(self.stacked());
        let delta = &mut workspace.delta[..panel];
        delta.copy_from_slice(upstream);
        let add = accumulate.then(T::one);
        if !accumulate {
            d_theta.fill(T::zero());
            d_eta.fill(T::zero());
        }
        // Of the products with u: one η for all layers is theirs, those of each layer go into u.
        let factor = if learned { T::one() } else { self.architecture.relaxation };
        for l in (0..depth).rev() {
            let z = &workspace.z[l * panel..][..panel];
            let (before, u) = workspace.a.split_at_mut(l * panel);
            // Nothing in the first layer: a₁ = 0.
            let (a, u) = (&before[l.saturating_sub(1) * panel..], &mut u[..panel]);
            let eta = self.eta(l);
            if learned {
                d_eta[l] += dispatch(|| dot(delta, u) - dot(delta, a)) / eta;
            }
            let d_theta = &mut d_theta[l * thresholds..][..thresholds];
            // In the place of a_{l+1} now Jᵀδ.
            let mut activation = self.activation(l, &mut workspace.columns);
            activation.reverse((z, batch), delta, u, eta, d_theta);
            if learned {
                dispatch(|| u.iter_mut().for_each(|u| *u *= eta));
            }
            let d_w_t = &mut d_w_t[l * n * n..][..n * n];
            if l == 0 {
                // a₁ = 0: the first W_t has no effect.
                if !accumulate {
                    d_w_t.fill(T::zero());
                }
                continue;
            }
            let u = MatRef::row_major(u, n, batch);
            let a = MatRef::row_major(a, n, batch);
            gemm_scaled(MatMut::row_major(d_w_t, n, n), add, factor, u, a.t());
            let w_t = MatRef::row_major(self.w_t(l), n, n);
            let keep = (eta != T::one()).then_some(T::one() - eta);
            gemm_scaled(MatMut::row_major(delta, n, batch), keep, factor, w_t.t(), u);
        }
        let u = MatRef::row_major(&workspace.a, depth * n, batch);
        let g = MatRef::row_major(input, m, batch);
        gemm_scaled(MatMut::row_major(d_w_e, depth * n, m), add, factor, u, g.t());
    }
}

/// The nearest number that a learned η may be.
fn clamp_relaxation<T: Real>(eta: T) -> T {
    let least = T::lit(LEAST_RELAXATION);
    // Written so that a NaN stays one.
    match eta {
        eta if eta < least => least,
        eta if eta > T::one() => T::one(),
        eta => eta,
    }
}
