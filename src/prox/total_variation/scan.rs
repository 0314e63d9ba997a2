//! Condat's algorithm: from the last knot on it keeps the steepest and the flattest line that stay in the tube,
//! and starts again at the knot where they end. Nothing but the knot is remembered then, so that two scans that
//! meet in a knot give the same bits from there on.
//!
//! Source: Condat, *IEEE Signal Process. Lett.* 20, 1054 (2013).

use super::{Bend, Knot, PATIENCE, count};
use crate::real::Real;

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// At the end of the signal.
    Finished,
    /// At a knot, up to which `out` is written.
    At(Knot),
    /// It has gone back too often.
    GivenUp(Knot),
}

/// Writes the answer from the knot `from` on, n ≥ 2 elements in all, γ > 0, up to the first knot among `marks`
/// or at `until` or later. Gives up after reading [`PATIENCE`] times what it has come to, and `slack` elements.
#[inline(always)]
pub(super) fn scan<T: Real>(
    z: &[T],
    gamma: T,
    out: &mut [T],
    from: Knot,
    marks: &[Option<Bend>],
    until: usize,
    slack: usize,
) -> Outcome {
    let n = z.len();
    // Start of the segment, where the lower and the upper line last touched a wall, their slopes and their
    // heights above the sums.
    let mut start = from.at;
    let (mut low_end, mut high_end, mut k) = (start, start, start);
    let (mut low, mut high) = from.bend.lines(z[start], gamma);
    let (mut below, mut above) = (gamma, -gamma);
    let mut reads = 0;
    loop {
        // Along the data while neither line leaves the tube.
        let first = k;
        let mut left = None;
        while k + 1 < n {
            let v = z[k + 1];
            let (b, a) = (below + (v - low), above + (v - high));
            if b < -gamma {
                left = Some(Bend::Down);
                break;
            }
            if a > gamma {
                left = Some(Bend::Up);
                break;
            }
            k += 1;
            (below, above) = (b, a);
            if b >= gamma {
                low += (b - gamma) * (T::one() / count(start, k + 1));
                below = gamma;
                low_end = k;
            }
            if a <= -gamma {
                high += (a + gamma) * (T::one() / count(start, k + 1));
                above = -gamma;
                high_end = k;
            }
        }
        reads += k - first + 1;
        let tired = reads > PATIENCE * (k - from.at + slack);
        let bend = match left {
            Some(bend) => bend,
            // The walls meet at the end; of the two lines the one that fits them is followed.
            None if below < T::zero() => Bend::Down,
            None if above > T::zero() => Bend::Up,
            None => {
                out[start..].fill(low + below / count(start, n));
                return Outcome::Finished;
            }
        };
        let (end, level) = if bend == Bend::Down { (low_end, low) } else { (high_end, high) };
        out[start..=end].fill(level);
        start = end + 1;
        let knot = Knot { at: start, bend };
        if tired {
            return Outcome::GivenUp(knot);
        }
        if left.is_some() {
            if start >= until || marks.get(start) == Some(&Some(bend)) {
                return Outcome::At(knot);
            }
            (low, high) = bend.lines(z[start], gamma);
            (below, above) = (gamma, -gamma);
            (low_end, high_end) = (start, start);
        } else if bend == Bend::Down {
            (low, below, low_end) = (z[start], gamma, start);
            above = z[start] + gamma - high;
        } else {
            (high, above, high_end) = (z[start], -gamma, start);
            below = z[start] - gamma - low;
        }
        k = start;
    }
}
