//! How a command fails: in one line for people, and one exit code for scripts.

use std::{fmt, io, process::ExitCode};

use crate::{
    account::{AccountError, WitnessError},
    backup::BackupError,
    blobs,
    config::ConfigError,
    endpoint::EndpointError,
    files::FileError,
    genesis_file::GenesisFileError,
    invitation::PassError,
    keyfile::KeyFileError,
    learn::{catalogue::TaskError, data::DataError, partition::PartitionError},
    net::{NetError, SharedKeyError},
    status::{ServeError, TokenError},
    store::StoreError,
    telemetry::TelemetryError,
    text::one_line,
};

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The user's: an argument, a file or an address must change before another try. Exit code 2.
    User,
    /// The machine's or the program's. Exit code 1.
    Machine,
}

/// Why a command ended without its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub blame: Blame,
    message: String,
}

impl Failure {
    /// The user must change something, as `reason` says.
    pub fn user(reason: impl fmt::Display) -> Self {
        Self { blame: Blame::User, message: one_line(&reason.to_string()) }
    }

    /// Something broke, as `reason` says.
    pub fn machine(reason: impl fmt::Display) -> Self {
        Self { blame: Blame::Machine, message: one_line(&reason.to_string()) }
    }

    /// The exit code that tells scripts whose fault it is.
    pub fn exit_code(&self) -> ExitCode {
        match self.blame {
            Blame::User => ExitCode::from(2),
            Blame::Machine => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error that knows whose fault it is, so that `?` makes a [`Failure`] of it.
pub(crate) trait Blamed: fmt::Display {
    /// Whose fault it is.
    fn blame(&self) -> Blame;
}

impl<E: Blamed> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { blame: error.blame(), message: one_line(&error.to_string()) }
    }
}

impl Blamed for FileError {
    fn blame(&self) -> Blame {
        use io::ErrorKind as Kind;
        let Self::Refused { source, .. } = self else { return Blame::User };
        match source.kind() {
            Kind::PermissionDenied | Kind::IsADirectory | Kind::NotADirectory | Kind::ReadOnlyFilesystem => Blame::User,
            _ => Blame::Machine,
        }
    }
}

impl Blamed for ConfigError {
    fn blame(&self) -> Blame {
        if let Self::File(error) = self { error.blame() } else { Blame::User }
    }
}

impl Blamed for GenesisFileError {
    fn blame(&self) -> Blame {
        if let Self::File(error) = self { error.blame() } else { Blame::User }
    }
}

impl Blamed for KeyFileError {
    fn blame(&self) -> Blame {
        match self {
            Self::File(error) => error.blame(),
            Self::Randomness(_) => Blame::Machine,
            Self::Line(_) | Self::Mismatch { .. } | Self::Name(_) => Blame::User,
        }
    }
}

impl Blamed for SharedKeyError {
    fn blame(&self) -> Blame {
        match self {
            Self::File(error) => error.blame(),
            Self::Randomness(_) => Blame::Machine,
            Self::Readable { .. } | Self::Unusable { .. } => Blame::User,
        }
    }
}

impl Blamed for PassError {
    fn blame(&self) -> Blame {
        match self {
            Self::File(error) => error.blame(),
            Self::Randomness(_) => Blame::Machine,
            Self::Damaged | Self::Forged(_) => Blame::User,
        }
    }
}

impl Blamed for StoreError {
    fn blame(&self) -> Blame {
        match self {
            Self::Locked { .. }
            | Self::OtherNetwork { .. }
            | Self::Newer { .. }
            | Self::Moved { .. }
            | Self::Unusable { .. } => Blame::User,
            Self::Damaged { .. } | Self::Disk { .. } | Self::Gap { .. } | Self::Overwrite { .. } => Blame::Machine,
        }
    }
}

impl Blamed for AccountError {
    fn blame(&self) -> Blame {
        match self {
            Self::Store(error) => error.blame(),
            Self::Witness(error) => error.blame(),
            Self::Record(_) | Self::Restore(_) => Blame::Machine,
            Self::Lost { .. }
            | Self::OtherData { .. }
            | Self::Unbound
            | Self::Unused
            | Self::None
            | Self::Budget(_)
            | Self::Limit(_)
            | Self::Plan(_) => Blame::User,
        }
    }
}

impl Blamed for WitnessError {
    fn blame(&self) -> Blame {
        match self {
            Self::File(error) => error.blame(),
            Self::Damaged { .. } => Blame::Machine,
            Self::Unwritable { .. } => Blame::User,
        }
    }
}

impl Blamed for ServeError {
    fn blame(&self) -> Blame {
        if let Self::AddressFile(error) = self { error.blame() } else { Blame::User }
    }
}

impl Blamed for BackupError {
    fn blame(&self) -> Blame {
        match self {
            Self::File(error) => error.blame(),
            Self::Genesis(error) => error.blame(),
            Self::Key(error) => error.blame(),
            Self::Store(error) => error.blame(),
            Self::Blobs(_) | Self::Folder { .. } => Blame::Machine,
            Self::NoStore(_) | Self::NoBackup { .. } | Self::Restored(_) | Self::Occupied(_) | Self::Differs { .. } => {
                Blame::User
            }
        }
    }
}

impl Blamed for TokenError {
    fn blame(&self) -> Blame {
        if let Self::File(error) = self { error.blame() } else { Blame::User }
    }
}

impl Blamed for EndpointError {
    fn blame(&self) -> Blame {
        Blame::User
    }
}

impl Blamed for TelemetryError {
    fn blame(&self) -> Blame {
        if let Self::NotOurs = self { Blame::Machine } else { Blame::User }
    }
}

impl Blamed for TaskError {
    fn blame(&self) -> Blame {
        Blame::User
    }
}

impl Blamed for DataError {
    fn blame(&self) -> Blame {
        Blame::User
    }
}

impl Blamed for PartitionError {
    fn blame(&self) -> Blame {
        Blame::User
    }
}

impl Blamed for NetError {
    fn blame(&self) -> Blame {
        if let Self::Listen { .. } = self { Blame::User } else { Blame::Machine }
    }
}

impl Blamed for blobs::StoreError {
    fn blame(&self) -> Blame {
        Blame::Machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_harmless_line() {
        let failure = Failure::user("two\n  lines\tand \x1b[31mred");
        assert_eq!(failure.to_string(), "two lines and [31mred");
        assert_ne!(format!("{:?}", failure.exit_code()), format!("{:?}", Failure::machine("x").exit_code()));
    }
}
