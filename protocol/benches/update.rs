//! Coding updates: megabytes of plain parameters a second, written and read.

use althing_protocol::{aggregate, update::Codec};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Parameters of LeNet and of the FedAvg CNN.
const PARAMETERS: [usize; 2] = [44_426, 1_663_370];

/// Every way to code an update.
const CODECS: [Codec; 3] = [Codec::F32, Codec::Q8, Codec::TopK { permille: 50 }];

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    group.sample_size(10);
    for parameters in PARAMETERS {
        let base: Vec<f32> = (0..parameters).map(|i| (i * 31 % 1_009) as f32 / 1_009.0).collect();
        let trained: Vec<f32> = base.iter().enumerate().map(|(i, old)| old + (i * 17 % 997) as f32 / 9e4).collect();
        let plain = aggregate::encode(&base);
        let mut word = 1_u32;
        let mut draw = move || {
            word = word.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            word
        };
        group.throughput(Throughput::Bytes(plain.len() as u64));
        for codec in CODECS {
            let mut residual = vec![0.0; parameters];
            group.bench_function(format!("write {codec} of {parameters}"), |bencher| {
                bencher.iter(|| codec.encode(&base, &trained, &mut residual, &mut draw));
            });
            let Ok(coded) = codec.encode(&base, &trained, &mut vec![0.0; parameters], &mut draw) else { continue };
            group.bench_function(format!("read {codec} of {parameters}"), |bencher| {
                bencher.iter(|| codec.decode(&plain, &coded));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
