//! Maximum entropy: what its options ask for.

use crate::args::{Args, FINITE, NONNEGATIVE, POSITIVE, number};
use crate::fault::Fault;
use crate::methods::{Progress, Setup};
use fredholm::{
    BayesianReconstruction, Bryan, Chi2Kink, Classic, Cp, Curvature, Estimate, FixedAlpha,
    FrequencyGrid, Gcv, Historic, Kinetic, LineFit, MaxEnt, PositiveNegativeEntropy, Problem,
    Result, Solution, Spectrum,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A rule that chooses alpha.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) help: &'static [&'static str],
    choose: fn(MaxEnt) -> MaxEnt,
}

/// Every rule, the default first. To add one, add it here.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "gcv",
        help: &["generalised cross-validation, the largest alpha within its slack"],
        choose: |maxent| maxent.alpha(Gcv::default()),
    },
    Rule {
        name: "cp",
        help: &["chi^2 + 2 N_good (Mallows), the largest alpha within its slack"],
        choose: |maxent| maxent.alpha(Cp::default()),
    },
    Rule {
        name: "chi2kink",
        help: &["where log chi^2 over log alpha bends, from a fit"],
        choose: |maxent| maxent.alpha(Chi2Kink::default()),
    },
    Rule {
        name: "linefit",
        help: &["the same, from a line and a constant"],
        choose: |maxent| maxent.alpha(LineFit),
    },
    Rule {
        name: "curvature",
        help: &["the same, where the curvature is largest"],
        choose: |maxent| maxent.alpha(Curvature::default()),
    },
    Rule {
        name: "classic",
        help: &["the most probable alpha; tends to overfit smooth spectra"],
        choose: |maxent| maxent.alpha(Classic),
    },
    Rule {
        name: "bryan",
        help: &["the average over alpha with its probability; the same tendency"],
        choose: |maxent| maxent.alpha(Bryan),
    },
    Rule {
        name: "historic",
        help: &["chi^2 = N: needs error bars that can be trusted"],
        choose: |maxent| maxent.alpha(Historic),
    },
];

/// The entropies by name, the default first.
const ENTROPIES: [&str; 3] = ["skilling", "bayesian-reconstruction", "positive-negative"];

/// How alpha is found.
#[derive(Clone, Copy)]
enum Alpha {
    Rule(&'static Rule),
    Value(f64),
}

/// The weight of the kinetic prior.
#[derive(Clone)]
enum Weight {
    Auto,
    Value(f64),
    /// One that was chosen, with the spectrum the prior is relative to.
    Chosen(f64, Spectrum),
}

/// The options.
#[derive(Clone)]
pub(crate) struct Options {
    alpha: Alpha,
    kinetic: Weight,
    entropy: &'static str,
    preblur: Option<f64>,
    fix_norm: bool,
    tolerance: Option<f64>,
    windows: Vec<(f64, f64)>,
}

impl Options {
    pub(crate) fn from_args(args: &Args, grid: &FrequencyGrid) -> std::result::Result<Self, Fault> {
        Ok(Options {
            alpha: alpha(args.text("--alpha"))?,
            kinetic: kinetic(args.text("--kinetic"))?,
            entropy: entropy(args.text("--entropy"))?,
            preblur: args.number("--preblur", POSITIVE)?,
            fix_norm: args.has("--fix-norm"),
            tolerance: args.number("--tolerance", POSITIVE)?,
            windows: windows(args.text("--window"), grid)?,
        })
    }

    /// The same with alpha and the kinetic weight of a solution.
    pub(crate) fn frozen(&self, solution: &Solution) -> Result<Self> {
        let mut options = self.clone();
        if let Some(maxent) = &solution.report().maxent {
            // An average stays one.
            if maxent.rule != "bryan" {
                options.alpha = Alpha::Value(maxent.alpha);
            }
            if let Weight::Auto = options.kinetic {
                let (shown, values) = (solution.spectrum(), &maxent.kinetic_reference);
                options.kinetic = if values.is_empty() {
                    Weight::Value(0.0)
                } else {
                    let (grid, density) = (shown.grid().clone(), shown.density());
                    let reference = Spectrum::new(grid, values.clone(), density)?;
                    Weight::Chosen(maxent.kinetic, reference)
                };
            }
        }
        Ok(options)
    }

    pub(crate) fn solver(&self, setup: &Setup, problem: &Problem) -> Result<MaxEnt> {
        let mut maxent =
            MaxEnt::default().default_model(setup.default_model.clone()).fix_norm(self.fix_norm);
        if let Some(norm) = setup.norm {
            maxent = maxent.norm(norm);
        }
        maxent = match &self.kinetic {
            Weight::Auto => maxent.kinetic_auto(),
            Weight::Value(lambda) => maxent.kinetic(*lambda),
            Weight::Chosen(lambda, reference) => {
                maxent.prior(*lambda, Arc::new(Kinetic::relative(reference)?))
            }
        };
        maxent = match self.alpha {
            Alpha::Rule(rule) => (rule.choose)(maxent),
            Alpha::Value(alpha) => maxent.alpha(FixedAlpha(alpha)),
        };
        if let Some(width) = self.preblur {
            maxent = maxent.preblur(width);
        }
        if let Some(tolerance) = self.tolerance {
            maxent = maxent.tolerance(tolerance);
        }
        if self.entropy != ENTROPIES[0] {
            let grid = problem.grid();
            let density = setup.default_density(problem)?;
            let d: Vec<f64> = density.iter().zip(grid.weights()).map(|(d, w)| d * w).collect();
            maxent = if self.entropy == ENTROPIES[1] {
                maxent.scaled_prior(Arc::new(BayesianReconstruction::new(d, grid.weights())?))
            } else {
                maxent.scaled_prior(Arc::new(PositiveNegativeEntropy::symmetric(d)?))
            };
        }
        Ok(maxent)
    }

    /// The weights in the windows asked for, with their error bars.
    pub(crate) fn windows(
        &self,
        setup: &Setup,
        problem: &Problem,
        solution: &Solution,
    ) -> Result<Vec<Window>> {
        if self.windows.is_empty() {
            return Ok(Vec::new());
        }
        let posterior = self.solver(setup, problem)?.posterior(problem, solution)?;
        let window =
            |&(from, to): &(f64, f64)| Ok(Window { from, to, weight: posterior.window(from, to)? });
        self.windows.iter().map(window).collect()
    }
}

/// The weight between two frequencies.
pub(crate) struct Window {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) weight: Estimate,
}

fn alpha(option: Option<&str>) -> std::result::Result<Alpha, Fault> {
    let Some(text) = option else { return Ok(Alpha::Rule(&RULES[0])) };
    let rule = RULES.iter().find(|r| r.name == text).map(Alpha::Rule);
    rule.or_else(|| number(text, POSITIVE).map(Alpha::Value)).ok_or_else(|| {
        let names = RULES.iter().map(|r| r.name).collect::<Vec<_>>().join(", ");
        Fault::option("--alpha", text, format!("{names} or a positive number"))
    })
}

fn kinetic(option: Option<&str>) -> std::result::Result<Weight, Fault> {
    let Some(text) = option else { return Ok(Weight::Value(0.0)) };
    if text == "auto" {
        return Ok(Weight::Auto);
    }
    let value = number(text, NONNEGATIVE).map(Weight::Value);
    value.ok_or_else(|| Fault::option("--kinetic", text, format!("auto or {}", NONNEGATIVE.0)))
}

fn entropy(option: Option<&str>) -> std::result::Result<&'static str, Fault> {
    let Some(text) = option else { return Ok(ENTROPIES[0]) };
    let known = ENTROPIES.into_iter().find(|name| *name == text);
    known
        .ok_or_else(|| Fault::option("--entropy", text, format!("one of {}", ENTROPIES.join(", "))))
}

fn windows(
    option: Option<&str>,
    grid: &FrequencyGrid,
) -> std::result::Result<Vec<(f64, f64)>, Fault> {
    let Some(text) = option else { return Ok(Vec::new()) };
    let window = |part: &str| {
        let (from, to) = part.split_once(':')?;
        let (from, to) = number(from, FINITE).zip(number(to, FINITE))?;
        (from < to && from < grid.max() && to > grid.min()).then_some((from, to))
    };
    let all: Option<Vec<_>> = text.split(',').map(window).collect();
    all.ok_or_else(|| {
        let (min, max) = (grid.min(), grid.max());
        let expected =
            format!("MIN:MAX[,MIN:MAX...] with MIN < MAX, reaching into the grid, [{min}, {max}]");
        Fault::option("--window", text, expected)
    })
}

pub(crate) fn solve(setup: &Setup, problem: &Problem, progress: Progress) -> Result<Solution> {
    let mut count = 0;
    setup.maxent.solver(setup, problem)?.solve_observed(problem, &mut |step| {
        count += 1;
        progress(format_args!(
            "{count} values of alpha, {:.2e}: chi2 {:.6e}",
            step.alpha, step.chi2
        ));
        ControlFlow::Continue(())
    })
}
