//! The data file and what is known of its noise.

use crate::args::{Args, FINITE, FRACTION, NONZERO, POSITIVE};
use crate::fault::Fault;
use crate::kernels::KernelKind;
use crate::table::Table;
use fredholm::nalgebra::DMatrix;
use fredholm::{
    Bins, CovarianceEstimator, Error, Measurement, NormalizedSelfEnergy, SelfEnergy, Whitening,
};
use std::ops::Range;

/// The data read, with the places they were read from.
pub(crate) struct Data {
    pub(crate) table: Table,
    pub(crate) measurement: Measurement,
    /// Standard deviations of the data.
    pub(crate) sigma: Vec<f64>,
    /// The bins the noise was taken from, averaged as asked for.
    pub(crate) bins: Option<Bins>,
    pub(crate) doubts: Vec<String>,
    columns: Columns,
}

/// Where in the data file the selected values stand.
struct Columns {
    /// The selected rows, counted from 0.
    rows: Range<usize>,
    /// Rows in the file.
    all: usize,
    /// Values on a row: 1, complex 2.
    parts: usize,
    /// Columns of errors: 0, 1 or one for each part.
    errors: usize,
}

impl Columns {
    /// The number of selected values, stacked if complex.
    fn len(&self) -> usize {
        self.parts * self.rows.len()
    }

    /// Row and column of the selected values: all real parts, then all imaginary parts.
    fn values(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.len()).map(|index| self.place(index, 1))
    }

    /// Row of a selected value and, counted from `first`, the column of its part.
    fn place(&self, index: usize, first: usize) -> (usize, usize) {
        let rows = self.rows.len();
        (self.rows.start + index % rows, first + index / rows)
    }

    /// Where an element of one of the library's arguments stands.
    fn cell(&self, argument: &str, index: usize) -> Option<(usize, usize)> {
        let index = (index < self.len()).then_some(index)?;
        let first_error = 1 + self.parts;
        match argument {
            "x" => Some(self.place(index, 0)),
            "values" => Some(self.place(index, 1)),
            "errors" if self.errors == 1 => Some((self.place(index, 0).0, first_error)),
            "errors" if self.errors > 1 => Some(self.place(index, first_error)),
            _ => None,
        }
    }

    /// Positions of the selected values in a file for `width` values, which are those of the selected
    /// rows or those of all rows; `Err` says which numbers are possible.
    fn within(&self, width: usize) -> Result<Vec<usize>, String> {
        let (selected, all) = (self.len(), self.parts * self.all);
        if width == selected {
            Ok((0..selected).collect())
        } else if width == all {
            let index = |(row, column): (usize, usize)| (column - 1) * self.all + row;
            Ok(self.values().map(index).collect())
        } else if selected == all {
            Err(format!("{selected}, one for each of the data"))
        } else {
            Err(format!("{selected} for the selected rows, or {all} for all"))
        }
    }
}

impl Data {
    pub(crate) fn from_args(args: &Args, kind: &KernelKind) -> Result<Self, Fault> {
        let table = Table::read(args.data())?;
        let parts = if kind.complex { 2 } else { 1 };
        let expected = if kind.complex {
            format!("x re im [error | error_re error_im] for {}", kind.name)
        } else {
            format!("x g [error] for {}", kind.name)
        };
        table.check_columns(1 + parts, 1 + 2 * parts, expected)?;
        let columns = Columns {
            rows: rows(args, &table)?,
            all: table.rows(),
            parts,
            errors: table.columns() - 1 - parts,
        };
        let scale = args.number("--scale", NONZERO)?.unwrap_or(1.0);
        let x = table.column(0)[columns.rows.clone()].to_vec();
        let values: Vec<f64> =
            columns.values().map(|(row, column)| scale * table.value(row, column)).collect();
        let locate = |e| table.locate(&e, |argument, index| columns.cell(argument, index));
        let noise = Noise::from_args(args, &table, &columns, scale, &values)?;
        let measurement = Measurement::new(&x, &values, noise.whitening).map_err(locate)?;
        let Noise { sigma, bins, doubts, .. } = noise;
        Ok(Data { table, measurement, sigma, bins, doubts, columns })
    }

    /// Replaces the data by a self-energy's, less its Hartree term and divided by its norm.
    ///
    /// What is then known of it: the continued self-energy wants it.
    pub(crate) fn normalize(&mut self, args: &Args) -> Result<NormalizedSelfEnergy, Fault> {
        let refuse = |e: Error| Fault::new(format!("--self-energy: {e}"));
        let mut self_energy = SelfEnergy::new(&self.measurement).map_err(refuse)?;
        if let Some(hartree) = args.number("--hartree", FINITE)? {
            self_energy = self_energy.hartree(hartree);
        }
        if let Some(norm) = args.number("--norm", POSITIVE)? {
            self_energy = self_energy.norm(norm);
        }
        let normalized = self_energy.normalized().map_err(refuse)?;
        self.measurement = normalized.data().clone();
        let deviations = self.measurement.whitening().deviations();
        self.sigma = deviations;
        // They are those of the self-energy itself.
        self.bins = None;
        Ok(normalized)
    }

    /// The library refused the data.
    pub(crate) fn locate(&self, error: &Error) -> Fault {
        self.table.locate(error, |argument, index| self.columns.cell(argument, index))
    }
}

/// The rows asked for, counted from 0.
fn rows(args: &Args, table: &Table) -> Result<Range<usize>, Fault> {
    let count = table.rows();
    let Some(option) = args.text("--rows") else { return Ok(0..count) };
    let ends = option.split_once(':').and_then(|(first, last)| {
        Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
    });
    match ends {
        Some((first, last)) if 1 <= first && first <= last && last <= count => Ok(first - 1..last),
        _ => Err(Fault::option(
            "--rows",
            option,
            format!(
                "FIRST:LAST with 1 <= FIRST <= LAST <= {count}, the data rows of {}",
                table.path().display()
            ),
        )),
    }
}

/// What is known of the noise.
struct Noise {
    whitening: Whitening,
    /// Standard deviations of the data.
    sigma: Vec<f64>,
    bins: Option<Bins>,
    doubts: Vec<String>,
}

impl Noise {
    /// From the one option given, or from the error columns of the data.
    fn from_args(
        args: &Args,
        table: &Table,
        columns: &Columns,
        scale: f64,
        values: &[f64],
    ) -> Result<Self, Fault> {
        let options = ["--error", "--covariance", "--bins"];
        let mut given = options.into_iter().filter(|name| args.has(name));
        let option = given.next();
        if let (Some(first), Some(second)) = (option, given.next()) {
            return Err(Fault::new(format!("{second}: expected only one of it and {first}")));
        }
        let cut = args.number("--covariance-cut", FRACTION)?;
        let mut doubts = Vec::new();
        if cut.is_some() && matches!(option, None | Some("--error")) {
            doubts.push("--covariance-cut has no effect on error bars".to_owned());
        }
        for name in ["--rebin", "--shrink"] {
            if args.has(name) && option != Some("--bins") {
                doubts.push(format!("{name} has no effect without --bins"));
            }
        }
        let cut = cut.unwrap_or(Whitening::<f64>::default_cut());
        let noise = match option {
            Some("--error") => {
                let error = args.number("--error", POSITIVE)?.unwrap_or(1.0);
                let sigma = vec![error * scale.abs(); columns.len()];
                let refuse = |e| {
                    Fault::option("--error", &error.to_string(), format!("a usable error bar: {e}"))
                };
                Ok(Noise {
                    whitening: Whitening::from_errors(&sigma).map_err(refuse)?,
                    sigma,
                    bins: None,
                    doubts: Vec::new(),
                })
            }
            Some("--covariance") => Self::from_covariance(args, columns, scale, cut),
            Some(_) => Self::from_bins(args, columns, scale, cut, values),
            None if columns.errors > 0 => Self::from_columns(table, columns, scale),
            None => Err(Fault::file(
                table.path(),
                format!(
                    "no error column: expected one after the {} column(s) of x and data, or --error E, \
                     --covariance FILE or --bins FILE",
                    table.columns()
                ),
            )),
        }?;
        Ok(Noise { doubts: noise.doubts.into_iter().chain(doubts).collect(), ..noise })
    }

    /// From the error columns of the data.
    fn from_columns(table: &Table, columns: &Columns, scale: f64) -> Result<Self, Fault> {
        let error = |index| {
            let (row, column) = columns.cell("errors", index).expect("within the error columns");
            scale.abs() * table.value(row, column)
        };
        // A negative error stays negative and is refused.
        let sigma: Vec<f64> = (0..columns.len()).map(error).collect();
        let whitening = Whitening::from_errors(&sigma)
            .map_err(|e| table.locate(&e, |argument, index| columns.cell(argument, index)))?;
        Ok(Noise { whitening, sigma, bins: None, doubts: Vec::new() })
    }

    /// From the covariance of the data.
    fn from_covariance(
        args: &Args,
        columns: &Columns,
        scale: f64,
        cut: f64,
    ) -> Result<Self, Fault> {
        let table = Table::read(args.path("--covariance").unwrap_or_default())?;
        let kept = selected(&table, columns)?;
        if table.rows() != table.columns() {
            let found = format!("{} rows", table.rows());
            let expected = format!("{}, as many as columns", table.columns());
            return Err(table.wrong(table.rows() - 1, 0, &found, expected));
        }
        let n = kept.len();
        if let Some(&i) = kept.iter().find(|&&i| table.value(i, i) < 0.0) {
            return Err(table.fault(i, i, "a variance, which is not negative"));
        }
        let factor = scale * scale;
        let matrix = DMatrix::from_fn(n, n, |i, j| factor * table.value(kept[i], kept[j]));
        let whitening = Whitening::from_covariance(&matrix, cut).map_err(|e| match e {
            Error::NotSymmetric { row, column, .. } => {
                let (row, column) = (kept[row], kept[column]);
                let mirror = table.value(row, column);
                table.fault(
                    column,
                    row,
                    format!(
                        "{mirror}, as in row {} and column {}: a symmetric matrix",
                        row + 1,
                        column + 1
                    ),
                )
            }
            e => table.locate(&e, |_, index| Some((*kept.get(index % n)?, *kept.get(index / n)?))),
        })?;
        let sigma = (0..n).map(|i| matrix[(i, i)].sqrt()).collect();
        Ok(Noise { whitening, sigma, bins: None, doubts: Vec::new() })
    }

    /// From Monte Carlo bins.
    fn from_bins(
        args: &Args,
        columns: &Columns,
        scale: f64,
        cut: f64,
        values: &[f64],
    ) -> Result<Self, Fault> {
        let table = Table::read(args.path("--bins").unwrap_or_default())?;
        let kept = selected(&table, columns)?;
        let n = kept.len();
        if table.rows() < 2 {
            return Err(table.wrong(0, 0, "1 bin", "two or more, one a line"));
        }
        let matrix = DMatrix::from_fn(table.rows(), n, |b, i| scale * table.value(b, kept[i]));
        let locate = |e| {
            table.locate(&e, |_, index| {
                Some((index % table.rows(), *kept.get(index / table.rows())?))
            })
        };
        let bins = Bins::new(matrix).map_err(locate)?;
        let (mean, mut doubts) = (bins.mean(), Vec::new());
        let bins = match args.text("--rebin") {
            None => bins,
            Some("auto") => {
                let rebinning = bins.autorebin().map_err(locate)?;
                if rebinning.factor > 1 || !rebinning.independent {
                    doubts.push(rebinning.to_string());
                }
                rebinning.bins
            }
            Some(text) => {
                let most = bins.count() / 2;
                let m = text.parse().ok().filter(|m| (1..=most).contains(m));
                let expected = format!("auto or a whole number from 1 to {most}, half the bins");
                bins.rebin(m.ok_or_else(|| Fault::option("--rebin", text, expected))?)
                    .map_err(locate)?
            }
        };
        let estimator = match args.has("--shrink") {
            true => CovarianceEstimator::Shrinkage,
            false => CovarianceEstimator::default(),
        };
        let whitening = Whitening::from_bins(&bins, estimator, cut).map_err(locate)?;
        let sigma = bins.errors();
        // Data that are constant over the bins have no error bar to compare with.
        let off =
            |i: usize| if sigma[i] > 0.0 { (values[i] - mean[i]).abs() / sigma[i] } else { 0.0 };
        let furthest = (0..n).map(off).fold(0.0, f64::max);
        if furthest > 1.0 {
            doubts.push(format!(
                "the data are not the mean of {}, from which they differ by up to {furthest:.1} error \
                 bars; the data are used with the covariance of the bins",
                table.path().display()
            ));
        }
        Ok(Noise { whitening, sigma, bins: Some(bins), doubts })
    }
}

/// Which columns of a file with one number for each of the data belong to the selected rows.
fn selected(table: &Table, columns: &Columns) -> Result<Vec<usize>, Fault> {
    columns.within(table.columns()).map_err(|expected| {
        let found = format!("{} columns", table.columns());
        table.wrong(0, table.columns().min(columns.len()), &found, expected)
    })
}
