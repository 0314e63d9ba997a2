//! Run-time dispatch of loops to the widest vector instructions at hand.
//!
//! A build from the registry targets baseline x86-64, so that a plain loop is compiled to two or four
//! lanes. [`dispatch`] compiles the loop it is handed three times and picks one by the processor.
//! Results may differ between instruction sets (fused multiply-adds, lanes of a sum), never between
//! runs or thread counts on one of them.

/// A computation to be compiled for several instruction sets.
///
/// A closure is one, but the compiler inlines it as it sees fit, and a loop that is not inlined stays at
/// the baseline: a long body is a struct of its arguments with an `#[inline(always)]` `run` instead.
pub(crate) trait Vectorise {
    /// What it returns.
    type Output;

    /// Plain loops over slices.
    fn run(self) -> Self::Output;
}

impl<R, F: FnOnce() -> R> Vectorise for F {
    type Output = R;

    #[inline(always)]
    fn run(self) -> R {
        self()
    }
}

/// What the processor understands, of the sets that bodies are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InstructionSet {
    /// That of the build.
    Baseline,
    /// AVX2 with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512, the parts that came with the first server processors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// The widest there is.
    #[inline(always)]
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("fma")
            {
                return InstructionSet::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return InstructionSet::Avx2;
            }
        }
        InstructionSet::Baseline
    }
}

/// Calls `body` compiled for AVX-512, AVX2 or the baseline.
///
/// `body` must be plain loops (they have to be inlined to profit, see [`Vectorise`]).
#[inline(always)]
pub(crate) fn dispatch<B: Vectorise>(body: B) -> B::Output {
    match InstructionSet::detect() {
        // SAFETY: the features named on `v4` were just detected.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { v4(body) },
        // SAFETY: the features named on `v3` were just detected.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { v3(body) },
        InstructionSet::Baseline => body.run(),
    }
}

/// Defines a function of slices and scalars whose body is compiled for AVX-512, AVX2 and the baseline: the
/// struct of arguments that [`Vectorise`] asks for, written once. References share one lifetime. With a third
/// parameter `const FUSED: bool` the body is told whether `mul_add` is one instruction.
macro_rules! vectorised {
    ($(#[$doc:meta])* $visible:vis fn $name:ident<$life:lifetime, T>(
        $($argument:ident: $kind:ty),* $(,)?
    ) -> $output:ty $body:block) => {
        $(#[$doc])*
        $visible fn $name<$life, T: $crate::real::Real>($($argument: $kind),*) -> $output {
            struct Arguments<$life, T> {
                $($argument: $kind),*
            }
            impl<$life, T: $crate::real::Real> $crate::linalg::Vectorise for Arguments<$life, T> {
                type Output = $output;

                #[inline(always)]
                fn run(self) -> $output {
                    let Arguments { $($argument),* } = self;
                    $body
                }
            }
            $crate::linalg::dispatch(Arguments { $($argument),* })
        }
    };
    ($(#[$doc:meta])* $visible:vis fn $name:ident<$life:lifetime, T, const $fused:ident: bool>(
        $($argument:ident: $kind:ty),* $(,)?
    ) -> $output:ty $body:block) => {
        $(#[$doc])*
        $visible fn $name<$life, T: $crate::real::Real>($($argument: $kind),*) -> $output {
            struct Arguments<$life, T, const $fused: bool> {
                $($argument: $kind),*
            }
            impl<$life, T: $crate::real::Real, const $fused: bool> $crate::linalg::Vectorise
                for Arguments<$life, T, $fused>
            {
                type Output = $output;

                #[inline(always)]
                fn run(self) -> $output {
                    let Arguments { $($argument),* } = self;
                    $body
                }
            }
            if $crate::linalg::has_fused_multiply_add() {
                $crate::linalg::dispatch(Arguments::<T, true> { $($argument),* })
            } else {
                $crate::linalg::dispatch(Arguments::<T, false> { $($argument),* })
            }
        }
    };
}
pub(crate) use vectorised;

/// Whether `mul_add` in a dispatched loop is one instruction; where it is not, it is a slow function.
#[inline]
pub(crate) fn has_fused_multiply_add() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// Whether a dispatched loop loads from eight and more places in one instruction.
#[inline]
pub(crate) fn has_wide_gather() -> bool {
    #[cfg(target_arch = "x86_64")]
    return InstructionSet::detect() == InstructionSet::Avx512;
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
pub(super) fn v4<B: Vectorise>(body: B) -> B::Output {
    body.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn v3<B: Vectorise>(body: B) -> B::Output {
    body.run()
}

/// All sets the processor has.
#[cfg(test)]
pub(super) fn available() -> impl Iterator<Item = InstructionSet> {
    let all = [
        InstructionSet::Baseline,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512,
    ];
    all.into_iter().filter(|&set| set <= InstructionSet::detect())
}
