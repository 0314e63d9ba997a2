//! Plain loops over arrays, dispatched to the widest vector instructions: exp, sums in lanes, products
//! with the leading rows of a row-major matrix, and a residual in doubled precision.

use super::machine::vectorised;
use crate::real::Real;

/// Accumulators of a sum: one AVX-512 register of `f64`. Arrays padded to a multiple have no remainder.
pub(crate) const LANES: usize = 8;

/// Σ x_i y_i, summed in lanes.
#[inline(always)]
pub(crate) fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::zero(); LANES];
    let n = x.len().min(y.len());
    let (x, y) = (&x[..n], &y[..n]);
    let (xc, yc) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let mut sum = T::zero();
    for (&a, &b) in xc.remainder().iter().zip(yc.remainder()) {
        sum += a * b;
    }
    for (a, b) in xc.zip(yc) {
        for l in 0..LANES {
            lanes[l] += a[l] * b[l];
        }
    }
    sum + total(lanes)
}

/// Σ x_i, summed in lanes.
pub(crate) fn sum<T: Real>(x: &[T]) -> T {
    let (lanes, rest) = x.as_chunks::<LANES>();
    let mut sums = [T::zero(); LANES];
    for x in lanes {
        for l in 0..LANES {
            sums[l] += x[l];
        }
    }
    rest.iter().fold(total(sums), |sum, &x| sum + x)
}

/// Σ ln x_i: logarithms of products as long as these stay far from the ends of the range.
pub(crate) fn sum_of_logarithms<T: Real>(x: impl IntoIterator<Item = T>) -> T {
    let least = T::MIN_POSITIVE.sqrt().sqrt();
    let largest = T::one() / least;
    let (mut sum, mut product) = (T::zero(), T::one());
    for x in x {
        // A NaN fails the comparisons.
        if x > least && x < largest {
            product *= x;
        } else {
            sum += x.ln();
        }
        if !(product > least && product < largest) {
            sum += product.ln();
            product = T::one();
        }
    }
    sum + product.ln()
}

vectorised! {
    /// Writes M x for the leading `out.len()` rows of a row-major matrix with rows of length `x.len()`.
    pub(crate) fn product<'a, T>(m: &'a [T], x: &'a [T], out: &'a mut [T]) -> () {
        let n = x.len();
        let mut rows = m[..n * out.len()].chunks_exact(4 * n);
        let mut outs = out.chunks_exact_mut(4);
        for (r, o) in (&mut rows).zip(&mut outs) {
            o.copy_from_slice(&four_dots(r, x));
        }
        for (row, o) in rows.remainder().chunks_exact(n).zip(outs.into_remainder()) {
            *o = dot(row, x);
        }
    }
}

/// The products of four consecutive rows with x.
#[inline(always)]
fn four_dots<T: Real>(rows: &[T], x: &[T]) -> [T; 4] {
    let n = x.len();
    let mut lanes = [[T::zero(); LANES]; 4];
    let full = n / LANES * LANES;
    for j in (0..full).step_by(LANES) {
        let x = &x[j..j + LANES];
        for (i, lanes) in lanes.iter_mut().enumerate() {
            let row = &rows[i * n + j..][..LANES];
            for l in 0..LANES {
                lanes[l] += row[l] * x[l];
            }
        }
    }
    let mut sums = [T::zero(); 4];
    for (i, sum) in sums.iter_mut().enumerate() {
        for j in full..n {
            *sum += rows[i * n + j] * x[j];
        }
        *sum += total(lanes[i]);
    }
    sums
}

/// The sum of all lanes, as a tree.
#[inline(always)]
fn total<T: Real>(mut lanes: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

vectorised! {
    /// out += Mᵀ x for the leading `x.len()` rows of a row-major matrix with rows of length `out.len()`.
    pub(crate) fn add_product_t<'a, T>(m: &'a [T], x: &'a [T], out: &'a mut [T]) -> () {
        let n = out.len();
        let mut rows = m[..n * x.len()].chunks_exact(4 * n);
        let mut factors = x.chunks_exact(4);
        for (r, c) in (&mut rows).zip(&mut factors) {
            let (r0, r) = r.split_at(n);
            let (r1, r) = r.split_at(n);
            let (r2, r3) = r.split_at(n);
            for j in 0..n {
                out[j] += (c[0] * r0[j] + c[1] * r1[j]) + (c[2] * r2[j] + c[3] * r3[j]);
            }
        }
        for (row, &c) in rows.remainder().chunks_exact(n).zip(factors.remainder()) {
            for j in 0..n {
                out[j] += c * row[j];
            }
        }
    }
}

/// TwoSum: a + b = s + e exactly.
#[inline(always)]
pub(crate) fn two_sum<T: Real>(a: T, b: T) -> (T, T) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

vectorised! {
    /// Writes g − M x, each component as accurate as if computed in twice the working precision and rounded
    /// (Ogita, Rump and Oishi 2005, algorithm Dot2). Shapes as in [`product`].
    pub(crate) fn residual<'a, T>(m: &'a [T], x: &'a [T], g: &'a [T], out: &'a mut [T]) -> () {
        for ((row, &g), o) in m.chunks_exact(x.len()).zip(g).zip(out) {
            let mut sums = [T::zero(); LANES];
            let mut errors = [T::zero(); LANES];
            sums[0] = g;
            for (a, b) in row.chunks(LANES).zip(x.chunks(LANES)) {
                for l in 0..a.len() {
                    let p = -a[l] * b[l];
                    let product_error = (-a[l]).mul_add(b[l], -p);
                    let (s, e) = two_sum(sums[l], p);
                    sums[l] = s;
                    errors[l] += e + product_error;
                }
            }
            let (mut sum, mut error) = (T::zero(), T::zero());
            for l in 0..LANES {
                let (s, e) = two_sum(sum, sums[l]);
                sum = s;
                error += e + errors[l];
            }
            *o = sum + error;
        }
    }
}

vectorised! {
    /// Writes s_i e^{x_i} to 3 ulp. NaN stays NaN; x is clamped to [−500, 709] (`f32`: [−50, 88]), so that the
    /// result and its inverse are normal numbers for any s worth the name.
    pub(crate) fn exp<'a, T>(x: &'a [T], scale: &'a [T], out: &'a mut [T]) -> () {
        let single = T::EPSILON.as_f64() > 1e-10;
        let (low, high) = if single { (-50.0, 88.0) } else { (-500.0, 709.0) };
        // ln 2 in two parts, the first short enough for exact products with the exponent.
        let (hi, lo) = if single {
            (0.693_359_375, -2.121_944_400_546_905_8e-4)
        } else {
            (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10)
        };
        let (low, high, hi, lo) = (T::lit(low), T::lit(high), T::lit(hi), T::lit(lo));
        // Taylor coefficients; |r| ≤ ln 2 / 2 leaves 4·10⁻¹⁸ relative after degree 13.
        let mut c = [T::one(); 14];
        for k in 1..14 {
            c[k] = c[k - 1] / T::lit(k as f64);
        }
        let log2_e = T::log2_e();
        for ((&x, &s), o) in x.iter().zip(scale).zip(out) {
            let x = if x > high { high } else { x };
            let x = if x < low { low } else { x };
            let (n, power) = T::round_exp2(x * log2_e);
            let r = (x - n * hi) - n * lo;
            let r2 = r * r;
            let r4 = r2 * r2;
            let q0 = (c[0] + c[1] * r) + (c[2] + c[3] * r) * r2;
            let q4 = (c[4] + c[5] * r) + (c[6] + c[7] * r) * r2;
            let q8 = (c[8] + c[9] * r) + (c[10] + c[11] * r) * r2;
            let q12 = c[12] + c[13] * r;
            let p = (q0 + q4 * r4) + (q8 + q12 * r4) * (r4 * r4);
            *o = s * (p * power);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exp_battery<T: Real>(low: f64, high: f64) {
        let n = 10_007;
        let x: Vec<T> =
            (0..n).map(|i| T::lit(low + (high - low) * i as f64 / (n - 1) as f64)).collect();
        let mut y = vec![T::zero(); n];
        exp(&x, &vec![T::one(); n], &mut y);
        for (x, y) in x.iter().zip(&y) {
            let expected = T::lit(x.as_f64().exp());
            assert!((*y - expected).abs() <= T::lit(3.0) * T::EPSILON * expected, "exp({x})");
        }
        let edge = [T::lit(f64::NAN), T::INFINITY, -T::INFINITY];
        let mut y = [T::zero(); 3];
        exp(&edge, &[T::one(); 3], &mut y);
        assert!(!y[0].is_finite() && y[1].is_finite() && y[2] > T::zero());
    }

    #[test]
    fn exp_matches_the_standard_library() {
        exp_battery::<f64>(-500.0, 709.0);
        exp_battery::<f64>(-0.7, 0.7);
        exp_battery::<f32>(-50.0, 88.0);
    }

    #[test]
    fn products_match_their_definition() {
        for (m, n) in [(1, 1), (5, 8), (7, 13), (4, 16), (9, 3)] {
            let a: Vec<f64> = (0..m * n).map(|k| (k as f64).sin()).collect();
            let x: Vec<f64> = (0..n).map(|k| (k as f64).cos()).collect();
            let y: Vec<f64> = (0..m).map(|k| (1.3 * k as f64).cos()).collect();
            let mut ax = vec![0.0; m];
            product(&a, &x, &mut ax);
            let mut aty = vec![1.0; n];
            add_product_t(&a, &y, &mut aty);
            for i in 0..m {
                let expected: f64 = (0..n).map(|j| a[i * n + j] * x[j]).sum();
                assert!((ax[i] - expected).abs() < 1e-14 * n as f64);
            }
            for j in 0..n {
                let expected: f64 = 1.0 + (0..m).map(|i| a[i * n + j] * y[i]).sum::<f64>();
                assert!((aty[j] - expected).abs() < 1e-14 * m as f64);
            }
        }
    }

    #[test]
    fn sums_match_their_definition() {
        for n in [0, 1, 7, 8, 19, 400] {
            let x: Vec<f64> =
                (0..n).map(|i| (37.0_f64 * f64::from(i)).sin().exp2().powi(9)).collect();
            assert!((sum(&x) - x.iter().sum::<f64>()).abs() <= 1e-12 * x.iter().sum::<f64>());
            let exact: f64 = x.iter().map(|x| x.ln()).sum();
            assert!((sum_of_logarithms(x.iter().copied()) - exact).abs() < 1e-10);
        }
        let wide = [1e300_f64, 1e-300, 1e-320, 1e250, 1e90, 3.0];
        let exact: f64 = wide.iter().map(|x| x.ln()).sum();
        assert!((sum_of_logarithms(wide) - exact).abs() < 1e-10);
        assert_eq!(sum_of_logarithms([2.0, 0.0]), -f64::INFINITY);
        assert!(sum_of_logarithms([2.0, f64::NAN]).is_nan());
        assert!(sum_of_logarithms([-1.0_f64]).is_nan());
    }

    #[test]
    fn residual_survives_cancellation() {
        // 1 + 10^16 − 10^16 − ... : the plain sum loses the small terms, the compensated one does not.
        let row = [1e16, 1.0, -1e16, 3.0, 1e16, 0.25, -1e16];
        let x = [1.0; 7];
        let mut out = [0.0];
        residual(&row, &x, &[4.0], &mut out);
        assert_eq!(out[0], -0.25);
    }
}
