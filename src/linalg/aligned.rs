//! Memory aligned to the lines of the cache.

use crate::real::Real;
use core::ops::{Deref, DerefMut};

/// Bytes of a line, and of the widest vector register.
const LINE: usize = 64;

/// A slice of numbers that begins with a line of the cache. Vectors loaded from rows that are multiples of a line
/// long then never straddle two of them.
#[derive(Debug)]
pub(crate) struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Real> Aligned<T> {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let memory = vec![T::zero(); len + spare::<T>()];
        Aligned { start: start(&memory), memory, len }
    }
}

/// Numbers in a line.
fn spare<T>() -> usize {
    LINE / size_of::<T>()
}

/// The first number at the start of a line.
fn start<T>(memory: &[T]) -> usize {
    match memory.as_ptr().align_offset(LINE) {
        offset if offset <= spare::<T>() => offset,
        // The standard library may answer that it cannot tell.
        _ => 0,
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[self.start..][..self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..][..self.len]
    }
}

impl<T: Clone> Clone for Aligned<T> {
    /// Aligned anew: other memory begins elsewhere in a line.
    fn clone(&self) -> Self {
        let mut memory = self.memory.clone();
        let start = start(&memory);
        memory[start..start + self.len].clone_from_slice(self);
        Aligned { memory, start, len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_begin_with_a_line_and_clones_too() {
        for len in [0, 1, 17, 1000] {
            let mut numbers = Aligned::<f32>::zeros(len);
            numbers.iter_mut().zip(0_u16..).for_each(|(x, i)| *x = f32::from(i));
            let clone = numbers.clone();
            assert_eq!(numbers.len(), len);
            assert_eq!(&*numbers, &*clone);
            assert!([&numbers, &clone].iter().all(|x| x.as_ptr().addr().is_multiple_of(LINE)));
        }
    }
}
