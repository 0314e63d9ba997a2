//! Activations as a device sees them: three formulas that its compiler reads.

use crate::prox::{
    ElasticNet, Huber, NonNegative, OneSidedSoftThreshold, SoftThreshold, SquaredL2,
};
use crate::real::Real;

/// A scalar activation x = prox_θ(z) as source text, for devices that compile their kernels at run time.
///
/// One text serves WGSL and CUDA: the arguments are `z` and `theta`, of type `T`; numbers are written `T(0.5)`;
/// there are `+ - * /`, comparisons, `exp`, `log`, `sqrt`, `magnitude(x)` for |x| and
/// `pick(condition, yes, no)`. At a kink, take the flat side, as [`Prox`](crate::Prox) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formulas {
    /// prox_θ(z).
    pub value: String,
    /// ∂prox_θ(z)/∂z.
    pub by_argument: String,
    /// ∂prox_θ(z)/∂θ.
    pub by_parameter: String,
}

/// A proximal operator that acts on each component alone and has [`Formulas`]. It must agree with its
/// [`Prox`](crate::Prox); the crate's own are compared with it on every backend.
///
/// ```
/// use fredholm::{DeviceActivation, SoftThreshold};
/// assert_eq!(SoftThreshold.formulas().by_argument, "pick(magnitude(z) > theta, T(1), T(0))");
/// ```
pub trait DeviceActivation {
    /// The formulas, parameters of the operator written into them.
    fn formulas(&self) -> Formulas;
}

fn formulas(value: String, by_argument: &str, by_parameter: &str) -> Formulas {
    Formulas { value, by_argument: by_argument.into(), by_parameter: by_parameter.into() }
}

/// z less its projection on [−θ, θ]: a NaN stays one.
const SOFT: &str = "(z - pick(z > theta, theta, pick(z < -theta, -theta, z)))";

impl DeviceActivation for SoftThreshold {
    fn formulas(&self) -> Formulas {
        formulas(
            SOFT.into(),
            "pick(magnitude(z) > theta, T(1), T(0))",
            "pick(z > theta, T(-1), pick(z < -theta, T(1), T(0)))",
        )
    }
}

impl DeviceActivation for OneSidedSoftThreshold {
    fn formulas(&self) -> Formulas {
        formulas(
            "pick(z <= theta, T(0), z - theta)".into(),
            "pick(z > theta, T(1), T(0))",
            "pick(z > theta, T(-1), T(0))",
        )
    }
}

/// The rectifier.
impl DeviceActivation for NonNegative {
    fn formulas(&self) -> Formulas {
        formulas("pick(z <= T(0), T(0), z)".into(), "pick(z > T(0), T(1), T(0))", "T(0)")
    }
}

impl DeviceActivation for SquaredL2 {
    fn formulas(&self) -> Formulas {
        formulas(
            "z / (T(1) + theta)".into(),
            "T(1) / (T(1) + theta)",
            "-z / ((T(1) + theta) * (T(1) + theta))",
        )
    }
}

impl<T: Real> DeviceActivation for ElasticNet<T> {
    fn formulas(&self) -> Formulas {
        let (soft, ridge) = (SoftThreshold.formulas(), format!("T({:e})", self.ridge()));
        let shrink = format!("(T(1) + theta * {ridge})");
        let value = format!("({SOFT} / {shrink})");
        Formulas {
            by_argument: format!("{} / {shrink}", soft.by_argument),
            by_parameter: format!("({} - {ridge} * {value}) / {shrink}", soft.by_parameter),
            value,
        }
    }
}

impl<T: Real> DeviceActivation for Huber<T> {
    fn formulas(&self) -> Formulas {
        let delta = format!("T({:e})", self.delta());
        let kink = format!("(theta + {delta})");
        let inside = format!("magnitude(z) <= {kink}");
        Formulas {
            value: format!(
                "pick({inside}, z * ({delta} / {kink}), pick(z > T(0), z - theta, z + theta))"
            ),
            by_argument: format!("pick({inside}, {delta} / {kink}, T(1))"),
            by_parameter: format!(
                "pick({inside}, -z * {delta} / ({kink} * {kink}), pick(z > T(0), T(-1), T(1)))"
            ),
        }
    }
}
