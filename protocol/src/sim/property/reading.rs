//! What an update says, worked out from its bytes by a reader of its own: a fault in the one that members use would
//! otherwise go unnoticed wherever all of them make it.

use crate::{genesis::Genesis, model::Width, update::Codec};

/// Whether a slice of this width holds each parameter of the model: all its indices are below the narrow extents.
pub(super) fn held(genesis: &Genesis, width: Width) -> Vec<bool> {
    let mut held = Vec::new();
    for tensor in &genesis.task.tensors.tensors {
        let (full, narrow) = (&tensor.shapes[0], &tensor.shapes[width.place()]);
        for place in 0..full.iter().product::<u32>() {
            let mut rest = place;
            let mut inside = true;
            for (full, narrow) in full.iter().zip(narrow).rev() {
                inside &= rest % full < *narrow;
                rest /= full;
            }
            held.push(inside);
        }
    }
    held
}

/// The parameters of a slice that was `base` before, as `bytes` have them.
pub(super) fn read(codec: Codec, base: &[f64], bytes: &[u8]) -> Result<Vec<f64>, String> {
    let number = |at: usize| bytes.get(at..at + 4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut values = base.to_vec();
    let mut at = 0;
    match codec {
        Codec::F32 => {
            for value in &mut values {
                *value = number(at).ok_or("too short")?.into();
                at += 4;
            }
        }
        Codec::Q8 => {
            for block in values.chunks_mut(256) {
                let scale = f64::from(number(at).ok_or("too short")?);
                at += 4;
                for value in block {
                    let step = *bytes.get(at).ok_or("too short")? as i8;
                    *value = f64::from((*value + scale * f64::from(step)) as f32);
                    at += 1;
                }
            }
        }
        Codec::TopK { .. } => {
            let count =
                bytes.get(..4).ok_or("too short")?.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            at = 4;
            let mut place = 0;
            for _ in 0..count {
                // The simulated model is so small that every number of places takes one byte.
                place += usize::from(*bytes.get(at).ok_or("too short")?);
                let value = values.get_mut(place).ok_or("beyond the slice")?;
                *value = f64::from((*value + f64::from(number(at + 1).ok_or("too short")?)) as f32);
                (at, place) = (at + 5, place + 1);
            }
        }
    }
    if at == bytes.len() { Ok(values) } else { Err(format!("{} bytes where {at} are read", bytes.len())) }
}
