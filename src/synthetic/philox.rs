//! Philox-4×32-10, a generator without a state: four words are a function of a counter and a key.
//!
//! So every draw has a number, and whoever knows it, a thread or a kernel on a device, draws the same. Source: Salmon
//! et al., *Parallel random numbers: as easy as 1, 2, 3* (2011). Normal numbers by Box and Muller: words x, y give
//!
//! ```text
//! r = √(−2 ln u),  u = (x + ½)/2³²,  φ = 2π y/2³²:  r cos φ, r sin φ
//! ```
//!
//! |r cos φ| ≤ 6.8. The counter is (block, sample, step), a step of 64 bits; block i has the normal numbers 4i to
//! 4i + 3, the last block a uniform one. Loops are free of branches, so that they vectorise.

use crate::linalg::dispatch;
use core::f64::consts::{FRAC_PI_2, LN_2};

/// The block of the uniform number of a sample.
const LAST: u32 = u32::MAX;

/// The words of one counter.
#[inline(always)]
fn words(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let ([mut k0, mut k1], [mut a, mut b, mut c, mut d]) = (key, counter);
    for _ in 0..10 {
        let (p, q) = (0xD251_1F53 * u64::from(a), 0xCD9E_8D57 * u64::from(c));
        (a, b, c, d) = ((q >> 32) as u32 ^ b ^ k0, q as u32, (p >> 32) as u32 ^ d ^ k1, p as u32);
        (k0, k1) = (k0.wrapping_add(0x9E37_79B9), k1.wrapping_add(0xBB67_AE85));
    }
    [a, b, c, d]
}

/// (x + ½)/2³².
#[inline(always)]
fn unit(x: u32) -> f64 {
    (f64::from(x) + 0.5) * (0.5 / f64::from(1_u32 << 31))
}

/// A number uniform on (0, 1): that of `sample` at `step`.
pub(crate) fn uniform(key: [u32; 2], step: usize, sample: usize) -> f64 {
    let step = step as u64;
    unit(words(key, [LAST, sample as u32, step as u32, (step >> 32) as u32])[0])
}

/// Blocks transformed together.
const TOGETHER: usize = 16;

/// Standard normal numbers: those of `sample` at `step`.
pub(crate) fn normals(key: [u32; 2], step: usize, sample: usize, out: &mut [f64]) {
    let step = step as u64;
    let (mut first, mut numbers) = (0, [[0.0; 4]; TOGETHER]);
    for out in out.chunks_mut(4 * TOGETHER) {
        dispatch(|| {
            let mut drawn = [[0; TOGETHER]; 4];
            for i in 0..TOGETHER {
                let counter = [first + i as u32, sample as u32, step as u32, (step >> 32) as u32];
                let words = words(key, counter);
                (0..4).for_each(|w| drawn[w][i] = words[w]);
            }
            for i in 0..TOGETHER {
                let [x, y, z, w] = [drawn[0][i], drawn[1][i], drawn[2][i], drawn[3][i]];
                let ([c, s], [d, t]) = (box_muller(x, y), box_muller(z, w));
                numbers[i] = [c, s, d, t];
            }
        });
        out.copy_from_slice(&numbers.as_flattened()[..out.len()]);
        first += TOGETHER as u32;
    }
}

#[inline(always)]
fn box_muller(x: u32, y: u32) -> [f64; 2] {
    let r = (-2.0 * logarithm(unit(x))).sqrt();
    turn(y).map(|c| r * c)
}

/// ln u of a normal u > 0: u = 2ᵏ m with m about 1, ln m = 2 artanh((m − 1)/(m + 1)).
#[inline(always)]
fn logarithm(u: f64) -> f64 {
    let bits = u.to_bits();
    // The upper half of √½ as a number; exponents are integers above it.
    let k = ((bits >> 32) as i32 - 0x3FE6_A09E) >> 20;
    let m = f64::from_bits(bits.wrapping_sub((i64::from(k) << 52) as u64));
    let s = (m - 1.0) / (m + 1.0);
    let (square, mut sum) = (s * s, 0.0);
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        sum = square * (sum + 1.0 / odd);
    }
    f64::from(k) * LN_2 + 2.0 * (s + s * sum)
}

/// cos φ and sin φ of φ = 2π y/2³².
#[inline(always)]
fn turn(y: u32) -> [f64; 2] {
    // The nearest quarter, and what is left: at most an eighth of a turn.
    let quarter = y.wrapping_add(1 << 29) >> 30;
    let x = f64::from(y.wrapping_sub(quarter << 30) as i32) * (FRAC_PI_2 / f64::from(1 << 30));
    let (square, mut cos, mut sin) = (x * x, 1.0, 1.0);
    for even in [16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0] {
        cos = 1.0 - square * cos * (1.0 / (even * (even - 1.0)));
        sin = 1.0 - square * sin * (1.0 / (even * (even + 1.0)));
    }
    sin *= x;
    let (a, b) = if quarter & 1 == 0 { (cos, sin) } else { (sin, cos) };
    // cos is negative in the second and third quarter, sin in the third and fourth.
    let sign = |negative: bool| if negative { -1.0 } else { 1.0 };
    [a * sign((quarter + 1) & 2 != 0), b * sign(quarter & 2 != 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // Random123 1.14, examples/kat_vectors, philox4x32 10.
        let pi = ([0xA409_3822, 0x299F_31D0], [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344]);
        let cases = [
            (([0; 2], [0; 4]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
            (([LAST; 2], [LAST; 4]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]),
            (pi, [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]),
        ];
        for ((key, counter), answer) in cases {
            assert_eq!(words(key, counter), answer);
        }
    }

    #[test]
    fn functions_are_those_of_the_library() {
        // The angle that the library is handed is rounded: by 4.4e-16, and by π's 2.4e-16.
        let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-15, "{a} {b}");
        let ends = [0, 1, 2, 1 << 29, 1 << 30, 1 << 31, 3 << 30, 0x6000_0000, LAST - 1, LAST];
        for x in ends.into_iter().chain((0..20_000).map(|i| i * 214_748)) {
            let u = unit(x);
            assert!(u > 0.0 && u < 1.0);
            assert!((logarithm(u) - u.ln()).abs() <= 4e-16 * u.ln().abs(), "{u}");
            let phi = f64::from(x) * (core::f64::consts::TAU / 4_294_967_296.0);
            let [c, s] = turn(x);
            near(c, phi.cos());
            near(s, phi.sin());
        }
    }

    #[test]
    fn numbers_are_normal_and_independent() {
        const N: usize = 101;
        let (mut moments, mut product, mut above, count) = ([0.0; 4], 0.0, 0.0, 4000);
        for sample in 0..count {
            let (mut x, mut later) = ([0.0; N], [0.0; N]);
            normals([3, 4], 7, sample, &mut x);
            normals([3, 4], 8, sample, &mut later);
            for (i, x) in x.iter().enumerate() {
                (1..).zip(&mut moments).for_each(|(p, m)| *m += x.powi(p));
                product += x * later[i];
                above += f64::from(u8::from(*x > 2.0));
            }
        }
        // 404 000 numbers: deviations of 0.0016, 0.0022, 0.006, 0.015 of the moments.
        let n = (count * N) as f64;
        for ((m, exact), deviation) in
            moments.iter().zip([0.0, 1.0, 0.0, 3.0]).zip([0.0016, 0.0022, 0.0061, 0.0154])
        {
            assert!((m / n - exact).abs() < 3.5 * deviation, "{moments:?}");
        }
        assert!((product / n).abs() < 3.5 * 0.0016);
        // P(x > 2) = 0.02275.
        assert!((above / n - 0.02275).abs() < 3.5 * 2.3e-4);
        // A number does not depend on how many are drawn.
        let (mut few, mut many) = ([0.0; 5], [0.0; N]);
        normals([3, 4], 1 << 40, 5, &mut few);
        normals([3, 4], 1 << 40, 5, &mut many);
        assert_eq!(few, many[..5]);
    }
}
