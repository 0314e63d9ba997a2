//! Buffers that each thread keeps for its next call. Floor 0.
//!
//! Operators take `&self` and are shared between threads, so that they cannot own workspaces. What a call
//! needs it borrows from here: after the first calls nothing is allocated.

use core::any::Any;
use core::cell::RefCell;

thread_local! {
    /// Boxed vectors not in use, of any element type.
    static POOL: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `body` with a slice of `len` elements of arbitrary content. Calls may be nested.
pub(crate) fn with_scratch<S: Copy + Default + 'static, R>(
    len: usize,
    body: impl FnOnce(&mut [S]) -> R,
) -> R {
    let kept = POOL.with_borrow_mut(|pool| {
        let index = pool.iter().rposition(|buffer| buffer.is::<Vec<S>>());
        index.map(|index| pool.swap_remove(index))
    });
    let mut buffer: Box<Vec<S>> =
        kept.and_then(|buffer| buffer.downcast().ok()).unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, S::default());
    }
    let result = body(&mut buffer[..len]);
    POOL.with_borrow_mut(|pool| pool.push(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_buffers_are_distinct_and_reused() {
        let run = || {
            with_scratch(3, |a: &mut [f64]| {
                a.fill(1.0);
                with_scratch(5, |b: &mut [f64]| {
                    b.fill(2.0);
                    with_scratch(2, |c: &mut [usize]| c.fill(3));
                    (a.iter().sum::<f64>(), b.iter().sum::<f64>())
                })
            })
        };
        for _ in 0..3 {
            assert_eq!(run(), (3.0, 10.0));
        }
        assert_eq!(POOL.with_borrow(Vec::len), 3);
    }
}
