//! The kinetic prior ½∫(dA/dω)² dω of the kinetic-maxent paper: it keeps a spectrum from breaking into
//! spikes where the data do not hold it together.

use super::Prior;
use crate::error::{Error, Result, check_not_empty, check_positive};
use crate::grid::FrequencyGrid;
use crate::linalg::{BandedRows, SymmetricBand};
use crate::real::Real;
use crate::spectrum::Spectrum;

/// ½ Σ (A_{j+1} − A_j)²/(ω_{j+1} − ω_j) with A = h/Δω, or one of its relatives.
///
/// Its weight λ has units of energy³; it is scaled by norm²/width³ of a problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Kinetic<T = f64> {
    rows: BandedRows<T>,
}

/// Of the largest density, what is added to the density in [`Kinetic::relative`].
const FLOOR: f64 = 0.1;

impl<T: Real> Kinetic<T> {
    /// First differences on any grid, free at both ends: a constant costs nothing.
    ///
    /// # Errors
    /// Never for a valid grid.
    pub fn natural(grid: &FrequencyGrid<T>) -> Result<Self> {
        Self::first_differences(grid, false)
    }

    /// First differences on any grid, with A = 0 one spacing beyond both ends.
    ///
    /// # Errors
    /// Never for a valid grid.
    pub fn dirichlet(grid: &FrequencyGrid<T>) -> Result<Self> {
        Self::first_differences(grid, true)
    }

    /// The kinetic-maxent paper's stencil, ½ Σ Δω ((A_{i+1} − A_{i−1})/2Δω)² with A = 0 beyond both ends.
    ///
    /// It couples sites of equal parity only, so that it does not see an alternating spectrum; prefer
    /// [`natural`](Self::natural) unless the paper is to be reproduced.
    ///
    /// # Errors
    /// A grid that is not uniform (spacings differing by more than 10⁻⁶, or rounding), or with fewer than
    /// three points.
    pub fn central(grid: &FrequencyGrid<T>) -> Result<Self> {
        let (n, omega, w) = (grid.len(), grid.points(), grid.weights());
        check_not_empty("grid", n, 3)?;
        let spacing = (omega[n - 1] - omega[0]) / T::lit((n - 1) as f64);
        let largest = if omega[0].abs() > omega[n - 1].abs() { omega[0] } else { omega[n - 1] };
        let slack = T::lit(1e-6) * spacing + T::lit(8.0) * T::EPSILON * largest.abs();
        if let Some(i) = omega.windows(2).position(|p| (p[1] - p[0] - spacing).abs() > slack) {
            return Err(Error::ElementOutOfRange {
                argument: "grid",
                index: i + 1,
                value: omega[i + 1].as_f64(),
                expected: "a uniform grid for the central-difference kinetic prior",
            });
        }
        let c = T::lit(0.5) / spacing.sqrt();
        let (mut first, mut coefficients) = (Vec::new(), Vec::new());
        // The row of site i holds −c at i − 1 and c at i + 1, as far as they exist.
        for i in -1..=n as isize {
            let start = (i - 1).clamp(0, n as isize - 3) as usize;
            first.push(start);
            for j in start..start + 3 {
                coefficients.push(match j as isize - i {
                    1 => c / w[j],
                    -1 => -c / w[j],
                    _ => T::zero(),
                });
            }
        }
        Ok(Kinetic { rows: BandedRows::new(n, 3, first, coefficients)? })
    }

    /// Of second order: ½∫(d²A/dω²)² dω by second differences on any grid, free at both ends, so that a
    /// straight line costs nothing. λ then has units of energy⁵.
    ///
    /// # Errors
    /// A grid of fewer than three points.
    pub fn second_order(grid: &FrequencyGrid<T>) -> Result<Self> {
        let (n, omega, w) = (grid.len(), grid.points(), grid.weights());
        check_not_empty("grid", n, 3)?;
        let mut coefficients = Vec::with_capacity(3 * (n - 2));
        for j in 1..n - 1 {
            let (left, right) = (omega[j] - omega[j - 1], omega[j + 1] - omega[j]);
            // A'' = [(A_{j+1} − A_j)/right − (A_j − A_{j−1})/left]/Δ on a cell of width Δ.
            let root = (T::lit(0.5) * (left + right)).sqrt();
            let (a, b) = (T::one() / (left * root), T::one() / (right * root));
            coefficients.extend([a / w[j - 1], -(a + b) / w[j], b / w[j + 1]]);
        }
        Ok(Kinetic { rows: BandedRows::new(n, 3, (0..n - 2).collect(), coefficients)? })
    }

    /// Of third order and relative to a spectrum A₀: ½∫(d³A/dω³)²/(|A₀| + max|A₀|/10) dω by divided differences
    /// on any grid, free at both ends, so that a parabola costs nothing. A density that stands for an even
    /// function ([`Density::is_half_line`](crate::Density::is_half_line)) goes on as such below the grid. λ has units
    /// of energy⁶/norm.
    ///
    /// Where A₀ is large, as in a narrow peak, A may bend more. The tenth of the maximum lets there be more than
    /// A₀ shows.
    ///
    /// # Errors
    /// A grid of fewer than four points; a `reference` A₀ that is zero everywhere.
    pub fn relative(reference: &Spectrum<T>) -> Result<Self> {
        let (grid, values) = (reference.grid(), reference.values());
        let (n, omega, w) = (grid.len(), grid.points(), grid.weights());
        check_not_empty("grid", n, 4)?;
        let max = values.iter().fold(T::zero(), |max, a| if a.abs() > max { a.abs() } else { max });
        check_positive("largest value of the reference", max)?;
        let (mut first, mut coefficients) = (Vec::new(), Vec::new());
        // d³A/dω³ = 3! A[x_0, x_1, x_2, x_3] over the cell from x_1 to x_2, where columns[i] is the weight of
        // the value at x_i.
        let mut push = |x: [T; 4], columns: [usize; 4]| {
            let [_, left, right, _] = columns;
            let middle = T::lit(0.5) * (values[left].abs() + values[right].abs());
            let root = T::lit(6.0) * ((x[2] - x[1]) / (middle + T::lit(FLOOR) * max)).sqrt();
            let start = columns.into_iter().fold(n - 4, usize::min);
            let mut row = [T::zero(); 4];
            for (a, &column) in columns.iter().enumerate() {
                let others = (0..4).filter(|&b| b != a).map(|b| x[a] - x[b]);
                let product = others.fold(T::one(), |product, d| product * d);
                row[column - start] += root / (w[column] * product);
            }
            first.push(start);
            coefficients.extend(row);
        };
        if reference.density().is_half_line() && omega[0] >= T::zero() {
            let mirrored = usize::from(omega[0] == T::zero());
            push([-omega[mirrored], omega[0], omega[1], omega[2]], [mirrored, 0, 1, 2]);
        }
        for j in 0..n - 3 {
            push([omega[j], omega[j + 1], omega[j + 2], omega[j + 3]], [j, j + 1, j + 2, j + 3]);
        }
        Ok(Kinetic { rows: BandedRows::new(n, 4, first, coefficients)? })
    }

    fn first_differences(grid: &FrequencyGrid<T>, dirichlet: bool) -> Result<Self> {
        let (n, omega, w) = (grid.len(), grid.points(), grid.weights());
        let (mut first, mut coefficients) = (Vec::new(), Vec::new());
        let root = |j: usize| T::one() / (omega[j + 1] - omega[j]).sqrt();
        let mut push = |start: usize, row: [T; 2]| {
            first.push(start);
            coefficients.extend(row);
        };
        if dirichlet {
            push(0, [root(0) / w[0], T::zero()]);
        }
        for j in 0..n - 1 {
            push(j, [-root(j) / w[j], root(j) / w[j + 1]]);
        }
        if dirichlet {
            push(n - 2, [T::zero(), root(n - 2) / w[n - 1]]);
        }
        Ok(Kinetic { rows: BandedRows::new(n, 2, first, coefficients)? })
    }
}

impl<T: Real> Prior<T> for Kinetic<T> {
    fn dim(&self) -> usize {
        self.rows.columns()
    }

    fn value(&self, h: &[T]) -> T {
        self.rows.half_square(h)
    }

    fn add_gradient(&self, h: &[T], weight: T, out: &mut [T]) {
        self.rows.add_gradient(h, weight, out);
    }

    fn add_hessian(&self, _h: &[T], weight: T, out: &mut SymmetricBand<T>) {
        self.rows.add_hessian(weight, out);
    }

    fn bandwidth(&self) -> usize {
        self.rows.width() - 1
    }

    fn rows(&self) -> Option<&BandedRows<T>> {
        Some(&self.rows)
    }
}
