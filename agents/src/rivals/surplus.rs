//! The contract that earns most.

use std::cmp::Reverse;

use althing_protocol::event::DecidedBy;

use super::Rival;
use crate::{
    bidder::{BidOption, BidderQuestion, Margin, Offer},
    policy::{Pick, Policy, Question},
};

/// Asks its cost, for the contract on which most would be left over at the reserve price.
///
/// Asking one's cost is dominant once a contract is chosen, but which one is not for the auction to say: the cheapest for
/// each unit of value wins most often, and a larger one earns more whenever it wins. Where many members do this, a round's
/// budget hires fewer of them and pays more: best for one, and dear for the federation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surplus;

impl Policy<BidderQuestion> for Surplus {
    fn decide(&mut self, question: &BidderQuestion) -> Pick<BidOption> {
        let left = |offer: &Offer| question.reserve_price.saturating_mul(offer.value).checked_sub(offer.cost);
        let earning = question.offers.iter().filter_map(|offer| Some((left(offer)?, Reverse(offer.place))));
        let best = earning.max().map(|(_, Reverse(place))| BidOption::Ask(place, Margin::None));
        let option = best.filter(|option| question.menu().contains(option)).unwrap_or(BidOption::Pass);
        Pick { option, by: DecidedBy::Rules }
    }
}

impl Rival<BidderQuestion> for Surplus {}
