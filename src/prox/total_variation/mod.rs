//! Total variation in one dimension, exactly and in linear time, by the taut string.
//!
//! Source: Davies and Kovac, *Ann. Stat.* 29, 1 (2001); Condat, *IEEE Signal Process. Lett.* 20, 1054 (2013).
//! The partial sums s_i of the answer are the shortest string through the tube |s_i − Σ_{j<i} z_j| ≤ γ that is
//! fixed at both ends.
//!
//! `scan` is Condat's algorithm, fast, but limited by branches that cannot be predicted, and quadratic at worst.
//! Against the first, `lanes` scans many stretches of a long signal at once; `scan` then only joins them, and the
//! answer does not depend on it, but for rounding where a scan gives up. Against the second, once a scan has gone back over more than `PATIENCE`
//! elements for each of z, `taut_string` takes over, which is linear whatever the data.

mod density;
mod lanes;
mod scan;
mod taut_string;

pub use density::DensityVariation;

use super::{Prox, check_lengths, sum};
use crate::linalg::{Vectorise, dispatch, has_wide_gather, vectorised};
use crate::real::Real;
use crate::scratch::with_scratch;
use lanes::{Position, side_by_side};
use scan::{Outcome, scan};
use taut_string::taut_string;

/// f(x) = Σ |x_{i+1} − x_i|; prox_{γf}(z) is piecewise constant: the mean of z on each piece, plus γ/length
/// for each end of it where x goes up to the right or down from the left, less γ/length for the others.
///
/// Of spectral weights a = A Δω this is the variation of a, not of the density A: on a grid whose cells differ, of
/// which the half cells at the ends of a [uniform one](crate::FrequencyGrid::uniform) are two, a constant A has steps.
/// [`DensityVariation`] is that of A.
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

/// How often a scan may read z, on average, before it gives way to [`taut_string`].
const PATIENCE: usize = 4;

/// Independent partial results of a pass over all elements.
const WIDTH: usize = 32;

/// From this length on it can pay to scan in lanes.
const LONG: usize = 1 << 14;

/// How the string bends where a segment starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bend {
    /// Not at all: the segment starts in the middle of the tube.
    Start,
    /// The answer steps down.
    Down,
    /// The answer steps up.
    Up,
}

/// Where a segment starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Knot {
    at: usize,
    bend: Bend,
}

impl Bend {
    /// Slopes of the flattest and the steepest line through the tube at the first element z.
    #[inline(always)]
    fn lines<T: Real>(self, z: T, gamma: T) -> (T, T) {
        match self {
            Bend::Start => (z - gamma, z + gamma),
            Bend::Down => (z, z + (gamma + gamma)),
            Bend::Up => (z - (gamma + gamma), z),
        }
    }

    /// How far the upper and the lower wall are above the string.
    fn walls<T: Real>(self, gamma: T) -> (T, T) {
        match self {
            Bend::Start => (gamma, -gamma),
            Bend::Down => (gamma + gamma, T::zero()),
            Bend::Up => (T::zero(), -(gamma + gamma)),
        }
    }
}

#[inline(always)]
fn count<T: Real>(start: usize, end: usize) -> T {
    T::lit((end - start) as f64)
}

/// The scan of a whole signal, n ≥ 2, γ > 0. Returns the knot where it gave up, if it did; `out` is written up to
/// there.
struct Scan<'a, T> {
    z: &'a [T],
    gamma: T,
    out: &'a mut [T],
    /// As many as z has elements, of any content, to scan in lanes; none, to do without.
    marks: &'a mut [Option<Bend>],
}

impl<T: Real> Vectorise for Scan<'_, T> {
    type Output = Option<Knot>;

    #[inline(always)]
    fn run(self) -> Option<Knot> {
        let slack = self.z.len() / 64 + 64;
        let start = Knot { at: 0, bend: Bend::Start };
        let first = if self.marks.is_empty() { usize::MAX } else { 1 };
        match scan(self.z, self.gamma, self.out, start, &[], first, slack) {
            Outcome::Finished => None,
            Outcome::GivenUp(knot) => Some(knot),
            // Lanes are worth their joints only if knots are many in each.
            Outcome::At(knot) if knot.at > slack => {
                match scan(self.z, self.gamma, self.out, knot, &[], usize::MAX, slack) {
                    Outcome::GivenUp(knot) => Some(knot),
                    Outcome::Finished | Outcome::At(_) => None,
                }
            }
            Outcome::At(knot) if size_of::<T>() == 8 => self.in_lanes::<u64>(knot, slack),
            Outcome::At(knot) => self.in_lanes::<u32>(knot, slack),
        }
    }
}

impl<T: Real> Scan<'_, T> {
    /// From the knot `from` on in lanes, which are then joined.
    #[inline(always)]
    fn in_lanes<I: Position>(self, from: Knot, slack: usize) -> Option<Knot> {
        let Scan { z, gamma, out, marks } = self;
        marks.fill(None);
        let ends = side_by_side::<T, I, 16>(z, gamma, out, from, marks, slack);
        let mut joined = from.at;
        for end in ends {
            // The scan may have come past lanes that it met nowhere.
            if end.at >= joined {
                spread(&mut out[joined..end.at], &marks[joined..end.at]);
                match scan(z, gamma, out, end, marks, usize::MAX, slack) {
                    Outcome::Finished => return None,
                    Outcome::GivenUp(knot) => return Some(knot),
                    Outcome::At(knot) => joined = knot.at,
                }
            }
        }
        None
    }
}

/// Copies what stands at each mark to the elements up to the next; the first element has a mark.
#[inline(always)]
fn spread<T: Real>(out: &mut [T], marks: &[Option<Bend>]) {
    let mut level = T::zero();
    for (x, mark) in out.iter_mut().zip(marks) {
        level = core::hint::select_unpredictable(mark.is_some(), *x, level);
        *x = level;
    }
}

vectorised! {
    /// Least and largest element; not finite if one is not.
    fn range<'a, T>(z: &'a [T]) -> (T, T) {
        let (mut low, mut high) = ([T::INFINITY; WIDTH], [-T::INFINITY; WIDTH]);
        let mut poison = [T::zero(); WIDTH];
        let (blocks, rest) = z.as_chunks::<WIDTH>();
        let mut last = [z.first().copied().unwrap_or(T::zero()); WIDTH];
        last[..rest.len()].copy_from_slice(rest);
        for block in blocks.iter().chain([&last]) {
            for l in 0..WIDTH {
                let v = block[l];
                low[l] = if v < low[l] { v } else { low[l] };
                high[l] = if v > high[l] { v } else { high[l] };
                poison[l] += T::zero() * v;
            }
        }
        (0..WIDTH).fold((T::INFINITY, -T::INFINITY), |(least, most), l| {
            (least.min(low[l]) + poison[l], most.max(high[l]) + poison[l])
        })
    }
}

vectorised! {
    /// Σ |x_{i+1} − x_i|.
    fn variation<'a, T>(x: &'a [T]) -> T {
        let (from, to) = (&x[..x.len().saturating_sub(1)], x.get(1..).unwrap_or_default());
        let mut sums = [T::zero(); WIDTH];
        let ((from, last), (to, last_to)) = (from.as_chunks::<WIDTH>(), to.as_chunks::<WIDTH>());
        for (a, b) in from.iter().zip(to) {
            for l in 0..WIDTH {
                sums[l] += (b[l] - a[l]).abs();
            }
        }
        let rest: T = last.iter().zip(last_to).map(|(&a, &b)| (b - a).abs()).sum();
        sums.into_iter().sum::<T>() + rest
    }
}

impl<T: Real> Prox<T> for TotalVariation {
    fn value(&self, x: &[T]) -> T {
        variation(x)
    }

    fn prox_into(&self, z: &[T], gamma: T, out: &mut [T]) -> T {
        check_lengths(z.len(), &[out.len()]);
        let (low, high) = range(z);
        if !(low.is_finite() && high.is_finite()) {
            out.fill(T::zero() / T::zero());
            return T::zero() / T::zero();
        }
        if z.len() < 2 || gamma <= T::zero() {
            out.copy_from_slice(z);
            return self.value(z);
        }
        // Sums are taken about the middle of the values, and with a γ that does not drown them: from
        // max |Σ_{j≤i} (z_j − mean)| on, the string is straight.
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
        let long = (LONG..1 << 30).contains(&z.len()) && has_wide_gather();
        let given_up = with_scratch(if long { z.len() } else { 0 }, |marks| {
            dispatch(Scan { z, gamma, out: &mut *out, marks })
        });
        if let Some(Knot { at, bend }) = given_up {
            let increment = |i: usize| z[at + i] - shift;
            taut_string(increment, count, shift, gamma, bend.walls(gamma), &mut out[at..]);
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
        by_pieces(grad, |piece, start, end| {
            let mean = sum(&upstream[start..end], |u| u) / count(start, end);
            piece.fill(mean);
            mean
        })
    }
}

/// Goes through the pieces of equal level of a prox. `pull` is given each with its ends, overwrites it by the derivative
/// of the data and returns that of the level; what comes back is the derivative of γ: a level moves by as much as one
/// of its neighbours is above it and the other is not.
fn by_pieces<T: Real>(grad: &mut [T], mut pull: impl FnMut(&mut [T], usize, usize) -> T) -> T {
    let n = grad.len();
    let (mut by_gamma, mut start, mut jump) = (T::zero(), 0, T::zero());
    while start < n {
        let level = grad[start];
        let end = (start + 1..n).find(|&i| grad[i] != level).unwrap_or(n);
        let next = match grad.get(end) {
            None => T::zero(),
            Some(&x) if x > level => T::one(),
            Some(_) => -T::one(),
        };
        by_gamma += (next - jump) * pull(&mut grad[start..end], start, end);
        (start, jump) = (end, next);
    }
    by_gamma
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

    const START: Knot = Knot { at: 0, bend: Bend::Start };

    #[test]
    fn both_algorithms_agree_from_anywhere() {
        let z: Vec<f64> =
            (0..300).map(|i| (0.05 * f64::from(i)).sin() + (2.3 * f64::from(i)).sin()).collect();
        for gamma in [0.1, 1.0, 7.0, 40.0] {
            let (mut x, mut y) = (vec![7.0; 300], vec![7.0; 300]);
            let outcome = scan(&z, gamma, &mut x, START, &[], usize::MAX, 100_000);
            assert_eq!(outcome, Outcome::Finished);
            assert!(is_taut(&z, gamma, &x, 1e-10));
            taut_string(|i| z[i], count, 0.0, gamma, (gamma, -gamma), &mut y);
            assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-11));
            // Each knot can be where the string goes on from, by either.
            for until in 1..300 {
                y.fill(7.0);
                let outcome = scan(&z, gamma, &mut y, START, &[], until, 100_000);
                if let Outcome::At(knot) = outcome {
                    let walls = knot.bend.walls(gamma);
                    let mut w = y.clone();
                    let increment = |i: usize| z[knot.at + i];
                    taut_string(increment, count, 0.0, gamma, walls, &mut w[knot.at..]);
                    assert!(x.iter().zip(&w).all(|(x, w)| (x - w).abs() < 1e-11), "{gamma}");
                    scan(&z, gamma, &mut y, knot, &[], usize::MAX, 100_000);
                    assert_eq!(x, y);
                }
            }
        }
    }

    fn lanes_change_no_bit<T: Real>() {
        use rand::{SeedableRng, rngs::ChaCha8Rng};
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let n = 70_001;
        let noise: Vec<f64> = (0..n).map(|_| f64::standard_normal(&mut rng)).collect();
        let signals: [fn(f64, f64) -> f64; 6] = [
            |_, noise| noise,
            |i, noise| (i / 7000.0).floor() % 3.0 + 0.1 * noise,
            |i, noise| (1e-3 * i).sin() + 0.01 * noise,
            |i, _| (1e-3 * i).sin(),
            |i, noise| if i < 40_000.0 { noise } else { 0.0 },
            |i, noise| if i < 40_000.0 { (1.5 * i).sin().signum() } else { noise.round() },
        ];
        for signal in signals {
            let z: Vec<T> =
                noise.iter().enumerate().map(|(i, &v)| T::lit(signal(i as f64, v))).collect();
            for gamma in [0.05, 1.0, 6.0, 300.0].map(T::lit) {
                let (mut x, mut y) = (vec![T::zero(); n], vec![T::one(); n]);
                let mut marks = vec![Some(Bend::Up); n];
                let scan = Scan { z: &z, gamma, out: &mut x, marks: &mut [] }.run();
                let lanes = Scan { z: &z, gamma, out: &mut y, marks: &mut marks }.run();
                // Where one gave up and the other did not, the taut string rounds differently.
                let end = |knot: Option<Knot>| knot.map_or(n, |knot| knot.at);
                let end = end(scan).min(end(lanes));
                assert!(x[..end] == y[..end], "{gamma}");
                TotalVariation.prox_into(&z, gamma, &mut y);
                let size = T::one() + T::lit(n as f64).sqrt() * gamma.min(T::one());
                assert!(x[..end].iter().zip(&y).all(|(&x, &y)| (x - y).abs() < size * T::EPSILON));
            }
        }
    }

    #[test]
    fn lanes_change_no_bit_in_f64() {
        lanes_change_no_bit::<f64>();
    }

    #[test]
    fn lanes_change_no_bit_in_f32() {
        lanes_change_no_bit::<f32>();
    }

    #[test]
    fn long_signals_are_taut() {
        let n = 40_000;
        let shapes: [fn(f64) -> f64; 4] = [
            |i| (i * 1.7).sin() + (i * i * 0.37).cos(),
            |i| (0.001 * i).sin() + 0.1 * (i * i * 0.37).cos(),
            |i| (i * i * 0.37).cos().round(),
            |i| if i < 500.0 { i * i * 1e-4 } else { (i * i * 0.37).cos() },
        ];
        for shape in shapes {
            let z: Vec<f64> = (0..n).map(|i| shape(f64::from(i))).collect();
            for gamma in [0.1, 1.0, 30.0] {
                let mut x = vec![7.0; z.len()];
                TotalVariation.prox_into(&z, gamma, &mut x);
                assert!(is_taut(&z, gamma, &x, 1e-9), "{gamma}");
            }
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
