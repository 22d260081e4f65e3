//! The largest changes and their places.
//!
//! Four bytes say how many there are, little-endian. Then each stands as the number of parameters that are passed over
//! since the one before (seven bits a byte, the lowest first, the top bit set when more follow, and no byte more than
//! needed) and its change in single precision, little-endian, never zero.

use std::ops::RangeInclusive;

use super::{CodingError, PARAMETER_BYTES, moved};

/// Bytes of the number of changes.
const COUNT_BYTES: usize = size_of::<u32>();

/// Bytes of a change.
const CHANGE_BYTES: usize = size_of::<f32>();

/// Bits of a number in one byte; the top one says that more follow.
const DIGIT_BITS: u32 = 7;

/// Parameters that must be passed over for each byte beyond the first of a number.
const PASSED_FOR_A_BYTE: u64 = 1 << DIGIT_BITS;

/// Changes sent of so many parameters, at the most: one for a part of one too.
fn most_changes(parameters: u64, permille: u32) -> u64 {
    parameters.saturating_mul(permille.into()).div_ceil(1_000)
}

/// Fewest and most bytes of so many parameters.
pub(super) fn sizes(parameters: u64, permille: u32) -> RangeInclusive<u64> {
    let changes = most_changes(parameters, permille).saturating_mul(1 + CHANGE_BYTES as u64);
    let long_gaps = parameters / PASSED_FOR_A_BYTE;
    COUNT_BYTES as u64..=(COUNT_BYTES as u64).saturating_add(changes).saturating_add(long_gaps)
}

/// Codes the largest changes from `base` to `trained`, with what was left out before; the three are of one length.
pub(super) fn encode(base: &[f32], trained: &[f32], residual: &mut [f32], permille: u32) -> Vec<u8> {
    let old = base.iter().zip(trained).zip(residual.iter());
    let wanted: Vec<f64> =
        old.map(|((base, trained), left)| f64::from(*trained) - f64::from(*base) + f64::from(*left)).collect();
    for (left, change) in residual.iter_mut().zip(&wanted) {
        *left = *change as f32;
    }
    let places = largest(&wanted, most_changes(base.len() as u64, permille) as usize);
    let mut coded = Vec::with_capacity(COUNT_BYTES + places.len() * (2 + CHANGE_BYTES));
    coded.extend_from_slice(&(places.len() as u32).to_le_bytes());
    let mut next = 0;
    for place in places {
        let change = wanted[place] as f32;
        put_number((place - next) as u32, &mut coded);
        coded.extend_from_slice(&change.to_le_bytes());
        // What the base cannot take up, since its own bits end, is left out as well.
        let taken = f64::from(moved(base[place], change.into())) - f64::from(base[place]);
        residual[place] = (wanted[place] - taken) as f32;
        next = place + 1;
    }
    coded
}

/// The places of the largest changes, rising, at most so many. Of two equal ones the first counts as larger. A change
/// that single precision cannot hold is none.
fn largest(changes: &[f64], most: usize) -> Vec<usize> {
    let is_change = |place: &usize| (changes[*place] as f32).is_finite() && changes[*place] as f32 != 0.0;
    let mut places: Vec<usize> = (0..changes.len()).filter(is_change).collect();
    if most < places.len() {
        let by_size = |a: &usize, b: &usize| changes[*b].abs().total_cmp(&changes[*a].abs()).then(a.cmp(b));
        places.select_nth_unstable_by(most, by_size);
        places.truncate(most);
        places.sort_unstable();
    }
    places
}

fn put_number(mut number: u32, bytes: &mut Vec<u8>) {
    while number >> DIGIT_BITS > 0 {
        bytes.push(number as u8 | 1 << DIGIT_BITS);
        number >>= DIGIT_BITS;
    }
    bytes.push(number as u8);
}

/// The number that `bytes` begin with, and how many bytes it takes. `None` if it is cut, too large or written long.
fn number(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut number = 0_u32;
    for (place, byte) in bytes.iter().enumerate() {
        let (digit, shift) = (u32::from(byte & !(1 << DIGIT_BITS)), place as u32 * DIGIT_BITS);
        number |= digit.checked_shl(shift).filter(|shifted| shifted >> shift == digit)?;
        if byte >> DIGIT_BITS == 0 {
            return (digit > 0 || place == 0).then_some((number, place + 1));
        }
    }
    None
}

/// Reads what [`encode`] has written; the number of bytes has been checked.
pub(super) fn decode(base: &[[u8; PARAMETER_BYTES]], coded: &[u8], permille: u32) -> Result<Vec<u8>, CodingError> {
    let malformed = |at| CodingError::Malformed { at };
    let (count, _) = coded.split_first_chunk().ok_or_else(|| malformed(0))?;
    let count = u32::from_le_bytes(*count);
    if u64::from(count) > most_changes(base.len() as u64, permille) {
        return Err(malformed(0));
    }
    let mut parameters = base.to_vec();
    let (mut at, mut next) = (COUNT_BYTES, 0_usize);
    for _ in 0..count {
        let change = read_change(coded.get(at..).unwrap_or_default()).ok_or_else(|| malformed(at))?;
        let place = next.saturating_add(change.passed_over as usize);
        let parameter = parameters.get_mut(place).ok_or_else(|| malformed(at))?;
        *parameter = moved(f32::from_le_bytes(*parameter), change.change.into()).to_le_bytes();
        (at, next) = (at + change.bytes, place + 1);
    }
    if at == coded.len() { Ok(parameters.into_flattened()) } else { Err(malformed(at)) }
}

/// A change as it stands in the bytes.
struct Change {
    /// Parameters between the one before and this one.
    passed_over: u32,
    change: f32,
    /// How many it takes.
    bytes: usize,
}

fn read_change(bytes: &[u8]) -> Option<Change> {
    let (passed_over, length) = number(bytes)?;
    let (change, _) = bytes.get(length..)?.split_first_chunk()?;
    let change = f32::from_le_bytes(*change);
    (change.is_finite() && change != 0.0).then_some(Change { passed_over, change, bytes: length + CHANGE_BYTES })
}
