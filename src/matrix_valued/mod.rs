//! Matrix-valued spectra: G_ij(x) = ∫ K(x, ω) A_ij(ω) dω with A(ω) Hermitian and positive semidefinite. Floor 7.
//!
//! Every element is a scalar problem with the same kernel: diagonals, which are positive, by maximum entropy, then
//! the real and imaginary parts of the off-diagonals, which have no sign, by the positive–negative
//! entropy with √(A_ii A_jj) for default model, beyond which no positive semidefinite matrix lets them go, or
//! with the spectra of (c_i ± c_j)/√2 ([`OffDiagonalDefault`]).
//! That A(ω) is positive semidefinite is then nearly, not exactly, so: [`MatrixSolution::positivity`] says
//! how nearly. Source: G. J. Kraberger, R. Triebl, M. Zingl and M. Aichhorn, Phys. Rev. B 96, 155128 (2017).

mod problem;
mod solution;
mod solver;

pub use problem::MatrixProblem;
pub use solution::{MatrixSolution, Positivity};
pub use solver::{MatrixMaxEnt, OffDiagonalDefault};
