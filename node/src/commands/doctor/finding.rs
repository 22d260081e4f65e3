//! One thing that was looked at, and what became of it.

use std::fmt;

use serde::Serialize;

use crate::text::one_line;

/// What a finding means for the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// All is well.
    Fine,
    /// The node runs, and something may go worse than it could.
    Warns,
    /// The node would not start, or could not take part.
    Stops,
}

/// What was found at one place, in one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at: a stable word.
    pub(super) check: &'static str,
    /// What it means.
    pub(super) severity: Severity,
    /// What was found and, unless all is well, what to do.
    pub(super) says: String,
}

impl Finding {
    pub(super) fn fine(check: &'static str, says: impl fmt::Display) -> Self {
        Self::new(check, Severity::Fine, says)
    }

    pub(super) fn warns(check: &'static str, says: impl fmt::Display) -> Self {
        Self::new(check, Severity::Warns, says)
    }

    pub(super) fn stops(check: &'static str, says: impl fmt::Display) -> Self {
        Self::new(check, Severity::Stops, says)
    }

    fn new(check: &'static str, severity: Severity, says: impl fmt::Display) -> Self {
        Self { check, severity, says: one_line(&says.to_string()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Fine => "ok",
            Severity::Warns => "warns",
            Severity::Stops => "STOPS",
        };
        writeln!(f, "{word:<6} {:<14} {}", self.check, self.says)
    }
}
