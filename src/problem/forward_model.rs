//! Kernel, axes and noise: what problems with different data share.

use super::Fingerprint;
use crate::error::{Error, Result, check_finite, check_len};
use crate::grid::FrequencyGrid;
use crate::kernel::{Density, Kernel};
use crate::linalg::{Svd, thin_svd};
use crate::noise::Whitening;
use crate::real::Real;
use nalgebra::DMatrix;
use std::sync::{Arc, OnceLock};

/// The map a ↦ K a from spectral weights to data, with the noise of those data.
#[derive(Debug)]
pub struct ForwardModel<T: Real = f64> {
    x: Vec<T>,
    grid: FrequencyGrid<T>,
    density: Density,
    kernel: DMatrix<T>,
    whitening: Whitening<T>,
    whitened_kernel: DMatrix<T>,
    fingerprint: Fingerprint,
    /// Of the whitened kernel, made at first use.
    svd: OnceLock<Result<Svd<T>>>,
    /// Of the raw kernel, without what is rounding; made when a model with other noise asks for it.
    raw_svd: Arc<OnceLock<Result<Svd<T>>>>,
    /// Whether `svd` is to be made from `raw_svd`.
    derived: bool,
}

impl<T: Real> ForwardModel<T> {
    /// Evaluates the kernel on data axis `x` and `grid`, and whitens it.
    ///
    /// # Errors
    /// Those of the kernel on these axes; a whitening for another number of data; error bars so small that
    /// the kernel divided by them is not finite.
    pub fn new(
        kernel: &dyn Kernel<T>,
        x: &[T],
        grid: &FrequencyGrid<T>,
        whitening: Whitening<T>,
    ) -> Result<Self> {
        let matrix = kernel.matrix(x, grid.points())?;
        check_len("data", whitening.columns(), matrix.nrows(), "the kernel's rows")?;
        let whitened_kernel = whitening.apply_matrix(&matrix);
        check_finite("whitened kernel", whitened_kernel.as_slice())?;
        let fingerprint = Fingerprint::of(&[x, grid.points(), grid.weights(), matrix.as_slice()]);
        Ok(ForwardModel {
            x: x.to_vec(),
            grid: grid.clone(),
            density: kernel.density(),
            kernel: matrix,
            whitening,
            whitened_kernel,
            fingerprint,
            svd: OnceLock::new(),
            raw_svd: Arc::default(),
            derived: false,
        })
    }

    /// The same kernel and axes with other noise, for data whose error bars differ from spectrum to spectrum.
    ///
    /// The raw kernel is decomposed once, K = U S Vᵀ, however many models are derived; each then decomposes
    /// only the whitened U S, of as many columns as K has singular values above rounding (ε times the
    /// largest). What is left out changes a whitened element by ε‖K‖ over its error bar, which matters only
    /// where error bars differ by many orders of magnitude.
    ///
    /// # Errors
    /// A whitening for another number of data; error bars so small that the kernel divided by them is not
    /// finite.
    pub fn with_whitening(&self, whitening: Whitening<T>) -> Result<Self> {
        check_len("data", whitening.columns(), self.kernel.nrows(), "the kernel's rows")?;
        let whitened_kernel = whitening.apply_matrix(&self.kernel);
        check_finite("whitened kernel", whitened_kernel.as_slice())?;
        Ok(ForwardModel {
            x: self.x.clone(),
            grid: self.grid.clone(),
            density: self.density,
            kernel: self.kernel.clone(),
            whitening,
            whitened_kernel,
            fingerprint: self.fingerprint,
            svd: OnceLock::new(),
            raw_svd: Arc::clone(&self.raw_svd),
            derived: true,
        })
    }

    /// The data axis.
    pub fn x(&self) -> &[T] {
        &self.x
    }

    /// The frequency grid.
    pub fn grid(&self) -> &FrequencyGrid<T> {
        &self.grid
    }

    /// The density the kernel acts on.
    pub fn density(&self) -> Density {
        self.density
    }

    /// The raw kernel K, data × N_ω, acting on weights.
    pub fn kernel(&self) -> &DMatrix<T> {
        &self.kernel
    }

    /// The whitened kernel K̃, N × N_ω.
    pub fn whitened_kernel(&self) -> &DMatrix<T> {
        &self.whitened_kernel
    }

    /// The whitening map of the noise.
    pub fn whitening(&self) -> &Whitening<T> {
        &self.whitening
    }

    /// Hash of kernel and axes.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// `Err` unless `problem` has this kernel, these axes and this noise: for solvers prepared for this model.
    pub(crate) fn check_same(&self, problem: &ForwardModel<T>) -> Result<()> {
        if core::ptr::eq(self, problem) {
            return Ok(());
        }
        if problem.fingerprint != self.fingerprint {
            let (found, expected) = (problem.fingerprint.value(), self.fingerprint.value());
            return Err(Error::FingerprintMismatch { found, expected });
        }
        // Noise is no part of the fingerprint.
        if problem.whitening != self.whitening {
            return Err(Error::Unsupported {
                argument: "problem",
                value: "with noise of its own",
                expected: "the noise of the forward model that was prepared",
            });
        }
        Ok(())
    }

    /// Singular values and vectors of the whitened kernel; computed once.
    pub(crate) fn svd(&self) -> Result<&Svd<T>> {
        let make = || {
            if self.derived { self.derive_svd() } else { thin_svd(NAME, &self.whitened_kernel) }
        };
        match self.svd.get_or_init(make) {
            Ok(svd) => Ok(svd),
            Err(error) => Err(error.clone()),
        }
    }

    /// With W the whitening and K = U S Vᵀ: W U S = U' S' Qᵀ gives W K = U' S' (V Q)ᵀ.
    fn derive_svd(&self) -> Result<Svd<T>> {
        let Svd { u, s, vt } =
            self.raw_svd.get_or_init(|| thin_svd("kernel", &self.kernel)).clone()?;
        let rank = s.iter().filter(|&&x| x > T::EPSILON * s[0]).count().max(1);
        let mut scaled = u.columns(0, rank).into_owned();
        for (mut column, &s) in scaled.column_iter_mut().zip(&s) {
            column *= s;
        }
        let inner = thin_svd(NAME, &self.whitening.apply_matrix(&scaled))?;
        Ok(Svd { u: inner.u, s: inner.s, vt: inner.vt * vt.rows(0, rank) })
    }
}

/// What errors call the matrix decomposed.
const NAME: &str = "whitened kernel";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::FermionTime;

    #[test]
    fn derived_models_have_the_decomposition_of_fresh_ones() {
        let tau: Vec<f64> = (0..40).map(|i| 8.0 * f64::from(i) / 39.0).collect();
        let grid = FrequencyGrid::uniform(-4.0, 4.0, 51).unwrap();
        let kernel = FermionTime::new(8.0).unwrap();
        let uniform = Whitening::from_errors(&[1e-3; 40]).unwrap();
        let first = ForwardModel::new(&kernel, &tau, &grid, uniform).unwrap();
        let errors: Vec<f64> = (0..40).map(|i| 1e-4 * (2.0 + f64::from(i).sin())).collect();
        let covariance = DMatrix::from_fn(40, 40, |i, j| {
            errors[i] * errors[j] * (-0.3 * (i as f64 - j as f64).abs()).exp()
        });
        for whitening in [
            Whitening::from_errors(&errors).unwrap(),
            Whitening::from_covariance(&covariance, Whitening::<f64>::default_cut()).unwrap(),
        ] {
            let derived = first.with_whitening(whitening.clone()).unwrap();
            let fresh = ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap();
            assert_eq!(derived.whitened_kernel(), fresh.whitened_kernel());
            assert_eq!(derived.fingerprint(), fresh.fingerprint());
            let (a, b) = (derived.svd().unwrap(), fresh.svd().unwrap());
            let size = b.s[0];
            assert!(a.s.iter().zip(&b.s).all(|(x, y)| (x - y).abs() < 1e-13 * size));
            let product = &a.u * DMatrix::from_diagonal(&a.s) * &a.vt;
            assert!((product - fresh.whitened_kernel()).norm() < 1e-13 * size);
            for identity in [a.u.tr_mul(&a.u), &a.vt * a.vt.transpose()] {
                assert!((&identity - DMatrix::identity(a.s.len(), a.s.len())).norm() < 1e-12);
            }
        }
        let short = Whitening::from_errors(&[1.0; 39]).unwrap();
        assert!(first.with_whitening(short).unwrap_err().to_string().contains("data"));
    }
}
