//! Linear algebra behind thin functions: the only room that knows which crate does the work. Floor 1.
//!
//! - `machine`: strided products, all transpositions at full speed (crate `gemm`), and run-time dispatch
//!   to AVX-512 or AVX2 for this crate's own loops;
//! - `decomposition`: singular values and symmetric eigenvalues (nalgebra: its SVD keeps 10⁻¹⁴ relative
//!   accuracy on kernels, where faster ones were seen to lose two digits);
//! - `norm`: a rigorous bound of the spectral norm, for step sizes.

mod decomposition;
mod machine;
mod norm;

pub(crate) use decomposition::{Svd, symmetric_eigen, thin_svd};
pub(crate) use machine::{MatMut, MatRef, Vectorise, dispatch, gemm};
pub(crate) use norm::squared_norm_bound;
