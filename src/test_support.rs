//! What the unit tests of several rooms share.

use crate::cluster::ThreadCommunicator;
use crate::real::Real;
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// A property-test configuration of `n` cases, the same ones in every run (`PROPTEST_RNG_SEED` draws others),
/// whose regressions are kept under `tests/`.
pub(crate) fn cases(n: u32) -> Config {
    let place = FileFailurePersistence::SourceParallel("tests/proptest-regressions");
    let config = Config::with_cases(n);
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20),
        given => given,
    };
    Config { failure_persistence: Some(Box::new(place)), rng_seed, ..config }
}

/// What `program` returns on each of `size` threads, in the order of the ranks.
pub(crate) fn on_ranks<T: Real, R: Send>(
    size: usize,
    program: impl Fn(ThreadCommunicator<T>) -> R + Sync,
) -> Vec<R> {
    std::thread::scope(|scope| {
        let program = &program;
        let ranks: Vec<_> = ThreadCommunicator::group(size)
            .into_iter()
            .map(|rank| scope.spawn(move || program(rank)))
            .collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}
