//! What can be said of backups.

use std::path::PathBuf;

use clap::Args;

pub(super) const HELP: &str = "\
Examples:
  althing backup /mnt/disk/anna --config node.toml            # a copy, in case this machine is lost
  althing backup /mnt/disk/anna --move --config node.toml     # to go on with the node on another machine
  althing restore /mnt/disk/anna --config node.toml

A copy does not know what the node signed after it. A node that is restored from one says nothing until others have gone
far enough that its key cannot sign anything twice, which takes other members with more than two thirds of the votes.
docs/operation.md says more.";

/// A node to save.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The folder to create.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Move the node: it never runs again here, and goes on without silence where it is restored, once.
    #[arg(long = "move")]
    pub moved: bool,
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// A backup to restore.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The folder of the backup.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Vouch that no node has run with this key since the backup. If one has, the member may sign two things for one
    /// slot, for which it is slashed, and spend more privacy than its budget.
    #[arg(long)]
    pub nothing_signed_since: bool,
    /// The configuration that says where things go. Key, genesis and data_dir need not exist.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}
