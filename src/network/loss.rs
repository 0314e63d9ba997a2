//! The loss: batch mean of the root-square error.
//!
//! Source: [LO] eq. 18. RSE(a) = ‖a − ã‖₂, with gradient (a − ã)/RSE, and 0 where a = ã.

use crate::linalg::dispatch;
use crate::real::Real;

/// ‖a − ã‖₂ of every sample of a panel, with its gradient; owns the scratch for one panel.
#[derive(Debug, Clone)]
pub struct RootSquareError<T = f64> {
    /// Σ_i (a − ã)² of each sample, then the factor of its gradient.
    scratch: Vec<T>,
}

impl<T: Real> RootSquareError<T> {
    /// For panels of at most `batch` samples.
    pub fn new(batch: usize) -> Self {
        RootSquareError { scratch: vec![T::zero(); batch] }
    }

    /// Σ_b ‖a_b − ã_b‖₂ over a panel (element (i, b) at i·`batch` + b); writes `scale` times the gradient
    /// with respect to `output` into `gradient`. With `scale` = 1/N it is the gradient of the mean over N.
    ///
    /// # Panics
    /// If the three panels differ in length or `batch` exceeds that of [`new`](Self::new).
    pub fn evaluate(
        &mut self,
        output: &[T],
        target: &[T],
        batch: usize,
        scale: T,
        gradient: &mut [T],
    ) -> f64 {
        assert!(output.len() == target.len() && output.len() == gradient.len(), "panels differ");
        let scratch = &mut self.scratch[..batch];
        scratch.fill(T::zero());
        dispatch(|| {
            let rows = output.chunks_exact(batch).zip(target.chunks_exact(batch));
            for ((a, t), d) in rows.zip(gradient.chunks_exact_mut(batch)) {
                for (((&a, &t), d), s) in a.iter().zip(t).zip(d).zip(&mut *scratch) {
                    *d = a - t;
                    *s += *d * *d;
                }
            }
        });
        let mut total = 0.0;
        for s in &mut *scratch {
            let norm = s.sqrt();
            total += norm.as_f64();
            // NaN must reach the gradient, so the test is for equality.
            *s = if norm == T::zero() { T::zero() } else { scale / norm };
        }
        dispatch(|| {
            for d in gradient.chunks_exact_mut(batch) {
                for (d, &s) in d.iter_mut().zip(&*scratch) {
                    *d *= s;
                }
            }
        });
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_and_gradient_are_those_of_the_norm() {
        // Two samples of three components, side by side; the second is fitted exactly.
        let (output, target) = ([3.0, 1.0, 0.0, 2.0, 5.0, 3.0], [0.0, 1.0, 0.0, 2.0, 1.0, 3.0]);
        let mut gradient = [9.0; 6];
        let total = RootSquareError::new(2).evaluate(&output, &target, 2, 2.5, &mut gradient);
        assert_eq!(total, 5.0);
        assert_eq!(gradient, [1.5, 0.0, 0.0, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn nan_is_not_hidden() {
        let mut gradient = [0.0_f32; 1];
        let total = RootSquareError::new(1).evaluate(&[f32::NAN], &[0.0], 1, 1.0, &mut gradient);
        assert!(total.is_nan() && gradient[0].is_nan());
    }
}
