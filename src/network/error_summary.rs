//! Root-square errors over a set of spectra.

/// Mean, median and 90th percentile of the root-square errors ‖a − ã‖₂ over a set (\[LO\] eq. 18).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ErrorSummary {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub median: f64,
    /// 90th percentile.
    pub p90: f64,
}

impl ErrorSummary {
    /// Of a list of errors; quantiles are interpolated linearly. All NaN for an empty list, the mean NaN
    /// if one error is.
    pub fn new(mut errors: Vec<f64>) -> Self {
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        errors.sort_by(f64::total_cmp);
        let quantile = |q: f64| {
            let place = q * errors.len().saturating_sub(1) as f64;
            let at = |i: usize| errors.get(i).copied().unwrap_or(f64::NAN);
            let (low, t) = (at(place as usize), place.fract());
            if t == 0.0 { low } else { low + t * (at(place as usize + 1) - low) }
        };
        ErrorSummary { mean, median: quantile(0.5), p90: quantile(0.9) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_short_lists() {
        let s = ErrorSummary::new(vec![3.0, 1.0, 2.0, 4.0]);
        assert_eq!((s.mean, s.median), (2.5, 2.5));
        assert!((s.p90 - 3.7).abs() < 1e-15);
        assert_eq!(ErrorSummary::new(vec![2.0]), ErrorSummary { mean: 2.0, median: 2.0, p90: 2.0 });
        assert!(ErrorSummary::new(vec![]).median.is_nan());
    }
}
