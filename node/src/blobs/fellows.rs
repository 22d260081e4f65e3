//! Who fetches what from this node (W25). Those who survey the same blob learn of each other, and whoever has all of it gives
//! each piece to one of them and sends the others there, so that it need not give everybody everything.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use althing_protocol::ids::{BlobRef, MemberId};

use super::{pieces::Pieces, tree, wire::MAX_FELLOWS};

/// For how long a member counts after its last survey; longer than the pause between two.
const FRESH: Duration = Duration::from_secs(10);
/// Blobs that are watched over at once.
const MAX_BLOBS: usize = 64;

/// Who fetches which blob.
#[derive(Debug, Default)]
pub(super) struct Fellows(BTreeMap<BlobRef, Swarm>);

/// Those who fetch one blob.
#[derive(Debug)]
struct Swarm {
    members: BTreeMap<MemberId, Fellow>,
    /// To whom each piece was given first; nothing where this node began without all of it, and so is one of them.
    given: Option<BTreeMap<u32, MemberId>>,
}

#[derive(Debug)]
struct Fellow {
    surveyed: Instant,
    /// Pieces for which it was sent elsewhere. It is not sent twice for one.
    sent_away: Pieces,
}

impl Fellows {
    /// Takes note that `member` fetches `blob`, of which this node has `held`, and says who else does; everybody is told of
    /// others first.
    pub(super) fn meet(&mut self, blob: BlobRef, held: &Pieces, member: MemberId, now: Instant) -> Vec<MemberId> {
        self.0.retain(|_, swarm| {
            swarm.members.retain(|_, fellow| now.duration_since(fellow.surveyed) < FRESH);
            !swarm.members.is_empty()
        });
        if !self.0.contains_key(&blob) && self.0.len() >= MAX_BLOBS {
            return Vec::new();
        }
        let new = || Swarm { members: BTreeMap::new(), given: held.is_whole().then(BTreeMap::new) };
        let members = &mut self.0.entry(blob).or_insert_with(new).members;
        let new = || Fellow { surveyed: now, sent_away: Pieces::none(tree::pieces(blob.size).unwrap_or(0)) };
        members.entry(member).or_insert_with(new).surveyed = now;
        let after = members.range(member..).chain(members.range(..member)).map(|(fellow, _)| *fellow);
        after.filter(|fellow| *fellow != member).take(MAX_FELLOWS).collect()
    }

    /// Whom `member`, which wants this piece, may ask instead; nobody if it is to have it from here.
    pub(super) fn send_away(&mut self, blob: &BlobRef, piece: u32, member: MemberId) -> Option<MemberId> {
        let Swarm { members, given: Some(given) } = self.0.get_mut(blob)? else { return None };
        let elsewhere = given.get(&piece).copied().filter(|first| *first != member && members.contains_key(first));
        let fellow = members.get_mut(&member)?;
        if elsewhere.is_some() && !fellow.sent_away.contains(piece) {
            fellow.sent_away.insert(piece);
            return elsewhere;
        }
        if elsewhere.is_none() {
            given.insert(piece, member);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberId = MemberId([1; 32]);
    const B: MemberId = MemberId([2; 32]);
    const C: MemberId = MemberId([3; 32]);

    fn large(content: &[u8]) -> BlobRef {
        BlobRef { size: 20 << 20, ..BlobRef::of(content) }
    }

    fn all() -> Pieces {
        Pieces::all(20)
    }

    #[test]
    fn whoever_fetches_the_same_is_named_for_a_while() {
        let (mut fellows, now) = (Fellows::default(), Instant::now());
        let (one, other) = (large(b"one"), large(b"other"));
        assert_eq!(fellows.meet(one, &all(), A, now), []);
        assert_eq!(fellows.meet(one, &all(), A, now), [], "not itself");
        assert_eq!(fellows.meet(one, &all(), B, now), [A]);
        assert_eq!(fellows.meet(other, &all(), C, now), [], "of another blob");
        assert_eq!(fellows.meet(one, &all(), C, now + FRESH / 2), [A, B]);
        assert_eq!(fellows.meet(one, &all(), A, now + FRESH / 2), [B, C], "those after it first");
        assert_eq!(fellows.meet(one, &all(), A, now + FRESH), [C], "the second has not come back");
    }

    #[test]
    fn few_are_named_and_few_blobs_watched() {
        let (mut fellows, now) = (Fellows::default(), Instant::now());
        let named = (0..100).map(|n| fellows.meet(large(b"one"), &all(), MemberId([n; 32]), now)).last().unwrap();
        assert_eq!(named.len(), MAX_FELLOWS);
        for n in 0..2 * MAX_BLOBS as u64 {
            fellows.meet(large(&n.to_le_bytes()), &all(), A, now);
        }
        assert_eq!(fellows.0.len(), MAX_BLOBS);
    }

    #[test]
    fn a_piece_is_given_once_and_others_are_sent_to_whom_it_was_given() {
        let (mut fellows, now) = (Fellows::default(), Instant::now());
        let blob = large(b"one");
        assert_eq!(fellows.send_away(&blob, 3, A), None, "nobody fetches it");
        for member in [A, B, C] {
            fellows.meet(blob, &all(), member, now);
        }
        assert_eq!(fellows.send_away(&blob, 3, A), None, "the first gets it");
        assert_eq!(fellows.send_away(&blob, 3, A), None, "as often as it asks");
        assert_eq!(fellows.send_away(&blob, 3, B), Some(A));
        assert_eq!(fellows.send_away(&blob, 3, B), None, "it was not to be had there");
        assert_eq!(fellows.send_away(&blob, 4, B), None, "another piece");
        assert_eq!(fellows.send_away(&blob, 3, MemberId([9; 32])), None, "one that does not share");
        fellows.meet(blob, &all(), C, now + FRESH);
        assert_eq!(fellows.send_away(&blob, 3, C), None, "the first has gone");
    }

    #[test]
    fn whoever_fetches_a_blob_itself_sends_nobody_away() {
        let (mut fellows, now) = (Fellows::default(), Instant::now());
        let blob = large(b"one");
        for (member, held) in [(A, Pieces::none(20)), (B, all())] {
            fellows.meet(blob, &held, member, now);
        }
        assert_eq!([A, B].map(|member| fellows.send_away(&blob, 3, member)), [None, None]);
    }
}
