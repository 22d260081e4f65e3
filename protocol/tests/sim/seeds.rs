//! A thousand seeds, each with its own faults and liars.

use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicU64, Ordering},
};

use althing_protocol::{
    event::HiredBy,
    sim::{self, Report, Scenario},
};

/// Seeds that every test run tries.
const SEEDS: u64 = 1_000;

/// Lets a seed's scenario happen; a panic counts as a complaint too.
fn complaint(seed: u64) -> (Option<String>, Option<Report>) {
    match catch_unwind(|| sim::run(&Scenario::from_seed(seed))) {
        Ok(report) => (report.complaint(), Some(report)),
        Err(_) => (
            Some(format!(
                "seed {seed} panics: ALTHING_SIM_SEED={seed} cargo test -p althing-protocol --test sim one_seed"
            )),
            None,
        ),
    }
}

#[test]
fn a_thousand_seeds_hold() {
    let seeds = std::env::var("ALTHING_SIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let work = || {
        let mut complaints = Vec::new();
        let mut sums = [0_u64; 9];
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return (complaints, sums);
            }
            let (complaint, report) = complaint(seed);
            complaints.extend(complaint);
            if let Some(report) = report {
                let c = &report.counts;
                let hired = |by| report.awards.values().flatten().filter(|award| award.hired_by == by).count() as u64;
                let all = [
                    report.chain.len() as u64,
                    c.messages,
                    c.forgeries,
                    c.crashes,
                    c.lies,
                    c.takeovers,
                    c.empty_rounds,
                    hired(HiredBy::Floor),
                    hired(HiredBy::CounterOffer),
                ];
                sums.iter_mut().zip(all).for_each(|(sum, n)| *sum += n);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let complaints: Vec<_> = results.iter().flat_map(|(complaints, _)| complaints.clone()).collect();
    let sum = |place: usize| results.iter().map(|(_, sums)| sums[place]).sum::<u64>();
    println!(
        "{seeds} seeds: {} decisions, {} messages, {} forgeries, {} crashes, {} lies, {} takeovers, {} empty rounds, \
         {} hired first, {} by counter-offers",
        sum(0),
        sum(1),
        sum(2),
        sum(3),
        sum(4),
        sum(5),
        sum(6),
        sum(7),
        sum(8),
    );
    let shown = complaints.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(complaints.is_empty(), "{} of {seeds} seeds fail:\n{shown}", complaints.len());
}

/// Runs the seed that `ALTHING_SIM_SEED` names, twice: it must hold, and be the same both times.
#[test]
fn one_seed() {
    let seed = std::env::var("ALTHING_SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(42);
    let scenario = Scenario::from_seed(seed);
    let (first, second) = (sim::run(&scenario), sim::run(&scenario));
    assert_eq!(first.trace, second.trace, "seed {seed} does not reproduce its run");
    if let Some(complaint) = first.complaint() {
        panic!("{complaint}\n{scenario:#?}");
    }
}
