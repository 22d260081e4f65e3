//! How a command fails: in one line for people, and one exit code for scripts.

use std::{fmt, process::ExitCode};

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The user's: an argument, a file or an address must change before another try. Exit code 2.
    User,
    /// The machine's, the network's or the program's. Exit code 1.
    Machine,
}

/// Why a command ended without its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    blame: Blame,
    message: String,
}

impl Failure {
    /// The user must change something, as `reason` says.
    pub(crate) fn user(reason: impl fmt::Display) -> Self {
        Self { blame: Blame::User, message: one_line(&reason.to_string()) }
    }

    /// Something broke, as `reason` says.
    pub(crate) fn machine(reason: impl fmt::Display) -> Self {
        Self { blame: Blame::Machine, message: one_line(&reason.to_string()) }
    }

    /// The exit code that tells scripts whose fault it is.
    pub(crate) fn exit_code(&self) -> ExitCode {
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

/// `text` without control characters and in one line, so that nobody else's words can drive a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let visible: String = spaced.chars().filter(|c| !c.is_control()).collect();
    visible.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
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
