//! Total variation of a density, for the weights of cells of any width.

use super::taut_string::taut_string;
use super::variation;
use crate::error::{Result, check_all_positive, check_not_empty};
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
    /// Σ_{j<i} w_j², i = 0…n.
    extents: Vec<T>,
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
        let mut extents = vec![T::zero()];
        let mut total = T::zero();
        extents.extend(widths.iter().map(|&w| {
            total += w * w;
            total
        }));
        Ok(DensityVariation { widths, extents })
    }

    /// Σ w_j² from one position to another.
    fn extent(&self, start: usize, end: usize) -> T {
        self.extents[end] - self.extents[start]
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
        let mean = product / self.extents[n];
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
        let (mut by_gamma, mut start, mut jump) = (T::zero(), 0, T::zero());
        while start < n {
            let level = grad[start];
            let end = (start + 1..n).find(|&i| grad[i] != level).unwrap_or(n);
            let next = match grad.get(end) {
                None => T::zero(),
                Some(&density) if density > level => T::one(),
                Some(_) => -T::one(),
            };
            let widths = &self.widths[start..end];
            let along: T = widths.iter().zip(&upstream[start..end]).map(|(&w, &u)| w * u).sum();
            let mean = along / self.extent(start, end);
            by_gamma += (next - jump) * mean;
            grad[start..end].iter_mut().zip(widths).for_each(|(g, &w)| *g = w * mean);
            (start, jump) = (end, next);
        }
        by_gamma
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

    #[test]
    fn bad_widths_are_named() {
        assert!(DensityVariation::<f64>::new(vec![]).is_err());
        let e = DensityVariation::new(vec![1.0, 0.0]).unwrap_err();
        assert!(e.to_string().contains("`widths`[1]"), "{e}");
    }
}
