//! What past orders have earned, and whether the model that gave them is worth listening to.

use std::collections::BTreeMap;

use althing_protocol::{event::Role, ids::Round};
use serde::{Deserialize, Serialize};

use super::{
    choice::{Choice, Topic},
    verdict::Habit,
};

/// Rounds by which a model is judged.
const WINDOW: usize = 8;

/// What the rules would have earned, divided by this, is what a model may earn less: what a round brings is chance as well.
const LEEWAY: i64 = 10;

/// Rounds for which a model that did worse than the rules is not listened to.
const BENCHED_ROUNDS: u64 = 16;

/// Choices that are remembered; of further ones nothing is.
const RECORDS_MAX: usize = 128;

/// Rounds that count in a record; beyond them newer ones weigh more.
const RECORD_LONG: i64 = 64;

/// What came of a round in which a role followed orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The orders.
    pub followed: Vec<Choice>,
    /// What the round brought, in points of the role's own kind.
    pub earned: i64,
    /// What the rules would have brought, as far as that can be known.
    pub by_rules: i64,
}

/// The memory of a node's agents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    records: BTreeMap<Topic, BTreeMap<String, Record>>,
    /// Of the last rounds, what was earned and what the rules would have.
    windows: BTreeMap<Role, Vec<(i64, i64)>>,
    benched_until: BTreeMap<Role, Round>,
    habits: BTreeMap<Topic, Habit>,
}

/// What a choice has earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Record {
    rounds: i64,
    earned: i64,
}

impl Record {
    fn mean(self) -> i64 {
        self.earned / self.rounds.max(1)
    }
}

impl Memory {
    /// Takes in what came of a round. A role whose orders brought clearly less than the rules would have, over a window
    /// of rounds, is benched: then the round from which on its model is asked again is given.
    pub fn enter(&mut self, role: Role, round: Round, outcome: &Outcome) -> Option<Round> {
        for choice in &outcome.followed {
            self.record(*choice, outcome.earned);
        }
        let window = self.windows.entry(role).or_default();
        window.push((outcome.earned, outcome.by_rules));
        if window.len() < WINDOW {
            return None;
        }
        let sum = |part: fn(&(i64, i64)) -> i64| window.iter().map(part).fold(0, i64::saturating_add);
        let (earned, by_rules) = (sum(|round| round.0), sum(|round| round.1));
        window.remove(0);
        if earned >= by_rules.saturating_sub(by_rules.saturating_abs() / LEEWAY) {
            return None;
        }
        window.clear();
        let until = Round(round.0.saturating_add(BENCHED_ROUNDS));
        self.benched_until.insert(role, until);
        Some(until)
    }

    fn record(&mut self, choice: Choice, earned: i64) {
        let known: usize = self.records.values().map(BTreeMap::len).sum();
        let of_topic = self.records.entry(choice.topic()).or_default();
        if known >= RECORDS_MAX && !of_topic.contains_key(&choice.word()) {
            return;
        }
        let record = of_topic.entry(choice.word()).or_default();
        if record.rounds >= RECORD_LONG {
            *record = Record { rounds: record.rounds / 2, earned: record.earned / 2 };
        }
        record.rounds += 1;
        record.earned = record.earned.saturating_add(earned);
    }

    /// The round from which on the model is asked again, if it is benched in `round`.
    pub fn benched_until(&self, role: Role, round: Round) -> Option<Round> {
        self.benched_until.get(&role).copied().filter(|until| round < *until)
    }

    /// What the best few choices about `topic` have earned, a sentence each.
    pub fn best(&self, topic: Topic, few: usize) -> Vec<String> {
        let mut known: Vec<(&String, &Record)> = self.records.get(&topic).into_iter().flatten().collect();
        known.sort_by(|a, b| b.1.mean().cmp(&a.1.mean()).then_with(|| a.0.cmp(b.0)));
        let told = known.into_iter().take(few);
        told.map(|(word, record)| format!("{word} earned {} a round, {} rounds.", record.mean(), record.rounds))
            .collect()
    }

    /// What the model usually says about `topic`.
    pub fn habit(&mut self, topic: Topic) -> &mut Habit {
        self.habits.entry(topic).or_default()
    }
}
