//! The density of largest entropy with given moments.

use crate::error::{Error, Result, check_finite, check_not_empty};
use crate::grid::FrequencyGrid;
use crate::linalg::{Cholesky, add_product_t, dot, product, sum};
use crate::real::Real;

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
    let count = moments.len();
    let scaled = |w: f64, k: usize| (w / reach).powi(k as i32 + 1);
    // t_jk − m_k, row by row.
    let t: Vec<f64> = (grid.points().iter())
        .flat_map(|w| {
            (0..count)
                .map(|k| scaled(w.as_f64(), k) - moments[k].as_f64() / reach.powi(k as i32 + 1))
        })
        .collect();
    // Densities over their largest value, the weights of the points, and the function to minimise.
    let at = |lambda: &[f64]| {
        let mut p = vec![0.0; grid.len()];
        product(&t, lambda, &mut p);
        let top = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        p.iter_mut().for_each(|e| *e = (*e - top).exp());
        let mut q: Vec<f64> = p.iter().zip(grid.weights()).map(|(p, w)| p * w.as_f64()).collect();
        let total = sum(&q);
        q.iter_mut().for_each(|q| *q /= total);
        (p, q, top + total.ln())
    };
    let mut hessian = Cholesky::new(count);
    let mut spread = vec![0.0; grid.len() * hessian.stride()];
    let mut lambda = vec![0.0; count];
    let (mut p, mut q, mut value) = at(&lambda);
    for _ in 0..ITERATIONS {
        let mut gradient = vec![0.0; count];
        add_product_t(&t, &q, &mut gradient);
        if gradient.iter().all(|g| g.abs() <= TOLERANCE) {
            return Ok(p.iter().map(|&p| T::lit(p)).collect());
        }
        let rows = spread.chunks_exact_mut(hessian.stride()).zip(t.chunks_exact(count)).zip(&q);
        for ((row, t), q) in rows {
            for k in 0..count {
                row[k] = q.sqrt() * (t[k] - gradient[k]);
            }
        }
        hessian.set_gram(count, 0.0, &spread);
        if hessian.factor().is_none() {
            break;
        }
        let mut step = gradient.clone();
        hessian.solve(&mut step);
        let mut size = 1.0;
        let slope = dot(&gradient, &step);
        loop {
            let next: Vec<f64> = lambda.iter().zip(&step).map(|(l, s)| l - size * s).collect();
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
