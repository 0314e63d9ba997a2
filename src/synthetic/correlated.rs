//! Noise as Monte Carlo makes it: correlated along the data axis, and in bins correlated in time.

use super::NoiseLevel;
use super::noise_level::Noise;
use crate::error::{
    Error, Result, check_all_nonnegative, check_finite, check_len, check_nonnegative,
    check_not_empty, check_positive,
};
use crate::noise::Bins;
use nalgebra::DMatrix;
use rand::{Rng, SeedableRng, rngs::ChaCha8Rng};

impl NoiseLevel {
    /// Noise of standard deviations σ_i for data on the axis `x`, correlated along it over a length ℓ in the units of
    /// `x`: covariance σ_i σ_j e^{−|x_i − x_j|/ℓ}.
    ///
    /// # Errors
    /// Lists of different lengths, numbers that are not finite, a negative deviation, a length that is not positive.
    pub fn correlated(x: &[f64], deviations: &[f64], length: f64) -> Result<Self> {
        check_len("deviations", deviations.len(), x.len(), "the data axis")?;
        check_finite("x", x)?;
        check_all_nonnegative("deviations", deviations)?;
        check_positive("length", length)?;
        Ok(NoiseLevel::Covariance(DMatrix::from_fn(x.len(), x.len(), |i, j| {
            deviations[i] * deviations[j] * (-(x[i] - x[j]).abs() / length).exp()
        })))
    }

    /// `count` bins of Monte Carlo data around the exact `data`: each has this noise, and that of bin b is
    /// ρ times that of bin b − 1 plus √(1 − ρ²) times noise of its own, for a `memory` ρ in [0, 1). The integrated
    /// autocorrelation time ([`Bins::autocorrelation_times`]) is (1 + ρ)/(1 − ρ): for many bins the variance of the
    /// mean is so many times that of a bin over their number.
    ///
    /// # Errors
    /// Fewer than two bins; data that are empty or not finite; ρ outside [0, 1); noise that is none, or for data of
    /// another length; more bins than fit into memory.
    pub fn bins(
        &self,
        data: &[f64],
        count: usize,
        memory: f64,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Bins<f64>> {
        check_not_empty("data", data.len(), 1)?;
        check_not_empty("bins", count, 2)?;
        check_finite("data", data)?;
        check_nonnegative("memory", memory)?;
        if memory >= 1.0 {
            let expected = "a number in [0, 1)";
            return Err(Error::OutOfRange { argument: "memory", value: memory, expected });
        }
        let noise = Noise::new(self, data.len(), None)?;
        let mut stream = ChaCha8Rng::from_rng(rng);
        let fresh = (1.0 - memory * memory).sqrt();
        let n = data.len();
        let (mut scratch, mut draw, mut error) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let mut values = Vec::new();
        count.checked_mul(n).and_then(|size| values.try_reserve_exact(size).ok()).ok_or(
            Error::OutOfRange {
                argument: "bins",
                value: count as f64,
                expected: "bins that fit into memory",
            },
        )?;
        for b in 0..count {
            noise.draw(&mut stream, &mut scratch, &mut draw);
            let (keep, new) = if b == 0 { (0.0, 1.0) } else { (memory, fresh) };
            error.iter_mut().zip(&draw).for_each(|(e, d)| *e = keep * *e + new * d);
            values.extend(data.iter().zip(&error).map(|(g, e)| g + e));
        }
        Bins::from_slice(&values, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_the_correlations_asked_for() {
        let (x, deviations) = ([0.0, 1.0, 3.0], [0.1, 0.2, 0.3]);
        let noise = NoiseLevel::correlated(&x, &deviations, 2.0).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (data, memory, count) = ([1.0, -2.0, 0.5], 0.6, 40_000);
        let bins = noise.bins(&data, count, memory, &mut rng).unwrap();
        let error = |b: usize, i: usize| bins.matrix()[(b, i)] - data[i];
        let moment = |lag: usize, i: usize, j: usize| {
            let n = count - lag;
            (0..n).map(|b| error(b + lag, i) * error(b, j)).sum::<f64>() / n as f64
        };
        for i in 0..3 {
            for j in 0..3 {
                let along = (-(x[i] - x[j]).abs() / 2.0).exp();
                for lag in [0, 1, 3] {
                    let exact = along * memory.powi(lag as i32);
                    let found = moment(lag, i, j) / (deviations[i] * deviations[j]);
                    // 40 000 bins worth 10 000 independent ones: standard deviations of up to 0.014.
                    assert!((found - exact).abs() < 0.05, "{i} {j} {lag}: {found} {exact}");
                }
            }
        }
        // (1 + ρ)/(1 − ρ) = 4.
        assert!(bins.autocorrelation_times().iter().all(|time| (time - 4.0).abs() < 0.4));
    }

    #[test]
    fn bad_input_is_named() {
        let correlated = |d: &[f64], length| NoiseLevel::correlated(&[0.0, 1.0], d, length);
        assert!(correlated(&[1.0], 1.0).is_err());
        assert!(correlated(&[1.0, -1.0], 1.0).is_err());
        assert!(correlated(&[1.0, f64::NAN], 1.0).is_err());
        assert!(correlated(&[1.0, 1.0], 0.0).is_err());
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut bins = |data: &[f64], count, memory| {
            NoiseLevel::Uniform(0.1).bins(data, count, memory, &mut rng).map(drop)
        };
        assert!(bins(&[0.0], 2, 0.5).is_ok());
        for memory in [-0.1, 1.0, f64::NAN] {
            assert!(bins(&[0.0], 2, memory).unwrap_err().to_string().contains("memory"));
        }
        assert!(bins(&[], 2, 0.5).is_err() && bins(&[0.0], 1, 0.5).is_err());
        assert!(bins(&[f64::NAN], 2, 0.5).is_err());
        for count in [usize::MAX, usize::MAX / 16] {
            let error = bins(&[0.0, 1.0], count, 0.5).unwrap_err().to_string();
            assert!(error.contains("bins") && error.contains("memory"), "{error}");
        }
    }
}
