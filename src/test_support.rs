//! What the unit tests of several rooms share.

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
