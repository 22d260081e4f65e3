//! Samples per second of training, plain and private, and of evaluation on one thread, for each architecture.
//!
//! `cargo bench --bench training` gives criterion's report, `cargo bench --bench training -- --json` a line for each model
//! in a few seconds.

use std::{
    hint::black_box,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use althing_agents::privacy::{Budget, rehearse};
use althing_node::learn::{
    data::{CLASSES, Dataset, PIXELS},
    model::Architecture,
    params,
    private::{Clip, NoiseLicence, PrivateHyper},
    train::{EvaluateOn, Hyper, Learner, Trained},
};
use althing_protocol::model::Width;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group};

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

/// A private training of so many steps that it takes each sample once on average.
struct Private {
    learner: Learner,
    hyper: PrivateHyper,
    weights: Vec<f32>,
}

impl Private {
    fn new(architecture: Architecture, lot: usize, steps: usize) -> Self {
        let learner = Learner::new(architecture, noise(steps * lot), Dataset::default(), Dataset::default());
        let steps = steps as u32;
        let hyper = PrivateHyper { lot, clip: Clip::Fixed(1.0), sigma: 1.0, steps, learning_rate: 0.01, momentum: 0.9 };
        Self { learner, hyper, weights: params::init(architecture, [1; 32]) }
    }

    /// What a training needs to draw its noise. Accounting for it takes longer than the few steps that are timed.
    fn licence(&self) -> NoiseLicence {
        let spend = self.hyper.spend(self.hyper.steps as usize * self.hyper.lot).expect("the parameters are in bounds");
        let debited = rehearse(Budget::new(1e3, 1e-5).expect("it is large"), spend).expect("it is within the budget");
        NoiseLicence::repeatable(debited, [2; 32])
    }

    fn run(&self, licence: NoiseLicence) -> Trained {
        let go_on = &mut || ControlFlow::Continue(());
        let trained = self.learner.train_private(black_box(&self.weights), Width::Full, &self.hyper, licence, go_on);
        trained.expect("it can be trained")
    }
}

fn train_private(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train_private");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for architecture in Architecture::ALL {
        for lot in [10, 32, 64, 256] {
            let private = Private::new(architecture, lot, BATCHES);
            group.throughput(Throughput::Elements((BATCHES * lot) as u64));
            group.bench_function(BenchmarkId::new(architecture.name(), lot), |bencher| {
                bencher.iter_batched(|| private.licence(), |licence| private.run(licence), BatchSize::SmallInput);
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

/// The argument that asks for [`speeds`] instead of criterion's report.
const JSON: &str = "--json";
/// Trainings of which the median counts.
const TRAININGS: usize = 9;

/// Seconds that this thread has had on a processor, which other work on the machine does not add to. The system counts
/// them in steps of some milliseconds.
fn thread_seconds() -> Option<f64> {
    let usage = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(usage.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// The median time that `work` takes, in seconds. Each time, it gets something that `prepare` made beforehand.
fn median<T, R>(mut prepare: impl FnMut() -> T, mut work: impl FnMut(T) -> R) -> f64 {
    let clock = Instant::now();
    let now = || thread_seconds().unwrap_or_else(|| clock.elapsed().as_secs_f64());
    let mut measure = || {
        let prepared = prepare();
        let begin = now();
        black_box(work(prepared));
        now() - begin
    };
    let mut seconds: Vec<f64> = (0..TRAININGS).map(|_| measure()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[TRAININGS / 2]
}

/// Prints a line of JSON for each model at the batch size that `docs/bench/compare.py` compares.
fn speeds() {
    // A training is as many batches as take some tenths of a second.
    for (architecture, batch, batches) in
        [(Architecture::TwoNn, 10, 2_000), (Architecture::LeNet, 64, 160), (Architecture::FedAvgCnn, 32, 24)]
    {
        let samples = batch * batches;
        let learner = Learner::new(architecture, noise(samples), noise(2_048), Dataset::default());
        let weights = params::init(architecture, [1; 32]);
        let hyper = Hyper { epochs: 1, batch, learning_rate: 0.01, momentum: 0.9 };
        let go_on = || ControlFlow::Continue(());
        let train = |()| learner.train(&weights, Width::Full, &hyper, [2; 32], &mut { go_on });
        let evaluate = |()| learner.evaluate(&weights, Width::Full, EvaluateOn::HeldOut, &mut { go_on });
        let private = Private::new(architecture, batch, batches);
        let per_second = |samples: usize, seconds: f64| (samples as f64 / seconds).round();
        println!(
            "{{\"model\": \"{architecture}\", \"batch\": {batch}, \"samples_per_second\": {}, \
             \"private_samples_per_second\": {}, \"evaluated_per_second\": {}}}",
            per_second(samples, median(|| (), train)),
            per_second(samples, median(|| private.licence(), |licence| private.run(licence))),
            per_second(2_048, median(|| (), evaluate)),
        );
    }
}

criterion_group!(benches, train, train_private, evaluate);

fn main() {
    if std::env::args().any(|argument| argument == JSON) {
        return speeds();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
