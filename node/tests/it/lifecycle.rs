//! How nodes start, meet, wait for each other, and stop.

use std::iter;

use althing_protocol::event::{Event, Phase};
use serde_json::Value;

use crate::harness::{Federation, Signal, one_history};

#[test]
fn a_member_alone_settles_rounds_and_stops_on_both_signals() {
    let mut alone = Federation::of(1);
    let mut settled = 0;
    for signal in [Signal::Terminate, Signal::Interrupt] {
        alone.launch(0);
        alone.seats[0].wait_settled(settled + 3);
        let status = alone.stop(0, signal);
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", alone.seats[0].stderr());
        assert_eq!(alone.seats[0].told().last(), Some(&Event::Stopped), "{signal:?}");
        settled = alone.seats[0].settled();
    }
    let ledger = alone.ledger(0);
    assert!(ledger.len() as u64 >= 2 * settled, "{} heights, {settled} rounds", ledger.len());
}

#[test]
fn a_running_node_tells_its_status() {
    let mut alone = Federation::of(1).start();
    let round = alone.seats[0].wait_settled(2);
    let fresh = |status: &Value| status["height"].as_u64().is_some_and(|height| height >= 2 * round.0);
    // The status is brought up to date some times a second.
    let status = iter::repeat_with(|| alone.answer(0, &["status"])).find(fresh).unwrap();
    assert_eq!(status["running"], true, "{status}");
    assert_eq!(status["member"], alone.seats[0].id().to_string(), "{status}");
    assert_eq!(status["network"], alone.network().to_string(), "{status}");
    alone.stop_all();
    let status = alone.answer(0, &["status"]);
    assert_eq!(status["running"], false, "{status}");
    assert!(fresh(&status), "{status}");
}

#[test]
fn a_node_of_another_genesis_is_refused_on_both_sides() {
    let mut ours = Federation::of(2).start();
    let mut theirs = Federation::found(&[1], |genesis| genesis.name = "hamlet".into());
    let address = ours.addresses().remove(0);
    theirs.seats[0].address = Some(address);
    theirs.launch(0);
    let refused = |event: &Event| match event {
        Event::Refused { member, why } => Some((*member, why.clone())),
        _ => None,
    };
    let (foreigner, here) = ours.seats[0].wait("that it refuses the foreigner", refused);
    let (host, there) = theirs.seats[0].wait("that it is refused", refused);
    assert_eq!((foreigner, host), (theirs.seats[0].id(), ours.seats[0].id()));
    for (why, first, second) in [(here, theirs.network(), ours.network()), (there, ours.network(), theirs.network())] {
        let wanted = format!("its genesis: {first}; ours: {second}); compare the genesis files");
        assert!(why.contains(&wanted), "{why}");
    }
    ours.stop_all();
    theirs.stop_all();
    let strangers = ours.seats[0].told().iter().filter(|event| **event == Event::PeerUp { member: foreigner }).count();
    assert_eq!(strangers, 0);
}

#[test]
fn a_late_joiner_catches_up() {
    let mut village = Federation::of(4);
    (0..3).for_each(|place| village.launch(place));
    village.seats[0].wait_settled(5);
    village.launch(3);
    let synced = village.seats[3].wait("that it has caught up", |event| match event {
        Event::Synced { height } => Some(height.0),
        _ => None,
    });
    assert!(synced >= 2, "{synced}");
    let open = village.seats[3].wait_phase(Phase::Bid);
    village.agree_on(&[0, 1, 2, 3], open.0 + 2);
    village.stop_all();
    one_history(&[0, 1, 2, 3].map(|place| village.ledger(place)));
    let hired = village.seats[3].told().iter().any(|event| matches!(event, Event::Trained { .. }));
    assert!(hired, "it takes part like everybody else");
}

#[test]
fn two_members_need_each_other() {
    let mut pair = Federation::of(2);
    pair.launch(0);
    pair.seats[0].wait_phase(Phase::Wait);
    pair.launch(1);
    pair.agree_on(&[0, 1], 2);

    assert_eq!(pair.stop(1, Signal::Terminate).code(), Some(0));
    pair.seats[0].wait("that it cannot go on alone", |event| match event {
        Event::Hindered { why } if why.contains("two thirds") => Some(()),
        Event::PhaseEntered { phase: Phase::Wait, .. } => Some(()),
        _ => None,
    });
    let halted = pair.seats[0].settled();
    assert_eq!(pair.stop(0, Signal::Terminate).code(), Some(0));
    pair.launch(0);
    assert_eq!(pair.seats[0].settled(), halted, "nothing is decided alone");

    pair.launch(1);
    pair.agree_on(&[0, 1], halted + 3);
    pair.stop_all();
    one_history(&[0, 1].map(|place| pair.ledger(place)));
}
