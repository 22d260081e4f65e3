//! Epidemic exchange under virtual time: members alone, parted, crashing and lied to.

use std::collections::BTreeSet;

use althing_protocol::{
    epidemic::Exchange,
    genesis::Bounds,
    machine::WhenHalted,
    sim::{self, Fault, Habits, Lie, Link, Moment, Report, Rng, Scenario, Stepped},
    time::Time,
};

fn exchange(topology: &str) -> Exchange {
    Exchange {
        topology: topology.parse().unwrap(),
        listen: Bounds { min_ms: 100, max_ms: 1_000 },
        halted_after_ms: 2_000,
        ..Exchange::default()
    }
}

/// A federation without rounds, in which nothing goes wrong.
fn quiet(seed: u64, members: usize, topology: &str, steps: u64) -> Scenario {
    Scenario { rounds: steps, exchange: exchange(topology), ..Scenario::quiet(seed, members) }
}

/// Lets `scenario` happen, and complains.
fn hold(scenario: &Scenario) -> Report {
    let report = sim::run(scenario);
    assert_eq!(report.violations, [], "{scenario:#?}");
    report
}

fn mean(models: &[Vec<f32>]) -> Vec<f32> {
    let sum = |place: usize| models.iter().map(|model| model[place]).sum::<f32>();
    (0..models[0].len()).map(|place| sum(place) / models.len() as f32).collect()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
}

/// Largest distance of a model from the mean of all.
fn spread(models: &[Vec<f32>]) -> f32 {
    let centre = mean(models);
    models.iter().map(|model| distance(model, &centre)).fold(0.0, f32::max)
}

/// Each member's last model by the time `at`.
fn models_at(report: &Report, at: Time) -> Vec<Vec<f32>> {
    let last = |steps: &Vec<Stepped>| steps.iter().take_while(|step| step.at <= at).last().unwrap().model.clone();
    report.steps.iter().map(last).collect()
}

fn targets(scenario: &Scenario) -> Vec<Vec<f32>> {
    (0..scenario.powers.len()).map(|place| scenario.target(place)).collect()
}

#[test]
fn members_learn_together_and_end_nearer_to_each_other_than_their_data_are() {
    let scenario = quiet(1, 6, "epidemic:3", 30);
    let report = hold(&scenario);
    let models = models_at(&report, report.ended);
    let targets = targets(&scenario);
    assert!(spread(&models) < 0.4 * spread(&targets), "{} of {}", spread(&models), spread(&targets));
    let way = distance(&mean(&models), &mean(&targets));
    assert!(way < 0.3 * spread(&targets), "they have learned what all data say, not what some do: {way}");
    assert!(report.steps.iter().flatten().all(|step| step.refused == 0));
    let received: usize = report.steps.iter().flatten().map(|step| step.accepted).sum();
    let steps = report.steps.iter().flatten().count();
    let each = received as f64 / steps as f64;
    assert!((2.5..=3.0).contains(&each), "three models come for each step that is taken, and the last are cut: {each}");
}

#[test]
fn a_member_alone_learns_alone() {
    let scenario = quiet(1, 1, "epidemic:3", 40);
    let report = hold(&scenario);
    let last = &report.steps[0].last().unwrap().model;
    assert!(distance(last, &scenario.target(0)) < 1e-3, "nothing holds it back");
}

/// Both sides of a partition go on, each towards what its own data say, and come together when it heals.
#[test]
fn both_sides_of_a_partition_learn_and_come_together_after_it() {
    let sides = vec![0, 0, 0, 1, 1, 1];
    let (parted, healed, later) = (Time(10_000), Time(40_000), Time(70_000));
    let mut faults = vec![(parted, Fault::Partition { sides }), (healed, Fault::Heal)];
    faults.sort_by_key(|(at, _)| *at);
    let scenario = Scenario { faults, calm_at: later, ..quiet(3, 6, "epidemic:2", 5) };
    let report = hold(&scenario);
    let targets = targets(&scenario);
    for member in 0..6 {
        let taken = report.steps[member].iter().filter(|step| (parted..healed).contains(&step.at)).count();
        assert!(taken > 20, "member {member} ended {taken} steps while the network was parted");
    }
    let apart = |models: &[Vec<f32>]| distance(&mean(&models[..3]), &mean(&models[3..]));
    let (before, during, after) = (models_at(&report, parted), models_at(&report, healed), models_at(&report, later));
    for (side, name) in [(0..3, "first"), (3..6, "second")] {
        let goal = mean(&targets[side.clone()]);
        let [was, is] = [&before, &during].map(|models| distance(&mean(&models[side.clone()]), &goal));
        assert!(is < 0.5 * was, "the {name} side learns what its data say: {was} before, {is} during");
    }
    assert!(apart(&during) > 2.0 * apart(&before), "they have drifted: {} and {}", apart(&before), apart(&during));
    assert!(apart(&after) < 0.5 * apart(&during), "they have come together: {} and {}", apart(&during), apart(&after));
    assert!(spread(&after) < 0.6 * spread(&targets), "all of them: {}", spread(&after));
}

#[test]
fn members_that_crash_at_any_write_never_offer_two_models_for_a_step() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let crash = |rng: &mut Rng| Fault::CrashAtWrite {
            member: rng.below(4) as usize,
            writes: rng.below(12) as u32,
            moment: if rng.chance(500) { Moment::BeforeWrite } else { Moment::AfterWrite },
            down_ms: rng.within(50, 2_000),
        };
        let mut faults: Vec<_> = (0..8).map(|_| (Time(rng.within(100, 8_000)), crash(&mut rng))).collect();
        faults.sort_by_key(|(at, _)| *at);
        let link = Link { loss_permille: 100, duplication_permille: 200, jitter_ms: 120, ..Link::GOOD };
        let habits = Habits { failure_permille: 50, ..Habits::DILIGENT };
        let scenario = Scenario { faults, link, habits, calm_at: Time(9_000), ..quiet(seed, 4, "epidemic:2", 3) };
        let report = hold(&scenario);
        assert!(report.counts.crashes > 0);
    }
}

#[test]
fn poison_is_refused_and_the_rest_go_on() {
    let liars = [(1, BTreeSet::from([Lie::PoisonUpdate]))].into();
    let scenario = Scenario { liars, ..quiet(5, 5, "epidemic:3", 20) };
    let report = hold(&scenario);
    let honest: Vec<&Vec<Stepped>> = [0, 2, 3, 4].iter().map(|place| &report.steps[*place]).collect();
    assert!(honest.iter().all(|steps| steps.iter().any(|step| step.refused > 0)), "it reaches everybody");
    assert!(honest.iter().flat_map(|steps| steps.iter()).all(|step| step.model.iter().all(|w| w.abs() <= 2.0)));
}

/// A federation of four in which two are away from 3 s to 20 s: no quorum is there.
fn halted(when_halted: WhenHalted) -> Scenario {
    let down = |member| (Time(3_000), Fault::Crash { member, down_ms: Some(17_000) });
    Scenario {
        when_halted,
        exchange: exchange("elected"),
        faults: vec![down(2), down(3)],
        calm_at: Time(22_000),
        ..Scenario::quiet(11, 4)
    }
}

#[test]
fn a_halted_federation_goes_on_in_steps_and_then_in_rounds() {
    let waits = hold(&halted(WhenHalted::Wait));
    assert!(waits.steps.iter().all(Vec::is_empty), "nobody goes on that was not told to");
    let report = hold(&halted(WhenHalted::Continue));
    for member in [0, 1] {
        let steps = &report.steps[member];
        assert!(steps.len() > 10, "member {member} took {} steps", steps.len());
        assert!(steps.iter().any(|step| step.accepted > 0), "with the other");
        assert!(steps.iter().all(|step| (5_000..21_000).contains(&step.at.0)), "only while the ledger was halted");
    }
    assert!(report.steps[2].is_empty() && report.steps[3].is_empty());
    let decided = |from: u64, to: u64| report.decided_at.values().filter(|at| (from..to).contains(&at.0)).count();
    assert!(decided(0, 5_000) > 0 && decided(5_000, 20_000) == 0 && decided(20_000, u64::MAX) >= 4);
}
