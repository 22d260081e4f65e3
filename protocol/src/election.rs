//! Who chairs: a weighted lottery that everybody computes alike and nobody can steer.
//!
//! [`order`] turns a seed into a permutation of the members, heavier ones tending to the front. The seed of the next
//! round comes from [`next_seed`], which mixes in a preimage that the chair committed to long before: each member
//! publishes the anchor of a [`HashChain`] when it joins, and each turn as chair reveals the next link. A chair can
//! withhold its link, at the price of its turn, but it cannot choose it.

use crate::ids::{Hash, MemberId};

/// A permutation of `candidates`, drawn without replacement from `seed`: at each place, a member who is still in the
/// urn comes next with the probability of its weight among the weights that remain.
///
/// Members of weight zero come last, in the order of their ids. The order of `candidates` does not matter.
/// Only integers are used, so every machine draws the same.
pub fn order(seed: &Hash, candidates: &[(MemberId, u64)]) -> Vec<MemberId> {
    let mut urn = candidates.to_vec();
    urn.sort_unstable();
    let mut drawn = Vec::with_capacity(urn.len());
    while !urn.is_empty() {
        let total: u128 = urn.iter().map(|&(_, weight)| u128::from(weight)).sum();
        let next = match total {
            0 => 0,
            total => holder(&urn, uniform(seed, drawn.len(), total)),
        };
        drawn.push(urn.remove(next).0);
    }
    drawn
}

/// The place in `urn` of the member who holds `ticket`, when each holds as many consecutive tickets as its weight.
fn holder(urn: &[(MemberId, u64)], mut ticket: u128) -> usize {
    for (place, &(_, weight)) in urn.iter().enumerate() {
        match ticket.checked_sub(u128::from(weight)) {
            Some(rest) => ticket = rest,
            None => return place,
        }
    }
    0
}

/// A number below `bound`, which is not zero, every one equally likely.
fn uniform(seed: &Hash, turn: usize, bound: u128) -> u128 {
    // Numbers from the last, incomplete run of `bound` are drawn again, so that none is favoured.
    let complete = u128::MAX - u128::MAX % bound;
    let mut attempt = 0_u64;
    loop {
        let parts: [&[u8]; 3] = [seed.as_bytes(), &(turn as u64).to_le_bytes(), &attempt.to_le_bytes()];
        let draw = first_half(&Hash::derive("althing 1 election draw", &parts));
        if draw < complete {
            return draw % bound;
        }
        attempt += 1;
    }
}

/// The first sixteen bytes of `hash` as a number.
fn first_half(hash: &Hash) -> u128 {
    let (low, _) = hash.as_bytes().split_at(16);
    low.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

/// A member's supply of preimages: `secret`, its hash, the hash of that, and so on to the anchor, which is public.
///
/// The links are revealed from the anchor's end, so each proves the one before it and tells nothing of the next.
#[derive(Clone)]
pub struct HashChain {
    secret: Hash,
    length: u32,
}

impl HashChain {
    /// The chain that starts from `secret` and has `length` links to reveal.
    pub const fn new(secret: [u8; 32], length: u32) -> Self {
        Self { secret: Hash(secret), length }
    }

    /// The public end of the chain: what a member commits to when it joins.
    pub fn anchor(&self) -> Hash {
        (0..self.length).fold(self.secret, |tip, _| link(&tip))
    }

    /// The link that `tip` is the hash of, or nothing if the chain is used up or `tip` is not on it.
    ///
    /// This walks the chain from its secret: a few hundred nanoseconds a link.
    pub fn reveal(&self, tip: &Hash) -> Option<Hash> {
        let mut preimage = self.secret;
        for _ in 0..self.length {
            let next = link(&preimage);
            if next == *tip {
                return Some(preimage);
            }
            preimage = next;
        }
        None
    }
}

impl std::fmt::Debug for HashChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HashChain").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Whether `preimage` is the link before `tip`.
pub fn extends(tip: &Hash, preimage: &Hash) -> bool {
    link(preimage) == *tip
}

/// The seed after the chair of `seed` revealed `preimage`.
pub fn next_seed(seed: &Hash, preimage: &Hash) -> Hash {
    Hash::derive("althing 1 election seed", &[seed.as_bytes(), preimage.as_bytes()])
}

fn link(preimage: &Hash) -> Hash {
    Hash::derive("althing 1 election link", &[preimage.as_bytes()])
}
