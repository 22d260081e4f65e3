use althing_protocol::{
    event::{Account, Award, Credits, DecidedBy, Event, HiredBy, Phase, Role},
    ids::{BlobRef, Hash, Height, MemberId, NetworkId, Round},
};

use super::{
    html::{View, live, page},
    *,
};
use crate::{
    advice::Cost,
    status::Status,
    transcript::{Asked, Entry, What},
};

fn id(n: u8) -> MemberId {
    MemberId([n; 32])
}

/// Two members, of whom the second is called what nobody should be called.
fn board() -> Board {
    let row = |n: u8, name: &str| Row {
        id: id(n),
        name: name.to_owned(),
        is_here: n == 1,
        reputation: 500,
        balance: 1_234_567,
        promised: 0,
        hired: 4,
        delivered: 3,
    };
    let mut board = Board::default();
    (board.federation, board.task) = ("village".into(), "lenet on mnist".into());
    board.members = vec![row(1, "anna"), row(2, "<script>alert('1')</script>")];
    board
}

fn status() -> Status {
    let mut status = Status::new(id(1), NetworkId([2; 32]));
    (status.round, status.phase, status.chair) = (Round(7), Some(Phase::Train), Some(id(2)));
    status
}

fn settled(round: u64, agreement_round: u32) -> Event {
    let blob = BlobRef { hash: Hash([5; 32]), size: 1 };
    let credits = Credits { minted: 0, burned: 0, pool: 0, escrow: 0, jobs: 0, balances: [].into(), guests: [].into() };
    Event::Settled {
        round: Round(round),
        height: Height(2 * round),
        body: Hash::ZERO,
        elected: id(1),
        proposer: id(2),
        agreement_round,
        model: blob,
        updates: 3,
        refused: Default::default(),
        slowest_training_ms: 1,
        payments: [(id(1), 250_000), (id(2), 500_000)].into(),
        credits,
    }
}

fn told(board: &Board, entries: &[Entry]) -> (String, std::collections::BTreeMap<&'static str, String>) {
    let status = status();
    let view = View { status: &status, board, entries };
    (page(&view), live(&view))
}

#[test]
fn the_page_holds_every_part_that_it_will_ask_for_again() {
    let (whole, parts) = told(&board(), &[]);
    assert!(parts.len() >= 8);
    for (id, html) in &parts {
        assert!(whole.contains(&format!("<div id=\"{id}\">{html}</div>")), "{id}");
    }
    assert!(parts["now"].contains("<li aria-current=\"step\">train</li>"), "{}", parts["now"]);
    assert!(parts["now"].contains("1 of 2"), "{}", parts["now"]);
    assert!(parts["members"].contains("<span class=\"here\" title=\"here\">anna</span>"));
    assert!(parts["members"].contains("1.235"), "credits to the nearest thousandth");
}

#[test]
fn nothing_that_somebody_wrote_becomes_markup() {
    let evil = "</q><script>\"&'\u{0}";
    let mut board = board();
    board.hear(1, &Event::Hindered { why: evil.into() });
    board.hear(1, &Event::Decided { round: Round(1), role: Role::Bidder, by: DecidedBy::Rules, choice: evil.into() });
    let asked = Asked {
        topic: evil.into(),
        menu: vec![],
        facts: String::new(),
        prompt: String::new(),
        reason: evil.into(),
        choice: Some(evil.into()),
        why: None,
        cost: Cost::default(),
    };
    let what = What::Asked(Box::new(asked));
    let (whole, _) = told(&board, &[Entry { at_ms: 1, round: Round(1), role: Role::Bidder, what }]);
    assert_eq!(whole.matches("<script").count(), 1, "the page's own");
    assert!(!whole.contains("</q><") && !whole.contains('\u{0}'), "{whole}");
    assert_eq!(whole.matches("&lt;/q&gt;&lt;script&gt;&quot;&amp;&#39; ").count(), 5);
}

#[test]
fn a_round_is_told_from_its_opening_to_its_settlement() {
    let mut board = board();
    board.hear(1_000, &Event::RoundOpened { round: Round(3), aggregator: id(1) });
    let award = Award { member: id(1), contract: 0, price: 1, payment: 2, hired_by: HiredBy::Auction };
    let (round, height) = (Round(3), Height(5));
    let (elected, proposer, agreement_round) = (id(1), id(1), 0);
    board.hear(
        1_200,
        &Event::Planned { round, height, elected, proposer, agreement_round, bids: 2, awards: vec![award] },
    );
    board.hear(2_500, &settled(3, 1));
    board.score(Some(Scored { loss: 0.5, accuracy: 0.875 }));
    board.hear(9_000, &settled(4, 0));
    let past = Past {
        round: Round(3),
        took_ms: Some(1_500),
        hired: 1,
        updates: 3,
        paid: 750_000,
        taken_over: true,
        scored: Some(Scored { loss: 0.5, accuracy: 0.875 }),
    };
    assert_eq!(board.rounds[0], past);
    assert_eq!((board.rounds[1].took_ms, board.rounds[1].hired), (None, 0), "this node was not there");
    let (_, parts) = told(&board, &[]);
    assert!(parts["rounds"].contains("taken over") && parts["rounds"].contains("1.5 s"), "{}", parts["rounds"]);
    assert!(parts["accuracy"].contains("87.5 % in round 3"), "{}", parts["accuracy"]);
}

#[test]
fn however_long_a_node_runs_its_board_stays_small() {
    let mut board = board();
    for round in 0..1_000 {
        board.hear(round, &settled(round, 0));
        board.hear(round, &Event::Hindered { why: round.to_string() });
    }
    assert!(board.rounds.len() <= 300 && board.rounds.back().is_some_and(|past| past.round == Round(999)));
    assert!(board.faults.len() <= 20 && board.faults[0].what.ends_with("999"), "the latest first");
}

#[test]
fn a_guardian_says_what_is_spent_and_what_is_left() {
    let (mut status, board) = (status(), board());
    let part = |status: &Status| live(&View { status, board: &board, entries: &[] })["guardian"].clone();
    assert!(part(&status).contains("without noise"));
    status.privacy =
        Some(Account { epsilon_micro: 4_000_000, delta_pico: 10_000_000, spent_micro: 1_500_000, rounds_left: 9 });
    assert!(part(&status).contains("1.500 of 4.000 spent, 2.500 left, at delta 1e-5"), "{}", part(&status));
}

#[test]
fn a_curve_bears_one_point_none_and_what_is_no_number() {
    let draw = |points: &[(u64, f64)]| curve::draw("loss", points, |value| format!("{value:.1}"));
    assert!(draw(&[]).contains("nothing to draw"));
    assert!(draw(&[(1, f64::NAN)]).contains("nothing to draw"));
    for points in [&[(1, 2.0)][..], &[(1, 2.0), (2, f64::INFINITY), (9, 1.0)]] {
        let svg = draw(points);
        assert!(svg.contains("<polyline") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
