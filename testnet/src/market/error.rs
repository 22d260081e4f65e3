//! Why an experiment came to nothing.

use std::path::PathBuf;

use althing_node::learn::{data::DataError, train::LearnError};
use althing_protocol::ledger::LedgerError;

use crate::error::{EXIT_FAULT, EXIT_MISTAKE, Error as TestnetError};

/// Why an experiment came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; name a file with --config FILE, or leave it away for the defaults", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was asked for cannot be had.
    #[error("{0}; `testnet market --print-config` shows every field with its default")]
    Config(String),
    /// The ledger refused a movement, or credits appeared or vanished.
    #[error("seed {seed}, round {round}: {source}; the experiment is void: please report this")]
    Ledger {
        /// Of the run.
        seed: u64,
        /// In which it happened.
        round: u64,
        /// What the ledger said.
        source: LedgerError,
    },
    /// The data of real training cannot be read.
    #[error("{0}; name a folder with MNIST by --data DIR")]
    Data(#[from] DataError),
    /// A member's real training failed.
    #[error("seed {seed}, round {round}: {source}")]
    Training {
        /// Of the run.
        seed: u64,
        /// In which it happened.
        round: u64,
        /// Why.
        source: LearnError,
    },
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] TestnetError),
    /// A thread of the experiment is gone.
    #[error("a thread ended before its runs were over; please report this")]
    Thread,
}

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Learn(#[from] LearnError),
}

impl Fault {
    /// What it means to a run.
    pub(super) fn of_run(self, seed: u64, round: u64) -> Error {
        match self {
            Self::Ledger(source) => Error::Ledger { seed, round, source },
            Self::Learn(source) => Error::Training { seed, round, source },
        }
    }
}

impl Error {
    /// The exit code of the process that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } | Self::Config(_) | Self::Data(_) | Self::Training { .. } => EXIT_MISTAKE,
            Self::Ledger { .. } | Self::Thread => EXIT_FAULT,
            Self::Report(error) => error.exit_code(),
        }
    }
}
