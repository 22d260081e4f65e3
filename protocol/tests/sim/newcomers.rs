//! Federations that grow, and shrink, while everything else goes on.

use std::collections::BTreeSet;

use althing_protocol::{
    body::Evidence,
    sim::{Fault, Report, Scenario},
    state::{Federation, State},
    statement::Action,
    time::Time,
};

use super::scenarios::hold;

fn last(report: &Report) -> &State {
    report.states.iter().max_by_key(|state| state.height).unwrap()
}

/// Instructions of this kind that Plans have carried out.
fn said(report: &Report, kind: impl Fn(&Action) -> bool) -> usize {
    let plans = report.chain.values().filter_map(|body| match &body.evidence {
        Evidence::Plan(plan) => Some(plan),
        Evidence::Settle(_) => None,
    });
    plans.flat_map(|plan| &plan.instructions).filter(|signed| kind(&signed.peek().unwrap().action)).count()
}

#[test]
fn one_founder_becomes_four_members_that_all_vote() {
    let report = hold(&Scenario { newcomers: 3, rounds: 30, calm_at: Time(100), ..Scenario::quiet(3, 1) });
    let state = last(&report);
    let powers: Vec<u64> = state.ledger.accounts.values().map(|account| account.power).collect();
    assert_eq!(powers, [1; 4], "everybody has come, delivered, and votes");
    let chairs: BTreeSet<_> = report.chain.values().map(|body| body.header.proposer).collect();
    assert!(chairs.len() >= 3, "{} of four have chaired", chairs.len());
}

#[test]
fn who_has_no_vote_trains_and_is_paid_and_nobody_waits_for_it() {
    let powers = vec![1, 1, 0, 1, 0, 1, 0];
    let scenario = Scenario { powers: powers.clone(), rounds: 20, ..Scenario::quiet(5, 7) };
    let genesis = State::genesis(&Federation::new(scenario.genesis()));
    let report = hold(&scenario);
    let (voters, others): (Vec<_>, Vec<_>) = genesis.ledger.accounts.iter().partition(|(_, account)| account.power > 0);
    let state = last(&report);
    for (member, _) in &others {
        let account = &state.ledger.accounts[*member];
        assert!(account.delivered > 0 && account.balance > 0 && account.power == 0, "{member}: {account:?}");
    }
    let chairs: BTreeSet<_> = report.chain.values().map(|body| body.header.proposer).collect();
    assert!(chairs.iter().all(|chair| voters.iter().any(|(voter, _)| *voter == chair)), "{chairs:?}");

    // Three without a vote are gone, and four go on; three with a vote are too few.
    let crash = |member| (Time(1_000), Fault::Crash { member, down_ms: Some(6_000) });
    let without = |gone: [usize; 3]| {
        let faults = gone.map(crash).to_vec();
        let scenario = Scenario { powers: powers.clone(), faults, calm_at: Time(8_000), ..Scenario::quiet(5, 7) };
        hold(&scenario).decided_at.values().filter(|at| (2_500..7_000).contains(&at.0)).count()
    };
    assert!(without([2, 4, 6]) > 2);
    assert_eq!(without([0, 1, 3]), 0);
}

#[test]
fn newcomers_come_and_go_and_come_again() {
    let (mut came, mut went) = (0, 0);
    for seed in 0..10 {
        let report = hold(&Scenario { newcomers: 2, rounds: 8, calm_at: Time(20_000), ..Scenario::quiet(seed, 4) });
        came += said(&report, |action| matches!(action, Action::Join(_)));
        went += said(&report, |action| matches!(action, Action::Leave));
        assert_eq!(last(&report).ledger.accounts.len(), 6, "seed {seed}: whoever is out at the end comes in again");
    }
    assert!(came > 25 && went > 5, "{came} came and {went} went");
}

#[test]
fn a_federation_goes_on_when_a_newcomer_with_a_vote_crashes_for_a_while() {
    let crash = Fault::Crash { member: 1, down_ms: Some(3_000) };
    for seed in 0..5 {
        let scenario = Scenario {
            newcomers: 1,
            rounds: 10,
            faults: vec![(Time(6_000), crash.clone())],
            calm_at: Time(9_500),
            ..Scenario::quiet(seed, 1)
        };
        let report = hold(&scenario);
        assert_eq!(last(&report).ledger.accounts.len(), 2, "seed {seed}");
    }
}
