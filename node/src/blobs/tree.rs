//! The geometry of a blob: its BLAKE3 tree over 16 KiB groups, its pieces, and the proofs that travel with them.
//!
//! A piece is what one request asks for: at most 64 groups (1 MiB). Its slice holds the groups and the tree nodes that
//! tie them to the root, so each slice is proven alone, in any order, from anyone. The length of a slice follows from
//! the size of the blob and the span, so nobody has to announce it and nobody can lie about it.

use std::{fs::File, io};

use althing_protocol::ids::BlobRef;
use bao_tree::{
    BaoTree, BlockSize, ChunkNum, ChunkRanges,
    io::{
        DecodeError, EncodeError,
        outboard::PostOrderOutboard,
        sync::{decode_ranges, encode_ranges_validated, truncate_ranges, valid_ranges},
    },
    iter::BaoChunk,
};

/// Chunks of 1 KiB in a group, as a power of two: 16, the smallest unit that is proven.
const GROUP_CHUNKS_LOG: u8 = 4;
/// Chunks in a group.
const GROUP_CHUNKS: u64 = 1 << GROUP_CHUNKS_LOG;
/// Bytes in a group; only the last of a blob is shorter.
pub(super) const GROUP_BYTES: u64 = GROUP_CHUNKS * 1024;
/// Groups in a piece, and the most that one request may ask for: 1 MiB.
pub(super) const PIECE_GROUPS: u32 = 64;
/// Bytes of one node of the tree: the hashes of its two children.
const NODE_BYTES: usize = 64;

/// Some consecutive groups of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Index of the first group.
    pub(super) first: u64,
    /// Number of groups.
    pub(super) count: u32,
}

impl Span {
    /// The span of piece number `piece` in a blob of `size` bytes.
    pub(super) fn of_piece(piece: u32, size: u64) -> Self {
        let first = u64::from(piece) * u64::from(PIECE_GROUPS);
        let left = groups(size).saturating_sub(first).min(u64::from(PIECE_GROUPS));
        Self { first, count: left as u32 }
    }

    /// The piece that it is, if it is one of a blob of `size` bytes and not only a part.
    pub(super) fn piece(self, size: u64) -> Option<u32> {
        let piece = u32::try_from(self.first / u64::from(PIECE_GROUPS)).ok()?;
        (self == Self::of_piece(piece, size)).then_some(piece)
    }

    /// The pieces that it touches.
    pub(super) fn pieces(self) -> impl Iterator<Item = u32> {
        let number = |group: u64| u32::try_from(group / u64::from(PIECE_GROUPS)).unwrap_or(u32::MAX);
        let last = self.first.saturating_add(u64::from(self.count)).saturating_sub(1);
        number(self.first)..=number(last)
    }

    /// Whether a request for this span of a blob of `size` bytes is in order.
    pub(super) fn fits(self, size: u64) -> bool {
        let end = self.first.checked_add(u64::from(self.count));
        (1..=PIECE_GROUPS).contains(&self.count) && end.is_some_and(|end| end <= groups(size))
    }

    /// The same in the units of the tree.
    fn chunks(self) -> ChunkRanges {
        let first = self.first * GROUP_CHUNKS;
        let end = first + u64::from(self.count) * GROUP_CHUNKS;
        ChunkRanges::from(ChunkNum(first)..ChunkNum(end))
    }
}

/// Groups in a blob of `size` bytes; an empty blob has one empty group.
pub(super) fn groups(size: u64) -> u64 {
    size.div_ceil(GROUP_BYTES).max(1)
}

/// Pieces in a blob of `size` bytes, or none when there would be more than can be numbered (4 PiB).
pub(super) fn pieces(size: u64) -> Option<u32> {
    u32::try_from(groups(size).div_ceil(u64::from(PIECE_GROUPS))).ok()
}

/// The tree over a blob of `size` bytes.
pub(super) fn tree(size: u64) -> BaoTree {
    BaoTree::new(size, BlockSize::from_chunk_log(GROUP_CHUNKS_LOG))
}

/// Bytes of the slice that proves and carries `span`, which fits a blob of `size` bytes.
pub(super) fn slice_len(span: Span, size: u64) -> usize {
    let ranges = span.chunks();
    let ranges = truncate_ranges(&ranges, size);
    let items = tree(size).ranges_pre_order_chunks_iter_ref(ranges, 0).map(|item| match item {
        BaoChunk::Parent { .. } => NODE_BYTES,
        BaoChunk::Leaf { size, .. } => size,
    });
    items.sum()
}

/// A tree stored in `nodes`, read or written in place.
fn outboard(blob: &BlobRef, nodes: File) -> PostOrderOutboard<File> {
    PostOrderOutboard { root: (*blob.hash.as_bytes()).into(), tree: tree(blob.size), data: nodes }
}

/// Reads `span` from `data`, proves it against the root on the way, and returns its slice.
pub(super) fn encode_slice(blob: &BlobRef, span: Span, data: &File, nodes: &File) -> Result<Vec<u8>, EncodeError> {
    let mut slice = Vec::with_capacity(slice_len(span, blob.size));
    encode_ranges_validated(data, outboard(blob, nodes.try_clone()?), &span.chunks(), &mut slice)?;
    Ok(slice)
}

/// Proves `slice` to be `span` of `blob` and writes it to `data`, and its nodes to `nodes`.
///
/// Nothing is written that is not proven; what was proven before the first wrong byte stays and stays right.
pub(super) fn decode_slice(
    blob: &BlobRef,
    span: Span,
    slice: &[u8],
    data: &File,
    nodes: &File,
) -> Result<(), DecodeError> {
    decode_ranges(slice, &span.chunks(), data.try_clone()?, outboard(blob, nodes.try_clone()?))
}

/// The pieces of `blob` that `data` and `nodes` do not wholly hold, found by hashing all that is there.
pub(super) fn missing_pieces(blob: &BlobRef, data: &File, nodes: &File) -> io::Result<Vec<u32>> {
    let count = pieces(blob.size).unwrap_or(0);
    let mut valid = ChunkRanges::empty();
    for range in valid_ranges(outboard(blob, nodes.try_clone()?), data, &ChunkRanges::all()) {
        valid |= ChunkRanges::from(range?);
    }
    let last = tree(blob.size).chunks();
    let held = |piece: &u32| {
        let wanted = Span::of_piece(*piece, blob.size).chunks() & ChunkRanges::from(..last);
        wanted.is_subset(&valid)
    };
    Ok((0..count).filter(|piece| !held(piece)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn a_slice_has_the_length_that_the_geometry_says() {
        for size in [0_u64, 1, 1024, 16_383, 16_384, 16_385, 40_000, 1 << 20, (1 << 20) + 1, 3_333_333] {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
            let mut nodes = Vec::new();
            let root = bao_tree::io::sync::outboard_post_order(&bytes[..], tree(size), &mut nodes).unwrap();
            let blob = BlobRef::of(&bytes);
            assert_eq!(root.as_bytes(), blob.hash.as_bytes(), "the tree's root is the plain hash");
            let (data, nodes) = (file(&bytes), file(&nodes));
            for piece in 0..pieces(size).unwrap() {
                let span = Span::of_piece(piece, size);
                assert!(span.fits(size));
                let slice = encode_slice(&blob, span, &data, &nodes).unwrap();
                assert_eq!(slice.len(), slice_len(span, size), "size {size} piece {piece}");
            }
            assert_eq!(missing_pieces(&blob, &data, &nodes).unwrap(), Vec::<u32>::new(), "size {size}");
        }
    }

    #[test]
    fn spans_outside_the_blob_do_not_fit() {
        let cases = [(0, 0), (0, 65), (1, 1), (u64::MAX, 1), (u64::MAX, 64), (0, u32::MAX)];
        for (first, count) in cases {
            assert!(!Span { first, count }.fits(100), "{first}+{count}");
        }
        assert!(Span { first: 0, count: 1 }.fits(100));
        assert!(Span { first: 6, count: 1 }.fits(100_000));
        assert_eq!(pieces(u64::MAX), None);
    }
}
