//! Clearing: bids a second, under every mechanism.

use althing_protocol::{
    ids::{Hash, MemberId},
    market::{Ask, Mechanism, Terms, clear},
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Bids in a market, and members that it hires.
const BIDS: u64 = 10_000;
const WINNERS: usize = 1_000;

/// Most for a unit of value, in micro-credits.
const RESERVE: u64 = 4_000;

/// Bids at prices that all differ, or at one price for all.
fn asks(differ: u64) -> Vec<Ask> {
    let ask = |n: u64| {
        let member = Hash::of(&n.to_le_bytes());
        Ask {
            member: MemberId(member.0),
            price: 100_000 + differ * (n * 7_919 % 299_993),
            value: 100 + differ * (n % 61),
        }
    };
    (0..BIDS).map(ask).collect()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("market");
    group.throughput(Throughput::Elements(BIDS));
    for (what, asks) in [("prices that differ", asks(1)), ("equal prices", asks(0))] {
        for mechanism in Mechanism::all(RESERVE / 2) {
            let terms = Terms::new(mechanism, 200_000_000, RESERVE, WINNERS);
            group.bench_function(format!("{mechanism}, {BIDS} bids, {what}"), |bencher| {
                bencher.iter_batched(|| Hash::of(b"seed"), |seed| clear(&asks, terms, &seed), BatchSize::SmallInput);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
