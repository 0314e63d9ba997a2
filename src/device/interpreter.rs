//! The launches done one after the other in plain loops: the oracle of kernels and lowering, in both precisions.

use super::activation::Formulas;
use super::engine::{DevicePredictor, DeviceStepper, Machine, Open, Sizes};
use super::launch::{Launch, Matrix, NONE};
use super::plan::DeviceNetwork;
use super::{Backend, battery};
use crate::error::Result;
use crate::network::Head;
use crate::prox::Prox;
use crate::real::Real;
use crate::synthetic::{TrainingSource, normals, uniform};
use crate::train::TrainOptions;

/// A device made of loops, for networks whose activations are all this one.
pub(super) struct Interpreter<P>(pub(super) P);

pub(super) struct Loops<T, P> {
    arena: Vec<T>,
    data: Vec<T>,
    order: Vec<u32>,
    /// The number of the step in the order, and that of the first.
    step: usize,
    first: usize,
    prox: P,
}

impl<T: Real, P: Prox<T> + Clone> Open<T> for Interpreter<P> {
    type Machine = Loops<T, P>;

    fn open(&self, sizes: &Sizes, _: &[Formulas]) -> Result<Loops<T, P>> {
        sizes.check::<T>("interpreter", 1 << 24, usize::MAX)?;
        Ok(Loops {
            arena: vec![T::zero(); sizes.arena.total(sizes.batch)],
            data: vec![T::zero(); sizes.data.total(sizes.batch)],
            order: vec![0; sizes.order],
            step: 0,
            first: 0,
            prox: self.0.clone(),
        })
    }
}

impl<T: Real, N: DeviceNetwork<T>, P: Prox<T> + Clone> Backend<T, N> for Interpreter<P> {
    type Stepper<'s> = DeviceStepper<'s, T, N, Loops<T, P>>;
    type Predictor<'n>
        = DevicePredictor<T, Loops<T, P>>
    where
        N: 'n;

    fn name(&self) -> String {
        "interpreter".into()
    }

    fn stepper<'s>(
        &self,
        network: N,
        source: &'s dyn TrainingSource<T>,
        options: &TrainOptions,
    ) -> Result<Self::Stepper<'s>> {
        DeviceStepper::new(self, network, source, options)
    }

    fn predictor<'n>(&self, network: &'n N, batch: usize) -> Result<Self::Predictor<'n>>
    where
        N: 'n,
    {
        DevicePredictor::new(self, network, batch)
    }
}

impl<T: Real, P: Prox<T>> Machine<T> for Loops<T, P> {
    type Program = Vec<Launch<T>>;

    fn write(&mut self, at: usize, values: &[T]) -> Result<()> {
        self.arena[at..at + values.len()].copy_from_slice(values);
        Ok(())
    }

    fn read(&mut self, at: usize, values: &mut [T]) -> Result<()> {
        values.copy_from_slice(&self.arena[at..at + values.len()]);
        Ok(())
    }

    fn write_data(&mut self, at: usize, values: &[T]) -> Result<()> {
        self.data[at..at + values.len()].copy_from_slice(values);
        Ok(())
    }

    fn write_order(&mut self, order: &[u32], step: usize) -> Result<()> {
        self.order[..order.len()].copy_from_slice(order);
        (self.step, self.first) = (0, step);
        Ok(())
    }

    fn prepare(&mut self, launches: &[Launch<T>]) -> Result<Self::Program> {
        Ok(launches.to_vec())
    }

    fn run(&mut self, program: &Self::Program, times: usize) -> Result<()> {
        for _ in 0..times {
            program.iter().for_each(|launch| self.launch(launch));
        }
        Ok(())
    }
}

impl<T: Real, P: Prox<T>> Loops<T, P> {
    fn at(&self, m: Matrix, i: u32, j: u32) -> T {
        self.arena[(m.at + i * m.row + j * m.column) as usize]
    }

    /// The number at `place`, or `other` where there is none.
    fn or(&self, place: u32, other: T) -> T {
        if place == NONE { other } else { self.arena[place as usize] }
    }

    /// Step and number of the b-th sample of the batch, as its noise is drawn.
    fn drawn(&self, b: u32, batch: u32, by_step: bool) -> (usize, usize) {
        let sample = self.order[self.step * batch as usize + b as usize];
        (self.first + if by_step { self.step } else { 0 }, sample as usize)
    }

    fn launch(&mut self, launch: &Launch<T>) {
        match *launch {
            Launch::Gather { source, features, to, batch, ordered } => {
                for b in 0..batch {
                    let place = self.step as u32 * batch + b;
                    let sample = if ordered { self.order[place as usize] } else { b };
                    for f in 0..features {
                        self.arena[(to + f * batch + b) as usize] =
                            self.data[(source + sample * features + f) as usize];
                    }
                }
            }
            Launch::Noise { key, to, deviations, features, batch, by_step, add, least, spread } => {
                let mut draws = vec![0.0; features as usize];
                for b in 0..batch {
                    let (step, sample) = self.drawn(b, batch, by_step);
                    normals(key, step, sample, &mut draws);
                    let sigma = least * (spread * T::lit(uniform(key, step, sample))).exp();
                    for (f, &draw) in (0..).zip(&draws) {
                        let deviation = match deviations {
                            NONE => T::one(),
                            place => self.arena[(place + f) as usize],
                        };
                        let to = &mut self.arena[(to + f * batch + b) as usize];
                        *to = sigma * deviation * T::lit(draw) + if add { *to } else { T::zero() };
                    }
                }
            }
            Launch::Tell { key, to, variances, features, batch, by_step, least, spread } => {
                for b in 0..batch {
                    let (step, sample) = self.drawn(b, batch, by_step);
                    let sigma = least * (spread * T::lit(uniform(key, step, sample))).exp();
                    let mut total = T::zero();
                    for f in 0..features {
                        let variance = sigma * sigma * self.arena[(variances + f) as usize];
                        let weight = T::one() / (T::one() + variance);
                        self.arena[(to + f * batch + b) as usize] *= weight;
                        total += weight;
                    }
                    self.arena[(to + features * batch + b) as usize] =
                        total / T::lit(f64::from(features));
                }
            }
            Launch::Product { m, n, k, a, b, c, accumulate } => {
                for i in 0..m {
                    for j in 0..n {
                        let sum: T = (0..k).map(|q| self.at(a, i, q) * self.at(b, q, j)).sum();
                        let to = &mut self.arena[(c.at + i * c.row + j) as usize];
                        *to = if accumulate { *to + sum } else { sum };
                    }
                }
            }
            Launch::FillRows { from, to, rows, columns } => {
                for r in 0..rows {
                    let value = self.arena[(from + r) as usize];
                    self.arena[(to + r * columns) as usize..][..columns as usize].fill(value);
                }
            }
            Launch::SumRows { from, to, rows, columns, by_step, scale } => {
                for r in 0..rows {
                    let row = &self.arena[(from + r * columns) as usize..][..columns as usize];
                    let sum: T = row.iter().copied().sum();
                    let moved = if by_step { self.step } else { 0 };
                    self.arena[(to + r) as usize + moved] = scale * sum;
                }
            }
            Launch::Activate { z, before, out, theta, span, eta, count, relaxation, .. } => {
                let eta = self.or(eta, relaxation);
                for i in 0..count {
                    let theta = if theta == NONE { NONE } else { theta + i / span };
                    let theta = self.or(theta, T::zero());
                    let mut x = [T::zero()];
                    self.prox.prox_into(&[self.arena[(z + i) as usize]], theta, &mut x);
                    let kept = match before {
                        NONE => T::zero(),
                        before => (T::one() - eta) * self.arena[(before + i) as usize],
                    };
                    self.arena[(out + i) as usize] = kept + eta * x[0];
                }
            }
            Launch::ActivateBack {
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
                ..
            } => {
                let eta = self.or(eta, relaxation);
                for sums in [d_theta, d_eta].into_iter().filter(|&place| place != NONE) {
                    self.arena[sums as usize..][..segments as usize].fill(T::zero());
                }
                for i in 0..count {
                    let theta = if theta == NONE { NONE } else { theta + i / span };
                    let theta = self.or(theta, T::zero());
                    let (d, mut by_z) = (self.arena[(delta + i) as usize], [T::zero()]);
                    let z = [self.arena[(z + i) as usize]];
                    if d_eta != NONE {
                        let mut x = [T::zero()];
                        self.prox.prox_into(&z, theta, &mut x);
                        let before = if before == NONE { NONE } else { before + i };
                        let change = x[0] - self.or(before, T::zero());
                        self.arena[(d_eta + i / segment) as usize] += d * change;
                    }
                    let by_theta = self.prox.prox_vjp(&z, theta, &[eta * d], &mut by_z);
                    self.arena[(d_z + i) as usize] = by_z[0];
                    if d_before != NONE {
                        let to = &mut self.arena[(d_before + i) as usize];
                        *to = (T::one() - eta) * d + if add { *to } else { T::zero() };
                    }
                    if d_theta != NONE {
                        self.arena[(d_theta + i / segment) as usize] += by_theta;
                    }
                }
            }
            Launch::HeadForward { head, z, out, inverse, rows, batch } => {
                for b in 0..batch {
                    let at = |panel: u32, i: u32| (panel + i * batch + b) as usize;
                    let top =
                        (0..rows).map(|i| self.arena[at(z, i)].as_f64()).fold(f64::MIN, f64::max);
                    for i in 0..rows {
                        let z = self.arena[at(z, i)];
                        let floor = T::lit(1e-9);
                        self.arena[at(out, i)] = match head {
                            Head::Softmax => (z - T::lit(top)).exp(),
                            _ => {
                                if z <= T::zero() {
                                    floor
                                } else {
                                    z + floor
                                }
                            }
                        };
                    }
                    let sum: T = (0..rows).map(|i| self.arena[at(out, i)]).sum();
                    self.arena[(inverse + b) as usize] = T::one() / sum;
                    for i in 0..rows {
                        self.arena[at(out, i)] *= T::one() / sum;
                    }
                }
            }
            Launch::HeadBack { head, out, delta, d_z, inverse, rows, batch } => {
                for b in 0..batch {
                    let at = |panel: u32, i: u32| (panel + i * batch + b) as usize;
                    let inverse = self.arena[(inverse + b) as usize];
                    let mean: T =
                        (0..rows).map(|i| self.arena[at(out, i)] * self.arena[at(delta, i)]).sum();
                    for i in 0..rows {
                        let (a, d) = (self.arena[at(out, i)], self.arena[at(delta, i)] - mean);
                        self.arena[at(d_z, i)] = match head {
                            Head::Softmax => a * d,
                            _ if a <= T::lit(1e-9) * inverse => T::zero(),
                            _ => d * inverse,
                        };
                    }
                }
            }
            Launch::Loss { out, target, delta, errors, rows, batch, scale } => {
                for b in 0..batch {
                    let at = |panel: u32, i: u32| (panel + i * batch + b) as usize;
                    let d = |i| self.arena[at(out, i)] - self.arena[at(target, i)];
                    let error = (0..rows).map(|i| d(i) * d(i)).sum::<T>().sqrt();
                    let factor = if error == T::zero() { error } else { scale / error };
                    for i in 0..rows {
                        let d = self.arena[at(out, i)] - self.arena[at(target, i)];
                        self.arena[at(delta, i)] = factor * d;
                    }
                    self.arena[(errors + b) as usize] = error;
                }
            }
            Launch::Overlap { taps, to, kernel, positions, batch, add } => {
                for r in 0..positions + kernel - 1 {
                    for b in 0..batch {
                        let used = (0..kernel).filter(|&k| r >= k && r - k < positions);
                        let sum: T = used
                            .map(|k| {
                                self.arena[(taps + (k * positions + r - k) * batch + b) as usize]
                            })
                            .sum();
                        let to = &mut self.arena[(to + r * batch + b) as usize];
                        *to = sum + if add { *to } else { T::zero() };
                    }
                }
            }
            Launch::AddScaled { from, to, count, add, factor } => {
                for i in 0..count {
                    let value = factor * self.arena[(from + i) as usize];
                    let to = &mut self.arena[(to + i) as usize];
                    *to = value + if add { *to } else { T::zero() };
                }
            }
            Launch::Adam {
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
            } => {
                if !self.arena[losses as usize + self.step].is_finite() {
                    return;
                }
                let c = coefficients as usize + 2 * self.step;
                let (rate, correction) = (self.arena[c], self.arena[c + 1]);
                for i in 0..count {
                    let g = self.arena[(gradient + i) as usize];
                    let [m, v, p] = [m, v, parameters].map(|at| (at + i) as usize);
                    self.arena[m] = beta1 * self.arena[m] + (T::one() - beta1) * g;
                    self.arena[v] = beta2 * self.arena[v] + (T::one() - beta2) * g * g;
                    let root = (self.arena[v] * correction).sqrt() + epsilon;
                    let change = rate * self.arena[m] / root;
                    self.arena[p] -= change;
                }
            }
            Launch::Clamp { at, count, least, largest } => {
                for p in &mut self.arena[at as usize..(at + count) as usize] {
                    if *p < least {
                        *p = least;
                    } else if *p > largest {
                        *p = largest;
                    }
                }
            }
            Launch::Advance => self.step += 1,
        }
    }
}

#[test]
fn lowered_networks_are_the_networks() {
    battery::interpreter::<f64>(1e-12);
    battery::interpreter::<f32>(1e-4);
}
