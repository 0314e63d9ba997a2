//! Diagonals first, then the off-diagonals with what they allow.

use super::problem::MatrixProblem;
use super::solution::MatrixSolution;
use crate::error::{Error, Result};
use crate::maxent::MaxEnt;
use crate::parallel;
use crate::prior::{Legendre, PositiveNegativeEntropy, SumRule};
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{Solution, Solver};
use std::sync::Arc;

/// Least default weight of an off-diagonal element over the mean of those weights: it must be positive.
const FLOOR: f64 = 1e-6;

/// Maximum entropy for a matrix-valued spectrum, element by element, on the threads of the pool.
///
/// ```
/// use fredholm::nalgebra::{DMatrix, DVector};
/// use fredholm::{FermionTime, FrequencyGrid, Kernel, MatrixMaxEnt, MatrixProblem, Measurement, Problem};
/// // Two levels at ±1, mixed by a rotation of 30°: A_12 = cos 30° sin 30° (A_1 − A_2).
/// let tau: Vec<f64> = (0..=30).map(|i| 0.2 * f64::from(i)).collect();
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 81)?;
/// let kernel = FermionTime::new(6.0)?;
/// let bands = |w: f64| ((-8.0 * (w - 1.0).powi(2)).exp(), (-8.0 * (w + 1.0).powi(2)).exp());
/// let matrix = kernel.matrix(&tau, grid.points())?;
/// let g = |c1: f64, c2: f64| -> Vec<f64> {
///     let a = grid.points().iter().map(|&w| 0.1 * 1.5958 * (c1 * bands(w).0 + c2 * bands(w).1));
///     (&matrix * DVector::from_iterator(81, a)).as_slice().to_vec()
/// };
/// let data = Measurement::with_uniform_error(&tau, &g(0.75, 0.25), 1e-4)?;
/// let first = Problem::new(&kernel, &data, &grid)?;
/// let second = first.with_data(&g(0.25, 0.75))?;
/// let mixed = first.with_data(&g(0.433, -0.433))?;
/// let problem = MatrixProblem::symmetric(vec![first, second], vec![mixed])?;
///
/// let solution = MatrixMaxEnt::default().solve(&problem)?;
/// assert!(solution.at(50)?[(0, 1)].re > 0.1 && solution.at(30)?[(0, 1)].re < -0.1);
/// assert!(solution.positivity()?.worst > -0.2);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until it solves"]
pub struct MatrixMaxEnt<T: Real = f64> {
    diagonal: MaxEnt<T>,
    off_diagonal: MaxEnt<T>,
    orthonormal: bool,
    default: OffDiagonalDefault,
}

/// The default weights of the positive and the negative part of an off-diagonal element (i, j).
///
/// Mean L1 errors for two bands mixed by a rotation, 60 Matsubara frequencies at β = 20, noise 10⁻⁴, geometric mean
/// against mixed (`tests/matrix_valued.rs`): bands apart, rotated by 0.5, 0.071 against 0.052, by 0.1, 0.019 against
/// 0.045; overlapping, by 0.5, 0.013 against 0.029.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OffDiagonalDefault {
    /// √(a_ii a_jj) for both: no positive semidefinite matrix goes beyond. For elements that are small, or large where
    /// the diagonals overlap.
    #[default]
    GeometricMean,
    /// Half the spectra of (c_i ± c_j)/√2 (with i c_j for an imaginary part), which are positive and half of whose
    /// difference the element is: ½(G_ii + G_jj) ± G_ij continued like diagonals, with the noise of G_ii. For bands
    /// apart from each other that mix strongly; the data of G_ij itself then change little. Two further solves for
    /// each element, whose data, like those of the two diagonals, must stand on one axis; one that does not succeed
    /// is a note in the element's report. The noise of ½(G_ii + G_jj) ± G_ij, all independent and equal, is 1.22
    /// times that of G_ii.
    Mixed,
}

impl<T: Real> MatrixMaxEnt<T> {
    /// How the diagonals are solved; [`MaxEnt::default`] unless given.
    pub fn diagonal(mut self, maxent: MaxEnt<T>) -> Self {
        self.diagonal = maxent;
        self
    }

    /// How the off-diagonals are solved, with the positive–negative entropy in the place of the entropy and default
    /// model that are set; [`MaxEnt::default`] unless given. A norm cannot be fixed there: see
    /// [`orthonormal`](Self::orthonormal).
    pub fn off_diagonal(mut self, maxent: MaxEnt<T>) -> Self {
        self.off_diagonal = maxent;
        self
    }

    /// Whether the off-diagonals of a fermionic G integrate to exactly zero, as ∫A_ij dω = ⟨{c_i, c_j†}⟩ does in an
    /// orthonormal basis; `false` by default, which leaves their integrals to the data.
    pub fn orthonormal(mut self, orthonormal: bool) -> Self {
        self.orthonormal = orthonormal;
        self
    }

    /// What the off-diagonals are like without data; [`OffDiagonalDefault::GeometricMean`] unless given.
    pub fn off_diagonal_default(mut self, default: OffDiagonalDefault) -> Self {
        self.default = default;
        self
    }

    /// Solves all elements.
    ///
    /// # Errors
    /// Those of [`MaxEnt::prepare`] for an element; a fixed norm of off-diagonals; an orthonormal basis of anything
    /// but a fermionic density; for [`OffDiagonalDefault::Mixed`], elements on different axes.
    pub fn solve(&self, problem: &MatrixProblem<T>) -> Result<MatrixSolution<T>> {
        if self.off_diagonal.fixes_norm() {
            return Err(Error::Unsupported {
                argument: "off_diagonal",
                value: "a fixed norm",
                expected: "none: `orthonormal` lets every off-diagonal integrate to zero",
            });
        }
        if self.orthonormal && problem.diagonal[0].model().density().norm().is_none() {
            return Err(Error::Unsupported {
                argument: "orthonormal",
                value: "true for a density without a norm of its own",
                expected: "a fermionic density; the data fix the integrals of a bosonic one",
            });
        }
        let n = problem.order();
        let diagonal = solve_all(&problem.diagonal, |_| Ok((self.diagonal.clone(), true)))?;
        let weights: Vec<Vec<T>> = diagonal.iter().map(|s| s.spectrum().weights()).collect();
        let pairs: Vec<_> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
        let solve = |elements: &[Problem<T>]| {
            solve_all(elements, |k| {
                let (i, j) = pairs[k];
                let ([plus, minus], sound) = match self.default {
                    OffDiagonalDefault::GeometricMean => {
                        let default = geometric_mean(&weights[i], &weights[j]);
                        ([default.clone(), default], true)
                    }
                    OffDiagonalDefault::Mixed => {
                        self.mixed([&problem.diagonal[i], &problem.diagonal[j]], &elements[k])?
                    }
                };
                let entropy = Arc::new(PositiveNegativeEntropy::new(plus, minus)?);
                let prior: Arc<dyn Legendre<T>> = if self.orthonormal {
                    Arc::new(SumRule::new(entropy, T::zero())?)
                } else {
                    entropy
                };
                Ok((self.off_diagonal.clone().scaled_prior(prior), sound))
            })
        };
        let (real, imaginary) = (solve(&problem.real)?, solve(&problem.imaginary)?);
        Ok(MatrixSolution { diagonal, real, imaginary })
    }

    /// Half the weights of (c_i ± c_j)/√2, and whether both solves succeeded.
    fn mixed(
        &self,
        diagonal: [&Problem<T>; 2],
        element: &Problem<T>,
    ) -> Result<([Vec<T>; 2], bool)> {
        let [first, second] = diagonal.map(Problem::data);
        let axis = diagonal[0].model().x();
        if [diagonal[1], element].iter().any(|p| p.model().x() != axis) {
            return Err(Error::Unsupported {
                argument: "off_diagonal_default",
                value: "Mixed for elements on different axes",
                expected: "one data axis for both diagonals and the element",
            });
        }
        let half = T::lit(0.5);
        let solve = |sign: T| -> Result<(Vec<T>, bool)> {
            let diagonals = first.iter().zip(second).map(|(&a, &b)| half * (a + b));
            let data: Vec<T> = diagonals.zip(element.data()).map(|(d, &g)| d + sign * g).collect();
            let solution = self.diagonal.solve(&diagonal[0].with_data(&data)?)?;
            let weights = solution.spectrum().weights().iter().map(|&a| half * a).collect();
            Ok((lifted(weights), solution.report().status.is_success()))
        };
        let ((plus, first), (minus, second)) = (solve(T::one())?, solve(-T::one())?);
        Ok(([plus, minus], first && second))
    }
}

/// √(a_i a_j), positive.
fn geometric_mean<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    let positive = |x: T| if x > T::zero() { x } else { T::zero() };
    lifted(a.iter().zip(b).map(|(&a, &b)| positive(a).sqrt() * positive(b).sqrt()).collect())
}

/// Default weights, those near zero lifted to be positive.
fn lifted<T: Real>(mut d: Vec<T>) -> Vec<T> {
    let mean = d.iter().copied().sum::<T>() / T::lit(d.len() as f64);
    let least = if mean > T::zero() { T::lit(FLOOR) * mean } else { T::MIN_POSITIVE.sqrt() };
    for d in &mut d {
        *d = if *d > least { *d } else { least };
    }
    d
}

/// Solves problem k by `maxent(k)`, which also says whether the default model there is a sound one.
fn solve_all<T: Real>(
    problems: &[Problem<T>],
    maxent: impl Fn(usize) -> Result<(MaxEnt<T>, bool)> + Sync,
) -> Result<Vec<Solution<T>>> {
    let solve = |k: usize| -> Result<Solution<T>> {
        let (maxent, sound) = maxent(k)?;
        let mut solution = maxent.solve(&problems[k])?;
        if !sound {
            solution
                .note("the default model is of spectra of mixed orbitals that did not converge");
        }
        Ok(solution)
    };
    let mut slots: Vec<_> = problems.iter().map(|_| None).collect();
    parallel::for_each_mut(&mut slots, |k, slot| *slot = Some(solve(k)));
    slots.into_iter().flatten().collect()
}
