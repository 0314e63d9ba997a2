//! Nesterov's momentum around any fixed-point map, with adaptive restart.
//!
//! Source: Beck and Teboulle, *SIAM J. Imaging Sci.* 2, 183 (2009), eqs. 4.1–4.3 (FISTA); gradient
//! restart: O'Donoghue and Candès, *Found. Comput. Math.* 15, 715 (2015).

use super::FixedPointMap;
use crate::linalg::dispatch;
use crate::real::Real;

/// The iteration x_k = T(y_k), y_{k+1} = x_k + ((t_k − 1)/t_{k+1}) (x_k − x_{k−1}),
/// t_{k+1} = ½ + √(¼ + t_k²), t_1 = 1, y_1 = x_0.
///
/// Around a [`ProximalGradientMap`](crate::ProximalGradientMap) with step t ≤ 1/L this is FISTA: objective
/// minus minimum ≤ 2‖x_0 − x*‖²/(t (k+1)²) without restarts. By default the momentum is dropped whenever
/// it points uphill, (y_k − x_k)·(x_k − x_{k−1}) > 0, which restores linear convergence where there is any.
///
/// As a map it has a memory: it expects the `x` of a step to be the `out` of the step before. The
/// residual is that of T at y_k.
#[derive(Debug, Clone)]
pub struct Accelerated<M, T = f64> {
    map: M,
    restarts: bool,
    /// t_{k+1} after step k.
    t: T,
    /// (t_k − 1)/t_{k+1} after step k.
    momentum: T,
    /// x_{k−1}.
    previous: Vec<T>,
    /// y_k.
    extrapolated: Vec<T>,
}

impl<M: FixedPointMap<T>, T: Real> Accelerated<M, T> {
    /// Accelerates `map`.
    pub fn new(map: M) -> Self {
        let zeros = vec![T::zero(); map.dim()];
        Accelerated {
            map,
            restarts: true,
            t: T::one(),
            momentum: T::zero(),
            previous: zeros.clone(),
            extrapolated: zeros,
        }
    }

    /// Keeps the momentum even where it points uphill.
    #[must_use]
    pub fn without_restarts(mut self) -> Self {
        self.restarts = false;
        self
    }

    /// Forgets the momentum: the next step starts afresh, from any point.
    pub fn restart(&mut self) {
        self.t = T::one();
        self.momentum = T::zero();
    }

    /// The map inside.
    pub fn into_inner(self) -> M {
        self.map
    }
}

impl<M: FixedPointMap<T>, T: Real> FixedPointMap<T> for Accelerated<M, T> {
    fn dim(&self) -> usize {
        self.map.dim()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        let (momentum, y, previous) = (self.momentum, &mut self.extrapolated, &mut self.previous);
        dispatch(|| {
            for ((y, &x), previous) in y.iter_mut().zip(x).zip(&mut *previous) {
                *y = x + momentum * (x - *previous);
                *previous = x;
            }
        });
        self.map.step(y, out);
        let pairs = y.iter().zip(&*out).zip(x);
        let uphill: T = pairs.map(|((&y, &out), &x)| (y - out) * (out - x)).sum();
        if self.restarts && uphill > T::zero() {
            self.restart();
        } else {
            let half = T::lit(0.5);
            let next = half + (half * half + self.t * self.t).sqrt();
            self.momentum = (self.t - T::one()) / next;
            self.t = next;
        }
    }

    fn residual(&self, _x: &[T], out: &[T]) -> T {
        self.map.residual(&self.extrapolated, out)
    }
}
