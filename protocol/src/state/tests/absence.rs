//! Who is away too long loses its vote until it is seen again.

use super::*;
use crate::{
    ledger::{Account, Turn, Turnover},
    statement::{Action, Instruction},
};

const fn id(n: u8) -> MemberId {
    MemberId([n; 32])
}

/// Members with these powers, in the order of their ids.
fn ledger(powers: &[u64]) -> Ledger {
    Ledger::of((0..).zip(powers).map(|(n, power)| (id(n), Account::new(*power, Hash::ZERO))))
}

fn powers(ledger: &Ledger) -> Vec<u64> {
    ledger.accounts.values().map(|account| account.power).collect()
}

/// A round in which these are seen and the first of them delivers, where two rounds away are too many.
fn turn(ledger: &mut Ledger, round: u64, seen: &[u8]) -> Turnover {
    seen.iter().for_each(|n| ledger.see(&id(*n), Round(round)));
    let delivered = seen.first().map(|n| id(*n)).into_iter().collect();
    let membership = Membership { suspend_after: 2, ..Membership::default() };
    ledger.turn_roll(&Turn { round: Round(round), delivered, membership: &membership })
}

#[test]
fn a_voter_that_is_away_too_long_is_suspended_until_it_is_seen() {
    let mut ledger = ledger(&[1, 1, 1, 1]);
    assert_eq!(turn(&mut ledger, 1, &[0, 1, 2]), Turnover::default());
    assert_eq!(turn(&mut ledger, 2, &[0, 1, 2, 3]), Turnover::default(), "in a row");
    turn(&mut ledger, 3, &[0, 1, 2]);
    assert_eq!(turn(&mut ledger, 4, &[0, 1, 2]).suspended, [(id(3), 1)].into());
    assert_eq!(powers(&ledger), [1, 1, 1, 0]);
    assert_eq!(turn(&mut ledger, 5, &[0, 1, 2]), Turnover::default());
    assert_eq!(turn(&mut ledger, 6, &[0, 1, 3]).restored, [(id(3), 1)].into());
    assert_eq!(powers(&ledger), [1, 1, 1, 1]);
    assert_eq!(turn(&mut ledger, 7, &[0, 1, 2]), Turnover::default(), "it begins anew");
}

#[test]
fn rounds_in_which_nobody_delivers_say_nothing_of_those_who_are_not_seen() {
    let mut ledger = ledger(&[1, 1, 1, 1]);
    for round in 1..9 {
        assert_eq!(turn(&mut ledger, round, &[]), Turnover::default());
    }
}

#[test]
fn less_than_a_third_of_all_power_is_suspended_and_others_wait() {
    let mut three = ledger(&[1, 1, 1]);
    (1..9).for_each(|round| _ = turn(&mut three, round, &[0, 1]));
    assert_eq!(powers(&three), [1, 1, 1], "a third must not be");
    let mut seven = ledger(&[1; 7]);
    (1..9).for_each(|round| _ = turn(&mut seven, round, &[0, 1, 2]));
    assert_eq!(powers(&seven), [1, 1, 1, 0, 0, 1, 1], "the first in the order of ids");
    assert_eq!(turn(&mut seven, 9, &[0, 3]).restored, [(id(3), 1)].into());
    assert_eq!(turn(&mut seven, 10, &[0, 3]).suspended, [(id(1), 1)].into());
    let mut heavy = ledger(&[4, 5, 4]);
    (1..9).for_each(|round| _ = turn(&mut heavy, round, &[0, 2]));
    assert_eq!(powers(&heavy), [4, 5, 4]);
}

#[test]
fn the_seat_of_whoever_is_suspended_is_not_given_away_and_it_may_leave() {
    let mut ledger = ledger(&[1, 1, 1, 1, 0]);
    let membership = Membership { suspend_after: 1, max_voters: 4, ..Membership::default() };
    let turn = |ledger: &mut Ledger, round| {
        [0, 1, 2, 4].iter().for_each(|n| ledger.see(&id(*n), Round(round)));
        ledger.turn_roll(&Turn { round: Round(round), delivered: [id(4)].into(), membership: &membership })
    };
    turn(&mut ledger, 1);
    turn(&mut ledger, 2);
    assert_eq!(powers(&ledger), [1, 1, 1, 0, 0]);
    ledger.carry_out(&id(3), &Instruction { nonce: 0, action: Action::Leave }, Round(3)).unwrap();
    turn(&mut ledger, 3);
    assert_eq!(powers(&ledger), [1, 1, 1, 1], "now there is room");
}

#[test]
fn proposing_bidding_delivering_and_appraising_are_seen() {
    let mut world = World::new();
    let mut genesis = world.federation.genesis.clone();
    genesis.membership.suspend_after = 1;
    genesis.validate().unwrap();
    world.federation = Federation::new(genesis);
    let ids = world.ids();
    let state = State::genesis(&world.federation);
    let none = instruct::only(Vec::new());
    let bid_of = |n: usize| vec![world.bid(&ids[n], 100, None)];
    let hires = PlanEvidence { bids: bid_of(3), ..none };
    let planned = world.decide(&state, Evidence::Plan(hires)).unwrap().0;
    let seen = |state: &State| -> Vec<MemberId> {
        let accounts = state.ledger.accounts.iter();
        accounts.filter(|(_, account)| account.seen_in == Round(1)).map(|(id, _)| *id).collect()
    };
    let chair = state.validators().unwrap().proposer(0);
    let mut wanted = vec![chair, ids[3]];
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(seen(&planned), wanted);
    let delivers = SettleEvidence {
        updates: vec![world.update(&ids[3], 1)],
        refused: BTreeMap::new(),
        appraisals: vec![world.appraisal(&ids[1], &[])],
        model: BlobRef { hash: Hash([9; 32]), size: 400 },
        turn: world.turn(&planned),
        equivocations: Vec::new(),
    };
    let (settled, outcome) = world.decide(&planned, Evidence::Settle(delivers)).unwrap();
    wanted.extend([ids[1], planned.validators().unwrap().proposer(0)]);
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(seen(&settled), wanted);
    let Outcome::Settled(settlement) = outcome else { unreachable!() };
    let first_away = ids.iter().find(|id| !wanted.contains(id)).unwrap();
    assert_eq!(settlement.turnover.suspended, [(*first_away, 1)].into());
    assert!(!settled.validators().unwrap().contains(first_away));
}
