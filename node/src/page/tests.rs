use althing_agents::guardian::Machine;
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
    blobs::Transit,
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
    let view = View { status: &status, machine: machine(), board, entries };
    (page(&view), live(&view))
}

fn machine() -> Machine {
    Machine { cores: 2, free_memory_bytes: 512 << 20, load_permille: 1_250 }
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
    assert!(whole.contains("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"members-title\">"));
    assert!(parts["members"].contains("<span class=\"here\" title=\"here\">anna</span>"));
    assert!(parts["members"].contains("1.235"), "credits to the nearest thousandth");
}

fn decided(round: u64, role: Role, by: DecidedBy, choice: &str) -> Event {
    Event::Decided { round: Round(round), role, by, choice: choice.into(), took_us: 9, followed: Vec::new() }
}

#[test]
fn nothing_that_somebody_wrote_becomes_markup() {
    let evil = "</q><script>\"&'\u{0}";
    let mut board = board();
    board.hear(1, &Event::Hindered { why: evil.into() });
    board.hear(1, &decided(1, Role::Bidder, DecidedBy::Rules, evil));
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
    let award = Award { member: id(1), contract: 0, samples: 100, price: 1, payment: 2, hired_by: HiredBy::Auction };
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
    let part =
        |status: &Status| live(&View { status, machine: machine(), board: &board, entries: &[] })["guardian"].clone();
    assert!(part(&status).contains("without noise") && part(&status).contains("not hired in this round"));
    assert!(part(&status).contains("1.25 tasks a core, on 2 cores") && part(&status).contains("512 MiB"));
    status.privacy =
        Some(Account { epsilon_micro: 4_000_000, delta_pico: 10_000_000, spent_micro: 1_500_000, rounds_left: 9 });
    assert!(
        part(&status).contains("1.500 of 4.000 spent, 2.500 left for 9 trainings at the most, at delta 1e-5"),
        "{}",
        part(&status)
    );
}

#[test]
fn a_curve_bears_one_point_none_and_what_is_no_number() {
    let draw = |points: &[(u64, f64)]| curve::draw("loss", "round", points, |value| format!("{value:.1}"));
    assert!(draw(&[]).contains("nothing to draw"));
    assert!(draw(&[(1, f64::NAN)]).contains("nothing to draw"));
    for points in [&[(1, 2.0)][..], &[(1, 2.0), (2, f64::INFINITY), (9, 1.0)]] {
        let svg = draw(points);
        assert!(svg.contains("<polyline") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn a_round_shows_who_trains_how_much_and_what_has_come() {
    let mut board = board();
    let award =
        |n: u8| Award { member: id(n), contract: 0, samples: 100, price: 1, payment: 2, hired_by: HiredBy::Auction };
    let (round, height, agreement_round) = (Round(3), Height(5), 0);
    let (elected, proposer, awards) = (id(1), id(1), vec![award(1), award(2)]);
    let blob = BlobRef { hash: Hash([7; 32]), size: 3 << 20 };
    board.hear(1, &Event::Planned { round, height, elected, proposer, agreement_round, bids: 2, awards });
    board.transits = vec![Transit { blob, pieces: 3, landed: 1, in_flight: 2, providers: 1 }];
    let (_, parts) = told(&board, &[]);
    assert!(parts["guardian"].contains("<dt>width</dt><dd>1 of each layer</dd>"), "{}", parts["guardian"]);
    assert!(parts["blobs"].contains("none of 2 yet"), "{}", parts["blobs"]);
    assert!(parts["blobs"].contains("blob 07070707, 3.1 MB: 1 of 3 pieces here, 2 asked for, 1 members have it"));
    board.hear(2, &Event::Received { round, member: id(1), update: blob });
    assert!(told(&board, &[]).1["blobs"].contains("1 of 2: anna"));
    board.hear(4, &Event::RoundOpened { round: Round(4), aggregator: id(1) });
    assert!(told(&board, &[]).1["blobs"].contains("nobody is hired now"));
}

#[test]
fn the_map_has_everybody_however_many_there_are() {
    for count in [1_u8, 2, 16, 17, 128] {
        let mut board = board();
        let row = board.members[1].clone();
        board.members =
            (1..=count).map(|n| Row { id: id(n), is_here: n % 2 == 1, promised: 7, ..row.clone() }).collect();
        let (_, parts) = told(&board, &[]);
        let map = &parts["map"];
        assert_eq!(map.matches("<title>").count(), usize::from(count), "{map}");
        assert_eq!(map.matches("member gone").count(), usize::from(count / 2), "{map}");
        assert_eq!(map.matches("class=\"chair\"").count(), usize::from(count > 1), "the second chairs: {map}");
        assert_eq!(map.contains("<text"), count <= 16, "{map}");
        assert!(!map.contains("<script") && !map.contains("NaN") && !map.contains("inf"), "{map}");
    }
}

#[test]
fn an_agent_says_what_it_decided_who_did_and_why() {
    let mut board = board();
    board.hear(1, &decided(4, Role::Guardian, DecidedBy::Rules, "rest: the machine is busy"));
    board.hear(2, &decided(5, Role::Guardian, DecidedBy::Rules, "half the time, width 1 at most"));
    board.hear(2, &decided(5, Role::Guardian, DecidedBy::Rules, "even pace, 20 steps"));
    board.hear(2, &decided(5, Role::Bidder, DecidedBy::Fallback, "one-epoch at slim margin"));
    let why = Some("the model took too long".to_owned());
    let entry = |what| Entry { at_ms: 1, round: Round(5), role: Role::Bidder, what };
    let asked = |topic: &str, reason: &str, choice: &str| {
        entry(What::Asked(Box::new(Asked {
            topic: topic.into(),
            menu: vec![],
            facts: String::new(),
            prompt: String::new(),
            reason: reason.into(),
            choice: Some(choice.into()),
            why: None,
            cost: Cost::default(),
        })))
    };
    let fallen = entry(What::Decided { by: DecidedBy::Fallback, choice: "one-epoch".into(), why });
    let entries = [
        asked("margin", "old", "wide"),
        asked("contract", "cheap", "one"),
        asked("margin", "others ask less", "slim"),
        fallen,
    ];
    let (_, parts) = told(&board, &entries);
    assert!(parts["guardian"].contains("half the time, width 1 at most; even pace, 20 steps"), "{}", parts["guardian"]);
    assert!(!parts["agents"].contains("busy"), "the last round alone");
    for words in [
        "round 5, by rules: as much as the machine can do in time",
        "by rules in the model's place",
        "because the model took too long",
        "<q>others ask less</q> order: slim",
        "<q>cheap</q> order: one",
    ] {
        assert!(parts["agents"].contains(words), "{words}: {}", parts["agents"]);
    }
    assert!(!parts["agents"].contains("<q>old</q>"), "the last word on each topic");
}

#[test]
fn what_keeps_a_node_from_its_part_stands_at_the_top() {
    let (mut status, board) = (status(), board());
    status.hindrances = vec!["members with <b>two thirds</b> are away".into()];
    let now = live(&View { status: &status, machine: machine(), board: &board, entries: &[] })["now"].clone();
    assert!(now.contains("<p class=\"alarm\">members with &lt;b&gt;two thirds&lt;/b&gt; are away</p>"), "{now}");
}
