//! Logs: to stderr, so that stdout stays free for what was asked for.
//!
//! What is logged can be changed while the process runs.

use std::{
    io::{self, IsTerminal},
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};

/// The variable that chooses what is logged, for example `ALTHING_LOG=althing_node::net=debug`.
pub const VARIABLE: &str = "ALTHING_LOG";

/// What is logged when the variable is not set. Gossip would warn of every message that a slow peer makes it drop, with
/// all its bytes: whoever reads nothing could fill a disk.
const DEFAULT: &str = "warn,althing=info,libp2p_gossipsub=error";

/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 1_024;

/// Why logs cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The variable is no filter.
    #[error("{VARIABLE}={value:?} is no log filter ({detail}); try {VARIABLE}=debug or {VARIABLE}=warn,althing=debug")]
    Variable {
        /// What the variable holds.
        value: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A text is no filter.
    #[error("{value:?} is no log filter ({detail}); try debug, or warn,althing_node::net=debug")]
    Filter {
        /// The text.
        value: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The process has other logs than those of [`init`].
    #[error("this process does not log by itself, so there is nothing to change; start it as `althing run`")]
    NotOurs,
}

/// The logs of this process.
struct Logs {
    /// What is logged now.
    filter: Mutex<String>,
    change: Box<dyn Fn(EnvFilter) -> bool + Send + Sync>,
}

static LOGS: OnceLock<Logs> = OnceLock::new();

/// Sends this process's logs to stderr. A second call changes nothing.
///
/// # Errors
/// [`TelemetryError`] when [`VARIABLE`] holds no filter.
pub fn init() -> Result<(), TelemetryError> {
    let value = std::env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned());
    let filter = parse(&value).map_err(|detail| TelemetryError::Variable { value: value.clone(), detail })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_filter_reloading();
    let handle = builder.reload_handle();
    // An error here means that the process has a subscriber already, which is as good.
    if builder.finish().try_init().is_ok() {
        let change = Box::new(move |filter| handle.reload(filter).is_ok());
        // Whoever has set the subscriber is the only one to come here.
        let _ = LOGS.set(Logs { filter: Mutex::new(value), change });
    }
    Ok(())
}

/// What is logged now, in the words of [`VARIABLE`].
///
/// # Errors
/// [`TelemetryError::NotOurs`] in a process that was not set up by [`init`].
pub fn filter() -> Result<String, TelemetryError> {
    let logs = LOGS.get().ok_or(TelemetryError::NotOurs)?;
    Ok(logs.filter.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Logs what `value` says from now on.
///
/// # Errors
/// [`TelemetryError`] when `value` is no filter, or the process was not set up by [`init`].
pub fn set_filter(value: &str) -> Result<(), TelemetryError> {
    let parsed = parse(value).map_err(|detail| TelemetryError::Filter { value: value.to_owned(), detail })?;
    let logs = LOGS.get().ok_or(TelemetryError::NotOurs)?;
    let mut filter = logs.filter.lock().unwrap_or_else(PoisonError::into_inner);
    if !(logs.change)(parsed) {
        return Err(TelemetryError::NotOurs);
    }
    value.clone_into(&mut filter);
    Ok(())
}

fn parse(value: &str) -> Result<EnvFilter, String> {
    if value.trim().is_empty() || value.len() > FILTER_BYTES_MAX {
        return Err(format!("it must have 1 to {FILTER_BYTES_MAX} bytes"));
    }
    EnvFilter::builder().parse(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_parsed_or_refused() {
        parse(DEFAULT).unwrap();
        parse("althing_node::net=debug").unwrap();
        for nonsense in ["althing=loud=er", "", " ", &"a".repeat(FILTER_BYTES_MAX + 1)] {
            parse(nonsense).unwrap_err();
        }
        let error = set_filter("althing=loud=er").unwrap_err().to_string();
        assert!(error.contains("try debug"), "{error}");
    }
}
