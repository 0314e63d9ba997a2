//! The sum of the Euclidean norms of groups: groups are kept or dropped as wholes.
//!
//! Source: Yuan and Lin, *J. R. Stat. Soc. B* 68, 49 (2006).

use super::{Conjugate, L2Norm, Prox, check_lengths};
use crate::error::{Error, Result};
use crate::real::Real;

/// f(x) = Σ_g ‖x_g‖₂ over consecutive groups (the mixed ℓ¹/ℓ² norm); prox_{γf} is that of [`L2Norm`] in each
/// group. Convex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNorm {
    /// Where each group ends.
    ends: Vec<usize>,
}

impl GroupNorm {
    /// Consecutive groups of these lengths, which add up to the length of x.
    ///
    /// # Errors
    /// A group without elements.
    pub fn new(lengths: &[usize]) -> Result<Self> {
        if let Some(index) = lengths.iter().position(|&n| n == 0) {
            let expected = "a group of at least one element";
            return Err(Error::ElementOutOfRange {
                argument: "lengths",
                index,
                value: 0.0,
                expected,
            });
        }
        let mut end = 0;
        let ends = lengths.iter().map(|n| {
            end += n;
            end
        });
        Ok(GroupNorm { ends: ends.collect() })
    }

    /// The ranges of the groups.
    pub fn groups(&self) -> impl Iterator<Item = core::ops::Range<usize>> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| start..end)
    }

    fn dim(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}

impl<T: Real> Prox<T> for GroupNorm {
    fn value(&self, x: &[T]) -> T {
        check_lengths(x.len(), &[self.dim()]);
        self.groups().map(|g| L2Norm.value(&x[g])).sum()
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len(), self.dim()]);
        self.groups().map(|g| L2Norm.prox_into(&z[g.clone()], gamma, &mut out[g])).sum()
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len(), self.dim()]);
        let vjp = |g: core::ops::Range<usize>| {
            L2Norm.prox_vjp(&z[g.clone()], gamma, &upstream[g.clone()], &mut grad[g])
        };
        self.groups().map(vjp).sum()
    }

    fn dimension(&self) -> Option<usize> {
        Some(self.dim())
    }

    /// The indicator of max_g ‖y_g‖ ≤ 1.
    fn conjugate(&self, y: &[T]) -> Option<Conjugate<T>> {
        check_lengths(y.len(), &[self.dim()]);
        let scales = self.groups().filter_map(|g| L2Norm.conjugate(&y[g])).map(|c| c.scale);
        let scale = scales.fold(T::one(), |least, s| if s < least { s } else { least });
        Some(Conjugate { scale, value: T::zero() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked() {
        let error = GroupNorm::new(&[2, 0]).unwrap_err();
        assert!(matches!(error, Error::ElementOutOfRange { argument: "lengths", index: 1, .. }));
    }

    #[test]
    fn a_weak_group_is_dropped() {
        let mut x = [7.0; 4];
        let groups = GroupNorm::new(&[2, 1, 1]).unwrap();
        let value = groups.prox_into(&[3.0, 4.0, 0.9, -2.0], 1.0, &mut x);
        assert_eq!((value, x[2], x[3]), (5.0, 0.0, -1.0));
        assert!((x[0] - 2.4_f64).abs() < 1e-15 && (x[1] - 3.2_f64).abs() < 1e-15);
    }
}
