//! Why an experiment came to nothing.

use std::path::PathBuf;

use althing_node::{
    endpoint::{Address, EndpointError, Refusal},
    learn::{data::DataError, train::LearnError},
};
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
    /// Members follow a language model, and none is named.
    #[error(
        "the population has members that follow a language model, and there is none to ask; name a server with --endpoint URL, or the answers.jsonl of an earlier report with --answers FILE"
    )]
    NobodyToAsk,
    /// The endpoint cannot be used.
    #[error("--endpoint URL: {0}")]
    Endpoint(#[from] EndpointError),
    /// No model answers there.
    #[error("--endpoint URL: no language model at {address}: {refusal}")]
    Absent {
        /// Where.
        address: Address,
        /// Why not.
        refusal: Refusal,
    },
    /// Recorded answers cannot be read.
    #[error("--answers {}: {why}; name the answers.jsonl of a report", .path.display())]
    Answers {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The recorded answers are another model's.
    #[error(
        "--answers FILE: {answered} has answered, and the endpoint serves {serves}; leave one of the two away, or name the model with --model"
    )]
    OtherModel {
        /// Whose answers they are.
        answered: String,
        /// Who would answer now.
        serves: String,
    },
    /// The recorded answers lack one.
    #[error(
        "seed {seed}, round {round}: the recorded answers have none to what is asked; play the configuration and the seeds that they are from, or name a server with --endpoint URL too"
    )]
    Unanswered {
        /// Of the run.
        seed: u64,
        /// In which it was asked.
        round: u64,
    },
    /// Answers could not be recorded.
    #[error(
        "the model's answers cannot be recorded: {0}; make room in the report's folder, and go on with --answers FILE"
    )]
    Disk(String),
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
    #[error("the recorded answers lack one")]
    Unanswered,
    #[error("an answer cannot be recorded: {0}")]
    Disk(String),
}

impl Fault {
    /// What it means to a run.
    pub(super) fn of_run(self, seed: u64, round: u64) -> Error {
        match self {
            Self::Ledger(source) => Error::Ledger { seed, round, source },
            Self::Learn(source) => Error::Training { seed, round, source },
            Self::Unanswered => Error::Unanswered { seed, round },
            Self::Disk(why) => Error::Disk(why),
        }
    }
}

impl Error {
    /// The exit code of the process that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. }
            | Self::Config(_)
            | Self::Data(_)
            | Self::Training { .. }
            | Self::NobodyToAsk
            | Self::Endpoint(_)
            | Self::Answers { .. }
            | Self::OtherModel { .. }
            | Self::Unanswered { .. } => EXIT_MISTAKE,
            Self::Ledger { .. } | Self::Thread | Self::Absent { .. } | Self::Disk(_) => EXIT_FAULT,
            Self::Report(error) => error.exit_code(),
        }
    }
}
