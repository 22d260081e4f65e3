//! What a member makes of others' models: which it refuses, and what the rest amount to.

use althing_protocol::{
    aggregate::{self, Radius, Rule},
    epidemic::{Refusal, bring_back, mix},
    genesis::Genesis,
    ids::{MemberId, Step},
    sim::Scenario,
};

const ME: MemberId = MemberId([5; 32]);

fn genesis(acceptance: &str) -> Genesis {
    let mut genesis = Scenario::quiet(1, 4).genesis();
    genesis.exchange.acceptance = acceptance.parse().unwrap();
    genesis.limits.max_update_norm = 100;
    genesis
}

fn at(parameters: &[f32]) -> Vec<u8> {
    aggregate::encode(parameters)
}

/// What a member at (3, 4) makes of `others` in `step`: its next model, and who is refused for being too far away.
fn met(genesis: &Genesis, step: u64, others: &[&[f32]]) -> (Vec<f32>, Vec<u8>) {
    let models: Vec<Vec<u8>> = others.iter().map(|other| at(other)).collect();
    let received: Vec<(MemberId, &[u8])> =
        models.iter().enumerate().map(|(place, bytes)| (MemberId([place as u8; 32]), &bytes[..])).collect();
    let mixture = mix(genesis, Step(step), (ME, &at(&[3.0, 4.0])), &received);
    let distant = mixture.refused.iter().filter(|(_, why)| matches!(why, Refusal::Distant { .. }));
    (aggregate::parameters(&mixture.model).collect(), distant.map(|(id, _)| id.0[0]).collect())
}

#[test]
fn every_sound_model_counts_once() {
    assert_eq!(met(&genesis("all"), 1, &[&[6.0, 4.0], &[0.0, 1.0]]), (vec![3.0, 3.0], vec![]));
    assert_eq!(met(&genesis("all"), 1, &[]), (vec![3.0, 4.0], vec![]));
}

#[test]
fn unsound_models_are_refused_for_what_they_are() {
    let (own, genesis) = (at(&[3.0, 4.0]), genesis("all"));
    let cases = [
        ("longer", at(&[3.0, 4.0, 5.0]), "12 bytes where"),
        ("cut", own[..7].to_vec(), "7 bytes where"),
        ("no number", at(&[3.0, f32::NAN]), "parameter 1 is not a finite"),
        ("far beyond the norm bound", at(&[3.0, 400.0]), "396.0 from the model"),
    ];
    for (what, bytes, expected) in cases {
        let mixture = mix(&genesis, Step(1), (ME, &own), &[(MemberId([1; 32]), &bytes)]);
        let refusal = mixture.refused.values().next().unwrap();
        assert!(matches!(refusal, Refusal::Unsound(_)) && refusal.to_string().contains(expected), "{what}: {refusal}");
        assert_eq!(mixture.model, own, "{what}");
    }
}

/// The own norm is 5, so in step t of ten a model may lie 2.5 * exp(-t / 10) away.
#[test]
fn balance_accepts_what_is_near_and_ever_less_of_it() {
    let genesis = genesis("balance:0.5:1:10");
    let reach = |t: u64| 2.5 * (-(t.min(10) as f64) / 10.0).exp();
    for t in [0, 1, 5, 10, 11, 1_000] {
        let (near, far) = ((reach(t) * 0.999) as f32, (reach(t) * 1.001) as f32);
        let (model, refused) = met(&genesis, t, &[&[3.0 + near, 4.0], &[3.0, 4.0 - far]]);
        assert_eq!(refused, [1], "step {t}");
        assert_eq!(model, [3.0 + near / 2.0, 4.0], "step {t}");
    }
}

#[test]
fn the_rule_of_the_genesis_makes_the_average() {
    let mut genesis = genesis("all");
    let others: [&[f32]; 2] = [&[4.0, 5.0], &[60.0, -60.0]];
    genesis.aggregation.rule = Rule::Median;
    assert_eq!(met(&genesis, 1, &others).0, [4.0, 4.0]);
    genesis.aggregation.rule = Rule::CentredClipping { radius: Radius { thousandths: 30 } };
    let (model, _) = met(&genesis, 1, &others);
    let moved = ((model[0] - 3.0).powi(2) + (model[1] - 4.0).powi(2)).sqrt();
    assert!((0.01..=0.09).contains(&moved), "it clips towards the member's own model: moved by {moved}");
}

#[test]
fn progress_is_brought_back_within_half_of_the_norm_bound() {
    let base = at(&[1.0, 1.0]);
    assert_eq!(bring_back(&base, &at(&[4.0, 5.0]), 10), Some(at(&[4.0, 5.0])), "5 away, where 5 is half");
    assert_eq!(bring_back(&base, &at(&[7.0, 9.0]), 10), Some(at(&[4.0, 5.0])), "10 away: half the way");
    assert_eq!(bring_back(&base, &at(&[7.0, f32::NAN]), 10), None);
    assert_eq!(bring_back(&base, &at(&[7.0]), 10), None);
}
