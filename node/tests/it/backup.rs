//! Backups of real nodes: what is saved comes back, and no key ever signs twice for one slot.

use std::{collections::BTreeSet, fs, path::Path};

use althing_protocol::{
    event::{Event, Phase},
    ids::Height,
};

use crate::harness::{Federation, Signal};

/// The member that is lost and restored.
const LOST: usize = 3;

/// What a machine that burns down takes with it.
fn lose(dir: &Path) {
    fs::remove_dir_all(dir.join("data")).unwrap();
    fs::remove_file(dir.join("key.toml")).unwrap();
}

/// Heights that the member at [`LOST`] has signed for, by the ledger of another.
fn signed(federation: &Federation) -> BTreeSet<Height> {
    let lost = federation.seats[LOST].id();
    let decisions = federation.ledger(0).into_iter();
    let by_lost = decisions.filter(|decision| decision.certificate.signatures.iter().any(|(who, _)| *who == lost));
    by_lost.map(|decision| decision.certificate.height).collect()
}

fn height_told(event: &Event) -> Option<Height> {
    match event {
        Event::Planned { height, .. } | Event::Settled { height, .. } => Some(*height),
        _ => None,
    }
}

#[test]
fn a_node_restored_from_a_copy_says_nothing_until_it_cannot_contradict_itself() {
    let mut federation = Federation::of(4).start();
    federation.agree_on(&[0, 1, 2, 3], 1);
    federation.run(LOST, &["backup", "../early"]).refuses(2, &["in use", "stop that node"]);
    federation.stop(LOST, Signal::Terminate);
    let saved = federation.answer(LOST, &["backup", "../early"]);
    federation.launch(LOST);
    // It signs more than its copy knows, and is lost with all that it knew.
    let now = federation.seats[LOST].settled();
    federation.seats[LOST].wait_settled(now + 2);
    federation.seats[LOST].kill();
    let last = federation.seats[LOST].told().iter().rev().find_map(height_told).unwrap();
    assert!(last.0 > saved["backup"]["height"].as_u64().unwrap());
    lose(&federation.seats[LOST].dir);

    federation.answer(LOST, &["restore", "../early"]);
    federation.run(LOST, &["restore", "../early"]).refuses(2, &["never overwritten"]);
    federation.launch(LOST);
    federation.seats[LOST].wait("that it is silent", |event| match event {
        Event::Hindered { why } if why.contains("restored from a copy") => Some(()),
        _ => None,
    });
    let spoke_in = federation.seats[LOST].wait("that it takes part again", |event| match event {
        Event::PhaseEntered { round, phase: Phase::Bid } => Some(*round),
        _ => None,
    });
    federation.seats[LOST].wait_settled(spoke_in.0 + 1);
    federation.stop_all();
    // Plan and Settle of round r are the heights 2r - 1 and 2r.
    let again = Height(2 * spoke_in.0 - 1);
    assert!(again.0 > last.0 + 1, "{again} is beyond what was signed up to {last}");
    let signed = signed(&federation);
    let between: Vec<_> = signed.range(Height(last.0 + 2)..again).collect();
    assert!(between.is_empty(), "it signed for {between:?}, before {again}");
    federation.launch(LOST);
    let told = federation.seats[LOST].told().iter().rev().take_while(|event| !matches!(event, Event::Started { .. }));
    let silent = told.filter(|event| matches!(event, Event::Hindered { why } if why.contains("copy"))).count();
    assert_eq!(silent, 0, "whoever speaks again does so after the next start too");
    federation.stop_all();
}

#[test]
fn a_node_moves_once_and_goes_on_at_once() {
    let mut federation = Federation::of(1).start();
    federation.agree_on(&[0], 1);
    federation.stop_all();
    let saved = federation.answer(0, &["backup", "../moved", "--move"]);
    federation.run(0, &["run"]).refuses(2, &["moved away", "two places"]);
    lose(&federation.seats[0].dir);
    federation.answer(0, &["restore", "../moved"]);
    federation.launch(0);
    let height = saved["backup"]["height"].as_u64().unwrap();
    federation.seats[0].wait("that it goes on", |event| height_told(event).filter(|told| told.0 > height));
    federation.stop_all();
    federation.ledger(0);
    lose(&federation.seats[0].dir);
    federation.run(0, &["restore", "../moved"]).refuses(2, &["restored already"]);
    assert!(!federation.seats[0].dir.join("data/node.redb").exists());
}

#[test]
fn a_move_that_broke_off_is_finished_by_the_same_command_and_by_no_other() {
    let mut federation = Federation::of(1).start();
    federation.agree_on(&[0], 1);
    federation.stop_all();
    let (dir, moved) = (federation.seats[0].dir.clone(), federation.path("moved"));
    let unfinished = ["backup.json", "backup.json.unfinished"].map(|name| moved.join(name));
    federation.answer(0, &["backup", "../moved", "--move"]);
    // The store is given up, and the machine stops before the backup is whole.
    fs::rename(&unfinished[0], &unfinished[1]).unwrap();
    federation.run(0, &["restore", "../moved"]).refuses(2, &["the move broke off", "finish it"]);
    federation.run(0, &["backup", "../elsewhere", "--move"]).refuses(2, &["moved away"]);
    federation.answer(0, &["backup", "../moved", "--move"]);

    lose(&dir);
    federation.answer(0, &["restore", "../moved"]);
    // The machine stops before the store has its name.
    fs::create_dir(dir.join("data/restoring")).unwrap();
    fs::copy(moved.join("restored"), dir.join("data/restoring/ticket")).unwrap();
    fs::remove_file(dir.join("data/node.redb")).unwrap();
    federation.answer(0, &["restore", "../moved"]);
    assert!(!dir.join("data/restoring").exists());
    federation.launch(0);
    federation.stop_all();
    fs::remove_file(dir.join("data/node.redb")).unwrap();
    federation.run(0, &["restore", "../moved"]).refuses(2, &["restored already"]);
    federation.run(0, &["backup", "../moved", "--move"]).refuses(2, &["no store"]);
}
