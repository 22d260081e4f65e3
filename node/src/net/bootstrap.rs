//! The configured addresses: dialled until they answer, and again when the peer behind them is lost.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId, swarm::ConnectionId};

use super::peers::redial_after;

/// One configured address.
#[derive(Debug)]
struct Entry {
    address: Multiaddr,
    /// Who answered last.
    peer: Option<PeerId>,
    state: State,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be dialled when its peer is not connected, from then on.
    Due(Instant),
    /// Being dialled.
    Dialling(ConnectionId),
    /// Leads to this very node: never dialled again.
    Ourselves,
}

/// All configured addresses.
#[derive(Debug)]
pub(super) struct Bootstrap(Vec<Entry>);

impl Bootstrap {
    /// `addresses`, all due at once.
    pub(super) fn new(addresses: Vec<Multiaddr>, now: Instant) -> Self {
        let entry = |address| Entry { address, peer: None, state: State::Due(now), failures: 0 };
        Self(addresses.into_iter().map(entry).collect())
    }

    /// The addresses to dial now, given who is connected, each with the dials of it that have failed. Each must be told
    /// of with [`Bootstrap::dialling`].
    pub(super) fn due(&self, is_connected: impl Fn(&PeerId) -> bool, now: Instant) -> Vec<(Multiaddr, u32)> {
        let lost = |entry: &&Entry| entry.peer.as_ref().is_none_or(|peer| !is_connected(peer));
        let ripe = |entry: &&Entry| matches!(entry.state, State::Due(at) if at <= now);
        self.0.iter().filter(ripe).filter(lost).map(|entry| (entry.address.clone(), entry.failures)).collect()
    }

    /// `address` is being dialled by `connection`.
    pub(super) fn dialling(&mut self, address: &Multiaddr, connection: ConnectionId) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.address == *address) {
            entry.state = State::Dialling(connection);
        }
    }

    /// Whether `connection` is to one of these addresses.
    pub(super) fn is_dialling(&self, connection: ConnectionId) -> bool {
        self.0.iter().any(|entry| entry.state == State::Dialling(connection))
    }

    /// `connection` was made, and `peer` answered. It counts as failed until the peer has settled.
    pub(super) fn answered(&mut self, connection: ConnectionId, peer: PeerId, now: Instant) {
        if let Some(entry) = self.dialled_by(connection) {
            entry.peer = Some(peer);
        }
        self.failed(connection, now);
    }

    /// `peer` stayed: its failures are forgotten.
    pub(super) fn settled(&mut self, peer: &PeerId) {
        self.of(peer).for_each(|entry| entry.failures = 0);
    }

    /// `connection` was not made.
    pub(super) fn failed(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(entry) = self.dialled_by(connection) {
            entry.state = State::Due(now + redial_after(entry.failures));
            entry.failures = entry.failures.saturating_add(1);
        }
    }

    /// `connection` led to this very node.
    pub(super) fn ourselves(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.dialled_by(connection) {
            entry.state = State::Ourselves;
        }
    }

    /// Leaves the addresses of `peer` alone for a while: it is of no use to us, nor we to it.
    pub(super) fn shun(&mut self, peer: &PeerId, span: Duration, now: Instant) {
        self.of(peer).for_each(|entry| entry.state = State::Due(now + span));
    }

    fn of(&mut self, peer: &PeerId) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut().filter(move |entry| entry.peer.as_ref() == Some(peer))
    }

    fn dialled_by(&mut self, connection: ConnectionId) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.state == State::Dialling(connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_dialled_until_it_answers_and_again_when_it_is_lost() {
        let start = Instant::now();
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let (mut bootstrap, peer) = (Bootstrap::new(vec![address.clone()], start), PeerId::random());
        let later = start + Duration::from_secs(60);
        assert_eq!(bootstrap.due(|_| false, start), vec![(address.clone(), 0)]);

        bootstrap.dialling(&address, ConnectionId::new_unchecked(1));
        assert_eq!(bootstrap.due(|_| false, later), vec![], "one dial at a time");

        bootstrap.failed(ConnectionId::new_unchecked(1), start);
        assert_eq!(bootstrap.due(|_| false, start), vec![], "not at once");
        assert_eq!(bootstrap.due(|_| false, later), vec![(address.clone(), 1)]);

        bootstrap.dialling(&address, ConnectionId::new_unchecked(2));
        bootstrap.answered(ConnectionId::new_unchecked(2), peer, start);
        assert_eq!(bootstrap.due(|who| *who == peer, later), vec![], "its peer is there");
        assert_eq!(bootstrap.due(|_| false, later), vec![(address, 2)]);

        bootstrap.shun(&peer, Duration::from_secs(600), start);
        assert_eq!(bootstrap.due(|_| false, later), vec![]);
    }

    #[test]
    fn our_own_address_is_dialled_once() {
        let start = Instant::now();
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let mut bootstrap = Bootstrap::new(vec![address.clone()], start);
        bootstrap.dialling(&address, ConnectionId::new_unchecked(1));
        bootstrap.ourselves(ConnectionId::new_unchecked(1));
        assert_eq!(bootstrap.due(|_| false, start + Duration::from_secs(60)), vec![]);
    }
}
