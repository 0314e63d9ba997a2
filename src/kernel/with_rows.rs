//! Further linear data beside those of a kernel: moments, a known high-frequency tail, a sum rule with an
//! error bar.

use super::{Density, Kernel};
use crate::error::{Result, check_not_empty};
use crate::real::Real;
use nalgebra::DMatrix;
use std::sync::Arc;

/// A function c(ω) of a further row.
type Row<T> = Arc<dyn Fn(T) -> T + Send + Sync>;

/// A kernel with further rows c(ω): data ∫ c(ω) A(ω) dω beside those on the data axis.
///
/// The counterpart of every row is a value and an error bar appended to the data, in the same order, by
/// [`Measurement::with_rows`](crate::Measurement::with_rows). To every solver they are data like the others: they count in
/// χ² and N, and an error bar that tends to zero is an exact constraint (not smaller than rounding of the
/// others', though: 10⁻⁶ of a value is exact enough).
///
/// The tail of a Matsubara function, G(iω_n) = Σ_k m_k/(iω_n)^{k+1}, is known through its moments
/// m_k = ∫ω^k A dω.
///
/// ```
/// use fredholm::{FermionTime, FrequencyGrid, Measurement, Problem, WithRows};
/// let (tau, g) = ([0.0, 1.0, 2.0], [0.5, 0.2, 0.5]);
/// // The norm is 1, and the mean energy ∫ωA dω vanishes, to 10⁻⁵.
/// let kernel = WithRows::new(FermionTime::new(2.0)?).moment(0).moment(1);
/// let data = Measurement::with_uniform_error(&tau, &g, 1e-3)?.with_rows(&[1.0, 0.0], &[1e-5; 2])?;
/// let problem = Problem::new(&kernel, &data, &FrequencyGrid::uniform(-5.0, 5.0, 101)?)?;
/// assert_eq!(problem.kernel().shape(), (5, 101));
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Clone)]
pub struct WithRows<K, T: Real = f64> {
    kernel: K,
    rows: Vec<Row<T>>,
}

impl<T: Real, K: Kernel<T>> WithRows<K, T> {
    /// `kernel`, as yet without further rows.
    pub fn new(kernel: K) -> Self {
        WithRows { kernel, rows: Vec::new() }
    }

    /// Appends the row of the moment ∫ω^`power` A(ω) dω over the frequency grid, of the spectral function A
    /// itself whatever [`Density`] the kernel acts on (for one that lives on ω ≥ 0: the integral over that
    /// half).
    pub fn moment(self, power: u32) -> Self {
        let density = self.kernel.density();
        let power = power.min(i32::MAX as u32) as i32;
        self.row(move |w: T| density.spectral(w, w.powi(power)))
    }

    /// Appends a row c(ω), acting on the density the kernel acts on.
    pub fn row(mut self, c: impl Fn(T) -> T + Send + Sync + 'static) -> Self {
        self.rows.push(Arc::new(c));
        self
    }
}

impl<K: core::fmt::Debug, T: Real> core::fmt::Debug for WithRows<K, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let rows = self.rows.len();
        f.debug_struct("WithRows").field("kernel", &self.kernel).field("rows", &rows).finish()
    }
}

impl<T: Real, K: Kernel<T>> Kernel<T> for WithRows<K, T> {
    fn rows(&self, n: usize) -> usize {
        self.kernel.rows(n) + self.rows.len()
    }

    fn check(&self, x: &[T], omega: &[T]) -> Result<()> {
        check_not_empty("further rows", self.rows.len(), 1)?;
        self.kernel.check(x, omega)
    }

    fn fill(&self, x: &[T], omega: &[T], out: &mut DMatrix<T>) {
        let upper = self.kernel.rows(x.len());
        let mut kernel = DMatrix::zeros(upper, omega.len());
        self.kernel.fill(x, omega, &mut kernel);
        out.rows_mut(0, upper).copy_from(&kernel);
        for (i, row) in self.rows.iter().enumerate() {
            for (j, &w) in omega.iter().enumerate() {
                out[(upper + i, j)] = row(w);
            }
        }
    }

    fn density(&self) -> Density {
        self.kernel.density()
    }
}
