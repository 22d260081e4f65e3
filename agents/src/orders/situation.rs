//! What an agent is told: numbers, and sentences that code makes of them.

use std::cmp::Reverse;

use althing_protocol::{
    ids::{Hash, Round},
    machine::Candidate,
    model::Width,
};

use super::choice::{Choice, Topic};
use crate::{
    bidder::Margin,
    counter::Counter,
    guardian::Effort,
    privacy::Pace,
    selector::{Focus, Share},
};

/// Members that a selector is told of, at the most; which ones is chance.
const TOLD_OF: usize = 4;

/// Rounds of which a selector is told whether the model got better in them.
const LATELY: usize = 4;

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
    /// Bids made in the last rounds.
    pub bids: u32,
    /// How many of them won.
    pub won: u32,
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
    /// What the work costs this member, in micro-credits.
    pub cost: u64,
    /// The highest price that it may pay, in micro-credits.
    pub most: u64,
}

/// What a selector knows: no price and no name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectorFacts {
    /// How many may be hired, at the most.
    pub places: u32,
    /// How many counter-offers may be made in a round.
    pub counters: u32,
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
            Topic::Contract => self.bidder.distinct().into_iter().map(Offered::choice).collect(),
            Topic::Margin if self.bidder.offers.is_empty() => Vec::new(),
            Topic::Margin => Margin::ALL.map(Choice::Margin).to_vec(),
            Topic::Hire if self.selector.places < 2 => Vec::new(),
            Topic::Hire => Share::ALL.map(Choice::Hire).to_vec(),
            Topic::Focus => Focus::ALL.map(Choice::Focus).to_vec(),
            Topic::Counter if self.selector.counters == 0 => Vec::new(),
            Topic::Counter => Counter::ALL.map(Choice::Counter).to_vec(),
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

    /// What is known that matters to `topic`, a sentence each.
    pub fn sentences(&self, topic: Topic) -> Vec<String> {
        match topic {
            Topic::Contract | Topic::Margin => self.bidder.sentences(),
            Topic::Hire | Topic::Focus | Topic::Counter => self.selector.sentences(),
            Topic::Pace | Topic::Stint => self.guardian.sentences(topic),
        }
    }

    /// What is known of single members that matters to `topic`, a sentence for each of those whom `lot` draws.
    pub fn rows(&self, topic: Topic, lot: &Hash) -> Vec<String> {
        match topic {
            Topic::Hire | Topic::Focus | Topic::Counter => self.selector.rows(lot),
            Topic::Contract | Topic::Margin | Topic::Pace | Topic::Stint => Vec::new(),
        }
    }
}

impl BidderFacts {
    /// The contracts; of two that are alike in words, the first.
    fn distinct(&self) -> Vec<&Offered> {
        let mut distinct: Vec<&Offered> = Vec::new();
        for offer in &self.offers {
            if distinct.iter().all(|other| other.choice().word() != offer.choice().word()) {
                distinct.push(offer);
            }
        }
        distinct
    }

    fn sentences(&self) -> Vec<String> {
        let mut told = vec![match (self.bids, self.won) {
            (0, _) => "No bid was made yet.".to_owned(),
            (bids, won) if won == bids => "All of the last bids won.".to_owned(),
            (_, 0) => "All of the last bids lost.".to_owned(),
            (bids, won) if won * 2 >= bids => "Most of the last bids won.".to_owned(),
            _ => "Most of the last bids lost.".to_owned(),
        }];
        let distinct = self.distinct();
        let left = |offer: &&Offered| (offer.most.saturating_sub(offer.cost), Reverse(offer.place));
        told.extend(distinct.iter().copied().max_by_key(left).map(|offer| {
            let word = offer.choice().word();
            format!("At the highest prices most would be left over of {word}.")
        }));
        told.extend(distinct.iter().map(|offer| {
            let (word, part) = (offer.choice().word(), part_of(offer.cost, offer.most));
            format!("The work of {word} costs {part} its highest price.")
        }));
        told
    }
}

impl Offered {
    const fn choice(&self) -> Choice {
        Choice::Contract { place: self.place, epochs: self.epochs, width: self.width }
    }
}

impl SelectorFacts {
    fn sentences(&self) -> Vec<String> {
        let (places, members) = (self.places, self.candidates.len());
        let mut told = vec![format!("{members} members, {places} places.")];
        let lately = self.gains.len().min(LATELY);
        if lately > 0 {
            let better = self.gains.iter().take(lately).filter(|gain| **gain > 0).count();
            told.push(format!("The model got better in {better} of the last {lately} rounds."));
        }
        let never = self.candidates.iter().filter(|candidate| candidate.hired == 0).count();
        let failing = self.candidates.iter().filter(|candidate| candidate.delivered * 4 < candidate.hired * 3).count();
        told.push(format!("{never} were never hired. {failing} often fail to deliver."));
        told
    }

    fn rows(&self, lot: &Hash) -> Vec<String> {
        let mut rows: Vec<&Candidate> = self.candidates.iter().collect();
        rows.sort_by_key(|candidate| {
            Hash::derive("althing 1 order row", &[lot.as_bytes(), candidate.member.as_bytes()])
        });
        let row = |candidate: &Candidate| {
            let Candidate { idle_rounds, hired, delivered, .. } = candidate;
            format!("Hired {hired}, delivered {delivered}, idle {idle_rounds}.")
        };
        rows.into_iter().take(TOLD_OF).map(row).collect()
    }
}

impl GuardianFacts {
    fn sentences(&self, topic: Topic) -> Vec<String> {
        let mut told = vec![format!("{} of the last {} contracts were delivered.", self.delivered, self.hired)];
        if topic == Topic::Stint {
            told.push(format!("The machine's load is {} its cores.", part_of(self.load_percent.into(), 100)));
            told.extend(self.stints.iter().map(|&(effort, width, percent)| {
                format!("{} fills {} the time.", Choice::Stint(effort, width).word(), part_of(percent, 100))
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

/// How much `part` is of `whole`, in words.
///
/// What differs from member to member is told to the nearest quarter only. That is as exact as a small model can use, and
/// members in the same situation ask the same question, which a server that they share answers once.
fn part_of(part: u64, whole: u64) -> &'static str {
    let eighths = part.saturating_mul(8).checked_div(whole).unwrap_or(u64::MAX);
    match eighths {
        0 => "next to nothing of",
        1..=2 => "a quarter of",
        3..=4 => "half of",
        5..=6 => "three quarters of",
        7..=8 => "all of",
        _ => "more than",
    }
}
