//! A posted price: take it or leave it.
//!
//! Who asks no more than what is posted for its value takes it. If more do than there are places or budget for, the most
//! valuable go first, equals by lot. Neither the pay nor the order depends on any price, so asking one's cost is a dominant
//! strategy.

use std::cmp::Reverse;

use super::{Cleared, Entrant, Terms, Why};

/// Pays `per_value` micro-credits for each unit of value.
pub(super) fn clear(entrants: Vec<Entrant>, terms: Terms, per_value: u64) -> Cleared {
    offer(entrants, terms, |value| per_value.saturating_mul(value).min(terms.ceiling(value)))
}

/// Hires those who ask no more than `pay` of their value, as long as there are places and budget.
pub(super) fn offer(mut entrants: Vec<Entrant>, terms: Terms, pay: impl Fn(u64) -> u64) -> Cleared {
    entrants.sort_unstable_by_key(|entrant| (Reverse(entrant.ask.value), entrant.lot));
    let mut cleared = Cleared::default();
    let mut left = terms.budget;
    for Entrant { ask, .. } in entrants {
        let pay = pay(ask.value);
        match left.checked_sub(pay) {
            _ if ask.price > pay => cleared.lose(&ask, Why::AbovePosted),
            _ if cleared.wins.len() >= terms.winners => cleared.lose(&ask, Why::Outranked),
            None => cleared.lose(&ask, Why::OverBudget),
            Some(rest) => {
                left = rest;
                cleared.win(&ask, pay);
            }
        }
    }
    cleared
}
