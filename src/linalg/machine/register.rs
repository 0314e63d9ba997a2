//! One vector register and the few operations a product needs of it, for each instruction set.

use crate::real::Real;

/// A vector register of numbers `T`: of AVX-512, of AVX2, or, as the portable form that the compiler turns into
/// whatever the machine has, an array of four numbers.
///
/// # Safety
/// Every function may be called only where the processor has the instruction set; pointers must be good for as
/// many numbers as are loaded or stored.
pub(super) trait Register<T>: Copy {
    /// Numbers in it.
    const LANES: usize;
    /// Rows of the largest tile of C that is 1, 2, … registers wide: its sums, one row of B and one number of A
    /// have to fit into the registers there are.
    const ROWS: &'static [usize];
    /// Sums of dot products held at once, a multiple of `LANES` or `LANES` a multiple of it.
    const DOTS: usize;

    /// `x` in all lanes.
    unsafe fn splat(x: T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    /// The first `count` numbers, then zeros.
    unsafe fn load_first(from: *const T, count: usize) -> Self;
    unsafe fn store(self, to: *mut T);
    /// Stores the first `count` numbers.
    unsafe fn store_first(self, to: *mut T, count: usize);
    unsafe fn add(self, x: Self) -> Self;
    unsafe fn mul(self, x: Self) -> Self;
    /// self·x + y.
    unsafe fn mul_add(self, x: Self, y: Self) -> Self;
    /// The numbers of `self` and of `x` in turn, in two registers.
    unsafe fn zip(self, x: Self) -> (Self, Self);
}

impl<T: Real> Register<T> for [T; 4] {
    const LANES: usize = 4;
    const ROWS: &'static [usize] = &[6];
    const DOTS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        [x; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's promise.
        core::array::from_fn(|i| unsafe { *from.add(i) })
    }

    #[inline(always)]
    unsafe fn load_first(from: *const T, count: usize) -> Self {
        // SAFETY: the caller's promise.
        core::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { T::zero() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        for i in 0..4 {
            // SAFETY: the caller's promise.
            unsafe { *to.add(i) = self[i] };
        }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        for i in 0..count.min(4) {
            // SAFETY: the caller's promise.
            unsafe { *to.add(i) = self[i] };
        }
    }

    #[inline(always)]
    unsafe fn add(self, x: Self) -> Self {
        core::array::from_fn(|i| self[i] + x[i])
    }

    #[inline(always)]
    unsafe fn mul(self, x: Self) -> Self {
        core::array::from_fn(|i| self[i] * x[i])
    }

    #[inline(always)]
    unsafe fn mul_add(self, x: Self, y: Self) -> Self {
        // Where it is no instruction, a fused multiply-add is a slow function.
        if cfg!(target_arch = "aarch64") {
            core::array::from_fn(|i| self[i].mul_add(x[i], y[i]))
        } else {
            core::array::from_fn(|i| self[i] * x[i] + y[i])
        }
    }

    #[inline(always)]
    unsafe fn zip(self, x: Self) -> (Self, Self) {
        ([self[0], x[0], self[1], x[1]], [self[2], x[2], self[3], x[3]])
    }
}

/// AVX-512: 32 registers, masks for parts of one.
///
/// In this macro and the next, SAFETY of every block: the promises of the caller are the demands of the
/// instruction.
#[cfg(target_arch = "x86_64")]
macro_rules! avx512 {
    ($register:ident of $lanes:literal $t:ident, mask $mask:ident, zip $low:expr, $high:expr;
     $splat:ident $load:ident $load_first:ident $store:ident $store_first:ident
     $add:ident $mul:ident $mul_add:ident $permute:ident) => {
        impl Register<$t> for $register {
            const LANES: usize = $lanes;
            const ROWS: &'static [usize] = &[8, 8, 8, 6];
            const DOTS: usize = 16;

            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $t, count: usize) -> Self {
                unsafe { $load_first(((1_u32 << count) - 1) as $mask, from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $t, count: usize) {
                unsafe { $store_first(to, ((1_u32 << count) - 1) as $mask, self) }
            }

            #[inline(always)]
            unsafe fn add(self, x: Self) -> Self {
                unsafe { $add(self, x) }
            }

            #[inline(always)]
            unsafe fn mul(self, x: Self) -> Self {
                unsafe { $mul(self, x) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, x: Self, y: Self) -> Self {
                unsafe { $mul_add(self, x, y) }
            }

            #[inline(always)]
            unsafe fn zip(self, x: Self) -> (Self, Self) {
                unsafe { ($permute(self, $low, x), $permute(self, $high, x)) }
            }
        }
    };
}

/// AVX2: 16 registers; parts of one are loaded and stored under a mask of numbers.
#[cfg(target_arch = "x86_64")]
macro_rules! avx2 {
    ($register:ident of $lanes:literal $t:ident, mask $mask:expr;
     $splat:ident $load:ident $load_first:ident $store:ident $store_first:ident
     $add:ident $mul:ident $mul_add:ident $low:ident $high:ident $halves:ident) => {
        impl Register<$t> for $register {
            const LANES: usize = $lanes;
            const ROWS: &'static [usize] = &[8, 6];
            const DOTS: usize = 8;

            #[inline(always)]
            unsafe fn splat(x: $t) -> Self {
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn load_first(from: *const $t, count: usize) -> Self {
                unsafe { $load_first(from, $mask(count)) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn store_first(self, to: *mut $t, count: usize) {
                unsafe { $store_first(to, $mask(count), self) }
            }

            #[inline(always)]
            unsafe fn add(self, x: Self) -> Self {
                unsafe { $add(self, x) }
            }

            #[inline(always)]
            unsafe fn mul(self, x: Self) -> Self {
                unsafe { $mul(self, x) }
            }

            #[inline(always)]
            unsafe fn mul_add(self, x: Self, y: Self) -> Self {
                unsafe { $mul_add(self, x, y) }
            }

            #[inline(always)]
            unsafe fn zip(self, x: Self) -> (Self, Self) {
                // Both halves of a register are zipped apart, then exchanged.
                unsafe {
                    let (low, high) = ($low(self, x), $high(self, x));
                    ($halves::<0x20>(low, high), $halves::<0x31>(low, high))
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use super::Register;
    use core::arch::x86_64::*;

    avx512!(__m512 of 16 f32, mask __mmask16,
        zip _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
            _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        _mm512_set1_ps _mm512_loadu_ps _mm512_maskz_loadu_ps _mm512_storeu_ps _mm512_mask_storeu_ps
        _mm512_add_ps _mm512_mul_ps _mm512_fmadd_ps _mm512_permutex2var_ps);
    avx512!(__m512d of 8 f64, mask __mmask8,
        zip _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11),
            _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
        _mm512_set1_pd _mm512_loadu_pd _mm512_maskz_loadu_pd _mm512_storeu_pd _mm512_mask_storeu_pd
        _mm512_add_pd _mm512_mul_pd _mm512_fmadd_pd _mm512_permutex2var_pd);

    #[inline(always)]
    unsafe fn mask8(count: usize) -> __m256i {
        // SAFETY: called where there is AVX2.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
        }
    }

    #[inline(always)]
    unsafe fn mask4(count: usize) -> __m256i {
        // SAFETY: called where there is AVX2.
        unsafe {
            let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
            _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), lanes)
        }
    }

    avx2!(__m256 of 8 f32, mask mask8;
        _mm256_set1_ps _mm256_loadu_ps _mm256_maskload_ps _mm256_storeu_ps _mm256_maskstore_ps
        _mm256_add_ps _mm256_mul_ps _mm256_fmadd_ps
        _mm256_unpacklo_ps _mm256_unpackhi_ps _mm256_permute2f128_ps);
    avx2!(__m256d of 4 f64, mask mask4;
        _mm256_set1_pd _mm256_loadu_pd _mm256_maskload_pd _mm256_storeu_pd _mm256_maskstore_pd
        _mm256_add_pd _mm256_mul_pd _mm256_fmadd_pd
        _mm256_unpacklo_pd _mm256_unpackhi_pd _mm256_permute2f128_pd);
}
