//! Kramers–Kronig: the retarded function on the real axis,
//! G(ω) = P∫ A(ω')/(ω − ω') dω' − iπA(ω).

use super::Spectrum;
use crate::kernel::Density;
use crate::real::Real;
use nalgebra::Complex;

impl<T: Real> Spectrum<T> {
    /// The retarded G(ω_j) of the spectral function A on its own grid.
    ///
    /// A is taken piecewise linear and every cell is integrated in closed form, the singular ones included.
    /// Beyond both ends A falls linearly to zero over one more cell. Bosonic densities are turned into
    /// A(ω) first; those on ω ≥ 0 are continued by their symmetry (A even for particle–hole symmetric
    /// fermions, odd for susceptibilities). Units: 1/energy.
    pub fn retarded(&self) -> Vec<Complex<T>> {
        let (x, a) = self.extended();
        let own = x.len() - 1 - self.grid().len(); // index of the first own point
        (own..own + self.grid().len())
            .map(|i| Complex::new(hilbert(&x, &a, i), -T::pi() * a[i]))
            .collect()
    }

    /// Points and spectral function with a zero beyond each end, mirrored where only ω ≥ 0 is stored.
    /// The own points are the last but one, and those before.
    fn extended(&self) -> (Vec<T>, Vec<T>) {
        let grid = self.grid().points();
        let own: Vec<T> =
            grid.iter().zip(self.values()).map(|(&w, &v)| self.density().spectral(w, v)).collect();
        let n = grid.len();
        let (mut x, mut a) = (Vec::with_capacity(2 * n + 2), Vec::with_capacity(2 * n + 2));
        if self.density().is_half_line() {
            let sign = if self.density() == Density::EvenSpectral { T::one() } else { -T::one() };
            x.push(-(grid[n - 1] + (grid[n - 1] - grid[n - 2])));
            a.push(T::zero());
            for j in (0..n).rev().filter(|&j| grid[j] > T::zero()) {
                x.push(-grid[j]);
                a.push(sign * own[j]);
            }
        } else {
            x.push(grid[0] - (grid[1] - grid[0]));
            a.push(T::zero());
        }
        x.extend_from_slice(grid);
        a.extend(own);
        x.push(grid[n - 1] + (grid[n - 1] - grid[n - 2]));
        a.push(T::zero());
        (x, a)
    }
}

/// P∫ A(ω')/(x_i − ω') dω' for piecewise-linear A on x, i not an end.
///
/// A cell \[l, r\] with A = A_l + s(ω' − l) gives (A_l + s(ω − l)) ln|(ω − l)/(ω − r)| − s(r − l). In the two
/// cells that meet at ω the logarithms of zero cancel against each other.
fn hilbert<T: Real>(x: &[T], a: &[T], i: usize) -> T {
    let mut sum = a[i] * ((x[i] - x[i - 1]) / (x[i + 1] - x[i])).ln();
    for j in 1..x.len() {
        let (l, r) = (x[j - 1], x[j]);
        let slope = (a[j] - a[j - 1]) / (r - l);
        sum -= a[j] - a[j - 1];
        if j != i && j != i + 1 {
            sum += (a[j - 1] + slope * (x[i] - l)) * ((x[i] - l) / (x[i] - r)).abs().ln();
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrequencyGrid;

    /// Semicircle of half width 1: G(ω) = 2(ω − i√(1 − ω²)) inside the band.
    #[test]
    fn semicircle_has_its_closed_form() {
        let grid = FrequencyGrid::uniform(-2.0, 2.0, 2001).unwrap();
        let a = Spectrum::from_fn(grid, |w: f64| {
            2.0 / std::f64::consts::PI * (1.0 - w * w).max(0.0).sqrt()
        })
        .unwrap();
        let g = a.retarded();
        for (j, &w) in a.grid().points().iter().enumerate() {
            if w.abs() < 0.9 {
                assert!((g[j].re - 2.0 * w).abs() < 1e-3, "{w}: {}", g[j].re);
                assert!((g[j].im + 2.0 * (1.0 - w * w).sqrt()).abs() < 1e-12);
            } else if w.abs() > 1.1 {
                let outside = 2.0 * (w - w.signum() * (w * w - 1.0).sqrt());
                assert!((g[j].re - outside).abs() < 1e-3);
            }
        }
    }

    /// A Lorentzian on a wide non-uniform grid: G = 1/(ω − ε + iΓ).
    #[test]
    fn lorentzian_has_its_closed_form_on_a_non_uniform_grid() {
        let (energy, width) = (0.3, 0.2);
        let grid = FrequencyGrid::lorentzian(-2000.0, 2000.0, 4001, 0.5).unwrap();
        let a = Spectrum::from_fn(grid, |w: f64| {
            width / std::f64::consts::PI / ((w - energy).powi(2) + width * width)
        })
        .unwrap();
        for (g, &w) in a.retarded().iter().zip(a.grid().points()) {
            if w.abs() < 5.0 {
                let exact = Complex::new(w - energy, width).inv();
                assert!((g - exact).norm() < 2e-4, "{w}: {g} {exact}");
            }
        }
    }

    /// Half-line densities agree with the whole-line spectral function they stand for.
    #[test]
    fn half_line_densities_are_continued_by_symmetry() {
        let whole = FrequencyGrid::uniform(-4.0, 4.0, 801).unwrap();
        let half = FrequencyGrid::uniform(0.0, 4.0, 401).unwrap();
        let even = |w: f64| (-w * w).exp();
        let odd = |w: f64| w * (-w * w).exp();
        let reference = Spectrum::from_fn(whole.clone(), even).unwrap().retarded();
        let values: Vec<f64> = half.points().iter().map(|&w| even(w)).collect();
        let folded = Spectrum::new(half.clone(), values, Density::EvenSpectral).unwrap().retarded();
        for j in 0..401 {
            assert!((folded[j] - reference[400 + j]).norm() < 1e-12);
        }
        let reference = Spectrum::from_fn(whole, odd).unwrap().retarded();
        let values: Vec<f64> = half.points().iter().map(|&w| 2.0 * even(w)).collect();
        let density = Density::SusceptibilityOverFrequency;
        let folded = Spectrum::new(half, values, density).unwrap().retarded();
        for j in 0..401 {
            assert!((folded[j] - reference[400 + j]).norm() < 1e-12);
        }
    }
}
