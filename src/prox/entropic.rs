//! The entropy relative to a default model as a proximal operator: the activation of maximum entropy.

use super::{Conjugate, Prox, check_lengths};
use crate::error::{Result, check_all_positive};
use crate::real::Real;

/// f(x) = Σ [x_i ln(x_i/d_i) − x_i + d_i], x ≥ 0 (Kullback–Leibler divergence from a default model d);
/// prox_{γf}(z) = γ W((d/γ) e^{z/γ}) > 0, W Lambert's function.
///
/// The result solves x + γ ln(x/d) = z. With w = x/γ it is w + ln w = t, t = ln(d/γ) + z/γ, which is solved
/// for w as such: e^t, which overflows, is formed only for t < 0. x is relatively as accurate as e^t for
/// t < 0, (|t| + 10)ε, and to a few ε above; below the smallest positive number it is zero. γ = 0 gives
/// max(z, 0). Derivatives: ∂/∂z = x/(x + γ), ∂/∂γ = −ln(x/d) x/(x + γ). Convex; f*(y) = Σ d_i (e^{y_i} − 1).
///
/// With it proximal gradients are maximum entropy to first order: the optimum of
/// [`MaxEnt`](crate::MaxEnt) at a fixed α, with the same duality gap as certificate, in thousands of steps
/// instead of tens; unrolled it is a network with an activation of its own, trained in α.
///
/// ```
/// use fredholm::{DataView, Entropic, FermionTime, FixedAlpha, FrequencyGrid, MaxEnt, Measurement};
/// use fredholm::{Problem, ProximalGradient, Solver};
/// let tau: Vec<f64> = (0..=20).map(|i| 0.2 * f64::from(i)).collect();
/// let g: Vec<f64> = tau.iter().map(|t| (-t).exp() / (1.0 + (-4.0_f64).exp())).collect();
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-2)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 41)?;
/// let problem = Problem::new(&FermionTime::new(4.0)?, &data, &grid)?;
///
/// let flat: Vec<f64> = grid.weights().iter().map(|w| w / 8.0).collect();
/// let first_order = ProximalGradient::fista(10.0)
///     .prox(Entropic::new(flat)?)
///     .view(DataView::Whitened)
///     .tolerance(1e-11)
///     .solve(&problem)?;
/// let newton = MaxEnt::default().alpha(FixedAlpha(10.0)).solve(&problem)?;
/// let (a, b) = (first_order.spectrum().weights(), newton.spectrum().weights());
/// assert!(a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>() < 1e-6);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Entropic<T = f64> {
    default: Vec<T>,
}

impl<T: Real> Entropic<T> {
    /// Relative to the weights d of a default model, one a component.
    ///
    /// # Errors
    /// A weight that is not finite or not positive.
    pub fn new(default: Vec<T>) -> Result<Self> {
        check_all_positive("default", &default)?;
        Ok(Entropic { default })
    }

    /// d.
    pub fn default_weights(&self) -> &[T] {
        &self.default
    }
}

/// The w > 0 with w + ln w = t: Wright's ω. 0 where it underflows.
fn wright_omega<T: Real>(t: T) -> T {
    let one = T::one();
    let mut w = if t < T::lit(-2.0) {
        let w = t.exp();
        if w <= T::EPSILON * T::EPSILON {
            return w;
        }
        w
    } else if t < T::lit(4.0) {
        // Expansion about ω(1) = 1.
        let s = t - one;
        let w = one + s * (T::lit(0.5) + s * (T::lit(1.0 / 16.0) - s * T::lit(1.0 / 192.0)));
        if w < T::lit(0.05) { T::lit(0.05) } else { w }
    } else {
        let log = t.ln();
        t - log + log / t
    };
    // At the upper end this is as good as it gets, and squares may overflow; NaN stays NaN.
    if !w.is_finite() || t * T::EPSILON > one {
        return w;
    }
    // Fritsch, Shafer and Crowley, Commun. ACM 16, 123 (1973): of fourth order.
    for _ in 0..3 {
        let residual = (t - w) - w.ln();
        let (above, two_thirds) = (one + w, T::lit(2.0 / 3.0));
        let q = above * (above + two_thirds * residual);
        w *= one + residual / above * (q - T::lit(0.5) * residual) / (q - residual);
    }
    w
}

/// x ln(x/d) − x + d.
fn divergence<T: Real>(x: T, d: T) -> T {
    if x > T::zero() {
        x * (x / d).ln() - x + d
    } else if x == T::zero() {
        d
    } else {
        T::INFINITY
    }
}

/// x and ln(x/d).
fn solve<T: Real>(z: T, default: T, gamma: T) -> (T, T) {
    if gamma <= T::zero() {
        return (if z <= T::zero() { T::zero() } else { z }, T::zero());
    }
    let t = (default.ln() - gamma.ln()) + z / gamma;
    if t == T::INFINITY {
        return (z, (z / default).ln());
    }
    let w = wright_omega(t);
    let x = gamma * w;
    // ln(x/d) = ln w − ln(d/γ); where x has underflown, z/γ.
    let log = if x > T::zero() { (x / default).ln() } else { z / gamma };
    (x, log)
}

impl<T: Real> Prox<T> for Entropic<T> {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.default.len()]);
        x.iter().zip(&self.default).map(|(&x, &d)| divergence(x, d)).sum()
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.default.len()]);
        let mut total = T::zero();
        for ((&z, &d), out) in z.iter().zip(&self.default).zip(out) {
            *out = solve(z, d, gamma).0;
            total += divergence(*out, d);
        }
        total
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len(), self.default.len()]);
        let mut total = T::zero();
        for (((&z, &d), &u), grad) in z.iter().zip(&self.default).zip(upstream).zip(grad) {
            let (x, log) = solve(z, d, gamma);
            let slope = if x > T::zero() { x / (x + gamma) } else { T::zero() * x };
            *grad = u * slope;
            // x ln(x/d) → 0 with x: no product of zero and an infinity.
            total -= if slope > T::zero() { u * slope * log } else { T::zero() };
        }
        total
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.default.len())
    }

    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        check_lengths(y.len(), &[self.default.len()]);
        let value = y.iter().zip(&self.default).map(|(&y, &d)| d * y.exp_m1()).sum();
        Some(Conjugate { scale: T::one(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn default_is_checked() {
        assert!(Entropic::new(vec![1.0, 0.0]).is_err() && Entropic::new(vec![f64::NAN]).is_err());
    }

    #[test]
    fn both_ends() {
        let op = Entropic::new(vec![0.5, 0.5, 0.5, 0.5]).unwrap();
        let mut x = [7.0_f64; 4];
        // Far above: x ≈ z − γ ln(z/d); far below: x = d e^{z/γ}, to underflow.
        op.prox_into(&[1e9, 1e300, -20.0, -1e300], 1e-2, &mut x);
        assert!((x[0] / (1e9 - 1e-2 * 2e9_f64.ln()) - 1.0).abs() < 1e-15);
        assert!((x[1] / 1e300 - 1.0).abs() < 1e-12, "{x:?}");
        assert_eq!((x[2], x[3]), (0.0, 0.0));
        op.prox_into(&[-7.0, -0.1, 1e-3, 0.0], 1e-2, &mut x);
        assert!((x[0] / (0.5 * (-700.0_f64).exp()) - 1.0).abs() < 1e-12);
        op.prox_into(&[1.0, -1.0, 0.0, 2.0], 0.0, &mut x);
        assert_eq!(x, [1.0, 0.0, 0.0, 2.0]);
        op.prox_into(&[1.0, -1.0, 0.0, 2.0], 1e-310, &mut x);
        assert!((x[0] - 1.0).abs() < 1e-15 && x[1] == 0.0);
    }

    proptest! {
        #[test]
        fn omega_solves_its_equation(t in prop_oneof![-700.0..-2.0, -5.0..6.0, 4.0..1e6]) {
            let w: f64 = wright_omega(t);
            // Relative error of w: the residual over 1 + w, beside the rounding of t and ln w.
            let residual = (t - w) - w.ln();
            let rounding = 4.0 * f64::EPSILON * (1.0 + t.abs());
            prop_assert!(w > 0.0 && residual.abs() <= rounding, "{t}: {w}, {residual}");
            let single: f32 = wright_omega(t as f32);
            if t > -80.0 {
                let exact: f64 = wright_omega(f64::from(t as f32));
                let allowed = f64::from(f32::EPSILON) * (4.0 + 2.0 * t.min(0.0).abs());
                prop_assert!((f64::from(single) / exact - 1.0).abs() <= allowed, "{t}: {single}");
            }
        }

        #[test]
        fn derivatives_are_those_of_the_equation(z in -30.0..1e3, gamma in 1e-3..10.0, d in 1e-6..10.0) {
            let op = Entropic::new(vec![d]).unwrap();
            let (mut x, mut by_z) = ([0.0_f64], [0.0]);
            op.prox_into(&[z], gamma, &mut x);
            let by_gamma = op.prox_vjp(&[z], gamma, &[1.0], &mut by_z);
            if x[0] > 1e-300 {
                let log = (x[0] / d).ln();
                prop_assert!((x[0] + gamma * log - z).abs() < 1e-12 * (1.0 + z.abs()));
                // d(x + γ ln(x/d)) = dz.
                prop_assert!((by_z[0] * (1.0 + gamma / x[0]) - 1.0).abs() < 1e-12);
                prop_assert!((by_gamma * (1.0 + gamma / x[0]) + log).abs() < 1e-11 * (1.0 + log.abs()));
            }
        }
    }
}
