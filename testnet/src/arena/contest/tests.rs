use althing_agents::policy::Reorder;

use super::*;
use crate::arena::contestant::Failure;

/// A menu whose entries are worth themselves.
#[derive(Clone)]
struct Numbers(Vec<u8>);

impl Question for Numbers {
    type Option = u8;

    fn menu(&self) -> &[u8] {
        &self.0
    }
}

impl Reorder for Numbers {
    fn reordered(&self, order: &[usize]) -> Self {
        Self(order.iter().map(|place| self.0[*place]).collect())
    }
}

impl Context for Numbers {
    type Question = Self;
    type Choice = u8;

    fn question(&self) -> &Self {
        self
    }

    fn entry(&self, option: u8) -> u8 {
        option
    }

    fn option(&self, choice: &u8) -> Option<u8> {
        Some(*choice)
    }

    fn allows(&self, choice: &u8) -> bool {
        self.0.contains(choice)
    }

    fn value(&self, choice: &u8) -> f64 {
        f64::from(*choice)
    }

    fn reordered(&self, order: &[usize]) -> Self {
        Reorder::reordered(self, order)
    }
}

/// Answers by a rule, and remembers what it was taught.
struct Somebody<F>(F, Vec<f64>);

impl<F: FnMut(&[u8]) -> Result<u8, Failure> + Send> Contestant<Numbers> for Somebody<F> {
    fn answer(&mut self, context: &Numbers) -> Result<u8, Failure> {
        (self.0)(context.menu())
    }

    fn learn(&mut self, _: &Numbers, _: &u8, value: f64) {
        self.1.push(value);
    }
}

/// What comes of four contexts, each re-asked in three other orders.
fn tally(answer: impl FnMut(&[u8]) -> Result<u8, Failure> + Send) -> Tally {
    let contestant = Box::new(Somebody(answer, Vec::new()));
    let mut seated = [Seated { name: "somebody".to_owned(), contestant, tally: Tally::default() }];
    for number in 0..4 {
        hold(&Numbers(vec![2, 8, 4, 6]), number, Manner { seed: 1, permutations: 3 }, &mut seated);
    }
    let [Seated { tally, .. }] = seated;
    tally
}

#[test]
fn regret_is_what_was_missed_of_what_could_be() {
    let greedy = tally(|menu| Ok(menu.iter().copied().max().unwrap_or(0)));
    assert_eq!((greedy.asked, greedy.valid, greedy.wrong, greedy.regret_share()), (4, 4, 0, Some(0.0)));
    let modest = tally(|menu| Ok(menu.iter().copied().min().unwrap_or(0)));
    assert_eq!((modest.wrong, modest.regret_share(), modest.value), (4, Some(1.0), 8.0));
    assert_eq!(tally(|_| Ok(4)).regret_share(), Some(4.0 / 6.0));
}

#[test]
fn whoever_goes_by_places_is_found_out_and_nobody_else_is() {
    let first = tally(|menu| Ok(menu[0]));
    assert_eq!(first.reasked, 12);
    assert!(first.changed >= 6, "{} of 12, where 9 are due", first.changed);
    assert_eq!((tally(|_| Ok(6)).changed, tally(|_| Ok(6)).reasked), (0, 12));
}

#[test]
fn code_decides_for_whom_there_is_no_valid_answer_of() {
    let astray = tally(|_| Ok(5));
    assert_eq!((astray.valid, astray.wrong, astray.fallbacks()), (0, 0, 4));
    assert_eq!(astray.failures, [("off the menu".to_owned(), 4)].into());
    assert_eq!((astray.value, astray.reasked), (8.0, 0), "the first entry, and no order to measure");
    let mut turn = 0;
    let half = tally(move |_| {
        turn += 1;
        if turn % 2 == 1 { Err(Failure("timeout".to_owned())) } else { Ok(8) }
    });
    assert_eq!(half.failures.keys().collect::<Vec<_>>(), ["timeout"]);
    assert_eq!(half.latencies.len(), 4, "what did not come took its time too");
}

#[test]
fn other_orders_are_other_and_the_same_for_everybody() {
    let manner = Manner { seed: 1, permutations: 40 };
    for places in [2, 3, 7] {
        let orders = orders(places, 5, manner);
        assert_eq!(orders.len(), 40);
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(0..places) && !order.is_sorted());
        }
        assert_eq!(orders, super::orders(places, 5, manner));
    }
    assert!(orders(1, 5, manner).is_empty() && orders(0, 5, manner).is_empty());
}
