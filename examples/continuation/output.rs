//! The spectrum, the report and the plot, written together or not at all.

use crate::args::Args;
use crate::bands::Columns;
use crate::data::Data;
use crate::fault::Fault;
use crate::kernels::{Axis, Chosen};
use crate::maxent::Window;
use crate::plot::{Colour, Mark, Panel, Series, svg};
use fredholm::{
    Certificate, ContinuedSelfEnergy, Density, Estimate, KineticStep, Problem, Solution,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Where the results go.
pub(crate) struct Destinations {
    spectrum: Option<PathBuf>,
    report: Option<PathBuf>,
    plot: Option<PathBuf>,
}

impl Destinations {
    /// Checks, before any work, that the files can be meant.
    pub(crate) fn from_args(args: &Args) -> Result<Self, Fault> {
        let inputs = ["--omega", "--covariance", "--bins", "--default"];
        let mut taken: Vec<PathBuf> = inputs
            .into_iter()
            .filter_map(|name| args.path(name))
            .chain([args.data()])
            .filter_map(|path| path.canonicalize().ok())
            .collect();
        for name in ["--output", "--report", "--plot"] {
            let Some(path) = args.path(name) else { continue };
            let refuse = |expected| Err(Fault::option(name, &path.display().to_string(), expected));
            if name == "--plot" && path.extension().is_none_or(|e| e != "svg") {
                return refuse("a file name that ends in .svg");
            }
            if path.is_dir() || path.file_name().is_none() {
                return refuse("a file, not a directory");
            }
            let Ok(resolved) = resolve(&path) else {
                return refuse("a file in an existing directory");
            };
            if taken.contains(&resolved) {
                return refuse("a file that is not read or written otherwise");
            }
            taken.push(resolved);
        }
        let [spectrum, report, plot] =
            ["--output", "--report", "--plot"].map(|name| args.path(name));
        Ok(Destinations { spectrum, report, plot })
    }

    /// Writes everything that was asked for; the spectrum to standard output if to no file.
    pub(crate) fn write(&self, results: &Results) -> Result<(), Fault> {
        let mut files = Vec::new();
        if let Some(path) = &self.spectrum {
            files.push((path, results.spectrum()));
        }
        if let Some(path) = &self.report {
            files.push((path, format!("{:#}\n", results.report())));
        }
        if let Some(path) = &self.plot {
            files.push((path, results.plot().map_err(|e| Fault::file(path, e))?));
        }
        write_all(&files)?;
        if self.spectrum.is_none() {
            match std::io::stdout().write_all(results.spectrum().as_bytes()) {
                // The reader, `head` perhaps, has seen enough.
                Err(e) if e.kind() != ErrorKind::BrokenPipe => {
                    return Err(Fault::new(format!("standard output: {e}")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The absolute path of a file that need not exist, in a directory that must; links are followed.
fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    path.canonicalize().or_else(|_| {
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new(".")).canonicalize()?;
        Ok(directory.join(path.file_name().unwrap_or_default()))
    })
}

/// Writes texts beside their destinations and, when all are written, moves them into place.
fn write_all(files: &[(&PathBuf, String)]) -> Result<(), Fault> {
    let mut moves: Vec<(PathBuf, PathBuf)> = Vec::new();
    let result = files.iter().try_for_each(|(path, text)| {
        let fault = |e| Fault::file(path, format!("cannot be written: {e}"));
        let target = resolve(path).map_err(fault)?;
        if target.exists() && !target.is_file() {
            // A device or a pipe is not replaced.
            return std::fs::write(&target, text).map_err(fault);
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let draft = target.with_file_name(format!(".{name}.{}", std::process::id()));
        moves.push((draft.clone(), target));
        std::fs::write(&draft, text).map_err(fault)
    });
    let result = result.and_then(|()| {
        moves.iter().try_for_each(|(draft, target)| {
            std::fs::rename(draft, target)
                .map_err(|e| Fault::file(target, format!("cannot be written: {e}")))
        })
    });
    if result.is_err() {
        for (draft, _) in &moves {
            // What is left of a failed attempt; that it may be gone already is no matter.
            let _ = std::fs::remove_file(draft);
        }
    }
    result
}

/// Everything there is to tell.
pub(crate) struct Results<'a> {
    pub(crate) chosen: &'a Chosen,
    pub(crate) data: &'a Data,
    pub(crate) problem: &'a Problem,
    pub(crate) solution: &'a Solution,
    /// Default model on the grid, for methods that have one.
    pub(crate) default_model: Option<&'a [f64]>,
    /// Weights between frequencies that were asked for.
    pub(crate) windows: &'a [Window],
    pub(crate) bands: Option<&'a Columns>,
    pub(crate) self_energy: Option<&'a ContinuedSelfEnergy>,
    pub(crate) warnings: &'a [String],
}

impl Results<'_> {
    /// Columns omega, density and, where the density is another function, A(omega); real and imaginary part of
    /// a self-energy; deviation and quantiles of bands.
    fn spectrum(&self) -> String {
        let spectrum = self.solution.spectrum();
        let density = spectrum.density();
        let third = !matches!(density, Density::Spectral | Density::EvenSpectral);
        let mut text = format!("# omega  {}", density.label());
        text += if third { "  A(omega)" } else { "" };
        let self_energy = self.self_energy.map(ContinuedSelfEnergy::values);
        if self_energy.is_some() {
            text = "# omega  -Im Sigma(omega)/(pi norm)  Re Sigma(omega)  Im Sigma(omega)".into();
        }
        text += if self.bands.is_some() { "  deviation  low  high\n" } else { "\n" };
        for (j, (&omega, &value)) in
            spectrum.grid().points().iter().zip(spectrum.values()).enumerate()
        {
            let mut row = vec![omega, value];
            if third {
                row.push(density.spectral(omega, value));
            }
            row.extend(self_energy.iter().flat_map(|s| [s[j].re, s[j].im]));
            row.extend(self.bands.iter().flat_map(|b| [b.deviation[j], b.low[j], b.high[j]]));
            for (k, number) in row.iter().enumerate() {
                let blank = if k > 0 { " " } else { "" };
                let _ = write!(text, "{blank}{number:.16e}");
            }
            text.push('\n');
        }
        text
    }

    /// The report as JSON; `null` where a method has no such figure.
    fn report(&self) -> Value {
        let report = self.solution.report();
        let (maxent, penalty) = (report.maxent.as_ref(), report.penalty);
        let (gap, relative_gap, l1_bound, residual) = match report.certificate {
            Certificate::Gap { gap, relative, l1_bound } => {
                (Some(gap), Some(relative), l1_bound, None)
            }
            Certificate::Stationarity { residual } => (None, None, None, Some(residual)),
            _ => (None, None, None, None),
        };
        json!({
            "status": report.status.name(),
            "status_detail": report.status.to_string(),
            "method": report.method,
            "solver": maxent.map(|m| m.solver),
            "rule": maxent.map(|m| m.rule).or(penalty.map(|p| p.rule)),
            "alpha": maxent.map(|m| m.alpha),
            "kinetic": maxent.map(|m| m.kinetic),
            "lambda": penalty.map(|p| p.lambda),
            "chi2": report.chi2,
            "n_data": report.n_data,
            "n_good": maxent.map(|m| m.n_good),
            "modes": maxent.map(|m| m.modes),
            "active_modes": maxent.map(|m| m.active_modes),
            "entropy": maxent.map(|m| m.entropy),
            "alpha_interval": maxent.and_then(|m| m.interval),
            "alpha_spread": maxent.and_then(|m| m.spread),
            "kinetic_steps": maxent.map(|m| m.kinetic_steps.iter().map(kinetic_step).collect::<Vec<_>>()),
            "norm": report.norm,
            "residual_correlation": report.residual_correlation,
            "data_kept": self.data.measurement.noise_report().kept,
            "data_dropped": self.data.measurement.noise_report().dropped,
            "gap": gap,
            "relative_gap": relative_gap,
            "l1_bound": l1_bound,
            "residual": residual,
            "iterations": report.iterations,
            "warnings": self.warnings,
            "windows": self.windows.iter().map(window).collect::<Vec<_>>(),
            "bands": self.bands.map(|b| {
                json!({ "replicas": b.replicas, "deviation": b.deviation, "low": b.low, "high": b.high })
            }),
            "self_energy": self.self_energy.map(|s| {
                json!({
                    "hartree": estimate(s.hartree()),
                    "norm": estimate(s.norm()),
                    "tail_from": s.tail().map(|tail| tail.from),
                    "tail_asymptotic": s.tail().map(|tail| tail.asymptotic),
                })
            }),
            "noise": self.data.measurement.noise_report().treatment.to_string(),
            "kernel": self.chosen.kind.name,
            "beta": self.chosen.beta,
            "complex": self.chosen.kind.complex,
            "x": self.problem.model().x(),
            "data": self.problem.data(),
            "sigma": self.data.sigma,
            "fit": self.solution.fit(),
            "omega": self.problem.grid().points(),
            "spectrum": self.solution.spectrum().values(),
            "default_model": self.default_model,
        })
    }

    /// Spectrum, data with fit, and residuals in units of the error bars.
    fn plot(&self) -> Result<String, Box<dyn std::error::Error>> {
        let spectrum = self.solution.spectrum();
        let report = self.solution.report();
        let x = self.problem.model().x();
        let (data, fit) = (self.problem.data(), self.solution.fit());
        let residuals: Vec<f64> =
            data.iter().zip(fit).zip(&self.data.sigma).map(|((g, f), s)| (g - f) / s).collect();
        let omega = spectrum.grid().points();
        let line =
            |label, y, mark, colour| Series { label, x: omega, y, errors: &[], mark, colour };
        let mut spectra = Vec::new();
        if let Some(default_model) = self.default_model {
            spectra.push(line("default model", default_model, Mark::Thin, Colour::Grey));
        }
        if let Some(bands) = self.bands {
            spectra.push(line("16 and 84 % of replicas", &bands.low, Mark::Thin, Colour::Orange));
            spectra.push(line("", &bands.high, Mark::Thin, Colour::Orange));
        }
        spectra.push(line("spectrum", spectrum.values(), Mark::Line, Colour::Blue));

        let n = x.len();
        // Points and lines of the real part, or of real and imaginary parts.
        let names: &[[&str; 2]] = match self.chosen.kind.complex {
            true => &[["Re data", "Re fit"], ["Im data", "Im fit"]],
            false => &[["data", "fit"]],
        };
        let colours = [[Colour::Orange, Colour::Blue], [Colour::Purple, Colour::Green]];
        let (mut curves, mut rests) = (Vec::new(), Vec::new());
        for (part, (name, colour)) in names.iter().zip(colours).enumerate() {
            let of = part * n..(part + 1) * n;
            let points = |label, y, errors| Series {
                label,
                x,
                y,
                errors,
                mark: Mark::Points,
                colour: colour[0],
            };
            curves.push(points(name[0], &data[of.clone()], &self.data.sigma[of.clone()]));
            curves.push(Series {
                label: name[1],
                x,
                y: &fit[of.clone()],
                errors: &[],
                mark: Mark::Thin,
                colour: colour[1],
            });
            let label = if names.len() > 1 { &name[0][..2] } else { "" };
            rests.push(points(label, &residuals[of], &[]));
        }
        let axis = match self.chosen.kind.axis {
            Axis::Time | Axis::ZeroTemperature => "τ",
            Axis::Frequency { .. } => "Matsubara frequency",
        };
        let alpha = report.maxent.as_ref();
        let weight = alpha.map(|m| ("α", m.alpha, m.rule));
        let weight = weight.or(report.penalty.map(|p| ("λ", p.lambda, p.rule)));
        let weight = weight.map_or_else(String::new, |(name, value, rule)| {
            format!(", {name} = {} ({rule})", short(value))
        });
        let fit_title = format!("Data and fit, χ²/N = {:.3}", report.chi2 / report.n_data as f64);
        let density = spectrum
            .density()
            .label()
            .replace("omega", "ω")
            .replace("chi''", "χ″")
            .replace("pi", "π");
        svg(
            900,
            &[
                Panel {
                    title: format!("{}{weight}", report.method),
                    x_label: "ω",
                    y_label: &density,
                    height: 400,
                    from_zero: true,
                    series: spectra,
                },
                Panel {
                    title: fit_title,
                    x_label: axis,
                    y_label: "G",
                    height: 260,
                    from_zero: false,
                    series: curves,
                },
                Panel {
                    title: "Residuals".into(),
                    x_label: axis,
                    y_label: "(data − fit)/σ",
                    height: 210,
                    from_zero: false,
                    series: rests,
                },
            ],
        )
    }
}

fn estimate(estimate: Estimate) -> Value {
    json!({ "value": estimate.value, "deviation": estimate.deviation })
}

fn kinetic_step(step: &KineticStep) -> Value {
    json!({ "lambda": step.lambda, "alpha": step.alpha, "n_good": step.n_good, "score": step.score })
}

fn window(window: &Window) -> Value {
    json!({ "from": window.from, "to": window.to, "weight": estimate(window.weight) })
}

/// Three digits.
fn short(value: f64) -> String {
    if (1e-2..1e4).contains(&value) {
        format!("{value:.*}", (2.0 - value.log10().floor()).max(0.0) as usize)
    } else {
        format!("{value:.2e}")
    }
}
