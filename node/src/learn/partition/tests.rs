use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// As many samples of each of ten labels.
fn even_labels(per_label: usize) -> Vec<u8> {
    (0..10 * per_label).map(|index| (index % 10) as u8).collect()
}

fn labels_of(part: &[u32], labels: &[u8]) -> BTreeSet<u8> {
    part.iter().map(|&index| labels[index as usize]).collect()
}

fn digest(parts: &[Vec<u32>]) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.iter().flat_map(|index| index.to_le_bytes()));
    }
    Hash::of(&bytes).short()
}

fn any_partition() -> impl Strategy<Value = Partition> {
    prop_oneof![
        Just(Partition::Iid),
        (0.001..20.0).prop_map(|alpha| Partition::Dirichlet { alpha }),
        (1_usize..5).prop_map(|per_member| Partition::Shards { per_member }),
        (1_usize..=3).prop_map(|k| Partition::LabelK { k }),
    ]
}

proptest! {
    #[test]
    fn every_sample_goes_to_one_member_and_nobody_goes_without(
        partition in any_partition(),
        labels in prop::collection::vec(0_u8..10, 40..400),
        members in 1_usize..40,
        seed: u64,
    ) {
        prop_assume!(labels.iter().collect::<BTreeSet<_>>().len() >= 3);
        let parts = assign(&labels, members, &partition, seed).unwrap();
        prop_assert_eq!(parts.len(), members);
        prop_assert!(parts.iter().all(|part| !part.is_empty() && part.is_sorted()));
        let mut all = parts.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len() as u32).collect::<Vec<_>>());
        prop_assert_eq!(parts, assign(&labels, members, &partition, seed).unwrap());
    }

    #[test]
    fn a_name_reads_back(partition in any_partition()) {
        prop_assert_eq!(partition.to_string().parse::<Partition>().unwrap(), partition);
        let json = serde_json::to_string(&partition).unwrap();
        prop_assert_eq!(serde_json::from_str::<Partition>(&json).unwrap(), partition);
    }

    #[test]
    fn held_out_samples_are_never_trained_on(count in 2_u32..500, fraction in -0.5..1.5, seed: u64) {
        let indices: Vec<u32> = (0..count).map(|index| 3 * index).collect();
        let split = hold_out(&indices, fraction, seed);
        prop_assert!(!split.train.is_empty() && !split.held_out.is_empty());
        prop_assert!(split.train.is_sorted() && split.held_out.is_sorted());
        let mut all = [split.train, split.held_out].concat();
        all.sort_unstable();
        prop_assert_eq!(all, indices);
    }
}

/// Members work the partition out each for itself, so its every index is part of the protocol.
#[test]
fn partitions_are_the_same_everywhere() {
    let labels = even_labels(600);
    let names = ["iid", "dirichlet:0.5", "dirichlet:0.05", "shards:2", "label:2"];
    let digests = names.map(|name| digest(&assign(&labels, 8, &name.parse().unwrap(), 1).unwrap()));
    assert_eq!(digests, ["daaa5714", "4a118a47", "f64c40d0", "0c32ac5c", "56269d17"]);
    let split = hold_out(&(0..1_000).collect::<Vec<_>>(), 0.1, 1);
    assert_eq!(digest(&[split.train, split.held_out]), "6a37f401");
}

/// Machines may differ in the last bits of a gamma variate, and the shares must not.
#[test]
fn shares_do_not_depend_on_last_bits() {
    for seed in 0..50 {
        let mut rng = generator(ASSIGN_CONTEXT, seed);
        let gamma = Gamma::new(0.5, 1.0).unwrap();
        let draws: Vec<f64> = (0..16).map(|_| gamma.sample(&mut rng)).collect();
        let nudged: Vec<f64> = draws.iter().map(|draw| draw.next_up().next_up()).collect();
        assert_eq!(in_steps(&draws), in_steps(&nudged), "seed {seed}");
    }
}

#[test]
fn another_seed_is_another_partition() {
    let labels = even_labels(60);
    for name in ["iid", "dirichlet:0.5", "shards:2", "label:2"] {
        let partition = name.parse().unwrap();
        assert_ne!(assign(&labels, 8, &partition, 1).unwrap(), assign(&labels, 8, &partition, 2).unwrap(), "{name}");
    }
}

#[test]
fn iid_parts_are_even_and_mixed() {
    let labels = even_labels(600);
    let parts = assign(&labels, 8, &Partition::Iid, 3).unwrap();
    assert!(parts.iter().all(|part| part.len() == 750 && labels_of(part, &labels).len() == 10));
}

#[test]
fn a_member_with_two_shards_sees_few_labels() {
    let labels = even_labels(600);
    let parts = assign(&labels, 10, &Partition::Shards { per_member: 2 }, 3).unwrap();
    assert!(parts.iter().all(|part| part.len() == 600 && labels_of(part, &labels).len() <= 4));
}

#[test]
fn a_member_sees_exactly_k_labels_and_all_labels_are_held() {
    let labels = even_labels(600);
    for (members, k) in [(8, 2), (10, 3), (30, 1), (5, 10)] {
        let parts = assign(&labels, members, &Partition::LabelK { k }, 3).unwrap();
        assert!(parts.iter().all(|part| labels_of(part, &labels).len() == k), "{members} members, {k} labels");
    }
}

#[test]
fn a_small_alpha_skews_and_a_large_one_does_not() {
    let labels = even_labels(600);
    let largest_share = |alpha| {
        let parts = assign(&labels, 8, &Partition::Dirichlet { alpha }, 3).unwrap();
        let of_label = |part: &[u32]| part.iter().filter(|&&index| labels[index as usize] == 0).count();
        parts.iter().map(|part| of_label(part)).max().unwrap()
    };
    assert!(largest_share(0.05) > 300, "one member has most of a label");
    assert!(largest_share(1_000.0) < 100, "the members share a label evenly");
}

#[test]
fn dirichlet_gives_everybody_enough() {
    let labels = even_labels(600);
    for seed in 0..20 {
        let parts = assign(&labels, 16, &Partition::Dirichlet { alpha: 0.02 }, seed).unwrap();
        assert!(parts.iter().all(|part| part.len() >= SAMPLES_PER_MEMBER_MIN), "seed {seed}");
    }
}

#[test]
fn impossible_partitions_say_why() {
    let labels = even_labels(1);
    assert_eq!(assign(&labels, 0, &Partition::Iid, 1), Err(PartitionError::NoMember));
    let few = assign(&labels, 11, &Partition::Iid, 1);
    assert_eq!(few, Err(PartitionError::TooFewSamples { samples: 10, members: 11 }));
    let many = assign(&labels, 2, &Partition::LabelK { k: 11 }, 1);
    assert_eq!(many, Err(PartitionError::TooFewLabels { k: 11, classes: 10 }));
    for text in ["", "even", "iid:1", "dirichlet", "dirichlet:0", "dirichlet:nan", "shards:0", "label:-1", "label:300"]
    {
        let message = text.parse::<Partition>().unwrap_err().to_string();
        assert!(message.contains(&format!("{text:?}")), "{message}");
    }
}
