//! What resampling gives: the answers to all replicas, and what follows from their scatter.

use crate::error::{Error, Result, check_finite, check_scalar};
use crate::estimate::Estimate;
use crate::real::Real;
use crate::spectrum::Spectrum;
use nalgebra::DMatrix;

/// How replicas of the data were made, and hence what their scatter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum ResamplingMethod {
    /// Drawn from the bins, or from the noise: replicas scatter as the answer does.
    Bootstrap,
    /// One part left out at a time, of this many: the answer scatters (n − 1) times as much, in the square.
    Jackknife {
        /// Number of parts n.
        parts: usize,
    },
}

/// The answers to all replicas of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Bands<T: Real = f64> {
    centre: Spectrum<T>,
    /// Densities, N_ω × replicas.
    replicas: DMatrix<T>,
    method: ResamplingMethod,
    unsuccessful: usize,
    stopped: bool,
}

/// A number derived from a spectrum, for the data themselves and for every replica.
#[derive(Debug, Clone, PartialEq)]
pub struct ResampledValue<T = f64> {
    value: T,
    /// Ascending.
    sorted: Vec<T>,
    method: ResamplingMethod,
}

impl<T: Real> ResampledValue<T> {
    fn new(value: T, mut replicas: Vec<T>, method: ResamplingMethod) -> Self {
        replicas.sort_by(|a, b| a.as_f64().total_cmp(&b.as_f64()));
        ResampledValue { value, sorted: replicas, method }
    }

    /// The value of the data themselves.
    pub fn value(&self) -> T {
        self.value
    }

    /// The mean over the replicas.
    pub fn mean(&self) -> T {
        self.sorted.iter().copied().sum::<T>() / T::lit(self.sorted.len() as f64)
    }

    /// The standard deviation: √(Σ(θ_r − θ̄)²/(R − 1)) of R bootstrap replicas, times (n − 1)/√n of the
    /// jackknife's, which for all R = n of them is √((n − 1)/n Σ(θ_r − θ̄)²). Of a run that was stopped it is an
    /// estimate from fewer replicas, no smaller for that.
    pub fn deviation(&self) -> T {
        let (mean, count) = (self.mean(), self.sorted.len() as f64);
        let square: T = self.sorted.iter().map(|&v| (v - mean) * (v - mean)).sum();
        let stretch = match self.method {
            ResamplingMethod::Bootstrap => 1.0,
            ResamplingMethod::Jackknife { parts } => (parts as f64 - 1.0).powi(2) / parts as f64,
        };
        (square * T::lit(stretch / (count - 1.0))).sqrt()
    }

    /// Value and deviation.
    pub fn estimate(&self) -> Estimate<T> {
        Estimate { value: self.value, deviation: self.deviation() }
    }

    /// How far the method misses on average, as the replicas see it: θ̄ − θ, for the jackknife (n − 1)(θ̄ − θ).
    /// Only the curvature of the method shows here, not what it smears out in every replica. It wants all of a
    /// jackknife's replicas: of one that was stopped it is noise of the size of the deviation.
    pub fn bias(&self) -> T {
        let factor = match self.method {
            ResamplingMethod::Bootstrap => 1.0,
            ResamplingMethod::Jackknife { parts } => parts as f64 - 1.0,
        };
        T::lit(factor) * (self.mean() - self.value)
    }

    /// The `p`-quantile of the replicas, interpolated linearly: 0.16 and 0.84 enclose a 68 % interval.
    ///
    /// # Errors
    /// `p` outside \[0, 1\]; a jackknife, whose replicas scatter too little for quantiles to mean anything.
    pub fn quantile(&self, p: T) -> Result<T> {
        check_scalar("p", p)?;
        if p < T::zero() || p > T::one() {
            let expected = "a number in [0, 1]";
            return Err(Error::OutOfRange { argument: "p", value: p.as_f64(), expected });
        }
        if self.method != ResamplingMethod::Bootstrap {
            return Err(Error::Unsupported {
                argument: "quantile",
                value: "of a jackknife",
                expected: "bootstrap replicas",
            });
        }
        let place = p.as_f64() * (self.sorted.len() - 1) as f64;
        let (i, t) = (place.floor() as usize, T::lit(place.fract()));
        let (low, high) = (self.sorted[i], self.sorted[(i + 1).min(self.sorted.len() - 1)]);
        Ok(low + t * (high - low))
    }
}

impl<T: Real> Bands<T> {
    pub(super) fn new(
        centre: Spectrum<T>,
        replicas: DMatrix<T>,
        method: ResamplingMethod,
        unsuccessful: usize,
        stopped: bool,
    ) -> Self {
        Bands { centre, replicas, method, unsuccessful, stopped }
    }

    /// The answer for the data themselves.
    pub fn centre(&self) -> &Spectrum<T> {
        &self.centre
    }

    /// The densities of all replicas, N_ω × replicas.
    pub fn replicas(&self) -> &DMatrix<T> {
        &self.replicas
    }

    /// How the replicas were made.
    pub fn method(&self) -> ResamplingMethod {
        self.method
    }

    /// Replicas whose solver ended without success. They are kept, as its best answers: leaving out what
    /// failed would narrow the bands.
    pub fn unsuccessful(&self) -> usize {
        self.unsuccessful
    }

    /// Whether the observer stopped the run short of the replicas asked for.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// The density at each point, ready for mean, deviation and quantiles. Neighbouring points are strongly
    /// correlated: what can be quoted is a [`functional`](Self::functional).
    pub fn points(&self) -> impl Iterator<Item = ResampledValue<T>> {
        self.centre.values().iter().zip(self.replicas.row_iter()).map(|(&value, row)| {
            ResampledValue::new(value, row.iter().copied().collect(), self.method)
        })
    }

    /// Any number derived from a spectrum: the weight in a window, a peak's position, a moment.
    ///
    /// # Errors
    /// That of `f`, and a value that is not finite.
    pub fn functional(&self, f: impl Fn(&Spectrum<T>) -> Result<T>) -> Result<ResampledValue<T>> {
        let (grid, density) = (self.centre.grid(), self.centre.density());
        let replicas = self
            .replicas
            .column_iter()
            .map(|a| f(&Spectrum::new(grid.clone(), a.as_slice(), density)?))
            .collect::<Result<Vec<T>>>()?;
        let value = f(&self.centre)?;
        check_scalar("functional", value)?;
        check_finite("functional", &replicas)?;
        Ok(ResampledValue::new(value, replicas, self.method))
    }
}
