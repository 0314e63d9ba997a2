//! What the unit tests of several rooms share.

use proptest::test_runner::{Config, FileFailurePersistence};

/// A property-test configuration of `n` cases whose regressions are kept under `tests/`.
pub(crate) fn cases(n: u32) -> Config {
    let place = FileFailurePersistence::SourceParallel("tests/proptest-regressions");
    Config { failure_persistence: Some(Box::new(place)), ..Config::with_cases(n) }
}
