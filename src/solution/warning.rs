//! What a careful reader of a result should know.

use core::fmt;

/// Something a careful reader of a result should know. Printed by [`Report`](super::Report).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Warning {
    /// Even the best fit leaves χ² far above the number of data.
    PoorFit {
        /// χ² of the best fit divided by the number of data.
        chi2_per_datum: f64,
    },
    /// The data are on the whole of the opposite sign of what a positive density gives.
    OppositeSign,
    /// The imaginary part of complex data is on the whole of the opposite sign of what a positive density gives: they are
    /// the complex conjugate, or all of them have the wrong sign. The data cannot tell which, for −G of a spectrum
    /// is the conjugate of that of its mirror image.
    Conjugate,
    /// Significant data of both signs where a positive density gives one: those of an off-diagonal element, say.
    BothSigns,
    /// χ² far above what noise of the size declared leaves, without structure in the residuals: the error bars are
    /// too small.
    SmallErrors {
        /// χ² divided by the number of data.
        chi2_per_datum: f64,
    },
    /// The answer leaves χ² far above the number of data, though a better fit exists.
    Underfitted {
        /// χ² of the answer divided by the number of data.
        chi2_per_datum: f64,
    },
    /// The answer, an estimate that was not fitted to these data, leaves χ² far above their number.
    Inconsistent {
        /// χ² of the answer divided by the number of data.
        chi2_per_datum: f64,
    },
    /// χ² far below what noise of the size declared leaves: the error bars are too large.
    LooseErrors {
        /// χ² divided by the number of data less the number of good data.
        chi2_per_datum: f64,
    },
    /// Neighbouring residuals agree in sign more often than independent noise lets them.
    CorrelatedResiduals {
        /// Their correlation, the report's `residual_correlation`.
        correlation: f64,
        /// Its standard deviation for independent noise.
        deviation: f64,
    },
    /// The ladder of α ended early: the iteration did not converge there.
    LadderCut {
        /// The α at which it failed.
        alpha: f64,
        /// Steps that had converged before.
        steps: usize,
        /// Whether the limit of iterations ended it; else no step made progress any more, or one was not finite.
        at_limit: bool,
    },
    /// Spectral weight sits at an end of the frequency grid.
    WeightAtEdge {
        /// Frequency of the end.
        omega: f64,
        /// Density there over the largest density.
        fraction: f64,
    },
    /// The spectrum's norm differs from what the default model, or the data, say.
    Norm {
        /// Σ a.
        found: f64,
        /// What was expected.
        expected: f64,
        /// Whether the spectrum may have either sign, and what was expected is the difference of the norms of its two
        /// default models.
        either_sign: bool,
    },
    /// The chosen α is the end of the ladder.
    AlphaAtEnd {
        /// That α.
        alpha: f64,
    },
    /// The search for the kinetic weight ended early: at a weight no step of the ladder could be used.
    KineticCut {
        /// The weight at which it failed.
        kinetic: f64,
        /// Weights that had been looked at before; without any, the weight is 0.
        steps: usize,
    },
    /// The kinetic weight was chosen at, or below, an end of the range that is searched.
    KineticAtEnd {
        /// That weight.
        kinetic: f64,
    },
    /// The spectral weights are negative somewhere.
    Negative {
        /// Sum of the negative weights.
        weight: f64,
    },
    /// Anything else, said in words by the room that knows.
    Note(String),
}

impl Warning {
    /// What explains other warnings: the stronger, the larger; 0 for what explains none.
    pub(super) fn strength(&self) -> u8 {
        match self {
            Warning::OppositeSign | Warning::Conjugate | Warning::BothSigns => 3,
            Warning::SmallErrors { .. } => 2,
            Warning::PoorFit { .. } | Warning::Inconsistent { .. } => 1,
            _ => 0,
        }
    }

    /// Whether `cause` alone would bring this warning about.
    pub(super) fn follows_from(&self, cause: &Warning) -> bool {
        match self {
            Warning::PoorFit { .. }
            | Warning::Underfitted { .. }
            | Warning::Inconsistent { .. } => cause.strength() >= 2,
            Warning::CorrelatedResiduals { .. }
            | Warning::AlphaAtEnd { .. }
            | Warning::KineticAtEnd { .. } => cause.strength() == 3 || cause.strength() == 1,
            Warning::Norm { .. }
            | Warning::WeightAtEdge { .. }
            | Warning::LadderCut { .. }
            | Warning::KineticCut { .. } => cause.strength() == 3,
            _ => false,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::PoorFit { chi2_per_datum } => write!(
                f,
                "even the best fit has chi2/N = {chi2_per_datum:.3}: the data cannot be fitted; are beta, the \
                 kernel, the sign and the error bars right, is the grid wide and fine enough, or are the data \
                 an off-diagonal element, for the positive-negative entropy?"
            ),
            Warning::OppositeSign => f.write_str(
                "the data have the opposite sign of what a positive spectrum gives: multiply them by -1 \
                 (a G(tau) = -<T c c^+> from Monte Carlo is minus what the kernel describes)",
            ),
            Warning::Conjugate => f.write_str(
                "the imaginary part of the data has the opposite sign of what a positive spectrum gives: they look \
                 like the complex conjugate, G(-iw_n), so change the sign of the imaginary part (or of the \
                 frequencies); if the real part has the wrong sign too, multiply the data by -1",
            ),
            Warning::BothSigns => f.write_str(
                "the data have both signs where a positive spectrum gives one: if they are an off-diagonal element, \
                 take the positive-negative entropy",
            ),
            Warning::SmallErrors { chi2_per_datum } => write!(
                f,
                "chi2/N = {chi2_per_datum:.3} and no structure in the residuals: the error bars are probably too \
                 small, by a factor of about {:.1}",
                chi2_per_datum.sqrt()
            ),
            Warning::Underfitted { chi2_per_datum } => write!(
                f,
                "the answer has chi2/N = {chi2_per_datum:.3} although a better fit may exist: the weight of \
                 its prior (alpha, lambda) is too large, or the method went no further"
            ),
            Warning::Inconsistent { chi2_per_datum } => write!(
                f,
                "the answer, an estimate that was not fitted to these data, has chi2/N = {chi2_per_datum:.3}: are \
                 they on the scale of the training set (norm, sign), and at its noise? Make the answer agree with \
                 them (DataConsistent), refine it (FewPeaks), take it as a default model (MaxEnt), or train on \
                 spectra and noise like these"
            ),
            Warning::LooseErrors { chi2_per_datum } => write!(
                f,
                "chi2/(N - N_good) = {chi2_per_datum:.2e}: the data scatter less than their error bars \
                 say, by a factor of about {:.1}; rules that rely on chi2 = N do not apply",
                chi2_per_datum.sqrt().recip()
            ),
            Warning::CorrelatedResiduals { correlation, deviation } => write!(
                f,
                "neighbouring residuals are correlated, {correlation:.3} where independent noise gives 0 +- \
                 {deviation:.3}: the fit leaves structure in the data, or their noise is correlated and \
                 its covariance should be given"
            ),
            Warning::LadderCut { alpha, steps, at_limit } => write!(
                f,
                "the iteration did not converge at alpha = {alpha:e}, where the ladder was ended: the \
                 choice of alpha rests on the {steps} steps above; {}",
                match at_limit {
                    true => "raise the limit of iterations",
                    false => "no step made progress there, or one was not finite, so more of them will not help",
                }
            ),
            Warning::WeightAtEdge { omega, fraction } => write!(
                f,
                "the density at the grid's end {omega} is {:.1} % of its maximum: widen the grid",
                100.0 * fraction
            ),
            Warning::Norm { found, expected, either_sign: true } => write!(
                f,
                "the weights add up to {found:.6}, where the norms of the default models of both signs differ by \
                 {expected:.6} (zero is that of an off-diagonal element of orthonormal orbitals): if the spectrum \
                 has another norm, give default models that differ by it; else check scale and beta"
            ),
            Warning::Norm { found, expected, either_sign: false } => write!(
                f,
                "the weights add up to {found:.6}, expected {expected:.6}: check sign, scale, \
                 beta and norm"
            ),
            Warning::AlphaAtEnd { alpha } => {
                write!(f, "alpha = {alpha:e} is the end of the ladder: do not trust its choice")
            }
            Warning::KineticCut { kinetic, steps } => write!(
                f,
                "no alpha could be used at the kinetic weight {kinetic:e}, where the search for it was \
                 ended: the choice rests on the {steps} weights below{}",
                if *steps == 0 { ", the answer is that without a kinetic prior" } else { "" }
            ),
            Warning::KineticAtEnd { kinetic } => write!(
                f,
                "the kinetic weight {kinetic:e} is chosen at an end of the range searched: do not trust \
                 its choice"
            ),
            Warning::Negative { weight } => {
                write!(f, "negative spectral weight, {weight:e} in total")
            }
            Warning::Note(text) => f.write_str(text),
        }
    }
}
