//! The answer at the α that was decided on, with its certificate.

use super::engine::{Engine, Outcome};
use super::ladder::Ladder;
use super::objective::Objective;
use super::preblur::{Preblur, shown};
use crate::error::Result;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::Certificate;

/// The optimum at one α, or an average of several optima.
#[derive(Debug)]
pub(super) struct Answer<T> {
    /// Of the iteration: those of the hidden image where there is a preblur.
    pub(super) weights: Vec<T>,
    /// Of an average the weighted sums of its members' figures.
    pub(super) outcome: Outcome<T>,
    pub(super) certificate: Certificate<T>,
}

/// What is solved, and how far.
#[derive(Debug)]
pub(super) struct Solving<'a, T: Real> {
    pub(super) problem: &'a Problem<T>,
    pub(super) objective: &'a Objective<T>,
    pub(super) preblur: Option<&'a Preblur<T>>,
    pub(super) tolerance: T,
    pub(super) max_iterations: usize,
}

impl<T: Real> Solving<'_, T> {
    /// Σ weight·(optimum at α) over the (α, weight) of `mixture`, whose weights add up to one.
    ///
    /// The L1 distance of a weighted sum is at most the weighted sum of the distances.
    pub(super) fn mixture(
        &self,
        engine: &mut dyn Engine<T>,
        ladder: &Ladder<T>,
        mixture: &[(T, T)],
    ) -> Result<Answer<T>> {
        let ((alpha, share), rest) = (mixture[0], &mixture[1..]);
        let mut answer = self.at(engine, ladder, alpha)?;
        if rest.is_empty() {
            return Ok(answer);
        }
        answer.scale(share);
        for &(alpha, share) in rest {
            let mut member = self.at(engine, ladder, alpha)?;
            member.scale(share);
            answer.add(member);
        }
        answer.outcome.entropy = self.objective.parts(T::one(), &answer.weights).0;
        answer.outcome.chi2 = self.chi2(&answer.weights)?;
        Ok(answer)
    }

    /// χ² of the spectrum shown.
    fn chi2(&self, h: &[T]) -> Result<T> {
        self.problem.chi2(&shown(self.preblur, h))
    }

    /// The optimum at `alpha`, from the ladder's nearest step.
    fn at(&self, engine: &mut dyn Engine<T>, ladder: &Ladder<T>, alpha: T) -> Result<Answer<T>> {
        ladder.rewind(engine, alpha);
        let before = engine.weights().to_vec();
        let mut outcome = engine.solve(alpha, self.tolerance, self.max_iterations);
        if !outcome.status.is_success() {
            // The best iterate: the start, where the attempt has only led away from the optimum.
            let half = T::lit(0.5);
            let value = |h: &[T]| Ok(half * self.chi2(h)? + self.objective.parts(alpha, h).1);
            let (start, end): (T, T) = (value(&before)?, value(engine.weights())?);
            if end.partial_cmp(&start).is_none_or(|order| order.is_gt()) {
                ladder.rewind(engine, alpha);
                let status = outcome.status;
                outcome = Outcome { status, ..engine.solve(alpha, self.tolerance, 0) };
            }
        }
        let certificate = self.certificate(alpha, &outcome);
        Ok(Answer { weights: engine.weights().to_vec(), outcome, certificate })
    }

    /// How far from the optimum an answer can be; in L1 the spectrum shown.
    fn certificate(&self, alpha: T, outcome: &Outcome<T>) -> Certificate<T> {
        if !self.objective.has_gap() {
            return Certificate::Stationarity { residual: outcome.stationarity };
        }
        let divergence = outcome.gap / alpha;
        let gain = self.preblur.map_or(T::one(), Preblur::gain);
        let bound = self.objective.scaled.distance_bound(outcome.scale, divergence);
        Certificate::Gap {
            gap: outcome.gap,
            relative: divergence / outcome.scale,
            l1_bound: bound.map(|b| gain * b).filter(|b| b.is_finite()),
        }
    }
}

impl<T: Real> Answer<T> {
    fn scale(&mut self, share: T) {
        for w in &mut self.weights {
            *w *= share;
        }
        let o = &mut self.outcome;
        for x in [&mut o.norm, &mut o.scale, &mut o.gap, &mut o.stationarity, &mut o.n_good] {
            *x *= share;
        }
        match &mut self.certificate {
            Certificate::Gap { gap, relative, l1_bound } => {
                *gap *= share;
                *relative *= share;
                *l1_bound = l1_bound.map(|b| share * b);
            }
            Certificate::Stationarity { residual } => *residual *= share,
            Certificate::None => {}
        }
    }

    fn add(&mut self, other: Self) {
        for (w, v) in self.weights.iter_mut().zip(other.weights) {
            *w += v;
        }
        let (o, p) = (&mut self.outcome, other.outcome);
        o.norm += p.norm;
        o.scale += p.scale;
        o.gap += p.gap;
        o.stationarity += p.stationarity;
        o.n_good += p.n_good;
        o.iterations += p.iterations;
        if o.status.is_success() {
            o.status = p.status;
        }
        match (&mut self.certificate, other.certificate) {
            (
                Certificate::Gap { gap, relative, l1_bound },
                Certificate::Gap { gap: g, relative: r, l1_bound: b },
            ) => {
                *gap += g;
                *relative += r;
                *l1_bound = l1_bound.zip(b).map(|(a, b)| a + b);
            }
            (Certificate::Stationarity { residual }, Certificate::Stationarity { residual: r }) => {
                *residual += r;
            }
            _ => self.certificate = Certificate::None,
        }
    }
}
