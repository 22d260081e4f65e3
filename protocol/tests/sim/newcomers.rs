//! Federations that grow, and shrink, while everything else goes on.

use std::collections::BTreeSet;

use althing_protocol::{
    body::Evidence,
    ids::Height,
    sim::{Fault, Lie, Report, Scenario},
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
fn newcomers_and_liars_are_voted_out_for_good() {
    let (mut removed, mut votes) = (0, 0);
    for seed in 0..8 {
        let scenario = Scenario {
            newcomers: 2,
            rounds: 12,
            votes_every_ms: 150,
            liars: [(3, BTreeSet::from([Lie::FlipBit]))].into(),
            calm_at: Time(20_000),
            ..Scenario::quiet(seed, 4)
        };
        let report = hold(&scenario);
        votes += said(&report, |action| matches!(action, Action::Vote(_)));
        let ledger = &last(&report).ledger;
        removed += ledger.roll.barred.len();
        assert!(ledger.roll.barred.keys().all(|who| !ledger.accounts.contains_key(who)), "seed {seed}");
    }
    assert!(removed > 12 && votes > 40, "{removed} were removed by {votes} votes");
}

#[test]
fn who_is_away_has_no_vote_chairs_nothing_and_comes_back() {
    let crash = |member| (Time(1_500), Fault::Crash { member, down_ms: Some(9_000) });
    for seed in 0..4 {
        let scenario = Scenario {
            suspend_after: 2,
            rounds: 20,
            faults: vec![crash(5), crash(6)],
            calm_at: Time(11_000),
            ..Scenario::quiet(seed, 7)
        };
        let report = hold(&scenario);
        let while_away = report.decided_at.iter().filter(|(_, at)| (6_000..10_000).contains(&at.0));
        let while_away: Vec<&Height> = while_away.map(|(height, _)| height).collect();
        let takeovers = while_away.iter().filter(|height| report.chain[**height].header.agreement_round > 0).count();
        assert!(while_away.len() > 4, "seed {seed}: {while_away:?}");
        assert_eq!(takeovers, 0, "seed {seed}: nobody waits for those who are away");
        let powers: Vec<u64> = last(&report).ledger.accounts.values().map(|account| account.power).collect();
        assert_eq!(powers, [1; 7], "seed {seed}: they vote again");
    }
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
