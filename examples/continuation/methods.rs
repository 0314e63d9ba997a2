//! The methods, and maximum entropy's rules for alpha, by name.

use crate::args::{Args, NONNEGATIVE, POSITIVE, number};
use crate::fault::Fault;
use fredholm::{
    Chi2Kink, DefaultModel, FixedAlpha, Fista, Gcv, Ista, LadderStep, MaxEnt, OneSidedSoftThreshold,
    Problem, Result, Solution, Solver,
};
use std::ops::ControlFlow;

/// A method the program knows.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) help: &'static [&'static str],
    /// The options that only some methods take, of which this one takes these.
    options: &'static [&'static str],
    solve: fn(&Setup, Progress) -> Result<Solution>,
}

/// Is told of each step of maximum entropy's ladder.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(&LadderStep);

/// Every method, the default first. To add one, add it here.
pub(crate) const METHODS: &[Method] = &[
    Method {
        name: "maxent",
        help: &["maximum entropy, with a kinetic prior if --kinetic is given"],
        options: &["--default", "--norm", "--alpha", "--kinetic"],
        solve: maxent,
    },
    Method {
        name: "ista",
        help: &["sparse and non-negative, by proximal gradient steps"],
        options: &["--lambda", "--iterations"],
        solve: |setup, _| Ista::new().solve(setup.problem),
    },
    Method {
        name: "fista",
        help: &["the same, accelerated"],
        options: &["--lambda", "--iterations"],
        solve: |setup, _| Fista::new().solve(setup.problem),
    },
];

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
        help: &["the largest within a slack of the minimum of generalised cross-validation"],
        choose: |maxent| maxent.alpha(Gcv::default()),
    },
    Rule {
        name: "chi2kink",
        help: &["where log chi^2 over log alpha bends, from a fit"],
        choose: |maxent| maxent.alpha(Chi2Kink::default()),
    },
];

/// How alpha is found.
enum Alpha {
    Rule(&'static Rule),
    Value(f64),
}

/// A problem and the parameters of the methods.
pub(crate) struct Setup<'a> {
    problem: &'a Problem,
    default_model: DefaultModel,
    norm: f64,
    alpha: Alpha,
    kinetic: f64,
    lambda: f64,
    iterations: usize,
}

impl<'a> Setup<'a> {
    /// From the options, all of which are checked whichever the method.
    pub(crate) fn new(
        args: &Args,
        problem: &'a Problem,
        default_model: DefaultModel,
    ) -> std::result::Result<Self, Fault> {
        // Above this weight of the l1 norm a = 0 is the answer.
        let most = problem.whitened_kernel().tr_mul(&nalgebra_vector(problem.whitened_data())).max();
        Ok(Setup {
            problem,
            default_model,
            norm: args.number("--norm", POSITIVE)?.unwrap_or(1.0),
            alpha: alpha(args.text("--alpha"))?,
            kinetic: args.number("--kinetic", NONNEGATIVE)?.unwrap_or(0.0),
            lambda: args.number("--lambda", NONNEGATIVE)?.unwrap_or(1e-3 * most.max(0.0)),
            iterations: args.count("--iterations")?.unwrap_or(100_000),
        })
    }
}

fn alpha(option: Option<&str>) -> std::result::Result<Alpha, Fault> {
    let Some(text) = option else { return Ok(Alpha::Rule(&RULES[0])) };
    let rule = RULES.iter().find(|r| r.name == text).map(Alpha::Rule);
    rule.or_else(|| number(text, POSITIVE).map(Alpha::Value)).ok_or_else(|| {
        let names = RULES.iter().map(|r| r.name).collect::<Vec<_>>().join(", ");
        Fault::option("--alpha", text, format!("{names} or a positive number"))
    })
}

impl Method {
    pub(crate) fn from_args(args: &Args) -> std::result::Result<&'static Self, Fault> {
        let Some(name) = args.text("--method") else { return Ok(&METHODS[0]) };
        METHODS.iter().find(|m| m.name == name).ok_or_else(|| {
            let names = METHODS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
            Fault::option("--method", name, format!("one of {names}"))
        })
    }

    /// Complaints about options that mean nothing to this method.
    pub(crate) fn doubts(&self, args: &Args) -> Vec<String> {
        let mut foreign: Vec<&str> = METHODS
            .iter()
            .flat_map(|method| method.options)
            .filter(|name| args.has(name) && !self.options.contains(name))
            .copied()
            .collect();
        foreign.dedup();
        foreign.iter().map(|name| format!("{name} has no effect with --method {}", self.name)).collect()
    }

    /// The default model on the grid, if the method has one.
    pub(crate) fn default_model(&self, setup: &Setup) -> Option<Vec<f64>> {
        let uses = self.options.contains(&"--default");
        let density = || setup.default_model.density_on(setup.problem.grid(), setup.norm).ok();
        uses.then(density).flatten()
    }

    pub(crate) fn solve(&self, setup: &Setup, progress: Progress) -> std::result::Result<Solution, Fault> {
        // Everything a file says was checked before: what is refused now is the problem as a whole.
        (self.solve)(setup, progress).map_err(|e| Fault::new(format!("--method {}: {e}", self.name)))
    }
}

fn maxent(setup: &Setup, progress: Progress) -> Result<Solution> {
    let maxent = MaxEnt::default()
        .kinetic(setup.kinetic)
        .default_model(setup.default_model.clone())
        .norm(setup.norm);
    let maxent = match setup.alpha {
        Alpha::Rule(rule) => (rule.choose)(maxent),
        Alpha::Value(alpha) => maxent.alpha(FixedAlpha::new(alpha)),
    };
    maxent.solve_observed(setup.problem, &mut |step| {
        progress(step);
        ControlFlow::Continue(())
    })
}
