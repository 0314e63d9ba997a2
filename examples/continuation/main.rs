//! Analytic continuation of data from text files: columns of G(τ) or G(iω_n) with error bars in, a
//! spectrum out. `--help` lists the options.
//!
//! - `args`: the command line; `fault`: bad input as one line; `table`: numbers that know their place;
//! - `kernels`, `data`, `grid`, `methods`, `maxent`: what the options ask for, one table of choices each;
//! - `bands`: error bands from replicas of the data;
//! - `output`: spectrum, report and plot.

mod args;
mod bands;
mod data;
mod fault;
mod grid;
mod kernels;
mod maxent;
mod methods;
mod output;
#[path = "../common/plot.rs"]
mod plot;
mod table;

use args::{Args, Command};
use data::Data;
use fault::Fault;
use fredholm::{Error, NoiseReport, Problem, Status, Warning};
use grid::Omega;
use indicatif::{ProgressBar, ProgressStyle};
use kernels::Chosen;
use methods::Method;
use output::{Destinations, Results};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = Args::parse(std::env::args_os().skip(1)).and_then(|command| match command {
        Command::Help => write(&mut std::io::stdout(), &args::usage()),
        Command::Run(args) => run(&args),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // If standard error is closed nobody can be told.
            let _ = writeln!(std::io::stderr(), "continuation: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Reads, solves, writes. Nothing is written before everything is known to be in order.
fn run(args: &Args) -> Result<(), Fault> {
    let chosen = Chosen::from_args(args)?;
    let method = Method::from_args(args)?;
    let destinations = Destinations::from_args(args)?;
    let mut data = Data::from_args(args, chosen.kind)?;
    let self_energy = chosen.is_self_energy(args)?.then(|| data.normalize(args)).transpose()?;
    let omega = Omega::from_args(args)?;
    let problem =
        Problem::new(&*chosen.kernel, &data.measurement, &omega.grid).map_err(|e| match e {
            Error::NonFinite { argument: "omega", .. }
            | Error::ElementOutOfRange { argument: "omega", .. } => omega.locate(&e),
            e => data.locate(&e),
        })?;
    let (default_model, default_doubt) =
        grid::default_model(args, &omega.grid, chosen.kernel.density())?;
    let setup = methods::Setup::new(args, method, &problem, default_model)?;

    let mut doubts = method.doubts(args);
    doubts.extend(chosen.doubts(data.measurement.x(), &data.table));
    doubts.extend(data.doubts.iter().cloned());
    doubts.extend(default_doubt);

    let solution = with_progress(|progress| method.solve(&setup, &problem, progress))?;
    let report = solution.report();
    if report.warnings.iter().any(|w| matches!(w, Warning::PoorFit { .. })) {
        doubts.extend(chosen.suspicion(data.measurement.x()));
    }
    match report.status {
        Status::Converged => {}
        Status::RoundingFloor => doubts.push(report.status.to_string()),
        _ => doubts.push(format!("not converged: {}", report.status)),
    }
    let windows = if method.takes("--window") {
        setup.maxent.windows(&setup, &problem, &solution).map_err(|e| method.refused(&e))?
    } else {
        Vec::new()
    };
    let bands = with_progress(|progress| {
        bands::bands(args, method, &setup, &data, &problem, &solution, progress)
    })?;
    doubts.extend(bands.iter().flat_map(|bands| bands.doubts.iter().cloned()));
    let self_energy = self_energy.map(|s| s.continued(solution.clone()));
    // The notes on the noise are among the report's warnings.
    let noise = NoiseReport { notes: Vec::new(), ..data.measurement.noise_report().clone() };
    let mut summary = format!("{noise}{report}");
    if let Some(s) = &self_energy {
        let (hartree, norm) = (s.hartree(), s.norm());
        summary += &format!("Hartree term  {hartree}\nnorm of Sigma {norm}\n");
        if let Some(tail) = s.tail() {
            summary += &format!("tail          fitted from w_n = {:.4}\n", tail.from);
            if !tail.asymptotic {
                doubts.push(
                    "the tail of the self-energy has not reached its asymptotic form: give --hartree and \
                     --norm if they are known"
                        .into(),
                );
            }
        }
    }
    if let Some(bands) = &bands {
        summary += &format!(
            "bands         {} replicas of {}: the scatter of the noise, not what the method smears out\n",
            bands.replicas, bands.source
        );
    }
    for w in &windows {
        summary += &format!("weight        {} in [{}, {}]\n", w.weight, w.from, w.to);
    }
    for doubt in &doubts {
        summary += &format!("warning       {doubt}\n");
    }
    doubts.extend(report.warnings.iter().map(ToString::to_string));

    destinations.write(&Results {
        chosen: &chosen,
        data: &data,
        problem: &problem,
        solution: &solution,
        default_model: method.default_model(&setup, &problem).as_deref(),
        windows: &windows,
        bands: bands.as_ref(),
        self_energy: self_energy.as_ref(),
        warnings: &doubts,
    })?;
    if args.has("--quiet") {
        return Ok(());
    }
    write(&mut std::io::stderr(), &summary)
}

/// Runs a solver under a progress bar, which shows only on a terminal.
fn with_progress<R>(solve: impl FnOnce(methods::Progress) -> Result<R, Fault>) -> Result<R, Fault> {
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}").map_err(Fault::new)?;
    let bar = ProgressBar::no_length().with_style(style);
    let result = solve(&mut |state| {
        bar.set_message(state.to_string());
        bar.tick();
    });
    bar.finish_and_clear();
    result
}

/// Writes text to a stream; a reader that has gone away is no fault.
fn write(stream: &mut impl Write, text: &str) -> Result<(), Fault> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Fault::new(e)),
        _ => Ok(()),
    }
}
