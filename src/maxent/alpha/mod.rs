//! Rules that choose α from what a ladder of α shows. One file a rule.
//!
//! α is the weight of the entropy in ½χ² − αS, with χ² in whitened units. Other programs mean other things
//! by it: one multiplies it by N, one has a factor 2/N in its step, unwhitened ones differ by 1/σ².

mod bryan;
mod chi2_kink;
mod choice;
mod classic;
mod cp;
mod curvature;
mod fixed;
mod gcv;
mod historic;
mod kink;
mod line_fit;
pub(super) mod slack;
#[cfg(test)]
mod test_ladder;
mod view;

pub use bryan::Bryan;
pub use chi2_kink::Chi2Kink;
pub use choice::{AlphaChoice, AlphaPick};
pub use classic::Classic;
pub use cp::Cp;
pub use curvature::Curvature;
pub use fixed::FixedAlpha;
pub use gcv::Gcv;
pub use historic::Historic;
pub use line_fit::LineFit;
pub use view::LadderView;

use crate::error::Result;
use crate::real::Real;
use core::fmt::Debug;

/// A way to choose α. Object-safe.
///
/// # Which rule
/// The L1 distance to the truth over that at the best α of a ladder of 60, which no rule can know: geometric
/// mean, 99 % quantile and worst of 276 spectra, of cases on which the rules were studied and of others drawn
/// afterwards (`cargo run --release --example alpha_rules -- --seed 1` and `--seed 2`).
///
/// | rule | studied | others | refused |
/// |---|---|---|---|
/// | [`Gcv`], the default | 1.23, 3.6, 4.4 | 1.23, 3.1, 4.5 | never |
/// | [`Cp`] | 1.23, 3.6, 4.3 | 1.24, 3.1, 4.5 | never |
/// | [`Gcv`] with slack 4, descent 1 | 1.33, 4.6, 63 | 1.35, 7.7, 24 | never |
/// | [`Cp`] with slack 4, descent 1 | 1.30, 4.0, 6.6 | 1.33, 4.5, 22 | never |
/// | [`Curvature`] | 1.35, 3.9, 6.4 | 1.35, 3.5, 5.0 | never |
/// | [`LineFit`] | 1.43, 4.5, 6.5 | 1.44, 5.3, 5.7 | never |
/// | [`Chi2Kink`] | 1.56, 6.2, 9.0 | 1.57, 4.8, 7.2 | never |
/// | [`Historic`] | 1.48, 17, 24 | 1.46, 7.9, 10 | 16 %, 21 % |
/// | [`Classic`] | 4.0, 60, 108 | 3.9, 44, 214 | never |
/// | [`Bryan`] | 4.2, 67, 130 | 4.1, 49, 212 | never |
/// | [`Gcv`] and [`MaxEnt::kinetic_auto`](crate::MaxEnt::kinetic_auto) | 0.93, 3.1, 5.4 | 0.94, 3.2, 5.5 | never |
///
/// The bound of it all: the α that is best, in the geometric mean, over 32 other draws of the noise on the same
/// spectrum (`--oracle 32`), known only to who knows the truth, has 1.13, 2.0, 3.8 on the cases studied and
/// 1.12, 2.0, 2.2 on the others.
///
/// The minimum of a score says little: χ² and N_good are flat there, while the error grows fast towards small
/// α. The fall of χ² towards the minimum says more: it goes mostly as about α^1.6, so that the α at which the
/// entropy would still cost χ² about 2 is found a factor of 4 below the one at which it costs 16. In
/// what is left no rule of χ² and N_good was found to do better: where the best α lies from there depends on the
/// truth. The worst cases are those in which one α happens to give an error of less than a hundredth.
///
/// With an informative default model χ² is near N at every α: [`Chi2Kink`], [`LineFit`] and [`Curvature`]
/// refuse, [`Gcv`], [`Cp`] and [`Classic`] apply.
///
/// [`Gcv`] and the three that look for a kink do not care about a common factor on all error bars. With error
/// bars three times too large, and too small (`--seed 2 --errors 3`, `--errors 0.3`), the geometric means are
/// 1.24 and 1.23 for [`Gcv`], 1.60 and 1.23 for [`Cp`], 1.8 and 12 for [`Classic`]; [`Historic`] has 2.7, and then
/// refuses everywhere.
///
/// # One's own
/// ```
/// use fredholm::{AlphaChoice, AlphaRule, LadderView};
///
/// /// The step at which the spectrum changes least from the step before.
/// #[derive(Debug)]
/// struct QuasiOptimal;
///
/// impl AlphaRule for QuasiOptimal {
///     fn name(&self) -> &'static str {
///         "quasi-optimal"
///     }
///
///     fn choose(&self, ladder: &LadderView) -> AlphaChoice {
///         let change = |i: usize| -> f64 {
///             let (a, b) = (ladder.weights(i - 1), ladder.weights(i));
///             a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
///         };
///         let curve: Vec<f64> = (1..ladder.steps().len()).map(change).collect();
///         match curve.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)) {
///             Some((i, _)) => AlphaChoice::at(ladder.steps()[i + 1].alpha),
///             None => AlphaChoice::refused("one step shows no change"),
///         }
///     }
/// }
/// ```
pub trait AlphaRule<T: Real = f64>: Debug + Send + Sync {
    /// A short name for reports.
    fn name(&self) -> &'static str;

    /// Whether the rule's own parameters make sense.
    ///
    /// # Errors
    /// Names the parameter.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The α to use if no ladder is needed to know it.
    fn fixed(&self) -> Option<T> {
        None
    }

    /// Chooses from the converged steps of a ladder, or refuses and says why.
    fn choose(&self, ladder: &LadderView<T>) -> AlphaChoice<T>;
}
