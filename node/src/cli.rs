//! What can be said on the command line.

mod ask;
mod backup;
pub mod credits;
mod genesis;
mod ledger;
pub mod market;
pub mod membership;
mod model;
mod privacy;

use std::path::PathBuf;

use althing_protocol::event::Role;
use clap::{Args, Parser, Subcommand, ValueEnum};
use libp2p::Multiaddr;

pub use self::{
    ask::AskArgs,
    backup::{BackupArgs, RestoreArgs},
    genesis::{GenesisCommand, GenesisNewArgs, MemberArg},
    ledger::LedgerCommand,
    membership::{InitArgs, InviteArgs, JoinArgs, LeaveArgs, VoteCommand},
    model::{ExportArgs, ExportFormat, ImportArgs, ModelArgs, ModelCommand},
    privacy::{AccountArgs, EpsilonArgs, PrivacyCommand},
};
use crate::keyfile::check_name;
use credits::{CreditsArgs, FundArgs, JobsArgs, ReceiptArgs, TransferArgs};
use market::MarketCommand;

const EXAMPLES: &str = "\
Examples, from nothing to a node:
  althing key new --name anna --out anna.toml
  althing key show anna.toml                        # prints what the founder needs
  althing genesis new --name village --member-key anna.toml --member berta:ID:ANCHOR --out genesis.toml
  althing run --config node.toml
  althing status --config node.toml

A node.toml needs three lines, and where the data set is (here the first of three parts of it):
  genesis = \"genesis.toml\"
  key = \"anna.toml\"
  data_dir = \"store\"
  data = { path = \"mnist\", parts = 3, part = 0 }

Data is IDX files, CIFAR .bin files or CSV: say which by `genesis new --dataset`; docs/data.md tells of the files.

Exit codes: 0 done, 2 something to correct (an argument, a file, an address), 1 a fault of machine or program.
Logs go to stderr; ALTHING_LOG=debug shows more.";

const DOCTOR: &str = "\
Example:
  althing doctor --config node.toml

Nothing is changed, sent to a stranger or looked up at a public service. Exit code 1 if something would stop the node.
docs/operation.md says what is looked at, and what cannot be known.";

const ASKING: &str = "\
Examples:
  althing ask --endpoint http://127.0.0.1:8080 \"Half the budget is left. Spend?\" --choose save,steady,spend
  althing ask --endpoint http://127.0.0.1:8080 \"Half the budget is left. Spend?\" --score spend --json
  althing ask --config node.toml \"Why do sheep count?\"

docs/agents.md says what the endpoint must be able to do.";

/// Federated learning among equals: members train one model together, elect a new aggregator every round, agree on
/// every result and pay each other for it.
#[derive(Debug, Parser)]
#[command(name = "althing", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Cli {
    /// How answers are to be printed.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make or show a member's key.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Found a federation, or look at the file that names it.
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// Found a federation that others can be invited to, with a folder for the founder's node.
    #[command(after_help = membership::INIT)]
    Init(InitArgs),
    /// Invite others, or take an invitation back.
    #[command(after_help = membership::INVITE)]
    Invite(Box<InviteArgs>),
    /// Join a federation by an invitation, and run the node.
    #[command(after_help = membership::JOIN)]
    Join(Box<JoinArgs>),
    /// Be a member no more. The credits stay, and an invitation leads back.
    #[command(after_help = "Example:\n  althing leave --config node.toml")]
    Leave(LeaveArgs),
    /// Show who is a member, who votes, and what the members vote about.
    #[command(after_help = "Example:\n  althing members --config node.toml --json")]
    Members(StatusArgs),
    /// Vote on who is a member.
    #[command(subcommand)]
    Vote(VoteCommand),
    /// Run a node until Ctrl-C.
    #[command(after_help = "Example:\n  althing run --config node.toml --bootstrap /ip4/192.168.1.5/tcp/4001")]
    Run(RunArgs),
    /// Ask a running node how it is; when none runs, say what its store holds.
    #[command(after_help = "Example:\n  althing status --config node.toml --json")]
    Status(StatusArgs),
    /// Save key, genesis, store and blobs of a node that does not run.
    #[command(after_help = backup::HELP)]
    Backup(BackupArgs),
    /// Put a backup where the configuration says.
    #[command(after_help = backup::HELP)]
    Restore(RestoreArgs),
    /// Show or change what a running node logs.
    #[command(
        after_help = "Examples:\n  althing log\n  althing log debug\n  althing log warn,althing_node::net=debug --config node.toml"
    )]
    Log(LogArgs),
    /// Look for what would keep a node from running or doing its part, and say what to do about it.
    #[command(after_help = DOCTOR)]
    Doctor(StatusArgs),
    /// Show what the agents of a node have decided, who decided it, and what a language model said.
    #[command(
        after_help = "Examples:\n  althing decisions --config node.toml --last 20\n  althing decisions --role selector --json"
    )]
    Decisions(DecisionsArgs),
    /// Show, export or verify the ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Show what an account has earned, spent and put down, and why.
    #[command(after_help = credits::CREDITS)]
    Credits(CreditsArgs),
    /// Give credits to another account.
    #[command(after_help = credits::TRANSFER)]
    Transfer(TransferArgs),
    /// Pay for rounds of learning.
    #[command(after_help = credits::FUND)]
    Fund(FundArgs),
    /// Show the jobs that sponsors pay for, and those that have ended.
    #[command(after_help = "Example:\n  althing jobs --config node.toml")]
    Jobs(JobsArgs),
    /// Write the proof of what a job has paid to whom.
    #[command(after_help = credits::RECEIPT)]
    Receipt(ReceiptArgs),
    /// Say who of some bidders would be hired, and for what pay.
    #[command(subcommand)]
    Market(MarketCommand),
    /// Say what training with noise costs in privacy.
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// Show, judge, export or import a model.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Ask a language model's endpoint a question, to see whether and how well agents could ask it.
    #[command(after_help = ASKING)]
    Ask(AskArgs),
}

/// Keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key from the system's randomness. An existing file is never overwritten.
    #[command(after_help = "Example:\n  althing key new --name anna --out anna.toml")]
    New {
        /// The member's name: letters, digits, '-', '_' and '.'.
        #[arg(long, value_parser = name)]
        name: String,
        /// The file to create.
        #[arg(long, value_name = "FILE", default_value = "key.toml")]
        out: PathBuf,
    },
    /// Show the public half of a key: what a founder needs to make its owner a member.
    #[command(after_help = "Example:\n  althing key show anna.toml")]
    Show {
        /// The key file.
        #[arg(default_value = "key.toml")]
        file: PathBuf,
    },
    /// Make the key of a private network, which all its members name as `net.shared_key_file`.
    #[command(after_help = "Example:\n  althing key shared --out shared.key")]
    Shared {
        /// The file to create.
        #[arg(long, value_name = "FILE", default_value = "shared.key")]
        out: PathBuf,
    },
}

/// A node to run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// A member to dial at the start, beside those of the configuration. Repeat for each.
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<Multiaddr>,
}

/// A node to ask.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// Logs.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// What to log from now on: `error`, `warn`, `info`, `debug` or `trace`, for all or by parts as ALTHING_LOG has them.
    pub filter: Option<String>,
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// Decisions.
#[derive(Debug, Args)]
pub struct DecisionsArgs {
    /// The node's configuration.
    #[arg(long, default_value = "node.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Only this agent's.
    #[arg(long)]
    pub role: Option<RoleArg>,
    /// So many of the newest.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub last: usize,
}

/// An agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Which contract to bid for, and at what price.
    Bidder,
    /// How many to hire, and whom to favour.
    Selector,
    /// How much work and privacy a round may cost.
    Guardian,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Bidder => Self::Bidder,
            RoleArg::Selector => Self::Selector,
            RoleArg::Guardian => Self::Guardian,
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_may_stand_anywhere() {
        for words in [["althing", "--json", "key", "show"], ["althing", "key", "show", "--json"]] {
            assert_eq!(Cli::try_parse_from(words).unwrap().format(), Format::Json);
        }
    }
}
