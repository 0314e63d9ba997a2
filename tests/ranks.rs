//! Ranks that are threads, and one that is alone: the battery that MPI's processes pass in `mpi.rs`.

use fredholm::{Alone, ThreadCommunicator};

#[path = "common/ranks.rs"]
mod ranks;

/// Runs `program` on each of `size` threads.
fn on_ranks<T: fredholm::Real>(size: usize, program: impl Fn(ThreadCommunicator<T>) + Sync) {
    let program = &program;
    std::thread::scope(|scope| {
        for rank in ThreadCommunicator::group(size) {
            scope.spawn(move || program(rank));
        }
    });
}

#[test]
fn messages_arrive() {
    ranks::messages::<f64>(&Alone);
    for size in 1..=9 {
        on_ranks::<f32>(size, |rank| ranks::messages(&rank));
        on_ranks::<f64>(size, |rank| ranks::messages(&rank));
    }
}

#[test]
fn training_is_that_of_one_rank() {
    for size in [1, 2, 4, 5] {
        on_ranks::<f32>(size, |rank| ranks::training(&rank, 1e-4));
        on_ranks::<f64>(size, |rank| ranks::training(&rank, 1e-12));
    }
}

#[test]
fn continuation_is_that_of_one_rank() {
    ranks::continuation(&Alone);
    for size in [1, 2, 4, 7] {
        on_ranks(size, |rank| ranks::continuation(&rank));
    }
}
