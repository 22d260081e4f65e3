//! Connections that come and go, and who turns out to be at their other end.

use std::time::{Duration, Instant};

use althing_protocol::ids::MemberId;
use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    gossipsub, identify, mdns, ping,
    swarm::{ConnectionId, DialError, SwarmEvent},
};

use super::{
    super::{
        address::{self, Locality, Route},
        behaviour::BehaviourEvent,
        config::Door,
        door,
        event::Event,
        identity,
        limits::Pour,
        peers::News,
        protocols,
        sessions::{Allegiance, Closed, Life, Link, Ping, Pulse},
    },
    Actor,
};

/// Time for which a refused peer is not dialled again.
const SHUN_FOR: Duration = Duration::from_secs(30);

/// Time that a peer must have stayed to be redialled at once when it is lost. One that leaves sooner may be refusing
/// us, and is dialled less and less often.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// Time that a peer of another federation stays connected, so that it can find out by itself why it is refused.
const FAREWELL_FOR: Duration = Duration::from_millis(500);

/// Refused peers that are remembered, so that each is told of once. Beyond that they are told of anew.
const REFUSED_MAX: usize = 1024;

impl Actor {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = Instant::now();
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event, now),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint, now);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, "connection closed");
                self.on_closed(&peer_id, connection_id, now);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.on_dial_failed(connection_id, &error, now);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection was not made");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.on_listening(&address, now);
                self.outbox.tell(Event::Listening(address));
            }
            SwarmEvent::ListenerClosed { listener_id, .. } if self.is_relay_gone(listener_id, now) => {}
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "a listener has trouble"),
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::warn!(?addresses, ?reason, "no longer listening");
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent, now: Instant) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_introduction(peer_id, &info, now);
            }
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.hear_of(peer, &[address], Locality::Remote, now);
                }
                self.dial_due(now);
            }
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.on_gossip(propagation_source, message_id, message, now);
            }
            BehaviourEvent::Gossip(gossipsub::Event::Subscribed { peer_id, topic }) => {
                if let Some(topic) = self.topics.get(&topic) {
                    self.sessions.subscribe(&peer_id, *topic);
                    self.raise(peer_id, now);
                }
            }
            BehaviourEvent::Gossip(gossipsub::Event::Unsubscribed { peer_id, topic }) => {
                if let Some(topic) = self.topics.get(&topic) {
                    self.sessions.unsubscribe(&peer_id, *topic);
                }
            }
            BehaviourEvent::Gossip(gossipsub::Event::SlowPeer { peer_id, failed_messages }) => {
                tracing::debug!(peer = %peer_id, ?failed_messages, "a peer takes messages too slowly");
                if self.meters.lag(peer_id, now) == Pour::Spilt {
                    tracing::warn!(peer = %peer_id, "cut off: it takes messages too slowly; it may come back");
                    let _ = self.swarm.disconnect_peer_id(peer_id);
                }
            }
            BehaviourEvent::Requests(event) => self.on_request_event(event, now),
            BehaviourEvent::Exchange(event) => self.on_exchange_event(event, now),
            BehaviourEvent::Door(event) => self.on_door_event(event, now),
            event => self.on_reach_event(event),
        }
    }

    fn on_connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint, now: Instant) {
        self.bootstrap.answered(connection, peer, now);
        match identity::member_id(&peer) {
            Some(member) => {
                // The relay may sit on this machine; who is behind it does not.
                let route = if endpoint.is_relayed() { Route::Relayed } else { Route::Direct };
                let locality = match route {
                    Route::Direct => address::locality(endpoint.get_remote_address()),
                    Route::Relayed => Locality::Remote,
                };
                self.sessions.open(peer, member, Link { id: connection, locality }, now);
                self.on_path(peer, connection, route, now);
            }
            None => {
                tracing::debug!(%peer, "dropped: its key is not an ed25519 key, so it is no member");
                let _ = self.swarm.disconnect_peer_id(peer);
            }
        }
    }

    fn on_closed(&mut self, peer: &PeerId, connection: ConnectionId, now: Instant) {
        self.reach.paths.close(peer, connection, now);
        let Closed::Gone { told, stayed } = self.sessions.close(peer, connection, now) else {
            return;
        };
        self.at_the_door.remove(peer);
        self.reach.reservations.lost(peer);
        if stayed >= SETTLED_AFTER {
            self.book.settled(peer);
            self.bootstrap.settled(peer);
        }
        self.book.lost(peer, now);
        if let Some(member) = told {
            // It may come back elsewhere, and others hear of it first.
            self.pulls.hurry(now);
            self.outbox.tell(Event::PeerDown(member));
        }
    }

    pub(super) fn on_dial_failed(&mut self, connection: ConnectionId, error: &DialError, now: Instant) {
        match error {
            DialError::LocalPeerId { .. } => self.bootstrap.ourselves(connection),
            // Hearsay goes stale and leads to others, which is no news; a configured address that does is.
            DialError::WrongPeerId { obtained, address } if self.bootstrap.is_dialling(connection) => {
                tracing::warn!(%address, %obtained, "another node answers at this address than the one it names");
                self.bootstrap.failed(connection, now);
            }
            error => {
                tracing::debug!(%error, "a dial failed");
                self.bootstrap.failed(connection, now);
            }
        }
    }

    /// The peer said who it is: keep it if it belongs here.
    fn on_introduction(&mut self, peer: PeerId, info: &identify::Info, now: Instant) {
        if !self.is_within_rate(peer, now) {
            return;
        }
        let Some((member, locality)) = self.sessions.get(&peer).map(|session| (session.member, session.locality()))
        else {
            return;
        };
        if self.sessions.identify(&peer, &info.agent_version) == Life::Another {
            // A connection of its former life is open yet, as one over QUIC is for seconds, and gossip would not greet it
            // anew beside that one.
            tracing::debug!(%peer, "it has begun anew; it is met again from the beginning");
            let _ = self.swarm.disconnect_peer_id(peer);
        } else if info.protocol_version != self.protocols.greeting() {
            self.refuse_foreigner(peer, member, &info.protocol_version, now);
        } else if self.admission.admits(&member) {
            self.welcome(peer, member, address::dialable(&info.listen_addrs, locality), now);
            self.on_offer(peer, &info.protocols, now);
        } else {
            match self.door {
                Door::Closed => self.refuse_stranger(peer, member, now),
                Door::Open => self.let_knock(peer, address::dialable(&info.listen_addrs, locality), now),
            }
        }
    }

    /// Keeps a member that listens at `addresses`.
    pub(super) fn welcome(&mut self, peer: PeerId, member: MemberId, addresses: Vec<Multiaddr>, now: Instant) {
        let addresses = self.through_members(addresses);
        self.book.introduce(peer, member, addresses, now);
        self.sessions.declare(&peer, Allegiance::Ours);
        self.raise(peer, now);
    }

    /// Lets a stranger stay for as long as it takes to ask to be let in.
    fn let_knock(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, now: Instant) {
        self.refuse_at(peer, now + door::OPEN_FOR);
        self.at_the_door.insert(peer, addresses);
        self.book.shun(&peer, SHUN_FOR, now);
        self.bootstrap.shun(&peer, SHUN_FOR, now);
    }

    /// Declares that `peer` must be gone at `until`. Introducing itself again does not prolong its stay.
    fn refuse_at(&mut self, peer: PeerId, until: Instant) {
        let before = self.sessions.declare(&peer, Allegiance::Refused { until });
        if let Some(earlier @ Allegiance::Refused { .. }) = before {
            self.sessions.declare(&peer, earlier);
        }
    }

    /// Drops a peer of our own genesis that may not stay.
    pub(super) fn refuse_stranger(&mut self, peer: PeerId, member: MemberId, now: Instant) {
        self.sessions.declare(&peer, Allegiance::Refused { until: now });
        let _ = self.swarm.disconnect_peer_id(peer);
        self.shun(peer, Event::Stranger { peer: member }, now);
    }

    /// Drops a peer of another genesis, but not before it had time to read our greeting. It cannot say anything
    /// meanwhile, since no protocol name of its federation is one of ours.
    fn refuse_foreigner(&mut self, peer: PeerId, member: MemberId, greeting: &str, now: Instant) {
        self.refuse_at(peer, now + FAREWELL_FOR);
        self.shun(peer, Event::ForeignGenesis { peer: member, theirs: protocols::network_of(greeting) }, now);
    }

    /// Leaves a refused peer alone for a while, and tells the node why, once.
    fn shun(&mut self, peer: PeerId, why: Event, now: Instant) {
        self.book.shun(&peer, SHUN_FOR, now);
        self.bootstrap.shun(&peer, SHUN_FOR, now);
        if self.refused.len() >= REFUSED_MAX {
            self.refused.clear();
        }
        if self.refused.insert(peer) {
            tracing::warn!(%peer, reason = ?why, "refused");
            self.outbox.tell(why);
        }
    }

    /// Tells the node of `peer` if that is now complete, and asks it whom it knows.
    fn raise(&mut self, peer: PeerId, now: Instant) {
        if let Some(member) = self.sessions.raise(&peer) {
            self.refused.remove(&peer);
            self.outbox.tell(Event::PeerUp(member));
            self.pulls.hurry(now);
            self.ask_for_peers(peer);
        }
    }

    fn on_ping(&mut self, event: ping::Event) {
        let outcome = if event.result.is_ok() { Ping::Answered } else { Ping::Failed };
        if self.sessions.ping(&event.peer, event.connection, outcome) == Pulse::Dead {
            tracing::debug!(peer = %event.peer, "a connection no longer answers");
            self.swarm.close_connection(event.connection);
        }
    }

    /// Notes what somebody at `teller` says of `peer`, and asks around soon if that is news.
    pub(super) fn hear_of(&mut self, peer: PeerId, addresses: &[Multiaddr], teller: Locality, now: Instant) {
        let Some(member) = identity::member_id(&peer).filter(|member| self.admission.admits(member)) else {
            return;
        };
        let addresses = self.through_members(address::dialable(addresses, teller));
        if self.book.hear(peer, member, addresses, now) == News::Heard {
            self.pulls.hurry(now);
        }
    }
}
