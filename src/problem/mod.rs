//! The linear problem g = K a + noise: what every solver takes. Floor 3.
//!
//! A [`ForwardModel`] is everything that does not depend on the data values: kernel, axes and noise. It
//! is prepared once and shared by any number of [`Problem`]s, each with its data vector. Solvers see the
//! same data twice: whitened, where χ² is a plain sum of squares (maximum entropy), and raw, on the grid
//! it was measured on (networks). A [`Fingerprint`] of kernel and axes lets a trained network refuse a
//! problem it was not trained for.

mod fingerprint;
mod forward_model;

pub use fingerprint::Fingerprint;
pub use forward_model::ForwardModel;

use crate::error::{Result, check_finite, check_len};
use crate::grid::FrequencyGrid;
use crate::kernel::Kernel;
use crate::noise::Measurement;
use crate::real::Real;
use nalgebra::{DMatrix, DVectorView};
use std::sync::Arc;

/// A data vector and its forward model.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, Measurement, Problem};
/// let (tau, g) = ([0.0, 1.0, 2.0], [0.5, 0.2, 0.5]);
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?;
/// let grid = FrequencyGrid::uniform(-5.0, 5.0, 101)?;
/// let problem = Problem::new(&FermionTime::new(2.0)?, &data, &grid)?;
/// assert_eq!(problem.kernel().shape(), (3, 101));
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Problem<T: Real = f64> {
    model: Arc<ForwardModel<T>>,
    data: Vec<T>,
    whitened_data: Vec<T>,
}

impl<T: Real> Problem<T> {
    /// The problem of a kernel, a measurement and a frequency grid.
    ///
    /// # Errors
    /// Those of the kernel on these axes, and data whose number is not the kernel's number of rows.
    pub fn new(
        kernel: &dyn Kernel<T>,
        data: &Measurement<T>,
        grid: &FrequencyGrid<T>,
    ) -> Result<Self> {
        let model = ForwardModel::new(kernel, data.x(), grid, data.whitening().clone())?;
        Self::from_model(Arc::new(model), data.values())
    }

    /// The problem of a prepared model and a data vector.
    ///
    /// # Errors
    /// `values` of another length than the model's number of data, or not finite, or not finite once
    /// divided by their errors.
    pub fn from_model(model: Arc<ForwardModel<T>>, values: &[T]) -> Result<Self> {
        check_len("values", values.len(), model.kernel().nrows(), "the kernel's rows")?;
        check_finite("values", values)?;
        let whitened_data = model.whitening().apply(values);
        check_finite("whitened data", &whitened_data)?;
        Ok(Problem { model, data: values.to_vec(), whitened_data })
    }

    /// The same kernel, axes and noise with other data: no decomposition is repeated.
    ///
    /// # Errors
    /// As [`from_model`](Self::from_model).
    pub fn with_data(&self, values: &[T]) -> Result<Self> {
        Self::from_model(Arc::clone(&self.model), values)
    }

    /// The shared part: kernel, axes and noise.
    pub fn model(&self) -> &Arc<ForwardModel<T>> {
        &self.model
    }

    /// The frequency grid.
    pub fn grid(&self) -> &FrequencyGrid<T> {
        self.model.grid()
    }

    /// The raw kernel K, data × N_ω, acting on weights a = A Δω.
    pub fn kernel(&self) -> &DMatrix<T> {
        self.model.kernel()
    }

    /// The raw data g.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The whitened kernel K̃, N × N_ω, acting on weights.
    pub fn whitened_kernel(&self) -> &DMatrix<T> {
        self.model.whitened_kernel()
    }

    /// The whitened data g̃, of unit noise variance.
    pub fn whitened_data(&self) -> &[T] {
        &self.whitened_data
    }

    /// Back-continuation: the raw data K a that spectral weights `a` would give.
    ///
    /// # Errors
    /// `weights` of another length than the grid.
    pub fn back_continue(&self, weights: &[T]) -> Result<Vec<T>> {
        check_len("weights", weights.len(), self.grid().len(), "the frequency grid")?;
        let a = DVectorView::from_slice(weights, weights.len());
        Ok((self.kernel() * a).as_slice().to_vec())
    }

    /// The whitened residuals g̃ − K̃a of spectral weights `a`.
    ///
    /// # Errors
    /// `weights` of another length than the grid.
    pub fn whitened_residuals(&self, weights: &[T]) -> Result<Vec<T>> {
        check_len("weights", weights.len(), self.grid().len(), "the frequency grid")?;
        let a = DVectorView::from_slice(weights, weights.len());
        let fit = self.whitened_kernel() * a;
        Ok(self.whitened_data.iter().zip(fit.iter()).map(|(&g, &f)| g - f).collect())
    }

    /// χ² = ‖g̃ − K̃a‖² of spectral weights `a`.
    ///
    /// # Errors
    /// `weights` of another length than the grid.
    pub fn chi2(&self, weights: &[T]) -> Result<T> {
        Ok(self.whitened_residuals(weights)?.iter().map(|&r| r * r).sum())
    }
}
