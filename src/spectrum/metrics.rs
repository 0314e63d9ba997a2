//! Distances between spectra, and their features.

use super::Spectrum;
use crate::error::{Error, Result, check_len, check_nonnegative};
use crate::real::Real;

/// A local maximum of a spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Peak<T = f64> {
    /// Frequency of the maximum (vertex of the parabola through three grid points).
    pub position: T,
    /// Density there.
    pub height: T,
    /// Full width at half maximum, where the density falls to half on both sides before it rises again.
    pub width: Option<T>,
    /// Weight ∫ density dω between the neighbouring minima (or ends of the grid).
    pub weight: T,
}

impl<T: Real> Spectrum<T> {
    /// The density at other frequencies: linear interpolation, constant beyond the ends. A frequency that
    /// is NaN gives NaN.
    pub fn values_at(&self, omega: &[T]) -> Vec<T> {
        let (x, y) = (self.grid().points(), self.values());
        let last = x.len() - 1;
        omega
            .iter()
            .map(|&w| {
                let j = x.partition_point(|&p| p <= w).clamp(1, last);
                let t = (w - x[j - 1]) / (x[j] - x[j - 1]);
                let t = if t < T::zero() { T::zero() } else { t };
                let t = if t > T::one() { T::one() } else { t };
                y[j - 1] + t * (y[j] - y[j - 1])
            })
            .collect()
    }

    /// The k-th moment ∫ ωᵏ density dω (quadrature of the grid), in units of energyᵏ.
    pub fn moment(&self, k: u32) -> T {
        let (x, w) = (self.grid().points(), self.grid().weights());
        x.iter()
            .zip(w)
            .zip(self.values())
            .map(|((&x, &w), &v)| x.powi(k.min(i32::MAX as u32) as i32) * w * v)
            .sum()
    }

    /// The weight ∫ density dω between `from` and `to`, of the piecewise-linear interpolant (zero
    /// outside the grid); zero where `from` is not below `to`.
    ///
    /// # Errors
    /// A bound that is not finite.
    pub fn weight_between(&self, from: T, to: T) -> Result<T> {
        let window = self.grid().window(from, to)?;
        Ok(window.iter().zip(self.values()).map(|(&c, &v)| c * v).sum())
    }

    /// Root-square error ‖a − ã‖₂ of the spectral weights, the loss of \[LO\] eq. 18.
    ///
    /// # Errors
    /// Another density, or another grid.
    pub fn rse(&self, truth: &Self) -> Result<T> {
        self.check_comparable(truth)?;
        let (a, b) = (self.weights(), truth.weights());
        Ok(a.iter().zip(&b).map(|(&a, &b)| (a - b) * (a - b)).sum::<T>().sqrt())
    }

    /// Relative L1 distance ∫|A − A_true| dω / ∫|A_true| dω.
    ///
    /// # Errors
    /// Another density, or another grid; a truth that is zero.
    pub fn l1_error(&self, truth: &Self) -> Result<T> {
        self.check_comparable(truth)?;
        let w = self.grid().weights();
        let (mut difference, mut total) = (T::zero(), T::zero());
        for ((&a, &b), &w) in self.values().iter().zip(truth.values()).zip(w) {
            difference += w * (a - b).abs();
            total += w * b.abs();
        }
        if total == T::zero() {
            let expected = "a spectrum that is not zero";
            return Err(Error::OutOfRange { argument: "truth", value: 0.0, expected });
        }
        Ok(difference / total)
    }

    /// `Err` unless `truth` holds the same density at the same frequencies (to √ε of the range).
    fn check_comparable(&self, truth: &Self) -> Result<()> {
        let (own, other) = (self.grid(), truth.grid());
        check_len("truth", other.len(), own.len(), "this spectrum")?;
        if self.density() != truth.density() {
            return Err(Error::Unsupported {
                argument: "truth",
                value: truth.density().label(),
                expected: self.density().label(),
            });
        }
        let close = T::EPSILON.sqrt() * (own.max() - own.min());
        match own.points().iter().zip(other.points()).position(|(&a, &b)| (a - b).abs() > close) {
            None => Ok(()),
            Some(index) => Err(Error::ElementOutOfRange {
                argument: "truth",
                index,
                value: other.points()[index].as_f64(),
                expected: "the frequencies of this spectrum; interpolate with `values_at`",
            }),
        }
    }

    /// Wasserstein-1 distance ∫ |∫_{−∞}^ω (A − A_true)| dω, an energy: how far weight has to be moved.
    /// Meant for spectra of equal norm.
    ///
    /// # Errors
    /// Another density, or another grid.
    pub fn wasserstein1(&self, truth: &Self) -> Result<T> {
        self.check_comparable(truth)?;
        let (a, b, x) = (self.weights(), truth.weights(), self.grid().points());
        let (mut cumulated, mut distance) = (T::zero(), T::zero());
        for j in 0..x.len() - 1 {
            cumulated += a[j] - b[j];
            distance += cumulated.abs() * (x[j + 1] - x[j]);
        }
        Ok(distance)
    }

    /// Total variation Σ |A_{j+1} − A_j|: twice the sum of heights for separate peaks, large for ringing.
    pub fn total_variation(&self) -> T {
        self.values().windows(2).map(|v| (v[1] - v[0]).abs()).sum()
    }

    /// Local maxima higher than `fraction` of the largest value, by increasing frequency. Ends of the
    /// grid do not count.
    ///
    /// # Errors
    /// A `fraction` that is negative or not finite.
    pub fn peaks(&self, fraction: T) -> Result<Vec<Peak<T>>> {
        check_nonnegative("fraction", fraction)?;
        let (x, y) = (self.grid().points(), self.values());
        let largest = y.iter().fold(T::zero(), |m, &v| if v > m { v } else { m });
        let mut peaks = Vec::new();
        let mut rising_from = 0; // start of a plateau reached by rising
        for j in 1..y.len() - 1 {
            if y[j] > y[j - 1] {
                rising_from = j;
            }
            if rising_from > 0 && y[j + 1] < y[j] && y[rising_from] == y[j] {
                if y[j] > fraction * largest {
                    let (position, height) = if rising_from == j {
                        vertex(&x[j - 1..=j + 1], &y[j - 1..=j + 1])
                    } else {
                        (T::lit(0.5) * (x[rising_from] + x[j]), y[j])
                    };
                    let half = T::lit(0.5) * height;
                    let (left, low) = flank(x, y, half, (0..=rising_from).rev());
                    let (right, high) = flank(x, y, half, j..y.len());
                    let width = left.zip(right).map(|(l, r)| r - l);
                    peaks.push(Peak {
                        position,
                        height,
                        width,
                        weight: self.weight_between(low, high)?,
                    });
                }
                rising_from = 0;
            }
        }
        Ok(peaks)
    }
}

/// Walks down one side of a peak, its top included: where the density passes `half`, and where it ends to
/// fall.
fn flank<T: Real>(
    x: &[T],
    y: &[T],
    half: T,
    mut side: impl Iterator<Item = usize>,
) -> (Option<T>, T) {
    let mut passed = None;
    let mut last = side.next().unwrap_or(0);
    for j in side {
        if y[j] > y[last] {
            break;
        }
        if y[last] > half && y[j] <= half {
            passed = Some(x[last] + (y[last] - half) / (y[last] - y[j]) * (x[j] - x[last]));
        }
        last = j;
    }
    (passed, x[last])
}

/// Vertex of the parabola through three points, the middle one highest: position and height.
fn vertex<T: Real>(x: &[T], y: &[T]) -> (T, T) {
    let (l, r) = (x[1] - x[0], x[2] - x[1]);
    let (dl, dr) = ((y[1] - y[0]) / l, (y[2] - y[1]) / r);
    let curvature = (dr - dl) / (l + r); // < 0
    let slope = (dl * r + dr * l) / (l + r); // at x[1]
    let shift = -slope / (curvature + curvature);
    (x[1] + shift, y[1] + T::lit(0.5) * slope * shift)
}

impl<T: Real> approx::AbsDiffEq for Spectrum<T> {
    type Epsilon = T;

    fn default_epsilon() -> T {
        T::EPSILON
    }

    /// The same density on the same grid, all numbers to within `epsilon`.
    fn abs_diff_eq(&self, other: &Self, epsilon: T) -> bool {
        self.density() == other.density()
            && self.grid().abs_diff_eq(other.grid(), epsilon)
            && crate::real::all_close(self.values(), other.values(), epsilon, T::zero())
    }
}

impl<T: Real> approx::RelativeEq for Spectrum<T> {
    fn default_max_relative() -> T {
        T::EPSILON
    }

    /// As `abs_diff_eq`, the values to within `max_relative` of the larger one.
    fn relative_eq(&self, other: &Self, epsilon: T, max_relative: T) -> bool {
        self.density() == other.density()
            && approx::RelativeEq::relative_eq(self.grid(), other.grid(), epsilon, max_relative)
            && crate::real::all_close(self.values(), other.values(), epsilon, max_relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrequencyGrid;

    fn gaussian(centre: f64, width: f64) -> Spectrum {
        let grid = FrequencyGrid::uniform(-6.0, 6.0, 601).unwrap();
        let norm = 1.0 / (width * (2.0 * std::f64::consts::PI).sqrt());
        Spectrum::from_fn(grid, |w| norm * (-0.5 * ((w - centre) / width).powi(2)).exp()).unwrap()
    }

    #[test]
    fn moments_of_a_gaussian() {
        let a = gaussian(0.7, 0.5);
        // The trapezoid rule is exponentially accurate here.
        for (k, expected) in
            [(0, 1.0), (1, 0.7), (2, 0.74), (3, 0.7_f64.powi(3) + 3.0 * 0.7 * 0.25)]
        {
            assert!((a.moment(k) - expected).abs() < 1e-12, "moment {k}: {}", a.moment(k));
        }
        assert!((a.norm() - 1.0).abs() < 1e-13);
    }

    #[test]
    fn distances_of_shifted_gaussians() {
        let (a, b) = (gaussian(0.5, 0.5), gaussian(0.6, 0.5));
        // Moving a distribution by δ costs exactly δ.
        assert!((a.wasserstein1(&b).unwrap() - 0.1).abs() < 1e-12);
        // L1 distance of two shifted Gaussians: 2 erf(δ/(2√2 σ)), series in δ.
        let z = 0.1 / (2.0 * 2.0_f64.sqrt() * 0.5);
        let erf = 2.0 / std::f64::consts::PI.sqrt() * (z - z.powi(3) / 3.0 + z.powi(5) / 10.0);
        assert!((a.l1_error(&b).unwrap() - 2.0 * erf).abs() < 1e-4);
        assert_eq!(a.rse(&a).unwrap(), 0.0);
        assert_eq!(a.l1_error(&a).unwrap(), 0.0);
        // ‖a − b‖₂² = Δω/(σ√π) (1 − exp(−δ²/4σ²)).
        let exact = 0.02 / (0.5 * std::f64::consts::PI.sqrt()) * (1.0 - (-0.01_f64).exp());
        assert!((a.rse(&b).unwrap() - exact.sqrt()).abs() < 1e-10);
    }

    #[test]
    fn peaks_and_variation() {
        let grid = FrequencyGrid::uniform(-6.0, 6.0, 1201).unwrap();
        let two = Spectrum::from_fn(grid, |w: f64| {
            (-0.5 * ((w + 2.003) / 0.4).powi(2)).exp()
                + 0.5 * (-0.5 * ((w - 2.0) / 0.4).powi(2)).exp()
        })
        .unwrap();
        let peaks = two.peaks(0.01).unwrap();
        assert_eq!(peaks.len(), 2);
        // The parabola's error in height is of order (h/σ)⁴/8 = 5e-8.
        assert!((peaks[0].position + 2.003).abs() < 1e-5 && (peaks[0].height - 1.0).abs() < 5e-8);
        assert!((peaks[1].position - 2.0).abs() < 1e-5 && (peaks[1].height - 0.5).abs() < 1e-8);
        // Full width at half maximum 2√(2 ln 2) σ, by linear interpolation; weights √(2π) σ times the height.
        let exact = 2.0 * (2.0 * 2.0_f64.ln()).sqrt() * 0.4;
        for (peak, height) in peaks.iter().zip([1.0, 0.5]) {
            assert!((peak.width.unwrap() - exact).abs() < 1e-4);
            let weight = height * 0.4 * (2.0 * std::f64::consts::PI).sqrt();
            assert!((peak.weight - weight).abs() < 1e-5, "{peak:?}");
        }
        assert_eq!(two.peaks(0.6).unwrap().len(), 1);
        assert!((two.total_variation() - 3.0).abs() < 1e-4);
        assert!(two.peaks(f64::NAN).is_err());
    }

    #[test]
    fn plateaus_count_once_and_flat_spectra_have_no_peak() {
        let grid = || FrequencyGrid::uniform(0.0, 6.0, 7).unwrap();
        let s = |v: [f64; 7]| Spectrum::new(grid(), v, crate::Density::Spectral).unwrap();
        let plateau = s([0.0, 1.0, 1.0, 0.0, 0.0, 0.5, 0.0]).peaks(0.01).unwrap();
        assert_eq!(plateau.iter().map(|p| p.position).collect::<Vec<_>>(), [1.5, 5.0]);
        assert!(s([1.0; 7]).peaks(0.0).unwrap().is_empty());
        assert!(s([0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0]).peaks(0.0).unwrap().is_empty());
    }

    #[test]
    fn windows_add_up() {
        let a = gaussian(0.0, 1.0);
        let whole = a.weight_between(-6.0, 6.0).unwrap();
        let parts = a.weight_between(-9.0, 0.123).unwrap() + a.weight_between(0.123, 40.0).unwrap();
        assert!((whole - parts).abs() < 600.0 * f64::EPSILON && (whole - a.norm()).abs() < 1e-13);
        // erf(1/√2), less the trapezoid error h²/12 (f'(1) − f'(−1)) = −1.6e-5.
        let one_sigma = a.weight_between(-1.0, 1.0).unwrap() - 0.682_689_492_137;
        assert!((one_sigma + 1.6131e-5).abs() < 1e-8);
        assert_eq!(a.weight_between(1.0, -1.0).unwrap(), 0.0);
    }

    #[test]
    fn interpolation_is_exact_on_nodes_and_constant_outside() {
        let a = gaussian(0.3, 0.8);
        let nodes = a.grid().points().to_vec();
        let back = a.values_at(&nodes);
        assert!(back.iter().zip(a.values()).all(|(x, y)| (x - y).abs() < 1e-15));
        assert_eq!(a.values_at(&[-50.0, 50.0]), [a.values()[0], a.values()[600]]);
        let middle = a.values_at(&[0.01])[0];
        assert!((middle - 0.5 * (a.values()[300] + a.values()[301])).abs() < 1e-12);
    }
}
