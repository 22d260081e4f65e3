//! How members rise, fall and fade, by arithmetic of the test's own.

use super::*;
use crate::sim::Scenario;

fn ledger() -> (Ledger, Vec<MemberId>) {
    let ledger = Ledger::new(&Scenario::quiet(1, 4).genesis());
    let members = ledger.accounts.keys().copied().collect();
    (ledger, members)
}

#[test]
fn a_reputation_that_nothing_is_done_for_fades_to_a_newcomers_from_both_sides() {
    let (mut ledger, members) = ledger();
    let set = |ledger: &mut Ledger, place: usize, reputation| {
        ledger.accounts.get_mut(&members[place]).unwrap().reputation = reputation;
    };
    set(&mut ledger, 0, 1_000);
    set(&mut ledger, 1, 0);
    ledger.fade();
    let reputation =
        |ledger: &Ledger| members.iter().map(|member| ledger.accounts[member].reputation).collect::<Vec<_>>();
    assert_eq!(reputation(&ledger), [992, 8, 500, 500], "500 / 64, rounded up");
    (0..500).for_each(|_| ledger.fade());
    assert_eq!(reputation(&ledger), [500; 4]);
}

#[test]
fn a_newcomer_overtakes_whoever_rests_and_one_that_only_appraises_rises_too() {
    let (mut ledger, members) = ledger();
    ledger.accounts.get_mut(&members[0]).unwrap().reputation = 1_000;
    for _ in 0..40 {
        ledger.believe(&members[2]).unwrap();
        ledger.fade();
        ledger.commend(&members[1]).unwrap();
    }
    let [rested, worked, appraised, idle] =
        [0, 1, 2, 3].map(|place: usize| ledger.accounts[&members[place]].reputation);
    assert!(worked > rested && worked > appraised && appraised > idle, "{worked} {rested} {appraised} {idle}");
}

#[test]
fn splitting_a_member_with_its_power_gains_no_weight_in_elections() {
    let (mut ledger, members) = ledger();
    let whole = ledger.clone();
    // One of four with power 4 becomes two with power 2 each.
    for account in ledger.accounts.values_mut() {
        account.power = 4;
    }
    let before: u64 =
        ledger.election_weights().filter(|(member, _)| *member == members[0]).map(|(_, weight)| weight).sum();
    let mut half = ledger.accounts[&members[0]].clone();
    half.power = 2;
    ledger.accounts.insert(members[0], half.clone());
    ledger.accounts.insert(MemberId([1; 32]), half);
    let mine = [members[0], MemberId([1; 32])];
    let after: u64 =
        ledger.election_weights().filter(|(member, _)| mine.contains(member)).map(|(_, weight)| weight).sum();
    assert_eq!((before, after), (2_000, 2_000));
    assert!(whole.election_weights().all(|(_, weight)| weight == 500), "power 1 weighs a reputation");
}
