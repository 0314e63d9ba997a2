//! Panels: a batch stored with the batch index contiguous, element (feature i, sample b) at i·B + b.
//!
//! Inside a network the batch is the long, even dimension, so products and activations run along it. At
//! the public boundary a sample is contiguous; these two functions go between.

use crate::linalg::columns_from;
use crate::real::Real;

/// Copies `batch` samples of `features` numbers each into a panel; sample b is `sample(b)`.
///
/// # Panics
/// If `panel` is shorter than features × batch or a sample shorter than `features`.
pub(crate) fn gather<'a, T: Real>(
    features: usize,
    batch: usize,
    sample: impl Fn(usize) -> &'a [T],
    panel: &mut [T],
) {
    columns_from(features, batch, sample, panel);
}

/// Copies a panel of `batch` samples back to contiguous samples, one after another in `samples`.
///
/// # Panics
/// If the lengths of `panel` and `samples` differ or are no multiple of `batch`.
pub(crate) fn scatter<T: Real>(panel: &[T], batch: usize, samples: &mut [T]) {
    assert_eq!(panel.len(), samples.len(), "panel and samples of different lengths");
    columns_from(batch, panel.len() / batch, |i| &panel[i * batch..][..batch], samples);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scatter_undoes_gather() {
        for batch in [1, 3, 16, 37] {
            for features in [5, 16, 35] {
                let samples: Vec<f64> = (0..features * batch).map(|v| v as f64).collect();
                let mut panel = vec![0.0; samples.len()];
                gather(features, batch, |b| &samples[b * features..][..features], &mut panel);
                assert_eq!(panel[2 * batch + batch - 1], samples[(batch - 1) * features + 2]);
                let mut back = vec![0.0; samples.len()];
                scatter(&panel, batch, &mut back);
                assert_eq!(back, samples);
            }
        }
    }
}
