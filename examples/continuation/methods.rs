//! The methods, and the rules that choose alpha and lambda, by name.

use crate::args::{Args, NONNEGATIVE, POSITIVE, number};
use crate::fault::Fault;
use fredholm::{
    Chi2Kink, DataView, DefaultModel, FixedAlpha, Gcv, MaxEnt, Nnls, OneSidedSoftThreshold,
    Problem, ProximalGradient, Result, Ridge, RidgeRule, Solution, Solver, SparseModelling,
    SparsityRule,
};
use std::fmt::Arguments;
use std::ops::ControlFlow;

/// A method the program knows.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) help: &'static [&'static str],
    /// The options that only some methods take, of which this one takes these.
    options: &'static [&'static str],
    /// Its rules for lambda, the default first.
    lambda_rules: &'static [&'static LambdaRule],
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
        lambda_rules: &[],
        solve: maxent,
    },
    Method {
        name: "ista",
        help: &["non-negative and sparse: 1/2 chi^2 + lambda sum(a) by proximal steps"],
        options: &["--lambda", "--iterations"],
        lambda_rules: &[],
        solve: |setup, progress| proximal(ProximalGradient::ista, setup, progress),
    },
    Method {
        name: "fista",
        help: &["the same, accelerated"],
        options: &["--lambda", "--iterations"],
        lambda_rules: &[],
        solve: |setup, progress| proximal(ProximalGradient::fista, setup, progress),
    },
    Method {
        name: "sparse",
        help: &[
            "sparse modelling: 1/2 chi^2 + lambda sum |x| over the coefficients x",
            "of a non-negative spectrum on the kernel's singular functions",
        ],
        options: &["--lambda", "--norm"],
        lambda_rules: &[&DISCREPANCY, &ELBOW, &GCV, &CROSS_VALIDATION],
        solve: sparse,
    },
    Method {
        name: "nnls",
        help: &["non-negative, exactly: 1/2 chi^2 + lambda/2 sum(a^2)"],
        options: &["--lambda"],
        lambda_rules: &[&GCV, &DISCREPANCY],
        solve: |setup, _| {
            let solver = Nnls::new(0.0).rule(setup.lambda.ridge());
            solver.view(DataView::Whitened).solve(setup.problem)
        },
    },
    Method {
        name: "ridge",
        help: &["the same of any sign: a first look, not a spectrum"],
        options: &["--lambda"],
        lambda_rules: &[&GCV, &DISCREPANCY],
        solve: |setup, _| Ridge::default().rule(setup.lambda.ridge()).solve(setup.problem),
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

/// A rule that chooses lambda, for the methods that have it.
pub(crate) struct LambdaRule {
    pub(crate) name: &'static str,
    pub(crate) help: &'static [&'static str],
    sparse: SparsityRule,
    ridge: RidgeRule,
}

const DISCREPANCY: LambdaRule = LambdaRule {
    name: "discrepancy",
    help: &[
        "sparse (the default): the largest lambda with chi^2 <= N s^2,",
        "s^2 the variance of the noise as the data have it;",
        "nnls, ridge: the lambda where chi^2 = N",
    ],
    sparse: SparsityRule::Discrepancy,
    ridge: RidgeRule::Discrepancy { factor: 1.0 },
};
const GCV: LambdaRule = LambdaRule {
    name: "gcv",
    help: &[
        "generalised cross-validation, the largest lambda within its slack",
        "(nnls, ridge: the default)",
    ],
    sparse: SparsityRule::Gcv,
    ridge: RidgeRule::Gcv,
};
const ELBOW: LambdaRule = LambdaRule {
    name: "elbow",
    help: &["sparse: where log chi^2 over log lambda bends"],
    sparse: SparsityRule::Elbow,
    ridge: RidgeRule::Gcv,
};
const CROSS_VALIDATION: LambdaRule = LambdaRule {
    name: "cv",
    help: &["sparse: cross-validation, every fifth datum left out in turn"],
    sparse: SparsityRule::CrossValidation { folds: 5 },
    ridge: RidgeRule::Gcv,
};

/// Every rule for lambda. To add one, add it here and to the methods that have it.
pub(crate) const LAMBDA_RULES: &[LambdaRule] = &[DISCREPANCY, GCV, ELBOW, CROSS_VALIDATION];

/// How alpha is found.
enum Alpha {
    Rule(&'static Rule),
    Value(f64),
}

/// How the weight of a penalty is found.
#[derive(Clone, Copy)]
enum Lambda {
    Rule(&'static LambdaRule),
    Value(f64),
}

impl Lambda {
    fn sparse(self) -> SparsityRule {
        match self {
            Lambda::Rule(rule) => rule.sparse,
            Lambda::Value(lambda) => SparsityRule::Fixed(lambda),
        }
    }

    fn ridge(self) -> RidgeRule {
        match self {
            Lambda::Rule(rule) => rule.ridge,
            Lambda::Value(lambda) => RidgeRule::Fixed(lambda),
        }
    }
}

/// A problem and the parameters of the methods.
pub(crate) struct Setup<'a> {
    problem: &'a Problem,
    default_model: DefaultModel,
    norm: Option<f64>,
    alpha: Alpha,
    kinetic: f64,
    lambda: Lambda,
    iterations: usize,
}

impl<'a> Setup<'a> {
    /// From the options, all of which are checked whichever the method.
    pub(crate) fn new(
        args: &Args,
        method: &Method,
        problem: &'a Problem,
        default_model: DefaultModel,
    ) -> std::result::Result<Self, Fault> {
        Ok(Setup {
            problem,
            default_model,
            norm: args.number("--norm", POSITIVE)?,
            alpha: alpha(args.text("--alpha"))?,
            kinetic: args.number("--kinetic", NONNEGATIVE)?.unwrap_or(0.0),
            lambda: method.lambda(args.text("--lambda"), problem)?,
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
        foreign.sort_unstable();
        foreign.dedup();
        foreign
            .iter()
            .map(|name| format!("{name} has no effect with --method {}", self.name))
            .collect()
    }

    /// The weight of the penalty, or the rule for it.
    fn lambda(
        &self,
        option: Option<&str>,
        problem: &Problem,
    ) -> std::result::Result<Lambda, Fault> {
        let Some(text) = option else {
            // A column's norm is one over the error of its weight if it were the only one: a tenth of the
            // largest moves the sum of the weights by less than its error.
            let columns = problem.whitened_kernel().column_iter();
            let gentle = || 0.1 * columns.map(|column| column.norm()).fold(0.0, f64::max);
            let rule = self.lambda_rules.first().copied();
            return Ok(rule.map_or_else(|| Lambda::Value(gentle()), Lambda::Rule));
        };
        let rule = self.lambda_rules.iter().find(|rule| rule.name == text);
        let rule = rule.copied().map(Lambda::Rule);
        rule.or_else(|| number(text, NONNEGATIVE).map(Lambda::Value)).ok_or_else(|| {
            let names: String =
                self.lambda_rules.iter().map(|rule| format!("{}, ", rule.name)).collect();
            let or = if names.is_empty() { "" } else { "or " };
            Fault::option("--lambda", text, format!("{names}{or}{}", NONNEGATIVE.0))
        })
    }

    /// The default model on the grid, if the method has one.
    pub(crate) fn default_model(&self, setup: &Setup) -> Option<Vec<f64>> {
        let uses = self.options.contains(&"--default");
        let density =
            || setup.default_model.density_on(setup.problem.grid(), setup.norm.unwrap_or(1.0)).ok();
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
        .norm(setup.norm.unwrap_or(1.0));
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

fn proximal(
    solver: fn(f64) -> ProximalGradient,
    setup: &Setup,
    progress: Progress,
) -> Result<Solution> {
    let Lambda::Value(lambda) = setup.lambda else { unreachable!("these methods have no rules") };
    let solver = solver(lambda)
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

fn sparse(setup: &Setup, progress: Progress) -> Result<Solution> {
    progress(format_args!("solving a ladder of lambda"));
    let mut solver = SparseModelling::default().rule(setup.lambda.sparse());
    if let Some(norm) = setup.norm {
        solver = solver.sum_rule(norm);
    }
    solver.solve(setup.problem)
}
