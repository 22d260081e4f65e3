//! The same faults over and over: partitions of four in every shape, and ten minutes of kills at random instants.

use althing_protocol::{
    sim::{Fault, Link, Moment, Rng, Scenario},
    time::Time,
};

use super::{scenarios::hold, seeds::in_parallel};

/// Partitions of each shape.
const PARTITIONS: u64 = 100;

/// Federations that are haunted by kills in every test run; `ALTHING_SIM_HAUNTED=200` takes eight minutes.
const HAUNTED: u64 = 8;

/// For how long, in milliseconds.
const HAUNTED_FOR_MS: u64 = 600_000;

/// Two round deadlines, in milliseconds: twice as long as all phases may take together.
fn two_deadlines_ms(scenario: &Scenario) -> u64 {
    let phases = scenario.genesis().phases;
    let all = [phases.commit, phases.reveal, phases.counter, phases.train, phases.appraise];
    2 * all.iter().map(|bounds| bounds.max_ms).sum::<u64>()
}

/// Parts four members at a random instant, for three seconds to a minute. The run fails if they have not all settled a
/// round within two deadlines of meeting again; returns after how many milliseconds they had.
fn part(seed: u64, sides: &[u8]) -> u64 {
    let mut rng = Rng::new(seed);
    let parted = rng.within(200, 8_000);
    let healed = parted + rng.within(3_000, 60_000);
    let quiet = Scenario::quiet(seed, 4);
    let report = hold(&Scenario {
        rounds: 1,
        link: Link { latency_ms: 5, jitter_ms: 40, ..Link::GOOD },
        faults: vec![(Time(parted), Fault::Partition { sides: sides.to_vec() })],
        calm_at: Time(healed),
        patience_ms: two_deadlines_ms(&quiet),
        ..quiet
    });
    report.ended.0 - healed
}

#[test]
fn members_that_were_parted_settle_within_two_deadlines_of_meeting_again() {
    for sides in [[0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 2, 3]] {
        let mut took = in_parallel(PARTITIONS, |seed| part(seed, &sides));
        took.sort_unstable();
        let (middle, slowest) = (took[took.len() / 2], took[took.len() - 1]);
        println!(
            "{PARTITIONS} partitions {sides:?}: settled {middle} ms after in the middle, {slowest} at the slowest"
        );
    }
}

/// Kills at random instants, some in the middle of a write, so that no more than a third of the members are to be down.
fn kills(rng: &mut Rng, members: usize) -> Vec<(Time, Fault)> {
    let most = (members - 1) / 3;
    let mut back_at = vec![0; members];
    let mut faults = Vec::new();
    let mut now = rng.within(200, 6_000);
    while now + 6_000 < HAUNTED_FOR_MS {
        let (member, down_ms) = (rng.below(members as u64) as usize, rng.within(50, 4_000));
        let down = back_at.iter().filter(|at| **at > now).count();
        if down < most && back_at[member] <= now {
            back_at[member] = now + down_ms;
            faults.push((Time(now), kill(rng, member, down_ms)));
        }
        now += rng.within(200, 6_000);
    }
    faults
}

fn kill(rng: &mut Rng, member: usize, down_ms: u64) -> Fault {
    let writes = rng.below(6) as u32;
    match rng.below(3) {
        0 => Fault::Crash { member, down_ms: Some(down_ms) },
        1 => Fault::CrashAtWrite { member, writes, moment: Moment::BeforeWrite, down_ms },
        _ => Fault::CrashAtWrite { member, writes, moment: Moment::AfterWrite, down_ms },
    }
}

#[test]
fn ten_minutes_of_kills_lose_no_round_and_nobody() {
    let runs = std::env::var("ALTHING_SIM_HAUNTED").ok().and_then(|n| n.parse().ok()).unwrap_or(HAUNTED);
    let counts = in_parallel(runs, |seed| {
        let mut rng = Rng::new(seed);
        let members = if rng.chance(700) { 4 } else { 7 };
        let faults = kills(&mut rng, members);
        let quiet = Scenario::quiet(seed, members);
        let report = hold(&Scenario { faults, pause_ms: 1_000, calm_at: Time(HAUNTED_FOR_MS), ..quiet });
        (report.counts.crashes, report.chain.len())
    });
    let crashes: u64 = counts.iter().map(|(crashes, _)| crashes).sum();
    let decisions: usize = counts.iter().map(|(_, decisions)| decisions).sum();
    println!("{runs} runs of ten minutes: {crashes} kills, {decisions} decisions");
    assert!(crashes > 50 * runs, "only {crashes} kills in {runs} runs");
}
