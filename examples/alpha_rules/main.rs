//! How good are the rules that choose α (and the kinetic weight)? Every rule on 276 spectra whose truth is
//! known.
//!
//! `cargo run --release --example alpha_rules -- [--seed 1] [--draws 1] [--only FAMILY]
//! [--rule NAME] [--widen 1] [--errors 1] [--kinetic yes] [--oracle 0] [--dump FILE] [--svg FILE]`
//!
//! Families: a single peak, two, three as in a Kondo problem, a narrow quasiparticle, gapped, wide,
//! asymmetric, Drude; fermions and bosons, imaginary times and Matsubara frequencies, noise of 10⁻³, 10⁻⁴
//! and 10⁻⁵ of the largest datum. Data come from a quadrature of 8001 points, spectra are sought on grids as
//! a user would choose them. Measured is the L1 distance to the truth, divided by that at the best α of a
//! ladder of 60 without kinetic prior, which no rule can know. `--seed 1` are the cases on which the rules
//! were studied, `--seed 2` others, for validation.
//!
//! `--widen F` makes every frequency grid F times as wide, `--errors F` declares error bars F times the true
//! ones, `--draws N` takes N times as many cases, `--only` those whose name contains a word, `--rule` only the
//! rules whose name does, `--oracle N` adds the α that is best, in the geometric mean, over N other draws of the
//! same noise: of rules that know all but the noise itself none is better. `--kinetic no` leaves out the search for the kinetic weight. `--dump` writes the
//! ladder of every case, `--svg` draws the distribution of the errors.

mod cases;
#[path = "../common/plot.rs"]
mod plot;
mod table;

use cases::{Case, Distortion, Kind};
use fredholm::{
    AlphaChoice, AlphaRule, Bryan, Chi2Kink, Classic, Cp, Curvature, FixedAlpha, Gcv, Historic,
    LadderStep, LadderView, LineFit, MaxEnt, Solver,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use table::Table;

type Outcome<V> = Result<V, Box<dyn Error>>;

struct Options {
    seed: u64,
    draws: u64,
    only: String,
    rule: String,
    distortion: Distortion,
    kinetic: bool,
    oracle: u64,
    dump: Option<String>,
    svg: Option<String>,
}

impl Options {
    fn parse() -> Outcome<Self> {
        let mut o = Options {
            seed: 1,
            draws: 1,
            only: String::new(),
            rule: String::new(),
            distortion: Distortion { widen: 1.0, errors: 1.0, noise: 0 },
            kinetic: true,
            oracle: 0,
            dump: None,
            svg: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            match name.as_str() {
                "--seed" => o.seed = value.parse()?,
                "--draws" => o.draws = value.parse()?,
                "--only" => o.only = value,
                "--rule" => o.rule = value,
                "--widen" => o.distortion.widen = value.parse()?,
                "--errors" => o.distortion.errors = value.parse()?,
                "--kinetic" => o.kinetic = value == "yes",
                "--oracle" => o.oracle = value.parse()?,
                "--dump" => o.dump = Some(value),
                "--svg" => o.svg = Some(value),
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(o)
    }
}

/// The ladder's spectra against the truth, seen by a rule that chooses the best step: what all others are
/// measured by.
#[derive(Debug, Clone)]
struct Best {
    truth: Arc<Vec<f64>>,
    /// L1 error of every step.
    errors: Arc<Mutex<Vec<f64>>>,
}

impl AlphaRule for Best {
    fn name(&self) -> &'static str {
        "best"
    }

    fn choose(&self, ladder: &LadderView) -> AlphaChoice {
        let total: f64 = self.truth.iter().sum();
        let error = |i: usize| {
            let pairs = ladder.weights(i).iter().zip(self.truth.iter());
            pairs.map(|(a, b)| (a - b).abs()).sum::<f64>() / total
        };
        let errors: Vec<f64> = (0..ladder.steps().len()).map(error).collect();
        let best = errors.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i);
        if let Ok(mut kept) = self.errors.lock() {
            *kept = errors;
        }
        match best {
            Some(i) => AlphaChoice::at(ladder.steps()[i].alpha),
            None => AlphaChoice::refused("no step"),
        }
    }
}

/// The L1 error at every α of a ladder of 60, over that α, and the problem it is of.
struct Errors {
    case: Case,
    base: MaxEnt,
    ladder: Vec<LadderStep>,
    errors: Vec<f64>,
}

impl Errors {
    fn of(kind: Kind, seed: u64, distortion: Distortion) -> Outcome<Self> {
        let case = Case::draw(kind, seed, distortion)?;
        let base = MaxEnt::default().norm(case.norm);
        let best = Best { truth: Arc::new(case.truth.weights()), errors: Arc::default() };
        let solution = base.clone().ladder_points(60).alpha(best.clone()).solve(&case.problem)?;
        let errors = best.errors.lock().map_err(|e| e.to_string())?.clone();
        let ladder = solution.report().maxent.as_ref().map_or(Vec::new(), |m| m.ladder.clone());
        Ok(Errors { case, base, ladder, errors })
    }

    /// ln error at α, interpolated in ln α.
    fn log_at(&self, alpha: f64) -> f64 {
        let log = |i: usize| self.errors[i].ln();
        match self.ladder.iter().position(|s| s.alpha <= alpha) {
            None => log(self.errors.len() - 1),
            Some(0) => log(0),
            Some(i) => {
                let [above, below] = [self.ladder[i - 1].alpha, self.ladder[i].alpha];
                let t = (above / alpha).ln() / (above / below).ln();
                (1.0 - t) * log(i - 1) + t * log(i)
            }
        }
    }
}

/// The α of `own`'s ladder whose geometric mean error over `draws` other draws of the noise is least.
fn expected_best(own: &Errors, draws: u64, o: &Options) -> Outcome<f64> {
    let other = |noise| Errors::of(own.case.kind, o.seed, Distortion { noise, ..o.distortion });
    let others = (1..=draws).map(other).collect::<Outcome<Vec<Errors>>>()?;
    let mean = |alpha: f64| others.iter().map(|e| e.log_at(alpha)).sum::<f64>();
    let alphas = own.ladder.iter().map(|s| s.alpha);
    let best = alphas.min_by(|&a, &b| mean(a).total_cmp(&mean(b)));
    best.ok_or_else(|| "a ladder without steps".into())
}

/// A name and what it does to the solver.
type Row = (&'static str, Box<dyn Fn(MaxEnt) -> MaxEnt>);

fn rules(kinetic: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![
        ("gcv (default)", Box::new(|m| m.alpha(Gcv::default()))),
        ("cp", Box::new(|m| m.alpha(Cp::default()))),
        ("gcv, slack 4, descent 1", Box::new(|m| m.alpha(Gcv { slack: 4.0, descent: 1.0 }))),
        ("cp, slack 4, descent 1", Box::new(|m| m.alpha(Cp { slack: 4.0, descent: 1.0 }))),
        ("curvature", Box::new(|m| m.alpha(Curvature::default()))),
        ("line fit", Box::new(|m| m.alpha(LineFit))),
        ("chi2kink", Box::new(|m| m.alpha(Chi2Kink::default()))),
        ("historic", Box::new(|m| m.alpha(Historic))),
        ("classic", Box::new(|m| m.alpha(Classic))),
        ("bryan", Box::new(|m| m.alpha(Bryan))),
    ];
    if kinetic {
        rows.push(("gcv, kinetic auto", Box::new(|m| m.kinetic_auto())));
        rows.push(("cp, kinetic auto", Box::new(|m| m.kinetic_auto().alpha(Cp::default()))));
    }
    rows
}

#[allow(clippy::print_stdout)]
fn main() -> Outcome<()> {
    let o = Options::parse()?;
    let kinds: Vec<Kind> =
        Kind::all(o.draws).into_iter().filter(|k| k.family.name().contains(&o.only)).collect();
    let mut rows = rules(o.kinetic);
    rows.retain(|row| row.0.contains(&o.rule));
    let oracle = (o.oracle > 0).then_some("best over other noise");
    let mut table = Table::new(rows.iter().map(|r| r.0).chain(oracle).collect());
    let mut dump = String::from("# alpha chi2 n_good entropy log_probability l1\n");
    let bar = ProgressBar::new(kinds.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} eta {eta}")?);
    for kind in kinds {
        bar.set_message(kind.label());
        let own = Errors::of(kind, o.seed, o.distortion)?;
        let least = own.errors.iter().copied().fold(f64::INFINITY, f64::min);
        if o.dump.is_some() {
            writeln!(dump, "\n# {}", kind.label())?;
            for (s, error) in own.ladder.iter().zip(&own.errors) {
                let [a, b, c, d, e] = [s.alpha, s.chi2, s.n_good, s.entropy, s.log_probability];
                writeln!(dump, "{a:e} {b:e} {c:e} {d:e} {e:e} {error:e}")?;
            }
        }
        let oracle = if o.oracle > 0 { Some(expected_best(&own, o.oracle, &o)?) } else { None };
        let known = oracle.map(|alpha| own.base.clone().alpha(FixedAlpha(alpha)));
        let ruled = rows.iter().map(|(_, settings)| settings(own.base.clone()));
        for (i, solver) in ruled.chain(known).enumerate() {
            let solution = solver.solve(&own.case.problem)?;
            let error = solution.spectrum().l1_error(&own.case.truth)?;
            table.add(i, &own.case, error, least, solution.report());
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{table}");
    if let Some(path) = &o.dump {
        std::fs::write(path, dump)?;
    }
    if let Some(path) = &o.svg {
        std::fs::write(path, table.svg()?)?;
    }
    Ok(())
}
