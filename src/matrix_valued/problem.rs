//! The elements of a matrix-valued problem.

use crate::error::{Error, Result, check_len, check_not_empty};
use crate::problem::Problem;
use crate::real::Real;
use nalgebra::Complex;

/// The scalar problems of a matrix-valued spectrum: n diagonal elements, and for i < j, row by row, the real
/// parts, and for complex Hermitian spectra the imaginary parts, of the others.
///
/// Each element has data and noise of its own. Problems that share a
/// [`ForwardModel`](crate::ForwardModel) ([`Problem::with_data`]) share its decomposition.
///
/// In imaginary time the data of Re A_ij and Im A_ij are real and imaginary part of G_ij(τ); at Matsubara
/// frequencies they are [`hermitian_parts`](Self::hermitian_parts) of G_ij and G_ji.
#[derive(Debug, Clone)]
pub struct MatrixProblem<T: Real = f64> {
    pub(super) diagonal: Vec<Problem<T>>,
    pub(super) real: Vec<Problem<T>>,
    /// Empty for a real symmetric spectrum.
    pub(super) imaginary: Vec<Problem<T>>,
}

impl<T: Real> MatrixProblem<T> {
    /// Of a real symmetric spectrum: `diagonal` A_11, A_22, …; `off_diagonal` A_12, A_13, …, A_23, ….
    ///
    /// # Errors
    /// No diagonal element; off-diagonals other than n(n − 1)/2; elements on different grids or for different
    /// densities.
    pub fn symmetric(diagonal: Vec<Problem<T>>, off_diagonal: Vec<Problem<T>>) -> Result<Self> {
        Self::checked(MatrixProblem { diagonal, real: off_diagonal, imaginary: Vec::new() })
    }

    /// Of a complex Hermitian spectrum: `real` and `imaginary` are the problems of Re A_ij and Im A_ij, i < j, in
    /// the order of [`symmetric`](Self::symmetric).
    ///
    /// # Errors
    /// As there.
    pub fn hermitian(
        diagonal: Vec<Problem<T>>,
        real: Vec<Problem<T>>,
        imaginary: Vec<Problem<T>>,
    ) -> Result<Self> {
        check_len("imaginary", imaginary.len(), real.len(), "`real`")?;
        Self::checked(MatrixProblem { diagonal, real, imaginary })
    }

    fn checked(self) -> Result<Self> {
        let n = self.diagonal.len();
        check_not_empty("diagonal", n, 1)?;
        check_len(
            "off-diagonals",
            self.real.len(),
            n * (n - 1) / 2,
            "the elements above the diagonal",
        )?;
        let first = self.diagonal[0].model();
        for problem in self.diagonal.iter().chain(&self.real).chain(&self.imaginary) {
            let model = problem.model();
            if model.grid() != first.grid() || model.density() != first.density() {
                return Err(Error::Unsupported {
                    argument: "elements",
                    value: "on different grids or for different densities",
                    expected: "one frequency grid and one density for all elements",
                });
            }
        }
        Ok(self)
    }

    /// The data of Re A_ij and Im A_ij from those of G_ij and G_ji at Matsubara frequencies: with A_ji = A_ij*,
    /// (G_ij + G_ji)/2 = ∫K Re A_ij and (G_ij − G_ji)/2i = ∫K Im A_ij. If both were measured independently, with
    /// equal errors, those of the results are smaller by √2.
    ///
    /// # Errors
    /// Two lengths.
    pub fn hermitian_parts(
        g_ij: &[Complex<T>],
        g_ji: &[Complex<T>],
    ) -> Result<[Vec<Complex<T>>; 2]> {
        check_len("g_ji", g_ji.len(), g_ij.len(), "`g_ij`")?;
        let half = T::lit(0.5);
        let sum = |(a, b): (&Complex<T>, &Complex<T>)| (a + b) * half;
        let difference = |(a, b): (&Complex<T>, &Complex<T>)| {
            let d = (a - b) * half;
            Complex::new(d.im, -d.re)
        };
        Ok([
            g_ij.iter().zip(g_ji).map(sum).collect(),
            g_ij.iter().zip(g_ji).map(difference).collect(),
        ])
    }

    /// The order n of the matrix.
    pub fn order(&self) -> usize {
        self.diagonal.len()
    }
}

/// Where element (i, j), i < j, of a matrix of order `n` stands among those above the diagonal.
pub(super) fn place(n: usize, i: usize, j: usize) -> usize {
    i * (2 * n - i - 1) / 2 + j - i - 1
}

#[cfg(test)]
mod tests {
    #[test]
    fn places_count_row_by_row() {
        for n in 1..6 {
            let mut expected = 0;
            for i in 0..n {
                for j in i + 1..n {
                    assert_eq!(super::place(n, i, j), expected);
                    expected += 1;
                }
            }
        }
    }
}
