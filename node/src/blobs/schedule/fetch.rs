//! One blob on its way: what of it is missing, who may have that, and what is asked for first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use althing_protocol::{
    ids::{BlobRef, MemberId},
    time::Time,
};

use super::{Phase, provider::Provider};
use crate::blobs::tree;

/// Pieces from which on a blob is shared: below, it has come before a survey would have been of use.
const SHARED_FROM: u32 = 16;
/// A member that has sent this node elsewhere for a piece is asked for it again after this many times as long as the last
/// piece has taken: by then it could be had there.
const SPARE_FACTOR: u32 = 4;
/// But no sooner.
const SPARE_LEAST: Duration = Duration::from_secs(2);
/// And no later.
const SPARE_MOST: Duration = Duration::from_secs(10);
/// A blob that is wanted.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) blob: BlobRef,
    pub(super) phase: Phase,
    pub(super) providers: BTreeMap<MemberId, Provider>,
    /// Pieces not yet landed.
    pub(super) missing: BTreeSet<u32>,
    /// Those of them that are not in flight, the first to be asked for first.
    pub(super) unasked: BTreeSet<Turn>,
    /// Until when a member is not asked for a piece, since it has sent this node elsewhere for it.
    spared: BTreeMap<(u32, MemberId), Time>,
    /// How long the last piece has taken.
    took: Duration,
    /// Whether the node knows that nobody has what is missing.
    pub(super) is_lament_told: bool,
}

/// When a piece is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    /// Providers that have it: the rarest come first.
    holders: usize,
    /// An order of this node's own, so that not everybody asks for the same piece first.
    lot: u64,
    pub(super) piece: u32,
}

impl Fetch {
    pub(super) fn new(blob: BlobRef) -> Self {
        Self {
            blob,
            phase: Phase::Waiting,
            providers: BTreeMap::new(),
            missing: BTreeSet::new(),
            unasked: BTreeSet::new(),
            spared: BTreeMap::new(),
            took: Duration::ZERO,
            is_lament_told: false,
        }
    }

    /// A piece is here; it has taken so long.
    pub(super) fn landed(&mut self, piece: u32, took: Duration) {
        self.took = took;
        self.is_lament_told = false;
        self.spared.retain(|(spared, _), _| *spared != piece);
        self.missing.remove(&piece);
        self.asked(piece);
    }

    /// A piece is in flight, or here.
    pub(super) fn asked(&mut self, piece: u32) {
        self.unasked.retain(|turn| turn.piece != piece);
    }

    /// When those who have sent this node elsewhere may be asked again.
    pub(super) fn spared_until(&self) -> impl Iterator<Item = Time> {
        self.spared.values().copied()
    }

    pub(super) fn pieces(&self) -> u32 {
        tree::pieces(self.blob.size).unwrap_or(0)
    }

    /// Whether its providers are surveyed.
    pub(super) fn is_shared(&self) -> bool {
        self.pieces() >= SHARED_FROM
    }

    pub(super) fn turn(&self, piece: u32, salt: u64) -> Turn {
        if !self.is_shared() {
            return Turn { holders: 0, lot: 0, piece };
        }
        let holders = self.providers.values().filter(|provider| provider.has(piece)).count();
        Turn { holders, lot: mix(salt ^ u64::from(piece)), piece }
    }

    /// `member` is giving `piece` to somebody else, and is not asked for it for a while.
    pub(super) fn spare(&mut self, piece: u32, member: MemberId, now: Time) {
        let pause = self.took.saturating_mul(SPARE_FACTOR).clamp(SPARE_LEAST, SPARE_MOST);
        self.spared.insert((piece, member), now + pause);
    }

    /// Whether that provider may be asked for `piece` now.
    pub(super) fn may_ask(&self, member: &MemberId, provider: &Provider, piece: u32, now: Time) -> bool {
        let is_spared = || self.spared.get(&(piece, *member)).is_some_and(|until| *until > now);
        provider.has(piece) && !is_spared()
    }

    /// Whether none of its providers has anything of what is missing.
    pub(super) fn is_hopeless(&self) -> bool {
        let has_some =
            |provider: &Provider| provider.is_unknown() || self.missing.iter().any(|piece| provider.has(*piece));
        !self.providers.values().any(has_some)
    }

    /// Puts what is not asked for yet in order again, after something was learnt of the providers.
    pub(super) fn take_turns(&mut self, salt: u64) {
        if self.is_shared() {
            self.unasked = self.unasked.iter().map(|turn| self.turn(turn.piece, salt)).collect();
        }
    }
}

/// The same bits in an order that shows nothing of them.
pub(super) const fn mix(bits: u64) -> u64 {
    bits.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}
