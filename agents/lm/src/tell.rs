//! What the program tells on stdout: words for people, or one JSON object a line for programs.

use std::io::{self, Write};

use serde::Serialize;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Something to tell.
pub(crate) trait Told: Serialize {
    /// The same in words.
    fn words(&self) -> String;
}

/// Where it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Teller {
    format: Format,
}

impl Teller {
    /// To standard output, in `format`.
    pub(crate) fn stdout(format: Format) -> Self {
        Self { format }
    }

    /// Tells `told`. Nobody listening any more is no reason to stop.
    pub(crate) fn tell(&self, told: &impl Told) {
        let line = match self.format {
            Format::Text => told.words(),
            Format::Json => match serde_json::to_string(told) {
                Ok(line) => line,
                Err(error) => {
                    tracing::error!(%error, "something could not be told");
                    return;
                }
            },
        };
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
            tracing::debug!(%error, "nobody reads what is told any more");
        }
    }
}
