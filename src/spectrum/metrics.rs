//! Distances between spectra, and their features.

use super::Spectrum;
use crate::real::Real;

impl<T: Real> Spectrum<T> {
    /// The density at other frequencies: linear interpolation, constant beyond the ends.
    pub fn values_at(&self, omega: &[T]) -> Vec<T> {
        let (x, y) = (self.grid().points(), self.values());
        let last = x.len() - 1;
        omega
            .iter()
            .map(|&w| {
                if w <= x[0] {
                    y[0]
                } else if w >= x[last] {
                    y[last]
                } else {
                    let j = x.partition_point(|&p| p <= w).min(last);
                    let t = (w - x[j - 1]) / (x[j] - x[j - 1]);
                    y[j - 1] + t * (y[j] - y[j - 1])
                }
            })
            .collect()
    }
}
