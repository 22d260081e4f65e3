//! Other ways to decide, to measure a language model and the rules against.
//!
//! Each is a [`Policy`] like any other and picks from the same menus. They are as pure as the rules: what they draw is a
//! hash of a seed, the round and what is drawn for ([`Lots`]), so that the same question in the same state has the same
//! answer, however often it is asked and in whatever order its menu stands. Only [`Rival::learn`] moves them on.
//!
//! Policies that rank members themselves, as those of the literature do, answer a question of their own, whose menu holds
//! the members: see [`draft`].

pub mod draft;

mod features;
mod fixed;
mod going_rate;
mod linucb;
mod lots;
mod number;
mod oort;
mod power_of_choice;
mod random;
mod surplus;

pub use self::{
    draft::{DraftQuestion, Ranking, Sight},
    features::Features,
    fixed::Fixed,
    going_rate::GoingRate,
    linucb::LinUcb,
    lots::Lots,
    number::{Decaying, FixedNumber},
    oort::Oort,
    power_of_choice::PowerOfChoice,
    random::Random,
    surplus::Surplus,
};
use crate::{
    bidder::{BidderQuestion, Cheapest},
    guardian::{Evenly, GuardianQuestion, PaceQuestion, WhatFits},
    policy::{Policy, Question},
    selector::{Coverage, SelectorQuestion},
};

/// A policy that is told what came of its picks.
///
/// Between two calls of [`Rival::learn`] its answers depend on the question alone.
pub trait Rival<Q: Question>: Policy<Q> {
    /// The round of `question` is over, in which `option` earned `reward`: from about 0 for nothing to about 1.
    fn learn(&mut self, _question: &Q, _option: Q::Option, _reward: f64) {}
}

impl Rival<SelectorQuestion> for Coverage {}
impl Rival<BidderQuestion> for Cheapest {}
impl Rival<GuardianQuestion> for WhatFits {}
impl Rival<PaceQuestion> for Evenly {}

#[cfg(test)]
mod tests;
