//! Adam: adaptive moment estimation.
//!
//! Source: Kingma and Ba, arXiv:1412.6980, algorithm 1; settings of \[LO\] table I.
//!
//! ```text
//! m ← β₁ m + (1−β₁) g     v ← β₂ v + (1−β₂) g²     p ← p − r · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)
//! ```

use crate::error::{
    Error, Result, check_finite, check_len, check_nonnegative, check_positive, check_scalar,
};
use crate::linalg::{Vectorise, dispatch};
use crate::parallel;
use crate::real::Real;

/// Constants of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AdamConfig {
    /// Decay of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1).
    pub beta2: f64,
    /// Added to the root of the second moment, > 0.
    pub epsilon: f64,
}

impl Default for AdamConfig {
    /// β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁷, as in the paper.
    fn default() -> Self {
        AdamConfig { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }
    }
}

impl AdamConfig {
    /// Whether the constants are in their ranges.
    ///
    /// # Errors
    /// Names the one that is not.
    pub fn validate(&self) -> Result<()> {
        for (argument, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            check_scalar(argument, value)?;
            if !(0.0..1.0).contains(&value) {
                return Err(Error::OutOfRange { argument, value, expected: "a number in [0, 1)" });
            }
        }
        check_positive("epsilon", self.epsilon)
    }
}

/// The state of Adam for one vector of parameters: both moments and the number of steps.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Adam<T = f64> {
    config: AdamConfig,
    /// First moment.
    m: Vec<T>,
    /// Second moment.
    v: Vec<T>,
    steps: i32,
}

/// Parameters updated by one thread at a time.
const SHARD: usize = 8 * 1024;
/// Parameters whose gradients are summed before they are used: few, so that a processor loads the next ones while it
/// divides and takes roots.
const BLOCK: usize = 64;

/// What a step has in common for all parameters, in their scalar.
struct Coefficients<T> {
    beta1: T,
    beta2: T,
    epsilon: T,
    /// Learning rate / (1 − β₁ᵗ).
    rate: T,
    /// 1/(1 − β₂ᵗ).
    correction: T,
}

/// The slices of one shard, whose first parameter is number `start`, with the gradients of all.
struct Shard<'a, T, G> {
    start: usize,
    p: &'a mut [T],
    m: &'a mut [T],
    v: &'a mut [T],
    gradients: &'a G,
    coefficients: &'a Coefficients<T>,
}

impl<T: Real> Adam<T> {
    /// For `parameters` parameters, both moments zero.
    ///
    /// # Errors
    /// Those of [`AdamConfig::validate`].
    pub fn new(config: AdamConfig, parameters: usize) -> Result<Self> {
        config.validate()?;
        let zeros = || vec![T::zero(); parameters];
        Ok(Adam { config, m: zeros(), v: zeros(), steps: 0 })
    }

    /// Whether a state read back is one for `parameters` parameters.
    pub(crate) fn check(&self, parameters: usize) -> Result<()> {
        self.config.validate()?;
        check_len("m", self.m.len(), parameters, "the network's parameters")?;
        check_len("v", self.v.len(), parameters, "the network's parameters")?;
        check_finite("m", &self.m)?;
        check_finite("v", &self.v)?;
        match self.v.iter().position(|&v| v < T::zero()) {
            None => Ok(()),
            Some(index) => Err(Error::ElementOutOfRange {
                argument: "v",
                index,
                value: self.v[index].as_f64(),
                expected: "a second moment, not negative",
            }),
        }
    }

    /// The state after `steps` steps that have led to these moments.
    #[cfg(any(feature = "wgpu", feature = "cuda", test))]
    pub(crate) fn after(config: AdamConfig, m: Vec<T>, v: Vec<T>, steps: usize) -> Self {
        Adam { config, m, v, steps: i32::try_from(steps).unwrap_or(i32::MAX) }
    }

    /// Both moments.
    #[cfg(any(feature = "wgpu", feature = "cuda", test))]
    pub(crate) fn moments(&self) -> (&[T], &[T]) {
        (&self.m, &self.v)
    }

    /// Moves `parameters` along `gradient` with learning rate `rate`.
    ///
    /// # Errors
    /// A slice of another length than the state; a gradient that is not finite, a rate that is negative or
    /// not finite: nothing is changed then.
    pub fn step(&mut self, parameters: &mut [T], gradient: &[T], rate: f64) -> Result<()> {
        check_len("parameters", parameters.len(), self.m.len(), "the optimiser's state")?;
        check_len("gradient", gradient.len(), self.m.len(), "the optimiser's state")?;
        check_finite("gradient", gradient)?;
        check_nonnegative("rate", rate)?;
        self.step_sum(parameters, || core::iter::once(gradient), rate);
        Ok(())
    }

    /// The same along the sum of several gradients, added in their order.
    pub(super) fn step_sum<'g, I: Iterator<Item = &'g [T]>>(
        &mut self,
        parameters: &mut [T],
        gradients: impl Fn() -> I + Sync,
        rate: f64,
    ) {
        self.steps = self.steps.saturating_add(1);
        let AdamConfig { beta1, beta2, epsilon } = self.config;
        let coefficients = Coefficients {
            beta1: T::lit(beta1),
            beta2: T::lit(beta2),
            epsilon: T::lit(epsilon),
            rate: T::lit(rate / (1.0 - beta1.powi(self.steps))),
            correction: T::lit(1.0 / (1.0 - beta2.powi(self.steps))),
        };
        parallel::for_each_chunk_mut(
            [parameters, &mut self.m, &mut self.v],
            SHARD,
            |start, [p, m, v]| {
                let (gradients, coefficients) = (&gradients, &coefficients);
                dispatch(Shard { start, p, m, v, gradients, coefficients });
            },
        );
    }
}

impl<'g, T: Real, G: Fn() -> I, I: Iterator<Item = &'g [T]>> Vectorise for Shard<'_, T, G> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Shard { mut start, p, m, v, gradients, coefficients } = self;
        let (mut p, mut m) = (p.chunks_exact_mut(BLOCK), m.chunks_exact_mut(BLOCK));
        let mut v = v.chunks_exact_mut(BLOCK);
        for ((p, m), v) in (&mut p).zip(&mut m).zip(&mut v) {
            update(p, m, v, start, gradients, coefficients);
            start += BLOCK;
        }
        let (p, m, v) = (p.into_remainder(), m.into_remainder(), v.into_remainder());
        update(p, m, v, start, gradients, coefficients);
    }
}

/// The formula, over at most a block.
#[inline(always)]
fn update<'g, T: Real, I: Iterator<Item = &'g [T]>>(
    p: &mut [T],
    m: &mut [T],
    v: &mut [T],
    start: usize,
    gradients: &impl Fn() -> I,
    c: &Coefficients<T>,
) {
    let mut sum = [T::zero(); BLOCK];
    for gradient in gradients() {
        sum.iter_mut().zip(&gradient[start..][..p.len()]).for_each(|(s, &g)| *s += g);
    }
    let (gain1, gain2) = (T::one() - c.beta1, T::one() - c.beta2);
    for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(&sum) {
        *m = flush(c.beta1 * *m + gain1 * g);
        *v = flush(c.beta2 * *v + gain2 * g * g);
        *p -= c.rate * *m / ((*v * c.correction).sqrt() + c.epsilon);
    }
}

/// Zero for subnormal numbers: the moments of a dead unit would decay to them and stay there, and
/// arithmetic with them is a hundred times slower.
#[inline(always)]
fn flush<T: Real>(x: T) -> T {
    if x.abs() < T::MIN_POSITIVE { T::zero() } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Algorithm 1 for one number, in the paper's order, in `f64`.
    fn reference(mut p: f64, gradients: &[f64], rate: f64, c: AdamConfig) -> f64 {
        let (mut m, mut v) = (0.0, 0.0);
        for (t, g) in (1..).zip(gradients) {
            m = c.beta1 * m + (1.0 - c.beta1) * g;
            v = c.beta2 * v + (1.0 - c.beta2) * g.powi(2);
            let m_hat = m / (1.0 - c.beta1.powi(t));
            let v_hat = v / (1.0 - c.beta2.powi(t));
            p -= rate * m_hat / (v_hat.sqrt() + c.epsilon);
        }
        p
    }

    fn battery<T: Real>(tolerance: f64) {
        // More than one block, and no multiple of one.
        let n = BLOCK + 37;
        let config = AdamConfig { beta1: 0.8, beta2: 0.95, epsilon: 1e-3 };
        let gradient = |i: usize, t: usize| ((i + 1) as f64 * 0.37 + t as f64).sin();
        let mut adam = Adam::<T>::new(config, n).unwrap();
        let mut p: Vec<T> = (0..n).map(|i| T::lit(i as f64 / n as f64)).collect();
        for t in 0..12 {
            let g: Vec<T> = (0..n).map(|i| T::lit(gradient(i, t))).collect();
            if t % 2 == 0 {
                adam.step(&mut p, &g, 0.01).unwrap();
            } else {
                let half: Vec<T> = g.iter().map(|&g| T::lit(0.5) * g).collect();
                adam.step_sum(&mut p, || [&half[..], &half[..]].into_iter(), 0.01);
            }
        }
        for (i, &p) in p.iter().enumerate() {
            let g: Vec<f64> = (0..12).map(|t| gradient(i, t)).collect();
            let exact = reference(i as f64 / n as f64, &g, 0.01, config);
            assert!((p.as_f64() - exact).abs() < tolerance, "{i}: {p} {exact}");
        }
    }

    #[test]
    fn follows_the_formula() {
        battery::<f64>(1e-14);
        battery::<f32>(1e-5);
    }

    #[test]
    fn first_step_has_the_length_of_the_rate() {
        let mut p = [1.0_f64, 1.0];
        Adam::new(AdamConfig::default(), 2).unwrap().step(&mut p, &[3.0, -0.02], 0.1).unwrap();
        assert!((p[0] - 0.9).abs() < 1e-6 && (p[1] - 1.1).abs() < 1e-6);
    }

    #[test]
    fn moments_of_a_dead_parameter_end_at_zero() {
        let config = AdamConfig { beta1: 0.9, beta2: 0.95, epsilon: 1e-7 };
        let mut adam = Adam::<f32>::new(config, 1).unwrap();
        let mut p = [1.0];
        adam.step(&mut p, &[1.0], 1e-3).unwrap();
        for _ in 0..3000 {
            adam.step(&mut p, &[0.0], 1e-3).unwrap();
        }
        assert_eq!((adam.m[0], adam.v[0]), (0.0, 0.0));
    }

    #[test]
    fn bad_input_is_named() {
        let config = AdamConfig { beta2: 1.0, ..AdamConfig::default() };
        let e = Adam::<f64>::new(config, 1).unwrap_err();
        assert!(matches!(e, Error::OutOfRange { argument: "beta2", .. }));
        let mut adam = Adam::<f64>::new(AdamConfig::default(), 2).unwrap();
        assert!(adam.step(&mut [0.0; 2], &[0.0; 3], 0.1).is_err());
        assert!(adam.step(&mut [0.0; 1], &[0.0; 2], 0.1).is_err());
        let mut p = [1.0, 2.0];
        assert!(adam.step(&mut p, &[0.0, f64::NAN], 0.1).is_err());
        assert!(adam.step(&mut p, &[0.0, 1.0], f64::NAN).is_err());
        assert_eq!(p, [1.0, 2.0]);
    }
}
