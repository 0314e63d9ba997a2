//! Networks as versioned plain data, {version, architecture, parameters}, unrolled ones with their prox; the
//! caller does the I/O.
//!
//! JSON writers and readers must be exact on floats (`serde_json` with `float_roundtrip`).

use super::{
    ConvolutionArchitecture, ConvolutionNetwork, DenseArchitecture, DenseNetwork, Network,
    Unrolled, UnrolledArchitecture,
};
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
        check_version(stored.version)?;
        Unrolled::from_parameters(stored.architecture, stored.prox, stored.parameters)
    }
}

fn check_version(found: u32) -> Result<()> {
    if found == VERSION {
        Ok(())
    } else {
        Err(Error::Version { what: "network", found, expected: VERSION })
    }
}

/// The stored form of the other networks: their architecture says which one it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored<A, T> {
    version: u32,
    architecture: A,
    parameters: Vec<T>,
}

impl<T: Real> From<DenseNetwork<T>> for Stored<DenseArchitecture, T> {
    fn from(network: DenseNetwork<T>) -> Self {
        let architecture = network.architecture().clone();
        Stored { version: VERSION, architecture, parameters: network.parameters().to_vec() }
    }
}

impl<T: Real> TryFrom<Stored<DenseArchitecture, T>> for DenseNetwork<T> {
    type Error = Error;

    fn try_from(stored: Stored<DenseArchitecture, T>) -> Result<Self> {
        check_version(stored.version)?;
        DenseNetwork::from_parameters(stored.architecture, stored.parameters)
    }
}

impl<T: Real> From<ConvolutionNetwork<T>> for Stored<ConvolutionArchitecture, T> {
    fn from(network: ConvolutionNetwork<T>) -> Self {
        let architecture = network.architecture();
        Stored { version: VERSION, architecture, parameters: network.parameters().to_vec() }
    }
}

impl<T: Real> TryFrom<Stored<ConvolutionArchitecture, T>> for ConvolutionNetwork<T> {
    type Error = Error;

    fn try_from(stored: Stored<ConvolutionArchitecture, T>) -> Result<Self> {
        check_version(stored.version)?;
        ConvolutionNetwork::from_parameters(stored.architecture, stored.parameters)
    }
}
