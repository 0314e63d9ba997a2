//! The Moreau envelope: a smooth function with the minimisers of a convex one.

use crate::error::{Error, Result, check_positive};
use crate::prox::{Conjugate, Prox, check_lengths};
use crate::real::Real;
use crate::scratch::with_scratch;

/// M(x) = min_y f(y) + ‖x − y‖²/(2μ) of a convex f; ∇M(x) = (x − prox_{μf}(x))/μ;
/// prox_{γM}(z) = z + γ/(γ + μ) (prox_{(γ+μ)f}(z) − z); M* = f* + (μ/2)‖·‖².
/// (Parikh and Boyd, section 3.1; Combettes and Pesquet, table 10.1 vi.)
///
/// ```
/// use fredholm::{Huber, MoreauEnvelope, Prox, SoftThreshold};
/// // The envelope of the ℓ¹ norm is Huber's function.
/// let envelope = MoreauEnvelope::new(SoftThreshold, 0.5)?;
/// let x = [0.2_f64, -3.0];
/// assert!((envelope.value(&x) - Huber::new(0.5)?.value(&x)).abs() < 1e-15);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MoreauEnvelope<P, T = f64> {
    f: P,
    mu: T,
}

impl<P: Prox<T>, T: Real> MoreauEnvelope<P, T> {
    /// The envelope of `f` with parameter μ.
    ///
    /// # Errors
    /// `mu` not finite or not positive; `f` not convex.
    pub fn new(f: P, mu: T) -> Result<Self> {
        check_positive("mu", mu)?;
        if !f.is_convex() {
            let expected = "a convex function";
            return Err(Error::Unsupported { argument: "f", value: "not convex", expected });
        }
        Ok(MoreauEnvelope { f, mu })
    }

    /// Writes ∇M(x) and returns M(x).
    ///
    /// # Panics
    /// If `out` has another length than `x`.
    pub fn gradient_into(&self, x: &[T], out: &mut [T]) -> T {
        check_lengths(x.len(), &[out.len()]);
        let value = self.f.prox_into(x, self.mu, out);
        let mut square = T::zero();
        for (out, &x) in out.iter_mut().zip(x) {
            let d = x - *out;
            square += d * d;
            *out = d / self.mu;
        }
        value + T::lit(0.5) * square / self.mu
    }
}

impl<P: Prox<T>, T: Real> Prox<T> for MoreauEnvelope<P, T> {
    fn value(&self, x: &[T]) -> T {
        with_scratch(x.len(), |gradient: &mut [T]| self.gradient_into(x, gradient))
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let both = gamma + self.mu;
        let value = self.f.prox_into(z, both, out);
        let mut square = T::zero();
        for (out, &z) in out.iter_mut().zip(z) {
            let d = (*out - z) / both;
            square += d * d;
            *out = z + gamma * d;
        }
        value + T::lit(0.5) * self.mu * square
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        let both = gamma + self.mu;
        let t = gamma / both;
        with_scratch(z.len(), |p: &mut [T]| {
            self.f.prox_into(z, both, p);
            let by_gamma = self.f.prox_vjp(z, both, upstream, grad);
            let mut moved = T::zero();
            for i in 0..z.len() {
                moved += upstream[i] * (p[i] - z[i]);
                grad[i] = upstream[i] + t * (grad[i] - upstream[i]);
            }
            moved * self.mu / (both * both) + t * by_gamma
        })
    }

    fn dimension(&self) -> Option<usize> {
        self.f.dimension()
    }

    fn is_separable(&self) -> bool {
        self.f.is_separable()
    }

    /// 1/μ, or L/(1 + μL) for an f that is smooth itself.
    fn gradient_lipschitz(&self) -> Option<T> {
        let smooth = self.f.gradient_lipschitz().map(|l| l / (T::one() + self.mu * l));
        Some(smooth.unwrap_or(T::one() / self.mu))
    }

    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        let Conjugate { scale, value } = self.f.conjugate(y)?;
        let square: T = y.iter().map(|&y| (scale * y) * (scale * y)).sum();
        Some(Conjugate { scale, value: value + T::lit(0.5) * self.mu * square })
    }
}
