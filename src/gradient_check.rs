//! Central differences, the check of every hand-written gradient. Floor 1.

use crate::error::{Result, check_finite, check_len};
use crate::real::Real;

/// Compares a gradient with central differences of `f` at `x`: returns the largest deviation of any
/// component, divided by the largest component of either.
///
/// For a correct gradient of a smooth f of order one the result is of order ε^{2/3} (10⁻¹⁰ in `f64`);
/// it is of order one for a wrong gradient. Keep a distance of ε^{1/3} max(1, |x|) from kinks.
///
/// ```
/// let f = |x: &[f64]| x[0] * x[0] + x[0] * x[1];
/// let deviation = fredholm::check_gradient(f, &[1.0, 2.0], &[4.0, 1.0])?;
/// assert!(deviation < 1e-9);
/// # Ok::<(), fredholm::Error>(())
/// ```
///
/// # Errors
/// `gradient` of another length than `x`; either not finite.
pub fn check_gradient<T: Real>(mut f: impl FnMut(&[T]) -> T, x: &[T], gradient: &[T]) -> Result<T> {
    check_finite("x", x)?;
    check_len("gradient", gradient.len(), x.len(), "`x`")?;
    check_finite("gradient", gradient)?;
    let mut point = x.to_vec();
    let (mut deviation, mut largest) = (T::zero(), T::MIN_POSITIVE);
    for i in 0..x.len() {
        let step = T::EPSILON.cbrt() * T::one().max(x[i].abs());
        let (right, left) = (x[i] + step, x[i] - step);
        point[i] = right;
        let above = f(&point);
        point[i] = left;
        let below = f(&point);
        point[i] = x[i];
        let difference = (above - below) / (right - left);
        largest = largest.max(gradient[i].abs()).max(difference.abs());
        // Written so that a NaN of `f` counts as an infinite deviation.
        let error = (gradient[i] - difference).abs();
        deviation = if error.is_finite() { deviation.max(error) } else { T::INFINITY };
    }
    Ok(deviation / largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn battery<T: Real>() {
        let x: Vec<T> = [0.3, -1.2, 2.0].map(T::lit).to_vec();
        let f = |x: &[T]| x[0].sin() * x[1] + x[2].exp();
        let right = [x[0].cos() * x[1], x[0].sin(), x[2].exp()];
        let wrong = [right[0], -right[1], right[2]];
        let small = T::lit(10.0) * T::EPSILON.powf(T::lit(2.0 / 3.0));
        assert!(check_gradient(f, &x, &right).unwrap() < small);
        assert!(check_gradient(f, &x, &wrong).unwrap() > T::lit(0.05));
        let undefined = check_gradient(|_| T::zero() / T::zero(), &x, &right).unwrap();
        assert!(!undefined.is_finite());
    }

    #[test]
    fn tells_right_from_wrong() {
        battery::<f32>();
        battery::<f64>();
    }

    #[test]
    fn bad_input_is_named() {
        let f = |x: &[f64]| x[0];
        let error = check_gradient(f, &[1.0], &[1.0, 2.0]).unwrap_err();
        assert!(matches!(error, Error::LengthMismatch { argument: "gradient", .. }));
        let error = check_gradient(f, &[f64::NAN], &[1.0]).unwrap_err();
        assert!(matches!(error, Error::NonFinite { argument: "x", .. }));
    }
}
