//! Aggregation: megabytes of updates a second, for every rule and for the check before it.

use althing_protocol::{
    aggregate::{self, Held, Mixing, Rule, Weighted},
    model::{Manifest, TensorSpec, Width},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// About as many parameters as the FedAvg CNN has: 1,290 rows of as many.
const PARAMETERS: usize = 1_664_100;

/// Updates in a batch: few, and as many as a large round has.
const UPDATES: [usize; 2] = [4, 14];

/// Rule and what is done before it.
const RULES: [(&str, &str); 9] = [
    ("mean", "none"),
    ("median", "none"),
    ("trimmed:1", "none"),
    ("multi-krum:1", "none"),
    ("centred-clipping:10", "none"),
    ("median", "nearest:1"),
    ("mean", "aligned:1"),
    ("multi-krum:1", "nearest:1"),
    ("centred-clipping:10", "nearest:1"),
];

fn update(number: usize) -> Vec<u8> {
    let parameters: Vec<f32> = (0..PARAMETERS).map(|i| ((i * 31 + number * 17) % 1_009) as f32 / 1_009.0).collect();
    aggregate::encode(&parameters)
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aggregate");
    group.sample_size(10);
    for count in UPDATES {
        let updates: Vec<Vec<u8>> = (0..count).map(update).collect();
        let weighted: Vec<Weighted<'_>> = updates.iter().map(|bytes| Weighted { samples: 100, bytes }).collect();
        group.throughput(Throughput::Bytes((count * PARAMETERS * size_of::<f32>()) as u64));
        for (rule, mixing) in RULES {
            let (Ok(rule), Ok(mixing)) = (rule.parse::<Rule>(), mixing.parse::<Mixing>()) else { continue };
            group.bench_function(format!("{rule}, mixing {mixing}, of {count}"), |bencher| {
                bencher.iter(|| aggregate::aggregate(rule, mixing, &updates[0], &weighted));
            });
        }
    }
    let (base, update) = (update(0), update(1));
    group.throughput(Throughput::Bytes((PARAMETERS * size_of::<f32>()) as u64));
    group.bench_function("check", |bencher| bencher.iter(|| aggregate::check(&base, &update, 10_000)));
    group.finish();
}

/// Rows and columns of a model of one square, about as large as the FedAvg CNN.
const SIDE: u32 = 1_290;

/// Four whole updates, and four of slices of half the rows and columns.
fn bench_slices(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("aggregate slices");
    group.sample_size(10);
    let shapes = Width::ALL.map(|width| vec![width.of(SIDE); 2]).to_vec();
    let manifest = Manifest { tensors: vec![TensorSpec { path: "square".into(), shapes }] };
    let slices = [Width::Full, Width::Half].map(|width| manifest.slice(width));
    let [Some(whole), Some(half)] = slices else { return };
    let updates: Vec<_> = (0..8).map(|n| (if n < 4 { &whole } else { &half }, update(n))).collect();
    let model = vec![0; whole.len() * size_of::<f32>()];
    let held: Vec<_> = updates
        .iter()
        .map(|(slice, bytes)| Held {
            slice,
            update: Weighted { samples: 100, bytes: &bytes[..slice.len() * size_of::<f32>()] },
        })
        .collect();
    group.throughput(Throughput::Bytes(held.iter().map(|held| held.update.bytes.len() as u64).sum()));
    for (rule, mixing) in RULES {
        let (Ok(rule), Ok(mixing)) = (rule.parse::<Rule>(), mixing.parse::<Mixing>()) else { continue };
        group.bench_function(format!("{rule}, mixing {mixing}"), |bencher| {
            bencher.iter(|| aggregate::aggregate_slices(rule, mixing, &model, &held));
        });
    }
    group.finish();
}

criterion_group!(benches, bench, bench_slices);
criterion_main!(benches);
