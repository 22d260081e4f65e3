//! What the network needs to know before it starts.

use std::{collections::BTreeSet, time::Duration};

use althing_protocol::ids::MemberId;
use libp2p::Multiaddr;
use serde::Deserialize;

use super::SharedKey;

/// Time in which two peers that have met through a relay are to meet directly: three attempts, each as long as a handshake.
const DIRECT_WITHIN: Duration = Duration::from_secs(30);

/// Whether peers are searched on the local network by multicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mdns {
    /// Announce this node and search for others. Loopback addresses are never announced.
    On,
    /// Stay silent: peers come from the bootstrap addresses and from other peers.
    Off,
}

/// Who may stay connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// These members and nobody else.
    MembersOnly(BTreeSet<MemberId>),
    /// Every node of the same genesis.
    Anyone,
}

impl Admission {
    /// Whether `member` may stay.
    pub(super) fn admits(&self, member: &MemberId) -> bool {
        match self {
            Self::MembersOnly(members) => members.contains(member),
            Self::Anyone => true,
        }
    }
}

/// Whether strangers may ask to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// They are dropped as soon as they are known to be strangers.
    Closed,
    /// They may knock before they are. Meanwhile they hear what members tell each other.
    Open,
}

/// What this node does about routers that let nobody in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relay {
    /// Nothing: whoever cannot be dialled is not reached.
    Off,
    /// Be reachable through members that relay, and meet others directly where the routers allow it.
    #[default]
    Use,
    /// Relay for members: this node can be dialled from everywhere.
    Serve,
}

/// Where raw streams, which carry models, may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bulk {
    /// Over direct connections and no others.
    #[default]
    Direct,
    /// Over a relay too.
    Anywhere,
}

/// Whether the router is asked to pass ports on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upnp {
    /// It is, by UPnP.
    On,
    /// It is left alone.
    Off,
}

/// The settings of the network.
#[derive(Debug, Clone)]
pub struct NetConfig {
    /// Addresses to listen on; port 0 lets the system choose. TCP and QUIC may stand side by side.
    pub listen: Vec<Multiaddr>,
    /// Addresses of nodes that know the federation. They are dialled until they answer, and again when they are lost.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether the local network is searched.
    pub mdns: Mdns,
    /// Most peers that are connected at once.
    pub max_peers: u32,
    /// Resident memory of this process, in MiB, above which new connections are refused.
    pub max_memory_mb: u32,
    /// Who may stay connected.
    pub admission: Admission,
    /// Whether others may ask to be let in.
    pub door: Door,
    /// What is done about routers that let nobody in.
    pub relay: Relay,
    /// Where raw streams may go.
    pub bulk: Bulk,
    /// Time in which two peers that have met through a relay are to meet directly.
    pub direct_within: Duration,
    /// Whether the router is asked to pass ports on.
    pub upnp: Upnp,
    /// Addresses at which others reach this node and that it cannot know itself.
    pub external: Vec<Multiaddr>,
    /// The key without which nobody is spoken to, if the network is private. Such a network knows TCP alone.
    pub shared_key: Option<SharedKey>,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            bootstrap: Vec::new(),
            mdns: Mdns::On,
            max_peers: 64,
            max_memory_mb: 1024,
            admission: Admission::Anyone,
            door: Door::Closed,
            relay: Relay::Off,
            bulk: Bulk::Direct,
            direct_within: DIRECT_WITHIN,
            upnp: Upnp::Off,
            external: Vec::new(),
            shared_key: None,
        }
    }
}
