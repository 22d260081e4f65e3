//! A node's status over HTTP: one small GET, without a client library.

use std::{io, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a node may take to answer. It answers from memory, so only a dead one takes longer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 1 << 20;

/// What a node says of itself; fields that are not known here are ignored, missing ones are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Last height that it has decided.
    pub height: u64,
    /// Members that it is connected to.
    pub peers: u64,
    /// Its reputation.
    pub reputation: Option<i64>,
    /// What went over its connections since it started.
    pub wire: Wire,
}

/// Bytes over a node's connections since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(default)]
pub struct Wire {
    /// Sent, all together.
    pub sent_bytes: u64,
    /// Received, all together.
    pub received_bytes: u64,
    /// Sent as models and updates.
    pub blob_sent_bytes: u64,
    /// Received as models and updates.
    pub blob_received_bytes: u64,
}

/// Asks the node at `host:port`.
///
/// # Errors
/// An [`io::Error`] if it does not answer in time, or not as a node does.
pub async fn get(address: &str) -> io::Result<Status> {
    match timeout(ANSWER_TIMEOUT, ask(address)).await {
        Ok(answer) => parse(&answer?),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn ask(address: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /api/status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn parse(answer: &[u8]) -> io::Result<Status> {
    let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or_else(|| malformed("no HTTP header"))?;
    let first_line = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
    if first_line.split(|&byte| byte == b' ').nth(1) != Some(b"200") {
        return Err(malformed(&String::from_utf8_lossy(first_line)));
    }
    serde_json::from_slice(&answer[end + 4..]).map_err(|error| malformed(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn serve(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /api/status HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn a_status_is_read_whatever_else_it_says() {
        let address = serve(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"height\":7,\"mood\":\"fine\",\"wire\":{\"sent_bytes\":9}}",
        );
        let status = get(&address.await).await.unwrap();
        assert_eq!((status.height, status.wire.sent_bytes, status.wire.received_bytes), (7, 9, 0));
    }

    #[tokio::test]
    async fn anything_else_is_an_error() {
        for answer in ["HTTP/1.1 404 Not Found\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\nhello", "SSH-2.0", ""] {
            assert!(get(&serve(answer).await).await.is_err(), "{answer}");
        }
    }
}
