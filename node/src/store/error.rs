//! Why the store cannot serve, in words that say what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use redb::{DatabaseError, StorageError};

/// Why the store cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error("the store {path} is in use by another process; stop that node, or give this one another data_dir")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to another federation.
    #[error(
        "the store {path} belongs to network {found}, but the genesis names network {wanted}; \
         use that network's genesis, or another data_dir"
    )]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The network that it belongs to, shortened.
        found: String,
        /// The network of the genesis, shortened.
        wanted: String,
    },
    /// A newer program wrote the file.
    #[error("the store {path} has schema {found}, and this program knows only up to {known}; use a newer althing")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// The node was moved elsewhere.
    #[error(
        "the store {path} was moved away by `althing backup --move`: its member goes on where that backup is restored, \
         and must not run in two places"
    )]
    Moved {
        /// The file.
        path: PathBuf,
        /// When, in milliseconds since 1970: the `at_ms` of the backup's manifest.
        at_ms: u64,
    },
    /// The bytes in the file are not what the store wrote.
    #[error(
        "the store {path} is damaged ({detail}); restore it from a copy, \
         or move it away and start again to fetch all decisions from the other members \
         (once they have decided the height that was open: what this node said about it is lost)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// The disk refused in the middle of the work, or memory of it is lost.
    #[error(
        "the disk refused the store {path} ({detail}); \
         make sure that it has free space and is writable, then start again: nothing decided is lost"
    )]
    Disk {
        /// The file.
        path: PathBuf,
        /// What it said.
        detail: String,
    },
    /// The file or its folder cannot even be opened.
    #[error("cannot open the store {path} ({source}); check that its folder exists and is writable")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A decision does not follow the last one.
    #[error("height {got} cannot follow height {have} in the store; fetch the heights between first")]
    Gap {
        /// The last decided height.
        have: u64,
        /// The height that was given.
        got: u64,
    },
    /// Another body is already decided at this height.
    #[error("height {height} is already decided with another body; stop the node and compare ledgers with the members")]
    Overwrite {
        /// Which.
        height: u64,
    },
}

impl StoreError {
    /// What redb's `error` means for the store at `path`.
    pub(super) fn from_redb(path: &Path, error: impl Into<redb::Error>) -> Self {
        let path = path.to_owned();
        match error.into() {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Locked { path },
            redb::Error::Io(source) if is_damage(&source) => Self::Damaged { path, detail: source.to_string() },
            redb::Error::Io(source) => Self::Disk { path, detail: source.to_string() },
            redb::Error::PreviousIo => Self::Disk { path, detail: "after an earlier failure".into() },
            other => Self::Damaged { path, detail: other.to_string() },
        }
    }
}

/// Whether a failed read tells of a file that is too short or no store at all, rather than of a failing disk.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

/// A failure inside a transaction: ours as it is, redb's until the path is known.
pub(super) enum Failed {
    Ours(StoreError),
    Redb(redb::Error),
}

impl Failed {
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Ours(error) => error,
            Self::Redb(error) => StoreError::from_redb(path, error),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Ours(error)
    }
}

/// Lets `?` carry each of redb's errors.
macro_rules! from_redb {
    ($($error:ty),*) => { $(impl From<$error> for Failed {
        fn from(error: $error) -> Self {
            Self::Redb(error.into())
        }
    })* };
}

from_redb!(
    StorageError,
    DatabaseError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::SetDurabilityError
);
