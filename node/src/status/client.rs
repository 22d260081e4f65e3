//! Asks the node that runs on a data folder how it is.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{ADDRESS_FILE, Status};
use crate::{files, transcript::Entry};

/// How long the node may take for each step of its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// Longest address file, in bytes: an address with a port.
const MAX_ADDRESS: u64 = 64;

/// Why no node has answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The data folder names no address.
    #[error("no node runs on this data folder")]
    NotRunning,
    /// The address is there, but nobody answers.
    #[error("nobody answers at {address} ({source})")]
    Silent {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody answers, but not a node.
    #[error("who answers at {address} is no Althing node")]
    Stranger {
        /// Where.
        address: SocketAddr,
    },
}

/// The status of the node that runs on `data_dir`. Blocks for some seconds at the most.
///
/// # Errors
/// [`AskError`] when none runs there, or what answers in its place is no node. The caller must still compare member
/// and network: after a crash, another node may have got the port.
pub fn ask(data_dir: &Path) -> Result<Status, AskError> {
    ask_for(data_dir, "/api/status")
}

/// The transcript of the node that runs on `data_dir`, the oldest entry first. Blocks for some seconds at the most.
///
/// # Errors
/// As [`ask`].
pub fn ask_decisions(data_dir: &Path) -> Result<Vec<Entry>, AskError> {
    ask_for(data_dir, "/api/decisions")
}

fn ask_for<T: DeserializeOwned>(data_dir: &Path, page: &str) -> Result<T, AskError> {
    let text = files::read(&data_dir.join(ADDRESS_FILE), MAX_ADDRESS).map_err(|_| AskError::NotRunning)?;
    let address: SocketAddr = text.trim().parse().map_err(|_| AskError::NotRunning)?;
    if !address.ip().is_loopback() {
        return Err(AskError::NotRunning);
    }
    let answer = get(address, page).map_err(|source| AskError::Silent { address, source })?;
    body(&answer).and_then(|json| serde_json::from_slice(json).ok()).ok_or(AskError::Stranger { address })
}

/// One request, one answer, and the connection is closed: HTTP/1.0 says so by itself.
fn get(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The body of an answer with status 200.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let good = head.starts_with("HTTP/1.") && head.split(' ').nth(1) == Some("200");
    good.then(|| &answer[end + 4..])
}
