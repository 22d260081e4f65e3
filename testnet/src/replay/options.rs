//! What the user may ask of a replay.

use std::{num::NonZeroUsize, path::PathBuf};

use althing_node::learn::partition::Partition;
use clap::{Args, Subcommand, value_parser};

use super::setting::{self, Changes, FEDAVG_TARGET, Setting};

/// Options of `testnet replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayOptions {
    /// Which one.
    #[command(subcommand)]
    pub experiment: Experiment,
}

/// The published experiments that can be replayed.
#[derive(Debug, Clone, Subcommand)]
pub enum Experiment {
    /// McMahan et al. 2017: rounds of federated averaging until a 2NN is right on 97 % of the test set
    #[command(name = "fedavg-2nn")]
    Fedavg2nn {
        /// Accuracy to reach, above 0 and at most 1; figures are published for 0.97
        #[arg(long, default_value_t = FEDAVG_TARGET, value_name = "SHARE", value_parser = share)]
        target: f64,
        /// What all replays know.
        #[command(flatten)]
        common: Common,
    },
    /// Li et al. 2022 (NIID-Bench): accuracy of a LeNet after 50 rounds of all ten members
    Niid {
        /// What all replays know.
        #[command(flatten)]
        common: Common,
    },
}

/// What all replays know.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K
    #[arg(long, default_value = "iid", value_name = "KIND")]
    pub partition: Partition,

    /// Runs, each with a seed of its own; the median counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = value_parser!(u16).range(1..=1_000))]
    pub seeds: u16,

    /// Seed of the first run; the others follow it
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,

    /// Rounds after which a run ends, whatever it has reached [default: 1000; 50 for niid]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=100_000))]
    pub rounds_max: Option<u64>,

    /// Learning rate [default: the best one found, see docs/replay.md]
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,

    /// Threads that train and evaluate; the result does not depend on them
    #[arg(long, default_value = "2", value_name = "N", value_parser = threads)]
    pub threads: NonZeroUsize,

    /// Exit with 1 if the median is worse than the published figure
    #[arg(long)]
    pub require: bool,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced
    #[arg(long, default_value = "testnet-report", value_name = "DIR")]
    pub report: PathBuf,

    /// Folder of the four MNIST files
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,
}

impl Experiment {
    /// What all replays know.
    pub const fn common(&self) -> &Common {
        match self {
            Self::Fedavg2nn { common, .. } | Self::Niid { common } => common,
        }
    }

    /// The setting that is asked for.
    pub fn setting(&self) -> Setting {
        match self {
            Self::Fedavg2nn { target, common } => setting::fedavg_2nn(&common.changes(), *target),
            Self::Niid { common } => setting::niid(&common.changes()),
        }
    }
}

impl Common {
    const fn changes(&self) -> Changes {
        Changes { partition: self.partition, learning_rate: self.lr, rounds_max: self.rounds_max }
    }

    /// The seeds of the runs. Past the largest number they begin again at zero.
    pub fn all_seeds(&self) -> impl Iterator<Item = u64> {
        let first = self.seed;
        (0..u64::from(self.seeds)).map(move |run| first.wrapping_add(run))
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "it must be a number above 0 and at most 1, such as 0.97".to_owned())
}

/// More threads than any machine has would only cost memory.
const THREADS_MAX: usize = 1_024;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= THREADS_MAX);
    threads.ok_or_else(|| format!("it must be a whole number from 1 to {THREADS_MAX}"))
}

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};

    use super::*;
    use crate::{
        options::{Cli, Command},
        replay::setting::Goal,
    };

    fn parse(arguments: &[&str]) -> Result<Experiment, ErrorKind> {
        let all = ["testnet", "replay"].iter().chain(arguments);
        match Cli::try_parse_from(all).map_err(|error| error.kind())?.command {
            Command::Replay(options) => Ok(options.experiment),
            other => panic!("{other:?} is no replay"),
        }
    }

    #[test]
    fn without_options_the_published_setting_is_replayed() {
        let experiment = parse(&["fedavg-2nn"]).unwrap();
        let setting = experiment.setting();
        assert_eq!((setting.members, setting.participants, setting.goal), (100, 10, Goal::RoundsTo(0.97)));
        assert_eq!((setting.hyper.epochs, setting.hyper.batch, setting.hyper.momentum), (1, 10, 0.0));
        assert_eq!(experiment.common().all_seeds().collect::<Vec<_>>(), [1, 2, 3]);
        let setting = parse(&["niid"]).unwrap().setting();
        assert_eq!((setting.members, setting.participants, setting.rounds_max), (10, 10, 50));
    }

    #[test]
    fn what_is_asked_for_reaches_the_setting() {
        let experiment = parse(&["fedavg-2nn", "--partition", "shards:2", "--lr", "0.5", "--rounds-max", "7"]).unwrap();
        let setting = experiment.setting();
        assert_eq!(setting.partition, Partition::Shards { per_member: 2 });
        assert_eq!((setting.hyper.learning_rate, setting.rounds_max), (0.5, 7));
        let experiment = parse(&["niid", "--seed", "18446744073709551615", "--seeds", "2"]).unwrap();
        assert_eq!(experiment.common().all_seeds().collect::<Vec<_>>(), [u64::MAX, 0]);
    }

    #[test]
    fn numbers_out_of_bounds_are_refused() {
        let wrong =
            [["--seeds", "0"], ["--rounds-max", "0"], ["--target", "1.01"], ["--target", "NaN"], ["--threads", "0"]];
        for wrong in wrong.into_iter().chain([["--partition", "shards"], ["--threads", "1025"], ["--lr", "fast"]]) {
            assert_eq!(
                parse(&[&["fedavg-2nn"], &wrong[..]].concat()).unwrap_err(),
                ErrorKind::ValueValidation,
                "{wrong:?}"
            );
        }
        assert_eq!(parse(&["niid", "--target", "0.9"]).unwrap_err(), ErrorKind::UnknownArgument);
        assert_eq!(parse(&[]).unwrap_err(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    }
}
