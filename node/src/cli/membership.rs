//! What can be said of members who come and go.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Subcommand};
use libp2p::Multiaddr;

use super::{credits::PayerArgs, name};
use crate::invitation::Pass;

const VOTE_REMOVE: &str = "\
Example:
  althing vote remove berta --config node.toml

The first vote puts the motion forward; `althing members` shows how it stands. It can be carried for 10,000 rounds. Whoever
is removed keeps its credits, and no invitation leads it back for 10,000 rounds more.";

pub(super) const INIT: &str = "\
Example:
  althing init village --name anna --data mnist --part 1/3
  althing run --config village/node.toml

Makes a folder with the founder's key, the genesis and the configuration, and prints an invitation for others.";

pub(super) const INVITE: &str = "\
Examples:
  althing invite --config village/node.toml
  althing invite --config village/node.toml --uses 1 --rounds 100
  althing invite --config village/node.toml --revoke althing-invitation-...

Whoever holds the word that is printed can become a member by it: send it as you would send a password. Taking one back is
decided by the members, through the running node.";

pub(super) const JOIN: &str = "\
Example:
  althing join althing-invitation-... --name berta --data mnist --part 2/3

Asks a member for the genesis, compares it with the invitation, makes a folder with a key and a configuration, and runs the
node: it is let in by the next Plan, catches up, and takes part. Later, start it with `althing run`.";

/// Where a member's data is.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// The folder of the data set, or one CSV file; see docs/data.md.
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    /// Which part of it is this member's, where several share one data set: `2/3` for the second of three.
    #[arg(long, value_name = "N/PARTS", default_value = "1/1")]
    pub part: PartArg,
}

/// One part of a data set, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartArg {
    /// Which.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
}

impl FromStr for PartArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "say which part of how many, as 2/3".to_owned();
        let (part, parts) = text.split_once('/').ok_or_else(wanted)?;
        let (part, parts) = (part.parse().map_err(|_| wanted())?, parts.parse().map_err(|_| wanted())?);
        if (1..=parts).contains(&part) { Ok(Self { part, parts }) } else { Err(wanted()) }
    }
}

/// A new federation, and the founder's node.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder to make; its name is the federation's.
    pub dir: PathBuf,
    /// The founder's name: letters, digits, '-', '_' and '.'.
    #[arg(long, value_parser = name)]
    pub name: String,
    /// The founder's data.
    #[command(flatten)]
    pub data: DataArgs,
    /// The model: `2nn`, `lenet` or `fedavg-cnn` for mnist, `lenet` for cifar10 and cifar100, `mlp` for any data.
    #[arg(long, default_value = "lenet")]
    pub model: String,
    /// What the members' data is: `mnist`, `cifar10`, `cifar100`, or `csv-FEATURES-CLASSES` as in `csv-4-3`.
    #[arg(long, default_value = "mnist")]
    pub dataset: String,
    /// Members that a round hires at the most.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub winners: u32,
    /// The port at which others find this node, over TCP and over QUIC.
    #[arg(long, default_value_t = 4001, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Relay for members behind routers that let nobody in: this machine can be dialled from everywhere.
    #[arg(long)]
    pub relay: bool,
    /// Make a key that goes with every invitation, and without which nobody gets a word out of a member; over TCP alone.
    #[arg(long)]
    pub private: bool,
    /// How many may join by the invitation that is printed.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub uses: u32,
}

/// An invitation.
#[derive(Debug, Args)]
pub struct InviteArgs {
    /// How many may join by it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub uses: u32,
    /// For how many rounds it holds.
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Where this node can be found, in place of this machine's addresses and the port in its configuration. Repeat for
    /// each.
    #[arg(long = "address", value_name = "MULTIADDR")]
    pub addresses: Vec<Multiaddr>,
    /// Take this invitation back in place of making one.
    #[arg(long, value_name = "INVITATION", conflicts_with_all = ["uses", "rounds", "addresses"])]
    pub revoke: Option<Pass>,
    /// Whose.
    #[command(flatten)]
    pub owner: PayerArgs,
}

/// Rounds for which an invitation holds if nothing is said.
pub const ROUNDS: u64 = 10_000;

/// A newcomer.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The word that the inviter has sent.
    pub invitation: Pass,
    /// The folder to make [default: the federation's name].
    pub dir: Option<PathBuf>,
    /// The newcomer's name: letters, digits, '-', '_' and '.'.
    #[arg(long, value_parser = name)]
    pub name: String,
    /// The newcomer's data.
    #[command(flatten)]
    pub data: DataArgs,
    /// A first model, where the federation goes on from one that its founder has given to everybody.
    #[arg(long, value_name = "FILE")]
    pub first_model: Option<PathBuf>,
    /// Only make the folder.
    #[arg(long)]
    pub no_run: bool,
}

/// Who leaves.
#[derive(Debug, Args)]
pub struct LeaveArgs {
    /// Whose node.
    #[command(flatten)]
    pub owner: PayerArgs,
}

/// What to vote for.
#[derive(Debug, Subcommand)]
pub enum VoteCommand {
    /// That a member is none any more. It is carried once more than two thirds of all votes are for it.
    #[command(after_help = VOTE_REMOVE)]
    Remove(VoteArgs),
}

/// A vote about a member.
#[derive(Debug, Args)]
pub struct VoteArgs {
    /// Whom: a member's name, or its id.
    pub member: String,
    /// Who votes.
    #[command(flatten)]
    pub owner: PayerArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_from_one() {
        assert_eq!("2/3".parse(), Ok(PartArg { part: 2, parts: 3 }));
        for bad in ["0/3", "4/3", "2", "a/b", "2/3/4", "-1/3"] {
            assert!(bad.parse::<PartArg>().is_err(), "{bad}");
        }
    }
}
