//! Threads behind one function each, so that no other room asks whether `rayon` is on. Floor 0.
//!
//! What an item computes never depends on which thread runs it, and results are combined in index order
//! by the caller: the same bits for any number of threads.

/// Calls `f(index, item)` for every item, on the threads of the current pool if there are several.
pub(crate) fn for_each_mut<I: Send>(items: &mut [I], f: impl Fn(usize, &mut I) + Send + Sync) {
    #[cfg(feature = "rayon")]
    if items.len() > 1 && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        items.par_iter_mut().enumerate().for_each(|(i, item)| f(i, item));
        return;
    }
    items.iter_mut().enumerate().for_each(|(i, item)| f(i, item));
}

/// Calls `f` on a thread of the current pool, where calls of [`for_each_mut`] are cheap: entering the
/// pool from outside costs tens of microseconds.
pub(crate) fn enter<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    if rayon::current_num_threads() > 1 {
        return rayon::scope(|_| f());
    }
    f()
}

/// The number of threads of the current pool.
pub(crate) fn threads() -> usize {
    #[cfg(feature = "rayon")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "rayon"))]
    1
}
