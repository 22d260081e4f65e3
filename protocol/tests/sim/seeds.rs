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

/// What `run` makes of the seeds below `seeds`, in their order, on all processors.
pub(super) fn in_parallel<T: Send>(seeds: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let work = || {
        let mine = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        mine.take_while(|seed| *seed < seeds).map(|seed| (seed, run(seed))).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut made: Vec<(u64, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    made.sort_unstable_by_key(|(seed, _)| *seed);
    made.into_iter().map(|(_, made)| made).collect()
}

/// How much of what a run has seen.
fn counted(report: &Report) -> [u64; 9] {
    let c = &report.counts;
    let hired = |by| report.awards.values().flatten().filter(|award| award.hired_by == by).count() as u64;
    [
        report.chain.len() as u64,
        c.messages,
        c.forgeries,
        c.crashes,
        c.lies,
        c.takeovers,
        c.empty_rounds,
        hired(HiredBy::Floor),
        hired(HiredBy::CounterOffer),
    ]
}

#[test]
fn a_thousand_seeds_hold() {
    let seeds = std::env::var("ALTHING_SIM_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS);
    let results = in_parallel(seeds, |seed| {
        let (complaint, report) = complaint(seed);
        (complaint, report.map(|report| counted(&report)).unwrap_or_default())
    });
    let complaints: Vec<_> = results.iter().filter_map(|(complaint, _)| complaint.clone()).collect();
    let sum = |place: usize| results.iter().map(|(_, counted)| counted[place]).sum::<u64>();
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
