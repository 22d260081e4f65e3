//! Members vote others out, and votes change hands within bounds.

use std::collections::BTreeSet;

use super::{
    roll::{carla, invitation, open_village},
    *,
};
use crate::{
    genesis::Membership,
    ledger::{Account, Exit, Turn, Turnover},
    limits::{BARRED_ROUNDS, MAX_VOTES, MOTION_ROUNDS},
    statement::{Action, Instruction, Invitation, Motion},
};

const EVERYBODY: Membership =
    Membership { admission: crate::genesis::Admission::Closed, max_voters: 128, suspend_after: 0 };

impl World {
    /// What these members say, each as its first instruction, to have `member` removed.
    fn removal(&self, voters: &[MemberId], member: &MemberId) -> Vec<Signed<Instruction>> {
        voters.iter().map(|who| self.instruct(who, 0, Action::Vote(Motion::Remove(*member)))).collect()
    }
}

/// Members with these powers, in the order of their ids.
fn ledger(powers: &[u64]) -> Ledger {
    let account = |(n, power): (u8, &u64)| (id(n), Account::new(*power, Hash::ZERO));
    Ledger::of((0..).zip(powers).map(account))
}

const fn id(n: u8) -> MemberId {
    MemberId([n; 32])
}

fn turn(ledger: &mut Ledger, round: u64, delivered: impl IntoIterator<Item = u8>) -> Turnover {
    let delivered = delivered.into_iter().map(id).collect();
    ledger.turn_roll(&Turn { round: Round(round), delivered, membership: &EVERYBODY })
}

fn powers(ledger: &Ledger) -> Vec<u64> {
    ledger.accounts.values().map(|account| account.power).collect()
}

fn leave(ledger: &mut Ledger, round: u64, who: impl IntoIterator<Item = u8>) {
    for n in who {
        ledger.carry_out(&id(n), &Instruction { nonce: 0, action: Action::Leave }, Round(round)).unwrap();
    }
}

#[test]
fn more_than_two_thirds_of_the_votes_remove_a_member() {
    let world = open_village();
    let [first, second, third, fourth] = world.members()[..] else { unreachable!() };
    let state = State::genesis(&world.federation);
    let open = world.round(&state, world.removal(&[second, third], &first));
    assert!(open.ledger.accounts.contains_key(&first), "two of four are not enough");
    assert_eq!(open.ledger.roll.removals[&first].votes, BTreeSet::from([second, third]));
    assert!(serde_json::to_string(&open.ledger).is_ok(), "nodes tell it to whoever asks");

    let planned = world.after(&open, world.removal(&[fourth], &first)).unwrap();
    assert!(planned.validators().unwrap().contains(&first), "it votes until the round is settled");
    let gone = world.settled(&planned);
    assert!(!gone.ledger.accounts.contains_key(&first) && !gone.ledger.roll.inviters.contains(&first));
    assert_eq!(gone.ledger.standing(&first), state.ledger.standing(&first), "what it owns stays its own");
    assert!(gone.ledger.roll.removals.is_empty() && gone.ledger.roll.leaving.is_empty());

    let of_removed = world.joins(&carla(), 0, world.applies(&first, invitation(), &carla()));
    let why = world.after(&gone, vec![of_removed]).unwrap_err().to_string();
    assert!(why.contains("may not invite"), "{why}");
    let key = &world.keys[&first].0;
    let lasting = Invitation { last_round: Round(9), ..invitation() };
    let back = world.joins(key, 0, world.applies(&second, lasting, key));
    let why = world.after(&gone, vec![back.clone()]).unwrap_err().to_string();
    assert!(why.contains("have removed") && why.contains("before round 10003"), "{why}");
    assert_eq!(gone.ledger.roll.barred[&first], Round(2 + BARRED_ROUNDS));
    let mut later = gone;
    later.ledger.roll.barred.insert(first, Round(3));
    let later = world.round(&later, Vec::new());
    assert_eq!(later.ledger.roll.barred, BTreeMap::new());
    assert!(world.round(&later, vec![back]).ledger.accounts.contains_key(&first));
}

#[test]
fn a_vote_that_counts_for_nothing_is_refused() {
    let world = open_village();
    let [first, second, ..] = world.members()[..] else { unreachable!() };
    let remove = |who: &MemberId, nonce, member| world.instruct(who, nonce, Action::Vote(Motion::Remove(member)));
    let with_carla = world.round(&State::genesis(&world.federation), vec![world.carla_joins()]);
    let mut eager = with_carla.clone();
    for n in 0..MAX_VOTES as u8 {
        let ballot = crate::ledger::Ballot { votes: [first].into(), last_round: Round(9) };
        eager.ledger.roll.removals.insert(id(n), ballot);
    }
    let table = [
        (&with_carla, vec![remove(&world.sponsor(), 0, first)], "has no vote"),
        (&with_carla, vec![remove(&carla().id(), 1, first)], "has no vote"),
        (&with_carla, vec![remove(&first, 0, world.sponsor())], "is no member"),
        (&with_carla, vec![world.instruct(&second, 0, Action::Leave), remove(&second, 1, second)], "is no member"),
        (&with_carla, vec![remove(&first, 0, second), remove(&first, 1, second)], "has voted for this already"),
        (&eager, vec![remove(&first, 0, second)], "has voted for 16 open motions"),
    ];
    for (state, said, wanted) in table {
        let why = world.after(state, said).unwrap_err().to_string();
        assert!(why.contains(wanted), "{wanted}: {why}");
    }
}

#[test]
fn a_motion_lapses() {
    let world = open_village();
    let [first, second, third, fourth] = world.members()[..] else { unreachable!() };
    let mut open = world.after(&State::genesis(&world.federation), world.removal(&[second, third], &first)).unwrap();
    assert_eq!(open.ledger.roll.removals[&first].last_round, Round(1 + MOTION_ROUNDS));
    open.ledger.roll.removals.get_mut(&first).unwrap().last_round = Round(1);
    let lapsed = world.settled(&open);
    let again = world.round(&lapsed, world.removal(&[fourth], &first));
    assert!(again.ledger.accounts.contains_key(&first));
    assert_eq!(again.ledger.roll.removals[&first].votes, BTreeSet::from([fourth]), "it begins anew");
}

#[test]
fn who_has_left_has_no_vote_in_a_motion_any_more() {
    let world = open_village();
    let [first, second, third, fourth] = world.members()[..] else { unreachable!() };
    let mut said = world.removal(&[first, second], &fourth);
    said.extend(world.removal(&[third], &first));
    let state = world.round(&State::genesis(&world.federation), said);
    let state = world.round(&state, vec![world.instruct(&first, 1, Action::Leave)]);
    assert_eq!(state.ledger.roll.removals.len(), 1, "the motion about it is over, and the other goes on without it");
    assert_eq!(state.ledger.roll.removals[&fourth].votes, BTreeSet::from([second]));
    let said = vec![world.instruct(&third, 1, Action::Vote(Motion::Remove(fourth)))];
    let state = world.round(&state, said);
    assert!(state.ledger.accounts.contains_key(&fourth), "two of three are not more than two thirds");
}

#[test]
fn one_settle_moves_less_than_a_third_of_the_votes_and_one_always() {
    let mut seven = ledger(&[1; 7]);
    leave(&mut seven, 1, [5, 1, 3]);
    assert_eq!(turn(&mut seven, 1, []).left, [(id(1), Exit::Left), (id(3), Exit::Left)].into());
    assert_eq!(turn(&mut seven, 2, []).left, [(id(5), Exit::Left)].into(), "the next has waited");

    let mut heavy = ledger(&[1, 5, 1]);
    leave(&mut heavy, 1, [0, 1]);
    assert_eq!(turn(&mut heavy, 1, []).left, [(id(0), Exit::Left)].into());
    assert_eq!(turn(&mut heavy, 2, []).left, [(id(1), Exit::Left)].into(), "the first may, whatever its power");

    let mut growing = ledger(&[1, 1, 1, 0, 0, 0, 0]);
    turn(&mut growing, 1, [3, 4, 5]);
    assert_eq!(powers(&growing), [1, 1, 1, 1, 0, 0, 0]);
    leave(&mut growing, 2, [0]);
    turn(&mut growing, 2, [4, 5, 6]);
    assert_eq!(powers(&growing), [1, 1, 1, 0, 0, 0], "who goes is before who comes");

    let mut powerless = ledger(&[1, 1, 1, 0, 0]);
    leave(&mut powerless, 1, [0, 3, 4]);
    assert_eq!(turn(&mut powerless, 1, []).left.len(), 3, "no power moves with those");
}

#[test]
fn the_last_vote_waits_until_another_has_one() {
    let mut ledger = ledger(&[1, 1, 0]);
    leave(&mut ledger, 1, [0]);
    let account = ledger.accounts.get_mut(&id(1)).unwrap();
    account.power = 0;
    assert_eq!(turn(&mut ledger, 1, []).left, BTreeMap::new());
    assert_eq!(turn(&mut ledger, 2, [2]).left, BTreeMap::new());
    assert_eq!(turn(&mut ledger, 3, []).left, [(id(0), Exit::Left)].into());
}

#[test]
fn votes_are_given_up_to_as_many_as_the_genesis_allows() {
    let give = |ledger: &mut Ledger, delivered: &[u8], max_voters| {
        let (delivered, membership) =
            (delivered.iter().map(|n| id(*n)).collect(), Membership { max_voters, ..EVERYBODY });
        ledger.turn_roll(&Turn { round: Round(1), delivered, membership: &membership });
        powers(ledger)
    };
    let mut ledger = ledger(&[1, 0, 0, 0]);
    assert_eq!(give(&mut ledger, &[2, 3], 2), [1, 0, 1, 0]);
    assert_eq!(give(&mut ledger, &[0, 1, 2, 3], 2), [1, 0, 1, 0], "no more than two, whoever delivers");
    assert_eq!(give(&mut ledger, &[0, 1, 2, 3], 1), [1, 0, 1, 0], "and a vote is not taken away");
    assert_eq!(give(&mut ledger, &[0, 1, 2, 3], 128), [1, 1, 1, 0]);
}
