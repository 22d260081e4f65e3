use althing_node::learn::{partition::Partition, train::Hyper};

use super::*;
use crate::replay::setting::{Changes, fedavg_2nn};

fn mnist() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist")
}

/// The first samples of MNIST's halves.
fn corpus(train: u32, test: u32) -> Corpus {
    let load = |subset, count: u32| data::load(&mnist(), subset, &(0..count).collect::<Vec<_>>()).unwrap();
    Corpus::new(Architecture::TwoNn, load(Subset::Train, train), &load(Subset::Test, test))
}

/// Six members, of whom three train in each round.
fn tiny() -> Setting {
    let changes = Changes { partition: Partition::Iid, learning_rate: Some(0.1), rounds_max: None };
    Setting { members: 6, participants: 3, ..fedavg_2nn(&changes, 0.97) }
}

/// The models and their judgements after each of two rounds.
fn two_rounds(corpus: &Corpus, setting: &Setting, seed: u64, threads: usize) -> Vec<(Vec<u8>, Point)> {
    let threads = NonZeroUsize::new(threads).unwrap();
    let mut federation = Federation::new(setting, corpus, seed).unwrap();
    let mut play = |_| {
        let point = federation.advance(threads).unwrap();
        (federation.model().to_vec(), point)
    };
    (0..2).map(&mut play).collect()
}

#[test]
fn threads_change_nothing_and_seeds_do() {
    let corpus = corpus(600, 210);
    let alone = two_rounds(&corpus, &tiny(), 1, 1);
    assert_eq!(alone, two_rounds(&corpus, &tiny(), 1, 2));
    assert_eq!(alone, two_rounds(&corpus, &tiny(), 1, 7));
    assert_ne!(alone, two_rounds(&corpus, &tiny(), 2, 1));
    assert_eq!((alone[0].1.round, alone[1].1.round), (1, 2));
    assert!(alone[1].1.accuracy > 0.4, "{:?} after two rounds of 300 samples", alone[1].1);
}

#[test]
fn a_round_is_the_mean_of_its_participants() {
    let (corpus, setting) = (corpus(60, 20), tiny());
    let mut federation = Federation::new(&setting, &corpus, 3).unwrap();
    let start: Vec<f32> = aggregate::parameters(federation.model()).collect();
    federation.round = 1;
    let members = federation.participants();
    assert!(members.len() == 3 && members.is_sorted() && members.iter().all(|&member| member < 6), "{members:?}");
    let trained = members.iter().map(|&member| federation.train(&start, member).unwrap());
    let trained: Vec<Vec<f32>> = trained.map(|update| aggregate::parameters(&update.bytes).collect()).collect();
    federation.round = 0;
    federation.advance(NonZeroUsize::MIN).unwrap();
    // All have ten samples, so the mean is a plain one.
    for (place, value) in aggregate::parameters(federation.model()).enumerate() {
        let mean = trained.iter().map(|weights| f64::from(weights[place])).sum::<f64>() / 3.0;
        assert!((f64::from(value) - mean).abs() < 1e-6, "parameter {place}: {value}, not {mean}");
    }
}

#[test]
fn everybody_takes_part_now_and_then() {
    let (corpus, setting) = (corpus(60, 20), tiny());
    let mut federation = Federation::new(&setting, &corpus, 1).unwrap();
    let mut turns = [0_u32; 6];
    for round in 1..=1_000 {
        federation.round = round;
        federation.participants().into_iter().for_each(|member| turns[member] += 1);
    }
    assert_eq!(turns.iter().sum::<u32>(), 3_000);
    assert!(turns.iter().all(|turns| (430..=570).contains(turns)), "{turns:?}: five standard deviations are 79");
}

#[test]
fn the_pieces_of_the_test_set_make_up_the_whole() {
    let (corpus, setting) = (corpus(60, 203), tiny());
    let federation = Federation::new(&setting, &corpus, 1).unwrap();
    let point = federation.judge(NonZeroUsize::MIN).unwrap();
    let test = data::load(&mnist(), Subset::Test, &(0..203).collect::<Vec<_>>()).unwrap();
    let whole = Learner::new(Architecture::TwoNn, Dataset::default(), Dataset::default(), test);
    let weights: Vec<f32> = aggregate::parameters(federation.model()).collect();
    let expected = whole.evaluate(&weights, EvaluateOn::Test, &mut go_on).unwrap();
    assert_eq!(point.accuracy, expected.accuracy());
    assert!((point.loss - f64::from(expected.loss)).abs() < 1e-5, "{} and {}", point.loss, expected.loss);
}

#[test]
fn what_cannot_be_trained_is_refused_in_words() {
    // Three batches for each member: the second meets what the first one did to the weights.
    let corpus = corpus(180, 20);
    let refusal = |hyper: Hyper| {
        let setting = Setting { hyper, ..tiny() };
        let error = Federation::new(&setting, &corpus, 9).unwrap().advance(NonZeroUsize::MIN).unwrap_err();
        (error.exit_code(), error.to_string())
    };
    let (code, words) = refusal(Hyper { learning_rate: -1.0, ..tiny().hyper });
    assert!(code == 2 && words.contains("seed 9, round 1") && words.contains("learning_rate"), "{words}");
    let (code, words) = refusal(Hyper { learning_rate: 1e30, ..tiny().hyper });
    assert!(code == 2 && words.contains("lower the learning rate"), "{words}");
    let setting = Setting { members: 181, ..tiny() };
    assert_eq!(Federation::new(&setting, &corpus, 1).map(|_| ()).unwrap_err().exit_code(), 2);
}
