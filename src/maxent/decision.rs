//! From a rule's choice to the α that are solved for: checks, and what to do where the rule refuses.

use super::alpha::{AlphaChoice, AlphaPick, AlphaRule, Gcv};
use super::ladder::Ladder;
use crate::error::Result;
use crate::real::Real;
use crate::solution::Status;

/// What is solved for, and why.
#[derive(Debug)]
pub(super) struct Decision<T> {
    /// α with weights that add up to one; one α unless the rule averages.
    pub(super) mixture: Vec<(T, T)>,
    /// What the rule that was heard in the end looked at.
    pub(super) curve: Vec<f64>,
    pub(super) interval: Option<[T; 2]>,
    /// Why the rule asked for was not heard, with what is returned instead.
    pub(super) refusal: Option<String>,
}

impl<T: Real> Decision<T> {
    fn plain(alpha: T) -> Self {
        let mixture = vec![(alpha, T::one())];
        Decision { mixture, curve: Vec::new(), interval: None, refusal: None }
    }

    /// Asks `rule`, and where it refuses the default rule.
    pub(super) fn make(rule: &dyn AlphaRule<T>, ladder: &Ladder<T>, n_data: usize) -> Result<Self> {
        let last = ladder.steps[ladder.steps.len() - 1].alpha;
        if ladder.status == Status::Stopped {
            return Ok(Self::plain(last));
        }
        if let Some(alpha) = rule.fixed() {
            return Ok(Self::plain(alpha));
        }
        let view = ladder.view(n_data)?;
        let Some(least) = view.steps().last() else {
            let refusal = Some("no step of the ladder converged".into());
            return Ok(Decision { refusal, ..Self::plain(last) });
        };
        let alphas: Vec<T> = view.steps().iter().map(|s| s.alpha).collect();
        let reason = match Self::take(rule.choose(&view), &alphas) {
            Ok(decision) => return Ok(decision),
            Err(reason) => reason,
        };
        let (decision, instead) = match Self::take(Gcv::default().choose(&view), &alphas) {
            Ok(decision) => {
                let alpha = decision.mixture[0].0;
                (decision, format!("alpha = {alpha:e} of generalised cross-validation"))
            }
            Err(_) => {
                let text = format!("the ladder's smallest alpha = {:e}", least.alpha);
                (Self::plain(least.alpha), text)
            }
        };
        let refusal = Some(format!("{reason}; returned instead: {instead}"));
        Ok(Decision { refusal, ..decision })
    }

    /// The mixture a choice stands for, or what is wrong with it.
    fn take(choice: AlphaChoice<T>, alphas: &[T]) -> core::result::Result<Self, String> {
        let mixture = match choice.pick {
            AlphaPick::Refused(reason) => return Err(reason),
            AlphaPick::At(alpha) => vec![(alpha, T::one())],
            AlphaPick::Average(weights) if weights.len() == alphas.len() => {
                let total: T = weights.iter().copied().sum();
                let shares = weights.iter().map(|&w| w / total);
                alphas.iter().copied().zip(shares).filter(|m| m.1 != T::zero()).collect()
            }
            AlphaPick::Average(weights) => {
                let (found, steps) = (weights.len(), alphas.len());
                return Err(format!("it gave {found} weights for {steps} steps of the ladder"));
            }
        };
        let usable = |x: T| x > T::zero() && x.is_finite();
        if let Some((alpha, weight)) = mixture.iter().find(|m| !(usable(m.0) && usable(m.1))) {
            return Err(format!(
                "it chose alpha = {alpha:e} with weight {weight}, one of which is not positive and finite"
            ));
        }
        if mixture.is_empty() {
            return Err("it gave no step of the ladder any weight".into());
        }
        let AlphaChoice { curve, interval, .. } = choice;
        Ok(Decision { mixture, curve, interval, refusal: None })
    }

    /// The α of the answer: of an average the geometric mean.
    pub(super) fn alpha(&self) -> T {
        match self.mixture[..] {
            [(alpha, _)] => alpha,
            _ => self.mixture.iter().map(|&(alpha, w)| w * alpha.ln()).sum::<T>().exp(),
        }
    }

    /// The largest relative L1 distance of `answer` to a spectrum of the ladder within the interval.
    pub(super) fn spread(&self, ladder: &Ladder<T>, answer: &[T]) -> Option<T> {
        let [low, high] = self.interval?;
        let norm: T = answer.iter().map(|a| a.abs()).sum();
        let steps = ladder.steps.iter().enumerate().take(ladder.converged());
        let distances = steps.filter(|(_, s)| s.alpha >= low && s.alpha <= high).map(|(i, _)| {
            let pairs = ladder.weights(i).iter().zip(answer);
            pairs.map(|(&a, &b)| (a - b).abs()).sum::<T>() / norm
        });
        Some(distances.fold(T::zero(), |max, d| if d > max { d } else { max }))
    }
}
