//! The file that configures one node.
//!
//! Every field but the first three has a default, every number a bound, and an unknown field is a mistake. Paths are
//! relative to the folder of the file, so that a node's folder can be moved as a whole.

mod bounds;
mod privacy;
#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use althing_agents::orders::verdict::Asking;
use althing_protocol::{genesis::Genesis, machine::WhenHalted};
use libp2p::{Multiaddr, multiaddr::Protocol};
use serde::Deserialize;

pub use self::privacy::Privacy;
use crate::{
    endpoint::Address,
    files::{self, FileError},
    learn::data::Format,
    net::{Bulk, Relay},
};

/// Longest configuration, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// How one node is set up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The federation's genesis file.
    pub genesis: PathBuf,
    /// This member's key file.
    pub key: PathBuf,
    /// Folder of the store and the blobs. Created when missing.
    pub data_dir: PathBuf,
    /// The first model, where the genesis names another than the one that its seed leads to. Default: that one.
    #[serde(default)]
    pub first_model: Option<PathBuf>,
    /// The invitation by which this node joins, where the genesis does not name its key. Default: none.
    #[serde(default)]
    pub invitation: Option<PathBuf>,
    /// The network.
    #[serde(default)]
    pub net: Net,
    /// The status pages.
    #[serde(default)]
    pub http: Http,
    /// The member's own data.
    #[serde(default)]
    pub data: Data,
    /// What the agents know about this machine, and whom they ask.
    #[serde(default)]
    pub agents: Agents,
    /// What the node may use.
    #[serde(default)]
    pub limits: Limits,
    /// How models travel beside the rounds.
    #[serde(default)]
    pub exchange: Exchange,
    /// What training may tell about the member's examples; anything, if nothing is said.
    #[serde(default)]
    pub privacy: Option<Privacy>,
}

/// The network.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Net {
    /// Multiaddresses to listen on, 1 to 16. Default: any free port, over TCP and over QUIC.
    #[serde(deserialize_with = "bounds::listen_addresses")]
    pub listen: Vec<Multiaddr>,
    /// Multiaddresses of members to dial at the start, at most 64. Default: none.
    #[serde(deserialize_with = "bounds::addresses")]
    pub bootstrap: Vec<Multiaddr>,
    /// Whether members on the same LAN find each other without bootstrap addresses. Default: true.
    pub mdns: bool,
    /// Most connected peers, 1 to 1024. Default: 64.
    #[serde(deserialize_with = "bounds::number::<1, 1_024, _, _>")]
    pub max_peers: u32,
    /// What is done about routers that let nobody in: `use` members that relay, `serve` as one that can be dialled from
    /// everywhere, or `off`. Default: `use`; a node that listens on loopback alone has no use for them.
    pub relay: Relay,
    /// Where models may go: over `direct` connections, or `anywhere`, relays included. Default: `direct`.
    pub relay_bulk: Bulk,
    /// Whether the router is asked to pass the ports on, by UPnP, which opens them to everybody. Default: false.
    pub upnp: bool,
    /// Multiaddresses at which others reach this node and which it cannot know, as those of a router that passes a port
    /// on, at most 64. Default: none.
    #[serde(deserialize_with = "bounds::addresses")]
    pub external: Vec<Multiaddr>,
    /// A file with the key that all members of a private network hold, and without which nobody is spoken to. Such a
    /// network knows TCP alone. Default: none, and the network is open to knocks.
    pub shared_key_file: Option<PathBuf>,
}

impl Net {
    /// Whether nobody but this machine can dial the node.
    pub fn is_loopback_only(&self) -> bool {
        self.listen.iter().all(|address| match address.iter().next() {
            Some(Protocol::Ip4(ip)) => ip.is_loopback(),
            Some(Protocol::Ip6(ip)) => ip.is_loopback(),
            _ => false,
        })
    }
}

impl Default for Net {
    fn default() -> Self {
        let any = Multiaddr::from(Ipv4Addr::UNSPECIFIED);
        let tcp = any.clone().with(Protocol::Tcp(0));
        let quic = any.with(Protocol::Udp(0)).with(Protocol::QuicV1);
        Self {
            listen: vec![tcp, quic],
            bootstrap: Vec::new(),
            mdns: true,
            max_peers: 64,
            relay: Relay::Use,
            relay_bulk: Bulk::Direct,
            upnp: false,
            external: Vec::new(),
            shared_key_file: None,
        }
    }
}

/// The status pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port; port 0 takes a free one. Anything but loopback needs a token. Default: `127.0.0.1:0`.
    #[serde(deserialize_with = "bounds::socket")]
    pub listen: SocketAddr,
    /// A file with the token that whoever asks must know. Default: none, and nobody but this machine is answered.
    pub token_file: Option<PathBuf>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), token_file: None }
    }
}

/// The member's own data.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Folder of the data set, or one CSV file. Default: `data/mnist`.
    pub path: PathBuf,
    /// Its files: `idx`, `cifar` or `csv`. Default: what is found there.
    pub format: Option<Format>,
    /// The column of a CSV file that holds the labels. Default: the last one.
    pub label: Option<String>,
    /// How examples are dealt out: `iid`, `dirichlet:ALPHA`, `shards:K` or `label:K`. Default: `iid`.
    pub partition: String,
    /// Parts that the data set is dealt into, 1 to 1,000,000. Default: 1.
    #[serde(deserialize_with = "bounds::number::<1, 1_000_000, _, _>")]
    pub parts: u32,
    /// The part that is this member's, from 0, below `parts`. Default: 0.
    #[serde(deserialize_with = "bounds::number::<0, 999_999, _, _>")]
    pub part: u32,
    /// Seed of the deal: the same for all members that share a data set. Default: 1.
    pub seed: u64,
    /// Examples that are kept from training, to appraise updates with, 1 to 1,000,000. Default: 256.
    #[serde(deserialize_with = "bounds::number::<1, 1_000_000, _, _>")]
    pub held_out: u32,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            path: "data/mnist".into(),
            format: None,
            label: None,
            partition: "iid".into(),
            parts: 1,
            part: 0,
            seed: 1,
            held_out: 256,
        }
    }
}

/// What the agents know about this machine, and whom they ask.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agents {
    /// What training on one example once costs this member, in micro-credits, 0 to 1,000,000. Default: 10.
    #[serde(deserialize_with = "bounds::number::<0, 1_000_000, _, _>")]
    pub cost_per_sample: u64,
    /// A language model's endpoint, as `http://127.0.0.1:8080`. Default: none; the agents decide by rules.
    pub endpoint: Option<Address>,
    /// The model to ask for, as the endpoint calls it. Default: the first that it lists.
    #[serde(deserialize_with = "bounds::some_model")]
    pub model: Option<String>,
    /// The environment variable that holds the endpoint's key. Default: none; no key is sent.
    #[serde(deserialize_with = "bounds::some_variable")]
    pub key_env: Option<String>,
    /// How long an answer of the endpoint may take, in milliseconds, 100 to 3,600,000. Default: 120,000.
    #[serde(deserialize_with = "bounds::number::<100, 3_600_000, _, _>")]
    pub answer_within_ms: u64,
    /// Pause between two questions to the endpoint, in milliseconds, 0 to 3,600,000. Default: 1,000.
    #[serde(deserialize_with = "bounds::number::<0, 3_600_000, _, _>")]
    pub ask_every_ms: u64,
    /// How the model is asked to choose: `each-alone`, `both-ways` or `once`. Default: `each-alone`.
    pub asking: Asking,
}

impl Default for Agents {
    fn default() -> Self {
        Self {
            cost_per_sample: 10,
            endpoint: None,
            model: None,
            key_env: None,
            answer_within_ms: 120_000,
            ask_every_ms: 1_000,
            asking: Asking::default(),
        }
    }
}

/// How models travel beside the rounds. What all members hold in common about it stands in the genesis.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exchange {
    /// Whether this member goes on learning, with whoever is there, while the ledger is halted. Each member chooses for
    /// itself, because it spends its own time and privacy, and no genesis can be changed then. Default: false.
    pub continue_when_halted: bool,
}

impl Exchange {
    /// What the member does while the ledger is halted.
    pub const fn when_halted(self) -> WhenHalted {
        if self.continue_when_halted { WhenHalted::Continue } else { WhenHalted::Wait }
    }
}

/// What the node may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Resident memory above which new connections are refused, in MiB, 64 to 1,048,576. Default: 1,024.
    #[serde(deserialize_with = "bounds::number::<64, 1_048_576, _, _>")]
    pub memory_mb: u64,
    /// Share of one core that training may use, in percent, 1 to 100. Default: 100.
    #[serde(deserialize_with = "bounds::number::<1, 100, _, _>")]
    pub core_percent: u32,
    /// Tasks that run or want to, for each core and in percent, above which the node rests, 1 to 100,000. Default: it
    /// rests only when no contract would be done in time.
    #[serde(deserialize_with = "bounds::some_number::<1, 100_000, _>")]
    pub max_load_percent: Option<u32>,
    /// Disk that models and updates may take, in MiB, 1 to 1,073,741,824. What others offer beyond it is not fetched, and
    /// nothing that the ledger needs is deleted for it. Default: no limit.
    #[serde(deserialize_with = "bounds::some_number::<1, 1_073_741_824, _>")]
    pub disk_mb: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mb: 1_024, core_percent: 100, max_load_percent: None, disk_mb: None }
    }
}

impl Limits {
    /// Bytes that blobs may take on the disk, if that is enough for a round of `genesis`: the last model, the one before,
    /// the next, the winners' updates and this member's own.
    ///
    /// # Errors
    /// [`ConfigError::Disk`] if it is not.
    pub fn disk_bytes(&self, genesis: &Genesis) -> Result<u64, ConfigError> {
        let Some(disk_mb) = self.disk_mb.map(u64::from) else { return Ok(u64::MAX) };
        let tensors = &genesis.task.tensors;
        let update = *genesis.exchange.codec.sizes(tensors.parameters()).end();
        let updates = update.saturating_mul(u64::from(genesis.market.max_winners) + 1);
        let least = genesis.task.initial_model.size.saturating_mul(MODELS_HELD).saturating_add(updates);
        let given = disk_mb.saturating_mul(MIB);
        if given >= least { Ok(given) } else { Err(ConfigError::Disk { disk_mb, least_mb: least.div_ceil(MIB) }) }
    }
}

/// Models that a round needs.
const MODELS_HELD: u64 = 3;
const MIB: u64 = 1 << 20;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration: {0}")]
    File(#[from] FileError),
    /// A line does not say what it should.
    #[error("configuration {0}; correct that line and start again")]
    Line(String),
    /// Pages that anybody could read.
    #[error(
        "configuration {path}: http.listen {address} is not loopback, must be on 127.0.0.1 or [::1], or name a file with \
         a secret as http.token_file that whoever asks must know"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Where the pages would be served.
        address: SocketAddr,
    },
    /// There is no room for a round.
    #[error(
        "configuration: limits.disk_mb is {disk_mb}, and the models and updates of one round of this federation take up to \
         {least_mb} MiB; raise it, or leave it out"
    )]
    Disk {
        /// What the configuration says.
        disk_mb: u64,
        /// What it must say at least.
        least_mb: u64,
    },
    /// Two fields contradict each other.
    #[error("configuration {path}: data.part is {part}, but must be below data.parts ({parts}); parts count from 0")]
    Part {
        /// The file.
        path: PathBuf,
        /// The part that it asks for.
        part: u32,
        /// The parts that there are.
        parts: u32,
    },
}

impl Config {
    /// Reads and checks the configuration at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the line and what to do.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&files::read(path, MAX_BYTES)?, path)
    }

    /// The configuration that `text` is, as if it stood at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] names the line and what to do.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let parsed = toml::from_str::<Self>(text);
        let mut config = parsed.map_err(|error| ConfigError::Line(files::toml_error(path, text, &error)))?;
        let Data { part, parts, .. } = config.data;
        if part >= parts {
            return Err(ConfigError::Part { path: path.to_owned(), part, parts });
        }
        let Http { listen: address, token_file } = &config.http;
        if token_file.is_none() && !address.ip().is_loopback() {
            return Err(ConfigError::Exposed { path: path.to_owned(), address: *address });
        }
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let paths = [&mut config.genesis, &mut config.key, &mut config.data_dir, &mut config.data.path];
        let secrets = [&mut config.net.shared_key_file, &mut config.http.token_file];
        let optional = [&mut config.first_model, &mut config.invitation].into_iter().chain(secrets);
        for relative in paths.into_iter().chain(optional.flatten()) {
            // Joining an absolute path replaces the folder, which is just what an absolute path asks for.
            *relative = folder.join(&relative);
        }
        Ok(config)
    }
}
