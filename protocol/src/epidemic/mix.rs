//! What a member makes of the models that it has received: some are refused, the rest enter its own.

use std::collections::BTreeMap;

use super::Step;
use crate::{
    aggregate::{self, UpdateFault, Weighted},
    genesis::{Aggregation, Genesis},
    ids::MemberId,
};

/// Why a model of another member did not enter the own one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It could enter no average at all: its maker knew that.
    #[error(transparent)]
    Unsound(#[from] UpdateFault),
    /// It lies farther from the own model than the acceptance rule allows. Its maker may have learned from other data.
    #[error("it lies {distance:.2} from the own model; {allowed:.2} is accepted in this step")]
    Distant {
        /// Euclidean distance.
        distance: f64,
        /// Largest that is accepted.
        allowed: f64,
    },
}

/// What became of a step's models.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    /// The member's next model.
    pub model: Vec<u8>,
    /// Models that are not in it, and why.
    pub refused: BTreeMap<MemberId, Refusal>,
}

/// Averages `own`, the model of member `me` in `step`, with those of `received` that are sound and accepted.
///
/// The average is made by the genesis's aggregation rule with the own model as its base; every model counts once,
/// because nobody could check how many examples a peer claims. Models of another length than the own one, with
/// parameters that are not finite, or farther away than `genesis.limits.max_update_norm` are unsound.
pub fn mix(genesis: &Genesis, step: Step, (me, own): (MemberId, &[u8]), received: &[(MemberId, &[u8])]) -> Mixture {
    let norm = aggregate::parameters(own).map(|w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt();
    let radius = genesis.exchange.acceptance.radius(norm, step.0);
    let mut entering = BTreeMap::from([(me, own)]);
    let mut refused = BTreeMap::new();
    for (member, bytes) in received {
        match judge(own, bytes, genesis.limits.max_update_norm, radius) {
            Ok(()) => drop(entering.insert(*member, bytes)),
            Err(refusal) => drop(refused.insert(*member, refusal)),
        }
    }
    let weighted: Vec<Weighted<'_>> = entering.values().map(|bytes| Weighted { samples: 1, bytes }).collect();
    let Aggregation { rule, mixing } = genesis.aggregation;
    // All are as long as the own one, which is among them, so there is an average.
    let model = aggregate::aggregate(rule, mixing, own, &weighted).unwrap_or_else(|| own.to_vec());
    Mixture { model, refused }
}

fn judge(own: &[u8], other: &[u8], max_norm: u32, radius: Option<f64>) -> Result<(), Refusal> {
    aggregate::check(own, other, max_norm)?;
    let Some(allowed) = radius else { return Ok(()) };
    let distance = distance(own, other);
    if distance <= allowed { Ok(()) } else { Err(Refusal::Distant { distance, allowed }) }
}

/// Euclidean distance of two models.
fn distance(a: &[u8], b: &[u8]) -> f64 {
    let differences = aggregate::parameters(a).zip(aggregate::parameters(b)).map(|(a, b)| f64::from(a) - f64::from(b));
    differences.map(|difference| difference * difference).sum::<f64>().sqrt()
}

/// `progress` as a start for training in a round whose first model is `base`: no farther from it than half of
/// `max_norm`, so that what is learned on top still fits the norm bound. A longer way is shortened, not refused.
///
/// `None` if it is no model of this federation, or not finite.
pub fn bring_back(base: &[u8], progress: &[u8], max_norm: u32) -> Option<Vec<u8>> {
    aggregate::check(base, progress, u32::MAX).ok()?;
    let (way, most) = (distance(base, progress), f64::from(max_norm) / 2.0);
    if way <= most {
        return Some(progress.to_vec());
    }
    let share = most / way;
    let between = |(from, to): (f32, f32)| (f64::from(from) + (f64::from(to) - f64::from(from)) * share) as f32;
    let shortened: Vec<f32> = aggregate::parameters(base).zip(aggregate::parameters(progress)).map(between).collect();
    Some(aggregate::encode(&shortened))
}
