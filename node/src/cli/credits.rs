//! What can be said of credits: whose they are, and what is to be done with them.

use std::{net::SocketAddr, path::PathBuf};

use althing_protocol::{
    genesis::Grant,
    ids::{JobId, ParseIdError},
};
use clap::Args;

use crate::text;

pub(super) const CREDITS: &str = "\
Examples:
  althing credits --config node.toml
  althing credits --config node.toml --account berta --last 100 --json

Whether or not the node runs. Every line is checked on the way, from the genesis up.";

pub(super) const TRANSFER: &str = "\
Examples:
  althing transfer --to berta --credits 1.5
  althing transfer --to ID --credits 20 --key sponsor.toml --genesis genesis.toml --node 127.0.0.1:4100

The key of the account that pays signs; any running node on this machine passes it on. The command waits until the members
have decided it, which takes about a round.";

pub(super) const FUND: &str = "\
Examples:
  althing fund --rounds 20 --credits-per-round 0.8
  althing fund --rounds 50 --credits-per-round 1 --within 200 --accuracy 0.97 --min-epsilon 0.05 \\
    --key sponsor.toml --genesis genesis.toml --node 127.0.0.1:4100

Jobs take turns, one round each, and the whole budget of all rounds is put down at once. What a round does not spend stays
in the job; what is left when it ends comes back. `althing receipt` then proves what was paid to whom.";

pub(super) const RECEIPT: &str = "\
Examples:
  althing receipt 3 --config node.toml --out job-3.receipt
  althing ledger verify job-3.receipt --genesis genesis.toml

The receipt holds the decision that ended the job, its certificate and the state that it leads to: whoever has the genesis
can verify it, without a node and without the ledger.";

/// Whose credits.
#[derive(Debug, Args)]
pub struct CreditsArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// Whose: a member's name, or an id of 64 hexadecimal digits [default: the node's own].
    #[arg(long, value_name = "NAME|ID")]
    pub account: Option<String>,
    /// So many of the newest lines.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub last: usize,
}

/// Who pays, and through which node.
#[derive(Debug, Args)]
pub struct PayerArgs {
    /// The node's configuration: its key pays, and the node passes it on.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// The key of the account that pays, in place of the node's.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The federation's genesis, where there is no configuration that names it.
    #[arg(long, value_name = "FILE", requires = "node")]
    pub genesis: Option<PathBuf>,
    /// Where a node on this machine serves its pages, where there is no configuration that names its folder.
    #[arg(long, value_name = "HOST:PORT", requires = "genesis", requires = "key")]
    pub node: Option<SocketAddr>,
    /// How long to wait for the members' decision, in seconds; 0 only hands it in.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub wait_s: u64,
}

/// A transfer.
#[derive(Debug, Args)]
pub struct TransferArgs {
    /// To whom: a member's name, or an id of 64 hexadecimal digits, which gets an account if it has none.
    #[arg(long, value_name = "NAME|ID")]
    pub to: String,
    /// How much, in credits: up to six places after the point.
    #[arg(long, value_name = "CREDITS", value_parser = text::micro_credits)]
    pub credits: u64,
    /// Who pays.
    #[command(flatten)]
    pub payer: PayerArgs,
}

/// Funds for a job.
#[derive(Debug, Args)]
pub struct FundArgs {
    /// Rounds with a new model that are paid for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Most that a round may cost, in credits.
    #[arg(long, value_name = "CREDITS", value_parser = text::micro_credits)]
    pub credits_per_round: u64,
    /// Rounds of the federation, from the open one on, after which the job ends at the latest [default: ten for each
    /// that is paid for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub within: Option<u64>,
    /// End once members measure this accuracy on their held-out examples, from 0 to 1 (median).
    #[arg(long, value_name = "PART", value_parser = text::part_ppm)]
    pub accuracy: Option<u32>,
    /// Leave out updates that cost their makers less epsilon than this, since they are noisier; updates without noise are
    /// always taken.
    #[arg(long, value_name = "EPSILON", value_parser = text::micro_credits, default_value = "0")]
    pub min_epsilon: u64,
    /// Who pays.
    #[command(flatten)]
    pub payer: PayerArgs,
}

/// Jobs to show.
#[derive(Debug, Args)]
pub struct JobsArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// A job that has ended.
#[derive(Debug, Args)]
pub struct ReceiptArgs {
    /// Its number.
    #[arg(value_name = "JOB", value_parser = job)]
    pub job: JobId,
    /// The configuration of a node that has the ledger.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// The file to create [default: job-N.receipt].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// An account's id with credits, as `ID=20`.
pub(super) fn grant(text: &str) -> Result<Grant, String> {
    let (id, credits) = text.split_once('=').ok_or("give an id and credits, as ID=20")?;
    let account = id.parse().map_err(|error: ParseIdError| error.to_string())?;
    Ok(Grant { account, amount: text::micro_credits(credits)? })
}

fn job(text: &str) -> Result<JobId, std::num::ParseIntError> {
    text.parse().map(JobId)
}
