//! What came of each round, for the memory: what the orders brought, and what the rules would have.

use std::collections::{BTreeMap, VecDeque};

use althing_protocol::{
    event::{Award, HiredBy, Role},
    ids::{MemberId, Round},
};

use super::{choice::Choice, memory::Outcome};

/// Rounds that are looked back on.
pub const LOOK_BACK: usize = 8;

/// Micro-credits in a point of a bidder or guardian.
const POINT: i64 = 1_000;

/// A bid that was made, beside the one that the rules would have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BidMade {
    /// What the work of the bid costs the member, in micro-credits.
    pub cost: u64,
    /// The value of the contract that the rules would have bid for.
    pub ruled_value: u64,
    /// What the work of that costs the member, in micro-credits: the rules ask as much.
    pub ruled_cost: u64,
}

/// What happens in a round, as far as an agent is judged by it.
#[derive(Debug, Clone, Default)]
struct Page {
    followed: BTreeMap<Role, Vec<Choice>>,
    bid: Option<BidMade>,
    /// What the work of an accepted counter-offer costs the member, in micro-credits.
    accepted: Option<u64>,
    award: Option<u64>,
    /// The lowest payment for one unit of value, in micro-credits; none if nobody was hired.
    unit: Option<u64>,
}

impl Page {
    fn followed(&self, role: Role) -> Vec<Choice> {
        self.followed.get(&role).cloned().unwrap_or_default()
    }
}

/// The open round, and what the last rounds brought.
#[derive(Debug, Clone, Default)]
pub struct Reckoning {
    round: Round,
    page: Page,
    /// The selector's orders of the round before, whose worth is known only once its model is scored.
    marked: Option<Vec<Choice>>,
    bids: VecDeque<bool>,
    deliveries: VecDeque<bool>,
    gains: VecDeque<i64>,
    ruled: BTreeMap<Role, VecDeque<i64>>,
}

impl Reckoning {
    /// A round has opened. What was not settled of the last one is dropped.
    pub fn open(&mut self, round: Round) {
        (self.round, self.page) = (round, Page::default());
    }

    /// A role has decided and followed these orders, none if it went by the rules. It may decide more than once in a round.
    pub fn follow(&mut self, role: Role, orders: Vec<Choice>) {
        let followed = self.page.followed.entry(role).or_default();
        for order in orders {
            if !followed.contains(&order) {
                followed.push(order);
            }
        }
    }

    /// The member has bid.
    pub const fn bid(&mut self, bid: BidMade) {
        self.page.bid = Some(bid);
    }

    /// The member has accepted a counter-offer, whose work costs it so much, in micro-credits.
    pub const fn accept(&mut self, cost: u64) {
        self.page.accepted = Some(cost);
    }

    /// The Plan is decided. `worth` says what an award is worth to the federation.
    pub fn planned(&mut self, me: MemberId, awards: &[Award], worth: impl Fn(&Award) -> u64) {
        let auctioned = awards.iter().filter(|award| award.hired_by == HiredBy::Auction);
        self.page.unit = auctioned.map(|award| award.payment / worth(award).max(1)).min();
        let own = awards.iter().find(|award| award.member == me);
        self.page.award = own.map(|award| award.payment);
        // Accepting binds only if the Plan says so: otherwise the bid stands.
        let is_countered = own.is_some_and(|award| award.hired_by == HiredBy::CounterOffer);
        if let (true, Some(bid), Some(cost)) = (is_countered, &mut self.page.bid, self.page.accepted) {
            bid.cost = cost;
        }
        if self.page.bid.is_some() {
            push(&mut self.bids, self.page.award.is_some());
        }
    }

    /// The round is settled: what this member was paid, by how much the model that the round started from was better
    /// than the one before on its own examples (in thousandths of the loss, if it knows), and the reserve price for one
    /// unit of value.
    pub fn settled(&mut self, paid: u64, gain: Option<i64>, reserve: u64) -> Vec<(Role, Outcome)> {
        let page = std::mem::take(&mut self.page);
        let mut outcomes = Vec::new();
        if let Some(award) = page.award {
            push(&mut self.deliveries, paid > 0);
            let earned = if paid > 0 { points(paid) } else { -points(award) };
            outcomes.extend(self.judge(Role::Guardian, page.followed(Role::Guardian), earned, None));
        }
        if let Some(bid) = page.bid {
            let earned = page.award.map_or(0, |award| points(award) - points(bid.cost));
            let ruled = by_rules(&bid, page.unit.unwrap_or(reserve));
            outcomes.extend(self.judge(Role::Bidder, page.followed(Role::Bidder), earned, Some(ruled)));
        }
        let marked = std::mem::replace(&mut self.marked, page.followed.get(&Role::Selector).cloned());
        if let Some(gain) = gain {
            outcomes.extend(marked.and_then(|followed| self.judge(Role::Selector, followed, gain, None)));
            push(&mut self.gains, gain);
        }
        outcomes
    }

    /// What a role earned beside what the rules would have: as reckoned, or as in the last rounds in which they decided.
    fn judge(
        &mut self,
        role: Role,
        followed: Vec<Choice>,
        earned: i64,
        by_rules: Option<i64>,
    ) -> Option<(Role, Outcome)> {
        if followed.is_empty() {
            push(self.ruled.entry(role).or_default(), earned);
            return None;
        }
        let by_rules = by_rules.unwrap_or_else(|| self.ruled.get(&role).map_or(0, mean));
        Some((role, Outcome { followed, earned, by_rules }))
    }

    /// Bids made in the last rounds, and how many won.
    pub fn bids(&self) -> (u32, u32) {
        counted(&self.bids)
    }

    /// Contracts won in the last rounds, and how many were paid for.
    pub fn deliveries(&self) -> (u32, u32) {
        counted(&self.deliveries)
    }

    /// By how much the model got better in each of the last rounds, the latest first, in thousandths of the loss.
    pub fn gains(&self) -> Vec<i64> {
        self.gains.iter().rev().copied().collect()
    }
}

/// What the rules' bid would have brought where one unit of value is paid `unit`. It is an estimate: the payment of a
/// member that was not hired is known to nobody who may not see the bids.
fn by_rules(bid: &BidMade, unit: u64) -> i64 {
    let payment = unit.saturating_mul(bid.ruled_value);
    if payment >= bid.ruled_cost { points(payment) - points(bid.ruled_cost) } else { 0 }
}

fn points(micro: u64) -> i64 {
    i64::try_from(micro).unwrap_or(i64::MAX) / POINT
}

fn push<T>(last: &mut VecDeque<T>, new: T) {
    last.push_back(new);
    if last.len() > LOOK_BACK {
        last.pop_front();
    }
}

fn counted(last: &VecDeque<bool>) -> (u32, u32) {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (count(last.len()), count(last.iter().filter(|good| **good).count()))
}

fn mean(last: &VecDeque<i64>) -> i64 {
    last.iter().fold(0_i64, |sum, value| sum.saturating_add(*value)) / i64::try_from(last.len().max(1)).unwrap_or(1)
}
