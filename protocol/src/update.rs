//! Updates as they travel: which part of the model they hold, how their bytes are coded, and what they stand for.
//!
//! A contract names a width, the genesis a [`Codec`]. Together they say what a winner's bytes must be: the parameters
//! of its slice as they are, or what training has changed in them against the round's first model. Peers' bytes are not
//! trusted: their number is known before anything is fetched, nothing is allocated by what they claim, and bytes that
//! the codec would not have written are refused, so that what one update says is said in one way.
//!
//! Members must agree on what bytes stand for, so reading is exact. What was changed is a number of double precision; it
//! is added to the base there, and the sum is rounded once to single precision. Writing is a matter of the maker.

mod codec;
mod q8;
mod sparse;

use std::{borrow::Cow, collections::BTreeMap, ops::RangeInclusive};

pub use self::codec::{Codec, CodecError};
use crate::{
    aggregate::{self, UpdateFault},
    genesis::Genesis,
    model::{Slice, Width},
};

/// Bytes of one parameter.
const PARAMETER_BYTES: usize = size_of::<f32>();

/// Why bytes are no coded update, or parameters cannot be coded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    /// No update of its contract is so long.
    #[error("{got} bytes where an update under its contract has from {least} to {most}")]
    Length {
        /// Bytes that there are.
        got: u64,
        /// Bytes of the shortest.
        least: u64,
        /// Bytes of the longest.
        most: u64,
    },
    /// The codec does not write such bytes.
    #[error("byte {at} is not as the codec of the genesis writes it")]
    Malformed {
        /// Where the first part begins that is not.
        at: usize,
    },
    /// A trained parameter is infinite or not a number.
    #[error("trained parameter {index} is not a finite number; lower the learning rate")]
    NotFinite {
        /// Its place in the slice.
        index: usize,
    },
    /// Vectors that belong together are of different lengths.
    #[error("{got} parameters where the slice has {want}: they are of another model")]
    Slice {
        /// Parameters that there are.
        got: usize,
        /// Parameters of the slice.
        want: usize,
    },
}

impl Codec {
    /// How many bytes a coded update of so many parameters can have.
    pub fn sizes(self, parameters: u64) -> RangeInclusive<u64> {
        match self {
            Self::F32 => {
                let bytes = parameters.saturating_mul(PARAMETER_BYTES as u64);
                bytes..=bytes
            }
            Self::Q8 => q8::size(parameters)..=q8::size(parameters),
            Self::TopK { permille } => sparse::sizes(parameters, permille),
        }
    }

    /// The bytes for the `trained` parameters of a slice whose parameters were `base` before.
    ///
    /// `residual` holds what earlier updates of this member have left out, parameter by parameter. A codec that leaves
    /// something out adds it to the change first, and puts back there what it leaves out now; other codecs do not touch
    /// it. `draw` gives random words for rounding: as many as there are parameters, or none.
    ///
    /// # Errors
    /// [`CodingError`] when the three are not of one length, or a trained parameter is no finite number.
    pub fn encode(
        self,
        base: &[f32],
        trained: &[f32],
        residual: &mut [f32],
        draw: &mut dyn FnMut() -> u32,
    ) -> Result<Vec<u8>, CodingError> {
        for got in [trained.len(), residual.len()] {
            if got != base.len() {
                return Err(CodingError::Slice { got, want: base.len() });
            }
        }
        if let Some(index) = trained.iter().position(|value| !value.is_finite()) {
            return Err(CodingError::NotFinite { index });
        }
        Ok(match self {
            Self::F32 => aggregate::encode(trained),
            Self::Q8 => q8::encode(base, trained, draw),
            Self::TopK { permille } => sparse::encode(base, trained, residual, permille),
        })
    }

    /// The parameters that `coded` stands for, as little-endian bytes, in a slice whose parameters were `base` before.
    ///
    /// They may still be infinite, which [`aggregate::check`] finds.
    ///
    /// # Errors
    /// [`CodingError`] when this codec would not have written such bytes.
    pub fn decode<'a>(self, base: &[u8], coded: &'a [u8]) -> Result<Cow<'a, [u8]>, CodingError> {
        let (base, _) = base.as_chunks();
        let (got, sizes) = (coded.len() as u64, self.sizes(base.len() as u64));
        if !sizes.contains(&got) {
            return Err(CodingError::Length { got, least: *sizes.start(), most: *sizes.end() });
        }
        match self {
            Self::F32 => Ok(Cow::Borrowed(coded)),
            Self::Q8 => q8::decode(base, coded).map(Cow::Owned),
            Self::TopK { permille } => sparse::decode(base, coded, permille).map(Cow::Owned),
        }
    }
}

/// What updates of a federation must be, worked out once from its genesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    codec: Codec,
    max_norm: u32,
    slices: BTreeMap<Width, Slice>,
}

impl Format {
    /// The format that `genesis` asks for, with the slices of all contracts on its menu.
    pub fn of(genesis: &Genesis) -> Self {
        let tensors = &genesis.task.tensors;
        let widths = genesis.contracts.iter().map(|contract| contract.width);
        Self {
            codec: genesis.exchange.codec,
            max_norm: genesis.limits.max_update_norm,
            slices: widths.filter_map(|width| Some((width, tensors.slice(width)?))).collect(),
        }
    }

    /// The codec.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The widths of all contracts, the widest first.
    pub fn widths(&self) -> impl Iterator<Item = Width> {
        self.slices.keys().copied()
    }

    /// What a member of this width trains; `None` if no contract has this width.
    pub fn slice(&self, width: Width) -> Option<&Slice> {
        self.slices.get(&width)
    }

    /// The parameters that an update of this width stands for, as little-endian bytes, once they are known to be sound.
    /// `base` is the round's first model, whole.
    ///
    /// # Errors
    /// [`UpdateFault`] names the first fault.
    pub fn open<'a>(&self, width: Width, base: &[u8], coded: &'a [u8]) -> Result<Cow<'a, [u8]>, UpdateFault> {
        let slice = self.slice(width).ok_or(UpdateFault::Width { width })?;
        let base = gather(slice, base);
        let update = self.codec.decode(&base, coded)?;
        aggregate::check(&base, &update, self.max_norm)?;
        Ok(update)
    }
}

/// The slice of a `model`, both as little-endian bytes.
pub fn gather<'a>(slice: &Slice, model: &'a [u8]) -> Cow<'a, [u8]> {
    if slice.is_whole() && slice.whole() * PARAMETER_BYTES == model.len() {
        return Cow::Borrowed(model);
    }
    let (parameters, _) = model.as_chunks::<PARAMETER_BYTES>();
    Cow::Owned(slice.gather(parameters).into_flattened())
}

/// `base` with `change` added, rounded once to single precision.
fn moved(base: f32, change: f64) -> f32 {
    (f64::from(base) + change) as f32
}

#[cfg(test)]
mod tests;
