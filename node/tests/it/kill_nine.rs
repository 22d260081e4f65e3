//! kill -9 at any instant, again and again, and the member comes back as if nothing had been.

use std::{collections::BTreeMap, thread, time::Duration};

use althing_protocol::{
    event::{Event, Phase},
    ids::{Hash, Round},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::harness::{Federation, Seat, one_history};

/// The member that is killed.
const VICTIM: usize = 3;

/// Rounds that a kill waits for the victim to be elected; then it takes whatever comes.
const ELECTIONS: usize = 40;

/// What the victim is at when it is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// It chairs a round that has come to this phase.
    Chairing(Phase),
    /// The round has come to this phase, whoever chairs it.
    In(Phase),
    /// It has just been started.
    Starting,
}

const MOMENTS: [Moment; 14] = [
    Moment::Chairing(Phase::Reveal),
    Moment::Chairing(Phase::Train),
    Moment::Chairing(Phase::Settle),
    Moment::Chairing(Phase::Plan),
    Moment::Starting,
    Moment::In(Phase::Bid),
    Moment::In(Phase::Reveal),
    Moment::In(Phase::Plan),
    Moment::Starting,
    Moment::In(Phase::Train),
    Moment::In(Phase::Appraise),
    Moment::In(Phase::Settle),
    Moment::Starting,
    Moment::In(Phase::Settle),
];

/// How far into the moment the kill comes, at the most, in microseconds: phases last some milliseconds.
const INTO_A_PHASE: u64 = 15_000;

/// A start takes some hundred milliseconds.
const INTO_A_START: u64 = 400_000;

#[test]
fn a_member_that_is_killed_again_and_again_comes_back_and_nothing_is_lost() {
    let mut instants = ChaCha8Rng::seed_from_u64(9);
    let mut village = Federation::of(4).start();
    village.agree_on(&[0, 1, 2, 3], 1);
    let mut killed_in_the_chair = 0;
    for moment in MOMENTS {
        let victim = &mut village.seats[VICTIM];
        let longest = match moment {
            Moment::Starting => INTO_A_START,
            Moment::In(_) | Moment::Chairing(_) => INTO_A_PHASE,
        };
        let chairs = wait_for(victim, moment);
        thread::sleep(Duration::from_micros(instants.random_range(0..longest)));
        victim.kill();
        killed_in_the_chair += usize::from(chairs);
        let before = village.seats[0].settled();
        if instants.random_bool(0.5) {
            // Long enough for the others to go on without it.
            village.seats[0].wait_settled(before + 2);
        }
        village.spawn(VICTIM);
    }
    village.seats[VICTIM].wait_listening();
    println!("{} kills, {killed_in_the_chair} of them of the elected aggregator", MOMENTS.len());
    assert!(killed_in_the_chair > 0, "the chair was never killed");

    let open = village.seats[VICTIM].wait_phase(Phase::Train);
    village.agree_on(&[0, 1, 2, 3], open.0 + 2);
    village.stop_all();
    nothing_is_lost(&mut village);
    nobody_is_accused(&mut village);
}

/// Waits for the moment; whether the victim chairs the round.
fn wait_for(victim: &mut Seat, moment: Moment) -> bool {
    match moment {
        Moment::Starting => false,
        Moment::In(phase) => {
            victim.wait_phase(phase);
            false
        }
        Moment::Chairing(phase) => {
            let me = victim.id();
            let elected = (0..ELECTIONS).any(|_| {
                victim.look_ahead();
                victim.wait("that a round opens", |event| match event {
                    Event::RoundOpened { aggregator, .. } => Some(*aggregator == me),
                    _ => None,
                })
            });
            victim.wait_phase(phase);
            elected
        }
    }
}

/// What anybody has told as settled, in any life, stands in every ledger.
fn nothing_is_lost(village: &mut Federation) {
    let ledgers = [0, 1, 2, 3].map(|place| village.ledger(place));
    let history = one_history(&ledgers);
    let mut settled: BTreeMap<Round, Hash> = BTreeMap::new();
    for seat in &mut village.seats {
        for event in seat.told() {
            if let Event::Settled { round, height, body, .. } = event {
                assert_eq!(history[height.0 as usize - 1], *body, "height {height} is not what was told");
                settled.insert(*round, *body);
            }
        }
    }
    let last = settled.last_key_value().map_or(0, |(round, _)| round.0);
    assert_eq!(settled.len() as u64, last, "no round is missing");
    for ledger in &ledgers {
        assert!(ledger.len() + 2 >= history.len(), "{} of {} heights", ledger.len(), history.len());
    }
    println!("{last} rounds settled, {} heights, one history", history.len());
}

/// A member that only crashed never said two things.
fn nobody_is_accused(village: &mut Federation) {
    for seat in &mut village.seats {
        let accused: Vec<_> = seat.told().iter().filter(|event| matches!(event, Event::Misbehaved { .. })).collect();
        assert!(accused.is_empty(), "{accused:?}");
    }
}
