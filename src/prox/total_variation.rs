//! Total variation in one dimension, exactly and in linear time, by the taut string.
//!
//! Source: Davies and Kovac, *Ann. Stat.* 29, 1 (2001); Condat, *IEEE Signal Process. Lett.* 20, 1054 (2013).
//! The partial sums s_i of the answer are the shortest string through the tube |s_i − Σ_{j<i} z_j| ≤ γ that is
//! fixed at both ends.
//!
//! `scan` is Condat's algorithm: from the last knot on it keeps the steepest and the flattest line that stay
//! in the tube, and starts again at the knot where they end. Fast, but quadratic at worst: once it has gone
//! back over more than `PATIENCE` elements for each of z, `taut_string` takes over, which is linear. That keeps
//! two chains of segments, the convex one below the upper wall and the concave one above the lower wall;
//! where their first slopes cross, the string touches a wall and a segment of it is final.

use super::simplex::max;
use super::{Prox, check_lengths, poisoned, sum};
use crate::linalg::dispatch;
use crate::real::Real;
use crate::scratch::with_scratch;

/// f(x) = Σ |x_{i+1} − x_i|; prox_{γf}(z) is piecewise constant: the mean of z on each piece, plus γ/length
/// for each end of it where x goes up to the right or down from the left, less γ/length for the others.
///
/// Linear time, worst case. With the pieces known, ∂/∂z averages over each piece, and ∂/∂γ of a piece is
/// (sign of the jump at its right end − sign of the jump at its left end)/length. Convex.
///
/// ```
/// use fredholm::{Prox, TotalVariation};
/// let mut x = [0.0; 4];
/// TotalVariation.prox_into(&[0.0, 1.0, 5.0, 6.0], 1.0, &mut x);
/// assert_eq!(x, [1.0, 1.0, 5.0, 5.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TotalVariation;

/// How often [`scan`] may read z, on average, before it gives way to [`taut_string`].
const PATIENCE: usize = 8;

/// A piece of a chain: the sum of its increments and where it starts.
#[derive(Debug, Clone, Copy, Default)]
struct Segment<T> {
    sum: T,
    start: usize,
}

/// A convex chain: slopes increase from the front to the back. The concave one is kept as its negative.
struct Chain<'a, T> {
    segments: &'a mut [Segment<T>],
    front: usize,
    /// One past the last.
    back: usize,
}

impl<T: Real> Chain<'_, T> {
    /// Appends the increment of position `i`, merging pieces until slopes increase again.
    #[inline(always)]
    fn push(&mut self, i: usize, increment: T) {
        let mut last = Segment { sum: increment, start: i };
        while self.back > self.front {
            let before = self.segments[self.back - 1];
            let (length, length_before) =
                (count::<T>(last.start, i + 1), count(before.start, last.start));
            if last.sum * length_before > before.sum * length {
                break;
            }
            last = Segment { sum: last.sum + before.sum, start: before.start };
            self.back -= 1;
        }
        self.segments[self.back] = last;
        self.back += 1;
    }

    fn is_single(&self) -> bool {
        self.back - self.front == 1
    }

    /// The slope of the first piece, which ends where the second starts, or at `end`.
    #[inline(always)]
    fn first(&self, end: usize) -> (T, usize) {
        let first = self.segments[self.front];
        let end = if self.is_single() { end } else { self.segments[self.front + 1].start };
        (first.sum / count(first.start, end), end)
    }

    /// Drops the first piece and returns its sum.
    fn pop(&mut self) -> T {
        self.front += 1;
        self.segments[self.front - 1].sum
    }

    /// Makes all of it one piece that starts at `start`.
    fn restart(&mut self, start: usize, first_of_other: T) {
        let total: T = self.segments[self.front..self.back].iter().map(|s| s.sum).sum();
        self.segments[self.front] = Segment { sum: total + first_of_other, start };
        self.back = self.front + 1;
    }
}

#[inline(always)]
fn count<T: Real>(start: usize, end: usize) -> T {
    T::lit((end - start) as f64)
}

/// Condat's scan of n ≥ 2 elements, γ > 0. Returns where it gave up, with the heights of the upper and the
/// lower wall above the string there; `None` if it got to the end.
#[inline(always)]
fn scan<T: Real>(z: &[T], gamma: T, out: &mut [T], patience: usize) -> Option<(usize, T, T)> {
    let n = z.len();
    let twice = gamma + gamma;
    // Start of the segment, where the lower and the upper line last touched a wall, their slopes and their
    // heights above the sums.
    let (mut start, mut low_end, mut high_end) = (0, 0, 0);
    let (mut low, mut high) = (z[0] - gamma, z[0] + gamma);
    let (mut below, mut above) = (gamma, -gamma);
    let (mut k, mut reads) = (0, 0);
    loop {
        // Along the data while neither line leaves the tube.
        let from = k;
        let mut left = 0;
        while k + 1 < n {
            let v = z[k + 1];
            let (b, a) = (below + (v - low), above + (v - high));
            if b < -gamma {
                left = -1;
                break;
            }
            if a > gamma {
                left = 1;
                break;
            }
            k += 1;
            (below, above) = (b, a);
            if b >= gamma {
                low += (b - gamma) / count(start, k + 1);
                below = gamma;
                low_end = k;
            }
            if a <= -gamma {
                high += (a + gamma) / count(start, k + 1);
                above = -gamma;
                high_end = k;
            }
        }
        reads += k - from + 1;
        let at_end = left == 0;
        if left < 0 || (at_end && below < T::zero()) {
            out[start..=low_end].fill(low);
            start = low_end + 1;
            (low, high) = (z[start], if at_end { high } else { z[start] + twice });
            (below, above) = (gamma, if at_end { z[start] + gamma - high } else { -gamma });
            (k, low_end) = (start, start);
            high_end = if at_end { high_end } else { start };
        } else if left > 0 || above > T::zero() {
            out[start..=high_end].fill(high);
            start = high_end + 1;
            (low, high) = (if at_end { low } else { z[start] - twice }, z[start]);
            (below, above) = (if at_end { z[start] - gamma - low } else { gamma }, -gamma);
            (k, high_end) = (start, start);
            low_end = if at_end { low_end } else { start };
        } else {
            out[start..].fill(low + below / count(start, n));
            return None;
        }
        if reads > patience * n {
            // The string is at the wall it has just bent around.
            let down = low_end == start && low == z[start];
            return Some(if down { (start, twice, T::zero()) } else { (start, T::zero(), -twice) });
        }
    }
}

/// The taut string of z − shift, n ≥ 1, for walls that begin `walls` above the string.
fn taut_string<T: Real>(z: &[T], shift: T, gamma: T, walls: (T, T), out: &mut [T]) {
    let n = z.len();
    with_scratch(2 * n, |segments: &mut [Segment<T>]| {
        let (a, b) = segments.split_at_mut(n);
        let mut upper = Chain { segments: a, front: 0, back: 0 };
        let mut lower = Chain { segments: b, front: 0, back: 0 };
        for i in 0..n {
            let last = i == n - 1;
            let v = z[i] - shift;
            let (begin_upper, begin_lower) = if i == 0 { walls } else { (T::zero(), T::zero()) };
            // The walls meet at the end.
            let close = if last { gamma } else { T::zero() };
            upper.push(i, v + (begin_upper - close));
            lower.push(i, -(v + (begin_lower + close)));
            loop {
                // The string bends at a wall where the other wall's chain would cross that one.
                let (touching, other, sign) = if upper.is_single() && !lower.is_single() {
                    (&mut lower, &mut upper, -T::one())
                } else if !upper.is_single() && (lower.is_single() || last) {
                    (&mut upper, &mut lower, T::one())
                } else {
                    break;
                };
                let start = touching.segments[touching.front].start;
                let (slope, end) = touching.first(i + 1);
                let (across, _) = other.first(i + 1);
                if slope > -across && !last {
                    break;
                }
                out[start..end].fill(shift + sign * slope);
                let sum = touching.pop();
                other.restart(end, sum);
            }
        }
        let start = upper.segments[upper.front].start;
        let (slope, _) = upper.first(n);
        out[start..].fill(shift + slope);
    });
}

impl<T: Real> Prox<T> for TotalVariation {
    fn value(&self, x: &[T]) -> T {
        dispatch(|| x.windows(2).map(|w| (w[1] - w[0]).abs()).sum())
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        if poisoned(z, out) {
            return T::zero() / T::zero();
        }
        if z.len() < 2 || gamma <= T::zero() {
            out.copy_from_slice(z);
            return self.value(z);
        }
        // Sums are taken about the middle of the values, and with a γ that does not drown them: from
        // max |Σ_{j≤i} (z_j − mean)| on, the string is straight.
        let (low, high) = (-max(z, |v| -v), max(z, |v| v));
        let shift = T::lit(0.5) * low + T::lit(0.5) * high;
        if gamma > high - low {
            let mean = shift + sum(z, |v| v - shift) / T::lit(z.len() as f64);
            let (mut partial, mut largest) = (T::zero(), T::zero());
            for &v in z {
                partial += v - mean;
                largest = if partial.abs() > largest { partial.abs() } else { largest };
            }
            if gamma >= largest {
                out.fill(mean);
                return T::zero();
            }
        }
        let given_up = dispatch(|| scan(z, gamma, out, PATIENCE));
        if let Some((start, upper, lower)) = given_up {
            taut_string(&z[start..], shift, gamma, (upper, lower), &mut out[start..]);
        }
        self.value(out)
    }

    fn prox_vjp(&self, z: &[T], gamma: T, upstream: &[T], grad: &mut [T]) -> T {
        check_lengths(z.len(), &[upstream.len(), grad.len()]);
        let n = z.len();
        self.prox_into(z, gamma, grad);
        if n < 2 || gamma <= T::zero() {
            grad.copy_from_slice(upstream);
            return T::zero();
        }
        let (mut by_gamma, mut start, mut jump) = (T::zero(), 0, T::zero());
        while start < n {
            let level = grad[start];
            let end = (start + 1..n).find(|&i| grad[i] != level).unwrap_or(n);
            let next = match grad.get(end) {
                None => T::zero(),
                Some(&x) if x > level => T::one(),
                Some(_) => -T::one(),
            };
            let mean = sum(&upstream[start..end], |u| u) / count(start, end);
            by_gamma += (next - jump) * mean;
            grad[start..end].fill(mean);
            (start, jump) = (end, next);
        }
        by_gamma
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether x is the minimiser: the partial sums of z − x stay in the tube, end at 0, and lie on the wall
    /// that each jump needs.
    fn is_taut(z: &[f64], gamma: f64, x: &[f64], tolerance: f64) -> bool {
        let mut dual = 0.0;
        let inside = (0..z.len()).all(|i| {
            dual += x[i] - z[i];
            let jump = x.get(i + 1).map_or(0.0, |next| next - x[i]);
            let wall = if jump > tolerance {
                (dual - gamma).abs()
            } else if jump < -tolerance {
                (dual + gamma).abs()
            } else {
                0.0
            };
            dual.abs() <= gamma + tolerance && wall <= tolerance
        });
        inside && dual.abs() <= tolerance
    }

    #[test]
    fn hard_shapes_are_taut() {
        let n = 5000;
        let shapes: [fn(f64) -> f64; 5] = [
            |i| i,
            |i| -0.01 * i * i,
            |i| (0.01 * i).sin(),
            |i| (i * 1.7).sin() + f64::from(i > 2500.0),
            |i| (i * core::f64::consts::PI).cos(),
        ];
        for shape in shapes {
            let z: Vec<f64> = (0..n).map(|i| shape(f64::from(i))).collect();
            let range = TotalVariation.value(&z);
            for gamma in [1e-3, 0.3, 1.0, 50.0, 1e4, 1e12] {
                let mut x = vec![7.0; z.len()];
                TotalVariation.prox_into(&z, gamma, &mut x);
                assert!(
                    is_taut(&z, gamma, &x, 1e-12 * (range + gamma.min(1e4)) * 100.0),
                    "{gamma}"
                );
            }
        }
    }

    #[test]
    fn both_algorithms_agree_from_anywhere() {
        let z: Vec<f64> =
            (0..300).map(|i| (0.05 * f64::from(i)).sin() + (2.3 * f64::from(i)).sin()).collect();
        for gamma in [0.1, 1.0, 7.0, 40.0] {
            let (mut x, mut y) = (vec![7.0; 300], vec![7.0; 300]);
            assert!(scan(&z, gamma, &mut x, usize::MAX / 300).is_none());
            assert!(is_taut(&z, gamma, &x, 1e-10));
            taut_string(&z, 0.0, gamma, (gamma, -gamma), &mut y);
            assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-11));
            // Without patience the scan gives up at its first knot.
            y.fill(7.0);
            if let Some((start, upper, lower)) = scan(&z, gamma, &mut y, 0) {
                taut_string(&z[start..], 0.0, gamma, (upper, lower), &mut y[start..]);
            }
            assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-11), "{gamma}");
        }
    }

    #[test]
    fn far_from_zero_digits_are_kept() {
        let mut x = [0.0; 4];
        TotalVariation.prox_into(&[1e12, 1e12 + 1.0, 1e12 + 5.0, 1e12 + 6.0], 1.0, &mut x);
        assert_eq!(x, [1e12 + 1.0, 1e12 + 1.0, 1e12 + 5.0, 1e12 + 5.0]);
    }

    proptest! {
        #[test]
        fn random_strings_are_taut(
            z in prop::collection::vec(prop_oneof![-3.0..3.0, Just(1.0), Just(-1.0)], 0..200),
            gamma in prop_oneof![1e-3..0.1, 0.1..3.0, 3.0..300.0],
        ) {
            let mut x = vec![7.0; z.len()];
            TotalVariation.prox_into(&z, gamma, &mut x);
            prop_assert!(is_taut(&z, gamma, &x, 1e-10), "{x:?}");
        }
    }
}
