//! Few peaks: refinement of any answer by mixtures of Gaussians that fit the data. Floor 8.
//!
//! Where a spectrum consists of a handful of peaks, data of small noise fix their parameters almost exactly,
//! and no method that knows nothing of peaks comes near what the data say: a feed-forward network blurs them.
//! [`FewPeaks`] starts from the answer of another method, fits mixtures of one, two, … Gaussians to the data,
//! and averages the fits by their evidence; where none is likely the answer it was handed stays.
//!
//! It is a *parametric prior*: right where spectra are such mixtures, and misleading where they are not and a
//! mixture happens to fit all the same. What it did, and with which weight, is in the [`PeakReport`].
//!
//! - `mixture`: coordinates of a mixture, its weights on the grid and their derivatives;
//! - `fit`: Levenberg and Marquardt's method for the most probable coordinates;
//! - `evidence`: that of a mode, from widths that are measured, and of its permutations;
//! - `refined`: a method and the refinement of its answer as one solver;
//! - `search`: orders and starting points;
//! - `alternative`: the evidence of a Gaussian distribution of spectra, for what is no mixture of few peaks.

mod alternative;
mod evidence;
mod few_peaks;
mod fit;
mod mixture;
mod prepared;
mod refined;
mod report;
mod search;
#[cfg(test)]
mod tests;

pub use few_peaks::FewPeaks;
pub use prepared::{PreparedFewPeaks, RefinedBatch};
pub use refined::Refined;
pub use report::{GaussianPeak, PeakReport};
