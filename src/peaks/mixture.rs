//! A mixture of Gaussian peaks in coordinates without bounds.
//!
//! Centre and width of a peak are uniform in ranges, its height is log-normal with spread ς, and the norm
//! log-normal around a given one. In coordinates z with
//!
//! ```text
//! μ, σ = low + (high − low) s(z),  s(z) = 1/(1 + e^{−z})       −ln p(z) = −ln s(1 − s)
//! h = e^{ςz}, norm likewise                                    −ln p(z) = ½ z² + ½ ln 2π
//! ```
//!
//! every z is allowed and the prior is smooth; directions that the data say nothing about stay where the
//! prior has its maximum. With b_j = Σ_i h_i Δω_j exp(−(ω_j − μ_i)²/2σ_i²) the weights are a = norm · b/Σb:
//! the sum rule holds exactly, and of heights only ratios matter.

use crate::grid::FrequencyGrid;
use crate::linalg::exp;
use crate::synthetic::GaussianMixture;

/// Beyond it a coordinate makes no difference.
const LIMIT: f64 = 12.0;

/// A range with its two ends.
type Range = (f64, f64);

/// The map from coordinates to spectral weights on a grid.
#[derive(Debug, Clone)]
pub(super) struct Mixture {
    points: Vec<f64>,
    cells: Vec<f64>,
    /// Centre and width of an ordinary peak.
    peak: [Range; 2],
    /// Of the one peak that is always there.
    first: Option<[Range; 2]>,
    floor: f64,
    /// ς of the heights; 0: all the same.
    height_spread: f64,
    /// ς of the norm; 0: exactly the norm given.
    norm_spread: f64,
}

/// A peak in physical terms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) centre: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// ∂centre/∂z and ∂width/∂z.
    slope: [f64; 2],
}

/// Weights of a mixture, and their derivatives.
#[derive(Debug, Clone, Default)]
pub(super) struct Evaluation {
    /// a.
    pub(super) weights: Vec<f64>,
    /// ∂a/∂z, a row for every coordinate.
    pub(super) jacobian: Vec<f64>,
    /// Norm of a.
    pub(super) norm: f64,
    shapes: Vec<Shape>,
    /// h_i Δω_j exp(…), a row for every peak; before, exponents.
    profiles: Vec<f64>,
    exponents: Vec<f64>,
    scales: Vec<f64>,
    /// Norm over Σ b.
    factor: f64,
}

impl Mixture {
    pub(super) fn new(
        grid: &FrequencyGrid<f64>,
        mixture: &GaussianMixture,
        height_spread: f64,
        norm_spread: f64,
    ) -> Self {
        Mixture {
            points: grid.points().to_vec(),
            cells: grid.weights().to_vec(),
            peak: [mixture.peak.centre, mixture.peak.width],
            first: mixture.quasiparticle.map(|range| [range.centre, range.width]),
            floor: mixture.width_floor,
            height_spread,
            norm_spread,
        }
    }

    /// Points of the grid.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    pub(super) fn points(&self) -> &[f64] {
        &self.points
    }

    /// The largest width of an ordinary peak.
    pub(super) fn width_range(&self) -> f64 {
        self.peak[1].1
    }

    /// Whether one peak is always there.
    pub(super) fn has_first(&self) -> bool {
        self.first.is_some()
    }

    /// Coordinates that belong to no peak.
    pub(super) fn global(&self) -> usize {
        usize::from(self.norm_spread > 0.0)
    }

    /// Coordinates of a peak.
    pub(super) fn per_peak(&self) -> usize {
        2 + usize::from(self.height_spread > 0.0)
    }

    /// Coordinates of a mixture of no ordinary peak.
    pub(super) fn least(&self) -> Vec<f64> {
        vec![0.0; self.global() + if self.has_first() { self.per_peak() } else { 0 }]
    }

    /// Coordinates of an ordinary peak, those out of range moved into it.
    pub(super) fn place(&self, centre: f64, width: f64, height: f64) -> impl Iterator<Item = f64> {
        let logit = |x: f64, (low, high): Range| {
            let s = ((x - low) / (high - low)).clamp(1e-3, 1.0 - 1e-3);
            if s.is_nan() { 0.0 } else { (s / (1.0 - s)).ln() }
        };
        let [centres, widths] = self.peak;
        let free = self.height_spread > 0.0;
        let height = free.then(|| height.max(1e-12).ln() / self.height_spread);
        [logit(centre, centres), logit(width, widths)].into_iter().chain(height)
    }

    /// The peaks of coordinates `z`.
    pub(super) fn shapes<'a>(&'a self, z: &'a [f64]) -> impl Iterator<Item = Shape> + 'a {
        z[self.global()..].chunks_exact(self.per_peak()).enumerate().map(|(i, z)| {
            let [centres, widths] = self.first.filter(|_| i == 0).unwrap_or(self.peak);
            let value = |z: f64, (low, high): Range| {
                let s = logistic(z);
                (low + (high - low) * s, (high - low) * s * (1.0 - s))
            };
            let (centre, d_centre) = value(z[0], centres);
            let (width, d_width) = value(z[1], widths);
            let height = z.get(2).map_or(1.0, |z| (self.height_spread * z).exp());
            let slope = [d_centre, if width > self.floor { d_width } else { 0.0 }];
            Shape { centre, width: width.max(self.floor), height, slope }
        })
    }

    /// Σ_j Δω_j exp(−(ω_j − μ)²/2σ²) of one peak.
    pub(super) fn sum(&self, shape: Shape) -> f64 {
        let cells = self.points.iter().zip(&self.cells);
        let values = cells.map(|(w, cell)| {
            let u = (w - shape.centre) / shape.width;
            cell * (-0.5 * u * u).exp()
        });
        values.sum()
    }

    /// Writes the weights of a mixture of norm `norm` around.
    pub(super) fn weights(&self, z: &[f64], norm: f64, out: &mut Evaluation) {
        let n = self.len();
        out.shapes.clear();
        out.shapes.extend(self.shapes(z));
        let size = out.shapes.len() * n;
        out.exponents.clear();
        out.scales.clear();
        for shape in &out.shapes {
            let inverse = shape.width.recip();
            out.exponents.extend(self.points.iter().map(|&w| {
                let u = (w - shape.centre) * inverse;
                -0.5 * u * u
            }));
            out.scales.extend(self.cells.iter().map(|&cell| shape.height * cell));
        }
        out.profiles.resize(size, 0.0);
        exp(&out.exponents, &out.scales, &mut out.profiles);
        out.weights.clear();
        out.weights.resize(n, 0.0);
        for profile in out.profiles.chunks_exact(n) {
            out.weights.iter_mut().zip(profile).for_each(|(a, &p)| *a += p);
        }
        let total: f64 = out.weights.iter().sum();
        out.norm = norm * if self.global() > 0 { (self.norm_spread * z[0]).exp() } else { 1.0 };
        // No peak at all, or each between two points.
        out.factor = if total > 0.0 { out.norm / total } else { 0.0 };
        out.weights.iter_mut().for_each(|a| *a *= out.factor);
    }

    /// ∂a/∂z at the coordinates of the last [`weights`](Self::weights).
    pub(super) fn jacobian(&self, out: &mut Evaluation) {
        let (n, per) = (self.len(), self.per_peak());
        out.jacobian.clear();
        if self.global() > 0 {
            out.jacobian.extend(out.weights.iter().map(|a| self.norm_spread * a));
        }
        for (shape, profile) in out.shapes.iter().zip(out.profiles.chunks_exact(n)) {
            let inverse = shape.width.recip();
            let [d_centre, d_width] = shape.slope;
            for k in 0..per {
                let start = out.jacobian.len();
                out.jacobian.extend(self.points.iter().zip(profile).map(|(&w, &p)| {
                    let u = (w - shape.centre) * inverse;
                    match k {
                        0 => p * u * inverse * d_centre,
                        1 => p * u * u * inverse * d_width,
                        _ => p * self.height_spread,
                    }
                }));
                // Of norm b/Σb.
                let row = &mut out.jacobian[start..];
                let share = row.iter().sum::<f64>() / out.norm;
                for (d, &a) in row.iter_mut().zip(&out.weights) {
                    *d = out.factor * (*d - a * share);
                }
            }
        }
    }

    /// −ln p of coordinate `i` at z, its derivative and second derivative.
    pub(super) fn prior(&self, i: usize, z: f64) -> [f64; 3] {
        let normal = i < self.global() || (i - self.global()) % self.per_peak() == 2;
        if normal {
            return [0.5 * (z * z + core::f64::consts::TAU.ln()), z, 1.0];
        }
        let s = logistic(z);
        // −ln s(1 − s) = |z| + 2 ln(1 + e^{−|z|}).
        [z.abs() + 2.0 * (-z.abs()).exp().ln_1p(), 2.0 * s - 1.0, 2.0 * s * (1.0 - s)]
    }

    /// Moves a coordinate back to where it makes a difference.
    pub(super) fn clamp(z: f64) -> f64 {
        z.clamp(-LIMIT, LIMIT)
    }
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
