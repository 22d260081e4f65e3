//! First price: the best scores win, and winners are paid what they ask.
//!
//! After FMore (Zeng and others, ICDCS 2020): the score of a bid is what it is worth less what it asks, and the K best
//! scores win. A unit of value is worth the reserve price here. The payment is the winner's own price, so asking more than
//! one's cost pays as long as the bid still wins: the mechanism to compare others with.

use std::cmp::Reverse;

use super::{Cleared, Entrant, Terms, Why};

/// From the best score on, whoever the budget that is left can pay.
pub(super) fn clear(entrants: Vec<Entrant>, terms: Terms) -> Cleared {
    let score = |entrant: &Entrant| {
        let worth = u128::from(terms.reserve) * u128::from(entrant.ask.value);
        // Nobody who asks more than that is an entrant.
        worth.saturating_sub(u128::from(entrant.ask.price))
    };
    let mut ranked: Vec<(u128, Entrant)> = entrants.into_iter().map(|entrant| (score(&entrant), entrant)).collect();
    ranked.sort_unstable_by_key(|(score, entrant)| (Reverse(*score), entrant.lot));
    let mut cleared = Cleared::default();
    let mut left = terms.budget;
    for (_, Entrant { ask, .. }) in ranked {
        match left.checked_sub(ask.price) {
            _ if cleared.wins.len() >= terms.winners => cleared.lose(&ask, Why::Outranked),
            None => cleared.lose(&ask, Why::OverBudget),
            Some(rest) => {
                left = rest;
                cleared.win(&ask, ask.price);
            }
        }
    }
    cleared
}
