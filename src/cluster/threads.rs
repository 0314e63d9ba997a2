//! Ranks that are threads of one process.

use super::{Communicator, check_peer};
use crate::error::{Error, Result, check_len};
use crate::real::Real;
use core::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};

/// One of several threads of a process, with a channel to and from each of the others.
///
/// For tests of programs that are to run on many machines, and of communicators. On one machine threads
/// within a rank (feature `rayon`) do better: they share all memory, and one gradient.
///
/// When a rank is dropped the others get an error where they wait for it.
pub struct ThreadCommunicator<T> {
    rank: usize,
    /// To every rank, itself included.
    to: Vec<Sender<Vec<T>>>,
    /// From every rank.
    from: Vec<Receiver<Vec<T>>>,
}

impl<T> fmt::Debug for ThreadCommunicator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadCommunicator")
            .field("rank", &self.rank)
            .field("size", &self.to.len())
            .finish_non_exhaustive()
    }
}

impl<T: Real> ThreadCommunicator<T> {
    /// `size` ranks in their order, at least one, each to be moved to a thread of its own.
    pub fn group(size: usize) -> Vec<Self> {
        let mut ranks: Vec<_> = (0..size.max(1))
            .map(|rank| ThreadCommunicator { rank, to: Vec::new(), from: Vec::new() })
            .collect();
        for sender in 0..ranks.len() {
            for receiver in 0..ranks.len() {
                let (to, from) = channel();
                ranks[sender].to.push(to);
                ranks[receiver].from.push(from);
            }
        }
        ranks
    }
}

impl<T: Real> Communicator<T> for ThreadCommunicator<T> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn send(&self, to: usize, values: &[T]) -> Result<()> {
        check_peer("to", to, self.rank, self.to.len())?;
        let ended = Error::OtherRank { rank: to, what: "has ended: nothing can be sent to it" };
        self.to[to].send(values.to_vec()).map_err(|_| ended)
    }

    fn receive(&self, from: usize, values: &mut [T]) -> Result<()> {
        check_peer("from", from, self.rank, self.from.len())?;
        let ended = Error::OtherRank { rank: from, what: "has ended: nothing comes from it" };
        let sent = self.from[from].recv().map_err(|_| ended)?;
        check_len("values", values.len(), sent.len(), "what was sent")?;
        values.copy_from_slice(&sent);
        Ok(())
    }
}
