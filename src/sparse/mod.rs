//! Sparse and proximal methods: minimise ½‖g − K a‖² + λ f(a) for any f with a proximal operator. Floor 6.
//!
//! [`ProximalGradientMap`] is the fixed-point map a ↦ prox_{tλf}(a − t Kᵀ(K a − g)), matrix-free;
//! [`ProximalGradient`] iterates it for a [`Problem`](crate::Problem), plain (ISTA) or accelerated
//! (FISTA). Source: \[LO\] II.B–C; Beck and Teboulle, *SIAM J. Imaging Sci.* 2, 183 (2009).

mod proximal_gradient;
mod proximal_gradient_map;
#[cfg(test)]
mod tests;

pub use proximal_gradient::{DataView, ProximalGradient};
pub use proximal_gradient_map::ProximalGradientMap;
