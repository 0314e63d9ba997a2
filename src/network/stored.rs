//! Networks as versioned plain data, {version, architecture, prox, parameters}; the caller does the I/O.
//!
//! JSON writers and readers must be exact on floats (`serde_json` with `float_roundtrip`).

use super::{Network, Unrolled, UnrolledArchitecture};
use crate::error::{Error, Result};
use crate::prox::Prox;
use crate::real::Real;
use serde::{Deserialize, Serialize};

/// Version written, and the only one read.
const VERSION: u32 = 1;

/// The stored form of an [`Unrolled`] network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredUnrolled<T, P> {
    version: u32,
    architecture: UnrolledArchitecture<T>,
    prox: P,
    parameters: Vec<T>,
}

impl<T: Real, P: Prox<T>> From<Unrolled<T, P>> for StoredUnrolled<T, P> {
    fn from(network: Unrolled<T, P>) -> Self {
        let architecture = network.architecture();
        let parameters = network.parameters().to_vec();
        StoredUnrolled { version: VERSION, architecture, prox: network.into_prox(), parameters }
    }
}

impl<T: Real, P: Prox<T>> TryFrom<StoredUnrolled<T, P>> for Unrolled<T, P> {
    type Error = Error;

    fn try_from(stored: StoredUnrolled<T, P>) -> Result<Self> {
        if stored.version != VERSION {
            return Err(Error::Version {
                what: "network",
                found: stored.version,
                expected: VERSION,
            });
        }
        Unrolled::from_parameters(stored.architecture, stored.prox, stored.parameters)
    }
}
