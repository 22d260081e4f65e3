//! What the swarm does with its connections.

use std::{iter, time::Duration};

use libp2p::{
    allow_block_list::{self, BlockedPeers},
    autonat::v2 as autonat,
    connection_limits::{self, ConnectionLimits},
    dcutr, identify, identity, mdns, memory_connection_limits, ping,
    relay::{self, client},
    request_response::{self, ProtocolSupport},
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    upnp,
};
use tokio::sync::watch;

use super::{
    NetError,
    codec::BytesCodec,
    config::{Admission, Mdns, NetConfig, Relay, Upnp},
    crowd::Crowd,
    direct::Streams,
    door, exchange,
    gossip::{self, Gossip},
    protocols::{Protocols, REPLY_BYTES_MAX, REQUEST_BYTES_MAX},
    relay::serve,
};

/// Connections to one peer: two, because both ends may dial at the same moment.
const CONNECTIONS_PER_PEER: u32 = 2;

/// Further ones where peers may meet through a relay: the relayed one, and one by which a peer tries our address.
const CONNECTIONS_BY_RELAY: u32 = 2;

/// Connections that may be in the middle of their handshake, in each direction.
const PENDING_MAX: u32 = 64;

/// Time in which a request must be answered, from its first byte to the last byte of the answer.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Requests that one connection may carry at once, in each direction.
const REQUESTS_PER_CONNECTION: usize = 32;

/// Time between pings.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Time in which a ping must be answered. Generous: a machine that trains on all its cores answers late.
const PING_WITHIN: Duration = Duration::from_secs(15);

/// All behaviours of a node. The limits come first, so that what they refuse never reaches the others.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    crowd: Crowd,
    memory: memory_connection_limits::Behaviour,
    pub(super) blocked: allow_block_list::Behaviour<BlockedPeers>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) gossip: Gossip,
    pub(super) requests: request_response::Behaviour<BytesCodec>,
    pub(super) exchange: request_response::Behaviour<BytesCodec>,
    pub(super) door: request_response::Behaviour<BytesCodec>,
    pub(super) streams: Streams,
    relay: Toggle<relay::Behaviour>,
    through_relays: Toggle<client::Behaviour>,
    punch: Toggle<dcutr::Behaviour>,
    try_others: Toggle<autonat::server::Behaviour>,
    ask_others: Toggle<autonat::client::Behaviour>,
    upnp: Toggle<upnp::tokio::Behaviour>,
}

/// What the behaviours share with the rest of the network.
pub(super) struct Shared {
    /// The near end of the transport through relays, where there is one.
    pub(super) through_relays: Option<client::Behaviour>,
    /// Who is admitted at the moment.
    pub(super) roster: watch::Receiver<Admission>,
}

impl Behaviour {
    /// The behaviours of a node with `keypair` and these settings.
    pub(super) fn new(
        keypair: &identity::Keypair,
        protocols: &Protocols,
        config: &NetConfig,
        shared: Shared,
    ) -> Result<Self, NetError> {
        let (me, mode) = (keypair.public().to_peer_id(), config.relay);
        let requests = BytesCodec { request_max: REQUEST_BYTES_MAX, reply_max: REPLY_BYTES_MAX };
        let exchange = BytesCodec { request_max: exchange::QUESTION_BYTES_MAX, reply_max: exchange::ANSWER_BYTES_MAX };
        let door = BytesCodec { request_max: door::KNOCK_BYTES_MAX, reply_max: door::WELCOME_BYTES_MAX };
        let ping = ping::Config::new().with_interval(PING_EVERY).with_timeout(PING_WITHIN);
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits(config.max_peers, mode)),
            crowd: Crowd::default(),
            memory: memory_connection_limits::Behaviour::with_max_bytes(memory_bytes(config.max_memory_mb)),
            blocked: allow_block_list::Behaviour::default(),
            identify: identify::Behaviour::new(identify_config(keypair, protocols)),
            ping: ping::Behaviour::new(ping),
            mdns: multicast(keypair, config.mdns)?.into(),
            gossip: gossip::build(keypair, protocols)?,
            requests: request_response(requests, protocols, "request/1")?,
            exchange: request_response(exchange, protocols, "peers/1")?,
            door: request_response(door, protocols, "door/1")?,
            streams: Streams::new(config.bulk),
            relay: (mode == Relay::Serve).then(|| serve(me, &shared.roster)).into(),
            through_relays: shared.through_relays.into(),
            punch: (mode == Relay::Use).then(|| dcutr::Behaviour::new(me)).into(),
            try_others: (mode == Relay::Serve).then(autonat::server::Behaviour::default).into(),
            ask_others: (mode == Relay::Use).then(autonat::client::Behaviour::default).into(),
            upnp: (config.upnp == Upnp::On).then(upnp::tokio::Behaviour::default).into(),
        })
    }
}

fn limits(max_peers: u32, mode: Relay) -> ConnectionLimits {
    let per_peer = match mode {
        Relay::Off => CONNECTIONS_PER_PEER,
        Relay::Use | Relay::Serve => CONNECTIONS_PER_PEER + CONNECTIONS_BY_RELAY,
    };
    let all = max_peers.saturating_mul(per_peer);
    ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX))
        .with_max_established_per_peer(Some(per_peer))
        .with_max_established(Some(all))
}

fn memory_bytes(mebibytes: u32) -> usize {
    usize::try_from(u64::from(mebibytes) * 1024 * 1024).unwrap_or(usize::MAX)
}

/// The version, and a word of chance for this process: whoever meets it again knows whether it has begun anew meanwhile.
fn identify_config(keypair: &identity::Keypair, protocols: &Protocols) -> identify::Config {
    let life: u64 = rand::random();
    identify::Config::new(protocols.greeting(), keypair.public())
        .with_agent_version(format!("althing/{}/{life:016x}", env!("CARGO_PKG_VERSION")))
        .with_push_listen_addr_updates(true)
        // Addresses are kept in our own book, which knows whom to believe.
        .with_cache_size(0)
}

fn multicast(keypair: &identity::Keypair, mdns: Mdns) -> Result<Option<mdns::tokio::Behaviour>, NetError> {
    match mdns {
        Mdns::Off => Ok(None),
        Mdns::On => mdns::tokio::Behaviour::new(mdns::Config::default(), keypair.public().to_peer_id())
            .map(Some)
            .map_err(NetError::Mdns),
    }
}

fn request_response(
    codec: BytesCodec,
    protocols: &Protocols,
    name: &str,
) -> Result<request_response::Behaviour<BytesCodec>, NetError> {
    let config = request_response::Config::default()
        .with_request_timeout(REQUEST_WITHIN)
        .with_max_concurrent_streams(REQUESTS_PER_CONNECTION);
    let protocols = iter::once((protocols.stream(name)?, ProtocolSupport::Full));
    Ok(request_response::Behaviour::with_codec(codec, protocols, config))
}
