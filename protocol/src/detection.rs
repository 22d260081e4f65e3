//! Detection: what the bytes of a round's updates say about who has not worked for them.
//!
//! Every member looks at the same bytes with the same sequence of IEEE operations, as it does for the aggregate, so all
//! find the same. What is found out is refused: it enters no model and earns nothing. Whether an update is *good* cannot
//! be told from its bytes; that is what appraisals are for. Four pretences can:
//!
//! * nothing was changed ([`Pretence::Idle`]);
//! * the step is the one that the federation made last: the delta weights of Lin, Du and Liu, "Free-riders in Federated
//!   Learning: Attacks and Defenses" (2019) ([`Pretence::Repeated`]);
//! * the step is noise: what training changes is heavy-tailed, a few parameters by much and most by little, and what a
//!   bell curve or a die has drawn is not ([`Pretence::Noise`]). The noisy free riders of Fraboni, Vidal and Lorenzi,
//!   "Free-rider Attacks on Model Aggregation in Federated Learning" (2021), are such;
//! * the step is another's ([`Pretence::Copied`]). Bytes only say who are [twins](Signs); who came first, members say
//!   that have received them (the arrivals in an [`crate::statement::Appraisal`]).
//!
//! Angles are judged against the round's own: two honest steps lie far apart on uneven data and close together on equal
//! data, and a copy is much closer than either. Measured margins stand in `docs/market.md`.

mod portrait;
mod twins;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    genesis::Noise,
    ids::{Hash, MemberId},
    market,
    model::Slice,
    update,
};

use portrait::Portrait;

/// Parameters that a step must have changed before its direction or shape says anything.
const LEAST_CHANGED: u64 = 64;

/// Parameters that a step must have changed before its shape is judged: the kurtosis of fewer is too uncertain.
const LEAST_FOR_SHAPE: u64 = 1_024;

/// Kurtosis up to which a step is noise. A bell curve has 3, a die less; honest steps were not seen below 9.
const NOISE_KURTOSIS: f64 = 4.0;

/// A step is another's if it is nearer to it, by one less the cosine, than this part of what lies between two members
/// in the middle ...
const NEAR_PART: f64 = 0.125;

/// ... and in any case than this, which is a cosine of 0.9.
const NEAR_MOST: f64 = 0.1;

/// How near that is in a round with too few pairs of members for a middle: only what is the same but for rounding.
const NEAR_ALONE: f64 = 1e-4;

/// Pairs of members that make a middle.
const LEAST_PAIRS: usize = 3;

/// Why an update is refused although it is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pretence {
    /// It changes nothing.
    Idle,
    /// It repeats the step that the federation made last.
    Repeated,
    /// It is noise.
    Noise,
    /// It is what this member has handed in.
    Copied(MemberId),
}

impl std::fmt::Display for Pretence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Idle => f.write_str("it changes nothing"),
            Self::Repeated => f.write_str("it repeats the federation's last step"),
            Self::Noise => f.write_str("it is noise"),
            Self::Copied(of) => write!(f, "it is a copy of {}'s", of.short()),
        }
    }
}

/// An update to look at.
#[derive(Debug, Clone, Copy)]
pub struct Handed<'a> {
    /// Who has handed it in.
    pub maker: MemberId,
    /// What it holds of the model.
    pub slice: &'a Slice,
    /// Its parameters, little-endian.
    pub bytes: &'a [u8],
}

/// What the bytes of a round's updates say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    /// Pretences that each update shows by itself.
    alone: BTreeMap<MemberId, Pretence>,
    /// Pairs of the others whose steps are one, the lower id first.
    twins: BTreeSet<(MemberId, MemberId)>,
}

/// Looks at the updates of a round, in the order of their makers' ids.
///
/// `base` is the round's first model and `previous` the one that it was made from, the same if there was none; both and
/// all updates are sound and fit the task. What is `noise` is refused only where that word says so.
pub fn inspect(noise: Noise, base: &[u8], previous: &[u8], updates: &[Handed<'_>]) -> Signs {
    let portraits: Vec<Portrait> = updates
        .iter()
        .map(|handed| {
            let part = |model| update::gather(handed.slice, model);
            Portrait::of(&part(base), &part(previous), handed.bytes)
        })
        .collect();
    let gaps = twins::gaps(base, updates);
    let near = near(&gaps);
    let mut signs = Signs::default();
    for (handed, portrait) in updates.iter().zip(&portraits) {
        if let Some(pretence) = portrait.pretence(near, noise) {
            signs.alone.insert(handed.maker, pretence);
        }
    }
    for (own, line) in gaps.iter().enumerate() {
        for (other, gap) in line.iter().enumerate().take(own) {
            let pair = updates.get(other).zip(updates.get(own)).map(|(other, own)| (other.maker, own.maker));
            if let Some(pair) = pair.filter(|(a, b)| !signs.alone.contains_key(a) && !signs.alone.contains_key(b))
                && gap.is_some_and(|gap| gap <= near)
            {
                signs.twins.insert(pair);
            }
        }
    }
    signs
}

/// How near two steps must be to be one.
fn near(gaps: &[Vec<Option<f64>>]) -> f64 {
    let pairs = gaps.iter().enumerate().flat_map(|(own, line)| line.iter().take(own));
    let mut pairs: Vec<f64> = pairs.filter_map(|gap| *gap).collect();
    pairs.sort_by(f64::total_cmp);
    match pairs.get(pairs.len().saturating_sub(1) / 2) {
        Some(middle) if pairs.len() >= LEAST_PAIRS => (middle * NEAR_PART).clamp(NEAR_ALONE, NEAR_MOST),
        _ => NEAR_ALONE,
    }
}

impl Portrait {
    fn pretence(&self, near: f64, noise: Noise) -> Option<Pretence> {
        if self.changed() == 0 {
            return Some(Pretence::Idle);
        }
        let repeats = self.gap_to_last().is_some_and(|gap| gap <= near);
        if self.changed() >= LEAST_CHANGED && repeats {
            return Some(Pretence::Repeated);
        }
        let shapeless = self.changed() >= LEAST_FOR_SHAPE && self.kurtosis() <= NOISE_KURTOSIS;
        (noise == Noise::Refused && shapeless).then_some(Pretence::Noise)
    }
}

impl Signs {
    /// Who is refused and why, once it is known in which orders members have received the updates.
    ///
    /// Of those whose steps are one, it is the step of whoever came before the others most often, with everybody else
    /// who has listed arrivals; ties are broken by `seed`. The others have copied it.
    pub fn pretences(&self, arrivals: &BTreeMap<MemberId, Vec<MemberId>>, seed: &Hash) -> BTreeMap<MemberId, Pretence> {
        let mut pretences = self.alone.clone();
        for family in self.families() {
            let witnesses =
                || arrivals.iter().filter(|(witness, _)| !family.contains(*witness)).map(|(_, order)| order);
            let lead = |member: &MemberId| -> usize { witnesses().map(|order| ahead(member, &family, order)).sum() };
            let rank = |member: &&MemberId| (lead(member), std::cmp::Reverse(market::lot(member, seed)));
            let Some(&first) = family.iter().max_by_key(rank) else { continue };
            let copies = family.iter().filter(|member| **member != first);
            pretences.extend(copies.map(|member| (*member, Pretence::Copied(first))));
        }
        pretences
    }

    /// Twins, with their twins, and so on.
    fn families(&self) -> Vec<BTreeSet<MemberId>> {
        let mut families: Vec<BTreeSet<MemberId>> = Vec::new();
        for (a, b) in &self.twins {
            let (related, mut rest): (Vec<_>, Vec<_>) =
                families.into_iter().partition(|family| family.contains(a) || family.contains(b));
            rest.push(related.into_iter().flatten().chain([*a, *b]).collect());
            families = rest;
        }
        families
    }
}

/// How many of `family` a witness has received after `member`, or not at all.
fn ahead(member: &MemberId, family: &BTreeSet<MemberId>, order: &[MemberId]) -> usize {
    let Some(place) = order.iter().position(|maker| maker == member) else { return 0 };
    let before = order.iter().take(place).filter(|maker| family.contains(*maker)).count();
    family.len() - 1 - before
}

#[cfg(test)]
mod tests;
