//! Launches as kernels are handed them: places and counts, then numbers, in the order of `launch`.

use super::launch::{Launch, MOST, elementwise};
use crate::network::Head;
use crate::real::Real;

/// Samples that a group of a kernel over samples takes, 8 threads each.
const SAMPLES: u32 = 32;
/// Side of a tile of a product.
const TILE: u32 = 64;

/// The kernels, by the name of their entry points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kernel {
    Gather,
    Noise,
    Tell,
    Product,
    FillRows,
    SumRows,
    /// One for each activation.
    Activate(usize),
    ActivateBack(usize),
    Softmax,
    SoftmaxBack,
    Normalise,
    NormaliseBack,
    Loss,
    Overlap,
    AddScaled,
    Adam,
    Clamp,
    Advance,
}

/// What a device is handed: kernel, places and counts, numbers, and the groups of threads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Encoded<T> {
    pub(super) kernel: Kernel,
    pub(super) words: Vec<u32>,
    pub(super) numbers: Vec<T>,
    pub(super) groups: (u32, u32),
}

impl<T: Real> Launch<T> {
    /// What a device is handed. `batch` numbers a row.
    pub(super) fn encode(&self) -> Encoded<T> {
        use Launch::*;
        let encoded = |kernel, words: &[u32], numbers: &[T], groups| Encoded {
            kernel,
            words: words.to_vec(),
            numbers: numbers.to_vec(),
            groups,
        };
        let flag = u32::from;
        match *self {
            Gather { source, features, to, batch, ordered } => encoded(
                Kernel::Gather,
                &[source, features, to, batch, flag(ordered)],
                &[],
                (elementwise(features * batch), 1),
            ),
            Noise { key, to, deviations, features, batch, by_step, add, least, spread } => encoded(
                Kernel::Noise,
                &[key[0], key[1], to, deviations, features, batch, flag(by_step), flag(add)],
                &[least, spread],
                // A thread draws four numbers.
                (elementwise(features.div_ceil(4) * batch), 1),
            ),
            Tell { key, to, variances, features, batch, by_step, least, spread } => encoded(
                Kernel::Tell,
                &[key[0], key[1], to, variances, features, batch, flag(by_step)],
                &[least, spread],
                (elementwise(batch), 1),
            ),
            Product { m, n, k, a, b, c, accumulate } => encoded(
                Kernel::Product,
                &[
                    m,
                    n,
                    k,
                    a.at,
                    a.row,
                    a.column,
                    b.at,
                    b.row,
                    b.column,
                    c.at,
                    c.row,
                    flag(accumulate),
                ],
                &[],
                (n.div_ceil(TILE), m.div_ceil(TILE)),
            ),
            FillRows { from, to, rows, columns } => encoded(
                Kernel::FillRows,
                &[from, to, rows, columns],
                &[],
                (elementwise(rows * columns), 1),
            ),
            SumRows { from, to, rows, columns, by_step, scale } => encoded(
                Kernel::SumRows,
                &[from, to, rows, columns, flag(by_step)],
                &[scale],
                (rows.clamp(1, MOST), 1),
            ),
            Activate { activation, z, before, out, theta, span, eta, count, relaxation } => {
                encoded(
                    Kernel::Activate(activation),
                    &[z, before, out, theta, span, eta, count],
                    &[relaxation],
                    (elementwise(count), 1),
                )
            }
            ActivateBack {
                activation,
                z,
                before,
                delta,
                d_z,
                d_before,
                add,
                theta,
                span,
                eta,
                d_theta,
                d_eta,
                segment,
                segments,
                count,
                relaxation,
            } => encoded(
                Kernel::ActivateBack(activation),
                &[
                    z,
                    before,
                    delta,
                    d_z,
                    d_before,
                    flag(add),
                    theta,
                    span,
                    eta,
                    d_theta,
                    d_eta,
                    segment,
                    segments,
                    count,
                ],
                &[relaxation],
                (segments.clamp(1, MOST), 1),
            ),
            HeadForward { head, z, out, inverse, rows, batch } => encoded(
                if head == Head::Softmax { Kernel::Softmax } else { Kernel::Normalise },
                &[z, out, inverse, rows, batch],
                &[],
                (batch.div_ceil(SAMPLES), 1),
            ),
            HeadBack { head, out, delta, d_z, inverse, rows, batch } => encoded(
                if head == Head::Softmax { Kernel::SoftmaxBack } else { Kernel::NormaliseBack },
                &[out, delta, d_z, inverse, rows, batch],
                &[],
                (batch.div_ceil(SAMPLES), 1),
            ),
            Loss { out, target, delta, errors, rows, batch, scale } => encoded(
                Kernel::Loss,
                &[out, target, delta, errors, rows, batch],
                &[scale],
                (batch.div_ceil(SAMPLES), 1),
            ),
            Overlap { taps, to, kernel, positions, batch, add } => encoded(
                Kernel::Overlap,
                &[taps, to, kernel, positions, batch, flag(add)],
                &[],
                (elementwise((positions + kernel - 1) * batch), 1),
            ),
            AddScaled { from, to, count, add, factor } => encoded(
                Kernel::AddScaled,
                &[from, to, count, flag(add)],
                &[factor],
                (elementwise(count), 1),
            ),
            Adam {
                parameters,
                gradient,
                m,
                v,
                count,
                coefficients,
                losses,
                beta1,
                beta2,
                epsilon,
            } => encoded(
                Kernel::Adam,
                &[parameters, gradient, m, v, count, coefficients, losses],
                &[beta1, beta2, epsilon],
                (elementwise(count), 1),
            ),
            Clamp { at, count, least, largest } => {
                encoded(Kernel::Clamp, &[at, count], &[least, largest], (elementwise(count), 1))
            }
            Advance => encoded(Kernel::Advance, &[], &[], (1, 1)),
        }
    }
}
