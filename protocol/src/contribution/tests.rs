use super::*;

fn updates(samples: &[u64]) -> Updates {
    Updates::new(samples, Hash([7; 32]))
}

/// What `contribution` makes of updates whose coalitions are worth `value`, and how many of them it has looked at.
fn divided(contribution: Contribution, updates: &Updates, value: impl Fn(&[usize]) -> f64) -> (Vec<f64>, usize) {
    let coalitions = contribution.coalitions(updates);
    let values: Vec<f64> = coalitions.iter().map(|coalition| value(&coalition.places().collect::<Vec<_>>())).collect();
    (contribution.shares(updates, &values, &vec![1.0; updates.len()]), coalitions.len())
}

fn close(got: &[f64], wanted: &[f64]) -> bool {
    got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-9)
}

/// Two left gloves and a right one, the textbook's game: a pair is worth 1. The right glove brings two thirds.
#[test]
fn gloves_are_divided_as_the_textbook_does() {
    let pair = |gloves: &[usize]| if gloves.contains(&2) && gloves.len() > 1 { 1.0 } else { 0.0 };
    let three = updates(&[1, 1, 1]);
    let (shares, evaluated) = divided(Contribution::Shapley, &three, pair);
    assert!(close(&shares, &[1.0 / 6.0, 1.0 / 6.0, 4.0 / 6.0]), "{shares:?}");
    assert_eq!(evaluated, 7, "all but nobody");
    assert!(close(&divided(Contribution::LeaveOneOut, &three, pair).0, &[0.0, 0.0, 1.0]), "nobody misses a left one");
    assert!(close(&divided(Contribution::Alone, &three, pair).0, &[0.0, 0.0, 0.0]), "one is no pair");
    assert!(close(&divided(Contribution::Cosine, &three, pair).0, &[1.0 / 3.0; 3]), "all go the same way");
}

#[test]
fn whoever_goes_against_all_has_no_part_by_cosine() {
    let four = updates(&[1; 4]);
    let shares = Contribution::Cosine.shares(&four, &[6.0], &[1.0, 0.5, -0.5, 0.0]);
    assert!(close(&shares, &[4.0, 2.0, 0.0, 0.0]), "{shares:?}");
    assert!(close(&Contribution::Cosine.shares(&four, &[6.0], &[-1.0; 4]), &[0.0; 4]));
}

/// Where a coalition is worth something that is of second degree in its mean, nothing is left to infer.
#[test]
fn three_evaluations_for_each_find_the_values_of_a_smooth_game() {
    for members in 7..=12_usize {
        let samples: Vec<u64> = (0..members as u64).map(|place| 100 + 37 * (place % 4)).collect();
        let many = updates(&samples);
        let value = |places: &[usize]| {
            let total: u64 = places.iter().map(|place| samples[*place]).sum();
            let mean: f64 = places.iter().map(|&place| samples[place] as f64 / total as f64 * (place + 1) as f64).sum();
            mean - 0.03 * mean * mean
        };
        let (shares, evaluated) = divided(Contribution::Shapley, &many, value);
        assert_eq!(evaluated, 3 * members);
        let exact = by_orders(members, value);
        let spread = exact.iter().fold(0.0, |most: f64, share| most.max(share.abs()));
        let error = shares.iter().zip(&exact).fold(0.0, |most: f64, (got, exact)| most.max((got - exact).abs()));
        assert!(error < 0.02 * spread, "{members} members: {shares:?}, exactly {exact:?}");
    }
}

/// Shapley values by another sum: for each update over all sizes of what may come before it.
fn by_orders(members: usize, value: impl Fn(&[usize]) -> f64) -> Vec<f64> {
    let share = |place: usize| {
        let others: Vec<usize> = (0..members).filter(|other| *other != place).collect();
        let (mut sums, mut counts) = (vec![0.0; members], vec![0.0; members]);
        for set in 0..1_u32 << others.len() {
            let mut before: Vec<usize> =
                (0..others.len()).filter(|at| set >> at & 1 == 1).map(|at| others[at]).collect();
            let without = if before.is_empty() { 0.0 } else { value(&before) };
            let size = before.len();
            before.push(place);
            sums[size] += value(&before) - without;
            counts[size] += 1.0;
        }
        sums.iter().zip(&counts).map(|(sum, count)| sum / count).sum::<f64>() / members as f64
    };
    (0..members).map(share).collect()
}

#[test]
fn parts_add_up_to_the_whole() {
    for members in [1, 2, 6, 7, 20, 128] {
        let many = updates(&vec![50; members]);
        let value = |places: &[usize]| places.iter().map(|place| (place % 5) as f64).sum::<f64>().sqrt();
        let (shares, _) = divided(Contribution::Shapley, &many, value);
        let whole = value(&(0..members).collect::<Vec<_>>());
        assert!((shares.iter().sum::<f64>() - whole).abs() < 1e-6, "{members} members: {shares:?}");
    }
}

#[test]
fn no_coalition_is_evaluated_twice_and_nobody_never() {
    for contribution in [Contribution::Alone, Contribution::Cosine, Contribution::LeaveOneOut, Contribution::Shapley] {
        for members in [0, 1, 2, 3, 6, 7, 8, 9, 40, 128] {
            let coalitions = contribution.coalitions(&updates(&vec![1; members]));
            let set: std::collections::BTreeSet<_> = coalitions.iter().collect();
            assert_eq!(set.len(), coalitions.len(), "{contribution} of {members}");
            assert!(coalitions.iter().all(|coalition| !coalition.is_empty()), "{contribution} of {members}");
            let most = if members <= EXACT_MOST { (1 << members) - 1 } else { 3 * members };
            assert!(coalitions.len() <= most, "{contribution} of {members}: {}", coalitions.len());
        }
    }
}

#[test]
fn values_that_are_not_those_of_the_coalitions_divide_nothing() {
    let eight = updates(&[1; 8]);
    for values in [vec![], vec![1.0; 23], vec![1.0; 25]] {
        assert_eq!(Contribution::Shapley.shares(&eight, &values, &[1.0; 8]), [0.0; 8]);
    }
    assert_eq!(Contribution::Shapley.shares(&eight, &[f64::NAN; 24], &[1.0; 8]), [0.0; 8]);
}

#[test]
fn words_and_ways_are_the_same() {
    for word in ["alone", "cosine", "leave-one-out", "shapley"] {
        assert_eq!(word.parse::<Contribution>().unwrap().to_string(), word);
    }
    assert!("Shapley".parse::<Contribution>().unwrap_err().to_string().contains("say alone, cosine"));
}
