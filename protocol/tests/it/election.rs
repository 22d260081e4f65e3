//! The lottery is fair, alike on every machine, and fed by seeds that nobody can choose.

use std::collections::BTreeMap;

use althing_protocol::{
    election::{HashChain, extends, next_seed, order},
    ids::{Hash, MemberId},
};
use proptest::prelude::*;

fn member(number: u8) -> MemberId {
    MemberId([number; 32])
}

fn seed(number: u32) -> Hash {
    Hash::of(&number.to_le_bytes())
}

#[test]
fn the_order_is_frozen() {
    let candidates: Vec<_> = (1..=6).map(|number| (member(number), u64::from(number))).collect();
    let drawn =
        |name: &str| -> Vec<u8> { order(&Hash::of(name.as_bytes()), &candidates).iter().map(|m| m.0[0]).collect() };
    // These values are the protocol: a change here splits a running federation.
    assert_eq!(drawn("first"), [5, 6, 3, 2, 4, 1]);
    assert_eq!(drawn("second"), [4, 6, 1, 5, 3, 2]);
}

#[test]
fn the_front_is_drawn_in_proportion_to_weight() {
    let candidates: Vec<_> = (1..=4).map(|number| (member(number), 1_000_000 * u64::from(number))).collect();
    let mut wins = BTreeMap::<MemberId, u32>::new();
    for number in 0..10_000 {
        *wins.entry(order(&seed(number), &candidates)[0]).or_default() += 1;
    }
    for number in 1..=4 {
        let (expected, got) = (1_000 * u32::from(number), wins[&member(number)]);
        // Four standard deviations of 10,000 draws are below 200.
        assert!(expected.abs_diff(got) < 200, "weight {number} of 10 won {got} of 10,000");
    }
}

#[test]
fn who_is_second_depends_on_the_weights_that_remain() {
    // Member 3 is nearly always first, so the second place is the lottery of the other two, at 1 to 3.
    let candidates = [(member(1), 1), (member(2), 3), (member(3), 1_000_000)];
    let seconds = (0..4_000).filter(|&number| order(&seed(number), &candidates)[1] == member(2)).count();
    assert!((2_880..3_120).contains(&seconds), "{seconds} of 4,000");
}

#[test]
fn members_without_weight_come_last_and_in_order() {
    let candidates = [(member(9), 0), (member(2), 0), (member(5), 1)];
    assert_eq!(order(&seed(1), &candidates), [member(5), member(2), member(9)]);
    assert_eq!(order(&seed(1), &[]), []);
}

proptest! {
    #[test]
    fn any_order_of_candidates_is_drawn_alike(
        weights in prop::collection::vec(any::<u64>(), 0..12),
        seed in any::<[u8; 32]>(),
        turn in 0_usize..12,
    ) {
        let mut candidates: Vec<_> = (0..).map(member).zip(weights).collect();
        let drawn = order(&Hash(seed), &candidates);
        let mut everybody = drawn.clone();
        everybody.sort_unstable();
        prop_assert_eq!(everybody, candidates.iter().map(|&(id, _)| id).collect::<Vec<_>>());
        let turn = turn % candidates.len().max(1);
        candidates.rotate_left(turn);
        prop_assert_eq!(order(&Hash(seed), &candidates), drawn);
    }
}

#[test]
fn a_chain_reveals_its_links_from_the_anchor_back_to_the_secret() {
    let chain = HashChain::new([7; 32], 5);
    let mut tip = chain.anchor();
    let mut revealed = Vec::new();
    while let Some(link) = chain.reveal(&tip) {
        assert!(extends(&tip, &link));
        assert!(!extends(&link, &tip));
        revealed.push(link);
        tip = link;
    }
    assert_eq!(revealed.len(), 5);
    assert_eq!(revealed.last(), Some(&Hash([7; 32])));
    assert_eq!(chain.reveal(&Hash::of(b"not on the chain")), None);
    assert_eq!(HashChain::new([7; 32], 0).reveal(&Hash([7; 32])), None);
}

#[test]
fn the_next_seed_needs_both_the_seed_and_the_link() {
    let (a, b) = (Hash::of(b"a"), Hash::of(b"b"));
    assert_ne!(next_seed(&a, &b), next_seed(&b, &a));
    assert_ne!(next_seed(&a, &a), next_seed(&a, &b));
    assert_eq!(next_seed(&a, &b).to_string(), "959ccef3b895968abf8fd90c0e8ee97dddedf9ff74feaabdee93645c5252d99e");
    assert_eq!(
        HashChain::new([7; 32], 3).anchor().to_string(),
        "d8f8ac9dc4e68cc0bca5d2834bc319762e3b9d85a19b2cc8a3453a19eccaceea"
    );
}

#[test]
fn a_chain_does_not_print_its_secret() {
    assert_eq!(format!("{:?}", HashChain::new([7; 32], 3)), "HashChain { length: 3, .. }");
}
