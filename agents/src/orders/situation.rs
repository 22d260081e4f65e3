//! What an agent is told: numbers, and sentences that code makes of them.

use althing_protocol::{
    ids::{Hash, Round},
    machine::Candidate,
    model::Width,
};

use super::choice::{Choice, Topic};
use crate::{
    bidder::Margin,
    guardian::Effort,
    privacy::Pace,
    selector::{Focus, Share},
};

/// Members that a selector is told of, at the most; which ones is chance.
const TOLD_OF: usize = 8;

/// What is known when a round opens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Situation {
    /// The round that opens.
    pub round: Round,
    /// For the bidder.
    pub bidder: BidderFacts,
    /// For the selector.
    pub selector: SelectorFacts,
    /// For the guardian.
    pub guardian: GuardianFacts,
}

/// What a bidder knows: nothing of others' bids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BidderFacts {
    /// The contracts that this machine can take on.
    pub offers: Vec<Offered>,
    /// From 0 to 1,000.
    pub reputation: u32,
    /// Bids made in the last rounds.
    pub bids: u32,
    /// How many of them won.
    pub won: u32,
    /// Rounds since it was last hired.
    pub idle_rounds: u64,
}

/// A contract and what it means for this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// Its place on the public menu.
    pub place: u8,
    /// Passes over the data.
    pub epochs: u32,
    /// The part of the model that is trained.
    pub width: Width,
    /// What it costs this member, in hundredths of the highest price that it may pay.
    pub cost_percent: u64,
}

/// What a selector knows: no price and no name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectorFacts {
    /// How many may be hired, at the most.
    pub places: u32,
    /// What the ledger says of the members.
    pub candidates: Vec<Candidate>,
    /// By how much the model got better in each of the last rounds on this member's own examples, in thousandths of the
    /// loss, the latest first.
    pub gains: Vec<i64>,
}

/// What a guardian knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuardianFacts {
    /// The machine's load, in hundredths of its cores.
    pub load_percent: u32,
    /// The work that the machine can do in time, and how much of the time its longest contract takes, in hundredths.
    pub stints: Vec<(Effort, Width, u64)>,
    /// Contracts won in the last rounds.
    pub hired: u32,
    /// How many of them were delivered.
    pub delivered: u32,
    /// The privacy budget, if there is one.
    pub spending: Option<Spending>,
}

/// A privacy budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// What of its epsilon is left, in hundredths.
    pub left_percent: u64,
    /// What of the rounds that it is planned for is left, in hundredths.
    pub rounds_left_percent: u64,
}

impl Situation {
    /// What may be chosen about `topic`. Where there is no choice, it is empty.
    pub fn menu(&self, topic: Topic) -> Vec<Choice> {
        let mut menu: Vec<Choice> = match topic {
            Topic::Contract => self.bidder.contracts(),
            Topic::Margin if self.bidder.offers.is_empty() => Vec::new(),
            Topic::Margin => Margin::ALL.map(Choice::Margin).to_vec(),
            Topic::Hire if self.selector.places < 2 => Vec::new(),
            Topic::Hire => Share::ALL.map(Choice::Hire).to_vec(),
            Topic::Focus => Focus::ALL.map(Choice::Focus).to_vec(),
            Topic::Pace if self.guardian.spending.is_none() => Vec::new(),
            Topic::Pace => Pace::ALL.map(Choice::Pace).to_vec(),
            Topic::Stint => {
                self.guardian.stints.iter().map(|&(effort, width, _)| Choice::Stint(effort, width)).collect()
            }
        };
        if menu.len() < 2 {
            menu.clear();
        }
        menu
    }

    /// What is known that matters to `topic`, a sentence each. `lot` shuffles what has an order by accident.
    pub fn sentences(&self, topic: Topic, lot: &Hash) -> Vec<String> {
        match topic {
            Topic::Contract | Topic::Margin => self.bidder.sentences(),
            Topic::Hire | Topic::Focus => self.selector.sentences(lot),
            Topic::Pace | Topic::Stint => self.guardian.sentences(topic),
        }
    }
}

impl BidderFacts {
    /// The contracts; of two that are alike in words, the first.
    fn contracts(&self) -> Vec<Choice> {
        let mut menu: Vec<Choice> = Vec::new();
        for &Offered { place, epochs, width, .. } in &self.offers {
            let choice = Choice::Contract { place, epochs, width };
            if menu.iter().all(|other| other.word() != choice.word()) {
                menu.push(choice);
            }
        }
        menu
    }

    fn sentences(&self) -> Vec<String> {
        let mut told = vec![match (self.bids, self.won) {
            (0, _) => "No bid was made yet.".to_owned(),
            (bids, won) if won == bids => format!("All of the last {bids} bids won."),
            (bids, 0) => format!("All of the last {bids} bids lost."),
            (bids, won) => format!("{won} of the last {bids} bids won."),
        }];
        told.push(format!("Reputation: {} of 100.", self.reputation / 10));
        told.push(format!("Last hired {} rounds ago.", self.idle_rounds));
        for choice in self.contracts() {
            let Choice::Contract { place, .. } = choice else { continue };
            let cost = self.offers.iter().find(|offer| offer.place == place).map_or(0, |offer| offer.cost_percent);
            told.push(format!("The work of {} costs {cost}% of its highest price.", choice.word()));
        }
        told
    }
}

impl SelectorFacts {
    fn sentences(&self, lot: &Hash) -> Vec<String> {
        let (places, members) = (self.places, self.candidates.len());
        let mut told = vec![format!("{members} members, {places} places.")];
        if !self.gains.is_empty() {
            let gains: Vec<String> = self.gains.iter().take(3).map(i64::to_string).collect();
            told.push(format!("The model gained {} in the last rounds, latest first.", gains.join(", ")));
        }
        let never = self.candidates.iter().filter(|candidate| candidate.hired == 0).count();
        let failing = self.candidates.iter().filter(|candidate| candidate.delivered * 4 < candidate.hired * 3).count();
        told.push(format!("{never} were never hired. {failing} often fail to deliver."));
        let mut rows: Vec<&Candidate> = self.candidates.iter().collect();
        rows.sort_by_key(|candidate| {
            Hash::derive("althing 1 order row", &[lot.as_bytes(), candidate.member.as_bytes()])
        });
        told.extend(rows.into_iter().take(TOLD_OF).map(|candidate| {
            let Candidate { idle_rounds, hired, delivered, .. } = candidate;
            format!("Hired {hired}, delivered {delivered}, idle {idle_rounds}.")
        }));
        told
    }
}

impl GuardianFacts {
    fn sentences(&self, topic: Topic) -> Vec<String> {
        let mut told = vec![format!("{} of the last {} contracts were delivered.", self.delivered, self.hired)];
        if topic == Topic::Stint {
            told.push(format!("The machine's load is {}%.", self.load_percent));
            told.extend(self.stints.iter().map(|&(effort, width, percent)| {
                format!("{} fills {percent}% of the time.", Choice::Stint(effort, width).word())
            }));
        }
        if let Some(Spending { left_percent, rounds_left_percent }) = self.spending {
            told.push(format!("Budget left: {left_percent}%. Rounds left: {rounds_left_percent}%."));
            told.push(match left_percent.cmp(&rounds_left_percent) {
                std::cmp::Ordering::Less => "Less of the budget is left than of the rounds.".to_owned(),
                std::cmp::Ordering::Equal => "As much of the budget is left as of the rounds.".to_owned(),
                std::cmp::Ordering::Greater => "More of the budget is left than of the rounds.".to_owned(),
            });
        }
        told
    }
}
