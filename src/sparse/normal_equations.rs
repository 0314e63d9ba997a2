//! The normal equations of least squares with a ridge, made once for many data vectors.

use crate::error::{Result, check_finite};
use crate::linalg::{Cholesky, MatMut, MatRef, gemm};
use crate::real::Real;
use crate::solution::Certificate;
use nalgebra::DMatrix;

/// H = KᵀK + ρ and the Cholesky factor of H.
#[derive(Debug, Clone)]
pub(super) struct NormalEquations<'a, T: Real> {
    kernel: &'a DMatrix<T>,
    ridge: T,
    gram: DMatrix<T>,
    /// The diagonal of KᵀK.
    diagonal: Vec<T>,
    cholesky: Cholesky<T>,
    /// Whether H could be factored.
    definite: bool,
}

impl<'a, T: Real> NormalEquations<'a, T> {
    /// # Errors
    /// A kernel so large that its square overflows.
    pub(super) fn new(kernel: &'a DMatrix<T>, ridge: T) -> Result<Self> {
        let (rows, n) = kernel.shape();
        let view = MatRef::column_major(kernel.as_slice(), rows, n);
        let mut gram = DMatrix::zeros(n, n);
        gemm(MatMut::column_major(gram.as_mut_slice(), n, n), view.t(), view, false);
        let diagonal = (0..n).map(|i| gram[(i, i)]).collect();
        for i in 0..n {
            gram[(i, i)] += ridge;
        }
        check_finite("square of the kernel", gram.as_slice())?;
        let mut cholesky = Cholesky::new(n);
        cholesky.set(n, |i, j| gram[(i, j)]);
        let definite = cholesky.factor().is_some();
        Ok(NormalEquations { kernel, ridge, gram, diagonal, cholesky, definite })
    }

    /// Another ρ. The Cholesky factor is left as it is.
    pub(super) fn set_ridge(&mut self, ridge: T) {
        for i in 0..self.gram.nrows() {
            self.gram[(i, i)] = self.diagonal[i] + ridge;
        }
        self.ridge = ridge;
    }

    /// H, n × n.
    pub(super) fn gram(&self) -> &[T] {
        self.gram.as_slice()
    }

    /// Kᵀg for data vectors one after another.
    pub(super) fn right_hand_sides(&self, data: &[T]) -> Vec<T> {
        let (rows, n) = self.kernel.shape();
        let batch = data.len() / rows;
        let mut b = vec![T::zero(); n * batch];
        gemm(
            MatMut::column_major(&mut b, n, batch),
            MatRef::column_major(self.kernel.as_slice(), rows, n).t(),
            MatRef::column_major(data, rows, batch),
            false,
        );
        b
    }

    /// H⁻¹b, or zeros if H cannot be factored.
    pub(super) fn unconstrained(&self, b: &[T], x: &mut [T]) {
        if self.definite {
            x.copy_from_slice(b);
            self.cholesky.solve(x);
        } else {
            x.fill(T::zero());
        }
    }

    /// How far from optimal `weights` are for `data`, from residuals with K itself. With `non_negative` the
    /// multipliers of a ≥ 0 take up the part of the gradient that points outwards.
    pub(super) fn certificates(
        &self,
        data: &[T],
        weights: &[T],
        non_negative: bool,
    ) -> Vec<Certificate<T>> {
        let (rows, n) = self.kernel.shape();
        let batch = data.len() / rows;
        let kernel = MatRef::column_major(self.kernel.as_slice(), rows, n);
        let mut residual: Vec<T> = data.iter().map(|&g| -g).collect();
        gemm(
            MatMut::column_major(&mut residual, rows, batch),
            kernel,
            MatRef::column_major(weights, n, batch),
            true,
        );
        let mut gradient: Vec<T> = weights.iter().map(|&a| self.ridge * a).collect();
        gemm(
            MatMut::column_major(&mut gradient, n, batch),
            kernel.t(),
            MatRef::column_major(&residual, rows, batch),
            true,
        );
        let half = T::lit(0.5);
        let columns = residual.chunks_exact(rows).zip(weights.chunks_exact(n));
        columns
            .zip(gradient.chunks_exact(n))
            .map(|((residual, a), gradient)| {
                let (mut product, mut error, mut square) = (T::zero(), T::zero(), T::zero());
                for (&a, &d) in a.iter().zip(gradient) {
                    // The multiplier s takes a gradient that points outwards, where that costs less.
                    let outwards = if self.ridge == T::zero() {
                        a == T::zero() && d > T::zero()
                    } else {
                        T::lit(2.0) * self.ridge * a < d
                    };
                    let s = if non_negative && outwards { d } else { T::zero() };
                    product += s * a;
                    error += (d - s) * (d - s);
                    square += a * a;
                }
                if self.ridge == T::zero() {
                    return Certificate::Stationarity { residual: error.sqrt() };
                }
                let misfit: T = residual.iter().map(|&r| r * r).sum();
                let objective = half * (misfit + self.ridge * square);
                let gap = product + half * error / self.ridge;
                let bound = (T::lit(2.0 * n as f64) * gap / self.ridge).sqrt();
                let relative = gap / objective.max(T::MIN_POSITIVE);
                Certificate::Gap { gap, relative, l1_bound: Some(bound) }
            })
            .collect()
    }
}
