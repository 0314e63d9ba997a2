//! A directory with input files in which the program is run, and what it left there.

use fredholm::nalgebra::DVector;
use fredholm::rand::SeedableRng;
use fredholm::rand::rngs::ChaCha8Rng;
use fredholm::{FrequencyGrid, Kernel, Real};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, which cargo builds before it runs the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("path of this test");
    let target = test.parent().and_then(Path::parent).expect("directory of this profile");
    let program =
        target.join("examples").join(format!("continuation{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file(),
        "{} is missing: run `cargo build --example continuation` (with this profile) first",
        program.display()
    );
    program
}

/// A directory of its own for each test.
pub(crate) struct Bench(PathBuf);

/// What a run left.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("continuation").join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a directory for the test");
        Bench(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).expect("an input file");
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The names of all files.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(&self.0).expect("the directory of the test");
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    /// Runs the program here with arguments separated by blanks.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        let output = Command::new(program())
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("the program starts");
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }

    /// Runs the program, which must succeed, and returns the columns of the spectrum and the report.
    pub(crate) fn solve(&self, arguments: &str) -> (Vec<Vec<f64>>, Value) {
        let run = self.run(&format!("{arguments} --output spectrum.txt --report report.json"));
        assert_eq!(run.code, Some(0), "{arguments}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments}");
        let report = serde_json::from_str(&self.read("report.json")).expect("JSON");
        (columns(&self.read("spectrum.txt")), report)
    }
}

/// The columns of a text table.
pub(crate) fn columns(text: &str) -> Vec<Vec<f64>> {
    let rows: Vec<Vec<f64>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(|cell| cell.parse().expect("a number")).collect())
        .collect();
    (0..rows[0].len()).map(|j| rows.iter().map(|row| row[j]).collect()).collect()
}

/// The text of a table with these columns.
pub(crate) fn table(columns: &[&[f64]]) -> String {
    let mut text = String::new();
    for i in 0..columns[0].len() {
        for column in columns {
            let _ = write!(text, "{:e} ", column[i]);
        }
        text.push('\n');
    }
    text
}

/// The array of numbers under a key of a report.
pub(crate) fn numbers(report: &Value, key: &str) -> Vec<f64> {
    let array = report[key].as_array().unwrap_or_else(|| panic!("{key} is no array"));
    array.iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// Σ w exp(−(ω − μ)²/2s²)/(s√2π) over (w, μ, s).
pub(crate) fn gaussians(omega: f64, peaks: &[(f64, f64, f64)]) -> f64 {
    let peak = |&(weight, mu, sigma): &(f64, f64, f64)| {
        let u = (omega - mu) / sigma;
        weight * (-0.5 * u * u).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
    };
    peaks.iter().map(peak).sum()
}

/// ∫ K(x, ω) density(ω) dω on a fine grid over [min, max], with noise of standard deviation `sigma`.
pub(crate) fn synthetic(
    kernel: &dyn Kernel,
    x: &[f64],
    (min, max): (f64, f64),
    density: impl Fn(f64) -> f64,
    sigma: f64,
    seed: u64,
) -> Vec<f64> {
    let grid = FrequencyGrid::uniform(min, max, 2001).expect("a fine grid");
    let matrix = kernel.matrix(x, grid.points()).expect("a kernel matrix");
    let weights = grid.points().iter().zip(grid.weights()).map(|(&w, &d)| d * density(w));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let exact = matrix * DVector::from_iterator(grid.len(), weights);
    exact.iter().map(|g| g + sigma * f64::standard_normal(&mut rng)).collect()
}

/// n equidistant numbers from `min` to `max`, both included.
pub(crate) fn linspace(min: f64, max: f64, n: usize) -> Vec<f64> {
    (0..n).map(|i| min + (max - min) * i as f64 / (n - 1) as f64).collect()
}

/// ∫|A − A'|/∫|A'| on a grid of trapezoid weights.
pub(crate) fn l1_error(omega: &[f64], values: &[f64], truth: impl Fn(f64) -> f64) -> f64 {
    let grid = FrequencyGrid::from_points(omega).expect("an increasing grid");
    let (mut distance, mut norm) = (0.0, 0.0);
    for ((&w, &d), &v) in omega.iter().zip(grid.weights()).zip(values) {
        distance += d * (v - truth(w)).abs();
        norm += d * truth(w).abs();
    }
    distance / norm
}
