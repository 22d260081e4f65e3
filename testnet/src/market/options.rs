//! What the user may ask of a market experiment.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use clap::{Args, value_parser};
use toml::{Table, Value};

use crate::endpoint::EndpointOptions;

/// Options of `testnet market`.
#[derive(Debug, Clone, Args)]
pub struct MarketOptions {
    /// The experiment: a TOML file that names what differs from the defaults [default: the defaults]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set any field, over the file: market.mechanism=vcg, population.0.share=0.3, members.samples.gamma.mean=500
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,

    /// Play the experiment with each of these values of a field; several sweeps are multiplied
    #[arg(long = "sweep", value_name = "FIELD=A,B,...", value_parser = assignment)]
    pub sweep: Vec<(String, String)>,

    /// Members
    #[arg(long, value_name = "N")]
    pub members: Option<u64>,

    /// Rounds
    #[arg(long, value_name = "N")]
    pub rounds: Option<u64>,

    /// Seeds that every point is repeated with; figures are means over them
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,

    /// The first seed; the others follow it
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,

    /// critical, vcg, first-price, posted:PRICE or fixed
    #[arg(long, value_name = "MECHANISM")]
    pub mechanism: Option<String>,

    /// What training brings: value by a formula, in seconds; real by training on MNIST, for dozens of members
    #[arg(long, value_name = "KIND", value_parser = ["value", "real"])]
    pub learning: Option<String>,

    /// Folder of MNIST, for --learning real
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,

    /// The model whose orders members of the strategy `model` follow.
    #[command(flatten)]
    pub server: EndpointOptions,

    /// Answer what a language model is asked from the answers.jsonl of an earlier report; what it lacks is asked of
    /// --endpoint, and without that ends the experiment
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,

    /// Threads to play on; results do not depend on it [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1_024))]
    pub threads: Option<u16>,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced
    #[arg(long, default_value = "testnet-report", value_name = "DIR")]
    pub report: PathBuf,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// Print every field with its default, as a file to begin with, and play nothing
    #[arg(long)]
    pub print_config: bool,
}

impl MarketOptions {
    /// Threads to play on.
    pub(super) fn threads(&self) -> usize {
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(all, usize::from)
    }

    /// Fields that options set.
    pub(super) fn overrides(&self) -> Vec<(String, Value)> {
        let number = |field: &str, number: Option<u64>| {
            Some((field.to_owned(), Value::Integer(i64::try_from(number?).unwrap_or(i64::MAX))))
        };
        let numbers = [
            number("members.count", self.members),
            number("rounds", self.rounds),
            number("seeds", self.seeds),
            number("seed", self.seed),
        ];
        let word = |field: &str, word: &Option<String>| Some((field.to_owned(), Value::String(word.clone()?)));
        let words = [word("market.mechanism", &self.mechanism), word("learning.kind", &self.learning)];
        let set = self.set.iter().map(|(field, text)| (field.clone(), value(text)));
        set.chain(numbers.into_iter().flatten()).chain(words.into_iter().flatten()).collect()
    }

    /// Fields that options sweep.
    pub(super) fn sweeps(&self) -> impl Iterator<Item = (String, Vec<Value>)> + '_ {
        self.sweep.iter().map(|(field, text)| (field.clone(), values(text)))
    }

    #[cfg(test)]
    pub(super) fn of(arguments: &[&str]) -> Self {
        use clap::Parser;

        #[derive(Parser)]
        struct Cli {
            #[command(flatten)]
            options: MarketOptions,
        }
        Cli::try_parse_from([&["market"], arguments].concat()).unwrap().options
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("say FIELD=VALUE, as market.mechanism=vcg")?;
    Ok((field.trim().to_owned(), value.trim().to_owned()))
}

/// What a word means in TOML: a number, a table, ...; otherwise itself.
fn value(text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>();
    table.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Words with commas between, or the inside of a TOML array.
fn values(text: &str) -> Vec<Value> {
    match value(&format!("[{text}]")) {
        Value::Array(values) => values,
        _ => text.split(',').map(|word| value(word.trim())).collect(),
    }
}
