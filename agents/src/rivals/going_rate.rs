//! The contract that earns most at what work was last paid.

use std::cmp::Reverse;

use althing_protocol::event::DecidedBy;

use super::Rival;
use crate::{
    bidder::{BidOption, BidderQuestion, Cheapest, Margin, Offer},
    policy::{Pick, Policy, Question},
};

/// Asks its cost, for the contract on which most would be left over at the lowest payment for a unit of value that the
/// last round knew. Where that is not known, or would leave nothing of any, it goes by the cheapest unit of value.
///
/// [`Surplus`](super::Surplus) hopes for the reserve price, which is paid where few compete; this one for what is paid.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoingRate;

impl Policy<BidderQuestion> for GoingRate {
    fn decide(&mut self, question: &BidderQuestion) -> Pick<BidOption> {
        let left = |offer: &Offer| question.last_unit?.saturating_mul(offer.value).checked_sub(offer.cost);
        let earning = question.offers.iter().filter_map(|offer| Some((left(offer)?, Reverse(offer.place))));
        let best = earning.filter(|(left, _)| *left > 0).max();
        let option = best.map(|(_, Reverse(place))| BidOption::Ask(place, Margin::None));
        match option.filter(|option| question.menu().contains(option)) {
            Some(option) => Pick { option, by: DecidedBy::Rules },
            None => Cheapest.decide(question),
        }
    }
}

impl Rival<BidderQuestion> for GoingRate {}
