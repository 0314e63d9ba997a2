//! The reference backend: the crate's own engine on this machine's cores.

use super::{Backend, Continuation, Predictor, Stepper};
use crate::error::{Error, Result, check_len, check_not_empty};
use crate::maxent::PreparedMaxEnt;
use crate::network::Network;
use crate::real::Real;
use crate::solution::Solution;
use crate::synthetic::{TrainingSource, draw};
use crate::train::{Adam, TrainOptions, Trainer, checked_estimates, estimates};
use core::fmt;
use nalgebra::DMatrix;

/// This machine's cores: every network in every precision, and maximum entropy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cpu;

/// A [`Trainer`] with its samples.
pub struct CpuStepper<'s, T: Real, N: Network<T>> {
    trainer: Trainer<T, N>,
    source: &'s dyn TrainingSource<T>,
    /// Sum and number of the losses not asked for yet.
    losses: (f64, usize),
}

impl<T: Real, N: Network<T>> fmt::Debug for CpuStepper<'_, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuStepper").field("trainer", &self.trainer).finish_non_exhaustive()
    }
}

/// A network that answers where it is.
#[derive(Debug)]
pub struct CpuPredictor<'n, N> {
    network: &'n N,
}

impl<T: Real, N: Network<T>> Backend<T, N> for Cpu {
    type Stepper<'s> = CpuStepper<'s, T, N>;
    type Predictor<'n>
        = CpuPredictor<'n, N>
    where
        N: 'n;

    fn name(&self) -> String {
        "cpu".into()
    }

    fn stepper<'s>(
        &self,
        network: N,
        source: &'s dyn TrainingSource<T>,
        options: &TrainOptions,
    ) -> Result<CpuStepper<'s, T, N>> {
        let trainer = Trainer::new(network, *options)?;
        trainer.check(source)?;
        Ok(CpuStepper { trainer, source, losses: (0.0, 0) })
    }

    fn predictor<'n>(&self, network: &'n N, batch: usize) -> Result<CpuPredictor<'n, N>>
    where
        N: 'n,
    {
        check_not_empty("batch", batch, 1)?;
        Ok(CpuPredictor { network })
    }
}

/// Samples evaluated together.
const TOGETHER: usize = 4096;

/// The network's answers, after a check of the data.
fn predict<T: Real, N: Network<T>>(network: &N, data: &DMatrix<T>) -> Result<DMatrix<T>> {
    check_len("data", data.nrows(), network.input_len(), "the network's input")?;
    checked_estimates(network, data)
}

impl<T: Real, N: Network<T>> Predictor<T> for CpuPredictor<'_, N> {
    fn predict(&mut self, data: &DMatrix<T>) -> Result<DMatrix<T>> {
        predict(self.network, data)
    }
}

impl<T: Real, N: Network<T>> Predictor<T> for CpuStepper<'_, T, N> {
    fn predict(&mut self, data: &DMatrix<T>) -> Result<DMatrix<T>> {
        predict(self.trainer.network(), data)
    }
}

impl<T: Real, N: Network<T>> Stepper<T, N> for CpuStepper<'_, T, N> {
    fn options(&self) -> &TrainOptions {
        self.trainer.options()
    }

    fn steps(&self) -> usize {
        self.trainer.steps()
    }

    fn run(&mut self, order: &[usize]) -> Result<()> {
        check_samples(order, self.source.epoch_len())?;
        for samples in order.chunks_exact(self.options().batch) {
            self.losses.0 += self.trainer.step(self.source, samples)?;
            self.losses.1 += 1;
        }
        Ok(())
    }

    fn loss(&mut self) -> Result<f64> {
        let (sum, count) = core::mem::take(&mut self.losses);
        Ok(sum / count as f64)
    }

    fn evaluate(&mut self, samples: &[usize]) -> Result<f64> {
        check_not_empty("samples", samples.len(), 1)?;
        let (source, network) = (self.source, self.trainer.network());
        check_samples(samples, source.epoch_len())?;
        let mut total = 0.0;
        for samples in samples.chunks(TOGETHER) {
            let count = samples.len();
            let mut data = DMatrix::zeros(source.input_len(), count);
            let mut weights = DMatrix::zeros(source.output_len(), count);
            let (to, and) = (data.as_mut_slice(), weights.as_mut_slice());
            draw(source, self.trainer.steps(), count, samples, to, and);
            let answers = estimates(network, &data);
            let errors = answers.column_iter().zip(weights.column_iter()).map(|(a, t)| {
                let squares = a.iter().zip(t.iter()).map(|(&a, &t)| (a - t).as_f64().powi(2));
                squares.sum::<f64>().sqrt()
            });
            total += errors.sum::<f64>();
        }
        Ok(total / samples.len() as f64)
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [T]) -> Result<f64> {
        check_len("samples", samples.len(), self.options().batch, "a batch")?;
        self.trainer.gradient(self.source, samples, gradient)
    }

    fn optimizer(&mut self) -> Result<Adam<T>> {
        Ok(self.trainer.adam().clone())
    }

    fn restore(&mut self, optimizer: &Adam<T>, steps: usize) -> Result<()> {
        self.trainer.restore(optimizer.clone(), steps)
    }

    fn network(&mut self) -> Result<&N> {
        Ok(self.trainer.network())
    }

    fn finish(self) -> Result<N> {
        Ok(self.trainer.into_network())
    }
}

/// `Err` at the first number that is none of `count` samples.
pub(super) fn check_samples(samples: &[usize], count: usize) -> Result<()> {
    match samples.iter().position(|&s| s >= count) {
        None => Ok(()),
        Some(index) => Err(Error::ElementOutOfRange {
            argument: "samples",
            index,
            value: samples[index] as f64,
            expected: "a sample of the source",
        }),
    }
}

impl<T: Real> Continuation<T> for Cpu {
    fn continue_many(
        &self,
        prepared: &PreparedMaxEnt<T>,
        data: &DMatrix<T>,
    ) -> Result<Vec<Solution<T>>> {
        prepared.solve_many(data)
    }
}
