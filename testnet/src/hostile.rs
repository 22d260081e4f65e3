//! A hostile node: a member that hands in lies as its updates, or one that breaks the protocol.
//!
//! A liar is the node that everybody runs, with another learner: that one trains honestly, waits a little for the updates of
//! others, and then makes a lie of all that by the attack library. What others have sent it knows from its own node, whose
//! events it overhears and whose blobs lie on its disk. Who breaks the protocol is the same node with another outlet, which
//! changes what leaves it. The `althing` binary contains nothing of this.

mod breach;
mod liar;
mod siege;
mod sight;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicUsize},
};

use althing_node::{
    cli::{Format, RunArgs},
    config::{self, Config},
    driver::{self, Outlet, Sink, Unchanged},
    failure::Failure,
    genesis_file,
    keyfile::KeyFile,
    learn::{
        catalogue::{Catalogue, Task, TaskError},
        data::{CLASSES, Dataset, Schema, Source},
        facts,
        job::Learn,
        model::Architecture,
        params,
        portion::Portion,
        state_dict::Entry,
        train::Learner,
    },
    net::Multiaddr,
    telemetry,
};
use althing_protocol::{ids::MemberId, model::Manifest, sim::attack::Attack};
use clap::Args;

pub use self::breach::Breach;
use self::{
    breach::Breaker,
    liar::Liar,
    sight::{Ear, Sight},
};
use crate::scenario::Misdeed;

/// The data schema of the models that a hostile node can train.
const DATASET: &str = "mnist";
/// Folder of the blobs, in a node's data folder.
const BLOBS: &str = "blobs";

/// Options of `testnet hostile`, which `testnet run` calls for the nodes that a scenario names.
#[derive(Debug, Clone, Args)]
pub struct HostileArgs {
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// A member to dial at the start
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<Multiaddr>,

    /// How it attacks
    #[arg(long, value_name = "ATTACK")]
    pub attack: Misdeed,

    /// The round from which it does, or the step of epidemic exchange
    #[arg(long, default_value_t = 1, value_name = "ROUND")]
    pub from_round: u64,

    /// A member, perhaps itself, that attacks too
    #[arg(long = "accomplice", value_name = "ID")]
    pub accomplices: Vec<MemberId>,
}

/// Runs a hostile node until SIGINT or SIGTERM, and prints what it tells as lines of JSON.
///
/// # Errors
/// [`Failure`] when it cannot start, or must not go on.
pub async fn run(args: &HostileArgs) -> Result<(), Failure> {
    telemetry::init()?;
    let config = Config::load(&args.config)?;
    let (genesis, blobs) = (genesis_file::load(&config.genesis)?, config.data_dir.join(BLOBS));
    let network = genesis.network();
    let key = KeyFile::load(&config.key)?.keypair();
    let others = genesis.members.iter().map(|member| member.id).filter(|id| *id != key.id()).collect();
    let sight = Arc::new(Sight::new(genesis, args.accomplices.iter().copied().collect(), blobs));
    let (catalogue, outlet): (_, Arc<dyn Outlet>) = match args.attack {
        Misdeed::Lie(attack) => (lying(attack, args.from_round, &sight), Arc::new(Unchanged)),
        Misdeed::Breach(breach) => {
            if breach == Breach::Besiege {
                siege::begin(&args.bootstrap, network);
            }
            let (from_round, sight, spoken) = (args.from_round, Arc::clone(&sight), AtomicUsize::new(0));
            let breaker = Breaker { breach, from_round, key, network, others, sight, spoken };
            (Catalogue::built_in(), Arc::new(breaker))
        }
    };
    let sink = Sink::new(Format::Json, Ear::new(std::io::stdout(), sight));
    let run = RunArgs { config: args.config.clone(), bootstrap: args.bootstrap.clone() };
    driver::run_until(&run, &catalogue, (sink, outlet), driver::stop_signal()).await
}

/// What everybody can learn, learnt by somebody who lies about it.
fn lying(attack: Attack, from_round: u64, sight: &Arc<Sight>) -> Catalogue {
    Architecture::ALL.into_iter().fold(Catalogue::built_in(), |catalogue, architecture| {
        let sight = Arc::clone(sight);
        catalogue.with(architecture.name(), DATASET, Hostile { architecture, attack, from_round, sight })
    })
}

/// A built-in model, learnt by somebody who lies about it.
struct Hostile {
    architecture: Architecture,
    attack: Attack,
    from_round: u64,
    sight: Arc<Sight>,
}

impl Hostile {
    /// What everybody else has for this model.
    fn honest(&self) -> Result<Arc<dyn Task>, TaskError> {
        Catalogue::built_in().find(self.architecture.name(), DATASET)
    }
}

impl Task for Hostile {
    fn manifest(&self) -> Manifest {
        params::manifest(self.architecture)
    }

    fn first_model(&self, seed: u64) -> Vec<f32> {
        facts::first_model(self.architecture, seed)
    }

    fn learner(&self, config: &config::Data) -> Result<Box<dyn Learn>, TaskError> {
        let Portion { train, held_out } = Portion::load(&Source::find(config, Schema::Mnist)?, config)?;
        let learner = |train, held_out| Learner::new(self.architecture, train, held_out, Dataset::default());
        let poisoned = match self.attack {
            Attack::LabelFlip => {
                let last = (CLASSES - 1) as u8;
                Some(learner(train.clone().relabelled(|label| last - label)?, Dataset::default()))
            }
            _ => None,
        };
        let honest = learner(train, held_out);
        let (attack, from_round, sight) = (self.attack, self.from_round, Arc::clone(&self.sight));
        Ok(Box::new(Liar::new(honest, poisoned, attack, from_round, sight)))
    }

    fn examiner(&self, data: &config::Data) -> Result<Box<dyn Learn>, TaskError> {
        self.honest()?.examiner(data)
    }

    fn state_dict(&self) -> Vec<Entry> {
        // A model that everybody has is never unknown.
        self.honest().map(|task| task.state_dict()).unwrap_or_default()
    }
}
