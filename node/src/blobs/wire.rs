//! What two members say to each other on a blob stream.
//!
//! The puller writes requests of [`REQUEST_BYTES`] each and may write several ahead; the holder answers them in order.
//! A request is the hash (32 bytes), the size (8), the first group (8) and the number of groups (4), integers little
//! endian. An answer is one status byte, and after [`Status::Here`] the slice, whose length both sides know.

use althing_protocol::ids::{BlobRef, Hash};

use super::tree::Span;

/// Bytes of every request.
pub(super) const REQUEST_BYTES: usize = 52;

/// Asks for some groups of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// Whose groups.
    pub(super) blob: BlobRef,
    /// Which groups; inside the blob and at most a piece.
    pub(super) span: Span,
}

/// Why 52 bytes are not a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("groups {first}+{count} are not a piece of a blob of {size} bytes; ask for 1 to 64 groups inside it")]
pub(super) struct RequestError {
    first: u64,
    count: u32,
    size: u64,
}

impl Request {
    /// The request as it travels.
    pub(super) fn encode(&self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        bytes[..32].copy_from_slice(self.blob.hash.as_bytes());
        bytes[32..40].copy_from_slice(&self.blob.size.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.span.first.to_le_bytes());
        bytes[48..].copy_from_slice(&self.span.count.to_le_bytes());
        bytes
    }

    /// Reads a request; whatever it returns is safe to answer.
    ///
    /// # Errors
    /// If the span is empty, longer than a piece or outside the blob.
    pub(super) fn decode(bytes: &[u8; REQUEST_BYTES]) -> Result<Self, RequestError> {
        let size = u64::from_le_bytes(field(bytes, 32));
        let span = Span { first: u64::from_le_bytes(field(bytes, 40)), count: u32::from_le_bytes(field(bytes, 48)) };
        if !span.fits(size) {
            return Err(RequestError { first: span.first, count: span.count, size });
        }
        Ok(Self { blob: BlobRef { hash: Hash(field(bytes, 0)), size }, span })
    }
}

/// `N` bytes of a request from `start`, which lies at least `N` before its end.
fn field<const N: usize>(bytes: &[u8; REQUEST_BYTES], start: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[start + i])
}

/// The first byte of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// The slice follows.
    Here,
    /// The holder has no such blob, whole.
    Absent,
    /// The holder serves as many as it can at the moment.
    Busy,
}

impl Status {
    /// The status as it travels.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Here => 0,
            Self::Absent => 1,
            Self::Busy => 2,
        }
    }

    /// Reads a status; no honest member sends a byte for which there is none.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Here),
            1 => Some(Self::Absent),
            2 => Some(Self::Busy),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_keeps_its_layout() {
        let blob = BlobRef { hash: Hash([7; 32]), size: 0x10_0000 };
        let bytes = Request { blob, span: Span { first: 2, count: 3 } }.encode();
        let mut expected = vec![7; 32];
        expected.extend([0, 0, 0x10, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(bytes[..], expected[..]);
    }

    #[test]
    fn a_status_survives_the_wire() {
        for byte in 0..=255 {
            assert!(Status::from_byte(byte).is_none_or(|status| status.byte() == byte));
        }
        assert_eq!((0..=255).filter_map(Status::from_byte).count(), 3);
    }

    proptest! {
        #[test]
        fn bytes_are_a_request_that_fits_or_an_error(
            hash: [u8; 32],
            size in prop_oneof![any::<u64>(), 0_u64..5_000_000],
            first in prop_oneof![any::<u64>(), 0_u64..300],
            count in prop_oneof![any::<u32>(), 0_u32..70],
        ) {
            let blob = BlobRef { hash: Hash(hash), size };
            let request = Request { blob, span: Span { first, count } };
            match Request::decode(&request.encode()) {
                Ok(read) => {
                    prop_assert_eq!(read, request);
                    prop_assert!(count >= 1 && u64::from(count) * 16_384 <= 1 << 20);
                    let bytes_end = u128::from(first + u64::from(count)) * 16_384;
                    prop_assert!(bytes_end < u128::from(size) + 16_384 || (size == 0 && bytes_end == 16_384));
                }
                Err(_) => prop_assert!(!request.span.fits(size)),
            }
        }
    }
}
