//! The one error enum, and the checks of arguments that produce it. Floor 0.
//!
//! Bad input is an error naming the argument, its value and what was expected, raised before any work
//! is done. Failure to converge is not an error: it is a status in the report of a solution.

use crate::real::Real;

/// What was wrong with an argument.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array, a list or a grid holds nothing.
    #[error("`{argument}` is empty: expected at least {expected} element(s)")]
    Empty {
        /// Name of the argument.
        argument: &'static str,
        /// Least number of elements.
        expected: usize,
    },
    /// Two lengths that must agree do not.
    #[error("`{argument}` has length {found}: expected {expected}, the length of {reference}")]
    LengthMismatch {
        /// Name of the argument.
        argument: &'static str,
        /// Its length.
        found: usize,
        /// The length it must have.
        expected: usize,
        /// Where the expected length comes from.
        reference: &'static str,
    },
    /// A NaN or an infinity.
    #[error("`{argument}`{} = {value}: expected a finite number", place(*.index))]
    NonFinite {
        /// Name of the argument.
        argument: &'static str,
        /// Position in it (column-major for a matrix); none for a scalar.
        index: Option<usize>,
        /// The offending value.
        value: f64,
    },
    /// A kernel value that is not finite.
    #[error(
        "the kernel's row {row}{} at `omega`[{column}] = {omega} is {value}: expected a finite number",
        axis(*.x)
    )]
    KernelValue {
        /// Row of the kernel matrix; the datum, or of stacked complex data datum + a multiple of their number.
        row: usize,
        /// Data axis of that row, where rows follow the axis.
        x: Option<f64>,
        /// Column of the kernel matrix: the grid point.
        column: usize,
        /// Its frequency.
        omega: f64,
        /// The offending value.
        value: f64,
    },
    /// A list that must increase strictly does not.
    #[error(
        "`{argument}`[{index}] = {value} follows {previous}: expected strictly increasing values"
    )]
    NotIncreasing {
        /// Name of the argument.
        argument: &'static str,
        /// Position of the offending element.
        index: usize,
        /// The element before it.
        previous: f64,
        /// The offending element.
        value: f64,
    },
    /// An element outside its range, an error bar that is not positive for example.
    #[error("`{argument}`[{index}] = {}: expected {expected}", number(*.value))]
    ElementOutOfRange {
        /// Name of the argument.
        argument: &'static str,
        /// Position of the offending element.
        index: usize,
        /// The offending element.
        value: f64,
        /// The range it must lie in.
        expected: &'static str,
    },
    /// A scalar outside its range.
    #[error("`{argument}` = {}: expected {expected}", number(*.value))]
    OutOfRange {
        /// Name of the argument.
        argument: &'static str,
        /// The offending value.
        value: f64,
        /// The range it must lie in.
        expected: &'static str,
    },
    /// A matrix that must be symmetric is not.
    #[error(
        "`{argument}`({row}, {column}) = {value} but ({column}, {row}) = {transposed}: expected a symmetric matrix"
    )]
    NotSymmetric {
        /// Name of the argument.
        argument: &'static str,
        /// Row of the offending pair.
        row: usize,
        /// Column of the offending pair.
        column: usize,
        /// Value there.
        value: f64,
        /// Value at the transposed place.
        transposed: f64,
    },
    /// A covariance matrix with a negative eigenvalue beyond rounding.
    #[error(
        "`{argument}` has eigenvalue {eigenvalue:e} (largest {largest:e}): expected a positive semidefinite matrix"
    )]
    NotPositiveSemidefinite {
        /// Name of the argument.
        argument: &'static str,
        /// The most negative eigenvalue.
        eigenvalue: f64,
        /// The largest eigenvalue.
        largest: f64,
    },
    /// A covariance matrix of which no mode survives the cut.
    #[error("`{argument}` has no positive eigenvalue: expected at least one mode with noise")]
    SingularCovariance {
        /// Name of the argument.
        argument: &'static str,
    },
    /// A matrix factorisation did not converge.
    #[error("the {decomposition} of `{argument}` did not converge: is it badly scaled?")]
    Decomposition {
        /// Name of the argument.
        argument: &'static str,
        /// Which factorisation.
        decomposition: &'static str,
    },
    /// A choice that does not go with others.
    #[error("`{argument}` = {value}: expected {expected}")]
    Unsupported {
        /// Name of the argument.
        argument: &'static str,
        /// What was chosen.
        value: &'static str,
        /// What it would need.
        expected: &'static str,
    },
    /// A trained network or a prepared solver was handed a problem, or a set of samples, with another kernel, data
    /// axis or frequency grid.
    #[error(
        "kernel, data axis or grid of the problem or set (fingerprint {found:016x}) are not those the solver was trained on or prepared for ({expected:016x}): are beta, the times and the grid the same, and the model in the same scalar?"
    )]
    FingerprintMismatch {
        /// Fingerprint of the problem or set.
        found: u64,
        /// Fingerprint of the training set or the model prepared.
        expected: u64,
    },
    /// A device that is not there, or without the driver or library it is reached by.
    #[error("no {device} device: {missing}; {remedy}")]
    NoDevice {
        /// The backend.
        device: &'static str,
        /// What is missing, as the system says it.
        missing: String,
        /// How to get it.
        remedy: &'static str,
    },
    /// More memory than a device has or lends.
    #[error(
        "{device}: {what} need {bytes} bytes, {}{}",
        to_be_had(*.available),
        suggestion(*.batch, *.available)
    )]
    DeviceMemory {
        /// The backend.
        device: &'static str,
        /// What the memory is for.
        what: &'static str,
        /// Bytes it takes.
        bytes: u64,
        /// Bytes there are, if that is known before they are asked for.
        available: Option<u64>,
        /// A batch that fits, if one does; where it is not known what there is, one that needs half as much.
        batch: Option<usize>,
    },
    /// A device that failed at its work.
    #[error("{device} failed at {stage}: {reason}")]
    DeviceFailed {
        /// The backend.
        device: &'static str,
        /// What was being done.
        stage: &'static str,
        /// What its driver says.
        reason: String,
    },
    /// Another of several ranks that compute together cannot go on.
    #[error("rank {rank} {what}")]
    OtherRank {
        /// The rank.
        rank: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Stored data that cannot be what they say they are.
    #[error("stored {what} has version {found}: expected {expected}")]
    Version {
        /// What was stored.
        what: &'static str,
        /// Its version.
        found: u32,
        /// The version understood.
        expected: u32,
    },
}

/// `Result` with this crate's [`Error`](enum@Error).
pub type Result<V> = core::result::Result<V, Error>;

/// `Err` unless the count lies in a range, of which `expected` says the bounds.
pub(crate) fn check_count(
    argument: &'static str,
    count: usize,
    range: core::ops::RangeInclusive<usize>,
    expected: &'static str,
) -> Result<()> {
    if range.contains(&count) {
        Ok(())
    } else {
        Err(Error::OutOfRange { argument, value: count as f64, expected })
    }
}

/// `Err` unless a range of `argument` ends within `count`, and not before it begins.
pub(crate) fn check_range(
    argument: &'static str,
    range: &core::ops::Range<usize>,
    count: usize,
    reference: &'static str,
) -> Result<()> {
    if range.start > range.end {
        let (value, expected) = ("a range that ends before it begins", "one that does not");
        return Err(Error::Unsupported { argument, value, expected });
    }
    if range.end > count { check_len(argument, range.end, count, reference) } else { Ok(()) }
}

/// `Err` unless `values.len() == expected`.
pub(crate) fn check_len(
    argument: &'static str,
    found: usize,
    expected: usize,
    reference: &'static str,
) -> Result<()> {
    if found == expected {
        Ok(())
    } else {
        Err(Error::LengthMismatch { argument, found, expected, reference })
    }
}

/// `Err` if there are fewer than `expected` elements.
pub(crate) fn check_not_empty(argument: &'static str, found: usize, expected: usize) -> Result<()> {
    if found >= expected { Ok(()) } else { Err(Error::Empty { argument, expected }) }
}

/// `Err` at the first NaN or infinity.
pub(crate) fn check_finite<T: Real>(argument: &'static str, values: &[T]) -> Result<()> {
    if is_finite(values) {
        return Ok(());
    }
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => {
            Err(Error::NonFinite { argument, index: Some(index), value: values[index].as_f64() })
        }
    }
}

/// Whether all are finite; to the end, which a loop of vectors needs.
pub(crate) fn is_finite<T: Real>(values: &[T]) -> bool {
    values.iter().fold(true, |finite, v| finite & v.is_finite())
}

/// A number as a reader would write it: powers of ten where zeros would fill the line.
fn number(value: f64) -> String {
    let plain = value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs());
    if plain { value.to_string() } else { format!("{value:e}") }
}

/// The data axis of a kernel's row, if it has one.
fn axis(x: Option<f64>) -> String {
    x.map_or_else(String::new, |x| format!(", `x` = {x},"))
}

/// What a device has.
fn to_be_had(available: Option<u64>) -> String {
    match available {
        Some(bytes) => format!("{bytes} are to be had"),
        None => "which its driver refuses".into(),
    }
}

/// A smaller batch, if one would do.
fn suggestion(batch: Option<usize>, available: Option<u64>) -> String {
    match (batch, available) {
        (None, _) => String::new(),
        (Some(batch), Some(_)) => format!(": a batch of {batch} fits"),
        (Some(batch), None) => format!(": try a batch of {batch}"),
    }
}

/// An index as it stands behind a name.
fn place(index: Option<usize>) -> String {
    index.map_or_else(String::new, |i| format!("[{i}]"))
}

/// `Err` unless finite.
pub(crate) fn check_scalar<T: Real>(argument: &'static str, value: T) -> Result<()> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Error::NonFinite { argument, index: None, value: value.as_f64() })
    }
}

/// `Err` unless finite and > 0.
pub(crate) fn check_positive<T: Real>(argument: &'static str, value: T) -> Result<()> {
    check_scalar(argument, value)?;
    if value > T::zero() {
        Ok(())
    } else {
        Err(Error::OutOfRange { argument, value: value.as_f64(), expected: "a positive number" })
    }
}

/// `Err` unless finite and ≥ 0.
pub(crate) fn check_nonnegative<T: Real>(argument: &'static str, value: T) -> Result<()> {
    check_scalar(argument, value)?;
    if value >= T::zero() {
        Ok(())
    } else {
        Err(Error::OutOfRange {
            argument,
            value: value.as_f64(),
            expected: "a non-negative number",
        })
    }
}

/// `Err` unless every element is finite and ≥ 0.
pub(crate) fn check_all_nonnegative<T: Real>(argument: &'static str, values: &[T]) -> Result<()> {
    check_finite(argument, values)?;
    match values.iter().position(|&v| v < T::zero()) {
        None => Ok(()),
        Some(index) => Err(Error::ElementOutOfRange {
            argument,
            index,
            value: values[index].as_f64(),
            expected: "a non-negative number",
        }),
    }
}

/// `Err` unless every element is finite and > 0.
pub(crate) fn check_all_positive<T: Real>(argument: &'static str, values: &[T]) -> Result<()> {
    check_finite(argument, values)?;
    match values.iter().position(|v| *v <= T::zero()) {
        None => Ok(()),
        Some(index) => Err(Error::ElementOutOfRange {
            argument,
            index,
            value: values[index].as_f64(),
            expected: "a positive number",
        }),
    }
}

/// `Err` unless finite and strictly increasing.
pub(crate) fn check_increasing<T: Real>(argument: &'static str, values: &[T]) -> Result<()> {
    check_finite(argument, values)?;
    match values.windows(2).position(|w| w[1] <= w[0]) {
        None => Ok(()),
        Some(i) => Err(Error::NotIncreasing {
            argument,
            index: i + 1,
            previous: values[i].as_f64(),
            value: values[i + 1].as_f64(),
        }),
    }
}

/// `Err` unless in (0, 1).
pub(crate) fn check_open_unit_interval<T: Real>(argument: &'static str, value: T) -> Result<()> {
    check_scalar(argument, value)?;
    if value > T::zero() && value < T::one() {
        Ok(())
    } else {
        Err(Error::OutOfRange { argument, value: value.as_f64(), expected: "a number in (0, 1)" })
    }
}
