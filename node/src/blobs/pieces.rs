//! Which pieces of a blob somebody holds.

/// A bit for each piece of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pieces {
    /// The first piece is the lowest bit of the first byte; bits beyond the last piece are zero.
    bits: Vec<u8>,
    count: u32,
}

impl Pieces {
    /// None of `count`.
    pub(super) fn none(count: u32) -> Self {
        Self { bits: vec![0; Self::bytes_of(count)], count }
    }

    /// All of `count`.
    pub(super) fn all(count: u32) -> Self {
        Self::all_but(count, &[])
    }

    /// All of `count` without `missing`.
    pub(super) fn all_but(count: u32, missing: &[u32]) -> Self {
        let mut pieces = Self::none(count);
        (0..count).for_each(|piece| pieces.insert(piece));
        missing.iter().for_each(|piece| pieces.remove(*piece));
        pieces
    }

    /// Bytes in which `count` bits fit.
    pub(super) fn bytes_of(count: u32) -> usize {
        count.div_ceil(u8::BITS) as usize
    }

    /// Reads what [`Self::as_bytes`] wrote; nothing if the length or the bits beyond the last piece are wrong.
    pub(super) fn from_bytes(count: u32, bytes: &[u8]) -> Option<Self> {
        let pieces = Self { bits: bytes.to_vec(), count };
        let beyond =
            bytes.last().is_some_and(|last| !count.is_multiple_of(u8::BITS) && last >> (count % u8::BITS) != 0);
        (bytes.len() == Self::bytes_of(count) && !beyond).then_some(pieces)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bits
    }

    pub(super) fn contains(&self, piece: u32) -> bool {
        let (byte, bit) = place(piece);
        piece < self.count && self.bits.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// Adds `piece`, which is one of them.
    pub(super) fn insert(&mut self, piece: u32) {
        let (byte, bit) = place(piece);
        if let Some(bits) = self.bits.get_mut(byte).filter(|_| piece < self.count) {
            *bits |= bit;
        }
    }

    /// Takes `piece` away.
    pub(super) fn remove(&mut self, piece: u32) {
        let (byte, bit) = place(piece);
        if let Some(bits) = self.bits.get_mut(byte) {
            *bits &= !bit;
        }
    }

    /// Whether it is the whole blob.
    pub(super) fn is_whole(&self) -> bool {
        self.bits.iter().map(|bits| bits.count_ones()).sum::<u32>() == self.count
    }
}

/// The byte and the bit of `piece`.
fn place(piece: u32) -> (usize, u8) {
    ((piece / u8::BITS) as usize, 1 << (piece % u8::BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_beyond_the_last_piece_are_no_pieces() {
        assert_eq!(Pieces::from_bytes(3, &[0b0000_0111]), Some(Pieces::all(3)));
        assert_eq!(Pieces::from_bytes(3, &[0b0000_1111]), None);
        assert_eq!(Pieces::from_bytes(8, &[0xff]), Some(Pieces::all(8)));
        assert_eq!(Pieces::from_bytes(9, &[0xff]), None);
        assert_eq!(Pieces::from_bytes(9, &[0xff, 1, 0]), None);
    }

    proptest! {
        #[test]
        fn a_set_of_pieces_survives_its_bytes(count in 1_u32..200, held in prop::collection::btree_set(0_u32..220, 0..200)) {
            let held: BTreeSet<u32> = held;
            let mut pieces = Pieces::none(count);
            held.iter().for_each(|piece| pieces.insert(*piece));
            let read = Pieces::from_bytes(count, pieces.as_bytes()).unwrap();
            for piece in 0..230 {
                prop_assert_eq!(read.contains(piece), piece < count && held.contains(&piece));
            }
            let missing: Vec<u32> = (0..count).filter(|piece| !held.contains(piece)).collect();
            prop_assert_eq!(&Pieces::all_but(count, &missing), &pieces);
            prop_assert_eq!(pieces.is_whole(), missing.is_empty());
        }
    }
}
