//! What to ask about next.

use std::collections::BTreeMap;

use althing_protocol::ids::Round;

use super::{
    choice::Topic,
    memory::Memory,
    situation::{Situation, Spending},
};

/// An order about a topic is renewed after so many rounds, even if nothing has happened.
const RENEWED_AFTER: u64 = 4;

/// From so many lost bids in a row on, a bidder wants new orders.
const BIDS_LOST: u32 = 3;

/// From this load on, in hundredths of the cores, a guardian wants new orders.
const LOADED_PERCENT: u32 = 150;

/// What has been asked about, and when.
#[derive(Debug, Clone, Default)]
pub struct Agenda {
    asked: BTreeMap<Topic, Round>,
    last: Option<Topic>,
}

impl Agenda {
    /// The topic to ask about now, if there is any: first what was never asked about, then what has become urgent and was
    /// not the last question, then what has not been asked about for longest. A role that is benched is left out, and no
    /// topic is asked about twice in a round.
    pub fn next(&self, situation: &Situation, memory: &Memory) -> Option<Topic> {
        let round = situation.round;
        let open = |topic: &Topic| {
            memory.benched_until(topic.role(), round).is_none()
                && !situation.menu(*topic).is_empty()
                && self.asked.get(topic) != Some(&round)
        };
        let open: Vec<Topic> = Topic::ALL.into_iter().filter(open).collect();
        let new = open.iter().copied().find(|topic| !self.asked.contains_key(topic));
        let urgent = || open.iter().copied().find(|topic| situation.presses(*topic) && self.last != Some(*topic));
        new.or_else(urgent).or_else(|| self.oldest(&open, round))
    }

    fn oldest(&self, open: &[Topic], round: Round) -> Option<Topic> {
        let due =
            |topic: &&Topic| self.asked.get(topic).is_none_or(|asked| round.0.saturating_sub(asked.0) >= RENEWED_AFTER);
        open.iter().filter(due).min_by_key(|topic| self.asked.get(topic)).copied()
    }

    /// It was asked about in `round`.
    pub fn asked(&mut self, topic: Topic, round: Round) {
        self.asked.insert(topic, round);
        self.last = Some(topic);
    }
}

impl Situation {
    /// Whether something has happened because of which `topic` should not wait for its turn.
    fn presses(&self, topic: Topic) -> bool {
        match topic {
            Topic::Margin => self.bidder.bids >= BIDS_LOST && self.bidder.won == 0,
            Topic::Focus => {
                self.selector.candidates.iter().any(|member| member.hired >= 2 && member.delivered * 2 < member.hired)
            }
            Topic::Stint => {
                self.guardian.load_percent >= LOADED_PERCENT || self.guardian.delivered < self.guardian.hired
            }
            Topic::Pace => self.guardian.spending.is_some_and(Spending::is_low),
            Topic::Contract | Topic::Hire | Topic::Counter => false,
        }
    }
}

impl Spending {
    /// Whether the budget runs out before the rounds do.
    const fn is_low(self) -> bool {
        self.left_percent + LOW_BY_PERCENT <= self.rounds_left_percent
    }
}

/// By so much less of the budget than of the rounds is left when it is low, in hundredths.
const LOW_BY_PERCENT: u64 = 10;
