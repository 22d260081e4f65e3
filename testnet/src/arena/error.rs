//! Why a contest came to nothing.

use std::path::PathBuf;

use althing_node::{
    endpoint::{Address, EndpointError, Refusal},
    learn::{data::DataError, partition::PartitionError, train::LearnError},
};

use super::shift::ShiftError;
use crate::error::{EXIT_FAULT, EXIT_MISTAKE, Error as TestnetError};

/// Why a contest came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An option asks for what cannot be had.
    #[error("{0}")]
    Usage(String),
    /// The data cannot be read.
    #[error("--data DIR: {0}")]
    Data(#[from] DataError),
    /// The data cannot be divided as asked for.
    #[error("--partition KIND: {0}")]
    Partition(#[from] PartitionError),
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
    /// Somebody could not train, or a model not be judged.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// A guardian's rounds cannot be made.
    #[error(transparent)]
    Shift(#[from] ShiftError),
    /// The runs of the report folder cannot be gone on with.
    #[error("--resume: the runs in {} are of another setting; name another folder, or leave --resume away to replace them", .0.display())]
    OtherSetting(PathBuf),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] TestnetError),
    /// The thread on which everybody decides is gone.
    #[error("the contest ended before it was over: {0}; please report this")]
    Thread(String),
}

impl Error {
    /// The exit code of the process that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Data(_) | Self::Partition(_) | Self::OtherSetting(_) | Self::Endpoint(_) => {
                EXIT_MISTAKE
            }
            Self::Absent { .. } | Self::Learn(_) | Self::Shift(_) | Self::Thread(_) => EXIT_FAULT,
            Self::Report(error) => error.exit_code(),
        }
    }
}
