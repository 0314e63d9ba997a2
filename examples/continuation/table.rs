//! Text tables of numbers that remember where each number stood.

use crate::fault::Fault;
use fredholm::Error;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A rectangular table of finite numbers with at least one row.
pub(crate) struct Table {
    path: PathBuf,
    rows: Vec<Vec<f64>>,
    /// Line of the file each row stands on.
    lines: Vec<usize>,
}

impl Table {
    /// Reads columns separated by blanks or commas; `#` starts a comment, blank lines are skipped.
    pub(crate) fn read(path: PathBuf) -> Result<Self, Fault> {
        let bytes = std::fs::read(&path)
            .map_err(|e| Fault::file(&path, format!("{e}: expected a readable text file")))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut table = Table { path, rows: Vec::new(), lines: Vec::new() };
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default().trim();
            if !content.is_empty() {
                let row = table.parse(index + 1, content)?;
                table.rows.push(row);
                table.lines.push(index + 1);
            }
        }
        if table.rows.is_empty() {
            return Err(Fault::file(&table.path, "no data: expected rows of numbers"));
        }
        Ok(table)
    }

    /// The numbers of a line, as many as the rows before have; Fortran's exponents are understood.
    fn parse(&self, line: usize, content: &str) -> Result<Vec<f64>, Fault> {
        // A comma separates even if nothing stands before or after it: that is an empty cell.
        let cells = content.split(',').flat_map(|piece| {
            let mut words: Vec<&str> = piece.split_whitespace().collect();
            if words.is_empty() {
                words.push("");
            }
            words
        });
        let cell = |(j, cell): (usize, &str)| match cell.replace(['d', 'D'], "e").parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err(Fault::cell(&self.path, line, j + 1, cell, "a finite number")),
            Err(_) => Err(Fault::cell(&self.path, line, j + 1, cell, "a number")),
        };
        let row: Vec<f64> = cells.enumerate().map(cell).collect::<Result<_, _>>()?;
        if let (Some(first), Some(first_line)) = (self.rows.first(), self.lines.first())
            && row.len() != first.len()
        {
            let column = row.len().min(first.len()) + 1;
            let found = format!("{} columns", row.len());
            let expected = format!("{}, as on line {first_line}", first.len());
            return Err(Fault::cell(&self.path, line, column, &found, expected));
        }
        Ok(row)
    }

    /// `Err` at the first cell beyond unless there are `least` to `most` columns.
    pub(crate) fn check_columns(
        &self,
        least: usize,
        most: usize,
        expected: impl Display,
    ) -> Result<(), Fault> {
        let columns = self.columns();
        if (least..=most).contains(&columns) {
            return Ok(());
        }
        let column = if columns < least { columns } else { most };
        Err(self.wrong(0, column, &format!("{columns} columns"), expected))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.rows[0].len()
    }

    /// The number in a row and a column.
    pub(crate) fn value(&self, row: usize, column: usize) -> f64 {
        self.rows[row][column]
    }

    /// A column, counted from 0.
    pub(crate) fn column(&self, column: usize) -> Vec<f64> {
        self.rows.iter().map(|row| row[column]).collect()
    }

    /// The cell in a row and a column, counted from 0, is not what was expected.
    pub(crate) fn fault(&self, row: usize, column: usize, expected: impl Display) -> Fault {
        let value = self.value(row, column);
        let plain = value == 0.0 || (1e-5..1e16).contains(&value.abs());
        let value = if plain { value.to_string() } else { format!("{value:e}") };
        self.wrong(row, column, &value, expected)
    }

    /// Something else than a cell, found at a row and a column, is not what was expected.
    pub(crate) fn wrong(
        &self,
        row: usize,
        column: usize,
        found: &str,
        expected: impl Display,
    ) -> Fault {
        Fault::cell(&self.path, self.lines[row], column + 1, found, expected)
    }

    /// The library refused an argument made of this table: `cell` tells row and column of the element
    /// with an index in the argument of a name.
    pub(crate) fn locate(
        &self,
        error: &Error,
        cell: impl Fn(&str, usize) -> Option<(usize, usize)>,
    ) -> Fault {
        let element = match error {
            Error::NonFinite { argument, index: Some(index), .. } => {
                Some((argument, index, "a finite number".to_owned()))
            }
            Error::NotIncreasing { argument, index, previous, .. } => {
                Some((argument, index, format!("increasing values, more than {previous}")))
            }
            Error::ElementOutOfRange { argument, index, expected, .. } => {
                Some((argument, index, (*expected).to_owned()))
            }
            _ => None,
        };
        let place = element
            .and_then(|(argument, &index, expected)| Some((cell(argument, index)?, expected)));
        match place {
            Some(((row, column), expected)) => self.fault(row, column, expected),
            None => Fault::file(&self.path, error),
        }
    }
}
