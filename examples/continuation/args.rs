//! The command line: one table of options, and what was given of them.

use crate::fault::Fault;
use crate::kernels::KERNELS;
use crate::maxent::RULES;
use crate::methods::{LAMBDA_RULES, METHODS};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

/// An option.
struct Opt {
    name: &'static str,
    /// What its value is called; empty for an option that takes none.
    value: &'static str,
    help: &'static [&'static str],
}

/// Every option. To add one, add it here and ask [`Args`] for its value.
const OPTIONS: &[Opt] = &[
    Opt { name: "--kernel", value: "NAME", help: &["the kernel, see below (required)"] },
    Opt {
        name: "--beta",
        value: "B",
        help: &[
            "inverse temperature, 1/energy (required by kernels in tau;",
            "checked against the frequencies by the others)",
        ],
    },
    Opt {
        name: "--scale",
        value: "S",
        help: &[
            "multiply the data by S, errors by |S|, covariance by S^2,",
            "--error included; -1 for G(tau) = -<T c c+>",
        ],
    },
    Opt {
        name: "--rows",
        value: "FIRST:LAST",
        help: &["use only these data rows, counted from 1 without comments"],
    },
    Opt {
        name: "--omega",
        value: "GRID",
        help: &[
            "the frequency grid, energy (required): MIN:MAX:N with an",
            "optional :uniform, :tangent, :lorentzian or :hyperbolic (the",
            "last three dense around the middle, around 0 if MIN is 0), or",
            "a FILE with omega and optionally its quadrature weight",
        ],
    },
    Opt {
        name: "--error",
        value: "E",
        help: &["one error bar for all data, in the units of the file"],
    },
    Opt {
        name: "--covariance",
        value: "FILE",
        help: &[
            "covariance of the data (of the mean, not of single bins), one",
            "row a line; complex: real parts first, then imaginary parts",
        ],
    },
    Opt {
        name: "--covariance-cut",
        value: "C",
        help: &["drop modes with variance below C times the largest (1e-12)"],
    },
    Opt {
        name: "--bins",
        value: "FILE",
        help: &[
            "covariance from Monte Carlo bins, one bin a line; complex: all",
            "real parts, then all imaginary parts. With --rows, covariance",
            "and bins are those of the selected rows or of all rows. Few bins",
            "make its inverse too large: corrected (Hartlap) or, with fewer",
            "than 2.5 bins a datum, shrunk towards the diagonal; the report",
            "says which",
        ],
    },
    Opt {
        name: "--rebin",
        value: "M",
        help: &[
            "average M consecutive bins; auto: until they are independent, as",
            "long as 20 are left",
        ],
    },
    Opt { name: "--shrink", value: "", help: &["shrink the covariance of the bins in any case"] },
    Opt { name: "--method", value: "NAME", help: &["the method, see below (maxent)"] },
    Opt {
        name: "--default",
        value: "MODEL",
        help: &[
            "maxent: default model flat (the default), gaussian:MU:SIGMA,",
            "lorentzian:MU:HALFWIDTH, several of a kind as gaussian:MU:SIGMA:",
            "WEIGHT+gaussian:..., moments:MEAN:VARIANCE, or a FILE with omega",
            "and D, interpolated linearly",
        ],
    },
    Opt {
        name: "--norm",
        value: "N",
        help: &[
            "maxent: the default model integrates to N (1; 1/2 for symmetric",
            "fermions, and for bosons 1 without comparing the answer with it);",
            "sparse: the spectrum integrates to N (whatever fits)",
        ],
    },
    Opt {
        name: "--fix-norm",
        value: "",
        help: &["maxent: exactly that norm (with --preblur of the hidden spectrum)"],
    },
    Opt {
        name: "--alpha",
        value: "RULE",
        help: &["maxent: weight of the entropy, see below (gcv)"],
    },
    Opt {
        name: "--kinetic",
        value: "L",
        help: &[
            "maxent: weight of the kinetic prior (L/2) int (dA/domega)^2 (0);",
            "auto: chosen with alpha, for a prior of third order",
        ],
    },
    Opt {
        name: "--entropy",
        value: "NAME",
        help: &[
            "maxent: skilling (the default), bayesian-reconstruction, or",
            "positive-negative for a spectrum of either sign (off-diagonals),",
            "the default model then being that of its positive and of its",
            "negative part: give a localised one",
        ],
    },
    Opt {
        name: "--preblur",
        value: "B",
        help: &["maxent: the spectrum is a hidden one blurred by a Gaussian of width B"],
    },
    Opt {
        name: "--tolerance",
        value: "T",
        help: &["maxent: solve to gap/(alpha norm) <= T (1e-11); 5e-13 proves 1e-6 in L1"],
    },
    Opt {
        name: "--window",
        value: "MIN:MAX",
        help: &[
            "maxent: weight between two frequencies with its error bar from",
            "the posterior covariance; several as MIN:MAX,MIN:MAX",
        ],
    },
    Opt {
        name: "--self-energy",
        value: "",
        help: &[
            "fermion-matsubara: the data are a self-energy. Hartree term and",
            "norm are taken from its tail unless --hartree, --norm are given;",
            "-Im Sigma/(pi norm) is continued, Re and Im Sigma are written too",
        ],
    },
    Opt { name: "--hartree", value: "H", help: &["the Hartree term of --self-energy"] },
    Opt {
        name: "--lambda",
        value: "RULE",
        help: &[
            "all but maxent: weight of the penalty, a number or, for sparse,",
            "nnls and ridge, a rule, see below (ista, fista: 0.1 times the",
            "largest column norm of the whitened kernel, which moves the sum",
            "by less than its error)",
        ],
    },
    Opt {
        name: "--iterations",
        value: "N",
        help: &["ista, fista: limit of the iterations (10000)"],
    },
    Opt {
        name: "--bootstrap",
        value: "N",
        help: &[
            "error bands from N replicas of the data, drawn from --bins or",
            "else from the noise about the fit, alpha or lambda kept:",
            "further columns with deviation, 16 % and 84 % quantile. They",
            "hold the scatter of the noise, not what the method smears out;",
            "100 replicas give a deviation, 1000 quantiles",
        ],
    },
    Opt { name: "--seed", value: "S", help: &["the seed of --bootstrap (1)"] },
    Opt {
        name: "--output",
        value: "FILE",
        help: &["the spectrum as text (standard output if absent)"],
    },
    Opt {
        name: "--report",
        value: "FILE",
        help: &[
            "JSON: status, alpha, kinetic, lambda, rule, chi2, n_data,",
            "entropy, gap, l1_bound, iterations, warnings, ...; x, data and",
            "fit (the back-continued data; complex ones stacked as in --bins)",
        ],
    },
    Opt { name: "--quiet", value: "", help: &["no page on standard error, faults aside"] },
    Opt { name: "--plot", value: "FILE.svg", help: &["spectrum, data, fit and residuals drawn"] },
];

/// What the user asked for.
pub(crate) enum Command {
    /// Print the usage.
    Help,
    /// Continue data.
    Run(Args),
}

/// The options given and the data file.
pub(crate) struct Args {
    data: PathBuf,
    values: BTreeMap<&'static str, String>,
}

/// The numbers an option takes: how they are called, and a test.
pub(crate) type Range = (&'static str, fn(f64) -> bool);
pub(crate) const POSITIVE: Range = ("a positive number", |v| v > 0.0);
pub(crate) const NONNEGATIVE: Range = ("a non-negative number", |v| v >= 0.0);
pub(crate) const NONZERO: Range = ("a number other than 0", |v| v != 0.0);
pub(crate) const FRACTION: Range = ("a number between 0 and 1", |v| (0.0..1.0).contains(&v));
pub(crate) const FINITE: Range = ("a finite number", |_| true);

/// `text` as a finite number in `range`.
pub(crate) fn number(text: &str, range: Range) -> Option<f64> {
    text.parse().ok().filter(|&v: &f64| v.is_finite() && range.1(v))
}

impl Args {
    /// Reads the command line, without the program's name.
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, Fault> {
        let mut files = Vec::new();
        let mut values = BTreeMap::new();
        let mut last = None;
        let mut arguments = arguments.map(|a| {
            a.into_string()
                .map_err(|a| Fault::new(format!("{}: expected UTF-8", a.to_string_lossy())))
        });
        while let Some(argument) = arguments.next().transpose()? {
            if argument == "--help" || argument == "-h" {
                return Ok(Command::Help);
            }
            if !argument.starts_with('-') {
                files.push(argument);
                continue;
            }
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let Some(option) = OPTIONS.iter().find(|o| o.name == name) else {
                return Err(Fault::new(format!("{name}: unknown option, try --help")));
            };
            let value = match attached {
                Some(value) if option.value.is_empty() => {
                    return Err(Fault::option(name, &value, "no value"));
                }
                _ if option.value.is_empty() => Some(String::new()),
                Some(value) => Some(value),
                None => arguments.next().transpose()?.filter(|v| !v.starts_with("--")),
            };
            let Some(value) = value else {
                return Err(Fault::new(format!(
                    "{name}: value missing, expected {name} {}",
                    option.value
                )));
            };
            last = (!option.value.is_empty()).then(|| (option.name, value.clone()));
            if let Some(first) = values.insert(option.name, value) {
                return Err(Fault::new(format!(
                    "{name}: given twice, the first time as '{first}'"
                )));
            }
        }
        match <[String; 1]>::try_from(files) {
            Ok([data]) => Ok(Command::Run(Args { data: data.into(), values })),
            Err(files) if files.is_empty() => {
                // An option without its value takes what follows for it.
                let taken = last.map_or_else(String::new, |(name, value): (_, String)| {
                    format!("; '{value}' was taken for the value of {name}")
                });
                Err(Fault::new(format!(
                    "no data file given: expected [OPTIONS] DATA, try --help{taken}"
                )))
            }
            Err(files) => Err(Fault::option(
                "DATA",
                &files[1],
                format!("one data file, not '{}' too", files[0]),
            )),
        }
    }

    /// The data file.
    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Whether an option was given.
    pub(crate) fn has(&self, name: &'static str) -> bool {
        self.text(name).is_some()
    }

    /// An option's value.
    pub(crate) fn text(&self, name: &'static str) -> Option<&str> {
        debug_assert!(OPTIONS.iter().any(|o| o.name == name), "{name} is in no table");
        self.values.get(name).map(String::as_str)
    }

    /// The value of an option that must be given.
    pub(crate) fn required(&self, name: &'static str, expected: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| Fault::new(format!("{name} is missing: expected {expected}")))
    }

    /// An option's value as a file name.
    pub(crate) fn path(&self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// An option's value as a number.
    pub(crate) fn number(&self, name: &'static str, range: Range) -> Result<Option<f64>, Fault> {
        let parse = |text| number(text, range).ok_or_else(|| Fault::option(name, text, range.0));
        self.text(name).map(parse).transpose()
    }

    /// An option's value as a seed.
    pub(crate) fn seed(&self, name: &'static str) -> Result<Option<u64>, Fault> {
        let parse =
            |text: &str| text.parse().map_err(|_| Fault::option(name, text, "a whole number"));
        self.text(name).map(parse).transpose()
    }

    /// An option's value as a count.
    pub(crate) fn count(&self, name: &'static str) -> Result<Option<usize>, Fault> {
        let parse = |text: &str| {
            let count = text.parse().ok().filter(|&n: &usize| n > 0);
            count.ok_or_else(|| Fault::option(name, text, "a positive whole number"))
        };
        self.text(name).map(parse).transpose()
    }
}

/// The text of `--help`.
pub(crate) fn usage() -> String {
    let mut text = String::from(
        "Continues imaginary-time or Matsubara data to real frequencies.\n\n\
         Usage: continuation [OPTIONS] DATA\n\n\
         DATA is a text file; columns are separated by blanks or commas, '#' starts a comment.\n\
         Real kernels:     x g [error]\n\
         Complex kernels:  x re im [error | error_re error_im]\n\
         The noise is that of --error, --covariance or --bins if given, else of the error columns.\n\
         Energies are in any unit, x and beta in the same one or its inverse; alpha and lambda are\n\
         absolute: 1/2 chi^2 - alpha S + (kinetic/2) int (dA/domega)^2 is minimised.\n\n\
         Options:\n",
    );
    let mut list = |title: &str, entries: &mut dyn Iterator<Item = (String, &[&str])>| {
        text.push_str(title);
        for (head, lines) in entries {
            for (i, line) in lines.iter().enumerate() {
                let head = if i == 0 { head.as_str() } else { "" };
                let _ = writeln!(text, "  {head:<26} {line}");
            }
        }
    };
    let head = |o: &Opt| format!("{} {}", o.name, o.value).trim_end().to_owned();
    list("", &mut OPTIONS.iter().map(|o| (head(o), o.help)));
    list(
        "  --help                     this text\n\nKernels:\n",
        &mut KERNELS.iter().map(|k| (k.name.into(), k.help)),
    );
    list("\nMethods:\n", &mut METHODS.iter().map(|m| (m.name.into(), m.help)));
    list("\nRules for alpha:\n", &mut RULES.iter().map(|r| (r.name.into(), r.help)));
    list(
        "  VALUE                      this value\n\nRules for lambda:\n",
        &mut LAMBDA_RULES.iter().map(|r| (r.name.into(), r.help)),
    );
    text.push_str(
        "  VALUE                      this value\n\n\
         The page on standard error:\n  \
         chi2/N                     1 where error bars are right and the fit is good\n  \
         residuals                  0 within 1/sqrt(N) where the fit leaves no structure\n  \
         or within                  alpha the rule would accept too, and the L1 change over the norm\n  \
         good data                  how many combinations of the data are not noise\n  \
         certificate                objective - minimum, over alpha norm, L1 distance: at most\n\n\
         Bad input: one line on standard error, exit status 2, nothing written. No convergence: a\n\
         warning, the status in the report, exit status 0.\n\n\
         Example:\n  continuation --kernel fermion-tau --beta 10 --scale -1 --omega -6:6:301 \\\n    \
         --output spectrum.txt --report report.json --plot spectrum.svg g_tau.txt\n",
    );
    text
}
