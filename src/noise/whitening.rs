//! The linear map g ↦ g̃ that turns correlated noise into independent noise of unit variance.

use super::modes::Modes;
use super::{NoiseReport, NoiseTreatment};
use crate::error::{
    Error, Result, check_all_positive, check_finite, check_len, check_not_empty, check_scalar,
};
use crate::linalg::dot;
use crate::real::Real;
use nalgebra::DMatrix;

/// A whitening map W with χ² = ‖W(g − Ka)‖²: W C Wᵀ = 1, and WᵀW = C⁻¹ on the modes that are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitening<T: Real = f64> {
    kind: Kind<T>,
    report: NoiseReport,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind<T: Real> {
    /// 1/σ_i for independent errors.
    Diagonal(Vec<T>),
    /// Kept modes × data, diag(s)^{−½} Uᵀ.
    Dense(DMatrix<T>),
}

/// The relative cut used where none is given: smaller eigenvalues of a covariance are rounding.
const RELATIVE_CUT: f64 = 1e-12;

/// `Err` unless in [0, 1).
pub(super) fn check_cut<T: Real>(relative_cut: T) -> Result<()> {
    check_scalar("relative_cut", relative_cut)?;
    if relative_cut >= T::zero() && relative_cut < T::one() {
        Ok(())
    } else {
        Err(Error::OutOfRange {
            argument: "relative_cut",
            value: relative_cut.as_f64(),
            expected: "a number in [0, 1)",
        })
    }
}

impl<T: Real> Whitening<T> {
    /// The cut that is used unless another is given: 10⁻¹².
    pub fn default_cut() -> T {
        T::lit(RELATIVE_CUT)
    }

    /// From independent error bars σ_i (standard deviations of the mean): W = diag(1/σ). None is dropped.
    ///
    /// # Errors
    /// Empty, non-finite or non-positive error bars.
    pub fn from_errors(errors: &[T]) -> Result<Self> {
        let inverse = inverses(errors)?;
        let n = errors.len();
        let report = NoiseReport {
            data: n,
            kept: n,
            dropped: 0,
            constant: 0,
            relative_cut: 0.0,
            treatment: NoiseTreatment::Errors,
            autocorrelation: None,
            notes: Vec::new(),
        };
        Ok(Whitening { kind: Kind::Diagonal(inverse), report })
    }

    /// From the covariance C = U diag(s) Uᵀ of the mean: W = diag(s)^{−½} Uᵀ.
    ///
    /// Modes with s_k ≤ `relative_cut`·s_max are dropped, and so is what rounding has produced: below
    /// 2√N ε, and below |s_min| if an eigenvalue is negative (a table of few digits). A singular matrix is
    /// therefore welcome. A diagonal matrix gives what its error bars give, to rounding; the cut applies
    /// there too, so error bars that span more than six decades need a smaller one than 10⁻¹² (0 keeps
    /// every positive variance of a diagonal matrix).
    ///
    /// # Errors
    /// A matrix that is empty, not square, not finite, not symmetric or, by more than rounding to eight
    /// digits, not positive semidefinite; the zero matrix; `relative_cut` outside \[0, 1).
    pub fn from_covariance(covariance: &DMatrix<T>, relative_cut: T) -> Result<Self> {
        let argument = "covariance";
        check_cut(relative_cut)?;
        check_not_empty(argument, covariance.nrows(), 1)?;
        check_len(argument, covariance.ncols(), covariance.nrows(), "its columns")?;
        check_finite(argument, covariance.as_slice())?;
        let tolerance = (64.0 * T::EPSILON.as_f64()).max(1e-8);
        let c = covariance.map(|v| v.as_f64());
        check_symmetric(argument, &c, tolerance)?;
        let c = &c * 0.5 + c.transpose() * 0.5;
        let cut = relative_cut.as_f64();
        let modes = Modes::of(argument, c, cut, T::EPSILON.as_f64(), tolerance)?;
        let mut notes = Vec::new();
        if let Some(negative) = modes.negative {
            notes.push(format!(
                "the covariance has an eigenvalue {negative:.1e} times the largest: modes smaller than \
                 that were dropped; write it with more digits"
            ));
        }
        let n = covariance.nrows();
        if modes.len() < n {
            notes.push(modes.cut_note(n));
        }
        let report = NoiseReport {
            data: n,
            kept: modes.len(),
            dropped: n - modes.len(),
            constant: 0,
            relative_cut: modes.relative_cut,
            treatment: NoiseTreatment::Covariance,
            autocorrelation: None,
            notes,
        };
        Self::from_modes(&modes, report)
    }

    /// W = √f diag(s)^{−½} Uᵀ, f being Hartlap's factor if `report` names it.
    pub(super) fn from_modes(modes: &Modes, report: NoiseReport) -> Result<Self> {
        let factor = match report.treatment {
            NoiseTreatment::Hartlap { factor, .. } => factor,
            _ => 1.0,
        };
        let scale = |k: usize| (factor / modes.variances[k]).sqrt();
        let kind = if modes.diagonal {
            Kind::Diagonal((0..modes.len()).map(|k| T::lit(scale(k))).collect())
        } else {
            let (rows, columns) = (modes.len(), modes.vectors.nrows());
            Kind::Dense(DMatrix::from_fn(rows, columns, |k, i| {
                T::lit(scale(k) * modes.vectors[(i, k)])
            }))
        };
        Self::checked(kind, report)
    }

    /// The same for data and noise multiplied by `factor`: W/|factor|.
    pub(super) fn scaled(&self, factor: T) -> Result<Self> {
        let factor = factor.abs();
        let kind = match &self.kind {
            Kind::Diagonal(d) => Kind::Diagonal(d.iter().map(|&d| d / factor).collect()),
            Kind::Dense(w) => Kind::Dense(w / factor),
        };
        Self::checked(kind, self.report.clone())
    }

    /// The same with further data of independent error bars: W and diag(1/σ) side by side.
    pub(super) fn with_errors(&self, errors: &[T]) -> Result<Self> {
        let inverse = inverses(errors)?;
        let kind = match &self.kind {
            Kind::Diagonal(d) => Kind::Diagonal(d.iter().chain(&inverse).copied().collect()),
            Kind::Dense(w) => {
                let (rows, columns, n) = (w.nrows(), w.ncols(), inverse.len());
                let mut both = w.clone().resize(rows + n, columns + n, T::zero());
                for (i, &v) in inverse.iter().enumerate() {
                    both[(rows + i, columns + i)] = v;
                }
                Kind::Dense(both)
            }
        };
        let mut report = self.report.clone();
        report.data += errors.len();
        report.kept += errors.len();
        Self::checked(kind, report)
    }

    /// Variances too small for the scalar type overflow here.
    fn checked(kind: Kind<T>, report: NoiseReport) -> Result<Self> {
        match &kind {
            Kind::Diagonal(d) => check_finite("whitening", d)?,
            Kind::Dense(w) => check_finite("whitening", w.as_slice())?,
        }
        Ok(Whitening { kind, report })
    }

    /// The variance p·C p of the linear form p·g in the noise of the modes kept.
    ///
    /// Rows w_k of W are orthogonal with ‖w_k‖² = 1/s_k, so that C = Σ s_k² w_k w_kᵀ.
    pub(crate) fn variance(&self, p: &[T]) -> T {
        match &self.kind {
            Kind::Diagonal(d) => d.iter().zip(p).map(|(&d, &p)| p * p / (d * d)).sum(),
            Kind::Dense(w) => {
                let along = w * nalgebra::DVectorView::from_slice(p, p.len());
                let modes = w.row_iter().zip(along.iter());
                modes.map(|(w, &c)| (c / w.norm_squared()) * (c / w.norm_squared())).sum()
            }
        }
    }

    /// Where the noise came from and what was kept of it.
    pub fn report(&self) -> &NoiseReport {
        &self.report
    }

    /// The number of raw data.
    pub fn columns(&self) -> usize {
        match &self.kind {
            Kind::Diagonal(d) => d.len(),
            Kind::Dense(w) => w.ncols(),
        }
    }

    /// The number of whitened data N: the kept modes.
    pub fn rows(&self) -> usize {
        match &self.kind {
            Kind::Diagonal(d) => d.len(),
            Kind::Dense(w) => w.nrows(),
        }
    }

    /// W v for a vector of [`columns`](Self::columns) entries.
    ///
    /// # Panics
    /// If the length differs.
    pub fn apply(&self, v: &[T]) -> Vec<T> {
        assert_eq!(v.len(), self.columns(), "whitening of a vector of another length");
        match &self.kind {
            Kind::Diagonal(d) => d.iter().zip(v).map(|(&d, &v)| d * v).collect(),
            Kind::Dense(w) => {
                (w * nalgebra::DVectorView::from_slice(v, v.len())).as_slice().to_vec()
            }
        }
    }

    /// Wᵀ v for a vector of [`rows`](Self::rows) entries: what turns derivatives by whitened data into
    /// derivatives by raw data.
    ///
    /// # Panics
    /// If the length differs.
    pub fn apply_transposed(&self, v: &[T]) -> Vec<T> {
        assert_eq!(v.len(), self.rows(), "transposed whitening of a vector of another length");
        match &self.kind {
            Kind::Diagonal(d) => d.iter().zip(v).map(|(&d, &v)| d * v).collect(),
            Kind::Dense(w) => {
                // Column by column, as they lie in memory.
                w.column_iter().map(|column| dot(column.as_slice(), v)).collect()
            }
        }
    }

    /// W⁺ ξ for a vector of [`rows`](Self::rows) entries: noise of the covariance C, on the modes that are
    /// kept, where ξ is independent with unit variance.
    ///
    /// # Panics
    /// If the length differs.
    pub fn colour(&self, xi: &[T]) -> Vec<T> {
        assert_eq!(xi.len(), self.rows(), "colouring of a vector of another length");
        match &self.kind {
            Kind::Diagonal(d) => d.iter().zip(xi).map(|(&d, &x)| x / d).collect(),
            Kind::Dense(w) => {
                // The rows of W are orthogonal: W⁺ = Wᵀ diag(1/‖row‖²).
                let mut squares = vec![T::zero(); w.nrows()];
                for column in w.column_iter() {
                    squares.iter_mut().zip(column.iter()).for_each(|(s, &w)| *s += w * w);
                }
                let scaled: Vec<T> = xi.iter().zip(&squares).map(|(&x, &s)| x / s).collect();
                self.apply_transposed(&scaled)
            }
        }
    }

    /// Standard deviations of the raw data on the modes that are kept: √C_ii.
    pub fn deviations(&self) -> Vec<T> {
        match &self.kind {
            Kind::Diagonal(d) => d.iter().map(|&d| T::one() / d).collect(),
            Kind::Dense(w) => {
                let mut variances = vec![T::zero(); w.ncols()];
                for row in w.row_iter() {
                    let scale = T::one() / row.norm_squared();
                    for (v, &w) in variances.iter_mut().zip(row.iter()) {
                        *v += (scale * w) * (scale * w);
                    }
                }
                variances.into_iter().map(|v| v.sqrt()).collect()
            }
        }
    }

    /// W M for a matrix with [`columns`](Self::columns) rows.
    ///
    /// # Panics
    /// If the shape differs.
    pub fn apply_matrix(&self, m: &DMatrix<T>) -> DMatrix<T> {
        assert_eq!(m.nrows(), self.columns(), "whitening of a matrix of another height");
        match &self.kind {
            Kind::Diagonal(d) => {
                let mut out = m.clone();
                for mut column in out.column_iter_mut() {
                    for (v, &d) in column.iter_mut().zip(d) {
                        *v *= d;
                    }
                }
                out
            }
            Kind::Dense(w) => w * m,
        }
    }
}

/// 1/σ_i.
fn inverses<T: Real>(errors: &[T]) -> Result<Vec<T>> {
    check_not_empty("errors", errors.len(), 1)?;
    check_all_positive("errors", errors)?;
    let inverse: Vec<T> = errors.iter().map(|&e| T::one() / e).collect();
    match inverse.iter().position(|w| !w.is_finite()) {
        None => Ok(inverse),
        Some(index) => Err(Error::ElementOutOfRange {
            argument: "errors",
            index,
            value: errors[index].as_f64(),
            expected: "an error bar whose inverse is finite",
        }),
    }
}

/// `Err` at the pair with |c_ij − c_ji| above `tolerance`·√(c_ii c_jj).
fn check_symmetric(argument: &'static str, c: &DMatrix<f64>, tolerance: f64) -> Result<()> {
    for column in 0..c.ncols() {
        for row in 0..column {
            let (value, transposed) = (c[(row, column)], c[(column, row)]);
            let scale = (c[(row, row)].abs() * c[(column, column)].abs()).sqrt();
            if (value - transposed).abs() > tolerance * scale {
                return Err(Error::NotSymmetric { argument, row, column, value, transposed });
            }
        }
    }
    Ok(())
}
