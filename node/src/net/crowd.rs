//! Who crowds the door: connections in the middle of their handshake, by the address that they come from (W27).
//!
//! There are places for so many at once. A host that opens connections and says nothing on them would take them all, again
//! and again; so it gets a share, and the others find room.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, Ipv6Addr},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};

/// Handshakes that may be under way from one address. Members behind one router share it, and a handshake is short.
pub(super) const HANDSHAKES_PER_ADDRESS: usize = 16;

/// Why a connection is refused.
#[derive(Debug, thiserror::Error)]
#[error("{HANDSHAKES_PER_ADDRESS} connections from {0} are in the middle of their handshake")]
struct Crowded(IpAddr);

/// All connections from elsewhere that have not said who they are. What is refused before is never in it.
#[derive(Debug, Default)]
pub(super) struct Crowd(HashMap<ConnectionId, IpAddr>);

impl Crowd {
    /// Lets a connection from `address` in, if there are not too many already.
    fn enter(&mut self, connection: ConnectionId, address: IpAddr) -> Result<(), Crowded> {
        let place = place(address);
        // Whoever is on this machine has other ways to stop the node.
        if place.is_loopback() {
            return Ok(());
        }
        if self.0.values().filter(|other| **other == place).count() >= HANDSHAKES_PER_ADDRESS {
            return Err(Crowded(address));
        }
        self.0.insert(connection, place);
        Ok(())
    }
}

/// What stands for one host. Whoever has one address of the newer kind has all that begin alike.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        other => other,
    }
}

/// Where a connection comes from, as far as its address tells. What comes through a relay has no address of its own.
fn source(remote: &Multiaddr) -> Option<IpAddr> {
    match remote.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

impl NetworkBehaviour for Crowd {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let entered = source(remote).map_or(Ok(()), |address| self.enter(connection, address));
        entered.map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.0.remove(&connection);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) = event {
            self.0.remove(&connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(crowd: &mut Crowd, number: usize, from: &str) -> bool {
        let (connection, remote) = (ConnectionId::new_unchecked(number), from.parse().unwrap());
        crowd.handle_pending_inbound_connection(connection, &remote, &remote).is_ok()
    }

    #[test]
    fn one_address_gets_a_share_of_the_places_and_others_find_room() {
        let mut crowd = Crowd::default();
        let (silent, other) = ("/ip4/203.0.113.7/tcp/9", "/ip4/203.0.113.8/tcp/9");
        let entered = (0..100).filter(|number| connect(&mut crowd, *number, silent)).count();
        assert_eq!(entered, HANDSHAKES_PER_ADDRESS);
        assert!(connect(&mut crowd, 100, other));

        let (peer, remote) = (PeerId::random(), silent.parse().unwrap());
        let first = ConnectionId::new_unchecked(0);
        crowd.handle_established_inbound_connection(first, peer, &remote, &remote).unwrap();
        assert!(connect(&mut crowd, 101, silent), "one has said who it is");
        assert!(!connect(&mut crowd, 102, silent));
    }

    #[test]
    fn addresses_that_begin_alike_are_one_host_and_this_machine_is_let_in() {
        let mut crowd = Crowd::default();
        let of_one = |number: usize| format!("/ip6/2001:db8::{number:x}/tcp/9");
        let entered = (1..100).filter(|number| connect(&mut crowd, *number, &of_one(*number))).count();
        assert_eq!(entered, HANDSHAKES_PER_ADDRESS);
        assert!(connect(&mut crowd, 100, "/ip6/2001:db8:0:1::1/tcp/9"));
        assert!((200..300).all(|number| connect(&mut crowd, number, "/ip4/127.0.0.1/tcp/9")));
        assert!((300..400).all(|number| connect(&mut crowd, number, "/ip6/::1/tcp/9")));
    }
}
