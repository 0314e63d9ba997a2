//! The battery of `ranks.rs` on the processes of MPI.
//!
//! Started by itself it starts `mpirun` with itself, for 2 and 4 ranks.

#![allow(clippy::print_stdout)] // there is no harness to do it

use fredholm::{MpiCommunicator, mpi};
use std::process::{Command, ExitCode};

#[path = "common/ranks.rs"]
mod ranks;

/// Set in the processes that `mpirun` starts.
const INSIDE: &str = "FREDHOLM_TEST_RANKS";

fn main() -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let Ok(program) = std::env::current_exe() else { return ExitCode::FAILURE };
    for size in ["2", "4"] {
        let status = Command::new("mpirun")
            .args(["-n", size])
            .arg(&program)
            .env(INSIDE, size)
            // More ranks than cores, and containers in which everyone is root.
            .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
            .status();
        match status {
            Ok(status) if status.success() => println!("{size} ranks: ok"),
            other => {
                println!("{size} ranks: FAILED: {other:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn inside() -> ExitCode {
    let Some(universe) = mpi::initialize() else { return ExitCode::FAILURE };
    // A rank that panics must not wait for the others at MPI's end.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::abort();
    }));
    let communicator = MpiCommunicator::new(universe.world());
    if std::env::var(INSIDE) != Ok(communicator.size().to_string()) {
        return ExitCode::FAILURE;
    }
    ranks::messages::<f32>(&communicator);
    ranks::messages::<f64>(&communicator);
    ranks::training::<f32>(&communicator, 1e-4);
    ranks::training::<f64>(&communicator, 1e-12);
    ranks::continuation(&communicator);
    ExitCode::SUCCESS
}
