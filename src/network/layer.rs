//! The one layer, x ↦ prox_θ(W_t x + W_e g): a step of ISTA, or a layer of LISTA.
//!
//! Source: \[LO\] II.B–D. With W_e = tKᵀ, W_t = I − tKᵀK and θ = tλ it is the proximal gradient step of
//! ½‖g − Kx‖² + λf(x); with weights of its own it is a layer of a learned network. Bound to data it is a
//! fixed-point map, so that ISTA is that map iterated and [`Unrolled`](super::Unrolled) is the same map
//! unrolled; the relaxed map is [`Relaxed`](crate::Relaxed) around it.

use super::activation::{Activation, check_separable};
use crate::error::{Error, Result, check_all_nonnegative, check_len};
use crate::fixed_point::FixedPointMap;
use crate::linalg::{MatMut, MatRef, gemm};
use crate::prox::{Prox, check_dimension};
use crate::real::Real;
use nalgebra::DMatrix;

/// A view of a layer's weights: W_t (n × n), W_e (n × m), threshold θ (one, or one a component), and the unit
/// proximal operator whose parameter γ is θ. Weights are row-major.
#[derive(Debug)]
pub struct Layer<'a, T: Real, P> {
    w_t: &'a [T],
    w_e: &'a [T],
    width: usize,
    input: usize,
    thresholds: &'a [T],
    prox: &'a P,
}

impl<'a, T: Real, P: Prox<T>> Layer<'a, T, P> {
    /// From row-major weights `w_t` (n × n) and `w_e` (n × m), `thresholds` θ ≥ 0 (one for all components or n)
    /// and operator.
    ///
    /// # Errors
    /// `w_t` no square, `w_e` no multiple of its side, neither one threshold nor n, one that is negative or not
    /// finite, or many for an operator that is not separable; an operator of vectors of another length than n.
    pub fn new(w_t: &'a [T], w_e: &'a [T], thresholds: &'a [T], prox: &'a P) -> Result<Self> {
        let width = w_t.len().isqrt();
        check_len("w_t", w_t.len(), width * width, "a square matrix")?;
        if width == 0 || w_e.is_empty() {
            return Err(Error::Empty { argument: "w_e", expected: 1 });
        }
        let input = w_e.len() / width;
        check_len("w_e", w_e.len(), width * input, "a multiple of the side of `w_t`")?;
        if thresholds.len() != 1 {
            check_len("thresholds", thresholds.len(), width, "the layer's components")?;
            check_separable(prox)?;
        }
        check_all_nonnegative("thresholds", thresholds)?;
        check_dimension(prox, width, "the layer's components")?;
        Ok(Layer { w_t, w_e, width, input, thresholds, prox })
    }

    /// θ: one for all components, or one a component.
    pub fn thresholds(&self) -> &'a [T] {
        self.thresholds
    }

    /// W_t, n × n.
    pub fn w_t(&self) -> DMatrix<T> {
        DMatrix::from_row_slice(self.width, self.width, self.w_t)
    }

    /// W_e, n × m.
    pub fn w_e(&self) -> DMatrix<T> {
        DMatrix::from_row_slice(self.width, self.input, self.w_e)
    }

    /// The map x ↦ prox_θ(W_t x + W_e g); W_e g is computed here, once.
    ///
    /// # Errors
    /// `g` of another length than W_e has columns.
    pub fn bind(&self, g: &[T]) -> Result<BoundLayer<'a, T, P>> {
        check_len("g", g.len(), self.input, "the layer's data")?;
        let mut drive = vec![T::zero(); self.width];
        affine(&mut drive, self.w_e, self.input, g, 1, false);
        let z = vec![T::zero(); self.width];
        Ok(BoundLayer { w_t: self.w_t, thresholds: self.thresholds, prox: self.prox, drive, z })
    }
}

/// A layer bound to data: the fixed-point map x ↦ prox_θ(W_t x + W_e g).
#[derive(Debug)]
pub struct BoundLayer<'a, T: Real, P> {
    w_t: &'a [T],
    thresholds: &'a [T],
    prox: &'a P,
    /// W_e g.
    drive: Vec<T>,
    /// W_t x + W_e g.
    z: Vec<T>,
}

impl<T: Real, P: Prox<T>> FixedPointMap<T> for BoundLayer<'_, T, P> {
    fn dim(&self) -> usize {
        self.drive.len()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        self.z.copy_from_slice(&self.drive);
        affine(&mut self.z, self.w_t, x.len(), x, 1, true);
        let BoundLayer { prox, thresholds, .. } = self;
        Activation { prox, thresholds, columns: &mut [] }.apply(&self.z, 1, out);
    }
}

/// Z = W X, or Z += W X, for a row-major W with `columns` columns and panels of `batch` samples.
pub(super) fn affine<T: Real>(
    z: &mut [T],
    w: &[T],
    columns: usize,
    x: &[T],
    batch: usize,
    accumulate: bool,
) {
    let rows = w.len() / columns;
    gemm(
        MatMut::row_major(z, rows, batch),
        MatRef::row_major(w, rows, columns),
        MatRef::row_major(x, columns, batch),
        accumulate,
    );
}
