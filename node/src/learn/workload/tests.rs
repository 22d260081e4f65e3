use std::{fs, ops::ControlFlow, path::Path};

use althing_agents::privacy::{Budget, rehearse};
use burn::{
    nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig},
    tensor::TensorData,
};

use super::*;
use crate::learn::{
    catalogue::Catalogue,
    classifier::{self, Classifier, ColourLeNet, Perceptron},
    data::Schema,
    job::{EvaluateJob, Learn, Method, TrainJob},
    private::{Clip, NoiseLicence, PrivateHyper},
    train::{EvaluateOn, Evaluation, Hyper, Trained},
};

/// A straight line through points: no classes, no built-in layer of ours, no file.
struct Line;

type Points = Vec<[f32; 2]>;

fn points(count: usize) -> Points {
    let x = |index: usize| (index * 7 % 20) as f32 / 10.0 - 1.0;
    (0..count).map(|index| [x(index), 2.0 * x(index) - 1.0]).collect()
}

impl Line {
    /// The squares of the differences between points and line.
    fn squares(&self, line: &Linear, batch: &Batch<'_, Points>) -> Tensor<2> {
        let column = |axis: usize| {
            let values: Vec<f32> = batch.numbers.iter().map(|&point| batch.examples[point][axis]).collect();
            Tensor::<2>::from_data(TensorData::new(values, [batch.numbers.len(), 1]), batch.device)
        };
        (line.forward(column(0)) - column(1)).square()
    }
}

impl Workload for Line {
    type Network = Linear;
    type Examples = Points;

    fn network(&self, _: Width, device: &Device) -> Linear {
        LinearConfig::new(1, 1).init(device)
    }

    fn portion(&self, data: &config::Data) -> Result<Portion<Points>, TaskError> {
        Ok(Portion { train: points(100), held_out: points(data.held_out as usize) })
    }

    fn test(&self, _: &config::Data) -> Result<Points, TaskError> {
        Ok(points(20))
    }

    fn count(&self, examples: &Points) -> usize {
        examples.len()
    }

    fn loss(&self, line: &Linear, batch: &Batch<'_, Points>) -> Tensor<1> {
        self.squares(line, batch).mean()
    }

    fn score(&self, line: &Linear, batch: &Batch<'_, Points>) -> Result<Score, LearnError> {
        let squares: Vec<f32> = self.squares(line, batch).try_into_vec_as().unwrap();
        let correct = squares.iter().filter(|square| **square < 1e-3).count() as u32;
        Ok(Score { loss: squares.iter().map(|square| f64::from(*square)).sum(), correct })
    }
}

const HYPER: Hyper = Hyper { epochs: 20, batch: 10, learning_rate: 0.05, momentum: 0.9 };

fn train(learner: &dyn Learn, weights: &[f32], method: Method) -> Result<Trained, LearnError> {
    let job = TrainJob { weights: weights.into(), width: Width::Full, method, seed: [3; 32] };
    learner.train(job, &mut || ControlFlow::Continue(()))
}

fn evaluate(learner: &dyn Learn, weights: &[f32], on: EvaluateOn) -> Result<Evaluation, LearnError> {
    let job = EvaluateJob { weights: weights.into(), width: Width::Full, on };
    learner.evaluate(&job, &mut || ControlFlow::Continue(()))
}

fn line() -> Box<dyn Learn> {
    task(Line).learner(&config::Data::default()).unwrap()
}

#[test]
fn any_module_with_a_loss_learns() {
    let task = task(Line);
    assert_eq!((task.manifest().parameters(), task.state_dict()[0].name.as_str()), (2, "weight"));
    let (learner, start) = (line(), task.first_model(1));
    assert_eq!((learner.samples(), start.len(), start[1]), (100, 2, 0.0));
    let trained = train(&*learner, &start, Method::Plain(HYPER)).unwrap();
    assert!((trained.weights[0] - 2.0).abs() < 0.02 && (trained.weights[1] + 1.0).abs() < 0.02, "{trained:?}");
    assert_eq!(
        trained,
        Trained { training_ms: trained.training_ms, ..train(&*learner, &start, Method::Plain(HYPER)).unwrap() }
    );
    let held_out = evaluate(&*learner, &trained.weights, EvaluateOn::HeldOut).unwrap();
    assert_eq!((held_out.correct, held_out.samples), (256, 256));
    assert_eq!(evaluate(&*learner, &start, EvaluateOn::Test), Err(LearnError::NoSample), "members have no test set");
    let examiner = task.examiner(&config::Data::default()).unwrap();
    assert_eq!(evaluate(&*examiner, &trained.weights, EvaluateOn::Test).unwrap().samples, 20);
    assert_eq!(train(&*examiner, &start, Method::Plain(HYPER)), Err(LearnError::NoSample));
}

#[test]
fn what_will_not_do_is_refused() {
    let learner = line();
    let pause = &mut || ControlFlow::Break(());
    let job = TrainJob { weights: [0.0; 2].into(), width: Width::Full, method: Method::Plain(HYPER), seed: [0; 32] };
    assert_eq!(learner.train(job, pause), Err(LearnError::Cancelled));
    assert!(matches!(train(&*learner, &[0.0; 3], Method::Plain(HYPER)), Err(LearnError::Params(_))));
    assert!(matches!(evaluate(&*learner, &[f32::NAN; 2], EvaluateOn::HeldOut), Err(LearnError::Params(_))));
    let wild = Hyper { learning_rate: 1e30, ..HYPER };
    assert!(matches!(train(&*learner, &[0.0; 2], Method::Plain(wild)), Err(LearnError::Diverged { .. })));
    let none = Hyper { batch: 0, ..HYPER };
    assert!(matches!(train(&*learner, &[0.0; 2], Method::Plain(none)), Err(LearnError::Hyper { name: "batch", .. })));
}

const PRIVATE: PrivateHyper =
    PrivateHyper { lot: 100, clip: Clip::Fixed(1e6), sigma: 1e-12, steps: 4, learning_rate: 0.05, momentum: 0.9 };

fn licence(hyper: &PrivateHyper, secret: u8) -> NoiseLicence {
    let debited = rehearse(Budget::new(1e300, 1e-5).unwrap(), hyper.spend(100).unwrap()).unwrap();
    NoiseLicence::repeatable(debited, [secret; 32])
}

fn train_privately(hyper: PrivateHyper, secret: u8) -> Result<Trained, LearnError> {
    train(&*line(), &[0.5, 0.0], Method::Private(hyper, licence(&hyper, secret)))
}

/// Taking every sample, clipping none and with next to no noise, a step is that of plain training on one batch of all.
#[test]
fn without_clip_and_noise_private_training_is_plain_training() {
    let plain = Hyper { epochs: 4, batch: 100, ..HYPER };
    let expected = train(&*line(), &[0.5, 0.0], Method::Plain(plain)).unwrap();
    let trained = train_privately(PrivateHyper { sigma: 1e-15, ..PRIVATE }, 1).unwrap();
    for (plain, private) in expected.weights.iter().zip(&trained.weights) {
        assert!((plain - private).abs() < 1e-5, "{expected:?} and {trained:?}");
    }
}

/// One step, against gradients worked out by hand: of the square of `r = wx + b - y` they are `2rx` and `2r`.
#[test]
fn each_gradient_is_clipped_by_itself() {
    let (clip, rate) = (1.5, 0.1);
    let hyper = PrivateHyper { clip: Clip::Fixed(clip), steps: 1, learning_rate: rate, sigma: 1e-15, ..PRIVATE };
    let trained = train_privately(hyper, 1).unwrap();
    let mut sum = [0.0; 2];
    let mut clipped = 0;
    for [x, y] in points(100).into_iter().map(|point| point.map(f64::from)) {
        let residual = 0.5 * x - y;
        let gradient = [2.0 * residual * x, 2.0 * residual];
        let norm = gradient[0].hypot(gradient[1]);
        clipped += u32::from(norm > clip);
        sum.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value * (clip / norm).min(1.0));
    }
    assert!((10..90).contains(&clipped), "some are clipped and some are not: {clipped}");
    for (index, start) in [0.5, 0.0].into_iter().enumerate() {
        let expected = start - rate * sum[index] / 100.0;
        assert!((f64::from(trained.weights[index]) - expected).abs() < 1e-6, "{} {expected}", trained.weights[index]);
    }
}

#[test]
fn noise_is_never_left_out_and_only_drawn_when_paid_for() {
    let hyper = PrivateHyper { clip: Clip::Fixed(1.0), sigma: 1.0, ..PRIVATE };
    let first = train_privately(hyper, 1).unwrap();
    assert_eq!(first.weights, train_privately(hyper, 1).unwrap().weights);
    assert_ne!(first.weights, train_privately(hyper, 2).unwrap().weights);
    let dearer = PrivateHyper { steps: 5, ..hyper };
    let refused = train(&*line(), &[0.5, 0.0], Method::Private(dearer, licence(&hyper, 1)));
    assert_eq!(refused, Err(LearnError::Unlicensed));
}

/// The bits of a start are part of the protocol: members draw it each for itself.
#[test]
fn first_models_have_the_same_bits_everywhere() {
    let catalogue = Catalogue::built_in();
    let first = |model, dataset| {
        let facts = catalogue.facts(model, dataset, 1).unwrap();
        (facts.tensors.parameters(), facts.initial_model.hash.short())
    };
    let firsts = [first("lenet", "cifar10"), first("mlp", "csv-4-3")];
    assert_eq!(firsts, [(62_006, "c3761a47".to_owned()), (4_675, "37e75c49".to_owned())]);
    assert_eq!(first("lenet", "cifar100").0, 69_656);
    assert_eq!(first("mlp", "mnist").0, 784 * 64 + 64 + 64 * 64 + 64 + 650);
}

#[derive(burn::module::Module, Debug)]
struct Normed {
    norm: LayerNorm,
    layer: Linear,
}

#[test]
fn scales_of_norms_start_as_ones() {
    let device = Device::flex();
    let normed = Normed { norm: LayerNormConfig::new(2).init(&device), layer: LinearConfig::new(2, 1).init(&device) };
    let start = params::start(&params::manifest_of([normed]), [1; 32]);
    assert_eq!(&start[..4], [1.0, 1.0, 0.0, 0.0]);
    assert!(start[4] != 0.0 && start[6] == 0.0, "{start:?}");
}

/// A network with a running mean.
struct Batched;

#[derive(burn::module::Module, Debug)]
struct BatchedNetwork {
    norm: BatchNorm,
    layer: Linear,
}

impl Classifier for Batched {
    type Network = BatchedNetwork;

    fn schema(&self) -> Schema {
        Schema::Csv { features: 2, classes: 2 }
    }

    fn network(&self, _: Width, device: &Device) -> BatchedNetwork {
        let layer = LinearConfig::new(2, 2).init(device);
        BatchedNetwork { norm: BatchNormConfig::new(2).init(device), layer }
    }

    fn logits(&self, network: &BatchedNetwork, inputs: Tensor<2>) -> Tensor<2> {
        network.layer.forward(network.norm.forward(inputs.unsqueeze_dim::<3>(2)).squeeze_dim(2))
    }
}

#[test]
fn a_running_mean_is_refused_and_not_lost() {
    let catalogue = Catalogue::default().with("batched", "csv-2-2", classifier::task(Batched));
    let error = catalogue.facts("batched", "csv-2-2", 1).unwrap_err().to_string();
    assert!(error.contains("running mean in norm.running_mean") && error.contains("use a layer norm"), "{error}");
}

fn at(folder: &Path, parts: u32) -> config::Data {
    config::Data { path: folder.to_owned(), parts, held_out: 4, ..config::Data::default() }
}

/// Trains a task of the catalogue from its first model, as the only member, and judges it on the test set.
fn accuracy(model: &str, dataset: &str, folder: &Path, hyper: Hyper) -> f64 {
    let task = Catalogue::built_in().find(model, dataset).unwrap();
    let learner = task.learner(&at(folder, 1)).unwrap();
    let trained = train(&*learner, &task.first_model(1), Method::Plain(hyper)).unwrap();
    let examiner = task.examiner(&at(folder, 1)).unwrap();
    evaluate(&*examiner, &trained.weights, EvaluateOn::Test).unwrap().accuracy()
}

#[test]
fn a_perceptron_learns_from_csv() {
    let folder = tempfile::tempdir().unwrap();
    let line = |index: usize| {
        let (x, y) = ((index * 37 % 100) as f32 / 50.0 - 1.0, (index * 61 % 97) as f32 / 48.0 - 1.0);
        format!("{x},{y},{}\n", u8::from(x * y > 0.0))
    };
    let text: Vec<String> = (0..600).map(line).collect();
    fs::write(folder.path().join("train.csv"), text[..400].concat()).unwrap();
    fs::write(folder.path().join("test.csv"), text[400..].concat()).unwrap();
    let accuracy = accuracy("mlp", "csv-2-2", folder.path(), Hyper { epochs: 40, ..HYPER });
    assert!(accuracy > 0.93, "{accuracy}");
}

/// Images of one colour, which is the class.
#[test]
fn lenet_learns_from_cifar_files() {
    let folder = tempfile::tempdir().unwrap();
    let record = |index: u8| {
        let class = index % 3;
        let plane = |colour: u8| [if colour == class { 200 - index } else { 20 + index }; 1_024];
        [&[class][..], &plane(0), &plane(1), &plane(2)].concat()
    };
    for batch in 1..=5 {
        let records: Vec<u8> = (0..6).flat_map(|index| record(batch * 6 + index)).collect();
        fs::write(folder.path().join(format!("data_batch_{batch}.bin")), records).unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), (0..6).flat_map(record).collect::<Vec<_>>()).unwrap();
    let accuracy =
        accuracy("lenet", "cifar10", folder.path(), Hyper { epochs: 10, batch: 4, learning_rate: 0.01, momentum: 0.9 });
    assert_eq!(accuracy, 1.0);
}

#[test]
fn an_unknown_task_names_those_there_are() {
    let catalogue = Catalogue::built_in().with("line", "points", task(Line));
    assert_eq!(catalogue.find("line", "points").unwrap().manifest().parameters(), 2);
    for (model, dataset) in [("line", "mnist"), ("2nn", "cifar10"), ("mlp", "csv-0-2"), ("lenet", "csv-4-3")] {
        let error = catalogue.find(model, dataset).map(|_| ()).unwrap_err().to_string();
        for known in ["line for points", "lenet for cifar10", "mlp for mnist", "csv-4-3"] {
            assert!(error.contains(known), "{error}");
        }
    }
}

/// What a narrower network computes is what the whole one would with its other units silent.
#[test]
fn every_built_in_classifier_has_slices_that_compute_alone() {
    fn check(classifier: &impl Classifier) {
        let device = Device::flex();
        assert_eq!(classifier.widths(), Width::ALL);
        let manifest = params::manifest_of(Width::ALL.iter().map(|width| classifier.network(*width, &device)));
        let whole = params::start(&manifest, [7; 32]);
        let inputs = Tensor::<2>::ones([2, classifier.schema().inputs()], &device);
        for width in Width::ALL {
            let slice = manifest.slice(width).unwrap();
            let held = slice.gather(&whole);
            let mut silent = vec![0.0; whole.len()];
            slice.scatter(&held, &mut silent);
            let logits = |width, weights: &[f32]| {
                let network = params::set(classifier.network(width, &device), weights).unwrap();
                classifier.logits(&network, inputs.clone()).try_into_vec_as::<f32>().unwrap()
            };
            for (alone, within) in logits(width, &held).iter().zip(logits(Width::Full, &silent)) {
                assert!((alone - within).abs() < 1e-4, "width {width}: {alone} and {within}");
            }
        }
    }
    check(&Perceptron { schema: Schema::Csv { features: 5, classes: 3 } });
    check(&ColourLeNet::TEN);
}
