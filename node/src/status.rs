//! What a running node says about itself over HTTP, on loopback or to who knows a token.
//!
//! `GET /` is the live page ([`crate::page`]), `GET /api/status` is JSON, `GET /metrics` is for Prometheus, `GET /healthz` says that the node is alive, `GET /readyz`
//! whether it can do its part, and `/api/log` what it logs. `GET /api/ledger` is what accounts own, `POST /api/instructions` takes what
//! their owners have signed. The pages only read; an instruction moves credits of nobody but whose key has signed it, and
//! nothing else that can be asked for changes more than the logs. [`guard`] says who may ask.

mod client;
mod guard;
mod metrics;
mod operate;
mod server;
mod tally;
mod teller;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use althing_protocol::{
    event::{Account, Phase},
    ids::{Hash, Height, MemberId, NetworkId, Round, Step},
};
use serde::{Deserialize, Serialize};

pub use client::{AskError, Door, SubmitFailure, ask, ask_decided, ask_decisions, log_filter};
pub use guard::{TOKEN_CHARS_MIN, Token, TokenError, USER, for_this_machine};
pub use operate::Readiness;
pub use server::{ADDRESS_FILE, Place, ServeError, Server, Told};
pub use tally::{Questions, Spell, Tally};
pub use teller::{Books, SUBMISSIONS, Submission};

/// A node at one moment. Field names are stable; a reader must ignore those that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Itself.
    pub member: MemberId,
    /// Its federation.
    pub network: NetworkId,
    /// The last height that it has decided.
    pub height: Height,
    /// Hash of the body decided there.
    pub head: Hash,
    /// The open round, 0 before the first.
    pub round: Round,
    /// The phase of that round, if one is open.
    pub phase: Option<Phase>,
    /// The member elected to chair it, if one is.
    pub chair: Option<MemberId>,
    /// Connected members.
    pub peers: u32,
    /// Bytes on the wire since the node started.
    pub wire: Wire,
    /// What each protocol carried since the node started, by its name.
    #[serde(default)]
    pub payload: BTreeMap<String, Traffic>,
    /// What goes through relays.
    #[serde(default)]
    pub reach: Reach,
    /// What is kept on the disk.
    #[serde(default)]
    pub holdings: Holdings,
    /// What happened since the node started.
    #[serde(default)]
    pub tally: Tally,
    /// What keeps the node from doing its part, in sentences; nothing if it can.
    #[serde(default)]
    pub hindrances: Vec<String>,
    /// When this was brought up to date, in milliseconds since 1970 by the node's clock.
    #[serde(default)]
    pub told_ms: u64,
    /// What its agents decided since the node started.
    pub decisions: Decisions,
    /// What the member owns, in micro-credits.
    pub credits: u64,
    /// The member's reputation.
    pub reputation: i64,
    /// Its epidemic exchange since the node started, if there was one.
    #[serde(default)]
    pub exchange: Option<Steps>,
    /// What training may tell about the member's examples; none if it is without noise.
    #[serde(default)]
    pub privacy: Option<Account>,
    /// Most memory that the process ever had resident, in MiB, rounded up; 0 where the system does not tell.
    /// Filled in when asked for.
    pub peak_rss_mb: u64,
}

/// Bytes on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    /// Sent, blobs included.
    pub sent_bytes: u64,
    /// Received, blobs included.
    pub received_bytes: u64,
    /// Sent as blobs.
    pub blob_sent_bytes: u64,
    /// Received as blobs.
    pub blob_received_bytes: u64,
    /// Messages that were dropped because they came too fast.
    #[serde(default)]
    pub dropped: u64,
}

/// Payload of a protocol, in bytes. What goes to several peers counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Sent.
    pub sent_bytes: u64,
    /// Received.
    pub received_bytes: u64,
}

/// How a node and others reach each other through relays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    /// Members through which this node can be reached now.
    pub relays: u64,
    /// Connected peers that are reached through a relay and not otherwise.
    pub relayed_peers: u64,
    /// Peers met through a relay that were then met directly.
    pub met_directly: u64,
    /// Peers met through a relay that could not be met directly.
    pub not_met: u64,
    /// Bytes sent through relays, for this node itself.
    pub sent_bytes: u64,
    /// Bytes received through relays, for this node itself.
    pub received_bytes: u64,
    /// Circuits that this node has opened for others.
    pub circuits: u64,
}

/// What a node keeps on its disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holdings {
    /// Blobs, begun ones included.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Size of the store's file, in bytes.
    pub store_bytes: u64,
}

/// Steps of epidemic exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// The step that the member is in, by its own count over all its lives.
    pub step: Step,
    /// Steps that have ended.
    pub ended: u64,
    /// Models of others that came in time.
    pub received: u64,
    /// Those of them that entered the member's own.
    pub accepted: u64,
    /// The rest of them.
    pub refused: u64,
}

/// Decisions of agents, by who made them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// By a language model.
    pub model: u64,
    /// By rules, because they were asked.
    pub rules: u64,
    /// By rules, because the model failed.
    pub fallback: u64,
}

impl Status {
    /// A node that has decided nothing and knows nobody.
    pub fn new(member: MemberId, network: NetworkId) -> Self {
        Self {
            member,
            network,
            height: Height(0),
            head: Hash::ZERO,
            round: Round(0),
            phase: None,
            chair: None,
            peers: 0,
            wire: Wire::default(),
            payload: BTreeMap::new(),
            reach: Reach::default(),
            holdings: Holdings::default(),
            tally: Tally::default(),
            hindrances: Vec::new(),
            told_ms: 0,
            decisions: Decisions::default(),
            credits: 0,
            reputation: 0,
            exchange: None,
            privacy: None,
            peak_rss_mb: 0,
        }
    }
}

/// Most memory that this process ever had resident, in MiB, rounded up; 0 where the system does not tell.
pub fn peak_rss_mb() -> u64 {
    own_kib("VmHWM:").div_ceil(1024)
}

/// Memory of this process that is resident, in bytes; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    own_kib("VmRSS:").saturating_mul(1024)
}

/// What the kernel says of this process under `name`, in KiB.
fn own_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}
