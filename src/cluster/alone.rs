//! A single rank.

use super::{Communicator, check_peer};
use crate::error::Result;
use crate::real::Real;

/// The only rank: its sums are its values, and there is nobody to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alone;

impl<T: Real> Communicator<T> for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn send(&self, to: usize, _values: &[T]) -> Result<()> {
        check_peer("to", to, 0, 1)
    }

    fn receive(&self, from: usize, _values: &mut [T]) -> Result<()> {
        check_peer("from", from, 0, 1)
    }
}
