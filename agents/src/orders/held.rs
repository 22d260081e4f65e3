//! The orders that stand.

use std::collections::BTreeMap;

use althing_protocol::{event::DecidedBy, ids::Round};

use super::choice::{Choice, Topic};
use crate::{
    bidder::Margin,
    counter::Counter,
    guardian::Stint,
    privacy::Pace,
    selector::{Focus, Share},
};

/// Rounds for which an order stands.
pub const LASTS_ROUNDS: u64 = 32;

/// Why there may be no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Otherwise {
    /// Nobody was to give one: there is no model, or it was given a rest.
    #[default]
    Rules,
    /// A model was asked and failed.
    Fallback,
}

/// The newest order of each topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders {
    standing: BTreeMap<Topic, (Choice, Round)>,
    otherwise: BTreeMap<Topic, Otherwise>,
}

impl Orders {
    /// Lets `choice` stand from `round` on, in place of what stood.
    pub fn give(&mut self, choice: Choice, round: Round) {
        self.standing.insert(choice.topic(), (choice, round));
        self.otherwise.remove(&choice.topic());
    }

    /// No new order came; an older one goes on standing until its time is over.
    pub fn fail(&mut self, topic: Topic) {
        self.otherwise.insert(topic, Otherwise::Fallback);
    }

    /// Takes back what stands about `topic`: the rules decide.
    pub fn take_back(&mut self, topic: Topic) {
        self.standing.remove(&topic);
        self.otherwise.remove(&topic);
    }

    /// Drops the orders that are too old for `round`.
    pub fn age(&mut self, round: Round) {
        self.standing.retain(|_, (_, since)| round.0.saturating_sub(since.0) <= LASTS_ROUNDS);
    }

    /// Who decides where no order about `topics` can be followed.
    pub(super) fn without(&self, topics: &[Topic]) -> DecidedBy {
        let failed = |topic: &Topic| self.standing.contains_key(topic) || self.otherwise.contains_key(topic);
        if topics.iter().any(failed) { DecidedBy::Fallback } else { DecidedBy::Rules }
    }

    /// What stands about `topic`.
    pub fn about(&self, topic: Topic) -> Option<Choice> {
        self.standing.get(&topic).map(|(choice, _)| *choice)
    }

    /// The round in which a model was asked for what stands about `topic`.
    pub fn asked_in(&self, topic: Topic) -> Option<Round> {
        self.standing.get(&topic).map(|(_, round)| *round)
    }

    pub(super) fn contract(&self) -> Option<u8> {
        let Some(Choice::Contract { place, .. }) = self.about(Topic::Contract) else { return None };
        Some(place)
    }

    pub(super) fn margin(&self) -> Option<Margin> {
        let Some(Choice::Margin(margin)) = self.about(Topic::Margin) else { return None };
        Some(margin)
    }

    pub(super) fn hire(&self) -> Option<Share> {
        let Some(Choice::Hire(share)) = self.about(Topic::Hire) else { return None };
        Some(share)
    }

    pub(super) fn focus(&self) -> Option<Focus> {
        let Some(Choice::Focus(focus)) = self.about(Topic::Focus) else { return None };
        Some(focus)
    }

    pub(super) fn counter(&self) -> Option<Counter> {
        let Some(Choice::Counter(counter)) = self.about(Topic::Counter) else { return None };
        Some(counter)
    }

    pub(super) fn pace(&self) -> Option<Pace> {
        let Some(Choice::Pace(pace)) = self.about(Topic::Pace) else { return None };
        Some(pace)
    }

    pub(super) fn stint(&self) -> Option<Stint> {
        self.about(Topic::Stint).and_then(Choice::stint)
    }
}
