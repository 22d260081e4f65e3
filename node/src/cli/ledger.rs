//! What can be said of ledgers.

use std::path::PathBuf;

use clap::Subcommand;

/// Ledgers.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Show balances, supply and the last decisions of a node, whether or not it runs.
    Show {
        /// The node's configuration.
        #[arg(long, value_name = "FILE", default_value = "node.toml")]
        config: PathBuf,
    },
    /// Write all decisions with their certificates to one file that anybody can verify.
    #[command(after_help = "Example:\n  althing ledger export --config node.toml --out village.ledger")]
    Export {
        /// The node's configuration.
        #[arg(long, value_name = "FILE", default_value = "node.toml")]
        config: PathBuf,
        /// The file to create.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Check an exported ledger, or a sponsor's receipt, without any node: from the genesis up, certificates included.
    #[command(after_help = "Examples:\n  althing ledger verify village.ledger --genesis genesis.toml\n  \
        althing ledger verify job-3.receipt --genesis genesis.toml")]
    Verify {
        /// The exported ledger, or the receipt.
        file: PathBuf,
        /// The genesis that it must follow from.
        #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
        genesis: PathBuf,
    },
}
