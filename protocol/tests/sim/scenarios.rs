//! Scenes that everybody asks about.

use std::collections::{BTreeMap, BTreeSet};

use althing_protocol::{
    body::{Body, Evidence, PlanEvidence},
    detection::Pretence,
    event::{HiredBy, Phase},
    genesis::Aggregation,
    ids::{Height, MemberId, Round},
    machine::Voice,
    sim::{self, Fault, Habits, Lie, Moment, Report, Scenario, attack::Attack},
    statement::{Action, Instruction},
    time::Time,
};

/// Lets `scenario` happen, and complains.
pub(super) fn hold(scenario: &Scenario) -> Report {
    let report = sim::run(scenario);
    assert_eq!(report.violations, [], "{scenario:#?}");
    report
}

fn with_fault(members: usize, at_ms: u64, fault: Fault, calm_ms: u64) -> Scenario {
    Scenario { faults: vec![(Time(at_ms), fault)], calm_at: Time(calm_ms), ..Scenario::quiet(7, members) }
}

fn with_liar(seed: u64, lie: Lie) -> Scenario {
    Scenario { rounds: 12, liars: [(1, BTreeSet::from([lie]))].into(), ..Scenario::quiet(seed, 4) }
}

fn bodies_of(report: &Report, round: u64) -> impl Iterator<Item = &Body> {
    report.chain.values().filter(move |body| body.header.round == Round(round))
}

/// Heights that were first decided between the two times.
fn decided_between(report: &Report, from_ms: u64, to_ms: u64) -> usize {
    report.decided_at.values().filter(|at| (from_ms..to_ms).contains(&at.0)).count()
}

fn all_heads_are_equal(report: &Report) {
    let newest = report.states.iter().map(|state| state.height).max().unwrap();
    for state in &report.states {
        assert!(newest.0 - state.height.0 <= 2, "at {} while others are at {newest}", state.height);
    }
}

#[test]
fn one_two_or_three_members_settle_rounds() {
    for members in 1..=3 {
        let report = hold(&Scenario::quiet(1, members));
        assert!(report.chain.len() >= 4, "{members} members decided {} heights", report.chain.len());
        assert_eq!(report.counts.takeovers, 0);
    }
}

#[test]
fn a_dead_chair_is_taken_over_in_every_phase() {
    for phase in [Phase::Bid, Phase::Reveal, Phase::Plan, Phase::Train, Phase::Appraise, Phase::Settle] {
        for down_ms in [None, Some(3_000)] {
            let death = Fault::CrashOfChair { round: Round(2), phase, down_ms };
            let report = hold(&with_fault(4, 0, death, 8_000));
            assert_eq!(report.counts.crashes, 1, "{phase:?}");
            let taken_over = bodies_of(&report, 2).filter(|body| body.header.agreement_round > 0).count();
            assert!(taken_over >= 1, "nobody took over in {phase:?}");
            assert_eq!(bodies_of(&report, 2).count(), 2, "round 2 ended in spite of {phase:?}");
        }
    }
}

#[test]
fn two_against_two_decide_nothing_and_go_on_when_they_meet_again() {
    let parted = Fault::Partition { sides: vec![0, 0, 1, 1] };
    let report = hold(&with_fault(4, 1_500, parted, 20_000));
    assert_eq!(decided_between(&report, 3_000, 20_000), 0);
    assert!(decided_between(&report, 20_000, u64::MAX) >= 3);
}

#[test]
fn three_go_on_without_the_fourth_which_catches_up() {
    let parted = Fault::Partition { sides: vec![0, 0, 0, 1] };
    let report = hold(&with_fault(4, 1_000, parted, 15_000));
    assert!(decided_between(&report, 3_000, 15_000) >= 6);
    all_heads_are_equal(&report);
}

#[test]
fn what_a_damaged_disk_has_lost_is_fetched_again() {
    for at in (500..6_000).step_by(250) {
        // Without the fourth, nothing is decided without the one whose disk is damaged.
        let gone = Fault::Crash { member: 3, down_ms: None };
        let faults =
            vec![(Time(100), gone), (Time(at), Fault::Rot { member: 0 }), (Time(at + 700), Fault::Rot { member: 0 })];
        hold(&Scenario { faults, calm_at: Time(at + 800), patience_ms: 20_000, ..Scenario::quiet(at, 4) });
    }
}

#[test]
fn a_member_that_was_long_away_catches_up_over_many_heights() {
    let habits = Habits { training_ms: 100, ..Habits::DILIGENT };
    let away = Fault::Crash { member: 3, down_ms: Some(25_000) };
    let report = hold(&Scenario { habits, ..with_fault(4, 500, away, 26_000) });
    assert!(decided_between(&report, 500, 25_000) > 3 * 16, "only {} heights to catch up", report.chain.len());
    all_heads_are_equal(&report);
}

#[test]
fn a_round_whose_winners_all_fail_settles_empty_and_gives_the_escrow_back() {
    let habits = Habits { failure_permille: 1_000, ..Habits::DILIGENT };
    let report = hold(&Scenario { habits, ..Scenario::quiet(3, 4) });
    assert!(report.counts.empty_rounds >= 2);
    for state in &report.states {
        assert!(state.ledger.accounts.values().all(|account| account.balance == 0), "nobody has earned anything");
        assert_eq!(state.model, report.states[0].model);
    }
}

#[test]
fn nobody_waits_for_a_winner_that_says_it_has_nothing() {
    let ended_after = |admission_permille| {
        let habits = Habits { failure_permille: 300, admission_permille, ..Habits::DILIGENT };
        let report = hold(&Scenario { habits, rounds: 12, ..Scenario::quiet(11, 4) });
        report.ended.0
    };
    let (silent, said) = (ended_after(0), ended_after(1_000));
    // Deadlines are a second or more (R24), trainings and all else take about one together.
    assert!(
        said * 3 < silent * 2,
        "twelve rounds took {said} ms where failures are said, {silent} ms where they are not"
    );
}

#[test]
fn a_round_without_bids_settles_empty_at_once_and_the_next_waits() {
    let habits = Habits { pass_permille: 1_000, ..Habits::DILIGENT };
    let scenario = Scenario { habits, rounds: 4, ..Scenario::quiet(3, 4) };
    let pauses_ms = 3 * scenario.genesis().phases.commit.max_ms;
    let report = hold(&scenario);
    assert!(report.counts.empty_rounds >= 4);
    assert!(
        report.ended > Time(pauses_ms),
        "a federation without bids does not spin: it took until {:?}",
        report.ended
    );
    let patience = Time(pauses_ms + 2_000);
    assert!(report.ended < patience, "nobody waits for updates of nobody: it took until {:?}", report.ended);
}

#[test]
fn a_federation_pauses_between_rounds_for_as_long_as_its_genesis_says() {
    let lasts = |pause_ms| hold(&Scenario { rounds: 5, pause_ms, ..Scenario::quiet(3, 4) }).ended.0;
    let (pausing, hurrying) = (lasts(2_000), lasts(0));
    assert!(pausing >= hurrying.saturating_sub(500) + 4 * 2_000, "five rounds took {pausing} ms and {hurrying} ms");
    assert!(pausing <= hurrying + 6 * 2_000, "five rounds took {pausing} ms and {hurrying} ms");
}

#[test]
fn who_loses_too_often_goes_first() {
    // How many it comes to in one run is chance.
    let mut first = 0;
    for seed in 5..=7 {
        let report = hold(&Scenario { rounds: 30, max_losses: 2, ..Scenario::quiet(seed, 7) });
        let by_floor = report.awards.values().flatten().filter(|award| award.hired_by == HiredBy::Floor).count();
        first += by_floor;
    }
    assert!(first >= 15, "only {first} were hired by the floor in 90 rounds");
    let unbound = hold(&Scenario { rounds: 30, ..Scenario::quiet(5, 7) });
    assert!(unbound.awards.values().flatten().all(|award| award.hired_by == HiredBy::Auction));
}

/// How many a run hires by counter-offers.
fn countered(report: &Report) -> usize {
    report.awards.values().flatten().filter(|award| award.hired_by == HiredBy::CounterOffer).count()
}

#[test]
fn counter_offers_hire_those_who_accept_them() {
    // How many it comes to in one run is chance.
    let mut hired = 0;
    for seed in 1..=4 {
        let report = hold(&Scenario { rounds: 24, max_counter_offers: 2, ..Scenario::quiet(seed, 5) });
        hired += countered(&report);
        assert_eq!(report.counts.takeovers, 0, "nobody takes over while the chair waits for replies");
    }
    assert!(hired >= 5, "only {hired} were hired by counter-offers in 96 rounds");
    assert_eq!(countered(&hold(&Scenario { rounds: 12, ..Scenario::quiet(5, 5) })), 0);
}

#[test]
fn a_chair_that_breaks_the_terms_is_taken_over_and_one_that_hides_replies_hires_by_bids() {
    let with = |seed, lie| hold(&Scenario { max_counter_offers: 2, ..with_liar(seed, lie) }).counts;
    // Whether a liar chairs a round in which it can offer something is chance.
    let lied = |lie| (8..12).map(|seed| with(seed, lie)).filter(|counts| counts.lies > 0).collect::<Vec<_>>();
    let broken = lied(Lie::WrongOffer);
    assert!(!broken.is_empty() && broken.iter().all(|counts| counts.takeovers > 0), "{broken:?}");
    assert!(!lied(Lie::HideReplies).is_empty());
    for lie in [Lie::Overreach, Lie::TwoFaces, Lie::Equivocate, Lie::Silence] {
        with(8, lie);
    }
}

#[test]
fn receivers_that_often_stay_silent_stop_no_round() {
    let habits = Habits { silence_permille: 400, ..Habits::DILIGENT };
    let play = |seed| hold(&Scenario { habits, rounds: 24, max_counter_offers: 2, ..Scenario::quiet(seed, 5) });
    let reports: Vec<Report> = (3..6).map(play).collect();
    let plans = reports.iter().flat_map(|report| report.chain.values()).filter_map(|body| match &body.evidence {
        Evidence::Plan(plan) => Some(plan),
        Evidence::Settle(_) => None,
    });
    let asked = |plan: &PlanEvidence| plan.counter_offers.as_ref().map_or(0, |made| made.peek().unwrap().offers.len());
    let silent = plans.filter(|plan| asked(plan) > plan.replies.len()).count();
    assert!(silent > 0, "everybody has replied");
}

#[test]
fn agents_that_never_answer_stop_no_round() {
    let habits = Habits { silence_permille: 1_000, ..Habits::DILIGENT };
    for members in [1, 4] {
        hold(&Scenario { habits, ..Scenario::quiet(3, members) });
    }
}

#[test]
fn everybody_dies_at_once_and_comes_back() {
    for at_ms in (300..2_300).step_by(100) {
        for members in [1, 4] {
            let report = hold(&with_fault(members, at_ms, Fault::Blackout { down_ms: 500 }, 3_500));
            assert_eq!(report.counts.crashes, members as u64);
        }
    }
}

#[test]
fn what_was_voted_for_outlives_its_proposer() {
    for at_ms in (300..1_300).step_by(23) {
        for member in 0..4 {
            let faults = vec![
                (Time(at_ms), Fault::Crash { member, down_ms: None }),
                (Time(at_ms), Fault::Blackout { down_ms: 200 }),
            ];
            hold(&Scenario { faults, calm_at: Time(at_ms + 1_000), ..Scenario::quiet(7, 4) });
        }
    }
}

#[test]
fn whoever_dies_at_any_write_comes_back_the_same() {
    for (members, writes) in [(1, 30), (4, 60)] {
        for writes in 0..writes {
            for moment in [Moment::BeforeWrite, Moment::AfterWrite] {
                let doom = Fault::CrashAtWrite { member: 0, writes, moment, down_ms: 300 };
                let report = hold(&with_fault(members, 0, doom, 4_000));
                assert_eq!(report.counts.crashes, 1, "write {writes} of {members}");
            }
        }
    }
}

#[test]
fn an_equivocator_is_convicted_and_slashed() {
    let report = hold(&with_liar(2, Lie::Equivocate));
    let liar = Scenario::quiet(2, 4).identities()[1].keypair.id();
    let mut proofs = report.chain.values().filter_map(|body| match &body.evidence {
        Evidence::Settle(settle) => settle.equivocations.first(),
        Evidence::Plan(_) => None,
    });
    assert_eq!(proofs.next().map(|proof| proof.member()), Some(liar));
    assert!(proofs.all(|proof| proof.member() == liar));
    let ledger = &report.states[0].ledger;
    assert!(ledger.accounts[&liar].convicted_at > Height(0));
    assert!(ledger.burned > 0);
}

#[test]
fn a_chair_that_lies_about_the_model_is_taken_over() {
    // Of a single update nothing can be left out, so that the chair is honest then.
    for (lie, least) in [(Lie::FlipBit, 1), (Lie::OmitUpdate, 2), (Lie::Slander, 2)] {
        let reports: Vec<Report> = (0..4).map(|seed| hold(&with_liar(seed, lie))).collect();
        let liar = Scenario::quiet(0, 4).identities()[1].keypair.id();
        let is_filled = |body: &&Body| matches!(&body.evidence, Evidence::Settle(s) if s.updates.len() >= least);
        let filled: Vec<&Body> = reports.iter().flat_map(|report| report.chain.values()).filter(is_filled).collect();
        assert!(reports.iter().any(|report| report.counts.lies > 0 && report.counts.takeovers > 0), "{lie:?}");
        assert!(!filled.is_empty());
        assert!(filled.iter().all(|body| body.header.proposer != liar), "{lie:?} was decided");
    }
}

#[test]
fn no_other_lie_stops_the_rounds() {
    for lie in Lie::ALL {
        for seed in 0..3 {
            hold(&with_liar(seed, lie));
        }
    }
}

/// Every attack by one of four, under a rule that bears one. What members vote for is recomputed by a property.
#[test]
fn attacks_on_what_is_learnt_split_nobody_and_stop_no_round() {
    let robust =
        |rule: &str, mixing: &str| Aggregation { rule: rule.parse().unwrap(), mixing: mixing.parse().unwrap() };
    for aggregation in [Aggregation::default(), robust("trimmed:1", "nearest:1"), robust("mean", "aligned:1")] {
        for attack in Attack::ALL {
            let attackers = [(1, attack)].into();
            let report = hold(&Scenario { rounds: 4, attackers, aggregation, ..Scenario::quiet(3, 4) });
            all_heads_are_equal(&report);
            assert!(bodies_of(&report, 4).count() == 2, "{attack} under {}", aggregation.rule);
        }
    }
}

/// Not a number, or a thousand times as far as anybody may go: neither ever enters a model, and others do.
#[test]
fn what_is_no_update_never_enters_a_model() {
    for attack in ["nan", "scaled:1000"] {
        let attackers = [(1, attack.parse().unwrap())].into();
        // The floor hires the attacker, however its bids fall.
        let report = hold(&Scenario { rounds: 12, max_losses: 1, attackers, ..Scenario::quiet(4, 4) });
        let attacker = Scenario::quiet(4, 4).identities()[1].keypair.id();
        let entered = report.chain.values().filter_map(|body| match &body.evidence {
            Evidence::Settle(settle) => Some(settle.updates.iter().map(|update| update.signer)),
            Evidence::Plan(_) => None,
        });
        let entered: Vec<_> = entered.flatten().collect();
        assert!(!entered.is_empty() && !entered.contains(&attacker), "{attack}");
        let account = |place: usize| {
            let id = Scenario::quiet(4, 4).identities()[place].keypair.id();
            &report.states[0].ledger.accounts[&id]
        };
        assert!(account(1).hired > 0 && account(1).delivered == 0, "{attack}: it was hired and delivered nothing");
        assert!(account(1).reputation < account(0).reputation, "{attack}");
    }
}

/// It delivers in time and in form, and is refused by name whenever it is hired.
#[test]
fn who_hands_back_the_model_is_found_out_and_not_paid() {
    let attackers = [(1, "zero".parse().unwrap())].into();
    let report = hold(&Scenario { rounds: 12, max_losses: 1, attackers, ..Scenario::quiet(4, 4) });
    let rider = Scenario::quiet(4, 4).identities()[1].keypair.id();
    let refused = report.chain.values().filter_map(|body| match &body.evidence {
        Evidence::Settle(settle) => Some(settle.refused.iter().map(|(member, pretence)| (*member, *pretence))),
        Evidence::Plan(_) => None,
    });
    let refused: Vec<_> = refused.flatten().collect();
    let account = &report.states[0].ledger.accounts[&rider];
    assert!(!refused.is_empty() && refused.iter().all(|named| *named == (rider, Pretence::Idle)), "{refused:?}");
    assert_eq!((account.balance, account.delivered), (0, 0));
    assert!(account.hired > 0 && account.reputation < 500, "{account:?}");
}

#[test]
fn none_of_a_thousand_forgeries_is_accepted() {
    let scenario = Scenario { calm_at: Time(110_000), ..with_liar(5, Lie::Spam) };
    let report = hold(&scenario);
    assert!(report.counts.forgeries >= 1_000, "only {} forgeries", report.counts.forgeries);
}

#[test]
fn a_seed_reproduces_its_run_exactly() {
    let mut traces = BTreeSet::new();
    for seed in 0..20 {
        let (first, second) = (sim::run(&Scenario::from_seed(seed)), sim::run(&Scenario::from_seed(seed)));
        assert_eq!(first, second, "seed {seed}");
        traces.insert(first.trace);
    }
    assert_eq!(traces.len(), 20, "different seeds are different runs");
}

/// Every instruction that a body says, by account, in the order of bodies.
fn instructions_of(report: &Report) -> BTreeMap<MemberId, Vec<Instruction>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for body in report.chain.values() {
        let Evidence::Plan(plan) = &body.evidence else { continue };
        for signed in &plan.instructions {
            all.entry(signed.signer).or_default().push(signed.peek().unwrap());
        }
    }
    all
}

#[test]
fn owners_have_credits_moved_and_jobs_done_whoever_crashes() {
    let crash = Fault::Crash { member: 2, down_ms: Some(4_000) };
    let chair = Fault::CrashOfChair { round: Round(3), phase: Phase::Plan, down_ms: Some(2_000) };
    let report = hold(&Scenario {
        instructs_every_ms: 200,
        rounds: 12,
        faults: vec![(Time(0), chair), (Time(3_000), crash)],
        calm_at: Time(9_000),
        ..Scenario::quiet(6, 5)
    });
    let said = instructions_of(&report);
    let sponsor = &said[&Scenario::sponsor().id()];
    for (account, instructions) in &said {
        let numbers: Vec<u64> = instructions.iter().map(|instruction| instruction.nonce).collect();
        assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{account}: {numbers:?}");
    }
    let jobs = sponsor.iter().filter(|instruction| matches!(instruction.action, Action::Fund(_))).count();
    assert!(said.len() >= 3 && jobs >= 1, "{} accounts, {jobs} jobs of the sponsor", said.len());
    let state = report.states.iter().max_by_key(|state| state.height).unwrap();
    assert!(state.ledger.last_job.0 as usize >= jobs);
}

/// A member whose store is copied in one second and lost in a later one, in the middle of whatever is going on there.
fn restored(seed: u64, voice: Voice) -> Scenario {
    let lost_ms = 3_000 + 137 * (seed % 20);
    let restore = Fault::Restore { member: 2, down_ms: 50, voice };
    let faults = vec![(Time(2_000), Fault::Copy { member: 2 }), (Time(lost_ms), restore)];
    Scenario { faults, rounds: 30, calm_at: Time(8_000), ..Scenario::quiet(seed, 4) }
}

#[test]
fn a_member_that_is_restored_from_a_copy_never_signs_twice_and_takes_part_again() {
    for seed in 0..20 {
        let scenario = restored(seed, Voice::Silent);
        let report = hold(&scenario);
        let id = scenario.identities()[2].keypair.id();
        let (lost, _) = scenario.faults[1];
        let hired = report.awards.iter().filter(|(_, awards)| awards.iter().any(|award| award.member == id));
        let hired_at: Vec<u64> = hired.map(|(height, _)| report.decided_at[height].0).collect();
        let quiet_until = lost.0 + 10_000;
        assert!(hired_at.iter().any(|at| *at > quiet_until), "seed {seed}: it never takes part again: {hired_at:?}");
        let early: Vec<_> = hired_at.iter().filter(|at| (lost.0 + 500..quiet_until).contains(at)).collect();
        assert!(early.is_empty(), "seed {seed}: it bids at {early:?}");
    }
}

/// The guard is what keeps it from that: without it, the same scenes show members that contradict themselves.
#[test]
fn a_copy_that_speaks_at_once_contradicts_itself() {
    let contradicts = |seed: &u64| {
        let report = sim::run(&restored(*seed, Voice::Speaks));
        report.violations.iter().any(|seen| seen.property == "nobody honest says two things in one place")
    };
    assert!((0..20).any(|seed| contradicts(&seed)), "no copy is ever caught, so the scenes prove nothing");
}
