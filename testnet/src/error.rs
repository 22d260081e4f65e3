//! Why a run could not be made, and which exit code says so.

use std::{io, path::PathBuf};

/// Exit code of a run that failed.
pub const EXIT_FAULT: u8 = 1;
/// Exit code of a mistake that the user can mend.
pub const EXIT_MISTAKE: u8 = 2;

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The report folder holds something that is not a report.
    #[error("{} holds files that no testnet wrote; give an empty or new folder with --report DIR", .0.display())]
    ForeignFolder(PathBuf),
    /// There is no node binary.
    #[error("there is no node binary at {}; build it with `cargo build --bin althing`, or name it with --althing PATH", .0.display())]
    NoBinary(PathBuf),
    /// The training data is missing.
    #[error("there is no folder {}; name the folder of the data with --data DIR", .0.display())]
    NoData(PathBuf),
    /// An option asks for what cannot be had.
    #[error("{0}")]
    Usage(String),
    /// The node binary refused a command.
    #[error("`althing {command}` failed: {reason}")]
    Command {
        /// The arguments, cut to the verb.
        command: String,
        /// What it wrote to its error stream.
        reason: String,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
    },
    /// A node ended although nobody told it to.
    #[error("{name} ended by itself ({status}); the end of {}:\n{tail}", .log.display())]
    NodeEnded {
        /// Which node.
        name: String,
        /// How it ended.
        status: String,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// A node did not say that it listens.
    #[error("{name} said nothing of listening within {seconds} s; read {}", .log.display())]
    Silent {
        /// Which node.
        name: String,
        /// How long it was waited for.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The user wanted no more.
    #[error("interrupted; all nodes are stopped")]
    Interrupted,
    /// The operating system refused.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted, with the path.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A plot could not be drawn.
    #[error("cannot draw {}: {reason}", .path.display())]
    Plot {
        /// The picture.
        path: PathBuf,
        /// What the drawing library said.
        reason: String,
    },
}

impl Error {
    /// An [`Error::Io`] as a closure for `map_err`.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// The exit code of the process that ends with this error.
    ///
    /// A node that calls something the user's mistake (it exits with 2) is taken at its word.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::ForeignFolder(_) | Self::NoBinary(_) | Self::NoData(_) | Self::Usage(_) => EXIT_MISTAKE,
            Self::Command { code, .. } | Self::NodeEnded { code, .. } if *code == Some(i32::from(EXIT_MISTAKE)) => {
                EXIT_MISTAKE
            }
            _ => EXIT_FAULT,
        }
    }
}
