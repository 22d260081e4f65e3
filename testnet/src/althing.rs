//! The node binary as a command-line program: one call, one JSON answer.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::{process::Command, time::timeout};

use crate::{error::Error, options::RunOptions};

/// How long a call other than `run` may take: even a long ledger verifies in less.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// The node binary.
#[derive(Debug, Clone)]
pub struct Althing {
    binary: PathBuf,
}

impl Althing {
    /// The binary that the options name, or the one beside this program.
    ///
    /// # Errors
    /// [`Error::NoBinary`] if there is no such file.
    pub fn find(options: &RunOptions) -> Result<Self, Error> {
        let binary = match &options.althing {
            Some(path) => path.clone(),
            None => {
                let own = std::env::current_exe().map_err(Error::io("find this program's folder"))?;
                own.with_file_name("althing")
            }
        };
        match binary.canonicalize() {
            Ok(binary) if binary.is_file() => Ok(Self { binary }),
            _ => Err(Error::NoBinary(binary)),
        }
    }

    /// Where it is.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Runs `althing verb.. arguments.. --json` and reads its answer.
    ///
    /// # Errors
    /// [`Error::Command`] if it fails, answers something else or takes too long.
    pub async fn json<T: DeserializeOwned>(&self, verb: &[&str], arguments: &[OsString]) -> Result<T, Error> {
        let stdout = self.call(verb, arguments, &["--json"]).await?;
        serde_json::from_slice(&stdout).map_err(|error| Error::Command {
            command: verb.join(" "),
            reason: format!("it answered something unexpected: {error}"),
            code: None,
        })
    }

    /// Runs `althing verb.. arguments.. flags..` and returns what it printed.
    ///
    /// # Errors
    /// [`Error::Command`] if it fails or takes too long.
    pub async fn call(&self, verb: &[&str], arguments: &[OsString], flags: &[&str]) -> Result<Vec<u8>, Error> {
        let failed = |reason: String, code| Error::Command { command: verb.join(" "), reason, code };
        let mut command = Command::new(&self.binary);
        command.args(verb).args(arguments).args(flags).stdin(Stdio::null()).kill_on_drop(true);
        let output = match timeout(CALL_TIMEOUT, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(failed(error.to_string(), None)),
            Err(_) => return Err(failed(format!("no answer within {} s", CALL_TIMEOUT.as_secs()), None)),
        };
        if output.status.success() {
            return Ok(output.stdout);
        }
        let reason = match String::from_utf8_lossy(&output.stderr).trim() {
            "" => output.status.to_string(),
            words => words.to_owned(),
        };
        Err(failed(reason, output.status.code()))
    }
}
