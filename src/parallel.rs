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

/// Cuts `K` slices of one length into chunks of `size` elements, and calls `f(start, chunks)` for every
/// set of corresponding chunks. Allocates nothing.
pub(crate) fn for_each_chunk_mut<T: Send, const K: usize>(
    slices: [&mut [T]; K],
    size: usize,
    f: impl Fn(usize, [&mut [T]; K]) + Sync,
) {
    halve(0, slices, size, &f);
}

fn halve<T: Send, const K: usize>(
    start: usize,
    slices: [&mut [T]; K],
    size: usize,
    f: &(impl Fn(usize, [&mut [T]; K]) + Sync),
) {
    let length = slices.first().map_or(0, |slice| slice.len());
    if length <= size {
        return f(start, slices);
    }
    let middle = length.div_ceil(size).div_ceil(2) * size;
    let mut right = [const { None }; K];
    let mut ends = right.iter_mut();
    let left = slices.map(|slice| {
        let (left, end) = slice.split_at_mut(middle);
        if let Some(place) = ends.next() {
            *place = Some(end);
        }
        left
    });
    let right = right.map(Option::unwrap_or_default);
    let (one, two) = (|| halve(start, left, size, f), || halve(start + middle, right, size, f));
    #[cfg(feature = "rayon")]
    if rayon::current_num_threads() > 1 {
        rayon::join(one, two);
        return;
    }
    one();
    two();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_visited_once_in_its_chunk() {
        for n in [0, 1, 7, 8, 9, 100] {
            let (mut a, mut b) = (vec![0; n], vec![0; n]);
            for_each_chunk_mut([&mut a, &mut b], 8, |start, [a, b]| {
                assert!(a.len() <= 8 && a.len() == b.len() && start % 8 == 0);
                a.iter_mut().zip(start..).for_each(|(a, i)| *a += i + 1);
                b.iter_mut().for_each(|b| *b += 1);
            });
            assert!(a.iter().zip(1..).all(|(&a, i)| a == i));
            assert!(b.iter().all(|&b| b == 1));
        }
    }
}
