//! Frequency grids ω_j with their quadrature weights Δω_j. Floor 1.
//!
//! A density A(ω) is turned into weights a_j = A(ω_j) Δω_j, so that ∫A dω = Σ a_j. The weights are the
//! trapezoid rule's cell widths (half cells at both ends) unless others are given.

use crate::error::{
    Error, Result, check_count, check_increasing, check_len, check_not_empty,
    check_open_unit_interval, check_scalar,
};
use crate::real::{Real, all_close};

/// More points are a mistake, and would not fit into memory.
const MOST_POINTS: usize = 1_000_000_000;

/// A strictly increasing grid of real frequencies with positive quadrature weights.
///
/// Units: both in units of energy. At least two points.
///
/// ```
/// use fredholm::FrequencyGrid;
/// let grid = FrequencyGrid::uniform(-2.0, 2.0, 5)?;
/// assert_eq!(grid.points(), [-2.0, -1.0, 0.0, 1.0, 2.0]);
/// assert_eq!(grid.weights(), [0.5, 1.0, 1.0, 1.0, 0.5]);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Stored<T>", bound(deserialize = "T: Real + serde::Deserialize<'de>"))
)]
pub struct FrequencyGrid<T = f64> {
    points: Vec<T>,
    weights: Vec<T>,
}

/// A grid as it is read back, before it is checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored<T> {
    points: Vec<T>,
    weights: Vec<T>,
}

#[cfg(feature = "serde")]
impl<T: Real> TryFrom<Stored<T>> for FrequencyGrid<T> {
    type Error = Error;

    fn try_from(stored: Stored<T>) -> Result<Self> {
        Self::with_weights(stored.points, stored.weights)
    }
}

impl<T: Real> FrequencyGrid<T> {
    /// `n` equidistant points from `min` to `max`, both included.
    ///
    /// # Errors
    /// Non-finite or unordered ends; fewer than two points.
    pub fn uniform(min: T, max: T, n: usize) -> Result<Self> {
        Self::mapped(min, max, n, |u| u)
    }

    /// Tangent grid, dense around the middle: ω = c + W tan(πpu/2)/tan(πp/2), u ∈ \[−1, 1\] uniform, with
    /// c and W the centre and half width of \[min, max\].
    ///
    /// `p` in (0, 1) is the clustering: uniform as p → 0, all points in the middle as p → 1 (0.8 is usual).
    ///
    /// # Errors
    /// As [`uniform`](Self::uniform); `p` outside (0, 1).
    pub fn tangent(min: T, max: T, n: usize, p: T) -> Result<Self> {
        check_open_unit_interval("p", p)?;
        let q = p * T::frac_pi_2();
        Self::mapped(min, max, n, |u| (q * u).tan() / q.tan())
    }

    /// Lorentzian grid: ω = c + w tan(u atan(W/w)), whose spacing is ∝ (ω − c)² + w²; W is the half width
    /// of \[min, max\] and `w` the width (energy) of the dense region.
    ///
    /// # Errors
    /// As [`uniform`](Self::uniform); `w` not positive.
    pub fn lorentzian(min: T, max: T, n: usize, w: T) -> Result<Self> {
        crate::error::check_positive("w", w)?;
        let ratio = (max - min) * T::lit(0.5) / w;
        let angle = ratio.atan();
        Self::mapped(min, max, n, |u| (u * angle).tan() / ratio)
    }

    /// Hyperbolic grid: ω = c + W sgn(u)(√(1 + u²/s²) − 1)/(√(1 + 1/s²) − 1): quadratic near the centre,
    /// uniform outside |u| ≳ s. `s` > 0 (0.3 is usual). The centre itself is a point for odd `n`.
    ///
    /// # Errors
    /// As [`uniform`](Self::uniform); `s` not positive.
    pub fn hyperbolic(min: T, max: T, n: usize, s: T) -> Result<Self> {
        crate::error::check_positive("s", s)?;
        // √(1+v²) − 1 = v²/(√(1+v²) + 1) keeps its digits near v = 0.
        let f = |u: T| {
            let v2 = (u / s) * (u / s);
            v2 / ((T::one() + v2).sqrt() + T::one())
        };
        Self::mapped(min, max, n, |u| if u < T::zero() { -f(u) } else { f(u) } / f(T::one()))
    }

    /// `n` points from `min` > 0 to `max` in geometric progression.
    ///
    /// # Errors
    /// As [`uniform`](Self::uniform); `min` not positive.
    pub fn logarithmic(min: T, max: T, n: usize) -> Result<Self> {
        crate::error::check_positive("min", min)?;
        check_ends(min, max, n)?;
        let ratio = (max / min).ln();
        let last = T::lit((n - 1) as f64);
        let mut points: Vec<T> =
            (0..n).map(|i| min * (ratio * T::lit(i as f64) / last).exp()).collect();
        points[n - 1] = max;
        Self::from_points(points)
    }

    /// Any strictly increasing list, with trapezoid weights.
    ///
    /// # Errors
    /// Fewer than two points, non-finite or not increasing; points so close or so far apart that a weight
    /// underflows or overflows.
    pub fn from_points(points: impl Into<Vec<T>>) -> Result<Self> {
        let points = points.into();
        check_not_empty("points", points.len(), 2)?;
        let n = points.len();
        let half = T::lit(0.5);
        let weights: Vec<T> = (0..n)
            .map(|j| half * (points[(j + 1).min(n - 1)] - points[j.saturating_sub(1)]))
            .collect();
        Self::with_weights(points, weights)
    }

    /// Any strictly increasing list with quadrature weights of its own.
    ///
    /// # Errors
    /// As [`from_points`](Self::from_points); weights of another length or not positive.
    pub fn with_weights(points: impl Into<Vec<T>>, weights: impl Into<Vec<T>>) -> Result<Self> {
        let (points, weights) = (points.into(), weights.into());
        check_not_empty("points", points.len(), 2)?;
        check_increasing("points", &points)?;
        check_len("weights", weights.len(), points.len(), "`points`")?;
        crate::error::check_all_positive("weights", &weights)?;
        Ok(FrequencyGrid { points, weights })
    }

    /// Points c + W f(u) for uniform u ∈ [−1, 1] and odd f with f(1) = 1.
    fn mapped(min: T, max: T, n: usize, f: impl Fn(T) -> T) -> Result<Self> {
        check_ends(min, max, n)?;
        let (half, last) = (T::lit(0.5), (n - 1) as f64);
        let (centre, width) = (half * (min + max), half * (max - min));
        let mut points: Vec<T> = (0..n)
            .map(|i| centre + width * f(T::lit((2 * i) as f64 - last) / T::lit(last)))
            .collect();
        (points[0], points[n - 1]) = (min, max);
        Self::from_points(points)
    }

    /// The frequencies ω_j.
    pub fn points(&self) -> &[T] {
        &self.points
    }

    /// The quadrature weights Δω_j.
    pub fn weights(&self) -> &[T] {
        &self.weights
    }

    /// The number of points N_ω (at least two).
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// The smallest frequency.
    pub fn min(&self) -> T {
        self.points[0]
    }

    /// The largest frequency.
    pub fn max(&self) -> T {
        self.points[self.len() - 1]
    }

    /// Coefficients c with Σ c_j A_j = ∫ A dω between `from` and `to`, of the piecewise-linear interpolant of A
    /// (zero outside the grid); zero where `from` is not below `to`.
    ///
    /// # Errors
    /// A bound that is not finite.
    pub fn window(&self, from: T, to: T) -> Result<Vec<T>> {
        check_scalar("from", from)?;
        check_scalar("to", to)?;
        let x = &self.points;
        let mut c = vec![T::zero(); x.len()];
        for j in 1..x.len() {
            let a = if from > x[j - 1] { from } else { x[j - 1] };
            let b = if to < x[j] { to } else { x[j] };
            if b > a {
                let t = (T::lit(0.5) * (a + b) - x[j - 1]) / (x[j] - x[j - 1]);
                c[j - 1] += (b - a) * (T::one() - t);
                c[j] += (b - a) * t;
            }
        }
        Ok(c)
    }

    /// ∫ f dω ≈ Σ f_j Δω_j. Stops at the shorter of grid and `density`.
    pub fn integrate(&self, density: &[T]) -> T {
        self.weights.iter().zip(density).map(|(&w, &f)| w * f).sum()
    }
}

fn check_ends<T: Real>(min: T, max: T, n: usize) -> Result<()> {
    check_scalar("min", min)?;
    check_scalar("max", max)?;
    if max <= min {
        let expected = "a number above `min`";
        return Err(Error::OutOfRange { argument: "max", value: max.as_f64(), expected });
    }
    check_count("n", n, 2..=MOST_POINTS, "2 to 10^9 points")
}

impl<T: Real> approx::AbsDiffEq for FrequencyGrid<T> {
    type Epsilon = T;

    fn default_epsilon() -> T {
        T::EPSILON
    }

    /// Points and weights to within `epsilon`.
    fn abs_diff_eq(&self, other: &Self, epsilon: T) -> bool {
        all_close(&self.points, &other.points, epsilon, T::zero())
            && all_close(&self.weights, &other.weights, epsilon, T::zero())
    }
}

impl<T: Real> approx::RelativeEq for FrequencyGrid<T> {
    fn default_max_relative() -> T {
        T::EPSILON
    }

    /// Points and weights to within `epsilon`, or `max_relative` of the larger number.
    fn relative_eq(&self, other: &Self, epsilon: T, max_relative: T) -> bool {
        all_close(&self.points, &other.points, epsilon, max_relative)
            && all_close(&self.weights, &other.weights, epsilon, max_relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<T: Real>(n: usize) -> Vec<FrequencyGrid<T>> {
        let l = T::lit;
        vec![
            FrequencyGrid::uniform(l(-3.0), l(5.0), n).unwrap(),
            FrequencyGrid::tangent(l(-3.0), l(5.0), n, l(0.8)).unwrap(),
            FrequencyGrid::lorentzian(l(-3.0), l(5.0), n, l(0.5)).unwrap(),
            FrequencyGrid::hyperbolic(l(-3.0), l(5.0), n, l(0.3)).unwrap(),
            FrequencyGrid::logarithmic(l(0.01), l(5.0), n).unwrap(),
        ]
    }

    fn battery<T: Real>() {
        for n in [2, 3, 10, 101] {
            for grid in all::<T>(n) {
                assert_eq!(grid.len(), n);
                assert_eq!(grid.max().as_f64(), 5.0);
                let total: T = grid.weights().iter().copied().sum();
                let length = grid.max() - grid.min();
                assert!((total - length).abs() <= T::lit(20.0) * T::EPSILON * length);
                // The trapezoid rule is exact on linear functions.
                let integral = grid.integrate(grid.points()).as_f64();
                let (a, b) = (grid.min().as_f64(), grid.max().as_f64());
                let scale = T::EPSILON.as_f64() * 200.0;
                assert!((integral - 0.5 * (b * b - a * a)).abs() <= scale * b * b);
            }
        }
    }

    #[test]
    fn every_grid_spans_its_range() {
        battery::<f32>();
        battery::<f64>();
    }

    #[test]
    fn lorentzian_spacing_follows_its_law() {
        let (w, n) = (0.5, 2001);
        let grid = FrequencyGrid::<f64>::lorentzian(-4.0, 4.0, n, w).unwrap();
        let law = |j: usize| {
            (grid.points()[j + 1] - grid.points()[j - 1]) / (grid.points()[j].powi(2) + w * w)
        };
        for j in [10, 700, 1300, 1990] {
            // Central differences of tan: relative error (h tan)² with h = 1.4e-3, tan ≤ 8.
            assert!((law(j) / law(1000) - 1.0).abs() < 2e-4);
        }
    }

    #[test]
    fn bad_input_is_named() {
        let e = FrequencyGrid::uniform(1.0, f64::NAN, 5).unwrap_err();
        assert!(matches!(e, Error::NonFinite { argument: "max", .. }));
        assert!(matches!(FrequencyGrid::uniform(1.0, 0.0, 5), Err(Error::OutOfRange { .. })));
        assert!(matches!(FrequencyGrid::uniform(0.0, 1.0, 1), Err(Error::OutOfRange { .. })));
        assert!(FrequencyGrid::uniform(0.0, 1.0, usize::MAX).is_err());
        assert!(matches!(
            FrequencyGrid::from_points(vec![0.0, 2.0, 1.0]),
            Err(Error::NotIncreasing { index: 2, .. })
        ));
        assert!(matches!(
            FrequencyGrid::with_weights(vec![0.0, 1.0], vec![1.0, 0.0]),
            Err(Error::ElementOutOfRange { index: 1, .. })
        ));
        assert!(matches!(
            FrequencyGrid::tangent(0.0, 1.0, 5, 1.0),
            Err(Error::OutOfRange { argument: "p", .. })
        ));
    }
}
