//! The address book: whom we heard of, where they may be found, and when to try again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use althing_protocol::ids::MemberId;
use libp2p::{Multiaddr, PeerId};

use super::address::{self, Route};

/// Peers that the book holds; it takes no more, since members of a federation are few.
const BOOK_MAX: usize = 512;

/// Wait before the first redial. It doubles with each failure.
const REDIAL_FIRST: Duration = Duration::from_millis(100);

/// Longest wait before a redial: what a restarted peer waits for at worst.
const REDIAL_MAX: Duration = Duration::from_secs(5);

/// Head start of the peer with the smaller key, so that two which hear of each other do not both dial.
const HEAD_START: Duration = Duration::from_millis(500);

/// The wait after `failures` failed dials in a row, with up to a quarter of it added by chance, so that those who lost
/// the same peer do not all come back at the same time.
pub(super) fn redial_after(failures: u32) -> Duration {
    let doubled = REDIAL_FIRST.saturating_mul(1 << failures.min(16));
    doubled.min(REDIAL_MAX).mul_f64(1.0 + rand::random_range(0.0..0.25))
}

/// What is known of one peer.
#[derive(Debug)]
struct Entry {
    /// What it said of itself, when it was connected.
    own: Vec<Multiaddr>,
    /// What others said of it.
    hearsay: Vec<Multiaddr>,
    failures: u32,
    next_dial: Instant,
}

impl Entry {
    /// Whether it is said to be reachable through a relay.
    fn is_behind_relay(&self) -> bool {
        self.all().any(|address| address::route(address) == Route::Relayed)
    }

    /// What it says and what others say, each once.
    fn all(&self) -> impl Iterator<Item = &Multiaddr> {
        self.own.iter().chain(self.hearsay.iter().filter(|address| !self.own.contains(address)))
    }

    /// The addresses to try: TCP and the rest in turns, as far as both are known. Those through relays go with either,
    /// since a direct way, where there is one, is the shorter and wins.
    fn candidates(&self) -> Vec<Multiaddr> {
        let (circuits, direct): (Vec<_>, Vec<_>) =
            self.all().cloned().partition(|address| address::route(address) == Route::Relayed);
        let (tcp, rest): (Vec<_>, Vec<_>) = direct.into_iter().partition(address::is_tcp);
        let turn = if self.failures.is_multiple_of(2) { [tcp, rest] } else { [rest, tcp] };
        let mut turn = turn.into_iter().find(|addresses| !addresses.is_empty()).unwrap_or_default();
        turn.extend(circuits);
        turn
    }
}

/// The peers that we heard of, without ourselves.
#[derive(Debug)]
pub(super) struct AddressBook {
    ours: PeerId,
    entries: BTreeMap<PeerId, (MemberId, Entry)>,
}

impl AddressBook {
    /// An empty book of the node `ours`.
    pub(super) fn new(ours: PeerId) -> Self {
        Self { ours, entries: BTreeMap::new() }
    }

    /// Notes what a peer says of itself. It knows best, so this replaces what it said before.
    pub(super) fn introduce(&mut self, peer: PeerId, member: MemberId, addresses: Vec<Multiaddr>, now: Instant) {
        if let Some(entry) = self.entry(peer, member, now) {
            entry.own = addresses;
        }
    }

    /// Notes what somebody says of a peer. Returns whether it was news.
    pub(super) fn hear(&mut self, peer: PeerId, member: MemberId, addresses: Vec<Multiaddr>, now: Instant) -> News {
        if addresses.is_empty() {
            return News::Old;
        }
        let known = self.entries.contains_key(&peer);
        match self.entry(peer, member, now) {
            Some(entry) if entry.hearsay != addresses => {
                let before = entry.is_behind_relay();
                entry.hearsay = addresses;
                if known && !before && entry.is_behind_relay() {
                    // It has just become reachable, while what we knew of it may lead nowhere.
                    entry.next_dial = now;
                }
                if known { News::Old } else { News::Heard }
            }
            _ => News::Old,
        }
    }

    /// What the peer said of itself.
    pub(super) fn own_addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.entries.get(peer).map_or(&[], |(_, entry)| &entry.own)
    }

    /// Everything that was said of where the peer is found.
    pub(super) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.entries.get(peer).map_or_else(Vec::new, |(_, entry)| entry.all().cloned().collect())
    }

    /// The peers to dial now out of those that `wanted` keeps, with their addresses. Each counts as failed until
    /// the peer has [settled](AddressBook::settled).
    pub(super) fn due(
        &mut self,
        wanted: impl Fn(&PeerId, &MemberId) -> bool,
        now: Instant,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for (peer, (member, entry)) in &mut self.entries {
            let candidates = entry.candidates();
            if entry.next_dial > now || candidates.is_empty() || !wanted(peer, member) {
                continue;
            }
            entry.next_dial = now + redial_after(entry.failures);
            entry.failures = entry.failures.saturating_add(1);
            due.push((*peer, candidates));
        }
        due
    }

    /// The peer stayed: its failures are forgotten.
    pub(super) fn settled(&mut self, peer: &PeerId) {
        if let Some((_, entry)) = self.entries.get_mut(peer) {
            entry.failures = 0;
        }
    }

    /// The peer was connected and is lost: try again soon.
    pub(super) fn lost(&mut self, peer: &PeerId, now: Instant) {
        if let Some((_, entry)) = self.entries.get_mut(peer) {
            entry.next_dial = entry.next_dial.max(now + redial_after(entry.failures));
        }
    }

    /// Leaves the peer alone for a while.
    pub(super) fn shun(&mut self, peer: &PeerId, span: Duration, now: Instant) {
        if let Some((_, entry)) = self.entries.get_mut(peer) {
            entry.next_dial = entry.next_dial.max(now + span);
        }
    }

    /// The entry of `peer`, made if there is room and it is not ourselves.
    fn entry(&mut self, peer: PeerId, member: MemberId, now: Instant) -> Option<&mut Entry> {
        if peer == self.ours || (self.entries.len() >= BOOK_MAX && !self.entries.contains_key(&peer)) {
            return None;
        }
        let next_dial = if self.ours < peer { now } else { now + HEAD_START };
        let fresh = || (member, Entry { own: Vec::new(), hearsay: Vec::new(), failures: 0, next_dial });
        Some(&mut self.entries.entry(peer).or_insert_with(fresh).1)
    }
}

/// Whether a peer was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It is new.
    Heard,
    /// It was known, or is of no use.
    Old,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEBODY: MemberId = MemberId([5; 32]);

    /// The book of a node, and two peers: one whose key is smaller than the node's, one whose is larger.
    fn book() -> (AddressBook, PeerId, PeerId) {
        let mut peers = [PeerId::random(), PeerId::random(), PeerId::random()];
        peers.sort();
        (AddressBook::new(peers[1]), peers[0], peers[2])
    }

    fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_smaller_key_dials_first() {
        let ((mut book, small, large), now) = (book(), Instant::now());
        let there = addresses(&["/ip4/10.0.0.1/tcp/1"]);
        assert_eq!(book.hear(small, SOMEBODY, there.clone(), now), News::Heard);
        assert_eq!(book.hear(large, SOMEBODY, there.clone(), now), News::Heard);
        assert_eq!(book.due(|_, _| true, now), vec![(large, there.clone())]);
        assert!(book.due(|_, _| true, now + HEAD_START).contains(&(small, there)));
    }

    #[test]
    fn tcp_comes_first_and_quic_has_its_turn() {
        let ((mut book, _, peer), now) = (book(), Instant::now());
        let both = addresses(&["/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.1/tcp/1"]);
        book.introduce(peer, SOMEBODY, both.clone(), now);
        let mut now = now;
        for expected in [1, 0, 1, 0] {
            assert_eq!(book.due(|_, _| true, now), vec![(peer, vec![both[expected].clone()])]);
            now += REDIAL_MAX * 2;
        }
    }

    #[test]
    fn a_peer_that_becomes_reachable_through_a_relay_is_dialled_at_once_by_every_way() {
        let ((mut book, _, peer), now) = (book(), Instant::now());
        let there = addresses(&["/ip4/10.0.0.1/udp/1/quic-v1", "/ip4/10.0.0.1/tcp/1"]);
        book.hear(peer, SOMEBODY, there.clone(), now);
        assert_eq!(book.due(|_, _| true, now), vec![(peer, vec![there[1].clone()])]);
        assert_eq!(book.due(|_, _| true, now), vec![], "it was just tried");
        let through = address::circuit(&there[1], PeerId::random());
        let more = [there.clone(), vec![through.clone()]].concat();
        book.hear(peer, SOMEBODY, more.clone(), now);
        assert_eq!(book.due(|_, _| true, now), vec![(peer, vec![there[0].clone(), through])]);
        book.hear(peer, SOMEBODY, more.into_iter().rev().collect(), now);
        assert_eq!(book.due(|_, _| true, now), vec![], "no hearsay makes it be dialled at once again");
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        for (failures, least) in [(0, 100), (1, 200), (3, 800), (10, 5_000), (u32::MAX, 5_000)] {
            let wait = redial_after(failures);
            let least = Duration::from_millis(least);
            assert!(wait >= least && wait <= least.mul_f64(1.25), "{failures} failures: {wait:?}");
        }
    }

    #[test]
    fn the_book_is_bounded_and_never_lists_ourselves() {
        let ((mut book, _, _), now) = (book(), Instant::now());
        let there = addresses(&["/ip4/10.0.0.1/tcp/1"]);
        assert_eq!(book.hear(book.ours, SOMEBODY, there.clone(), now), News::Old);
        let heard =
            (0..BOOK_MAX + 10).filter(|_| book.hear(PeerId::random(), SOMEBODY, there.clone(), now) == News::Heard);
        assert_eq!(heard.count(), BOOK_MAX);
    }

    #[test]
    fn a_shunned_peer_is_left_alone() {
        let ((mut book, _, peer), now) = (book(), Instant::now());
        book.introduce(peer, SOMEBODY, addresses(&["/ip4/10.0.0.1/tcp/1"]), now);
        book.shun(&peer, Duration::from_secs(60), now);
        book.lost(&peer, now);
        assert_eq!(book.due(|_, _| true, now + Duration::from_secs(59)), vec![]);
        assert_eq!(book.due(|_, _| true, now + Duration::from_secs(61)).len(), 1);
    }
}
