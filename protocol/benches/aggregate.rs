//! Aggregation: megabytes of updates a second, for the mean and for the check before it.

use althing_protocol::aggregate::{self, Weighted};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Parameters of the FedAvg CNN.
const PARAMETERS: usize = 1_663_370;

/// Updates in a batch.
const UPDATES: usize = 4;

fn update(number: usize) -> Vec<u8> {
    let parameters: Vec<f32> = (0..PARAMETERS).map(|i| ((i * 31 + number * 17) % 1_009) as f32 / 1_009.0).collect();
    aggregate::encode(&parameters)
}

fn bench(criterion: &mut Criterion) {
    let updates: Vec<Vec<u8>> = (0..UPDATES).map(update).collect();
    let weighted: Vec<Weighted<'_>> = updates.iter().map(|bytes| Weighted { samples: 100, bytes }).collect();
    let mut group = criterion.benchmark_group("aggregate");
    group.sample_size(20);
    group.throughput(Throughput::Bytes((UPDATES * PARAMETERS * size_of::<f32>()) as u64));
    group.bench_function("weighted mean of 4", |bencher| bencher.iter(|| aggregate::weighted_mean(&weighted)));
    group.throughput(Throughput::Bytes((PARAMETERS * size_of::<f32>()) as u64));
    group.bench_function("check", |bencher| bencher.iter(|| aggregate::check(&updates[0], &updates[1], 10_000)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
