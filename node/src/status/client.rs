//! Asks the node that runs on a data folder how it is.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use althing_protocol::{codec, crypto::Signed, ids::NetworkId, statement::Instruction, wire::Decision};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    ADDRESS_FILE, Status, Token,
    guard::INTENT,
    teller::{Books, CONTENT_TYPE},
};
use crate::{files, ledger_file::Exported, text::one_line, transcript::Entry};

/// How long the node may take for each step of its answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// Longest address file, in bytes: an address with a port, and the path of a file.
const MAX_ADDRESS: u64 = 64 + 4_096;

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

/// All decisions of the node that runs on `data_dir`, with the network that they are of. Blocks for some seconds at the
/// most for each 64 heights.
///
/// # Errors
/// As [`ask`].
pub fn ask_decided(data_dir: &Path) -> Result<(NetworkId, Vec<Decision>), AskError> {
    let door = Door::of(data_dir)?;
    let Books { network, height, .. } = door.books()?;
    let mut decisions = Vec::new();
    while (decisions.len() as u64) < height.0 {
        let page: Vec<Exported> = door.ask(&format!("/api/ledger/decided/{}", decisions.len() + 1))?;
        let page: Result<Vec<Decision>, _> = page.into_iter().map(Exported::decision).collect();
        let page = page.map_err(|_| AskError::Stranger { address: door.address })?;
        if page.is_empty() {
            break;
        }
        decisions.extend(page);
    }
    Ok((network, decisions))
}

fn ask_for<T: DeserializeOwned>(data_dir: &Path, page: &str) -> Result<T, AskError> {
    Door::of(data_dir)?.ask(page)
}

/// What the node logs, after `filter` is put in place of what it logged, if one is given.
///
/// # Errors
/// [`SubmitFailure`] when no node answers, or what is given is no filter.
pub fn log_filter(data_dir: &Path, filter: Option<&str>) -> Result<String, SubmitFailure> {
    let door = Door::of(data_dir)?;
    let answer = match filter {
        None => door.exchange(&["GET /api/log", ""], &[])?,
        Some(filter) => {
            let head = format!("Content-Type: text/plain\r\n{INTENT}: log\r\nContent-Length: {}\r\n", filter.len());
            door.exchange(&["POST /api/log", &head], filter.as_bytes())?
        }
    };
    let stranger = || AskError::Stranger { address: door.address };
    match parts(&answer) {
        Some(("200", body)) => {
            let said: Logging = serde_json::from_slice(body).map_err(|_| stranger())?;
            Ok(said.filter)
        }
        Some((_, why)) => Err(SubmitFailure::Refused(one_line(&String::from_utf8_lossy(why)))),
        None => Err(stranger().into()),
    }
}

/// What a node says of its logs.
#[derive(Deserialize)]
struct Logging {
    filter: String,
}

/// Where a node of this member can be spoken to.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    /// What it wants to see.
    token: Option<Token>,
}

/// Why an instruction was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitFailure {
    /// No node has answered.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The node does not take it.
    #[error("{0}")]
    Refused(String),
}

impl Door {
    /// The door of the node that runs on `data_dir`.
    ///
    /// # Errors
    /// [`AskError::NotRunning`] when none does.
    pub fn of(data_dir: &Path) -> Result<Self, AskError> {
        let text = files::read(&data_dir.join(ADDRESS_FILE), MAX_ADDRESS).map_err(|_| AskError::NotRunning)?;
        let mut lines = text.trim().lines();
        let address: SocketAddr = lines.next().unwrap_or_default().parse().map_err(|_| AskError::NotRunning)?;
        match lines.next() {
            None => Self::at(address).ok_or(AskError::NotRunning),
            Some(path) => {
                let token = Token::load(Path::new(path)).map_err(|_| AskError::NotRunning)?;
                Ok(Self { address, token: Some(token) })
            }
        }
    }

    /// The door at `address`, if that is of this machine alone.
    pub fn at(address: SocketAddr) -> Option<Self> {
        address.ip().is_loopback().then_some(Self { address, token: None })
    }

    /// What the node's ledger says.
    ///
    /// # Errors
    /// [`AskError`] when no node answers.
    pub fn books(&self) -> Result<Books, AskError> {
        self.ask("/api/ledger")
    }

    /// Hands an instruction in.
    ///
    /// # Errors
    /// [`SubmitFailure`] when the node does not take it, in its words.
    pub fn submit(&self, instruction: &Signed<Instruction>) -> Result<(), SubmitFailure> {
        let body = codec::encode(instruction);
        let head = format!("Content-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\n", body.len());
        let answer = self.exchange(&["POST /api/instructions", &head], &body)?;
        match parts(&answer) {
            Some(("202", _)) => Ok(()),
            Some((_, why)) => Err(SubmitFailure::Refused(one_line(&String::from_utf8_lossy(why)))),
            None => Err(AskError::Stranger { address: self.address }.into()),
        }
    }

    fn ask<T: DeserializeOwned>(&self, page: &str) -> Result<T, AskError> {
        let answer = self.exchange(&[&format!("GET {page}"), ""], &[])?;
        let body = parts(&answer).filter(|(status, _)| *status == "200").map(|(_, body)| body);
        body.and_then(|json| serde_json::from_slice(json).ok()).ok_or(AskError::Stranger { address: self.address })
    }

    /// One request, one answer, and the connection is closed: HTTP/1.0 says so by itself.
    fn exchange(&self, [request, head]: &[&str; 2], body: &[u8]) -> Result<Vec<u8>, AskError> {
        let address = self.address;
        let proof = self.token.as_ref().map(|token| format!("Authorization: {}\r\n", token.bearer()));
        let proof = proof.unwrap_or_default();
        let exchange = || {
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(format!("{request} HTTP/1.0\r\nHost: {address}\r\n{proof}{head}\r\n").as_bytes())?;
            stream.write_all(body)?;
            let mut answer = Vec::new();
            stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
            Ok(answer)
        };
        exchange().map_err(|source| AskError::Silent { address, source })
    }
}

/// The status and the body of an answer.
fn parts(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    Some((status, &answer[end + 4..]))
}
