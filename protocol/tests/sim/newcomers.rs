//! Federations that grow, and shrink, while everything else goes on.

use std::collections::BTreeSet;

use althing_protocol::{
    body::Evidence,
    sim::{Fault, Report, Scenario},
    state::State,
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
