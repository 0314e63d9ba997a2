//! Error bands from replicas of the data.

use crate::args::Args;
use crate::data::Data;
use crate::fault::Fault;
use crate::methods::{Method, Progress, Setup};
use fredholm::rand::SeedableRng;
use fredholm::rand::rngs::ChaCha8Rng;
use fredholm::{Bands, Bootstrap, Problem, Result, Solution};
use std::ops::ControlFlow;

/// What is written of the bands, one value a grid point.
pub(crate) struct Columns {
    pub(crate) deviation: Vec<f64>,
    /// 16 % and 84 % quantiles: a standard deviation below and above, where the distribution is normal.
    pub(crate) low: Vec<f64>,
    pub(crate) high: Vec<f64>,
    pub(crate) replicas: usize,
    pub(crate) unsuccessful: usize,
}

/// Quantile that lies a standard deviation below the mean of a normal distribution.
const ONE_SIGMA: f64 = 0.158_655_253_931_457_05;

/// The bands asked for, if any.
pub(crate) fn bands(
    args: &Args,
    method: &'static Method,
    setup: &Setup,
    data: &Data,
    problem: &Problem,
    solution: &Solution,
    progress: Progress,
) -> std::result::Result<Option<Columns>, Fault> {
    let Some(count) = args.count("--bootstrap")? else { return Ok(None) };
    if count < 2 {
        return Err(Fault::option("--bootstrap", "1", "two or more replicas"));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed("--seed")?.unwrap_or(1));
    let solver = method.replica(setup, solution).map_err(|e| method.refused(&e))?;
    let watch = |info: fredholm::ReplicaInfo| {
        progress(format_args!("{} of {} replicas", info.done, info.total));
        ControlFlow::Continue(())
    };
    let bands = match &data.bins {
        Some(bins) => {
            // Correlated bins are drawn in blocks of twice their autocorrelation time.
            let times = bins.autocorrelation_times();
            let time = times.iter().sum::<f64>() / times.len() as f64;
            let block = if time > 1.5 { (2.0 * time).ceil() as usize } else { 1 };
            let bootstrap = Bootstrap::new(count).block(block.min(bins.count() / 2));
            bootstrap.bins(problem, bins, &solver, &mut rng, watch)
        }
        None => Bootstrap::new(count).parametric(problem, solution.fit(), &solver, &mut rng, watch),
    };
    let columns = bands.and_then(|bands| columns(&bands)).map_err(|e| method.refused(&e))?;
    Ok(Some(columns))
}

fn columns(bands: &Bands) -> Result<Columns> {
    let quantile = |p| bands.points().map(|point| point.quantile(p)).collect::<Result<Vec<f64>>>();
    Ok(Columns {
        deviation: bands.points().map(|point| point.deviation()).collect(),
        low: quantile(ONE_SIGMA)?,
        high: quantile(1.0 - ONE_SIGMA)?,
        replicas: bands.replicas().ncols(),
        unsuccessful: bands.unsuccessful(),
    })
}
