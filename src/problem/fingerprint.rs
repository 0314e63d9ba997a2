//! A hash of kernel and axes.

use crate::error::{Error, Result};
use crate::real::Real;

/// Identifies a kernel matrix with its data axis and frequency grid (FNV-1a over their bits, as `f64`).
///
/// Noise is not part of it: a network trained at one noise level accepts another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Of several arrays in turn, lengths included.
    pub(crate) fn of<T: Real>(arrays: &[&[T]]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |word: u64| {
            for byte in word.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for array in arrays {
            mix(array.len() as u64);
            for &v in *array {
                // −0 and 0 are the same number.
                mix((v.as_f64() + 0.0).to_bits());
            }
        }
        Fingerprint(hash)
    }

    /// `Err` unless `found`, of a problem or a set, is the same.
    pub(crate) fn expect(self, found: Fingerprint) -> Result<()> {
        if found == self {
            return Ok(());
        }
        Err(Error::FingerprintMismatch { found: found.0, expected: self.0 })
    }

    /// The hash.
    pub fn value(self) -> u64 {
        self.0
    }
}
