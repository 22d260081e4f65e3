use proptest::prelude::*;

use super::*;
use crate::{
    aggregate::{self, Mixing, Rule, Weighted},
    sim::Rng,
};

const BASE: [f32; 3] = [1.0, -2.0, 0.5];
const OWN: [f32; 3] = [2.0, -4.0, 0.5];
const SEEN: [[f32; 3]; 3] = [[2.0, 0.0, 0.0], [4.0, -3.0, 1.0], [6.0, -9.0, 2.0]];

/// What `word` hands in from the constants above, with so many of the honest updates seen.
fn crafted(word: &str, seen: usize, previous: Option<&[f32]>) -> Vec<f32> {
    let seen: Vec<&[f32]> = SEEN[..seen].iter().map(<[f32; 3]>::as_slice).collect();
    let view = View { base: &BASE, own: &OWN, seen: &seen, previous, members: 10, liars: 3 };
    craft(word.parse().unwrap(), &view, &mut Rng::new(5))
}

#[test]
fn an_attack_is_one_word() {
    for attack in Attack::ALL {
        assert_eq!(attack.to_string().parse::<Attack>().unwrap(), attack);
    }
    assert_eq!("alie:1.5".parse::<Attack>().unwrap().to_string(), "alie:1.5");
    for (word, wanted) in [
        ("", "say sign-flip"),
        ("sign-flip:1", "say sign-flip"),
        ("scaled", "say sign-flip"),
        ("scaled:", "a number"),
        ("ipm:-1", "a number"),
        ("ipm:nan", "a number"),
        ("alie:0", "a number"),
        ("noise:inf", "a number"),
    ] {
        let error = word.parse::<Attack>().unwrap_err().to_string();
        assert!(error.contains(wanted), "{word}: {error}");
    }
}

/// By hand: the mean of what is seen is (4, -4, 1), its step (3, -2, 0.5), its deviation (2, 4.5826, 1).
#[test]
fn every_attack_follows_its_formula() {
    assert_eq!(crafted("sign-flip", 3, None), [0.0, 0.0, 0.5]);
    assert_eq!(crafted("scaled:10", 3, None), [11.0, -22.0, 0.5]);
    assert_eq!(crafted("label-flip", 3, None), OWN);
    assert_eq!(crafted("ipm:0.5", 3, None), [-0.5, -1.0, 0.25]);
    assert_eq!(crafted("alie:2", 3, None), [0.0, -4.0 - 2.0 * 21_f32.sqrt(), -1.0]);
    assert_eq!(crafted("mimic", 3, None), SEEN[0]);
    assert_eq!(crafted("zero", 3, None), BASE);
    assert_eq!(crafted("stale", 3, None), BASE);
    assert_eq!(crafted("stale", 3, Some(&[0.0, 0.0, 0.0])), [2.0, -4.0, 1.0]);
    let nan = crafted("nan", 3, None);
    assert!(nan[0].is_nan() && nan[1..] == OWN[1..]);
    assert!(SEEN.contains(&<[f32; 3]>::try_from(crafted("copied", 3, None)).unwrap()));
}

#[test]
fn who_has_seen_nobody_takes_its_own_update_for_the_others() {
    for (word, wanted) in [("ipm:1", [0.0, 0.0, 0.5]), ("alie:9", OWN), ("mimic", OWN), ("copied", OWN)] {
        assert_eq!(crafted(word, 0, None), wanted, "{word}");
    }
}

#[test]
fn noise_is_as_strong_as_it_says_and_drawn_from_the_seed() {
    let base = vec![3.0_f32; 5_000];
    let view = View { base: &base, own: &base, seen: &[], previous: None, members: 4, liars: 1 };
    let noisy = |seed| craft(Attack::Noise { sigma: 0.25 }, &view, &mut Rng::new(seed));
    let away: Vec<f64> = noisy(1).iter().map(|value| f64::from(*value) - 3.0).collect();
    let deviation = (away.iter().map(|value| value * value).sum::<f64>() / 5_000.0).sqrt();
    assert!((deviation - 0.25).abs() < 0.01, "{deviation}");
    assert_eq!(noisy(1), noisy(1));
    assert_ne!(noisy(1), noisy(2));
}

/// The figures of a table of the normal distribution: `n = 50`, 24 liars, as in the paper, and two smaller federations.
#[test]
fn a_little_follows_from_how_many_lie() {
    for (members, liars, share, z) in [(50, 24, 24.0 / 26.0, 1.426), (10, 3, 4.0 / 7.0, 0.180), (14, 4, 0.6, 0.253)] {
        let found = little_is_enough_factor(members, liars);
        assert!((found - z).abs() < 1e-3, "{members} {liars}: {found}");
        assert!((normal::below(found) - share).abs() < 1e-9);
    }
    assert_eq!(little_is_enough_factor(10, 1), 0.0, "too few to lie at all");
    assert!(little_is_enough_factor(4, 4).is_finite() && little_is_enough_factor(0, 0).is_finite());
}

fn updates() -> impl Strategy<Value = Vec<Vec<f32>>> {
    (2_usize..9, 1_usize..20)
        .prop_flat_map(|(members, length)| prop::collection::vec(prop::collection::vec(-9_f32..9.0, length), members))
}

proptest! {
    /// Whatever is seen, every attack but `nan` hands in numbers, as many as the model has.
    #[test]
    fn what_is_handed_in_fits_the_model(updates in updates(), seed in any::<u64>(), alone in any::<bool>()) {
        let (base, own) = (&updates[0], &updates[1]);
        let seen: Vec<&[f32]> = if alone { Vec::new() } else { updates[2..].iter().map(Vec::as_slice).collect() };
        let view = View { base, own, seen: &seen, previous: Some(own), members: updates.len(), liars: 1 };
        for attack in Attack::ALL {
            let made = craft(attack, &view, &mut Rng::new(seed));
            prop_assert_eq!(made.len(), base.len());
            prop_assert!(attack == Attack::Nan || made.iter().all(|value| value.is_finite()), "{}", attack);
        }
    }

    /// Enough liars of a plain mean turn its step around: that is what the inner product is manipulated for.
    #[test]
    fn the_mean_yields_to_inner_products_and_the_median_does_not(step in 0.1_f32..5.0, spread in 0.0_f32..0.05) {
        let honest: Vec<Vec<f32>> = (0..7).map(|n| vec![step * (1.0 + spread * n as f32); 4]).collect();
        let seen: Vec<&[f32]> = honest.iter().map(Vec::as_slice).collect();
        let base = [0.0; 4];
        let view = View { base: &base, own: &base, seen: &seen, previous: None, members: 10, liars: 3 };
        let lie = craft(Attack::InnerProduct { epsilon: 4.0 }, &view, &mut Rng::new(1));
        let bytes: Vec<Vec<u8>> = honest.iter().chain([&lie, &lie, &lie]).map(|made| aggregate::encode(made)).collect();
        let weighted: Vec<_> = bytes.iter().map(|bytes| Weighted { samples: 1, bytes }).collect();
        let first = |rule| {
            let made = aggregate::aggregate(rule, Mixing::None, &aggregate::encode(&base), &weighted).unwrap();
            aggregate::parameters(&made).next().unwrap()
        };
        prop_assert!(first(Rule::WeightedMean) < 0.0);
        prop_assert!(first(Rule::Median) > 0.5 * step);
    }
}
