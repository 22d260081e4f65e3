//! Every mechanism on markets that proptest draws, and each on one market worked out by hand.

use proptest::prelude::*;

use super::*;

/// Most for a unit of value, in micro-credits.
const RESERVE: u64 = 200;

fn member(n: usize) -> MemberId {
    MemberId([n as u8; 32])
}

fn ask(n: usize, price: u64, value: u64) -> Ask {
    Ask { member: member(n), price, value }
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    prop::collection::vec((0_u64..10_000, 1_u64..40), 1..12)
        .prop_map(|pairs| pairs.into_iter().enumerate().map(|(n, (price, value))| ask(n, price, value)).collect())
}

fn mechanism() -> impl Strategy<Value = Mechanism> {
    (0_usize..5, 1_u64..RESERVE).prop_map(|(place, per_value)| Mechanism::all(per_value)[place])
}

fn terms() -> impl Strategy<Value = Terms> {
    let cap = prop_oneof![Just(u64::MAX), 0_u64..10_000];
    (mechanism(), 0_u64..50_000, 0_usize..6, cap)
        .prop_map(|(mechanism, budget, winners, cap)| Terms { cap, ..Terms::new(mechanism, budget, RESERVE, winners) })
}

fn payment(asks: &[Ask], terms: Terms, who: MemberId) -> Option<u64> {
    clear(asks, terms, &Hash::ZERO).wins.iter().find(|win| win.member == who).map(|win| win.payment)
}

/// Four bids of which the first is cheapest for its value and the last dearest, and one above the reserve price.
fn hand_made() -> Vec<Ask> {
    vec![ask(1, 100, 100), ask(2, 400, 200), ask(3, 300, 100), ask(4, 900, 100), ask(5, 5_001, 100)]
}

fn wins(mechanism: Mechanism, budget: u64, winners: usize) -> Vec<(usize, u64)> {
    let cleared = clear(&hand_made(), Terms::new(mechanism, budget, 50, winners), &Hash::ZERO);
    cleared.wins.iter().map(|win| (usize::from(win.member.0[0]), win.payment)).collect()
}

#[test]
fn the_cheapest_for_their_value_are_paid_the_first_losers_price() {
    assert_eq!(wins(Mechanism::Critical, 10_000, 2), [(1, 300), (2, 600)]);
    assert_eq!(wins(Mechanism::Critical, 600, 2), [(1, 200), (2, 400)], "the shares of the budget are less");
}

#[test]
fn the_largest_surplus_is_paid_up_to_the_best_losers() {
    // Surpluses are 4,900, 9,600, 4,700 and 4,100.
    assert_eq!(wins(Mechanism::Vcg, 20_000, 2), [(2, 5_300), (1, 300)]);
    assert_eq!(wins(Mechanism::Vcg, 3_000, 2), [(2, 1_300), (1, 300)], "the budget makes a unit worth 10");
}

#[test]
fn the_best_scores_are_paid_what_they_ask() {
    assert_eq!(wins(Mechanism::FirstPrice, 10_000, 2), [(2, 400), (1, 100)]);
    assert_eq!(wins(Mechanism::FirstPrice, 450, 3), [(2, 400)], "the budget does not reach the others");
}

#[test]
fn a_posted_price_hires_the_most_valuable_of_those_who_take_it() {
    assert_eq!(wins(Mechanism::Posted { per_value: 3 }, 10_000, 1), [(2, 600)]);
    assert_eq!(wins(Mechanism::Posted { per_value: 1 }, 10_000, 3), [(1, 100)]);
}

#[test]
fn fixed_pay_is_the_same_for_all() {
    assert_eq!(wins(Mechanism::Fixed, 900, 3).len(), 2, "two ask more than a third of it");
    assert!(wins(Mechanism::Fixed, 900, 3).iter().all(|(_, payment)| *payment == 300));
    let few = Terms::new(Mechanism::Fixed, 900, 50, 3).after(0, 1);
    assert_eq!(clear(&hand_made(), few, &Hash::ZERO).wins, [Win { member: member(1), payment: 300 }]);
}

#[test]
fn equal_bids_are_ranked_by_the_seed() {
    for mechanism in Mechanism::all(10) {
        let asks: Vec<Ask> = (0..8).map(|n| ask(n, 100, 10)).collect();
        let first = |seed: u8| {
            clear(&asks, Terms::new(mechanism, 10_000, RESERVE, 1), &Hash([seed; 32]))
                .wins
                .first()
                .map(|win| win.member)
        };
        let mut lucky: Vec<_> = (0..64).filter_map(first).collect();
        lucky.sort_unstable();
        lucky.dedup();
        assert_eq!(lucky.len(), 8, "{mechanism}: some id is never lucky");
    }
}

#[test]
fn losers_are_told_why() {
    let cap = 700;
    let terms = Terms { cap, ..Terms::new(Mechanism::Critical, 10_000, 50, 1) };
    let asks = [ask(1, 100, 100), ask(2, 400, 100), ask(3, 600, 10), ask(4, 701, 100), ask(5, 1, 0)];
    let losses: Vec<_> = clear(&asks, terms, &Hash::ZERO).losses.iter().map(|loss| loss.why).collect();
    assert_eq!(losses, [Why::Outranked, Why::AboveReserve, Why::AboveCap, Why::OutOfBounds]);
    let why = |mechanism, budget| {
        clear(&[ask(2, 400, 100)], Terms::new(mechanism, budget, 50, 1), &Hash::ZERO)
            .losses
            .first()
            .map(|loss| loss.why)
    };
    for mechanism in [Mechanism::Critical, Mechanism::Vcg, Mechanism::FirstPrice] {
        assert_eq!((why(mechanism, 399), why(mechanism, 400)), (Some(Why::OverBudget), None), "{mechanism}");
    }
    let posted = |per_value| Mechanism::Posted { per_value };
    assert_eq!([why(posted(3), 900), why(posted(4), 399)], [Some(Why::AbovePosted), Some(Why::OverBudget)]);
    assert_eq!([why(Mechanism::Fixed, 399), why(Mechanism::Fixed, 400)], [Some(Why::AbovePosted), None]);
}

/// The largest declared welfare of at most `winners` of these bids, found by trying every set.
fn best_welfare(asks: &[Ask], winners: usize) -> i64 {
    let surplus = |ask: &Ask| (RESERVE * ask.value) as i64 - ask.price as i64;
    let sets = (0_u32..1 << asks.len()).filter(|set| set.count_ones() as usize <= winners);
    let welfare = |set: u32| (0..asks.len()).filter(|n| set & (1 << n) != 0).map(|n| surplus(&asks[n])).sum();
    sets.map(welfare).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn nobody_is_paid_less_than_it_asked_or_more_than_its_ceiling_nor_all_more_than_the_budget(
        asks in asks(), terms in terms(),
    ) {
        let cleared = clear(&asks, terms, &Hash::ZERO);
        prop_assert!(cleared.wins.len() <= terms.winners);
        prop_assert!(cleared.wins.iter().map(|win| win.payment).sum::<u64>() <= terms.budget);
        for win in &cleared.wins {
            let ask = asks.iter().find(|ask| ask.member == win.member).unwrap();
            prop_assert!((ask.price..=terms.ceiling(ask.value)).contains(&win.payment));
        }
        let mut heard: Vec<_> = cleared.wins.iter().map(|win| win.member).collect();
        heard.extend(cleared.losses.iter().map(|loss| loss.member));
        heard.sort_unstable();
        prop_assert_eq!(heard, asks.iter().map(|ask| ask.member).collect::<Vec<_>>(), "everybody wins or loses, once");
    }

    #[test]
    fn the_order_of_the_bids_means_nothing(asks in asks(), terms in terms(), cut in 0_usize..12) {
        let mut turned = asks.clone();
        turned.rotate_left(cut % asks.len());
        turned.reverse();
        prop_assert_eq!(clear(&asks, terms, &Hash::ZERO).wins, clear(&turned, terms, &Hash::ZERO).wins);
    }

    #[test]
    fn no_other_price_earns_more_than_the_true_cost(
        asks in asks(), terms in terms(), who in 0_usize..12, lie in 0_u64..12_000,
    ) {
        prop_assume!(terms.mechanism.is_truthful());
        let who = who % asks.len();
        let cost = i128::from(asks[who].price);
        let gain = |payment: Option<u64>| payment.map_or(0, |paid| i128::from(paid) - cost);
        let honest = gain(payment(&asks, terms, asks[who].member));
        let mut bent = asks.clone();
        bent[who].price = lie;
        prop_assert!(gain(payment(&bent, terms, asks[who].member)) <= honest);
    }

    #[test]
    fn who_wins_wins_for_less_too(asks in asks(), terms in terms(), who in 0_usize..12, less in 0_u64..10_000) {
        let who = who % asks.len();
        let mut cheaper = asks.clone();
        cheaper[who].price = asks[who].price.min(less);
        let wins = |asks: &[Ask]| payment(asks, terms, asks[who].member).is_some();
        prop_assert!(wins(&cheaper) || !wins(&asks));
    }

    #[test]
    fn vcg_finds_the_best_set_and_pays_what_absence_would_cost(asks in asks(), winners in 0_usize..6) {
        let terms = Terms::new(Mechanism::Vcg, u64::MAX, RESERVE, winners);
        let cleared = clear(&asks, terms, &Hash::ZERO);
        let asked = |win: &Win| asks.iter().find(|ask| ask.member == win.member).copied().unwrap();
        let welfare: i64 = cleared.wins.iter().map(|win| (RESERVE * asked(win).value) as i64 - asked(win).price as i64).sum();
        let best = best_welfare(&asks, winners);
        prop_assert_eq!(welfare, best);
        for win in &cleared.wins {
            let others: Vec<Ask> = asks.iter().filter(|ask| ask.member != win.member).copied().collect();
            let pivot = asked(win).price as i64 + best - best_welfare(&others, winners);
            prop_assert_eq!(i64::try_from(win.payment).unwrap(), pivot);
        }
    }
}
