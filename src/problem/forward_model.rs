//! Kernel, axes and noise: what problems with different data share.

use super::Fingerprint;
use crate::error::{Result, check_finite, check_len};
use crate::grid::FrequencyGrid;
use crate::kernel::{Density, Kernel};
use crate::linalg::{Svd, thin_svd};
use crate::noise::Whitening;
use crate::real::Real;
use nalgebra::DMatrix;
use std::sync::OnceLock;

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

    /// Singular values and vectors of the whitened kernel; computed once.
    pub(crate) fn svd(&self) -> Result<&Svd<T>> {
        match self.svd.get_or_init(|| thin_svd("whitened kernel", &self.whitened_kernel)) {
            Ok(svd) => Ok(svd),
            Err(error) => Err(error.clone()),
        }
    }
}
