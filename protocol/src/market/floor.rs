//! The fairness floor: members that have lost too often are hired first, at a posted price.
//!
//! The price is one winner's equal part of the budget, or what the reserve allows if that is less; where the market posts a
//! price, that takes the reserve's place. Nobody's asking moves it: whoever is overdue takes it or leaves it, so asking
//! one's cost is a dominant strategy here too. Marks do not count, and no more members go first than a round can hire, so
//! the budget always pays all of them.

use std::cmp::Reverse;

use super::{Mechanism, Terms, Win, lot};
use crate::ids::{Hash, MemberId};

/// The bid of a member that is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub member: MemberId,
    /// What it asks, in micro-credits.
    pub price: u64,
    /// The contract's value on the menu, without marks.
    pub worth: u64,
    /// By how many losses it is overdue.
    pub over: u64,
}

/// What the floor pays for a contract of this worth, in micro-credits.
pub fn price(worth: u64, terms: Terms) -> u64 {
    let most = match terms.mechanism {
        Mechanism::Posted { per_value } => per_value.saturating_mul(worth),
        Mechanism::Critical | Mechanism::Vcg | Mechanism::FirstPrice | Mechanism::Fixed => u64::MAX,
    };
    terms.part.min(terms.ceiling(worth)).min(most)
}

/// Hires those who ask no more than the floor pays: the longest overdue first, equals by their lots under `seed`.
pub fn serve(claims: &[Claim], terms: Terms, seed: &Hash) -> Vec<Win> {
    let mut content: Vec<&Claim> = claims.iter().filter(|claim| claim.price <= price(claim.worth, terms)).collect();
    content.sort_by_key(|claim| (Reverse(claim.over), lot(&claim.member, seed)));
    let win = |claim: &Claim| Win { member: claim.member, payment: price(claim.worth, terms) };
    content.into_iter().take(terms.winners).map(win).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::market::{Ask, clear};

    const MOST: usize = 3;

    fn member(n: u8) -> MemberId {
        MemberId([n; 32])
    }

    /// Bids of up to twelve members, of whom the first `overdue` are.
    fn bids() -> impl Strategy<Value = (Vec<(u64, u64)>, usize)> {
        let prices = prop::collection::vec((0_u64..10_000, 1_u64..400), 1..12);
        (prices, 0_usize..8)
    }

    /// A whole Plan: the floor, then the auction for at most `hire` places over what is left.
    fn hire(bids: &[(u64, u64)], overdue: usize, budget: u64, hire: usize) -> Vec<Win> {
        let terms = Terms::new(Mechanism::Critical, budget, 200, MOST);
        let (mut claims, mut asks) = (Vec::new(), Vec::new());
        for (n, &(price, worth)) in bids.iter().enumerate() {
            let member = member(n as u8);
            if n < overdue {
                claims.push(Claim { member, price, worth, over: n as u64 / 2 });
            } else {
                asks.push(Ask { member, price, value: worth });
            }
        }
        let mut wins = serve(&claims, terms, &Hash::ZERO);
        let spent: u64 = wins.iter().map(|win| win.payment).sum();
        let left = terms.after(spent, hire.saturating_sub(wins.len()));
        wins.extend(clear(&asks, left, &Hash::ZERO).wins);
        wins
    }

    #[test]
    fn the_longest_overdue_go_first_at_a_price_that_nobody_asked() {
        let terms = Terms::new(Mechanism::Critical, 300, 2, MOST);
        let claim = |n, price, worth, over| Claim { member: member(n), price, worth, over };
        let claims = [claim(1, 0, 80, 0), claim(2, 100, 80, 5), claim(3, 101, 80, 9), claim(4, 1, 10, 2)];
        let wins = serve(&claims, terms, &Hash::ZERO);
        let paid = |n, payment| Win { member: member(n), payment };
        assert_eq!(wins, [paid(2, 100), paid(4, 20), paid(1, 100)], "the third asks more than a third of the budget");
        let alone = Terms { winners: 1, budget: 100, ..terms };
        assert_eq!(serve(&claims, alone, &Hash::ZERO), [paid(2, 100)]);
    }

    proptest! {
        #[test]
        fn all_that_are_hired_together_are_paid_what_they_ask_and_cost_no_more_than_the_budget(
            (bids, overdue) in bids(), budget in 0_u64..50_000, most in 0_usize..=MOST,
        ) {
            let wins = hire(&bids, overdue, budget, most);
            prop_assert!(wins.len() <= MOST);
            prop_assert!(wins.iter().map(|win| win.payment).sum::<u64>() <= budget);
            for win in &wins {
                prop_assert!(win.payment >= bids[usize::from(win.member.0[0])].0);
            }
        }

        #[test]
        fn no_other_price_earns_more_than_the_true_cost_overdue_or_not(
            (bids, overdue) in bids(), budget in 1_u64..50_000, most in 0_usize..=MOST, who in 0_usize..12, lie in 0_u64..12_000,
        ) {
            let who = who % bids.len();
            let cost = i128::from(bids[who].0);
            let gain = |bids: &[(u64, u64)]| {
                let wins = hire(bids, overdue, budget, most);
                let won = wins.iter().find(|win| win.member == member(who as u8));
                won.map_or(0, |win| i128::from(win.payment) - cost)
            };
            let mut bent = bids.clone();
            bent[who].0 = lie;
            prop_assert!(gain(&bent) <= gain(&bids));
        }
    }
}
