//! Raw streams that keep to direct connections (W15).
//!
//! A relay is another member's line. What nodes say to each other may go over it; models may not, unless both ends were
//! told so. So a relayed connection is hidden from the streams: none is opened on it, and none is accepted.

use std::{
    collections::BTreeSet,
    task::{Context, Poll},
};

use either::Either;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse, util},
    swarm::{
        ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, dummy,
    },
};

use super::{
    address::{self, Route},
    config::Bulk,
};

/// The streams of a node, over those connections that may carry them.
pub(super) struct Streams {
    inner: libp2p_stream::Behaviour,
    bulk: Bulk,
    /// Peers to which no direct connection comes about: what waits for one is told so.
    hopeless: BTreeSet<PeerId>,
}

impl Streams {
    /// Streams that go where `bulk` lets them.
    pub(super) fn new(bulk: Bulk) -> Self {
        Self { inner: libp2p_stream::Behaviour::new(), bulk, hopeless: BTreeSet::new() }
    }

    /// Opens and accepts streams.
    pub(super) fn new_control(&self) -> libp2p_stream::Control {
        self.inner.new_control()
    }

    /// Lets nobody wait for a stream to `peer` any more, until it is connected directly.
    pub(super) fn give_up(&mut self, peer: PeerId) {
        self.hopeless.insert(peer);
    }

    fn is_hidden(&self, route: Route) -> bool {
        route == Route::Relayed && self.bulk == Bulk::Direct
    }

    fn hides(&self, endpoint: &ConnectedPoint) -> bool {
        self.is_hidden(if endpoint.is_relayed() { Route::Relayed } else { Route::Direct })
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Either<THandler<libp2p_stream::Behaviour>, dummy::ConnectionHandler>;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        // The near end names the relay; the far end is only a name.
        if self.is_hidden(address::route(local)) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_inbound_connection(connection, peer, local, remote).map(Either::Left)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.is_hidden(address::route(remote)) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_outbound_connection(connection, peer, remote, role, port).map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(made) if self.hides(made.endpoint) => return,
            FromSwarm::ConnectionClosed(closed) if self.hides(closed.endpoint) => {
                if closed.remaining_established == 0 {
                    self.hopeless.remove(&closed.peer_id);
                }
                return;
            }
            FromSwarm::ConnectionEstablished(made) => {
                self.hopeless.remove(&made.peer_id);
            }
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(event) => self.inner.on_connection_handler_event(peer, connection, event),
            Either::Right(never) => util::unreachable(never),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            match self.inner.poll(context) {
                // What asks for a stream where there is no connection for it waits for one, which may be on its way.
                Poll::Ready(ToSwarm::Dial { opts })
                    if opts.get_peer_id().is_some_and(|peer| self.hopeless.contains(&peer)) =>
                {
                    self.inner.on_swarm_event(FromSwarm::DialFailure(DialFailure {
                        peer_id: opts.get_peer_id(),
                        error: &DialError::NoAddresses,
                        connection_id: opts.connection_id(),
                    }));
                }
                Poll::Ready(event) => return Poll::Ready(event.map_in(Either::Left)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
