//! Different functions of different parts of a vector.

use crate::error::{Error, Result};
use crate::prox::{Conjugate, Prox, check_dimension, check_lengths};
use crate::real::Real;
use core::ops::Range;

/// Σ_k f_k(x_k) over consecutive blocks x_k; prox_γ acts block by block, conjugate Σ f_k*(y_k).
/// (Parikh and Boyd, section 2.1.)
///
/// ```
/// use fredholm::{NonNegative, Prox, SeparableSum, SoftThreshold};
/// let f = SeparableSum::new(vec![(2, Box::new(NonNegative)), (1, Box::new(SoftThreshold))])?;
/// let mut x = [0.0; 3];
/// f.prox_into(&[-1.0, 2.0, 3.0], 1.0, &mut x);
/// assert_eq!(x, [0.0, 2.0, 2.0]);
/// # Ok::<(), fredholm::Error>(())
/// ```
pub struct SeparableSum<T: Real = f64> {
    blocks: Vec<(Range<usize>, Box<dyn Prox<T>>)>,
}

impl<T: Real> core::fmt::Debug for SeparableSum<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.blocks.iter().map(|(range, _)| range)).finish()
    }
}

impl<T: Real> SeparableSum<T> {
    /// Blocks of these lengths, which add up to the length of x.
    ///
    /// # Errors
    /// A block without elements, or of another length than its operator takes.
    pub fn new(blocks: Vec<(usize, Box<dyn Prox<T>>)>) -> Result<Self> {
        if let Some(index) = blocks.iter().position(|(length, _)| *length == 0) {
            let expected = "a block of at least one element";
            let argument = "blocks";
            return Err(Error::ElementOutOfRange { argument, index, value: 0.0, expected });
        }
        for (length, f) in &blocks {
            check_dimension::<T, _>(f, *length, "its block")?;
        }
        let mut start = 0;
        let place = |(length, f): (usize, Box<dyn Prox<T>>)| {
            start += length;
            (start - length..start, f)
        };
        Ok(SeparableSum { blocks: blocks.into_iter().map(place).collect() })
    }

    fn dim(&self) -> usize {
        self.blocks.last().map_or(0, |(range, _)| range.end)
    }
}

impl<T: Real> Prox<T> for SeparableSum<T> {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.dim()]);
        self.blocks.iter().map(|(range, f)| f.value(&x[range.clone()])).sum()
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.dim()]);
        let block = |(range, f): &(Range<usize>, Box<dyn Prox<T>>)| {
            f.prox_into(&z[range.clone()], gamma, &mut out[range.clone()])
        };
        self.blocks.iter().map(block).sum()
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len(), self.dim()]);
        let block = |(range, f): &(Range<usize>, Box<dyn Prox<T>>)| {
            let (z, u) = (&z[range.clone()], &upstream[range.clone()]);
            f.prox_vjp(z, gamma, u, &mut grad[range.clone()])
        };
        self.blocks.iter().map(block).sum()
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.dim())
    }

    fn is_convex(&self) -> bool {
        self.blocks.iter().all(|(_, f)| f.is_convex())
    }

    fn is_indicator(&self) -> bool {
        self.blocks.iter().all(|(_, f)| f.is_indicator())
    }

    /// The largest of the blocks', where all have one.
    fn gradient_lipschitz(&self) -> Option<T> {
        self.blocks.iter().try_fold(T::zero(), |largest, (_, f)| {
            f.gradient_lipschitz().map(|l| if l > largest { l } else { largest })
        })
    }

    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        check_lengths(y.len(), &[self.dim()]);
        let mut scale = T::one();
        for (range, f) in &self.blocks {
            let block = f.conjugate(&y[range.clone()])?.scale;
            scale = if block < scale { block } else { scale };
        }
        // All blocks at the one scale.
        crate::scratch::with_scratch(y.len(), |scaled: &mut [T]| {
            for (s, &y) in scaled.iter_mut().zip(y) {
                *s = scale * y;
            }
            let mut value = T::zero();
            for (range, f) in &self.blocks {
                value += f.conjugate(&scaled[range.clone()])?.value;
            }
            Some(Conjugate { scale, value })
        })
    }
}
