//! Condat's scan of many stretches of one signal side by side, one in each lane of a vector register: without
//! branches, and nothing waits for a division.
//!
//! Where a stretch begins the string is not known; a lane takes it to be in the middle of the tube. Its knots are
//! those of the answer from the first one on in which it meets the scan from before it (`scan` compares them).

use super::{Bend, Knot, PATIENCE};
use crate::real::Real;
use core::ops::Add;

/// Steps after which knots are taken out of the lanes.
const BLOCK: usize = 64;

/// Positions as integers as wide as the numbers they are kept with.
pub(super) trait Position: Copy + PartialEq + Default + Add<Output = Self> {
    fn of(position: usize) -> Self;
    fn at(self) -> usize;
}

impl Position for u32 {
    #[inline(always)]
    fn of(position: usize) -> u32 {
        position as u32
    }

    #[inline(always)]
    fn at(self) -> usize {
        self as usize
    }
}

impl Position for u64 {
    #[inline(always)]
    fn of(position: usize) -> u64 {
        position as u64
    }

    #[inline(always)]
    fn at(self) -> usize {
        self as usize
    }
}

/// State of `scan`, an array for each of its variables.
struct Lanes<T, I, const L: usize> {
    k: [I; L],
    low_end: [I; L],
    high_end: [I; L],
    low: [T; L],
    high: [T; L],
    below: [T; L],
    above: [T; L],
    /// Length of the segment up to k.
    length: [T; L],
    /// z where the next segment would start after a bend down, and up.
    after_low: [T; L],
    after_high: [T; L],
    /// The knot that the segment starts from, as [`encode`] writes it.
    knot: [I; L],
    /// Segments finished in this block.
    finished: [I; L],
    /// What a step finishes if it bends: the level and the knot of the segment, and its place in the block.
    level: [T; L],
    from: [I; L],
    place: [I; L],
}

fn encode(knot: Knot) -> usize {
    2 * knot.at + usize::from(knot.bend == Bend::Up)
}

#[inline(always)]
fn decode(code: usize) -> Knot {
    Knot { at: code / 2, bend: if code & 1 == 0 { Bend::Down } else { Bend::Up } }
}

#[inline(always)]
fn choose<A>(condition: bool, yes: A, no: A) -> A {
    if condition { yes } else { no }
}

impl<T: Real, I: Position, const L: usize> Lanes<T, I, L> {
    fn new(z: &[T], gamma: T, knots: [Knot; L]) -> Self {
        let start = knots.map(|knot| I::of(knot.at));
        let first = knots.map(|knot| z[knot.at]);
        let lines = knots.map(|knot| knot.bend.lines(z[knot.at], gamma));
        Lanes {
            k: start,
            low_end: start,
            high_end: start,
            low: lines.map(|(low, _)| low),
            high: lines.map(|(_, high)| high),
            below: [gamma; L],
            above: [-gamma; L],
            length: [T::one(); L],
            after_low: first,
            after_high: first,
            knot: knots.map(|knot| I::of(encode(knot))),
            finished: [I::default(); L],
            level: first,
            from: start,
            place: start,
        }
    }

    /// One element further, or back to where a segment ends.
    #[inline(always)]
    fn step(&mut self, z: &[T], gamma: T) {
        let (zero, one, next) = (T::zero(), T::one(), I::of(1));
        let twice = gamma + gamma;
        for l in 0..L {
            let v = match z.get(self.k[l].at() + 1) {
                Some(&v) => v,
                None => zero,
            };
            let after_low = choose(self.low_end[l] == self.k[l], v, self.after_low[l]);
            let after_high = choose(self.high_end[l] == self.k[l], v, self.after_high[l]);
            let b = self.below[l] + (v - self.low[l]);
            let a = self.above[l] + (v - self.high[l]);
            let down = b < -gamma;
            let bends = down | (a > gamma);
            self.level[l] = choose(down, self.low[l], self.high[l]);
            self.from[l] = self.knot[l];
            self.place[l] = self.finished[l];
            self.finished[l] = choose(bends, self.finished[l] + next, self.finished[l]);
            // Further.
            let k = self.k[l] + next;
            let length = self.length[l] + one;
            let share = one / length;
            let (excess, defect) = (b - gamma, a + gamma);
            let (raised, lowered) = (excess >= zero, defect <= zero);
            let low = self.low[l] + choose(raised, excess, zero) * share;
            let high = self.high[l] + choose(lowered, defect, zero) * share;
            let below = choose(raised, gamma, b);
            let above = choose(lowered, -gamma, a);
            let low_end = choose(raised, k, self.low_end[l]);
            let high_end = choose(lowered, k, self.high_end[l]);
            // Back.
            let start = choose(down, self.low_end[l], self.high_end[l]) + next;
            let first = choose(down, after_low, after_high);
            let knot = start + start + choose(down, I::default(), next);
            self.knot[l] = choose(bends, knot, self.knot[l]);
            self.low[l] = choose(bends, choose(down, first, first - twice), low);
            self.high[l] = choose(bends, choose(down, first + twice, first), high);
            self.below[l] = choose(bends, gamma, below);
            self.above[l] = choose(bends, -gamma, above);
            self.length[l] = choose(bends, one, length);
            self.k[l] = choose(bends, start, k);
            self.low_end[l] = choose(bends, start, low_end);
            self.high_end[l] = choose(bends, start, high_end);
            self.after_low[l] = after_low;
            self.after_high[l] = after_high;
        }
    }
}

/// Scans the signal from the knot `from` on in L stretches, until most are at their end or have gone back too often.
/// Sets `marks` at the knots found and `out` to the level of the segment at each but the last of a stretch.
/// Returns those last knots, in order.
#[inline(always)]
pub(super) fn side_by_side<T: Real, I: Position, const L: usize>(
    z: &[T],
    gamma: T,
    out: &mut [T],
    from: Knot,
    marks: &mut [Option<Bend>],
    slack: usize,
) -> [Knot; L] {
    let n = z.len();
    let starts: [usize; L] = core::array::from_fn(|l| from.at + l * (n - from.at) / L);
    let ends: [usize; L] = core::array::from_fn(|l| starts.get(l + 1).copied().unwrap_or(n));
    let mut lanes = Lanes::<T, I, L>::new(
        z,
        gamma,
        starts.map(|at| if at == from.at { from } else { Knot { at, bend: Bend::Start } }),
    );
    let (mut levels, mut knots) = ([[T::zero(); BLOCK]; L], [[I::default(); BLOCK]; L]);
    let mut last: [Option<Knot>; L] = [None; L];
    let (mut steps, mut left) = (0, L);
    // A few lanes are no faster than `scan`.
    while left > L / 4 {
        let mut block = BLOCK;
        let mut come = 0;
        for l in 0..L {
            come += lanes.k[l].at() - starts[l];
            if last[l].is_none() {
                block = block.min(ends[l] - 1 - lanes.k[l].at());
            }
        }
        if steps * L > PATIENCE * (come + slack) {
            break;
        }
        steps += block;
        for _ in 0..block {
            lanes.step(z, gamma);
            for l in 0..L {
                let place = lanes.place[l].at() % BLOCK;
                levels[l][place] = lanes.level[l];
                knots[l][place] = lanes.from[l];
            }
        }
        // A lane at its end runs on, and what it finds there is not looked at.
        for l in 0..L {
            if last[l].is_none() {
                for i in 0..lanes.finished[l].at() {
                    let knot = decode(knots[l][i].at());
                    out[knot.at] = levels[l][i];
                    marks[knot.at] = Some(knot.bend);
                }
                if lanes.k[l].at() + 1 == ends[l] {
                    last[l] = Some(decode(lanes.knot[l].at()));
                    left -= 1;
                }
            }
        }
        lanes.finished = [I::default(); L];
    }
    let last: [Knot; L] = core::array::from_fn(|l| last[l].unwrap_or(decode(lanes.knot[l].at())));
    for knot in last {
        marks[knot.at] = Some(knot.bend);
    }
    // No knots of the answer.
    for &start in &starts[1..] {
        marks[start] = Some(Bend::Start);
    }
    last
}
