//! Sparse and proximal methods: minimise ½‖g − K a‖² + λ f(a) for any f with a proximal operator, and the
//! quadratic relatives that are solved exactly. Floor 6.
//!
//! - [`ProximalGradientMap`] is the fixed-point map a ↦ prox_{tλf}(a − t Kᵀ(K a − g)), matrix-free;
//!   [`ProximalGradient`] iterates it for a [`Problem`](crate::Problem), plain (ISTA) or accelerated
//!   (FISTA). Source: \[LO\] II.B–C; Beck and Teboulle, *SIAM J. Imaging Sci.* 2, 183 (2009).
//! - [`BasisPursuit`] is the constrained form, least f(a) with ‖g − K a‖ ≤ ε, by homotopy in λ;
//! - [`SparseModelling`] puts the ℓ¹ norm on the coefficients of the kernel's singular functions;
//! - [`DataConsistent`] moves the answer of another method to the data;
//! - [`Nnls`] is non-negative least squares by an active set, [`Ridge`] Tikhonov's regularisation.

mod active_set;
mod basis_pursuit;
mod batch;
mod data_consistent;
mod data_view;
mod interior_point;
mod least_squares;
mod nnls;
mod normal_equations;
mod panel;
mod proximal_gradient;
mod proximal_gradient_map;
mod ridge;
mod singular_basis;
mod sparse_modelling;
mod sparsity_rule;
#[cfg(test)]
mod tests;

pub use basis_pursuit::BasisPursuit;
pub use batch::{BatchOutcome, BatchSolution};
pub use data_consistent::DataConsistent;
pub use data_view::DataView;
pub use least_squares::LeastSquares;
pub use nnls::Nnls;
pub use proximal_gradient::ProximalGradient;
pub use proximal_gradient_map::ProximalGradientMap;
pub use ridge::{Ridge, RidgeRule};
pub use sparse_modelling::SparseModelling;
pub use sparsity_rule::{SparsityRule, SparsityStep};
