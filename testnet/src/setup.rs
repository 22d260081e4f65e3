//! Before the first node: keys, one genesis, and a configuration file for everybody.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use althing_protocol::{
    ids::{Hash, MemberId, NetworkId},
    model::Width,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde::{Deserialize, Serialize};

use crate::{
    althing::Althing,
    error::Error,
    options::RunOptions,
    scenario::{self, Plot},
};

/// Median of what training on one sample costs a node, in micro-credits.
const COST_MEDIAN: f64 = 12.0;
/// Spread of that cost: the standard deviation of its logarithm. Two thirds of the nodes lie within a factor of 1.4.
const COST_SPREAD: f64 = 0.35;
/// Keeps the costs apart from whatever else is drawn from the same seed.
const COST_STREAM: u64 = 0x636f_7374;

/// A federation on disk, ready to be started.
#[derive(Debug, Clone)]
pub struct Federation {
    /// The report folder, absolute.
    pub folder: PathBuf,
    /// The genesis file.
    pub genesis: PathBuf,
    /// Its network id.
    pub network: NetworkId,
    /// The width of each contract on its menu.
    pub widths: Vec<Width>,
    /// The nodes; everything else refers to them by their place in here.
    pub nodes: Vec<Node>,
}

/// Where a node is to be, and what it is up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Site {
    /// Where it listens.
    pub address: Ipv4Addr,
    /// How it attacks, if it does.
    pub plot: Option<Plot>,
}

/// One member of the federation.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name, which is also the name of its folder.
    pub name: String,
    /// Its place among the files: `ledger-LABEL.json` is its ledger.
    pub label: String,
    /// Its public key.
    pub id: MemberId,
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// How it attacks, if it does.
    pub plot: Option<Plot>,
}

impl Node {
    /// Its store and its blobs.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("node.toml")
    }

    /// Its log, over all its lives.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log.txt")
    }

    /// Everything that it has printed, over all its lives.
    pub fn events(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    /// Where it keeps its blobs.
    pub fn blobs(&self) -> PathBuf {
        self.data().join("blobs")
    }

    /// Where it keeps a blob.
    pub fn blob(&self, hash: &Hash) -> PathBuf {
        self.blobs().join(hash.to_string())
    }
}

impl Federation {
    /// Those who attack.
    pub fn attackers(&self) -> impl Iterator<Item = (&Node, Plot)> {
        self.nodes.iter().filter_map(|node| Some((node, node.plot?)))
    }

    /// The node whose key this is.
    pub fn index_of(&self, id: &MemberId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == *id)
    }

    /// What people call this member.
    pub fn name_of(&self, id: &MemberId) -> String {
        self.index_of(id).map_or_else(|| id.short(), |index| self.nodes[index].name.clone())
    }
}

#[derive(Debug, Deserialize)]
struct NewKey {
    id: MemberId,
    anchor: Hash,
}

#[derive(Debug, Deserialize)]
struct NewGenesis {
    network: NetworkId,
    #[serde(default)]
    widths: Vec<Width>,
}

/// The folder of the training data, absolute.
///
/// # Errors
/// [`Error::NoData`] if it does not exist. What is in it, the nodes will see.
pub fn find_data(options: &RunOptions) -> Result<PathBuf, Error> {
    options.data.canonicalize().map_err(|_| Error::NoData(options.data.clone()))
}

/// The sites of a run: all on loopback, some of them attackers if there is a scenario.
///
/// # Errors
/// [`Error::Usage`] if the scenario cannot be played.
pub fn sites(options: &RunOptions) -> Result<Vec<Site>, Error> {
    let count = options.node_count();
    let plots = match &options.scenario {
        Some(file) => scenario::load(file, count)?,
        None => vec![None; count],
    };
    Ok(plots.into_iter().map(|plot| Site { address: Ipv4Addr::LOCALHOST, plot }).collect())
}

/// Makes keys, genesis and configurations under `folder` for a node at each of `sites`, for training on `data`.
///
/// # Errors
/// [`Error::Command`] if the node binary refuses the model or another number; [`Error::Io`] if a file cannot be written.
pub async fn prepare(
    althing: &Althing,
    options: &RunOptions,
    sites: &[Site],
    data: &Path,
    folder: PathBuf,
) -> Result<Federation, Error> {
    let mut nodes = Vec::new();
    let mut members = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        let (node, anchor) = make_node(althing, &folder, &label(index, sites.len())).await?;
        members.push(format!("{}:{}:{anchor}", node.name, node.id));
        nodes.push(Node { plot: site.plot, ..node });
    }
    let genesis = folder.join("genesis.toml");
    let NewGenesis { network, widths } = make_genesis(althing, options, &members, &genesis).await?;
    let costs = draw_costs(options.seed, nodes.len());
    for (part, (node, cost_per_sample)) in nodes.iter().zip(costs).enumerate() {
        let config = Config::of(options, &sites[part].address, data, part, cost_per_sample);
        let text = toml::to_string(&config).map_err(|error| Error::Io {
            doing: format!("write down the configuration of {}", node.name),
            source: std::io::Error::other(error),
        })?;
        fs::write(node.config(), text).map_err(Error::io(format!("write {}", node.config().display())))?;
    }
    Ok(Federation { folder, genesis, network, widths, nodes })
}

/// `1`, `2`, ... with as many digits as the last one has, so that names sort as numbers do.
fn label(index: usize, count: usize) -> String {
    let width = count.to_string().len();
    format!("{:0width$}", index + 1)
}

async fn make_node(althing: &Althing, folder: &Path, label: &str) -> Result<(Node, Hash), Error> {
    let name = format!("node-{label}");
    let folder = folder.join(&name);
    fs::create_dir_all(&folder).map_err(Error::io(format!("make {}", folder.display())))?;
    let arguments = ["--name".into(), name.clone().into(), "--out".into(), folder.join("key.toml").into()];
    let key: NewKey = althing.json(&["key", "new"], &arguments).await?;
    Ok((Node { name, label: label.to_owned(), id: key.id, folder, plot: None }, key.anchor))
}

async fn make_genesis(
    althing: &Althing,
    options: &RunOptions,
    members: &[String],
    out: &Path,
) -> Result<NewGenesis, Error> {
    let widths: Vec<&str> = options.widths.iter().map(|width| width.name()).collect();
    let mut arguments = vec![
        "--name".into(),
        "testnet".into(),
        "--model".into(),
        options.model.clone().into(),
        "--dataset".into(),
        options.dataset.clone().into(),
        "--seed".into(),
        options.seed.to_string().into(),
        "--exchange".into(),
        options.exchange.to_string().into(),
        "--acceptance".into(),
        options.acceptance.to_string().into(),
        "--aggregation".into(),
        options.rule().to_string().into(),
        "--mixing".into(),
        options.mixing().to_string().into(),
        "--codec".into(),
        options.codec.to_string().into(),
        "--widths".into(),
        widths.join(",").into(),
        "--contribution".into(),
        options.contribution.to_string().into(),
        "--noise".into(),
        options.noise().to_string().into(),
        "--pause-ms".into(),
        options.pause_ms().to_string().into(),
        "--out".into(),
        out.into(),
    ];
    if let Some(winners) = options.winners() {
        arguments.extend(["--winners".into(), winners.to_string().into()]);
    }
    if let Some(voters) = options.voters {
        arguments.extend(["--voters".into(), voters.to_string().into()]);
    }
    for member in members {
        arguments.extend(["--member".into(), member.into()]);
    }
    althing.json(&["genesis", "new"], &arguments).await
}

/// What training on one sample costs each node, in micro-credits: the same for the same seed, on any machine.
fn draw_costs(seed: u64, count: usize) -> Vec<u64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ COST_STREAM);
    // The spread is a positive constant, so the distribution exists; were it not, everybody would cost the median.
    let Ok(distribution) = LogNormal::new(COST_MEDIAN.ln(), COST_SPREAD) else {
        return vec![COST_MEDIAN as u64; count];
    };
    (0..count).map(|_| (distribution.sample(&mut rng).round() as u64).max(1)).collect()
}

/// A node's configuration file.
#[derive(Debug, Serialize)]
struct Config {
    genesis: &'static str,
    key: &'static str,
    data_dir: &'static str,
    net: Net,
    http: Http,
    data: Data,
    agents: Agents,
    exchange: Exchange,
    #[serde(skip_serializing_if = "Option::is_none")]
    privacy: Option<Privacy>,
}

/// A budget for as many rounds as the run has.
#[derive(Debug, Serialize)]
struct Privacy {
    epsilon: f64,
    delta: f64,
    rounds: u64,
}

#[derive(Debug, Serialize)]
struct Net {
    listen: [String; 1],
    bootstrap: [&'static str; 0],
    mdns: bool,
}

#[derive(Debug, Serialize)]
struct Http {
    listen: &'static str,
}

#[derive(Debug, Serialize)]
struct Data {
    path: PathBuf,
    partition: String,
    parts: usize,
    part: usize,
    seed: u64,
}

#[derive(Debug, Serialize)]
struct Agents {
    cost_per_sample: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    asking: String,
}

#[derive(Debug, Serialize)]
struct Exchange {
    continue_when_halted: bool,
}

impl Config {
    fn of(options: &RunOptions, address: &Ipv4Addr, data: &Path, part: usize, cost_per_sample: u64) -> Self {
        let (path, partition) = (data.to_owned(), options.partition.clone());
        Self {
            genesis: "../genesis.toml",
            key: "key.toml",
            data_dir: "data",
            net: Net { listen: [format!("/ip4/{address}/tcp/0")], bootstrap: [], mdns: false },
            http: Http { listen: "127.0.0.1:0" },
            data: Data { path, partition, parts: options.node_count(), part, seed: options.seed },
            agents: Agents { cost_per_sample, endpoint: options.endpoint.clone(), asking: options.asking.clone() },
            exchange: Exchange { continue_when_halted: options.continue_when_halted },
            privacy: options.epsilon.map(|epsilon| Privacy { epsilon, delta: options.delta, rounds: options.rounds }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_differ_between_nodes_and_repeat_with_the_seed() {
        let costs = draw_costs(1, 8);
        assert_eq!(costs, draw_costs(1, 8));
        assert_eq!(costs[..4], draw_costs(1, 4), "one more node changes nothing for the others");
        assert_ne!(costs, draw_costs(2, 8));
        assert!(costs.iter().all(|cost| (3..=50).contains(cost)), "{costs:?}");
        assert!(costs.iter().collect::<std::collections::BTreeSet<_>>().len() >= 4, "{costs:?}");
    }

    #[test]
    fn names_sort_as_numbers_do() {
        assert_eq!(label(0, 8), "1");
        assert_eq!(label(8, 10), "09");
        assert_eq!(label(9, 10), "10");
    }
}
