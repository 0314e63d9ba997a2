//! Error against number of parameters for every network of the learned-optimizers paper: its figure 2(b), with all
//! depths and widths of its appendix A.
//!
//! `cargo run --release --example architectures -- [--samples 20000] [--epochs 20] [--test 10000] [--noise 1e-5]
//! [--seeds 1] [--only NAME] [--output architectures.svg]`
//!
//! Raw data, single precision, the paper's recipe with its whole decay spread over the run. A row is printed as soon
//! as a network is trained: mean, median and 90th percentile of the root-square error over the test spectra, the mean
//! over the seeds with its standard deviation; the figure shows the means. `--only` picks the networks whose name
//! contains a word, `RLISTA` or `FCN-4/`. `--samples 100000 --epochs 150` is the paper's own length: 34 networks of 5.5
//! million parameters together, some 6·10⁻¹¹ s of one core a parameter, sample and epoch: 1600 s for 50 epochs.

#![allow(clippy::print_stdout)] // it is what the program is for

use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{ErrorSummary, GaussianMixture, NoiseLevel, TrainingSet};
use indicatif::{ProgressBar, ProgressStyle};
use paper::Architecture;
use plot::{Colour, Mark, Panel, Series};
use std::ops::ControlFlow;
use std::time::Instant;

#[path = "common/paper.rs"]
mod paper;
#[path = "common/plot.rs"]
mod plot;

type Outcome<V> = Result<V, Box<dyn std::error::Error>>;

struct Options {
    samples: usize,
    epochs: usize,
    test: usize,
    noise: f64,
    seeds: u64,
    only: String,
    output: String,
}

impl Options {
    fn parse() -> Outcome<Self> {
        let mut o = Options {
            samples: 20_000,
            epochs: 20,
            test: 10_000,
            noise: 1e-5,
            seeds: 1,
            only: String::new(),
            output: "architectures.svg".into(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--samples" => o.samples = value.parse()?,
                "--epochs" => o.epochs = value.parse()?,
                "--test" => o.test = value.parse()?,
                "--noise" => o.noise = value.parse()?,
                "--seeds" => o.seeds = value.parse()?,
                "--only" => o.only = value,
                "--output" => o.output = value,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(o)
    }
}

/// Depths and widths of appendix A, family by family.
fn families() -> Vec<Vec<Architecture>> {
    let fcn = |layers: usize, widths: &[usize]| {
        widths.iter().map(|&width| Architecture::Fcn(layers, width)).collect()
    };
    vec![
        [4, 5, 6, 7].map(Architecture::Lista).to_vec(),
        [4, 6, 8, 10, 20, 40].map(Architecture::Rlista).to_vec(),
        fcn(2, &[100, 200, 400, 800, 1600, 3200]),
        fcn(3, &[50, 100, 200, 300, 400, 500, 600]),
        fcn(4, &[50, 100, 150, 250, 300, 350, 500]),
        [50, 100, 200, 300].map(Architecture::CnnFcn).to_vec(),
    ]
}

const COLOURS: [Colour; 6] =
    [Colour::Grey, Colour::Blue, Colour::Gold, Colour::Orange, Colour::Purple, Colour::Green];

/// Training and test spectra of every seed.
fn sets(o: &Options) -> Outcome<Vec<[TrainingSet<f32>; 2]>> {
    let model = paper::model(o.noise)?;
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(o.noise));
    let pair = |seed| -> Outcome<[TrainingSet<f32>; 2]> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut set = |n| TrainingSet::generate(&mixture, &model, n, &noise, &mut rng);
        Ok([set(o.samples)?, set(o.test)?])
    };
    (1..=o.seeds).map(pair).collect()
}

/// Mean and standard deviation over the seeds.
fn statistics(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let square: f64 = values.map(|v| (v - mean).powi(2)).sum();
    (mean, (square / (n - 1.0).max(1.0)).sqrt())
}

fn main() -> Outcome<()> {
    let o = Options::parse()?;
    if o.seeds == 0 {
        return Err("--seeds wants a number above zero".into());
    }
    let mut families = families();
    for family in &mut families {
        family.retain(|network| network.name().contains(&o.only));
    }
    let all = || families.iter().flatten();
    let work: usize =
        all().map(|network| network.parameters()).collect::<Outcome<Vec<_>>>()?.iter().sum();
    let sets = sets(&o)?;

    println!(
        "{} samples, {} epochs, {} seed(s), noise {:e}, {} test spectra",
        o.samples, o.epochs, o.seeds, o.noise, o.test
    );
    println!(
        "{:12} {:>10}  {:6}  {:6}  {:6}  {:6}  {:6}  {:>8}",
        "network", "parameters", "mean", "+-", "median", "p90", "train", "seconds"
    );
    let bar = ProgressBar::new((work * o.epochs) as u64 * o.seeds);
    bar.set_style(ProgressStyle::with_template("{msg:34} {bar:30} {percent} % eta {eta}")?);
    let mut curves = Vec::new();
    for family in &families {
        let (mut sizes, mut errors) = (Vec::new(), Vec::new());
        for &network in family {
            let (name, parameters) = (network.name(), network.parameters()?);
            let clock = Instant::now();
            let mut rows = Vec::new();
            for (seed, [training, test]) in (1001..).zip(&sets) {
                let done = bar.position();
                let trained = network.train(training, o.epochs, seed, |info| {
                    bar.set_position(done + (parameters * info.epoch) as u64);
                    bar.set_message(format!("{name}, loss {:.4}", info.training_loss));
                    ControlFlow::Continue(())
                })?;
                bar.set_position(done + (parameters * o.epochs) as u64);
                if trained.report.epochs < o.epochs {
                    bar.suspend(|| println!("{name}, seed {seed}: {}", trained.report.status));
                }
                let ErrorSummary { mean, median, p90 } = trained.estimator.evaluate(test)?;
                rows.push([mean, median, p90, trained.report.training_loss]);
            }
            let seconds = clock.elapsed().as_secs_f64() / rows.len() as f64;
            let [mean, median, p90, train] =
                [0, 1, 2, 3].map(|column| statistics(rows.iter().map(|row| row[column])));
            bar.suspend(|| {
                println!(
                    "{name:12} {parameters:>10}  {:.4}  {:.4}  {:.4}  {:.4}  {:.4}  {seconds:>8.1}",
                    mean.0, mean.1, median.0, p90.0, train.0
                );
            });
            sizes.push((parameters as f64).log10());
            errors.push(mean.0);
        }
        curves.push((sizes, errors));
    }
    bar.finish_and_clear();

    let labels: Vec<String> =
        families.iter().map(|f| f.first().map_or_else(String::new, |n| n.family())).collect();
    let shown = || curves.iter().zip(&labels).zip(COLOURS).filter(|((c, _), _)| !c.0.is_empty());
    let series = |mark| {
        shown().map(move |(((x, y), label), colour)| Series {
            label: if mark == Mark::Line { label.as_str() } else { "" },
            x,
            y,
            errors: &[],
            mark,
            colour,
        })
    };
    let panel = Panel {
        title: String::new(),
        x_label: "log10 of the number of parameters",
        y_label: "mean RSE",
        height: 420,
        from_zero: true,
        series: series(Mark::Line).chain(series(Mark::Points)).collect(),
    };
    std::fs::write(&o.output, plot::svg(820, &[panel])?)?;
    println!("{}: root-square error over the number of parameters", o.output);
    Ok(())
}
