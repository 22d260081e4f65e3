//! What a contestant's answers amounted to, over the contexts of one seed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{stats, usage::Usage};

/// By how much an answer must be worth less than the best to count as worse.
const WORSE: f64 = 1e-9;

/// What a contestant's answers amounted to. Shares of it are of the contexts that it was asked in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Contexts.
    pub asked: u64,
    /// Answers that code let pass.
    pub valid: u64,
    /// Those of them that were worth less than the best entry of the menu.
    pub wrong: u64,
    /// Why there was none in the others, and how often: code decided there.
    pub failures: BTreeMap<String, u64>,
    /// What was missed against the best entry, summed.
    pub regret: f64,
    /// What lies between the best entry and the worst, summed.
    pub range: f64,
    /// What the decisions were worth, summed.
    pub value: f64,
    /// Times that it answered again, with the menu in another order.
    pub reasked: u64,
    /// Times that it then answered something else.
    pub changed: u64,
    /// Times that it was asked again and had no answer any more.
    pub lost: u64,
    /// How long answers took, in seconds, those included that did not come.
    pub latencies: Vec<f64>,
    /// What they cost beside, summed.
    pub usage: Usage,
}

/// One decision.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    /// Why there was no valid answer, if so.
    pub failure: Option<String>,
    /// What it was worth.
    pub value: f64,
    /// What the best and the worst entry of the menu were worth.
    pub ends: (f64, f64),
    /// Seconds until there was an answer or none.
    pub latency: f64,
    /// What it cost beside.
    pub usage: Usage,
    /// Once for each time that it was asked again, with the menu in another order: whether the answer changed; none if there
    /// was no answer.
    pub again: Vec<Option<bool>>,
}

impl Tally {
    pub(super) fn add(&mut self, decision: Decision) {
        let (best, worst) = decision.ends;
        self.asked += 1;
        match decision.failure {
            Some(failure) => *self.failures.entry(failure).or_default() += 1,
            None => {
                self.valid += 1;
                self.wrong += u64::from(decision.value < best - WORSE);
            }
        }
        self.regret += best - decision.value;
        self.range += best - worst;
        self.value += decision.value;
        for changed in decision.again {
            self.reasked += u64::from(changed.is_some());
            self.changed += u64::from(changed == Some(true));
            self.lost += u64::from(changed.is_none());
        }
        self.latencies.push(decision.latency);
        self.usage = self.usage.and(decision.usage);
    }

    /// Answers that code replaced.
    pub fn fallbacks(&self) -> u64 {
        self.failures.values().sum()
    }

    /// What was missed, as a share of what lay between the best and the worst entries: 0 is always the best, 1 always the
    /// worst. Below 0 is better than the menu. `None` if no answer made any difference.
    pub fn regret_share(&self) -> Option<f64> {
        (self.range > WORSE).then(|| self.regret / self.range)
    }

    /// `part` of the contexts, from 0 to 1.
    pub fn share(&self, part: u64) -> f64 {
        stats::share(part, self.asked)
    }
}
