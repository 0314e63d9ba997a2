//! The battery of `ranks.rs` on the processes of MPI.
//!
//! Started by itself it starts `mpirun` with itself, for 2 and 4 ranks.

#![allow(clippy::print_stdout)] // there is no harness to do it

use fredholm::{MpiCommunicator, mpi};
use std::io;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

#[path = "common/ranks.rs"]
mod ranks;

/// Set in the processes that `mpirun` starts.
const INSIDE: &str = "FREDHOLM_TEST_RANKS";

/// After which ranks that still run wait for one another for ever.
const LIMIT: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let Ok(program) = std::env::current_exe() else { return ExitCode::FAILURE };
    for size in ["2", "4"] {
        let mut command = Command::new("mpirun");
        command
            .args(["-n", size])
            .arg(&program)
            .env(INSIDE, size)
            // More ranks than cores, and containers in which everyone is root.
            .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        match status(&mut command) {
            Ok(status) if status.success() => println!("{size} ranks: ok"),
            other => {
                println!("{size} ranks: FAILED: {other:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// How `command` ends, killed after [`LIMIT`].
fn status(command: &mut Command) -> io::Result<ExitStatus> {
    let (mut child, start) = (command.spawn()?, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn inside() -> ExitCode {
    // Threads of a pool compute, none of them calls MPI.
    let threads = mpi::Threading::Funneled;
    let Some((universe, given)) = mpi::initialize_with_threading(threads) else {
        return ExitCode::FAILURE;
    };
    if given == mpi::Threading::Single {
        return ExitCode::FAILURE;
    }
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
