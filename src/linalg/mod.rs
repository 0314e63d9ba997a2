//! Linear algebra behind thin functions: the only room that knows which crate does the work. Floor 1.
//!
//! - `machine`: strided products, all transpositions at full speed, transposition, and run-time dispatch to
//!   AVX-512 or AVX2 for this crate's loops;
//! - `aligned`: memory that begins with a line of the cache;
//! - `decomposition`: singular values and symmetric eigenvalues (nalgebra: its SVD keeps 10⁻¹⁴ relative
//!   accuracy on kernels, where faster ones were seen to lose two digits; put to the test each time);
//! - `jacobi`: singular values of small matrices that may be degenerate or rank-deficient;
//! - `norm`: a rigorous bound of the spectral norm, for step sizes;
//! - `gram`: Gram matrices of tall panels;
//! - `cholesky`: small dense positive definite systems without allocation;
//! - `jacobi`: singular values where those of bidiagonalisation err;
//! - `band`, `banded_rows`: symmetric banded matrices with their Cholesky factors, and the rows of
//!   banded quadratic forms;
//! - `lanes`, `lane_cholesky`, `lane_band`: several small systems side by side, one in each lane of a vector
//!   register;
//! - `elementwise`: exp over arrays, sums in lanes, compensated residuals.

mod aligned;
mod band;
mod banded_rows;
mod cholesky;
mod decomposition;
mod elementwise;
mod gram;
mod jacobi;
mod lane_band;
mod lane_cholesky;
mod lanes;
mod machine;
mod norm;
mod svd;

pub use band::SymmetricBand;
pub use banded_rows::BandedRows;

pub(crate) use aligned::Aligned;
pub(crate) use band::BandCholesky;
pub(crate) use cholesky::Cholesky;
pub(crate) use decomposition::{symmetric_eigen, thin_svd};
pub(crate) use elementwise::{
    LANES, add_product_t, dot, exp, product, residual, sum, sum_of_logarithms, two_sum,
};
pub(crate) use jacobi::jacobi_svd;
pub(crate) use lane_band::{LaneBandCholesky, add_panel_product, add_panel_product_t};
pub(crate) use lane_cholesky::LaneCholesky;
pub(crate) use lanes::{
    LaneVec, Lanes, join_lanes, lane_dots, lane_product, lane_product_t, lane_select, lane_step,
    split_lanes,
};
pub(crate) use machine::{
    MatMut, MatRef, Vectorise, columns_from, dispatch, gemm, gemm_scaled, has_fused_multiply_add,
    has_wide_gather, vectorised,
};
pub(crate) use norm::squared_norm_bound;
pub(crate) use svd::Svd;
