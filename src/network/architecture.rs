//! Shape of unrolled networks, and initial weights of all.

use crate::error::{Error, Result, check_nonnegative, check_positive};
use crate::real::Real;
use rand::{Rng, RngExt};

/// The shape of an unrolled network, its relaxation, and what it learns beside its weights.
///
/// Stored ones that do not name `learned_relaxation` or `thresholds` have the defaults of [`rlista`](Self::rlista).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UnrolledArchitecture<T = f64> {
    /// Length m of the data g.
    pub input: usize,
    /// Length n of the spectral weights a, the width of every layer.
    pub output: usize,
    /// Number of layers L.
    pub depth: usize,
    /// Relaxation η in (0, 1]: 1 is LISTA, ½ the paper's RLISTA.
    pub relaxation: T,
    /// Whether every layer learns an η of its own, which starts at `relaxation`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub learned_relaxation: bool,
    /// Whether a layer learns one threshold or many.
    #[cfg_attr(feature = "serde", serde(default))]
    pub thresholds: Thresholds,
}

/// The thresholds θ ≥ 0 that a layer learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Thresholds {
    /// One for all components, as in the paper.
    #[default]
    Shared,
    /// One a component: for activations that act on each component alone ([`Prox::is_separable`]).
    ///
    /// [`Prox::is_separable`]: crate::Prox::is_separable
    PerComponent,
}

/// The least η that is learned: at 0 a layer would be skipped, its weights with it.
pub(crate) const LEAST_RELAXATION: f64 = 1e-3;

impl<T: Real> UnrolledArchitecture<T> {
    /// LISTA: η = 1.
    pub fn lista(input: usize, output: usize, depth: usize) -> Self {
        UnrolledArchitecture { relaxation: T::one(), ..Self::rlista(input, output, depth) }
    }

    /// RLISTA as in the paper: η = ½, not learned, and one threshold a layer.
    pub fn rlista(input: usize, output: usize, depth: usize) -> Self {
        UnrolledArchitecture {
            input,
            output,
            depth,
            relaxation: T::lit(0.5),
            learned_relaxation: false,
            thresholds: Thresholds::Shared,
        }
    }

    /// Number of parameters, L (n m + n² + 1): W_e, W_t and one threshold a layer; n thresholds and one η
    /// more where they are learned.
    ///
    /// The n² of the first W_t are counted, though they never act (a₁ = 0): 75 010 for ten layers of
    /// 100 → 50, of which 72 510 are live.
    ///
    /// # Errors
    /// A length of zero, η outside (0, 1] (below 10⁻³ if learned), or more parameters than memory can hold.
    pub fn parameter_count(&self) -> Result<usize> {
        let lengths = [("input", self.input), ("output", self.output), ("depth", self.depth)];
        for (argument, length) in lengths {
            if length == 0 {
                return Err(Error::Empty { argument, expected: 1 });
            }
        }
        check_positive("relaxation", self.relaxation)?;
        if self.relaxation > T::one() {
            return Err(Error::OutOfRange {
                argument: "relaxation",
                value: self.relaxation.as_f64(),
                expected: "a number in (0, 1]",
            });
        }
        if self.learned_relaxation && self.relaxation < T::lit(LEAST_RELAXATION) {
            return Err(Error::OutOfRange {
                argument: "relaxation",
                value: self.relaxation.as_f64(),
                expected: "at least 10⁻³ where it is learned",
            });
        }
        let layer = (self.input.checked_add(self.output))
            .and_then(|row| row.checked_mul(self.output))
            .and_then(|weights| weights.checked_add(self.layer_thresholds()))
            .and_then(|count| count.checked_add(usize::from(self.learned_relaxation)));
        layer
            .and_then(|layer| layer.checked_mul(self.depth))
            .filter(|&count| count <= isize::MAX as usize / size_of::<T>())
            .ok_or(Error::OutOfRange {
                argument: "depth",
                value: self.depth as f64,
                expected: "a network that fits into memory",
            })
    }

    /// Thresholds of one layer.
    pub(super) fn layer_thresholds(&self) -> usize {
        match self.thresholds {
            Thresholds::Shared => 1,
            Thresholds::PerComponent => self.output,
        }
    }
}

/// Random initial weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Initialization {
    /// The distribution of the weights.
    pub distribution: WeightDistribution,
    /// Factor on the weights.
    pub scale: f64,
    /// Initial threshold θ of every layer of an unrolled network; the biases of others start at zero.
    pub threshold: f64,
}

impl Default for Initialization {
    /// LeCun-normal as in the paper, θ = 10⁻³.
    fn default() -> Self {
        Initialization {
            distribution: WeightDistribution::LecunNormal,
            scale: 1.0,
            threshold: 1e-3,
        }
    }
}

impl Initialization {
    /// `count` weights of a layer in which every output sums `fan_in` inputs and every input reaches
    /// `fan_out` outputs.
    pub(super) fn draw<T: Real>(
        &self,
        count: usize,
        (fan_in, fan_out): (usize, usize),
        rng: &mut (impl Rng + ?Sized),
        weights: &mut Vec<T>,
    ) {
        match self.distribution {
            WeightDistribution::LecunNormal => {
                let deviation = T::lit(self.scale / (fan_in as f64).sqrt());
                weights.extend((0..count).map(|_| deviation * T::standard_normal(rng)));
            }
            WeightDistribution::GlorotUniform => {
                let bound = self.scale * (6.0 / (fan_in + fan_out) as f64).sqrt();
                let draw = |_| T::lit(bound * (2.0 * rng.random::<f64>() - 1.0));
                weights.extend((0..count).map(draw));
            }
        }
    }

    /// Room for `count` parameters, after a check of scale and threshold.
    pub(super) fn prepare<T: Real>(&self, count: usize) -> Result<Vec<T>> {
        check_nonnegative("scale", self.scale)?;
        check_nonnegative("threshold", self.threshold)?;
        let mut parameters = Vec::new();
        match parameters.try_reserve_exact(count) {
            Ok(()) => Ok(parameters),
            Err(_) => Err(Error::OutOfRange {
                argument: "parameters",
                value: count as f64,
                expected: "a network that fits into memory",
            }),
        }
    }
}

/// Distribution of random weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WeightDistribution {
    /// Normal, variance 1/(inputs of a unit): LeCun's.
    #[default]
    LecunNormal,
    /// Uniform, variance 2/(inputs + outputs): Glorot's, usual for fully connected layers.
    GlorotUniform,
}
