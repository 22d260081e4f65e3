//! Clearing: who is hired, and what delivery pays.
//!
//! A budget-feasible reverse auction after Singer ("Budget feasible mechanisms", FOCS 2010) with proportional shares.
//! Bids are ranked by price per unit of value; a prefix of at most K bids wins in which the last still asks no more
//! than its share of the budget; each winner is paid the highest price at which it would still have won. Allocation is
//! monotone in the price and the payment does not depend on it, so asking one's cost is a dominant strategy. All of it
//! is integer arithmetic.

pub mod floor;

use std::cmp::Ordering;

use crate::ids::{Hash, MemberId};

/// A bid as the clearing rule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub member: MemberId,
    /// For what price, in micro-credits.
    pub price: u64,
    /// For what value: the contract's worth times the mark. Never zero.
    pub value: u64,
}

/// What the federation offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Most that all winners may cost together, in micro-credits.
    pub budget: u64,
    /// Most that one unit of value may cost, in micro-credits.
    pub reserve: u64,
    /// Most members to hire.
    pub winners: usize,
}

/// A winner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Win {
    /// Who is hired.
    pub member: MemberId,
    /// What delivery pays, in micro-credits: at least the price asked.
    pub payment: u64,
}

/// Clears `asks` under `terms`. Equal asks are ranked by `seed`, so that no id is lucky for ever.
///
/// Winners come in rank order. Asks without value are left out.
pub fn clear(asks: &[Ask], terms: Terms, seed: &Hash) -> Vec<Win> {
    let mut ranked: Vec<&Ask> = asks.iter().filter(|ask| ask.value > 0 && within_reserve(ask, terms.reserve)).collect();
    ranked.sort_by(|a, b| rank(a, b, seed));

    let mut total_value = 0_u128;
    let mut count = 0;
    for ask in ranked.iter().take(terms.winners) {
        let with = total_value + u128::from(ask.value);
        if u128::from(ask.price) * with > u128::from(terms.budget) * u128::from(ask.value) {
            break;
        }
        total_value = with;
        count += 1;
    }

    let (winners, losers) = ranked.split_at(count);
    let runner_up = losers.first().copied();
    winners
        .iter()
        .map(|ask| Win { member: ask.member, payment: critical_price(ask, total_value, runner_up, terms) })
        .collect()
}

/// The highest price at which `ask` would still win: its share of the budget, the reserve, or the first loser's price
/// per unit, whichever is least.
fn critical_price(ask: &Ask, total_value: u128, runner_up: Option<&Ask>, terms: Terms) -> u64 {
    let value = u128::from(ask.value);
    let share = u128::from(terms.budget) * value / total_value.max(1);
    let reserve = u128::from(terms.reserve) * value;
    let rival = runner_up.map_or(u128::MAX, |loser| u128::from(loser.price) * value / u128::from(loser.value.max(1)));
    // All three are at least the price asked: the share and the rank were checked, the reserve filtered.
    u64::try_from(share.min(reserve).min(rival)).unwrap_or(u64::MAX)
}

fn within_reserve(ask: &Ask, reserve: u64) -> bool {
    u128::from(ask.price) <= u128::from(reserve) * u128::from(ask.value)
}

fn rank(a: &Ask, b: &Ask, seed: &Hash) -> Ordering {
    let by_unit_price = (u128::from(a.price) * u128::from(b.value)).cmp(&(u128::from(b.price) * u128::from(a.value)));
    by_unit_price.then_with(|| lot(&a.member, seed).cmp(&lot(&b.member, seed)))
}

/// A member's lot in a round, for ties.
fn lot(member: &MemberId, seed: &Hash) -> Hash {
    Hash::derive("althing 1 tie", &[seed.as_bytes(), member.as_bytes()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(n: u8) -> MemberId {
        MemberId([n; 32])
    }

    fn asks() -> impl Strategy<Value = Vec<Ask>> {
        prop::collection::vec((0_u64..10_000, 1_u64..400), 1..12).prop_map(|pairs| {
            let numbered = pairs.into_iter().enumerate();
            numbered.map(|(n, (price, value))| Ask { member: member(n as u8), price, value }).collect()
        })
    }

    fn payment(asks: &[Ask], terms: Terms, who: MemberId) -> Option<u64> {
        clear(asks, terms, &Hash::ZERO).iter().find(|win| win.member == who).map(|win| win.payment)
    }

    #[test]
    fn the_cheapest_per_unit_win_and_are_paid_the_first_losers_price() {
        let ask = |n, price, value| Ask { member: member(n), price, value };
        let asks = [ask(1, 300, 100), ask(2, 100, 100), ask(3, 400, 200), ask(4, 900, 100)];
        let terms = Terms { budget: 10_000, reserve: 50, winners: 2 };
        let wins = clear(&asks, terms, &Hash::ZERO);
        assert_eq!(wins, [Win { member: member(2), payment: 300 }, Win { member: member(3), payment: 600 }]);
    }

    proptest! {
        #[test]
        fn nobody_is_paid_less_than_it_asked_nor_all_more_than_the_budget(
            asks in asks(), budget in 0_u64..50_000, winners in 1_usize..6,
        ) {
            let terms = Terms { budget, reserve: 200, winners };
            let wins = clear(&asks, terms, &Hash::ZERO);
            prop_assert!(wins.len() <= winners);
            prop_assert!(wins.iter().map(|win| win.payment).sum::<u64>() <= budget);
            for win in &wins {
                let ask = asks.iter().find(|ask| ask.member == win.member).unwrap();
                prop_assert!(win.payment >= ask.price);
            }
        }

        #[test]
        fn no_other_price_earns_more_than_the_true_cost(
            asks in asks(), budget in 1_u64..50_000, winners in 1_usize..6, who in 0_usize..12, lie in 0_u64..12_000,
        ) {
            let terms = Terms { budget, reserve: 200, winners };
            let who = who % asks.len();
            let cost = i128::from(asks[who].price);
            let gain = |payment: Option<u64>| payment.map_or(0, |paid| i128::from(paid) - cost);
            let honest = gain(payment(&asks, terms, asks[who].member));
            let mut bent = asks.clone();
            bent[who].price = lie;
            prop_assert!(gain(payment(&bent, terms, asks[who].member)) <= honest);
        }
    }
}
