//! Vickrey, Clarke and Groves: the largest surplus wins, and winners are paid what their absence would cost.
//!
//! The problem: of all sets of at most K bids, find one with the largest declared welfare, the sum of `rate * value - price`
//! over the set, where a unit of value is worth `rate` to the federation. Welfare is a sum over single bids and K is the
//! only constraint, so the K bids with the largest surplus that is not negative are an exact optimum: exchanging a chosen
//! bid for another never adds to the sum. Winner i is paid `price + W(all) - W(all without i)`; without i the best loser
//! moves up, so this is `rate * value` less the best loser's surplus, and one ranking yields all payments.
//!
//! VCG knows no budget: payments are as large as truth requires. The budget therefore enters through the rate, which is the
//! reserve price or, if that is less, `budget / (value of the K most valuable bids)`. No payment exceeds `rate * value`, so
//! all payments together never exceed the budget; and nobody's price moves the rate, so asking one's cost stays a dominant
//! strategy whether or not the budget binds. Where it binds, what is exact is the welfare at the lowered rate.

use std::cmp::Reverse;

use super::{Ask, Cleared, Entrant, Terms, Why};

/// What a unit of value is worth, as a fraction, in micro-credits.
#[derive(Debug, Clone, Copy)]
struct Rate {
    amount: u128,
    value: u128,
}

impl Rate {
    /// The reserve price, or what the budget can pay the most valuable bids if that is less.
    fn new(entrants: &[Entrant], terms: Terms) -> Self {
        let mut values: Vec<u64> = entrants.iter().map(|entrant| entrant.ask.value).collect();
        values.sort_unstable_by_key(|value| Reverse(*value));
        let most: u128 = values.iter().take(terms.winners).map(|&value| u128::from(value)).sum();
        let (budget, reserve) = (u128::from(terms.budget), u128::from(terms.reserve));
        if reserve.saturating_mul(most) <= budget {
            Self { amount: reserve, value: 1 }
        } else {
            Self { amount: budget, value: most.max(1) }
        }
    }

    /// What a bid leaves to the federation, times the fraction's denominator; nothing if it would cost more than it is
    /// worth.
    fn surplus(self, ask: &Ask) -> Option<u128> {
        (self.amount * u128::from(ask.value)).checked_sub(self.value * u128::from(ask.price))
    }

    /// The payment at which a winner leaves just this surplus.
    fn leaving(self, surplus: u128, value: u64) -> u64 {
        let payment = (self.amount * u128::from(value)).saturating_sub(surplus) / self.value;
        u64::try_from(payment).unwrap_or(u64::MAX)
    }
}

/// The K largest surpluses win; the best loser's sets the payments.
pub(super) fn clear(entrants: Vec<Entrant>, terms: Terms) -> Cleared {
    let rate = Rate::new(&entrants, terms);
    let (mut ranked, mut dear) = (Vec::with_capacity(entrants.len()), Vec::new());
    for entrant in entrants {
        match rate.surplus(&entrant.ask) {
            Some(surplus) => ranked.push((surplus, entrant)),
            None => dear.push(entrant),
        }
    }
    ranked.sort_unstable_by_key(|(surplus, entrant)| (Reverse(*surplus), entrant.lot));
    let (winners, losers) = ranked.split_at(ranked.len().min(terms.winners));
    let best_lost = losers.first().map_or(0, |(surplus, _)| *surplus);
    let mut cleared = Cleared::default();
    for (_, Entrant { ask, .. }) in winners {
        cleared.win(ask, rate.leaving(best_lost, ask.value).min(terms.ceiling(ask.value)));
    }
    for (_, Entrant { ask, .. }) in losers {
        cleared.lose(ask, Why::Outranked);
    }
    // The reserve has let them pass, so it is the budget that lowered the rate.
    for Entrant { ask, .. } in dear {
        cleared.lose(&ask, Why::OverBudget);
    }
    cleared
}
