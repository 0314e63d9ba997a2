//! Maximum entropy: minimise ½χ² − αS + Σ weight·prior over h = A Δω > 0, and choose α. Floor 6.
//!
//! Sources: kinetic-maxent paper (II), learned-optimizers paper (II.A); Skilling's entropy, so that α → ∞
//! gives the default model. [`MaxEnt`] says what is to be minimised, [`PreparedMaxEnt`] has done once what
//! does not depend on the data, and solves.
//!
//! Two solvers behind one call:
//! - `dual`: Newton on the dual, for an entropy with quadratic priors; certificate for free;
//! - `lane_dual`: the same for several data vectors at once, which `batch` uses (`shared` on many machines);
//! - `primal`: Newton with conjugate-gradient steps, for any smooth priors.
//!
//! `modes` holds the data both see, `objective` the priors, `engine` what the solvers share, `ladder` the
//! annealing from large to small α, `extrapolation` what foresees its next step, `alpha` the rules that
//! choose it, `kinetic_search` that for λ, `decision` what comes of a rule, `answer` the spectrum with its certificate, `doubts` what its
//! reader should be told, `posterior` what the data leave open, `sensitivity` the derivatives of the answer.

mod alpha;
mod answer;
mod batch;
mod builder;
#[cfg(test)]
mod certificate_tests;
mod decision;
mod doubts;
mod dual;
mod engine;
mod extrapolation;
mod kinetic_search;
mod ladder;
mod lane_dual;
mod modes;
mod objective;
#[cfg(any(feature = "cuda", test))]
mod offload;
#[cfg(test)]
pub(crate) mod offload_tests;
mod posterior;
mod preblur;
mod prepared;
mod primal;
mod sensitivity;
mod shared;
#[cfg(test)]
mod tests;

pub use alpha::{
    AlphaChoice, AlphaPick, AlphaRule, Bryan, Chi2Kink, Classic, Cp, Curvature, FixedAlpha, Gcv,
    Historic, LadderView, LineFit,
};
pub use builder::{MaxEnt, MaxEntSolver};
pub use kinetic_search::KineticSearch;
#[cfg(feature = "cuda")]
pub(crate) use offload::{EntropicDual, FIGURES, ManyDuals, Wanted};
pub use posterior::Posterior;
pub use prepared::PreparedMaxEnt;
pub use sensitivity::{MaxEntGradient, Sensitivity};
pub use shared::{SharedAnswers, SharedOutcome};
