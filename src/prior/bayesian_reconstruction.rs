//! The entropy of Bayesian reconstruction: it depends on ratios A/D alone and pulls towards the default model
//! on a logarithmic scale, peaks being cheaper and gaps dearer than with Skilling's.
//!
//! φ(h) = −S = D̄ ∫[A/D − 1 − ln(A/D)]dω = Σ m (h/d − 1 − ln(h/d)) with m = D̄ Δω; ∇φ = m/d − m/h,
//! ∇²φ = diag(m/h²), ∇φ*(u) = m/(m/d − u) for u < m/d. Source: Burnier and Rothkopf, Phys. Rev. Lett. 111,
//! 182003 (2013), eq. 4.

use super::{Legendre, Prior};
use crate::error::{Result, check_all_positive, check_len, check_not_empty};
use crate::linalg::SymmetricBand;
use crate::real::Real;

/// Share of the way to the end of the domain of φ* that a step may take.
const SHARE: f64 = 0.9;
/// Halvings that leave nothing of a bracket.
const BISECTIONS: usize = 200;

/// Minus the Bayesian-reconstruction entropy, Σ m (h/d − 1 − ln(h/d)), m_j = D̄ Δω_j.
///
/// The source has m = Δω, which gives α a unit. The factor D̄ = Σd/ΣΔω, the mean of the default model, takes it
/// away: near a flat default model φ is Skilling's entropy to second order, and α means the same with
/// both. The source's α is D̄ times the one here.
#[derive(Debug, Clone, PartialEq)]
pub struct BayesianReconstruction<T = f64> {
    default: Vec<T>,
    measure: Vec<T>,
    /// The least m.
    least: T,
}

impl<T: Real> BayesianReconstruction<T> {
    /// Relative to default weights d_j = D(ω_j) Δω_j, on a grid with weights Δω_j.
    ///
    /// # Errors
    /// Empty, non-finite or non-positive weights; two lengths.
    pub fn new(default_weights: impl Into<Vec<T>>, grid_weights: &[T]) -> Result<Self> {
        let default = default_weights.into();
        check_not_empty("default_weights", default.len(), 1)?;
        check_len("grid_weights", grid_weights.len(), default.len(), "`default_weights`")?;
        check_all_positive("default_weights", &default)?;
        check_all_positive("grid_weights", grid_weights)?;
        let total = |v: &[T]| v.iter().copied().sum::<T>();
        let mean = total(&default) / total(grid_weights);
        let measure: Vec<T> = grid_weights.iter().map(|&w| mean * w).collect();
        check_all_positive("default_weights over grid_weights", &measure)?;
        let least = measure.iter().fold(T::INFINITY, |l, &m| if m < l { m } else { l });
        Ok(BayesianReconstruction { default, measure, least })
    }

    /// (d, m) of every weight.
    fn pairs(&self) -> impl Iterator<Item = (T, T)> {
        self.default.iter().copied().zip(self.measure.iter().copied())
    }
}

/// x − ln(1 + x).
fn log_excess<T: Real>(x: T) -> T {
    if x.abs() >= T::lit(1e-2) {
        return x - x.ln_1p();
    }
    // Σ_{k ≥ 2} (−x)^k/k.
    let series = |sum: T, k: f64| T::one() / T::lit(k) - x * sum;
    let sum = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0].into_iter().fold(T::lit(0.1), series);
    x * x * sum
}

impl<T: Real> Prior<T> for BayesianReconstruction<T> {
    fn dim(&self) -> usize {
        self.default.len()
    }

    fn value(&self, h: &[T]) -> T {
        h.iter().zip(self.pairs()).map(|(&h, (d, m))| m * log_excess((h - d) / d)).sum()
    }

    fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]) {
        for ((o, &h), (d, m)) in out.iter_mut().zip(h).zip(self.pairs()) {
            *o += weight * (m / d) * ((h - d) / h);
        }
    }

    fn add_hessian(&self, h: &[T], weight: T, out: &mut SymmetricBand<T>) {
        for (j, (&h, &m)) in h.iter().zip(&self.measure).enumerate() {
            out.add(j, j, weight * (m / h) / h);
        }
    }

    fn is_convex(&self) -> bool {
        true
    }
}

impl<T: Real> Legendre<T> for BayesianReconstruction<T> {
    /// Beyond the domain, where no h exists, infinite.
    fn conjugate_gradient(&self, u: &[T], h: &mut [T]) {
        for ((h, &u), (d, m)) in h.iter_mut().zip(u).zip(self.pairs()) {
            let x = u * (d / m);
            *h = if x < T::one() { d / (T::one() - x) } else { T::INFINITY };
        }
    }

    /// Σ m (−x − ln(1 − x)) with x = h δ/m.
    fn divergence(&self, h: &[T], delta: &[T]) -> T {
        let term = |((&h, &delta), &m): ((&T, &T), &T)| {
            let x = delta * (h / m);
            if x < T::one() { m * log_excess(-x) } else { T::INFINITY }
        };
        h.iter().zip(delta).zip(&self.measure).map(term).sum()
    }

    fn step_limit(&self, u: &[T], du: &[T]) -> T {
        let mut limit = T::one();
        for ((&u, &du), (d, m)) in u.iter().zip(du).zip(self.pairs()) {
            let room = T::lit(SHARE) * (m / d - u);
            if du > room {
                let t = room / du;
                limit = if t < limit { t } else { limit };
            }
        }
        limit
    }

    /// Σ h²/m.
    fn scale(&self, h: &[T]) -> T {
        h.iter().zip(&self.measure).map(|(&h, &m)| h * (h / m)).sum()
    }

    /// With y = h*/h − 1 the divergence κ is Σ m (ln(1 + y) − y/(1 + y)) ≥ Σ m y²/2(1 + Y)² for every
    /// Y ≥ max(y, 0). Each term obeys it too: |y|/(1 + Y) ≤ c = √(2κ/min m), hence 1 + Y = 1/(1 − c) will do
    /// if c < 1, and Cauchy's inequality gives Σ h|y| ≤ √(2κ Σh²/m)/(1 − c).
    fn distance_bound(&self, scale: T, divergence: T) -> Option<T> {
        let c = (T::lit(2.0) * divergence / self.least).sqrt();
        (c < T::one()).then(|| (T::lit(2.0) * scale * divergence).sqrt() / (T::one() - c))
    }

    /// By Newton's method for 1/Σh, kept within a bracket.
    fn conjugate_gradient_of_sum(&self, u: &[T], sum: T, h: &mut [T]) -> Option<T> {
        // t below this keeps every m/d − u − t positive; the weight that is nearest alone reaches `sum`.
        let (mut end, mut nearest) = (T::INFINITY, T::zero());
        for (&u, (d, m)) in u.iter().zip(self.pairs()) {
            if m / d - u < end {
                (end, nearest) = (m / d - u, m);
            }
        }
        // t = end − gap.
        let total: T = self.measure.iter().copied().sum();
        let (mut low, mut high) = (nearest / sum, total / sum);
        let mut gap = high;
        for _ in 0..BISECTIONS {
            let (mut found, mut slope) = (T::zero(), T::zero());
            for ((h, &u), (d, m)) in h.iter_mut().zip(u).zip(self.pairs()) {
                *h = m / ((m / d - u - end) + gap);
                found += *h;
                slope += *h * (*h / m);
            }
            if (found - sum).abs() <= T::lit(64.0) * T::EPSILON * sum {
                break;
            }
            if found > sum {
                low = gap;
            } else {
                high = gap;
            }
            // 1/found is nearly linear in the gap.
            let newton = gap + found * (found - sum) / (sum * slope);
            let inside = newton > low && newton < high;
            let next = if inside { newton } else { T::lit(0.5) * (low + high) };
            if next == gap {
                break;
            }
            gap = next;
        }
        let factor = sum / h.iter().copied().sum();
        for h in h {
            *h *= factor;
        }
        Some(end - gap)
    }
}
