//! The product behind the views: C = keep·C + factor·A·B, one thread, without allocation.
//!
//! The columns of C are next to one another, so vectors run along its rows. C is cut into *tiles* of a few rows
//! and one to four registers' columns, whose sums stay in registers while the depth goes by:
//!
//! ```text
//! for p: x = B[p, tile's columns] (loads),  for i: sums[i] += A[i, p] x (one broadcast, fused multiply-adds)
//! ```
//!
//! Around it three loops keep the numbers near: blocks of rows; *strips* of B as wide as a tile, whose columns
//! stay in the second cache level with their rows of C; blocks of the depth, of which a strip fits into the
//! first level. A is read where it lies. A strip is copied to the stack, transposed if need be, if it isn't
//! compact already.
//!
//! A few columns left over, or a single one (matrix times vector), would waste most of a register. If A and B
//! both run along the depth they are dot products instead, several at once, with vectors along the depth.
//!
//! Every element of C is summed in an order that depends on the shapes and layouts alone.

use super::register::Register;
use super::simd::{InstructionSet, Vectorise};
#[cfg(target_arch = "x86_64")]
use super::simd::{v3, v4};
use super::transpose::{WIDEST, transposed};
use crate::real::Real;
use core::hint::black_box;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// Bytes of a packed strip: 32 kB, as much as a first cache level has at least.
const STRIP: usize = 32 * 1024;
/// Widths of a strip up to which rows of B are near to one another.
const NARROW: usize = 4;
/// Bytes of a block of rows of A.
const BLOCK: usize = 256 * 1024;
/// Rows of a block, at least.
const ROWS: usize = 192;
/// Rows too few to make up for packing a strip whose rows are contiguous: so many where they are far from one
/// another, four times as many where they are near.
const FEW: usize = 16;
/// Bytes of A from which it is read from afar: tiles then ask the memory for the rows of the next.
const FAR: usize = 256 * 1024;

/// C = keep·C + factor·A·B; without `keep` what C held is not read. Element (i, j) of A lies at
/// `a + i·a_row + j·a_column`, B and C alike; `c_column` is 1, and so is `b_row` or `b_column`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product<T> {
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) a: *const T,
    pub(super) a_row: usize,
    pub(super) a_column: usize,
    pub(super) b: *const T,
    pub(super) b_row: usize,
    pub(super) b_column: usize,
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    pub(super) keep: Option<T>,
    pub(super) factor: T,
}

impl<T: Real> Product<T> {
    /// Computes it with the instructions of `set`.
    ///
    /// # Safety
    /// The elements of A and B can be read, those of C read and written by nobody else, and the processor has `set`.
    #[inline]
    pub(super) unsafe fn run(&self, set: InstructionSet) {
        #[cfg(target_arch = "x86_64")]
        {
            use core::arch::x86_64::{__m256, __m256d, __m512, __m512d};
            let single = size_of::<T>() == size_of::<f32>();
            // SAFETY: the processor has the features of `v4` or `v3`, and T is the type it is cast to (the trait
            // is sealed, its two types differ in size).
            unsafe {
                match (set, single) {
                    (InstructionSet::Avx512, true) => {
                        return v4(Job::<_, __m512>::of(&self.cast::<f32>()));
                    }
                    (InstructionSet::Avx512, false) => {
                        return v4(Job::<_, __m512d>::of(&self.cast::<f64>()));
                    }
                    (InstructionSet::Avx2, true) => {
                        return v3(Job::<_, __m256>::of(&self.cast::<f32>()));
                    }
                    (InstructionSet::Avx2, false) => {
                        return v3(Job::<_, __m256d>::of(&self.cast::<f64>()));
                    }
                    (InstructionSet::Baseline, _) => {}
                }
            }
        }
        let _ = set;
        Job::<_, [T; 4]>::of(self).run();
    }

    /// The same numbers by their own name.
    #[cfg(target_arch = "x86_64")]
    fn cast<U: Real>(&self) -> Product<U> {
        let number = |x: T| U::lit(x.as_f64());
        Product {
            rows: self.rows,
            depth: self.depth,
            columns: self.columns,
            a: self.a.cast(),
            a_row: self.a_row,
            a_column: self.a_column,
            b: self.b.cast(),
            b_row: self.b_row,
            b_column: self.b_column,
            c: self.c.cast(),
            c_row: self.c_row,
            keep: self.keep.map(number),
            factor: number(self.factor),
        }
    }
}

/// A product and the registers it is computed in.
struct Job<'p, T, R> {
    product: &'p Product<T>,
    register: PhantomData<R>,
}

impl<'p, T, R> Job<'p, T, R> {
    fn of(product: &'p Product<T>) -> Self {
        Job { product, register: PhantomData }
    }
}

impl<T: Real, R: Register<T>> Vectorise for Job<'_, T, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // SAFETY: made by `Product::run` alone, whose caller promises what is asked here.
        unsafe {
            let dots = self.columns_by_dots();
            self.strips(self.product.columns - dots);
            self.dots(dots);
        }
    }
}

impl<T: Real, R: Register<T>> Job<'_, T, R> {
    /// The columns, the last ones, that are cheaper as dot products.
    #[inline(always)]
    fn columns_by_dots(&self) -> usize {
        let Product { depth, columns, a_column, b_row, .. } = *self.product;
        let rest = columns % R::LANES;
        // In fused multiply-adds a row: adding up the lanes of a register costs about four.
        let computed = if rest < 3 { rest } else { rest.next_multiple_of(4) };
        let dots = computed * (depth.div_ceil(R::LANES) + 4);
        if a_column == 1 && b_row == 1 && dots < depth { rest } else { 0 }
    }

    /// The first `columns` columns of C, by tiles.
    #[inline(always)]
    unsafe fn strips(&self, columns: usize) {
        let product = self.product;
        let most = R::ROWS.len();
        let registers = columns.div_ceil(R::LANES);
        let strips = registers.div_ceil(most);
        let rows = (BLOCK / size_of::<T>()).checked_div(product.depth).unwrap_or(0).max(ROWS);
        let row_blocks = product.rows.div_ceil(rows);
        let depth_blocks =
            product.depth.div_ceil(STRIP / size_of::<T>() / (R::LANES * most)).max(1);
        let mut memory = MaybeUninit::<Strip>::uninit();
        let memory = memory.as_mut_ptr().cast::<T>();
        let ahead = product.a_column == 1 && size_of::<T>() * product.rows * product.depth > FAR;
        // All cuts as even as may be.
        let cut = |length: usize, pieces: usize, piece: usize| {
            length * piece / pieces..length * (piece + 1) / pieces
        };
        for row_block in 0..row_blocks {
            let rows = cut(product.rows, row_blocks, row_block);
            for strip in 0..strips {
                let strip = cut(registers, strips, strip);
                let (first, width) = (strip.start * R::LANES, strip.len());
                let here = (columns - first).min(width * R::LANES);
                for block in 0..depth_blocks {
                    let depth = cut(product.depth, depth_blocks, block);
                    // SAFETY: the indices lie inside the matrices.
                    unsafe {
                        // Without depth, A and B may have no memory at all.
                        let mut b = product
                            .b
                            .wrapping_add(depth.start * product.b_row + first * product.b_column);
                        let mut b_row = product.b_row;
                        // Rows with gaps between them fill but part of the first cache level.
                        let span = size_of::<T>() * b_row * depth.len();
                        let few = if b_row <= NARROW * most * R::LANES { 4 * FEW } else { FEW };
                        let compact = span <= STRIP || rows.len() <= few;
                        if product.b_column != 1 || here < width * R::LANES || !compact {
                            self.pack(b, depth.len(), here, memory);
                            b = memory;
                            b_row = width * R::LANES;
                        }
                        let tiles = Tiles {
                            rows: rows.len(),
                            depth: depth.len(),
                            a: product.a.wrapping_add(
                                rows.start * product.a_row + depth.start * product.a_column,
                            ),
                            a_row: product.a_row,
                            a_column: product.a_column,
                            ahead,
                            b,
                            b_row,
                            c: product.c.add(rows.start * product.c_row + first),
                            c_row: product.c_row,
                            last: here - (width - 1) * R::LANES,
                            keep: if block == 0 { product.keep } else { Some(T::one()) },
                            factor: product.factor,
                            register: self.register,
                        };
                        tiles.run(width);
                    }
                }
            }
        }
    }

    /// Copies `depth` rows of `columns` numbers at `b` to rows of whole registers, filled up with zeros.
    ///
    /// # Safety
    /// They can be read, one of B's strides is 1, and `to` has room for them.
    #[inline(always)]
    unsafe fn pack(&self, b: *const T, depth: usize, columns: usize, to: *mut T) {
        let Product { b_row, b_column, .. } = *self.product;
        let width = columns.next_multiple_of(R::LANES);
        for first in (0..columns).step_by(R::LANES) {
            let count = (columns - first).min(R::LANES);
            // SAFETY: indices below `depth` and `columns`, filled up to `width`.
            unsafe {
                let (b, to) = (b.wrapping_add(first * b_column), to.add(first));
                if b_column == 1 {
                    for p in 0..depth {
                        R::load_first(b.add(p * b_row), count).store(to.add(p * width));
                    }
                } else {
                    for p in (0..depth).step_by(R::LANES) {
                        let here = (depth - p).min(R::LANES);
                        let x = transposed::<T, R>(|j| b.add(j * b_column + p), count, here);
                        for i in 0..R::LANES {
                            if i < here {
                                x[i].store(to.add((p + i) * width));
                            }
                        }
                    }
                }
            }
        }
    }

    /// The last `columns` columns of C, by dot products.
    ///
    /// # Safety
    /// `a_column` and `b_row` are 1.
    #[inline(always)]
    unsafe fn dots(&self, columns: usize) {
        let first = self.product.columns - columns;
        // SAFETY: the caller's promise.
        unsafe {
            match columns {
                0 => {}
                1 => self.dots_of::<1>(first),
                2 => self.dots_of::<2>(first),
                _ => self.dots_of::<4>(first),
            }
        }
    }

    /// All columns from `first` on, N at once with as many rows as sums allow.
    ///
    /// # Safety
    /// `a_column` and `b_row` are 1.
    #[inline(always)]
    unsafe fn dots_of<const N: usize>(&self, first: usize) {
        let product = self.product;
        let high = R::DOTS / N;
        for column in (first..product.columns).step_by(N) {
            for row in (0..product.rows).step_by(high) {
                let (mut a, mut b) = ([product.a; WIDEST], [product.b; N]);
                // SAFETY: rows and columns beyond the last are the last, their sums not stored; loads end with
                // the depth.
                unsafe {
                    for i in 0..high {
                        a[i] = product.a.add((row + i).min(product.rows - 1) * product.a_row);
                    }
                    for j in 0..N {
                        b[j] =
                            product.b.add((column + j).min(product.columns - 1) * product.b_column);
                    }
                    let mut sums = [R::splat(T::zero()); WIDEST];
                    let mut p = 0;
                    while p + R::LANES <= product.depth {
                        let x: [R; N] = core::array::from_fn(|j| R::load(b[j].add(p)));
                        for i in 0..high {
                            let w = R::load(a[i].add(p));
                            for j in 0..N {
                                sums[i * N + j] = w.mul_add(x[j], sums[i * N + j]);
                            }
                        }
                        p += R::LANES;
                    }
                    if p < product.depth {
                        let count = product.depth - p;
                        let x: [R; N] = core::array::from_fn(|j| R::load_first(b[j].add(p), count));
                        for i in 0..high {
                            let w = R::load_first(a[i].add(p), count);
                            for j in 0..N {
                                sums[i * N + j] = w.mul_add(x[j], sums[i * N + j]);
                            }
                        }
                    }
                    let totals = totals::<T, R>(sums);
                    for i in 0..high.min(product.rows - row) {
                        for j in 0..N.min(product.columns - column) {
                            let c = product.c.add((row + i) * product.c_row + column + j);
                            let kept = product.keep.map_or(T::zero(), |keep| keep * *c);
                            *c = kept + product.factor * totals[i * N + j];
                        }
                    }
                }
            }
        }
    }
}

/// The sum over the lanes of each of the first `R::DOTS` registers.
///
/// # Safety
/// The processor has the instructions of `R`.
#[inline(always)]
unsafe fn totals<T: Real, R: Register<T>>(mut sums: [R; WIDEST]) -> [T; WIDEST] {
    let mut totals = [T::zero(); WIDEST];
    for first in (0..R::DOTS).step_by(R::LANES) {
        let mut half = R::LANES / 2;
        while half > 0 {
            for i in first..first + half {
                // SAFETY: the caller's promise; the store is of LANES numbers below DOTS.
                unsafe {
                    let (x, y) = sums[i].zip(sums[i + half]);
                    sums[i] = x.add(y);
                }
            }
            half /= 2;
        }
        // SAFETY: as above.
        unsafe { sums[first].store(totals.as_mut_ptr().add(first)) };
    }
    totals
}

/// Room for a strip, aligned to lines of the cache.
#[repr(align(64))]
struct Strip(#[allow(dead_code)] [u8; STRIP]);

/// A block of rows and depth of one strip, tile by tile: B's rows are contiguous, padded to whole registers.
struct Tiles<T, R> {
    rows: usize,
    depth: usize,
    a: *const T,
    a_row: usize,
    a_column: usize,
    /// Whether to ask the memory for the next tile's rows of A; those of C it is asked for wherever they are read.
    ahead: bool,
    b: *const T,
    b_row: usize,
    c: *mut T,
    c_row: usize,
    /// Columns of C in the last register.
    last: usize,
    keep: Option<T>,
    factor: T,
    register: PhantomData<R>,
}

impl<T: Real, R: Register<T>> Tiles<T, R> {
    /// All of them, `width` registers wide.
    ///
    /// # Safety
    /// The pointers are good for the shapes.
    #[inline(always)]
    unsafe fn run(mut self, width: usize) {
        let tiles = self.rows.div_ceil(R::ROWS[width - 1]);
        for tile in 0..tiles {
            let rows = self.rows / tiles + usize::from(tile < self.rows % tiles);
            macro_rules! tile {
                ($($width:literal: $($rows:literal)*;)*) => {
                    match (width, rows) {
                        $($(
                            ($width, $rows) if const { fits::<T, R>($width, $rows) } => {
                                // SAFETY: the caller's promise.
                                unsafe { self.tile::<$rows, $width>() }
                            }
                        )*)*
                        _ => {}
                    }
                };
            }
            tile!(1: 1 2 3 4 5 6 7 8; 2: 1 2 3 4 5 6 7 8; 3: 1 2 3 4 5 6 7 8; 4: 1 2 3 4 5 6;);
            self.a = self.a.wrapping_add(rows * self.a_row);
            self.c = self.c.wrapping_add(rows * self.c_row);
        }
    }

    /// M rows of V registers.
    ///
    /// # Safety
    /// The pointers are good for them.
    #[inline(always)]
    unsafe fn tile<const M: usize, const V: usize>(&self) {
        let Tiles { depth, a, a_row, a_column, mut b, b_row, c_row, keep, factor, .. } = *self;
        let plain = factor == T::one();
        let onto = plain && keep == Some(T::one());
        if onto {
            for i in M..2 * M {
                for v in 0..V {
                    prefetch(self.c.wrapping_add(i * c_row + v * R::LANES));
                }
            }
        }
        if self.ahead {
            for i in M..2 * M {
                for p in (0..depth).step_by(64 / size_of::<T>()) {
                    prefetch(a.wrapping_add(i * a_row + p));
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[R::splat(T::zero()); V]; M];
            let c = |i: usize, v: usize| self.c.add(i * c_row + v * R::LANES);
            let load = |i: usize, v: usize| {
                if v + 1 == V { R::load_first(c(i, v), self.last) } else { R::load(c(i, v)) }
            };
            if onto {
                for i in 0..M {
                    for v in 0..V {
                        sums[i][v] = load(i, v);
                    }
                }
            }
            // Each row's address in a register of its own: the compiler would derive one from the other, an addition
            // a row that takes its turn with the products.
            let rows: [*const T; M] =
                core::array::from_fn(|i| black_box(a.wrapping_add(i * a_row)));
            let mut at = 0;
            for _ in 0..depth {
                let x: [R; V] = core::array::from_fn(|v| R::load(b.add(v * R::LANES)));
                for i in 0..M {
                    let w = R::splat(*rows[i].wrapping_add(at));
                    for v in 0..V {
                        sums[i][v] = w.mul_add(x[v], sums[i][v]);
                    }
                }
                at += a_column;
                b = b.wrapping_add(b_row);
            }
            if !plain || keep.is_some() && !onto {
                for i in 0..M {
                    for v in 0..V {
                        sums[i][v] = R::splat(factor).mul(sums[i][v]);
                        if let Some(keep) = keep {
                            sums[i][v] = R::splat(keep).mul_add(load(i, v), sums[i][v]);
                        }
                    }
                }
            }
            for i in 0..M {
                for v in 0..V {
                    if v + 1 == V {
                        sums[i][v].store_first(c(i, v), self.last);
                    } else {
                        sums[i][v].store(c(i, v));
                    }
                }
            }
        }
    }
}

/// Whether a tile of this size fits into the registers.
const fn fits<T, R: Register<T>>(width: usize, rows: usize) -> bool {
    width <= R::ROWS.len() && rows <= R::ROWS[width - 1]
}

/// Tells the memory that what is at `address`, valid or not, will be read.
#[inline(always)]
fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint; no address is wrong.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
