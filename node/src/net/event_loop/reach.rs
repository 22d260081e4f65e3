//! Routers that let nobody in: being reachable through members that relay, and meeting others directly all the same.

use std::time::{Duration, Instant};

use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    autonat::v2 as autonat,
    core::transport::{ListenerId, PortUse},
    relay::{self, client},
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
    upnp,
};

use super::{
    super::{
        address::{self, Route},
        behaviour::BehaviourEvent,
        config::Relay,
        event::Event,
        identity,
        paths::{Due, Paths, Turn},
        reservations::Reservations,
    },
    Actor,
};
use crate::status;

/// What is known of how this node and others reach each other.
pub(super) struct Reach {
    mode: Relay,
    pub(super) reservations: Reservations,
    pub(super) paths: Paths,
    /// Whether the owner has said where this node is reached.
    told: bool,
    counts: status::Reach,
}

impl Reach {
    pub(super) fn new(mode: Relay, direct_within: Duration, external: Vec<Multiaddr>) -> Self {
        let told = !external.is_empty();
        let mut reservations = Reservations::default();
        for address in external {
            reservations.reached(address);
        }
        Self { mode, reservations, paths: Paths::new(direct_within), told, counts: status::Reach::default() }
    }

    /// Whether this node can dial `address` at all.
    pub(super) fn can_dial(&self, address: &Multiaddr) -> bool {
        self.mode == Relay::Use || address::route(address) == Route::Direct
    }

    /// From where to dial a configured address, after so many failures. What is dialled from the port that we listen at
    /// makes a router open that port, so that whoever is there sees where others may find us. But two that dial each
    /// other so at once may fail to meet, so every other dial takes a port of its own.
    pub(super) fn port(&self, failures: u32) -> PortUse {
        if self.mode == Relay::Use && failures.is_multiple_of(2) { PortUse::Reuse } else { PortUse::New }
    }
}

/// When to dial a peer at `addresses`. A way through a relay is tried while an address that leads nowhere is still waited
/// for.
pub(super) fn condition(addresses: &[Multiaddr]) -> PeerCondition {
    match addresses.iter().any(|address| address::route(address) == Route::Relayed) {
        true => PeerCondition::Disconnected,
        false => PeerCondition::DisconnectedAndNotDialing,
    }
}

impl Actor {
    /// This node listens at `address`. One that relays says so to those whom it relays to.
    pub(super) fn on_listening(&mut self, address: &Multiaddr, now: Instant) {
        if let Some(relay) = address::relay(address) {
            self.reach.reservations.granted(&relay);
            // Others behind routers become reachable at the same time.
            self.pulls.hurry(now);
        } else if self.reach.mode == Relay::Serve && !self.reach.told {
            // On loopback too, for those on this machine; others never hear of it.
            self.swarm.add_external_address(address.clone());
        }
    }

    /// A listener has ended. Returns whether it was one behind a relay, which is asked again later.
    pub(super) fn is_relay_gone(&mut self, listener: ListenerId, now: Instant) -> bool {
        let relay = self.reach.reservations.ended(listener, now);
        if let Some(relay) = relay {
            tracing::debug!(%relay, "it does not relay to this node, or no longer");
        }
        relay.is_some()
    }

    /// A member of our federation said what it speaks. Whoever relays is remembered.
    pub(super) fn on_offer(&mut self, peer: PeerId, protocols: &[StreamProtocol], now: Instant) {
        if self.reach.mode == Relay::Use
            && protocols.contains(&relay::HOP_PROTOCOL_NAME)
            && !self.reach.paths.is_relayed(&peer)
            && let Some(address) =
                self.book.own_addresses(&peer).iter().find(|own| address::route(own) == Route::Direct)
        {
            self.reach.reservations.offered(peer, address::circuit(address, peer), now);
        }
    }

    /// Those of `addresses` that lead through nobody, or through a member.
    pub(super) fn through_members(&self, mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        let is_member =
            |relay: PeerId| identity::member_id(&relay).is_some_and(|member| self.admission.admits(&member));
        addresses.retain(|address| match address::route(address) {
            Route::Direct => true,
            Route::Relayed => address::relay(address).is_some_and(is_member),
        });
        addresses
    }

    /// A connection to `peer` was made.
    pub(super) fn on_path(&mut self, peer: PeerId, connection: ConnectionId, route: Route, now: Instant) {
        match self.reach.paths.open(peer, connection, route, now) {
            Turn::Same => {}
            Turn::Relayed => {
                tracing::debug!(%peer, "reached through a relay");
                self.dial_directly(peer);
            }
            Turn::Direct { after } => {
                self.reach.counts.met_directly += 1;
                tracing::info!(%peer, after_ms = after.as_millis(), "reached through a relay before, and directly now");
            }
        }
    }

    /// Tries the addresses that a peer behind a relay is said to listen at: it may be a neighbour.
    fn dial_directly(&mut self, peer: PeerId) {
        let mut addresses = self.book.addresses(&peer);
        addresses.retain(|address| address::route(address) == Route::Direct);
        if addresses.is_empty() {
            return;
        }
        let options = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(addresses);
        if let Err(error) = self.swarm.dial(options.allocate_new_port().build()) {
            tracing::debug!(%peer, %error, "not dialled");
        }
    }

    /// Asks relays, and does what has become due about ways through them.
    pub(super) fn look_at_reach(&mut self, now: Instant) {
        for (relay, address) in self.reach.reservations.due(now) {
            match self.swarm.listen_on(address) {
                Ok(listener) => self.reach.reservations.asked(&relay, listener),
                Err(error) => {
                    tracing::debug!(%relay, %error, "it cannot relay to this node");
                    self.reach.reservations.refused(&relay, now);
                }
            }
        }
        for due in self.reach.paths.due(now) {
            match due {
                Due::Close(connection) => {
                    self.swarm.close_connection(connection);
                }
                Due::GiveUp(peer) => self.give_up(peer),
            }
        }
    }

    /// No direct connection to `peer` has come about.
    fn give_up(&mut self, peer: PeerId) {
        self.reach.counts.not_met += 1;
        self.swarm.behaviour_mut().streams.give_up(peer);
        if let Some(member) = identity::member_id(&peer) {
            tracing::warn!(
                ?member,
                "only reached through a relay: the routers between let no direct connection through"
            );
            self.outbox.tell(Event::OnlyRelayed(member));
        }
    }

    pub(super) fn on_reach_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::ThroughRelays(client::Event::ReservationReqAccepted {
                relay_peer_id,
                renewal: false,
                ..
            }) => {
                tracing::info!(relay = %relay_peer_id, "this node is reachable through a relay");
            }
            BehaviourEvent::Punch(event) => match event.result {
                Ok(_) => tracing::debug!(peer = %event.remote_peer_id, "met directly"),
                Err(error) => tracing::debug!(peer = %event.remote_peer_id, %error, "not met directly"),
            },
            BehaviourEvent::AskOthers(autonat::client::Event { tested_addr, server, result, .. }) => {
                tracing::debug!(address = %tested_addr, by = %server, ?result, "one of our addresses was tried");
                match result {
                    Ok(()) => self.on_reached(tested_addr),
                    Err(_) => self.reach.reservations.unreached(&tested_addr),
                }
            }
            BehaviourEvent::Upnp(upnp::Event::NewExternalAddr { external_addr, .. }) => {
                tracing::info!(address = %external_addr, "the router passes a port on");
                self.on_reached(external_addr);
            }
            BehaviourEvent::Upnp(upnp::Event::ExpiredExternalAddr { external_addr, .. }) => {
                self.reach.reservations.unreached(&external_addr);
            }
            BehaviourEvent::Relay(relay::Event::CircuitReqAccepted { .. }) => self.reach.counts.circuits += 1,
            _ => {}
        }
    }

    /// Others reach this node at `address`, so it needs no relay.
    fn on_reached(&mut self, address: Multiaddr) {
        // That a relay in our own network gets here says nothing of others.
        if !address::is_public(&address) {
            return;
        }
        for listener in self.reach.reservations.reached(address) {
            self.swarm.remove_listener(listener);
        }
    }

    /// What went through relays, of which so many bytes were received and sent.
    pub(super) fn relayed(&self, (received_bytes, sent_bytes): (u64, u64)) -> status::Reach {
        status::Reach {
            relays: self.reach.reservations.held() as u64,
            relayed_peers: self.reach.paths.relayed() as u64,
            received_bytes,
            sent_bytes,
            ..self.reach.counts
        }
    }
}
