//! Samples per second of training, plain and private, and of evaluation on one thread, for each architecture.

use std::{hint::black_box, ops::ControlFlow, time::Duration};

use althing_agents::privacy::{Budget, rehearse};
use althing_node::learn::{
    data::{CLASSES, Dataset, PIXELS},
    model::Architecture,
    params,
    private::{Clip, NoiseLicence, PrivateHyper},
    train::{EvaluateOn, Hyper, Learner},
};
use althing_protocol::model::Width;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Batches in one measured pass, so that the set-up of a training weighs as little as it does in a round.
const BATCHES: usize = 8;

/// Images that no model can tell apart: speed does not depend on what is learnt, and MNIST need not be there.
fn noise(samples: usize) -> Dataset {
    let images = (0..samples * PIXELS).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let labels = (0..samples).map(|index| (index % CLASSES) as u8).collect();
    Dataset::new(images, labels).expect("as many labels as images")
}

fn train(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for architecture in Architecture::ALL {
        let weights = params::init(architecture, [1; 32]);
        for batch in [10, 32, 64, 256] {
            let learner = Learner::new(architecture, noise(BATCHES * batch), Dataset::default(), Dataset::default());
            let hyper = Hyper { epochs: 1, batch, learning_rate: 0.01, momentum: 0.9 };
            group.throughput(Throughput::Elements((BATCHES * batch) as u64));
            group.bench_function(BenchmarkId::new(architecture.name(), batch), |bencher| {
                bencher.iter(|| {
                    learner.train(black_box(&weights), Width::Full, &hyper, [2; 32], &mut || ControlFlow::Continue(()))
                });
            });
        }
    }
    group.finish();
}

fn train_private(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train_private");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for architecture in Architecture::ALL {
        let weights = params::init(architecture, [1; 32]);
        for lot in [10, 32, 64, 256] {
            let samples = BATCHES * lot;
            let learner = Learner::new(architecture, noise(samples), Dataset::default(), Dataset::default());
            let steps = BATCHES as u32;
            let hyper =
                PrivateHyper { lot, clip: Clip::Fixed(1.0), sigma: 1.0, steps, learning_rate: 0.01, momentum: 0.9 };
            let spend = hyper.spend(samples).expect("the parameters are in bounds");
            let budget = Budget::new(1e3, 1e-5).expect("it is large");
            group.throughput(Throughput::Elements(samples as u64));
            group.bench_function(BenchmarkId::new(architecture.name(), lot), |bencher| {
                bencher.iter(|| {
                    let debited = rehearse(budget, spend).expect("it is within the budget");
                    let licence = NoiseLicence::repeatable(debited, [2; 32]);
                    learner.train_private(black_box(&weights), Width::Full, &hyper, licence, &mut || {
                        ControlFlow::Continue(())
                    })
                });
            });
        }
    }
    group.finish();
}

fn evaluate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for architecture in Architecture::ALL {
        let weights = params::init(architecture, [1; 32]);
        let samples = 512;
        let learner = Learner::new(architecture, Dataset::default(), noise(samples), Dataset::default());
        group.throughput(Throughput::Elements(samples as u64));
        group.bench_function(architecture.name(), |bencher| {
            bencher.iter(|| {
                learner
                    .evaluate(black_box(&weights), Width::Full, EvaluateOn::HeldOut, &mut || ControlFlow::Continue(()))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, train, train_private, evaluate);
criterion_main!(benches);
