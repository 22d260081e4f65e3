//! Members through which this node can be reached, and which of them to ask (W23).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId, core::transport::ListenerId};

/// Relays that are held at once: when one goes, the other is there.
const RELAYS_WANTED: usize = 2;

/// Wait before a relay that has refused is asked again. It doubles with each refusal: a newcomer is refused until it is a
/// member.
const ASK_FIRST: Duration = Duration::from_millis(500);

/// Longest such wait.
const ASK_MAX: Duration = Duration::from_secs(30);

/// How things stand with one relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is to be asked from then on.
    Free(Instant),
    /// It was asked.
    Asked(ListenerId),
    /// It relays.
    Held(ListenerId),
}

#[derive(Debug)]
struct Relay {
    address: Multiaddr,
    state: State,
    refusals: u32,
}

/// The relays on offer, and whether this node needs any.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    relays: BTreeMap<PeerId, Relay>,
    /// Our own addresses at which others have reached us.
    confirmed: BTreeSet<Multiaddr>,
}

impl Reservations {
    /// `relay`, which is connected, offers to relay; it is found at `address`.
    pub(super) fn offered(&mut self, relay: PeerId, address: Multiaddr, now: Instant) {
        self.relays.entry(relay).or_insert(Relay { address, state: State::Free(now), refusals: 0 });
    }

    /// `relay` is connected no more.
    pub(super) fn lost(&mut self, relay: &PeerId) {
        self.relays.remove(relay);
    }

    /// The relays to ask now. Each must be told of with [`Reservations::asked`].
    pub(super) fn due(&self, now: Instant) -> Vec<(PeerId, Multiaddr)> {
        if !self.confirmed.is_empty() {
            return Vec::new();
        }
        let taken = self.relays.values().filter(|relay| !matches!(relay.state, State::Free(_))).count();
        let ripe = |(_, relay): &(&PeerId, &Relay)| matches!(relay.state, State::Free(at) if at <= now);
        let places = RELAYS_WANTED.saturating_sub(taken);
        self.relays.iter().filter(ripe).take(places).map(|(peer, relay)| (*peer, relay.address.clone())).collect()
    }

    /// `relay` was asked, and `listener` is for those that it sends.
    pub(super) fn asked(&mut self, relay: &PeerId, listener: ListenerId) {
        if let Some(relay) = self.relays.get_mut(relay) {
            relay.state = State::Asked(listener);
        }
    }

    /// What was asked of `relay` is not to be had for now.
    pub(super) fn refused(&mut self, relay: &PeerId, now: Instant) {
        if let Some(relay) = self.relays.get_mut(relay) {
            relay.state = State::Free(now + ASK_FIRST.saturating_mul(1 << relay.refusals.min(16)).min(ASK_MAX));
            relay.refusals = relay.refusals.saturating_add(1);
        }
    }

    /// `relay` relays from now on.
    pub(super) fn granted(&mut self, relay: &PeerId) {
        if let Some(relay) = self.relays.get_mut(relay)
            && let State::Asked(listener) = relay.state
        {
            (relay.state, relay.refusals) = (State::Held(listener), 0);
        }
    }

    /// `listener` has ended. Returns whose it was, if it was for a relay.
    pub(super) fn ended(&mut self, listener: ListenerId, now: Instant) -> Option<PeerId> {
        let of = |state: State| matches!(state, State::Asked(id) | State::Held(id) if id == listener);
        let relay = self.relays.iter().find(|(_, relay)| of(relay.state)).map(|(peer, _)| *peer)?;
        self.refused(&relay, now);
        Some(relay)
    }

    /// Others reach this node at `address`: it needs no relay. Returns the listeners to close.
    pub(super) fn reached(&mut self, address: Multiaddr) -> Vec<ListenerId> {
        self.confirmed.insert(address);
        let listener = |relay: &Relay| match relay.state {
            State::Asked(listener) | State::Held(listener) => Some(listener),
            State::Free(_) => None,
        };
        self.relays.values().filter_map(listener).collect()
    }

    /// Others do not, or no longer, reach this node at `address`.
    pub(super) fn unreached(&mut self, address: &Multiaddr) {
        self.confirmed.remove(address);
    }

    /// Relays that relay to this node.
    pub(super) fn held(&self) -> usize {
        self.relays.values().filter(|relay| matches!(relay.state, State::Held(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Multiaddr {
        format!("/ip4/203.0.113.7/tcp/{port}").parse().unwrap()
    }

    /// Reservations with as many relays on offer.
    fn offered(count: u16, now: Instant) -> (Reservations, Vec<PeerId>) {
        let mut reservations = Reservations::default();
        let mut peers: Vec<_> = (0..count).map(|_| PeerId::random()).collect();
        peers.sort();
        peers.iter().zip(1..).for_each(|(peer, port)| reservations.offered(*peer, at(port), now));
        (reservations, peers)
    }

    #[test]
    fn two_relays_are_held_and_another_takes_the_place_of_one_that_goes() {
        let now = Instant::now();
        let (mut reservations, peers) = offered(3, now);
        assert_eq!(reservations.due(now), vec![(peers[0], at(1)), (peers[1], at(2))]);
        for peer in &peers[..2] {
            reservations.asked(peer, ListenerId::next());
            reservations.granted(peer);
        }
        assert_eq!((reservations.due(now), reservations.held()), (vec![], 2));
        reservations.lost(&peers[0]);
        assert_eq!((reservations.due(now), reservations.held()), (vec![(peers[2], at(3))], 1));
    }

    #[test]
    fn a_relay_that_refuses_is_asked_less_and_less_often() {
        let mut now = Instant::now();
        let (mut reservations, peers) = offered(1, now);
        for wait in [ASK_FIRST, ASK_FIRST * 2, ASK_FIRST * 4] {
            let listener = ListenerId::next();
            reservations.asked(&peers[0], listener);
            assert_eq!(reservations.ended(listener, now), Some(peers[0]));
            assert_eq!(reservations.due(now + wait / 2), vec![]);
            now += wait;
            assert_eq!(reservations.due(now).len(), 1);
        }
        assert_eq!(reservations.ended(ListenerId::next(), now), None, "a listener of another kind");
    }

    #[test]
    fn whoever_is_reached_without_a_relay_needs_none() {
        let now = Instant::now();
        let (mut reservations, peers) = offered(1, now);
        let listener = ListenerId::next();
        reservations.asked(&peers[0], listener);
        reservations.granted(&peers[0]);
        assert_eq!(reservations.reached(at(9)), vec![listener]);
        reservations.ended(listener, now);
        assert_eq!(reservations.due(now + ASK_MAX), vec![]);
        reservations.unreached(&at(9));
        assert_eq!(reservations.due(now + ASK_MAX).len(), 1);
    }
}
