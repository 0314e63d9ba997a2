//! The integrated autocorrelation time of a series.
//!
//! Source: A. Sokal, "Monte Carlo methods in statistical mechanics" (1997), section 3, in the convention
//! 1 + 2 Σ ρ(t), which is 1 for independent values.

/// 1 + 2 Σ_{t=1}^W ρ(t) of a series given by its `deviations` from the mean; 1 for a constant one.
///
/// The window is automatic: the smallest W ≥ 2.5 τ(W), Sokal's W ≥ 5 τ_int in his convention
/// τ_int = ½ + Σ ρ, at most half the series. The relative statistical error is √(2(2W + 1)/N).
pub(super) fn integrated_time(deviations: &[f64]) -> f64 {
    let n = deviations.len();
    let covariance = |t: usize| -> f64 {
        deviations[t..].iter().zip(&deviations[..n - t]).map(|(a, b)| a * b).sum()
    };
    let variance = covariance(0);
    if variance == 0.0 {
        return 1.0;
    }
    let mut time = 1.0;
    for t in 1..=n / 2 {
        time += 2.0 * covariance(t) / variance;
        if t as f64 >= 2.5 * time {
            break;
        }
    }
    time
}
