//! The critical-value reverse auction within a budget, the default.
//!
//! After Singer ("Budget feasible mechanisms", FOCS 2010), with proportional shares. Bids are ranked by price per unit of
//! value; a prefix wins in which the last still asks no more than its share of the budget; each winner is paid the highest
//! price at which it would still have won. A cheaper price never loses a place, and the payment does not depend on it, so
//! asking one's cost is a dominant strategy (Myerson 1981).
//!
//! All critical prices come from one ranking: whoever asks more than the first loser, for each unit, ranks behind it, and
//! there it loses, since either the places or the shares end before it. So a clearing costs what sorting costs.

use std::cmp::Ordering;

use super::{Ask, Cleared, Entrant, Terms, Why};

/// A prefix of the ranking wins; the payment is the critical price.
pub(super) fn clear(mut entrants: Vec<Entrant>, terms: Terms) -> Cleared {
    entrants.sort_unstable_by(rank);
    let (count, total_value) = affordable(&entrants, terms);
    let (winners, losers) = entrants.split_at(count);
    let runner_up = losers.first().map(|loser| loser.ask);
    let why = if count < terms.winners { Why::OverBudget } else { Why::Outranked };
    let mut cleared = Cleared::default();
    for winner in winners {
        cleared.win(&winner.ask, critical_price(&winner.ask, total_value, runner_up, terms));
    }
    for loser in losers {
        cleared.lose(&loser.ask, why);
    }
    cleared
}

/// How many from the front win, and what they are worth together.
fn affordable(ranked: &[Entrant], terms: Terms) -> (usize, u128) {
    let mut total_value = 0_u128;
    for (place, Entrant { ask, .. }) in ranked.iter().enumerate() {
        let with = total_value + u128::from(ask.value);
        let asks_its_share = u128::from(ask.price) * with <= u128::from(terms.budget) * u128::from(ask.value);
        if place >= terms.winners || !asks_its_share {
            return (place, total_value);
        }
        total_value = with;
    }
    (ranked.len(), total_value)
}

/// The highest price at which `ask` would still win: its share of the budget, the ceiling of its value, or the first
/// loser's price per unit, whichever is least.
fn critical_price(ask: &Ask, total_value: u128, runner_up: Option<Ask>, terms: Terms) -> u64 {
    let value = u128::from(ask.value);
    let share = u128::from(terms.budget) * value / total_value.max(1);
    let rival = runner_up.map_or(u128::MAX, |loser| u128::from(loser.price) * value / u128::from(loser.value.max(1)));
    // All three are at least the price asked: the share and the rank were checked, and so was the ceiling.
    u64::try_from(share.min(rival)).unwrap_or(u64::MAX).min(terms.ceiling(ask.value))
}

/// By price per unit of value, the lowest first.
fn rank(a: &Entrant, b: &Entrant) -> Ordering {
    let crossed = |one: &Entrant, other: &Entrant| u128::from(one.ask.price) * u128::from(other.ask.value);
    crossed(a, b).cmp(&crossed(b, a)).then_with(|| a.lot.cmp(&b.lot))
}
