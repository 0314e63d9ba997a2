//! Short dense rows along a diagonal: the factor R of a banded quadratic form ½‖R h‖².

use super::SymmetricBand;
use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::real::Real;

/// A matrix R whose every row is zero outside `width` consecutive columns.
///
/// A prior of the form ½‖R h‖² offers its rows as one of these, so that solvers may treat them as further
/// data with value 0.
#[derive(Debug, Clone, PartialEq)]
pub struct BandedRows<T = f64> {
    columns: usize,
    width: usize,
    first: Vec<usize>,
    coefficients: Vec<T>,
}

impl<T: Real> BandedRows<T> {
    /// From the first column of each row and its `width` coefficients (row after row).
    ///
    /// # Errors
    /// No row or no width; coefficients of another number than rows times width, or not finite; a row that
    /// sticks out of `columns`.
    pub fn new(
        columns: usize,
        width: usize,
        first: Vec<usize>,
        coefficients: Vec<T>,
    ) -> Result<Self> {
        check_not_empty("first", first.len(), 1)?;
        check_not_empty("width", width, 1)?;
        check_len("coefficients", coefficients.len(), first.len() * width, "rows x width")?;
        check_finite("coefficients", &coefficients)?;
        match first.iter().position(|&f| f + width > columns) {
            None => Ok(BandedRows { columns, width, first, coefficients }),
            Some(index) => Err(Error::ElementOutOfRange {
                argument: "first",
                index,
                value: first[index] as f64,
                expected: "a row that ends within the columns",
            }),
        }
    }

    /// All rows of several matrices of equal column count, each times a factor.
    pub(crate) fn stacked<'a>(columns: usize, parts: &[(T, &'a BandedRows<T>)]) -> Self
    where
        T: 'a,
    {
        let width = parts.iter().map(|(_, r)| r.width).max().unwrap_or(1);
        let (mut first, mut coefficients) = (Vec::new(), Vec::new());
        for (factor, part) in parts {
            for (&start, row) in part.first.iter().zip(part.coefficients.chunks_exact(part.width)) {
                let shifted = start.min(columns - width);
                first.push(shifted);
                let at = coefficients.len() + start - shifted;
                coefficients.resize(coefficients.len() + width, T::zero());
                for (c, &r) in coefficients[at..].iter_mut().zip(row) {
                    *c = *factor * r;
                }
            }
        }
        BandedRows { columns, width, first, coefficients }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.first.len()
    }

    /// The number of columns: the length of h.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many columns a row spans; RᵀR has this less one sub-diagonals.
    pub fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[T])> {
        self.first.iter().copied().zip(self.coefficients.chunks_exact(self.width))
    }

    /// Writes R h.
    ///
    /// # Panics
    /// If `h` has fewer elements than columns.
    pub fn apply(&self, h: &[T], out: &mut [T]) {
        for ((start, row), o) in self.iter().zip(out) {
            *o = row.iter().zip(&h[start..]).map(|(&c, &x)| c * x).sum();
        }
    }

    /// out += Rᵀ v.
    ///
    /// # Panics
    /// If `out` has fewer elements than columns.
    pub fn add_transposed(&self, v: &[T], out: &mut [T]) {
        for ((start, row), &value) in self.iter().zip(v) {
            for (o, &c) in out[start..].iter_mut().zip(row) {
                *o += c * value;
            }
        }
    }

    /// ½‖R h‖².
    ///
    /// # Panics
    /// If `h` has fewer elements than columns.
    pub fn half_square(&self, h: &[T]) -> T {
        let square = |(start, row): (usize, &[T])| {
            let r: T = row.iter().zip(&h[start..]).map(|(&c, &x)| c * x).sum();
            r * r
        };
        T::lit(0.5) * self.iter().map(square).sum()
    }

    /// out += weight·RᵀR h: the gradient of ½‖R h‖².
    ///
    /// # Panics
    /// If `h` or `out` has fewer elements than columns.
    pub fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]) {
        for (start, row) in self.iter() {
            let r: T = row.iter().zip(&h[start..]).map(|(&c, &x)| c * x).sum();
            for (o, &c) in out[start..].iter_mut().zip(row) {
                *o += weight * r * c;
            }
        }
    }

    /// out += weight·RᵀR: the Hessian of ½‖R h‖².
    ///
    /// # Panics
    /// If `out` is of another order or its band is narrower than [`width`](Self::width) − 1.
    pub fn add_hessian(&self, weight: T, out: &mut SymmetricBand<T>) {
        for (start, row) in self.iter() {
            for (i, &ci) in row.iter().enumerate() {
                for (j, &cj) in row[..=i].iter().enumerate() {
                    out.add(start + i, start + j, weight * ci * cj);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacking_scales_and_pads() {
        let a = BandedRows::new(4, 2, vec![0, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let b = BandedRows::new(4, 3, vec![1], vec![5.0, 6.0, 7.0]).unwrap();
        let both = BandedRows::stacked(4, &[(2.0, &a), (1.0, &b)]);
        let h = [1.0, 10.0, 100.0, 1000.0];
        let mut out = [0.0; 3];
        both.apply(&h, &mut out);
        assert_eq!(out, [42.0, 8600.0, 7650.0]);
        assert_eq!(both.half_square(&h), 4.0 * a.half_square(&h) + b.half_square(&h));
    }

    #[test]
    fn bad_rows_are_refused() {
        assert!(BandedRows::new(3, 2, vec![2], vec![1.0, 1.0]).is_err());
        assert!(BandedRows::new(3, 2, vec![0], vec![1.0]).is_err());
        assert!(BandedRows::new(3, 2, vec![0], vec![1.0, f64::NAN]).is_err());
        assert!(BandedRows::<f64>::new(3, 1, vec![], vec![]).is_err());
    }
}
