//! Updates as they travel: whatever bytes a member hands in, its peers can read, look through and aggregate them, or
//! say what is wrong.

use std::sync::LazyLock;

use althing_protocol::{
    aggregate::{self, Held, Mixing, Rule, Weighted},
    detection::{Handed, inspect},
    genesis::Noise,
    ids::MemberId,
    model::{Slice, Width},
    sim::Scenario,
    update::{Codec, Format},
};

use super::parts;

pub(crate) const CODECS: [Codec; 4] =
    [Codec::F32, Codec::Q8, Codec::TopK { permille: 250 }, Codec::TopK { permille: 1_000 }];

/// Members, each with an update, at the most.
const MEMBERS: usize = 8;

/// What the members of a federation with one of the codecs hold in common.
static FORMATS: LazyLock<Vec<(Format, Vec<u8>)>> = LazyLock::new(|| {
    let formats = CODECS.iter().map(|codec| {
        let widths = Width::ALL[..3].to_vec();
        Format::of(&Scenario { codec: *codec, widths, ..Scenario::quiet(1, MEMBERS) }.genesis())
    });
    formats.map(|format| (format, Scenario::first_model())).collect()
});

/// A slice of two blocks of one byte a parameter and a part of a third, since the model of the simulator fills none.
const LONG: [u8; 4 * LONG_PARAMETERS] = [0; 4 * LONG_PARAMETERS];
pub(crate) const LONG_PARAMETERS: usize = 520;

/// Set in the first byte of an input for an update of the long slice.
pub(crate) const IS_LONG: u8 = 0x80;

pub(super) fn run(bytes: &[u8]) {
    let Some((&choice, updates)) = bytes.split_first() else { return };
    if choice & IS_LONG == 0 {
        aggregate_all(choice, updates);
    } else if let Ok(update) = CODECS[usize::from(choice) % CODECS.len()].decode(&LONG, updates) {
        assert_eq!(update.len(), LONG.len());
    }
}

/// What is sound by itself can be looked through and put together with anything else that is.
fn aggregate_all(choice: u8, updates: &[u8]) {
    let (format, base) = &FORMATS[usize::from(choice) % FORMATS.len()];
    let opened = parts(updates).take(MEMBERS).filter_map(|part| open(format, base, part));
    let opened: Vec<(&Slice, Vec<u8>)> = opened.collect();
    let handed: Vec<Handed<'_>> = opened
        .iter()
        .enumerate()
        .map(|(place, (slice, bytes))| Handed { maker: MemberId([place as u8; 32]), slice, bytes })
        .collect();
    inspect(Noise::Refused, base, base, &handed);
    let held = |(slice, bytes)| Held { slice, update: Weighted { samples: u64::from(u32::MAX), bytes } };
    let held: Vec<Held<'_>> = opened.iter().map(|(slice, bytes)| held((*slice, bytes))).collect();
    for rule in rules() {
        for mixing in [Mixing::None, Mixing::Nearest { liars: 1 }, Mixing::Aligned { liars: 1 }] {
            let made = aggregate::aggregate_slices(rule, mixing, base, &held);
            let made = made.unwrap_or_else(|| base.clone());
            assert_eq!(made.len(), base.len());
            assert!(aggregate::parameters(&made).all(f32::is_finite), "{rule} makes what is no number");
        }
    }
}

fn rules() -> [Rule; 5] {
    let clipping = "centred-clipping:1".parse().expect("a rule");
    [Rule::WeightedMean, Rule::Median, Rule::TrimmedMean { liars: 1 }, Rule::MultiKrum { liars: 1 }, clipping]
}

/// The first byte says of which width an update is, the others are what its maker hands in.
fn open<'a>(format: &'a Format, base: &[u8], part: &[u8]) -> Option<(&'a Slice, Vec<u8>)> {
    let (&choice, coded) = part.split_first()?;
    let widths: Vec<_> = format.widths().collect();
    let width = widths[usize::from(choice) % widths.len()];
    let slice = format.slice(width)?;
    let bytes = format.open(width, base, coded).ok()?.into_owned();
    assert_eq!(bytes.len(), slice.len() * size_of::<f32>());
    Some((slice, bytes))
}
