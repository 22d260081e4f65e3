//! Blobs: models and updates move from peer to peer, verified, from many providers at once.
//!
//! A blob is named by its BLAKE3 hash and its size. It travels in pieces of at most 1 MiB, each with the tree nodes
//! that prove it against the hash, so every answer is checked alone, providers can be mixed freely, and the first wrong
//! byte shows who lies. [`Blobs`] is the whole: a [`Store`] on disk, a server for others' requests, a fetcher for ours.
//!
//! The caller's duties: run the swarm whose `libp2p_stream` control is passed in; say who has what
//! ([`Blobs::provide`]), as gossip tells; drain the events; call [`Store::retain`] now and then.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use althing_protocol::ids::{BlobRef, Hash, MemberId};
use libp2p::{PeerId, StreamProtocol};
use tokio::{sync::mpsc, task::AbortHandle};

mod fellows;
mod fetch;
mod link;
mod pieces;
mod schedule;
mod serve;
mod store;
#[cfg(test)]
mod tests;
mod tree;
mod wire;

use fetch::{Desk, Fetcher, REPORT_CAPACITY};
use link::LinkContext;
use schedule::Input;
use serve::Server;

pub use schedule::Transit;
pub use serve::{MAX_STREAMS, MAX_STREAMS_PER_PEER, MAX_UPLOADS};
pub use store::{Durability, Store, StoreError};

/// Events that wait for the node.
const EVENT_CAPACITY: usize = 256;
/// How long one answer of up to 1 MiB may take: about 35 kB/s at least.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Age of a flight after which an idle provider is asked for the same piece.
const HEDGE_AFTER: Duration = Duration::from_secs(2);

/// What the node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobEvent {
    /// The blob is in the store.
    Ready(BlobRef),
    /// The blob's last provider has gone. The fetch goes on when [`Blobs::provide`] names another.
    Stalled(BlobRef),
    /// The member sent bytes that are not the blob's. It is asked for nothing any more.
    BadProvider {
        /// Who lied.
        member: MemberId,
        /// About which blob.
        blob: BlobRef,
    },
    /// The disk failed and the fetch has ended; what was fetched so far stays for the next attempt.
    Failed {
        /// Which blob.
        blob: BlobRef,
        /// What happened and what to do, for people.
        reason: String,
    },
}

/// Why a blob cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The reference names more bytes than are admitted.
    #[error("a blob of {size} bytes is refused: at most {max} are admitted; raise the limit in the genesis")]
    TooLarge {
        /// Bytes that the reference names.
        size: u64,
        /// Bytes that are admitted.
        max: u64,
    },
    /// The reference names no bytes, but not the hash of no bytes.
    #[error("{0} names an empty blob by a wrong hash; nobody can have it")]
    Impossible(BlobRef),
    /// What the node may store is taken up.
    #[error(
        "no room for a blob of {size} bytes: {used} of the {max} bytes that blobs may take are in use; raise limits.disk_mb"
    )]
    NoRoom {
        /// Bytes of the blob.
        size: u64,
        /// Bytes that are in use, or will be when all that is being fetched is here.
        used: u64,
        /// Bytes that may be.
        max: u64,
    },
    /// Too many fetches.
    #[error("{} blobs are being fetched; cancel some, or wait until some are ready", schedule::MAX_FETCHES)]
    TooMany,
    /// The store failed.
    #[error("{0}")]
    Store(String),
}

/// Why blobs cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Somebody accepts streams of this protocol already.
    #[error("{0} is served already; start blobs once for each swarm")]
    AlreadyServed(StreamProtocol),
}

/// Whether a peer is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is.
    Admitted,
    /// Its streams are dropped.
    Refused,
}

/// Decides which peers are served. It is called for each new stream and must not block.
pub type Admit = Arc<dyn Fn(PeerId) -> Admission + Send + Sync>;

/// Is told of each stream that a peer opens. It must not block.
pub type Opened = Arc<dyn Fn(PeerId) + Send + Sync>;

/// What an answer with a part of a blob becomes on its way out. It must not block.
pub type LetOut = Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;

/// Bounds and choices.
#[derive(Clone)]
pub struct BlobConfig {
    /// Largest blob that is fetched, in bytes.
    pub max_blob_bytes: u64,
    /// What all blobs may take on the disk, in bytes, after which nothing is fetched. What this node makes itself is
    /// stored all the same.
    pub max_disk_bytes: u64,
    /// Which peers are served.
    pub admit: Admit,
    /// Who is told of their streams.
    pub opened: Opened,
    /// What answers become on their way out.
    pub let_out: LetOut,
    /// How long one answer of up to 1 MiB may take, in either direction.
    pub answer_timeout: Duration,
    /// How long a piece may be in flight before another provider is asked for it too.
    pub hedge_after: Duration,
}

impl Default for BlobConfig {
    fn default() -> Self {
        Self {
            max_blob_bytes: althing_protocol::limits::MAX_BLOB_BYTES,
            max_disk_bytes: u64::MAX,
            admit: Arc::new(|_| Admission::Admitted),
            opened: Arc::new(|_| ()),
            let_out: Arc::new(|answer| answer),
            answer_timeout: ANSWER_TIMEOUT,
            hedge_after: HEDGE_AFTER,
        }
    }
}

impl fmt::Debug for BlobConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobConfig")
            .field("max_blob_bytes", &self.max_blob_bytes)
            .field("max_disk_bytes", &self.max_disk_bytes)
            .field("answer_timeout", &self.answer_timeout)
            .field("hedge_after", &self.hedge_after)
            .finish_non_exhaustive()
    }
}

/// Bytes on blob streams since the start, without what the transport adds (noise, yamux, TCP: 0.1 % more).
#[derive(Debug, Default)]
pub struct BlobStats {
    up: AtomicU64,
    down: AtomicU64,
}

impl BlobStats {
    /// Bytes sent: answers to others and requests of ours.
    pub fn bytes_up(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }

    /// Bytes received: answers to us and requests of others.
    pub fn bytes_down(&self) -> u64 {
        self.down.load(Ordering::Relaxed)
    }

    fn count_up(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn count_down(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Store, server and fetcher together. Clones share them; with the last one they stop.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Store,
    desk: Arc<Desk>,
    stats: Arc<BlobStats>,
    max_blob_bytes: u64,
    max_disk_bytes: u64,
    /// Held so that the tasks end with the last clone.
    _tasks: Arc<Tasks>,
}

impl Blobs {
    /// Starts to serve and to fetch on `control`'s swarm, under `protocol`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the protocol is served on this swarm already.
    pub fn spawn(
        mut control: libp2p_stream::Control,
        protocol: StreamProtocol,
        store: Store,
        config: BlobConfig,
    ) -> Result<(Self, mpsc::Receiver<BlobEvent>), SpawnError> {
        let Ok(incoming) = control.accept(protocol.clone()) else {
            return Err(SpawnError::AlreadyServed(protocol));
        };
        let stats = Arc::new(BlobStats::default());
        let server = Server::new(store.clone(), Arc::clone(&stats), &config);
        let (reports_tx, reports) = mpsc::channel(REPORT_CAPACITY);
        let (events_tx, events) = mpsc::channel(EVENT_CAPACITY);
        let context = LinkContext {
            control,
            protocol,
            stats: Arc::clone(&stats),
            reports: reports_tx,
            answer_timeout: config.answer_timeout,
        };
        let desk = Arc::new(Desk::new(rand::random(), config.hedge_after));
        let fetcher = Fetcher::new(Arc::clone(&desk), store.clone(), context, reports, events_tx);
        let tasks =
            Tasks([tokio::spawn(server.run(incoming)).abort_handle(), tokio::spawn(fetcher.run()).abort_handle()]);
        let BlobConfig { max_blob_bytes, max_disk_bytes, .. } = config;
        let blobs = Self { store, desk, stats, max_blob_bytes, max_disk_bytes, _tasks: Arc::new(tasks) };
        Ok((blobs, events))
    }

    /// Starts to fetch `blob` from `providers`; more may be named at any time by [`Self::provide`].
    ///
    /// Ends in [`BlobEvent::Ready`], at once if the blob is here, or in [`BlobEvent::Failed`]. Without a provider it
    /// waits. To call it twice for one blob only adds the providers.
    ///
    /// # Errors
    /// If the reference is too large or impossible, there is no room for it, or too many fetches are under way.
    pub fn fetch(&self, blob: BlobRef, providers: &[MemberId]) -> Result<(), FetchError> {
        if blob.size > self.max_blob_bytes || tree::pieces(blob.size).is_none() {
            return Err(FetchError::TooLarge { size: blob.size, max: self.max_blob_bytes });
        }
        if blob.size == 0 {
            self.make_empty(blob)?;
        }
        if self.store.contains(&blob) {
            self.desk.report(BlobEvent::Ready(blob));
            return Ok(());
        }
        if !self.desk.has_room() {
            return Err(FetchError::TooMany);
        }
        self.find_room(&blob)?;
        self.desk.handle(Input::Fetch(blob, providers.to_vec()));
        Ok(())
    }

    /// Whether `blob` fits beside all that is here or on its way.
    fn find_room(&self, blob: &BlobRef) -> Result<(), FetchError> {
        let (size, max) = (blob.size, self.max_disk_bytes);
        let counted = self.store.list().into_iter().chain(self.store.begun()).chain(self.desk.wanted());
        let used = counted.collect::<BTreeSet<_>>().iter().filter(|other| *other != blob).map(|other| other.size).sum();
        if max - size.min(max) >= used { Ok(()) } else { Err(FetchError::NoRoom { size, used, max }) }
    }

    /// An empty blob needs no provider.
    fn make_empty(&self, blob: BlobRef) -> Result<(), FetchError> {
        if blob.hash != Hash::of(&[]) {
            return Err(FetchError::Impossible(blob));
        }
        let stored = self.store.put(&[], Durability::Refetchable);
        stored.map(|_| ()).map_err(|error| FetchError::Store(error.to_string()))
    }

    /// Says that `member` has `blob`. It means nothing unless the blob is being fetched, and to name one's own node
    /// only wastes a dial.
    pub fn provide(&self, blob: BlobRef, member: MemberId) {
        self.desk.handle(Input::Provider(blob, member));
    }

    /// Ends the fetch of `blob` without an event. What was fetched stays until [`Store::retain`] or a new fetch.
    pub fn cancel(&self, blob: BlobRef) {
        self.desk.handle(Input::Cancel(blob));
    }

    /// The first `most` fetches under way, the oldest first.
    pub fn under_way(&self, most: usize) -> Vec<Transit> {
        self.desk.under_way(most)
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The traffic so far.
    pub fn stats(&self) -> &BlobStats {
        &self.stats
    }
}

/// The server's and the fetcher's task.
#[derive(Debug)]
struct Tasks([AbortHandle; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}
