use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    aggregate::{self, aggregate, encode, parameters},
    ids::Hash,
    model::{Manifest, TensorSpec, Width},
};

/// Three tensors, each at four widths; the second is whole at all of them.
fn manifest(rows: u32, columns: u32) -> Manifest {
    let halves = |full: &[u32]| -> Vec<Vec<u32>> {
        Width::ALL[..4].iter().map(|width| full.iter().map(|extent| width.of(*extent)).collect()).collect()
    };
    let tensor = |path: &str, shapes| TensorSpec { path: path.into(), shapes };
    Manifest {
        tensors: vec![
            tensor("w", halves(&[rows, columns])),
            tensor("c", vec![vec![5]; 4]),
            tensor("b", halves(&[columns])),
        ],
    }
}

/// Update number `n`: near the others, and irregular.
fn update(n: usize, length: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * 7_919 + n * 104_729) % 10_007) as f32 / 997.0).collect()
}

/// Updates of these widths that claim 1, 2, 3... examples, with their slices.
struct Members {
    base: Vec<f32>,
    held: Vec<(Slice, u64, Vec<f32>)>,
}

impl Members {
    fn new(manifest: &Manifest, widths: &[Width]) -> Self {
        let held = |(n, width): (usize, &Width)| {
            let slice = manifest.slice(*width).unwrap();
            let parameters = update(n, slice.len());
            (slice, n as u64 + 1, parameters)
        };
        let base = update(99, manifest.parameters() as usize);
        Self { base, held: widths.iter().enumerate().map(held).collect() }
    }

    fn combine(&self, rule: &str, mixing: &str) -> Vec<f32> {
        let bytes: Vec<_> = self.held.iter().map(|(_, _, parameters)| encode(parameters)).collect();
        let held = self.held.iter().zip(&bytes);
        let held: Vec<_> = held
            .map(|((slice, samples, _), bytes)| Held { slice, update: Weighted { samples: *samples, bytes } })
            .collect();
        let base = encode(&self.base);
        let made = aggregate_slices(rule.parse().unwrap(), mixing.parse().unwrap(), &base, &held).unwrap();
        parameters(&made).collect()
    }

    /// For each coordinate, who holds it and with which value, found by laying every update out over the model.
    fn columns(&self) -> Vec<Vec<(u64, f32)>> {
        let mut columns = vec![Vec::new(); self.base.len()];
        for (slice, samples, parameters) in &self.held {
            let mut own = parameters.iter();
            for run in slice.runs() {
                for place in run.clone() {
                    columns[place].push((*samples, *own.next().unwrap()));
                }
            }
        }
        columns
    }
}

/// What becomes of a column.
type ByHand = fn(&[(u64, f32)]) -> f32;

fn mean_of(column: &[(u64, f32)]) -> f32 {
    let sum: f64 = column.iter().map(|(samples, value)| *samples as f64 * f64::from(*value)).sum();
    (sum / column.iter().map(|(samples, _)| *samples as f64).sum::<f64>()) as f32
}

fn trimmed_of(column: &[(u64, f32)], liars: usize) -> f32 {
    let mut values: Vec<f32> = column.iter().map(|(_, value)| *value).collect();
    values.sort_by(f32::total_cmp);
    let cut = liars.min((values.len() - 1) / 2);
    let kept = &values[cut..values.len() - cut];
    (kept.iter().copied().map(f64::from).sum::<f64>() / kept.len() as f64) as f32
}

const MIX: [Width; 7] =
    [Width::Full, Width::Quarter, Width::Half, Width::Eighth, Width::Full, Width::Quarter, Width::Half];

#[test]
fn each_coordinate_is_over_its_holders() {
    // Nobody is whole in the second federation, so that some coordinates have no holder.
    for (manifest, widths) in [(manifest(40, 37), &MIX[..]), (manifest(9, 70), &MIX[1..4])] {
        let members = Members::new(&manifest, widths);
        let rules: [(&str, ByHand); 4] = [
            ("mean", mean_of),
            ("median", |column| trimmed_of(column, usize::MAX)),
            ("trimmed:1", |column| trimmed_of(column, 1)),
            ("trimmed:2", |column| trimmed_of(column, 2)),
        ];
        let columns = members.columns();
        assert_eq!(columns.iter().any(Vec::is_empty), widths.len() == 3);
        for (rule, by_hand) in rules {
            let made = members.combine(rule, "none");
            for ((made, column), base) in made.iter().zip(&columns).zip(&members.base) {
                let want = if column.is_empty() { *base } else { by_hand(column) };
                assert_eq!(made.to_bits(), want.to_bits(), "{rule}: {column:?}");
            }
        }
    }
}

/// Coordinates with the same holders are a model of their own for rules that measure distances.
#[test]
fn distances_are_over_what_the_same_members_hold() {
    let manifest = manifest(40, 37);
    let members = Members::new(&manifest, &MIX);
    let columns = members.columns();
    let mut parts = BTreeMap::<Vec<u64>, Vec<usize>>::new();
    for (place, column) in columns.iter().enumerate() {
        parts.entry(column.iter().map(|(samples, _)| *samples).collect()).or_default().push(place);
    }
    assert_eq!(parts.len(), 4, "one part for each width");
    for (rule, mixing) in [("multi-krum:2", "none"), ("mean", "nearest:1"), ("median", "nearest:2")] {
        let made = members.combine(rule, mixing);
        for places in parts.values() {
            let row = |n: usize| encode(&places.iter().map(|place| columns[*place][n].1).collect::<Vec<_>>());
            let rows: Vec<_> = (0..columns[places[0]].len()).map(row).collect();
            let updates: Vec<_> = rows.iter().map(|bytes| Weighted { samples: 1, bytes }).collect();
            let base = encode(&places.iter().map(|place| members.base[*place]).collect::<Vec<_>>());
            let want = aggregate(rule.parse().unwrap(), mixing.parse().unwrap(), &base, &updates).unwrap();
            let got: Vec<f32> = places.iter().map(|place| made[*place]).collect();
            assert_eq!(encode(&got), want, "{rule} {mixing}, {} holders", rows.len());
        }
    }
}

#[test]
fn a_liar_is_left_out_wherever_its_holders_can_tell() {
    let manifest = manifest(40, 37);
    for liar in 0..6 {
        // The liar's width is held by at least five: three whole, and itself.
        let widths = [Width::Full, Width::Full, Width::Full, Width::Full, Width::Full, Width::Half, Width::Half];
        let mut members = Members::new(&manifest, &widths);
        for (n, (slice, _, parameters)) in members.held.iter_mut().enumerate() {
            *parameters = vec![1.0 + 0.001 * n as f32; slice.len()];
        }
        members.held[liar].2.fill(1e6);
        for rule in ["median", "trimmed:1", "multi-krum:1"] {
            let made = members.combine(rule, "none");
            assert!(made.iter().all(|value| (1.0..1.01).contains(value)), "{rule}, liar {liar}");
        }
    }
}

#[test]
fn clipping_reaches_as_far_as_the_share_of_a_part() {
    // One tensor of four numbers, of which the narrow slice holds one: a quarter, so half the radius.
    let manifest = Manifest { tensors: vec![TensorSpec { path: "w".into(), shapes: vec![vec![4], vec![1]] }] };
    let mut members = Members::new(&manifest, &[Width::Full, Width::Half]);
    members.base = vec![0.0; 4];
    members.held[0].2 = vec![100.0, 0.0, 0.0, 100.0];
    members.held[1].2 = vec![100.0];
    let made = members.combine("centred-clipping:2", "none");
    // Both reach 1 a step in the first coordinate; the wide one alone sqrt(3) a step along the others' diagonal.
    assert!((made[0] - 3.0).abs() < 1e-6, "{made:?}");
    assert_eq!((made[1], made[2]), (0.0, 0.0));
    assert!((f64::from(made[3]) - 3.0 * 3_f64.sqrt()).abs() < 1e-6, "{made:?}");
}

#[test]
fn slices_are_the_same_to_the_last_bit_for_ever() {
    let golden = [
        ("mean", "none", "6ea03734"),
        ("median", "none", "a446a9ee"),
        ("trimmed:2", "none", "eeb7d3b5"),
        ("multi-krum:2", "none", "141de545"),
        ("centred-clipping:2.5", "none", "54765684"),
        ("mean", "nearest:2", "8b6df5ca"),
        ("median", "nearest:2", "e0fd1e0d"),
        ("multi-krum:1", "nearest:1", "90f11b91"),
        ("centred-clipping:2.5", "nearest:2", "ffff9ac1"),
    ];
    let members = Members::new(&manifest(40, 37), &MIX);
    let made =
        golden.map(|(rule, mixing, _)| (rule, mixing, Hash::of(&encode(&members.combine(rule, mixing))).short()));
    assert_eq!(made, golden.map(|(rule, mixing, hash)| (rule, mixing, hash.to_owned())));
}

#[test]
fn what_does_not_fit_has_no_aggregate() {
    let manifest = manifest(4, 4);
    let (whole, half) = (manifest.slice(Width::Full).unwrap(), manifest.slice(Width::Half).unwrap());
    let base = vec![0; whole.len() * 4];
    let held = |slice, bytes| Held { slice, update: Weighted { samples: 1, bytes } };
    let combine = |base: &[u8], held: &[Held<'_>]| aggregate_slices(Rule::Median, Mixing::None, base, held);
    assert!(combine(&base, &[held(&whole, &base), held(&half, &base[..half.len() * 4])]).is_some());
    assert_eq!(combine(&base, &[]), None);
    assert_eq!(combine(&base, &[held(&half, &base)]), None);
    assert_eq!(combine(&base, &[held(&half, &base[..half.len() * 4 - 1])]), None);
    assert_eq!(combine(&base[4..], &[held(&whole, &base)]), None);
    assert_eq!(combine(&base[1..], &[held(&whole, &base[1..])]), None);
}

fn widths() -> impl Strategy<Value = Vec<Width>> {
    prop::collection::vec(prop::sample::select(&Width::ALL[..4]), 1..8)
}

proptest! {
    #[test]
    fn the_mean_of_any_mix_is_over_holders(rows in 1_u32..12, columns in 1_u32..12, widths in widths()) {
        let members = Members::new(&manifest(rows, columns), &widths);
        let made = members.combine("mean", "none");
        for ((made, column), base) in made.iter().zip(members.columns()).zip(&members.base) {
            prop_assert_eq!(*made, if column.is_empty() { *base } else { mean_of(&column) });
        }
    }

    #[test]
    fn where_all_are_whole_nothing_is_different(count in 1_usize..6, rule in 0_usize..5) {
        let rule = ["mean", "median", "trimmed:1", "multi-krum:1", "centred-clipping:2"][rule];
        let members = Members::new(&manifest(5, 3), &vec![Width::Full; count]);
        let bytes: Vec<_> = members.held.iter().map(|(_, _, parameters)| encode(parameters)).collect();
        let updates: Vec<_> = bytes.iter().zip(1..).map(|(bytes, samples)| Weighted { samples, bytes }).collect();
        for mixing in ["none", "nearest:1"] {
            let want = aggregate::aggregate(rule.parse().unwrap(), mixing.parse().unwrap(), &encode(&members.base), &updates);
            prop_assert_eq!(encode(&members.combine(rule, mixing)), want.unwrap());
        }
    }

    #[test]
    fn parts_are_what_the_definition_says(rows in 1_u32..9, columns in 1_u32..9, widths in widths()) {
        let manifest = manifest(rows, columns);
        let slices: Vec<_> = widths.iter().map(|width| manifest.slice(*width).unwrap()).collect();
        let holds = |slice: &Slice, place: usize| slice.runs().iter().any(|run| run.contains(&place));
        let mut seen = vec![false; manifest.parameters() as usize];
        for part in Slice::parts(&slices.iter().collect::<Vec<_>>()) {
            for place in part.slice.runs().iter().cloned().flatten() {
                prop_assert!(!std::mem::replace(&mut seen[place], true));
                let holders: Vec<_> = (0..slices.len()).filter(|n| holds(&slices[*n], place)).collect();
                prop_assert_eq!(&part.holders, &holders);
            }
            for n in &part.holders {
                let places: Vec<usize> = (0..seen.len()).collect();
                let own = slices[*n].own_places(&part.slice);
                prop_assert_eq!(own.gather(&slices[*n].gather(&places)), part.slice.gather(&places));
            }
        }
        prop_assert!((0..seen.len()).all(|place| seen[place] == slices.iter().any(|slice| holds(slice, place))));
    }
}
