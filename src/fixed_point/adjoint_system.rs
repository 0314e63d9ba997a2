//! The linear system behind an implicit derivative, w = v + Jᵀw with J = ∂T/∂x at the fixed point.

use super::{DifferentiableMap, FixedPointMap};
use crate::linalg::dot;
use crate::real::Real;

/// The map w ↦ v + Jᵀw. It contracts where T does.
pub(super) struct AdjointMap<'a, M, T> {
    pub(super) map: &'a mut M,
    /// v.
    pub(super) upstream: &'a [T],
}

impl<M: DifferentiableMap<T>, T: Real> FixedPointMap<T> for AdjointMap<'_, M, T> {
    fn dim(&self) -> usize {
        self.upstream.len()
    }

    fn step(&mut self, w: &[T], out: &mut [T]) {
        self.map.vjp_point(w, out);
        for (out, &v) in out.iter_mut().zip(self.upstream) {
            *out += v;
        }
    }
}

/// Conjugate gradients for (I − Jᵀ) w = v in the metric D of the map, in which I − Jᵀ is symmetric.
///
/// Where D is singular w is determined up to what D annihilates, which does not matter: v + Jᵀw does not
/// see it, as Jᵀ = A D. The residual is ‖v − (I − Jᵀ)w‖ in the metric, by its recurrence.
pub(super) struct MetricGradients<'a, M, T> {
    map: &'a mut M,
    upstream: &'a [T],
    /// r = v − (I − Jᵀ)w, and D r.
    rest: Vec<T>,
    metric_rest: Vec<T>,
    /// p, (I − Jᵀ)p, and D times that.
    direction: Vec<T>,
    image: Vec<T>,
    metric_image: Vec<T>,
    /// r·D r; `None` before the first step.
    square: Option<T>,
}

impl<'a, M: DifferentiableMap<T>, T: Real> MetricGradients<'a, M, T> {
    pub(super) fn new(map: &'a mut M, upstream: &'a [T]) -> Self {
        let zeros = || vec![T::zero(); upstream.len()];
        MetricGradients {
            map,
            upstream,
            rest: zeros(),
            metric_rest: zeros(),
            direction: zeros(),
            image: zeros(),
            metric_image: zeros(),
            square: None,
        }
    }

    /// The first residual.
    fn start(&mut self, w: &[T]) -> T {
        self.map.vjp_point(w, &mut self.rest);
        for ((r, &w), &v) in self.rest.iter_mut().zip(w).zip(self.upstream) {
            *r += v - w;
        }
        self.map.metric(&self.rest, &mut self.metric_rest);
        self.direction.copy_from_slice(&self.rest);
        dot(&self.rest, &self.metric_rest)
    }
}

impl<M: DifferentiableMap<T>, T: Real> FixedPointMap<T> for MetricGradients<'_, M, T> {
    fn dim(&self) -> usize {
        self.upstream.len()
    }

    fn step(&mut self, w: &[T], out: &mut [T]) {
        let square = match self.square {
            Some(square) => square,
            None => self.start(w),
        };
        self.map.vjp_point(&self.direction, &mut self.image);
        for (image, &p) in self.image.iter_mut().zip(&self.direction) {
            *image = p - *image;
        }
        self.map.metric(&self.image, &mut self.metric_image);
        let curvature = dot(&self.direction, &self.metric_image);
        let positive = square > T::zero() && curvature > T::zero();
        let length = if positive { square / curvature } else { T::zero() };
        for i in 0..w.len() {
            out[i] = w[i] + length * self.direction[i];
            self.rest[i] -= length * self.image[i];
            self.metric_rest[i] -= length * self.metric_image[i];
        }
        let next = dot(&self.rest, &self.metric_rest).max(T::zero());
        let beta = if square > T::zero() { next / square } else { T::zero() };
        for (p, &r) in self.direction.iter_mut().zip(&self.rest) {
            *p = r + beta * *p;
        }
        self.square = Some(next);
    }

    fn residual(&self, _w: &[T], _out: &[T]) -> T {
        self.square.map_or(T::INFINITY, |square| square.sqrt())
    }
}
