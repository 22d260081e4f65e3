//! Logs: to stderr, so that stdout stays free for what was asked for.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};

/// The variable that chooses what is logged, for example `ALTHING_LOG=althing_node::net=debug`.
pub const VARIABLE: &str = "ALTHING_LOG";

/// What is logged when the variable is not set.
const DEFAULT: &str = "warn,althing=info";

/// Why logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The variable is no filter.
    #[error("{VARIABLE}={value:?} is no log filter ({detail}); try {VARIABLE}=debug or {VARIABLE}=warn,althing=debug")]
    Filter {
        /// What the variable holds.
        value: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// Sends this process's logs to stderr. A second call changes nothing.
///
/// # Errors
/// [`TelemetryError`] when [`VARIABLE`] holds no filter.
pub fn init() -> Result<(), TelemetryError> {
    let value = std::env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned());
    let filter = parse(&value)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .finish();
    // An error here means that the process has a subscriber already, which is as good.
    let _ = subscriber.try_init();
    Ok(())
}

fn parse(value: &str) -> Result<EnvFilter, TelemetryError> {
    let wrong = |detail: String| TelemetryError::Filter { value: value.to_owned(), detail };
    EnvFilter::builder().parse(value).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_parsed_or_refused_with_an_example() {
        parse(DEFAULT).unwrap();
        parse("althing_node::net=debug").unwrap();
        let error = parse("althing=loud=er").unwrap_err().to_string();
        assert!(error.contains("try ALTHING_LOG=debug"), "{error}");
    }
}
