//! What the user may ask of this replay.

use std::{num::NonZeroUsize, path::PathBuf};

use althing_protocol::aggregate::{Mixing, Rule, RuleError};
use clap::{Args, value_parser};

use super::grid::{Pattern, Play, Run, STEPS, Similarity};
use crate::replay::options::threads;

/// Options of `testnet replay byzfl`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Parts of every member's data that are drawn from all, 0 to 1; the rest is sorted by label and dealt in blocks
    #[arg(long, value_delimiter = ',', default_value = "1,0.66,0.33,0", value_name = "SHARES")]
    pub similarity: Vec<Similarity>,

    /// Members who lie, beside ten who do not
    #[arg(long, value_delimiter = ',', default_value = "1,2,3,4", value_name = "NUMBERS", value_parser = value_parser!(u8).range(0..=9))]
    pub liars: Vec<u8>,

    /// How they lie: an attack such as sign-flip or ipm:0.6, or ipm:best or alie:best, at the strength that harms most
    #[arg(long, value_delimiter = ',', default_value = "sign-flip,ipm:best,alie:best", value_name = "ATTACKS")]
    pub attack: Vec<Play>,

    /// How updates become a model: mean, median, trimmed:F, multi-krum:F or centred-clipping:TAU; the letter f is the
    /// number of liars
    #[arg(long, default_value = "trimmed:f", value_name = "RULE")]
    pub rule: Pattern<Rule>,

    /// What is done to updates before: none or nearest:F
    #[arg(long, default_value = "nearest:f", value_name = "MIXING")]
    pub mixing: Pattern<Mixing>,

    /// Runs of each kind, each with a seed of its own; their mean counts
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = value_parser!(u16).range(1..=1_000))]
    pub seeds: u16,

    /// Seed of the first run of each kind; the others follow it
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,

    /// Steps of training
    #[arg(long, default_value_t = STEPS, value_name = "N", value_parser = value_parser!(u32).range(1..=100_000))]
    pub steps: u32,

    /// Runs that go on at the same time; the result does not depend on them
    #[arg(long, default_value = "2", value_name = "N", value_parser = threads)]
    pub threads: NonZeroUsize,

    /// Exit with 1 if a cell is worse than the published one by more than two hundredths
    #[arg(long)]
    pub require: bool,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced
    #[arg(long, default_value = "testnet-report", value_name = "DIR")]
    pub report: PathBuf,

    /// Keep the finished runs of the report folder, and play only what is missing
    #[arg(long)]
    pub resume: bool,

    /// Folder of the four MNIST files
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,
}

impl Options {
    /// All runs that are asked for, in the order of the options.
    ///
    /// # Errors
    /// [`RuleError`] if the rule or the mixing means nothing among so many liars.
    pub(super) fn runs(&self) -> Result<Vec<Run>, RuleError> {
        let mut runs = Vec::new();
        for &similarity in &self.similarity {
            for liars in self.liars.iter().map(|&liars| usize::from(liars)) {
                let (rule, mixing) = (self.rule.among(liars)?, self.mixing.among(liars)?);
                for &play in &self.attack {
                    let seeds = (0..u64::from(self.seeds)).map(|number| self.seed.wrapping_add(number));
                    let steps = self.steps;
                    runs.extend(seeds.map(|seed| Run { similarity, liars, play, rule, mixing, seed, steps }));
                }
            }
        }
        Ok(runs)
    }
}
