//! Steps of an epidemic exchange: one model for each, durable before it is offered, and averages that are averages.

use std::collections::BTreeMap;

use super::{Property, Sight};
use crate::{
    aggregate,
    ids::{BlobRef, Step},
};

/// Largest difference of an average from its own reckoning, which rounds otherwise.
const ROUNDING: f64 = 1e-5;

/// No honest member offers two models for one step, nor any before it has saved that it does.
#[derive(Debug, Default)]
pub(super) struct OneModel {
    offered: BTreeMap<(usize, Step), BlobRef>,
}

impl Property for OneModel {
    fn name(&self) -> &'static str {
        "a step has one model, which is saved before it is offered"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Offered { who, said, store } = sight else { return Ok(()) };
        let first = *self.offered.entry((*who, said.step)).or_insert(said.model);
        if first != said.model {
            return Err(format!("{who} offers two models for step {}", said.step));
        }
        let saved = store.step.as_ref().is_some_and(|saved| {
            let hash = said.model.hash;
            saved.windows(hash.as_bytes().len()).any(|window| window == hash.as_bytes())
        });
        if saved { Ok(()) } else { Err(format!("{who} offers the model of step {} and has not saved it", said.step)) }
    }
}

/// What a member goes on with is the plain mean of its own model and those that it did not refuse, and it refuses none
/// but those that are longer, infinite or far away.
#[derive(Debug)]
pub(super) struct TrueAverage {
    max_norm: f64,
}

impl TrueAverage {
    pub(super) fn new(max_norm: u32) -> Self {
        Self { max_norm: max_norm.into() }
    }

    fn is_sound(&self, own: &[f64], other: &[f64]) -> bool {
        let squares: f64 = own.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum();
        own.len() == other.len() && other.iter().all(|w| w.is_finite()) && squares.sqrt() <= self.max_norm
    }
}

fn numbers(bytes: &[u8]) -> Vec<f64> {
    aggregate::parameters(bytes).map(f64::from).collect()
}

impl Property for TrueAverage {
    fn name(&self) -> &'static str {
        "a member goes on with the mean of all sound models"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Mixed { own, received, mixture } = sight else { return Ok(()) };
        let own = numbers(own);
        if own.iter().any(|w| !w.is_finite()) {
            // A liar's own.
            return Ok(());
        }
        let others = received.iter().map(|(member, bytes)| (member, numbers(bytes)));
        let (mut sum, mut count) = (own.clone(), 1.0);
        for (member, other) in others {
            let refused = mixture.refused.contains_key(member);
            if refused == self.is_sound(&own, &other) {
                return Err(format!("{} is refused: {refused}", member.short()));
            }
            if !refused {
                sum.iter_mut().zip(&other).for_each(|(sum, w)| *sum += w);
                count += 1.0;
            }
        }
        let differs = |(sum, got): (&f64, f64)| (sum / count - got).abs() > ROUNDING;
        let wrong = sum.iter().zip(numbers(&mixture.model)).any(differs);
        if wrong { Err("an average is none".into()) } else { Ok(()) }
    }
}
