//! Clearing: who is hired, and what delivery pays.
//!
//! A genesis names one of five [`Mechanism`]s, one file each. All of them are given the same bids, which the selector's
//! marks have weighed without knowing a price, keep to the same [`Terms`], and break ties by the round's seed. All of it
//! is integer arithmetic, so every member that repeats it comes to the same micro-credit. `docs/market.md` compares them.

pub mod floor;

mod critical;
mod first_price;
mod fixed;
mod mechanism;
mod posted;
#[cfg(test)]
mod tests;
mod vcg;

use std::fmt;

pub use self::mechanism::{Mechanism, UnknownMechanism};
use crate::{
    ids::{Hash, MemberId},
    limits,
};

/// A bid as the clearing rule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub member: MemberId,
    /// For what price, in micro-credits; at most [`limits::MAX_MINT`].
    pub price: u64,
    /// For what value: the contract's worth times the mark; at most [`limits::MAX_VALUE`].
    pub value: u64,
}

/// What the federation offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How winners and payments are found.
    pub mechanism: Mechanism,
    /// Most that all winners may cost together, in micro-credits.
    pub budget: u64,
    /// Most that one unit of value may cost, in micro-credits.
    pub reserve: u64,
    /// Most members to hire.
    pub winners: usize,
    /// Most that one winner may be paid, in micro-credits.
    pub cap: u64,
    /// One winner's equal part of the budget of a full house, in micro-credits.
    part: u64,
}

impl Terms {
    /// Terms of a full house of `winners`, without a cap for one of them.
    pub fn new(mechanism: Mechanism, budget: u64, reserve: u64, winners: usize) -> Self {
        let part = budget / (winners as u64).max(1);
        Self { mechanism, budget, reserve, winners, cap: u64::MAX, part }
    }

    /// The same terms with at most so much for one winner, in micro-credits.
    pub fn capped(self, cap: u64) -> Self {
        Self { cap, ..self }
    }

    /// The same terms when so much is spent already, with so many places left.
    pub fn after(self, spent: u64, winners: usize) -> Self {
        Self { budget: self.budget.saturating_sub(spent), winners, ..self }
    }

    /// Most that a bid of this value may be paid, whatever the mechanism: the reserve's worth, and the cap.
    pub fn ceiling(&self, value: u64) -> u64 {
        self.reserve.saturating_mul(value).min(self.cap)
    }
}

/// A winner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Win {
    /// Who is hired.
    pub member: MemberId,
    /// What delivery pays, in micro-credits: at least the price asked.
    pub payment: u64,
}

/// A bid that did not win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Whose.
    pub member: MemberId,
    /// Why.
    pub why: Why,
}

/// Why a bid did not win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its value is zero, or its price or value larger than any federation's.
    OutOfBounds,
    /// It asks more than the reserve price for each unit of its value.
    AboveReserve,
    /// It asks more than one winner may be paid.
    AboveCap,
    /// It asks more than the price that is posted for it.
    AbovePosted,
    /// Others, ranked before it, took all the places.
    Outranked,
    /// The budget does not reach so far.
    OverBudget,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "worth nothing, or out of bounds",
            Self::AboveReserve => "asks more than the reserve price allows for its value",
            Self::AboveCap => "asks more than one winner may be paid",
            Self::AbovePosted => "asks more than the posted price",
            Self::Outranked => "others were ranked before it and took the places",
            Self::OverBudget => "the budget does not reach so far",
        })
    }
}

/// What becomes of all bids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleared {
    /// The winners, in rank order.
    pub wins: Vec<Win>,
    /// The others: those that ranked, in rank order, and then those that were not ranked at all.
    pub losses: Vec<Loss>,
}

impl Cleared {
    fn win(&mut self, ask: &Ask, payment: u64) {
        self.wins.push(Win { member: ask.member, payment });
    }

    fn lose(&mut self, ask: &Ask, why: Why) {
        self.losses.push(Loss { member: ask.member, why });
    }
}

/// A bid that takes part, with its lot.
#[derive(Debug, Clone, Copy)]
struct Entrant {
    ask: Ask,
    lot: Hash,
}

/// Clears `asks` under `terms`. Equal asks are ranked by `seed`, so that no id is lucky for ever.
///
/// The order of `asks` does not matter. Winners are paid at least what they ask and at most [`Terms::ceiling`], and all
/// together at most the budget, under every mechanism.
pub fn clear(asks: &[Ask], terms: Terms, seed: &Hash) -> Cleared {
    let mut entrants = Vec::with_capacity(asks.len());
    let mut refused = Vec::new();
    for ask in asks {
        match bar(ask, &terms) {
            Some(why) => refused.push(Loss { member: ask.member, why }),
            None => entrants.push(Entrant { ask: *ask, lot: lot(&ask.member, seed) }),
        }
    }
    let mut cleared = match terms.mechanism {
        Mechanism::Critical => critical::clear(entrants, terms),
        Mechanism::Vcg => vcg::clear(entrants, terms),
        Mechanism::FirstPrice => first_price::clear(entrants, terms),
        Mechanism::Posted { per_value } => posted::clear(entrants, terms, per_value),
        Mechanism::Fixed => fixed::clear(entrants, terms),
    };
    cleared.losses.extend(refused);
    cleared
}

/// What keeps `ask` out before anybody is ranked. It looks at nobody else's.
fn bar(ask: &Ask, terms: &Terms) -> Option<Why> {
    if ask.value == 0 || ask.value > limits::MAX_VALUE || ask.price > limits::MAX_MINT {
        Some(Why::OutOfBounds)
    } else if ask.price > terms.cap {
        Some(Why::AboveCap)
    } else if ask.price > terms.ceiling(ask.value) {
        Some(Why::AboveReserve)
    } else {
        None
    }
}

/// A member's lot in a round, for ties.
pub(crate) fn lot(member: &MemberId, seed: &Hash) -> Hash {
    Hash::derive("althing 1 tie", &[seed.as_bytes(), member.as_bytes()])
}
