//! A caller that speaks just enough HTTP.

use std::future::Future;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: String,
    pub(super) text: String,
    /// The text as JSON; null when it is none.
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A request that has been sent.
pub(super) struct Sent {
    stream: TcpStream,
}

impl Sent {
    pub(super) async fn reply(mut self) -> Reply {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body_json = serde_json::from_str(body).unwrap_or(Value::Null);
        Reply { status, headers: head.replace("\r\n", "\n"), text: body.to_owned(), body: body_json }
    }
}

pub(super) async fn get(port: u16, path: &str) -> Reply {
    sent(port, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await.reply().await
}

pub(super) async fn ask(port: u16, body: &Value) -> Reply {
    send(port, body).await.reply().await
}

pub(super) async fn ask_with(port: u16, body: &Value, headers: &[(&str, &str)]) -> Reply {
    sent(port, post(body, headers)).await.reply().await
}

/// Sends a question, and does not wait for its answer.
pub(super) async fn send(port: u16, body: &Value) -> Sent {
    sent(port, post(body, &[])).await
}

/// Sends a question, and closes the connection once `moment` has come.
pub(super) async fn leave_after(port: u16, body: &Value, moment: impl Future<Output = ()>) {
    let sent = send(port, body).await;
    moment.await;
    drop(sent);
}

fn post(body: &Value, headers: &[(&str, &str)]) -> String {
    let body = body.to_string();
    let mut head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head.push_str("content-type: application/json; charset=utf-8\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}")
}

async fn sent(port: u16, text: String) -> Sent {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    Sent { stream }
}
