//! Relaxation of a fixed-point map (Krasnosel'skiĭ 1955, Mann 1953).

use super::{DifferentiableMap, FixedPointMap};
use crate::error::{Error, Result, check_scalar};
use crate::linalg::dispatch;
use crate::real::Real;

/// (1 − η) x + η t, rounded in this order: iterated and unrolled relaxations agree bit for bit.
#[inline(always)]
pub(crate) fn relax<T: Real>(eta: T, x: T, t: T) -> T {
    (T::one() - eta) * x + eta * t
}

/// The map x ↦ (1 − η) x + η T(x), with the fixed points of T.
///
/// Its iteration converges to one of them for any non-expansive T that has some and 0 < η < 1; for a
/// firmly non-expansive T, over-relaxation 1 < η < 2 does so too. \[LO\] relaxes learned layers with η = ½.
/// The residual is that of T at x.
#[derive(Debug, Clone)]
pub struct Relaxed<M, T = f64> {
    map: M,
    eta: T,
    /// T(x).
    image: Vec<T>,
}

impl<M: FixedPointMap<T>, T: Real> Relaxed<M, T> {
    /// Relaxes `map` by `eta`.
    ///
    /// # Errors
    /// `eta` outside (0, 2).
    pub fn new(map: M, eta: T) -> Result<Self> {
        check_scalar("eta", eta)?;
        if eta <= T::zero() || eta >= T::lit(2.0) {
            let expected = "a relaxation in (0, 2)";
            return Err(Error::OutOfRange { argument: "eta", value: eta.as_f64(), expected });
        }
        let image = vec![T::zero(); map.dim()];
        Ok(Relaxed { map, eta, image })
    }

    /// The map inside.
    pub fn into_inner(self) -> M {
        self.map
    }
}

impl<M: FixedPointMap<T>, T: Real> FixedPointMap<T> for Relaxed<M, T> {
    fn dim(&self) -> usize {
        self.map.dim()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        self.map.step(x, &mut self.image);
        let (eta, image) = (self.eta, &self.image);
        dispatch(|| {
            for ((out, &x), &t) in out.iter_mut().zip(x).zip(image) {
                *out = relax(eta, x, t);
            }
        });
    }

    fn residual(&self, x: &[T], _out: &[T]) -> T {
        self.map.residual(x, &self.image)
    }
}

impl<M: DifferentiableMap<T>, T: Real> DifferentiableMap<T> for Relaxed<M, T> {
    fn parameter_count(&self) -> usize {
        self.map.parameter_count()
    }

    fn linearise(&mut self, x: &[T]) {
        self.map.linearise(x);
    }

    fn vjp_point(&mut self, upstream: &[T], out: &mut [T]) {
        self.map.vjp_point(upstream, out);
        for (out, &u) in out.iter_mut().zip(upstream) {
            *out = relax(self.eta, u, *out);
        }
    }

    fn add_vjp_parameters(&mut self, upstream: &[T], out: &mut [T]) {
        for (scaled, &u) in self.image.iter_mut().zip(upstream) {
            *scaled = self.eta * u;
        }
        self.map.add_vjp_parameters(&self.image, out);
    }

    /// That of the map: I − ∂/∂x is η times that of the map.
    fn metric(&mut self, upstream: &[T], out: &mut [T]) -> bool {
        self.map.metric(upstream, out)
    }
}
