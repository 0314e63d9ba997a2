//! Ranks that are the processes of an MPI run.

use super::{Communicator, check_peer, check_rank};
use crate::error::{Result, check_len};
use crate::real::Real;
use core::fmt;
use mpi::collective::SystemOperation;
use mpi::datatype::Equivalence;
use mpi::traits::{CommunicatorCollectives, Destination, Root, Source};

/// Most numbers in one message: MPI counts them with 32 bits.
const LIMIT: usize = 1 << 30;

/// The processes that `mpirun` started, or some of them, over any communicator of the crate `mpi`.
///
/// The program initialises MPI and keeps its `Universe` until the end. All calls come from the thread that
/// calls the method of this crate, never from a thread pool: the level `Funneled` of thread support will do.
///
/// **A program must not leave `main`, by an error, a panic or a `return`, while other ranks wait for it**: where
/// the `Universe` is dropped MPI waits for all, and they for a message that never comes. After every error a rank
/// ends all of them (`abort`), and a panic does so too. Errors of MPI itself do this unless told otherwise.
///
/// ```no_run
/// use fredholm::{Communicator, MpiCommunicator, Result, mpi};
/// use fredholm::mpi::traits::Communicator as _;
///
/// // All of the program: its errors come back here.
/// fn program(ranks: &dyn Communicator<f64>) -> Result<()> {
///     let mut sums = [0.0];
///     ranks.all_reduce_sum(&[1.0], &mut sums)?;
///     assert_eq!(sums[0], ranks.size() as f64);
///     Ok(())
/// }
///
/// let threads = mpi::Threading::Funneled;
/// let (universe, _) = mpi::initialize_with_threading(threads).ok_or("MPI is in use")?;
/// let report = std::panic::take_hook();
/// std::panic::set_hook(Box::new(move |panic| {
///     report(panic);
///     std::process::abort(); // and `mpirun` ends the others
/// }));
/// if let Err(error) = program(&MpiCommunicator::new(universe.world())) {
///     eprintln!("{error}");
///     universe.world().abort(1);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MpiCommunicator<C> {
    communicator: C,
    rank: usize,
    size: usize,
}

impl<C> fmt::Debug for MpiCommunicator<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MpiCommunicator")
            .field("rank", &self.rank)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl<C: mpi::traits::Communicator> MpiCommunicator<C> {
    /// All ranks of `communicator`, usually `universe.world()`.
    pub fn new(communicator: C) -> Self {
        let (rank, size) = (communicator.rank() as usize, communicator.size() as usize);
        MpiCommunicator { communicator, rank, size }
    }

    /// The number of this rank, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.size
    }
}

impl<T, C> Communicator<T> for MpiCommunicator<C>
where
    T: Real + Equivalence,
    C: mpi::traits::Communicator,
{
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn send(&self, to: usize, values: &[T]) -> Result<()> {
        check_peer("to", to, self.rank, self.size)?;
        let process = self.communicator.process_at_rank(to as i32);
        values.chunks(LIMIT).for_each(|values| process.send(values));
        Ok(())
    }

    fn receive(&self, from: usize, values: &mut [T]) -> Result<()> {
        check_peer("from", from, self.rank, self.size)?;
        let process = self.communicator.process_at_rank(from as i32);
        for values in values.chunks_mut(LIMIT) {
            let expected = values.len();
            let status = process.receive_into(values);
            check_len(
                "values",
                expected,
                status.count(T::equivalent_datatype()) as usize,
                "what was sent",
            )?;
        }
        Ok(())
    }

    fn broadcast(&self, root: usize, values: &mut [T]) -> Result<()> {
        check_rank("root", root, self.size)?;
        let process = self.communicator.process_at_rank(root as i32);
        values.chunks_mut(LIMIT).for_each(|values| process.broadcast_into(values));
        Ok(())
    }

    fn all_reduce_sum(&self, values: &[T], sums: &mut [T]) -> Result<()> {
        check_len("sums", sums.len(), values.len(), "`values`")?;
        for (values, sums) in values.chunks(LIMIT).zip(sums.chunks_mut(LIMIT)) {
            self.communicator.all_reduce_into(values, sums, SystemOperation::sum());
        }
        Ok(())
    }
}
