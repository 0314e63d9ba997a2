//! The taut string in linear time whatever the data: two chains of segments, the convex one below the upper wall
//! and the concave one above the lower wall. Where their first slopes cross, the string touches a wall and a
//! segment of it is final. Elements may be of any extent, the horizontal distance that they cover.
//!
//! Source: Davies and Kovac, *Ann. Stat.* 29, 1 (2001).

use crate::real::Real;
use crate::scratch::with_scratch;

/// A piece of a chain: the sum of its increments and where it starts.
#[derive(Debug, Clone, Copy, Default)]
struct Segment<T> {
    sum: T,
    start: usize,
}

/// A convex chain: slopes increase from the front to the back. The concave one is kept as its negative.
struct Chain<'a, T, E> {
    segments: &'a mut [Segment<T>],
    /// Of the elements from one position to another.
    extent: E,
    front: usize,
    /// One past the last.
    back: usize,
}

impl<T: Real, E: Fn(usize, usize) -> T> Chain<'_, T, E> {
    /// Appends the increment of position `i`, merging pieces until slopes increase again.
    #[inline(always)]
    fn push(&mut self, i: usize, increment: T) {
        let mut last = Segment { sum: increment, start: i };
        while self.back > self.front {
            let before = self.segments[self.back - 1];
            let (length, length_before) =
                ((self.extent)(last.start, i + 1), (self.extent)(before.start, last.start));
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
        (first.sum / (self.extent)(first.start, end), end)
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

/// The taut string of the increments, n ≥ 1, for walls that begin `walls` above the string: its slopes plus `shift`.
pub(super) fn taut_string<T: Real>(
    increment: impl Fn(usize) -> T,
    extent: impl Fn(usize, usize) -> T + Copy,
    shift: T,
    gamma: T,
    walls: (T, T),
    out: &mut [T],
) {
    let n = out.len();
    with_scratch(2 * n, |segments: &mut [Segment<T>]| {
        let (a, b) = segments.split_at_mut(n);
        let mut upper = Chain { segments: a, extent, front: 0, back: 0 };
        let mut lower = Chain { segments: b, extent, front: 0, back: 0 };
        for i in 0..n {
            let last = i == n - 1;
            let v = increment(i);
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
