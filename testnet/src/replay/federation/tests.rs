use super::*;
use crate::replay::corpus::tests::corpus;

/// Six members, of whom three train in each round.
fn tiny() -> Setting {
    let hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.1, momentum: 0.0 };
    Setting { members: 6, participants: 3, partition: Partition::Iid, hyper }
}

/// The models and their judgements after each of two rounds.
fn two_rounds(corpus: &Corpus, seed: u64, threads: usize) -> Vec<(Vec<u8>, Point)> {
    let threads = NonZeroUsize::new(threads).unwrap();
    let mut federation = Federation::new(tiny(), corpus, seed).unwrap();
    let mut play = |_| {
        let point = federation.advance(threads).unwrap();
        (federation.model.clone(), point)
    };
    (0..2).map(&mut play).collect()
}

#[test]
fn threads_change_nothing_and_seeds_do() {
    let corpus = corpus(600, 210);
    let alone = two_rounds(&corpus, 1, 1);
    assert_eq!(alone, two_rounds(&corpus, 1, 2));
    assert_eq!(alone, two_rounds(&corpus, 1, 7));
    assert_ne!(alone, two_rounds(&corpus, 2, 1));
    assert_eq!((alone[0].1.round, alone[1].1.round), (1, 2));
    assert!(alone[1].1.accuracy > 0.4, "{:?} after two rounds of 300 samples", alone[1].1);
}

#[test]
fn a_round_is_the_mean_of_its_participants() {
    let corpus = corpus(60, 20);
    let mut federation = Federation::new(tiny(), &corpus, 3).unwrap();
    let start: Vec<f32> = aggregate::parameters(&federation.model).collect();
    federation.round = 1;
    let members = federation.participants();
    assert!(members.len() == 3 && members.is_sorted() && members.iter().all(|&member| member < 6), "{members:?}");
    let trained = members.iter().map(|&member| federation.train(&start, member).unwrap());
    let trained: Vec<Vec<f32>> = trained.map(|update| aggregate::parameters(&update.bytes).collect()).collect();
    federation.round = 0;
    federation.advance(NonZeroUsize::MIN).unwrap();
    // All have ten samples, so the mean is a plain one.
    for (place, value) in aggregate::parameters(&federation.model).enumerate() {
        let mean = trained.iter().map(|weights| f64::from(weights[place])).sum::<f64>() / 3.0;
        assert!((f64::from(value) - mean).abs() < 1e-6, "parameter {place}: {value}, not {mean}");
    }
}

#[test]
fn everybody_takes_part_now_and_then() {
    let corpus = corpus(60, 20);
    let mut federation = Federation::new(tiny(), &corpus, 1).unwrap();
    let mut turns = [0_u32; 6];
    for round in 1..=1_000 {
        federation.round = round;
        federation.participants().into_iter().for_each(|member| turns[member] += 1);
    }
    assert_eq!(turns.iter().sum::<u32>(), 3_000);
    assert!(turns.iter().all(|turns| (430..=570).contains(turns)), "{turns:?}: five standard deviations are 79");
}

#[test]
fn what_cannot_be_trained_is_refused() {
    // Three batches for each member: the second meets what the first one did to the weights.
    let corpus = corpus(180, 20);
    let refusal = |learning_rate| {
        let setting = Setting { hyper: Hyper { learning_rate, ..tiny().hyper }, ..tiny() };
        Federation::new(setting, &corpus, 9).unwrap().advance(NonZeroUsize::MIN).unwrap_err()
    };
    assert!(matches!(refusal(-1.0), RunError::Learn(LearnError::Hyper { name: "learning_rate", .. })));
    assert!(matches!(refusal(1e30), RunError::Learn(LearnError::Diverged { .. })));
    assert!(Federation::new(Setting { members: 181, ..tiny() }, &corpus, 1).is_err());
}
