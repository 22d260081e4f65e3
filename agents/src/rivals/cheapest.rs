//! The contract that wins most often.

use althing_protocol::event::DecidedBy;

use super::Rival;
use crate::{
    bidder::{BidOption, BidderQuestion, Margin, Offer},
    policy::{Pick, Policy, Question},
};

/// Asks its cost, for the contract that is cheapest per unit of value. Under the default mechanism no other price pays better
/// for that contract; another contract may.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cheapest;

impl Policy<BidderQuestion> for Cheapest {
    fn decide(&mut self, question: &BidderQuestion) -> Pick<BidOption> {
        let on_menu = |offer: &&Offer| question.menu().contains(&BidOption::Ask(offer.place, Margin::None));
        let unit_cost = |a: &&Offer, b: &&Offer| {
            (u128::from(a.cost) * u128::from(b.value)).cmp(&(u128::from(b.cost) * u128::from(a.value)))
        };
        let best = question.offers.iter().filter(on_menu).min_by(unit_cost);
        let option = best.map_or(BidOption::Pass, |offer| BidOption::Ask(offer.place, Margin::None));
        Pick { option, by: DecidedBy::Rules }
    }
}

impl Rival<BidderQuestion> for Cheapest {}
