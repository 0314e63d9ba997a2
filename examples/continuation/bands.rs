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
    /// What the replicas were drawn from.
    pub(crate) source: &'static str,
    /// What a reader should know.
    pub(crate) doubts: Vec<String>,
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
    let solver = method.replica(setup, problem, solution).map_err(|e| method.refused(&e))?;
    let mut doubts = Vec::new();
    let watch = |info: fredholm::ReplicaInfo| {
        progress(format_args!("{} of {} replicas", info.done, info.total));
        ControlFlow::Continue(())
    };
    let bands = match &data.bins {
        Some(bins) => {
            // Correlated bins are drawn in blocks of twice their autocorrelation time.
            let time = data.measurement.noise_report().autocorrelation.map_or(1.0, |t| t.mean);
            let block = if time > 1.5 { (2.0 * time).ceil() as usize } else { 1 };
            let blocks = bins.count() / block;
            if blocks < 20 {
                doubts.push(format!(
                    "bands from {blocks} blocks of {block} bins, which are correlated over {time:.1}: more \
                     bins are needed"
                ));
            }
            let bootstrap = Bootstrap::new(count).block(block.min(bins.count() / 2));
            bootstrap.bins(problem, bins, &solver, &mut rng, watch)
        }
        None => {
            if args.has("--bins") {
                doubts.push(
                    "the bands of a self-energy are drawn from its noise, not from bins".into(),
                );
            }
            Bootstrap::new(count).parametric(problem, solution.fit(), &solver, &mut rng, watch)
        }
    };
    let bands = bands.map_err(|e| method.refused(&e))?;
    if bands.unsuccessful() > 0 {
        let (failed, all) = (bands.unsuccessful(), bands.replicas().ncols());
        doubts.push(format!("{failed} of {all} replicas did not converge"));
    }
    let columns = columns(&bands).map_err(|e| method.refused(&e))?;
    let source = if data.bins.is_some() { "bins" } else { "the noise about the fit" };
    Ok(Some(Columns { source, doubts, ..columns }))
}

fn columns(bands: &Bands) -> Result<Columns> {
    let quantile = |p| bands.points().map(|point| point.quantile(p)).collect::<Result<Vec<f64>>>();
    Ok(Columns {
        deviation: bands.points().map(|point| point.deviation()).collect(),
        low: quantile(ONE_SIGMA)?,
        high: quantile(1.0 - ONE_SIGMA)?,
        replicas: bands.replicas().ncols(),
        source: "",
        doubts: Vec::new(),
    })
}
