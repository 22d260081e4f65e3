use althing_protocol::{
    event::{Award, HiredBy, Role},
    ids::Round,
};

use super::*;

/// A member that tests can tell apart.
pub(crate) fn member(number: u8) -> MemberId {
    MemberId([number; 32])
}

fn body(number: u8) -> Hash {
    Hash([number; 32])
}

/// The model that `round` produces.
pub(crate) fn model(round: u64) -> BlobRef {
    BlobRef::of(&round.to_le_bytes())
}

pub(crate) fn opened(round: u64, aggregator: u8) -> Event {
    Event::RoundOpened { round: Round(round), aggregator: member(aggregator) }
}

pub(crate) fn planned(round: u64, elected: u8, agreement_round: u32) -> Event {
    let award =
        Award { member: member(1), contract: 0, samples: 100, price: 5, payment: 6, hired_by: HiredBy::Auction };
    Event::Planned {
        round: Round(round),
        height: Height(2 * round - 1),
        elected: member(elected),
        proposer: member(elected),
        agreement_round,
        bids: 3,
        awards: vec![award],
    }
}

pub(crate) fn trained(round: u64, bytes: u64) -> Event {
    let update = BlobRef { hash: Hash([3; 32]), size: bytes };
    Event::Trained { round: Round(round), samples: 9, training_ms: 700, update, epsilon_micro: 0 }
}

pub(crate) fn settled(round: u64, elected: u8, agreement_round: u32) -> Event {
    let balances: BTreeMap<_, _> = (1..=3).map(|node| (member(node), round * u64::from(node))).collect();
    Event::Settled {
        round: Round(round),
        height: Height(2 * round),
        body: body(u8::try_from(round).unwrap()),
        elected: member(elected),
        proposer: member(elected + u8::try_from(agreement_round).unwrap()),
        agreement_round,
        model: model(round),
        updates: 2,
        refused: BTreeMap::new(),
        slowest_training_ms: 700,
        payments: BTreeMap::from([(member(1), 4), (member(2), 5)]),
        credits: Credits {
            minted: 10 * round,
            burned: round,
            pool: 2 * round,
            escrow: round,
            jobs: 0,
            balances,
            guests: [].into(),
        },
    }
}

/// Feeds `(at_ms, node, event)`.
pub(crate) fn fold(nodes: usize, lines: Vec<(u64, usize, Event)>) -> Observer {
    let mut observer = Observer::new(nodes);
    for (at_ms, node, event) in lines {
        observer.observe(node, &Line { at_ms, event });
    }
    observer
}

#[test]
fn a_line_survives_json_and_strangers_are_ignored() {
    for event in [settled(3, 1, 1), planned(3, 1, 0), Event::Stopped, opened(1, 2)] {
        let line = Line { at_ms: 1_700_000_000_123, event };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(Line::parse(&text), Some(line), "{text}");
    }
    let known = Line::parse(r#"{"at_ms":5,"event":"stopped","mood":"good"}"#);
    assert_eq!(known, Some(Line { at_ms: 5, event: Event::Stopped }), "an unknown field is ignored");
    for stranger in [r#"{"at_ms":5,"event":"sang"}"#, r#"{"event":"stopped"}"#, "", "null", "{", "panicked at 'x'"] {
        assert_eq!(Line::parse(stranger), None, "{stranger}");
    }
}

#[test]
fn a_round_is_timed_at_the_median_node() {
    let observer = fold(
        4,
        vec![
            (1_000, 0, opened(1, 1)),
            (1_010, 1, opened(1, 1)),
            (1_500, 2, opened(1, 1)),
            (2_000, 0, planned(1, 1, 0)),
            (3_000, 0, settled(1, 1, 0)),
            (3_020, 1, settled(1, 1, 0)),
            (3_400, 2, settled(1, 1, 0)),
            // It comes late and never saw the round open, so it says nothing of its length.
            (9_000, 3, settled(1, 1, 0)),
            // A second life tells the old round again.
            (9_900, 0, opened(1, 1)),
            (9_990, 0, settled(1, 1, 0)),
        ],
    );
    let round = &observer.rounds()[&1];
    assert_eq!(round.duration_ms(), Some(2_000), "of 2,000, 2,010 and 1,900");
    assert_eq!(round.overhead_ms(), Some(1_300));
    assert_eq!(round.elected, Some(member(1)));
    assert_eq!(round.plan, Some(PlanView { agreement_round: 0, bids: 3, winners: 1, contracts: vec![0] }));
    let settle = round.settle.as_ref().unwrap();
    assert_eq!((settle.paid, settle.updates, settle.height), (9, 2, Height(2)));
    assert!(observer.conflicts().is_empty() && observer.unbalanced().is_empty());
}

#[test]
fn each_update_counts_once() {
    let again = (9, 0, trained(1, 100));
    let observer = fold(3, vec![(1, 0, trained(1, 100)), (2, 2, trained(1, 30)), again, (10, 1, trained(2, 7))]);
    assert_eq!((observer.rounds()[&1].update_bytes(), observer.rounds()[&2].update_bytes()), (130, 7));
}

#[test]
fn a_takeover_counts_once_whoever_reports_it() {
    let mut lines = vec![];
    for node in 0..3 {
        lines.push((10, node, planned(1, 1, 0)));
        lines.push((20, node, settled(1, 1, 1)));
        lines.push((30, node, planned(2, 2, 2)));
        lines.push((40, node, settled(2, 2, 1)));
    }
    let observer = fold(3, lines);
    assert_eq!(observer.rounds()[&1].takeovers(), 1);
    assert_eq!(observer.rounds()[&2].takeovers(), 2);
    assert_eq!(observer.rounds()[&1].settle.as_ref().unwrap().proposer, member(2));
}

#[test]
fn different_bodies_and_lost_credits_are_noticed() {
    let mut other = settled(1, 1, 0);
    if let Event::Settled { body: hash, credits, .. } = &mut other {
        *hash = body(99);
        credits.pool += 1;
    }
    let observer = fold(2, vec![(1, 0, settled(1, 1, 0)), (2, 1, other)]);
    assert!(observer.conflicts().contains(&Height(2)));
    assert!(observer.unbalanced().contains(&Height(2)));
}

#[test]
fn a_node_has_a_round_in_its_present_life_only() {
    let mut observer = fold(2, vec![(1, 0, settled(1, 1, 0)), (2, 1, settled(1, 1, 0)), (3, 1, planned(2, 1, 0))]);
    assert!(observer.has_settled(0, 1) && observer.has_settled(1, 1) && !observer.has_settled(0, 2));
    observer.restarted(0);
    assert!(!observer.has_settled(0, 1), "not before it says so");
    let started =
        Event::Started { member: member(1), network: althing_protocol::ids::NetworkId([0; 32]), height: Height(1) };
    observer.observe(0, &Line { at_ms: 4, event: started });
    assert!(!observer.has_settled(0, 1));
    observer.observe(0, &Line { at_ms: 5, event: Event::Synced { height: Height(2) } });
    assert!(observer.has_settled(0, 1));
    assert_eq!(observer.last_settled(), 1);
}

#[test]
fn decisions_are_counted_by_their_maker() {
    let decided = |by| Event::Decided {
        round: Round(1),
        role: Role::Bidder,
        by,
        choice: "x".into(),
        took_us: 9,
        followed: vec![],
    };
    let makers = [DecidedBy::Rules, DecidedBy::Rules, DecidedBy::Model, DecidedBy::Fallback];
    let observer = fold(1, makers.into_iter().map(|by| (1, 0, decided(by))).collect());
    assert_eq!(observer.decisions(), Decisions { model: 1, rules: 2, fallback: 1 });
}

#[test]
fn what_a_model_had_to_do_with_it_is_counted_by_role_and_node() {
    let decided =
        |role, by| Event::Decided { round: Round(1), role, by, choice: "x".into(), took_us: 9, followed: vec![] };
    let advised = |choice: Option<&str>, why: Option<&str>, latency_ms| Event::Advised {
        round: Round(1),
        role: Role::Selector,
        topic: "focus".into(),
        choice: choice.map(str::to_owned),
        why: why.map(str::to_owned),
        latency_ms,
    };
    let events = vec![
        (1, 0, decided(Role::Bidder, DecidedBy::Model)),
        (2, 0, decided(Role::Selector, DecidedBy::Model)),
        (3, 1, decided(Role::Bidder, DecidedBy::Fallback)),
        (4, 1, advised(None, Some("late"), 9_000)),
        (5, 0, advised(Some("speed"), None, 1_000)),
        (6, 0, advised(Some("even"), None, 2_000)),
        (7, 1, Event::Benched { round: Round(1), role: Role::Guardian, until: Round(17) }),
    ];
    let summary = fold(2, events).advice().summary();
    let bidder = Decisions { model: 1, rules: 0, fallback: 1 };
    assert_eq!((summary.by_role[&Role::Bidder], summary.by_role[&Role::Selector].model), (bidder, 1));
    assert_eq!((summary.nodes_with_orders, summary.orders, summary.latency_s), (1, 2, Some(2.0)));
    assert_eq!((summary.setbacks, summary.benched), ([("late".into(), 1)].into(), [(Role::Guardian, 1)].into()));
}

#[test]
fn lines_of_a_node_that_does_not_exist_change_nothing() {
    let observer = fold(1, vec![(1, 7, settled(1, 1, 0))]);
    assert_eq!(observer.last_settled(), 0);
}

#[test]
fn the_median_of_two_is_the_lower() {
    assert_eq!(median::<u64>(vec![]), None);
    assert_eq!(median(vec![5]), Some(5));
    assert_eq!(median(vec![9, 5]), Some(5));
    assert_eq!(median(vec![9, 1, 5]), Some(5));
}
