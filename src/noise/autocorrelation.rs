//! Correlation within a series: its integrated autocorrelation time, and that of neighbours.
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

/// Σ r_i r_{i+1}/Σ r_i² about zero, the correlation of neighbours, with its standard deviation for independent
/// normal r of one variance, √((N − 1)/(N(N + 2))): r/‖r‖ is uniform on the sphere. `None` for fewer than
/// three values and for r = 0.
pub(crate) fn neighbour_correlation(r: &[f64]) -> Option<(f64, f64)> {
    let (n, square) = (r.len() as f64, r.iter().map(|r| r * r).sum::<f64>());
    let product: f64 = r.windows(2).map(|r| r[0] * r[1]).sum();
    let defined = r.len() > 2 && square > 0.0 && square.is_finite();
    defined.then(|| (product / square, ((n - 1.0) / (n * (n + 2.0))).sqrt()))
}
