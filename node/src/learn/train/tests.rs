use std::path::{Path, PathBuf};

use super::*;
use crate::learn::data::{self, Subset};
use crate::learn::params;

fn mnist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/data/mnist")
}

/// A learner over the first `samples` training samples, with the next 200 held out and the first `tests` to test on.
fn learner(architecture: Architecture, samples: u32, tests: u32) -> Learner {
    let load = |subset, range: std::ops::Range<u32>| data::load(&mnist(), subset, &range.collect::<Vec<_>>()).unwrap();
    let train = load(Subset::Train, 0..samples);
    let held_out = load(Subset::Train, samples..samples + 200);
    Learner::new(architecture, train, held_out, load(Subset::Test, 0..tests))
}

const HYPER: Hyper = Hyper { epochs: 1, batch: 32, learning_rate: 0.01, momentum: 0.9 };

fn go_on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn lenet_learns_mnist_from_ten_thousand_samples() {
    let learner = learner(Architecture::LeNet, 10_000, 10_000);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let before = learner.evaluate(&start, Width::Full, EvaluateOn::Test, &mut go_on).unwrap();
    let hyper = Hyper { batch: 16, ..HYPER };
    let trained = learner.train(&start, Width::Full, &hyper, [2; 32], &mut go_on).unwrap();
    let after = learner.evaluate(&trained.weights, Width::Full, EvaluateOn::Test, &mut go_on).unwrap();
    assert_eq!((trained.samples, after.samples), (10_000, 10_000));
    assert!(before.accuracy() < 0.3, "an untrained model guesses: {before:?}");
    assert!(after.accuracy() > 0.93 && after.loss < 0.3, "{after:?}");
    let held_out = learner.evaluate(&trained.weights, Width::Full, EvaluateOn::HeldOut, &mut go_on).unwrap();
    assert!(held_out.samples == 200 && held_out.accuracy() > 0.9, "{held_out:?}");
}

#[test]
fn every_architecture_improves_on_few_samples() {
    for (architecture, samples) in [(Architecture::TwoNn, 1_000), (Architecture::FedAvgCnn, 320)] {
        let learner = learner(architecture, samples, 200);
        let start = params::init(architecture, [1; 32]);
        let hyper = Hyper { epochs: 2, batch: 16, ..HYPER };
        let trained = learner.train(&start, Width::Full, &hyper, [2; 32], &mut go_on).unwrap();
        let evaluate = |weights: &[f32]| learner.evaluate(weights, Width::Full, EvaluateOn::Test, &mut go_on).unwrap();
        let (before, after) = (evaluate(&start), evaluate(&trained.weights));
        assert!(after.accuracy() > before.accuracy() + 0.3, "{architecture}: {before:?}, then {after:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let learner = learner(Architecture::LeNet, 500, 1);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let train = |seed| learner.train(&start, Width::Full, &HYPER, [seed; 32], &mut go_on).unwrap();
    let first = train(2);
    assert_eq!(first.weights, train(2).weights);
    assert_ne!(first.weights, train(3).weights);
}

/// A small step along the gradient `g` must lower the loss by `rate * |g|^2`, as `evaluate` measures it by arithmetic of
/// its own. A gradient that is wrong in any tensor would miss that.
#[test]
fn a_step_follows_the_gradient() {
    for architecture in Architecture::ALL {
        let samples = data::load(&mnist(), Subset::Train, &(0..64).collect::<Vec<_>>()).unwrap();
        let learner = Learner::new(architecture, samples.clone(), Dataset::default(), samples);
        let start = params::init(architecture, [1; 32]);
        let rate = 1e-5;
        let hyper = Hyper { epochs: 1, batch: 64, learning_rate: rate, momentum: 0.0 };
        let end = learner.train(&start, Width::Full, &hyper, [2; 32], &mut go_on).unwrap().weights;
        let loss = |weights: &[f32]| {
            f64::from(learner.evaluate(weights, Width::Full, EvaluateOn::Test, &mut go_on).unwrap().loss)
        };
        let squares = start.iter().zip(&end).map(|(start, end)| (f64::from(end - start) / rate).powi(2));
        let expected = rate * squares.sum::<f64>();
        let fallen = loss(&start) - loss(&end);
        assert!((fallen / expected - 1.0).abs() < 0.05, "{architecture}: fell by {fallen}, not {expected}");
    }
}

/// One step without momentum is `weights - rate * gradient`; with momentum, a second step carries the first one on.
#[test]
fn momentum_is_the_undamped_kind() {
    let learner = learner(Architecture::TwoNn, 64, 1);
    let start = params::init(Architecture::TwoNn, [1; 32]);
    let step = |weights: &[f32], epochs, momentum| {
        let hyper = Hyper { epochs, batch: 64, learning_rate: 0.01, momentum };
        learner.train(weights, Width::Full, &hyper, [2; 32], &mut go_on).unwrap().weights
    };
    let once = step(&start, 1, 0.0);
    let twice = step(&once, 1, 0.0);
    let carried = step(&start, 2, 0.5);
    let worst = (0..start.len())
        .map(|index| (carried[index] - (twice[index] + 0.5 * (once[index] - start[index]))).abs())
        .fold(0.0, f32::max);
    assert!(worst < 1e-6, "off by {worst}");
}

#[test]
fn training_stops_where_it_is_told_to() {
    let learner = learner(Architecture::LeNet, 320, 1);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let mut batches = 0;
    let mut stop_at_third = || {
        batches += 1;
        if batches == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert_eq!(learner.train(&start, Width::Full, &HYPER, [2; 32], &mut stop_at_third), Err(LearnError::Cancelled));
    assert_eq!(batches, 3);
}

#[test]
fn weights_that_will_not_do_are_refused() {
    let learner = learner(Architecture::LeNet, 32, 1);
    let mut weights = params::init(Architecture::LeNet, [1; 32]);
    weights[5] = f32::INFINITY;
    let expected = LearnError::Params(ParamsError::NotFinite { index: 5 });
    assert_eq!(learner.train(&weights, Width::Full, &HYPER, [2; 32], &mut go_on), Err(expected.clone()));
    assert_eq!(learner.evaluate(&weights, Width::Full, EvaluateOn::Test, &mut go_on), Err(expected));
    assert!(matches!(learner.train(&[1.0], Width::Full, &HYPER, [2; 32], &mut go_on), Err(LearnError::Params(_))));
}

#[test]
fn hyperparameters_that_will_not_do_are_refused() {
    let learner = learner(Architecture::LeNet, 32, 1);
    let weights = params::init(Architecture::LeNet, [1; 32]);
    let cases = [
        ("epochs", Hyper { epochs: 0, ..HYPER }),
        ("batch", Hyper { batch: 0, ..HYPER }),
        ("batch", Hyper { batch: BATCH_MAX + 1, ..HYPER }),
        ("learning_rate", Hyper { learning_rate: f64::NAN, ..HYPER }),
        ("learning_rate", Hyper { learning_rate: -1.0, ..HYPER }),
        ("momentum", Hyper { momentum: 1.0, ..HYPER }),
    ];
    for (expected, hyper) in cases {
        match learner.train(&weights, Width::Full, &hyper, [2; 32], &mut go_on) {
            Err(LearnError::Hyper { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn divergence_is_an_error_and_not_a_model() {
    let learner = learner(Architecture::TwoNn, 320, 1);
    let weights = params::init(Architecture::TwoNn, [1; 32]);
    let hyper = Hyper { epochs: 2, learning_rate: 1e30, ..HYPER };
    assert_eq!(
        learner.train(&weights, Width::Full, &hyper, [2; 32], &mut go_on),
        Err(LearnError::Diverged { epoch: 1 })
    );
}

#[test]
fn a_model_whose_outputs_overflow_is_as_bad_as_can_be() {
    let learner = learner(Architecture::TwoNn, 32, 50);
    let weights = vec![1e30; 199_210];
    let evaluation = learner.evaluate(&weights, Width::Full, EvaluateOn::Test, &mut go_on).unwrap();
    assert_eq!(evaluation, Evaluation { loss: f32::MAX, correct: 0, samples: 50 });
}

#[test]
fn nothing_to_learn_from_is_an_error() {
    let empty = || Dataset::default();
    let learner = Learner::new(Architecture::LeNet, empty(), empty(), empty());
    let weights = params::init(Architecture::LeNet, [1; 32]);
    assert_eq!(learner.train(&weights, Width::Full, &HYPER, [2; 32], &mut go_on), Err(LearnError::NoSample));
    assert_eq!(learner.evaluate(&weights, Width::Full, EvaluateOn::HeldOut, &mut go_on), Err(LearnError::NoSample));
}
