//! Why a replay came to nothing.

use althing_node::learn::{data::DataError, partition::PartitionError, train::LearnError};

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
    /// Somebody could not train, or a model could not be evaluated.
    #[error("seed {seed}, round {round}: {cause}")]
    Learn {
        /// Of which run.
        seed: u64,
        /// In which round.
        round: u64,
        /// What went wrong.
        cause: LearnError,
    },
    /// There is no figure that could be missed.
    #[error("--require asks for a published figure, and there is none for {0}; leave one of the two away")]
    NothingPublished(String),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] TestnetError),
}

impl Error {
    /// The exit code of the process that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            // The learning rate is the user's to choose, so one that cannot be used is the user's mistake.
            Self::Data(_) | Self::Partition(_) | Self::NothingPublished(_) => EXIT_MISTAKE,
            Self::Learn { cause: LearnError::Hyper { .. } | LearnError::Diverged { .. }, .. } => EXIT_MISTAKE,
            Self::Learn { .. } => EXIT_FAULT,
            Self::Report(error) => error.exit_code(),
        }
    }
}
