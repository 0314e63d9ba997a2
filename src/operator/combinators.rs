//! Operators made of operators.

use super::{LinearOperator, check_shape};
use crate::error::{Result, check_len, check_scalar};
use crate::real::Real;
use crate::scratch::with_scratch;

/// A B x: B first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComposedOperator<A, B> {
    outer: A,
    inner: B,
}

impl<A, B> ComposedOperator<A, B> {
    /// `outer` after `inner`.
    ///
    /// # Errors
    /// As many rows of `inner` as columns of `outer` are expected.
    pub fn new<T: Real>(outer: A, inner: B) -> Result<Self>
    where
        A: LinearOperator<T>,
        B: LinearOperator<T>,
    {
        check_len("rows of `inner`", inner.rows(), outer.columns(), "the columns of `outer`")?;
        Ok(ComposedOperator { outer, inner })
    }
}

impl<A: LinearOperator<T>, B: LinearOperator<T>, T: Real> LinearOperator<T>
    for ComposedOperator<A, B>
{
    fn rows(&self) -> usize {
        self.outer.rows()
    }

    fn columns(&self) -> usize {
        self.inner.columns()
    }

    fn apply_into(&self, x: &[T], out: &mut [T]) {
        with_scratch(self.inner.rows(), |between: &mut [T]| {
            self.inner.apply_into(x, between);
            self.outer.apply_into(between, out);
        });
    }

    fn adjoint_into(&self, y: &[T], out: &mut [T]) {
        with_scratch(self.inner.rows(), |between: &mut [T]| {
            self.outer.adjoint_into(y, between);
            self.inner.adjoint_into(between, out);
        });
    }
}

/// c·A x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScaledOperator<A, T = f64> {
    operator: A,
    factor: T,
}

impl<A: LinearOperator<T>, T: Real> ScaledOperator<A, T> {
    /// `factor` times `operator`.
    ///
    /// # Errors
    /// `factor` not finite.
    pub fn new(operator: A, factor: T) -> Result<Self> {
        check_scalar("factor", factor)?;
        Ok(ScaledOperator { operator, factor })
    }
}

impl<A: LinearOperator<T>, T: Real> LinearOperator<T> for ScaledOperator<A, T> {
    fn rows(&self) -> usize {
        self.operator.rows()
    }

    fn columns(&self) -> usize {
        self.operator.columns()
    }

    fn apply_into(&self, x: &[T], out: &mut [T]) {
        self.operator.apply_into(x, out);
        out.iter_mut().for_each(|v| *v *= self.factor);
    }

    fn adjoint_into(&self, y: &[T], out: &mut [T]) {
        self.operator.adjoint_into(y, out);
        out.iter_mut().for_each(|v| *v *= self.factor);
    }
}

/// (A x, B x), one above the other: a fit and a penalty in one, for primal–dual methods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackedOperator<A, B> {
    upper: A,
    lower: B,
}

impl<A, B> StackedOperator<A, B> {
    /// `upper` above `lower`.
    ///
    /// # Errors
    /// Different numbers of columns.
    pub fn new<T: Real>(upper: A, lower: B) -> Result<Self>
    where
        A: LinearOperator<T>,
        B: LinearOperator<T>,
    {
        check_len("columns of `lower`", lower.columns(), upper.columns(), "those of `upper`")?;
        Ok(StackedOperator { upper, lower })
    }
}

impl<A: LinearOperator<T>, B: LinearOperator<T>, T: Real> LinearOperator<T>
    for StackedOperator<A, B>
{
    fn rows(&self) -> usize {
        self.upper.rows() + self.lower.rows()
    }

    fn columns(&self) -> usize {
        self.upper.columns()
    }

    fn apply_into(&self, x: &[T], out: &mut [T]) {
        check_shape((x.len(), out.len()), (self.columns(), self.rows()));
        let (upper, lower) = out.split_at_mut(self.upper.rows());
        self.upper.apply_into(x, upper);
        self.lower.apply_into(x, lower);
    }

    fn adjoint_into(&self, y: &[T], out: &mut [T]) {
        check_shape((y.len(), out.len()), (self.rows(), self.columns()));
        let (upper, lower) = y.split_at(self.upper.rows());
        self.upper.adjoint_into(upper, out);
        with_scratch(out.len(), |part: &mut [T]| {
            self.lower.adjoint_into(lower, part);
            for (out, &p) in out.iter_mut().zip(&*part) {
                *out += p;
            }
        });
    }
}
