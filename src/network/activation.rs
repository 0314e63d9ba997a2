//! The activation of a layer: a proximal operator applied to panels, with its thresholds.

use crate::error::{Error, Result};
use crate::prox::Prox;
use crate::real::Real;

/// prox_θ over panels, θ one threshold for all components or one a component.
///
/// A separable operator takes the rows that share a threshold as one long vector; any other takes sample by
/// sample, through `columns`.
pub(super) struct Activation<'a, T, P> {
    pub(super) prox: &'a P,
    /// θ.
    pub(super) thresholds: &'a [T],
    /// Room for three samples.
    pub(super) columns: &'a mut [T],
}

impl<T: Real, P: Prox<T>> Activation<'_, T, P> {
    /// Writes prox_θ(z).
    pub(super) fn apply(&mut self, z: &[T], batch: usize, out: &mut [T]) {
        let Activation { prox, thresholds, columns } = self;
        if prox.is_separable() || batch == 1 {
            let part = z.len() / thresholds.len();
            let parts = z.chunks_exact(part).zip(out.chunks_exact_mut(part));
            for ((z, out), &theta) in parts.zip(*thresholds) {
                prox.prox_into(z, theta, out);
            }
            return;
        }
        let n = z.len() / batch;
        let (column, answer) = columns.split_at_mut(n);
        let answer = &mut answer[..n];
        for b in 0..batch {
            take_column(z, batch, b, column);
            prox.prox_into(column, thresholds[0], answer);
            put_column(answer, batch, b, out);
        }
    }

    /// With J = ∂prox_θ/∂z, writes Jᵀδ into `grad` for `upstream` = δ, and adds η δ·∂prox_θ/∂θ, summed over the
    /// samples, to `d_theta`.
    pub(super) fn reverse(
        &mut self,
        (z, batch): (&[T], usize),
        upstream: &[T],
        grad: &mut [T],
        eta: T,
        d_theta: &mut [T],
    ) {
        let Activation { prox, thresholds, columns } = self;
        if prox.is_separable() || batch == 1 {
            let part = z.len() / thresholds.len();
            let parts = z.chunks_exact(part).zip(upstream.chunks_exact(part));
            let parts = parts.zip(grad.chunks_exact_mut(part)).zip(*thresholds);
            for ((((z, up), grad), &theta), d_theta) in parts.zip(d_theta) {
                *d_theta += eta * prox.prox_vjp(z, theta, up, grad);
            }
            return;
        }
        let n = z.len() / batch;
        let (column, rest) = columns.split_at_mut(n);
        let (up, answer) = rest.split_at_mut(n);
        let mut slope = T::zero();
        for b in 0..batch {
            take_column(z, batch, b, column);
            take_column(upstream, batch, b, up);
            slope += prox.prox_vjp(column, thresholds[0], up, answer);
            put_column(answer, batch, b, grad);
        }
        d_theta[0] += eta * slope;
    }
}

/// `Err` unless an operator can have a threshold for each component.
pub(super) fn check_separable<T: Real, P: Prox<T>>(prox: &P) -> Result<()> {
    if prox.is_separable() {
        return Ok(());
    }
    Err(Error::Unsupported {
        argument: "thresholds",
        value: "one a component",
        expected: "an activation that acts on each component alone",
    })
}

fn take_column<T: Real>(panel: &[T], batch: usize, b: usize, column: &mut [T]) {
    for (i, v) in column.iter_mut().enumerate() {
        *v = panel[i * batch + b];
    }
}

fn put_column<T: Real>(column: &[T], batch: usize, b: usize, panel: &mut [T]) {
    for (i, &v) in column.iter().enumerate() {
        panel[i * batch + b] = v;
    }
}
