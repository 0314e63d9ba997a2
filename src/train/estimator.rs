//! A network as a solver: it knows which problems it was made for.

use super::trainer::estimates;
use super::{TrainingReport, TrainingStatus};
use crate::error::{Error, Result, check_finite, check_len};
use crate::network::{ErrorSummary, Network, apply_samples};
use crate::problem::{Fingerprint, Problem};
use crate::real::Real;
use crate::solution::{Certificate, Report, Solution, Solver, Status, Warning};
use crate::synthetic::TrainingSet;
use core::marker::PhantomData;
use nalgebra::DMatrix;

/// A network with the fingerprint of kernel and axes it was trained for.
///
/// It answers raw data g with spectral weights a at once, without iteration and without certificate. It
/// expects data on the scale it was trained on (Σ a = 1 for the synthetic sets).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Estimator<T: Real, N> {
    network: N,
    fingerprint: Fingerprint,
    #[cfg_attr(feature = "serde", serde(skip))]
    training: Option<TrainingReport>,
    #[cfg_attr(feature = "serde", serde(skip))]
    scalar: PhantomData<T>,
}

impl<T: Real, N: Network<T>> Estimator<T, N> {
    /// A network for problems of this fingerprint.
    pub fn new(network: N, fingerprint: Fingerprint) -> Self {
        Estimator { network, fingerprint, training: None, scalar: PhantomData }
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

    /// Of the problems it takes.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What its training did, if it was trained in this process.
    pub fn training(&self) -> Option<&TrainingReport> {
        self.training.as_ref()
    }

    /// Spectral weights for one data vector.
    ///
    /// # Errors
    /// `data` of another length than the network's input, or not finite.
    pub fn apply(&self, data: &[T]) -> Result<Vec<T>> {
        check_len("data", data.len(), self.network.input_len(), "the network's input")?;
        check_finite("data", data)?;
        let mut answer = vec![T::zero(); self.network.output_len()];
        apply_samples(&self.network, data, &mut answer);
        Ok(answer)
    }

    /// Spectral weights for many data vectors, one problem a column; threads over columns.
    ///
    /// Agrees with [`apply`](Self::apply) to rounding, not to the bit: products are blocked differently.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_batch(&self, data: &DMatrix<T>) -> Result<DMatrix<T>> {
        check_len("data", data.nrows(), self.network.input_len(), "the network's input")?;
        check_finite("data", data.as_slice())?;
        Ok(estimates(&self.network, data))
    }

    /// Root-square errors over a test set.
    ///
    /// # Errors
    /// A set of another shape than the network.
    pub fn evaluate(&self, set: &TrainingSet<T>) -> Result<ErrorSummary> {
        set.score(&self.apply_batch(set.data())?)
    }

    /// The spectrum of `problem`: its raw data rounded to the network's scalar, through the network.
    ///
    /// # Errors
    /// A problem of another fingerprint; one of kernel and axes in another scalar than the training
    /// set's forward model has another fingerprint. A spectrum that is not finite.
    pub fn solve<U: Real>(&self, problem: &Problem<U>) -> Result<Solution<U>> {
        let found = problem.model().fingerprint();
        if found != self.fingerprint {
            return Err(Error::FingerprintMismatch {
                found: found.value(),
                expected: self.fingerprint.value(),
            });
        }
        let data: Vec<T> = problem.data().iter().map(|g| T::lit(g.as_f64())).collect();
        let weights: Vec<U> = self.apply(&data)?.iter().map(|a| U::lit(a.as_f64())).collect();
        let diverged =
            self.training.filter(|report| matches!(report.status, TrainingStatus::Diverged { .. }));
        let warnings = diverged
            .map(|report| Warning::Note(format!("training {}", report.status)))
            .into_iter()
            .collect();
        let report = Report {
            method: self.network.name(),
            status: Status::Converged,
            chi2: U::zero(),
            n_data: 0,
            norm: U::zero(),
            iterations: 1,
            certificate: Certificate::None,
            warnings,
            maxent: None,
        };
        Solution::new(problem, &weights, report)
    }
}

impl<T: Real, U: Real, N: Network<T>> Solver<U> for Estimator<T, N> {
    fn solve(&self, problem: &Problem<U>) -> Result<Solution<U>> {
        self.solve(problem)
    }
}
