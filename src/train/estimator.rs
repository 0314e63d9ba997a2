//! A network as a solver: it knows which problems it was made for.

use super::training::{checked_estimates, estimates};
use super::{EpochInfo, TrainOptions, TrainingReport, train};
use crate::error::{Error, Result, check_finite, check_len};
use crate::network::{ErrorSummary, Front, Network, apply_samples};
use crate::noise::Whitening;
use crate::problem::{Fingerprint, Problem};
use crate::real::Real;
use crate::solution::{Certificate, Report, Solution, Solver, Status, Warning};
use crate::synthetic::{TrainingSet, TrainingSource};
use core::marker::PhantomData;
use core::ops::ControlFlow;
use nalgebra::DMatrix;
use rand::Rng;

/// A network with the fingerprint of kernel and axes it was trained for.
///
/// It answers raw data g with spectral weights a at once, without iteration and without certificate. A
/// [`Front`] between the two, if the network was trained behind one, is part of it; a last step that makes the
/// answer agree with the data, [`DataConsistent`](crate::DataConsistent), goes around it. It expects data on the
/// scale it was trained on (Σ a = 1 for the synthetic sets). With the feature `serde` it is plain data,
/// {network, front, fingerprint}, as is its network; the caller does the I/O.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Estimator<T: Real, N> {
    network: N,
    #[cfg_attr(feature = "serde", serde(default))]
    front: Option<Front>,
    fingerprint: Fingerprint,
    #[cfg_attr(feature = "serde", serde(skip))]
    training: Option<TrainingReport>,
    #[cfg_attr(feature = "serde", serde(skip))]
    scalar: PhantomData<T>,
}

impl<T: Real, N: Network<T>> Estimator<T, N> {
    /// A network for problems of this fingerprint.
    pub fn new(network: N, fingerprint: Fingerprint) -> Self {
        Estimator { network, front: None, fingerprint, training: None, scalar: PhantomData }
    }

    /// Trains `network` behind `front` on a set of raw data; see [`train`]. [`train_from`](Self::train_from) does it
    /// on any other source of samples.
    ///
    /// # Errors
    /// Those of [`train`]; a front that fits neither the set nor the network.
    pub fn train(
        network: N,
        front: Option<Front>,
        set: &TrainingSet<T>,
        validation: Option<&TrainingSet<T>>,
        options: &TrainOptions,
        rng: &mut (impl Rng + ?Sized),
        observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Result<Self> {
        match front {
            None => Self::train_from(network, set, validation, options, rng, observer),
            Some(front) => {
                let set = set.conditioned(&front)?;
                Self::train_from(network, &set, validation, options, rng, observer)
            }
        }
    }

    /// Trains `network` on any source that tells its fingerprint: a [`SampleStream`](crate::SampleStream) of fresh
    /// samples, an [`AugmentedSet`](crate::AugmentedSet), a set. The front is that of the source, behind which it
    /// shows its samples. A validation set of raw data is seen through it too; where it is adaptive, through
    /// that front [`at`](Front::at) a noise, by the caller ([`TrainingSet::conditioned`]).
    ///
    /// # Errors
    /// Those of [`train`]; a source that does not tell its fingerprint.
    pub fn train_from<S: TrainingSource<T> + ?Sized>(
        network: N,
        source: &S,
        validation: Option<&TrainingSet<T>>,
        options: &TrainOptions,
        rng: &mut (impl Rng + ?Sized),
        observer: impl FnMut(&EpochInfo) -> ControlFlow<()>,
    ) -> Result<Self> {
        let fingerprint = source.fingerprint().ok_or(Error::Unsupported {
            argument: "source",
            value: "one that does not tell its fingerprint",
            expected: "that of its forward model, by which an estimator knows its problems",
        })?;
        let front = source.front();
        let seen = match (validation, front) {
            (Some(set), Some(front)) if set.front().is_none() => Some(set.conditioned(front)?),
            _ => None,
        };
        let validation = seen.as_ref().or(validation);
        let (network, report) = train(network, source, validation, options, rng, observer)?;
        let estimator = Self::new(network, fingerprint).with_training(report);
        match front {
            Some(front) => estimator.with_front(front.clone()),
            None => Ok(estimator),
        }
    }

    /// The same network behind a front.
    ///
    /// # Errors
    /// A front of another output length than the network's input.
    pub fn with_front(mut self, front: Front) -> Result<Self> {
        check_len("front", front.output_len(), self.network.input_len(), "the network's input")?;
        self.front = Some(front);
        Ok(self)
    }

    /// The same estimator with its front folded into the network's first weights, so that the network
    /// alone takes raw g; without a front, itself.
    ///
    /// In `f32` this rounds g before it is conditioned, which acts like further noise of a few ε |g|
    /// (10⁻⁷ for data of order one): harmless where the noise is 10⁻⁵.
    ///
    /// # Errors
    /// A network that does not fold (see [`Network::folded`]).
    pub fn folded(mut self) -> Result<Self> {
        if let Some(front) = self.front.take() {
            self.network = self.network.folded(&front)?;
        }
        Ok(self)
    }

    /// The same with the report of its training, which its solutions quote where it went wrong. The
    /// report is not stored with the network.
    #[must_use]
    pub fn with_training(mut self, report: TrainingReport) -> Self {
        self.training = Some(report);
        self
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// What lies between raw data and the network.
    pub fn front(&self) -> Option<&Front> {
        self.front.as_ref()
    }

    /// The length of raw data.
    pub fn input_len(&self) -> usize {
        self.front.as_ref().map_or(self.network.input_len(), Front::input_len)
    }

    /// Of the problems it takes.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What its training did, if it was trained in this process.
    pub fn training(&self) -> Option<&TrainingReport> {
        self.training.as_ref()
    }

    /// The same for data of this noise: an adaptive front is told it, anything else stays as it is.
    ///
    /// The noise is fixed from then on: a problem that declares other noise is answered as if it had this one.
    ///
    /// # Errors
    /// Noise of data of another length.
    pub fn at<U: Real>(mut self, noise: &Whitening<U>) -> Result<Self> {
        self.front = self.front.map(|front| front.at(noise)).transpose()?;
        Ok(self)
    }

    /// Spectral weights for one data vector.
    ///
    /// # Errors
    /// `data` of another length than the raw data it takes, or not finite; an adaptive front, before it is told
    /// the noise ([`at`](Self::at)).
    pub fn apply(&self, data: &[T]) -> Result<Vec<T>> {
        self.answer(data, self.front.as_ref())
    }

    /// The same for data of any scalar: a front sees them before they are rounded.
    fn answer<U: Real>(&self, data: &[U], front: Option<&Front>) -> Result<Vec<T>> {
        check_len("data", data.len(), self.input_len(), "the network's input")?;
        check_finite("data", data)?;
        front.map_or(Ok(()), Front::check_told)?;
        let mut input = vec![T::zero(); self.network.input_len()];
        match front {
            Some(front) => front.apply_samples(data, &mut input),
            None => input.iter_mut().zip(data).for_each(|(x, g)| *x = T::lit(g.as_f64())),
        }
        let mut answer = vec![T::zero(); self.network.output_len()];
        apply_samples(&self.network, &input, &mut answer);
        Ok(answer)
    }

    /// Spectral weights for many data vectors, one problem a column; threads over columns.
    ///
    /// Agrees with [`apply`](Self::apply) to rounding, not to the bit: products are blocked differently.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_batch(&self, data: &DMatrix<T>) -> Result<DMatrix<T>> {
        check_len("data", data.nrows(), self.input_len(), "the network's input")?;
        if self.front.is_none() {
            return checked_estimates(&self.network, data);
        }
        check_finite("data", data.as_slice())?;
        self.answers(data)
    }

    /// The same for data of any scalar, which have been checked.
    pub(super) fn answers<U: Real>(&self, data: &DMatrix<U>) -> Result<DMatrix<T>> {
        Ok(match &self.front {
            Some(front) => estimates(&self.network, &front.apply(data)?),
            None => estimates(&self.network, &data.map(|g| T::lit(g.as_f64()))),
        })
    }

    /// Root-square errors over a test set.
    ///
    /// # Errors
    /// A set of another fingerprint, made with another kernel, other times or another grid, or of another shape than
    /// the network; one seen through a front, where the estimator has one.
    pub fn evaluate(&self, set: &TrainingSet<T>) -> Result<ErrorSummary> {
        self.fingerprint.expect(set.fingerprint())?;
        if self.front.is_some() && set.front().is_some() {
            return Err(Error::Unsupported {
                argument: "set",
                value: "one seen through a front",
                expected: "raw data, which go through the estimator's front",
            });
        }
        set.score(&self.apply_batch(set.data())?)
    }

    /// The spectrum of `problem`: its raw data through the front, rounded to the network's scalar, through the network.
    ///
    /// # Errors
    /// A problem of another fingerprint; one of kernel and axes in another scalar than the training
    /// set's forward model has another fingerprint. A spectrum that is not finite.
    pub fn solve<U: Real>(&self, problem: &Problem<U>) -> Result<Solution<U>> {
        self.fingerprint.expect(problem.model().fingerprint())?;

        // An adaptive front takes the noise from the problem.
        let front = self.front.as_ref().map(|f| f.at(problem.model().whitening())).transpose()?;
        let weights: Vec<U> = self
            .answer(problem.data(), front.as_ref())?
            .iter()
            .map(|a| U::lit(a.as_f64()))
            .collect();
        let training = self.training.as_ref();
        let doubtful =
            training.filter(|report| report.status.is_divergence() || report.doubt().is_some());
        let warnings =
            doubtful.map(|report| Warning::Note(report.to_string())).into_iter().collect();
        let report = Report {
            method: self.network.name(),
            status: Status::Converged,
            chi2: U::zero(),
            n_data: 0,
            norm: U::zero(),
            residual_correlation: None,
            iterations: 1,
            certificate: Certificate::None,
            warnings,
            maxent: None,
            penalty: None,
        };
        let mut solution = Solution::new(problem, &weights, report)?;
        solution.was_not_fitted();
        Ok(solution)
    }
}

impl<T: Real, U: Real, N: Network<T>> Solver<U> for Estimator<T, N> {
    fn solve(&self, problem: &Problem<U>) -> Result<Solution<U>> {
        self.solve(problem)
    }
}
