//! The network: one task that owns the libp2p swarm, and the handle through which the rest of the node speaks to it.
//!
//! Members are told apart by their key and by nothing else: the ed25519 key of a [`MemberId`] is the key of its libp2p
//! peer id, so a connection proves who is at its other end. Federations are told apart by the network id, which stands
//! in every protocol name and in every gossip topic; only identify and ping keep their common names, so that nodes
//! of two federations can still find out why they do not understand each other.
//!
//! What the network does by itself: it dials the bootstrap addresses again and again, asks connected peers whom else
//! they know, connects to every member it hears of, drops strangers and nodes of another genesis, holds every peer to
//! a rate, and bans those that keep sending messages which the node rejects.
//!
//! What it asks of its caller:
//! * Take the events as they come. The task never waits for the caller: what does not fit the backlog is dropped,
//!   messages and requests first and changes of the peer list never.
//! * Give every [`Event::Gossip`] a [`Verdict`]. Only accepted messages travel on, and one without a verdict is
//!   forgotten after [`VERDICT_WITHIN`].
//! * Check who opens a raw stream of [`Network::streams`]: those do not pass through here.
//!
//! Delivery is best effort. A message published while nobody listens is gone, and consensus repeats itself anyway; each
//! publication is a message of its own, so repeating the same bytes later is delivered again.

mod address;
mod behaviour;
mod bootstrap;
mod codec;
mod config;
mod crowd;
mod direct;
mod door;
mod event;
mod event_loop;
mod exchange;
mod gossip;
mod handle;
mod identity;
mod limits;
mod outbox;
mod paths;
mod peers;
mod protocols;
mod relay;
mod reservations;
mod sessions;
mod shared_key;
mod start;
mod topic;
mod transport;

#[cfg(test)]
mod tests;

pub use libp2p::{Multiaddr, PeerId, StreamProtocol};

pub use self::{
    address::{is_private, is_tcp},
    config::{Admission, Bulk, Door, Mdns, NetConfig, Relay, Upnp},
    event::{Event, MessageToken, ReplyToken, Verdict},
    gossip::VERDICT_WITHIN,
    handle::{Network, RequestError, Stats},
    identity::{member_id, peer_id},
    limits::{BAN_FOR, GOSSIP_PER_SECOND, REJECTS_BEFORE_BAN},
    protocols::{REPLY_BYTES_MAX, REQUEST_BYTES_MAX},
    shared_key::{SharedKey, SharedKeyError},
    start::spawn,
    topic::Topic,
};

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A listen address cannot be had: most often another process holds the port.
    #[error("cannot listen on {address}: {source}; stop what holds this port, or choose another in `listen`")]
    Listen {
        /// The address as it was configured.
        address: Multiaddr,
        /// What the system or the transport said.
        source: std::io::Error,
    },
    /// Multicast discovery cannot start on this machine.
    #[error("cannot search the local network: {0}; set `mdns = false` and name a bootstrap address")]
    Mdns(std::io::Error),
    /// The key is not one that a connection can be secured with.
    #[error("the key cannot secure connections: {0}; make a new one with `althing key new`")]
    Key(String),
    /// Two settings contradict each other, or a bound is out of range.
    #[error("network settings are refused: {0}")]
    Settings(String),
}
