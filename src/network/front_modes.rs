//! How many singular vectors a front should have: those in which spectra rise above the noise.

use crate::error::{Error, Result, check_finite, check_len, check_not_empty};
use crate::linalg::thin_svd;
use crate::noise::Whitening;
use crate::real::Real;
use core::fmt;
use nalgebra::DMatrix;

/// The number of modes for a [`Front`](super::Front), and why: mode k, the left singular vector u_k of the kernel, is
/// seen as long as the signal of the training spectra a exceeds the noise C in it,
///
/// ```text
/// ⟨(u_k · K a)²⟩ > u_k · C u_k.
/// ```
///
/// Further modes of a [`Front::singular`](super::Front::singular), scaled to unit second moment, would show a network
/// more noise than signal. In the setting of the learned-optimizers paper (β = 16, 100 times, 50 frequencies, its
/// spectra) these are 14, 12 and 9 modes at σ = 10⁻⁵, 10⁻⁴ and 10⁻³. Its `Display` is the reason in a sentence.
///
/// ```
/// use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
/// use fredholm::*;
/// # let grid = FrequencyGrid::uniform(-3.0, 3.0, 50)?;
/// # let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
/// let noise = Whitening::from_errors(&[1e-5; 100])?;
/// let model = ForwardModel::new(&FermionTime::new(16.0)?, &tau, &grid, noise)?;
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-5));
/// let set = TrainingSet::<f32>::generate(&mixture, &model, 500, &noise, &mut rng)?;
///
/// let choice = FrontModes::choose(model.kernel(), set.weights(), model.whitening())?;
/// let front = Front::singular(model.kernel(), choice.modes, set.data())?;
/// assert_eq!(front.output_len(), 14);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FrontModes {
    /// The number of leading modes in which the signal exceeds the noise.
    pub modes: usize,
    /// Root mean square of the signal in every mode.
    pub signal: Vec<f64>,
    /// Standard deviation of the noise in every mode.
    pub noise: Vec<f64>,
}

impl FrontModes {
    /// The choice for a `kernel` (m × n), the weights of training spectra (n × samples) and the noise of the data.
    ///
    /// For a network that serves a range of noise take the least.
    ///
    /// # Errors
    /// Weights of another length than the kernel has columns, none at all, or not finite; a kernel that is not finite;
    /// noise of other data, or from a covariance of which modes were dropped, in which it would seem to be none; noise
    /// above the signal in the first mode already; a decomposition that does not converge.
    pub fn choose<T: Real>(
        kernel: &DMatrix<f64>,
        weights: &DMatrix<T>,
        noise: &Whitening<f64>,
    ) -> Result<Self> {
        check_not_empty("kernel", kernel.len(), 1)?;
        check_finite("kernel", kernel.as_slice())?;
        check_len("weights", weights.nrows(), kernel.ncols(), "the kernel's columns")?;
        check_not_empty("weights", weights.ncols(), 1)?;
        check_finite("weights", weights.as_slice())?;
        check_len("noise", noise.columns(), kernel.nrows(), "the kernel's rows")?;
        if noise.rows() < noise.columns() {
            return Err(Error::Unsupported {
                argument: "noise",
                value: "that of a covariance of which modes were dropped",
                expected: "noise that is known in all directions: a covariance of full rank, or error bars",
            });
        }
        let svd = thin_svd("kernel", kernel)?;
        // u_k · K a = s_k v_k · a.
        let (mut signal, mut deviation) = (Vec::new(), Vec::new());
        for (k, &s) in svd.s.iter().enumerate() {
            let v = svd.vt.row(k);
            let along = |a: nalgebra::DVectorView<'_, T>| -> f64 {
                a.iter().zip(v.iter()).map(|(a, v)| a.as_f64() * v).sum()
            };
            let squares: f64 = weights.column_iter().map(|a| along(a).powi(2)).sum();
            signal.push(s * (squares / weights.ncols() as f64).sqrt());
            let u: Vec<f64> = svd.u.column(k).iter().copied().collect();
            deviation.push(noise.variance(&u).sqrt());
        }
        let modes = signal.iter().zip(&deviation).take_while(|(s, d)| s > d).count();
        if modes == 0 {
            return Err(Error::OutOfRange {
                argument: "noise",
                value: deviation[0],
                expected: "noise below the signal in one mode at least",
            });
        }
        Ok(FrontModes { modes, signal, noise: deviation })
    }
}

impl fmt::Display for FrontModes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (k, of) = (self.modes, self.signal.len());
        let mode = |k: usize| Some((self.signal.get(k)?, self.noise.get(k)?));
        write!(f, "{k} of {of} modes")?;
        if let Some((signal, noise)) = k.checked_sub(1).and_then(mode) {
            write!(
                f,
                ": the signal of the training spectra is {signal:.1e} in the last of them, where the noise is \
                 {noise:.1e}"
            )?;
            if let Some((signal, noise)) = mode(k) {
                write!(f, ", and {signal:.1e} in the next, below the noise of {noise:.1e}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::FrequencyGrid;
    use crate::kernel::FermionTime;
    use crate::problem::ForwardModel;
    use crate::synthetic::{GaussianMixture, NoiseLevel, TrainingSet};
    use rand::{SeedableRng, rngs::ChaCha8Rng};

    /// Against NumPy, 3000 spectra of the paper's distribution: the root mean squares of modes 9 to 15 are 2.5e-3,
    /// 9.0e-4, 4.3e-4, 1.2e-4, 3.8e-5, 1.2e-5, 4.3e-6.
    #[test]
    fn the_paper_has_fourteen_modes_above_its_noise() {
        let tau: Vec<f64> = (0..100).map(|i| 16.0 * f64::from(i) / 99.0).collect();
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap();
        let silent = Whitening::from_errors(&[1.0; 100]).unwrap();
        let model =
            ForwardModel::new(&FermionTime::new(16.0).unwrap(), &tau, &grid, silent).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        // Whatever noise the data of the set have.
        let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-2));
        let set = TrainingSet::<f64>::generate(&mixture, &model, 1000, &noise, &mut rng).unwrap();
        for (sigma, modes) in [(1e-6, 16), (1e-5, 14), (1e-4, 12), (1e-3, 9)] {
            let noise = Whitening::from_errors(&[sigma; 100]).unwrap();
            let choice = FrontModes::choose(model.kernel(), set.weights(), &noise).unwrap();
            assert_eq!(choice.modes, modes, "{choice}");
            assert!(choice.noise.iter().all(|n| (n / sigma - 1.0).abs() < 1e-9));
            assert!(choice.to_string().starts_with(&format!("{modes} of 50 modes")), "{choice}");
        }
        let noise = Whitening::from_errors(&[1e-5; 100]).unwrap();
        let choice = FrontModes::choose(model.kernel(), set.weights(), &noise).unwrap();
        let expected = [2.5e-3, 9.0e-4, 4.3e-4, 1.2e-4, 3.8e-5, 1.2e-5, 4.3e-6];
        for (signal, expected) in choice.signal[8..15].iter().zip(expected) {
            assert!((signal / expected - 1.0).abs() < 0.1, "{signal} {expected}");
        }
    }

    /// A mode of K that only noisy data see: its covariance decides, not its error bars alone.
    #[test]
    fn correlated_noise_is_taken_along_the_modes() {
        let kernel = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(vec![3.0, 2.0, 1.0]));
        let weights = DMatrix::from_element(3, 4, 1.0_f64);
        let choose = |deviations: [f64; 3]| {
            let noise = Whitening::from_errors(&deviations).unwrap();
            FrontModes::choose(&kernel, &weights, &noise)
        };
        assert_eq!(choose([0.1; 3]).unwrap().modes, 3);
        assert_eq!(choose([0.1, 2.5, 0.1]).unwrap().modes, 1);
        assert!(matches!(
            choose([4.0, 0.1, 0.1]),
            Err(Error::OutOfRange { argument: "noise", .. })
        ));
        // Modes (1, 0, 0), (0, 1, 1)/√2 and (0, 1, −1)/√2 of error bars 1: 1 ± ½ along the latter two.
        let h = 0.5_f64.sqrt();
        let u = DMatrix::from_row_slice(3, 3, &[1.0, 0.0, 0.0, 0.0, h, h, 0.0, h, -h]);
        let kernel = u * DMatrix::from_diagonal(&nalgebra::DVector::from_vec(vec![3.0, 1.1, 0.9]));
        let covariance =
            DMatrix::from_row_slice(3, 3, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.5, 1.0]);
        let noise = Whitening::from_covariance(&covariance, 0.0).unwrap();
        let choice = FrontModes::choose(&kernel, &weights, &noise).unwrap();
        for (found, variance) in choice.noise.iter().zip([1.0_f64, 1.5, 0.5]) {
            assert!((found - variance.sqrt()).abs() < 1e-12, "{:?}", choice.noise);
        }
        // The second is 1.1 above its error bar and below its noise of √1.5.
        assert_eq!(choice.modes, 1);
        let bars = Whitening::from_errors(&[1.0; 3]).unwrap();
        assert_eq!(FrontModes::choose(&kernel, &weights, &bars).unwrap().modes, 2);
        assert!(FrontModes::choose(&kernel, &DMatrix::<f64>::zeros(2, 4), &noise).is_err());
        // Along (0, 1, −1) nothing is known of the noise.
        let covariance =
            DMatrix::from_row_slice(3, 3, &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
        let noise = Whitening::from_covariance(&covariance, 1e-12).unwrap();
        let e = FrontModes::choose(&kernel, &weights, &noise).unwrap_err();
        assert!(e.to_string().contains("dropped"), "{e}");
    }

    #[test]
    fn fields_of_any_content_can_be_shown() {
        let choice = |modes: usize, signal: &[f64], noise: &[f64]| {
            FrontModes { modes, signal: signal.to_vec(), noise: noise.to_vec() }.to_string()
        };
        assert_eq!(choice(0, &[], &[]), "0 of 0 modes");
        assert_eq!(choice(0, &[1.0], &[2.0]), "0 of 1 modes");
        assert_eq!(choice(5, &[1.0], &[0.5]), "5 of 1 modes");
        assert!(choice(1, &[1.0, 0.5], &[0.5]).contains("1.0e0 in the last"));
    }
}
