//! Cholesky factors of several small positive definite matrices side by side, one in each lane.
//!
//! A = UᵀU row by row, two rows and four columns at a time: eight accumulators that stay in registers.
//! Matrices are stored as panels of four columns, so that a sum over rows runs through memory. One matrix
//! that cannot be factored spoils no other.

use super::elementwise::LANES;
use super::lanes::{LaneVec, Lanes, add_multiple, multiply_add, scale, subtract};
use super::machine::vectorised;
use crate::real::Real;

/// Rows and columns of a tile.
const ROWS: usize = 2;
const COLUMNS: usize = 4;

/// Accumulators of a tile.
type Tile<T> = [[Lanes<T>; COLUMNS]; ROWS];

/// Where element (i, j) of an upper triangle is kept: panel after panel of columns, each down to the end of
/// its diagonal block.
#[inline(always)]
fn at(i: usize, j: usize) -> usize {
    let panel = j / COLUMNS;
    2 * COLUMNS * panel * (panel + 1) + COLUMNS * i + j % COLUMNS
}

/// Workspace and factors for matrices up to a given order.
#[derive(Debug)]
pub(crate) struct LaneCholesky<T> {
    /// Order of the matrices held, in full tiles.
    n: usize,
    /// A, upper triangle.
    a: LaneVec<T>,
    /// U, upper triangle.
    u: LaneVec<T>,
    /// 1/U_ii.
    inverse_diagonal: LaneVec<T>,
    /// U⁻ᵀ: panels of four columns, all rows.
    inverse: LaneVec<T>,
}

impl<T: Real> LaneCholesky<T> {
    /// For matrices of order at most `max`.
    pub(crate) fn new(max: usize) -> Self {
        let max = Self::padded(max);
        LaneCholesky {
            n: 0,
            a: LaneVec::zeros(at(0, max)),
            u: LaneVec::zeros(at(0, max)),
            inverse_diagonal: LaneVec::zeros(max),
            inverse: LaneVec::zeros(max * max),
        }
    }

    /// The order at which `n` is held: rounded up to full tiles.
    pub(crate) fn padded(n: usize) -> usize {
        n.next_multiple_of(COLUMNS)
    }

    /// Sets A = shift·I + Σ_j w_j b_j b_jᵀ of [padded](Self::padded) order `n` from the leading `n` numbers of
    /// the rows b_j of `b`, `stride` apart.
    pub(crate) fn set_weighted_gram(
        &mut self,
        n: usize,
        shift: &Lanes<T>,
        b: &[T],
        stride: usize,
        w: &[Lanes<T>],
    ) {
        self.n = n;
        weighted_gram(n, b, stride, w, &mut self.a);
        self.shift(shift);
    }

    /// Sets A = shift·I + ZᵀZ of [padded](Self::padded) order `n` from the leading `n` columns of Z, of which
    /// `z` holds panels of four columns with `points` rows each.
    pub(crate) fn set_gram(&mut self, n: usize, shift: &Lanes<T>, z: &[Lanes<T>], points: usize) {
        self.n = n;
        gram(n, z, points, &mut self.a);
        self.shift(shift);
    }

    fn shift(&mut self, shift: &Lanes<T>) {
        for i in 0..self.n {
            for (a, &s) in self.a[at(i, i)].iter_mut().zip(shift) {
                *a += s;
            }
        }
    }

    /// Factors the matrices that were set, inflating the diagonal of each by as little jitter as makes it
    /// positive definite. `false` in the lanes that hold a NaN or infinity or a diagonal element ≤ 0.
    pub(crate) fn factor(&mut self) -> [bool; LANES] {
        let mut jitter = [T::zero(); LANES];
        loop {
            let (u, inverse) = (&mut self.u, &mut self.inverse_diagonal);
            let definite = eliminate(self.n, &jitter, &self.a, u, inverse);
            let mut again = false;
            for l in 0..LANES {
                if !definite[l] && jitter[l] <= T::one() && self.is_finite(l) {
                    again = true;
                    jitter[l] = if jitter[l] == T::zero() {
                        T::lit(50.0) * T::EPSILON
                    } else {
                        jitter[l] * T::lit(100.0)
                    };
                }
            }
            if !again {
                return definite;
            }
        }
    }

    /// Whether no jitter is lost on the matrix of a lane: its diagonal is finite and positive.
    fn is_finite(&self, lane: usize) -> bool {
        (0..self.n).all(|i| {
            let d = self.a[at(i, i)][lane];
            d > T::zero() && d.is_finite()
        })
    }

    /// Overwrites `b` with A⁻¹b.
    pub(crate) fn solve(&self, b: &mut [Lanes<T>]) {
        substitute(&self.u, &self.inverse_diagonal, &mut b[..self.n]);
    }

    /// tr A⁻¹ = ‖U⁻ᵀ‖².
    pub(crate) fn trace_of_inverse(&mut self) -> Lanes<T> {
        trace(self.n, &self.u, &self.inverse_diagonal, &mut self.inverse)
    }

    /// ln det A.
    pub(crate) fn log_determinant(&self) -> Lanes<T> {
        let mut sum = [T::zero(); LANES];
        for group in self.inverse_diagonal[..self.n].chunks(COLUMNS) {
            for (l, sum) in sum.iter_mut().enumerate() {
                let product = group.iter().fold(T::one(), |product, d| product * d[l]);
                *sum -= T::lit(2.0) * product.ln();
            }
        }
        sum
    }
}

/// Σ left(p, r)·right(p, c) over the rows p of two panels, the left one from the tile's first column on.
#[inline(always)]
fn tile<T: Real, const FUSED: bool>(left: &[Lanes<T>], right: &[Lanes<T>]) -> Tile<T> {
    let mut sums = [[[T::zero(); LANES]; COLUMNS]; ROWS];
    for (left, right) in left.chunks(COLUMNS).zip(right.chunks_exact(COLUMNS)) {
        let left = &left[..ROWS];
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                multiply_add::<T, FUSED>(&left[r], &right[c], &mut sums[r][c]);
            }
        }
    }
    sums
}

/// Row i of a panel at i·COLUMNS.
#[inline(always)]
fn store<T: Real>(tile: &Tile<T>, panel: &mut [Lanes<T>]) {
    for (row, values) in panel.chunks_exact_mut(COLUMNS).zip(tile) {
        row.copy_from_slice(values);
    }
}

vectorised! {
    fn gram<'a, T, const FUSED: bool>(
        n: usize,
        z: &'a [Lanes<T>],
        points: usize,
        a: &'a mut [Lanes<T>],
    ) -> () {
        let panel = points * COLUMNS;
        for i0 in (0..n).step_by(ROWS) {
            let left = &z[i0 / COLUMNS * panel..][i0 % COLUMNS..panel];
            for j0 in (i0 / COLUMNS * COLUMNS..n).step_by(COLUMNS) {
                let sums = tile::<T, FUSED>(left, &z[j0 / COLUMNS * panel..][..panel]);
                store(&sums, &mut a[at(i0, j0)..]);
            }
        }
    }
}

vectorised! {
    fn weighted_gram<'a, T, const FUSED: bool>(
        n: usize,
        b: &'a [T],
        stride: usize,
        w: &'a [Lanes<T>],
        a: &'a mut [Lanes<T>],
    ) -> () {
        for i0 in (0..n).step_by(ROWS) {
            for j0 in (i0 / COLUMNS * COLUMNS..n).step_by(COLUMNS) {
                let mut sums = [[[T::zero(); LANES]; COLUMNS]; ROWS];
                for (row, w) in b.chunks_exact(stride).zip(w) {
                    let (left, right) = (&row[i0..i0 + ROWS], &row[j0..j0 + COLUMNS]);
                    for r in 0..ROWS {
                        let mut scaled = *w;
                        for l in 0..LANES {
                            scaled[l] *= left[r];
                        }
                        for c in 0..COLUMNS {
                            add_multiple::<T, FUSED>(&scaled, right[c], &mut sums[r][c]);
                        }
                    }
                }
                store(&sums, &mut a[at(i0, j0)..]);
            }
        }
    }
}

/// 1/√pivot, 1 in the lanes where it is not positive and finite.
#[inline(always)]
fn inverse_root<T: Real>(pivot: &Lanes<T>, definite: &mut [bool; LANES]) -> Lanes<T> {
    let mut root = *pivot;
    for l in 0..LANES {
        let sound = root[l] > T::zero() && root[l] < T::INFINITY;
        definite[l] &= sound;
        root[l] = if sound { root[l] } else { T::one() };
    }
    root.map(|x| T::one() / x.sqrt())
}

vectorised! {
    /// Writes U of A with (1 + jitter) times its diagonal. Whether each lane is positive definite and finite.
    fn eliminate<'a, T, const FUSED: bool>(
        n: usize,
        jitter: &'a Lanes<T>,
        a: &'a [Lanes<T>],
        u: &'a mut [Lanes<T>],
        inverse_diagonal: &'a mut [Lanes<T>],
    ) -> [bool; LANES] {
        let mut definite = [true; LANES];
        for i0 in (0..n).step_by(ROWS) {
            // The inverses of two pivots, and minus the element of U that links their rows.
            let (mut inverses, mut link) = ([[T::one(); LANES]; ROWS], [T::zero(); LANES]);
            for j0 in (i0 / COLUMNS * COLUMNS..n).step_by(COLUMNS) {
                let above = COLUMNS * i0;
                let left = &u[at(0, i0)..][..above.saturating_sub(i0 % COLUMNS)];
                let sums = tile::<T, FUSED>(left, &u[at(0, j0)..][..above]);
                let mut rest = [[[T::zero(); LANES]; COLUMNS]; ROWS];
                for (rest, a) in rest.iter_mut().zip(a[at(i0, j0)..].chunks_exact(COLUMNS)) {
                    rest.copy_from_slice(a);
                }
                for r in 0..ROWS {
                    for c in 0..COLUMNS {
                        subtract(&sums[r][c], &mut rest[r][c]);
                    }
                }
                if j0 <= i0 {
                    store(&rest, &mut u[at(i0, j0)..]);
                    let mut pivot = u[at(i0, i0)];
                    multiply_add::<T, FUSED>(jitter, &a[at(i0, i0)], &mut pivot);
                    inverses[0] = inverse_root(&pivot, &mut definite);
                    let mut linked = u[at(i0, i0 + 1)];
                    scale(&inverses[0], &mut linked);
                    link = linked.map(|x| -x);
                    let mut pivot = u[at(i0 + 1, i0 + 1)];
                    multiply_add::<T, FUSED>(jitter, &a[at(i0 + 1, i0 + 1)], &mut pivot);
                    multiply_add::<T, FUSED>(&linked, &link, &mut pivot);
                    inverses[1] = inverse_root(&pivot, &mut definite);
                    inverse_diagonal[i0..i0 + ROWS].copy_from_slice(&inverses);
                }
                for c in 0..COLUMNS {
                    scale(&inverses[0], &mut rest[0][c]);
                    let first = rest[0][c];
                    multiply_add::<T, FUSED>(&link, &first, &mut rest[1][c]);
                    scale(&inverses[1], &mut rest[1][c]);
                }
                store(&rest, &mut u[at(i0, j0)..]);
            }
        }
        definite
    }
}

vectorised! {
    /// x = (UᵀU)⁻¹x.
    fn substitute<'a, T, const FUSED: bool>(
        u: &'a [Lanes<T>],
        inverse_diagonal: &'a [Lanes<T>],
        x: &'a mut [Lanes<T>],
    ) -> () {
        let n = x.len();
        for k in 0..n {
            let mut sum = x[k];
            for (x, u) in x[..k].iter().zip(u[at(0, k)..].iter().step_by(COLUMNS)) {
                multiply_add::<T, FUSED>(x, u, &mut sum);
            }
            scale(&inverse_diagonal[k], &mut sum);
            // Minus the half-way result, so that sums are all that is needed.
            x[k] = sum.map(|x| -x);
        }
        for k in (0..n).rev() {
            let mut value = x[k];
            scale(&inverse_diagonal[k], &mut value);
            let minus = value.map(|x| -x);
            for (x, u) in x[..k].iter_mut().zip(u[at(0, k)..].iter().step_by(COLUMNS)) {
                multiply_add::<T, FUSED>(&minus, u, x);
            }
            x[k] = minus;
        }
    }
}

vectorised! {
    /// ‖U⁻ᵀ‖²; x receives U⁻ᵀ in panels.
    fn trace<'a, T, const FUSED: bool>(
        n: usize,
        u: &'a [Lanes<T>],
        inverse_diagonal: &'a [Lanes<T>],
        x: &'a mut [Lanes<T>],
    ) -> Lanes<T> {
        let mut trace = [T::zero(); LANES];
        for i0 in (0..n).step_by(ROWS) {
            let link = u[at(i0, i0 + 1)].map(|x| -x);
            let inverses = [inverse_diagonal[i0], inverse_diagonal[i0 + 1]];
            for j0 in (0..i0 + ROWS).step_by(COLUMNS) {
                let (panel, rows) = (j0 * n, i0 - j0.min(i0));
                let left = &u[at(i0 - rows, i0)..][..(COLUMNS * rows).saturating_sub(i0 % COLUMNS)];
                let right = &x[panel + COLUMNS * (i0 - rows)..][..COLUMNS * rows];
                let sums = tile::<T, FUSED>(left, right);
                for c in 0..COLUMNS {
                    let one = |r| if i0 + r == j0 + c { T::one() } else { T::zero() };
                    let (mut first, mut second) = ([one(0); LANES], [one(1); LANES]);
                    subtract(&sums[0][c], &mut first);
                    scale(&inverses[0], &mut first);
                    subtract(&sums[1][c], &mut second);
                    multiply_add::<T, FUSED>(&link, &first, &mut second);
                    scale(&inverses[1], &mut second);
                    multiply_add::<T, FUSED>(&first.clone(), &first, &mut trace);
                    multiply_add::<T, FUSED>(&second.clone(), &second, &mut trace);
                    x[panel + COLUMNS * i0 + c] = first;
                    x[panel + COLUMNS * (i0 + 1) + c] = second;
                }
            }
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn every_lane_agrees_with_the_dense_library() {
        let (points, stride) = (40, 32_usize);
        let b: Vec<f64> = (0..points * stride).map(|k| (0.7 * k as f64).sin()).collect();
        let w: Vec<Lanes<f64>> = (0..points)
            .map(|j| core::array::from_fn(|l| 1.1 + (1.3 * (j * LANES + l) as f64).sin()))
            .collect();
        // Panels of four columns.
        let z: Vec<Lanes<f64>> = (0..points * stride)
            .map(|k| {
                let (j, i) = (k / COLUMNS % points, k / COLUMNS / points * COLUMNS + k % COLUMNS);
                core::array::from_fn(|l| b[j * stride + i] * w[j][l].sqrt())
            })
            .collect();
        let shift = core::array::from_fn(|l| 0.2 + 0.1 * l as f64);
        for n in [4, 8, 12, 24, 32] {
            let mut cholesky = LaneCholesky::<f64>::new(32);
            for panel in [false, true] {
                if panel {
                    cholesky.set_gram(n, &shift, &z, points);
                } else {
                    cholesky.set_weighted_gram(n, &shift, &b, stride, &w);
                }
                assert_eq!(cholesky.factor(), [true; LANES]);
                let mut x: Vec<Lanes<f64>> =
                    (0..n).map(|i| core::array::from_fn(|l| ((i + l) as f64).cos())).collect();
                let right = x.clone();
                cholesky.solve(&mut x);
                let (trace, log) = (cholesky.trace_of_inverse(), cholesky.log_determinant());
                for l in 0..LANES {
                    let rows =
                        DMatrix::from_fn(points, n, |j, i| b[j * stride + i] * w[j][l].sqrt());
                    let a = rows.transpose() * rows + DMatrix::identity(n, n) * shift[l];
                    let expected = a.clone().cholesky().unwrap();
                    let b = DVector::from_fn(n, |i, _| right[i][l]);
                    let x = DVector::from_fn(n, |i, _| x[i][l]);
                    assert!((expected.solve(&b) - x).norm() < 1e-11 * b.norm());
                    assert!((trace[l] / expected.inverse().trace() - 1.0).abs() < 1e-11);
                    assert!((log[l] - expected.determinant().ln()).abs() < 1e-11 * log[l].abs());
                }
            }
        }
    }

    #[test]
    fn one_bad_lane_spoils_no_other() {
        let b = [1.0, 1.0, 1.0, 1.0, 0.0, 0.5, -0.5, 1.0];
        let mut w = [[1.0; LANES]; 2];
        let solve = |w: &[Lanes<f64>; 2], shift: Lanes<f64>| {
            let mut cholesky = LaneCholesky::<f64>::new(4);
            cholesky.set_weighted_gram(4, &shift, &b, 4, w);
            let definite = cholesky.factor();
            let mut x = [[1.0; LANES]; 4];
            cholesky.solve(&mut x);
            (definite, x)
        };
        let (_, sound) = solve(&w, [1.0; LANES]);
        (w[0][2], w[1][5]) = (f64::NAN, f64::INFINITY);
        // A singular matrix is rescued by jitter.
        let mut shift = [1.0; LANES];
        shift[6] = 0.0;
        let (definite, x) = solve(&w, shift);
        assert_eq!(definite, core::array::from_fn(|l| l != 2 && l != 5));
        assert!((0..4).all(|i| [0, 1, 3, 4, 7].iter().all(|&l| x[i][l] == sound[i][l])));
        assert!((0..4).all(|i| x[i][6].is_finite()));
    }
}
