use super::*;
use crate::replay::corpus::tests::corpus;

/// Six members, of whom three train in each round.
fn tiny() -> Setting {
    let hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.1, momentum: 0.0 };
    Setting { members: 6, participants: 3, partition: Partition::Iid, hyper, cooling: None, widths: ALL_WHOLE }
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

/// Every coordinate is the mean over those who hold it, and stays where nobody does.
#[test]
fn a_round_is_the_mean_of_the_holders() {
    let corpus = corpus(60, 20);
    let cases: [&'static [Option<Width>]; 3] =
        [ALL_WHOLE, &[Some(Width::Half), Some(Width::Full)], &[Some(Width::Half), None, Some(Width::Eighth)]];
    for widths in cases {
        let mut federation = Federation::new(Setting { widths, ..tiny() }, &corpus, 3).unwrap();
        let start: Vec<f32> = aggregate::parameters(&federation.model).collect();
        federation.round = 1;
        let mut holders = vec![Vec::new(); start.len()];
        let places: Vec<usize> = (0..start.len()).collect();
        for participant in federation.participants() {
            let update = federation.train(&start, participant).unwrap();
            let held = update.slice.gather(&places).into_iter().zip(aggregate::parameters(&update.bytes));
            held.for_each(|(place, value)| holders[place].push(f64::from(value)));
        }
        federation.round = 0;
        federation.advance(NonZeroUsize::MIN).unwrap();
        // All have ten samples, so the mean is a plain one.
        for (place, value) in aggregate::parameters(&federation.model).enumerate() {
            let all = &holders[place];
            let mean = if all.is_empty() { start[place].into() } else { all.iter().sum::<f64>() / all.len() as f64 };
            assert!((f64::from(value) - mean).abs() < 1e-6, "parameter {place}: {value}, not {mean}");
        }
    }
}

#[test]
fn a_member_without_a_width_takes_no_part() {
    let corpus = corpus(60, 20);
    let setting = Setting { widths: &[Some(Width::Full), None, Some(Width::Quarter)], ..tiny() };
    let mut federation = Federation::new(setting, &corpus, 3).unwrap();
    for round in 1..=20 {
        federation.round = round;
        let taking_part = federation.participants();
        let members: Vec<usize> = taking_part.iter().map(|(member, _)| *member).collect();
        assert!(
            members.len() == 3 && members.is_sorted() && members.iter().all(|member| member % 3 != 1),
            "{members:?}"
        );
        let is_fit = |(member, share): &(usize, &Share)| (member % 3 == 0) == (share.width == Width::Full);
        assert!(taking_part.iter().all(is_fit));
    }
}

#[test]
fn the_learning_rate_falls_once() {
    let corpus = corpus(60, 20);
    let mut federation = Federation::new(Setting { cooling: Some(5), ..tiny() }, &corpus, 3).unwrap();
    let mut rate = |round| {
        federation.round = round;
        federation.hyper().learning_rate
    };
    assert_eq!((rate(1), rate(5)), (0.1, 0.1));
    assert!((rate(6) - 0.01).abs() < 1e-12 && rate(6) == rate(60));
}

#[test]
fn everybody_takes_part_now_and_then() {
    let corpus = corpus(60, 20);
    let mut federation = Federation::new(tiny(), &corpus, 1).unwrap();
    let mut turns = [0_u32; 6];
    for round in 1..=1_000 {
        federation.round = round;
        federation.participants().into_iter().for_each(|(member, _)| turns[member] += 1);
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
