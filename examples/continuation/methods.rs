//! The methods, and the rules that choose lambda, by name.

use crate::args::{Args, NONNEGATIVE, POSITIVE, number};
use crate::fault::Fault;
use crate::maxent;
use fredholm::{
    DataView, DefaultModel, Error, Nnls, OneSidedSoftThreshold, PreparedMaxEnt, Problem,
    ProximalGradient, Result, Ridge, RidgeRule, Solution, Solver, SparseModelling, SparsityRule,
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
    solve: fn(&Setup, &Problem, Progress) -> Result<Solution>,
}

/// Is told in words how far a solver is.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(Arguments);

/// Every method, the default first. To add one, add it here.
pub(crate) const METHODS: &[Method] = &[
    Method {
        name: "maxent",
        help: &["maximum entropy, with a kinetic prior if --kinetic is given"],
        options: &[
            "--default",
            "--norm",
            "--fix-norm",
            "--alpha",
            "--kinetic",
            "--entropy",
            "--preblur",
            "--tolerance",
            "--window",
        ],
        lambda_rules: &[],
        solve: maxent::solve,
    },
    Method {
        name: "ista",
        help: &["non-negative and sparse: 1/2 chi^2 + lambda sum(a) by proximal steps"],
        options: &["--lambda", "--iterations"],
        lambda_rules: &[],
        solve: |setup, problem, progress| {
            proximal(ProximalGradient::ista, setup, problem, progress)
        },
    },
    Method {
        name: "fista",
        help: &["the same, accelerated"],
        options: &["--lambda", "--iterations"],
        lambda_rules: &[],
        solve: |setup, problem, progress| {
            proximal(ProximalGradient::fista, setup, problem, progress)
        },
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
        solve: |setup, problem, _| {
            let solver = Nnls::new(0.0).rule(setup.lambda.ridge());
            solver.view(DataView::Whitened).solve(problem)
        },
    },
    Method {
        name: "ridge",
        help: &["the same of any sign: a first look, not a spectrum"],
        options: &["--lambda"],
        lambda_rules: &[&GCV, &DISCREPANCY],
        solve: |setup, problem, _| Ridge::default().rule(setup.lambda.ridge()).solve(problem),
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

/// The parameters of the methods.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) default_model: DefaultModel,
    pub(crate) norm: Option<f64>,
    pub(crate) maxent: maxent::Options,
    lambda: Lambda,
    iterations: usize,
}

impl Setup {
    /// From the options, all of which are checked whichever the method.
    pub(crate) fn new(
        args: &Args,
        method: &Method,
        problem: &Problem,
        default_model: DefaultModel,
    ) -> std::result::Result<Self, Fault> {
        Ok(Setup {
            default_model,
            // The norm of a self-energy has been divided out.
            norm: args.number("--norm", POSITIVE)?.filter(|_| !args.has("--self-energy")),
            maxent: maxent::Options::from_args(args, problem.grid())?,
            lambda: method.lambda(args.text("--lambda"), problem)?,
            iterations: args.count("--iterations")?.unwrap_or(10_000),
        })
    }

    /// The default model on a problem's grid, scaled to the norm given or else that of the density.
    pub(crate) fn default_density(&self, problem: &Problem) -> Result<Vec<f64>> {
        let norm = self.norm.or(problem.model().density().norm()).unwrap_or(1.0);
        self.default_model.density_on(problem.grid(), norm)
    }

    /// The same with the weights that a solution's rules have chosen.
    fn frozen(&self, solution: &Solution) -> Result<Self> {
        let mut setup = self.clone();
        setup.maxent = self.maxent.frozen(solution)?;
        if let Some(penalty) = solution.report().penalty {
            setup.lambda = Lambda::Value(penalty.lambda);
        }
        Ok(setup)
    }
}

/// A method with its parameters, for problems with other data.
pub(crate) struct Replica {
    method: &'static Method,
    setup: Setup,
    /// Maximum entropy, made ready once.
    prepared: Option<PreparedMaxEnt>,
}

impl Solver<f64> for Replica {
    fn solve(&self, problem: &Problem) -> Result<Solution> {
        match &self.prepared {
            Some(prepared) => prepared.solve(problem),
            None => (self.method.solve)(&self.setup, problem, &mut |_| {}),
        }
    }
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
    pub(crate) fn default_model(&self, setup: &Setup, problem: &Problem) -> Option<Vec<f64>> {
        let uses = self.options.contains(&"--default");
        uses.then(|| setup.default_density(problem).ok()).flatten()
    }

    /// The method as a solver that takes over what the rules have chosen for a solution.
    pub(crate) fn replica(
        &'static self,
        setup: &Setup,
        problem: &Problem,
        solution: &Solution,
    ) -> Result<Replica> {
        let setup = setup.frozen(solution)?;
        let maxent = self.takes("--alpha");
        let prepare = || setup.maxent.solver(&setup, problem)?.prepare(problem.model());
        let prepared = maxent.then(prepare).transpose()?;
        Ok(Replica { method: self, setup, prepared })
    }

    /// What the library says of the problem as a whole.
    pub(crate) fn refused(&self, error: &Error) -> Fault {
        Fault::new(format!("--method {}: {error}", self.name))
    }

    /// Whether the method takes an option that only some take.
    pub(crate) fn takes(&self, option: &str) -> bool {
        self.options.contains(&option)
    }

    pub(crate) fn solve(
        &self,
        setup: &Setup,
        problem: &Problem,
        progress: Progress,
    ) -> std::result::Result<Solution, Fault> {
        // Everything a file says was checked before: what is refused now is the problem as a whole.
        (self.solve)(setup, problem, progress).map_err(|e| self.refused(&e))
    }
}

fn proximal(
    solver: fn(f64) -> ProximalGradient,
    setup: &Setup,
    problem: &Problem,
    progress: Progress,
) -> Result<Solution> {
    let Lambda::Value(lambda) = setup.lambda else { unreachable!("these methods have no rules") };
    let solver = solver(lambda)
        .prox(OneSidedSoftThreshold)
        .view(DataView::Whitened)
        .max_iterations(setup.iterations);
    solver.solve_observed(problem, |info| {
        if info.iteration.is_multiple_of(100) {
            progress(format_args!("{} steps, subgradient {:.2e}", info.iteration, info.residual));
        }
        ControlFlow::Continue(())
    })
}

fn sparse(setup: &Setup, problem: &Problem, progress: Progress) -> Result<Solution> {
    progress(format_args!("solving a ladder of lambda"));
    let mut solver = SparseModelling::default().rule(setup.lambda.sparse());
    if let Some(norm) = setup.norm {
        solver = solver.sum_rule(norm);
    }
    solver.solve(problem)
}
