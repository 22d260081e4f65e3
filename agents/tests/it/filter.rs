//! The filter under crashes, replays, refusals and requests that follow its own answers.

use std::{collections::BTreeSet, sync::OnceLock};

use althing_agents::privacy::{
    Budget, BudgetError, Conversion, Curve, Debit, Debited, Filter, MAX_FILTER_BYTES, MAX_STEPS, MAX_TICKETS, Refused,
    Spend, Ticket, default_orders,
};
use althing_protocol::{
    codec,
    ids::{Hash, Round},
};
use proptest::prelude::*;
use serde::Serialize;

use crate::integral;

/// Rates and noises that requests choose from: strong noise, the usual, weak noise, and all examples at once.
const KINDS: [(f64, f64); 4] = [(0.01, 4.0), (0.01, 1.1), (0.05, 0.6), (1.0, 5.0)];

fn spend(kind: usize, steps: u64) -> Spend {
    Spend::new(KINDS[kind].0, KINDS[kind].1, steps).unwrap()
}

fn ticket(round: u64, contract: u8) -> Ticket {
    Ticket { round: Round(round), contract: Hash([contract; 32]) }
}

fn budget(epsilon: f64) -> Budget {
    Budget::new(epsilon, 1e-5).unwrap()
}

fn fresh() -> Filter {
    Filter::new(budget(2.0), &spend(1, 1))
}

/// Debits, writes and takes the token.
fn draw(filter: &mut Filter, spend: Spend, ticket: Ticket) -> Debited {
    match filter.debit(spend, ticket).unwrap() {
        Debit::Fresh(receipt) => receipt.make_durable(|_| Ok::<_, ()>(())).unwrap(),
        Debit::Repeated => panic!("{ticket:?} was debited before"),
    }
}

/// The least epsilon of `spends` by the integral of the definition.
fn epsilon(spends: &[Spend], delta: f64) -> f64 {
    static COSTS: OnceLock<Vec<(f64, [f64; KINDS.len()])>> = OnceLock::new();
    let costs = COSTS.get_or_init(|| {
        // All orders that a filter may lead with: without the high ones the oracle would call an honest grant dear.
        default_orders().map(|order| (order, KINDS.map(|(q, sigma)| integral::rdp(q, sigma, order)))).collect()
    });
    let kind = |spend: &Spend| KINDS.iter().position(|kind| *kind == (spend.q(), spend.sigma())).unwrap();
    let at = |(order, cost): &(f64, [f64; KINDS.len()])| {
        // No step costs nothing, also where a step would cost more than a number can say.
        let real = spends.iter().filter(|spend| spend.steps() > 0);
        let divergence = real.map(|spend| spend.steps() as f64 * cost[kind(spend)]).sum();
        integral::epsilon(*order, divergence, delta)
    };
    if spends.is_empty() { 0.0 } else { costs.iter().map(at).fold(f64::INFINITY, f64::min) }
}

#[test]
fn a_replay_spends_nothing_and_draws_nothing() {
    let mut filter = fresh();
    let token = draw(&mut filter, spend(1, 100), ticket(1, 1));
    assert_eq!((token.spend(), token.ticket()), (&spend(1, 100), ticket(1, 1)));
    let before = filter.clone();
    assert!(matches!(filter.debit(spend(1, 100), ticket(1, 1)), Ok(Debit::Repeated)));
    for changed in [spend(1, 101), spend(1, 99), spend(0, 100)] {
        assert_eq!(filter.debit(changed, ticket(1, 1)).unwrap_err(), Refused::Changed { round: Round(1) });
    }
    assert_eq!(filter, before);
    let restored = Filter::restore(&filter.bytes()).unwrap();
    assert_eq!(restored, filter);
}

#[test]
fn a_debit_that_is_not_durable_draws_nothing_and_stays_spent() {
    let mut filter = fresh();
    let Debit::Fresh(receipt) = filter.debit(spend(1, 100), ticket(1, 1)).unwrap() else { panic!("it is new") };
    assert_eq!(receipt.make_durable(|_| Err("disk full")).unwrap_err(), "disk full");
    assert!(filter.epsilon_spent() > 0.0);
    assert!(matches!(filter.debit(spend(1, 100), ticket(1, 1)), Ok(Debit::Repeated)));
}

#[test]
fn what_is_left_is_granted_and_no_step_more() {
    for (kind, (q, sigma)) in KINDS.into_iter().enumerate() {
        let mut filter = fresh();
        let _token = draw(&mut filter, spend(1, 100), ticket(1, 1));
        let left = filter.steps_left(q, sigma).unwrap();
        let before = filter.bytes();
        let refused = filter.debit(spend(kind, left + 1), ticket(2, 1)).unwrap_err();
        assert_eq!(refused, Refused::OverBudget { asked: left + 1, left });
        assert_eq!(filter.bytes(), before);
        let _token = draw(&mut filter, spend(kind, left), ticket(2, 1));
        assert_eq!(filter.steps_left(q, sigma).unwrap(), 0);
        assert!(filter.remaining() >= 0.0 && filter.epsilon_spent() <= 2.0);
    }
    assert_eq!(fresh().steps_left(0.0, 0.0).unwrap(), MAX_STEPS);
    assert_eq!(fresh().steps_left(0.01, 0.0).unwrap(), 0, "without noise");
}

#[test]
fn deciding_on_the_way_costs_little() {
    for epsilon in [1.0, 2.0, 8.0] {
        let filter = Filter::new(budget(epsilon), &spend(1, 1));
        let steps = filter.steps_left(0.01, 1.1).unwrap();
        let fixed = Curve::of(&spend(1, steps)).guarantee(1e-5, Conversion::Tight).epsilon;
        assert!((0.95 * epsilon..=epsilon).contains(&fixed), "{steps} steps use {fixed} of {epsilon}");
    }
    // Other training than was expected still finds an order that holds.
    for epsilon in [2.0, 8.0] {
        let left = |expected| Filter::new(budget(epsilon), &spend(expected, 1)).steps_left(0.01, 1.1).unwrap();
        let (expected, surprised) = (left(1), left(3));
        assert!(surprised * 3 > expected, "{surprised} instead of {expected} at {epsilon}");
    }
}

#[test]
fn nothing_spent_is_nothing_and_budgets_must_mean_something() {
    assert_eq!((fresh().epsilon_spent(), fresh().remaining()), (0.0, 2.0));
    for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Budget::new(epsilon, 1e-5), Err(BudgetError::Epsilon(_))), "{epsilon}");
    }
    for delta in [0.0, 1.0, f64::NAN] {
        assert!(matches!(Budget::new(1.0, delta), Err(BudgetError::Delta(_))), "{delta}");
    }
    assert!(matches!(Budget::new(1e-6, 1e-9), Err(BudgetError::TooSmall { .. })));
}

#[test]
fn old_tickets_are_forgotten_and_never_paid_again() {
    let mut filter = fresh();
    for round in 1..=MAX_TICKETS as u64 + 10 {
        let _token = draw(&mut filter, spend(0, 1), ticket(round, 1));
    }
    assert!(filter.bytes().len() < MAX_FILTER_BYTES);
    let mut filter = Filter::restore(&filter.bytes()).unwrap();
    assert!(matches!(filter.debit(spend(0, 1), ticket(11, 1)), Ok(Debit::Repeated)));
    for (round, contract) in [(10, 1), (10, 2), (0, 1)] {
        let refused = filter.debit(spend(0, 1), ticket(round, contract)).unwrap_err();
        assert_eq!(refused, Refused::Forgotten { round: Round(round), first: Round(11) });
    }
}

/// A stored filter, to be written with what no filter has.
#[derive(Serialize)]
struct Forged {
    budget: ForgedBudget,
    lines: Vec<ForgedLine>,
    first_round: Round,
    entries: Vec<ForgedEntry>,
    debits: u64,
}

#[derive(Serialize)]
struct ForgedBudget {
    epsilon: f64,
    delta: f64,
}

#[derive(Serialize, Clone)]
struct ForgedLine {
    order: f64,
    share: f64,
    spent: f64,
}

#[derive(Serialize)]
struct ForgedEntry {
    ticket: Ticket,
    spend: ForgedSpend,
}

#[derive(Serialize)]
struct ForgedSpend {
    q: f64,
    sigma: f64,
    steps: u64,
}

#[test]
fn only_what_a_filter_can_be_is_restored() {
    let restore = |epsilon, order, share, spent, q, entries| {
        let line = ForgedLine { order, share, spent };
        let entry = |round| ForgedEntry { ticket: ticket(round, 1), spend: ForgedSpend { q, sigma: 1.0, steps: 1 } };
        let forged = Forged {
            budget: ForgedBudget { epsilon, delta: 1e-5 },
            lines: vec![line.clone(), line],
            first_round: Round(0),
            entries: (0..entries).map(entry).collect(),
            debits: entries,
        };
        Filter::restore(&codec::encode(&forged))
    };
    restore(1.0, 8.0, 0.5, 0.1, 0.1, 2).unwrap();
    restore(1.0, 8.0, 0.5, f64::INFINITY, 0.1, 2).unwrap();
    for (what, restored) in [
        ("no budget", restore(-1.0, 8.0, 0.5, 0.1, 0.1, 2)),
        ("no order", restore(1.0, 1.0, 0.5, 0.1, 0.1, 2)),
        ("more than all of delta", restore(1.0, 8.0, 0.6, 0.1, 0.1, 2)),
        ("a refund", restore(1.0, 8.0, 0.5, -0.1, 0.1, 2)),
        ("no number", restore(1.0, 8.0, 0.5, f64::NAN, 0.1, 2)),
        ("no rate", restore(1.0, 8.0, 0.5, 0.1, 1.1, 2)),
        ("too many tickets", restore(1.0, 8.0, 0.5, 0.1, 0.1, MAX_TICKETS as u64 + 1)),
    ] {
        assert!(restored.unwrap_err().to_string().contains("restore it from a copy"), "{what}");
    }
    let bytes = fresh().bytes();
    for length in 0..bytes.len() {
        assert!(Filter::restore(&bytes[..length]).is_err(), "{length}");
    }
}

/// How many steps somebody asks for, often in view of what the filter says is left.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Steps(u64),
    PartOfTheRest(f64),
    OneTooMany,
}

/// What happens around a debit.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Written and drawn.
    Drawn,
    /// The process dies before the write is durable.
    LostBeforeWrite,
    /// The process dies when the write is durable but before it hears of it.
    LostAfterWrite,
    /// The disk refuses and the process lives on.
    WriteFails,
}

type Request = (usize, Wish, u64, u8, Fate);

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let wish = prop_oneof![
        (0u64..3_000).prop_map(Wish::Steps),
        (0.0..=1.0f64).prop_map(Wish::PartOfTheRest),
        Just(Wish::OneTooMany),
    ];
    let fate = prop_oneof![
        4 => Just(Fate::Drawn),
        1 => Just(Fate::LostBeforeWrite),
        1 => Just(Fate::LostAfterWrite),
        1 => Just(Fate::WriteFails),
    ];
    prop::collection::vec((0..KINDS.len(), wish, 0u64..12, 0u8..2, fate), 1..40)
}

/// A member's process and disk, and the noise that was ever drawn.
struct Member {
    filter: Filter,
    disk: Vec<u8>,
    drawn: Vec<Spend>,
    tickets: BTreeSet<Ticket>,
}

impl Member {
    fn request(&mut self, (kind, wish, round, contract, fate): Request) {
        let (q, sigma) = KINDS[kind];
        let left = self.filter.steps_left(q, sigma).unwrap();
        let steps = match wish {
            Wish::Steps(steps) => steps,
            Wish::PartOfTheRest(part) => (left as f64 * part) as u64,
            Wish::OneTooMany => left + 1,
        };
        let before = self.filter.clone();
        let ticket = ticket(round, contract);
        let receipt = match self.filter.debit(spend(kind, steps), ticket) {
            Ok(Debit::Fresh(receipt)) => receipt,
            Ok(Debit::Repeated) | Err(_) => return assert_eq!(self.filter, before, "a refusal or replay spends"),
        };
        assert!(steps <= left, "{steps} granted where {left} were left");
        let disk = &mut self.disk;
        let written = receipt.make_durable(|bytes| match fate {
            Fate::Drawn | Fate::LostAfterWrite => {
                bytes.clone_into(disk);
                Ok(())
            }
            Fate::LostBeforeWrite | Fate::WriteFails => Err("not written"),
        });
        match (fate, written) {
            (Fate::Drawn, Ok(token)) => {
                assert!(self.tickets.insert(token.ticket()), "{:?} is drawn twice", token.ticket());
                self.drawn.push(*token.spend());
            }
            (Fate::WriteFails, Err(_)) => {}
            (Fate::LostBeforeWrite, Err(_)) | (Fate::LostAfterWrite, Ok(_)) => {
                self.filter = Filter::restore(&self.disk).unwrap();
            }
            (fate, written) => panic!("{fate:?} gave {written:?}"),
        }
    }
}

/// A draw of no step at an order where a step would cost more than a number can say.
#[test]
fn a_draw_of_no_step_costs_nothing() {
    let filter = Filter::new(budget(0.3), &spend(0, 1));
    let mut member = Member { disk: filter.bytes(), filter, drawn: Vec::new(), tickets: BTreeSet::new() };
    member.request((0, Wish::PartOfTheRest(0.6320778638477367), 0, 0, Fate::Drawn));
    let before = epsilon(&member.drawn, 1e-5);
    member.request((2, Wish::Steps(0), 1, 0, Fate::Drawn));
    assert_eq!(epsilon(&member.drawn, 1e-5), before);
    assert!(before > 0.0 && before <= 0.3, "{before}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nobody_overspends(requests in requests(), expected in 0..KINDS.len(), epsilon_allowed in 0.3..10.0f64) {
        let filter = Filter::new(budget(epsilon_allowed), &spend(expected, 1));
        let mut member = Member { disk: filter.bytes(), filter, drawn: Vec::new(), tickets: BTreeSet::new() };
        for request in requests {
            member.request(request);
            let drawn = epsilon(&member.drawn, 1e-5);
            prop_assert!(drawn <= epsilon_allowed, "{drawn} of {epsilon_allowed}");
            let told = member.filter.epsilon_spent();
            prop_assert!((0.0..=epsilon_allowed).contains(&told), "{told} told of {epsilon_allowed}");
        }
    }
}
