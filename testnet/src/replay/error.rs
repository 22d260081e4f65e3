//! Why a replay came to nothing.

use std::path::PathBuf;

use althing_agents::privacy::{BudgetError, Refused};
use althing_node::learn::{catalogue::TaskError, data::DataError, partition::PartitionError, train::LearnError};
use althing_protocol::{aggregate::RuleError, update::CodingError};

use crate::error::{EXIT_FAULT, EXIT_MISTAKE, Error as TestnetError};

/// Why a replay came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data cannot be read.
    #[error("--data DIR: {0}")]
    Data(#[from] DataError),
    /// The data cannot be divided as asked for.
    #[error("--partition KIND: {0}")]
    Partition(#[from] PartitionError),
    /// The rule or the mixing means nothing among so many liars.
    #[error("--rule or --mixing: {0}")]
    Rule(#[from] RuleError),
    /// The model cannot be used.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The options ask for a training that cannot be.
    #[error("--lr RATE: {0}")]
    Hyper(LearnError),
    /// A member's budget allows nothing.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// A run could not go on.
    #[error("{case}, seed {seed}, round {round}: {cause}")]
    Round {
        /// Of which case.
        case: String,
        /// Of which run.
        seed: u64,
        /// In which round.
        round: u64,
        /// What went wrong.
        cause: RunError,
    },
    /// A run of a grid came to nothing.
    #[error("{run}: {cause}")]
    Run {
        /// Which run.
        run: String,
        /// What went wrong.
        cause: LearnError,
    },
    /// There is no figure that could be missed.
    #[error("--require asks for a published figure, and there is none for {0} with these options; leave some away")]
    NothingToMiss(&'static str),
    /// The runs of the report folder cannot be gone on with.
    #[error("--resume: the runs in {} are of another setting; name another folder, or leave --resume away to replace them", .0.display())]
    OtherSetting(PathBuf),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] TestnetError),
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Somebody could not train, or a model could not be evaluated.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// An update could not be coded, or not be read.
    #[error(transparent)]
    Coding(#[from] CodingError),
    /// A member's filter granted no noise.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl Error {
    /// The exit code of the process that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            // The learning rate is the user's to choose, so one that cannot be used is the user's mistake.
            Self::Data(_) | Self::Partition(_) | Self::Rule(_) | Self::NothingToMiss(_) | Self::OtherSetting(_) => {
                EXIT_MISTAKE
            }
            Self::Hyper(_) => EXIT_MISTAKE,
            Self::Round { cause: RunError::Learn(LearnError::Hyper { .. } | LearnError::Diverged { .. }), .. } => {
                EXIT_MISTAKE
            }
            Self::Round { .. } | Self::Run { .. } | Self::Budget(_) | Self::Task(_) => EXIT_FAULT,
            Self::Report(error) => error.exit_code(),
        }
    }
}
