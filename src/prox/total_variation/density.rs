//! Total variation of a density, for the weights of cells of any width.

use super::taut_string::taut_string;
use super::{by_pieces, variation};
use crate::error::{Result, check_all_positive, check_not_empty};
use crate::linalg::two_sum;
use crate::prox::{Prox, check_lengths, poisoned};
use crate::real::Real;
use crate::scratch::with_scratch;

/// f(a) = Σ |A_{i+1} − A_i| with the densities A_i = a_i/w_i of weights a on cells of widths w: the total variation of
/// a spectrum, whatever its grid.
///
/// prox_{γf}(z) is w_i A_i with A piecewise constant, on a piece P
///
/// ```text
/// A = [Σ_P w_i z_i + γ (s_right − s_left)]/Σ_P w_i²
/// ```
///
/// where s is the sign of the jump at an end: the taut string through the partial sums of w z over those of w².
/// Linear time. With the pieces known, ∂/∂z and ∂/∂γ are read off this formula. On cells of one width w it is
/// [`TotalVariation`](super::TotalVariation)/w. Convex.
///
/// ```
/// use fredholm::{DensityVariation, FrequencyGrid, Prox, TotalVariation};
/// // A constant density: the half cells at the ends of the grid make its weights step, which is no variation of it.
/// let grid = FrequencyGrid::uniform(-2.0, 2.0, 5)?;
/// let flat = [0.5, 1.0, 1.0, 1.0, 0.5];
/// assert_eq!(grid.weights(), flat);
/// let by_density = DensityVariation::new(grid.weights())?;
/// assert_eq!((by_density.value(&flat), TotalVariation.value(&flat)), (0.0, 1.0));
/// let mut a = [0.0; 5];
/// by_density.prox_into(&flat, 0.3, &mut a);
/// assert_eq!(a, flat); // it stays, while that of the weights would draw edges
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DensityVariation<T = f64> {
    widths: Vec<T>,
    /// Σ_{j<i} w_j², i = 0…n, and what rounding has taken from it: differences of sums over wide cells are those of
    /// the narrow cells between.
    extents: Vec<(T, T)>,
}

impl<T: Real> DensityVariation<T> {
    /// For cells of these widths: [`FrequencyGrid::weights`](crate::FrequencyGrid::weights).
    ///
    /// # Errors
    /// No widths; one that is not finite or not positive.
    pub fn new(widths: impl Into<Vec<T>>) -> Result<Self> {
        let widths = widths.into();
        check_not_empty("widths", widths.len(), 1)?;
        check_all_positive("widths", &widths)?;
        let (mut total, mut lost) = (T::zero(), T::zero());
        let mut extents = vec![(total, lost)];
        extents.extend(widths.iter().map(|&w| {
            let (sum, error) = two_sum(total, w * w);
            (total, lost) = (sum, lost + error);
            (total, lost)
        }));
        Ok(DensityVariation { widths, extents })
    }

    /// Σ w_j² from one position to a later one.
    fn extent(&self, start: usize, end: usize) -> T {
        let ((to, lost), (from, lost_before)) = (self.extents[end], self.extents[start]);
        // No less than a part of it, whatever is between the widths.
        ((to - from) + (lost - lost_before)).max(self.widths[start] * self.widths[start])
    }

    /// The densities A of the answer; `false` if z is not finite.
    fn densities(&self, z: &[T], gamma: T, out: &mut [T]) -> bool {
        let (n, widths) = (z.len(), &self.widths);
        if poisoned(z, out) {
            return false;
        }
        for ((o, &z), &w) in out.iter_mut().zip(z).zip(widths) {
            *o = z / w;
        }
        if n < 2 || gamma <= T::zero() {
            return true;
        }
        // About the mean, and with a γ that does not drown the sums: from the largest partial sum on, A is constant.
        let product: T = z.iter().zip(widths).map(|(&z, &w)| w * z).sum();
        let mean = product / self.extents[n].0;
        let increment = |i: usize| widths[i] * (z[i] - widths[i] * mean);
        let (mut partial, mut largest) = (T::zero(), T::zero());
        for i in 0..n {
            partial += increment(i);
            largest = largest.max(partial.abs());
        }
        if gamma >= largest {
            out.fill(mean);
        } else {
            let extent = |start, end| self.extent(start, end);
            taut_string(increment, extent, mean, gamma, (gamma, -gamma), out);
        }
        true
    }
}

impl<T: Real> Prox<T> for DensityVariation<T> {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.widths.len()]);
        with_scratch(x.len(), |density: &mut [T]| {
            for ((d, &x), &w) in density.iter_mut().zip(x).zip(&self.widths) {
                *d = x / w;
            }
            variation(density)
        })
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.widths.len()]);
        if !self.densities(z, gamma, out) {
            return T::zero() / T::zero();
        }
        let value = variation(out);
        out.iter_mut().zip(&self.widths).for_each(|(o, &w)| *o *= w);
        value
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        let n = z.len();
        check_lengths(n, &[upstream.len(), grad.len(), self.widths.len()]);
        if !self.densities(z, gamma, grad) {
            return T::zero() / T::zero();
        }
        if n < 2 || gamma <= T::zero() {
            grad.copy_from_slice(upstream);
            return T::zero();
        }
        by_pieces(grad, |piece, start, end| {
            let widths = &self.widths[start..end];
            let along: T = widths.iter().zip(&upstream[start..end]).map(|(&w, &u)| w * u).sum();
            let mean = along / widths.iter().map(|&w| w * w).sum::<T>();
            piece.iter_mut().zip(widths).for_each(|(g, &w)| *g = w * mean);
            mean
        })
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.widths.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::FrequencyGrid;
    use crate::prox::TotalVariation;

    #[test]
    fn cells_of_one_width_give_the_variation_of_the_weights_over_it() {
        let z: Vec<f64> = (0..40).map(|i| (0.2 * f64::from(i)).sin() + f64::from(i % 3)).collect();
        let f = DensityVariation::new(vec![0.25; 40]).unwrap();
        assert!((f.value(&z) - 4.0 * TotalVariation.value(&z)).abs() < 1e-12);
        for gamma in [0.01, 0.1, 1.0, 1e6] {
            let (mut x, mut y) = (vec![7.0; 40], vec![7.0; 40]);
            f.prox_into(&z, gamma, &mut x);
            TotalVariation.prox_into(&z, 4.0 * gamma, &mut y);
            assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-13), "{gamma}");
        }
    }

    /// Two plateaus on a uniform grid: at the ends of the grid nothing happens to either, and each loses γ/Σw² of its
    /// height to the other.
    #[test]
    fn half_cells_at_the_ends_are_no_edges() {
        let grid = FrequencyGrid::uniform(-2.0, 2.0, 9).unwrap();
        let w = grid.weights();
        let density = |i: usize| if i < 4 { 1.0 } else { 3.0 };
        let z: Vec<f64> = w.iter().enumerate().map(|(i, w)| w * density(i)).collect();
        let f = DensityVariation::new(w).unwrap();
        let mut a = vec![0.0; 9];
        let value = f.prox_into(&z, 0.1, &mut a);
        let squares =
            |range: core::ops::Range<usize>| -> f64 { w[range].iter().map(|w| w * w).sum() };
        let (low, high) = (1.0 + 0.1 / squares(0..4), 3.0 - 0.1 / squares(4..9));
        for (i, (a, w)) in a.iter().zip(w).enumerate() {
            let expected = if i < 4 { low } else { high };
            assert!((a / w - expected).abs() < 1e-14, "{i}");
        }
        assert!((value - (high - low)).abs() < 1e-14);
        // That of the weights moves the half cells at both ends.
        TotalVariation.prox_into(&z, 0.1, &mut a);
        assert!((a[0] / w[0] - a[1] / w[1]).abs() > 0.1);
    }

    /// A staircase over cells of which some are 10⁴ times as wide as others: every piece is what the formula says,
    /// within the tube, and so is its derivative.
    #[test]
    fn narrow_cells_after_wide_ones_lose_no_digits() {
        fn battery<T: Real>() {
            let n = 60;
            let all = |f: &dyn Fn(usize) -> f64| (0..n).map(|i| T::lit(f(i))).collect::<Vec<T>>();
            let exact = |v: &[T]| v.iter().map(|v| v.as_f64()).collect::<Vec<f64>>();
            let widths = all(&|i| if i / 10 % 2 == 0 { 1.0 } else { 1e-4 });
            let w = exact(&widths);
            let z = all(&|i| w[i] * (0.3 * i as f64 + 0.02 * (2.9 * i as f64).sin()));
            let upstream = all(&|i| (0.7 * i as f64).cos());
            let f = DensityVariation::new(widths).unwrap();
            let rounding = 1e4 * T::EPSILON.as_f64();
            for gamma in [1e-3, 0.1, 3.0] {
                let (mut density, mut grad) = (vec![T::zero(); n], vec![T::zero(); n]);
                assert!(f.densities(&z, T::lit(gamma), &mut density));
                let by_gamma = f.prox_vjp(&z, T::lit(gamma), &upstream, &mut grad).as_f64();
                let (d, z, u, grad) = (exact(&density), exact(&z), exact(&upstream), exact(&grad));
                let (mut start, mut jump, mut pieces, mut expected_by_gamma) = (0, 0.0, 0, 0.0);
                while start < n {
                    let end = (start + 1..n).find(|&i| d[i] != d[start]).unwrap_or(n);
                    let next = if end < n { (d[end] - d[start]).signum() } else { 0.0 };
                    let along = |v: &[f64]| (start..end).map(|i| w[i] * v[i]).sum::<f64>();
                    let expected = (along(&z) + gamma * (next - jump)) / along(&w);
                    assert!((d[start] - expected).abs() < rounding, "{gamma}, {start}: {d:?}");
                    let mean = along(&u) / along(&w);
                    expected_by_gamma += (next - jump) * mean;
                    let mut dual = gamma * jump;
                    for i in start..end {
                        dual += w[i] * (w[i] * d[i] - z[i]);
                        assert!(dual.abs() <= gamma + rounding, "{gamma}, {i}: {dual}");
                        let off = grad[i] - w[i] * mean;
                        assert!(off.abs() <= rounding * w[i] * mean.abs(), "{gamma}, {i}: {off}");
                    }
                    (start, jump, pieces) = (end, next, pieces + 1);
                }
                assert!(pieces > 30, "{gamma}: {pieces}");
                let off = by_gamma - expected_by_gamma;
                assert!(off.abs() <= rounding * (1.0 + by_gamma.abs()), "{gamma}: {off}");
            }
        }
        battery::<f32>();
        battery::<f64>();
    }

    #[test]
    fn bad_widths_are_named() {
        assert!(DensityVariation::<f64>::new(vec![]).is_err());
        let e = DensityVariation::new(vec![1.0, 0.0]).unwrap_err();
        assert!(e.to_string().contains("`widths`[1]"), "{e}");
    }
}
