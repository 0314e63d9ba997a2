//! Functions made of functions: each wrapper has the proximal operator, the derivative and the properties
//! that follow from those of what it wraps, and cites the rule.
//!
//! Source of the rules: Parikh and Boyd, *Proximal Algorithms* (2014), section 2; Combettes and Pesquet,
//! *Proximal Splitting Methods in Signal Processing* (2011), table 10.1.

mod conjugate_of;
mod moreau_envelope;
mod plus_quadratic;
mod precomposed_diagonal;
mod precomposed_orthogonal;
mod scaled;
mod separable_sum;
mod translated;

pub use conjugate_of::ConjugateOf;
pub use moreau_envelope::MoreauEnvelope;
pub use plus_quadratic::PlusQuadratic;
pub use precomposed_diagonal::PrecomposedDiagonal;
pub use precomposed_orthogonal::PrecomposedOrthogonal;
pub use scaled::Scaled;
pub use separable_sum::SeparableSum;
pub use translated::Translated;
