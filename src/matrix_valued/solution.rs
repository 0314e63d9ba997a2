//! A matrix-valued spectrum, and whether it is positive semidefinite.

use super::problem::place;
use crate::error::{Result, check_count};
use crate::linalg::symmetric_eigen;
use crate::real::Real;
use crate::solution::Solution;
use nalgebra::{Complex, DMatrix};

/// Densities below this fraction of the largest trace do not count for the ratios of [`Positivity`]: nothing is
/// known of a matrix that is zero.
const NEGLIGIBLE: f64 = 1e-3;

/// An eigenvalue below minus this fraction of the trace counts as a violation: half of those that are zero in
/// truth come out negative by rounding and noise.
const VIOLATION: f64 = 1e-2;

/// The solutions of all elements of a matrix-valued problem.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSolution<T: Real = f64> {
    pub(super) diagonal: Vec<Solution<T>>,
    pub(super) real: Vec<Solution<T>>,
    pub(super) imaginary: Vec<Solution<T>>,
}

/// How nearly a matrix-valued spectrum is positive semidefinite. It is reported, not repaired.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Positivity<T = f64> {
    /// The least eigenvalue of A(ω) over its trace at every ω; between −∞ and 1/n.
    pub ratios: Vec<T>,
    /// The least ratio where the trace is above 10⁻³ of its maximum.
    pub worst: T,
    /// Where that is.
    pub omega: T,
    /// The fraction of those points at which the ratio is below −0.01.
    pub violated: T,
    /// The weight ∫ of the sum of all negative eigenvalues, over the weight of the trace; ≤ 0, over all ω.
    pub negative_weight: T,
}

impl<T: Real> MatrixSolution<T> {
    /// The order n of the matrix.
    pub fn order(&self) -> usize {
        self.diagonal.len()
    }

    /// The solutions of the diagonal elements.
    pub fn diagonal(&self) -> &[Solution<T>] {
        &self.diagonal
    }

    /// The solutions of the real parts above the diagonal, row by row. Their weights have no sign.
    pub fn real(&self) -> &[Solution<T>] {
        &self.real
    }

    /// The solutions of the imaginary parts above the diagonal; none for a real symmetric spectrum.
    pub fn imaginary(&self) -> &[Solution<T>] {
        &self.imaginary
    }

    /// The density of element (i, j) on the grid.
    ///
    /// # Errors
    /// An index that is not below the order.
    pub fn element(&self, i: usize, j: usize) -> Result<Vec<Complex<T>>> {
        let last = self.order() - 1;
        check_count("i", i, 0..=last, "an index below the order")?;
        check_count("j", j, 0..=last, "an index below the order")?;
        let values = |s: &Solution<T>| s.spectrum().values().to_vec();
        if i == j {
            return Ok(values(&self.diagonal[i]).into_iter().map(Complex::from).collect());
        }
        let (k, sign) = if i < j {
            (place(self.order(), i, j), T::one())
        } else {
            (place(self.order(), j, i), -T::one())
        };
        let real = values(&self.real[k]);
        let imaginary = self.imaginary.get(k).map_or(vec![T::zero(); real.len()], values);
        Ok(real.into_iter().zip(imaginary).map(|(re, im)| Complex::new(re, sign * im)).collect())
    }

    /// The matrix A(ω_k) at point `k` of the grid.
    ///
    /// # Errors
    /// A `k` that is not below the number of points.
    pub fn at(&self, k: usize) -> Result<DMatrix<Complex<T>>> {
        let points = self.diagonal[0].spectrum().values().len();
        check_count("k", k, 0..=points - 1, "an index of the frequency grid")?;
        let n = self.order();
        let value = |s: &Solution<T>| s.spectrum().values()[k];
        let mut a = DMatrix::zeros(n, n);
        for i in 0..n {
            a[(i, i)] = Complex::from(value(&self.diagonal[i]));
            for j in i + 1..n {
                let p = place(n, i, j);
                let z = Complex::new(
                    value(&self.real[p]),
                    self.imaginary.get(p).map_or(T::zero(), value),
                );
                (a[(i, j)], a[(j, i)]) = (z, z.conj());
            }
        }
        Ok(a)
    }

    /// Whether all elements were solved with success.
    pub fn is_success(&self) -> bool {
        let all = self.diagonal.iter().chain(&self.real).chain(&self.imaginary);
        all.into_iter().all(|s| s.report().status.is_success())
    }

    /// How nearly A(ω) is positive semidefinite.
    ///
    /// # Errors
    /// An eigenvalue iteration that does not converge.
    pub fn positivity(&self) -> Result<Positivity<T>> {
        let grid = self.diagonal[0].spectrum().grid();
        let (mut least, mut traces) = (Vec::new(), Vec::new());
        let (mut negative, mut total) = (T::zero(), T::zero());
        for (k, &weight) in grid.weights().iter().enumerate() {
            let eigenvalues = hermitian_eigenvalues(&self.at(k)?)?;
            let trace: T = eigenvalues.iter().copied().sum();
            negative += weight * eigenvalues.iter().copied().filter(|&e| e < T::zero()).sum::<T>();
            total += weight * trace;
            least.push(eigenvalues[0]);
            traces.push(trace);
        }
        let largest = traces.iter().fold(T::zero(), |m, &t| if t > m { t } else { m });
        let ratios: Vec<T> = least.iter().zip(&traces).map(|(&e, &t)| e / t).collect();
        let counted = || (0..ratios.len()).filter(|&k| traces[k] > T::lit(NEGLIGIBLE) * largest);
        let (mut worst, mut omega) = (T::one(), grid.min());
        for k in counted().filter(|&k| ratios[k].is_finite()) {
            if ratios[k] < worst {
                (worst, omega) = (ratios[k], grid.points()[k]);
            }
        }
        let bad = counted().filter(|&k| ratios[k] < -T::lit(VIOLATION)).count();
        let violated = T::lit(bad as f64 / counted().count().max(1) as f64);
        Ok(Positivity { worst, omega, violated, negative_weight: negative / total, ratios })
    }
}

/// Eigenvalues, ascending, of a Hermitian R + iI: those of [[R, −I], [I, R]], which has each twice.
fn hermitian_eigenvalues<T: Real>(a: &DMatrix<Complex<T>>) -> Result<Vec<T>> {
    let n = a.nrows();
    let doubled = DMatrix::from_fn(2 * n, 2 * n, |i, j| {
        let z = a[(i % n, j % n)];
        match (i < n, j < n) {
            (true, true) | (false, false) => z.re,
            (true, false) => -z.im,
            (false, true) => z.im,
        }
    });
    let (values, _) = symmetric_eigen("spectrum", doubled)?;
    Ok(values.iter().copied().step_by(2).collect())
}
