//! The one door to CBOR.
//!
//! Values are encoded packed: fields and variants without content by number, in declaration order, variants with content
//! by name, so equal values have equal bytes. Nothing is ever encoded again to check a signature or a hash: those stand over the bytes as they came.

use serde::{Serialize, de::DeserializeOwned};

use crate::ids::Hash;

/// Why bytes are not a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than values of this kind may be; nothing was decoded.
    #[error("{len} bytes where at most {max} are allowed")]
    TooLong {
        /// Bytes received.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Bytes that were stored with a checksum are no longer the same.
    #[error("damaged: its checksum does not fit")]
    Checksum,
    /// Truncated, trailing, nested too deeply, or of another shape.
    #[error("malformed: {0}")]
    Malformed(String),
}

/// The packed CBOR of `value`.
///
/// # Panics
/// Never for the types of this crate: encoding to memory fails only for maps of unknown length and for types whose
/// `Serialize` reports an error, and there is neither here.
#[expect(clippy::expect_used, reason = "see Panics")]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_cbor::ser::to_vec_packed(value).expect("our own types encode to memory")
}

/// The value that `bytes` hold, if they hold exactly one and are at most `max` long.
///
/// The decoder itself bounds nesting (128 levels) and never allocates ahead of the bytes it has.
///
/// # Errors
/// [`DecodeError`] says which bound or shape was missed.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLong { len: bytes.len(), max });
    }
    serde_cbor::from_slice(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
}

/// Bytes of a checksum.
const CHECKSUM_BYTES: usize = 32;

/// The packed CBOR of `value` with a checksum before it, for a store: a disk's flipped bit must not pass for a decision.
pub fn seal<T: Serialize>(value: &T) -> Vec<u8> {
    let bytes = encode(value);
    [Hash::of(&bytes).as_bytes(), &bytes[..]].concat()
}

/// The value that [`seal`] has made `bytes` of, if it was at most `max` long.
///
/// # Errors
/// [`DecodeError`] says which bound or shape was missed, or that the bytes have changed.
pub fn unseal<T: DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    let (checksum, bytes) = bytes.split_at_checked(CHECKSUM_BYTES).ok_or(DecodeError::Checksum)?;
    if bytes.len() > max {
        return Err(DecodeError::TooLong { len: bytes.len(), max });
    }
    if Hash::of(bytes).as_bytes() != checksum {
        return Err(DecodeError::Checksum);
    }
    decode(bytes, max)
}
