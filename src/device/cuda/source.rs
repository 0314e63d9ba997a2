//! The text of the kernels for a scalar and a list of activations.

use crate::device::activation::Formulas;
use crate::device::encode::Kernel;

/// What the run-time compiler reads; `scalar` is `float` or `double`.
pub(super) fn source(scalar: &str, activations: &[Formulas]) -> String {
    let mut text = format!("typedef {scalar} T;\n{}", include_str!("kernels.cu"));
    for (number, Formulas { value, by_argument, by_parameter }) in activations.iter().enumerate() {
        text += &include_str!("activation.cu")
            .replace("NUMBER", &number.to_string())
            .replace("VALUE", value)
            .replace("BY_ARGUMENT", by_argument)
            .replace("BY_PARAMETER", by_parameter);
    }
    text
}

/// The name of a kernel in that text.
pub(super) fn entry(kernel: Kernel) -> String {
    let name = match kernel {
        Kernel::Gather => "gather",
        Kernel::Noise => "noise",
        Kernel::Tell => "tell",
        Kernel::Product => "product",
        Kernel::FillRows => "fill_rows",
        Kernel::SumRows => "sum_rows",
        Kernel::Activate(a) => return format!("activate_{a}"),
        Kernel::ActivateBack(a) => return format!("activate_back_{a}"),
        Kernel::Softmax => "softmax",
        Kernel::SoftmaxBack => "softmax_back",
        Kernel::Normalise => "normalise",
        Kernel::NormaliseBack => "normalise_back",
        Kernel::Loss => "loss",
        Kernel::Overlap => "overlap",
        Kernel::AddScaled => "add_scaled",
        Kernel::Adam => "adam",
        Kernel::Clamp => "clamp_to",
        Kernel::Advance => "advance",
    };
    name.into()
}
