//! The density of largest entropy with given moments.

use crate::error::{Error, Result, check_finite, check_not_empty};
use crate::grid::FrequencyGrid;
use crate::real::Real;
use nalgebra::{DMatrix, DVector};

/// Newton steps; a dozen are enough wherever the moments exist.
const ITERATIONS: usize = 200;
/// Moments are met to this, in units of the grid's reach.
const TOLERANCE: f64 = 1e-12;

/// p(ω_j) ∝ e^{Σ_k λ_k ω_j^k}, k = 1, 2, …, with Σ_j p_j ω_j^k Δω_j/Σ_j p_jΔω_j = `moments`\[k − 1\]: Newton's method for
/// the convex ln Σ_j Δω_j e^{λ·(t_j − m)} (Mead and Papanicolaou, J. Math. Phys. 25, 2404 (1984)).
///
/// # Errors
/// No moments, more than the grid has points to tell, or not finite; moments that no positive density on this
/// grid has.
pub(super) fn density_of_moments<T: Real>(
    grid: &FrequencyGrid<T>,
    moments: &[T],
) -> Result<Vec<T>> {
    check_not_empty("moments", moments.len(), 1)?;
    check_finite("moments", moments)?;
    let reach = grid.min().as_f64().abs().max(grid.max().as_f64().abs());
    let (n, count) = (grid.len(), moments.len());
    let scaled = |w: f64, k: usize| (w / reach).powi(k as i32 + 1);
    // t_jk − m_k.
    let t = DMatrix::from_fn(n, count, |j, k| {
        scaled(grid.points()[j].as_f64(), k) - moments[k].as_f64() / reach.powi(k as i32 + 1)
    });
    // Densities over their largest value, the weights of the points, and the function to minimise.
    let at = |lambda: &DVector<f64>| {
        let exponents = &t * lambda;
        let top = exponents.max();
        let p = exponents.map(|e| (e - top).exp());
        let weights = DVector::from_fn(n, |j, _| p[j] * grid.weights()[j].as_f64());
        let total = weights.sum();
        (p, weights / total, top + total.ln())
    };
    let mut lambda = DVector::zeros(count);
    let (mut p, mut q, mut value) = at(&lambda);
    for _ in 0..ITERATIONS {
        let gradient = t.transpose() * &q;
        if gradient.amax() <= TOLERANCE {
            return Ok(p.iter().map(|&p| T::lit(p)).collect());
        }
        let spread = DMatrix::from_fn(n, count, |j, k| q[j].sqrt() * (t[(j, k)] - gradient[k]));
        let Some(factor) = (spread.transpose() * spread).cholesky() else { break };
        let step = factor.solve(&gradient);
        let mut size = 1.0;
        let slope = gradient.dot(&step);
        loop {
            let next = &lambda - &step * size;
            let (p1, q1, v1) = at(&next);
            if v1 <= value - 1e-4 * size * slope + 1e-15 * value.abs() {
                (lambda, p, q, value) = (next, p1, q1, v1);
                break;
            }
            size *= 0.5;
            if size.is_nan() || size < 1e-10 {
                break;
            }
        }
        if size < 1e-10 {
            break;
        }
    }
    Err(Error::ElementOutOfRange {
        argument: "moments",
        index: count - 1,
        value: moments[count - 1].as_f64(),
        expected: "moments of a positive density on the frequency grid",
    })
}
