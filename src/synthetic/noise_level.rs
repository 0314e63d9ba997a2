//! Noise of synthetic data.

use crate::error::{
    Error, Result, check_all_positive, check_finite, check_len, check_nonnegative, check_positive,
};
use crate::linalg::symmetric_eigen;
use crate::network::Front;
use crate::real::Real;
use nalgebra::DMatrix;
use rand::{Rng, RngExt, SeedableRng, rngs::ChaCha8Rng};

/// The Gaussian noise added to synthetic data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NoiseLevel {
    /// One standard deviation σ ≥ 0 for all data, independent.
    Uniform(f64),
    /// One σ > 0 for each datum (\[LO\] eq. 17), independent.
    PerDatum(Vec<f64>),
    /// One σ for all data of a sample, ln σ uniform between these two positive bounds: for networks that
    /// serve a range of noise.
    LogUniform {
        /// Least σ.
        least: f64,
        /// Largest σ.
        largest: f64,
    },
    /// Correlated noise of this covariance: that of one's own data, for example.
    Covariance(DMatrix<f64>),
}

impl NoiseLevel {
    /// `draws` vectors of noise for data of length `rows`, one a column.
    ///
    /// # Errors
    /// Negative, non-finite or unordered σ; a list or covariance for data of another length; a covariance
    /// that is not symmetric or not positive semidefinite.
    pub fn draw_many(
        &self,
        rows: usize,
        draws: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<DMatrix<f64>> {
        let noise = Noise::new(self, rows, None)?;
        let mut stream = ChaCha8Rng::from_rng(rng);
        let (mut scratch, mut out) = (vec![0.0; rows], DMatrix::zeros(rows, draws));
        for column in out.as_mut_slice().chunks_exact_mut(rows.max(1)) {
            noise.draw(&mut stream, &mut scratch, column);
        }
        Ok(out)
    }
}

/// Noise ready to be drawn, in raw data or behind a front.
#[derive(Debug, Clone)]
pub(super) struct Noise {
    /// ln σ is uniform between the logarithms of these two.
    range: Option<(f64, f64)>,
    factor: Factor,
}

/// F of the noise F ξ, ξ standard normal.
#[derive(Debug, Clone)]
pub(crate) enum Factor {
    Diagonal(Vec<f64>),
    /// Square, row-major.
    Full(Vec<f64>),
}

#[cfg(any(feature = "wgpu", feature = "cuda", test))]
impl Factor {
    /// Its numbers.
    pub(crate) fn numbers(&self) -> &[f64] {
        match self {
            Factor::Diagonal(numbers) | Factor::Full(numbers) => numbers,
        }
    }
}

impl Noise {
    /// For data of length `rows`, seen through `front` if there is one.
    pub(super) fn new(level: &NoiseLevel, rows: usize, front: Option<&Front>) -> Result<Self> {
        let mut range = None;
        let deviations = match level {
            NoiseLevel::Uniform(sigma) => {
                check_nonnegative("noise", *sigma)?;
                vec![*sigma; rows]
            }
            NoiseLevel::PerDatum(sigma) => {
                check_len("noise", sigma.len(), rows, "the kernel's rows")?;
                check_all_positive("noise", sigma)?;
                sigma.clone()
            }
            &NoiseLevel::LogUniform { least, largest } => {
                check_positive("least", least)?;
                check_positive("largest", largest)?;
                if largest < least {
                    return Err(Error::OutOfRange {
                        argument: "largest",
                        value: largest,
                        expected: "not less than `least`",
                    });
                }
                range = Some((least, largest));
                vec![1.0; rows]
            }
            NoiseLevel::Covariance(covariance) => {
                check_len("noise", covariance.nrows(), rows, "the kernel's rows")?;
                check_len("noise", covariance.ncols(), rows, "the kernel's rows")?;
                check_finite("noise", covariance.as_slice())?;
                let seen = match front {
                    Some(front) => front.matrix() * covariance * front.matrix().transpose(),
                    None => covariance.clone(),
                };
                return Ok(Noise { range, factor: root(seen)? });
            }
        };
        let factor = match front {
            None => Factor::Diagonal(deviations),
            // As many draws as the front has outputs, not as there are data.
            Some(front) => {
                let mut p = front.matrix();
                for (mut column, sigma) in p.column_iter_mut().zip(&deviations) {
                    column *= *sigma;
                }
                root(&p * p.transpose())?
            }
        };
        Ok(Noise { range, factor })
    }

    /// The length of the data.
    pub(super) fn len(&self) -> usize {
        match &self.factor {
            Factor::Diagonal(sigma) => sigma.len(),
            Factor::Full(rows) => rows.len().isqrt(),
        }
    }

    /// The variance of every datum; where σ is drawn, at σ = 1.
    pub(super) fn variances(&self) -> Vec<f64> {
        match &self.factor {
            Factor::Diagonal(sigma) => sigma.iter().map(|s| s * s).collect(),
            Factor::Full(rows) => {
                rows.chunks_exact(self.len()).map(|row| row.iter().map(|f| f * f).sum()).collect()
            }
        }
    }

    /// Writes the noise of one sample; `draws` is scratch of the same length. Returns the factor of its variances
    /// on [`variances`](Self::variances).
    pub(super) fn draw(&self, rng: &mut impl Rng, draws: &mut [f64], out: &mut [f64]) -> f64 {
        let t = self.range.map_or(0.0, |_| rng.random());
        draws.iter_mut().for_each(|d| *d = f64::standard_normal(rng));
        self.shape(t, draws, out)
    }

    /// The same from a number t in (0, 1), for σ, and standard normal `draws`, which are overwritten.
    pub(super) fn shape(&self, t: f64, draws: &mut [f64], out: &mut [f64]) -> f64 {
        let sigma = self.range.map_or(1.0, |(least, largest)| least * (largest / least).powf(t));
        match &self.factor {
            Factor::Diagonal(deviations) => {
                for ((out, deviation), draw) in out.iter_mut().zip(deviations).zip(draws) {
                    *out = sigma * deviation * *draw;
                }
            }
            Factor::Full(rows) => {
                draws.iter_mut().for_each(|d| *d *= sigma);
                for (out, row) in out.iter_mut().zip(rows.chunks_exact(self.len())) {
                    *out = row.iter().zip(&*draws).map(|(f, d)| f * d).sum();
                }
            }
        }
        sigma * sigma
    }

    /// The bounds of a σ that is drawn.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// F.
    #[cfg(any(feature = "wgpu", feature = "cuda", test))]
    pub(super) fn factor(&self) -> &Factor {
        &self.factor
    }
}

/// F with F Fᵀ = C, from the eigenvalues of C: a covariance may be singular.
fn root(covariance: DMatrix<f64>) -> Result<Factor> {
    let n = covariance.nrows();
    for (row, column) in (0..n).flat_map(|j| (0..j).map(move |i| (i, j))) {
        let (value, transposed) = (covariance[(row, column)], covariance[(column, row)]);
        let size = covariance[(row, row)].abs().max(covariance[(column, column)].abs());
        if (value - transposed).abs() > 1e-10 * size {
            return Err(Error::NotSymmetric { argument: "noise", row, column, value, transposed });
        }
    }
    let (values, mut vectors) = symmetric_eigen("noise", covariance)?;
    let (least, largest) = (values.min(), values.max());
    if least < -1e-10 * largest.abs() {
        let (argument, eigenvalue) = ("noise", least);
        return Err(Error::NotPositiveSemidefinite { argument, eigenvalue, largest });
    }
    for (mut column, value) in vectors.column_iter_mut().zip(&values) {
        column *= value.max(0.0).sqrt();
    }
    Ok(Factor::Full(vectors.transpose().as_slice().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_covariance(noise: &Noise, n: usize, draws: usize) -> DMatrix<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut scratch, mut x) = (vec![0.0; n], vec![0.0; n]);
        let mut sum = DMatrix::zeros(n, n);
        for _ in 0..draws {
            noise.draw(&mut rng, &mut scratch, &mut x);
            let x = nalgebra::DVector::from_column_slice(&x);
            sum += &x * x.transpose();
        }
        sum / draws as f64
    }

    #[test]
    fn noise_has_its_covariance_before_and_behind_a_front() {
        let root = DMatrix::from_fn(4, 4, |i, j| ((2 * i + 3 * j) as f64).sin());
        let full = &root * root.transpose();
        let p = DMatrix::from_fn(2, 4, |i, j| ((i + 2 * j) as f64).cos());
        let front = Front::new(&p).unwrap();
        let sigma = vec![0.5, 1.0, 2.0, 0.1];
        let variances = nalgebra::DVector::from_iterator(4, sigma.iter().map(|s| s * s));
        let cases = [
            (NoiseLevel::Uniform(0.3), DMatrix::identity(4, 4) * 0.09),
            (NoiseLevel::PerDatum(sigma), DMatrix::from_diagonal(&variances)),
            (NoiseLevel::Covariance(full.clone()), full),
        ];
        for (level, covariance) in cases {
            let noise = Noise::new(&level, 4, None).unwrap();
            // 20 000 draws: 1 % for a variance.
            let found = sample_covariance(&noise, 4, 20_000);
            assert!((found - &covariance).norm() < 0.04 * covariance.norm());
            let noise = Noise::new(&level, 4, Some(&front)).unwrap();
            let seen = &p * &covariance * p.transpose();
            let found = sample_covariance(&noise, 2, 20_000);
            assert!((found - &seen).norm() < 0.04 * seen.norm());
        }
    }

    #[test]
    fn the_logarithm_of_a_range_is_uniform() {
        let level = NoiseLevel::LogUniform { least: 1e-5, largest: 1e-3 };
        let noise = Noise::new(&level, 400, None).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut x, mut scratch) = (vec![0.0; 400], vec![0.0; 400]);
        let (mut mean, mut square) = (0.0, 0.0);
        for _ in 0..4000 {
            noise.draw(&mut rng, &mut scratch, &mut x);
            let sigma = (x.iter().map(|x| x * x).sum::<f64>() / 400.0).sqrt();
            mean += sigma.log10() / 4000.0;
            square += (sigma.log10() + 4.0).powi(2) / 4000.0;
        }
        // Uniform on [-5, -3]: mean -4, variance 1/3.
        assert!((mean + 4.0).abs() < 0.03, "{mean}");
        assert!((square - 1.0 / 3.0).abs() < 0.02, "{square}");
    }

    #[test]
    fn bad_input_is_named() {
        let bad = |level| Noise::new(&level, 2, None).unwrap_err();
        let range = |least, largest| NoiseLevel::LogUniform { least, largest };
        assert!(matches!(bad(range(0.0, 1.0)), Error::OutOfRange { argument: "least", .. }));
        assert!(matches!(bad(range(1.0, 0.1)), Error::OutOfRange { argument: "largest", .. }));
        let matrix = |v: [f64; 4]| NoiseLevel::Covariance(DMatrix::from_row_slice(2, 2, &v));
        assert!(matches!(bad(matrix([1.0, 0.5, 0.0, 1.0])), Error::NotSymmetric { .. }));
        assert!(matches!(bad(matrix([1.0, 2.0, 2.0, 1.0])), Error::NotPositiveSemidefinite { .. }));
        assert!(Noise::new(&matrix([1.0, 0.0, 0.0, 1.0]), 3, None).is_err());
    }
}
