//! The front: a fixed linear map between raw data and a network.
//!
//! Data g of a smoothing kernel lie, but for noise, in the span of a few singular vectors, with
//! coordinates that fall over many orders of magnitude: networks that see raw g are limited by this
//! conditioning, not by their size. The front x = P g projects g on the leading left singular vectors of
//! K and scales each coordinate to unit second moment over a training set. The coordinates are not
//! centred: layers without a bias could not undo it.
//!
//! A network for many noise levels is told the noise: an *adaptive* front shrinks every coordinate, which is of
//! unit second moment without noise and has variance c_k = p_k·C p_k in the noise C of the data, by its Wiener
//! weight, and adds one more input, the fraction of coordinates that rise above the noise:
//!
//! ```text
//! x_k = p_k·g/(1 + c_k)        x_{K+1} = (1/K) Σ 1/(1 + c_k)
//! ```

use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::linalg::{Cholesky, MatMut, MatRef, gemm, thin_svd};
use crate::noise::Whitening;
use crate::parallel;
use crate::real::Real;
use nalgebra::DMatrix;

/// x = P g with a fixed matrix P (k × m), in `f64` whatever the scalar of the network: rounding of g to
/// `f32` would be amplified by P as noise is.
///
/// ```
/// use fredholm::{Front, nalgebra::DMatrix};
/// let data = DMatrix::from_fn(3, 50, |i, j| ((3 * i + j) as f64).sin());
/// let front = Front::singular(&DMatrix::identity(3, 3), 2, &data)?;
/// let x: DMatrix<f32> = front.apply(&data)?;
/// assert_eq!(x.shape(), (2, 50));
/// assert!((x.row(0).norm_squared() / 50.0 - 1.0).abs() < 1e-5);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "Stored", try_from = "Stored"))]
pub struct Front {
    inputs: usize,
    /// Rows of P.
    coordinates: usize,
    /// P, row-major.
    matrix: Vec<f64>,
    telling: Telling,
}

/// What a front says about the noise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Telling {
    /// Nothing.
    #[default]
    Silent,
    /// One more input and Wiener weights, once the noise is known.
    Adaptive,
    /// The value of the one more input; the weights are in P.
    Told(f64),
}

/// Data vectors taken together: the size of the `f64` copies.
const BLOCK: usize = 256;

impl Front {
    /// The map g ↦ P g.
    ///
    /// # Errors
    /// An empty matrix, or an element that is not finite.
    pub fn new(matrix: &DMatrix<f64>) -> Result<Self> {
        let (outputs, inputs) = matrix.shape();
        let rows = matrix.transpose();
        Self::from_rows(inputs, outputs, rows.as_slice().to_vec())
    }

    fn from_rows(inputs: usize, outputs: usize, matrix: Vec<f64>) -> Result<Self> {
        check_not_empty("matrix", inputs.min(outputs), 1)?;
        let expected = inputs.saturating_mul(outputs);
        check_len("matrix", matrix.len(), expected, "rows times columns")?;
        check_finite("matrix", &matrix)?;
        Ok(Front { inputs, coordinates: outputs, matrix, telling: Telling::Silent })
    }

    /// The `modes` leading left singular vectors of `kernel` (m × n), each scaled to unit second moment
    /// over `data` (m × samples): raw data of a training set. [`FrontModes`](super::FrontModes) chooses the number
    /// of modes by what rises above the noise; 14 to 18 serve a fermionic kernel at β = 16 and noise 10⁻⁵.
    ///
    /// # Errors
    /// `modes` zero or more than K has singular vectors; data of another length than K has rows, none at
    /// all, or none with a component along one of the vectors.
    pub fn singular<T: Real>(
        kernel: &DMatrix<f64>,
        modes: usize,
        data: &DMatrix<T>,
    ) -> Result<Self> {
        check_finite("kernel", kernel.as_slice())?;
        check_not_empty("kernel", kernel.len(), 1)?;
        if modes == 0 || modes > kernel.nrows().min(kernel.ncols()) {
            return Err(Error::OutOfRange {
                argument: "modes",
                value: modes as f64,
                expected: "at least 1, at most as many as the kernel has singular vectors",
            });
        }
        check_len("data", data.nrows(), kernel.nrows(), "the kernel's rows")?;
        check_not_empty("data", data.ncols(), 1)?;
        check_finite("data", data.as_slice())?;
        let u = thin_svd("kernel", kernel)?.u;
        let mut front = Self::from_rows(
            kernel.nrows(),
            modes,
            u.columns(0, modes).iter().copied().collect(), // columns of U are rows of P
        )?;
        let x: DMatrix<f64> = front.apply(data)?;
        let rows = front.matrix.chunks_exact_mut(front.inputs);
        for (k, (row, x)) in rows.zip(x.row_iter()).enumerate() {
            let deviation = (x.norm_squared() / x.len() as f64).sqrt();
            if !(deviation > 0.0 && deviation.is_finite()) {
                return Err(Error::ElementOutOfRange {
                    argument: "data",
                    index: k,
                    value: deviation,
                    expected: "data with a component along every singular vector",
                });
            }
            row.iter_mut().for_each(|p| *p /= deviation);
        }
        Ok(front)
    }

    /// The same coordinates made independent over `data`: x has the unit matrix for its second moments. Each is what
    /// its singular coordinate says beyond the ones before it (L⁻¹ with the Cholesky factor L of the second
    /// moments), so that no direction in which spectra differ stays small.
    ///
    /// # Errors
    /// As [`singular`](Self::singular); second moments that are singular, of fewer samples than modes for example.
    pub fn whitened<T: Real>(
        kernel: &DMatrix<f64>,
        modes: usize,
        data: &DMatrix<T>,
    ) -> Result<Self> {
        let front = Self::singular(kernel, modes, data)?;
        let x: DMatrix<f64> = front.apply(data)?;
        let moments = &x * x.transpose() / x.ncols() as f64;
        let mut cholesky = Cholesky::new(modes);
        cholesky.set(modes, |i, j| moments[(i, j)]);
        if cholesky.factor() != Some(0.0) {
            return Err(Error::OutOfRange {
                argument: "modes",
                value: modes as f64,
                expected: "coordinates that are independent over the data",
            });
        }
        let mut rows = front.matrix();
        for mut column in rows.column_iter_mut() {
            cholesky.solve_lower(column.as_mut_slice());
        }
        Self::new(&rows)
    }

    /// The same front, its coordinates shrunk according to the noise and with one more input that tells it (see the
    /// head of this page): for networks that serve a range of noise. Best one made from data without noise.
    ///
    /// Trained on a [`SampleStream`](crate::SampleStream) or an [`AugmentedSet`](crate::AugmentedSet), whose noise
    /// is drawn afresh and known; an [`Estimator`](crate::Estimator) behind it takes the noise from the problem.
    #[must_use]
    pub fn adaptive(self) -> Self {
        Front { telling: Telling::Adaptive, ..self }
    }

    /// Whether it waits to be told the noise.
    pub fn is_adaptive(&self) -> bool {
        self.telling == Telling::Adaptive
    }

    /// The front for data of this noise: an adaptive one with its weights fixed, any other as it is. It takes all data
    /// for data of this noise from then on, whatever noise a problem declares.
    ///
    /// # Errors
    /// Noise of data of another length.
    pub fn at<T: Real>(&self, noise: &Whitening<T>) -> Result<Self> {
        check_len("noise", noise.columns(), self.inputs, "the front's input")?;
        if !self.is_adaptive() {
            return Ok(self.clone());
        }
        let mut told = self.clone();
        let mut total = 0.0;
        for row in told.matrix.chunks_exact_mut(self.inputs) {
            let p: Vec<T> = row.iter().map(|&p| T::lit(p)).collect();
            let weight = wiener(noise.variance(&p).as_f64());
            row.iter_mut().for_each(|p| *p *= weight);
            total += weight;
        }
        told.telling = Telling::Told(total / self.coordinates as f64);
        Ok(told)
    }

    /// P g alone, whatever it says about the noise.
    pub(crate) fn silent(&self) -> Self {
        Front { telling: Telling::Silent, ..self.clone() }
    }

    /// Writes x of an adaptive front from z = P g, of whose coordinates the noise has these variances times
    /// `factor`, with strides: x_k at k · `stride`.
    pub(crate) fn tell<T: Real>(variances: &[f64], factor: f64, x: &mut [T], stride: usize) {
        let mut total = 0.0;
        for (k, variance) in variances.iter().enumerate() {
            let weight = wiener(factor * variance);
            x[k * stride] *= T::lit(weight);
            total += weight;
        }
        x[variances.len() * stride] = T::lit(total / variances.len() as f64);
    }

    /// The length of g.
    pub fn input_len(&self) -> usize {
        self.inputs
    }

    /// The length of x.
    pub fn output_len(&self) -> usize {
        self.coordinates + usize::from(self.telling != Telling::Silent)
    }

    /// P, k × m; of an adaptive front without the weights.
    pub fn matrix(&self) -> DMatrix<f64> {
        DMatrix::from_row_slice(self.coordinates, self.inputs, &self.matrix)
    }

    /// `Err` if it waits to be told the noise.
    pub(crate) fn check_told(&self) -> Result<()> {
        if self.is_adaptive() {
            return Err(Error::Unsupported {
                argument: "front",
                value: "adaptive",
                expected: "the noise of the data: take a problem, or the front `at` a noise",
            });
        }
        Ok(())
    }

    /// P g for many data vectors, one a column: computed in `f64`, rounded to `T`.
    ///
    /// # Errors
    /// Data of another length; an adaptive front, before it is told the noise ([`at`](Self::at)).
    pub fn apply<U: Real, T: Real>(&self, data: &DMatrix<U>) -> Result<DMatrix<T>> {
        self.check_told()?;
        check_len("data", data.nrows(), self.inputs, "the front's input")?;
        let mut x = DMatrix::zeros(self.output_len(), data.ncols());
        self.apply_samples(data.as_slice(), x.as_mut_slice());
        Ok(x)
    }

    /// The same for contiguous samples, one after another; lengths have been checked.
    pub(crate) fn apply_samples<U: Real, T: Real>(&self, data: &[U], x: &mut [T]) {
        let (m, k, outputs) = (self.inputs, self.coordinates, self.output_len());
        let mut blocks: Vec<(&[U], &mut [T])> =
            data.chunks(BLOCK * m).zip(x.chunks_mut(BLOCK * outputs)).collect();
        parallel::for_each_mut(&mut blocks, |_, (data, x)| {
            let exact: Vec<f64> = data.iter().map(|g| g.as_f64()).collect();
            let mut product = vec![0.0; x.len() / outputs * k];
            self.apply_block(&exact, &mut product);
            for (x, product) in x.chunks_exact_mut(outputs).zip(product.chunks_exact(k)) {
                x.iter_mut().zip(product).for_each(|(x, &p)| *x = T::lit(p));
                if let Telling::Told(value) = self.telling {
                    x[k] = T::lit(value);
                }
            }
        });
    }

    /// The product itself, for contiguous samples.
    pub(crate) fn apply_block(&self, data: &[f64], x: &mut [f64]) {
        let (m, k) = (self.inputs, self.coordinates);
        let samples = x.len() / k;
        gemm(
            MatMut::column_major(x, k, samples),
            MatRef::row_major(&self.matrix, k, m),
            MatRef::column_major(data, m, samples),
            false,
        );
    }

    /// W P for row-major weights W of a layer that sees x: the weights of a layer that sees g. Computed
    /// in `f64`, rounded to `T`.
    ///
    /// # Errors
    /// `weights` no multiple of the front's output; a front that tells the noise, which is no linear map of the data.
    pub fn fold<T: Real>(&self, weights: &[T]) -> Result<Vec<T>> {
        if self.telling != Telling::Silent {
            return Err(Error::Unsupported {
                argument: "front",
                value: "one that tells the noise",
                expected: "a linear map of the data",
            });
        }
        let (m, k) = (self.inputs, self.coordinates);
        let rows = weights.len() / k;
        check_len("weights", weights.len(), rows * k, "whole rows of the front's output")?;
        let exact: Vec<f64> = weights.iter().map(|w| w.as_f64()).collect();
        let mut folded = vec![0.0; rows * m];
        gemm(
            MatMut::row_major(&mut folded, rows, m),
            MatRef::row_major(&exact, rows, k),
            MatRef::row_major(&self.matrix, k, m),
            false,
        );
        Ok(folded.into_iter().map(T::lit).collect())
    }
}

/// The best factor on a coordinate of unit second moment with noise of this variance.
fn wiener(variance: f64) -> f64 {
    1.0 / (1.0 + variance)
}

/// The stored form.
#[cfg(feature = "serde")]
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Stored {
    inputs: usize,
    outputs: usize,
    matrix: Vec<f64>,
    #[serde(default)]
    telling: Telling,
}

#[cfg(feature = "serde")]
impl From<Front> for Stored {
    fn from(Front { inputs, coordinates, matrix, telling }: Front) -> Self {
        Stored { inputs, outputs: coordinates, matrix, telling }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for Front {
    type Error = Error;

    fn try_from(Stored { inputs, outputs, matrix, telling }: Stored) -> Result<Self> {
        if let Telling::Told(value) = telling {
            check_finite("telling", &[value])?;
        }
        Ok(Front { telling, ..Front::from_rows(inputs, outputs, matrix)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize, seed: f64) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |i, j| (seed + (5 * i + 3 * j) as f64).sin())
    }

    #[test]
    fn coordinates_are_scaled_projections_on_singular_vectors() {
        let (kernel, data) = (matrix(9, 6, 0.3).map(|v| v * v), matrix(9, 700, 1.0).map(f64::exp));
        let front = Front::singular(&kernel, 4, &data).unwrap();
        let x: DMatrix<f64> = front.apply(&data).unwrap();
        for row in x.row_iter() {
            assert!((row.norm_squared() / 700.0 - 1.0).abs() < 1e-12);
        }
        // Rows of P are along eigenvectors of K Kᵀ, of descending eigenvalue.
        let (p, square) = (front.matrix(), &kernel * kernel.transpose());
        let mut last = f64::INFINITY;
        for row in p.row_iter() {
            let v = row.transpose().normalize();
            let image = &square * &v;
            let value = v.dot(&image);
            assert!((image - &v * value).norm() < 1e-12 * square.norm() && value < last);
            last = value;
        }
        let single: DMatrix<f32> = front.apply(&data).unwrap();
        assert!(single.iter().zip(&x).all(|(&s, &x)| s == x as f32));
    }

    #[test]
    fn whitened_coordinates_are_independent_and_in_order() {
        let (kernel, data) = (matrix(9, 6, 0.3).map(|v| v * v), matrix(9, 700, 1.0).map(f64::exp));
        let (plain, white) = (
            Front::singular(&kernel, 3, &data).unwrap(),
            Front::whitened(&kernel, 3, &data).unwrap(),
        );
        let x: DMatrix<f64> = white.apply(&data).unwrap();
        let moments = &x * x.transpose() / 700.0;
        assert!((moments - DMatrix::identity(3, 3)).amax() < 1e-10);
        // Of the first k singular coordinates and no others: triangular in them.
        let (p, q) = (plain.matrix(), white.matrix());
        let inverse = (&p * p.transpose()).try_inverse().unwrap();
        let triangle = q * p.transpose() * inverse;
        assert!(
            triangle.upper_triangle().iter().enumerate().all(|(k, v)| k % 4 == 0 || v.abs() < 1e-9)
        );
        // Two samples do not tell three coordinates apart.
        let e = Front::whitened(&kernel, 3, &data.columns(0, 2).into_owned()).unwrap_err();
        assert!(matches!(e, Error::OutOfRange { argument: "modes", .. }));
    }

    #[test]
    fn folding_moves_the_map_into_the_weights() {
        let front = Front::new(&matrix(3, 7, 0.0)).unwrap();
        let (w, g) = (matrix(5, 3, 2.0), matrix(7, 1, 4.0));
        let folded = front.fold(w.transpose().as_slice()).unwrap();
        let direct = &w * front.matrix() * &g;
        let through = DMatrix::from_row_slice(5, 7, &folded) * &g;
        assert!((direct - through).norm() < 1e-13);
    }

    #[test]
    fn an_adaptive_front_weighs_by_the_noise() {
        let (kernel, data) = (matrix(9, 6, 0.3).map(|v| v * v), matrix(9, 700, 1.0).map(f64::exp));
        let front = Front::singular(&kernel, 4, &data).unwrap().adaptive();
        let plain: DMatrix<f64> = front.silent().apply(&data).unwrap();
        assert!(front.is_adaptive() && front.output_len() == 5);
        assert!(front.apply::<f64, f64>(&data).unwrap_err().to_string().contains("noise"));
        let root = matrix(9, 9, 2.0);
        let covariance = &root * root.transpose() + DMatrix::identity(9, 9) * 0.1;
        let errors: Vec<f64> = (1..=9).map(|i| 0.1 * f64::from(i)).collect();
        let variances = nalgebra::DVector::from_iterator(9, errors.iter().map(|s| s * s));
        for (noise, c) in [
            (Whitening::from_covariance(&covariance, 0.0).unwrap(), covariance),
            (Whitening::from_errors(&errors).unwrap(), DMatrix::from_diagonal(&variances)),
        ] {
            let told = front.at(&noise).unwrap();
            let x: DMatrix<f64> = told.apply(&data).unwrap();
            let variance = front.matrix() * c * front.matrix().transpose();
            let weights: Vec<f64> = (0..4).map(|k| 1.0 / (1.0 + variance[(k, k)])).collect();
            for j in 0..x.ncols() {
                for k in 0..4 {
                    assert!((x[(k, j)] - weights[k] * plain[(k, j)]).abs() < 1e-12);
                }
                assert!((x[(4, j)] - weights.iter().sum::<f64>() / 4.0).abs() < 1e-12);
            }
            assert_eq!(told.at(&noise).unwrap(), told);
            assert!(told.fold(&[1.0; 5]).unwrap_err().to_string().contains("linear"));
        }
        assert!(front.at(&Whitening::from_errors(&[1.0; 8]).unwrap()).is_err());
        #[cfg(feature = "serde")]
        {
            let text = serde_json::to_string(&front).unwrap();
            assert_eq!(serde_json::from_str::<Front>(&text).unwrap(), front);
        }
    }

    #[test]
    fn bad_input_is_named() {
        let (kernel, data) = (matrix(5, 4, 0.3), matrix(5, 10, 0.1));
        for modes in [0, 5] {
            let e = Front::singular(&kernel, modes, &data).unwrap_err();
            assert!(matches!(e, Error::OutOfRange { argument: "modes", .. }));
        }
        assert!(Front::singular(&kernel, 2, &matrix(4, 10, 0.1)).is_err());
        assert!(Front::singular(&kernel, 2, &DMatrix::<f64>::zeros(5, 0)).is_err());
        assert!(Front::singular(&kernel, 2, &DMatrix::<f64>::zeros(5, 3)).is_err());
        assert!(Front::new(&DMatrix::zeros(0, 3)).is_err());
        let front = Front::new(&DMatrix::from_element(2, 3, 1.0)).unwrap();
        assert!(front.apply::<f64, f32>(&DMatrix::zeros(2, 1)).is_err());
        assert!(front.fold(&[1.0; 3]).is_err());
        assert!(Front::new(&DMatrix::from_element(2, 3, f64::NAN)).is_err());
    }
}
