//! The methods, and maximum entropy's rules for alpha, by name.

use crate::args::{Args, NONNEGATIVE, POSITIVE, number};
use crate::fault::Fault;
use fredholm::{
    Chi2Kink, DataView, DefaultModel, FixedAlpha, Gcv, MaxEnt, OneSidedSoftThreshold, Problem,
    ProximalGradient, Result, Solution,
};
use std::fmt::Arguments;
use std::ops::ControlFlow;

/// A method the program knows.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) help: &'static [&'static str],
    /// The options that only some methods take, of which this one takes these.
    options: &'static [&'static str],
    solve: fn(&Setup, Progress) -> Result<Solution>,
}

/// Is told in words how far a solver is.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(Arguments);

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
        help: &["non-negative and sparse: 1/2 chi^2 + lambda sum(a) by proximal steps"],
        options: &["--lambda", "--iterations"],
        solve: |setup, progress| sparse(ProximalGradient::ista(setup.lambda), setup, progress),
    },
    Method {
        name: "fista",
        help: &["the same, accelerated"],
        options: &["--lambda", "--iterations"],
        solve: |setup, progress| sparse(ProximalGradient::fista(setup.lambda), setup, progress),
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
        help: &["generalised cross-validation, the largest alpha within its slack"],
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
        // A column's norm is one over the error of its weight if it were the only one: a tenth of the
        // largest moves the sum of the weights by less than its error.
        let columns = problem.whitened_kernel().column_iter();
        let gentle = 0.1 * columns.map(|column| column.norm()).fold(0.0, f64::max);
        Ok(Setup {
            problem,
            default_model,
            norm: args.number("--norm", POSITIVE)?.unwrap_or(1.0),
            alpha: alpha(args.text("--alpha"))?,
            kinetic: args.number("--kinetic", NONNEGATIVE)?.unwrap_or(0.0),
            lambda: args.number("--lambda", NONNEGATIVE)?.unwrap_or(gentle),
            iterations: args.count("--iterations")?.unwrap_or(10_000),
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
        foreign
            .iter()
            .map(|name| format!("{name} has no effect with --method {}", self.name))
            .collect()
    }

    /// The weight of the l1 norm, if the method has one.
    pub(crate) fn lambda(&self, setup: &Setup) -> Option<f64> {
        self.options.contains(&"--lambda").then_some(setup.lambda)
    }

    /// The default model on the grid, if the method has one.
    pub(crate) fn default_model(&self, setup: &Setup) -> Option<Vec<f64>> {
        let uses = self.options.contains(&"--default");
        let density = || setup.default_model.density_on(setup.problem.grid(), setup.norm).ok();
        uses.then(density).flatten()
    }

    pub(crate) fn solve(
        &self,
        setup: &Setup,
        progress: Progress,
    ) -> std::result::Result<Solution, Fault> {
        // Everything a file says was checked before: what is refused now is the problem as a whole.
        (self.solve)(setup, progress)
            .map_err(|e| Fault::new(format!("--method {}: {e}", self.name)))
    }
}

fn maxent(setup: &Setup, progress: Progress) -> Result<Solution> {
    let maxent = MaxEnt::default()
        .kinetic(setup.kinetic)
        .default_model(setup.default_model.clone())
        .norm(setup.norm);
    let maxent = match setup.alpha {
        Alpha::Rule(rule) => (rule.choose)(maxent),
        Alpha::Value(alpha) => maxent.alpha(FixedAlpha(alpha)),
    };
    let mut count = 0;
    maxent.solve_observed(setup.problem, &mut |step| {
        count += 1;
        progress(format_args!(
            "{count} values of alpha, {:.2e}: chi2 {:.6e}",
            step.alpha, step.chi2
        ));
        ControlFlow::Continue(())
    })
}

fn sparse(solver: ProximalGradient, setup: &Setup, progress: Progress) -> Result<Solution> {
    let solver = solver
        .prox(OneSidedSoftThreshold)
        .view(DataView::Whitened)
        .max_iterations(setup.iterations);
    solver.solve_observed(setup.problem, |info| {
        if info.iteration.is_multiple_of(100) {
            progress(format_args!("{} steps, subgradient {:.2e}", info.iteration, info.residual));
        }
        ControlFlow::Continue(())
    })
}
