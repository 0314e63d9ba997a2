//! What a rule sees of a ladder.

use crate::error::{Result, check_len};
use crate::real::Real;
use crate::solution::LadderStep;

/// The optima of a ladder that converged, from large to small α, with their spectra.
#[derive(Debug, Clone, Copy)]
pub struct LadderView<'a, T: Real = f64> {
    steps: &'a [LadderStep<T>],
    weights: &'a [T],
    n_data: usize,
}

impl<'a, T: Real> LadderView<'a, T> {
    /// `weights` holds N_ω spectral weights for every step, one step after the other; `n_data` is the number
    /// of whitened data N.
    ///
    /// # Errors
    /// A number of `weights` that is not a multiple of the number of steps.
    pub fn new(steps: &'a [LadderStep<T>], weights: &'a [T], n_data: usize) -> Result<Self> {
        let points = weights.len() / steps.len().max(1);
        check_len("weights", weights.len(), points * steps.len(), "the steps of the ladder")?;
        Ok(LadderView { steps, weights, n_data })
    }

    /// The steps, from large to small α.
    pub fn steps(&self) -> &'a [LadderStep<T>] {
        self.steps
    }

    /// The number of whitened data N.
    pub fn n_data(&self) -> usize {
        self.n_data
    }

    /// The spectral weights h = A Δω of step `i`; empty where there is no such step.
    pub fn weights(&self, i: usize) -> &'a [T] {
        let points = self.weights.len() / self.steps.len().max(1);
        let start = i.checked_mul(points).unwrap_or(self.weights.len());
        self.weights.get(start..).and_then(|rest| rest.get(..points)).unwrap_or_default()
    }

    /// ln α of every step.
    pub(super) fn log_alpha(&self) -> Vec<f64> {
        self.steps.iter().map(|s| s.alpha.as_f64().ln()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_ladder::ladder;
    use super::*;

    #[test]
    fn weights_belong_to_their_step() {
        let steps = ladder(2, |_| (1.0, 1.0));
        let view = LadderView::new(&steps, &[1.0, 2.0, 3.0, 4.0], 5).unwrap();
        assert_eq!((view.weights(0), view.weights(1)), (&[1.0, 2.0][..], &[3.0, 4.0][..]));
        assert!(view.weights(2).is_empty() && view.n_data() == 5);
        assert!(view.weights(usize::MAX).is_empty());
        assert!(LadderView::new(&steps, &[1.0; 3], 5).is_err());
        assert!(LadderView::new(&steps, &[], 5).unwrap().weights(1).is_empty());
    }
}
