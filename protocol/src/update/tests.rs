use proptest::prelude::*;

use super::*;
use crate::ids::Hash;

const TOPK: Codec = Codec::TopK { permille: 50 };

/// Awkward on purpose: more than two blocks of one byte a parameter, and a part of a third.
const PARAMETERS: usize = 2 * 256 + 77;

fn base(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7_919) % 10_007) as f32 / 997.0 - 5.0).collect()
}

/// A training that moves everything a little and some of it far.
fn trained(base: &[f32]) -> Vec<f32> {
    let step = |i: usize| ((i * 104_729) % 2_003) as f32 / 1e5 - 0.01 + if i.is_multiple_of(23) { 0.3 } else { 0.0 };
    base.iter().enumerate().map(|(i, value)| value + step(i)).collect()
}

/// Words that look random and are the same everywhere: the middle of a counter times a large odd number.
fn words(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((state ^ state >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
    }
}

fn code(codec: Codec, base: &[f32], trained: &[f32], residual: &mut [f32]) -> Vec<u8> {
    let coded = codec.encode(base, trained, residual, &mut words(7)).unwrap();
    assert!(codec.sizes(base.len() as u64).contains(&(coded.len() as u64)), "{codec}: {} bytes", coded.len());
    coded
}

fn read(codec: Codec, base: &[f32], coded: &[u8]) -> Result<Vec<f32>, CodingError> {
    codec.decode(&aggregate::encode(base), coded).map(|bytes| aggregate::parameters(&bytes).collect())
}

#[test]
fn the_plain_codec_changes_no_byte() {
    let (base, residual) = (base(9), &mut [0.5; 9]);
    let trained = trained(&base);
    let coded = code(Codec::F32, &base, &trained, residual);
    assert_eq!(coded, aggregate::encode(&trained));
    assert_eq!(read(Codec::F32, &base, &coded), Ok(trained));
    assert_eq!(residual, &[0.5; 9], "what others have left out is no business of it");
}

#[test]
fn every_format_is_the_same_to_the_last_bit_for_ever() {
    let base = base(PARAMETERS);
    let trained = trained(&base);
    let made = [Codec::F32, Codec::Q8, TOPK].map(|codec| {
        let coded = code(codec, &base, &trained, &mut [0.001; PARAMETERS]);
        let read = codec.decode(&aggregate::encode(&base), &coded).unwrap();
        (codec.to_string(), coded.len(), Hash::of(&coded).short(), Hash::of(&read).short())
    });
    let golden = [
        ("f32", 2_356, "de3cd631", "de3cd631"),
        ("q8", 601, "59a3e459", "a66e9d00"),
        ("topk:50", 154, "90ac66f5", "b72423dd"),
    ];
    assert_eq!(made, golden.map(|(codec, bytes, coded, read)| (codec.into(), bytes, coded.into(), read.into())));
}

#[test]
fn coding_saves_what_it_promises() {
    // LeNet, and the convolutional network of the federated averaging paper.
    for parameters in [44_426_u64, 1_663_370] {
        let plain = *Codec::F32.sizes(parameters).end() as f64;
        let least = |codec: Codec| plain / *codec.sizes(parameters).end() as f64;
        assert!(least(Codec::Q8) > 3.93, "{}", least(Codec::Q8));
        assert!(least(TOPK) > 15.0, "{}", least(TOPK));
    }
}

/// One byte a parameter, read by the definition alone.
fn read_q8(base: &[f32], coded: &[u8]) -> Vec<f64> {
    let mut values = Vec::new();
    for (block, base) in base.chunks(256).enumerate() {
        let bytes = &coded[block * 260..];
        let scale = f64::from(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        values
            .extend(base.iter().zip(&bytes[4..]).map(|(base, byte)| f64::from(*base) + scale * f64::from(*byte as i8)));
    }
    values
}

#[test]
fn one_byte_is_right_in_the_mean() {
    const TURNS: u32 = 4_000;
    let base = base(300);
    let trained = trained(&base);
    let (mut draw, mut sums) = (words(1), vec![0.0_f64; 300]);
    for _ in 0..TURNS {
        let coded = Codec::Q8.encode(&base, &trained, &mut [0.0; 300], &mut draw).unwrap();
        sums.iter_mut().zip(read_q8(&base, &coded)).for_each(|(sum, value)| *sum += value);
    }
    for (place, (sum, want)) in sums.iter().zip(&trained).enumerate() {
        let block = place / 256 * 256..(place / 256 * 256 + 256).min(300);
        let largest = block.map(|i| (f64::from(trained[i]) - f64::from(base[i])).abs()).fold(0.0, f64::max);
        // A step's error has a deviation of at most half a step: seven deviations of the mean of all turns.
        let bound = 7.0 * 0.5 * largest / 127.0 / f64::from(TURNS).sqrt();
        let error = sum / f64::from(TURNS) - f64::from(*want);
        assert!(error.abs() <= bound, "parameter {place} is off by {error:e} in the mean, {bound:e} would do");
    }
}

/// Counted changes with their places, read by the definition alone. The sample has no number of more than one byte.
fn read_topk(base: &[f32], coded: &[u8]) -> Vec<f64> {
    let mut values: Vec<f64> = base.iter().copied().map(f64::from).collect();
    let count = u32::from_le_bytes([coded[0], coded[1], coded[2], coded[3]]) as usize;
    let mut place = 0;
    for change in coded[4..].chunks_exact(5).take(count) {
        assert!(change[0] < 128);
        place += usize::from(change[0]);
        values[place] += f64::from(f32::from_le_bytes([change[1], change[2], change[3], change[4]]));
        place += 1;
    }
    values
}

#[test]
fn the_largest_changes_are_sent_and_the_rest_is_kept() {
    let base = base(PARAMETERS);
    let trained = trained(&base);
    let mut residual = vec![0.0; PARAMETERS];
    residual[11] = -2.0;
    let before = residual.clone();
    let coded = code(TOPK, &base, &trained, &mut residual);
    let sent = read(TOPK, &base, &coded).unwrap();
    let by_hand: Vec<f32> = read_topk(&base, &coded).into_iter().map(|value| value as f32).collect();
    assert_eq!(sent, by_hand);
    let moved: Vec<usize> = (0..PARAMETERS).filter(|i| sent[*i] != base[*i]).collect();
    assert_eq!(moved.len(), PARAMETERS.div_ceil(20));
    assert!(moved.contains(&11), "what was left out before counts");
    let wanted = |i: usize| f64::from(trained[i]) - f64::from(base[i]) + f64::from(before[i]);
    let least_sent = moved.iter().map(|i| wanted(*i).abs()).fold(f64::MAX, f64::min);
    for i in 0..PARAMETERS {
        assert!(moved.contains(&i) || wanted(i).abs() <= least_sent, "{i} is larger than one that was sent");
        let together = f64::from(sent[i]) - f64::from(base[i]) + f64::from(residual[i]);
        assert!((together - wanted(i)).abs() < 1e-7, "{i}: {together} of {}", wanted(i));
    }
}

#[test]
fn nothing_is_lost_by_feedback() {
    // The same step again and again, in one direction of ten thousand: what arrives is what was meant, but for the rest.
    let count = 2_000;
    let step: Vec<f32> = (0..count).map(|i| ((i * 31) % 101) as f32 / 1e4).collect();
    let (mut model, mut residual) = (vec![0.0_f32; count], vec![0.0_f32; count]);
    for _ in 0..100 {
        let trained: Vec<f32> = model.iter().zip(&step).map(|(value, step)| value + step).collect();
        let coded = code(TOPK, &model, &trained, &mut residual);
        model = read(TOPK, &model, &coded).unwrap();
    }
    for ((value, step), left) in model.iter().zip(&step).zip(&residual) {
        let (meant, there) = (100.0 * f64::from(*step), f64::from(*value) + f64::from(*left));
        assert!((there - meant).abs() < 1e-4, "{there} of {meant}");
    }
    assert!(model.iter().filter(|value| **value != 0.0).count() > count * 9 / 10, "everything has its turn");
}

#[test]
fn equal_changes_go_in_order_and_nothing_is_an_update_too() {
    let (base, mut residual) = (vec![1.0; 100], vec![0.0; 100]);
    let coded = code(TOPK, &base, &[2.0; 100], &mut residual);
    assert_eq!(read(TOPK, &base, &coded).unwrap()[..6], [2.0, 2.0, 2.0, 2.0, 2.0, 1.0]);
    assert_eq!(residual[4..6], [0.0, 1.0]);
    let nothing = code(TOPK, &base, &base, &mut [0.0; 100]);
    assert_eq!((&nothing[..], read(TOPK, &base, &nothing)), (&[0; 4][..], Ok(base.clone())));
    let nothing = code(Codec::Q8, &base, &base, &mut [0.0; 100]);
    assert_eq!((&nothing[..], read(Codec::Q8, &base, &nothing)), (&[0; 104][..], Ok(base.clone())));
    // Too small a change for a scale of its own is none.
    let hair = vec![f32::MIN_POSITIVE; 3];
    assert_eq!(read(Codec::Q8, &hair, &code(Codec::Q8, &hair, &[0.0; 3], &mut [0.0; 3])), Ok(hair));
}

#[test]
fn what_cannot_be_coded_is_said() {
    for codec in [Codec::F32, Codec::Q8, TOPK] {
        let encode =
            |trained: &[f32], left: usize| codec.encode(&[0.0; 3], trained, &mut vec![0.0; left], &mut words(1));
        assert_eq!(encode(&[0.0; 2], 3), Err(CodingError::Slice { got: 2, want: 3 }));
        assert_eq!(encode(&[0.0; 3], 2), Err(CodingError::Slice { got: 2, want: 3 }));
        assert_eq!(encode(&[0.0, f32::NAN, 0.0], 3), Err(CodingError::NotFinite { index: 1 }));
        assert_eq!(encode(&[f32::NEG_INFINITY; 3], 3), Err(CodingError::NotFinite { index: 0 }));
        // The greatest leap there is can be coded, and arrives as a finite number or is found out by the check.
        let far = codec.encode(&[f32::MIN], &[f32::MAX], &mut [0.0], &mut words(1)).unwrap();
        assert_eq!(read(codec, &[f32::MIN], &far).unwrap().len(), 1);
    }
}

#[test]
fn another_spelling_of_an_update_is_refused() {
    let base = vec![1.0; 260];
    let at = |at| Err(CodingError::Malformed { at });
    let scaled = |scale: f32, first: i8| [&scale.to_le_bytes()[..], &first.to_le_bytes(), &[0; 255], &[0; 8]].concat();
    let q8 = |scale, first| read(Codec::Q8, &base, &scaled(scale, first)).map(|values| values[0]);
    assert_eq!(q8(0.5, 127), Ok(64.5));
    assert_eq!(q8(0.5, -127), Ok(-62.5));
    for (scale, first) in [(0.5, 126), (0.5, -128), (0.5, 0), (-0.5, 127), (0.0, 127), (-0.0, 0), (1e-39, 127)] {
        assert_eq!(q8(scale, first), Err(CodingError::Malformed { at: 0 }), "{scale} {first}");
    }
    for scale in [f32::NAN, f32::INFINITY] {
        assert_eq!(q8(scale, 127), Err(CodingError::Malformed { at: 0 }), "{scale}");
    }
    let mut late = scaled(0.5, 127);
    late[260] = 1;
    assert_eq!(read(Codec::Q8, &base, &late), at(260));

    let change = |gap: &[u8], change: f32| [gap, &change.to_le_bytes()].concat();
    let topk = |count: u32, changes: &[Vec<u8>]| {
        read(TOPK, &base, &[&count.to_le_bytes()[..], &changes.concat()].concat()).map(|values| values[..2].to_vec())
    };
    assert_eq!(topk(1, &[change(&[1], 2.0)]), Ok(vec![1.0, 3.0]));
    assert_eq!(topk(1, &[change(&[0x83, 0x02], 2.0)]), Ok(vec![1.0, 1.0]), "the last place");
    assert_eq!(topk(1, &[change(&[0x84, 0x02], 2.0)]), at(4).map(|_: Vec<f32>| vec![]), "behind the last place");
    for (gap, value) in [(&[0x80, 0x00][..], 2.0), (&[0x81, 0x80, 0x00], 2.0), (&[1], 0.0), (&[1], -0.0)] {
        assert!(topk(1, &[change(gap, value)]).is_err(), "{gap:?} {value}");
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(topk(1, &[change(&[1], value)]).is_err(), "{value}");
    }
    assert!(topk(1, &[change(&[0xff, 0xff, 0xff, 0xff, 0x1f], 2.0)]).is_err(), "a number that is too large");
    assert!(topk(0, &[change(&[1], 2.0)]).is_err(), "more than was counted");
    assert!(topk(2, &[change(&[1], 2.0)]).is_err(), "fewer than were counted");
    assert!(topk(14, &vec![change(&[0], 2.0); 14]).is_err(), "more than may be sent");
    assert!(topk(13, &vec![change(&[0], 2.0); 13]).is_ok());
    assert!(topk(u32::MAX, &[]).is_err());
}

/// Parameters of all sizes.
fn parameter() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -2.0_f32..2.0, 1 => -1e30_f32..1e30, 1 => Just(0.0), 1 => -1e-38_f32..1e-38]
}

/// A base, and what training has made of it.
fn training() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    prop::collection::vec((parameter(), parameter()), 1..600).prop_map(|pairs| pairs.into_iter().unzip())
}

fn codec() -> impl Strategy<Value = Codec> {
    prop_oneof![Just(Codec::F32), Just(Codec::Q8), (1_u32..=500).prop_map(|permille| Codec::TopK { permille })]
}

proptest! {
    #[test]
    fn what_is_read_is_near_what_was_trained((base, trained) in training()) {
        let coded = code(Codec::Q8, &base, &trained, &mut vec![0.0; base.len()]);
        let values = read(Codec::Q8, &base, &coded).unwrap();
        for (block, exact) in read_q8(&base, &coded).chunks(256).enumerate() {
            let places = block * 256..block * 256 + exact.len();
            let change = |i: usize| f64::from(trained[i]) - f64::from(base[i]);
            let largest = places.clone().map(|i| change(i).abs()).fold(0.0, f64::max);
            for (i, exact) in places.zip(exact) {
                prop_assert_eq!(values[i].to_bits(), (*exact as f32).to_bits());
                // One step, and what single precision cannot tell.
                let room = largest / 127.0 + 1e-6 * (f64::from(base[i]).abs() + largest) + 2e-36;
                prop_assert!((exact - f64::from(trained[i])).abs() <= room, "{}: {} {}", i, exact, trained[i]);
            }
        }
    }

    #[test]
    fn an_update_that_sends_half_arrives((base, trained) in training()) {
        let codec = Codec::TopK { permille: 500 };
        let mut residual = vec![0.0; base.len()];
        let values = read(codec, &base, &code(codec, &base, &trained, &mut residual)).unwrap();
        for i in 0..base.len() {
            let change = f64::from(trained[i]) - f64::from(base[i]);
            let together = f64::from(values[i]) - f64::from(base[i]) + f64::from(residual[i]);
            prop_assert!((together - change).abs() <= 1e-7 * change.abs().max(1e-30), "{}: {} of {}", i, together, change);
        }
    }

    /// However the bytes come out, whoever reads them gets finite parameters within the bound, or a reason.
    #[test]
    fn damage_is_refused_or_within_bounds(
        codec in codec(), (base, trained) in training(), flip in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let mut bytes = code(codec, &base, &trained, &mut vec![0.0; base.len()]);
        let place = flip.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let base = aggregate::encode(&base);
        if let Ok(update) = codec.decode(&base, &bytes) && aggregate::check(&base, &update, 1_000).is_ok() {
            prop_assert_eq!(update.len(), base.len());
            prop_assert!(aggregate::parameters(&update).all(f32::is_finite));
        }
    }

    #[test]
    fn a_cut_update_is_refused(codec in codec(), (base, trained) in training()) {
        let bytes = code(codec, &base, &trained, &mut vec![0.0; base.len()]);
        for length in 0..bytes.len() {
            prop_assert!(read(codec, &base, &bytes[..length]).is_err(), "{} of {} bytes", length, bytes.len());
        }
        prop_assert!(read(codec, &base, &[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn random_bytes_do_no_harm(
        codec in codec(), parameters in 0_usize..700, bytes in prop::collection::vec(any::<u8>(), 0..3_000),
    ) {
        let base = vec![0; parameters * 4];
        if let Ok(update) = codec.decode(&base, &bytes) {
            prop_assert_eq!(update.len(), base.len());
        }
    }
}

mod formats {
    use super::*;
    use crate::{
        ids::{BlobRef, Round},
        model::{Manifest, TensorSpec},
        sim::Scenario,
        statement::UpdateOffer,
    };

    fn federation(codec: Codec) -> Genesis {
        let mut genesis = Scenario::quiet(1, 1).genesis();
        let shapes = vec![vec![2, 3], vec![1, 2]];
        genesis.task.tensors = Manifest { tensors: vec![TensorSpec { path: "w".into(), shapes }] };
        genesis.exchange.codec = codec;
        genesis.contracts[0].width = Width::Half;
        genesis.limits.max_update_norm = 10;
        genesis
    }

    #[test]
    fn an_update_is_opened_at_its_width() {
        let format = Format::of(&federation(Codec::F32));
        assert_eq!(format.slice(Width::Half).map(Slice::len), Some(2));
        let base = aggregate::encode(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let open = |width, coded: &[f32]| {
            let coded = aggregate::encode(coded);
            format.open(width, &base, &coded).map(|update| aggregate::parameters(&update).collect::<Vec<_>>())
        };
        assert_eq!(open(Width::Half, &[7.0, 8.0]), Ok(vec![7.0, 8.0]));
        assert!(matches!(open(Width::Half, &[7.0; 6]), Err(UpdateFault::Coding(CodingError::Length { .. }))));
        assert!(matches!(open(Width::Half, &[7.0, f32::NAN]), Err(UpdateFault::NotFinite { index: 1 })));
        assert!(matches!(open(Width::Half, &[70.0, 8.0]), Err(UpdateFault::TooFar { .. })));
        assert_eq!(open(Width::Full, &[1.0; 6]), Ok(vec![1.0; 6]));
        assert_eq!(open(Width::Quarter, &[]), Err(UpdateFault::Width { width: Width::Quarter }));
    }

    #[test]
    fn an_offer_is_as_long_as_its_contract_allows() {
        for (codec, half, whole) in [
            (Codec::F32, 8..=8, 24..=24),
            (Codec::Q8, 6..=6, 10..=10),
            (TOPK, 4..=9, 4..=9),
            (Codec::TopK { permille: 500 }, 4..=9, 4..=19),
        ] {
            let genesis = federation(codec);
            let allowed = |contract, size| {
                let update = BlobRef { hash: Hash::ZERO, size };
                let (round, samples) = (Round(1), genesis.limits.max_samples);
                let offer = UpdateOffer { round, contract, update, samples, training_ms: 0, epsilon_micro: 0 };
                let greedy = UpdateOffer { samples: samples + 1, ..offer };
                assert!(!greedy.is_allowed(&genesis));
                offer.is_allowed(&genesis)
            };
            for size in 0..40 {
                assert_eq!(allowed(0, size), half.contains(&size), "{codec} at one half, {size} bytes");
                assert_eq!(allowed(1, size), whole.contains(&size), "{codec}, {size} bytes");
                assert!(!allowed(2, size), "no such contract");
            }
        }
    }

    #[test]
    fn a_genesis_has_room_for_what_its_codec_writes() {
        let mut genesis = federation(Codec::TopK { permille: 500 });
        genesis.task.initial_model.size = 24;
        genesis.limits.max_update_bytes = 24;
        assert_eq!(genesis.validate(), Ok(()));
        genesis.task.tensors.tensors[0].shapes = vec![vec![1]; 2];
        (genesis.task.initial_model.size, genesis.limits.max_update_bytes) = (4, 8);
        assert!(
            genesis.validate().unwrap_err().to_string().contains("limits.max_update_bytes is 8, but must be from 9")
        );
    }

    #[test]
    fn a_coded_update_is_measured_by_what_it_stands_for() {
        let format = Format::of(&federation(TOPK));
        let base = aggregate::encode(&[0.0; 6]);
        let far = |change: f32| [&[1, 0, 0, 0, 0][..], &change.to_le_bytes()].concat();
        assert!(format.open(Width::Half, &base, &far(10.0)).is_ok());
        assert!(matches!(format.open(Width::Half, &base, &far(10.1)), Err(UpdateFault::TooFar { .. })));
        let much = aggregate::encode(&[f32::MAX; 6]);
        assert!(matches!(format.open(Width::Half, &much, &far(f32::MAX)), Err(UpdateFault::NotFinite { index: 0 })));
    }
}
