//! The frequency grid and the default model asked for.

use crate::args::{Args, FINITE, POSITIVE, number};
use crate::fault::Fault;
use crate::table::Table;
use fredholm::{DefaultModel, DefaultPeak, Density, Error, FrequencyGrid, Result, Spectrum};
use std::path::Path;

/// A shape of grid by name.
struct Shape {
    name: &'static str,
    make: fn(f64, f64, usize) -> Result<FrequencyGrid>,
}

/// Every shape; clustering in the middle as the library's documentation calls usual.
const SHAPES: &[Shape] = &[
    Shape { name: "uniform", make: FrequencyGrid::uniform },
    Shape { name: "tangent", make: |a, b, n| FrequencyGrid::tangent(a, b, n, 0.8) },
    Shape { name: "lorentzian", make: |a, b, n| FrequencyGrid::lorentzian(a, b, n, 0.1 * (b - a)) },
    Shape { name: "hyperbolic", make: |a, b, n| FrequencyGrid::hyperbolic(a, b, n, 0.3) },
];

/// The frequency grid and where it comes from.
pub(crate) struct Omega {
    pub(crate) grid: FrequencyGrid,
    option: String,
    table: Option<Table>,
}

impl Omega {
    pub(crate) fn from_args(args: &Args) -> std::result::Result<Self, Fault> {
        let option = args.required("--omega", "--omega MIN:MAX:N or --omega FILE")?;
        // A number before a colon is no file name.
        let is_range = option.split_once(':').is_some_and(|(min, _)| min.parse::<f64>().is_ok());
        if is_range {
            let grid = range(option)?;
            return Ok(Omega { grid, option: option.to_owned(), table: None });
        }
        if !Path::new(option).exists() {
            let expected = "MIN:MAX:N or MIN:MAX:N:SHAPE, with colons, or a readable file";
            return Err(Fault::option("--omega", option, expected));
        }
        let table = Table::read(option.into())?;
        table.check_columns(1, 2, "omega and at most its weight")?;
        let points = table.column(0);
        let grid = if table.columns() == 2 {
            FrequencyGrid::with_weights(points, table.column(1))
        } else {
            FrequencyGrid::from_points(points)
        };
        let grid = grid.map_err(|e| table.locate(&e, cell))?;
        Ok(Omega { grid, option: option.to_owned(), table: Some(table) })
    }

    /// The library refused the grid.
    pub(crate) fn locate(&self, error: &Error) -> Fault {
        match &self.table {
            Some(table) => table.locate(error, cell),
            None => Fault::option(
                "--omega",
                &self.option,
                format!("a grid within the kernel's domain: {error}"),
            ),
        }
    }
}

/// Where in a file of frequencies an argument's element stands.
fn cell(argument: &str, index: usize) -> Option<(usize, usize)> {
    match argument {
        "points" | "omega" => Some((index, 0)),
        "weights" => Some((index, 1)),
        _ => None,
    }
}

/// The grid MIN:MAX:N\[:SHAPE\].
fn range(option: &str) -> std::result::Result<FrequencyGrid, Fault> {
    let names = SHAPES.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
    let refuse = |expected: &str| Fault::option("--omega", option, expected);
    let parts: Vec<&str> = option.split(':').collect();
    let (min, max, n, name) = match parts[..] {
        [min, max, n] => (min, max, n, "uniform"),
        [min, max, n, name] => (min, max, n, name),
        _ => return Err(refuse("MIN:MAX:N or MIN:MAX:N:SHAPE")),
    };
    let end = |text| number(text, FINITE).ok_or_else(|| refuse("finite numbers MIN and MAX"));
    let (min, max) = (end(min)?, end(max)?);
    let n: usize = n.parse().ok().filter(|&n| n >= 2).ok_or_else(|| refuse("N of 2 or more"))?;
    if n > LARGEST {
        return Err(refuse(&format!("N of {LARGEST} or less")));
    }
    if min >= max {
        return Err(refuse("MIN below MAX"));
    }
    let shape = SHAPES.iter().find(|s| s.name == name);
    let shape = shape.ok_or_else(|| refuse(&format!("MIN:MAX:N:SHAPE with one of {names}")))?;
    let grid = if min == 0.0 {
        // Upper half of the symmetric grid, so that points are dense at 0.
        (shape.make)(-max, max, 2 * n - 1)
            .and_then(|whole| FrequencyGrid::from_points(&whole.points()[n - 1..]))
    } else {
        (shape.make)(min, max, n)
    };
    grid.map_err(|e| refuse(&format!("a grid that can be made: {e}")))
}

/// The most grid points: a kernel matrix for some hundred data still fits into memory.
const LARGEST: usize = 100_000;

/// The default model asked for, with a complaint if it has to be continued beyond its file.
pub(crate) fn default_model(
    args: &Args,
    grid: &FrequencyGrid,
    density: Density,
) -> std::result::Result<(DefaultModel, Option<String>), Fault> {
    let option = args.text("--default").unwrap_or("flat");
    let refuse = |expected: &str| Fault::option("--default", option, expected);
    let (model, doubt) = if option == "flat" {
        (DefaultModel::Flat, None)
    } else if let Some(peaks) = peaks(option, "gaussian") {
        let expected =
            "gaussian:MU:SIGMA[:WEIGHT], or several joined by +, SIGMA and WEIGHT positive";
        (DefaultModel::Gaussians(peaks.ok_or_else(|| refuse(expected))?), None)
    } else if let Some(peaks) = peaks(option, "lorentzian") {
        let expected = "lorentzian:MU:HALFWIDTH[:WEIGHT], or several joined by +, HALFWIDTH and WEIGHT positive";
        (DefaultModel::Lorentzians(peaks.ok_or_else(|| refuse(expected))?), None)
    } else if let Some(parameters) = option.strip_prefix("moments:") {
        let moments = parameters.split_once(':');
        let moments = moments
            .and_then(|(mean, variance)| number(mean, FINITE).zip(number(variance, POSITIVE)));
        let expected = "moments:MEAN:VARIANCE with a positive VARIANCE";
        let (mean, variance) = moments.ok_or_else(|| refuse(expected))?;
        (DefaultModel::from_mean_and_variance(mean, variance), None)
    } else if !Path::new(option).exists() {
        let names = "flat, gaussian:..., lorentzian:..., moments:...";
        return Err(refuse(&format!("{names} (try --help) or a readable file")));
    } else {
        tabulated(option, grid, density)?
    };
    match model.density_on(grid, 1.0) {
        Ok(_) => Ok((model, doubt)),
        Err(_) => Err(refuse("a default model with positive weight on the frequency grid")),
    }
}

/// The peaks of KIND:CENTRE:WIDTH[:WEIGHT]+..., `None` if the option does not begin with that kind; the inner
/// one if it cannot be read.
fn peaks(option: &str, kind: &str) -> Option<Option<Vec<DefaultPeak>>> {
    (option.split(':').next() == Some(kind)).then(|| {
        let peak = |part: &str| {
            let (centre, width, weight) = match part.split(':').collect::<Vec<_>>()[..] {
                [name, centre, width] if name == kind => (centre, width, "1"),
                [name, centre, width, weight] if name == kind => (centre, width, weight),
                _ => return None,
            };
            Some(DefaultPeak {
                centre: number(centre, FINITE)?,
                width: number(width, POSITIVE)?,
                weight: number(weight, POSITIVE)?,
            })
        };
        option.split('+').map(peak).collect()
    })
}

/// The default model in a file.
fn tabulated(
    path: &str,
    grid: &FrequencyGrid,
    density: Density,
) -> std::result::Result<(DefaultModel, Option<String>), Fault> {
    let table = Table::read(path.into())?;
    table.check_columns(2, 2, "omega and D")?;
    let values = table.column(1);
    if let Some(row) = values.iter().position(|&d| d < 0.0) {
        return Err(table.fault(row, 1, "a non-negative density"));
    }
    let own = FrequencyGrid::from_points(table.column(0)).map_err(|e| table.locate(&e, cell))?;
    let short = own.min() > grid.min() || own.max() < grid.max();
    let doubt = short.then(|| {
        format!(
            "{path} ends within the frequency grid: the default model is constant beyond [{}, {}]",
            own.min(),
            own.max()
        )
    });
    // Tails are meant unless some values are zero, where the entropy needs a floor worth the name.
    let tails = values.iter().all(|&d| d > 0.0);
    let spectrum = Spectrum::new(own, values, density).map_err(|e| Fault::file(table.path(), e))?;
    let model = match DefaultModel::from(spectrum) {
        DefaultModel::Spectrum { spectrum, .. } if tails => {
            DefaultModel::Spectrum { spectrum, floor: 1e-12 }
        }
        floored => floored,
    };
    Ok((model, doubt))
}
