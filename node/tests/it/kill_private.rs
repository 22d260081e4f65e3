//! kill -9 of members that train with noise: whatever happens, no noise is drawn that is not paid for, and none twice.

use std::{collections::BTreeMap, fs::OpenOptions, io::Write, thread, time::Duration};

use althing_agents::privacy::{Conversion, Curve, Spend};
use althing_protocol::{
    event::{Event, Phase},
    ids::Round,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::harness::{Federation, Seat};

const EPSILON: f64 = 2.0;
const DELTA: f64 = 1e-5;

/// Rounds that the budget is planned for: more than the test has, so that nobody waits for a member that rests.
const PLANNED: u64 = 60;

/// What the victim is at when it is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// It is about to pay, or has just done so.
    Paying,
    /// It has paid, and trains or has just trained.
    Training,
}

/// Who is killed, and when. Never two at once, so that the rounds go on.
const KILLS: [(usize, Moment); 6] = [
    (1, Moment::Training),
    (2, Moment::Paying),
    (3, Moment::Training),
    (1, Moment::Paying),
    (2, Moment::Training),
    (1, Moment::Training),
];

/// How far into the moment the kill comes, at the most, in microseconds.
const INTO_PAYING: u64 = 30_000;
const INTO_TRAINING: u64 = 700_000;

#[test]
fn members_that_are_killed_while_they_train_never_draw_what_is_not_paid_for() {
    let mut instants = ChaCha8Rng::seed_from_u64(5);
    let village = Federation::of(4);
    village.seats.iter().for_each(guard);
    let mut village = village.start();
    village.agree_on(&[0, 1, 2, 3], 1);
    for (place, moment) in KILLS {
        let victim = &mut village.seats[place];
        victim.look_ahead();
        let longest = match moment {
            Moment::Paying => {
                victim.wait_phase(Phase::Train);
                INTO_PAYING
            }
            Moment::Training => {
                victim.wait("that it pays", |event| matches!(event, Event::Debited { .. }).then_some(()));
                INTO_TRAINING
            }
        };
        thread::sleep(Duration::from_micros(instants.random_range(0..longest)));
        village.seats[place].kill();
        village.spawn(place);
        village.seats[place].wait_listening();
    }
    let settled = village.seats[0].settled();
    village.agree_on(&[0, 1, 2, 3], settled + 1);
    village.stop_all();
    for place in 0..4 {
        let kills = KILLS.iter().filter(|(killed, _)| *killed == place).count() as u64;
        let account = village.answer(place, &["privacy", "show"]);
        compare(&mut village.seats[place], &account["account"], kills);
    }
}

/// Gives the member a budget.
fn guard(seat: &Seat) {
    let mut config = OpenOptions::new().append(true).open(seat.dir.join("node.toml")).unwrap();
    write!(config, "[privacy]\nepsilon = {EPSILON}\ndelta = {DELTA}\nrounds = {PLANNED}\nlot = 32\n").unwrap();
}

/// What the member has told of its draws, over all its lives, against the account in its store.
fn compare(seat: &mut Seat, account: &serde_json::Value, kills: u64) {
    let name = seat.name.clone();
    let mut draws: BTreeMap<Round, Spend> = BTreeMap::new();
    let (mut trained, mut forfeited) = (Vec::new(), Vec::new());
    for event in seat.told() {
        match event {
            Event::Debited { round, lot, samples, sigma_milli, steps, .. } => {
                let spend = Spend::new(*lot as f64 / *samples as f64, *sigma_milli as f64 / 1e3, *steps).unwrap();
                assert!(draws.insert(*round, spend).is_none(), "{name} draws twice in round {round}");
            }
            Event::Trained { round, epsilon_micro, .. } => {
                assert!(*epsilon_micro > 0, "{name} trains without noise in round {round}");
                trained.push(*round);
            }
            Event::Forfeited { round, .. } => forfeited.push(*round),
            _ => {}
        }
    }
    assert!(forfeited.iter().all(|round| !trained.contains(round)), "{name}: {forfeited:?} of {trained:?}");
    // A life may end between the debit and the word about it, once at the most.
    let debits = PLANNED - account["rounds_left"].as_u64().unwrap();
    let told = draws.len() as u64;
    assert!((told..=told + kills).contains(&debits), "{name}: {debits} debits, {told} draws, {kills} kills");
    let mut curve = Curve::zero();
    draws.values().for_each(|spend| curve.add(&Curve::of(spend)));
    let drawn = curve.guarantee(DELTA, Conversion::Tight).epsilon;
    let spent = account["spent_micro"].as_u64().unwrap() as f64 / 1e6;
    println!(
        "{name}: {kills} kills, {told} draws of {debits} debits, {} forfeited, epsilon {drawn:.4} of {spent:.4}",
        forfeited.len()
    );
    assert!(told == 0 || drawn > 0.0);
    assert!(drawn <= spent && spent <= EPSILON, "{name}: drew {drawn}, spent {spent}, may spend {EPSILON}");
}
