//! An experiment: ten thousand members for a hundred rounds.

use althing_testnet::market::{self, MarketOptions};
use clap::Parser;
use criterion::{Criterion, criterion_group, criterion_main};

/// Runs of which the median is taken: each takes seconds.
const SAMPLES: usize = 10;

#[derive(Parser)]
struct Experiment {
    #[command(flatten)]
    options: MarketOptions,
}

fn bench(criterion: &mut Criterion) {
    let report = std::env::temp_dir().join("althing-market-bench");
    let fixed = ["market", "--members=10000", "--rounds=100", "--seeds=1", "--report"].map(str::to_owned);
    let words = fixed.into_iter().chain([report.display().to_string()]);
    let Ok(Experiment { options }) = Experiment::try_parse_from(words) else { return };
    let mut group = criterion.benchmark_group("experiment");
    group.sample_size(SAMPLES);
    group.bench_function("10,000 members, 100 rounds", |bencher| bencher.iter(|| market::run(&options)));
    group.finish();
    // What is left of it is no harm: the next bench replaces it.
    let _ = std::fs::remove_dir_all(report);
}

criterion_group!(benches, bench);
criterion_main!(benches);
