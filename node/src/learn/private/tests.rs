use std::path::Path;

use althing_agents::privacy::{Budget, rehearse};

use super::*;
use crate::learn::{
    data::{self, Dataset, Subset},
    model::Architecture,
    params,
    train::{EvaluateOn, Hyper},
};

/// A learner over the first `samples` training samples, with the first 1,000 to test on.
fn learner(architecture: Architecture, samples: u32) -> Learner {
    let mnist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/data/mnist");
    let load = |subset, count: u32| data::load(&mnist, subset, &(0..count).collect::<Vec<_>>()).unwrap();
    Learner::new(architecture, load(Subset::Train, samples), Dataset::default(), load(Subset::Test, 1_000))
}

const HYPER: PrivateHyper =
    PrivateHyper { lot: 128, clip: Clip::Fixed(1.0), sigma: 1.0, steps: 3, learning_rate: 0.25, momentum: 0.0 };

const ADAPTIVE: AdaptiveClip = AdaptiveClip { initial: 10.0, quantile: 0.5, rate: 0.2, count_noise: 6.4 };

fn go_on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A licence for `spend`, of a budget that is large enough for anything.
fn licence(spend: Spend, secret: u8) -> NoiseLicence {
    NoiseLicence::repeatable(rehearse(Budget::new(1e300, 1e-5).unwrap(), spend).unwrap(), [secret; 32])
}

/// The slice of this width of a first model.
fn start(architecture: Architecture, width: Width) -> Vec<f32> {
    params::manifest(architecture).slice(width).unwrap().gather(&params::init(architecture, [1; 32]))
}

/// Trains the whole model with a licence for just that.
fn train(learner: &Learner, weights: &[f32], hyper: &PrivateHyper, secret: u8) -> Result<Trained, LearnError> {
    let spend = hyper.spend(learner.train.len())?;
    learner.train_private(weights, Width::Full, hyper, licence(spend, secret), &mut go_on)
}

#[test]
fn lenet_learns_mnist_privately() {
    let learner = learner(Architecture::LeNet, 6_000);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let hyper = PrivateHyper { lot: 256, steps: 60, learning_rate: 0.5, ..HYPER };
    let trained = train(&learner, &start, &hyper, 2).unwrap();
    let after = learner.evaluate(&trained.weights, Width::Full, EvaluateOn::Test, &mut go_on).unwrap();
    assert!(after.accuracy() > 0.8, "{after:?}");
    assert!(trained.samples == 6_000 && trained.loss > 0.0 && trained.loss < 1.2, "{}", trained.loss);
}

/// With a clip that is a hundred times too small nothing moves, until the clip has grown.
#[test]
fn an_adaptive_clip_finds_its_norm() {
    let learner = learner(Architecture::LeNet, 2_000);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let accuracy = |clip| {
        let hyper = PrivateHyper { clip, steps: 100, learning_rate: 0.1, ..HYPER };
        let trained = train(&learner, &start, &hyper, 2).unwrap();
        learner.evaluate(&trained.weights, Width::Full, EvaluateOn::Test, &mut go_on).unwrap().accuracy()
    };
    let adaptive = Clip::Adaptive(AdaptiveClip { initial: 0.05, quantile: 0.3, ..ADAPTIVE });
    let (fixed, adaptive) = (accuracy(Clip::Fixed(0.05)), accuracy(adaptive));
    assert!(fixed < 0.4 && adaptive > fixed + 0.2, "{fixed} and {adaptive}");
}

/// Taking every sample, clipping none and with next to no noise, a step is that of plain training on one batch of all.
#[test]
fn without_clip_and_noise_it_is_plain_training() {
    let whole = Architecture::ALL.map(|architecture| (architecture, Width::Full));
    for (architecture, width) in whole.into_iter().chain([(Architecture::LeNet, Width::Quarter)]) {
        let learner = learner(architecture, 100);
        let start = start(architecture, width);
        let plain = Hyper { epochs: 3, batch: 100, learning_rate: 0.01, momentum: 0.9 };
        let expected = learner.train(&start, width, &plain, [2; 32], &mut go_on).unwrap();
        let hyper = PrivateHyper {
            lot: 100,
            clip: Clip::Fixed(1e6),
            sigma: 1e-15,
            steps: 3,
            learning_rate: 0.01,
            momentum: 0.9,
        };
        let licence = licence(hyper.spend(100).unwrap(), 3);
        let trained = learner.train_private(&start, width, &hyper, licence, &mut go_on).unwrap();
        let length = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>().sqrt();
        let moved = length(&mut expected.weights.iter().zip(&start).map(|(end, start)| end - start));
        let error = length(&mut expected.weights.iter().zip(&trained.weights).map(|(plain, ours)| plain - ours));
        assert!(error < 1e-3 * moved, "{architecture} at {width}: {error} of {moved}");
    }
}

#[test]
fn the_same_secret_gives_the_same_bits() {
    let learner = learner(Architecture::LeNet, 500);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let first = train(&learner, &start, &HYPER, 2).unwrap();
    assert!(first.weights == train(&learner, &start, &HYPER, 2).unwrap().weights);
    assert!(first.weights != train(&learner, &start, &HYPER, 3).unwrap().weights);
}

#[test]
fn every_sample_is_taken_as_often_and_independently() {
    let (samples, probability, lots) = (200, 0.1, 4_000);
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let drawn: Vec<Vec<usize>> = (0..lots).map(|_| draw_lot(samples, probability, &mut rng)).collect();
    let mut taken = vec![0_u32; samples];
    drawn.iter().flatten().for_each(|&sample| taken[sample] += 1);
    // Five standard deviations of a binomial count: sqrt(4000 * 0.1 * 0.9) is 19.
    assert!(taken.iter().all(|&count| count.abs_diff(400) < 95), "{taken:?}");
    let sizes: Vec<f64> = drawn.iter().map(|lot| lot.len() as f64).collect();
    let mean = sizes.iter().sum::<f64>() / f64::from(lots);
    let variance = sizes.iter().map(|size| (size - mean).powi(2)).sum::<f64>() / f64::from(lots);
    // Independent draws make the size vary by n q (1 - q) = 18; shuffled batches would not make it vary at all.
    assert!((mean - 20.0).abs() < 0.5 && (variance - 18.0).abs() < 2.5, "mean {mean}, variance {variance}");
}

#[test]
fn empty_lots_are_steps_of_noise_alone() {
    let learner = learner(Architecture::LeNet, 50);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let hyper = PrivateHyper { lot: 1, sigma: 0.5, steps: 1, ..HYPER };
    let is_empty = |secret: &u8| {
        let licence = licence(hyper.spend(50).unwrap(), *secret);
        draw_lot(50, 0.02, &mut licence.rng(SAMPLING_STREAM)).is_empty()
    };
    let secret = (0..20).find(is_empty).expect("a third of the lots are empty");
    let trained = train(&learner, &start, &hyper, secret).unwrap();
    let squares = trained.weights.iter().zip(&start).map(|(end, start)| f64::from(end - start).powi(2));
    let deviation = (squares.sum::<f64>() / start.len() as f64).sqrt();
    assert!((deviation / (0.25 * 0.5) - 1.0).abs() < 0.02, "deviation {deviation}");
    assert_eq!(trained.loss, 0.0);
}

/// With a gradient of zero, all that a step does is noise: Gaussian of deviation `rate * sigma * clip / lot`, anew each
/// time.
#[test]
fn noise_has_the_licensed_deviation_and_never_repeats() {
    let count = 100_000;
    let hyper = PrivateHyper { lot: 10, clip: Clip::Fixed(0.5), sigma: 2.0, learning_rate: 0.1, ..HYPER };
    let mut descent = Descent::new(&vec![0.0; count], &hyper, ChaCha20Rng::from_seed([4; 32]));
    descent.take(vec![0.0; count], 0.5);
    let first = descent.weights.clone();
    descent.take(vec![0.0; count], 0.5);
    let second: Vec<f32> = descent.weights.iter().zip(&first).map(|(end, first)| end - first).collect();
    let mean_product = |left: &[f32], right: &[f32]| {
        left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum::<f64>() / count as f64
    };
    let expected: f64 = 0.1 * 2.0 * 0.5 / 10.0;
    for noise in [&first, &second] {
        let deviation = mean_product(noise, noise).sqrt();
        assert!((deviation / expected - 1.0).abs() < 0.015, "{deviation}, not {expected}");
        let within = noise.iter().filter(|value| f64::from(value.abs()) < expected).count() as f64 / count as f64;
        assert!((within - 0.6827).abs() < 0.008, "{within} within one deviation");
    }
    let correlation = mean_product(&first, &second) / expected.powi(2);
    assert!(correlation.abs() < 0.02, "correlation {correlation}");
}

#[test]
fn only_what_was_debited_is_spent() {
    let learner = learner(Architecture::LeNet, 500);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let debited = HYPER.spend(500).unwrap();
    assert_eq!(debited, Spend::new(0.256, 1.0, 3).unwrap());
    for dearer in
        [PrivateHyper { lot: 129, ..HYPER }, PrivateHyper { sigma: 0.9, ..HYPER }, PrivateHyper { steps: 4, ..HYPER }]
    {
        let licence = licence(debited, 1);
        assert_eq!(
            learner.train_private(&start, Width::Full, &dearer, licence, &mut go_on),
            Err(LearnError::Unlicensed)
        );
    }
}

#[test]
fn training_stops_where_it_is_told_to() {
    let learner = learner(Architecture::LeNet, 500);
    let start = params::init(Architecture::LeNet, [1; 32]);
    let mut batches = 0;
    let mut stop_at_third = || {
        batches += 1;
        if batches == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let licence = licence(HYPER.spend(500).unwrap(), 1);
    let result = learner.train_private(&start, Width::Full, &HYPER, licence, &mut stop_at_third);
    assert_eq!((result, batches), (Err(LearnError::Cancelled), 3));
}

#[test]
fn what_will_not_do_is_refused() {
    let learner = learner(Architecture::TwoNn, 200);
    let weights = params::init(Architecture::TwoNn, [1; 32]);
    let cases = [
        ("lot", PrivateHyper { lot: 0, ..HYPER }),
        ("lot", PrivateHyper { lot: 201, ..HYPER }),
        ("steps", PrivateHyper { steps: 0, ..HYPER }),
        ("clip", PrivateHyper { clip: Clip::Fixed(0.0), ..HYPER }),
        ("clip quantile", PrivateHyper { clip: Clip::Adaptive(AdaptiveClip { quantile: 1.1, ..ADAPTIVE }), ..HYPER }),
        ("clip rate", PrivateHyper { clip: Clip::Adaptive(AdaptiveClip { rate: 0.0, ..ADAPTIVE }), ..HYPER }),
        (
            "clip count noise",
            PrivateHyper { clip: Clip::Adaptive(AdaptiveClip { count_noise: 0.5, ..ADAPTIVE }), ..HYPER },
        ),
        ("sigma", PrivateHyper { sigma: 0.0, ..HYPER }),
        ("sigma", PrivateHyper { sigma: f64::NAN, ..HYPER }),
        ("learning_rate", PrivateHyper { learning_rate: f64::INFINITY, ..HYPER }),
        ("momentum", PrivateHyper { momentum: 1.0, ..HYPER }),
    ];
    for (expected, hyper) in cases {
        match train(&learner, &weights, &hyper, 1) {
            Err(LearnError::Hyper { name, .. }) => assert_eq!(name, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert_eq!(HYPER.spend(0), Err(LearnError::NoSample));
    assert!(matches!(train(&learner, &[1.0], &HYPER, 1), Err(LearnError::Params(_))));
    let steep = PrivateHyper { learning_rate: 1e39, ..HYPER };
    assert_eq!(train(&learner, &weights, &steep, 1), Err(LearnError::Diverged { epoch: 1 }));
}
