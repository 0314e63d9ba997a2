//! The kernels by name.

use crate::args::{Args, POSITIVE};
use crate::fault::Fault;
use crate::table::Table;
use fredholm::{
    BosonMatsubara, BosonMatsubaraSymmetric, BosonTime, BosonTimeSymmetric, FermionMatsubara,
    FermionMatsubaraSymmetric, FermionTime, FermionTimeSymmetric, Kernel, Laplace, Result,
};
use std::f64::consts::PI;

/// The data axis of a kernel.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Axis {
    /// Imaginary time in [0, beta].
    Time,
    /// Matsubara frequencies (2n + `shift`) pi/beta.
    Frequency { shift: f64 },
    /// Imaginary time at zero temperature.
    ZeroTemperature,
}

/// A kernel the program knows.
pub(crate) struct KernelKind {
    pub(crate) name: &'static str,
    pub(crate) help: &'static [&'static str],
    pub(crate) axis: Axis,
    /// Whether the data are complex.
    pub(crate) complex: bool,
    /// The kernel for a beta (0 if none was given and none is needed).
    make: fn(f64) -> Result<Box<dyn Kernel>>,
}

const FERMIONIC: Axis = Axis::Frequency { shift: 1.0 };
const BOSONIC: Axis = Axis::Frequency { shift: 0.0 };

/// Every kernel. To add one, add it here.
pub(crate) const KERNELS: &[KernelKind] = &[
    KernelKind {
        name: "fermion-tau",
        help: &["G(tau), exp(-tau w)/(1 + exp(-beta w)), on A(w)"],
        axis: Axis::Time,
        complex: false,
        make: |beta| Ok(Box::new(FermionTime::new(beta)?)),
    },
    KernelKind {
        name: "fermion-matsubara",
        help: &["G(i w_n), complex, 1/(i w_n - w), on A(w)"],
        axis: FERMIONIC,
        complex: true,
        make: |_| Ok(Box::new(FermionMatsubara)),
    },
    KernelKind {
        name: "fermion-tau-symmetric",
        help: &["the same for A(-w) = A(w), w >= 0, on A(w) of norm 1/2"],
        axis: Axis::Time,
        complex: false,
        make: |beta| Ok(Box::new(FermionTimeSymmetric::new(beta)?)),
    },
    KernelKind {
        name: "fermion-matsubara-symmetric",
        help: &["Im G(i w_n) for A(-w) = A(w), w >= 0, on A(w) of norm 1/2"],
        axis: FERMIONIC,
        complex: false,
        make: |_| Ok(Box::new(FermionMatsubaraSymmetric)),
    },
    KernelKind {
        name: "boson-tau",
        help: &["w exp(-tau w)/(1 - exp(-beta w)), on A(w)/w"],
        axis: Axis::Time,
        complex: false,
        make: |beta| Ok(Box::new(BosonTime::new(beta)?)),
    },
    KernelKind {
        name: "boson-matsubara",
        help: &["complex, w/(i w_n - w), on A(w)/w"],
        axis: BOSONIC,
        complex: true,
        make: |_| Ok(Box::new(BosonMatsubara)),
    },
    KernelKind {
        name: "boson-tau-symmetric",
        help: &[
            "w/2 (exp(-tau w) + exp(-(beta - tau) w))/(1 - exp(-beta w)), w >= 0,",
            "on (2/pi) chi''(w)/w",
        ],
        axis: Axis::Time,
        complex: false,
        make: |beta| Ok(Box::new(BosonTimeSymmetric::new(beta)?)),
    },
    KernelKind {
        name: "boson-matsubara-symmetric",
        help: &["w^2/(w_n^2 + w^2), w >= 0, on (2/pi) chi''(w)/w"],
        axis: BOSONIC,
        complex: false,
        make: |_| Ok(Box::new(BosonMatsubaraSymmetric)),
    },
    KernelKind {
        name: "laplace",
        help: &["zero temperature, exp(-tau w), w >= 0, on A(w)"],
        axis: Axis::ZeroTemperature,
        complex: false,
        make: |_| Ok(Box::new(Laplace)),
    },
];

/// The kernel asked for, at the beta given.
pub(crate) struct Chosen {
    pub(crate) kind: &'static KernelKind,
    pub(crate) beta: Option<f64>,
    pub(crate) kernel: Box<dyn Kernel>,
}

impl Chosen {
    pub(crate) fn from_args(args: &Args) -> std::result::Result<Self, Fault> {
        let names = KERNELS.iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
        let name = args.required("--kernel", &format!("--kernel with one of {names}"))?;
        let kind = KERNELS
            .iter()
            .find(|k| k.name == name)
            .ok_or_else(|| Fault::option("--kernel", name, format!("one of {names}")))?;
        let beta = args.number("--beta", POSITIVE)?;
        if kind.axis == Axis::Time && beta.is_none() {
            let expected = format!("--beta B, the inverse temperature, with --kernel {name}");
            return Err(Fault::new(format!("--beta is missing: expected {expected}")));
        }
        let kernel = (kind.make)(beta.unwrap_or(0.0)).map_err(Fault::new)?;
        Ok(Chosen { kind, beta, kernel })
    }

    /// Whether the data are a self-energy, which only one kernel describes.
    pub(crate) fn is_self_energy(&self, args: &Args) -> std::result::Result<bool, Fault> {
        let asked = args.has("--self-energy");
        if asked && self.kind.name != "fermion-matsubara" {
            let expected = "--kernel fermion-matsubara with it";
            return Err(Fault::new(format!("--self-energy: expected {expected}")));
        }
        Ok(asked)
    }

    /// What to suspect of an axis of times whose data cannot be fitted: a beta they do not reach.
    pub(crate) fn suspicion(&self, x: &[f64]) -> Option<String> {
        let beta = self.beta.filter(|_| self.kind.axis == Axis::Time)?;
        let last = x.iter().copied().fold(0.0, f64::max);
        (last < beta * (1.0 - 1e-6))
            .then(|| format!("the largest tau is {last}, not beta = {beta}: is --beta right?"))
    }

    /// Complaints, for the reader of the result, about a data axis that does not go with beta.
    pub(crate) fn doubts(&self, x: &[f64], table: &Table) -> Vec<String> {
        let Some(beta) = self.beta else { return Vec::new() };
        match self.kind.axis {
            Axis::Time => Vec::new(),
            Axis::ZeroTemperature => vec![format!("--beta has no effect with {}", self.kind.name)],
            Axis::Frequency { shift } => {
                // To 1e-5 of the frequency, or of the spacing for frequency 0.
                let misses = |w: f64| {
                    let index = (w * beta / PI - shift) / 2.0;
                    let off = (index - index.round()).abs() * 2.0 * PI / beta;
                    off > 1e-5 * w.abs().max(2.0 * PI / beta)
                };
                let series = if shift == 1.0 { "(2n+1) pi/beta" } else { "2n pi/beta" };
                let missing = x.iter().filter(|&&w| misses(w)).count();
                let first = x.iter().copied().find(|&w| misses(w));
                first.map_or_else(Vec::new, |w| {
                    vec![format!(
                        "--beta {beta} does not fit {}: {missing} of {} frequencies, {w} the \
                         first, are not of the form {series}",
                        table.path().display(),
                        x.len(),
                    )]
                })
            }
        }
    }
}
