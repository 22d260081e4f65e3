//! A bidder that learns its margin: an epsilon-greedy bandit.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Behaviour, Offer, percent};
use crate::market::draw::{Stream, happens};

/// What it may ask above cost, in hundredths of it.
const MARGINS: [u64; 7] = [0, 5, 10, 20, 40, 80, 160];

/// How it learns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::market) struct Bandit {
    /// In thousandths of its bids, those in which it tries any margin.
    pub(in crate::market) curious_permille: u32,
}

impl Default for Bandit {
    fn default() -> Self {
        Self { curious_permille: 100 }
    }
}

impl Bandit {
    pub(super) const fn learner(&self) -> Learner {
        Learner { curious_permille: self.curious_permille, last: 0, tried: [(0, 0.0); MARGINS.len()] }
    }
}

/// A member's bandit.
#[derive(Debug, Clone)]
pub(super) struct Learner {
    curious_permille: u32,
    last: usize,
    /// How often each margin was tried, and what it has earned on average, as a part of the cost.
    tried: [(u32, f64); MARGINS.len()],
}

impl Behaviour for Learner {
    fn ask(&mut self, offer: &Offer, draws: &mut Stream) -> Option<u64> {
        self.last =
            if happens(self.curious_permille, draws) { draws.random_range(0..MARGINS.len()) } else { self.best() };
        let wanted = offer.cost.saturating_add(percent(offer.cost, MARGINS[self.last]));
        (offer.cost <= offer.most).then_some(wanted.min(offer.most))
    }

    fn learn(&mut self, offer: &Offer, earned: Option<i64>) {
        let (count, mean) = &mut self.tried[self.last];
        *count += 1;
        *mean += (earned.unwrap_or(0) as f64 / offer.cost.max(1) as f64 - *mean) / f64::from(*count);
    }
}

impl Learner {
    /// What has earned most so far; the lowest of equals.
    fn best(&self) -> usize {
        let better = |best: usize, place: usize| if self.tried[place].1 > self.tried[best].1 { place } else { best };
        (1..MARGINS.len()).fold(0, better)
    }
}
