//! One byte a parameter: blocks of changes with a common scale, rounded by chance.

use super::{CodingError, PARAMETER_BYTES, moved};

/// Changes with a common scale.
const BLOCK: usize = 256;

/// Bytes of a scale, single precision, little-endian. It stands before the bytes of its block.
const SCALE_BYTES: usize = size_of::<f32>();

/// The greatest step, either way. The largest change of a block is so many steps, which fixes the block's scale.
const TOP: i8 = i8::MAX;

/// Bytes of so many parameters.
pub(super) fn size(parameters: u64) -> u64 {
    parameters.saturating_add(parameters.div_ceil(BLOCK as u64).saturating_mul(SCALE_BYTES as u64))
}

/// Codes the changes from `base` to `trained`, which are of one length and finite.
pub(super) fn encode(base: &[f32], trained: &[f32], draw: &mut dyn FnMut() -> u32) -> Vec<u8> {
    let mut coded = Vec::with_capacity(size(base.len() as u64) as usize);
    for (base, trained) in base.chunks(BLOCK).zip(trained.chunks(BLOCK)) {
        let changes = base.iter().zip(trained).map(|(base, trained)| f64::from(*trained) - f64::from(*base));
        let largest = changes.clone().fold(0.0, |largest: f64, change| largest.max(change.abs()));
        let scale = (largest / f64::from(TOP)) as f32;
        if scale.is_normal() {
            coded.extend_from_slice(&scale.to_le_bytes());
            coded.extend(changes.map(|change| step(change, largest, scale, draw()).to_le_bytes()[0]));
        } else {
            coded.extend_from_slice(&0_f32.to_le_bytes());
            coded.resize(coded.len() + base.len(), 0);
        }
    }
    coded
}

/// The step below `change` or the one above, either with the chance that makes their mean the change.
fn step(change: f64, largest: f64, scale: f32, word: u32) -> i8 {
    // The scale itself is rounded, so the quotient of the largest change may be a hair off.
    if change.abs() >= largest {
        return if change < 0.0 { -TOP } else { TOP };
    }
    let chance = f64::from(word) / (f64::from(u32::MAX) + 1.0);
    (change / f64::from(scale) + chance).floor().clamp(f64::from(-TOP), f64::from(TOP)) as i8
}

/// Reads what [`encode`] has written; the number of bytes has been checked.
pub(super) fn decode(base: &[[u8; PARAMETER_BYTES]], coded: &[u8]) -> Result<Vec<u8>, CodingError> {
    let mut parameters = Vec::with_capacity(base.len() * PARAMETER_BYTES);
    for (number, (base, block)) in base.chunks(BLOCK).zip(coded.chunks(SCALE_BYTES + BLOCK)).enumerate() {
        let malformed = CodingError::Malformed { at: number * (SCALE_BYTES + BLOCK) };
        let Some((scale, steps)) = block.split_first_chunk() else { return Err(malformed) };
        let scale = f32::from_le_bytes(*scale);
        if !is_canonical(scale, steps) {
            return Err(malformed);
        }
        for (base, step) in base.iter().zip(steps) {
            // The product is exact in double precision.
            let change = f64::from(scale) * f64::from(step.cast_signed());
            parameters.extend_from_slice(&moved(f32::from_le_bytes(*base), change).to_le_bytes());
        }
    }
    Ok(parameters)
}

/// Whether the largest step is the greatest there is, or all are zero under a scale of zero.
fn is_canonical(scale: f32, steps: &[u8]) -> bool {
    let largest = steps.iter().map(|step| step.cast_signed().unsigned_abs()).max().unwrap_or(0);
    if largest == 0 { scale.to_bits() == 0 } else { largest == TOP.unsigned_abs() && scale.is_normal() && scale > 0.0 }
}
