//! What the user may ask of a replay.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Subcommand, value_parser};

use super::{
    byzfl, codecs::Codecs, dp_mnist::DpMnist, epidemic::Epidemic, fedavg_2nn::Fedavg2nn, heterofl::Heterofl,
    niid::Niid, plan::Replay,
};

/// Options of `testnet replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayOptions {
    /// Which one.
    #[command(subcommand)]
    pub published: Published,
}

/// What was published: experiments of one shape, and a grid.
#[derive(Debug, Clone, Subcommand)]
pub enum Published {
    /// Cases whose runs are compared by one figure.
    #[command(flatten)]
    Compared(Experiment),
    /// González et al. 2025 (ByzFL): accuracy of distributed SGD under the worst attack, for each number of liars
    Byzfl(byzfl::Options),
}

/// The published experiments that can be replayed.
#[derive(Debug, Clone, Subcommand)]
pub enum Experiment {
    /// McMahan et al. 2017: rounds of federated averaging until a 2NN is right on 97 % of the test set
    #[command(name = "fedavg-2nn")]
    Fedavg2nn(Fedavg2nn),
    /// Li et al. 2022 (NIID-Bench): accuracy of a LeNet after 50 rounds of all ten members
    Niid(Niid),
    /// TensorFlow Privacy: accuracy of a model trained with example-level privacy at epsilon 1.20 and 2.92, delta 1e-5
    DpMnist(DpMnist),
    /// Coded updates against plain ones: accuracy of a LeNet and bytes of its updates, at most 0.3 and 0.7 points lost
    Codecs(Codecs),
    /// Our own comparison: epidemic exchange beside a server and a ring, members' mean accuracy after 20 steps
    Epidemic(Epidemic),
    /// Diao et al. 2021 (HeteroFL): members who train a part of each layer, beside full width for all and without them
    Heterofl(Heterofl),
}

/// What all replays know.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Runs of each case, each with a seed of its own; the median counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = value_parser!(u16).range(1..=1_000))]
    pub seeds: u16,

    /// Seed of the first run; the others follow it
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,

    /// Rounds after which a run ends, whatever it has reached [default: as published]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=100_000))]
    pub rounds_max: Option<u64>,

    /// Learning rate [default: the best one found, see docs/replay.md]
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,

    /// Threads that train and evaluate; the result does not depend on them
    #[arg(long, default_value = "2", value_name = "N", value_parser = threads)]
    pub threads: NonZeroUsize,

    /// Exit with 1 if a median is worse than what it is compared with
    #[arg(long)]
    pub require: bool,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced
    #[arg(long, default_value = "testnet-report", value_name = "DIR")]
    pub report: PathBuf,

    /// Keep the finished runs of the report folder, if they are of the same setting, and play only what is missing
    #[arg(long)]
    pub resume: bool,

    /// Folder of the four MNIST files
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,
}

impl Experiment {
    /// What all replays know.
    pub const fn common(&self) -> &Common {
        match self {
            Self::Fedavg2nn(options) => &options.common,
            Self::Niid(options) => &options.common,
            Self::DpMnist(options) => &options.common,
            Self::Codecs(options) => &options.common,
            Self::Epidemic(options) => &options.common,
            Self::Heterofl(options) => &options.common,
        }
    }

    /// What is special about it.
    pub fn replay(&self) -> &dyn Replay {
        match self {
            Self::Fedavg2nn(options) => options,
            Self::Niid(options) => options,
            Self::DpMnist(options) => options,
            Self::Codecs(options) => options,
            Self::Epidemic(options) => options,
            Self::Heterofl(options) => options,
        }
    }
}

impl Common {
    /// The seeds of the runs. Past the largest number they begin again at zero.
    pub fn all_seeds(&self) -> impl Iterator<Item = u64> {
        let first = self.seed;
        (0..u64::from(self.seeds)).map(move |run| first.wrapping_add(run))
    }
}

/// More threads than any machine has would only cost memory.
const THREADS_MAX: usize = 1_024;

pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= THREADS_MAX);
    threads.ok_or_else(|| format!("it must be a whole number from 1 to {THREADS_MAX}"))
}

#[cfg(test)]
pub(super) mod tests {
    use clap::{Parser, error::ErrorKind};

    use super::*;
    use crate::options::{Cli, Command};

    pub(in crate::replay) fn parse(arguments: &[&str]) -> Result<Experiment, ErrorKind> {
        let all = ["testnet", "replay"].iter().chain(arguments);
        match Cli::try_parse_from(all).map_err(|error| error.kind())?.command {
            Command::Replay(ReplayOptions { published: Published::Compared(experiment) }) => Ok(experiment),
            other => panic!("{other:?} is no such replay"),
        }
    }

    #[test]
    fn seeds_follow_each_other() {
        assert_eq!(parse(&["fedavg-2nn"]).unwrap().common().all_seeds().collect::<Vec<_>>(), [1, 2, 3]);
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
