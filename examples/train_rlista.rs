//! Trains RLISTA on synthetic spectra and reports its errors on a test set.
//!
//! `cargo run --release --example train_rlista -- [--samples 20000] [--epochs 20] [--depth 10]
//! [--test 10000] [--noise 1e-5] [--seeds 1] [--modes 14|auto]
//! [--learn eta,thresholds]`
//!
//! The setting of the learned-optimizers paper: β = 16, 100 imaginary times, 50 frequencies on [−3, 3];
//! its whole decay of the learning rate, 0.9¹⁵, is spread over the run. `--samples 100000 --epochs 150` is
//! the paper's own length. Single precision. `--modes k` is the better recipe: the network sees the k
//! leading singular coordinates of the data, `auto` those that rise above the noise (`FrontModes`), starts small, and
//! its learning rate falls along a cosine. `--learn`
//! names what else is learned: a relaxation η of every layer, a threshold of every component. Below each row, how many
//! layers do the work (`DepthProfile`) and the error of the network cut off after each.

use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    Front, FrontModes, GaussianMixture, NoiseLevel, Rlista, RlistaConfig, Thresholds, TrainOptions,
    TrainingSet,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

#[path = "common/paper.rs"]
mod paper;

struct Arguments {
    samples: usize,
    epochs: usize,
    depth: usize,
    test: usize,
    noise: f64,
    seeds: u64,
    modes: Option<String>,
    learn: String,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut a = Arguments {
        samples: 20_000,
        epochs: 20,
        depth: 10,
        test: 10_000,
        noise: 1e-5,
        seeds: 1,
        modes: None,
        learn: String::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--samples" => a.samples = value.parse()?,
            "--epochs" => a.epochs = value.parse()?,
            "--depth" => a.depth = value.parse()?,
            "--test" => a.test = value.parse()?,
            "--noise" => a.noise = value.parse()?,
            "--seeds" => a.seeds = value.parse()?,
            "--modes" => a.modes = Some(value),
            "--learn" => {
                let known = |word: &str| ["eta", "thresholds"].contains(&word);
                if !value.split(',').all(known) {
                    return Err(format!("--learn knows eta and thresholds, not {value}").into());
                }
                a.learn = value;
            }
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(a)
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let a = arguments()?;
    let model = paper::model(a.noise)?;
    let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(a.noise));

    println!("RLISTA-{}, {} samples, {} epochs, noise {:e}", a.depth, a.samples, a.epochs, a.noise);
    println!("seed  RSE mean  median    p90       training loss  seconds  ms/step  status");
    for seed in 1..=a.seeds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let set = TrainingSet::<f32>::generate(&mixture, &model, a.samples, &noise, &mut rng)?;
        let test = TrainingSet::<f32>::generate(&mixture, &model, a.test, &noise, &mut rng)?;
        let recipe = match a.modes.as_deref() {
            None => RlistaConfig {
                options: TrainOptions::scaled(a.epochs, a.samples),
                ..RlistaConfig::default()
            },
            Some(modes) => {
                let modes = match modes {
                    "auto" => {
                        let noise = model.whitening();
                        let choice = FrontModes::choose(model.kernel(), set.weights(), noise)?;
                        println!("      {choice}");
                        choice.modes
                    }
                    number => number.parse()?,
                };
                let front = Front::singular(model.kernel(), modes, set.data())?;
                RlistaConfig::conditioned(front, a.epochs, a.samples)
            }
        };
        let thresholds = if a.learn.contains("thresholds") {
            Thresholds::PerComponent
        } else {
            Thresholds::Shared
        };
        let learned_relaxation = a.learn.contains("eta");
        let config = RlistaConfig { depth: a.depth, learned_relaxation, thresholds, ..recipe };

        let bar = ProgressBar::new(a.epochs as u64);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} eta {eta}")?);
        let start = Instant::now();
        let estimator = Rlista::train(&set, &config, &mut rng, |info| {
            bar.set_position(info.epoch as u64);
            bar.set_message(format!("loss {:.4}", info.training_loss));
            ControlFlow::Continue(())
        })?;
        let seconds = start.elapsed().as_secs_f64();
        bar.finish_and_clear();

        let score = estimator.evaluate(&test)?;
        let report = estimator.training().ok_or("no training report")?;
        println!(
            "{seed:<4}  {:.5}   {:.5}   {:.5}   {:.5}        {seconds:7.2}  {:.3}    {}",
            score.mean,
            score.median,
            score.p90,
            report.training_loss,
            1e3 * seconds / report.steps as f64,
            report.status
        );
        if let Some(doubt) = report.doubt() {
            println!("      {doubt}");
        }
        let profile = estimator.depth_profile(&test)?;
        let errors: Vec<String> = profile.errors.iter().map(|e| format!("{e:.3}")).collect();
        println!(
            "      effective depth {:.2}; error after 0, 1, ... layers: {}",
            profile.effective_depth(),
            errors.join(" ")
        );
    }
    Ok(())
}
