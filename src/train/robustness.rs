//! Robustness and stability of an estimator against noise.
//!
//! Source: \[LO\] III.E, figure 4.

use super::Estimator;
use crate::error::{Result, check_finite, check_len, check_not_empty};
use crate::network::Network;
use crate::real::Real;
use crate::synthetic::NoiseLevel;
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// What noise does to the answers for one spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Robustness {
    /// ‖ā − ã‖₂ of the mean answer ā: stability.
    pub error_of_mean: f64,
    /// √(Σ_i Var a_i) of the answers over the draws: robustness, in the units of the root-square error.
    pub deviation: f64,
    /// Mean of ‖a − ã‖₂ over the draws.
    pub mean_error: f64,
}

impl<T: Real, N: Network<T>> Estimator<T, N> {
    /// Answers to `draws` data vectors g + noise for one spectrum: `data` its data without noise, `truth`
    /// its weights. The paper takes 200 draws.
    ///
    /// # Errors
    /// Data or truth of another length than the estimator's, or not finite; noise that is none (see
    /// [`NoiseLevel`]); fewer than two draws.
    pub fn robustness(
        &self,
        data: &[f64],
        truth: &[f64],
        noise: &NoiseLevel,
        draws: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Robustness> {
        check_len("data", data.len(), self.input_len(), "the network's input")?;
        check_len("truth", truth.len(), self.network().output_len(), "the network's output")?;
        check_finite("data", data)?;
        check_finite("truth", truth)?;
        check_not_empty("draws", draws, 2)?;
        self.front().map_or(Ok(()), |front| front.check_told())?;
        let errors = noise.draw_many(data.len(), draws, rng)?;
        let noisy = DMatrix::from_fn(data.len(), draws, |i, j| data[i] + errors[(i, j)]);
        let answers = self.answers(&noisy)?.map(|a| a.as_f64());
        let (truth, mean) = (DVector::from_column_slice(truth), answers.column_mean());
        let (mut square, mut mean_error) = (0.0, 0.0);
        for answer in answers.column_iter() {
            square += (answer - &mean).norm_squared();
            mean_error += (answer - &truth).norm();
        }
        Ok(Robustness {
            error_of_mean: (&mean - &truth).norm(),
            deviation: (square / (draws - 1) as f64).sqrt(),
            mean_error: mean_error / draws as f64,
        })
    }
}
