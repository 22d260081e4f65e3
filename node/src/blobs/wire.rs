//! What two members say to each other on a blob stream.
//!
//! The puller writes requests of [`REQUEST_BYTES`] each and may write several ahead; the holder answers them in order.
//! A request is the hash (32 bytes), the size (8), the first group (8) and the number of groups (4), integers little
//! endian. An answer is one status byte, and after [`Status::Here`] the slice, whose length both sides know.
//!
//! A request for no groups is a *survey*: which pieces the holder has, and who else has surveyed the blob with it lately.
//! Its answer is a status byte, and after [`Status::Here`] a bit for each piece, a byte that counts members, and these.

use althing_protocol::ids::{BlobRef, Hash, MemberId};

use super::{
    pieces::Pieces,
    tree::{self, Span},
};

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

/// What a puller writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// For some groups.
    Slice(Request),
    /// What is held of this blob.
    Survey(BlobRef),
}

impl Question {
    /// The question as it travels.
    pub(super) fn encode(&self) -> [u8; REQUEST_BYTES] {
        match self {
            Self::Slice(request) => request.encode(),
            Self::Survey(blob) => Request { blob: *blob, span: NO_SPAN }.encode(),
        }
    }

    /// Reads a question; whatever it returns is safe to answer.
    ///
    /// # Errors
    /// If the span is longer than a piece or outside the blob.
    pub(super) fn decode(bytes: &[u8; REQUEST_BYTES]) -> Result<Self, RequestError> {
        match Request::read(bytes) {
            Request { blob, span: NO_SPAN } => Ok(Self::Survey(blob)),
            _ => Request::decode(bytes).map(Self::Slice),
        }
    }
}

/// What a survey asks for.
const NO_SPAN: Span = Span { first: 0, count: 0 };

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
        let request = Self::read(bytes);
        let Self { blob: BlobRef { size, .. }, span } = request;
        if span.fits(size) { Ok(request) } else { Err(RequestError { first: span.first, count: span.count, size }) }
    }

    fn read(bytes: &[u8; REQUEST_BYTES]) -> Self {
        let size = u64::from_le_bytes(field(bytes, 32));
        let span = Span { first: u64::from_le_bytes(field(bytes, 40)), count: u32::from_le_bytes(field(bytes, 48)) };
        Self { blob: BlobRef { hash: Hash(field(bytes, 0)), size }, span }
    }
}

/// `N` bytes of a request from `start`, which lies at least `N` before its end.
fn field<const N: usize>(bytes: &[u8; REQUEST_BYTES], start: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[start + i])
}

/// Members that a survey names at the most.
pub(super) const MAX_FELLOWS: usize = 32;

/// What a holder has of a blob, and who else is fetching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Survey {
    /// The pieces that it has.
    pub(super) pieces: Pieces,
    /// Who has surveyed the blob with it lately, and so may have some of it; at most [`MAX_FELLOWS`].
    pub(super) fellows: Vec<MemberId>,
}

impl Survey {
    /// The answer to a survey, with its status.
    pub(super) fn encode(&self) -> Vec<u8> {
        let fellows = &self.fellows[..self.fellows.len().min(MAX_FELLOWS)];
        let mut bytes = vec![Status::Here.byte()];
        bytes.extend_from_slice(self.pieces.as_bytes());
        bytes.push(fellows.len() as u8);
        fellows.iter().for_each(|member| bytes.extend_from_slice(member.as_bytes()));
        bytes
    }

    /// Bytes after the status, up to and with the byte that counts members, in a survey of a blob of `size` bytes.
    pub(super) fn head_bytes(size: u64) -> usize {
        Pieces::bytes_of(tree::pieces(size).unwrap_or(0)) + 1
    }

    /// How many members follow `head`, unless they are too many.
    pub(super) fn fellows_after(head: &[u8]) -> Option<usize> {
        head.last().map(|count| usize::from(*count)).filter(|count| *count <= MAX_FELLOWS)
    }

    /// Reads a survey of a blob of `size` bytes, without its status.
    pub(super) fn decode(size: u64, head: &[u8], fellows: &[[u8; 32]]) -> Option<Self> {
        let (_, bits) = head.split_last()?;
        let pieces = Pieces::from_bytes(tree::pieces(size)?, bits)?;
        Some(Self { pieces, fellows: fellows.iter().map(|bytes| MemberId(*bytes)).collect() })
    }
}

/// The first byte of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// The slice follows.
    Here,
    /// The holder has nothing of the blob.
    Absent,
    /// The holder serves as many as it can at the moment.
    Busy,
    /// The holder has some of the blob, but not this.
    Lacking,
    /// The holder has given this piece to a member that fetches the blob too, whose id follows: ask it there. To whoever
    /// asks the holder for it once more it gives it.
    Elsewhere,
}

impl Status {
    /// The status as it travels.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Here => 0,
            Self::Absent => 1,
            Self::Busy => 2,
            Self::Lacking => 3,
            Self::Elsewhere => 4,
        }
    }

    /// Reads a status; no honest member sends a byte for which there is none.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Here),
            1 => Some(Self::Absent),
            2 => Some(Self::Busy),
            3 => Some(Self::Lacking),
            4 => Some(Self::Elsewhere),
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
        assert_eq!((0..=255).filter_map(Status::from_byte).count(), 5);
    }

    #[test]
    fn a_survey_survives_the_wire() {
        let size = 20 << 20;
        let held =
            Survey { pieces: Pieces::all_but(20, &[3, 19]), fellows: vec![MemberId([4; 32]), MemberId([5; 32])] };
        let bytes = held.encode();
        assert_eq!(Status::from_byte(bytes[0]), Some(Status::Here));
        let (head, fellows) = bytes[1..].split_at(Survey::head_bytes(size));
        assert_eq!(Survey::fellows_after(head), Some(2));
        let fellows: Vec<[u8; 32]> = fellows.chunks(32).map(|id| id.try_into().unwrap()).collect();
        assert_eq!(Survey::decode(size, head, &fellows), Some(held));
        assert_eq!(Survey::fellows_after(&[0, 0, 0, 33]), None, "more than a holder may name");
        assert_eq!(Survey::decode(size, &[0xff, 0xff, 0xff, 0], &[]), None, "pieces that the blob does not have");
        let blob = BlobRef { hash: Hash([7; 32]), size };
        assert_eq!(Question::decode(&Question::Survey(blob).encode()), Ok(Question::Survey(blob)));
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
            match Question::decode(&request.encode()) {
                Ok(question) => prop_assert_eq!(question.encode(), request.encode()),
                Err(_) => prop_assert!(!request.span.fits(size)),
            }
        }
    }
}
