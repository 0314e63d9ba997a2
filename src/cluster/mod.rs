//! Ranks that compute together: threads, processes, machines. Floor 1.
//!
//! - [`Communicator`]: what they need of each other, four methods of one's own;
//! - [`Alone`]: a single rank; [`ThreadCommunicator`]: threads of one process;
//! - `MpiCommunicator` (feature `mpi`): the processes that `mpirun` starts.
//!
//! Every rank runs the same program. What a rank does depends on its number and on their number alone, and
//! sums have a fixed order: the same bits for a fixed number of ranks.
//!
//! Algorithms: Thakur, Rabenseifner and Gropp, *Optimization of collective communication operations in
//! MPICH* (2005), III and IV.

mod alone;
mod columns;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(test)]
mod tests;
mod threads;

pub use alone::Alone;
pub(crate) use columns::{gather_columns, scatter_columns};
#[cfg(feature = "mpi")]
pub use mpi::MpiCommunicator;
pub use threads::ThreadCommunicator;

use crate::error::{Error, Result, check_len};
use crate::real::Real;
use core::fmt::Debug;
use core::ops::Range;

/// One of several ranks that run the same program, and its way to the others.
///
/// All ranks make the same calls in the same order, with slices of the same length. The sum and the
/// broadcast go along binomial trees of [`send`](Self::send) and [`receive`](Self::receive), log₂ P
/// messages deep for P ranks; a library that has better ones of its own (MPI, NCCL) overrides them.
///
/// ```
/// use fredholm::{Communicator, Result, ThreadCommunicator};
/// let ranks = ThreadCommunicator::group(3);
/// std::thread::scope(|scope| {
///     for rank in ranks {
///         scope.spawn(move || -> Result<()> {
///             let mut sums = [0.0];
///             rank.all_reduce_sum(&[1.0 + rank.rank() as f64], &mut sums)?;
///             assert_eq!(sums, [6.0]);
///             Ok(())
///         });
///     }
/// });
/// ```
///
/// # Errors
/// A rank that cannot be reached any more is an [`Error::OtherRank`]. A library may end the process
/// instead, as MPI does unless told otherwise.
pub trait Communicator<T: Real>: Debug {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are, at least one.
    fn size(&self) -> usize;

    /// Sends `values` to rank `to`, which receives as many.
    ///
    /// # Errors
    /// No other rank of this number; one that has ended.
    fn send(&self, to: usize, values: &[T]) -> Result<()>;

    /// Waits for what rank `from` sends.
    ///
    /// # Errors
    /// No other rank of this number; one that has ended; another length than was sent.
    fn receive(&self, from: usize, values: &mut [T]) -> Result<()>;

    /// Gives all ranks the `values` of rank `root`.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`receive`](Self::receive).
    fn broadcast(&self, root: usize, values: &mut [T]) -> Result<()> {
        let size = self.size();
        check_rank("root", root, size)?;
        let place = (self.rank() + size - root) % size;
        // This rank has it from the place without its lowest bit, and passes it on below that bit.
        let mut bit = 1;
        while bit < size && place & bit == 0 {
            bit <<= 1;
        }
        if place > 0 {
            self.receive((place - bit + root) % size, values)?;
        }
        while bit > 1 {
            bit >>= 1;
            if place + bit < size {
                self.send((place + bit + root) % size, values)?;
            }
        }
        Ok(())
    }

    /// Writes the sum of the `values` of all ranks to `sums`, with the same bits on all of them.
    ///
    /// # Errors
    /// Slices of different lengths; as [`send`](Self::send) and [`receive`](Self::receive).
    fn all_reduce_sum(&self, values: &[T], sums: &mut [T]) -> Result<()> {
        check_len("sums", sums.len(), values.len(), "`values`")?;
        sums.copy_from_slice(values);
        let (rank, size) = (self.rank(), self.size());
        let mut other = Vec::new();
        let mut bit = 1;
        while bit < size && rank & bit == 0 {
            if rank + bit < size {
                other.resize(values.len(), T::zero());
                self.receive(rank + bit, &mut other)?;
                sums.iter_mut().zip(&other).for_each(|(s, &v)| *s += v);
            }
            bit <<= 1;
        }
        if rank > 0 {
            self.send(rank - bit, sums)?;
        }
        self.broadcast(0, sums)
    }
}

impl<T: Real, C: Communicator<T> + ?Sized> Communicator<T> for &C {
    fn rank(&self) -> usize {
        (**self).rank()
    }

    fn size(&self) -> usize {
        (**self).size()
    }

    fn send(&self, to: usize, values: &[T]) -> Result<()> {
        (**self).send(to, values)
    }

    fn receive(&self, from: usize, values: &mut [T]) -> Result<()> {
        (**self).receive(from, values)
    }

    fn broadcast(&self, root: usize, values: &mut [T]) -> Result<()> {
        (**self).broadcast(root, values)
    }

    fn all_reduce_sum(&self, values: &[T], sums: &mut [T]) -> Result<()> {
        (**self).all_reduce_sum(values, sums)
    }
}

/// `Err` unless there is such a rank.
fn check_rank(argument: &'static str, rank: usize, size: usize) -> Result<()> {
    let expected = "the number of a rank";
    if rank < size {
        Ok(())
    } else {
        Err(Error::OutOfRange { argument, value: rank as f64, expected })
    }
}

/// `Err` unless `peer` is a rank other than `rank`.
fn check_peer(argument: &'static str, peer: usize, rank: usize, size: usize) -> Result<()> {
    check_rank(argument, peer, size)?;
    let expected = "the number of another rank";
    if peer != rank {
        Ok(())
    } else {
        Err(Error::OutOfRange { argument, value: peer as f64, expected })
    }
}

/// The part of `count` things that is rank `rank`'s: parts in the order of the ranks, of whole blocks of
/// `block` things and as equal as these allow.
pub(crate) fn share(count: usize, block: usize, rank: usize, size: usize) -> Range<usize> {
    let blocks = count.div_ceil(block);
    let start = |rank: usize| {
        let (each, left) = (blocks / size, blocks % size);
        ((rank * each + rank.min(left)) * block).min(count)
    };
    start(rank)..start(rank + 1)
}

/// A count, the lowest digit first, in digits that the mantissa of an `f32` holds.
fn digits<T: Real>(count: u64) -> [T; 4] {
    [0, 16, 32, 48].map(|bit| T::lit(((count >> bit) & 0xffff) as f64))
}

/// `outcome`; an error of one rank is one of all, so that none waits for a rank that gave up.
pub(crate) fn agree<T, C, V>(communicator: &C, outcome: Result<V>) -> Result<V>
where
    T: Real,
    C: Communicator<T> + ?Sized,
{
    let size = communicator.size();
    if size == 1 {
        return outcome;
    }
    let mut failed = vec![T::zero(); size];
    failed[communicator.rank()] = if outcome.is_err() { T::one() } else { T::zero() };
    let mut all = vec![T::zero(); size];
    communicator.all_reduce_sum(&failed, &mut all)?;
    let value = outcome?;
    match all.iter().position(|&f| f > T::zero()) {
        None => Ok(value),
        Some(rank) => Err(Error::OtherRank { rank, what: "failed: its own error says why" }),
    }
}

/// `Err` on every rank unless all give the same `numbers`, of which all have as many; `expected` says what is to be
/// the same.
pub(crate) fn check_alike<T, C>(
    communicator: &C,
    numbers: &[u64],
    expected: &'static str,
) -> Result<()>
where
    T: Real,
    C: Communicator<T> + ?Sized,
{
    let own: Vec<T> = numbers.iter().flat_map(|&number| digits(number)).collect();
    let mut first = own.clone();
    communicator.broadcast(0, &mut first)?;
    let alike = if first == own {
        Ok(())
    } else {
        let (argument, value) = ("communicator", "ranks with different runs");
        Err(Error::Unsupported { argument, value, expected })
    };
    agree(communicator, alike)
}
