//! Bad input: one line that names the place, what stands there and what was expected.

use std::fmt;
use std::path::Path;

/// What is wrong with the input, as one line.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Fault {
    /// Anything that needs no value or place.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Fault(message.to_string())
    }

    /// The value of an option is not what was expected.
    pub(crate) fn option(name: &str, value: &str, expected: impl fmt::Display) -> Self {
        Fault(format!("{name} {}: expected {expected}", short(value)))
    }

    /// Something is wrong with a file as a whole.
    pub(crate) fn file(path: &Path, complaint: impl fmt::Display) -> Self {
        Fault(format!("{}: {complaint}", path.display()))
    }

    /// A cell of a text file is not what was expected. Line and column count from 1.
    pub(crate) fn cell(
        path: &Path,
        line: usize,
        column: usize,
        value: &str,
        expected: impl fmt::Display,
    ) -> Self {
        let value = short(value);
        Fault(format!(
            "{}, line {line}, column {column}: {value}: expected {expected}",
            path.display()
        ))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever a file name or a value contains.
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        f.write_str(&self.0.chars().map(printable).collect::<String>())
    }
}

/// A value in quotes, cut if it is long.
fn short(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.chars().count() <= LONGEST {
        format!("'{value}'")
    } else {
        format!("'{}...'", value.chars().take(LONGEST).collect::<String>())
    }
}
