//! How members bid, work and appraise. A strategy of a configuration makes a [`Behaviour`] for each of its members.

mod bandit;
mod flatterer;
mod free_rider;
mod inflating;
mod model;
mod random;
mod ring;
mod shading;
mod sybil;
mod truthful;

use serde::{Deserialize, Serialize};

pub(super) use self::model::{Advised, Model};
use self::{
    bandit::Bandit, flatterer::Flatterer, free_rider::FreeRider, inflating::Inflating, random::Random, ring::Ring,
    shading::Shading, sybil::Sybil, truthful::Truthful,
};
use super::draw::Stream;

/// How a part of the members behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Strategy {
    /// Asks its cost, trains, and says what it sees.
    Truthful,
    /// Asks a little more than its cost.
    Shading(Shading),
    /// Asks a multiple of its cost.
    Inflating(Inflating),
    /// Its dear members ask as much as they may, so that the cheap ones are paid more.
    Ring(Ring),
    /// Each member joins under several names, with its data divided among them.
    Sybil(Sybil),
    /// Does not train.
    FreeRider(FreeRider),
    /// Praises its own kind as appraiser, and runs everybody else down.
    Flatterer,
    /// Asks any price.
    Random,
    /// Learns how much above its cost to ask.
    Bandit(Bandit),
    /// Asks as much above its cost as a language model orders.
    Model(Model),
}

/// What a bidder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// What delivery costs it, in micro-credits.
    pub(super) cost: u64,
    /// Most that it may ask, in micro-credits.
    pub(super) most: u64,
    /// The cost of the dearest of its own kind that a ring lets bid in earnest, in micro-credits.
    pub(super) ring_most: u64,
}

/// What a hired member does for its pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Labour {
    /// It trains.
    Trains,
    /// It hands in an update without having trained.
    Feigns,
}

/// Whose update an appraiser looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// One of its own kind.
    Fellow,
    /// Somebody else.
    Stranger,
}

/// A member, as it behaves.
pub(super) trait Behaviour {
    /// What it asks, in micro-credits; `None` passes.
    fn ask(&mut self, offer: &Offer, draws: &mut Stream) -> Option<u64>;

    /// What it does when it is hired.
    fn labour(&self) -> Labour {
        Labour::Trains
    }

    /// What it says of an update whose gain it has seen, in millionths of loss.
    fn appraise(&self, _maker: Maker, seen: i64) -> i64 {
        seen
    }

    /// What a bid has earned above cost, in micro-credits; nothing if it lost.
    fn learn(&mut self, _offer: &Offer, _earned: Option<i64>) {}

    /// Itself, if a language model advises it.
    fn advised(&mut self) -> Option<&mut Advised> {
        None
    }
}

impl Strategy {
    /// Its name in reports.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Truthful => "truthful",
            Self::Shading(_) => "shading",
            Self::Inflating(_) => "inflating",
            Self::Ring(_) => "ring",
            Self::Sybil(_) => "sybil",
            Self::FreeRider(_) => "free-rider",
            Self::Flatterer => "flatterer",
            Self::Random => "random",
            Self::Bandit(_) => "bandit",
            Self::Model(_) => "model",
        }
    }

    /// Names that each of its members joins under.
    pub(super) const fn identities(&self) -> u64 {
        match self {
            Self::Sybil(sybil) => sybil.identities,
            _ => 1,
        }
    }

    /// In thousandths, how many of its members bid in earnest.
    pub(super) const fn earnest_permille(&self) -> u64 {
        match self {
            Self::Ring(ring) => 1_000_u64.saturating_sub(ring.withheld_permille),
            _ => 1_000,
        }
    }

    /// Why nobody can behave so, if that is the case.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Sybil(sybil) => sybil.check(),
            Self::Ring(ring) => ring.check(),
            Self::Model(model) => model.check(),
            _ => Ok(()),
        }
    }

    /// A new member's.
    pub(super) fn behaviour(&self) -> Box<dyn Behaviour> {
        match self {
            Self::Truthful | Self::Sybil(_) => Box::new(Truthful),
            Self::Shading(shading) => Box::new(shading.clone()),
            Self::Inflating(inflating) => Box::new(inflating.clone()),
            Self::Ring(ring) => Box::new(ring.clone()),
            Self::FreeRider(rider) => Box::new(rider.clone()),
            Self::Flatterer => Box::new(Flatterer),
            Self::Random => Box::new(Random),
            Self::Bandit(bandit) => Box::new(bandit.learner()),
            Self::Model(_) => Box::new(Advised::default()),
        }
    }
}

/// So many hundredths of `amount`, rounded up.
fn percent(amount: u64, hundredths: u64) -> u64 {
    let whole = u128::from(amount) * u128::from(hundredths);
    u64::try_from(whole.div_ceil(100)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
