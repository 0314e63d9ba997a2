//! The evidence of a mode: Laplace's, with widths that are measured.
//!
//! ∫ e^{−F} dz is taken axis by axis along the eigenvectors of H = JᵀJ + φ''. Where a peak is more than the data ask for
//! it lies upon another, and the data do not see their difference to first order: F rises along it as the fourth power,
//! much sooner than the prior alone, which is all that H knows of it, would let it. So F is looked at on both sides of
//! the mode, and along an axis with curvature λ, x = √λ v·(z − z*),
//!
//! ```text
//! F ≈ F* + ½x² + b x⁴,    ∫ e^{−½x² − bx⁴} dx = t √(2π),    ln ∫ e^{−F} dz ≈ −F* + ½ p ln 2π + Σ ln t/√λ
//! ```
//!
//! with t = 1 where b = 0. Valleys along which peaks trade places are bent, and straight axes leave them: superfluous
//! peaks come out less likely than they are. Few peaks is the side to err on.
//!
//! The names of K peaks can be permuted in K! ways, and each gives a mode of its own only
//! where peaks lie apart: a peak whose exchange with w of those before it leads to the same place counts as one
//! of 1 + w that are alike,
//!
//! ```text
//! ways = Π_i i/(1 + Σ_{j<i} w_ij),    w_ij = exp(−¼ Δᵀ V Λt⁻² Vᵀ Δ)
//! ```
//!
//! Δ being the way from z* to its exchange, and w the overlap of two normal distributions at its ends: K! where all lie
//! apart, 1 where all coincide.

use super::fit::{Fitter, Mode, Target};
use crate::linalg::{dot, symmetric_eigen};
use nalgebra::DMatrix;

/// Largest rise of F at which b is measured, and how often a shorter way is tried.
const RISE: f64 = 2.0;
const TRIALS: usize = 8;

/// t of ∫ e^{−½x² − bx⁴} dx = t √(2π), to some 10⁻⁶.
fn relative_width(b: f64) -> f64 {
    if b <= 0.0 {
        return 1.0;
    }
    // Beyond six times the point where the exponent is ½ there is nothing; the trapezoidal rule converges fast.
    let step = ((((0.25 + 2.0 * b).sqrt() - 0.5) / (2.0 * b)).sqrt() * 0.125).min(0.125);
    let value = |i: u32| {
        let square = (f64::from(i) * step).powi(2);
        (-square * (0.5 + b * square)).exp()
    };
    step * (1.0 + 2.0 * (1..=48).map(value).sum::<f64>()) / core::f64::consts::TAU.sqrt()
}

impl Fitter<'_> {
    /// The evidence of a mode, all permutations of its peaks included; −∞ where H is not positive definite.
    pub(super) fn log_evidence(&mut self, target: Target<'_>, mode: &Mode) -> f64 {
        let p = mode.z.len();
        self.revisit(target, &mode.z);
        let hessian = DMatrix::from_fn(p, p, |i, j| self.curvature(p, i, j));
        let Ok((values, vectors)) = symmetric_eigen("curvature of a mode", hessian) else {
            return f64::NEG_INFINITY;
        };
        let mut log_evidence = 0.5 * p as f64 * core::f64::consts::TAU.ln() - mode.objective;
        let mut scales = Vec::with_capacity(p);
        for (&value, axis) in values.iter().zip(vectors.column_iter()) {
            if value.is_nan() || value <= 0.0 {
                return f64::NEG_INFINITY;
            }
            let sigma = value.sqrt().recip();
            let t = relative_width(self.quartic(target, mode, axis.as_slice(), sigma));
            log_evidence += (t * sigma).ln();
            scales.push((t * sigma).recip());
        }
        log_evidence + self.log_ways(&mode.z, &scales, &vectors)
    }

    /// b along an axis of deviation `sigma`.
    fn quartic(&mut self, target: Target<'_>, mode: &Mode, axis: &[f64], sigma: f64) -> f64 {
        let (mut x, mut b): (f64, f64) = (1.0, 0.0);
        let mut z = mode.z.clone();
        for _ in 0..TRIALS {
            let rise = [x, -x].map(|x| {
                let line = mode.z.iter().zip(axis).map(|(z, v)| z + x * sigma * v);
                z.iter_mut().zip(line).for_each(|(z, at)| *z = at);
                self.value(target, &z) - mode.objective
            });
            let rise = 0.5 * (rise[0] + rise[1]);
            b = (rise - 0.5 * x * x) / x.powi(4);
            if rise.is_nan() || rise <= RISE {
                break;
            }
            // Where the fourth power is not all there is, nearer tells more.
            x *= (0.5 / rise).powf(0.25).clamp(0.1, 0.8);
        }
        if b.is_nan() { 0.0 } else { b }
    }

    /// ln of the number of ways to name the ordinary peaks; `scales` are the reciprocal widths along the columns of
    /// `vectors`.
    fn log_ways(&self, z: &[f64], scales: &[f64], vectors: &DMatrix<f64>) -> f64 {
        let (first, per) = self.ordinary();
        let ordinary = z.len().saturating_sub(first) / per;
        let mut way = vec![0.0; z.len()];
        let mut log_ways = 0.0;
        for i in 0..ordinary {
            let mut alike = 1.0;
            for j in 0..i {
                let (a, b) = (first + i * per, first + j * per);
                way.fill(0.0);
                for k in 0..per {
                    way[a + k] = z[b + k] - z[a + k];
                    way[b + k] = z[a + k] - z[b + k];
                }
                let squares = vectors.column_iter().zip(scales);
                let distance: f64 =
                    squares.map(|(v, s)| (s * dot(v.as_slice(), &way)).powi(2)).sum();
                alike += (-0.25 * distance).exp();
            }
            log_ways += ((i + 1) as f64 / alike).ln();
        }
        log_ways
    }
}

#[cfg(test)]
mod tests {
    use super::super::mixture::Mixture;
    use super::*;
    use crate::grid::FrequencyGrid;
    use crate::synthetic::GaussianMixture;

    /// K! where all peaks lie apart, 1 where none does; of three of which two coincide, each place of the third.
    #[test]
    fn ways_are_counted_by_what_can_be_told_apart() {
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 20).unwrap();
        let mixture = GaussianMixture { quasiparticle: None, ..GaussianMixture::default() };
        let mixture = Mixture::new(&grid, &mixture, 0.0, 0.0);
        let fitter = Fitter::new(&mixture, 4);
        let ways = |z: &[f64], scale: f64| {
            let (scales, axes) = (vec![scale; z.len()], DMatrix::identity(z.len(), z.len()));
            fitter.log_ways(z, &scales, &axes).exp()
        };
        let apart = [0.0, 0.1, 1.0, 0.2, 2.0, -0.3, -1.0, 0.4];
        assert!((ways(&apart, 1e3) - 24.0).abs() < 1e-9);
        assert!((ways(&apart, 1e-6) - 1.0).abs() < 1e-9);
        assert!((ways(&[0.0, 0.1, 0.0, 0.1, 2.0, 0.1], 1e3) - 3.0).abs() < 1e-9);
        assert!((ways(&apart[..2], 1.0) - 1.0).abs() < 1e-12);
    }

    /// t ≈ 1 − 3b for small b, 2Γ(5/4) b^{−1/4}/√(2π) for large, and the integral between.
    #[test]
    fn widths_are_those_of_the_integral() {
        assert_eq!(relative_width(0.0), 1.0);
        assert!((relative_width(1e-5) - (1.0 - 3e-5)).abs() < 1e-8);
        let large = 2.0 * 0.906_402_477_055_477 * 1e12_f64.powf(-0.25);
        let root = core::f64::consts::TAU.sqrt();
        assert!((relative_width(1e12) * root / large - 1.0).abs() < 1e-5);
        // Simpson's rule on a fine lattice.
        for b in [0.01, 0.25, 3.0, 1e3] {
            let f = |x: f64| (-0.5 * x * x - b * x.powi(4)).exp();
            let (n, reach) = (20_000, 12.0);
            let h = 2.0 * reach / f64::from(n);
            let exact: f64 = (0..=n)
                .map(|i| {
                    let weight = if i == 0 || i == n {
                        1.0
                    } else if i % 2 == 1 {
                        4.0
                    } else {
                        2.0
                    };
                    weight * f(-reach + h * f64::from(i)) * h / 3.0
                })
                .sum();
            assert!((relative_width(b) * root / exact - 1.0).abs() < 1e-6, "{b}");
        }
    }
}
