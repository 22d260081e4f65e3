//! The handle through which the node speaks to the network.

use althing_protocol::ids::MemberId;
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

use super::{
    NetError,
    config::Admission,
    event::{MessageToken, ReplyToken, Verdict},
    protocols::{Protocols, REQUEST_BYTES_MAX},
    topic::Topic,
};
use crate::status::{Reach, Traffic};

/// Commands that wait for the network. Callers wait when there are more.
pub(super) const COMMANDS: usize = 256;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The request is longer than any peer takes; it was not sent.
    #[error("a request of {len} bytes, where at most {REQUEST_BYTES_MAX} are allowed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// No connection to the peer; it was not sent.
    #[error("{0:?} is not connected")]
    NotConnected(MemberId),
    /// Too many requests wait for answers already; it was not sent.
    #[error("too many requests are waiting; try again later")]
    Busy,
    /// The peer said nothing in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection closed, or the peer refused to answer, or sent more than it may.
    #[error("the peer did not answer: {0}")]
    Refused(String),
    /// The network was shut down.
    #[error("the network is shut down")]
    Stopped,
}

/// What the network has carried since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes received on connections, blobs and all, before encryption.
    pub bytes_in: u64,
    /// Bytes sent on connections, blobs and all, before encryption.
    pub bytes_out: u64,
    /// Peers that are up.
    pub peers: usize,
    /// Messages received, without repetitions.
    pub gossip_in: u64,
    /// Messages dropped because their author exceeded its rate or the node did not keep up.
    pub gossip_dropped: u64,
    /// Messages published.
    pub gossip_out: u64,
    /// Payload of gossip, in the order of [`Topic::ALL`].
    pub topics: [Traffic; Topic::ALL.len()],
    /// Payload of requests and of their answers.
    pub requests: Traffic,
    /// What goes through relays.
    pub relayed: Reach,
}

/// What the handle asks of the network's task.
#[derive(Debug)]
pub(super) enum Command {
    Publish { topic: Topic, bytes: Vec<u8> },
    Report { token: MessageToken, verdict: Verdict },
    Request { to: MemberId, bytes: Vec<u8>, answer: oneshot::Sender<Result<Vec<u8>, RequestError>> },
    Knock { at: MemberId, bytes: Vec<u8>, answer: oneshot::Sender<Result<Vec<u8>, RequestError>> },
    Respond { token: ReplyToken, bytes: Vec<u8> },
    Ban { member: MemberId, why: String },
    Opened { peer: PeerId },
    Admit { admission: Admission },
    Dial { address: Multiaddr },
    ListenAddresses { answer: oneshot::Sender<Vec<Multiaddr>> },
    Stats { answer: oneshot::Sender<Stats> },
    Metrics { answer: oneshot::Sender<String> },
    Shutdown { done: oneshot::Sender<()> },
}

/// A handle to the network; clones speak to the same one. The network stops when the last handle is dropped.
///
/// The calls wait only while many commands are queued, and do nothing after the network was shut down.
#[derive(Clone)]
pub struct Network {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) streams: libp2p_stream::Control,
    pub(super) protocols: Protocols,
}

impl Stats {
    /// What gossip about `topic` carries.
    pub(super) fn topic(&mut self, topic: Topic) -> &mut Traffic {
        &mut self.topics[topic as usize]
    }
}

impl Network {
    /// Publishes `bytes` to everybody who is connected. With nobody connected nothing happens, and what is longer than
    /// [`Topic::max_bytes`] is dropped with a warning.
    pub async fn publish(&self, topic: Topic, bytes: Vec<u8>) {
        self.send(Command::Publish { topic, bytes }).await;
    }

    /// Gives the verdict on a received message.
    pub async fn report(&self, token: MessageToken, verdict: Verdict) {
        self.send(Command::Report { token, verdict }).await;
    }

    /// Asks `to` and waits for its answer.
    ///
    /// # Errors
    /// [`RequestError`] says why there is none.
    pub async fn request(&self, to: MemberId, bytes: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLong { len: bytes.len() });
        }
        let (answer, wait) = oneshot::channel();
        self.send(Command::Request { to, bytes, answer }).await;
        wait.await.unwrap_or(Err(RequestError::Stopped))
    }

    /// Asks at the door of `at`, where members and others are answered alike, and waits.
    ///
    /// # Errors
    /// [`RequestError`] says why there is no answer.
    pub async fn knock(&self, at: MemberId, bytes: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        let (answer, wait) = oneshot::channel();
        self.send(Command::Knock { at, bytes, answer }).await;
        wait.await.unwrap_or(Err(RequestError::Stopped))
    }

    /// Answers a request or a knock. An answer beyond [`REPLY_BYTES_MAX`](super::REPLY_BYTES_MAX) is dropped with a warning, and
    /// the asker is refused.
    pub async fn respond(&self, token: ReplyToken, bytes: Vec<u8>) {
        self.send(Command::Respond { token, bytes }).await;
    }

    /// Opens and accepts raw streams, for blobs. Name them with [`Network::protocol`].
    ///
    /// Accepting has a trap: a stream that arrives while nobody polls is dropped, so the accepting loop must do nothing
    /// but spawn. And everybody who is connected may open one, even a stranger in its first moments.
    pub fn streams(&self) -> libp2p_stream::Control {
        self.streams.clone()
    }

    /// The name of a protocol in this federation, such as `blobs/1`.
    ///
    /// # Errors
    /// [`NetError::Settings`] where `name` cannot be part of a protocol name.
    pub fn protocol(&self, name: &str) -> Result<StreamProtocol, NetError> {
        self.protocols.stream(name)
    }

    /// The addresses at which this node listens.
    pub async fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.ask(|answer| Command::ListenAddresses { answer }).await
    }

    /// Disconnects `member` and blocks it for [`BAN_FOR`](super::BAN_FOR).
    pub async fn ban(&self, member: MemberId, why: impl Into<String>) {
        self.send(Command::Ban { member, why: why.into() }).await;
    }

    /// `peer` has opened a raw stream, which counts as a request.
    pub fn opened(&self, peer: PeerId) {
        // While the network has much else to do, some of a flood goes uncounted; the rest still is one.
        let _ = self.commands.try_send(Command::Opened { peer });
    }

    /// Changes who may stay connected. Those that no longer may are disconnected.
    pub async fn admit(&self, admission: Admission) {
        self.send(Command::Admit { admission }).await;
    }

    /// Dials an address once.
    pub async fn dial(&self, address: Multiaddr) {
        self.send(Command::Dial { address }).await;
    }

    /// What the network has carried.
    pub async fn stats(&self) -> Stats {
        self.ask(|answer| Command::Stats { answer }).await
    }

    /// The counters of libp2p in the text format of Prometheus.
    pub async fn metrics(&self) -> String {
        self.ask(|answer| Command::Metrics { answer }).await
    }

    /// Closes all connections and stops the task; returns when it has stopped.
    pub async fn shutdown(&self) {
        self.ask(|done| Command::Shutdown { done }).await;
    }

    async fn ask<T: Default>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> T {
        let (answer, wait) = oneshot::channel();
        self.send(command(answer)).await;
        wait.await.unwrap_or_default()
    }

    async fn send(&self, command: Command) {
        if self.commands.send(command).await.is_err() {
            tracing::debug!("a command came after the network was shut down");
        }
    }
}
